//! `GET /v1/state`: what a running operator keeps of one key, as `weir state get` shows what a checkpoint has.
//!
//! The subtask that owns the key answers between two calls, so all that is said of the key belongs together; it is no cut through the job, and may be of records that no
//! checkpoint covers yet.

use super::changing::NAME_SHOWN;
use super::job::RunningJob;
use super::refusal::Refusal;
use super::routes::bad_query;
use crate::documents::SCHEMA;
use crate::job_file::suggest;
use crate::value_text::{KeyForm, KeyShown, Shown, StateText, key_text, parse_key};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::pin::pin;
use std::time::Duration;
use weir_engine::job::KeyAnswer;
use weir_engine::state::{LookedState, LookedUnit, StateKind};
use weir_wasm::printable;

/// An operator may be within a call, or restore its state, for so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The query.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyAsked {
    operator: String,
    /// Text, or `0x` and hex digits.
    key: String,
}

/// What is kept of the key.
#[derive(Clone, Debug, Serialize)]
pub(super) struct KeyStateDocument {
    schema: u32,
    job: String,
    operator: String,
    /// As keys are shown.
    key: String,
    key_group: u32,
    subtask: u32,
    /// In the order of their declaration; of a key in windows window by window, the newest first.
    states: Vec<KeyStateRow>,
    /// There is more than is shown.
    truncated: bool,
}

/// One state.
#[derive(Clone, Debug, Serialize)]
struct KeyStateRow {
    name: String,
    kind: StateKind,
    /// Where the window begins that it is in, or the number of a count.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Box<RawValue>>,
    /// The value, the items, or the entries; `null`: the value is too long to be shown.
    value: Box<RawValue>,
    /// It holds more than is shown.
    truncated: bool,
    /// Why something is hex digits and not what its type says.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Answers what a key has.
pub(super) async fn key_state(
    State(job): State<RunningJob>,
    query: Result<Query<KeyAsked>, QueryRejection>,
) -> Result<Json<KeyStateDocument>, Refusal> {
    let Query(KeyAsked { operator, key }) = query.map_err(bad_query)?;
    let key = parse_key(&key).ok_or_else(|| {
        let message = format!("`{}` begins with 0x and goes on with what are no pairs of hex digits", printable(&key, NAME_SHOWN));
        Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            message,
            "a key that begins with 0x itself is given as the hex digits of all its bytes",
        )
    })?;
    let vertices = job.vertex_ids();
    if !vertices.contains(&operator) {
        let message = format!("the job has no operator `{}`", printable(&operator, NAME_SHOWN));
        return Err(Refusal::new(StatusCode::NOT_FOUND, message, &suggest(&operator, vertices.iter().map(String::as_str))));
    }
    let answer = asked(&job, &operator, &key).await?.ok_or_else(|| {
        let hint = "sources, sinks and operators without a `key` input keep nothing by key; `weir state list` shows who keeps what";
        Refusal::new(StatusCode::CONFLICT, format!("`{operator}` keeps nothing by key"), hint)
    })?;
    let document = document(job.name(), operator, &key, answer);
    if document.states.is_empty() {
        let message = format!("the key `{}` has no state in {}", printable(&document.key, NAME_SHOWN), document.operator);
        let hint = "a key is text, or 0x and hex digits, as `weir state scan` shows it; what has expired, or was cleared, is gone";
        return Err(Refusal::new(StatusCode::NOT_FOUND, message, hint));
    }
    Ok(Json(document))
}

/// Waits for the answer for as long as there is patience.
async fn asked(job: &RunningJob, operator: &str, key: &[u8]) -> Result<Option<KeyAnswer>, Refusal> {
    let clock = job.clock();
    let late = clock.sleep_until(clock.now() + ANSWER_WITHIN);
    match select(pin!(job.control().look_up(operator, key)), late).await {
        Either::Left((answer, _)) => Ok(answer?),
        Either::Right(_) => {
            let message = format!("{operator} has not answered within {} s", ANSWER_WITHIN.as_secs());
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "it restores its state, or is within a call: ask again"))
        }
    }
}

