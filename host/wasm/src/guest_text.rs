//! A guest's text made fit to be shown: what a plugin says of itself, logs or fails with is cleaned by the rules of [`weir_engine::shown_text`].
//!
//! It is escaped where it enters the host, so errors, logs and JSON documents all hold the escaped form.

use std::fmt::Write;
pub use weir_engine::shown_text::printable;

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

#[cfg(test)]
mod tests {
    use super::*;

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
