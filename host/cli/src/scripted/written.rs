//! Bytes as a file of tests writes them.

use super::script::{Before, Expected, Moment, Sent};
use crate::value_text::parse_hex;
use weir_engine::BatchBuilder;
use weir_engine::replay::{Held, KeptBefore, OutputRecord};

/// The ways to write a value: at most one of them is used.
struct Value<'a> {
    text: Option<&'a str>,
    json: Option<&'a serde_json::Value>,
    hex: Option<&'a str>,
    absent: bool,
    repeat: Option<usize>,
}

/// The longest value that is written with `repeat`.
const REPEATED_BYTES: usize = 64 << 20;

impl Value<'_> {
    /// `None`: nothing is said of it. The inner `None`: there is none.
    fn bytes(&self) -> Result<Option<Option<Vec<u8>>>, String> {
        let said = [self.text.is_some(), self.json.is_some(), self.hex.is_some(), self.absent];
        if said.into_iter().filter(|said| *said).count() > 1 {
            return Err("a value is written once: as `value`, `json`, `hex` or `absent = true`".into());
        }
        let bytes = match (self.text, self.json, self.hex) {
            _ if self.absent => return Ok(Some(None)),
            (Some(text), ..) => text.as_bytes().to_vec(),
            (_, Some(json), _) => json.to_string().into_bytes(),
            (.., Some(digits)) => digits_of(digits)?,
            (None, None, None) => return Ok(None),
        };
        let times = self.repeat.unwrap_or(1);
        if bytes.len().saturating_mul(times) > REPEATED_BYTES {
            return Err(format!("a value has {} MiB at most", REPEATED_BYTES >> 20));
        }
        Ok(Some(Some(bytes.repeat(times))))
    }
}

fn digits_of(digits: &str) -> Result<Vec<u8>, String> {
    parse_hex(digits).ok_or_else(|| format!("`{digits}` are no pairs of hex digits"))
}

fn key_of(key: Option<&String>, hex: Option<&String>) -> Result<Option<Vec<u8>>, String> {
    match (key, hex) {
        (Some(_), Some(_)) => Err("a key is written once: as `key` or `key-hex`".into()),
        (Some(key), None) => Ok(Some(key.as_bytes().to_vec())),
        (None, Some(digits)) => digits_of(digits).map(Some),
        (None, None) => Ok(None),
    }
}

impl Sent {
    /// Adds the record. One of which no value is said has an empty one.
    pub fn push(&self, batch: &mut BatchBuilder) -> Result<(), String> {
        let Self { value, json, hex, absent, repeat, key, key_hex, time, headers } = self;
        let value = Value { text: value.as_deref(), json: json.as_ref(), hex: hex.as_deref(), absent: *absent, repeat: *repeat };
        let key = key_of(key.as_ref(), key_hex.as_ref())?;
        let time = time.as_ref().map(Moment::ms).transpose()?;
        match value.bytes()? {
            Some(None) => batch.push_valueless(key.as_deref(), time),
            value => batch.push(key.as_deref(), &value.flatten().unwrap_or_default(), time),
        }
        headers.iter().for_each(|(name, value)| batch.push_header(name.as_bytes(), value.as_bytes()));
        Ok(())
    }
}

impl Before {
    /// As bytes.
    pub fn read(&self) -> Result<KeptBefore, String> {
        let all = |digits: &[String]| digits.iter().map(|digits| digits_of(digits)).collect::<Result<Vec<_>, _>>();
        let pair = |(entry, value): &(String, String)| Ok((digits_of(entry)?, digits_of(value)?));
        let held = match (&self.hex, &self.items, &self.entries) {
            (Some(digits), None, None) => Held::Value(digits_of(digits)?),
            (None, Some(items), None) => Held::List(all(items)?),
            (None, None, Some(entries)) => Held::Map(entries.iter().map(pair).collect::<Result<_, String>>()?),
            _ => return Err(format!("what is kept of `{}` is one of `hex`, `items` and `entries`", self.state)),
        };
        Ok(KeptBefore { state: self.state.clone(), version: self.version, key: self.key.as_bytes().to_vec(), held })
    }
}

/// A record that is expected, as bytes. What is `None` is not said.
pub struct Wanted {
    /// The output's name.
    pub output: String,
    value: Option<Option<Vec<u8>>>,
    json: Option<serde_json::Value>,
    key: Option<Option<Vec<u8>>>,
    time: Option<Option<i64>>,
    headers: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Wanted {
    /// What is written of it; `main` is the name of the operator's first output.
    pub fn of(expected: &Expected, main: &str) -> Result<Self, String> {
        let Expected { to, value, json, hex, absent, repeat, key, key_hex, no_key, time, no_time, headers } = expected;
        let written = Value { text: value.as_deref(), json: json.as_ref(), hex: hex.as_deref(), absent: *absent, repeat: *repeat };
        let bytes = written.bytes()?;
        let key = key_of(key.as_ref(), key_hex.as_ref())?;
        if (key.is_some() && *no_key) || (time.is_some() && *no_time) {
            return Err("a record has a key or none, and a time or none".into());
        }
        let bytes_of = |(name, value): &(String, String)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        Ok(Self {
            output: to.clone().unwrap_or_else(|| main.to_owned()),
            value: bytes.filter(|_| json.is_none()),
            json: json.clone(),
            key: if *no_key { Some(None) } else { key.map(Some) },
            time: if *no_time { Some(None) } else { time.as_ref().map(Moment::ms).transpose()?.map(Some) },
            headers: headers.as_ref().map(|headers| headers.iter().map(bytes_of).collect()),
        })
    }

    /// True where a record that was emitted is as it says.
    pub fn is(&self, emitted: &OutputRecord) -> bool {
        let OutputRecord { output, key, record } = emitted;
        let is_json = |wanted: &serde_json::Value| {
            let value = record.value.as_deref().and_then(|value| serde_json::from_slice::<serde_json::Value>(value).ok());
            value.as_ref() == Some(wanted)
        };
        *output == self.output
            && self.value.as_ref().is_none_or(|value| *value == record.value)
            && self.json.as_ref().is_none_or(is_json)
            && self.key.as_ref().is_none_or(|wanted| wanted == key)
            && self.time.as_ref().is_none_or(|time| *time == record.timestamp)
            && self.headers.as_ref().is_none_or(|headers| *headers == record.headers)
    }
}
