//! Which topic a record goes to: one for all, or the one that the record names. No topic is made for that.

use super::topics::Topics;
use crate::file_source::JsonRows;
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError, TextOrTable};
use serde_json::{Value, json};
use std::borrow::Cow;
use weir_engine::{EngineError, ErrorKind, RecordBatch};

/// The setting `topic`.
pub(super) const TOPIC: Setting = Setting::new(
    "topic",
    Kind::Other("text, or `{ header = … }`, or `{ field = … }`"),
    Fallback::Required("\"totals\""),
    "The topic that records are written to. It has to be there. A table takes it from each record: from a header, or from a field of its value, which is JSON then; `allow = \"totals-*\"` says which there may be.",
);

/// The table that `topic` may be.
const TABLE: &[Setting] = &[
    Setting::new("header", Kind::Text, Fallback::Nothing, ""),
    Setting::new("field", Kind::Text, Fallback::Nothing, ""),
    Setting::new("allow", Kind::Text, Fallback::Value("*"), ""),
];

/// Bytes of a key or a name that are shown.
const SHOWN_BYTES: usize = 60;

/// Where records go.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    /// To this topic.
    Fixed(String),
    /// To the topic that the record names, which has to be one of these.
    Named { by: By, allow: Topics },
}

/// Where a record names its topic.
#[derive(Clone, Debug)]
pub(super) enum By {
    Header(String),
    Field(String, JsonRows),
}

impl Destination {
    /// Reads the setting.
    pub(super) fn read(settings: &mut Settings<'_>) -> Result<Self, SettingsError> {
        match settings.text_or_table("topic", TABLE)? {
            None => Err(settings.missing("topic")),
            Some(TextOrTable::Text(topic)) => super::target::named("topic", topic).map(Self::Fixed),
            Some(TextOrTable::Table(mut table)) => {
                let mut read = || {
                    let (header, field) = (table.optional_text("header")?, table.optional_text("field")?);
                    let by = match (header, field) {
                        (Some(header), None) => By::Header(header),
                        (None, Some(field)) => By::Field(field.clone(), JsonRows::of(Some(field), None)),
                        (Some(_), Some(_)) | (None, None) => {
                            return Err(SettingsError::at("header", "`topic` of the sink `kafka` is from a `header` or from a `field`"));
                        }
                    };
                    Ok(Self::Named { by, allow: super::settings::pattern("allow", "`topic` of the sink `kafka`", table.text("allow")?)? })
                };
                let destination = read().map_err(|error| error.within("topic"))?;
                let shown = table.finish().map_err(|error| error.within("topic"))?;
                settings.show("topic", shown);
                Ok(destination)
            }
        }
    }

    /// As the identity of a target has it.
    pub(super) fn identity(&self) -> Value {
        match self {
            Self::Fixed(topic) => json!(topic),
            Self::Named { by: By::Header(name), .. } => json!({ "header": name }),
            Self::Named { by: By::Field(name, _), .. } => json!({ "field": name }),
        }
    }

    /// The topic of all records, where there is one.
    pub(super) fn fixed(&self) -> Option<&str> {
        match self {
            Self::Fixed(topic) => Some(topic),
            Self::Named { .. } => None,
        }
    }

    /// Whether each of these records names a topic that it may go to. Where all go to one there is nothing to look at.
    pub(super) fn admit(&self, records: &RecordBatch, reserved: &[&str]) -> Result<(), EngineError> {
        match self {
            Self::Fixed(_) => Ok(()),
            Self::Named { .. } => (0..records.len()).try_for_each(|record| self.of(records, record, reserved).map(|_| ())),
        }
    }

    /// The topic of a record, which is none of those that are `reserved`.
    pub(super) fn of<'a>(&'a self, records: &'a RecordBatch, record: usize, reserved: &[&str]) -> Result<Cow<'a, str>, EngineError> {
        self.find(records, record, reserved).map_err(|why| {
            let key = records.key(record).map_or_else(|| "without a key".into(), |key| format!("with the key `{}`", shown(key)));
            EngineError::new(ErrorKind::FixInput, format!("find the topic of a record {key}: {why}"))
        })
    }