fn document(job: String, operator: String, key: &[u8], answer: KeyAnswer) -> KeyStateDocument {
    let KeyAnswer { key_group, subtask, watermark: _, states, look } = answer;
    let texts: Vec<StateText> = states.iter().map(StateText::of).collect();
    let form = KeyForm::of(&states);
    let row = |unit: &LookedUnit, looked: &LookedState| {
        let (state, KeyShown { window, .. }) = (&states[looked.state], form.shown(&unit.stored_key));
        let too_long = || Shown { json: "null".into(), problem: Some("it is too long to be shown".into()) };
        let shown = looked.content.payload().map(|payload| texts[looked.state].payload(state.version, &payload));
        let Shown { json, problem } = shown.unwrap_or_else(too_long);
        KeyStateRow {
            name: state.name.clone(),
            kind: state.kind,
            window: window.map(raw),
            value: raw(json),
            truncated: looked.truncated,
            problem,
        }
    };
    let rows: Vec<KeyStateRow> = look.units.iter().flat_map(|unit| unit.states.iter().map(move |state| row(unit, state))).collect();
    let truncated = look.truncated || rows.iter().any(|row| row.truncated);
    KeyStateDocument { schema: SCHEMA, job, operator, key: key_text(key), key_group, subtask, states: rows, truncated }
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("values are shown as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use weir_engine::element::Column;
    use weir_engine::state::{KeyLook, LookedContent, StateDescriptor, WindowKind, WindowSettings, window_state};

    fn state(name: &str, kind: StateKind, schema: &str) -> StateDescriptor {
        StateDescriptor { name: name.into(), kind, schema: schema.into(), version: 1, ttl: None }
    }

    /// What is shown of a key with this, under each of these stored keys.
    fn shown(states: Vec<StateDescriptor>, stored: &[&[u8]], looked: Vec<LookedState>) -> Value {
        let units = stored.iter().map(|key| LookedUnit { stored_key: key.to_vec(), states: looked.clone() }).collect();
        let look = KeyLook { units, truncated: false };
        let answer = KeyAnswer { key_group: 3, subtask: 1, watermark: 0, states, look };
        serde_json::to_value(document("j".into(), "count".into(), b"k\"1", answer)).expect("JSON")
    }

    fn column(items: &[&[u8]]) -> Column {
        let mut column = Column::new();
        items.iter().for_each(|item| column.push(item));
        column
    }

    #[test]
    fn each_state_is_shown_by_its_type() {
        let states = vec![
            state("count", StateKind::Value, "u64"),
            state("seen", StateKind::List, "raw"),
            state("by name", StateKind::Map, "map<string,bool>"),
            state("long", StateKind::Value, "u64"),
        ];
        let looked = |state: usize, content, truncated| LookedState { state, content, truncated };
        let found = vec![
            looked(0, LookedContent::Value(Some(vec![0x18, 0xc8])), false),
            looked(1, LookedContent::List(column(&[b"\x00\xff"])), true),
            looked(2, LookedContent::Map(column(&[b"\x62no"]), column(&[b"\xf4"])), false),
            looked(3, LookedContent::Value(None), true),
        ];
        let rows = json!([
            { "name": "count", "kind": "value", "value": 200, "truncated": false },
            { "name": "seen", "kind": "list", "value": ["0x00ff"], "truncated": true },
            { "name": "by name", "kind": "map", "value": { "no": false }, "truncated": false },
            { "name": "long", "kind": "value", "value": null, "truncated": true, "problem": "it is too long to be shown" },
        ]);
        let head = json!({ "schema": SCHEMA, "job": "j", "operator": "count", "key": "k\"1", "key_group": 3, "subtask": 1 });
        let mut expect = head.clone();
        (expect["states"], expect["truncated"]) = (rows, json!(true));
        assert_eq!(shown(states, &[b"k\"1"], found), expect);
    }

    #[test]
    fn a_key_in_windows_has_its_states_window_by_window() {
        let settings = WindowSettings::new(WindowKind::Count { records: 5 });
        let states = vec![state("sum", StateKind::Value, "u64"), window_state(&settings)];
        let looked = vec![LookedState { state: 0, content: LookedContent::Value(Some(vec![7])), truncated: false }];
        let unit = |number: i64| [&(number ^ i64::MIN).to_be_bytes()[..], b"k\"1"].concat();
        let document = shown(states, &[&unit(4), &unit(3)], looked);
        let windows: Vec<&Value> = document["states"].as_array().expect("a list").iter().map(|row| &row["window"]).collect();
        assert_eq!(windows, [&json!(4), &json!(3)]);
        assert_eq!(document["truncated"], json!(false));
    }
}
