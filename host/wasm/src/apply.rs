//! Makes checked effects take hold: records to the outputs, updates to keyed and broadcast state, timers.

use crate::effects::{BroadcastUpdate, ChangedKey, Effects, ListUpdate, MapUpdate, TimerUpdate, Touched, ValueUpdate};
use std::ops::Range;
use std::sync::Arc;
use weir_engine::EngineError;
use weir_engine::element::{RecordBatch, Selection};
use weir_engine::state::{BroadcastState, KeyedState};

/// Applies the effects of one call. `range` is where the call's records stand in `batch`; `state` still has its keys selected;
/// `broadcast` is there where the call might change it.
pub(crate) fn apply(
    effects: Effects,
    batch: &Arc<RecordBatch>,
    range: &Range<usize>,
    state: Option<&mut KeyedState>,
    broadcast: Option<&mut BroadcastState>,
    outputs: &mut Vec<(u32, Selection)>,
) -> Result<(), EngineError> {
    if let Some(state) = state {
        // What is written has the time of the call besides, whether it was read or not.
        effects.touched.iter().try_for_each(|touched| touch(touched, state))?;
        effects.values.into_iter().try_for_each(|update| set_values(update, state))?;
        effects.lists.into_iter().try_for_each(|update| change_lists(update, state))?;
        effects.maps.into_iter().try_for_each(|update| put(update, state))?;
        effects.timers.iter().try_for_each(|update| change_timers(update, state))?;
    }
    if let Some(broadcast) = broadcast {
        effects.broadcasts.into_iter().for_each(|update| put_broadcast(update, broadcast));
    }
    for output in effects.outputs {
        let number = output.output;
        let emitted = output.emitted(batch, range);
        if !emitted.is_empty() {
            outputs.push((number, emitted));
        }
    }
    Ok(())
}

fn touch(touched: &Touched, state: &mut KeyedState) -> Result<(), EngineError> {
    touched.keys.iter().try_for_each(|&key| state.touch(key as usize, touched.state))
}

fn set_values(update: ValueUpdate, state: &mut KeyedState) -> Result<(), EngineError> {
    for key in update.cleared {
        state.clear(key as usize, update.state)?;
    }
    state.set_values(&update.set.keys, update.state, &update.set.items)
}

fn change_lists(update: ListUpdate, state: &mut KeyedState) -> Result<(), EngineError> {
    for key in update.cleared {
        state.clear(key as usize, update.state)?;
    }
    for (key, count) in update.popped.keys.iter().zip(update.popped.counts) {
        state.list_pop_front(*key as usize, update.state, count)?;
    }
    for (key, len) in update.truncated.keys.iter().zip(update.truncated.counts) {
        state.list_truncate(*key as usize, update.state, len)?;
    }
    for (key, item) in update.append.keys.iter().zip(update.append.items.iter()) {
        state.list_append(*key as usize, update.state, item)?;
    }
    Ok(())
}

fn put(update: MapUpdate, state: &mut KeyedState) -> Result<(), EngineError> {
    for key in update.cleared {
        state.clear(key as usize, update.state)?;
    }
    for (key, entry) in update.removed.keys.iter().zip(update.removed.items.iter()) {
        state.map_remove(*key as usize, update.state, entry)?;
    }
    for ((key, entry), value) in update.put.keys.iter().zip(update.put.items.iter()).zip(update.values.iter()) {
        state.map_put(*key as usize, update.state, entry, value)?;
    }
    Ok(())
}

fn change_timers(update: &TimerUpdate, state: &mut KeyedState) -> Result<(), EngineError> {
    for ChangedKey { key, deleted, set } in update.by_key() {
        state.change_timers(key as usize, update.timer, deleted, set)?;
    }
    Ok(())
}

fn put_broadcast(update: BroadcastUpdate, broadcast: &mut BroadcastState) {
    if update.cleared {
        broadcast.clear(update.state);
    }
    update.removed.iter().for_each(|entry| broadcast.remove(update.state, entry));
    for (entry, value) in update.put.iter().zip(update.values.iter()) {
        broadcast.put(update.state, entry, value);
    }
}
