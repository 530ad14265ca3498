//! Reads a connector's table of the job file. Every setting is asked for by name exactly once; what was not asked for is
//! refused with its nearest neighbour, and what was asked for is kept with its default filled in, so that `weir check` can show it.

pub(crate) mod steps;
pub(crate) mod table;

use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// A setting that cannot be used as it stands in the job file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// The setting's name in the connector's table, where it is about one.
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

    /// Adds what the user can do.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What every source may say, whatever its connector; and what every step may. The job file reads these, so a connector is never given one.
const SOURCE_SETTINGS: &[&str] = &["parallelism", "rate", "replay", "was"];
const STEP_SETTINGS: &[&str] = &["parallelism", "was"];

/// The settings of one connector while they are being read.
pub(crate) struct Settings<'a> {
    owner: &'static str,
    given: &'a Map<String, Value>,
    effective: Map<String, Value>,
}

impl<'a> Settings<'a> {
    /// `owner` is how messages call the connector: "the source `file`".
    pub(crate) fn new(owner: &'static str, given: &'a Map<String, Value>) -> Self {
        Self { owner, given, effective: Map::new() }
    }

    /// A text that must be given.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, SettingsError> {
        let owner = self.owner;
        self.optional_text(name)?.ok_or_else(|| SettingsError::at(name, format!("{owner} needs `{name}`")))
    }

    /// A path that must be given.
    pub(crate) fn path(&mut self, name: &str) -> Result<String, SettingsError> {
        let path = self.text(name)?;
        if path.is_empty() {
            return Err(SettingsError::at(name, format!("`{name}` of {} is empty", self.owner)));
        }
        Ok(path)
    }

    /// A text that may be absent.
    pub(crate) fn optional_text(&mut self, name: &str) -> Result<Option<String>, SettingsError> {
        self.read(name, "a text", Value::Null, |value| value.as_str().map(str::to_string))
    }

    /// One of a few words; the first is the default.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<T, SettingsError> {
        let words = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let pick = |value: &Value| choices.iter().find(|(word, _)| value == word).map(|(_, choice)| *choice);
        Ok(self.read(name, &format!("one of {words}"), choices[0].0.into(), pick)?.unwrap_or(choices[0].1))
    }

    /// A whole number that must be given or has a default.
    pub(crate) fn whole(&mut self, name: &str, default: u64, range: RangeInclusive<u64>) -> Result<u64, SettingsError> {
        Ok(self.read_whole(name, default.into(), range)?.unwrap_or(default))
    }

    /// A whole number that may be absent.
    pub(crate) fn optional_whole(&mut self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, SettingsError> {
        self.read_whole(name, Value::Null, range)
    }

    fn read_whole(&mut self, name: &str, default: Value, range: RangeInclusive<u64>) -> Result<Option<u64>, SettingsError> {
        let expected = match *range.end() {
            u64::MAX => format!("a whole number of at least {}", range.start()),
            end => format!("a whole number from {} to {end}", range.start()),
        };
        self.read(name, &expected, default, |value| value.as_u64().filter(|number| range.contains(number)))
    }

    /// A number of bytes such as "64MiB", of at least so many, that may be absent.
    pub(crate) fn optional_size(&mut self, name: &str, least: u64) -> Result<Option<u64>, SettingsError> {
        let expected = format!("a size of at least {} such as \"64MiB\"", bytesize::ByteSize(least));
        let size = |value: &Value| value.as_str()?.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64());
        self.read(name, &expected, Value::Null, |value| size(value).filter(|&size| size >= least))
    }

    /// Yes or no, or absent.
    pub(crate) fn optional_flag(&mut self, name: &str) -> Result<Option<bool>, SettingsError> {
        self.read(name, "true or false", Value::Null, Value::as_bool)
    }

    /// A list of texts, empty where it is absent.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, SettingsError> {
        let all = |value: &Value| value.as_array()?.iter().map(|item| item.as_str().map(str::to_string)).collect();
        Ok(self.read(name, "a list of texts", Value::Array(Vec::new()), all)?.unwrap_or_default())
    }

    /// A setting that is promised but not built: only its default may be said, and it is shown only where it is.
    pub(crate) fn not_built(&mut self, name: &str, default: &Value) -> Result<(), SettingsError> {
        match self.given.get(name) {
            Some(given) if given != default => {
                Err(SettingsError::at(name, format!("`{name} = {given}` of {} is not built yet", self.owner))
                    .with_hint(format!("leave it out, or say `{name} = {default}`")))
            }
            Some(_) => {
                self.effective.insert(name.into(), default.clone());
                Ok(())
            }
            None => Ok(()),
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

    /// All settings with defaults filled in, or an error about the first one that nobody asked for.
    pub(crate) fn finish(self) -> Result<Map<String, Value>, SettingsError> {
        if let Some(unknown) = self.given.keys().find(|name| !self.effective.contains_key(*name)) {
            let of_steps = if self.owner.starts_with("the source") { SOURCE_SETTINGS } else { STEP_SETTINGS };
            let known = self.effective.keys().map(String::as_str).chain(of_steps.iter().copied());
            let hint = suggest(unknown, known, "settings");
            return Err(SettingsError::at(unknown, format!("{} has no setting `{unknown}`", self.owner)).with_hint(hint));
        }
        Ok(self.effective)
    }

    fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        default: Value,
        take: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, SettingsError> {
        let Some(given) = self.given.get(name) else {
            self.effective.insert(name.into(), default);
            return Ok(None);
        };
        self.effective.insert(name.into(), given.clone());
        let wrong = || SettingsError::at(name, format!("`{name}` of {} must be {expected}, not {given}", self.owner));
        take(given).map(Some).ok_or_else(wrong)
    }
}

/// The known word that `word` was probably meant to be, else all known words.
pub(crate) fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>, what: &str) -> String {
    let known: Vec<&str> = known.collect();
    let distance = |candidate: &str| strsim::damerau_levenshtein(word, candidate);
    let nearest = known.iter().copied().filter(|candidate| distance(candidate) <= 1 + candidate.len() / 4).min_by_key(|c| distance(c));
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => format!("there are no {what} here"),
        None => format!("known {what}: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_nearest_neighbour() {
        let given = map(json!({ "path": "x", "fromat": "csv" }));
        let mut settings = Settings::new("the source `file`", &given);
        settings.text("path").unwrap();
        settings.optional_text("format").unwrap();
        let error = settings.finish().unwrap_err();
        assert_eq!((error.field.as_deref(), error.hint.as_deref()), (Some("fromat"), Some("did you mean `format`?")));
        assert_eq!(error.to_string(), "the source `file` has no setting `fromat`");
        // What every source has is known too.
        let hint = |owner, name: &str| Settings::new(owner, &map(json!({ name: 5 }))).finish().unwrap_err().hint;
        assert_eq!(hint("the source `file`", "rat").as_deref(), Some("did you mean `rate`?"));
        assert_eq!(hint("the sink `stdout`", "rat").as_deref(), Some("known settings: parallelism, was"));
    }

    #[test]
    fn defaults_are_part_of_the_effective_settings() {
        let given = map(json!({ "keys": 3 }));
        let mut settings = Settings::new("the source `generator`", &given);
        assert_eq!(settings.whole("keys", 100, 1..=1000).unwrap(), 3);
        assert_eq!(settings.whole("seed", 1, 0..=u64::MAX).unwrap(), 1);
        assert_eq!(Value::Object(settings.finish().unwrap()), json!({ "keys": 3, "seed": 1 }));
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_setting_and_expectation() {
        let given = map(json!({ "keys": -1 }));
        let error = Settings::new("the source `generator`", &given).whole("keys", 100, 1..=1000).unwrap_err();
        assert_eq!(error.to_string(), "`keys` of the source `generator` must be a whole number from 1 to 1000, not -1");
    }

    #[test]
    fn a_setting_that_is_not_built_takes_only_its_default() {
        let given = map(json!({ "follow": true }));
        let error = Settings::new("the source `file`", &given).not_built("follow", &json!(false)).unwrap_err();
        assert_eq!(
            (error.field.as_deref(), error.message.as_str()),
            (Some("follow"), "`follow = true` of the source `file` is not built yet")
        );
        let given = map(json!({ "follow": false }));
        assert!(Settings::new("the source `file`", &given).not_built("follow", &json!(false)).is_ok());
    }
}
