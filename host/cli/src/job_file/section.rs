//! One table of a job file, read key by key as its table of settings says. What that does not have is an unknown key.
//!
//! A value that is not what was asked for becomes a problem, and the caller goes on with the default: so every problem of a file is found in one pass. What is read
//! is kept as it holds, for whoever shows the settings in force.

use super::model::Settings;
use super::problem::{Problem, Reporter, Span};
use super::suggest;
use super::values::{integer_of, json_of, number_of, text_now};
use super::written::{self, duration_text, size_text};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use weir_connectors::{Fallback, Kind, Setting, Within};

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

/// A table of the file beside its table of settings.
pub(super) struct Section<'a> {
    /// As it is named in messages: `[checkpoints]`.
    pub name: String,
    /// Where it begins.
    pub span: Span,
    table: &'a DeTable<'a>,
    settings: &'static [Setting],
    /// Keys that belong elsewhere and have been told so.
    misplaced: RefCell<Vec<&'static str>>,
    effective: RefCell<Map<String, Value>>,
    reporter: &'a Reporter,
}

impl<'a> Section<'a> {
    /// A section of `table`, which has these settings.
    pub fn new(name: impl Into<String>, span: Span, table: &'a DeTable<'a>, settings: &'static [Setting], reporter: &'a Reporter) -> Self {
        Self { name: name.into(), span, table, settings, misplaced: RefCell::default(), effective: RefCell::default(), reporter }
    }

    /// Adds a problem.
    pub fn problem(&self, problem: Problem) {
        self.reporter.add(problem);
    }

