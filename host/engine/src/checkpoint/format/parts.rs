//! What sources, sinks and authors put into a checkpoint: splits with their progress, output that waits for its commit, names of record types.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a split has been read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitProgress {
    /// Not begun.
    Unread,
    /// Everything before this position has been emitted; the connector knows what it means.
    At(serde_json::Value),
    /// Read to its end; never read again.
    Finished,
}

/// A part of a source that one subtask reads, with its progress. The full list is the source vertex's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitState {
    /// Unique within the source, and stable.
    pub id: String,
    /// What the connector needs to read the split, and to tell whether it has changed since.
    pub spec: serde_json::Value,
    /// How far it has been read.
    pub progress: SplitProgress,
    /// The largest timestamp of its records so far, ms, where its source makes watermarks. The engine keeps it, no connector does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_timestamp: Option<i64>,
}

impl SplitState {
    /// A split of which nothing has been read.
    pub fn unread(id: String, spec: serde_json::Value) -> Self {
        Self { id, spec, progress: SplitProgress::Unread, largest_timestamp: None }
    }
}

/// Output that is durable but not yet visible. Self-contained: any process can commit it, also when the sink was removed
/// from the job or its path changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Committable {
    /// The connector whose [`crate::Committer`] knows the payload.
    pub connector: String,
    /// The connector's own (absolute target, size, checksum …).
    pub payload: serde_json::Value,
}

/// The name and version of a record type, as an author declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSchema {
    /// The author's name of the type.
    pub id: String,
    /// Its version.
    pub version: u32,
}

impl fmt::Display for RecordSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.id, self.version)
    }
}
