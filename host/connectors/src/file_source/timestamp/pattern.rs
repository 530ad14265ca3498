//! Times that are written as a pattern of the job file says (`strftime`).

use super::local;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;

/// A pattern that says which day and which moment of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    text: String,
    /// What it reads has an offset, or counts from 1970: it needs no zone.
    pub(super) has_offset: bool,
}

impl Pattern {
    /// An error in words where a text that is written by it does not say which moment it is.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let moment = Timestamp::from_second(1_372_674_030).expect("a moment of 2013").to_zoned(TimeZone::UTC);
        let written = strtime::format(text, &moment).map_err(|error| error.to_string())?;
        let read = strtime::parse(text, &written).map_err(|error| error.to_string())?;
        if read.iana_time_zone().is_some() {
            return Err("the names of zones are not read from rows; `%z` is an offset".into());
        }
        let has_offset = read.to_timestamp().is_ok();
        if !has_offset {
            read.to_datetime().map_err(|_| "it does not say which day it is".to_owned())?;
        }
        Ok(Self { text: text.to_owned(), has_offset })
    }

    /// As the job file has it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Milliseconds since 1970, rounded down. A second that is said to be the sixtieth is read as the one before it.
    pub(super) fn parse(&self, text: &[u8], zone: Option<&TimeZone>) -> Option<i64> {
        let read = self.read(text)?;
        if self.has_offset {
            return read.to_timestamp().ok().and_then(local::millis);
        }
        local::moment(read.to_datetime().ok()?, zone?)
    }

    /// The local time that a text says.
    pub(super) fn civil(&self, text: &[u8]) -> Option<DateTime> {
        self.read(text)?.to_datetime().ok().filter(|_| !self.has_offset)
    }

    /// The pattern that reads a text where this one does not because of a fraction of a second.
    pub(super) fn with_fraction(&self, text: &[u8]) -> Option<String> {
        let with = ["%S", "%T"].into_iter().find(|seconds| self.text.contains(seconds));
        let with = with.map(|seconds| self.text.replacen(seconds, &format!("{seconds}%.f"), 1))?;
        (self.read(text).is_none() && strtime::parse(&with, text).is_ok()).then_some(with)
    }

    fn read(&self, text: &[u8]) -> Option<BrokenDownTime> {
        strtime::parse(&self.text, text).ok()
    }
}
