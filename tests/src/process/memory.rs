//! What the processes that have been started here took.

use nix::sys::resource::{UsageWho, getrusage};

/// The most memory that one of this process's children has had, of those that have ended, in bytes.
pub fn peak_memory_of_children() -> u64 {
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    let unit = if cfg!(target_os = "macos") { 1 } else { 1 << 10 };
    u64::try_from(peak).unwrap_or(0) * unit
}
