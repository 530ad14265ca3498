//! What a ledger says in the cases that the model does not come to.

use super::OutboxRoom;
use super::ledger::OutboxLedger;
use super::publisher::{Publisher, PublisherAction, PublisherEvent};
use crate::checkpoint::{LineageOutput, Marker, MarkerKey, OutboxSnapshot, StagedObject, StagedOutput, StateHandle};
use crate::element::CheckpointId;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn output(checkpoint_id: u64, bytes: u64) -> StagedOutput {
    let handle = StateHandle { object: format!("{checkpoint_id}"), bytes, checksum: 0 };
    StagedOutput {
        checkpoint_id: CheckpointId(checkpoint_id),
        attempt_nonce: "a".into(),
        objects: vec![StagedObject { handle, records: 2 }],
    }
}

fn key(lineage: &str) -> MarkerKey {
    MarkerKey { log: "log".into(), lineage: lineage.into(), sink: "out".into() }
}

fn publisher(ledger: OutboxLedger) -> Publisher {
    Publisher::new(ledger, BTreeSet::from(["a".to_owned()]), None)
}

#[test]
fn what_is_not_final_waits_and_counts() {
    let mut publisher = publisher(OutboxLedger::new("out", json!("t"), key("1")));
    publisher.ledger_mut().on_complete(output(3, 70));
    publisher.ledger_mut().on_complete(output(5, 30));
    publisher.on(PublisherEvent::TakenOver);
    assert!(!publisher.has_marker());
    publisher.on(PublisherEvent::MarkerRead(None));
    assert_eq!(publisher.next(), PublisherAction::SetMarker { key: key("1"), marker: Marker::default(), against: None });
    publisher.on(PublisherEvent::MarkerSet);
    assert!(publisher.has_marker());
    assert_eq!((publisher.next(), publisher.ledger().waiting_room().bytes), (PublisherAction::Wait, 100));
    publisher.ledger_mut().on_final(CheckpointId(4));
    let PublisherAction::Publish(publication) = publisher.next() else { panic!("{:?}", publisher.next()) };
    assert_eq!((publication.outputs, publication.from), (vec![output(3, 70)], 0));
    publisher.on(PublisherEvent::Published(output(3, 70).marker(1)));
    assert!(!publisher.ledger().is_published_up_to(CheckpointId(3)), "one of two records is");
    publisher.on(PublisherEvent::Published(output(3, 70).marker(2)));
    assert_eq!((publisher.next(), publisher.ledger().waiting_room().bytes), (PublisherAction::Wait, 30));
    assert!(publisher.ledger().is_published_up_to(CheckpointId(4)) && !publisher.ledger().is_published_up_to(CheckpointId(5)));
}

/// What a checkpoint has of `lineage`, whose marker is at `published`, with these outputs.
fn snapshot(lineage: &str, published: Marker, unpublished: &[StagedOutput]) -> OutboxSnapshot {
    let output = LineageOutput { key: key(lineage), published, unpublished: unpublished.to_vec() };
    OutboxSnapshot { sink: "out".into(), target: json!("t"), lineages: vec![output], published_before: CheckpointId(0) }
}

/// Publishes whatever may be, against these markers. The checkpoints in the order in which they were, those together that were offered together.
fn publish_all(publisher: &mut Publisher, mut markers: BTreeMap<MarkerKey, Marker>) -> Vec<Vec<u64>> {
    let mut published = Vec::new();
    loop {
        let event = match publisher.next() {
            PublisherAction::TakeOver => PublisherEvent::TakenOver,
            PublisherAction::ReadMarker(key) => PublisherEvent::MarkerRead(markers.get(&key).cloned()),
            PublisherAction::SetMarker { key, marker, .. } => {
                markers.insert(key, marker);
                PublisherEvent::MarkerSet
            }
            PublisherAction::Publish(publication) => {
                published.push(publication.outputs.iter().map(|output| output.checkpoint_id.0).collect());
                let last = publication.outputs.last().expect("one at least");
                PublisherEvent::Published(last.marker(last.records()))
            }
            PublisherAction::Wait => return published,
            PublisherAction::Refuse(refusal) => panic!("{refusal:?}"),
        };
        publisher.on(event);
    }
}

#[test]
fn a_lineage_that_is_gone_on_with_publishes_what_another_left_behind_in_the_order_of_the_checkpoints() {
    let (own, others) = ([output(5, 10), output(6, 10)], [output(8, 10), output(9, 10)]);
    let ledger = OutboxLedger::new("out", json!("t"), key("1")).with(snapshot("1", output(4, 10).marker(2), &own)).with(snapshot(
        "2",
        Marker::default(),
        &others,
    ));
    assert_eq!(ledger.waiting_room(), OutboxRoom { bytes: 40, objects: 4 });
    let mut publisher = publisher(ledger);
    (10..=12).for_each(|checkpoint| publisher.ledger_mut().on_complete(output(checkpoint, 10)));
    publisher.ledger_mut().on_final(CheckpointId(11));
    let markers = BTreeMap::from([(key("1"), output(4, 10).marker(2)), (key("2"), Marker::default())]);
    assert_eq!(publish_all(&mut publisher, markers), [vec![5, 6], vec![8, 9], vec![10, 11]], "and 12 is not final");
    let after = publisher.ledger().snapshot(None);
    assert_eq!((after.lineages.len(), after.lineages[0].key.clone(), after.newest_output()), (1, key("1"), CheckpointId(12)));
    assert_eq!(after.published_before, CheckpointId(9), "what was published of the other is not forgotten with it");
}

