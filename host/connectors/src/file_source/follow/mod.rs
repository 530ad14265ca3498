//! `follow = true`: files that grow, come, are renamed and go while the job runs.
//!
//! A file is known by device, inode and a hash of its first bytes, whatever its name: one that was rotated is read on under its new name. A file that
//! has become shorter, or begins otherwise than it did, is another file at the same place: what was known of it is over, with a warning, and it is
//! found anew. A file that is gone is over once it has been read to its end; before that it is an error. A last line without LF waits for its end, and
//! is a row only where its file is gone.
//!
//! Invariant: of the splits of one device and inode at most one is not finished.

mod growing;
mod look;
mod open_file;
mod reader;
mod spec;
mod watch;

pub(super) use look::{first_header, new_splits, remarks, verify};
pub(super) use reader::FollowingReader;

use std::time::Duration;

/// From one look at a file that had no more to the next.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// From one look for new files to the next.
pub(super) const DISCOVERY_INTERVAL: Duration = Duration::from_secs(1);
/// Files that are followed at once: each is open.
const FILES_MAX: usize = 1_000;
/// Files that were not found, and may come back, which a subtask remembers; those that have been away longest are forgotten first.
const AWAY_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
