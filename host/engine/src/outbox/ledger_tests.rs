//! What a ledger says in the cases that the model does not come to.

use super::ledger::{MarkerBefore, OutboxLedger};
use super::publisher::{Publisher, PublisherAction, PublisherEvent};
use crate::checkpoint::{Marker, MarkerKey, StagedObject, StagedOutput, StateHandle};
use crate::element::CheckpointId;
use serde_json::json;
use std::collections::BTreeSet;

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
    let mut publisher = publisher(OutboxLedger::beginning("out", json!("t"), key("1"), None));
    publisher.ledger_mut().on_complete(output(3, 70));
    publisher.ledger_mut().on_complete(output(5, 30));
    publisher.on(PublisherEvent::TakenOver);
    assert!(!publisher.has_marker());
    publisher.on(PublisherEvent::MarkerRead(None));
    assert_eq!(publisher.next(), PublisherAction::SetMarker { key: key("1"), marker: Marker::default(), against: None });
    publisher.on(PublisherEvent::MarkerSet);
    assert!(publisher.has_marker());
    assert_eq!((publisher.next(), publisher.ledger().unpublished_bytes()), (PublisherAction::Wait, 100));
    publisher.ledger_mut().on_final(CheckpointId(4));
    let PublisherAction::Publish(publication) = publisher.next() else { panic!("{:?}", publisher.next()) };
    assert_eq!((publication.output, publication.from), (output(3, 70), 0));
    publisher.on(PublisherEvent::Published(1));
    assert!(!publisher.ledger().is_published_up_to(CheckpointId(3)), "one of two records is");
    publisher.on(PublisherEvent::Published(2));
    assert_eq!((publisher.next(), publisher.ledger().unpublished_bytes()), (PublisherAction::Wait, 30));
    assert!(publisher.ledger().is_published_up_to(CheckpointId(4)) && !publisher.ledger().is_published_up_to(CheckpointId(5)));
}

#[test]
fn a_sink_that_is_renamed_keeps_its_markers_name() {
    let ledger = OutboxLedger::beginning("out", json!("t"), key("1"), None).named("totals");
    assert_eq!((ledger.sink(), ledger.marker_name(), ledger.snapshot(None).sink.as_str()), ("totals", "out", "totals"));
}

#[test]
fn another_target_is_given_the_marker_that_is_known() {
    let mut ledger = OutboxLedger::beginning("out", json!("t"), key("1"), None);
    ledger.lineages[0].published = output(3, 1).marker(2);
    ledger.lineages[0].before = MarkerBefore::There;
    let mut publisher = publisher(ledger.moved_to(json!("other")));
    assert!(!publisher.has_marker(), "no checkpoint may complete before the other target has one");
    publisher.on(PublisherEvent::TakenOver);
    publisher.on(PublisherEvent::MarkerRead(None));
    assert_eq!(publisher.next(), PublisherAction::SetMarker { key: key("1"), marker: output(3, 1).marker(2), against: None });
    publisher.on(PublisherEvent::MarkerSet);
    assert!(publisher.has_marker());
    assert_eq!(publisher.ledger().snapshot(None).target, json!("other"));
}

#[test]
fn a_lineage_that_has_completed_nothing_has_published_nothing() {
    let mut publisher = publisher(OutboxLedger::beginning("out", json!("t"), key("1"), None));
    publisher.on(PublisherEvent::TakenOver);
    publisher.on(PublisherEvent::MarkerRead(Some(output(3, 1).marker(1))));
    assert!(matches!(publisher.next(), PublisherAction::Refuse(_)), "{:?}", publisher.next());
    publisher.on(PublisherEvent::Lost);
    assert!(matches!(publisher.next(), PublisherAction::Refuse(_)), "a refusal stands");
}
