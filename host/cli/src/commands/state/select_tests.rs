//! Rows of every kind of state, from a checkpoint of one subtask.

use super::*;
use std::sync::Arc;
use weir_engine::checkpoint::{
    CheckpointMetadata, GraphIdentity, SectionKind, StateHandle, StateObjectWriter, SubtaskSnapshot, VertexIdentity, VertexSnapshot,
};
use weir_engine::element::{AttemptId, CheckpointId};
use weir_engine::inspect::CheckpointState;
use weir_engine::runtime::Simulator;
use weir_engine::state::conformance::SteadyBackend;
use weir_engine::state::{BroadcastState, KeyGroupRange, MemoryBackendFactory, StateDescriptor, WindowKind, WindowSettings, window_state};
use weir_engine::storage::{ObjectStorage, Store};

const ALL: KeyGroupRange = KeyGroupRange { start: 0, end: 1 };

fn declared() -> Vec<StateDescriptor> {
    let state = |name: &str, kind, schema: &str| StateDescriptor { name: name.into(), kind, schema: schema.into(), version: 1, ttl: None };
    vec![
        state("rules", StateKind::Broadcast, "map<string,bool>"),
        state("total", StateKind::Value, "u8"),
        state("items", StateKind::List, "string"),
        state("by-day", StateKind::Map, "map<u8,raw>"),
    ]
}

/// Two keys, one of which has every kind of state, and two rules.
fn objects() -> (StateObjectWriter, StateObjectWriter) {
    let mut backend = SteadyBackend::new(MemoryBackendFactory::new(1).create(&declared(), ALL, 1));
    let mut slots = backend.lookup(&[&b"a"[..], b"\xff"]);
    backend.set_value(&mut slots[0], b"a", 1, &[7]);
    backend.list_append(&mut slots[0], b"a", 2, b"\x61x");
    backend.list_append(&mut slots[0], b"a", 2, b"\x05");
    backend.map_put(&mut slots[0], b"a", 3, b"\x03", b"v");
    backend.set_value(&mut slots[1], b"\xff", 1, &[0x18, 200]);
    let (mut keyed, mut broadcast) = (StateObjectWriter::new(), StateObjectWriter::new());
    let blocks = backend.blocks(CheckpointId(1), None);
    blocks.iter().for_each(|(key_group, block)| keyed.section(SectionKind::KeyedState, "op", *key_group, block));
    let mut rules = BroadcastState::new(&declared()).expect("one is declared");
    rules.put(0, b"\x62on", &[0xf5]);
    rules.put(0, b"\x63off", &[0xf4]);
    let mut payload = Vec::new();
    rules.write(&mut payload);
    broadcast.section(SectionKind::Broadcast, "op", 0, &payload);
    (keyed, broadcast)
}

async fn put(store: &dyn Store, object: &str, writer: StateObjectWriter) -> StateHandle {
    let finished = writer.finish();
    store.put(object, finished.parts).await.expect("memory takes it");
    StateHandle { object: object.into(), bytes: finished.bytes, checksum: finished.checksum }
}

/// The rows of `state`, or of all, in short: key, state, entry, value, problem, as far as they are there.
#[track_caller]
fn check(state: Option<&str>, keys: Keys, expect: &[&str]) {
    check_of(&declared(), objects(), (state, keys), expect);
}

