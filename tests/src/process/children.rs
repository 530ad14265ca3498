//! What processes have started, and what that took.

use nix::sys::resource::{UsageWho, getrusage};

/// The most memory that one of this process's children has had, of those that have ended, in bytes.
pub fn peak_memory_of_children() -> u64 {
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    let unit = if cfg!(target_os = "macos") { 1 } else { 1 << 10 };
    u64::try_from(peak).unwrap_or(0) * unit
}

/// The processes that `parent` has started and that run, by their ids.
pub fn children_of(parent: u32) -> Vec<u32> {
    let listed = std::process::Command::new("ps").args(["-A", "-o", "pid=,ppid=,stat="]).output().expect("the command `ps` is there");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let child = |line: &str| {
        let mut columns = line.split_whitespace();
        let (pid, of, state) = (columns.next()?.parse().ok()?, columns.next()?.parse::<u32>().ok()?, columns.next()?);
        (of == parent && !state.starts_with('Z')).then_some(pid)
    };
    text.lines().filter_map(child).collect()
}

/// True where the process `pid` runs.
pub fn is_running(pid: u32) -> bool {
    let listed =
        std::process::Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().expect("the command `ps` is there");
    let state = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}
