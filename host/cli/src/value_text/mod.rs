//! Keys and values of state as text for people and as JSON for programs. Pure.
//!
//! A key is shown as text where it can be told from every other key by it, else as `0x` and hex digits: not where it is no UTF-8, empty, has control characters, or
//! begins with `0x` itself. Values are shown by the description of their state's type as JSON; `raw` ones, and those that do not fit the
//! description, as a JSON text of `0x` and hex digits, the latter with the reason. Of a timer the times are shown that it is set to; a key in a window beside where that begins.

mod cbor;
mod json;
#[cfg(test)]
mod tests;
mod times;
mod window;

pub use window::{KeyForm, KeyShown};

use weir_engine::state::{Payload, StateDescriptor, StateKind, TIMER_STATE, WINDOW_STATE, WindowKind};
use weir_wasm::schema::{Type, parse};

/// `0x` and two digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |text, byte| format!("{text}{byte:02x}"))
}

/// The bytes that hex digits stand for; `None` where the text is something else.
pub fn parse_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(char::from(*high).to_digit(16)? as u8 * 16 + char::from(*low).to_digit(16)? as u8),
        _ => None,
    };
    pairs.map(byte).collect()
}

/// A key as it is shown.
pub fn key_text(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.is_empty() && !text.starts_with("0x") && !text.contains(char::is_control) => text.to_owned(),
        Ok(_) | Err(_) => hex(key),
    }
}

pub use weir_engine::shown_text::moment;

/// The key that is shown as this; `None` where hex digits were begun and are none.
pub fn parse_key(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix("0x") {
        Some(digits) => parse_hex(digits),
        None => Some(text.as_bytes().to_vec()),
    }
}

/// A value as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// JSON.
    pub json: String,
    /// Why it is hex digits and not what the description says.
    pub problem: Option<String>,
}

impl Shown {
    /// As the cell of a table that has no quotes of its own: a text without its quotes, everything else as JSON.
    pub fn plain(&self) -> String {
        serde_json::from_str(&self.json).unwrap_or_else(|_| self.json.clone())
    }
}

/// How the values of one state are shown.
pub struct StateText {
    version: u32,
    /// Of a map's or broadcast state's entries.
    entry: Form,
    value: Form,
}

/// How bytes are shown.
enum Form {
    /// As hex digits.
    Raw,
    /// As the type says.
    Typed(Type),
    /// As the times that a timer is set to.
    Times,
    /// As what is kept of a window of this kind.
    Window(WindowKind),
    /// As hex digits, because the description says nothing that can be understood.
    Unknown(String),
}

impl StateText {
    /// By the state's declaration.
    pub fn of(state: &StateDescriptor) -> Self {
        if state.name.starts_with(TIMER_STATE) {
            return Self { version: state.version, entry: Form::Raw, value: Form::Times };
        }
        if let Some(kind) = WindowKind::of_described(&state.schema).filter(|_| state.name == WINDOW_STATE) {
            return Self { version: state.version, entry: Form::Raw, value: Form::Window(kind) };
        }
        let unknown = |what: String| (Form::Unknown(what.clone()), Form::Unknown(what));
        let (entry, value) = match (parse(&state.schema), state.kind) {
            (Ok(None), _) => (Form::Raw, Form::Raw),
            (Ok(Some(of)), StateKind::Value | StateKind::List) => (Form::Raw, Form::Typed(of)),
            (Ok(Some(Type::Map(key, value))), StateKind::Map | StateKind::Broadcast) => (Form::Typed(*key), Form::Typed(*value)),
            (Ok(Some(_)), StateKind::Map | StateKind::Broadcast) => unknown("its description is not that of a map".into()),
            (Err(what), _) => unknown(format!("its description cannot be understood: {what}")),
        };
        Self { version: state.version, entry, value }
    }

    /// A value, an item, or the value of an entry, that was written under this version of the schema.
    pub fn value(&self, version: u32, bytes: &[u8]) -> Shown {
        self.show(&self.value, version, bytes)
    }

    /// An entry of a map or broadcast state.
    pub fn entry(&self, version: u32, bytes: &[u8]) -> Shown {
        self.show(&self.entry, version, bytes)
    }

    /// As [`StateText::value`], of the version that is described.
    pub fn value_now(&self, bytes: &[u8]) -> Shown {
        self.value(self.version, bytes)
    }

    /// As [`StateText::entry`], of the version that is described.
    pub fn entry_now(&self, bytes: &[u8]) -> Shown {
        self.entry(self.version, bytes)
    }

    /// All that a key has: the value, an array of the items, or the entries as they are in a map.
    pub fn payload(&self, version: u32, payload: &Payload<'_>) -> Shown {
        let mut problem = None;
        let mut note = |shown: Shown| {
            problem = problem.take().or(shown.problem);
            shown.json
        };
        let json = match payload {
            Payload::Value(value) => note(self.value(version, value)),
            Payload::List(items) => format!("[{}]", items.iter().map(|item| note(self.value(version, item))).collect::<Vec<_>>().join(",")),
            Payload::Map(entries) => {
                let pair = |&(entry, value): &(&[u8], &[u8])| (note(self.entry(version, entry)), note(self.value(version, value)));
                let pairs: Vec<(String, String)> = entries.iter().map(pair).collect();
                match (&self.entry, &problem) {
                    (Form::Typed(key), None) => json::entries(Some(key), pairs),
                    (Form::Typed(_) | Form::Raw | Form::Times | Form::Window(_) | Form::Unknown(_), _) => json::entries(None, pairs),
                }
            }
        };
        Shown { json, problem }
    }

    fn show(&self, form: &Form, version: u32, bytes: &[u8]) -> Shown {
        let hex = |problem| Shown { json: json::quoted(&hex(bytes)), problem };
        match form {
            Form::Raw => hex(None),
            Form::Unknown(what) => hex(Some(what.clone())),
            Form::Times => {
                times::json(bytes).map_or_else(|| hex(Some("it is no list of times".into())), |json| Shown { json, problem: None })
            }
            Form::Window(kind) => match window::json(kind, bytes) {
                Some(json) => Shown { json, problem: None },
                None => hex(Some("it is nothing that is kept of a window".into())),
            },
            Form::Typed(_) if version != self.version => {
                hex(Some(format!("it was written under version {version}, and version {} is described", self.version)))
            }
            Form::Typed(of) => match json::json(of, bytes) {
                Ok(json) => Shown { json, problem: None },
                Err(what) => hex(Some(what)),
            },
        }
    }
}