    fn setting(&self, key: &str) -> &'static Setting {
        Setting::of(self.settings, key)
    }

    /// The value of a key.
    pub fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.get(self.setting(key).name)
    }

    /// Where a key stands, if it does.
    pub fn place(&self, key: &'static str) -> Option<Span> {
        let (key, value) = self.table.get_key_value(self.setting(key).name)?;
        Some(key.span().start..value.span().end)
    }

    /// Shows `value` as what holds for `key`.
    pub fn show(&self, key: &'static str, value: impl Into<Value>) {
        self.effective.borrow_mut().insert(key.to_owned(), value.into());
    }

    /// What `read` makes of the key's value; a problem that names `expected` where it makes nothing.
    pub fn read<T>(&self, key: &'static str, expected: &str, read: impl FnOnce(&'a DeValue<'a>) -> Option<T>) -> Option<Located<T>> {
        self.show(key, Value::Null);
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
        let unread = |value: &Spanned<DeValue<'_>>| text_now(value.get_ref())?.err().map(|error| (value.span(), error));
        let items = value.get_ref().as_array().into_iter().flatten();
        if let Some((span, error)) = std::iter::once(value).chain(items).find_map(unread) {
            self.problem(Problem::new(span, format!("`{key}` of {}: {error}", self.name)).hint(error.hint()));
            return;
        }
        let is = value.get_ref().type_str();
        self.problem(Problem::new(value.span(), format!("`{key}` of {} is {expected}", self.name)).label(format!("this {is} is not")));
    }

    /// What the table of settings says where the file does not.
    fn default<T>(&self, key: &str, read: impl FnOnce(&'static str) -> Option<T>) -> T {
        let Fallback::Value(text) = self.setting(key).fallback else { panic!("`{key}` has no default") };
        read(text).unwrap_or_else(|| panic!("the default of `{key}` is not what it is"))
    }

    /// A text, as it is now where the file does not say all of it; it is shown as it is written.
    pub fn string(&self, key: &'static str) -> Option<Located<String>> {
        let Located { value, span } = self.read(key, "a text in quotes", text_now)?;
        self.get(key).into_iter().flat_map(json_of).for_each(|written| self.show(key, written));
        match value {
            Ok(value) => Some(Located { value, span }),
            Err(error) => {
                self.problem(Problem::new(span, format!("`{key}` of {}: {error}", self.name)).hint(error.hint()));
                None
            }
        }
    }

    /// How a text that is read is written.
    pub fn written(&self, key: &'static str) -> Option<String> {
        self.get(key)?.get_ref().as_str().map(str::to_owned)
    }

    /// A text as it is written: a dollar in it means something to somebody else.
    pub fn string_as_it_is(&self, key: &'static str) -> Option<Located<String>> {
        let text = self.read(key, "a text in quotes", |value| value.as_str().map(str::to_owned))?;
        self.show(key, text.value.clone());
        Some(text)
    }

    /// A text that has a default.
    pub fn string_or_default(&self, key: &'static str) -> Located<String> {
        self.string(key).unwrap_or_else(|| {
            let value: String = self.default(key, |text| Some(text.into()));
            self.show(key, value.clone());
            Located { value, span: self.span.clone() }
        })
    }

    /// A text, which must be there.
    pub fn required(&self, key: &'static str) -> Option<Located<String>> {
        let Fallback::Required(example) = self.setting(key).fallback else { panic!("`{key}` need not be there") };
        if !self.table.contains_key(key) {
            let meant = self.table.iter().find(|(other, _)| suggest::nearest(other.get_ref(), [key]).is_some());
            let problem = match meant {
                Some((other, _)) => {
                    Problem::new(other.span(), format!("{} has no `{key}`", self.name)).hint(format!("did you mean `{key}`?"))
                }
                None => Problem::new(self.span.clone(), format!("{} has no `{key}`", self.name))
                    .hint(format!("for example `{key} = {example}`")),
            };
            self.problem(problem);
            return None;
        }
        self.string(key)
    }

    /// A whole number within its bounds, where it is said.
    pub fn whole(&self, key: &'static str) -> Option<Located<u64>> {
        let Kind::Whole { least, most } = self.setting(key).kind else { panic!("`{key}` is no whole number") };
        let expected = format!("a whole number from {least} to {most}");
        let whole = self.read(key, &expected, |value| {
            let number = value.as_integer().and_then(integer_of).and_then(|n| u64::try_from(n).ok());
            number.filter(|n| (least..=most).contains(n))
        })?;
        self.show(key, whole.value);
        Some(whole)
    }

    /// A whole number that has a default.
    pub fn whole_or_default(&self, key: &'static str) -> u64 {
        let number = self.whole(key).map_or_else(|| self.default(key, |text| text.parse().ok()), |number| number.value);
        self.show(key, number);
        number
    }

    /// A number above zero, where it is said.
    pub fn above_zero(&self, key: &'static str) -> Option<f64> {
        assert_eq!(self.setting(key).kind, Kind::AboveZero, "{key}");
        let number = self.read(key, "a number above 0", |value| number_of(value).filter(|n| n.is_finite() && *n > 0.0))?.value;
        self.show(key, number);
        Some(number)
    }

    /// True or false.
    pub fn flag(&self, key: &'static str) -> bool {
        assert_eq!(self.setting(key).kind, Kind::Flag, "{key}");
        let said = self.read(key, "true or false", DeValue::as_bool);
        let flag = said.map_or_else(|| self.default(key, |text| text.parse().ok()), |flag| flag.value);
        self.show(key, flag);
        flag
    }

    /// A duration within its bounds, where it is said.
    pub fn duration(&self, key: &'static str) -> Option<Duration> {
        let Kind::Duration(within) = self.setting(key).kind else { panic!("`{key}` is no duration") };
        let parse = |value: &DeValue<'_>| written::duration(&text_now(value)?.ok()?);
        let duration = self.read(key, "a duration such as \"200ms\", \"1s\" or \"10m\"", parse)?;
        let duration = self.within(key, duration, within)?;
        self.show(key, duration_text(duration));
        Some(duration)
    }

    /// A duration that has a default.
    pub fn duration_or_default(&self, key: &'static str) -> Duration {
        let duration = self.duration(key).unwrap_or_else(|| self.default(key, written::duration));
        self.show(key, duration_text(duration));
        duration
    }

    /// A size in bytes within its bounds, where it is said.
    pub fn size(&self, key: &'static str) -> Option<u64> {
        let Kind::Size(within) = self.setting(key).kind else { panic!("`{key}` is no size") };
        let size = self.read(key, "a size such as \"64MiB\"", |value| written::size(&text_now(value)?.ok()?))?;
        let size = self.within(key, size, within)?;
        self.show(key, size_text(size));
        Some(size)
    }

    /// A size that has a default.
    pub fn size_or_default(&self, key: &'static str) -> u64 {
        let size = self.size(key).unwrap_or_else(|| self.default(key, written::size));
        self.show(key, size_text(size));
        size
    }

    /// The value, where its bounds hold it.
    fn within<T: PartialOrd>(&self, key: &'static str, read: Located<T>, bounds: Within<T>) -> Option<T> {
        if (bounds.least..=bounds.most).contains(&read.value) {
            return Some(read.value);
        }
        let problem = Problem::new(read.span, bounds.otherwise);
        self.problem(match self.setting(key).default_text().filter(|_| bounds.names_default) {
            Some(default) => problem.hint(format!("the default is `{key} = {default}`")),
            None => problem,
        });
        None
    }

    /// A key that stands here and belongs elsewhere.
    pub fn misplaced(&self, key: &'static str, hint: impl FnOnce(&DeValue<'_>) -> String) {
        let Some((name, value)) = self.table.get_key_value(key) else { return };
        self.misplaced.borrow_mut().push(key);
        let span = name.span().start..value.span().end;
        let problem = Problem::new(span, format!("{} has no `{key}`", self.name)).label("this belongs elsewhere");
        self.problem(problem.hint(hint(value.get_ref())));
    }

    /// One of several words that has a default.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)]) -> T {
        let word = |value| choices.iter().find(|(name, _)| *name == value).copied();
        let (name, choice) = match self.choice_or(key, choices, |_| None) {
            Some((name, chosen)) => (name, chosen.value),
            None => self.default(key, word),
        };
        self.show(key, name);
        choice
    }

    /// One of several words, where it is said. `hint` knows what may have been meant by a word that is nothing like one of them.
    pub fn choice_or<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&'static str, T)],
        hint: impl FnOnce(&str) -> Option<String>,
    ) -> Option<(&'static str, Located<T>)> {
        let known = || choices.iter().map(|&(name, _)| name);
        let Kind::Choice(words) = self.setting(key).kind else { panic!("`{key}` is no choice") };
        assert!(known().eq(words.iter().copied()), "`{key}` is read as another choice than its table says");
        let word = self.string(key)?;
        if let Some(&(name, value)) = choices.iter().find(|(name, _)| *name == word.value) {
            return Some((name, Located { value, span: word.span }));
        }
        let message = format!("`{key}` of {} is one of {}", self.name, suggest::list(known()));
        let problem = Problem::new(word.span, message).label("this is not");
        let meant = suggest::nearest(&word.value, known()).map(|best| format!("did you mean `{best}`?"));
        self.problem(match meant.or_else(|| hint(&word.value)) {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
        None
    }

    /// A list of texts; one text counts as a list of one, none as an empty one.
    pub fn strings(&self, key: &'static str) -> Vec<String> {
        assert_eq!(self.setting(key).kind, Kind::Texts, "{key}");
        let said = self.read(key, "a list of texts", |value| match value.as_array() {
            Some(items) => items.iter().map(|item| text_now(item.get_ref())?.ok()).collect(),
            None => Some(vec![text_now(value)?.ok()?]),
        });
        let strings = said.map(|strings| strings.value).unwrap_or_default();
        let written = self.get(key).and_then(|value| json_of(value).ok()).filter(Value::is_array);
        self.show(key, written.unwrap_or_else(|| strings.clone().into()));
        strings
    }

    /// A table within this one.
    pub fn table(&self, key: &'static str) -> Option<Section<'a>> {
        let Kind::Table(settings) = self.setting(key).kind else { panic!("`{key}` is no table") };
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => {
                let span = if value.span().is_empty() { self.span.clone() } else { value.span() };
                Some(Section::new(self.name_of(key), span, table, settings, self.reporter))
            }
            None => {
                self.mismatch(key, "a table", value);
                None
            }
        }
    }

    /// A table within this one, empty where it is not there: then its settings are their defaults.
    pub fn table_or_empty(&self, key: &'static str, empty: &'a DeTable<'a>) -> Section<'a> {
        let Kind::Table(settings) = self.setting(key).kind else { panic!("`{key}` is no table") };
        let table = self.table(key);
        table.unwrap_or_else(|| Section::new(self.name_of(key), self.span.clone(), empty, settings, self.reporter))
    }

    fn name_of(&self, key: &str) -> String {
        if self.name == TOP { format!("[{key}]") } else { format!("`{key}` of {}", self.name) }
    }

    /// A table that stands within this one without a key.
    pub fn inner<'b>(&self, what: &str, span: Span, table: &'b DeTable<'b>, settings: &'static [Setting]) -> Section<'b>
    where
        'a: 'b,
    {
        Section::new(format!("{what} of {}", self.name), span, table, settings, self.reporter)
    }

    /// The tables below a key such as `source`, by id, in the order of the file.
    pub fn tables(&self, key: &'static str) -> Vec<(Located<String>, Section<'a>)> {
        let Kind::Tables(settings) = self.setting(key).kind else { panic!("`{key}` is no table of tables") };
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
                    let section = Section::new(format!("[{key}.{}]", id.value), id.span.clone(), table, settings, self.reporter);
                    found.push((id, section));
                }
                None => self.mismatch(&format!("{key}.{}", id.value), "a table", table),
            }
        }
        found.sort_by_key(|(id, _)| id.span.start);
        found
    }

    fn is_known(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| setting.name == key) || self.misplaced.borrow().contains(&key)
    }

    /// Every key that the table of settings does not have is a problem. The settings that were read, as they hold.
    pub fn finish(self) -> Map<String, Value> {
        for key in self.table.keys().filter(|key| !self.is_known(key.get_ref())) {
            let message = format!("unknown key `{}` in {}", key.get_ref(), self.name);
            let known = self.settings.iter().map(|setting| setting.name);
            self.problem(Problem::new(key.span(), message).hint(suggest::hint(key.get_ref(), known)));
        }
        self.effective.into_inner()
    }

    /// Every key that the table of settings does not have, as JSON: what a connector takes.
    pub fn rest(&self) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in self.table.iter().filter(|(key, _)| !self.is_known(key.get_ref())) {
            let name = key.get_ref().to_string();
            settings.spans.insert(name.clone(), key.span().start..value.span().end);
            for (inner, value) in value.get_ref().as_table().into_iter().flatten() {
                settings.spans.insert(format!("{name}.{}", inner.get_ref()), inner.span().start..value.span().end);
            }
            match json_of(value) {
                Ok(value) => {
                    settings.values.insert(name, value);
                }
                Err(problem) => self.problem(problem),
            }
        }
        settings
    }

    /// What has been read so far, as it holds.
    pub fn shown(self) -> Map<String, Value> {
        self.effective.into_inner()
    }
}
