//! The operator port: what turns batches into batches and changes state. Native code or a guest stands behind it.
//!
//! An operator is called with a batch, with timers that are due, or because the watermark has come further: an [`OperatorCall`] is either, and there is a
//! method of [`Operator`] for each. Whatever a call may need is in its [`OperatorContext`].

pub use crate::checkpoint::{CallKind, FiredTimers, OperatorCall, RecordSchema};

use crate::element::{NO_TIMESTAMP, RecordBatch, Selection};
use crate::error::{EngineError, ErrorKind};
use crate::metrics::VertexMetrics;
use crate::shown_text::bytes_as_json;
use crate::state::{
    BroadcastAccess, FiredWindows, KeyedState, StateDescriptor, StateMerger, StateMigrator, TimeDomain, WindowSettings, timer_state,
    window_state,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// The output number under which an operator emits quarantined records. It is no index into the declared outputs.
pub const QUARANTINE_OUTPUT: u32 = u32::MAX;
/// The reserved name of that output in job files.
pub const QUARANTINE_NAME: &str = "quarantine";
/// The output number of records that come too late for their window. It is no index into the declared outputs either.
pub const LATE_OUTPUT: u32 = u32::MAX - 1;
/// The reserved name of that output in job files.
pub const LATE_NAME: &str = "late";

/// What a line for a reserved output begins with: the operator's id, and the record that it is about.
pub fn report_of_record(operator: &str, batch: &RecordBatch, record: usize) -> Value {
    let timestamp = batch.timestamps()[record];
    let mut report = json!({
        "operator": operator,
        "key": batch.key(record).map(bytes_as_json),
        "value": batch.value(record).map(bytes_as_json),
        "timestamp": (timestamp != NO_TIMESTAMP).then_some(timestamp),
    });
    let headers: Vec<_> = batch.headers_of(record).map(|(name, value)| json!([bytes_as_json(name), bytes_as_json(value)])).collect();
    if !headers.is_empty() {
        report["headers"] = headers.into();
    }
    report
}

/// How many records one subtask may set aside before the job fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineLimit {
    /// In all.
    pub records: u64,
    /// Percent of the records seen, once `share_from` have been.
    pub share_percent: u64,
    /// Records after which the share counts.
    pub share_from: u64,
}

impl Default for QuarantineLimit {
    fn default() -> Self {
        Self { records: 1_000, share_percent: 1, share_from: 10_000 }
    }
}

impl QuarantineLimit {
    /// True where `quarantined` of `seen` records are too many.
    pub fn exceeded(&self, quarantined: u64, seen: u64) -> bool {
        quarantined > self.records || (seen >= self.share_from && quarantined.saturating_mul(100) > seen.saturating_mul(self.share_percent))
    }

    /// What is wrong where it is exceeded, of the subtask that `place` names.
    pub fn exceeded_message(&self, place: &str, quarantined: u64, seen: u64) -> String {
        let Self { records, share_percent, share_from } = self;
        format!(
            "{place}: {quarantined} of {seen} records were quarantined; {records} are the most, and {share_percent} % once {share_from} have \
             been seen"
        )
    }
}

/// Which subtask of a vertex this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtask {
    /// The vertex's id in the job file.
    pub vertex: String,
    /// From 0.
    pub index: u32,
    /// Number of subtasks of the vertex.
    pub parallelism: u32,
}

/// A declared input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDescriptor {
    /// Its name.
    pub name: String,
    /// What it takes; empty: anything.
    pub accepts: Vec<RecordSchema>,
    /// How its records have to be partitioned.
    pub partitioning: InputPartitioning,
}

/// What an operator says of the way that an input's records come to its subtasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputPartitioning {
    /// As the job says.
    #[default]
    Any,
    /// By key: each record brings its key's state.
    ByKey,
    /// Every subtask is given each record.
    Broadcast,
}

/// A declared output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputDescriptor {
    /// Its name.
    pub name: String,
    /// What its records are.
    pub schema: Option<RecordSchema>,
}

/// A declared timer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerDescriptor {
    /// Its name.
    pub name: String,
    /// True: event time; false: processing time.
    pub event_time: bool,
}

impl TimerDescriptor {
    /// What it goes by.
    pub fn domain(&self) -> TimeDomain {
        if self.event_time { TimeDomain::Event } else { TimeDomain::Processing }
    }
}

/// What an operator says of itself. Lists are addressed by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorDescriptor {
    /// The author's name of the operator.
    pub name: String,
    /// The author's version.
    pub version: String,
    /// At least one.
    pub inputs: Vec<InputDescriptor>,
    /// The first is the main one.
    pub outputs: Vec<OutputDescriptor>,
    /// States, keyed and broadcast; the index is the state's number.
    pub states: Vec<StateDescriptor>,
    /// Timers.
    pub timers: Vec<TimerDescriptor>,
    /// What it keeps, it keeps by key and window.
    pub windowed: bool,
    /// Numbers of the states of which [`OperatorFactory::merger`] makes one value of two, ascending.
    pub merging: Vec<usize>,
}

