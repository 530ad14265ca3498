//! Which attempts have come to their end in a process of this user's.
//!
//! The log of a job shows the end of a run that finished or stopped, and not that of one that was cancelled or has failed. So the process notes it here, and
//! who runs the job next need not wonder whether it still runs somewhere. A process that was killed notes nothing.

use super::{Registry, is_same_storage, make_private};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;

/// Jobs whose last end is kept, the newest ones.
const KEPT: usize = 100;

/// The end of one job's last attempt here.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct EndedAttempt {
    /// The absolute URL of the folder of its objects.
    storage: String,
    attempt: u64,
    /// The process that it ended in.
    #[serde(default)]
    pid: u32,
    /// The operator whose plugin is at fault, where the job has failed for that.
    #[serde(default)]
    fault: Option<String>,
}

impl Registry {
    /// Notes that this attempt has ended in this process, of the job whose objects lie at `storage`; `fault` is the operator whose plugin the job has failed for.
    pub fn note_end(&self, storage: &str, attempt: u64, fault: Option<&str>) -> io::Result<()> {
        // What is in memory ends with its process, and is no other's job.
        if !is_same_storage(storage, storage) {
            return Ok(());
        }
        make_private(&self.0)?;
        let _lock = self.lock();
        let mut ends = self.ends();
        ends.retain(|end| !is_same_storage(&end.storage, storage));
        ends.push(EndedAttempt { storage: storage.into(), attempt, pid: std::process::id(), fault: fault.map(str::to_owned) });
        ends.drain(..ends.len().saturating_sub(KEPT));
        let unfinished = self.0.join(format!(".ended-{}", std::process::id()));
        fs::write(&unfinished, serde_json::to_vec_pretty(&ends)?)?;
        fs::rename(&unfinished, self.ends_path())
    }

    /// The last attempt of the job whose objects lie at `storage` that is known to have ended.
    pub fn ended(&self, storage: &str) -> Option<u64> {
        self.ends().into_iter().find(|end| is_same_storage(&end.storage, storage)).map(|end| end.attempt)
    }

    /// The operator whose plugin the job has failed for in the process `pid`, where its objects lie at `storage` and nothing of it has ended since.
    pub fn fault(&self, storage: &str, pid: u32) -> Option<String> {
        self.ends().into_iter().find(|end| end.pid == pid && is_same_storage(&end.storage, storage))?.fault
    }

    /// Oldest first. What makes no sense is as good as nothing.
    fn ends(&self) -> Vec<EndedAttempt> {
        let bytes = fs::read(self.ends_path()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// No `.json`: it is no running job.
    fn ends_path(&self) -> PathBuf {
        self.0.join("ended")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempt_that_ended_is_known_by_its_storage_and_only_so_many_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::in_folder(&folder.path().join("jobs"));
        assert_eq!(registry.ended("file:/w/a"), None);
        for (storage, attempt) in [("file:/w/a", 1), ("file:/w/b", 7), ("file:/w/a", 2)] {
            registry.note_end(storage, attempt, Some("count").filter(|_| attempt == 2)).expect("written");
        }
        assert_eq!(["file:/w/a", "file:/w/b", "file:/w/c"].map(|storage| registry.ended(storage)), [Some(2), Some(7), None]);
        let (own, fault) = (std::process::id(), |storage, pid| registry.fault(storage, pid));
        assert_eq!(fault("file:/w/a", own).as_deref(), Some("count"));
        assert_eq!([fault("file:/w/a", own + 1), fault("file:/w/b", own)], [None, None], "another process's, and no fault");
        (0..KEPT).for_each(|job| registry.note_end(&format!("s3://bucket/{job}"), 1, None).expect("written"));
        assert_eq!((registry.ended("file:/w/a"), registry.ends().len()), (None, KEPT));
        registry.note_end("memory:/j", 1, None).expect("nothing to write");
        assert_eq!((registry.ended("memory:/j"), registry.ended("s3://bucket/0")), (None, Some(1)));
        assert_eq!(registry.running().expect("readable"), []);
        fs::write(registry.ends_path(), "{").expect("written");
        assert_eq!(registry.ended("s3://bucket/9"), None);
    }
}
