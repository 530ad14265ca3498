//! What the two operators share. What they do, word by word, is written in `tests/conformance/README.md`.

/// The first word of a command, and what is behind the space that follows it.
pub fn words(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// What there is, as text; `none` where there is nothing.
pub fn or_none(of: Option<impl ToString>) -> String {
    of.map_or_else(|| "none".to_owned(), |of| of.to_string())
}
