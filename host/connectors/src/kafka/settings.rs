//! The settings of the source `kafka`.

use super::client::Cluster;
use super::partition::PartitionSpec;
use super::security::{SASL, Security, TLS};
use super::topics::{PATTERN, Topics};
use super::trial::{Role, try_options};
use super::value_fields::{Unreadable, ValueFields};
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};

/// Of sources and sinks.
pub(super) const BROKERS: Setting = Setting::new(
    "brokers",
    Kind::Text,
    Fallback::Required("\"localhost:9092\""),
    "Where the cluster is found: `host:port`, several with commas between them. Any of its brokers will do, they name the others.",
);

/// Of sources and sinks.
pub(super) const CONNECT_TIMEOUT: Setting = Setting::new(
    "connect-timeout",
    Kind::Duration(crate::settings::table::Within {
        least: Duration::from_millis(100),
        most: Duration::from_secs(3600),
        otherwise: "",
        names_default: false,
    }),
    Fallback::Value("10s"),
    "How long a start waits for the cluster's answers.",
);

/// Of sources and sinks.
pub(super) const OPTIONS: Setting = Setting::new(
    "options",
    Kind::Other("table of texts"),
    Fallback::Nothing,
    "Options of librdkafka by their names: `options = { \"fetch.min.bytes\" = \"65536\" }`. Those that weir needs for itself are refused.",
);

/// As they stand in the job file.
pub(crate) const SOURCE_SETTINGS: &[Setting] = &[
    BROKERS,
    Setting::new(
        "topics",
        Kind::Other("list of texts, or `{ pattern = … }`"),
        Fallback::Required("[\"orders\"]"),
        "Which topics are read. In a pattern, `*` stands for any text; topics that come later and match it are read too.",
    ),
    Setting::new(
        "start",
        Kind::Other("`\"earliest\"`, `\"latest\"`, `\"group\"`, `{ timestamp = … }`"),
        Fallback::Value("earliest"),
        "Where a job that begins anew begins to read: at the oldest record, behind the newest, where `group` has come to, or at the first record of this time or later (milliseconds since 1970). Partitions that come later are read from their oldest record on, and so are those that the group has not read.",
    ),
    Setting::new(
        "until",
        Kind::Choice(&["end"]),
        Fallback::Nothing,
        "`\"end\"`: the source ends where each partition ended when the job began. Without it there is no end.",
    ),
    Setting::new(
        "group",
        Kind::Text,
        Fallback::Nothing,
        "The consumer group that is told how far completed checkpoints have come. Nothing is read by it but `start = \"group\"`.",
    ),
    Setting::new(
        "on-reset",
        Kind::Choice(&["fail", "earliest", "latest"]),
        Fallback::Value("fail"),
        "What happens where the next record to be read has been deleted, or its partition holds fewer than have been read of it: the job fails, goes on at the oldest record, or behind the newest.",
    ),
    Setting::new(
        "discovery-interval",
        Kind::Duration(crate::settings::table::Within {
            least: Duration::from_millis(100),
            most: Duration::from_secs(86_400),
            otherwise: "",
            names_default: false,
        }),
        Fallback::Value("30s"),
        "How long after one look for new partitions and topics the next comes. A source with an end looks at its start alone.",
    ),
    Setting::new(
        "format",
        Kind::Choice(&["jsonl"]),
        Fallback::Nothing,
        "`\"jsonl\"`: values are JSON, of which `key` and `timestamp` are fields. Without it nothing is asked of a value.",
    ),
    Setting::new("key", Kind::Text, Fallback::Found("the message's key"), "The field that is the record's key."),
    Setting::new(
        "timestamp",
        Kind::Other("text or table"),
        Fallback::Found("the message's timestamp"),
        "The field that is the record's time; a table says how it is written there, as for [files](#files).",
    ),
    Setting::new(
        "metadata",
        Kind::Flag,
        Fallback::Value("false"),
        "Each record gets the headers `kafka.topic`, `kafka.partition` and `kafka.offset`.",
    ),
    Setting::new(
        "header",
        Kind::Text,
        Fallback::Nothing,
        "The header of values that are rows of CSV, which no message has: operators are handed it as that of a CSV file.",
    ),
    TLS,
    SASL,
    CONNECT_TIMEOUT,
    OPTIONS,
];

/// The table that `start` may be.
const START: &[Setting] =
    &[Setting::new("timestamp", Kind::Whole { least: 0, most: i64::MAX as u64 }, Fallback::Required("1753600000000"), "")];

/// Where a source that begins anew begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Earliest,
    Latest,
    Group,
    /// The first record of this time or later, in milliseconds.
    Timestamp(i64),
}

/// What becomes of a position that a partition does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnReset {
    Fail,
    Earliest,
    Latest,
}

/// What the settings say.
#[derive(Clone)]
pub(super) struct SourceOptions {
    pub cluster: Cluster,
    pub topics: Topics,
    pub start: Start,
    /// It ends where its partitions ended at the beginning.
    pub is_bounded: bool,
    pub group: Option<String>,
    pub on_reset: OnReset,
    pub fields: Option<ValueFields>,
    pub metadata: bool,
    /// That of rows of CSV.
    pub header: Option<String>,
    pub discovery_interval: Duration,
}

