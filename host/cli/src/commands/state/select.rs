//! Which of an operator's state is wanted, and that state as rows.

use crate::documents::StateRow;
use crate::failure::Failure;
use crate::job_file::suggest;
use crate::value_text::{KeyForm, KeyShown, Shown, StateText, key_text, parse_hex, parse_key};
use serde_json::value::RawValue;
use std::ops::ControlFlow;
use weir_engine::inspect::OperatorState;
use weir_engine::state::{Payload, StateKind, StoredState};

/// Which keys are wanted. In a broadcast state, which has none, its entries are meant: by their bytes, or by the text that they are shown as.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    All,
    Prefix(KeyText),
    One(KeyText),
}

/// A key, or the beginning of one.
#[derive(Clone, Debug)]
pub(super) struct KeyText {
    bytes: Vec<u8>,
    text: String,
}

impl KeyText {
    /// As it is shown: text, or `0x` and hex digits.
    pub fn shown(text: &str) -> Result<Self, Failure> {
        let bytes = parse_key(text).ok_or_else(|| Failure::Usage {
            message: format!("`{text}` begins with 0x and goes on with what are no pairs of hex digits"),
            hint: "a key that begins with 0x itself is given as the hex digits of all its bytes".into(),
        })?;
        Ok(Self { bytes, text: text.to_owned() })
    }

    /// By its hex digits.
    pub fn hex(digits: &str) -> Result<Self, Failure> {
        let bytes = parse_hex(digits).ok_or_else(|| Failure::Usage {
            message: format!("`{digits}` is not made of pairs of hex digits"),
            hint: "`--key` takes text".into(),
        })?;
        Ok(Self { text: key_text(&bytes), bytes })
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The key's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Keys {
    fn has_key(&self, key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => key.starts_with(&prefix.bytes),
            Self::One(wanted) => key == wanted.bytes,
        }
    }

    fn has_entry(&self, entry: &[u8], shown: &Shown) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => entry.starts_with(&prefix.bytes) || shown.plain().starts_with(&prefix.text),
            Self::One(wanted) => entry == wanted.bytes || shown.plain() == wanted.text,
        }
    }
}

/// The index of the state with this name among those that the operator declared.
pub(super) fn state_index(operator: &OperatorState<'_>, name: &str) -> Result<usize, Failure> {
    let declared = operator.declared();
    declared.iter().position(|state| state.name == name).ok_or_else(|| Failure::Usage {
        message: format!("the operator `{}` has no state `{name}`", operator.id()),
        hint: suggest(name, declared.iter().map(|state| state.name.as_str())),
    })
}

/// Who is given the rows; a break is the end of them.
pub(super) type Each<'e> = &'e mut dyn FnMut(StateRow) -> Result<ControlFlow<()>, Failure>;

/// An operator's state as rows.
pub(super) struct Selection<'a> {
    operator: OperatorState<'a>,
    /// One for each declared state that is wanted, by its index.
    texts: Vec<Option<StateText>>,
    keys: Keys,
    form: KeyForm,
}

impl<'a> Selection<'a> {
    /// These keys of this state, or of all.
    pub fn new(operator: OperatorState<'a>, state: Option<&str>, keys: Keys) -> Result<Self, Failure> {
        let wanted = state.map(|name| state_index(&operator, name)).transpose()?;
        let text = |(index, state)| wanted.is_none_or(|wanted| wanted == index).then(|| StateText::of(state));
        let declared = operator.declared();
        Ok(Self { operator, texts: declared.iter().enumerate().map(text).collect(), keys, form: KeyForm::of(declared) })
    }

    /// Which keys are wanted.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Gives `each` a row for each value, item and entry: keyed state by key group and key, then broadcast state.
    pub async fn rows(&self, each: Each<'_>) -> Result<(), Failure> {
        if self.wants(|kind| kind != StateKind::Broadcast) && self.keyed(each).await?.is_break() {
            return Ok(());
        }
        if self.wants(|kind| kind == StateKind::Broadcast) { self.broadcast(each).await } else { Ok(()) }
    }

    /// Whether any wanted state is of such a kind.
    fn wants(&self, of_kind: impl Fn(StateKind) -> bool) -> bool {
        self.texts.iter().zip(self.operator.declared()).any(|(text, state)| text.is_some() && of_kind(state.kind))
    }

    async fn keyed(&self, each: Each<'_>) -> Result<ControlFlow<()>, Failure> {
        let mut reader = self.operator.keyed();
        let key_groups = match &self.keys {
            Keys::All | Keys::Prefix(_) => reader.key_groups(),
            Keys::One(key) => {
                let key_group = reader.group_of(&key.bytes);
                key_group..key_group + 1
            }
        };
        for key_group in key_groups {
            let keys = reader.group(key_group).await?;
            for (key, states) in keys.iter().filter(|(key, _)| self.keys.has_key(self.form.key_of(key))) {
                for stored in states {
                    if self.stored(key, stored, each)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The rows of one state of a key.
    fn stored(&self, key: &[u8], stored: &StoredState<'_>, each: Each<'_>) -> Result<ControlFlow<()>, Failure> {
        let StoredState { index, version, payload } = stored;
        let Some(text) = &self.texts[*index] else { return Ok(ControlFlow::Continue(())) };
        let (name, key) = (&self.operator.declared()[*index].name, Some(self.form.shown(key)));
        let mut give = |entry, value: &[u8]| each(row(key.clone(), name, entry, text.value(*version, value)));
        match payload {
            Payload::Value(value) => give(None, value),
            Payload::List(items) => until_break(items.iter().enumerate(), |(position, item)| give(Some(position_text(position)), item)),
            Payload::Map(entries) => until_break(entries, |(entry, value)| give(Some(text.entry(*version, entry)), value)),
        }
    }

    async fn broadcast(&self, each: Each<'_>) -> Result<(), Failure> {
        let Some(copy) = self.operator.broadcast().await? else { return Ok(()) };
        let states = self.operator.declared().iter().enumerate().filter(|(_, state)| state.kind == StateKind::Broadcast);
        for (index, state) in states {
            let Some(text) = &self.texts[index] else { continue };
            for (entry, value) in copy.entries(index) {
                let shown = text.entry(state.version, entry);
                let is_wanted = self.keys.has_entry(entry, &shown);
                if is_wanted && each(row(None, &state.name, Some(shown), text.value(state.version, value)))?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn until_break<T>(
    items: impl IntoIterator<Item = T>,
    mut give: impl FnMut(T) -> Result<ControlFlow<()>, Failure>,
) -> Result<ControlFlow<()>, Failure> {
    for item in items {
        if give(item)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn position_text(position: usize) -> Shown {
    Shown { json: position.to_string(), problem: None }
}

fn row(key: Option<KeyShown>, state: &str, entry: Option<Shown>, value: Shown) -> StateRow {
    let entry_problem = entry.as_ref().and_then(|entry| entry.problem.as_ref()).map(|what| format!("entry: {what}"));
    let problem = entry_problem.or(value.problem);
    let (key, window) = key.map_or((None, None), |KeyShown { key, window }| (Some(key), window.map(raw)));
    StateRow { key, window, state: state.to_owned(), entry: entry.map(|entry| raw(entry.json)), value: raw(value.json), problem }
}

/// What has been shown, to be written as it is.
pub(super) fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("values are shown as JSON")
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
