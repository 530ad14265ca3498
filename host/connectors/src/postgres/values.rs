//! Single values: from what a record has to the text that the server reads for a column's type. What does not fit is found out here, where the record is known.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::fmt::Write;

/// The types that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    Integer {
        least: i64,
        most: i64,
    },
    Float,
    Numeric,
    Bool,
    Text,
    /// A moment.
    TimestampTz,
    /// A date and a time, wherever.
    Timestamp,
    Date,
    Bytes,
    Json,
    Uuid,
}

impl ColumnType {
    /// That of a type of the catalogue, by its number, its name and what it is; `None`: it is not written.
    pub(super) fn of(oid: u32, name: &str, typtype: &str) -> Option<Self> {
        Some(match (oid, name, typtype) {
            (21, ..) => Self::Integer { least: i16::MIN.into(), most: i16::MAX.into() },
            (23, ..) => Self::Integer { least: i32::MIN.into(), most: i32::MAX.into() },
            (20, ..) => Self::Integer { least: i64::MIN, most: i64::MAX },
            (700 | 701, ..) => Self::Float,
            (1700, ..) => Self::Numeric,
            (16, ..) => Self::Bool,
            (25 | 1043 | 1042 | 19, ..) | (_, "citext", _) | (_, _, "e") => Self::Text,
            (1184, ..) => Self::TimestampTz,
            (1114, ..) => Self::Timestamp,
            (1082, ..) => Self::Date,
            (17, ..) => Self::Bytes,
            (114 | 3802, ..) => Self::Json,
            (2950, ..) => Self::Uuid,
            _ => return None,
        })
    }
}

/// What a record has for a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Given<'a> {
    Nothing,
    Text(&'a str),
    /// A number as JSON has it.
    Number(&'a str),
    Flag(bool),
    /// An object or a list, as it is written.
    Json(&'a str),
    /// A key or a value as it is.
    Bytes(&'a [u8]),
    /// A time of a record.
    Millis(i64),
}

impl<'a> Given<'a> {
    /// A value of JSON, as it is written. A text that is written with escapes is put into `unescaped`.
    pub(super) fn of_json(written: &'a str, unescaped: &'a mut String) -> Result<Self, String> {
        Ok(match written.as_bytes().first() {
            None | Some(b'n') => Self::Nothing,
            Some(b't') => Self::Flag(true),
            Some(b'f') => Self::Flag(false),
            Some(b'{' | b'[') => Self::Json(written),
            Some(b'"') if !written.contains('\\') => Self::Text(&written[1..written.len() - 1]),
            Some(b'"') => {
                *unescaped = serde_json::from_str(written).map_err(|error| error.to_string())?;
                Self::Text(unescaped)
            }
            Some(_) => Self::Number(written),
        })
    }

    /// The text that it is, or is written as.
    fn text(self) -> Result<Cow<'a, str>, String> {
        match self {
            Self::Nothing => Ok("".into()),
            Self::Text(text) | Self::Number(text) | Self::Json(text) => Ok(text.into()),
            Self::Flag(flag) => Ok(if flag { "true" } else { "false" }.into()),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).map(Into::into).map_err(|_| "is not UTF-8".into()),
            Self::Millis(millis) => Ok(millis.to_string().into()),
        }
    }
}

/// Appends the value as COPY has it. The error says why it does not fit, behind what it is.
pub(super) fn write(kind: ColumnType, given: Given<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    if given == Given::Nothing {
        out.extend_from_slice(b"\\N");
        return Ok(());
    }
    if let (ColumnType::Bytes, Given::Bytes(bytes)) = (kind, given) {
        hex(bytes, out);
        return Ok(());
    }
    let text = given.text()?;
    let refuse = |why: &str| Err(format!("{} {why}", short(&text)));
    if let (Given::Json(_), false) = (given, kind == ColumnType::Json) {
        return refuse("is an object or a list");
    }
    match kind {
        ColumnType::Integer { least, most } => match text.trim().parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => _ = write!(Bytes(out), "{number}"),
            Ok(_) => return Err(format!("{} is not between {least} and {most}", short(&text))),
            Err(_) => return refuse("is no whole number, or too large a one"),
        },
        ColumnType::Float | ColumnType::Numeric => match text.trim().parse::<f64>() {
            Ok(_) => escape(text.trim(), out),
            Err(_) => return refuse("is no number"),
        },
        ColumnType::Bool => match (given, &*text) {
            (Given::Number(_), _) => return refuse("is a number, and neither true nor false"),
            (_, "true" | "t" | "1") => out.push(b't'),
            (_, "false" | "f" | "0") => out.push(b'f'),
            (_, _) => return refuse("is neither true nor false"),
        },
        ColumnType::Text => match text.contains('\0') {
            true => return refuse("has a zero byte, which no text of the server has"),
            false => escape(&text, out),
        },
        ColumnType::TimestampTz => match moment(given, &text) {
            Some(moment) => _ = write!(Bytes(out), "{moment}"),
            None => return refuse("is no time with a zone, such as 2026-01-31T12:00:00Z, nor milliseconds since 1970"),
        },
        ColumnType::Timestamp => match (moment_of_number(given), text.parse::<jiff::civil::DateTime>()) {
            (Some(moment), _) => _ = write!(Bytes(out), "{}", moment.to_zoned(jiff::tz::TimeZone::UTC).datetime()),
            (None, Ok(time)) => _ = write!(Bytes(out), "{time}"),
            (None, Err(_)) => return refuse("is no date with a time, such as 2026-01-31T12:00:00"),
        },
        ColumnType::Date => match (moment_of_number(given), text.parse::<jiff::civil::Date>()) {
            (Some(moment), _) => _ = write!(Bytes(out), "{}", moment.to_zoned(jiff::tz::TimeZone::UTC).date()),
            (None, Ok(date)) => _ = write!(Bytes(out), "{date}"),
            (None, Err(_)) => return refuse("is no date, such as 2026-01-31"),
        },
        ColumnType::Bytes => match bytes(&text) {
            Some(bytes) => hex(&bytes, out),
            None => return refuse("is neither base64 nor `\\x` with hexadecimal digits"),
        },
        ColumnType::Json => json(given, &text, out)?,
        ColumnType::Uuid => match is_uuid(&text) {
            true => escape(&text, out),
            false => return refuse("is no UUID"),
        },
    }
    Ok(())
}

