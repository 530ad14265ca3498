//! Reads a connector's table of the job file as its table of settings says: what that does not have is refused with its nearest neighbour, and what is read is kept with
//! its default filled in, so that `weir check` can show it.
//!
//! Texts are read as they are now: what stands for a variable or for a file in them is shown as it is written.

#[cfg(any(feature = "kafka", feature = "postgres"))]
mod clients;
#[cfg(any(feature = "kafka", feature = "postgres"))]
pub(crate) use clients::MAX_UNPUBLISHED;
pub(crate) mod steps;
pub(crate) mod table;
#[cfg(any(feature = "kafka", feature = "postgres"))]
pub(crate) mod tls;

use serde_json::{Map, Value};
use steps::{PARALLELISM, SINK_STEP, SOURCE_STEP};
use table::{Fallback, Kind, Setting};
use weir_secrets::SecretError;

/// Values of choices that are to come.
const LATER: [(&str, &str); 2] = [("format", "avro"), ("format", "parquet")];

/// A setting that cannot be used as it stands in the job file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// The setting's name in the connector's table, where it is about one; of a table within that, `table.name`.
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
}

impl SettingsError {
    /// An error about the setting `field`.
    pub(crate) fn at(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), message: message.into(), hint: None }
    }

    /// The same of a setting of the table `name`.
    pub(crate) fn within(self, name: &str) -> Self {
        let field = self.field.map_or_else(|| name.to_owned(), |field| format!("{name}.{field}"));
        Self { field: Some(field), ..self }
    }

    /// Adds what the user can do.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A setting that is a text, or a table that says more.
pub(crate) enum TextOrTable<'a> {
    Text(String),
    /// While it is being read; whoever reads it shows what it has come to.
    Table(Settings<'a>),
}

/// The settings of one connector while they are being read.
pub(crate) struct Settings<'a> {
    /// How messages call the connector: "the source `file`".
    owner: String,
    /// The connector's own.
    table: &'static [Setting],
    /// Those of every step of its kind.
    of_steps: &'static [Setting],
    given: &'a Map<String, Value>,
    effective: Map<String, Value>,
}

impl<'a> Settings<'a> {
    /// Those of the source connector `name`, which has this table of settings.
    pub(crate) fn of_source(name: &str, table: &'static [Setting], given: &'a Map<String, Value>) -> Self {
        Self { owner: format!("the source `{name}`"), table, of_steps: SOURCE_STEP, given, effective: Map::new() }
    }

    /// Those of the sink connector `name`, which has this table of settings.
    pub(crate) fn of_sink(name: &str, table: &'static [Setting], given: &'a Map<String, Value>) -> Self {
        Self { owner: format!("the sink `{name}`"), table, of_steps: SINK_STEP, given, effective: Map::new() }
    }

    /// A path that must be given.
    pub(crate) fn path(&mut self, name: &str) -> Result<String, SettingsError> {
        assert_eq!(self.setting(name).kind, Kind::Path, "{name}");
        let path = self.read(name, "a text", |value| value.as_str().map(str::to_string))?;
        let path = path.ok_or_else(|| self.missing(name))?;
        if path.is_empty() {
            return Err(SettingsError::at(name, format!("`{name}` of {} is empty", self.owner)));
        }
        // It would be a folder of that name.
        if let Some((scheme, _)) = path.split_once("://") {
            let message = format!("`{name}` of {} on `{scheme}:` is not built yet", self.owner);
            return Err(SettingsError::at(name, message).with_hint("name a file or a folder of this machine"));
        }
        Ok(path)
    }

    /// A text that may be absent.
    pub(crate) fn optional_text(&mut self, name: &str) -> Result<Option<String>, SettingsError> {
        assert_eq!(self.setting(name).kind, Kind::Text, "{name}");
        self.read(name, "a text", |value| value.as_str().map(str::to_string))
    }

