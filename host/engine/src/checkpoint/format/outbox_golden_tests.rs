//! The golden files of staged output and of metadata that lists some: what was once written is read for ever, and written the same.

use super::*;
use crate::checkpoint::paths;
use crate::element::{AttemptId, BatchBuilder, CheckpointId, NO_TIMESTAMP, RecordBatch};
use crate::error::ErrorKind;
use serde_json::json;

const STAGED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/staged-v1.bin");
const METADATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/metadata-outbox-v1.json");

fn batch(records: &[(Option<&str>, &str, Option<i64>)]) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    records.iter().for_each(|(key, value, time)| builder.push(key.map(str::as_bytes), value.as_bytes(), *time));
    builder.finish()
}

/// Keys, the empty key, a long value, times of both signs and none.
fn records() -> RecordBatch {
    let long = "x".repeat(200);
    batch(&[(Some("N14228"), "11", Some(1_356_994_800_000)), (Some(""), "", None), (None, &long, Some(-5))])
}

fn written() -> Vec<u8> {
    let (mut staged, records) = (StagedRecords::default(), records());
    assert_eq!(staged.push(&records, 0..3, usize::MAX), 3);
    staged.object("totals", 2).finish().parts.concat()
}

fn metadata() -> CheckpointMetadata {
    let (attempt, nonce) = (AttemptId(4), "000000000000a77e".to_owned());
    let object = |checkpoint_id, part, records| {
        let object = paths::staged_object(attempt, CheckpointId(checkpoint_id), "totals", 0, &nonce, part);
        StagedObject { handle: StateHandle { object, bytes: 1_000 + checkpoint_id, checksum: 0x1a2b_3c4d }, records }
    };
    let output =
        |checkpoint_id, objects| StagedOutput { checkpoint_id: CheckpointId(checkpoint_id), attempt_nonce: nonce.clone(), objects };
    let key = |lineage: &str| MarkerKey { log: "00000000000010a9".into(), lineage: lineage.into(), sink: "totals".into() };
    let older = Marker { checkpoint_id: CheckpointId(3), attempt_nonce: "00000000000001de".into(), records: 7 };
    let lineages = vec![
        LineageOutput { key: key("0000000000001111"), published: older, unpublished: vec![output(4, vec![object(4, 0, 10)])] },
        LineageOutput {
            key: key("0000000000002222"),
            published: Marker::default(),
            unpublished: vec![output(6, vec![object(6, 0, 10), object(6, 1, 3)])],
        },
    ];
    CheckpointMetadata {
        job: "flights".into(),
        checkpoint_id: CheckpointId(6),
        attempt,
        nonce: Some(nonce.clone()),
        graph: GraphIdentity { max_parallelism: 128, vertices: Default::default(), edges: Vec::new() },
        vertices: Vec::new(),
        outboxes: vec![OutboxSnapshot {
            sink: "sums".into(),
            target: json!({"connector": "kafka", "topic": "totals"}),
            lineages,
            published_before: CheckpointId(0),
        }],
    }
}

#[track_caller]
fn same(file: &str, now: &[u8]) {
    let golden = std::fs::read(file).expect("the golden file is in the repository");
    let differs = golden.iter().zip(now).position(|(golden, now)| golden != now);
    assert!(golden == now, "{} bytes in the file, {} written now, the first difference is at {differs:?}", golden.len(), now.len());
}

#[test]
fn the_golden_file_of_staged_output_is_written_and_read_byte_for_byte() {
    same(STAGED, &written());
    let golden = std::fs::read(STAGED).expect("the golden file is in the repository");
    let reader = StateObjectReader::open("staged-v1.bin", golden.into()).expect("it opens");
    assert_eq!(read_staged("staged-v1.bin", &reader, 3).expect("it is read"), [records()]);
    assert_eq!(records().timestamps(), [1_356_994_800_000, NO_TIMESTAMP, -5]);
    let error = read_staged("staged-v1.bin", &reader, 4).expect_err("one is missing").to_string();
    assert!(error.contains("3 records, the checkpoint says 4"), "{error}");
}

