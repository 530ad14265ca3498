//! Makes checked effects take hold: records to the outputs, updates to keyed and broadcast state.

use crate::effects::{BroadcastUpdate, Effects, ListUpdate, MapUpdate, Output, ValueUpdate};
use std::ops::Range;
use weir_engine::EngineError;
use weir_engine::element::{Column, RecordBatch, Selection};
use weir_engine::state::{BroadcastState, KeyedState};

/// Applies the effects of one call. `range` is where the call's records stand in `batch`; `state` still has its keys selected;
/// `broadcast` is there where the call might change it.
pub(crate) fn apply(
    effects: Effects,
    batch: &RecordBatch,
    range: &Range<usize>,
    state: Option<&mut KeyedState>,
    broadcast: Option<&mut BroadcastState>,
    outputs: &mut Vec<(u32, Selection)>,
) -> Result<(), EngineError> {
    if let Some(state) = state {
        effects.values.into_iter().try_for_each(|update| set_values(update, state))?;
        effects.lists.into_iter().try_for_each(|update| append(update, state))?;
        effects.maps.into_iter().try_for_each(|update| put(update, state))?;
    }
    if let Some(broadcast) = broadcast {
        effects.broadcasts.into_iter().for_each(|update| put_broadcast(update, broadcast));
    }
    for output in effects.outputs.into_iter().filter(|output| !output.cause.is_empty()) {
        outputs.push((output.output, records(output, batch, range).into()));
    }
    Ok(())
}

fn set_values(update: ValueUpdate, state: &mut KeyedState) -> Result<(), EngineError> {
    for key in update.cleared {
        state.clear(key as usize, update.state)?;
    }
    for (key, value) in update.set.keys.iter().zip(update.set.items.iter()) {
        state.set_value(*key as usize, update.state, value)?;
    }
    Ok(())
}

fn append(update: ListUpdate, state: &mut KeyedState) -> Result<(), EngineError> {
    for key in update.cleared {
        state.clear(key as usize, update.state)?;
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

fn put_broadcast(update: BroadcastUpdate, broadcast: &mut BroadcastState) {
    if update.cleared {
        broadcast.clear(update.state);
    }
    update.removed.iter().for_each(|entry| broadcast.remove(update.state, entry));
    for (entry, value) in update.put.iter().zip(update.values.iter()) {
        broadcast.put(update.state, entry, value);
    }
}

/// The output's records, with what they inherit from their causes.
fn records(output: Output, batch: &RecordBatch, range: &Range<usize>) -> RecordBatch {
    let cause = Cause { records: &output.cause, batch, range, one_each: one_each(&output.cause, range.len()) };
    let timestamps = output.timestamps.unwrap_or_else(|| cause.timestamps());
    match output.keys {
        Some((keys, keyless)) => RecordBatch::from_parts(keys, keyless, output.values, timestamps),
        None => {
            let mut records = RecordBatch::from_parts(cause.keys(), cause.keyless(), output.values, timestamps);
            if !batch.hashes().is_empty() {
                records.set_hashes(cause.hashes());
            }
            records
        }
    }
}

/// True where each record of the call has caused one, in order: then columns are copied whole.
fn one_each(cause: &[u32], records: usize) -> bool {
    cause.len() == records && cause.iter().enumerate().all(|(index, &record)| record as usize == index)
}

/// Where the records of an output come from.
struct Cause<'a> {
    records: &'a [u32],
    batch: &'a RecordBatch,
    range: &'a Range<usize>,
    one_each: bool,
}

impl Cause<'_> {
    fn gather<T: Copy>(&self, from: &[T]) -> Vec<T> {
        let from = &from[self.range.clone()];
        if self.one_each { from.to_vec() } else { self.records.iter().map(|&record| from[record as usize]).collect() }
    }

    fn timestamps(&self) -> Vec<i64> {
        self.gather(self.batch.timestamps())
    }

    fn hashes(&self) -> Vec<u64> {
        self.gather(self.batch.hashes())
    }

    fn keys(&self) -> Column {
        let keys = self.batch.keys();
        if self.one_each {
            return slice(keys, self.range);
        }
        let bytes = keys.data().len() / keys.len().max(1) * self.records.len();
        let mut gathered = Column::with_capacity(self.records.len(), bytes);
        for &record in self.records {
            gathered.push(keys.get(self.range.start + record as usize));
        }
        gathered
    }

    fn keyless(&self) -> Vec<u32> {
        if self.batch.keyless().is_empty() {
            return Vec::new();
        }
        let inherits = |record: u32| self.batch.key(self.range.start + record as usize).is_none();
        (0..self.records.len() as u32).filter(|&index| inherits(self.records[index as usize])).collect()
    }
}

/// Items `range` of a column.
fn slice(column: &Column, range: &Range<usize>) -> Column {
    if range.len() == column.len() {
        return column.clone();
    }
    let start = if range.start == 0 { 0 } else { column.ends()[range.start - 1] };
    let ends: Vec<u32> = column.ends()[range.clone()].iter().map(|end| end - start).collect();
    let end = ends.last().copied().unwrap_or(0) + start;
    Column::from_parts(column.data()[start as usize..end as usize].to_vec(), ends).expect("a part of a column is a column")
}