    /// A text, or a table that has these settings, or nothing.
    pub(crate) fn text_or_table(&mut self, name: &str, table: &'static [Setting]) -> Result<Option<TextOrTable<'a>>, SettingsError> {
        assert!(matches!(self.setting(name).kind, Kind::Other(_)), "{name}");
        if let Some(given) = self.given.get(name).and_then(Value::as_object) {
            let owner = format!("`{name}` of {}", self.owner);
            let (of_steps, effective): (&[Setting], _) = (&[], Map::new());
            return Ok(Some(TextOrTable::Table(Settings { owner, table, of_steps, given, effective })));
        }
        let text = self.read(name, "a text or a table", |value| value.as_str().map(str::to_string))?;
        Ok(text.map(TextOrTable::Text))
    }

    /// One of a few words, which has a default.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&'static str, T)]) -> Result<T, SettingsError> {
        let Kind::Choice(known) = self.setting(name).kind else { panic!("`{name}` is no choice") };
        assert!(choices.iter().map(|(word, _)| word).eq(known), "`{name}` is read as another choice than its table says");
        let words = known.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        if let Some(later) = self.given.get(name).and_then(Value::as_str).filter(|given| LATER.contains(&(name, given))) {
            let message = format!("`{name} = \"{later}\"` of {} is not built yet", self.owner);
            return Err(SettingsError::at(name, message).with_hint(format!("it is one of {words}")));
        }
        let pick = |value: &Value| choices.iter().find(|(word, _)| value == word).map(|(_, choice)| *choice);
        let given = self.read(name, &format!("one of {words}"), pick)?;
        Ok(given.unwrap_or_else(|| pick(&self.default(name)).expect("the default is one of them")))
    }

    /// A whole number that has a default.
    pub(crate) fn whole(&mut self, name: &str) -> Result<u64, SettingsError> {
        let given = self.optional_whole(name)?;
        Ok(given.unwrap_or_else(|| self.default(name).as_u64().expect("the default is a whole number")))
    }

    /// A whole number that may be absent.
    pub(crate) fn optional_whole(&mut self, name: &str) -> Result<Option<u64>, SettingsError> {
        let Kind::Whole { least, most } = self.setting(name).kind else { panic!("`{name}` is no whole number") };
        let expected = match most {
            u64::MAX => format!("a whole number of at least {least}"),
            most => format!("a whole number from {least} to {most}"),
        };
        self.read(name, &expected, |value| value.as_u64().filter(|number| (least..=most).contains(number)))
    }

