//! Records and state as a file of tests writes them: what differs can be copied into it.

use super::script::{Expected, Moment, Row};
use crate::value_text::{KeyForm, StateText, hex, moment};
use serde_json::Value;
use weir_engine::replay::{Contents, Held, OutputRecord};
use weir_engine::state::{Payload, StateDescriptor, StateKind, TIMER_STATE, WINDOW_STATE};

/// Of a longer value the beginning is shown, and how long it is.
const SHOWN_BYTES: usize = 200;

/// Fields of an inline table.
fn table(fields: Vec<(&str, String)>) -> String {
    let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("{{ {} }}", fields.join(", "))
}

/// JSON as TOML has it; a null, which it has not, as JSON has it.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".into(),
        Value::Object(fields) => {
            let bare = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let field = |(name, value): (&String, &Value)| match bare(name) {
                true => format!("{name} = {}", toml(value)),
                false => format!("{} = {}", quoted(name), toml(value)),
            };
            format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// In single quotes where that spares the reader what double ones need.
fn quoted(text: &str) -> String {
    let escaped = Value::from(text).to_string();
    match escaped.contains('\\') && !text.contains(|c: char| c == '\'' || c.is_control()) {
        true => format!("'{text}'"),
        false => escaped,
    }
}

/// Bytes as text, or as hex digits where they are none that can be read.
fn bytes_field(text_name: &'static str, hex_name: &'static str, bytes: &[u8]) -> (&'static str, String) {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let rest = if cut.len() < bytes.len() { format!(" … {} bytes", bytes.len()) } else { String::new() };
    match std::str::from_utf8(cut) {
        Ok(text) if !text.chars().any(char::is_control) => (text_name, quoted(text) + &rest),
        Ok(_) | Err(_) => (hex_name, quoted(&hex(cut)[2..]) + &rest),
    }
}

/// A record that was emitted.
pub fn record_text(output: &OutputRecord, main: &str) -> String {
    let OutputRecord { output, key, record } = output;
    let mut fields = Vec::new();
    if output != main {
        fields.push(("to", quoted(output)));
    }
    fields.push(record.value.as_deref().map_or(("absent", "true".into()), |value| bytes_field("value", "hex", value)));
    fields.push(key.as_deref().map_or(("no-key", "true".into()), |key| bytes_field("key", "key-hex", key)));
    fields.push(record.timestamp.map_or(("no-time", "true".into()), |time| ("time", time.to_string())));
    if !record.headers.is_empty() {
        let text = |bytes: &[u8]| quoted(&String::from_utf8_lossy(bytes));
        let pairs: Vec<_> = record.headers.iter().map(|(name, value)| format!("[{}, {}]", text(name), text(value))).collect();
        fields.push(("headers", format!("[{}]", pairs.join(", "))));
    }
    table(fields)
}

/// A record that is expected, as it is written.
pub fn wanted_text(expected: &Expected) -> String {
    let Expected { to, value, json, hex, absent, repeat, key, key_hex, no_key, time, no_time, headers } = expected;
    let mut fields = Vec::new();
    let mut text = |name: &'static str, of: &Option<String>| fields.extend(of.as_deref().map(|of| (name, quoted(of))));
    text("to", to);
    text("value", value);
    text("hex", hex);
    text("key", key);
    text("key-hex", key_hex);
    fields.extend(json.as_ref().map(|json| ("json", toml(json))));
    fields.extend(repeat.map(|repeat| ("repeat", repeat.to_string())));
    let flags = [("absent", *absent), ("no-key", *no_key), ("no-time", *no_time)];
    fields.extend(flags.into_iter().filter(|(_, is)| *is).map(|(name, _)| (name, "true".into())));
    fields.extend(time.as_ref().map(|time| match time {
        Moment::Ms(ms) => ("time", ms.to_string()),
        Moment::Written(text) => ("time", quoted(text)),
    }));
    fields.extend(headers.as_ref().map(|headers| {
        let pairs: Vec<_> = headers.iter().map(|(name, value)| format!("[{}, {}]", quoted(name), quoted(value))).collect();
        ("headers", format!("[{}]", pairs.join(", ")))
    }));
    table(fields)
}

/// What one state keeps of a key: what there is, or what is to be.
#[derive(Debug)]
pub struct StateRow {
    /// The state, or `Err` with the timer.
    state: Result<String, String>,
    key: Option<String>,
    window: Option<Value>,
    value: Value,
}

impl StateRow {
    /// True where both say the same; a moment may be written in either way.
    pub fn is(&self, there: &Self) -> bool {
        let windows = match (&self.window, &there.window) {
            (Some(wanted), Some(window)) => same(wanted, window),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let values = if self.state.is_err() { same(&self.value, &there.value) } else { self.value == there.value };
        self.state == there.state && self.key == there.key && windows && values
    }

    /// As a test writes it.
    pub fn text(&self) -> String {
        let mut fields = vec![match &self.state {
            Ok(state) => ("state", quoted(state)),
            Err(timer) => ("timer", quoted(timer)),
        }];
        fields.extend(self.key.as_deref().map(|key| ("key", quoted(key))));
        fields.extend(self.window.as_ref().map(|window| ("window", toml(window))));
        fields.push(("value", toml(&self.value)));
        table(fields)
    }
}

/// True where two values are the same, moments being so however they are written.
fn same(wanted: &Value, there: &Value) -> bool {
    let shown = |value: &Value| match value {
        Value::Number(ms) => ms.as_i64().map(moment),
        Value::String(text) => Some(Moment::Written(text.clone()).ms().map_or_else(|_| text.clone(), moment)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match (wanted, there) {
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len() && wanted.iter().zip(there).all(|(wanted, there)| same(wanted, there))
        }
        (wanted, there) => wanted == there || (shown(wanted).is_some() && shown(wanted) == shown(there)),
    }
}

/// A row that a test writes.
pub fn wanted_row(row: &Row) -> Result<StateRow, String> {
    let Row { state, timer, key, window, value, json } = row;
    let state = match (state, timer) {
        (Some(state), None) => Ok(state.clone()),
        (None, Some(timer)) => Err(timer.clone()),
        (Some(_), Some(_)) | (None, None) => return Err("a row of `state` names a `state` or a `timer`".into()),
    };
    let value = match (value, json) {
        (Some(value), None) => value.clone(),
        (None, Some(json)) => serde_json::from_str(json).map_err(|error| format!("`json` of a row of `state` is none: {error}"))?,
        (Some(_), Some(_)) | (None, None) => return Err("a row of `state` has a `value`, or a `json` text".into()),
    };
    Ok(StateRow { state, key: key.clone(), window: window.clone(), value })
}

/// All that is kept, without what the host keeps of windows.
pub fn rows_of(contents: &Contents, states: &[StateDescriptor]) -> Vec<StateRow> {
    let keys = KeyForm::of(states);
    let row = |((number, key), held): (&(usize, Vec<u8>), &Held)| {
        let state = states.get(*number).filter(|state| state.name != WINDOW_STATE)?;
        let text = StateText::of(state);
        let parsed = |json: &str| serde_json::from_str(json).unwrap_or(Value::Null);
        let shown = keys.shown(key);
        let (key, window) = match state.kind {
            StateKind::Broadcast => (text.entry_now(key).plain(), None),
            StateKind::Value | StateKind::List | StateKind::Map => (shown.key, shown.window.as_deref().map(parsed)),
        };
        let name = match state.name.strip_prefix(TIMER_STATE) {
            Some(timer) => Err(timer.to_owned()),
            None => Ok(state.name.clone()),
        };
        Some(StateRow { state: name, key: Some(key), window, value: parsed(&text.payload(state.version, &payload(held)).json) })
    };
    contents.iter().filter_map(row).collect()
}

fn payload(held: &Held) -> Payload<'_> {
    match held {
        Held::Value(value) => Payload::Value(value),
        Held::List(items) => Payload::List(items.iter().map(Vec::as_slice).collect()),
        Held::Map(entries) => Payload::Map(entries.iter().map(|(entry, value)| (&entry[..], &value[..])).collect()),
    }
}
