//! The setting `timestamp`: a column or field, or a table that says more of it.

use super::pattern::Pattern;
use super::unix::Unit;
use super::{Notation, Timestamps, Zone};
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError, TextOrTable, suggest};
use jiff::tz::{self, TimeZone};

const ABOUT_FORMAT: &str = "How it is written there: `\"rfc3339\"`; a number of seconds or parts of a second since 1970, `\"unix-s\"`, `\"unix-ms\"`, `\"unix-us\"` or `\"unix-ns\"`; or a pattern such as `\"%d/%b/%Y:%H:%M:%S %z\"`.";
const ABOUT_ZONE: &str = "The time zone of times that say no offset: `\"Europe/Berlin\"`. What exists twice is the earlier one; what does not exist cannot be read.";

/// The table.
pub const SETTINGS: &[Setting] = &[
    Setting::new("field", Kind::Text, Fallback::Required("\"ts\""), "The column or field that is the time."),
    Setting::new("format", Kind::Text, Fallback::Found("RFC 3339 or integer milliseconds"), ABOUT_FORMAT),
    Setting::new("zone", Kind::Text, Fallback::Nothing, ABOUT_ZONE),
];

const RFC3339: &str = "rfc3339";
/// What a pattern looks like.
const EXAMPLE: &str = "%d/%b/%Y:%H:%M:%S %z";

/// Reads it.
pub(super) fn read(settings: &mut Settings<'_>) -> Result<Option<Timestamps>, SettingsError> {
    let (timestamps, shown) = match settings.text_or_table("timestamp", SETTINGS)? {
        None => return Ok(None),
        Some(TextOrTable::Text(field)) => return Ok(Some(Timestamps::of(field))),
        Some(TextOrTable::Table(table)) => of_table(table).map_err(|error| error.within("timestamp"))?,
    };
    settings.show("timestamp", shown);
    Ok(Some(timestamps))
}

fn of_table(mut table: Settings<'_>) -> Result<(Timestamps, serde_json::Value), SettingsError> {
    let field = table.optional_text("field")?;
    let format = table.optional_text("format")?;
    let zone = table.optional_text("zone")?;
    let shown = table.finish()?;
    let field = field.ok_or_else(|| {
        let error = SettingsError { field: None, message: "`timestamp` has no `field`".into(), hint: None };
        error.with_hint("for example `timestamp = { field = \"ts\", format = \"unix-s\" }`")
    })?;
    let notation = format.as_deref().map_or(Ok(Notation::Either), notation)?;
    let zone = zone.map(zone_of).transpose()?;
    check_zone(&notation, zone.as_ref())?;
    Ok((Timestamps::new(field, notation, zone), shown.into()))
}

fn notation(word: &str) -> Result<Notation, SettingsError> {
    if word == RFC3339 {
        return Ok(Notation::Rfc3339);
    }
    if let Some(unit) = Unit::ALL.into_iter().find(|unit| unit.word() == word) {
        return Ok(Notation::Unix(unit));
    }
    if !word.contains('%') {
        let hint = suggest(word, [RFC3339].into_iter().chain(Unit::ALL.map(Unit::word)), "formats");
        let error = SettingsError::at("format", format!("there is no format of times `{word}`"));
        return Err(error.with_hint(format!("{hint}; a pattern is such as `\"{EXAMPLE}\"`")));
    }
    Pattern::new(word).map(Notation::Pattern).map_err(|why| {
        let error = SettingsError::at("format", format!("no time can be read with the pattern `{word}`: {why}"));
        error.with_hint(format!(
            "for example `\"{EXAMPLE}\"`; `%.f` is a fraction of a second with the point in front of it, where there is one"
        ))
    })
}

fn zone_of(name: String) -> Result<Zone, SettingsError> {
    match TimeZone::get(&name) {
        Ok(rules) => Ok(Zone { name, rules }),
        Err(_) => {
            let near = |known: &str| strsim::damerau_levenshtein(&name, known) <= 1 + known.len() / 4;
            let known: Vec<String> = tz::db().available().map(|known| known.as_str().to_owned()).filter(|known| near(known)).collect();
            let hint = match known.is_empty() {
                true => "a zone is named as in `\"Europe/Berlin\"` or `\"UTC\"`".to_owned(),
                false => suggest(&name, known.iter().map(String::as_str), "zones"),
            };
            Err(SettingsError::at("zone", format!("there is no time zone `{name}`")).with_hint(hint))
        }
    }
}

/// A zone where one is needed, and none where it would say nothing.
fn check_zone(notation: &Notation, zone: Option<&Zone>) -> Result<(), SettingsError> {
    match (notation, zone) {
        (Notation::Unix(unit), Some(_)) => {
            let message = format!("`zone` says nothing with `format = \"{}\"`: {} since 1970 have no zone", unit.word(), unit.name());
            Err(SettingsError::at("zone", message).with_hint("leave `zone` out"))
        }
        (Notation::Pattern(pattern), Some(_)) if pattern.has_offset => {
            let message = format!("`zone` says nothing with the pattern `{}`: what it reads says its own offset", pattern.text());
            Err(SettingsError::at("zone", message).with_hint("leave `zone` out"))
        }
        (Notation::Pattern(pattern), None) if !pattern.has_offset => {
            let message = format!("what is written as `{}` says no offset, and there is no `zone`", pattern.text());
            Err(SettingsError::at("format", message).with_hint("add `zone = \"UTC\"`, or the name of another zone; `%z` reads an offset"))
        }
        (Notation::Either | Notation::Rfc3339, _) | (Notation::Unix(_), None) | (Notation::Pattern(_), _) => Ok(()),
    }
}
