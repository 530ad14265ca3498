//! The documents of `weir upgrade --dry-run` and `weir replay`.
//!
//! Keys and values of records are text, or `{"base64": …}` where the bytes are none. What states hold is shown by [`HeldText`].

use super::{HeldDocument, HeldText};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use weir_engine::replay::{Difference, Differences, DryRunReport, EmittedRecord, FailedRecord, Held, RecordEffects, StateChange, Trial};
use weir_engine::state::StateDescriptor;
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
    /// The name that its author gave it.
    pub name: String,
    /// The version that its author gave it.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Option<String>,
    /// Records that it failed on.
    pub failures: u64,
    /// The first of them.
    pub examples: Vec<FailedRecordDocument>,
    /// Time for all batches, ms.
    pub total_ms: f64,
    /// Time for the median batch, ms.
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
    /// Its headers, names and values, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<[Value; 2]>,
}

/// How a state differs.
#[derive(Clone, Debug, Serialize)]
pub struct StateDifferences {
    /// Its name.
    pub name: String,
    /// The old version's version of it, where the new one has another: what the old version holds is shown and compared as the new one's `migrate` makes
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrated_from: Option<u32>,
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
    pub key: Box<RawValue>,
    /// What the old version holds.
    pub old: HeldDocument,
    /// What the new version holds.
    pub new: HeldDocument,
    /// Why one of them is hex digits and not what its description says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

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
pub struct LoggedCallDocument {
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
    pub call: Option<LoggedCallDocument>,
    /// The operator's input.
    pub input: String,
    /// The record's key.
    pub key: Value,
    /// Its value.
    pub value: Value,
    /// Its event time in ms.
    pub timestamp: Option<i64>,
    /// Its headers, names and values, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<[Value; 2]>,
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
    pub key: Box<RawValue>,
    /// Before the record.
    pub before: HeldDocument,
    /// Behind it.
    pub after: HeldDocument,
    /// Why one of them is hex digits and not what its description says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

fn optional(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, bytes_as_json)
}

/// Names and values, in order.
fn headers(headers: &[(Vec<u8>, Vec<u8>)]) -> Vec<[Value; 2]> {
    headers.iter().map(|(name, value)| [bytes_as_json(name), bytes_as_json(value)]).collect()
}

impl From<&EmittedRecord> for EmittedDocument {
    fn from(record: &EmittedRecord) -> Self {
        Self { value: optional(record.value.as_deref()), timestamp: record.timestamp, headers: headers(&record.headers) }
    }
}

impl From<&FailedRecord> for FailedRecordDocument {
    fn from(failed: &FailedRecord) -> Self {
        let (record, key, value) = match &failed.record {
            Some(of) => (Some(of.place), optional(of.key.as_deref()), optional(of.value.as_deref())),
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

impl StateDifferences {
    /// How the state differs that the two versions declare as these.
    fn of(of: &Differences<Held>, text: &HeldText, (old, new): (&[StateDescriptor], &[StateDescriptor])) -> Self {
        let example = |Difference { key, old, new }: &Difference<Held>| {
            let mut problem = None;
            let key = text.key(&of.name, key.as_deref().unwrap_or_default(), &mut problem);
            let (old, new) = (text.held(&of.name, old.as_ref(), &mut problem), text.held(&of.name, new.as_ref(), &mut problem));
            StateDifference { key, old, new, problem }
        };
        let version = |states: &[StateDescriptor]| states.iter().find(|state| state.name == of.name).map(|state| state.version);
        let migrated_from = version(old).filter(|was| version(new).is_some_and(|is| is != *was));
        let (name, examples) = (of.name.clone(), of.examples.iter().map(example).collect());
        Self { name, migrated_from, only_old: of.only_old, only_new: of.only_new, different: of.different, examples }
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

/// An operator that is run again, by names.
pub struct OperatorAt<'a> {
    /// The job's name.
    pub job: &'a str,
    /// The operator's id.
    pub operator: &'a str,
    /// Where in the job that begins.
    pub from: RerunFrom,
}

impl DryRunDocument {
    /// What `report` says of the two versions of an operator, whose states are declared as `states`.
    pub fn of(
        report: &DryRunReport,
        of: OperatorAt<'_>,
        (old, new): (TrialDocument, TrialDocument),
        states: (&[StateDescriptor], &[StateDescriptor]),
    ) -> Self {
        // A state of both is compared as the new one has it.
        let text = HeldText::of(states.0.iter().chain(states.1));
        Self {
            schema: super::SCHEMA,
            job: of.job.to_owned(),
            operator: of.operator.to_owned(),
            from: of.from,
            agrees: report.agrees(),
            records: report.records_in,
            batches: report.batches,
            gave_up: report.gave_up,
            failures_agree: report.failures_agree,
            old,
            new,
            outputs: report.outputs.iter().map(Into::into).collect(),
            states: report.states.iter().map(|of| StateDifferences::of(of, &text, states)).collect(),
        }
    }
}

impl ReplayedRecord {
    /// A record and what came of it, with states as `text` shows them.
    pub fn of(effects: &RecordEffects, call: Option<LoggedCallDocument>, text: &HeldText) -> Self {
        let output = |(output, key, record): &(String, Option<Vec<u8>>, EmittedRecord)| ReplayedOutput {
            output: output.clone(),
            key: optional(key.as_deref()),
            record: record.into(),
        };
        let change = |StateChange { state, key, before, after }: &StateChange| {
            let mut problem = None;
            let key = text.key(state, key, &mut problem);
            let mut held = |held: &Option<Held>| text.held(state, held.as_ref(), &mut problem);
            let (before, after) = (held(before), held(after));
            StateChangeDocument { state: state.clone(), key, before, after, problem }
        };
        Self {
            batch: effects.batch,
            record: effects.record,
            call,
            input: effects.input.clone(),
            key: optional(effects.key.as_deref()),
            value: optional(effects.given.value.as_deref()),
            timestamp: effects.given.timestamp,
            headers: headers(&effects.given.headers),
            outputs: effects.outputs.iter().map(output).collect(),
            state: effects.changes.iter().map(change).collect(),
            error: effects.error.as_ref().map(ToString::to_string),
        }
    }
}
