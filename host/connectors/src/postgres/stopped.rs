//! Why a try to publish a chunk has come to nothing.

use super::markers::Refused;
use tokio_postgres::error::DbError;
use weir_engine::EngineError;

/// Why a transaction has come to nothing.
pub(super) enum Stopped {
    Refused(Refused),
    /// A record is at fault.
    Misfit(Fault),
    /// Some record is at fault, and the server does not say which.
    SomeMisfit {
        by: Statement,
        refused: Box<DbError>,
    },
    /// More records are than may be set aside.
    TooMany(EngineError),
}

/// What a record is refused by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// The one that rows come in by.
    Copy,
    /// Those that bring them into the target.
    Apply,
}

/// A record that makes no row, by its place in the chunk, and why.
pub(super) struct Fault {
    pub record: usize,
    pub why: String,
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<tokio_postgres::Error> for Stopped {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Refused(error.into())
    }
}
