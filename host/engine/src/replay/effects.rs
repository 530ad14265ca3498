//! What an operator makes of one record: what it emits, and what of its state is another afterwards.

use super::contents::{Contents, Held, keys_of};
use super::{EmittedRecord, IsolatedOperator, ReplayInput};
use crate::error::EngineError;

/// One record and what came of it.
#[derive(Clone, Debug)]
pub struct RecordEffects {
    /// Number of the batch,
    pub batch: u64,
    /// and the record's place in it.
    pub record: usize,
    /// The name of the input that it came in by.
    pub input: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// The rest of it.
    pub given: EmittedRecord,
    /// What was emitted: the output's name, the key, the record.
    pub outputs: Vec<(String, Option<Vec<u8>>, EmittedRecord)>,
    /// What changed in the states of its key, or in the broadcast states.
    pub changes: Vec<StateChange>,
    /// Why the operator failed on it; nothing has come of it then.
    pub error: Option<EngineError>,
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

/// Gives the operator record `record` of `input`. Cutting a batch changes nothing, so this is what the record does in its batch too. Where
/// it fails, the state is what it was, and another operator goes on.
pub fn effects_of(operator: &mut IsolatedOperator, input: &ReplayInput, record: usize) -> Result<RecordEffects, EngineError> {
    let batch = input.batch.slice(record..record + 1);
    let before = operator.contents_of(input.edge, &batch)?;
    let mut effects = RecordEffects {
        batch: input.number,
        record,
        input: operator.input_name(input.edge).to_owned(),
        key: batch.key(0).map(<[u8]>::to_vec),
        given: EmittedRecord::of(&batch, 0),
        outputs: Vec::new(),
        changes: Vec::new(),
        error: None,
    };
    match operator.try_process(input.edge, &batch, &before)? {
        Ok(emitted) => {
            for (output, records) in emitted {
                let name = operator.output_name(output);
                let one = |place| (name.to_owned(), records.key(place).map(<[u8]>::to_vec), EmittedRecord::of(&records, place));
                effects.outputs.extend((0..records.len()).map(one));
            }
            let after = operator.contents_of(input.edge, &batch)?;
            effects.changes = changes(operator, &before, &after);
        }
        Err(error) => effects.error = Some(error),
    }
    Ok(effects)
}

fn changes(operator: &IsolatedOperator, before: &Contents, after: &Contents) -> Vec<StateChange> {
    let changed = keys_of(before, after).into_iter().filter(|state_key| before.get(*state_key) != after.get(*state_key));
    let change = |state_key: &(usize, Vec<u8>)| StateChange {
        state: operator.states()[state_key.0].name.clone(),
        key: state_key.1.clone(),
        before: before.get(state_key).cloned(),
        after: after.get(state_key).cloned(),
    };
    changed.map(change).collect()
}