#[test]
fn of_two_checkpoints_that_know_a_lineage_the_one_that_knows_more_of_it_counts() {
    let outputs = [output(3, 10), output(4, 10), output(5, 10)];
    // The newer one has published 3 and a part of 4; the older one is the last of the lineage's own.
    let (older, newer) = (snapshot("1", Marker::default(), &outputs), snapshot("1", outputs[1].marker(1), &outputs[1..]));
    for [first, second] in [[older.clone(), newer.clone()], [newer, older]] {
        let ledger = OutboxLedger::new("out", json!("t"), key("1")).with(first).with(second);
        assert_eq!(ledger.unpublished(), BTreeSet::from([CheckpointId(4), CheckpointId(5)]));
        assert_eq!(ledger.current().published, outputs[1].marker(1));
    }
}

#[test]
fn an_outbox_is_full_with_as_many_bytes_or_as_many_objects_as_may_wait() {
    let room = OutboxRoom { bytes: 100, objects: 3 };
    let full = |bytes, objects| room.is_full_with(OutboxRoom { bytes, objects });
    assert!(full(100, 1) && full(1, 3) && !full(99, 2));
    assert!(OutboxRoom::default().is_full_with(OutboxRoom { bytes: 0, objects: 10_000 }), "outputs of no size count as well");
}

#[test]
fn a_sink_that_is_renamed_keeps_its_markers_name() {
    let ledger = OutboxLedger::new("totals", json!("t"), key("1")).with(snapshot("1", Marker::default(), &[]));
    assert_eq!((ledger.sink(), ledger.marker_name(), ledger.snapshot(None).sink.as_str()), ("totals", "out", "totals"));
    assert_eq!(ledger.snapshot(None).marker_name(), "out");
}

#[test]
fn another_target_is_looked_at_and_given_the_marker_that_is_known() {
    let was = snapshot("1", output(3, 1).marker(2), &[]);
    let mut publisher = publisher(OutboxLedger::new("out", json!("other"), key("1")).moved_from(&was));
    assert!(!publisher.has_marker(), "no checkpoint may complete before the other target has one");
    publisher.on(PublisherEvent::TakenOver);
    publisher.on(PublisherEvent::MarkerRead(None));
    assert_eq!(publisher.next(), PublisherAction::SetMarker { key: key("1"), marker: output(3, 1).marker(2), against: None });
    publisher.on(PublisherEvent::MarkerSet);
    assert!(publisher.has_marker());
    assert_eq!(publisher.ledger().snapshot(None).target, json!("other"));
}

#[test]
fn another_target_that_has_a_marker_which_nobody_here_has_set_is_refused() {
    let was = snapshot("1", output(3, 1).marker(1), &[]);
    let moved = || publisher(OutboxLedger::new("out", json!("other"), key("1")).moved_from(&was));
    let unknown = Marker { attempt_nonce: "b".into(), ..output(2, 1).marker(1) };
    for (found, fits) in [(Marker::default(), true), (output(2, 1).marker(1), true), (output(4, 1).marker(1), false), (unknown, false)] {
        let mut publisher = moved();
        publisher.on(PublisherEvent::TakenOver);
        publisher.on(PublisherEvent::MarkerRead(Some(found.clone())));
        assert_eq!(matches!(publisher.next(), PublisherAction::SetMarker { against: None, .. }), fits, "{found}: {:?}", publisher.next());
    }
}

#[test]
fn what_was_given_up_may_have_been_published_by_the_attempt_that_staged_it() {
    let was = snapshot("1", output(3, 1).marker(2), &[output(4, 1), output(5, 1)]).without_output();
    for (found, fits) in [(output(3, 1).marker(2), true), (output(5, 1).marker(2), true), (output(6, 1).marker(1), false)] {
        let back = publisher(OutboxLedger::new("out", json!("t"), key("1")).with(was.clone()));
        let moved = publisher(OutboxLedger::new("out", json!("other"), key("1")).moved_from(&was));
        for mut publisher in [back, moved] {
            publisher.on(PublisherEvent::TakenOver);
            publisher.on(PublisherEvent::MarkerRead(Some(found.clone())));
            assert_eq!(!matches!(publisher.next(), PublisherAction::Refuse(_)), fits, "{found}: {:?}", publisher.next());
        }
    }
}

#[test]
fn a_lineage_that_has_completed_nothing_has_published_nothing() {
    let mut publisher = publisher(OutboxLedger::new("out", json!("t"), key("1")));
    publisher.on(PublisherEvent::TakenOver);
    publisher.on(PublisherEvent::MarkerRead(Some(output(3, 1).marker(1))));
    assert!(matches!(publisher.next(), PublisherAction::Refuse(_)), "{:?}", publisher.next());
    publisher.on(PublisherEvent::Lost);
    assert!(matches!(publisher.next(), PublisherAction::Refuse(_)), "a refusal stands");
}
