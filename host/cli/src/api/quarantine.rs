//! `GET /v1/quarantine`: what a source or an operator has set aside, the newest first, of all runs of the job.

use super::changing::NAME_SHOWN;
use super::job::RunningJob;
use super::refusal::Refusal;
use super::routes::{Answer, bad_query};
use crate::documents::SCHEMA;
use crate::job_file::suggest;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use weir_engine::job::{QuarantineLine, QuarantinePage, QuarantineWanted};
use weir_wasm::printable;

/// Records of an answer, where nothing is said of it.
const LIMIT: usize = 50;
/// Records of an answer at most.
const LIMIT_MAX: usize = 500;
/// Bytes of the records of an answer, about.
const BYTES_MAX: usize = 4 << 20;
/// Bytes of one record that is shown.
const RECORD_MAX: usize = 256 << 10;

/// The query.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuarantineAsked {
    /// Who has set them aside.
    vertex: String,
    #[serde(default)]
    limit: Option<usize>,
    /// So many of the newest are passed over.
    #[serde(default)]
    offset: u64,
}

/// Answers what has been set aside.
pub(super) async fn quarantine(State(job): State<RunningJob>, query: Result<Query<QuarantineAsked>, QueryRejection>) -> Answer {
    let Query(QuarantineAsked { vertex, limit, offset }) = query.map_err(bad_query)?;
    let vertices = job.vertex_ids();
    if !vertices.contains(&vertex) {
        let message = format!("the job has no step `{}`", printable(&vertex, NAME_SHOWN));
        return Err(Refusal::new(StatusCode::NOT_FOUND, message, &suggest(&vertex, vertices.iter().map(String::as_str))));
    }
    let wanted = QuarantineWanted { offset, limit: limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX), bytes: BYTES_MAX };
    let page = job.quarantined(&vertex, wanted).await?;
    Ok(Json(document(&job.name(), &vertex, page)))
}

fn document(job: &str, vertex: &str, page: QuarantinePage) -> Value {
    let QuarantinePage { lines, total, unread } = page;
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    for line in lines {
        match record(vertex, &line) {
            Ok(record) => records.push(record),
            Err(what) => problems.push(json!({ "file": line.part, "message": format!("line {}: {what}", line.line) })),
        }
    }
    problems.extend(unread.into_iter().map(|(file, message)| json!({ "file": file, "message": message })));
    json!({ "schema": SCHEMA, "job": job, "vertex": vertex, "records": records, "total": total, "problems": problems })
}

/// A record as it was reported, with all that a page looks for; or what is wrong with the line.
fn record(vertex: &str, QuarantineLine { text, .. }: &QuarantineLine) -> Result<Map<String, Value>, String> {
    if text.len() > RECORD_MAX {
        return Err(format!("it has {} bytes, and {RECORD_MAX} are the most that is shown", text.len()));
    }
    let mut record: Map<String, Value> = serde_json::from_slice(text).map_err(|error| format!("it is no report of a record: {error}"))?;
    record.entry("operator").or_insert_with(|| vertex.into());
    ["key", "value", "timestamp", "error", "backtrace"].into_iter().for_each(|field| _ = record.entry(field).or_insert(Value::Null));
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize, text: &str) -> QuarantineLine {
        QuarantineLine { part: "quarantine/op/part-0-1-a.jsonl".into(), line: number, text: text.to_owned().into() }
    }

    #[test]
    fn a_line_that_is_damaged_is_named_with_its_part_and_the_others_are_shown() {
        let lines =
            vec![line(3, r#"{"operator":"op","key":"k","value":"v","error":"bad","headers":[]}"#), line(2, r#"{"opera"#), line(1, "7")];
        let unread = vec![("quarantine/op/part-0-0-a.jsonl".to_owned(), "gone".to_owned())];
        let told = document("j", "op", QuarantinePage { lines, total: Some(3), unread });
        let record =
            json!({ "operator": "op", "key": "k", "value": "v", "timestamp": null, "error": "bad", "backtrace": null, "headers": [] });
        assert_eq!((&told["records"], &told["total"]), (&json!([record]), &json!(3)));
        let problems: Vec<(&str, &str)> = told["problems"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|problem| (problem["file"].as_str().expect("a path"), problem["message"].as_str().expect("a text")))
            .collect();
        assert_eq!(problems.len(), 3);
        assert!(problems[0].0.ends_with("part-0-1-a.jsonl") && problems[0].1.starts_with("line 2: it is no report"), "{problems:?}");
        assert!(problems[1].1.starts_with("line 1: ") && problems[2] == ("quarantine/op/part-0-0-a.jsonl", "gone"), "{problems:?}");
    }

    #[test]
    fn what_a_source_has_set_aside_is_of_the_source_and_one_that_is_too_long_is_named() {
        let long = format!(r#"{{"value":"{}"}}"#, "x".repeat(RECORD_MAX));
        let lines = vec![line(2, &long), line(1, r#"{"source":"rows","value":"a;b","error":"no number","line":7}"#)];
        let told = document("j", "rows", QuarantinePage { lines, total: None, unread: Vec::new() });
        assert_eq!(
            (&told["records"][0]["operator"], &told["records"][0]["line"], &told["total"]),
            (&json!("rows"), &json!(7), &Value::Null)
        );
        assert!(told["problems"][0]["message"].as_str().is_some_and(|text| text.contains("262144 are the most")), "{}", told["problems"]);
    }
}
