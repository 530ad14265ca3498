//! One table of a job file, read key by key. What is asked for is known; what is left over at the end is an unknown key.
//!
//! A value that is not what was asked for becomes a problem, and the caller goes on as if the key were absent: so every
//! problem of a file is found in one pass.

use super::model::Settings;
use super::problem::{Problem, Reporter, Span};
use super::suggest;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

/// What the table that is the file itself is called in messages.
pub(super) const TOP: &str = "the job file";

/// A value with its place in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A table with the keys that have been asked for.
pub(super) struct Section<'a> {
    /// As it is named in messages: `[checkpoints]`.
    pub name: String,
    /// Where it begins.
    pub span: Span,
    table: &'a DeTable<'a>,
    asked: RefCell<Vec<&'static str>>,
    reporter: &'a Reporter,
}

impl<'a> Section<'a> {
    /// A section of `table`.
    pub fn new(name: impl Into<String>, span: Span, table: &'a DeTable<'a>, reporter: &'a Reporter) -> Self {
        Self { name: name.into(), span, table, asked: RefCell::default(), reporter }
    }

    /// Adds a problem.
    pub fn problem(&self, problem: Problem) {
        self.reporter.add(problem);
    }

    /// The value of a key.
    pub fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    /// Where a key stands, if it does; it counts as known from now on.
    pub fn place(&self, key: &'static str) -> Option<Span> {
        self.asked.borrow_mut().push(key);
        self.table.get_key_value(key).map(|(key, value)| key.span().start..value.span().end)
    }

    /// What `read` makes of the key's value; a problem that names `expected` where it makes nothing.
    pub fn read<T>(&self, key: &'static str, expected: &str, read: impl FnOnce(&'a DeValue<'a>) -> Option<T>) -> Option<Located<T>> {
        let value = self.get(key)?;
        match read(value.get_ref()) {
            Some(read) => Some(Located { value: read, span: value.span() }),
            None => {
                self.mismatch(key, expected, value);
                None
            }
        }
    }

    fn mismatch(&self, key: &str, expected: &str, value: &Spanned<DeValue<'_>>) {
        let is = value.get_ref().type_str();
        self.problem(Problem::new(value.span(), format!("`{key}` of {} is {expected}", self.name)).label(format!("this {is} is not")));
    }

