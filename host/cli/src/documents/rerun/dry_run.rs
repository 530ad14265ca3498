//! The document of `weir upgrade --dry-run`: how two versions of an operator fared on the same records.

use super::replay::ReplayedOutput;
use super::{EmittedDocument, FiredDocument, OperatorAt, RerunFrom, optional};
use crate::documents::{HeldDocument, HeldText, SCHEMA};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use weir_engine::element::END_OF_TIME;
use weir_engine::replay::{Difference, Differences, DryRunReport, EmittedRecord, FailedRecord, FiredExample, Held, VersionRun};
use weir_engine::state::StateDescriptor;

/// `weir upgrade --dry-run`.
#[derive(Clone, Debug, Serialize)]
pub struct DryRunDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// The operator.
    pub operator: String,
    /// Where both versions began.
    pub from: RerunFrom,
    /// Whether the two did the same with every record, there was something to compare, and the new one keeps every state of the old one.
    pub agrees: bool,
    /// Whether a record came, or a window or a timer was due: without any nothing was compared.
    pub compared: bool,
    /// States of the old version that the new one does not declare: a live upgrade to it is refused.
    pub left_out: Vec<String>,
    /// Records that both were given.
    pub records: u64,
    /// In so many batches.
    pub batches: u64,
    /// How far event time came, ms; absent: nothing in front of the operator says, or it came to its end.
    pub watermark: Option<i64>,
    /// The input was read to its end, which is the end of event time.
    pub ended: bool,
    /// One of them failed so often that the run was ended.
    pub gave_up: bool,
    /// Sources that were left because they gave nothing for long, though they may have more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stalled: Vec<String>,
    /// Whether they failed on the same records, windows and timers.
    pub failures_agree: bool,
    /// The version that runs.
    pub old: VersionRunDocument,
    /// The version that is to replace it.
    pub new: VersionRunDocument,
    /// By output.
    pub outputs: Vec<OutputDifferences>,
    /// By state, over the keys that the records have.
    pub states: Vec<StateDifferences>,
}

/// How one version fared.
#[derive(Clone, Debug, Serialize)]
pub struct VersionRunDocument {
    /// The name that its author gave it.
    pub name: String,
    /// The version that its author gave it.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Option<String>,
    /// Records, windows and timers that it failed on.
    pub failures: u64,
    /// The first of the records.
    pub examples: Vec<FailedRecordDocument>,
    /// Windows that fired.
    pub windows: u64,
    /// Timers that fired.
    pub timers: u64,
    /// The first windows and timers that fired, with what they gave.
    pub fired: Vec<FiredExampleDocument>,
    /// Time for all batches, and for what fired, ms.
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

/// A window or a timer that fired.
#[derive(Clone, Debug, Serialize)]
pub struct FiredExampleDocument {
    /// Which it is.
    #[serde(flatten)]
    pub by: FiredDocument,
    /// What it emitted; nothing where a record's call emitted it.
    pub outputs: Vec<ReplayedOutput>,
    /// What the version said that failed on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
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

impl From<&FailedRecord> for FailedRecordDocument {
    fn from(failed: &FailedRecord) -> Self {
        let (record, key, value) = match &failed.record {
            Some(of) => (Some(of.place), optional(of.key.as_deref()), optional(of.value.as_deref())),
            None => (None, Value::Null, Value::Null),
        };
        Self { batch: failed.batch, record, key, value, message: failed.message.clone() }
    }
}

impl From<&FiredExample> for FiredExampleDocument {
    fn from(FiredExample { fired, outputs, error }: &FiredExample) -> Self {
        Self { by: fired.into(), outputs: outputs.iter().map(Into::into).collect(), error: error.clone() }
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

impl VersionRunDocument {
    /// How the version fared that `descriptor` and `digest` are of.
    pub fn of(trial: &VersionRun, descriptor: &weir_engine::operator::OperatorDescriptor, digest: Option<String>) -> Self {
        Self {
            name: descriptor.name.clone(),
            version: descriptor.version.clone(),
            digest,
            failures: trial.failures,
            examples: trial.examples.iter().map(Into::into).collect(),
            windows: trial.windows,
            timers: trial.timers,
            fired: trial.fired.iter().map(Into::into).collect(),
            total_ms: trial.total.as_secs_f64() * 1e3,
            batch_median_ms: trial.batch_median.as_secs_f64() * 1e3,
            fuel: trial.fuel,
        }
    }
}

/// True where either version was called.
fn of_something(report: &DryRunReport) -> bool {
    let fired = |run: &VersionRun| run.windows + run.timers + run.failures > 0;
    report.records_in > 0 || fired(&report.old) || fired(&report.new)
}

impl DryRunDocument {
    /// What `report` says of the two versions of an operator, whose states are declared as `states`.
    pub fn of(
        report: &DryRunReport,
        of: OperatorAt<'_>,
        (old, new): (VersionRunDocument, VersionRunDocument),
        states: (&[StateDescriptor], &[StateDescriptor]),
    ) -> Self {
        // A state of both is compared as the new one has it.
        let text = HeldText::of(states.0.iter().chain(states.1));
        let is_left_out = |state: &&StateDescriptor| states.1.iter().all(|other| other.name != state.name);
        let compared = of_something(report);
        let left_out: Vec<_> = states.0.iter().filter(is_left_out).map(|state| state.name.clone()).collect();
        Self {
            schema: SCHEMA,
            job: of.job.to_owned(),
            operator: of.operator.to_owned(),
            from: of.from,
            agrees: compared && report.agrees() && left_out.is_empty(),
            compared,
            left_out,
            records: report.records_in,
            batches: report.batches,
            watermark: report.watermark.filter(|watermark| *watermark != END_OF_TIME.0),
            ended: report.watermark == Some(END_OF_TIME.0),
            gave_up: report.gave_up,
            stalled: report.stalled.clone(),
            failures_agree: report.failures_agree,
            old,
            new,
            outputs: report.outputs.iter().map(Into::into).collect(),
            states: report.states.iter().map(|of| StateDifferences::of(of, &text, states)).collect(),
        }
    }
}
