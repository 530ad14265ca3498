//! The times of rows: which column or field they stand in, and how they are written there. In whatever notation, a time is milliseconds since 1970 in UTC,
//! rounded down, and what later times say is never smaller.

mod first_times;
mod local;
mod pattern;
mod rfc3339;
mod setting;
mod unix;

pub use setting::SETTINGS;

use super::options::Format;
use super::rows::RowError;
use crate::settings::{Settings, SettingsError};
use first_times::FirstTimes;
use jiff::tz::TimeZone;
use pattern::Pattern;
use serde_json::{Value, json};
use std::sync::Arc;
use unix::Unit;
use weir_engine::element::NO_TIMESTAMP;

/// Bytes of a text that are shown where it is no time.
const SHOWN_BYTES: usize = 40;

/// Where the time of a row stands, and how.
#[derive(Clone, Debug)]
pub(crate) struct Timestamps {
    /// The column (CSV) or the field (JSON).
    pub field: String,
    notation: Notation,
    /// What local times without an offset are times of.
    zone: Option<Zone>,
    /// What the first of them look like, those of all clones together.
    first: Arc<FirstTimes>,
}

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Notation {
    /// RFC 3339, or integer milliseconds since 1970.
    Either,
    /// RFC 3339 alone.
    Rfc3339,
    /// A number of these since 1970.
    Unix(Unit),
    /// As a pattern says.
    Pattern(Pattern),
}

/// A time zone under the name that the job file has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Zone {
    name: String,
    rules: TimeZone,
}

impl Timestamps {
    /// What the setting `timestamp` says.
    pub(crate) fn read(settings: &mut Settings<'_>) -> Result<Option<Self>, SettingsError> {
        setting::read(settings)
    }

    /// Those of `field`, in RFC 3339 or integer milliseconds.
    pub(super) fn of(field: String) -> Self {
        Self::new(field, Notation::Either, None)
    }

    fn new(field: String, notation: Notation, zone: Option<Zone>) -> Self {
        Self { field, notation, zone, first: Arc::default() }
    }

    /// Milliseconds since 1970, rounded down; `None` where the text is no time, and [`Self::refused`] says why.
    #[inline]
    pub(super) fn parse(&self, text: &[u8]) -> Option<i64> {
        let zone = self.zone.as_ref().map(|zone| &zone.rules);
        let time = match &self.notation {
            Notation::Either => rfc3339::parse_either(text, zone),
            Notation::Rfc3339 => rfc3339::parse(text, zone),
            Notation::Unix(unit) => unix::parse(text, *unit),
            Notation::Pattern(pattern) => pattern.parse(text, zone),
        };
        let time = time.filter(|time| *time != NO_TIMESTAMP)?;
        self.first.look(&self.field, &self.notation, text, time);
        Some(time)
    }

    /// Why the first times that were read are probably written in another way than the setting says.
    pub(super) fn doubt(&self) -> Option<&str> {
        self.first.doubt()
    }

    /// The same, once: for whoever tells the user of it.
    pub(super) fn take_doubt(&self) -> Option<&str> {
        self.first.take_doubt()
    }

    /// What is wrong with a text that is no time.
    #[cold]
    pub(super) fn refused(&self, text: &[u8]) -> RowError {
        let shown = text[..text.len().min(SHOWN_BYTES)].escape_ascii();
        RowError::new(format!("the timestamp \"{shown}\" of `{}` {}", self.field, self.why_not(text)))
    }

    fn why_not(&self, text: &[u8]) -> String {
        let civil = match &self.notation {
            Notation::Either | Notation::Rfc3339 => rfc3339::civil(text),
            Notation::Pattern(pattern) => pattern.civil(text),
            Notation::Unix(_) => None,
        };
        if let (Some(civil), Some(zone)) = (civil, &self.zone)
            && local::is_left_out(civil, &zone.rules)
        {
            return format!("does not exist in {}: clocks were put forward over it", zone.name);
        }
        match &self.notation {
            Notation::Either | Notation::Rfc3339 if self.zone.is_none() && rfc3339::civil(text).is_some() => {
                format!("says no offset: `timestamp = {{ field = \"{}\", zone = \"UTC\" }}` says where it is from", self.field)
            }
            Notation::Either => "is neither RFC 3339 nor integer milliseconds".into(),
            Notation::Rfc3339 => "is not RFC 3339".into(),
            Notation::Unix(unit) => format!("is no number of {} since 1970 that fits", unit.name()),
            Notation::Pattern(pattern) => match pattern.with_fraction(text) {
                Some(with) => format!("is not written as `{}`, and is as `{with}`: `%.f` is a fraction of a second", pattern.text()),
                None => format!("is not written as `{}`", pattern.text()),
            },
        }
    }

    /// For `weir check`.
    pub(super) fn text(&self, format: Format) -> String {
        let place = match format {
            Format::Lines | Format::Csv => "column",
            Format::JsonLines => "field",
        };
        let zone = self.zone.as_ref().map(|zone| format!(", in {} where it says no offset", zone.name)).unwrap_or_default();
        format!("the {place} `{}` ({}{zone})", self.field, self.notation.text())
    }

    /// What must not change while checkpoints are resumed. Where only a field is said it is that, as it always was.
    pub(crate) fn identity(&self) -> Value {
        match (&self.notation, &self.zone) {
            (Notation::Either, None) => self.field.clone().into(),
            (notation, zone) => json!({ "field": self.field, "format": notation.word(), "zone": zone.as_ref().map(|zone| &zone.name) }),
        }
    }
}

impl Notation {
    fn text(&self) -> String {
        match self {
            Self::Either => "RFC 3339 or integer milliseconds".into(),
            Self::Rfc3339 => "RFC 3339".into(),
            Self::Unix(unit) => format!("{} since 1970", unit.name()),
            Self::Pattern(pattern) => format!("as `{}`", pattern.text()),
        }
    }

    /// As `format` says it.
    fn word(&self) -> Option<&str> {
        match self {
            Self::Either => None,
            Self::Rfc3339 => Some("rfc3339"),
            Self::Unix(unit) => Some(unit.word()),
            Self::Pattern(pattern) => Some(pattern.text()),
        }
    }
}

#[cfg(test)]
mod tests;
