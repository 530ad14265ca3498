//! The times that a timer is set to, as they are stored: 8 bytes each.

/// A JSON array: a text as RFC 3339 has it, or the ms since 1970 where the year has not four digits. `None`: the bytes are no times.
pub(super) fn json(bytes: &[u8]) -> Option<String> {
    let (times, rest) = bytes.as_chunks::<8>();
    let shown: Vec<String> = times.iter().map(|time| shown(i64::from_le_bytes(*time))).collect();
    rest.is_empty().then(|| format!("[{}]", shown.join(",")))
}

// The days are counted as in <https://howardhinnant.github.io/date_algorithms.html>.
/// A moment: a text as RFC 3339 has it, or the ms since 1970 where the year has not four digits.
pub(super) fn shown(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(86_400_000) + 719_468, ms.rem_euclid(86_400_000));
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year + era * 400) } else { (month - 9, year + era * 400 + 1) };
    if !(0..10_000).contains(&year) {
        return ms.to_string();
    }
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    format!("\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z\"", of_day % 1_000)
}
