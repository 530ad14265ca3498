//! Joins to be used inside an operator with two inputs, types over its states and its timers: by event time, or of what is kept for a time to live.
//!
//! The states and the timer are the operator's own, declared like any other, so that they have the names, versions and migrations that it gives them.
//! [`Context::parts`](crate::Context::parts) lends them. Whether a row is kept follows from its time and the watermark alone, which are the same wherever a batch is cut.
//!
//! Records that come in windows need no join: [windowed](crate::Operator::WINDOWED) operators of two inputs have the state of both.

mod interval;
mod keyed;
mod temporal;

pub use interval::IntervalJoin;
pub use keyed::{InnerJoin, LeftJoin, LeftMatch, LeftRow};
pub use temporal::{TemporalJoin, WithVersion};

use crate::error::Result;
use crate::state::{Cbor, Codec, MapState};

/// Rows that are kept by their time, those of one time in the order in which they came.
pub type Rows<T> = MapState<i64, Vec<T>>;

/// Adds a row.
fn keep<T>(rows: &mut Rows<T>, time: i64, row: T) -> Result<()>
where
    Cbor: Codec<Vec<T>>,
{
    let mut of_time = rows.get(&time)?.unwrap_or_default();
    of_time.push(row);
    rows.put(&time, &of_time)
}
