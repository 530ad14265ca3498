//! How much memory this process has used at most.

/// Peak resident memory in bytes, as Linux counts it; 0 where the system does not say.
pub fn peak_memory_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status").ok().and_then(|status| peak_of(&status)).unwrap_or(0)
}

/// `VmHWM` of a `/proc/<pid>/status`.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_in_bytes() {
        assert_eq!(peak_of("Name:\tweir\nVmPeak:\t  900 kB\nVmHWM:\t  412 kB\nVmRSS:\t 300 kB\n"), Some(412 * 1024));
        assert_eq!(peak_of("Name:\tweir\n"), None);
        assert_eq!(peak_of("VmHWM:\tmany kB\n"), None);
    }
}
