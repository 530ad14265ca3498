//! Cuts what flows between tasks into what a guest is given, and lays its keys' state beside it.
//!
//! A batch closes at 1,024 records or at a number of bytes that counts the state of its keys: only where the state is known can that be cut.

use crate::guest::KeyedValues;
use crate::limits::BATCH_RECORDS;
use crate::lowered::end;
use std::ops::Range;
use weir_engine::EngineError;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::state::{KeyedState, Keyless, SelectError, StateKind, Unwindowed};

/// Room for one batch, kept from call to call.
#[derive(Default)]
pub(crate) struct GuestBatch {
    /// For each declared state the keys that have a value, and the values.
    pub(crate) states: Vec<KeyedValues>,
    /// Copies of the keys, made only where the keyed state itself is lent to the guest's host calls.
    pub(crate) keys: Column,
    /// See `keys`.
    pub(crate) key_of: Vec<u32>,
}

/// Why no batch could be cut.
#[derive(Debug)]
pub(crate) enum CutError {
    /// A record of a keyed input has no key.
    Keyless(Keyless),
    /// The value state of this record's key passes the limit by itself.
    StateTooLarge { record: usize, bytes: u64 },
    /// A record cannot be put into a window.
    Unwindowed(Unwindowed),
    /// The state could not be read.
    State(EngineError),
}

impl From<SelectError> for CutError {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Keyless(keyless) => Self::Keyless(keyless),
            SelectError::Unwindowed(unwindowed) => Self::Unwindowed(unwindowed),
            SelectError::Failed(error) => Self::State(error),
        }
    }
}

impl GuestBatch {
    /// Cuts a batch from the front of `range`, and fetches its keys' state. The range that it covers.
    pub(crate) fn cut(
        &mut self,
        batch: &RecordBatch,
        range: Range<usize>,
        state: Option<&mut KeyedState>,
        max_bytes: u64,
    ) -> Result<Range<usize>, CutError> {
        let mut end = range.end.min(range.start + BATCH_RECORDS);
        // The longest run of records that fits, but one at least.
        let fits = |end: usize| bytes_of(batch, &(range.start..end)) <= max_bytes;
        if !fits(end) {
            let lengths: Vec<usize> = (range.start + 1..=end).collect();
            end = (range.start + lengths.partition_point(|&end| fits(end))).max(range.start + 1);
        }
        if let Some(state) = state {
            end = self.fetch(batch, range.start..end, state, max_bytes)?;
        }
        Ok(range.start..end)
    }

    /// Fetches the state of the keys in `range`, and halves the range until records and state fit. Where it ends.
    fn fetch(&mut self, batch: &RecordBatch, range: Range<usize>, state: &mut KeyedState, max_bytes: u64) -> Result<usize, CutError> {
        let Range { start, mut end } = range;
        loop {
            state.select(batch, start..end)?;
            // Of a single key all is gathered: its error says how much that is.
            let state_bytes = self.gather(state, if end - start == 1 { u64::MAX } else { max_bytes }).map_err(CutError::State)?;
            if end - start == 1 && state_bytes > max_bytes {
                return Err(CutError::StateTooLarge { record: start, bytes: state_bytes });
            }
            if end - start == 1 || state_bytes + bytes_of(batch, &(start..end)) <= max_bytes {
                return Ok(end);
            }
            end = start + (end - start) / 2;
        }
    }

    /// Fetches the state of the selected keys, and says how many bytes it has: more than `max_bytes` where it stopped there.
    fn gather(&mut self, state: &KeyedState, max_bytes: u64) -> Result<u64, EngineError> {
        self.states.resize_with(state.declared().len(), Default::default);
        let mut bytes = 0;
        for (index, KeyedValues { keys: present, values }) in self.states.iter_mut().enumerate() {
            present.clear();
            values.clear();
            match state.declared()[index].kind {
                StateKind::Value if bytes <= max_bytes => {
                    let left = usize::try_from(max_bytes - bytes).unwrap_or(usize::MAX);
                    state.gather_values(index, left, present, values)?;
                }
                StateKind::Value => {}
                // These are read through host calls.
                StateKind::List | StateKind::Map | StateKind::Broadcast => {}
            }
            bytes += values.byte_len() as u64;
        }
        Ok(bytes)
    }

    /// Copies the keys, so that the keyed state can be lent.
    pub(crate) fn copy_keys(&mut self, state: &KeyedState) {
        self.keys.clone_from(state.keys());
        self.key_of.clear();
        self.key_of.extend_from_slice(state.key_of());
    }
}

/// Bytes of the records' keys, values and headers.
fn bytes_of(batch: &RecordBatch, range: &Range<usize>) -> u64 {
    let between = |column: &Column, items: &Range<usize>| u64::from(end(column, items.end) - end(column, items.start));
    // Sixteen for the time and the ends.
    let fixed = 16 * range.len() as u64 + between(batch.keys(), range) + between(batch.values(), range);
    let Some(headers) = batch.headers() else { return fixed };
    let items = headers.items(range.clone());
    // Twelve for the ends.
    fixed + between(headers.names(), &items) + between(headers.values(), &items) + 12 * items.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::element::BatchBuilder;
    use weir_engine::state::{KeyGroupRange, MemoryBackendFactory, StateDescriptor};

    /// Ten keys, each with 100 bytes in each of two states, ends included.
    fn keyed_state(batch: &RecordBatch) -> KeyedState {
        let state = |name: &str| StateDescriptor { name: name.into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None };
        let states = vec![state("first"), state("second")];
        let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: 128 }, 128);
        let mut keyed = KeyedState::new(states, backend);
        keyed.select(batch, 0..batch.len()).unwrap();
        for key in 0..10 {
            (0..2).for_each(|state| keyed.set_value(key, state, &[7; 96]).unwrap());
        }
        keyed
    }

    /// What is held of the two states when gathering stops.
    #[track_caller]
    fn check(max_bytes: u64, expect: [usize; 2]) {
        let mut builder = BatchBuilder::new();
        (0..10).for_each(|key| builder.push(Some(&[key]), b"", None));
        let batch = builder.finish();
        let mut guest = GuestBatch::default();
        let bytes = guest.gather(&keyed_state(&batch), max_bytes).unwrap();
        assert_eq!([guest.states[0].values.len(), guest.states[1].values.len()], expect, "{max_bytes} bytes");
        assert_eq!(bytes, 100 * expect.iter().sum::<usize>() as u64);
    }

    #[test]
    fn state_is_gathered_no_further_than_it_may_be_handed_in() {
        check(2_000, [10, 10]);
        check(1_950, [10, 10]);
        check(1_899, [10, 9]);
        check(1_000, [10, 1]);
        check(999, [10, 0]);
        check(150, [2, 0]);
        check(0, [1, 0]);
    }
}
