//! How much memory this process has used at most, and how much there is for it.

use std::path::{Path, PathBuf};

/// Peak resident memory in bytes, as Linux counts it; 0 where the system does not say.
pub fn peak_memory_bytes() -> u64 {
    read(Path::new(STATUS)).and_then(|status| peak_of(&status)).unwrap_or(0)
}

/// Resident memory in bytes; 0 where the system does not say.
pub fn resident_memory_bytes() -> u64 {
    read(Path::new(STATUS)).and_then(|status| kib_of(&status, "VmRSS:")).unwrap_or(0)
}

const STATUS: &str = "/proc/self/status";

/// `VmHWM` of a `/proc/<pid>/status`.
fn peak_of(status: &str) -> Option<u64> {
    kib_of(status, "VmHWM:")
}

/// A line of KiB in a file of the system, in bytes.
fn kib_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What a job's state may take in all where its file says nothing: half of the memory that this process can have, in whole MiB. `None` where the
/// system does not say.
pub fn state_memory() -> Option<u64> {
    memory_limit(Path::new("/")).map(|limit| (limit / 2) >> 20 << 20)
}

/// The memory of the machine, or of the control group where that has less. `root`: where the system's files are.
fn memory_limit(root: &Path) -> Option<u64> {
    let machine = read(&root.join("proc/meminfo")).and_then(|text| kib_of(&text, "MemTotal:"));
    let groups = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    machine.into_iter().chain(groups.lines().filter_map(|line| group_limit(root, line))).min()
}

/// The smallest limit of a control group and of those that it lies in. `line`: of `/proc/self/cgroup`, as `0::/a/b` or `4:memory:/a/b`.
fn group_limit(root: &Path, line: &str) -> Option<u64> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let (mount, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        several if several.split(',').any(|one| one == "memory") => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        _ => return None,
    };
    let mount = root.join(mount);
    // In a container the path may be that of the host, which is not there; the mount's own file is then the container's.
    let below = path.trim_start_matches('/');
    let folders = Path::new(below).ancestors().map(|folder| mount.join(folder));
    // Without a limit version 2 says `max`, and version 1 a number larger than any memory.
    folders.filter_map(|folder: PathBuf| read(&folder.join(file))?.trim().parse().ok()).min()
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
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

    /// Of a machine with these files.
    #[track_caller]
    fn check(files: &[(&str, &str)], expect: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert_eq!(memory_limit(root.path()), expect, "{files:?}");
    }

    #[test]
    fn the_memory_is_that_of_the_machine_or_of_the_smallest_control_group_around() {
        let (machine, kib) = (("proc/meminfo", "MemFree: 1 kB\nMemTotal:       4096 kB\n"), 1_024);
        check(&[], None);
        check(&[machine], Some(4_096 * kib));
        let v2 = ("proc/self/cgroup", "0::/a/b\n");
        check(&[machine, v2, ("sys/fs/cgroup/a/b/memory.max", "max\n")], Some(4_096 * kib));
        check(&[machine, v2, ("sys/fs/cgroup/a/b/memory.max", "max\n"), ("sys/fs/cgroup/a/memory.max", "1000\n")], Some(1_000));
        check(&[machine, v2, ("sys/fs/cgroup/memory.max", "2000\n")], Some(2_000));
        check(&[machine, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "3000\n")], Some(3_000));
        let v1 = ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/1\n");
        check(&[machine, v1, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "5000\n")], Some(5_000));
        check(&[machine, v1, ("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "9223372036854771712\n")], Some(4_096 * kib));
    }
}
