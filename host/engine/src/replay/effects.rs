//! What an operator makes of one record, or of one timer or window that fires: what it emits, and what of its state is another afterwards.

use super::contents::{Contents, Held, keys_of};
use super::{Emitted, Fired, IsolatedOperator, ReplayInput};
use crate::element::{NO_TIMESTAMP, RecordBatch, Selection};
use crate::error::EngineError;
use crate::operator::{CallKind, OperatorCall};
use crate::state::key_of_unit;
use std::sync::Arc;

/// One record and what came of it.
#[derive(Clone, Debug)]
pub struct RecordEffects {
    /// The number of the batch.
    pub batch: u64,
    /// The record's place in the batch.
    pub record: usize,
    /// The name of the input that it came in by.
    pub input: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// The rest of it.
    pub given: EmittedRecord,
    /// What was emitted.
    pub outputs: Vec<OutputRecord>,
    /// What changed in the states of its key, or in the broadcast states.
    pub changes: Vec<StateChange>,
    /// Windows that fired in its call: a count that it has filled.
    pub fired: Vec<Fired>,
    /// Why the operator failed on it; nothing has come of it then.
    pub error: Option<EngineError>,
}

/// A call that no record is the cause of, and what came of it.
#[derive(Clone, Debug)]
pub struct FiringEffects {
    /// Why there is a call.
    pub cause: FiringCause,
    /// What fired in it: of a call that was made for one timer or window that one at most. A window that has fired before, and is closed, does not fire again.
    pub fired: Vec<Fired>,
    /// Event time up to which all inputs were complete, ms.
    pub watermark: i64,
    /// What the operator was told of the clock, in ms since the Unix epoch.
    pub processing_time: i64,
    /// What was emitted.
    pub outputs: Vec<OutputRecord>,
    /// What changed in the states of the keys.
    pub changes: Vec<StateChange>,
    /// Why the operator failed on it; nothing has come of it then.
    pub error: Option<EngineError>,
}

/// Why there is a call of no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiringCause {
    /// A timer was due.
    Timer,
    /// A window was due, or is closed.
    Window,
    /// The watermark has come further.
    Watermark,
}

impl FiringEffects {
    /// The same, of which nothing has come.
    pub(super) fn without_effects(&self) -> Self {
        Self { outputs: Vec::new(), changes: Vec::new(), error: None, ..self.clone() }
    }

    /// True where nothing fired, and nothing came of it.
    pub fn is_empty(&self) -> bool {
        self.fired.is_empty() && self.outputs.is_empty() && self.changes.is_empty() && self.error.is_none()
    }

    /// True where it is about this key: it fired, or is closed or deleted.
    pub fn is_of(&self, key: &[u8]) -> bool {
        let changed = |change: &StateChange| match self.cause {
            FiringCause::Window => key_of_unit(&change.key) == key,
            FiringCause::Timer | FiringCause::Watermark => change.key == key,
        };
        self.fired.iter().any(|fired| fired.key == key) || self.changes.iter().any(changed)
    }
}

/// A record that was emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRecord {
    /// The name of the output that it left by.
    pub output: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// The rest of it.
    pub record: EmittedRecord,
}

/// A record as it was emitted, without its key. Two are the same whatever they were emitted by.
#[derive(Clone, Debug)]
pub struct EmittedRecord {
    /// Its value; `None`: it has none.
    pub value: Option<Vec<u8>>,
    /// Its event time in ms.
    pub timestamp: Option<i64>,
    /// Its headers, names and values, in order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The timer or window of its own call that emitted it; `None`: a record's call did, or that of a watermark.
    pub by: Option<Fired>,
}

impl PartialEq for EmittedRecord {
    fn eq(&self, other: &Self) -> bool {
        let Self { value, timestamp, headers, by: _ } = self;
        (value, timestamp, headers) == (&other.value, &other.timestamp, &other.headers)
    }
}

impl Eq for EmittedRecord {}

impl EmittedRecord {
    /// Record `record` of a batch.
    pub fn of(batch: &RecordBatch, record: usize) -> Self {
        let timestamp = Some(batch.timestamps()[record]).filter(|&timestamp| timestamp != NO_TIMESTAMP);
        let headers = batch.headers_of(record).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        Self { value: batch.value(record).map(<[u8]>::to_vec), timestamp, headers, by: None }
    }
}

/// What a state held and holds now of one key, or a broadcast state of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The state's name.
    pub state: String,
    /// The key or the entry.
    pub key: Vec<u8>,
    /// Before the record.
    pub before: Option<Held>,
    /// Behind it.
    pub after: Option<Held>,
}