/// What is said of a value in a message: its beginning.
fn short(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// A time of a record, and an integer, are milliseconds since 1970.
fn moment_of_number(given: Given<'_>) -> Option<jiff::Timestamp> {
    let millis = match given {
        Given::Millis(millis) => millis,
        Given::Number(number) => number.parse().ok()?,
        Given::Nothing | Given::Text(_) | Given::Flag(_) | Given::Json(_) | Given::Bytes(_) => return None,
    };
    jiff::Timestamp::from_millisecond(millis).ok()
}

fn moment(given: Given<'_>, text: &str) -> Option<jiff::Timestamp> {
    moment_of_number(given).or_else(|| text.parse().ok())
}

/// A value of JSON as it is; a cell and a key have to be JSON themselves.
fn json(given: Given<'_>, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    match given {
        Given::Text(text) => {
            let quoted = serde_json::to_string(text).map_err(|error| error.to_string())?;
            escape(&quoted, out);
        }
        Given::Bytes(_) => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => escape(text, out),
            Err(error) => return Err(format!("{} is no JSON: {error}", short(text))),
        },
        Given::Nothing | Given::Number(_) | Given::Flag(_) | Given::Json(_) | Given::Millis(_) => escape(text, out),
    }
    Ok(())
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("\\x") else { return BASE64_STANDARD.decode(text).ok() };
    let digits = digits.as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
    digits.chunks(2).map(pair).collect()
}

fn is_uuid(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let hyphens = text.bytes().filter(|byte| *byte == b'-').count();
    let in_place = text.len() != 36 || [8, 13, 18, 23].iter().all(|place| text.as_bytes()[*place] == b'-');
    digits == 32 && digits + hyphens == text.len() && (hyphens == 0 || hyphens == 4) && in_place
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // The backslash is one of COPY's.
    out.extend_from_slice(b"\\\\x");
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

/// A text as COPY has it: what would end a column or a row is escaped.
fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r')) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// A buffer that texts are written to.
struct Bytes<'o>(&'o mut Vec<u8>);

