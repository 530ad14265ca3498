//! What an operator is called to work off: records of a batch, or timers that are due or windows that fire, which go the same way.
//!
//! These are laid out as records: of each the key, and as its time when it was due, or the time of what comes of it. So they are cut, narrowed down and inherited
//! from as records are.

use std::sync::Arc;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::operator::FiredTimers;
use weir_engine::state::{CallKeys, FiredWindows};

/// Records, timers that are due, or windows that fire.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    /// The number of the input that the records came from.
    pub(crate) input: u32,
    /// The records; of timers see [`due_records`], of windows [`firing_records`].
    pub(crate) records: &'a Arc<RecordBatch>,
    /// What they are.
    pub(crate) of: WorkOf<'a>,
}

/// What the records of a [`Work`] are.
#[derive(Clone, Copy)]
pub(crate) enum WorkOf<'a> {
    /// Records of an input.
    Records,
    /// Timers: for each the number of the declared one.
    Timers(&'a [u32]),
    /// Windows that fire.
    Windows(&'a FiredWindows),
}

impl<'a> Work<'a> {
    /// The keys that its state is selected by.
    pub(crate) fn keys(self) -> CallKeys<'a> {
        match self.of {
            WorkOf::Records => CallKeys::from(self.records),
            // When they were due says what has expired for them.
            WorkOf::Timers(timers) => {
                CallKeys::new(self.records.keys(), self.records.hashes(), &[]).of_timers(timers, self.records.timestamps())
            }
            WorkOf::Windows(fired) => CallKeys::from(fired),
        }
    }

    /// What one of it is called.
    pub(crate) fn one(self) -> &'static str {
        match self.of {
            WorkOf::Records => "record",
            WorkOf::Timers(_) => "timer",
            WorkOf::Windows(_) => "window",
        }
    }
}

/// Timers that are due as records: of each the key and, as the record's time, when it was due.
pub fn due_records(fired: &FiredTimers) -> RecordBatch {
    without_values(fired.keys(), fired.hashes(), fired.due().to_vec())
}

/// Windows that fire as records: of each the key and, as the record's time, that of what comes of it.
pub fn firing_records(fired: &FiredWindows) -> RecordBatch {
    without_values(fired.keys(), fired.hashes(), fired.firings().iter().map(|firing| firing.timestamp).collect())
}

fn without_values(keys: &Column, hashes: &[u64], timestamps: Vec<i64>) -> RecordBatch {
    let mut values = Column::new();
    (0..keys.len()).for_each(|_| values.push(b""));
    let mut records = RecordBatch::from_parts(keys.clone(), Vec::new(), values, timestamps);
    records.set_hashes(hashes.to_vec());
    records
}
