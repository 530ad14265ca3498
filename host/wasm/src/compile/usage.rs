//! What a process has used so far, as the system counts it. Where the system does not say, the limits that the process has set on itself hold alone.

use std::time::Duration;

/// Of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Processor time of all its threads.
    pub(super) cpu: Duration,
    /// Bytes of memory that are its own: without the program's file.
    pub(super) memory: u64,
}

/// That of the process `pid`.
#[cfg(target_os = "linux")]
pub(super) fn usage(pid: u32) -> Usage {
    Usage { cpu: cpu(pid).unwrap_or_default(), memory: memory(pid).unwrap_or_default() }
}

/// Nothing is known.
#[cfg(not(target_os = "linux"))]
pub(super) fn usage(_: u32) -> Usage {
    Usage::default()
}

#[cfg(target_os = "linux")]
fn cpu(pid: u32) -> Option<Duration> {
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(i32::try_from(pid).ok()?)).ok()?;
    Some(nix::time::clock_gettime(clock).ok()?.into())
}

#[cfg(target_os = "linux")]
fn memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let of = |name: &str| {
        let kib = status.lines().find_map(|line| line.strip_prefix(name))?.trim().trim_end_matches(" kB");
        kib.parse::<u64>().ok().map(|kib| kib << 10)
    };
    Some(of("RssAnon:")? + of("RssShmem:").unwrap_or(0))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_time_and_memory() {
        let own = usage(std::process::id());
        assert!(own.cpu > Duration::ZERO && own.memory > 1 << 16, "{own:?}");
        assert_eq!(usage(u32::MAX), Usage::default());
    }
}