impl OperatorDescriptor {
    /// All states that are kept for it in a job that gives it these windows: those that it declares, under their numbers, and behind them one for each timer,
    /// or one for windows.
    pub fn kept_states(&self, windows: Option<&WindowSettings>) -> Vec<StateDescriptor> {
        let of_timers = self.timers.iter().map(|timer| timer_state(&timer.name, timer.domain()));
        self.states.iter().cloned().chain(of_timers).chain(windows.map(window_state)).collect()
    }
}

/// Makes the operator of each subtask. One stands behind each operator vertex.
pub trait OperatorFactory: Send + Sync {
    /// What the operator declares.
    fn descriptor(&self) -> &OperatorDescriptor;

    /// The component whose digest and bytes are kept beside the checkpoints; `None` for native operators.
    fn component(&self) -> Option<&Component> {
        None
    }

    /// What brings values of older versions of the operator's states to the declared ones; `None`: nothing does, and a checkpoint with older
    /// ones is refused.
    fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        None
    }

    /// What makes one value of two where windows become one; `None`: nothing does, and the operator takes no sessions with values or maps.
    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        None
    }

    /// Bytes of state that each subtask may keep; `None`: its part of what the job's subtasks may keep together
    /// ([`crate::state::StateBackendFactory::memory`]).
    fn state_bytes(&self) -> Option<u64> {
        None
    }

    /// A new operator for one subtask. `schemas` has an entry for each input: the text that the source in front of it
    /// gives of its records (csv: the header row).
    fn create(&self, subtask: &Subtask, schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError>;
}

/// A component as it was loaded.
#[derive(Clone, Debug)]
pub struct Component {
    /// SHA-256 of `bytes`, in lower-case hex.
    pub digest: String,
    /// The component itself.
    pub bytes: Arc<[u8]>,
}

/// What an operator is handed with each call.
pub struct OperatorContext<'a> {
    /// Keyed state: present exactly where the call brings keys, which is where its batch came over a `key` edge, or it is of timers. The operator selects
    /// from them what it works on ([`KeyedState::select`]), and sets and deletes their timers there ([`KeyedState::set_timer`]).
    pub state: Option<&'a mut KeyedState>,
    /// Broadcast state; it may be changed exactly where the batch came over a `broadcast` edge.
    pub broadcast: BroadcastAccess<'a>,
    /// Where records go: (output number, records), in order. [`QUARANTINE_OUTPUT`] is the reserved output.
    pub outputs: &'a mut Vec<(u32, Selection)>,
    /// Event time up to which all inputs are complete, ms.
    pub watermark: i64,
    /// Milliseconds since the Unix epoch, fixed for the call.
    pub processing_time: i64,
    /// The operator's counters.
    pub metrics: &'a VertexMetrics,
}

/// One subtask's operator.
///
/// Cutting a batch anywhere gives the same effects in the same order. An error leaves the caller to restart the dataflow:
/// state and outputs of the failed batch may be half applied and are thrown away.
pub trait Operator: Send {
    /// Works one batch off. `input` is an index into the descriptor's inputs.
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError>;

    /// The watermark has come to `context.watermark`: called when it has, and not with the next batch. What is emitted goes ahead of the watermark to
    /// whoever is behind. There is no keyed state in the context, as no key is called for; broadcast state may be read.
    fn on_watermark(&mut self, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let _ = context;
        Ok(())
    }

    /// Timers are due. The states of their keys are in the context, to be selected from `fired` as from a batch; broadcast state may be read. An operator
    /// that serves none is not called with any, and refuses.
    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let _ = (fired, context);
        Err(EngineError::new(ErrorKind::FixInput, "it is called with timers that are due, and serves none")
            .with_hint("the version of it that set them serves them"))
    }

    /// Windows fire. The states of these are in the context, to be selected from `fired` as from a batch; broadcast state may be read. An operator that has no
    /// windows is not called with any, and refuses.
    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let _ = (fired, context);
        Err(EngineError::new(ErrorKind::FixInput, "it is called with windows that fire, and has none"))
    }

    /// While it is on probation every fault is an error: no record is set aside. One that never sets any aside has nothing to do.
    fn set_probation(&mut self, on_probation: bool) {
        let _ = on_probation;
    }

    /// What all calls so far have cost, in a unit that is the same in every run; `None` where nobody counts.
    fn fuel_spent(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_counts_only_once_enough_records_have_been_seen() {
        let limit = QuarantineLimit::default();
        assert!(!limit.exceeded(500, 9_999));
        assert!(!limit.exceeded(100, 10_000));
        assert!(limit.exceeded(101, 10_000));
        assert!(limit.exceeded(1_001, 10_000_000));
        assert!(!limit.exceeded(1_000, 10_000_000));
    }
}
