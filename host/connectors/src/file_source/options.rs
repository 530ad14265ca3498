//! The settings of a file source.

use super::ranges::RANGE_BYTES_MIN;
use super::timestamp::Timestamps;
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A line.
    Lines,
    /// A CSV row; the first row of each file is its header.
    Csv,
    /// A line that holds JSON.
    JsonLines,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

/// What becomes of a row that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnError {
    /// It fails the job.
    Fail,
    /// It is counted and logged.
    Skip,
    /// It goes to the output `quarantine`.
    Quarantine,
}

/// What can be said of it.
const ON_ERROR: [OnError; 3] = [OnError::Fail, OnError::Skip, OnError::Quarantine];

impl OnError {
    fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What the settings of rows say, whatever holds the rows.
const FORMAT: Setting = Setting::new(
    "format",
    Kind::Choice(&["lines", "csv", "jsonl"]),
    Fallback::Value("lines"),
    "What a row is: a line, a CSV row behind a header, or a line of JSON.",
);
const KEY: Setting = Setting::new("key", Kind::Text, Fallback::Nothing, "The column or field that is the key.");
const TIMESTAMP: Setting = Setting::new(
    "timestamp",
    Kind::Other("text or table"),
    Fallback::Nothing,
    "The column or field that is the time; a table says how it is written there, see below.",
);
const NULL: Setting = Setting::new("null", Kind::Texts, Fallback::Value("[]"), "Texts that stand for nothing there: `[\"NA\"]` (CSV).");
const MULTILINE_ABOUT: &str = "Whether cells may hold line ends (CSV).";
const ON_ERROR_SETTING: Setting = Setting::new(
    "on-error",
    Kind::Choice(&["fail", "skip", "quarantine"]),
    Fallback::Value("fail"),
    "What becomes of a row that cannot be read, see below.",
);

/// The settings of the source `file`.
pub(crate) const FILE_SETTINGS: &[Setting] = &[
    Setting::new("path", Kind::Path, Fallback::Required("\"data/*.csv\""), "A file, or a pattern of files, relative to the job file."),
    FORMAT,
    KEY,
    TIMESTAMP,
    NULL,
    Setting::new("multiline", Kind::Flag, Fallback::Found("found out from each file's first 256 KiB"), MULTILINE_ABOUT),
    ON_ERROR_SETTING,
    Setting::new(
        "split",
        Kind::size(RANGE_BYTES_MIN, u64::MAX, ""),
        Fallback::Nothing,
        "Cuts plain files into ranges of that size, at least `\"64KiB\"`, that are read side by side; the order of their rows is given up.",
    ),
    Setting::new(
        "follow",
        Kind::Flag,
        Fallback::Value("false"),
        "Reads files on as they grow, and new ones as they come; the job does not end by itself then.",
    ),
];

/// The settings of the source `stdin`.
pub(crate) const STDIN_SETTINGS: &[Setting] = &[
    FORMAT,
    KEY,
    TIMESTAMP,
    NULL,
    Setting::new("multiline", Kind::Flag, Fallback::Found("`true` of CSV"), MULTILINE_ABOUT),
    ON_ERROR_SETTING,
    Setting::new(
        "header",
        Kind::Text,
        Fallback::Nothing,
        "What the first row of CSV is, said beforehand for plugins that are opened with it.",
    ),
];

/// The settings of a file source.
#[derive(Clone, Debug)]
pub(super) struct FileOptions {
    /// The job file's folder: what paths in messages and splits are relative to.
    pub base_dir: PathBuf,
    /// The glob as the job file has it; of standard input what messages call it.
    pub path: String,
    pub format: Format,
    /// Column or field of the key.
    pub key: Option<String>,
    /// Where the timestamp is, and how it is written.
    pub timestamp: Option<Timestamps>,
    /// Texts that make a CSV cell absent.
    pub null: Vec<String>,
    /// Whether CSV cells may hold line breaks; `None`: found out from each file's beginning.
    pub multiline: Option<bool>,
    /// Bytes of the ranges that plain files are cut into; `None`: a file stays whole, and its rows in order.
    pub split: Option<u64>,
    pub on_error: OnError,
    /// Files are read on as they grow, and new ones as they come.
    pub follow: bool,
}

impl FileOptions {
    /// Reads the settings; gives them back with their defaults.
    pub(super) fn read(settings: &Map<String, Value>, base_dir: &Path) -> Result<(Self, Map<String, Value>), SettingsError> {
        let mut settings = Settings::of_source("file", FILE_SETTINGS, settings);
        let path = settings.path("path")?;
        let base_dir = std::path::absolute(base_dir).map_err(|e| SettingsError::at("path", format!("{}: {e}", base_dir.display())))?;
        let follow = settings.flag("follow")?;
        let mut options = Self::of_rows(&mut settings, path, base_dir)?;
        options.split = settings.optional_size("split")?;
        options.follow = follow;
        if follow && options.split.is_some() {
            let message = "`split` has no meaning with `follow = true`: what grows cannot be cut into ranges";
            return Err(SettingsError::at("split", message).with_hint("leave one of the two out"));
        }
        if options.multiline == Some(true) && options.split.is_some() {
            let message = "`split` has no meaning with `multiline = true`: where a row begins shows only from the file's beginning on";
            return Err(SettingsError::at("split", message).with_hint("leave one of the two out"));
        }
        if options.split.is_some() && options.needs_whole_files() {
            let on_error = options.on_error.name();
            let message = format!(
                "`split` and `on-error = \"{on_error}\"` need `multiline = false`: whether a row behind a bad one is the inside of a cell shows only in a file that is read as a whole"
            );
            let hint = "say `multiline = false` where no cell holds a line end; else leave `split` out, or let bad rows fail the job";
            return Err(SettingsError::at("split", message).with_hint(hint));
        }
        Ok((options, settings.finish()?))
    }