impl RecordEffects {
    /// Record `record` of `input`, of which nothing has come yet.
    pub(super) fn none(operator: &IsolatedOperator, input: &ReplayInput, record: usize) -> Self {
        Self {
            batch: input.number,
            record,
            input: operator.input_name(input.edge).to_owned(),
            key: input.batch.key(record).map(<[u8]>::to_vec),
            given: EmittedRecord::of(&input.batch, record),
            outputs: Vec::new(),
            changes: Vec::new(),
            fired: Vec::new(),
            error: None,
        }
    }
}

/// Gives the operator record `record` of `input`. Cutting a batch changes nothing, so this is what the record does in its batch too. Where
/// it fails, the state is what it was, and another operator goes on.
pub async fn effects_of(operator: &mut IsolatedOperator, input: &ReplayInput, record: usize) -> Result<RecordEffects, EngineError> {
    let batch = Arc::new(input.batch.slice(record..record + 1));
    let before = operator.contents_of(input.edge, &batch).await?;
    let mut effects = RecordEffects::none(operator, input, record);
    match operator.try_process(input.edge, &batch, &before).await? {
        Ok(emitted) => {
            effects.outputs = outputs(operator, &emitted);
            effects.fired = operator.take_fired();
            let after = operator.contents_of(input.edge, &batch).await?;
            effects.changes = changes(operator, &before.held, &after.held);
        }
        Err(error) => effects.error = Some(error),
    }
    Ok(effects)
}

/// Gives the operator a whole batch over `edge`: what it emits, or why it failed, in which case nothing has come of it and another operator goes on.
pub async fn outputs_of(
    operator: &mut IsolatedOperator,
    edge: usize,
    batch: &Arc<RecordBatch>,
) -> Result<Result<Vec<OutputRecord>, EngineError>, EngineError> {
    let before = operator.contents_of(edge, batch).await?;
    let tried = operator.try_process(edge, batch, &before).await?;
    Ok(tried.map(|emitted| outputs(operator, &emitted)))
}

/// Makes the next call of what is due, and what came of it; `None`: nothing is left to do. After a failure the operator is of no more use.
pub async fn next_firing(operator: &mut IsolatedOperator) -> Result<Option<FiringEffects>, EngineError> {
    match operator.next_call()? {
        Some(call) => firing_effects(operator, &call).await.map(Some),
        None => Ok(None),
    }
}

/// Makes a call of no record, and tells what came of it. After a failure the operator is of no more use.
pub(super) async fn firing_effects(operator: &mut IsolatedOperator, call: &OperatorCall) -> Result<FiringEffects, EngineError> {
    let cause = match call.kind {
        CallKind::Timers(_) => FiringCause::Timer,
        CallKind::Windows(_) => FiringCause::Window,
        CallKind::Watermark | CallKind::Batch { .. } => FiringCause::Watermark,
    };
    let before = operator.of_call(call).await?;
    let made = operator.make(call).await;
    let OperatorCall { watermark, processing_time, .. } = *call;
    let fired = operator.take_fired();
    let nothing = FiringEffects { cause, fired, watermark, processing_time, outputs: Vec::new(), changes: Vec::new(), error: None };
    match made {
        Ok(emitted) => {
            let after = operator.of_call(call).await?;
            Ok(FiringEffects { outputs: outputs(operator, &emitted), changes: changes(operator, &before.held, &after.held), ..nothing })
        }
        Err(error) => Ok(FiringEffects { error: Some(error), ..nothing }),
    }
}

/// Emitted records one by one.
pub(super) fn outputs(operator: &IsolatedOperator, emitted: &Emitted) -> Vec<OutputRecord> {
    let of_batch = |(output, records): &(u32, Selection)| {
        let records = &*records.clone().compact();
        let name = operator.output_name(*output);
        let one = |place| OutputRecord {
            output: name.to_owned(),
            key: records.key(place).map(<[u8]>::to_vec),
            record: EmittedRecord::of(records, place),
        };
        (0..records.len()).map(one).collect::<Vec<_>>()
    };
    emitted.iter().flat_map(of_batch).collect()
}

/// What is held now and was not, or is another.
pub(super) fn changes(operator: &IsolatedOperator, before: &Contents, after: &Contents) -> Vec<StateChange> {
    let changed = keys_of(before, after).into_iter().filter(|state_key| before.get(*state_key) != after.get(*state_key));
    let change = |state_key: &(usize, Vec<u8>)| StateChange {
        state: operator.states()[state_key.0].name.clone(),
        key: state_key.1.clone(),
        before: before.get(state_key).cloned(),
        after: after.get(state_key).cloned(),
    };
    changed.map(change).collect()
}
