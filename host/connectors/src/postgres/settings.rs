//! The settings of the sink `postgres`.

use super::columns::{self, Origin};
use super::connection::Server;
use super::table_name::TableName;
use crate::settings::table::{Fallback, Kind, Setting, Within};
use crate::settings::{Settings, SettingsError};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// As they stand in the job file.
pub(crate) const SINK_SETTINGS: &[Setting] = &[
    Setting::new(
        "url",
        Kind::Text,
        Fallback::Required("\"postgres://weir:${PASSWORD}@localhost/db\""),
        "Where the database is and who writes to it. It is read anew at each connect, and what stands for a variable or a file in it is not shown, but for host, port, database and user where all of it is one.",
    ),
    Setting::new(
        "password",
        Kind::Text,
        Fallback::Nothing,
        "The password, where `url` does not have it: as it is, whatever characters it has. It is read anew at each connect and not shown.",
    ),
    Setting::new(
        "tls",
        Kind::Other("`true`, `false` or [a table](#tls)"),
        Fallback::Found("as `sslmode` in `url` says, else `false`"),
        "Whether the server is spoken to by TLS, and who vouches for it.",
    ),
    Setting::new(
        "table",
        Kind::Text,
        Fallback::Required("\"totals\""),
        "The table that is written to, or `schema.table`, in upper and lower case as it is. It has to be there.",
    ),
    Setting::new(
        "columns",
        Kind::Other("table of columns"),
        Fallback::Found("each column of the table, from the field of its name"),
        "What each column is filled with: a field of the JSON object that the value is (`total = \"sum\"`, or `\"/a/b\"` for one within another), a cell of the CSV row that it is (`total = { cell = 3 }`), or the record's own `{ record = \"key\" }`, `\"value\"` or `\"timestamp\"`.",
    ),
    Setting::new(
        "mode",
        Kind::Choice(&["append", "upsert"]),
        Fallback::Value("append"),
        "`\"append\"`: each record is a new row. `\"upsert\"`: it takes the place of the row with its key, and one without a value deletes that.",
    ),
    Setting::new(
        "key",
        Kind::Texts,
        Fallback::Found("the table's primary key"),
        "The columns that make up the key, with `mode = \"upsert\"`. The table has to have a unique index on them.",
    ),
    Setting::new(
        "delivery",
        Kind::Choice(&["exactly-once"]),
        Fallback::Value("exactly-once"),
        "`\"exactly-once\"`: records are published in transactions behind the checkpoint that covers them.",
    ),
    Setting::new(
        "marker-table",
        Kind::Text,
        Fallback::Value("weir_markers"),
        "The table that says how much is published. It is made where it is not there.",
    ),
    crate::settings::MAX_UNPUBLISHED,
    Setting::new(
        "on-error",
        Kind::Choice(&["fail", "quarantine"]),
        Fallback::Value("fail"),
        "What becomes of a record that fits no row: it fails the job, or it is set aside in `quarantine-table`.",
    ),
    Setting::new(
        "quarantine-table",
        Kind::Text,
        Fallback::Value("weir_quarantine"),
        "The table that has such records, with `on-error = \"quarantine\"`. It is made where it is not there.",
    ),
    Setting::new(
        "connect-timeout",
        Kind::Duration(Within { least: Duration::from_millis(100), most: Duration::from_secs(3600), otherwise: "", names_default: false }),
        Fallback::Value("10s"),
        "How long a connection may take to be made.",
    ),
    Setting::new(
        "answer-timeout",
        Kind::Duration(Within { least: Duration::from_millis(100), most: Duration::from_secs(3600), otherwise: "", names_default: false }),
        Fallback::Value("1m"),
        "How long the server may take to answer a statement, the longest of which brings a whole chunk into the table. Then it is tried again, with another connection.",
    ),
];

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Append,
    Upsert,
}

/// What the settings say.
#[derive(Clone, Debug)]
pub(super) struct TargetOptions {
    pub server: Server,
    pub table: TableName,
    /// `None`: each column from the field of its name.
    pub columns: Option<Vec<(String, Origin)>>,
    pub mode: Mode,
    /// Empty with `upsert`: the primary key.
    pub key: Vec<String>,
    pub marker_table: TableName,
    /// `None`: a record that does not fit fails the job.
    pub quarantine_table: Option<TableName>,
    pub max_unpublished: u64,
}

impl TargetOptions {
    /// Reads them; what they say with every default stands beside.
    pub(super) fn read(given: &Map<String, Value>, base_dir: &Path) -> Result<(Self, Map<String, Value>), SettingsError> {
        let mut settings = Settings::of_sink("postgres", SINK_SETTINGS, given);
        let (url, password) = (settings.secret("url")?, settings.secret("password")?);
        let url = url.ok_or_else(|| settings.missing("url"))?;
        let tls = settings.tls(base_dir)?;
        let table = settings.required_text("table")?;
        let table = table_name("table", &table)?;
        let columns = settings.other("columns", "a table of columns", |columns| Some(columns.clone()))?;
        let columns = columns.map(|columns| columns::read(&columns)).transpose()?;
        let mode = settings.choice("mode", &[("append", Mode::Append), ("upsert", Mode::Upsert)])?;
        let key = settings.texts("key")?;
        settings.choice("delivery", &[("exactly-once", ())])?;
        let marker_table = settings.text("marker-table")?;
        let marker_table = table_name("marker-table", &marker_table)?;
        let quarantine_table = quarantine_table(&mut settings)?;
        let max_unpublished = settings.size("max-unpublished")?;
        let connect_timeout = settings.duration("connect-timeout")?;
        let answer_timeout = settings.duration("answer-timeout")?;
        let server = Server { url, password, tls, connect_timeout, answer_timeout, has_answered: Arc::default() };
        server.check().map_err(|why| SettingsError::at("url", format!("`url` of the sink `postgres`: {why}")))?;
        let options = Self { server, table, columns, mode, key, marker_table, quarantine_table, max_unpublished };
        options.agree()?;
        Ok((options, settings.finish()?))
    }

