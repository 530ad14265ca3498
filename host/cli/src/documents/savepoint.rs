//! Documents about savepoints.

use super::{PositionDocument, StateSizeDocument};
use serde::Serialize;

/// `weir savepoint list`.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointListDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// Newest first.
    pub savepoints: Vec<ListedSavepoint>,
}

/// A savepoint of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedSavepoint {
    /// Where it was written.
    pub url: String,
    /// The checkpoint that it is a copy of.
    pub checkpoint: u64,
    /// When (RFC 3339).
    pub created_at: String,
    /// Whether it is still there and opens.
    pub present: bool,
}

/// `weir savepoint inspect`.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// Its absolute URL.
    pub savepoint: String,
    /// The job that it was taken of.
    pub job: String,
    /// The checkpoint that it is a copy of.
    pub checkpoint: u64,
    /// When (RFC 3339).
    pub created_at: String,
    /// Bytes of all its objects.
    pub bytes: u64,
    /// Whether it holds the job file.
    pub job_file: bool,
    /// Sources and operators.
    pub operators: Vec<SavepointOperator>,
    /// Sources with their positions.
    pub sources: Vec<SavepointSource>,
    /// The components that wrote the state.
    pub plugins: Vec<SavepointPlugin>,
}

/// An operator of a savepoint.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointOperator {
    /// Its id.
    pub id: String,
    /// Subtasks that it had.
    pub parallelism: usize,
    /// Keys with state.
    pub keys: u64,
    /// Bytes of keyed state.
    pub bytes: u64,
    /// Bytes of records in flight towards it.
    pub in_flight_bytes: u64,
    /// What it declared, and how much of each there is.
    pub states: Vec<StateSizeDocument>,
}

/// A source of a savepoint.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointSource {
    /// Its id.
    pub id: String,
    /// Its connector.
    pub connector: String,
    /// How far its splits have been read.
    pub positions: Vec<PositionDocument>,
}

/// A component of a savepoint.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointPlugin {
    /// The operator that it ran as.
    pub id: String,
    /// Its SHA-256.
    pub digest: String,
    /// The reference of the job file that led to it; `null` of a plugin in a file, of one that an upgrade brought, and in older savepoints.
    pub reference: Option<String>,
    /// The digest by which the reference's registry has it for good.
    pub manifest: Option<String>,
}

/// `weir savepoint verify`.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointVerifyDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// Where it is.
    pub url: String,
    /// Whether all of it is there and unharmed.
    pub whole: bool,
    /// What is missing or damaged.
    pub problems: Vec<String>,
}

/// `weir savepoint delete`.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointDeletedDocument {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// Where it was.
    pub url: String,
    /// The checkpoint that it was a copy of.
    pub checkpoint: u64,
}
