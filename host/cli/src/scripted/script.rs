//! What is written in a file of tests: steps that are given to an operator, and what is to come of each.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A file of tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The job file that has the operator, from the folder of this file.
    pub job: PathBuf,
    /// The operator's id there, for all tests that name no other.
    pub operator: Option<String>,
    /// Each with an operator of its own.
    #[serde(default, rename = "test")]
    pub tests: Vec<Test>,
}

/// Steps that an operator is given one behind the other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What is printed of it.
    pub name: String,
    /// The operator's id in the job file.
    pub operator: Option<String>,
    /// In place of what the job file has.
    pub config: Option<serde_json::Value>,
    /// By the name of an input what its source knows of its records: of CSV files the header.
    #[serde(default)]
    pub schemas: BTreeMap<String, String>,
    /// What the clock shows at first; 1970 unless it is said.
    pub clock: Option<Moment>,
    /// What is kept when it begins, perhaps by an older version.
    #[serde(default)]
    pub kept: Vec<Before>,
    /// What opening the operator is to fail with, in part.
    pub fails: Option<String>,
    /// What it is given.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
}

/// One thing that happens, and what is to come of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Records that come.
    pub send: Option<Vec<Sent>>,
    /// By this input; the operator's first where it is not said.
    pub input: Option<String>,
    /// Event time comes to here.
    pub watermark: Option<Moment>,
    /// The clock comes to here.
    pub clock: Option<Moment>,
    /// All input ends.
    #[serde(default)]
    pub end: bool,
    /// A new instance goes on.
    #[serde(default)]
    pub renew: bool,
    /// All that is emitted.
    #[serde(default)]
    pub expect: Vec<Expected>,
    /// What the call is to fail with, in part.
    pub fails: Option<String>,
    /// All that is kept behind the step.
    pub state: Option<Vec<Row>>,
}

/// A moment: ms since the Unix epoch, or as RFC 3339 has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a moment: ms since 1970, or a text such as \"2013-01-01T10:00:00Z\"")]
pub enum Moment {
    /// Milliseconds.
    Ms(i64),
    /// A text.
    Written(String),
}

impl Moment {
    /// In ms since the Unix epoch.
    pub fn ms(&self) -> Result<i64, String> {
        match self {
            Self::Ms(ms) => Ok(*ms),
            Self::Written(text) => {
                let moment = humantime::parse_rfc3339_weak(text).map_err(|error| format!("`{text}` is no moment: {error}"))?;
                let since = moment.duration_since(std::time::UNIX_EPOCH).map_err(|_| format!("`{text}` is before 1970: write it in ms"))?;
                i64::try_from(since.as_millis()).map_err(|_| format!("`{text}` is too far ahead"))
            }
        }
    }
}

/// A record that is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sent {
    /// Its value as text.
    pub value: Option<String>,
    /// As JSON.
    pub json: Option<serde_json::Value>,
    /// As hex digits.
    pub hex: Option<String>,
    /// It has no value.
    #[serde(default)]
    pub absent: bool,
    /// The value, so many times behind itself.
    pub repeat: Option<usize>,
    /// Its key as text.
    pub key: Option<String>,
    /// Its key as hex digits.
    pub key_hex: Option<String>,
    /// Its event time.
    pub time: Option<Moment>,
    /// Names and values.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// A record that is to be emitted. What is not said of it may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expected {
    /// By this output; the operator's first where it is not said.
    pub to: Option<String>,
    /// Its value as text.
    pub value: Option<String>,
    /// As JSON, however it is written.
    pub json: Option<serde_json::Value>,
    /// As hex digits.
    pub hex: Option<String>,
    /// It has no value.
    #[serde(default)]
    pub absent: bool,
    /// The value, so many times behind itself.
    pub repeat: Option<usize>,
    /// Its key as text.
    pub key: Option<String>,
    /// Its key as hex digits.
    pub key_hex: Option<String>,
    /// It has no key.
    #[serde(default)]
    pub no_key: bool,
    /// Its event time.
    pub time: Option<Moment>,
    /// It has no event time.
    #[serde(default)]
    pub no_time: bool,
    /// Names and values, all of them.
    pub headers: Option<Vec<(String, String)>>,
}

/// What a state keeps of a key. Values are as `weir state scan` shows them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The state's name.
    pub state: Option<String>,
    /// The timer's name, of what is set of a timer.
    pub timer: Option<String>,
    /// The key as it is shown; of a broadcast state nothing.
    pub key: Option<String>,
    /// Where the key's window begins, or the number of a count.
    pub window: Option<serde_json::Value>,
    /// What is kept; of a list an array of its items, of a map its entries.
    pub value: Option<serde_json::Value>,
    /// The same as a text of JSON: numbers beyond 64 bits with a sign.
    pub json: Option<String>,
}

/// What a state has kept of a key before a test begins, as it is encoded.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The state's name.
    pub state: String,
    /// Its version then.
    pub version: u32,
    /// The key.
    pub key: String,
    /// A value, as hex digits.
    pub hex: Option<String>,
    /// The items of a list.
    pub items: Option<Vec<String>>,
    /// The entries of a map, and their values.
    pub entries: Option<Vec<(String, String)>>,
}
