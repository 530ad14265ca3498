//! A guest's text made fit to be shown: the one place where what a plugin says of itself, logs or fails with is cleaned.
//!
//! Control characters and newlines, characters that turn the direction of a line, and characters that take no room could each make a
//! terminal or a log show something other than what is there. They are escaped where the text enters the host, so errors, logs and JSON
//! documents all hold the escaped form.

use std::fmt::Write;

/// A guest's text, cut to a bound, on one line, with everything escaped that is not to be seen as it is.
pub fn printable(text: &str, max_bytes: usize) -> String {
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

/// The last `max_bytes` of what a guest wrote, as [`printable`] has it.
pub(crate) fn printable_end(bytes: &[u8], max_bytes: usize) -> String {
    let cut = bytes.len().saturating_sub(max_bytes);
    let text = String::from_utf8_lossy(&bytes[cut..]);
    let clean = printable(text.trim_end(), usize::MAX);
    if cut > 0 { format!("…{clean}") } else { clean }
}

/// Wasmtime's text of a backtrace, frame by frame on lines of their own. A function may have any name, so a line that is no frame belongs to
/// the one before.
pub(crate) fn printable_trace(trace: &str, max_bytes: usize) -> String {
    let mut out = String::new();
    for (number, line) in trace.lines().enumerate() {
        if number > 0 {
            out.push_str(if begins_a_line(line) { "\n" } else { "\\n" });
        }
        let left = max_bytes.saturating_sub(out.len());
        let _ = write!(out, "{}", printable(line, left));
        if left <= line.len() {
            break;
        }
    }
    out
}

/// True for the lines that wasmtime itself begins.
fn begins_a_line(line: &str) -> bool {
    let text = line.trim_start();
    let numbered = text.split_once(": ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    line.starts_with(' ') && (numbered || text.starts_with("at ") || text.starts_with("- ")) || line.starts_with("note: ")
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
    fn a_guests_text_stays_on_its_line_cannot_move_the_cursor_and_is_cut() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\td\r", 100), "a\\u{1b}[2Jb\\nc\\td\\r");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("日本語 – \"ok\" \\ ñ", 100), "日本語 – \"ok\" \\ ñ");
    }

    #[test]
    fn characters_that_turn_a_line_or_are_not_seen_are_escaped() {
        let all = "\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{200d}\u{feff}\u{2060}\u{ad}\u{2028}\u{85}\u{9b}\u{e0041}\u{fe0f}";
        for c in all.chars() {
            assert_eq!(printable(&format!("a{c}b"), 100), format!("a\\u{{{:x}}}b", u32::from(c)));
        }
    }

    #[test]
    fn of_what_was_written_the_end_is_kept() {
        assert_eq!(printable_end(b"Traceback:\n  ValueError\n", 100), "Traceback:\\n  ValueError");
        assert_eq!(printable_end(b"0123456789\n", 4), "…789");
        assert_eq!(printable_end("ñ\u{202e}".as_bytes(), 4), "…\u{fffd}\\u{202e}");
    }

    #[test]
    fn a_backtrace_keeps_its_lines_and_a_functions_name_adds_none() {
        let trace = "error while executing at wasm backtrace:\n    0:     0x21 - m!f\n                    at a.rs:1:2\nweir: all is well\n    1: m!g\u{7}";
        let expect = "error while executing at wasm backtrace:\n    0:     0x21 - m!f\n                    at a.rs:1:2\\nweir: all is well\n    1: m!g\\u{7}";
        assert_eq!(printable_trace(trace, 1_000), expect);
        assert_eq!(printable_trace("0123456789\n    1: f", 5), "01234…");
    }
}