    /// True where ranges of a file cannot be read: bad CSV rows are gone on behind, and nobody has said that no cell holds a line end. A cell
    /// that has lost a mark may lie in two ranges, and neither sees all of it.
    pub(super) fn needs_whole_files(&self) -> bool {
        self.format == Format::Csv && self.on_error != OnError::Fail && self.multiline != Some(false)
    }

    /// True where `on-error` would be refused with these settings unless `multiline = false` is said.
    pub(super) fn on_error_needs_lines(&self) -> bool {
        self.format == Format::Csv && self.split.is_some() && self.multiline != Some(false)
    }

    /// Reads what says how rows are read, of whatever holds them.
    pub(super) fn of_rows(settings: &mut Settings<'_>, path: String, base_dir: PathBuf) -> Result<Self, SettingsError> {
        let formats = [("lines", Format::Lines), ("csv", Format::Csv), ("jsonl", Format::JsonLines)];
        let format = settings.choice("format", &formats)?;
        let options = Self {
            base_dir,
            path,
            format,
            key: settings.optional_text("key")?,
            timestamp: Timestamps::read(settings)?,
            null: settings.texts("null")?,
            multiline: settings.optional_flag("multiline")?,
            split: None,
            follow: false,
            on_error: settings.choice("on-error", &ON_ERROR.map(|choice| (choice.name(), choice)))?,
        };
        let without_meaning: &[&str] = match format {
            Format::Lines => &["key", "timestamp", "null", "multiline"],
            Format::Csv => &[],
            Format::JsonLines => &["null", "multiline"],
        };
        if let Some(name) = without_meaning.iter().find(|name| settings.is_given(name)) {
            let message = format!("`{name}` has no meaning with `format = \"{}\"`", format.name());
            return Err(SettingsError::at(name, message).with_hint("say `format = \"csv\"`, or leave it out"));
        }
        Ok(options)
    }

    /// What must not change while checkpoints are resumed.
    pub(super) fn identity(&self) -> Value {
        let mut identity = json!({
            "connector": "file", "path": self.path, "format": self.format.name(), "key": self.key,
            "timestamp": self.timestamp.as_ref().map(Timestamps::identity), "null": self.null, "multiline": self.multiline,
        });
        // Checkpoints of earlier versions know nothing of it.
        if self.follow {
            identity["follow"] = true.into();
        }
        identity
    }
}