    /// A number of bytes such as "64MiB" that may be absent.
    pub(crate) fn optional_size(&mut self, name: &str) -> Result<Option<u64>, SettingsError> {
        let Kind::Size(within) = self.setting(name).kind else { panic!("`{name}` is no size") };
        let expected = format!("a size of at least {} such as \"64MiB\"", bytesize::ByteSize(within.least));
        let size = |value: &Value| value.as_str()?.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64());
        self.read(name, &expected, |value| size(value).filter(|size| (within.least..=within.most).contains(size)))
    }

    /// Yes or no, or absent.
    pub(crate) fn optional_flag(&mut self, name: &str) -> Result<Option<bool>, SettingsError> {
        assert_eq!(self.setting(name).kind, Kind::Flag, "{name}");
        self.read(name, "true or false", Value::as_bool)
    }

    /// Yes, or no where it is absent.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, SettingsError> {
        Ok(self.optional_flag(name)?.unwrap_or(false))
    }

    /// A list of texts, empty where it is absent.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, SettingsError> {
        assert_eq!(self.setting(name).kind, Kind::Texts, "{name}");
        let all = |value: &Value| value.as_array()?.iter().map(|item| item.as_str().map(str::to_string)).collect();
        Ok(self.read(name, "a list of texts", all)?.unwrap_or_default())
    }

    /// The error of a setting that has to be said and is not: where the job file has one that there is none of and that is nearly called so, that is what is wrong.
    pub(crate) fn missing(&self, name: &str) -> SettingsError {
        let is_unknown = |given: &&String| self.table.iter().all(|setting| setting.name != given.as_str());
        match self.given.keys().filter(is_unknown).find(|given| is_near(given, name)) {
            Some(given) => {
                let message = format!("{} has no setting `{given}`, and needs `{name}`", self.owner);
                SettingsError::at(given, message).with_hint(format!("did you mean `{name}`?"))
            }
            None => SettingsError::at(name, format!("{} needs `{name}`", self.owner)),
        }
    }

    /// True where the job file says this setting.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Shows `value` as the effective one: a default that has been found out.
    pub(crate) fn show(&mut self, name: &str, value: impl Into<Value>) {
        self.effective.insert(name.into(), value.into());
    }

    /// All settings with defaults filled in, or an error about the first one that their table does not have.
    pub(crate) fn finish(self) -> Result<Map<String, Value>, SettingsError> {
        if let Some(unknown) = self.given.keys().find(|name| self.table.iter().all(|setting| setting.name != **name)) {
            // What a step has to say anyway, nobody meant.
            let of_steps =
                self.of_steps.iter().filter(|setting| matches!(setting.fallback, Fallback::Nothing) || setting.kind == PARALLELISM);
            let hint = suggest(unknown, self.table.iter().chain(of_steps).map(|setting| setting.name), "settings");
            return Err(SettingsError::at(unknown, format!("{} has no setting `{unknown}`", self.owner)).with_hint(hint));
        }
        Ok(self.effective)
    }

    fn setting(&self, name: &str) -> &'static Setting {
        Setting::of(self.table, name)
    }

    /// What holds where the file does not say it; null: nothing.
    fn default(&self, name: &str) -> Value {
        let setting = self.setting(name);
        match (setting.fallback, setting.kind) {
            (Fallback::Value(text), Kind::Flag | Kind::Whole { .. } | Kind::Texts) => text.parse().expect("the default is JSON"),
            (Fallback::Value(text), _) => text.into(),
            (Fallback::Required(_) | Fallback::Nothing | Fallback::Found(_), _) => Value::Null,
        }
    }

    fn read<T>(&mut self, name: &str, expected: &str, take: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, SettingsError> {
        let Some(given) = self.given.get(name) else {
            self.effective.insert(name.into(), self.default(name));
            return Ok(None);
        };
        // What is shown, and kept with checkpoints, is what the job file has, and not what that stands for by now.
        self.effective.insert(name.into(), given.clone());
        let unread = |error: SecretError| SettingsError::at(name, format!("`{name}` of {}: {error}", self.owner)).with_hint(error.hint());
        let now = weir_secrets::expanded(given).map_err(unread)?;
        let wrong = || SettingsError::at(name, format!("`{name}` of {} must be {expected}, not {given}", self.owner));
        take(&now).map(Some).ok_or_else(wrong)
    }
}

/// The known word that `word` was probably meant to be, else all known words.
pub(crate) fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>, what: &str) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => format!("there are no {what} here"),
        None => format!("known {what}: {}", known.join(", ")),
    }
}

/// The known word that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.filter(|known| is_near(word, known)).min_by_key(|known| strsim::damerau_levenshtein(word, known))
}

