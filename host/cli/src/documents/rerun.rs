//! The documents of `weir upgrade --dry-run` and `weir replay`.
//!
//! Keys, values and what states hold are text, or `{"base64": …}` where the bytes are none.

use serde::Serialize;
use serde_json::{Value, json};
use weir_engine::replay::{Difference, Differences, DryRunReport, EmittedRecord, FailedRecord, Held, RecordEffects, StateChange, Trial};
use weir_wasm::bytes_as_json;

/// Where records and state come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RerunFrom {
    /// The checkpoint; absent: the beginning of the job.
    pub checkpoint: Option<u64>,
    /// The savepoint that holds it, where it is one.
    pub savepoint: Option<String>,
}

/// `weir upgrade --dry-run`.
#[derive(Clone, Debug, Serialize)]
pub struct DryRunDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// The operator.
    pub operator: String,
    /// Where both versions began.
    pub from: RerunFrom,
    /// Whether the two did the same with every record.
    pub agrees: bool,
    /// Records that both were given.
    pub records: u64,
    /// In so many batches.
    pub batches: u64,
    /// One of them failed so often that the run was ended.
    pub gave_up: bool,
    /// Whether they failed on the same records.
    pub failures_agree: bool,
    /// The version that runs.
    pub old: TrialDocument,
    /// The version that is to replace it.
    pub new: TrialDocument,
    /// By output.
    pub outputs: Vec<OutputDifferences>,
    /// By state, over the keys that the records have.
    pub states: Vec<StateDifferences>,
}

/// How one version fared.
#[derive(Clone, Debug, Serialize)]
pub struct TrialDocument {
    /// The author's name of it,
    pub name: String,
    /// and version.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Option<String>,
    /// Records that it failed on.
    pub failures: u64,
    /// The first of them.
    pub examples: Vec<FailedRecordDocument>,
    /// Time for all batches,
    pub total_ms: f64,
    /// and for the median one.
    pub batch_median_ms: f64,
    /// Instructions, as the sandbox counts them: the same in every run.
    pub fuel: Option<u64>,
}

/// A record that a version failed on.
#[derive(Clone, Debug, Serialize)]
pub struct FailedRecordDocument {
    /// Number of the batch.
    pub batch: u64,
    /// The record's place in it; absent: the batch failed, its records one by one did not.
    pub record: Option<usize>,
    /// Its key.
    pub key: Value,
    /// Its value.
    pub value: Value,
    /// What the version said.
    pub message: String,
}

/// How an output differs.
#[derive(Clone, Debug, Serialize)]
pub struct OutputDifferences {
    /// Its name.
    pub name: String,
    /// Records that only the old version emitted.
    pub only_old: u64,
    /// Records that only the new version emitted.
    pub only_new: u64,
    /// Records that the two emitted differently.
    pub different: u64,
    /// The first of all these.
    pub examples: Vec<OutputDifference>,
}

/// A record that differs.
#[derive(Clone, Debug, Serialize)]
pub struct OutputDifference {
    /// Its key.
    pub key: Value,
    /// As the old version emitted it.
    pub old: Option<EmittedDocument>,
    /// As the new version emitted it.
    pub new: Option<EmittedDocument>,
}

/// A record as it was emitted.
#[derive(Clone, Debug, Serialize)]
pub struct EmittedDocument {
    /// Its value.
    pub value: Value,
    /// Its event time in ms.
    pub timestamp: Option<i64>,
}

/// How a state differs.
#[derive(Clone, Debug, Serialize)]
pub struct StateDifferences {
    /// Its name.
    pub name: String,
    /// Keys that only the old version holds something of.
    pub only_old: u64,
    /// Keys that only the new version holds something of.
    pub only_new: u64,
    /// Keys of which the two hold something else.
    pub different: u64,
    /// The first of all these.
    pub examples: Vec<StateDifference>,
}

/// A key of which the two hold something else.
#[derive(Clone, Debug, Serialize)]
pub struct StateDifference {
    /// The key; of a broadcast state the entry.
    pub key: Value,
    /// What the old version holds.
    pub old: HeldDocument,
    /// What the new version holds.
    pub new: HeldDocument,
}

/// A value; the items of a list; the entries of a map as `{"entry": …, "value": …}`; null where nothing is held.
pub type HeldDocument = Value;

/// `weir replay`.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// The operator.
    pub operator: String,
    /// What was run.
    pub run: RunKind,
    /// Where it began.
    pub from: RerunFrom,
    /// The last checkpoint of a recorded run that it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// In the order in which they were given.
    pub records: Vec<ReplayedRecord>,
    /// Why the operator failed on the last one, or why a recorded run goes no further.
    pub error: Option<String>,
}

/// What a replay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// The run that there was, as it was recorded.
    Recorded,
    /// A possible run: the sources are read again.
    Sources,
}

/// The call that a record of a recorded run was given in.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedCallDocument {
    /// The subtask that was called.
    pub subtask: u32,
    /// Number of the call, from 0 in each subtask behind each checkpoint.
    pub call: u64,
    /// Event time up to which all inputs were complete, in ms.
    pub watermark: Option<i64>,
    /// What the operator was told of the time, in ms since the Unix epoch.
    pub processing_time: i64,
    /// Outputs and state of the whole call stand with its last record: the operator does something else with its records one by one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub undivided: bool,
}

