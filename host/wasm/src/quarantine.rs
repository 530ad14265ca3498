//! The record of a record, a timer or a window that failed alone: one JSON object, for the operator's `quarantine` output.

use crate::fault::GuestFault;
use crate::guest_text::with_more;
use serde_json::{Value, json};
use weir_engine::element::{BatchBuilder, NO_TIMESTAMP, RecordBatch};
use weir_engine::operator::report_of_record;
use weir_engine::shown_text::bytes_as_json;
use weir_engine::state::{FiredWindow, NO_BOUND, Window, WindowReason};

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
    with_error(failed_in, batch, record, report_of_record(failed_in.operator, batch, record), fault)
}

/// As [`report`], of the timer `name` that stands in a batch of timers that are due: it has no value, and its time is when it was due.
pub(crate) fn timer_report(failed_in: FailedIn<'_>, due: &RecordBatch, place: usize, name: &str, fault: &GuestFault) -> RecordBatch {
    let report = json!({
        "operator": failed_in.operator,
        "key": due.key(place).map(bytes_as_json),
        "timer": name,
        "timestamp": due.timestamps()[place],
    });
    with_error(failed_in, due, place, report, fault)
}

/// As [`report`], of a firing that stands in a batch of such: it has no value, and its time is that of what would have come of it.
pub(crate) fn firing_report(
    failed_in: FailedIn<'_>,
    firings: &RecordBatch,
    place: usize,
    FiredWindow { window, reason, revision, timestamp }: FiredWindow,
    fault: &GuestFault,
) -> RecordBatch {
    let report = json!({
        "operator": failed_in.operator,
        "key": firings.key(place).map(bytes_as_json),
        "window": (window != UNBOUNDED).then(|| json!({ "start": window.start, "end": window.end })),
        "reason": reason_name(reason),
        "revision": revision,
        "timestamp": (timestamp != NO_TIMESTAMP).then_some(timestamp),
    });
    with_error(failed_in, firings, place, report, fault)
}

/// A window that has no bounds.
pub(crate) const UNBOUNDED: Window = Window { start: NO_BOUND, end: NO_BOUND };

fn reason_name(reason: WindowReason) -> &'static str {
    match reason {
        WindowReason::OnTime => "on-time",
        WindowReason::Early => "early",
        WindowReason::Correction => "correction",
    }
}

fn with_error(
    FailedIn { subtask, plugin, .. }: FailedIn<'_>,
    batch: &RecordBatch,
    record: usize,
    mut report: Value,
    fault: &GuestFault,
) -> RecordBatch {
    report["error"] = with_more(&fault.to_string(), format_args!("subtask {subtask}, {plugin}")).into();
    report["backtrace"] = fault.backtrace().into();
    let timestamp = batch.timestamps()[record];
    let mut builder = BatchBuilder::new();
    builder.push(batch.key(record), report.to_string().as_bytes(), (timestamp != NO_TIMESTAMP).then_some(timestamp));
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_timer_is_told_with_its_key_its_name_and_its_time() {
        let mut builder = BatchBuilder::new();
        builder.push(Some(b"N14228"), b"", Some(7));
        let fault = GuestFault::TimerFailure { timer: Some(0), message: "bad".into() };
        let told = timer_report(HERE, &builder.finish(), 0, "expected", &fault);
        let error = "the plugin failed on timer 0 of those that are due: bad (subtask 3, plugin p.wasm a1b2)";
        let expect = json!({
            "operator": "op", "key": "N14228", "timer": "expected", "timestamp": 7, "error": error, "backtrace": null
        });
        assert_eq!(serde_json::from_slice::<Value>(told.values().get(0)).unwrap(), expect);
        assert_eq!((told.key(0), told.timestamps()), (Some(&b"N14228"[..]), &[7][..]));
    }

    #[test]
    fn a_window_is_told_with_its_key_its_bounds_and_what_it_fired_for() {
        let mut builder = BatchBuilder::new();
        builder.push(Some(b"N14228"), b"", Some(9));
        let firings = builder.finish();
        let told = |window, timestamp, reason| {
            let firing = FiredWindow { window, reason, revision: 2, timestamp };
            let fault = GuestFault::WindowFailure { firing: Some(0), message: "bad".into() };
            let told = firing_report(HERE, &firings, 0, firing, &fault);
            assert_eq!(told.key(0), Some(&b"N14228"[..]));
            serde_json::from_slice::<Value>(told.values().get(0)).unwrap()
        };
        let error = "the plugin failed on firing 0 of those of the call: bad (subtask 3, plugin p.wasm a1b2)";
        let expect = json!({
            "operator": "op", "key": "N14228", "window": { "start": 0, "end": 10 }, "reason": "correction", "revision": 2, "timestamp": 9,
            "error": error, "backtrace": null
        });
        assert_eq!(told(Window { start: 0, end: 10 }, 9, WindowReason::Correction), expect);
        let global = told(UNBOUNDED, NO_TIMESTAMP, WindowReason::Early);
        assert_eq!((&global["window"], &global["timestamp"], &global["reason"]), (&Value::Null, &Value::Null, &json!("early")));
        assert_eq!(told(UNBOUNDED, 1, WindowReason::OnTime)["reason"], json!("on-time"));
    }
}