    /// The same; an error says why there is none.
    pub(super) fn find<'a>(&'a self, records: &'a RecordBatch, record: usize, reserved: &[&str]) -> Result<Cow<'a, str>, String> {
        let (by, allow) = match self {
            Self::Fixed(topic) => return Ok(Cow::Borrowed(topic)),
            Self::Named { by, allow } => (by, allow),
        };
        let (place, name) = match by {
            By::Header(header) => {
                let named = records.headers_of(record).filter(|(name, _)| *name == header.as_bytes()).last();
                (format!("the header `{header}`"), named.map(|(_, value)| Cow::Borrowed(value)))
            }
            By::Field(field, rows) => {
                let value = records.value(record).ok_or("it has no value")?;
                (format!("the field `{field}`"), rows.fields(value).map_err(|error| error.why)?.key)
            }
        };
        let name = name.ok_or_else(|| format!("{place} is not there"))?;
        let topic = match name {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        };
        let topic = topic.filter(|topic: &Cow<'a, str>| Topics::is_name(topic));
        let topic = topic.ok_or_else(|| format!("{place} is no name of a topic"))?;
        match !reserved.contains(&&*topic) && allow.has(&topic) {
            true => Ok(topic),
            false => Err(format!("{place} says `{topic}`, which `allow` of `topic` does not")),
        }
    }
}

/// The beginning of a key, fit to be shown.
pub(super) fn shown(key: &[u8]) -> String {
    key[..key.len().min(SHOWN_BYTES)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::target::SINK_SETTINGS;
    use serde_json::Map;
    use weir_engine::BatchBuilder;

    fn destination(said: Value) -> Result<Destination, SettingsError> {
        let given: Map<String, Value> = [("topic".to_owned(), said)].into_iter().collect();
        Destination::read(&mut Settings::of_sink("kafka", SINK_SETTINGS, &given))
    }

    /// Where a record with this value and this header `t` goes.
    fn goes(said: Value, value: Option<&str>, header: Option<&[u8]>) -> Result<String, String> {
        let mut batch = BatchBuilder::new();
        match value {
            Some(value) => batch.push(Some(b"k"), value.as_bytes(), None),
            None => batch.push_valueless(Some(b"k"), None),
        }
        header.iter().for_each(|header| batch.push_header(b"t", header));
        let (batch, destination) = (batch.finish(), destination(said).expect("it fits"));
        destination.of(&batch, 0, &["markers"]).map(Cow::into_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn a_record_goes_where_its_header_or_a_field_of_its_value_says() {
        let (header, field) = (json!({ "header": "t" }), json!({ "field": "t", "allow": "a-*" }));
        assert_eq!(goes(json!("fixed"), None, None), Ok("fixed".into()));
        assert_eq!(goes(header.clone(), None, Some(b"a-1")), Ok("a-1".into()));
        assert_eq!(goes(field.clone(), Some(r#"{"t":"a-2","u":1}"#), None), Ok("a-2".into()));
        for (said, value, of_header, why) in [
            (&header, None, None, "with the key `k`: the header `t` is not there"),
            (&header, None, Some(&b"a b"[..]), "the header `t` is no name of a topic"),
            (&header, None, Some(&b"\xff"[..]), "the header `t` is no name of a topic"),
            (&header, None, Some(&b"markers"[..]), "says `markers`, which `allow` of `topic` does not"),
            (&header, None, Some(&b"__consumer_offsets"[..]), "which `allow` of `topic` does not"),
            (&field, None, None, "it has no value"),
            (&field, Some("{"), None, "it is no JSON object"),
            (&field, Some("{}"), None, "the field `t` is not there"),
            (&field, Some(r#"{"t":"b-1"}"#), None, "says `b-1`, which `allow` of `topic` does not"),
        ] {
            let error = goes(said.clone(), value, of_header).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_topic_is_named_one_way_or_the_other() {
        for said in [
            json!("no topic"),
            json!({}),
            json!({ "header": "a", "field": "b" }),
            json!({ "haeder": "a" }),
            json!(7),
            json!({ "header": "a", "allow": "[" }),
        ] {
            assert!(destination(said.clone()).is_err(), "{said}");
        }
    }
}