    /// A text.
    pub fn string(&self, key: &'static str) -> Option<Located<String>> {
        self.read(key, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    /// A text, which must be there.
    pub fn required(&self, key: &'static str, example: &str) -> Option<Located<String>> {
        if !self.table.contains_key(key) {
            self.asked.borrow_mut().push(key);
            self.problem(
                Problem::new(self.span.clone(), format!("{} has no `{key}`", self.name)).hint(format!("for example `{key} = {example}`")),
            );
            return None;
        }
        self.string(key)
    }

    /// A whole number within bounds.
    pub fn integer(&self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<Located<u64>> {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        self.read(key, &expected, |value| {
            value.as_integer().and_then(integer_of).and_then(|n| u64::try_from(n).ok()).filter(|n| bounds.contains(n))
        })
    }

    /// A number above zero.
    pub fn positive(&self, key: &'static str) -> Option<Located<f64>> {
        self.read(key, "a number above 0", |value| number_of(value).filter(|n| n.is_finite() && *n > 0.0))
    }

    /// True or false.
    pub fn boolean(&self, key: &'static str) -> Option<Located<bool>> {
        self.read(key, "true or false", DeValue::as_bool)
    }

    /// A duration such as "200ms".
    pub fn duration(&self, key: &'static str) -> Option<Located<Duration>> {
        let parse = |value: &DeValue<'_>| humantime::parse_duration(value.as_str()?).ok();
        self.read(key, "a duration such as \"200ms\", \"1s\" or \"10m\"", parse)
    }

    /// A size in bytes such as "64MiB".
    pub fn size(&self, key: &'static str) -> Option<Located<u64>> {
        let parse = |value: &DeValue<'_>| value.as_str()?.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64());
        self.read(key, "a size such as \"64MiB\"", parse)
    }

    /// A key that stands here and belongs elsewhere.
    pub fn misplaced(&self, key: &'static str, hint: impl FnOnce(&DeValue<'_>) -> String) {
        if !self.table.contains_key(key) {
            return;
        }
        if let (Some(value), Some(span)) = (self.get(key), self.place(key)) {
            let problem = Problem::new(span, format!("{} has no `{key}`", self.name)).label("this belongs elsewhere");
            self.problem(problem.hint(hint(value.get_ref())));
        }
    }

    /// One of several words.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)]) -> Option<Located<T>> {
        self.choice_or(key, choices, |_| None)
    }

    /// One of several words. `hint` knows what may have been meant by a word that is nothing like one of them.
    pub fn choice_or<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&'static str, T)],
        hint: impl FnOnce(&str) -> Option<String>,
    ) -> Option<Located<T>> {
        let word = self.string(key)?;
        if let Some(&(_, value)) = choices.iter().find(|(name, _)| *name == word.value) {
            return Some(Located { value, span: word.span });
        }
        let known = || choices.iter().map(|&(name, _)| name);
        let message = format!("`{key}` of {} is one of {}", self.name, suggest::list(known()));
        let problem = Problem::new(word.span, message).label("this is not");
        let meant = suggest::nearest(&word.value, known()).map(|best| format!("did you mean `{best}`?"));
        self.problem(match meant.or_else(|| hint(&word.value)) {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
        None
    }

    /// A list of texts; one text counts as a list of one.
    pub fn strings(&self, key: &'static str) -> Option<Located<Vec<String>>> {
        self.read(key, "a list of texts", |value| match value.as_array() {
            Some(items) => items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect(),
            None => value.as_str().map(|one| vec![one.to_owned()]),
        })
    }

    /// A table within this one.
    pub fn table(&self, key: &'static str) -> Option<Section<'a>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => {
                let span = if value.span().is_empty() { self.span.clone() } else { value.span() };
                let name = if self.name == TOP { format!("[{key}]") } else { format!("`{key}` of {}", self.name) };
                Some(Section::new(name, span, table, self.reporter))
            }
            None => {
                self.mismatch(key, "a table", value);
                None
            }
        }
    }

    /// A table that stands within this one without a key.
    pub fn inner<'b>(&self, what: &str, span: Span, table: &'b DeTable<'b>) -> Section<'b>
    where
        'a: 'b,
    {
        Section::new(format!("{what} of {}", self.name), span, table, self.reporter)
    }

    /// The tables below a key such as `source`, by id, in the order of the file.
    pub fn tables(&self, key: &'static str) -> Vec<(Located<String>, Section<'a>)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(tables) = value.get_ref().as_table() else {
            self.mismatch(key, &format!("a table of tables: `[{key}.some-id]`"), value);
            return Vec::new();
        };
        let mut found = Vec::new();
        for (id, table) in tables {
            let id = Located { value: id.get_ref().to_string(), span: id.span() };
            match table.get_ref().as_table() {
                Some(table) => {
                    let section = Section::new(format!("[{key}.{}]", id.value), id.span.clone(), table, self.reporter);
                    found.push((id, section));
                }
                None => self.mismatch(&format!("{key}.{}", id.value), "a table", table),
            }
        }
        found.sort_by_key(|(id, _)| id.span.start);
        found
    }

    /// Every key that was not asked for is a problem.
    pub fn finish(self) {
        let mut asked = self.asked.borrow_mut();
        let mut seen = std::collections::BTreeSet::new();
        asked.retain(|&key| seen.insert(key));
        for key in self.table.keys().filter(|key| !asked.contains(&&**key.get_ref())) {
            let message = format!("unknown key `{}` in {}", key.get_ref(), self.name);
            self.problem(Problem::new(key.span(), message).hint(suggest::hint(key.get_ref(), asked.iter().copied())));
        }
    }

    /// Every key that was not asked for, as JSON: what a connector takes.
    pub fn rest(self) -> Settings {
        let asked = self.asked.borrow();
        let mut settings = Settings::default();
        for (key, value) in self.table.iter().filter(|(key, _)| !asked.contains(&&**key.get_ref())) {
            let name = key.get_ref().to_string();
            settings.spans.insert(name.clone(), key.span().start..value.span().end);
            match json_of(value) {
                Ok(value) => {
                    settings.values.insert(name, value);
                }
                Err(problem) => self.problem(problem),
            }
        }
        settings
    }
}

/// The number that an integer of the file stands for.
pub(super) fn integer_of(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number_of(value: &DeValue<'_>) -> Option<f64> {
    match value.as_float() {
        Some(float) => float.as_str().parse().ok(),
        None => value.as_integer().and_then(integer_of).map(|n| n as f64),
    }
}

/// The JSON value that says the same. Dates become texts; infinities and what is no number cannot be said.
pub(super) fn json_of(value: &Spanned<DeValue<'_>>) -> Result<serde_json::Value, Problem> {
    use serde_json::Value;
    let unsayable = || Problem::new(value.span(), "this number cannot be written as JSON");
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => Value::from(integer_of(integer).ok_or_else(unsayable)?),
        DeValue::Float(_) => {
            let number = number_of(value.get_ref()).and_then(serde_json::Number::from_f64);
            Value::Number(number.ok_or_else(unsayable)?)
        }
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(json_of).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<DeString<'_>>, _)| Ok((key.get_ref().to_string(), json_of(value)?));
            Value::Object(table.iter().map(entry).collect::<Result<_, Problem>>()?)
        }
    })
}
