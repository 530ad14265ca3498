//! The document of `weir replay`: what an operator was given, emitted and changed, record by record, and what fired between them.

use super::{EmittedDocument, FiredDocument, RerunFrom, headers, optional};
use crate::documents::{HeldDocument, HeldText};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use weir_engine::element::{END_OF_TIME, NO_TIMESTAMP};
use weir_engine::replay::{FiringCause, FiringEffects, Held, OutputRecord, RecordEffects, StateChange};

/// `weir replay`.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayDocument {
    /// [`crate::documents::SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// The operator.
    pub operator: String,
    /// What was run.
    pub run: RunKind,
    /// Where it began.
    pub from: RerunFrom,
    /// The last checkpoint of a recorded run that it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// In the order in which they were given; windows, timers and watermarks stand where they fired. These say `fired`.
    pub records: Vec<ReplayedStep>,
    /// Sources that were left because they gave nothing for long, though they may have more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stalled: Vec<String>,
    /// Why the operator failed on the last one, or why a recorded run goes no further.
    pub error: Option<String>,
}

/// What a replay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// The run that there was, as it was recorded.
    Recorded,
    /// A possible run: the sources are read again.
    Sources,
}

/// The call that a record of a recorded run was given in.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedCallDocument {
    /// The subtask that was called.
    pub subtask: u32,
    /// Number of the call, from 0 in each subtask behind each checkpoint.
    pub call: u64,
    /// Event time up to which all inputs were complete, in ms.
    pub watermark: Option<i64>,
    /// What the operator was told of the time, in ms since the Unix epoch.
    pub processing_time: i64,
    /// Outputs and state of the whole call stand with its last record: the operator does something else with its records one by one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub undivided: bool,
}

/// What happened to the operator: a line of `weir replay`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum ReplayedStep {
    /// It was given a record.
    Record(ReplayedRecord),
    /// A window or a timer fired, or the watermark came further.
    Firing(ReplayedFiring),
}

/// A call that no record caused, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayedFiring {
    /// Which window or timer fired.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub by: Option<FiredDocument>,
    /// Where neither did: a window was `closed`, a timer `deleted`, or the `watermark` came further.
    #[serde(rename = "fired", skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// The call, in a recorded run.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub call: Option<LoggedCallDocument>,
    /// Event time up to which all inputs were complete, in ms; absent in a recorded run, whose call has it, and at the end of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<i64>,
    /// What the operator emitted.
    pub outputs: Vec<ReplayedOutput>,
    /// What it changed in its states.
    pub state: Vec<StateChangeDocument>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One record and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayedRecord {
    /// Number of the batch, from 0.
    pub batch: u64,
    /// The record's place in it.
    pub record: usize,
    /// The call, in a recorded run.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub call: Option<LoggedCallDocument>,
    /// The operator's input.
    pub input: String,
    /// The record's key.
    pub key: Value,
    /// Its value.
    pub value: Value,
    /// Its event time in ms.
    pub timestamp: Option<i64>,
    /// Its headers, names and values, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<[Value; 2]>,
    /// What the operator emitted.
    pub outputs: Vec<ReplayedOutput>,
    /// What it changed in its states.
    pub state: Vec<StateChangeDocument>,
    /// Windows that fired in its call: a count that it has filled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<FiredDocument>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A record that was emitted.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayedOutput {
    /// The output's name.
    pub output: String,
    /// The record's key.
    pub key: Value,
    /// The rest of it.
    #[serde(flatten)]
    pub record: EmittedDocument,
}

/// What a state held of a key and holds now.
#[derive(Clone, Debug, Serialize)]
pub struct StateChangeDocument {
    /// The state's name.
    pub state: String,
    /// The key; of a broadcast state the entry.
    pub key: Box<RawValue>,
    /// Before the record.
    pub before: HeldDocument,
    /// Behind it.
    pub after: HeldDocument,
    /// Why one of them is hex digits and not what its description says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl ReplayedRecord {
    /// A record and what came of it, with states as `text` shows them.
    pub fn of(effects: &RecordEffects, call: Option<LoggedCallDocument>, text: &HeldText) -> Self {
        Self {
            batch: effects.batch,
            record: effects.record,
            call,
            input: effects.input.clone(),
            key: optional(effects.key.as_deref()),
            value: optional(effects.given.value.as_deref()),
            timestamp: effects.given.timestamp,
            headers: headers(&effects.given.headers),
            outputs: effects.outputs.iter().map(Into::into).collect(),
            state: changes(&effects.changes, text),
            windows: effects.fired.iter().map(Into::into).collect(),
            error: effects.error.as_ref().map(ToString::to_string),
        }
    }
}

impl ReplayedFiring {
    /// What fired and what came of it, with states as `text` shows them.
    pub fn of(effects: &FiringEffects, call: Option<LoggedCallDocument>, text: &HeldText) -> Self {
        let by = effects.fired.first().map(FiredDocument::from);
        let cause = match effects.cause {
            FiringCause::Timer => "deleted",
            FiringCause::Window => "closed",
            FiringCause::Watermark => "watermark",
        };
        let has_watermark = call.is_none() && ![NO_TIMESTAMP, END_OF_TIME.0].contains(&effects.watermark);
        Self {
            cause: by.is_none().then_some(cause),
            by,
            watermark: has_watermark.then_some(effects.watermark),
            call,
            outputs: effects.outputs.iter().map(Into::into).collect(),
            state: changes(&effects.changes, text),
            error: effects.error.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&OutputRecord> for ReplayedOutput {
    fn from(OutputRecord { output, key, record }: &OutputRecord) -> Self {
        Self { output: output.clone(), key: optional(key.as_deref()), record: record.into() }
    }
}

fn changes(changes: &[StateChange], text: &HeldText) -> Vec<StateChangeDocument> {
    let change = |StateChange { state, key, before, after }: &StateChange| {
        let mut problem = None;
        let key = text.key(state, key, &mut problem);
        let mut held = |held: &Option<Held>| text.held(state, held.as_ref(), &mut problem);
        let (before, after) = (held(before), held(after));
        StateChangeDocument { state: state.clone(), key, before, after, problem }
    };
    changes.iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use weir_engine::replay::{Fired, FiredBy};
    use weir_engine::state::{Window, WindowReason};
    use weir_engine::{EngineError, ErrorKind};

    #[test]
    fn a_window_that_the_operator_fails_on_is_told_with_its_key_its_bounds_and_why() {
        let by = FiredBy::Window { window: Window { start: 0, end: 10 }, reason: WindowReason::OnTime, revision: 0, replaces: Vec::new() };
        let effects = FiringEffects {
            cause: FiringCause::Window,
            fired: vec![Fired { key: b"a".to_vec(), by }],
            watermark: 12,
            processing_time: 7,
            outputs: Vec::new(),
            changes: Vec::new(),
            error: Some(EngineError::new(ErrorKind::Restart, "cannot count")),
        };
        let line = serde_json::to_value(ReplayedFiring::of(&effects, None, &HeldText::of(&[]))).unwrap();
        let told = ["fired", "key", "window", "watermark", "error"].map(|field| line[field].clone());
        assert_eq!(told, [json!("window"), json!("a"), json!({ "start": 0, "end": 10 }), json!(12), json!("cannot count")]);
    }
}
