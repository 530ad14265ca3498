//! What states hold, as `weir replay` and the dry run show it: by the description of the state's type, as `weir state` shows it; what is `raw` as `0x` and
//! hex digits, keys as text where they are text.

use crate::value_text::{KeyForm, KeyShown, Shown, StateText, hex};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use weir_engine::replay::Held;
use weir_engine::state::{StateDescriptor, StateKind};

/// A value; the items of a list; the entries of a map as `{"entry": …, "value": …}`; nothing where nothing is held.
pub type HeldDocument = Option<Box<RawValue>>;

/// How the states of an operator are shown, by their names.
pub struct HeldText {
    states: BTreeMap<String, (StateKind, StateText)>,
    keys: KeyForm,
}

impl HeldText {
    /// By their declarations; the later ones of two with one name.
    pub fn of<'a>(states: impl IntoIterator<Item = &'a StateDescriptor>) -> Self {
        let states: Vec<_> = states.into_iter().collect();
        let keys = KeyForm::of(states.iter().copied());
        Self { states: states.into_iter().map(|state| (state.name.clone(), (state.kind, StateText::of(state)))).collect(), keys }
    }

    /// A key of a state, with its window as `{"key": …, "window": …}` where it is in one; of a broadcast state an entry.
    pub(super) fn key(&self, state: &str, key: &[u8], problem: &mut Option<String>) -> Box<RawValue> {
        match self.states.get(state) {
            Some((StateKind::Broadcast, text)) => json(text.entry_now(key), problem),
            Some((StateKind::Value | StateKind::List | StateKind::Map, _)) | None => match self.keys.shown(key) {
                KeyShown { key, window: None } => text(&key),
                KeyShown { key, window: Some(window) } => {
                    RawValue::from_string(format!("{{\"key\":{},\"window\":{window}}}", text(&key))).expect("it is made of JSON")
                }
            },
        }
    }

    /// What a state holds. `problem` is set where that is not what its description says.
    pub(super) fn held(&self, state: &str, held: Option<&Held>, problem: &mut Option<String>) -> HeldDocument {
        let text = self.states.get(state).map(|(_, text)| text);
        let mut value = |value: &[u8]| text.map_or_else(|| bytes(value), |text| json(text.value_now(value), problem));
        Some(match held? {
            Held::Value(of) => value(of),
            Held::List(items) => array(items.iter().map(|item| value(item).get().to_owned())),
            Held::Map(entries) => {
                let values: Vec<_> = entries.iter().map(|(_, of)| value(of)).collect();
                let mut entry = |entry: &[u8]| text.map_or_else(|| bytes(entry), |text| json(text.entry_now(entry), problem));
                let pairs = entries.iter().zip(values).map(|((of, _), value)| (entry(of), value));
                array(pairs.map(|(entry, value)| format!("{{\"entry\":{entry},\"value\":{value}}}")))
            }
        })
    }
}

fn bytes(of: &[u8]) -> Box<RawValue> {
    text(&hex(of))
}

fn text(of: &str) -> Box<RawValue> {
    to_raw_value(of).expect("JSON can be written")
}

fn json(shown: Shown, problem: &mut Option<String>) -> Box<RawValue> {
    *problem = problem.take().or(shown.problem);
    RawValue::from_string(shown.json).expect("what is shown is JSON")
}

fn array(items: impl Iterator<Item = String>) -> Box<RawValue> {
    let items: Vec<String> = items.collect();
    RawValue::from_string(format!("[{}]", items.join(","))).expect("an array of JSON is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::state::{WindowKind, WindowSettings, window_state};

    fn state(kind: StateKind, schema: &str) -> StateDescriptor {
        StateDescriptor { name: "s".into(), kind, schema: schema.into(), version: 3, ttl: None }
    }

    #[track_caller]
    fn check(state: &StateDescriptor, held: Held, expect: &str) {
        let (text, mut problem) = (HeldText::of([state]), None);
        let shown = text.held("s", Some(&held), &mut problem).expect("something is held");
        assert_eq!((shown.get(), problem), (expect, None));
    }

    #[test]
    fn what_a_state_holds_is_shown_by_the_description_of_its_type() {
        check(&state(StateKind::Value, "u64"), Held::Value(vec![7]), "7");
        check(&state(StateKind::List, "string"), Held::List(vec![b"\x61a".to_vec(), b"\x61b".to_vec()]), "[\"a\",\"b\"]");
        check(&state(StateKind::Map, "map<u8,bool>"), Held::Map(vec![(vec![1], vec![0xf5])]), "[{\"entry\":1,\"value\":true}]");
        check(&state(StateKind::Value, "raw"), Held::Value(b"as it is".to_vec()), "\"0x6173206974206973\"");
        check(&state(StateKind::Value, "raw"), Held::Value(vec![1, 0, 0xff]), "\"0x0100ff\"");
        check(&state(StateKind::Map, "raw"), Held::Map(vec![(b"a".to_vec(), vec![1])]), "[{\"entry\":\"0x61\",\"value\":\"0x01\"}]");
        assert!(HeldText::of([]).held("s", None, &mut None).is_none());
    }

    #[test]
    fn a_broadcast_entry_is_shown_by_it_too_and_a_key_is_not() {
        let key = |kind, bytes: &[u8]| HeldText::of([&state(kind, "map<u8,u8>")]).key("s", bytes, &mut None).get().to_owned();
        assert_eq!((key(StateKind::Broadcast, &[5]), key(StateKind::Map, b"five")), ("5".into(), "\"five\"".into()));
        assert_eq!(key(StateKind::Value, &[0xff, 0]), "\"0xff00\"");
    }

    #[test]
    fn a_key_is_shown_with_the_window_that_it_is_in() {
        let windows = window_state(&WindowSettings::new(WindowKind::Tumbling { size: 5, offset: 0 }));
        let text = HeldText::of([&state(StateKind::Value, "u8"), &windows]);
        let unit = [&(10_i64 ^ i64::MIN).to_be_bytes()[..], b"a"].concat();
        assert_eq!(text.key("s", &unit, &mut None).get(), "{\"key\":\"a\",\"window\":\"1970-01-01T00:00:00.010Z\"}");
    }

    #[test]
    fn bytes_that_the_description_does_not_fit_are_shown_as_digits_with_the_reason() {
        let (text, mut problem) = (HeldText::of([&state(StateKind::Value, "u8")]), None);
        let shown = text.held("s", Some(&Held::Value(vec![0xf6])), &mut problem).expect("something is held");
        assert_eq!((shown.get(), problem.as_deref()), ("\"0xf6\"", Some("null where an integer was expected")));
    }
}
