//! Windows and timers that have fired, as `weir replay` and the dry run show them.

use crate::value_text::moment;
use serde::Serialize;
use serde_json::Value;
use weir_engine::replay::{Fired, FiredBy};
use weir_engine::state::{NO_BOUND, Window, WindowReason};
use weir_wasm::bytes_as_json;

/// A window or a timer of a key that has fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "fired", rename_all = "kebab-case")]
pub enum FiredDocument {
    /// A window.
    Window {
        /// Its key.
        key: Value,
        /// Its bounds.
        window: WindowDocument,
        /// Why it fired: `on-time`, `early` or `correction`.
        reason: &'static str,
        /// How often it had fired before.
        revision: u32,
        /// Windows that had fired and became part of it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        replaces: Vec<WindowDocument>,
    },
    /// A timer.
    Timer {
        /// Its key.
        key: Value,
        /// Its name.
        timer: String,
        /// When it was due, ms.
        due: i64,
    },
}

/// Bounds of a window in ms; a count and a global window have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WindowDocument {
    /// Its first ms.
    pub start: Option<i64>,
    /// The first ms behind it.
    pub end: Option<i64>,
}

impl FiredDocument {
    /// Which of them it is, for people: bounds and reason, or name and time.
    pub fn text(&self) -> String {
        match self {
            Self::Window { window, reason, revision, replaces, .. } => {
                let replaces: String = replaces.iter().map(|window| format!(", in place of {}", window.text())).collect();
                format!("window {} {reason}, revision {revision}{replaces}", window.text())
            }
            Self::Timer { timer, due, .. } => format!("timer {timer} due {}", moment(*due)),
        }
    }

    /// Its key.
    pub fn key(&self) -> &Value {
        match self {
            Self::Window { key, .. } | Self::Timer { key, .. } => key,
        }
    }
}

impl WindowDocument {
    fn text(&self) -> String {
        match (self.start, self.end) {
            (Some(start), Some(end)) => format!("{}..{}", moment(start), moment(end)),
            _ => "without bounds".to_owned(),
        }
    }
}

impl From<Window> for WindowDocument {
    fn from(Window { start, end }: Window) -> Self {
        let bound = |bound: i64| Some(bound).filter(|bound| *bound != NO_BOUND);
        Self { start: bound(start), end: bound(end) }
    }
}

impl From<&Fired> for FiredDocument {
    fn from(fired: &Fired) -> Self {
        let key = bytes_as_json(&fired.key);
        match &fired.by {
            FiredBy::Window { window, reason, revision, replaces } => Self::Window {
                key,
                window: (*window).into(),
                reason: match reason {
                    WindowReason::OnTime => "on-time",
                    WindowReason::Early => "early",
                    WindowReason::Correction => "correction",
                },
                revision: *revision,
                replaces: replaces.iter().copied().map(Into::into).collect(),
            },
            FiredBy::Timer { name, due } => Self::Timer { key, timer: name.clone(), due: *due },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_told_by_its_bounds_its_reason_and_its_revision_and_a_timer_by_name_and_time() {
        let window = |start, end| Window { start, end };
        let by =
            FiredBy::Window { window: window(0, 3_600_000), reason: WindowReason::Correction, revision: 2, replaces: vec![window(5, 9)] };
        let document = FiredDocument::from(&Fired { key: b"EWR".to_vec(), by });
        let text = "window 1970-01-01T00:00:00.000Z..1970-01-01T01:00:00.000Z correction, revision 2, in place of \
                    1970-01-01T00:00:00.005Z..1970-01-01T00:00:00.009Z";
        assert_eq!((document.text().as_str(), document.key()), (text, &Value::from("EWR")));
        let json = serde_json::to_string(&document).unwrap();
        let expect = "{\"fired\":\"window\",\"key\":\"EWR\",\"window\":{\"start\":0,\"end\":3600000},\"reason\":\"correction\",\"revision\":2,\
                      \"replaces\":[{\"start\":5,\"end\":9}]}";
        assert_eq!(json, expect);
        let count = FiredBy::Window { window: window(NO_BOUND, NO_BOUND), reason: WindowReason::OnTime, revision: 0, replaces: Vec::new() };
        assert_eq!(FiredDocument::from(&Fired { key: Vec::new(), by: count }).text(), "window without bounds on-time, revision 0");
        let timer = FiredDocument::from(&Fired { key: vec![0xff], by: FiredBy::Timer { name: "later".into(), due: 7 } });
        assert_eq!(timer.text(), "timer later due 1970-01-01T00:00:00.007Z");
        assert_eq!(serde_json::to_value(&timer).unwrap()["key"], serde_json::json!({ "base64": "/w==" }));
    }
}
