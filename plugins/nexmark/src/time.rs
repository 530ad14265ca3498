//! Days and minutes of a time, in UTC.

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since midnight.
#[inline]
pub fn of_day(time: i64) -> u64 {
    time.rem_euclid(DAY_MS) as u64
}

/// The day of a time, ms since the Unix epoch, as `2015-07-15`; the algorithm is `civil_from_days` of Howard Hinnant's "chrono-compatible low-level date algorithms". Years of
/// other than four digits are those modulo 10,000.
#[inline]
pub fn day_text(time: i64) -> [u8; 10] {
    let days = time.div_euclid(DAY_MS) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month_from_march + 2) / 5 + 1) as u64;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u64;
    let year = (year_of_era + era * 400 + i64::from(month <= 2)).rem_euclid(10_000) as u64;
    let digit = |number: u64| b'0' + (number % 10) as u8;
    let [y, m, d] = [year, month, day];
    [digit(y / 1000), digit(y / 100), digit(y / 10), digit(y), b'-', digit(m / 10), digit(m), b'-', digit(d / 10), digit(d)]
}

/// The minute of a day, of which there are 1,440, as `23:59`.
#[inline]
pub fn minute_text(minute: u64) -> [u8; 5] {
    let digit = |number: u64| b'0' + (number % 10) as u8;
    let (hours, minutes) = (minute / 60, minute % 60);
    [digit(hours / 10), digit(hours), b':', digit(minutes / 10), digit(minutes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_minutes_are_those_of_the_calendar() {
        let check = |time: i64, day: &str, minute: &str| {
            assert_eq!(std::str::from_utf8(&day_text(time)).expect("digits"), day);
            assert_eq!(std::str::from_utf8(&minute_text(of_day(time) / 60_000)).expect("digits"), minute);
        };
        check(0, "1970-01-01", "00:00");
        check(-1, "1969-12-31", "23:59");
        check(1_436_918_400_000, "2015-07-15", "00:00");
        check(1_709_164_799_999, "2024-02-28", "23:59");
        check(1_709_164_800_000, "2024-02-29", "00:00");
        check(1_709_294_460_000, "2024-03-01", "12:01");
        check(951_782_400_000, "2000-02-29", "00:00");
    }
}
