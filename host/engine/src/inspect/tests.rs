//! What is read of random checkpoints is what was put in; what cannot be read is named.

use super::test_writer::{COUNT, Model, RULES, SEEN, Writer, declared, metadata, now, state};
use super::*;
use crate::checkpoint::{StateHandle, WatermarkFloor};
use crate::element::CheckpointId;
use crate::error::ErrorKind;
use crate::runtime::Simulator;
use crate::state::{Payload, StateKind, StateTtl, TimeDomain};
use crate::storage::ObjectStorage;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

fn text(payload: &Payload<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match payload {
        Payload::Value(value) => text(value),
        Payload::List(items) => items.iter().map(|item| text(item)).collect::<Vec<_>>().join(","),
        Payload::Map(entries) => {
            entries.iter().map(|(entry, value)| format!("{}={}", text(entry), text(value))).collect::<Vec<_>>().join(",")
        }
    }
}

fn name(state: usize) -> &'static str {
    ["count", "seen", "rules"][state]
}

/// All that is stored, by key and state; keys come group by group, in order within each.
fn read(operator: OperatorState<'_>) -> Model {
    let mut model = Model::new();
    let mut keyed = operator.keyed();
    for key_group in keyed.key_groups() {
        for (key, states) in now(keyed.group(key_group)).expect("it can be read") {
            let key = String::from_utf8(key.to_vec()).expect("keys are text");
            for stored in states {
                assert_eq!(stored.version, declared()[stored.index].version);
                assert!(model.insert((key.clone(), name(stored.index)), text(&stored.payload)).is_none(), "{key} is there twice");
            }
        }
    }
    let broadcast = now(operator.broadcast()).expect("it can be read").expect("one is declared");
    let entries = broadcast
        .entries(RULES)
        .map(|(entry, value)| ((String::from_utf8_lossy(entry).into_owned(), "rules"), text(&Payload::Value(value))));
    model.extend(entries);
    model
}

/// What is said of each key that differs, and the counts of each state.
type Differences = (Model, BTreeMap<String, StateChanges>);

/// The differences between two models.
fn model_diff(was: &Model, is: &Model) -> Differences {
    let mut counts: BTreeMap<String, StateChanges> = declared().into_iter().map(|state| (state.name, StateChanges::default())).collect();
    let mut differences = BTreeMap::new();
    for place in was.keys().chain(is.keys()) {
        let counts = counts.get_mut(place.1).expect("a declared state");
        let (count, difference) = match (was.get(place), is.get(place)) {
            (Some(was), Some(is)) if was == is => (&mut counts.unchanged, String::new()),
            (Some(was), Some(is)) => (&mut counts.changed, format!("{was} to {is}")),
            (Some(was), None) => (&mut counts.removed, format!("{was} gone")),
            (None, Some(is)) => (&mut counts.added, format!("{is} new")),
            (None, None) => unreachable!("it is of one of the two"),
        };
        if differences.insert(place.clone(), difference).is_none() {
            *count += 1;
        }
    }
    differences.retain(|_, difference| !difference.is_empty());
    (differences, counts)
}

fn read_diff(before: OperatorState<'_>, after: OperatorState<'_>) -> Differences {
    let mut differences = BTreeMap::new();
    let mut each = |difference: &KeyDifference<'_>| {
        let state = ["count", "seen", "rules"].into_iter().find(|name| *name == difference.state).expect("a declared state");
        let change = match difference.change {
            Change::Added(is) => format!("{} new", text(&is.payload)),
            Change::Removed(was) => format!("{} gone", text(&was.payload)),
            Change::Changed(was, is) => format!("{} to {}", text(&was.payload), text(&is.payload)),
        };
        assert!(differences.insert((String::from_utf8_lossy(difference.key).into_owned(), state), change).is_none(), "told once");
        ControlFlow::Continue(())
    };
    let counts = now(diff(Some(before), Some(after), &mut each)).expect("they can be read");
    (differences, counts)
}

#[test]
fn what_was_put_in_is_read_from_whole_objects_and_deltas() {
    let runtime = Simulator::new(1).runtime();
    let mut deltas = 0;
    for seed in 1..=20 {
        let writer = Writer::run(seed);
        for (metadata, model) in &writer.checkpoints {
            deltas += metadata.vertices[1].subtasks.iter().map(|subtask| subtask.deltas.len()).sum::<usize>();
            let operator = writer.state(&*runtime.clock, metadata);
            assert_eq!(read(operator), *model, "seed {seed}, checkpoint {}", metadata.checkpoint_id);
            let sizes = now(operator.sizes()).expect("they can be read");
            for (state, size) in sizes.iter().enumerate() {
                let values: Vec<_> = model.iter().filter(|((_, of), _)| *of == name(state)).collect();
                let keys = if state == RULES { 0 } else { values.len() };
                let bytes = |key: &str, value: &str| match state {
                    COUNT => value.len(),
                    SEEN => value.len() - "=".len(),
                    _ => key.len() + value.len(),
                };
                let bytes = values.iter().map(|((key, _), value)| bytes(key, value)).sum::<usize>();
                assert_eq!(*size, StateSize { keys: keys as u64, entries: values.len() as u64, bytes: bytes as u64 }, "seed {seed}");
            }
        }
    }
    assert!(deltas > 100, "{deltas} deltas");
}

