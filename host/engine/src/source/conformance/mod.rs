//! What every [`Source`] promises, as a suite that each implementation runs in its own tests. Everything panics with what differed.
//!
//! The world that a source reads must stand still meanwhile, have an end, and be small: it is read some hundred times.

mod finished;
mod found;
mod hesitant;
mod in_order;
mod lag;
mod positions;
mod reading;
mod told;

pub use hesitant::Hesitant;
pub use reading::{
    Attributed, ReadRecord, SourceNow, lags_of, now, read, read_all, read_attributed, reader_context, subtask, through_a_checkpoint,
};

use super::{ReadStatus, Source};

/// Runs the whole suite.
pub fn source_suite(source: &dyn Source) {
    positions::check(source);
    finished::check(source);
    in_order::check(source);
    found::check(source);
    told::check(source);
    lag::check(source);
    without_splits(source);
}

fn without_splits(source: &dyn Source) {
    let mut idle = source.reader(&reader_context(0, 1), Vec::new()).unwrap();
    let (status, why) = match source.capabilities().bounded {
        true => (ReadStatus::End, "a bounded reader without splits ends at once"),
        false => (ReadStatus::More, "a reader of what has no end is idle without splits, and has not ended"),
    };
    assert_eq!(read(&mut *idle, 1, 1).unwrap(), (Vec::new(), status), "{why}");
}

#[cfg(test)]
mod tests;
