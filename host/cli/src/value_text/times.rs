//! The times that a timer is set to, as they are stored: 8 bytes each.

use weir_engine::shown_text::moment;

/// A JSON array: a text as RFC 3339 has it, or the ms since 1970 where the year has not four digits. `None`: the bytes are no times.
pub(super) fn json(bytes: &[u8]) -> Option<String> {
    let (times, rest) = bytes.as_chunks::<8>();
    let shown: Vec<String> = times.iter().map(|time| shown(i64::from_le_bytes(*time))).collect();
    rest.is_empty().then(|| format!("[{}]", shown.join(",")))
}

/// A moment as JSON: a text as RFC 3339 has it, or the ms since 1970 where the year has not four digits.
pub(super) fn shown(ms: i64) -> String {
    let moment = moment(ms);
    if moment.ends_with('Z') { format!("\"{moment}\"") } else { moment }
}
