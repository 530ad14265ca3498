//! Documents about checkpoints.

use serde::Serialize;
use serde_json::Value;

/// `weir checkpoint list`.
#[derive(Clone, Debug, Serialize)]
pub struct CheckpointListDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// Newest first.
    pub checkpoints: Vec<CheckpointDocument>,
}

/// One checkpoint of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckpointDocument {
    /// Its id.
    pub id: u64,
    /// The attempt that took it.
    pub attempt: u64,
    /// How it ended.
    pub state: CheckpointState,
    /// What asked for it.
    pub trigger: String,
    /// When it was complete (RFC 3339).
    pub completed_at: Option<String>,
    /// When it failed (RFC 3339).
    pub failed_at: Option<String>,
    /// From the trigger to the end.
    pub duration_ms: u64,
    /// Bytes of all objects that it wrote.
    pub bytes: Option<u64>,
    /// Why it failed.
    pub reason: Option<String>,
    /// False where its objects have been deleted because newer ones replace it.
    pub retained: bool,
}

/// How a checkpoint ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointState {
    /// It can be started from.
    Completed,
    /// It came to nothing.
    Failed,
}

/// `weir checkpoint inspect`.
#[derive(Clone, Debug, Serialize)]
pub struct CheckpointInspectDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// As in the list.
    #[serde(flatten)]
    pub checkpoint: CheckpointDocument,
    /// Bytes of all its state objects, those that it shares with older checkpoints included: what restoring it reads. Absent where it is not kept.
    pub restore_bytes: Option<u64>,
    /// What it consists of; empty for a failed one.
    pub vertices: Vec<VertexStateDocument>,
}

/// A vertex's part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VertexStateDocument {
    /// Its id.
    pub id: String,
    /// SHA-256 of the component that the state was made by, in hex; `null` of what is no plugin.
    pub component: Option<String>,
    /// The reference of the job file that led to that component when it was resolved; `null` of a plugin in a file, and of one that an upgrade brought.
    pub reference: Option<String>,
    /// The digest by which the reference's registry has that component for good.
    pub manifest: Option<String>,
    /// Keys of its broadcast states, of which each subtask has a copy.
    pub broadcast_keys: u64,
    /// By index.
    pub subtasks: Vec<SubtaskStateDocument>,
}

/// A subtask's part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubtaskStateDocument {
    /// From 0.
    pub index: u32,
    /// Bytes of keyed state.
    pub state_bytes: u64,
    /// Number of keys with state.
    pub keys: u64,
    /// Bytes of its copy of broadcast state, as stored.
    pub broadcast_bytes: u64,
    /// A source's splits.
    pub positions: Vec<PositionDocument>,
    /// Output that was not known to be committed.
    pub committables: usize,
    /// Bytes of records that an unaligned barrier overtook on the way to it.
    pub in_flight_bytes: u64,
    /// Bytes of the calls of an operator with `record = true`.
    pub recording_bytes: u64,
}

/// How far a split has been read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PositionDocument {
    /// The split.
    pub split: String,
    /// `unread`, `reading` or `finished`.
    pub state: &'static str,
    /// Where reading goes on; the connector knows what it means.
    pub position: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::super::SCHEMA;
    use super::*;

    #[test]
    fn an_inspected_checkpoint_has_the_fields_of_the_list_beside_its_vertices() {
        let checkpoint = CheckpointDocument {
            id: 7,
            attempt: 1,
            state: CheckpointState::Failed,
            trigger: "periodic".into(),
            completed_at: None,
            failed_at: Some("2020-01-01T00:00:00Z".into()),
            duration_ms: 1,
            bytes: None,
            reason: Some("late".into()),
            retained: false,
        };
        let document = CheckpointInspectDocument { schema: SCHEMA, job: "j".into(), checkpoint, restore_bytes: None, vertices: Vec::new() };
        let value = serde_json::to_value(document).expect("JSON");
        assert_eq!((&value["id"], &value["state"], &value["vertices"]), (&7.into(), &"failed".into(), &serde_json::json!([])));
    }
}