#[test]
fn a_diff_tells_every_key_that_differs_once() {
    let runtime = Simulator::new(1).runtime();
    for seed in 1..=20 {
        let writer = Writer::run(seed);
        for pair in [(0, 1), (1, 5), (5, 1), (3, 3)] {
            let ((before, was), (after, is)) = (&writer.checkpoints[pair.0], &writer.checkpoints[pair.1]);
            let read = read_diff(writer.state(&*runtime.clock, before), writer.state(&*runtime.clock, after));
            assert_eq!(read, model_diff(was, is), "seed {seed}, {pair:?}");
        }
    }
}

#[test]
fn a_diff_ends_when_it_is_told_to_and_a_missing_side_holds_nothing() {
    let runtime = Simulator::new(1).runtime();
    let writer = Writer::run(3);
    let (metadata, model) = &writer.checkpoints[5];
    let operator = writer.state(&*runtime.clock, metadata);
    let mut told = 0;
    let mut stop_at_two = |_: &KeyDifference<'_>| {
        told += 1;
        if told == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    now(diff(None, Some(operator), &mut stop_at_two)).expect("it can be read");
    assert_eq!(told, 2);
    let counts = now(diff(Some(operator), None, &mut |_| ControlFlow::Continue(()))).expect("it can be read");
    assert_eq!(counts.values().map(|counts| counts.removed).sum::<u64>(), model.len() as u64);
}

/// Reads everything of checkpoints after `change`, and looks for `expect` in the error.
#[track_caller]
fn refused(change: impl FnOnce(&mut CheckpointMetadata), expect: &str) {
    let runtime = Simulator::new(1).runtime();
    let writer = Writer::run(3);
    let mut metadata = writer.checkpoints[5].0.clone();
    change(&mut metadata);
    let error = now(writer.state(&*runtime.clock, &metadata).sizes()).expect_err(expect);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains(expect) && error.to_string().contains("look into the state of op"), "{error}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let handle = |metadata: &mut CheckpointMetadata| metadata.vertices[1].subtasks[1].state.clone().expect("one is written");
    refused(
        |metadata| metadata.vertices[1].subtasks[1].state = Some(StateHandle { object: "state/gone".into(), ..handle(metadata) }),
        "state/gone: it is not there",
    );
    refused(
        |metadata| metadata.vertices[1].subtasks[1].state = Some(StateHandle { checksum: 1, ..handle(metadata) }),
        "its checksum is not the one in the checkpoint's metadata",
    );
    let declare = |metadata: &mut CheckpointMetadata, states| {
        metadata.graph.vertices.insert("op".into(), VertexIdentity::Operator { states, component: None });
    };
    refused(|metadata| declare(metadata, vec![state("count", StateKind::List, 2)]), "its states are not those that the checkpoint names");
    // Another number of key groups: the keys are no longer where they belong.
    refused(|metadata| metadata.graph.max_parallelism = 7, "belongs to key group");
}

#[test]
fn operators_are_found_and_sources_are_none() {
    let runtime = Simulator::new(1).runtime();
    let metadata = metadata(CheckpointId(1), "op", Vec::new(), Vec::new());
    let store = ObjectStorage::in_memory();
    let state = CheckpointState::new(&store, &*runtime.clock, &metadata);
    assert_eq!(state.operators().map(|operator| operator.id()).collect::<Vec<_>>(), ["op"]);
    assert!(state.operator("in").is_none() && state.operator("else").is_none());
}

#[test]
fn what_had_expired_is_not_shown_and_what_was_written_before_event_time_is_as_old_as_its_beginning() {
    let runtime = Simulator::new(1).runtime();
    let writer = Writer::run(3);
    let counts = |began: Option<i64>| {
        let mut metadata = writer.checkpoints[5].0.clone();
        let mut states = declared();
        // What is stored is shorter than a stamp: it has none.
        states[COUNT].ttl = Some(StateTtl { ms: 10, time: TimeDomain::Event, refresh_on_read: false });
        metadata.graph.vertices.insert("op".into(), VertexIdentity::Operator { states, component: None });
        let all = |watermark| vec![WatermarkFloor { from: 0, to: 8, watermark }];
        for part in &mut metadata.vertices[1].subtasks {
            (part.floors, part.event_time_began) = (all(100), began.map(all).unwrap_or_default());
        }
        let state = writer.state(&*runtime.clock, &metadata);
        let mut keyed = state.keyed();
        let in_group =
            |key_group| now(keyed.group(key_group)).expect("it can be read").into_values().flatten().filter(|of| of.index == COUNT).count();
        (0..8).map(in_group).sum::<usize>()
    };
    assert!(counts(None) > 0);
    assert_eq!((counts(Some(91)), counts(Some(90))), (counts(None), 0));
}