#[test]
fn every_flipped_bit_of_staged_output_is_refused_by_name() {
    let written = written();
    for (byte, bit) in (0..written.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
        let mut flipped = written.clone();
        flipped[byte] ^= 1 << bit;
        let read = StateObjectReader::open("staged-object", flipped.into()).and_then(|reader| read_staged("staged-object", &reader, 3));
        let error = read.expect_err("a flipped bit").to_string();
        assert!(error.contains("staged-object"), "byte {byte}, bit {bit}: {error}");
    }
}

#[test]
fn the_golden_file_of_metadata_with_output_is_written_and_read_byte_for_byte() {
    same(METADATA, &metadata().seal());
    let golden = std::fs::read(METADATA).expect("the golden file is in the repository");
    assert_eq!(CheckpointMetadata::open("metadata-outbox-v1.json", &golden).expect("it is read"), metadata());
}

#[test]
fn staged_output_is_part_of_a_checkpoint_until_it_is_published_and_not_of_a_copy() {
    let metadata = metadata();
    let staged: Vec<String> = metadata.staged().map(|object| object.handle.object.clone()).collect();
    assert_eq!(staged.len(), 3);
    assert!(staged.iter().all(|object| metadata.objects().contains(object)));
    assert_eq!(metadata.outboxes[0].newest_output(), CheckpointId(6));
    assert_eq!(metadata.written_state_bytes(), 2 * 1_006, "the objects of checkpoint 4 were written then");
    assert_eq!(metadata.state_object_bytes(), 0, "a restore reads none of it");
    assert!(metadata.without_output().outboxes.is_empty());
}

#[test]
fn the_newest_checkpoint_that_is_published_in_a_lineage_which_is_not_listed_any_more_is_kept() {
    let mut metadata = metadata();
    metadata.outboxes[0].published_before = CheckpointId(5);
    let read = CheckpointMetadata::open("metadata", &metadata.seal()).expect("it is read");
    assert_eq!(read, metadata);
    assert_eq!(read.outboxes[0].newest_output(), CheckpointId(6));
    metadata.outboxes[0].lineages.iter_mut().for_each(|lineage| lineage.unpublished.clear());
    assert_eq!(metadata.outboxes[0].newest_output(), CheckpointId(5));
}

/// Metadata with `what` done to the output that it lists is refused, and says why.
#[track_caller]
fn refused(what: impl Fn(&mut CheckpointMetadata), why: &str) {
    let mut metadata = metadata();
    what(&mut metadata);
    let error = CheckpointMetadata::open("metadata.json", &metadata.seal()).expect_err("it is hostile");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().starts_with("read metadata.json: the output of sink `sums`") && error.to_string().contains(why), "{error}");
}

#[test]
fn output_that_no_publisher_could_make_sense_of_is_refused_by_name() {
    refused(|metadata| metadata.outboxes[0].lineages.clear(), "belongs to no lineage");
    refused(|metadata| metadata.outboxes.push(metadata.outboxes[0].clone()), "is in it twice");
    let of = |metadata: &mut CheckpointMetadata, what: fn(&mut LineageOutput)| what(&mut metadata.outboxes[0].lineages[1]);
    refused(|metadata| of(metadata, |lineage| lineage.key.lineage = "0000000000001111".into()), "is in it twice");
    refused(|metadata| of(metadata, |lineage| lineage.unpublished[0].objects.clear()), "nothing of it can");
    refused(|metadata| of(metadata, |lineage| lineage.unpublished[0].checkpoint_id = CheckpointId(7)), "newer than the one");
    refused(|metadata| of(metadata, |lineage| lineage.unpublished.push(lineage.unpublished[0].clone())), "nothing of it can");
    refused(|metadata| of(metadata, |lineage| lineage.published = lineage.unpublished[0].marker(13)), "nothing of it can");
    refused(|metadata| of(metadata, |lineage| lineage.unpublished[0].objects[1].records = u64::MAX), "more records or bytes");
    refused(|metadata| of(metadata, |lineage| lineage.unpublished[0].objects[1].handle.bytes = u64::MAX), "more records or bytes");
    let mut in_part = metadata();
    of(&mut in_part, |lineage| lineage.published = lineage.unpublished[0].marker(12));
    assert_eq!(CheckpointMetadata::open("metadata.json", &in_part.seal()).expect("a part of it is published"), in_part);
}
