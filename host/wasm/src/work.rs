//! What an operator is called to work off: records of a batch, or timers that are due, which go the same way.
//!
//! Timers are laid out as records: of each the key, and as its time when it was due. So they are cut, narrowed down and inherited from as records are.

use std::sync::Arc;
use weir_engine::RecordBatch;
use weir_engine::operator::FiredTimers;

/// Records, or timers that are due.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    /// The number of the input that the records came from.
    pub(crate) input: u32,
    /// The records; of timers see [`due_records`].
    pub(crate) records: &'a Arc<RecordBatch>,
    /// For each of them the number of the declared timer; `None`: they are records of an input.
    pub(crate) timers: Option<&'a [u32]>,
}

/// Timers that are due as records: of each the key and, as the record's time, when it was due.
pub fn due_records(fired: &FiredTimers) -> RecordBatch {
    let mut values = weir_engine::Column::new();
    (0..fired.len()).for_each(|_| values.push(b""));
    let mut records = RecordBatch::from_parts(fired.keys().clone(), Vec::new(), values, fired.due().to_vec());
    records.set_hashes(fired.hashes().to_vec());
    records
}
