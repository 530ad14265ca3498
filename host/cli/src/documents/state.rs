//! The documents of `weir state`. A scan's is written row by row (`commands/state/rows.rs`) and has these rows in it.

use serde::Serialize;
use serde_json::value::RawValue;
use weir_engine::state::StateKind;

/// What was looked into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LookedInto {
    /// The job's name.
    pub job: String,
    /// The checkpoint; of a savepoint the one that it is a copy of.
    pub checkpoint: u64,
    /// The savepoint's absolute URL; `null` where a checkpoint of the job was looked into.
    pub savepoint: Option<String>,
}

impl LookedInto {
    /// Without the job, for people.
    pub fn place(&self) -> String {
        let checkpoint = format!("checkpoint {}", self.checkpoint);
        match &self.savepoint {
            Some(url) => format!("savepoint {url} ({checkpoint})"),
            None => checkpoint,
        }
    }
}

/// `weir state list`.
#[derive(Clone, Debug, Serialize)]
pub struct StateListDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// What was looked into.
    #[serde(flatten)]
    pub of: LookedInto,
    /// In the order of the graph.
    pub operators: Vec<OperatorStatesDocument>,
}

/// The states of one operator.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorStatesDocument {
    /// The operator.
    pub id: String,
    /// In the order of their declaration.
    pub states: Vec<StateSizeDocument>,
}

/// What a state holds, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateSizeDocument {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: StateKind,
    /// The description of its type.
    pub schema: String,
    /// The author's version of the schema.
    pub version: u32,
    /// Number of keys that have it; 0 of a broadcast state, which has none.
    pub keys: u64,
    /// Number of values, list items or map entries.
    pub entries: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// What a scan's or a key's document says beside its rows.
#[derive(Clone, Debug, Serialize)]
pub struct StateRowsHead {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// What was looked into.
    #[serde(flatten)]
    pub of: LookedInto,
    /// The operator.
    pub operator: String,
    /// The key group of the one key that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_group: Option<u32>,
    /// The subtask that has the one key that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtask: Option<u32>,
}

/// One value, list item or map entry.
#[derive(Clone, Debug, Serialize)]
pub struct StateRow {
    /// The key; absent in a broadcast state.
    pub key: Option<String>,
    /// Where the window begins that it is in, or the number of a count; absent where it is in none, or in the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Box<RawValue>>,
    /// The state's name.
    pub state: String,
    /// The position of a list's item, from 0, or the entry of a map or broadcast state; absent of a value.
    pub entry: Option<Box<RawValue>>,
    /// The value.
    pub value: Box<RawValue>,
    /// Why entry or value are hex digits and not what their description says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// `weir state diff`.
#[derive(Clone, Debug, Serialize)]
pub struct StateDiffDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// The one side.
    pub before: LookedInto,
    /// The other.
    pub after: LookedInto,
    /// In the order of the later side's graph.
    pub operators: Vec<OperatorDiffDocument>,
}

/// What differs in one operator's states.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorDiffDocument {
    /// The operator.
    pub id: String,
    /// By name.
    pub states: Vec<StateDifferencesDocument>,
}

/// What differs in one state.
#[derive(Clone, Debug, Serialize)]
pub struct StateDifferencesDocument {
    /// The state.
    pub name: String,
    /// Number of keys that have come; entries in a broadcast state.
    pub added: u64,
    /// Number of those that have gone.
    pub removed: u64,
    /// Number of those that hold something else.
    pub changed: u64,
    /// Number of those that are the same.
    pub unchanged: u64,
    /// The first differences.
    pub examples: Vec<StateDiffRow>,
}

/// One key that differs.
#[derive(Clone, Debug, Serialize)]
pub struct StateDiffRow {
    /// The operator.
    pub operator: String,
    /// The state's name.
    pub state: String,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
    /// The key; absent in a broadcast state.
    pub key: Option<String>,
    /// Where the window begins that it is in, or the number of a count; absent where it is in none, or in the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Box<RawValue>>,
    /// The entry of a broadcast state; absent elsewhere.
    pub entry: Option<Box<RawValue>>,
    /// All that the key had; absent where it has come.
    pub before: Option<Box<RawValue>>,
    /// All that it has; absent where it has gone.
    pub after: Option<Box<RawValue>>,
    /// Why something is hex digits and not what its description says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