impl Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: ColumnType, given: Given<'_>) -> Result<String, String> {
        let mut out = Vec::new();
        write(kind, given, &mut out).map(|()| String::from_utf8(out).expect("UTF-8"))
    }

    const SMALL: ColumnType = ColumnType::Integer { least: -32768, most: 32767 };

    #[test]
    fn what_fits_is_written_as_copy_reads_it() {
        use ColumnType as T;
        use Given::{Bytes, Flag, Json, Millis, Nothing, Number, Text};
        for (kind, given, expect) in [
            (SMALL, Nothing, "\\N"),
            (SMALL, Number("-32768"), "-32768"),
            (SMALL, Text(" 7 "), "7"),
            (T::Numeric, Number("1.000000000000000000001"), "1.000000000000000000001"),
            (T::Float, Text("NaN"), "NaN"),
            (T::Bool, Flag(true), "t"),
            (T::Bool, Bytes(b"0"), "f"),
            (T::Text, Text("a\tb\\c\r\n"), "a\\tb\\\\c\\r\\n"),
            (T::Text, Text("\\N"), "\\\\N"),
            (T::Text, Number("5.0"), "5.0"),
            (T::TimestampTz, Text("2026-01-31T12:00:00+02:00"), "2026-01-31T10:00:00Z"),
            (T::TimestampTz, Millis(1_500), "1970-01-01T00:00:01.5Z"),
            (T::Timestamp, Text("2026-01-31 12:00:00"), "2026-01-31T12:00:00"),
            (T::Timestamp, Number("0"), "1970-01-01T00:00:00"),
            (T::Date, Text("2026-01-31"), "2026-01-31"),
            (T::Date, Number("86400000"), "1970-01-02"),
            (T::Date, Millis(-1), "1969-12-31"),
            (T::Bytes, Bytes(&[0, 255]), "\\\\x00ff"),
            (T::Bytes, Text("AP8="), "\\\\x00ff"),
            (T::Bytes, Text("\\x00fF"), "\\\\x00ff"),
            (T::Json, Json("{\"a\": \"\\n\"}"), "{\"a\": \"\\\\n\"}"),
            (T::Json, Text("x"), "\"x\""),
            (T::Json, Bytes(b"[1]"), "[1]"),
            (T::Uuid, Text("6f9619ff-8b86-d011-b42d-00c04fc964ff"), "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ] {
            assert_eq!(written(kind, given).as_deref(), Ok(expect), "{kind:?} {given:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        use ColumnType as T;
        use Given::{Bytes, Flag, Json, Number, Text};
        for (kind, given, expect) in [
            (SMALL, Number("32768"), "\"32768\" is not between -32768 and 32767"),
            (SMALL, Number("1.5"), "\"1.5\" is no whole number"),
            (SMALL, Text(""), "\"\" is no whole number"),
            (SMALL, Json("[1]"), "is an object or a list"),
            (T::Numeric, Text("1,5"), "is no number"),
            (T::Bool, Number("1"), "neither true nor false"),
            (T::Bool, Text("yes!"), "neither true nor false"),
            (T::Text, Text("a\0"), "zero byte"),
            (T::Text, Bytes(&[255]), "is not UTF-8"),
            (T::TimestampTz, Text("2026-01-31T12:00:00"), "no time with a zone"),
            (T::TimestampTz, Flag(true), "no time with a zone"),
            (T::Timestamp, Text("noon"), "is no date with a time"),
            (T::Date, Text("2026-02-30"), "is no date"),
            (T::Bytes, Text("\\x0"), "neither base64"),
            (T::Json, Bytes(b"{"), "is no JSON"),
            (T::Uuid, Text("6f9619ff"), "is no UUID"),
        ] {
            let error = written(kind, given).expect_err("it does not fit");
            assert!(error.contains(expect), "{kind:?} {given:?}: {error}");
        }
        assert_eq!(short(&"x".repeat(100)), format!("{:?}…", "x".repeat(60)));
    }

    #[test]
    fn json_is_told_apart_by_how_it_is_written() {
        let mut unescaped = String::new();
        assert_eq!(Given::of_json("\"a\\u0062\"", &mut unescaped), Ok(Given::Text("ab")));
        assert_eq!(Given::of_json("null", &mut String::new()), Ok(Given::Nothing));
        assert_eq!(Given::of_json("-1e5", &mut String::new()), Ok(Given::Number("-1e5")));
        assert_eq!(Given::of_json("\"a\"", &mut String::new()), Ok(Given::Text("a")));
    }
}
