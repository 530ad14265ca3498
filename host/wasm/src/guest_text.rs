//! A guest's text made fit to be shown: what a plugin says of itself, logs or fails with is cleaned by the rules of [`weir_engine::shown_text`].
//!
//! It is escaped where it enters the host, so errors, logs and JSON documents all hold the escaped form.

use std::fmt::{Display, Write};
pub use weir_engine::shown_text::printable;

/// What stands before each line of a guest's text but the first.
const INDENT: &str = "    ";
/// Lines of a guest's message that are kept.
const LINES: usize = 80;

/// A text of several lines, as an exception with its stack is: each line is what [`printable`] makes of it, and those behind the first are indented, so that none
/// begins as a line of the host does.
pub(crate) fn printable_message(text: &str, max_bytes: usize) -> String {
    // A secret may have several lines, too.
    let text = weir_secrets::redacted(text);
    let mut out = String::with_capacity(text.len().min(max_bytes));
    for (number, line) in text.trim_end().split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
            out.push_str(INDENT);
        }
        let left = max_bytes.saturating_sub(out.len());
        if number == LINES || left == 0 {
            out.push('…');
            break;
        }
        out.push_str(&printable(line.strip_suffix('\r').unwrap_or(line), left));
        if out.ends_with(INDENT) {
            // An empty line has no room before nothing.
            out.truncate(out.trim_end_matches(' ').len());
        }
    }
    out
}

/// `text` with `more` in brackets at the end of its first line.
pub(crate) fn with_more(text: &str, more: impl Display) -> String {
    match text.split_once('\n') {
        Some((first, others)) => format!("{first} ({more})\n{others}"),
        None => format!("{text} ({more})"),
    }
}

/// The last `max_bytes` of what a guest wrote, as [`printable_message`] has it.
pub(crate) fn printable_end(bytes: &[u8], max_bytes: usize) -> String {
    let whole = String::from_utf8_lossy(bytes);
    // Before it is cut: of a secret no end is shown either.
    let whole = weir_secrets::redacted(&whole);
    let cut = whole.len().saturating_sub(max_bytes);
    let text = String::from_utf8_lossy(&whole.as_bytes()[cut..]);
    let text = text.trim_end();
    let from = text.rmatch_indices('\n').nth(LINES - 1).map_or(0, |(end, _)| end + 1);
    let clean = printable_message(&text[from..], usize::MAX);
    if cut > 0 || from > 0 { format!("…{clean}") } else { clean }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_written_the_end_is_kept() {
        assert_eq!(printable_end(b"Traceback:\n  ValueError\n", 100), "Traceback:\n      ValueError");
        assert_eq!(printable_end(b"0123456789\n", 4), "…789");
        let flood = [b"\n".repeat(4_000), b"the end\n".to_vec()].concat();
        let end = printable_end(&flood, 10_000);
        assert_eq!((end.lines().count(), end.starts_with("…\n"), end.ends_with("\n    the end")), (LINES, true, true));
        assert_eq!(printable_end("ñ\u{202e}".as_bytes(), 4), "…\u{fffd}\\u{202e}");
    }

    #[test]
    fn a_message_keeps_its_lines_and_none_begins_as_one_of_the_hosts() {
        let thrown = "TypeError: x\u{1b}[2J\r\n    at f (a.js:3)\n\nweir: all is well\n  hint: \u{202e}b\tc\n\n";
        let expect = "TypeError: x\\u{1b}[2J\n        at f (a.js:3)\n\n    weir: all is well\n      hint: \\u{202e}b\\tc";
        assert_eq!(printable_message(thrown, 1_000), expect);
        assert_eq!(printable_message("abc\ndef", 6), "abc\n    …");
        assert_eq!(printable_message("abc\ndefg", 10), "abc\n    de…");
        assert_eq!(printable_message("", 10), "");
        let flood = printable_message(&"a\n".repeat(4_000), 1_000_000);
        assert_eq!((flood.lines().count(), flood.ends_with("\n    …")), (LINES + 1, true));
    }

    #[test]
    fn more_stands_at_the_end_of_the_first_line() {
        assert_eq!((with_more("a", "b"), with_more("a\n  c", "b")), ("a (b)".to_owned(), "a (b)\n  c".to_owned()));
    }

    #[test]
    fn a_backtrace_keeps_its_lines_and_a_functions_name_adds_none() {
        let trace = "error while executing at wasm backtrace:\n    0:     0x21 - m!f\n                    at a.rs:1:2\nweir: all is well\n    1: m!g\u{7}";
        let expect = "error while executing at wasm backtrace:\n    0:     0x21 - m!f\n                    at a.rs:1:2\\nweir: all is well\n    1: m!g\\u{7}";
        assert_eq!(printable_trace(trace, 1_000), expect);
        assert_eq!(printable_trace("0123456789\n    1: f", 5), "01234…");
    }
}
