//! How far a source lags behind what there is, as documents say it.

use serde::{Deserialize, Serialize};
use weir_engine::metrics::{KnownLag, SourceLag};

/// What there is of a source's splits and has not been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagDocument {
    /// What it is counted in: `bytes` or `records`; `None`, like what follows, where it is known of no split.
    pub unit: Option<String>,
    /// Of all splits together of which it is known.
    pub total: Option<u64>,
    /// Of the split that lags most.
    pub largest: Option<u64>,
    /// Which one that is.
    pub largest_split: Option<String>,
    /// The 256 splits that lag most, or all of which it is known, the largest lag first.
    #[serde(default)]
    pub splits: Vec<SplitLagDocument>,
    /// Splits of which it is not known, as of compressed files: they are not counted.
    pub unknown_splits: u64,
}

/// What there is of one split and has not been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitLagDocument {
    /// Its id: of Kafka, the topic and the partition.
    pub split: String,
    /// How much, in the unit of all.
    pub lag: u64,
}

impl LagDocument {
    /// `None`: there are no splits, or nobody has looked yet.
    pub fn of(SourceLag { known, unknown_splits }: SourceLag) -> Option<Self> {
        match known {
            Some(KnownLag { unit, total, most, splits: _ }) => Some(Self {
                unit: Some(unit.name().into()),
                total: Some(total),
                largest: most.first().map(|(_, lag)| *lag),
                largest_split: most.first().map(|(split, _)| split.clone()),
                splits: most.into_iter().map(|(split, lag)| SplitLagDocument { split, lag }).collect(),
                unknown_splits,
            }),
            None if unknown_splits > 0 => Some(Self { unknown_splits, ..Self::default() }),
            None => None,
        }
    }
}
