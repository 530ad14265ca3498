//! Entries as tests write them into a log: of a job that was begun anew, at time 0, with what is not said left at nothing.

use super::{LineageRoot, LogEntry};
use crate::element::{AttemptId, CheckpointId};

impl LogEntry {
    /// Attempt `attempt` begins in the lineage of `lineage`, which was begun anew.
    pub fn begun(attempt: AttemptId, nonce: &str, lineage: AttemptId) -> Self {
        let (nonce, root) = (nonce.to_owned(), LineageRoot::Fresh);
        Self::Attempt {
            attempt,
            nonce,
            lineage,
            lineage_nonce: None,
            root,
            restored: None,
            probation: false,
            pinned: Vec::new(),
            overruled: Vec::new(),
            started_ms: 0,
        }
    }

    /// Attempt `attempt` has completed the checkpoint whose `metadata` lies there and has that checksum.
    pub fn complete(attempt: AttemptId, nonce: &str, checkpoint_id: CheckpointId, metadata: impl Into<String>, checksum: u32) -> Self {
        let (nonce, metadata, trigger) = (nonce.to_owned(), metadata.into(), "periodic".to_owned());
        Self::Completed { attempt, nonce, checkpoint_id, metadata, checksum, trigger, completed_ms: 0, duration_ms: 0, bytes: 0 }
    }
}
