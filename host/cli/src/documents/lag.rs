//! How far a source lags behind what there is, as documents say it.

use serde::{Deserialize, Serialize};
use weir_engine::metrics::{KnownLag, SourceLag};

/// What there is of a source's splits and has not been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagDocument {
    /// What it is counted in: `bytes` or `records`.
    pub unit: String,
    /// Of all splits together of which it is known.
    pub total: u64,
    /// Of the split that lags most.
    pub largest: u64,
    /// Which one that is.
    pub largest_split: String,
    /// Splits of which it is not known, as of compressed files: they are not counted.
    pub unknown_splits: u64,
}

impl LagDocument {
    /// `None`: nothing of it is known.
    pub fn of(SourceLag { known, unknown_splits }: SourceLag) -> Option<Self> {
        let KnownLag { unit, total, largest, largest_split, splits: _ } = known?;
        Some(Self { unit: unit.name().into(), total, largest, largest_split, unknown_splits })
    }
}
