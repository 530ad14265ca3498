//! Broadcast state as it is used and written, and sections that are damaged.

use super::conformance::SteadyBackend;
use super::varint::{put_bytes, put_number};
use super::*;
use crate::element::{CheckpointId, Column};
use crate::error::ErrorKind;

fn descriptors() -> Vec<StateDescriptor> {
    let state = |name: &str, kind, version| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version, ttl: None };
    vec![
        state("total", StateKind::Value, 1),
        state("names", StateKind::Broadcast, 3),
        state("items", StateKind::List, 1),
        state("rules", StateKind::Broadcast, 300),
    ]
}

const NAMES: usize = 1;
const RULES: usize = 3;

fn empty() -> BroadcastState {
    BroadcastState::new(&descriptors()).expect("two are declared")
}

/// Two names and 40 rules.
fn filled() -> BroadcastState {
    let mut state = empty();
    state.put(NAMES, b"UA", b"United");
    state.put(NAMES, b"AA", b"");
    (0..40_u8).rev().for_each(|rule| state.put(RULES, &[rule], &[rule; 50]));
    state
}

fn section(state: &BroadcastState) -> Vec<u8> {
    let mut section = Vec::new();
    state.write(&mut section);
    section
}

fn entries(state: &BroadcastState, number: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut entries, mut values) = (Column::new(), Column::new());
    assert_eq!(state.scan(number, None, usize::MAX, &mut entries, &mut values), None);
    entries.iter().map(<[u8]>::to_vec).zip(values.iter().map(<[u8]>::to_vec)).collect()
}

const SAME: [Option<usize>; 4] = [Some(0), Some(1), Some(2), Some(3)];

fn restored(section: &[u8], states: &[Option<usize>]) -> Result<BroadcastState, crate::error::EngineError> {
    let mut state = empty();
    state.restore(section, states).map(|()| state)
}

#[test]
fn entries_are_read_in_byte_order_page_by_page() {
    let mut state = filled();
    assert_eq!((state.get(NAMES, b"UA"), state.get(NAMES, b"AA"), state.get(NAMES, b"DL")), (Some(&b"United"[..]), Some(&b""[..]), None));
    let (mut page, mut values) = (Column::new(), Column::new());
    assert_eq!(state.scan(RULES, Some(&[7]), 130, &mut page, &mut values), Some(vec![9]));
    assert_eq!(page.data(), [7, 8]);
    state.remove(NAMES, b"UA");
    state.remove(NAMES, b"DL");
    assert_eq!(entries(&state, NAMES), [(b"AA".to_vec(), Vec::new())]);
    state.clear(NAMES);
    state.clear(RULES);
    assert!(state.is_empty());
    assert!(BroadcastState::new(&descriptors()[..1]).is_none() && !state.is_declared(0) && !state.is_declared(9));
}

#[test]
fn a_capture_does_not_show_what_is_written_later() {
    let mut state = filled();
    let captured = state.clone();
    let before = section(&state);
    state.put(NAMES, b"DL", b"Delta");
    state.put(RULES, &[5], b"changed");
    state.clear(RULES);
    assert_eq!(section(&captured), before);
    assert_ne!(section(&state), before);
}

#[test]
fn what_was_written_is_restored_also_in_another_order_of_the_states() {
    let section_of_all = section(&filled());
    assert_eq!(section(&restored(&section_of_all, &SAME).unwrap()), section_of_all);
    assert_eq!(section(&restored(&section(&empty()), &SAME).unwrap()), section(&empty()));

    let mut declared = descriptors();
    declared.swap(NAMES, RULES);
    let mut swapped = BroadcastState::new(&declared).unwrap();
    swapped.restore(&section_of_all, &[Some(0), Some(3), Some(2), Some(1)]).unwrap();
    assert_eq!((entries(&swapped, 3), entries(&swapped, 1)), (entries(&filled(), NAMES), entries(&filled(), RULES)));
}

/// Restores a section of these numbers and texts, and looks for `expect` in the error.
#[track_caller]
fn check(parts: &[Part], states: &[Option<usize>], kind: ErrorKind, expect: &str) {
    let mut section = Vec::new();
    for part in parts {
        match part {
            Part::Number(number) => put_number(&mut section, *number),
            Part::Text(text) => put_bytes(&mut section, text.as_bytes()),
        }
    }
    let error = restored(&section, states).err().expect(expect);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
}

enum Part {
    Number(u64),
    Text(&'static str),
}

#[test]
fn what_is_wrong_is_named() {
    use Part::{Number as N, Text as T};
    let corrupt = |parts: &[Part], expect: &str| check(parts, &SAME, ErrorKind::Corrupt, expect);
    corrupt(&[], "it ends inside the number of states");
    corrupt(&[N(1), N(1), N(3), N(1), T("a")], "it ends inside the value of an entry");
    corrupt(&[N(1), N(1), N(3), N(1), T("a"), N(99)], "the value of an entry is said to have 99 bytes, but 0 are left");
    corrupt(&[N(1), N(1), N(3), N(1), T("a"), T("b"), N(0)], "1 bytes follow its last state");
    corrupt(&[N(1), N(1), N(3), N(0)], "a state is empty");
    corrupt(&[N(1), N(1), N(3), N(2), T("b"), T(""), T("a"), T("")], "the entries of a state do not ascend");
    corrupt(&[N(1), N(1), N(3), N(2), T("a"), T(""), T("a"), T("")], "the entries of a state do not ascend");
    corrupt(&[N(1), N(4), N(3), N(1)], "it has state 4, but the checkpoint names 4");
    corrupt(&[N(1), N(2), N(1), N(1)], "it has state 2, which is declared as another kind");
    corrupt(&[N(2), N(1), N(3), N(1), T("a"), T(""), N(1), N(3)], "its states do not ascend at state 1");
    corrupt(&[N(1), N(1), N(3), N(u64::MAX)], "it ends inside an entry");
    check(&[N(1), N(1), N(2), N(1)], &SAME, ErrorKind::FixInput, "state \"names\" is stored in version 2 and declared in version 3");
    check(&[N(1), N(1), N(3)], &[None; 4], ErrorKind::FixInput, "it has state 1 of the checkpoint, which the operator no longer declares");
}

#[test]
fn every_truncation_is_refused_and_no_damage_panics() {
    let section = section(&filled());
    for length in 0..section.len() {
        assert!(restored(&section[..length], &SAME).is_err(), "{length} bytes of {} were accepted", section.len());
    }
    for bit in 0..8 * section.len() {
        let mut flipped = section.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let _ = restored(&flipped, &SAME);
    }
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.usize(0..64)).map(|_| if rng.bool() { rng.u8(0..4) } else { rng.u8(..) }).collect();
        let _ = restored(&bytes, &SAME);
    }
}

#[test]
fn keyed_state_beside_broadcast_state_is_kept_as_if_it_were_alone() {
    let groups = KeyGroupRange { start: 0, end: 4 };
    let create = || SteadyBackend::new(MemoryBackendFactory::new(1).create(&descriptors(), groups, 4));
    let mut backend = create();
    let mut slot = backend.slot(b"k");
    backend.set_value(&mut slot, b"k", 0, b"value");
    backend.list_append(&mut slot, b"k", 2, b"item");
    let mut again = create();
    backend.blocks(CheckpointId(1), None).iter().for_each(|(group, block)| again.restore(*group, block, &SAME).unwrap());
    let slot = again.slot(b"k");
    assert_eq!((again.value(&slot, 0), again.list_len(&slot, 2)), (Some(b"value".to_vec()), 1));
}
