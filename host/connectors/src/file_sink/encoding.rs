//! How records become bytes of a part file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weir_engine::element::NO_TIMESTAMP;
use weir_engine::{EngineError, ErrorKind, RecordBatch};

/// A part file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// The value and a line end.
    Lines,
    /// `{"key":…,"value":…,"timestamp":…}`, with `"headers":[[name, value], …]` where the record has some, and a line end.
    JsonLines,
}

impl Encoding {
    /// The end of a part file's name.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Lines => "",
            Self::JsonLines => ".jsonl",
        }
    }

    /// Appends a batch to `bytes`.
    pub(super) fn encode(self, batch: &RecordBatch, bytes: &mut Vec<u8>) -> Result<(), EngineError> {
        match self {
            Self::Lines => encode_lines(batch, bytes).map_err(|error| error.with_hint("write it with `format = \"jsonl\"`")),
            Self::JsonLines => {
                encode_json_lines(batch, bytes);
                Ok(())
            }
        }
    }
}

/// Appends each value with a line end. A value that holds one itself is refused, and so is a record without a value, with nothing appended.
pub(crate) fn encode_lines(batch: &RecordBatch, bytes: &mut Vec<u8>) -> Result<(), EngineError> {
    let values = batch.values();
    if let Some(&record) = batch.valueless().first() {
        let of =
            batch.key(record as usize).map_or_else(String::new, |key| format!(" (its key: {})", key[..key.len().min(80)].escape_ascii()));
        let message = format!("write a record as a line: it has no value{of}, and an empty line would be an empty one");
        return Err(EngineError::new(ErrorKind::FixInput, message));
    }
    if memchr::memchr(b'\n', values.data()).is_some() {
        let value = values.iter().find(|value| value.contains(&b'\n')).unwrap_or_default();
        let message = format!("write a record as a line: its value holds a line end: {}", value[..value.len().min(80)].escape_ascii());
        return Err(EngineError::new(ErrorKind::FixInput, message));
    }
    bytes.reserve(values.data().len() + values.len());
    for value in values.iter() {
        bytes.extend_from_slice(value);
        bytes.push(b'\n');
    }
    Ok(())
}

fn encode_json_lines(batch: &RecordBatch, bytes: &mut Vec<u8>) {
    for record in 0..batch.len() {
        bytes.extend_from_slice(b"{\"key\":");
        match batch.key(record) {
            Some(key) => encode_json_bytes(key, bytes),
            None => bytes.extend_from_slice(b"null"),
        }
        bytes.extend_from_slice(b",\"value\":");
        match batch.value(record) {
            Some(value) => encode_json_bytes(value, bytes),
            None => bytes.extend_from_slice(b"null"),
        }
        bytes.extend_from_slice(b",\"timestamp\":");
        match batch.timestamps()[record] {
            NO_TIMESTAMP => bytes.extend_from_slice(b"null"),
            timestamp => bytes.extend_from_slice(timestamp.to_string().as_bytes()),
        }
        for (place, (name, value)) in batch.headers_of(record).enumerate() {
            bytes.extend_from_slice(if place == 0 { b",\"headers\":[[" } else { b",[" });
            encode_json_bytes(name, bytes);
            bytes.push(b',');
            encode_json_bytes(value, bytes);
            bytes.push(b']');
        }
        bytes.extend_from_slice(if batch.headers_of(record).next().is_some() { b"]}\n" } else { b"}\n" });
    }
}

fn encode_json_bytes(text: &[u8], bytes: &mut Vec<u8>) {
    match std::str::from_utf8(text) {
        Ok(text) => serde_json::to_writer(bytes, text).expect("a text becomes JSON and a vector takes it"),
        Err(_) => bytes.extend_from_slice(format!("{{\"base64\":\"{}\"}}", STANDARD.encode(text)).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::BatchBuilder;

    /// What `fill` has put into a batch, encoded.
    fn encoded(encoding: Encoding, fill: impl FnOnce(&mut BatchBuilder)) -> Result<String, EngineError> {
        let mut batch = BatchBuilder::new();
        fill(&mut batch);
        let mut bytes = Vec::new();
        encoding.encode(&batch.finish(), &mut bytes)?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn lines_are_values_with_line_ends() {
        let text = encoded(Encoding::Lines, |batch| {
            batch.push(None, b"a", None);
            batch.push(Some(b"k"), b"", Some(1));
        });
        assert_eq!(text.unwrap(), "a\n\n");
    }

    #[test]
    fn a_value_with_a_line_end_fails_the_job_and_names_jsonl() {
        let text = encoded(Encoding::Lines, |batch| {
            batch.push(None, b"fine", None);
            batch.push(None, b"a\nb", None);
        });
        let error = text.unwrap_err();
        assert_eq!(error.to_string(), "write a record as a line: its value holds a line end: a\\nb");
        assert_eq!((error.kind(), error.hint()), (ErrorKind::FixInput, Some("write it with `format = \"jsonl\"`")));
    }

    #[test]
    fn json_lines_tell_absent_from_empty_and_text_from_bytes() {
        let text = encoded(Encoding::JsonLines, |batch| {
            batch.push(None, b"a\"\n", None);
            batch.push(Some(b""), b"\xff", Some(-5));
        });
        let expect =
            "{\"key\":null,\"value\":\"a\\\"\\n\",\"timestamp\":null}\n{\"key\":\"\",\"value\":{\"base64\":\"/w==\"},\"timestamp\":-5}\n";
        assert_eq!(text.unwrap(), expect);
    }

    #[test]
    fn an_absent_value_is_null_in_json_and_no_line() {
        let mut batch = BatchBuilder::new();
        batch.push(Some(b"a"), b"", None);
        batch.push_valueless(Some(b"k"), None);
        batch.push_header(b"h", b"1");
        batch.push_header(b"h", b"\xff");
        let batch = batch.finish();
        let mut bytes = Vec::new();
        Encoding::JsonLines.encode(&batch, &mut bytes).unwrap();
        let expect = concat!(
            "{\"key\":\"a\",\"value\":\"\",\"timestamp\":null}\n",
            "{\"key\":\"k\",\"value\":null,\"timestamp\":null,\"headers\":[[\"h\",\"1\"],[\"h\",{\"base64\":\"/w==\"}]]}\n"
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expect);
        let mut bytes = Vec::new();
        let error = Encoding::Lines.encode(&batch, &mut bytes).unwrap_err();
        assert_eq!(error.to_string(), "write a record as a line: it has no value (its key: k), and an empty line would be an empty one");
        assert_eq!((error.kind(), error.hint(), bytes.len()), (ErrorKind::FixInput, Some("write it with `format = \"jsonl\"`"), 0));
    }

    #[test]
    fn the_page_shows_lines_as_they_are_written() {
        let page = include_str!("../../../docs/connectors.md");
        let written = encoded(Encoding::JsonLines, |batch| {
            batch.push(Some(b"k"), b"a text", Some(5));
            batch.push(None, b"\xff", None);
            batch.push_header(b"name", b"text");
            batch.push_header(b"name", b"\xff");
        });
        assert!(page.contains(&format!("```json\n{}```\n", written.unwrap())), "the page says otherwise");
    }
}
