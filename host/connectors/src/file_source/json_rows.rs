//! JSON lines: each line is checked to be JSON, and key and timestamp are top-level fields of it. The value stays the line.

use super::options::FileOptions;
use super::rows::{Frame, Row, RowError, Rows, frame_line, is_cut_by_carriage_returns};
use super::timestamp::Timestamps;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Reads JSON lines.
#[derive(Clone, Debug)]
pub(crate) struct JsonRows {
    key: Option<String>,
    timestamp: Option<Timestamps>,
}

/// What the wanted fields of a row say; `None`: they are absent, or null.
pub(crate) struct Fields<'a> {
    pub key: Option<Cow<'a, [u8]>>,
    pub timestamp: Option<i64>,
}

impl JsonRows {
    /// With the fields that the settings name.
    pub(super) fn new(options: &FileOptions) -> Self {
        Self::of(options.key.clone(), options.timestamp.clone())
    }

    /// With these fields.
    pub(crate) fn of(key: Option<String>, timestamp: Option<Timestamps>) -> Self {
        Self { key, timestamp }
    }

    /// The wanted fields of a row, which is JSON.
    pub(crate) fn fields<'a>(&self, row: &'a [u8]) -> Result<Fields<'a>, RowError> {
        let found = self.find(row).map_err(|error| no_json(row, &error))?;
        let text = |name: Option<&String>, json: Option<&'a RawValue>| {
            let of = |(why, column)| {
                let error = RowError::new(format!("the field `{}` {why}", name.map(String::as_str).unwrap_or_default()));
                match json {
                    Some(json) => error.at(place_in(row, json) + column),
                    None => error,
                }
            };
            json.map_or(Ok(None), |json| scalar_text(json.get())).map_err(of)
        };
        let key = text(self.key.as_ref(), found.key)?;
        let timestamp = match &self.timestamp {
            Some(timestamps) => match text(Some(&timestamps.field), found.timestamp)? {
                Some(text) => Some(timestamps.parse(&text).ok_or_else(|| timestamps.refused(&text))?),
                None => None,
            },
            None => None,
        };
        Ok(Fields { key, timestamp })
    }

    /// The wanted fields' JSON. Of a name that stands twice the last counts.
    fn find<'a>(&self, row: &'a [u8]) -> serde_json::Result<Found<'a>> {
        let mut json = serde_json::Deserializer::from_slice(row);
        let found = if self.key.is_none() && self.timestamp.is_none() {
            json.deserialize_ignored_any(IgnoredAny)?;
            Found::default()
        } else {
            json.deserialize_map(FieldFinder(self))?
        };
        json.end()?;
        Ok(found)
    }
}

impl Rows for JsonRows {
    fn frame(&self, bytes: &[u8], ended: bool) -> Option<Frame> {
        frame_line(bytes, ended)
    }

    fn parse<'a>(&'a mut self, row: &'a [u8], _frame: Frame) -> Result<Row<'a>, RowError> {
        if row.iter().all(u8::is_ascii_whitespace) {
            return Ok(Row::Blank);
        }
        let Fields { key, timestamp } = self.fields(row)?;
        Ok(Row::Record { key, timestamp })
    }
}

/// An error of the whole row. Its place is the row's: the line that serde_json counts is always the first.
#[cold]
fn no_json(row: &[u8], error: &serde_json::Error) -> RowError {
    let is_json = |piece: &[u8]| serde_json::from_slice::<IgnoredAny>(piece).is_ok();
    if is_cut_by_carriage_returns(row, is_json) {
        return RowError::carriage_returns();
    }
    let (why, column) = without_place(error);
    let error = RowError::new(format!("it is no JSON object that can be read: {why}"));
    if column == 0 { error } else { error.at(column) }
}

/// What serde_json says, and the column that it says it of, 0 where it says none.
fn without_place(error: &serde_json::Error) -> (String, usize) {
    let mut why = error.to_string();
    if let Some(place) = why.rfind(" at line ") {
        why.truncate(place);
    }
    (why, error.column())
}

/// Bytes of the row in front of a field's JSON, which is a part of it.
fn place_in(row: &[u8], json: &RawValue) -> usize {
    (json.get().as_ptr() as usize).saturating_sub(row.as_ptr() as usize)
}

/// A text without its quotation marks and escapes, a number or truth value as it is written, null as absent. An error has the column, from 1,
/// that it is about.
fn scalar_text(json: &str) -> Result<Option<Cow<'_, [u8]>>, (String, usize)> {
    match json.as_bytes() {
        b"null" => Ok(None),
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => Ok(Some(Cow::Borrowed(text))),
        [b'"', ..] => match serde_json::from_str::<String>(json) {
            Ok(text) => Ok(Some(Cow::Owned(text.into_bytes()))),
            Err(error) => {
                let (why, column) = without_place(&error);
                Err((format!("cannot be read: {why}"), column))
            }
        },
        [b'{' | b'[', ..] => Err(("is neither a text nor a number".into(), 1)),
        other => Ok(Some(Cow::Borrowed(other))),
    }
}

