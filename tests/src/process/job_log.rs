//! The job's log as an outsider reads it: JSON, one file for each entry.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A completed checkpoint of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its id.
    pub id: u64,
    /// The attempt that took it.
    pub attempt: u64,
    /// Its metadata object, relative to the job's storage.
    pub metadata: String,
}

/// What the log says now. An entry that is being written is not there yet.
#[derive(Clone, Debug, Default)]
pub struct JobLogView {
    /// All entries.
    pub entries: u64,
    /// Attempts that have begun.
    pub attempts: u64,
    /// Oldest first.
    pub completed: Vec<Checkpoint>,
    /// Rescales and upgrades.
    pub overrides: u64,
    /// Checkpoints that came to nothing.
    pub failed: u64,
    /// True once some lineage has come to its end.
    pub finished: bool,
}

impl JobLogView {
    /// Reads the log in `storage`, the job's folder; one that is not there is empty.
    pub fn read(storage: &Path) -> Self {
        let mut view = Self::default();
        view.read_on(storage);
        view
    }

    /// Reads what has been added to the log in `storage` since.
    pub fn read_on(&mut self, storage: &Path) {
        while let Ok(bytes) = fs::read(entry_path(storage, self.entries + 1)) {
            let entry: Value = serde_json::from_slice(&bytes).expect("an entry of the log is JSON");
            self.add(&entry["body"]["entry"]);
            self.entries += 1;
        }
    }

    fn add(&mut self, body: &Value) {
        let number = |name: &str| body[name].as_u64().unwrap_or_else(|| panic!("`{name}` is a number in {body}"));
        match body["kind"].as_str() {
            Some("attempt") => self.attempts += 1,
            Some("completed") => self.completed.push(Checkpoint {
                id: number("checkpoint_id"),
                attempt: number("attempt"),
                metadata: body["metadata"].as_str().expect("a path").to_owned(),
            }),
            Some("override") => self.overrides += 1,
            Some("outcome") => {}
            Some("failed") => self.failed += 1,
            Some("finished") => self.finished = true,
            Some(_) | None => panic!("an unknown entry of the log: {body}"),
        }
    }

    /// The newest completed checkpoint.
    pub fn newest(&self) -> &Checkpoint {
        self.completed.last().expect("a completed checkpoint")
    }

    /// The completed checkpoint before the newest.
    pub fn previous(&self) -> &Checkpoint {
        self.completed.iter().rev().nth(1).expect("two completed checkpoints")
    }
}

/// Entry `seq` of the log.
pub(super) fn entry_path(storage: &Path, seq: u64) -> PathBuf {
    storage.join(format!("log/{seq}.json"))
}
