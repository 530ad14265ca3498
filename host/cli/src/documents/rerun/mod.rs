//! The documents of `weir upgrade --dry-run` and `weir replay` (`dry_run`, `replay`), and what both say.
//!
//! Keys and values of records are text, or `{"base64": …}` where the bytes are none. What states hold is shown by [`super::HeldText`].

mod dry_run;
mod fired;
mod replay;

pub use dry_run::{
    DryRunDocument, FailedRecordDocument, FiredExampleDocument, OutputDifferences, StateDifference, StateDifferences, VersionRunDocument,
};
pub use fired::FiredDocument;
pub use replay::{LoggedCallDocument, ReplayDocument, ReplayedFiring, ReplayedRecord, ReplayedStep, RunKind};

use serde::Serialize;
use serde_json::Value;
use weir_engine::replay::EmittedRecord;
use weir_wasm::bytes_as_json;

/// Where records and state come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RerunFrom {
    /// The checkpoint; absent: the beginning of the job.
    pub checkpoint: Option<u64>,
    /// The savepoint that holds it, where it is one.
    pub savepoint: Option<String>,
}

/// A record as it was emitted.
#[derive(Clone, Debug, Serialize)]
pub struct EmittedDocument {
    /// Its value.
    pub value: Value,
    /// Its event time in ms.
    pub timestamp: Option<i64>,
    /// Its headers, names and values, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<[Value; 2]>,
    /// The window or timer that emitted it; absent: a record did, or a watermark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<FiredDocument>,
}

fn optional(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, bytes_as_json)
}

/// Names and values, in order.
fn headers(headers: &[(Vec<u8>, Vec<u8>)]) -> Vec<[Value; 2]> {
    headers.iter().map(|(name, value)| [bytes_as_json(name), bytes_as_json(value)]).collect()
}

impl From<&EmittedRecord> for EmittedDocument {
    fn from(record: &EmittedRecord) -> Self {
        Self {
            value: optional(record.value.as_deref()),
            timestamp: record.timestamp,
            headers: headers(&record.headers),
            by: record.by.as_ref().map(Into::into),
        }
    }
}

/// An operator that is run again, by names.
pub struct OperatorAt<'a> {
    /// The job's name.
    pub job: &'a str,
    /// The operator's id.
    pub operator: &'a str,
    /// Where in the job that begins.
    pub from: RerunFrom,
}
