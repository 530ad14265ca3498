//! Text of others made fit to be shown: what a plugin says of itself, what stands in an input file, what a file is called.
//!
//! Control characters and newlines, characters that turn the direction of a line, and characters that take no room could each make a
//! terminal or a log show something other than what is there. This is the one list of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A text, cut to a bound, on one line, with everything escaped that is not to be seen as it is, and without the secrets of the job file.
pub fn printable(text: &str, max_bytes: usize) -> String {
    let text = weir_secrets::redacted(text);
    let mut out = String::with_capacity(text.len().min(max_bytes));
    for c in text.chars() {
        if out.len() >= max_bytes {
            out.push('…');
            break;
        }
        match c {
            c if c.is_control() => out.extend(c.escape_default()),
            c if deceives(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// A text of several lines with everything escaped that is not to be seen as it is, but for ends of lines and tabs, and without the secrets of the job file.
pub fn printable_lines(text: &str) -> String {
    let text = weir_secrets::redacted(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if is_unshowable(c) => out.push_str(&printable(c.encode_utf8(&mut [0; 4]), usize::MAX)),
            c => out.push(c),
        }
    }
    out
}

/// A text with every character that is not to be shown replaced by as many question marks as it has bytes, so that places in it stay what they are. Ends
/// of lines and tabs stay.
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let stays = matches!(c, '\n' | '\t') || (c == '\r' && rest.peek() == Some(&'\n')) || !is_unshowable(c);
        if stays { out.push(c) } else { out.extend(std::iter::repeat_n('?', c.len_utf8())) }
    }
    out
}

/// A key, or another short piece of data, as a message names it.
pub fn printable_key(key: &[u8]) -> String {
    const SHOWN_BYTES: usize = 64;
    // A character has four bytes at most, and one that is cut is behind the end.
    printable(&String::from_utf8_lossy(&key[..key.len().min(4 * SHOWN_BYTES)]), SHOWN_BYTES)
}

// The days are counted as in <https://howardhinnant.github.io/date_algorithms.html>.
/// A moment, from the ms since 1970: as RFC 3339 has it, or the number as it is where the year has not four digits.
pub fn moment(ms: i64) -> String {
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
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1_000)
}

/// Bytes as documents show them: text, or `{"base64": …}` where they are none.
pub fn bytes_as_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// True for a character that is not to be shown as it is.
pub fn is_unshowable(c: char) -> bool {
    c.is_control() || deceives(c)
}

/// Characters that change how others are shown, or are not shown at all: they have no place in a name, and none in a line of a log.
fn deceives(c: char) -> bool {
    matches!(c,
        // Of the direction of writing.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Ends of lines and paragraphs that are no control characters.
        | '\u{2028}' | '\u{2029}'
        // Without width: joiners, fillers, marks that nothing shows.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_line_cannot_move_the_cursor_and_is_cut() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\td\r", 100), "a\\u{1b}[2Jb\\nc\\td\\r");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("日本語 – \"ok\" \\ ñ", 100), "日本語 – \"ok\" \\ ñ");
    }

    #[test]
    fn characters_that_turn_a_line_or_are_not_seen_are_escaped() {
        let all = "\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{200d}\u{feff}\u{2060}\u{ad}\u{2028}\u{85}\u{9b}\u{e0041}\u{fe0f}\u{3164}";
        for c in all.chars() {
            assert_eq!(printable(&format!("a{c}b"), 100), format!("a\\u{{{:x}}}b", u32::from(c)));
            assert!(is_unshowable(c));
        }
    }

    #[test]
    fn a_key_is_named_by_its_beginning_however_long_it_is() {
        assert_eq!(printable_key(b"a\x1b\xff"), "a\\u{1b}\u{fffd}");
        assert_eq!(printable_key(&b"k".repeat(1 << 20)), format!("{}…", "k".repeat(64)));
        assert_eq!(printable_key("\u{1f600}".repeat(100).as_bytes()), format!("{}…", "\u{1f600}".repeat(16)));
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        assert_eq!((bytes_as_json(b"a\n"), bytes_as_json(b"\xff\x00")), (json!("a\n"), json!({ "base64": "/wA=" })));
    }

    #[test]
    fn lines_stay_lines_and_places_stay_places() {
        assert_eq!(printable_lines("a\n\tb\u{1b}[31m\u{202e}\r\n"), "a\n\tb\\u{1b}[31m\\u{202e}\\r\n");
        let text = "a\r\n\u{feff}b\rc\0\u{1b}\tü\n";
        assert_eq!(masked(text), "a\r\n???b?c??\tü\n");
        assert_eq!(masked(text).len(), text.len());
    }
}