/// One record and what came of it: a line of `weir replay`.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayedRecord {
    /// Number of the batch, from 0.
    pub batch: u64,
    /// The record's place in it.
    pub record: usize,
    /// The call, in a recorded run.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub call: Option<RecordedCallDocument>,
    /// The operator's input.
    pub input: String,
    /// The record's key.
    pub key: Value,
    /// Its value.
    pub value: Value,
    /// Its event time in ms.
    pub timestamp: Option<i64>,
    /// What the operator emitted.
    pub outputs: Vec<ReplayedOutput>,
    /// What it changed in its states.
    pub state: Vec<StateChangeDocument>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A record that was emitted.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayedOutput {
    /// The output's name.
    pub output: String,
    /// The record's key.
    pub key: Value,
    /// The rest of it.
    #[serde(flatten)]
    pub record: EmittedDocument,
}

/// What a state held of a key and holds now.
#[derive(Clone, Debug, Serialize)]
pub struct StateChangeDocument {
    /// The state's name.
    pub state: String,
    /// The key; of a broadcast state the entry.
    pub key: Value,
    /// Before the record.
    pub before: HeldDocument,
    /// Behind it.
    pub after: HeldDocument,
}

fn optional(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, bytes_as_json)
}

fn held(held: Option<&Held>) -> HeldDocument {
    match held {
        None => Value::Null,
        Some(Held::Value(value)) => bytes_as_json(value),
        Some(Held::List(items)) => items.iter().map(|item| bytes_as_json(item)).collect(),
        Some(Held::Map(entries)) => {
            entries.iter().map(|(entry, value)| json!({ "entry": bytes_as_json(entry), "value": bytes_as_json(value) })).collect()
        }
    }
}

impl From<&EmittedRecord> for EmittedDocument {
    fn from(record: &EmittedRecord) -> Self {
        Self { value: bytes_as_json(&record.value), timestamp: record.timestamp }
    }
}

impl From<&FailedRecord> for FailedRecordDocument {
    fn from(failed: &FailedRecord) -> Self {
        let (record, key, value) = match &failed.record {
            Some((place, key, value)) => (Some(*place), optional(key.as_deref()), bytes_as_json(value)),
            None => (None, Value::Null, Value::Null),
        };
        Self { batch: failed.batch, record, key, value, message: failed.message.clone() }
    }
}

impl From<&Differences<EmittedRecord>> for OutputDifferences {
    fn from(of: &Differences<EmittedRecord>) -> Self {
        let example = |of: &Difference<EmittedRecord>| OutputDifference {
            key: optional(of.key.as_deref()),
            old: of.old.as_ref().map(Into::into),
            new: of.new.as_ref().map(Into::into),
        };
        let (name, examples) = (of.name.clone(), of.examples.iter().map(example).collect());
        Self { name, only_old: of.only_old, only_new: of.only_new, different: of.different, examples }
    }
}

impl From<&Differences<Held>> for StateDifferences {
    fn from(of: &Differences<Held>) -> Self {
        let example = |of: &Difference<Held>| StateDifference {
            key: optional(of.key.as_deref()),
            old: held(of.old.as_ref()),
            new: held(of.new.as_ref()),
        };
        let (name, examples) = (of.name.clone(), of.examples.iter().map(example).collect());
        Self { name, only_old: of.only_old, only_new: of.only_new, different: of.different, examples }
    }
}

impl TrialDocument {
    /// How the version fared that `descriptor` and `digest` are of.
    pub fn of(trial: &Trial, descriptor: &weir_engine::operator::OperatorDescriptor, digest: Option<String>) -> Self {
        Self {
            name: descriptor.name.clone(),
            version: descriptor.version.clone(),
            digest,
            failures: trial.failures,
            examples: trial.examples.iter().map(Into::into).collect(),
            total_ms: trial.total.as_secs_f64() * 1e3,
            batch_median_ms: trial.batch_median.as_secs_f64() * 1e3,
            fuel: trial.fuel,
        }
    }
}

impl DryRunDocument {
    /// What `report` says of the two versions of an operator.
    pub fn of(report: &DryRunReport, (job, operator, from): (&str, &str, RerunFrom), (old, new): (TrialDocument, TrialDocument)) -> Self {
        Self {
            schema: super::SCHEMA,
            job: job.to_owned(),
            operator: operator.to_owned(),
            from,
            agrees: report.agrees(),
            records: report.records_in,
            batches: report.batches,
            gave_up: report.gave_up,
            failures_agree: report.failures_agree,
            old,
            new,
            outputs: report.outputs.iter().map(Into::into).collect(),
            states: report.states.iter().map(Into::into).collect(),
        }
    }
}

impl From<&RecordEffects> for ReplayedRecord {
    fn from(effects: &RecordEffects) -> Self {
        let output = |(output, key, record): &(String, Option<Vec<u8>>, EmittedRecord)| ReplayedOutput {
            output: output.clone(),
            key: optional(key.as_deref()),
            record: record.into(),
        };
        let change = |change: &StateChange| StateChangeDocument {
            state: change.state.clone(),
            key: bytes_as_json(&change.key),
            before: held(change.before.as_ref()),
            after: held(change.after.as_ref()),
        };
        Self {
            batch: effects.batch,
            record: effects.record,
            call: None,
            input: effects.input.clone(),
            key: optional(effects.key.as_deref()),
            value: bytes_as_json(&effects.given.value),
            timestamp: effects.given.timestamp,
            outputs: effects.outputs.iter().map(output).collect(),
            state: effects.changes.iter().map(change).collect(),
            error: effects.error.as_ref().map(ToString::to_string),
        }
    }
}
