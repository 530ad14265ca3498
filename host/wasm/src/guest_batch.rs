//! Cuts what flows between tasks into what a guest is given, and lays its keys' state beside it.
//!
//! A batch closes at 1,024 records or at a number of bytes that counts the state of its keys: only where the state is known can that be cut.

use crate::fault::GuestFault;
use crate::guest::KeyedValues;
use crate::limits::BATCH_RECORDS;
use crate::lowered::end;
use crate::work::{Work, WorkOf};
use std::ops::Range;
use std::sync::Arc;
use weir_engine::EngineError;
use weir_engine::element::{BatchBuilder, Column, RecordBatch};
use weir_engine::state::{KeyedState, Keyless, SelectError, StateKind, Unwindowed, Window};

/// Room for one batch, kept from call to call.
#[derive(Default)]
pub(crate) struct GuestBatch {
    /// For each declared state the keys that have a value, and the values.
    pub(crate) states: Vec<KeyedValues>,
    /// Copies of the keys, made only where the keyed state itself is lent to the guest's host calls.
    pub(crate) keys: Column,
    /// See `keys`.
    pub(crate) key_of: Vec<u32>,
    /// See `keys`: their windows, where these are known.
    pub(crate) windows: Option<Vec<Window>>,
    /// What the guest is given where that is not each record once.
    rows: Option<Rows>,
    /// Rows that records have had of late, one at least: so many records fit into a call.
    rows_per_record: usize,
}

/// Records as a guest is given them where they stand in several windows, or in none.
struct Rows {
    records: Arc<RecordBatch>,
    /// For each row the record that it repeats, counted from the front of the cut; ascending.
    record_of: Vec<u32>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A call with these records.
    Call(Range<usize>),
    /// Nothing is left of these records, which came too late for their windows.
    Nothing(Range<usize>),
    /// The first record cannot be put into a window.
    Unwindowed(Unwindowed),
}

/// Why no batch could be cut.
#[derive(Debug)]
pub(crate) enum CutError {
    /// A record of a keyed input has no key.
    Keyless(Keyless),
    /// The value state of this record's key, in all windows that the record is in, passes the limit by itself.
    StateTooLarge { record: usize, bytes: u64, units: usize },
    /// The state could not be read.
    State(EngineError),
}

impl GuestBatch {
    /// Cuts a batch from the front of `range`, and fetches its keys' state.
    pub(crate) fn cut(
        &mut self,
        work: Work<'_>,
        range: Range<usize>,
        state: Option<&mut KeyedState>,
        max_bytes: u64,
    ) -> Result<Cut, CutError> {
        self.rows = None;
        let most = (BATCH_RECORDS / self.rows_per_record.max(1)).max(1);
        let mut end = range.end.min(range.start + most);
        // The longest run of records that fits, but one at least.
        let fits = |end: usize| bytes_of(work.records, &(range.start..end)) <= max_bytes;
        if !fits(end) {
            let lengths: Vec<usize> = (range.start + 1..=end).collect();
            end = (range.start + lengths.partition_point(|&end| fits(end))).max(range.start + 1);
        }
        match state {
            Some(state) => self.fetch(work, range.start..end, state, max_bytes),
            None => Ok(Cut::Call(range.start..end)),
        }
    }

    /// Fetches the state of the keys in `range`, and shortens the range until records and state fit. A selection takes the place of
    /// the one before.
    fn fetch(&mut self, work: Work<'_>, range: Range<usize>, state: &mut KeyedState, max_bytes: u64) -> Result<Cut, CutError> {
        let Range { start, mut end } = range;
        loop {
            match state.select(work.keys(), start..end) {
                Ok(selected) => end = start + selected,
                Err(SelectError::Keyless(keyless)) => return Err(CutError::Keyless(keyless)),
                Err(SelectError::Failed(error)) => return Err(CutError::State(error)),
                Err(SelectError::Unwindowed(refused)) if refused.record <= start => return Ok(Cut::Unwindowed(refused)),
                Err(SelectError::Unwindowed(Unwindowed { record, .. })) => {
                    end = record;
                    continue;
                }
            }
            let shorter = match before_too_many_rows(state, &(start..end)) {
                Some(shorter) => Some(shorter),
                None => self.lay_out(work, start..end, state, max_bytes)?,
            };
            match shorter {
                Some(shorter) => end = shorter,
                None if self.rows.as_ref().is_some_and(|rows| rows.record_of.is_empty()) => return Ok(Cut::Nothing(start..end)),
                None => return Ok(Cut::Call(start..end)),
            }
        }
    }

    /// Lays out what is selected, and the state that it brings. Where the range has to end instead, if not all of it fits into a call.
    fn lay_out(&mut self, work: Work<'_>, range: Range<usize>, state: &KeyedState, max_bytes: u64) -> Result<Option<usize>, CutError> {
        let Range { start, end } = range;
        self.rows = state.rows().map(|rows| Rows::new(work.records, start, rows));
        self.rows_per_record = self.rows.as_ref().map_or(1, |rows| rows.record_of.len().div_ceil(end - start));
        let (alone, units) = (end - start == 1, state.keys().len());
        if let WorkOf::Windows(_) = work.of {
            assert_eq!(units, end - start, "a window fires once in a call");
        }
        // Of a single key all is gathered: its error says how much that is.
        let state_bytes = self.gather(state, if alone && units == 1 { u64::MAX } else { max_bytes }).map_err(CutError::State)?;
        if alone && state_bytes > max_bytes {
            return Err(CutError::StateTooLarge { record: start, bytes: state_bytes, units });
        }
        let (given, all) = self.given(work.records, &(start..end));
        let fits = alone || state_bytes + bytes_of(given, &all) <= max_bytes;
        Ok((!fits).then_some(start + (end - start) / 2))
    }

    /// What a call with the records `range` is given, and where in it.
    pub(crate) fn given<'a>(&'a self, records: &'a Arc<RecordBatch>, range: &Range<usize>) -> (&'a Arc<RecordBatch>, Range<usize>) {
        match &self.rows {
            Some(rows) => (&rows.records, 0..rows.records.len()),
            None => (records, range.clone()),
        }
    }

    /// A fault of a call that was given rows, as one of its records.
    pub(crate) fn of_records(&self, fault: GuestFault) -> GuestFault {
        match &self.rows {
            Some(rows) => fault.of_records(|row| rows.record_of.get(row as usize).copied()),
            None => fault,
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
        self.windows = state.windows().map(<[Window]>::to_vec);
    }
}

impl Rows {
    /// These rows of a batch, whose cut begins at `start`.
    fn new(batch: &RecordBatch, start: usize, rows: &[u32]) -> Self {
        let mut records = BatchBuilder::with_capacity(rows.len(), 0, 0);
        records.select(batch, rows, false);
        Self { records: Arc::new(records.finish()), record_of: rows.iter().map(|row| row - start as u32).collect() }
    }
}

/// Where the range has to end for the selected records to have no more rows than a call may be given; all rows of a record are in one call.
fn before_too_many_rows(state: &KeyedState, range: &Range<usize>) -> Option<usize> {
    let first_behind = *state.rows()?.get(BATCH_RECORDS)? as usize;
    (range.len() > 1).then_some(first_behind.max(range.start + 1))
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
