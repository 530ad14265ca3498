//! Messages whose values are JSON: which fields of them are the record's key and time.

use crate::file_source::{Fields, JsonRows, RowTimestamps};
use crate::settings::{Settings, SettingsError};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// That values are JSON, and which fields of them are wanted.
#[derive(Clone, Debug)]
pub(super) struct ValueFields {
    rows: JsonRows,
    key: Option<String>,
    timestamp: Option<RowTimestamps>,
}

/// A value that is not as it is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub why: String,
    /// It is JSON, and a field of it is wrong.
    pub is_json: bool,
}

/// A message's key and time, as the record has them.
pub(super) type KeyAndTime<'a> = (Option<Cow<'a, [u8]>>, Option<i64>);

impl ValueFields {
    /// What `format`, `key` and `timestamp` say; `None`: nothing is asked of values.
    pub(super) fn read(settings: &mut Settings<'_>) -> Result<Option<Self>, SettingsError> {
        let is_json = settings.is_said("format")?;
        let (key, timestamp) = (settings.optional_text("key")?, RowTimestamps::read(settings)?);
        let meant = [("key", key.is_some()), ("timestamp", timestamp.is_some())].into_iter().find(|(_, is_said)| *is_said);
        match (is_json, meant) {
            (true, _) => Ok(Some(Self { rows: JsonRows::of(key.clone(), timestamp.clone()), key, timestamp })),
            (false, None) => Ok(None),
            (false, Some((name, _))) => {
                let error = SettingsError::at(
                    name,
                    format!("`{name}` of the source `kafka` is a field of values, and nothing says that they have any"),
                );
                Err(error.with_hint("add `format = \"jsonl\"`; without it the message's own holds"))
            }
        }
    }

    /// The field that is the time; `None`: the message's own is.
    pub(super) fn time(&self) -> Option<&str> {
        self.timestamp.as_ref().map(|timestamp| timestamp.field.as_str())
    }

    /// What a job cannot change while it goes on.
    pub(super) fn identity(&self) -> Value {
        json!({ "key": self.key, "timestamp": self.timestamp.as_ref().map(RowTimestamps::identity) })
    }

    /// Key and time of a message with this value, whose own are given. A message without a value has its own. An error says what is wrong with the value.
    pub(super) fn of<'a>(&self, value: Option<&'a [u8]>, (key, time): KeyAndTime<'a>) -> Result<KeyAndTime<'a>, Unreadable> {
        let Some(value) = value else { return Ok((key, time)) };
        let found: Fields<'a> = self.rows.fields(value).map_err(|error| {
            let why = error.column.map_or_else(|| error.why.clone(), |column| format!("column {column}: {}", error.why));
            Unreadable { why, is_json: serde_json::from_slice::<Map<String, Value>>(value).is_ok() }
        })?;
        Ok((if self.key.is_some() { found.key } else { key }, if self.timestamp.is_some() { found.timestamp } else { time }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::settings::SOURCE_SETTINGS;

    fn fields(said: &Value) -> Result<Option<ValueFields>, SettingsError> {
        let given: &Map<String, Value> = said.as_object().expect("an object");
        ValueFields::read(&mut Settings::of_source("kafka", SOURCE_SETTINGS, given))
    }

    fn found(said: &Value, value: Option<&str>) -> Result<(Option<String>, Option<i64>), String> {
        let fields = fields(said).expect("they fit").expect("values are JSON");
        let own = (Some(Cow::Borrowed(&b"own"[..])), Some(1));
        let (key, time) = fields.of(value.map(str::as_bytes), own).map_err(|error| error.why)?;
        Ok((key.map(|key| String::from_utf8_lossy(&key).into_owned()), time))
    }

    #[test]
    fn key_and_time_are_fields_where_they_are_said_and_the_message_s_own_where_not() {
        let (both, neither) = (json!({ "format": "jsonl", "key": "k", "timestamp": "t" }), json!({ "format": "jsonl" }));
        assert_eq!(found(&both, Some(r#"{"k":"a","t":7}"#)), Ok((Some("a".into()), Some(7))));
        assert_eq!(found(&both, Some("{}")), Ok((None, None)));
        assert_eq!(found(&both, None), Ok((Some("own".into()), Some(1))));
        assert_eq!(found(&neither, Some("[1]")), Ok((Some("own".into()), Some(1))));
        let only_time = json!({ "format": "jsonl", "timestamp": { "field": "t", "format": "unix-s" } });
        assert_eq!(found(&only_time, Some(r#"{"k":"a","t":7}"#)), Ok((Some("own".into()), Some(7_000))));
    }

    #[test]
    fn a_value_that_is_no_json_and_settings_without_format_are_refused() {
        let both = json!({ "format": "jsonl", "key": "k" });
        assert_eq!(found(&both, Some("{")).unwrap_err(), "column 1: it is no JSON object that can be read: EOF while parsing an object");
        assert_eq!(found(&both, Some("")).unwrap_err(), "it is no JSON object that can be read: EOF while parsing a value");
        for name in ["key", "timestamp"] {
            let error = fields(&json!({ name: "x" })).unwrap_err();
            assert_eq!((error.field.as_deref(), error.hint.is_some()), (Some(name), true));
        }
    }
}
