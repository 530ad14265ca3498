//! Reads what connectors with a client have to say: texts that have to be there, times, tables, and what has a rule of its own.

use super::table::{Fallback, Kind, Setting};
use super::{Settings, SettingsError};
use serde_json::{Map, Value};
use std::time::Duration;
use weir_secrets::{SecretError, Template};

/// What every sink that publishes behind checkpoints may be told.
pub(crate) const MAX_UNPUBLISHED: Setting = Setting::new(
    "max-unpublished",
    Kind::size(1, u64::MAX, ""),
    Fallback::Value("1GiB"),
    "How many bytes of the output of complete checkpoints may wait to be published. With as much the sink stops behind its next barrier, and the job in front of it, until some of it is. It lies in the job's storage.",
);

impl Settings<'_> {
    /// A text that must be given and is not empty.
    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, SettingsError> {
        match self.optional_text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(SettingsError::at(name, format!("`{name}` of {} is empty", self.owner))),
            None => Err(self.missing(name)),
        }
    }

    /// A text of which nothing is shown that the job file does not say; it is read anew whenever it is used. `None`: it is absent. A password that is written out,
    /// as one or within an address, is shown as stars.
    pub(crate) fn secret(&mut self, name: &str) -> Result<Option<Template>, SettingsError> {
        assert_eq!(self.setting(name).kind, Kind::Text, "{name}");
        let Some(given) = self.given.get(name) else {
            self.show(name, Value::Null);
            return Ok(None);
        };
        let unread =
            |owner: &str, error: &SecretError| SettingsError::at(name, format!("`{name}` of {owner}: {error}")).with_hint(error.hint());
        let template = weir_secrets::template_of(given)
            .ok_or_else(|| SettingsError::at(name, format!("`{name}` of {} must be a text", self.owner)))?;
        let template = template.map_err(|error| unread(&self.owner, &error))?;
        template.secret().map_err(|error| unread(&self.owner, &error))?;
        let shown = match given.as_str() {
            Some(written) if name == "password" && weir_secrets::is_written(written) => "***".into(),
            Some(written) => weir_secrets::without_passwords(written).into(),
            None => given.clone(),
        };
        self.show(name, shown);
        Ok(Some(template))
    }

    /// What has a rule of its own; `None`: it is absent.
    pub(crate) fn other<T>(&mut self, name: &str, expected: &str, take: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, SettingsError> {
        assert!(matches!(self.setting(name).kind, Kind::Other(_)), "{name}");
        self.read(name, expected, take)
    }

    /// The table that a setting with a rule of its own may be, with these settings; whoever reads it shows what it has come to.
    pub(crate) fn table(&self, name: &str, table: &'static [Setting]) -> Option<Self> {
        assert!(matches!(self.setting(name).kind, Kind::Other(_)), "{name}");
        let given = self.given.get(name)?.as_object()?;
        Some(Self { owner: format!("`{name}` of {}", self.owner), table, of_steps: &[], given, effective: Map::new() })
    }

    /// A duration that has a default.
    pub(crate) fn duration(&mut self, name: &str) -> Result<Duration, SettingsError> {
        let Kind::Duration(within) = self.setting(name).kind else { panic!("`{name}` is no duration") };
        let duration =
            |value: &Value| humantime::parse_duration(value.as_str()?).ok().filter(|time| (within.least..=within.most).contains(time));
        let expected =
            format!("a duration from {} to {}", humantime::format_duration(within.least), humantime::format_duration(within.most));
        let given = self.read(name, &expected, duration)?;
        Ok(given.unwrap_or_else(|| duration(&self.default(name)).expect("the default is a duration")))
    }

    /// A number of bytes that has a default.
    pub(crate) fn size(&mut self, name: &str) -> Result<u64, SettingsError> {
        let given = self.optional_size(name)?;
        let default = || self.default(name).as_str().and_then(|size| size.parse::<bytesize::ByteSize>().ok()).map(|size| size.as_u64());
        Ok(given.or_else(default).expect("the default is a size"))
    }

    /// One word, or nothing.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "Kafka's settings alone are of that kind"))]
    pub(crate) fn is_said(&mut self, name: &str) -> Result<bool, SettingsError> {
        let Kind::Choice([word]) = self.setting(name).kind else { panic!("`{name}` is not one word") };
        let given = self.read(name, &format!("\"{word}\""), |value| (value == word).then_some(()))?;
        Ok(given.is_some())
    }

    /// A text that has a default.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, SettingsError> {
        let given = self.optional_text(name)?;
        Ok(given.unwrap_or_else(|| self.default(name).as_str().expect("the default is a text").to_owned()))
    }
}