/// True where `word` was probably meant to be this known one.
fn is_near(word: &str, known: &str) -> bool {
    strsim::damerau_levenshtein(word, known) <= 1 + known.len() / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    const KEYS: Setting = Setting::new("keys", Kind::Whole { least: 1, most: 1000 }, Fallback::Value("100"), "");
    const FILE: &[Setting] = &[
        Setting::new("path", Kind::Path, Fallback::Required("\"x\""), ""),
        Setting::new("format", Kind::Text, Fallback::Nothing, ""),
        Setting::new("follow", Kind::Flag, Fallback::Value("false"), ""),
    ];
    const GENERATOR: &[Setting] = &[KEYS, Setting::new("seed", Kind::Whole { least: 0, most: u64::MAX }, Fallback::Value("1"), "")];

    #[test]
    fn a_setting_that_has_to_be_said_and_is_mistyped_is_named_with_what_it_was_meant_to_be() {
        let refused = |said: Value| {
            let given = map(said);
            let error = Settings::of_source("file", FILE, &given).path("path").expect_err("it is not there");
            (error.field.clone().unwrap_or_default(), error.to_string(), error.hint)
        };
        let (field, said, hint) = refused(json!({ "pth": "x" }));
        assert_eq!((field.as_str(), hint.as_deref()), ("pth", Some("did you mean `path`?")));
        assert_eq!(said, "the source `file` has no setting `pth`, and needs `path`");
        assert_eq!(refused(json!({ "format": "x", "elsewhere": "y" })), ("path".into(), "the source `file` needs `path`".into(), None));
    }

    #[test]
    fn what_is_to_come_is_refused_by_name() {
        const WRITES: &[Setting] = &[
            Setting::new("path", Kind::Path, Fallback::Required("\"x\""), ""),
            Setting::new("format", Kind::Choice(&["lines"]), Fallback::Value("lines"), ""),
        ];
        let refused = |said: Value| {
            let given = map(said);
            let mut settings = Settings::of_sink("file", WRITES, &given);
            settings.path("path").and_then(|_| settings.choice("format", &[("lines", ())])).expect_err("it is not there").to_string()
        };
        for scheme in ["s3", "gs", "https"] {
            let said = refused(json!({ "path": format!("{scheme}://bucket/out") }));
            assert_eq!(said, format!("`path` of the sink `file` on `{scheme}:` is not built yet"));
        }
        assert_eq!(refused(json!({ "path": "x", "format": "parquet" })), "`format = \"parquet\"` of the sink `file` is not built yet");
        assert_eq!(refused(json!({ "path": "x", "format": "avro" })), "`format = \"avro\"` of the sink `file` is not built yet");
        assert!(!refused(json!({ "path": "x", "format": "lnes" })).contains("not built yet"));
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_nearest_neighbour() {
        let given = map(json!({ "path": "x", "fromat": "csv" }));
        let mut settings = Settings::of_source("file", FILE, &given);
        settings.path("path").unwrap();
        settings.optional_text("format").unwrap();
        let error = settings.finish().unwrap_err();
        assert_eq!((error.field.as_deref(), error.hint.as_deref()), (Some("fromat"), Some("did you mean `format`?")));
        assert_eq!(error.to_string(), "the source `file` has no setting `fromat`");
        // What every step of its kind has is known too.
        let given = map(json!({ "rat": 5 }));
        let hint = |settings: Settings<'_>| settings.finish().unwrap_err().hint;
        assert_eq!(hint(Settings::of_source("file", &[], &given)).as_deref(), Some("did you mean `rate`?"));
        assert_eq!(hint(Settings::of_sink("stdout", &[], &given)).as_deref(), Some("known settings: parallelism, was"));
    }

    #[test]
    fn defaults_are_part_of_the_effective_settings() {
        let given = map(json!({ "keys": 3 }));
        let mut settings = Settings::of_source("generator", GENERATOR, &given);
        assert_eq!(settings.whole("keys").unwrap(), 3);
        assert_eq!(settings.whole("seed").unwrap(), 1);
        assert_eq!(Value::Object(settings.finish().unwrap()), json!({ "keys": 3, "seed": 1 }));
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_setting_and_expectation() {
        let given = map(json!({ "keys": -1 }));
        let error = Settings::of_source("generator", GENERATOR, &given).whole("keys").unwrap_err();
        assert_eq!(error.to_string(), "`keys` of the source `generator` must be a whole number from 1 to 1000, not -1");
    }
}
