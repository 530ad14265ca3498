//! The settings of the job file as tables: each stands once, with its type, its default and what it says. Whoever reads a table, shows what is in force or
//! writes the reference page takes all of it from there.
//!
//! The job file's own tables are the command line's, those of connectors lie beside their code; this is the shape that both have.

use std::time::Duration;

/// One setting of a table of the job file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Its key.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What holds where the file does not say it.
    pub fallback: Fallback,
    /// What it says, for the reference page: sentences in Markdown.
    pub about: &'static str,
}

/// What the value of a setting may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A path or pattern, which is not empty.
    Path,
    /// A list of texts.
    Texts,
    /// True or false.
    Flag,
    /// A whole number from `least` to `most`; `u64::MAX`: of any size.
    Whole {
        /// The least.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// A number above zero.
    AboveZero,
    /// A duration such as "200ms".
    Duration(Within<Duration>),
    /// A number of bytes such as "64MiB".
    Size(Within<u64>),
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A table with settings of its own.
    Table(&'static [Setting]),
    /// A table of tables with settings of their own, by id.
    Tables(&'static [Setting]),
    /// What has a rule of its own; the words for it on the reference page.
    Other(&'static str),
}

/// The bounds of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Within<T> {
    /// The least.
    pub least: T,
    /// The largest.
    pub most: T,
    /// What is said of a value that is not between them.
    pub otherwise: &'static str,
    /// Whether that names the default as well.
    pub names_default: bool,
}

/// What holds where the job file does not say a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It has to be said; an example, as it is written in TOML.
    Required(&'static str),
    /// Nothing.
    Nothing,
    /// What follows from something else, in words.
    Found(&'static str),
    /// This value, as it is written in a job file but for the quotes.
    Value(&'static str),
}

impl Setting {
    /// A setting; the order is that of the reference page.
    pub const fn new(name: &'static str, kind: Kind, fallback: Fallback, about: &'static str) -> Self {
        Self { name, kind, fallback, about }
    }

    /// The setting `name` of `table`. That a reader asks for one that its table does not have is a bug of weir's.
    pub fn of(table: &'static [Setting], name: &str) -> &'static Setting {
        table.iter().find(|setting| setting.name == name).unwrap_or_else(|| panic!("no setting `{name}` in its table"))
    }

    /// The default as it is written in TOML, with its quotes.
    pub fn default_text(&self) -> Option<String> {
        let Fallback::Value(value) = self.fallback else { return None };
        Some(match self.kind {
            Kind::Text | Kind::Path | Kind::Duration(_) | Kind::Size(_) | Kind::Choice(_) => format!("\"{value}\""),
            Kind::Texts | Kind::Flag | Kind::Whole { .. } | Kind::AboveZero | Kind::Table(_) | Kind::Tables(_) => value.to_owned(),
            Kind::Other(_) if value.starts_with(['{', '[']) => value.to_owned(),
            Kind::Other(_) => format!("\"{value}\""),
        })
    }
}

impl Kind {
    /// Any duration.
    pub const DURATION: Self = Self::Duration(Within { least: Duration::ZERO, most: Duration::MAX, otherwise: "", names_default: false });

    /// A size within bounds that are spelled out in `otherwise`.
    pub const fn size(least: u64, most: u64, otherwise: &'static str) -> Self {
        Self::Size(Within { least, most, otherwise, names_default: false })
    }

    /// A duration within bounds that are spelled out in `otherwise`.
    pub const fn duration(least: Duration, most: Duration, otherwise: &'static str) -> Self {
        Self::Duration(Within { least, most, otherwise, names_default: false })
    }

    /// For the reference page.
    pub fn text(&self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Path => "path".into(),
            Self::Texts => "list of texts".into(),
            Self::Flag => "`true` or `false`".into(),
            Self::Whole { least: 0, most: u64::MAX } => "whole number".into(),
            Self::Whole { least, most: u64::MAX } => format!("whole number, at least {}", grouped(*least)),
            Self::Whole { least, most } => format!("whole number, {} to {}", grouped(*least), grouped(*most)),
            Self::AboveZero => "number above 0".into(),
            Self::Duration(_) => "duration".into(),
            Self::Size(_) => "size".into(),
            Self::Choice(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
            Self::Table(_) => "table".into(),
            Self::Tables(_) => "tables by id".into(),
            Self::Other(words) => (*words).into(),
        }
    }
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The rows of the reference page for `table`, in Markdown.
pub fn reference(table: &[Setting]) -> String {
    let mut text = "| setting | type | default | what it says |\n|---|---|---|---|\n".to_owned();
    for setting in table {
        let fallback = match setting.fallback {
            Fallback::Required(_) => "to be said".to_owned(),
            Fallback::Nothing => "none".to_owned(),
            Fallback::Found(words) => words.to_owned(),
            Fallback::Value(_) => format!("`{}`", setting.default_text().unwrap_or_default()),
        };
        text.push_str(&format!("| `{}` | {} | {fallback} | {} |\n", setting.name, setting.kind.text(), setting.about));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_reference_has_name_type_default_and_what_the_setting_says() {
        let table = [
            Setting::new("keys", Kind::Whole { least: 1, most: 32_768 }, Fallback::Value("128"), "How many."),
            Setting::new("mode", Kind::Choice(&["a", "b"]), Fallback::Value("a"), "Which."),
            Setting::new("path", Kind::Path, Fallback::Required("\"x\""), "Where."),
        ];
        let text = reference(&table);
        let rows: Vec<&str> = text.lines().skip(2).collect();
        let expect = [
            "| `keys` | whole number, 1 to 32,768 | `128` | How many. |",
            "| `mode` | `\"a\"`, `\"b\"` | `\"a\"` | Which. |",
            "| `path` | path | to be said | Where. |",
        ];
        assert_eq!(rows, expect);
    }
}