    /// Whether what is said in several settings fits together.
    fn agree(&self) -> Result<(), SettingsError> {
        if self.table == self.marker_table {
            let message = format!("the sink `postgres` writes to `{}`, which cannot have its markers as well", self.table);
            return Err(SettingsError::at("marker-table", message));
        }
        if let Some(table) = self.quarantine_table.as_ref().filter(|table| [&self.table, &self.marker_table].contains(table)) {
            let message = format!("`{table}` cannot have what the sink `postgres` sets aside as well");
            return Err(SettingsError::at("quarantine-table", message));
        }
        if self.mode == Mode::Append && !self.key.is_empty() {
            let error = SettingsError::at("key", "the sink `postgres` appends, which needs no `key`");
            return Err(error.with_hint("rows are replaced by key with `mode = \"upsert\"`"));
        }
        let unfilled = |name: &&String| self.columns.as_ref().is_some_and(|columns| columns.iter().all(|(column, _)| column != *name));
        match self.key.iter().find(unfilled) {
            None => Ok(()),
            Some(name) => {
                Err(SettingsError::at("key", format!("`key` of the sink `postgres` has `{name}`, which `columns` does not fill")))
            }
        }
    }
}

fn quarantine_table(settings: &mut Settings<'_>) -> Result<Option<TableName>, SettingsError> {
    let is_used = settings.choice("on-error", &[("fail", false), ("quarantine", true)])?;
    let table = settings.text("quarantine-table")?;
    let table = table_name("quarantine-table", &table)?;
    Ok(is_used.then_some(table))
}

fn table_name(setting: &str, said: &str) -> Result<TableName, SettingsError> {
    let wrong = || SettingsError::at(setting, format!("`{setting}` of the sink `postgres` is {said:?}, which no table can be called"));
    TableName::of(said).ok_or_else(|| wrong().with_hint("a table, or `schema.table`; each at most 63 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(more: Value) -> Result<Value, String> {
        let mut given = json!({ "url": "postgres://u:p%40ss@db.example:5433/sales", "table": "t" });
        let both = given.as_object_mut().expect("an object");
        both.extend(more.as_object().expect("an object").clone());
        TargetOptions::read(both, Path::new(".")).map(|(_, shown)| Value::Object(shown)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = read(json!({})).unwrap();
        assert_eq!(shown["url"], "postgres://u:***@db.example:5433/sales");
        let shown = read(json!({ "url": "postgres://u:secret@${CARGO_PKG_NAME}/d" })).unwrap();
        assert_eq!(shown["url"], "postgres://u:***@${CARGO_PKG_NAME}/d");
        let shown = read(json!({ "url": "postgres://u:${CARGO_PKG_NAME}@h/d", "password": "${CARGO_PKG_NAME}" })).unwrap();
        assert_eq!((&shown["url"], &shown["password"]), (&json!("postgres://u:${CARGO_PKG_NAME}@h/d"), &json!("${CARGO_PKG_NAME}")));
        let shown = read(json!({ "url": "host=h user=u", "password": "plain" })).unwrap();
        assert_eq!((&shown["url"], &shown["password"]), (&json!("host=h user=u"), &json!("***")));
        let shown = read(json!({ "url": "postgres://u:secret@h/d?sslmode=require" })).unwrap();
        assert_eq!(shown["url"], "postgres://u:***@h/d?sslmode=require");
        let error = read(json!({ "url": "postgres://u:secret@h:port/d" })).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for (more, part) in [
            (json!({ "key": ["a"] }), "needs no `key`"),
            (json!({ "mode": "upsert", "key": ["a"], "columns": { "b": "b" } }), "which `columns` does not fill"),
            (json!({ "marker-table": "t" }), "cannot have its markers"),
            (json!({ "on-error": "quarantine", "quarantine-table": "t" }), "sets aside"),
            (json!({ "table": "a.b.c" }), "no table can be called"),
            (json!({ "url": "postgres://u@h/d?sslmode=disable", "tls": true }), "contradict"),
            (json!({ "url": "hostaddr=127.0.0.1 user=u sslmode=require" }), "TLS needs the server's name"),
            (json!({ "url": "host=/run/postgresql user=u", "tls": true }), "TLS needs the server's name"),
            (json!({ "url": "postgres://u@h/d?sslmode=prefer" }), "say `disable` or `verify-full`"),
            (json!({ "tls": { "ca": "no-such-file.pem" } }), "no-such-file.pem"),
            (json!({ "url": "postgres://u:${WEIR_NOT_SET_ANYWHERE}@h/d" }), "is not set"),
            (json!({ "url": "postgres://h/d" }), "names no user"),
        ] {
            let error = read(more.clone()).unwrap_err();
            assert!(error.contains(part), "{more}: {error}");
        }
    }
}