/// The JSON of the wanted fields.
#[derive(Default)]
struct Found<'a> {
    key: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
}

struct FieldFinder<'r>(&'r JsonRows);

impl<'de> Visitor<'de> for FieldFinder<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Found<'de>, A::Error> {
        let mut found = Found::default();
        while let Some((is_key, is_timestamp)) = fields.next_key_seed(FieldName(self.0))? {
            if !is_key && !is_timestamp {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let json = fields.next_value::<&'de RawValue>()?;
            if is_key {
                found.key = Some(json);
            }
            if is_timestamp {
                found.timestamp = Some(json);
            }
        }
        Ok(found)
    }
}

/// Reads a field's name as (it is the key's, it is the timestamp's).
struct FieldName<'r>(&'r JsonRows);

impl<'de> DeserializeSeed<'de> for FieldName<'_> {
    type Value = (bool, bool);

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<(bool, bool), D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName<'_> {
    type Value = (bool, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(bool, bool), E> {
        Ok((self.0.key.as_deref() == Some(name), self.0.timestamp.as_ref().is_some_and(|timestamps| timestamps.field == name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(row: &str) -> Result<(Option<String>, Option<i64>), String> {
        let mut rows = JsonRows { key: Some("k".into()), timestamp: Some(Timestamps::of("t".into())) };
        let frame = rows.frame(row.as_bytes(), true).unwrap();
        let placed = |error: RowError| match error.column {
            Some(column) => format!("{column}: {}", error.why),
            None => error.why,
        };
        match rows.parse(&row.as_bytes()[..frame.content], frame).map_err(placed)? {
            Row::Record { key, timestamp } => Ok((key.map(|key| String::from_utf8(key.into_owned()).unwrap()), timestamp)),
            Row::Blank => Err("blank".into()),
        }
    }

    fn check(row: &str, key: Option<&str>, timestamp: Option<i64>) {
        assert_eq!(parsed(row), Ok((key.map(str::to_string), timestamp)), "{row}");
    }

    #[test]
    fn fields_become_key_and_timestamp() {
        check(r#"{"k":"N1","t":7,"x":[{"k":"no"}]}"#, Some("N1"), Some(7));
        check(r#" { "t" : "1970-01-01T00:00:01Z" , "\u006b" : "a\"\u00e4" } "#, Some("a\"ä"), Some(1000));
        check(r#"{"k":1.50}"#, Some("1.50"), None);
        check(r#"{"k":true,"k":""}"#, Some(""), None);
        check(r#"{"k":null,"t":null}"#, None, None);
        check("{}", None, None);
    }

    #[test]
    fn rows_that_cannot_be_read_say_why() {
        for (row, why) in [
            ("{\"k\":1", "6: it is no JSON object that can be read: EOF while parsing an object"),
            ("[1]", "it is no JSON object that can be read: invalid type: sequence, expected an object"),
            ("{} {}", "4: it is no JSON object that can be read: trailing characters"),
            ("{\"k\":1}\r{\"k\":2}\r", "its lines end in carriage returns (CR) alone, not in LF or CR LF"),
            ("{\"k\":1}\r{\"k\":\r", "9: it is no JSON object that can be read: trailing characters"),
            (r#"{"k":[1]}"#, "6: the field `k` is neither a text nor a number"),
            (r#"{"t":"soon"}"#, "the timestamp \"soon\" of `t` is neither RFC 3339 nor integer milliseconds"),
            (r#"{"t":1.5}"#, "the timestamp \"1.5\" of `t` is neither RFC 3339 nor integer milliseconds"),
            (r#"{"k":"\ud800"}"#, "13: the field `k` cannot be read: unexpected end of hex escape"),
            (" \t\n", "blank"),
        ] {
            assert_eq!(parsed(row).unwrap_err(), why, "{row}");
        }
    }

    #[test]
    fn without_wanted_fields_any_json_is_a_record_and_deep_nesting_is_no_danger() {
        let mut rows = JsonRows { key: None, timestamp: None };
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for (row, fine) in [("[1]", true), (deep.as_str(), true), ("{", false)] {
            let frame = rows.frame(row.as_bytes(), true).unwrap();
            assert_eq!(rows.parse(row.as_bytes(), frame).is_ok(), fine);
        }
    }
}
