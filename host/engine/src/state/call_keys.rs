//! The keys that a call of an operator brings, whatever it is a call of: a batch's records, or timers that are due.

use crate::element::{Column, RecordBatch};
use std::sync::Arc;

/// One key for each record or timer of a call, in their order: a key may be there more than once. Borrowed from what the call is of, and copied freely.
#[derive(Clone, Copy, Debug)]
pub struct CallKeys<'a> {
    pub(super) keys: &'a Column,
    pub(super) hashes: &'a [u64],
    pub(super) keyless: &'a [u32],
    /// The times of records; none where they are of something else.
    pub(super) times: &'a [i64],
    /// The numbers of timers, and when each was due; none where they are of something else.
    pub(super) timers: &'a [u32],
    pub(super) due: &'a [i64],
}

impl<'a> CallKeys<'a> {
    /// `keys` with the XXH3-64 of each, or none where they have not been hashed. `keyless`: the places, ascending, whose item is no key. Panics where there
    /// are hashes, and not one for each key.
    pub fn new(keys: &'a Column, hashes: &'a [u64], keyless: &'a [u32]) -> Self {
        assert!(hashes.is_empty() || hashes.len() == keys.len(), "{} hashes of {} keys", hashes.len(), keys.len());
        Self { keys, hashes, keyless, times: &[], timers: &[], due: &[] }
    }

    /// The same, of records with these times. Panics where there is not one for each.
    pub fn of_records(self, times: &'a [i64]) -> Self {
        assert!(times.len() == self.len(), "{} times of {} keys", times.len(), self.len());
        Self { times, ..self }
    }

    /// The same, of timers: their numbers, and when each was due. Panics where there is not one for each.
    pub fn of_timers(self, timers: &'a [u32], due: &'a [i64]) -> Self {
        assert!(timers.len() == self.len() && due.len() == self.len(), "{} timers of {} keys", timers.len(), self.len());
        Self { timers, due, ..self }
    }

    /// Number of records or timers.
    pub(crate) fn len(self) -> usize {
        self.keys.len()
    }

    /// The key of each record or timer; `None` where it has none.
    pub fn iter(self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let is_keyless = move |place: usize| self.keyless.binary_search(&(place as u32)).is_ok();
        self.keys.iter().enumerate().map(move |(place, key)| (!is_keyless(place)).then_some(key))
    }
}

impl<'a> From<&'a RecordBatch> for CallKeys<'a> {
    fn from(batch: &'a RecordBatch) -> Self {
        Self::new(batch.keys(), batch.hashes(), batch.keyless()).of_records(batch.timestamps())
    }
}

impl<'a> From<&'a Arc<RecordBatch>> for CallKeys<'a> {
    fn from(batch: &'a Arc<RecordBatch>) -> Self {
        Self::from(&**batch)
    }
}
