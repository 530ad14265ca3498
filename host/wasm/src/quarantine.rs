//! The record of a record that failed alone: one JSON object, for the operator's `quarantine` output.

use crate::fault::GuestFault;
use serde_json::json;
use weir_engine::element::{BatchBuilder, NO_TIMESTAMP, RecordBatch};
use weir_engine::shown_text::bytes_as_json;

/// Where a record failed.
#[derive(Clone, Copy)]
pub(crate) struct FailedIn<'a> {
    /// The operator's id.
    pub operator: &'a str,
    /// The number of its subtask.
    pub subtask: u32,
    /// How its plugin is called.
    pub plugin: &'a str,
}

/// A batch of one record with key and time of record `record` of `batch`, and the report of its fault as value.
pub(crate) fn report(failed_in: FailedIn<'_>, batch: &RecordBatch, record: usize, fault: &GuestFault) -> RecordBatch {
    let FailedIn { operator, subtask, plugin } = failed_in;
    let (key, timestamp) = (batch.key(record), batch.timestamps()[record]);
    let timestamp = (timestamp != NO_TIMESTAMP).then_some(timestamp);
    let mut report = json!({
        "operator": operator,
        "key": key.map(bytes_as_json),
        "value": batch.value(record).map(bytes_as_json),
        "timestamp": timestamp,
        "error": format!("{fault} (subtask {subtask}, {plugin})"),
        "backtrace": fault.backtrace(),
    });
    let headers: Vec<_> = batch.headers_of(record).map(|(name, value)| json!([bytes_as_json(name), bytes_as_json(value)])).collect();
    if !headers.is_empty() {
        report["headers"] = headers.into();
    }
    let mut builder = BatchBuilder::new();
    builder.push(key, report.to_string().as_bytes(), timestamp);
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const HERE: FailedIn<'_> = FailedIn { operator: "op", subtask: 3, plugin: "plugin p.wasm a1b2" };

    #[test]
    fn bytes_that_are_no_text_are_base64_and_what_is_absent_is_null() {
        let mut builder = BatchBuilder::new();
        builder.push(None, b"\xff\x00", None);
        builder.push(Some(b"k"), b"v", Some(7));
        builder.push_valueless(None, None);
        builder.push_header(b"h", b"1");
        let batch = builder.finish();
        let fault = GuestFault::Failure { record: Some(0), message: "bad".into() };
        let value = |record| report(HERE, &batch, record, &fault).values().get(0).to_vec();
        let first: Value = serde_json::from_slice(&value(0)).unwrap();
        assert_eq!((&first["key"], &first["value"]["base64"], &first["timestamp"]), (&Value::Null, &json!("/wA="), &Value::Null));
        let third: Value = serde_json::from_slice(&value(2)).unwrap();
        assert_eq!((&third["value"], &third["headers"], first.get("headers")), (&Value::Null, &json!([["h", "1"]]), None));
        let second: Value = serde_json::from_slice(&value(1)).unwrap();
        assert_eq!((&second["key"], &second["value"], &second["timestamp"]), (&json!("k"), &json!("v"), &json!(7)));
        assert_eq!(second["error"], json!("the plugin failed on record 0 of the batch: bad (subtask 3, plugin p.wasm a1b2)"));
        assert_eq!(report(HERE, &batch, 1, &fault).key(0), Some(&b"k"[..]));
    }
}
