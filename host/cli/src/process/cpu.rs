//! How much processor time this process has used.

/// Seconds of processor time of all threads, in and outside of the system; 0 where the system does not say. Other processes that it started do not count.
#[cfg(unix)]
pub fn cpu_seconds() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 0.0 };
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}

/// Elsewhere nobody is asked.
#[cfg(not(unix))]
pub fn cpu_seconds() -> f64 {
    0.0
}