/// The same of an operator that declares `declared`, of whose state `objects` are what one subtask stored.
#[track_caller]
fn check_of(
    declared: &[StateDescriptor],
    objects: (StateObjectWriter, StateObjectWriter),
    (state, keys): (Option<&str>, Keys),
    expect: &[&str],
) {
    let store: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
    let runtime = Simulator::new(1).runtime();
    let (keyed, broadcast) = objects;
    let mut rows = Vec::new();
    // Memory does not wait.
    let read = futures_util::FutureExt::now_or_never(async {
        let (keyed, broadcast) = (put(&*store, "state/keyed", keyed).await, put(&*store, "state/broadcast", broadcast).await);
        let subtask = SubtaskSnapshot { state: Some(keyed), broadcast: Some(broadcast), ..SubtaskSnapshot::default() };
        let identity = VertexIdentity::Operator { states: declared.to_vec(), component: None };
        let metadata = CheckpointMetadata {
            job: "j".into(),
            checkpoint_id: CheckpointId(1),
            attempt: AttemptId(1),
            nonce: None,
            graph: GraphIdentity { max_parallelism: 1, vertices: [("op".to_owned(), identity)].into(), edges: Vec::new() },
            vertices: vec![VertexSnapshot { id: "op".into(), subtasks: vec![subtask] }],
            outboxes: Vec::new(),
        };
        let operator = CheckpointState::new(&*store, &*runtime.clock, &metadata).operator("op").expect("it is there");
        let mut each = |row: StateRow| {
            let StateRow { key, window, state, entry, value, problem } = row;
            let window = window.map(|window| format!("@{}", window.get()));
            let parts = [key, window, Some(state), entry.map(|entry| entry.get().to_owned()), Some(value.get().to_owned()), problem];
            rows.push(parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
            Ok(ControlFlow::Continue(()))
        };
        Selection::new(operator, state, keys)?.rows(&mut each).await
    });
    read.expect("memory does not wait").unwrap_or_else(|failure| panic!("{}", failure.text()));
    assert_eq!(rows, expect);
}

fn one(key: &str) -> Keys {
    Keys::One(KeyText::shown(key).expect("a key"))
}

fn prefix(key: &str) -> Keys {
    Keys::Prefix(KeyText::shown(key).expect("a key"))
}

/// Flights of two airports in the hours from ten and from eleven o'clock.
fn hourly() -> (Vec<StateDescriptor>, (StateObjectWriter, StateObjectWriter)) {
    let tumbling = WindowSettings::new(WindowKind::Tumbling { size: 3_600_000, offset: 0 });
    let flights = StateDescriptor { name: "flights".into(), schema: "u8".into(), ..window_state(&tumbling) };
    let declared = vec![flights, window_state(&tumbling)];
    let mut backend = SteadyBackend::new(MemoryBackendFactory::new(1).create(&declared, ALL, 1));
    for (hour, key, flights) in [(10, "EWR", 2), (11, "EWR", 3), (10, "JFK", 4)] {
        let start: i64 = 1_356_998_400_000 + hour * 3_600_000;
        let unit = [&(start ^ i64::MIN).to_be_bytes()[..], key.as_bytes()].concat();
        let mut slot = backend.slot(&unit);
        backend.set_value(&mut slot, &unit, 0, &[flights]);
        backend.set_value(&mut slot, &unit, 1, &[if hour == 10 { 6 } else { 1 }]);
    }
    let mut keyed = StateObjectWriter::new();
    let blocks = backend.blocks(CheckpointId(1), None);
    blocks.iter().for_each(|(key_group, block)| keyed.section(SectionKind::KeyedState, "op", *key_group, block));
    (declared, (keyed, StateObjectWriter::new()))
}

const ITEMS: [&str; 2] = ["a items 0 \"x\"", "a items 1 \"0x05\" an integer where a text was expected"];
const UNDESCRIBED: &str = "a by-day \"0x03\" \"0x76\" entry: its description cannot be understood: at byte 10: `raw` is no type";
const RULES: [&str; 2] = ["rules \"on\" true", "rules \"off\" false"];

#[test]
fn every_value_item_and_entry_is_a_row_and_broadcast_state_comes_last() {
    let all = ["a total 7", ITEMS[0], ITEMS[1], UNDESCRIBED, "0xff total 200", RULES[0], RULES[1]];
    check(None, Keys::All, &all);
    check(Some("total"), Keys::All, &["a total 7", "0xff total 200"]);
    check(Some("rules"), Keys::All, &RULES);
}

#[test]
fn one_key_is_chosen_by_its_bytes() {
    check(None, one("a"), &["a total 7", ITEMS[0], ITEMS[1], UNDESCRIBED]);
    check(Some("items"), one("0x61"), &ITEMS);
    check(None, one("0xff"), &["0xff total 200"]);
    check(None, one("b"), &[]);
    check(None, prefix("0xff"), &["0xff total 200"]);
}

#[test]
fn a_broadcast_entry_is_chosen_as_it_is_shown_or_by_its_bytes() {
    check(None, one("on"), &RULES[..1]);
    check(None, one("0x626f6e"), &RULES[..1]);
    check(None, prefix("of"), &RULES[1..]);
}

#[test]
fn what_is_kept_by_windows_is_chosen_by_its_key_and_shown_with_its_window() {
    let check = |state, keys, expect: &[&str]| {
        let (declared, objects) = hourly();
        check_of(&declared, objects, (state, keys), expect);
    };
    let (ten, eleven) = ("@\"2013-01-01T10:00:00.000Z\"", "@\"2013-01-01T11:00:00.000Z\"");
    let [first, jfk, second] = [format!("EWR {ten} flights 2"), format!("JFK {ten} flights 4"), format!("EWR {eleven} flights 3")];
    check(Some("flights"), Keys::All, &[&first, &jfk, &second]);
    check(Some("flights"), one("EWR"), &[&first, &second]);
    check(Some("flights"), prefix("J"), &[&jfk]);
    let window = format!("JFK {ten} weir:window {{\"revision\":1,\"complete\":true}}");
    check(None, one("JFK"), &[&jfk, &window]);
    check(None, one("LGA"), &[]);
}
