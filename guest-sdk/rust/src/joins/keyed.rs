//! Rows of two inputs that have a key in common, whatever their times, as long as both are kept.

use crate::StateType;
use crate::error::Result;
use crate::state::{Cbor, Codec, ListState};
use serde::{Deserialize, Serialize};

/// Joins rows of the same key: each with those of the other side that have come before it and are still kept, so that every pair comes once, with the second of the two.
///
/// How long a row is kept is said at the states, `#[state(ttl = "1h")]`, for either side by itself. Without, rows are kept for ever.
pub struct InnerJoin<'a, L, R> {
    left: &'a mut ListState<L>,
    right: &'a mut ListState<R>,
}

impl<'a, L, R> InnerJoin<'a, L, R>
where
    Cbor: Codec<L> + Codec<R>,
{
    /// The join of the key that is being worked on.
    pub fn new(left: &'a mut ListState<L>, right: &'a mut ListState<R>) -> Self {
        Self { left, right }
    }

    /// A left row has come: the right ones that it goes with, in the order in which they came.
    pub fn left(&mut self, row: &L) -> Result<Vec<R>> {
        self.left.append(row)?;
        self.right.iter()?.collect()
    }

    /// A right row has come: the left ones that it goes with, in the order in which they came.
    pub fn right(&mut self, row: &R) -> Result<Vec<L>> {
        self.right.append(row)?;
        self.left.iter()?.collect()
    }
}

/// Joins rows of the same key as [`InnerJoin`] does, and tells of left rows that go with none.
///
/// A left row that finds no right one is alone, and told to be by an empty answer of [`Self::left`]. The first right row that it goes with says so: what was made of the row
/// alone does not hold any more. That renews the row, which is kept from then on as if it had just come. A row whose partners have all expired stays joined.
pub struct LeftJoin<'a, L, R> {
    left: &'a mut ListState<LeftRow<L>>,
    right: &'a mut ListState<R>,
}

/// A left row as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, StateType)]
pub struct LeftRow<L> {
    row: L,
    /// No right row has come that it goes with.
    alone: bool,
}

/// A left row that a right one goes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMatch<L> {
    /// The left row.
    pub row: L,
    /// It was alone, and has been told to be.
    pub was_alone: bool,
}

impl<'a, L, R> LeftJoin<'a, L, R>
where
    Cbor: Codec<LeftRow<L>> + Codec<R>,
{
    /// The join of the key that is being worked on.
    pub fn new(left: &'a mut ListState<LeftRow<L>>, right: &'a mut ListState<R>) -> Self {
        Self { left, right }
    }

    /// A left row has come: the right ones that it goes with, in the order in which they came. Where there are none it is alone.
    pub fn left(&mut self, row: L) -> Result<Vec<R>> {
        let matches = self.right.iter()?.collect::<Result<Vec<R>>>()?;
        self.left.append(&LeftRow { row, alone: matches.is_empty() })?;
        Ok(matches)
    }

    /// A right row has come: the left ones that it goes with, in the order in which they came.
    pub fn right(&mut self, row: &R) -> Result<Vec<LeftMatch<L>>> {
        self.right.append(row)?;
        let mut rows = self.left.iter()?.collect::<Result<Vec<LeftRow<L>>>>()?;
        // Those that are alone are the last: a right row takes all that there are, and with one there nobody is alone.
        let joined = rows.iter().take_while(|row| !row.alone).count();
        if joined < rows.len() {
            self.left.truncate(joined as u64)?;
        }
        let mut matches = Vec::with_capacity(rows.len());
        for (index, mut left) in rows.drain(..).enumerate() {
            let was_alone = left.alone;
            if index >= joined {
                left.alone = false;
                self.left.append(&left)?;
            }
            matches.push(LeftMatch { row: left.row, was_alone });
        }
        Ok(matches)
    }
}
