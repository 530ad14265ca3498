//! What an operator makes of one record: what it emits, and what of its state is another afterwards.

use super::contents::{Contents, Held, keys_of};
use super::{Emitted, EmittedRecord, IsolatedOperator, ReplayInput};
use crate::element::Selection;
use crate::error::EngineError;
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
    /// Why the operator failed on it; nothing has come of it then.
    pub error: Option<EngineError>,
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
            let after = operator.contents_of(input.edge, &batch).await?;
            effects.changes = changes(operator, &before, &after);
        }
        Err(error) => effects.error = Some(error),
    }
    Ok(effects)
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
