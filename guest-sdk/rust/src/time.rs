//! Times as people read them.

/// The time, ms since the Unix epoch, in UTC: `2013-01-01T10:00:00Z`, and `2013-01-01T10:00:00.250Z` where it has a part of a second. The days are counted as in
/// <https://howardhinnant.github.io/date_algorithms.html>.
pub fn rfc3339(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(86_400_000) + 719_468, ms.rem_euclid(86_400_000));
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year + era * 400) } else { (month - 9, year + era * 400 + 1) };
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    let part = if of_day % 1_000 == 0 { String::new() } else { format!(".{:03}", of_day % 1_000) };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{part}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_written_as_people_read_them() {
        let check = |ms: i64, expect: &str| assert_eq!(rfc3339(ms), expect);
        check(0, "1970-01-01T00:00:00Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(1_357_034_400_000, "2013-01-01T10:00:00Z");
        check(951_782_399_000, "2000-02-28T23:59:59Z");
        check(951_782_400_050, "2000-02-29T00:00:00.050Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00Z");
    }
}
