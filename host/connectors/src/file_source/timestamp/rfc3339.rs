//! Times as RFC 3339 has them, and integer milliseconds since the Unix epoch beside them; where there is a zone, also local times of it without an offset.
//!
//! Invariant: what comes later has no smaller timestamp. A leap second has no milliseconds of its own since the epoch: all of it is the last
//! one of its minute.

use super::local::{millis, moment};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// Milliseconds since the Unix epoch, rounded down, of either notation; `None` where the text is neither.
pub(super) fn parse_either(text: &[u8], zone: Option<&TimeZone>) -> Option<i64> {
    if let Some(timestamp) = parse_utc_seconds(text) {
        return Some(timestamp);
    }
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<i64>().ok().or_else(|| parse_date_and_time(text, zone))
}

/// The same of RFC 3339 alone.
pub(super) fn parse(text: &[u8], zone: Option<&TimeZone>) -> Option<i64> {
    parse_utc_seconds(text).or_else(|| parse_date_and_time(std::str::from_utf8(text).ok()?, zone))
}

/// The local time that a text without an offset says.
pub(super) fn civil(text: &[u8]) -> Option<DateTime> {
    let text = std::str::from_utf8(text).ok()?;
    TimeOfDay::of(text).filter(|time| !time.has_offset).and_then(|_| text.parse().ok())
}

/// All else that is a date and a time of it, with an offset or in `zone`. jiff reads the second 60 as 59 and knows offsets beyond a day.
fn parse_date_and_time(text: &str, zone: Option<&TimeZone>) -> Option<i64> {
    let time = TimeOfDay::of(text)?;
    let timestamp = match time.has_offset {
        true => millis(text.parse::<jiff::Timestamp>().ok()?)?,
        false => moment(text.parse().ok()?, zone?)?,
    };
    if time.offset_hours > 23 {
        return None;
    }
    if !time.is_leap_second {
        return Some(timestamp);
    }
    let minute_end = (timestamp.div_euclid(MINUTE_MS) + 1) * MINUTE_MS;
    begins_a_month(minute_end).then_some(minute_end - 1)
}

/// What the notation says that jiff does not tell.
struct TimeOfDay {
    is_leap_second: bool,
    has_offset: bool,
    offset_hours: u8,
}

impl TimeOfDay {
    /// Of a text that is a date, a `T` or a space, and a time of day, perhaps with its offset, with or without `-` and `:` between digits. What it says of any
    /// other text means nothing.
    fn of(text: &str) -> Option<Self> {
        let (_, time) = text.split_once(['T', 't', ' '])?;
        let zone = time.find(['Z', 'z', '+', '-', '[']);
        let (clock, offset) = time.split_at(zone.unwrap_or(time.len()));
        let whole_seconds = clock.split(['.', ',']).next().unwrap_or_default();
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).collect::<Vec<_>>();
        let clock = digits(whole_seconds);
        let offset_hours = match digits(offset.trim_start_matches(['+', '-'])).as_slice() {
            [tens, ones, ..] if !offset.starts_with(['Z', 'z', '[']) => (tens - b'0') * 10 + (ones - b'0'),
            _ => 0,
        };
        Some(Self { is_leap_second: clock.len() == 6 && clock.ends_with(b"60"), has_offset: zone.is_some(), offset_hours })
    }
}

/// Leap seconds are the last of a month in UTC (RFC 3339, section 5.7).
fn begins_a_month(timestamp: i64) -> bool {
    let day = jiff::Timestamp::from_millisecond(timestamp).map(|timestamp| timestamp.to_zoned(TimeZone::UTC).day());
    timestamp.rem_euclid(DAY_MS) == 0 && day.is_ok_and(|day| day == 1)
}

/// `2013-01-01T10:00:00Z`, which is what most files hold. All else, leap seconds too, is left to the general way.
fn parse_utc_seconds(text: &[u8]) -> Option<i64> {
    let text: &[u8; 20] = text.try_into().ok()?;
    if (text[4], text[7], text[10], text[13], text[16], text[19]) != (b'-', b'-', b'T', b':', b':', b'Z') {
        return None;
    }
    let year = two_digits(text, 0)? * 100 + two_digits(text, 2)?;
    let (month, day) = (two_digits(text, 5)?, two_digits(text, 8)?);
    let (hour, minute, second) = (two_digits(text, 11)?, two_digits(text, 14)?, two_digits(text, 17)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

#[inline]
fn two_digits(text: &[u8; 20], at: usize) -> Option<i64> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, for years from 0 on: the year begins in March, so that the leap day
/// is its last (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Option<i64> {
        parse_either(text, None)
    }

    fn check(text: &str, expect: Option<i64>) {
        assert_eq!(parse(text.as_bytes()), expect, "{text}");
    }

    #[test]
    fn both_notations_are_read() {
        check("2013-01-01T10:00:00Z", Some(1_357_034_400_000));
        check("2013-01-01T10:00:00.25Z", Some(1_357_034_400_250));
        check("2013-01-01T12:00:00+02:00", Some(1_357_034_400_000));
        check("1357034400000", Some(1_357_034_400_000));
        check("-1", Some(-1));
        check("1969-12-31T23:59:59.9999Z", Some(-1));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "NA", "2013-02-29T10:00:00Z", "2013-01-01", "2013-01-01T10:00:00", "1.5", "99999999999999999999"] {
            check(text, None);
        }
        assert_eq!(parse(b"\xff"), None);
    }

    #[test]
    fn a_leap_second_lies_between_the_seconds_around_it_and_only_at_the_end_of_a_month() {
        let before = parse(b"2016-12-31T23:59:59.999Z").unwrap();
        for text in [
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5Z",
            "2016-12-31t23:59:60,75z",
            "2016-12-31 23:59:60Z",
            "2016-12-31T18:59:60-05:00",
            "2017-01-01T05:44:60+05:45",
            "20161231T235960Z",
            "20161231T185960-0500",
        ] {
            check(text, Some(before));
        }
        check("2017-01-01T00:00:00Z", Some(before + 1));
        check("1972-06-30T23:59:60Z", parse(b"1972-06-30T23:59:59.999Z"));
        for text in [
            "2016-06-15T12:00:60Z",
            "20160615T120060Z",
            "2016-12-30T23:59:60Z",
            "2016-12-31T23:59:60+01:00",
            "2016-12-31T23:58:60Z",
            "2016-12-31T23:59:61Z",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn an_offset_is_shorter_than_a_day() {
        check("2013-01-01T05:00:00+23:59", parse(b"2012-12-31T05:01:00Z"));
        check("2013-01-01T05:00:00-23:59", parse(b"2013-01-02T04:59:00Z"));
        for text in ["2013-01-01T05:00:00+24:00", "2013-01-01T05:00:00-24:00", "20130101T050000+2400", "2013-01-01T05:00:00+25"] {
            check(text, None);
        }
    }

    #[test]
    fn the_short_way_agrees_with_the_general_one() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let second = rng.i64(-62_167_219_200..253_402_207_200);
            let text = jiff::Timestamp::from_second(second).unwrap().to_string();
            assert_eq!(parse_utc_seconds(text.as_bytes()), Some(second * 1000), "{text}");
        }
    }
}