impl SourceOptions {
    /// Reads them; what they say with every default stands beside.
    pub(super) fn read(given: &Map<String, Value>, base_dir: &Path) -> Result<(Self, Map<String, Value>), SettingsError> {
        let mut settings = Settings::of_source("kafka", SOURCE_SETTINGS, given);
        let cluster = cluster(&mut settings, base_dir)?;
        let topics = topics(&mut settings)?;
        let start = start(&mut settings)?;
        let is_bounded = settings.is_said("until")?;
        let group = settings.optional_text("group")?;
        let on_reset = [("fail", OnReset::Fail), ("earliest", OnReset::Earliest), ("latest", OnReset::Latest)];
        let on_reset = settings.choice("on-reset", &on_reset)?;
        let fields = ValueFields::read(&mut settings)?;
        let metadata = settings.flag("metadata")?;
        let header = settings.optional_text("header")?;
        try_options(&cluster, Role::Reads, given)?;
        let discovery_interval = settings.duration("discovery-interval")?;
        if start == Start::Group && group.is_none() {
            let error = SettingsError::at("start", "the source `kafka` starts where a group has come to, and names none");
            return Err(error.with_hint("add `group = \"…\"`"));
        }
        let read = Self { cluster, topics, start, is_bounded, group, on_reset, fields, metadata, header, discovery_interval };
        Ok((read, settings.finish()?))
    }
}

impl SourceOptions {
    /// The error of a message whose value is not what `format` says, or whose field is not what `timestamp` says.
    pub(super) fn unreadable(&self, spec: &PartitionSpec, offset: i64, unreadable: &Unreadable) -> EngineError {
        let message = format!("read `{}`, partition {}, offset {offset}: {}", spec.topic, spec.partition, unreadable.why);
        let hint = match unreadable.is_json {
            false => "`format = \"jsonl\"` is for topics of which every value is JSON",
            true => "`timestamp = { field, format, zone }` says how the time is written: see times in the documentation",
        };
        EngineError::new(ErrorKind::FixInput, message).with_hint(hint)
    }
}

/// Where the cluster is, and how it is spoken to.
pub(super) fn cluster(settings: &mut Settings<'_>, base_dir: &Path) -> Result<Cluster, SettingsError> {
    Ok(Cluster {
        brokers: brokers(settings)?,
        security: Security::read(settings, base_dir)?,
        options: super::options::read(settings)?,
        connect_timeout: settings.duration("connect-timeout")?,
        has_answered: Arc::default(),
        has_had_rights: Arc::default(),
    })
}

fn brokers(settings: &mut Settings<'_>) -> Result<String, SettingsError> {
    let brokers = settings.required_text("brokers")?;
    if brokers.contains('@') {
        // What stands in front of it may be a password.
        let error =
            SettingsError::at("brokers", "`brokers` of `kafka` has an entry with `@`: who weir is for the cluster is not said there");
        return Err(error.with_hint("`sasl = { mechanism = …, username = …, password = … }` says it"));
    }
    let wrong = brokers.split(',').map(str::trim).find(|broker| {
        let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        port.is_none_or(|port| port.parse::<u16>().is_err())
    });
    match wrong {
        None => Ok(brokers),
        Some(broker) => {
            let error = SettingsError::at("brokers", format!("`brokers` of `kafka` has {broker:?}, which is no host:port"));
            Err(error.with_hint("for example `brokers = \"localhost:9092\"`"))
        }
    }
}

fn topics(settings: &mut Settings<'_>) -> Result<Topics, SettingsError> {
    let expected = "a list of topics, or `{ pattern = \"…\" }`";
    let list = |value: &Value| -> Option<Topics> {
        let names = value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
        (!names.is_empty() && names.iter().all(|name| Topics::is_name(name))).then_some(Topics::Named(names))
    };
    if let Some(mut table) = settings.table("topics", PATTERN) {
        let pattern = table.required_text("pattern").map_err(|error| error.within("topics"))?;
        let shown = table.finish().map_err(|error| error.within("topics"))?;
        settings.show("topics", shown);
        return self::pattern("pattern", "`topics` of the source `kafka`", pattern).map_err(|error| error.within("topics"));
    }
    let topics = settings.other("topics", expected, list)?;
    topics.ok_or_else(|| settings.missing("topics"))
}

/// The topics that match a pattern, which is the setting `name` of `table`.
pub(super) fn pattern(name: &str, table: &str, pattern: String) -> Result<Topics, SettingsError> {
    match Topics::is_pattern(&pattern) {
        true => Ok(Topics::Matching(pattern)),
        false => Err(SettingsError::at(name, format!("`{name}` of {table} is {pattern:?}, which no topic matches"))
            .with_hint("letters, digits, `.`, `_` and `-`, and `*` for any text")),
    }
}

fn start(settings: &mut Settings<'_>) -> Result<Start, SettingsError> {
    if let Some(mut table) = settings.table("start", START) {
        let timestamp = table.optional_whole("timestamp").map_err(|error| error.within("start"))?;
        let shown = table.finish().map_err(|error| error.within("start"))?;
        settings.show("start", shown);
        let none = || SettingsError::at("start", "`start` of the source `kafka` is a table without `timestamp`");
        return timestamp.map(|timestamp| Start::Timestamp(timestamp.cast_signed())).ok_or_else(none);
    }
    let word = |value: &Value| match value.as_str()? {
        "earliest" => Some(Start::Earliest),
        "latest" => Some(Start::Latest),
        "group" => Some(Start::Group),
        _ => None,
    };
    let expected = "\"earliest\", \"latest\", \"group\" or `{ timestamp = … }`";
    Ok(settings.other("start", expected, word)?.unwrap_or(Start::Earliest))
}
