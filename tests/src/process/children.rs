//! What processes have started, and what that took.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::time::Duration;

/// What those of this process's children have used that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageOfChildren {
    /// Processor time, of all together.
    pub cpu: Duration,
    /// The most memory that one of them has had, in bytes.
    pub peak: u64,
}

/// That of now.
pub fn usage_of_children() -> UsageOfChildren {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts what children use");
    let cpu = usage.user_time() + usage.system_time();
    let unit = if cfg!(target_os = "macos") { 1 } else { 1 << 10 };
    UsageOfChildren {
        cpu: Duration::from_micros(cpu.num_microseconds().try_into().expect("time that was used")),
        peak: u64::try_from(usage.max_rss()).expect("memory that was used") * unit,
    }
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
