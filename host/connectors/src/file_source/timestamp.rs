//! Timestamps of rows: RFC 3339, or integer milliseconds since the Unix epoch.

use weir_engine::element::NO_TIMESTAMP;

/// Milliseconds since the Unix epoch, rounded down; `None` where the text is no timestamp.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    if let Some(timestamp) = parse_utc_seconds(text) {
        return Some(timestamp);
    }
    let text = std::str::from_utf8(text).ok()?;
    let timestamp = match text.parse::<i64>() {
        Ok(timestamp) => timestamp,
        Err(_) => i64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_nanosecond().div_euclid(1_000_000)).ok()?,
    };
    (timestamp != NO_TIMESTAMP).then_some(timestamp)
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
        for text in
            ["", "NA", "2013-02-29T10:00:00Z", "2013-01-01", "2013-01-01T10:00:00", "1.5", "-9223372036854775808", "99999999999999999999"]
        {
            check(text, None);
        }
        assert_eq!(parse(b"\xff"), None);
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
