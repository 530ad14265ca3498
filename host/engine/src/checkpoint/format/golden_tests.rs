//! The released formats of the JSON objects: what was written then is read now, and written the same.

use super::envelope;
use super::*;
use crate::checkpoint::log::format::{EntryDigest, open_entry, seal_entry, seal_entry_of_format_1};
use crate::checkpoint::{LineageRoot, LogEntry, Override, Pinned, Replaced, paths};
use crate::element::{AttemptId, CheckpointId};
use crate::exchange::Partitioning;
use crate::state::{StateDescriptor, StateKind, StateTtl, TimeDomain, WindowKind, WindowSettings, timer_state, window_state};
use serde_json::json;
use std::path::PathBuf;

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn metadata() -> CheckpointMetadata {
    let state = StateDescriptor { name: "totals".into(), kind: StateKind::Value, schema: "raw".into(), version: 2, ttl: None };
    let source = VertexIdentity::Source { connector: "file".into(), settings: json!({"format": "csv", "path": "data/*.csv"}) };
    let operator = VertexIdentity::Operator { states: vec![state], component: Some("ab12".into()) };
    let edge = EdgeIdentity { from: "in".into(), output: "out".into(), to: "op".into(), input: 0, partitioning: Partitioning::Key };
    let split = |id: &str, progress| SplitState { progress, ..SplitState::unread(id.into(), json!({"end": 10})) };
    let subtask = |index| SubtaskSnapshot { index, ..SubtaskSnapshot::default() };
    let handle = StateHandle { object: "state/3-7-op-0-c0ffee.state".into(), bytes: 1_234, checksum: 0xdead_beef };
    let committable = Committable { connector: "file".into(), payload: json!({"size": 5}) };
    let splits = vec![split("a", SplitProgress::Finished), split("b", SplitProgress::At(json!(5))), split("c", SplitProgress::Unread)];
    let vertex = |id: &str, subtask| VertexSnapshot { id: id.into(), subtasks: vec![subtask] };
    CheckpointMetadata {
        job: "golden".into(),
        checkpoint_id: CheckpointId(7),
        attempt: AttemptId(3),
        nonce: None,
        graph: GraphIdentity { max_parallelism: 128, vertices: [("in".into(), source), ("op".into(), operator)].into(), edges: vec![edge] },
        vertices: vec![
            vertex("in", SubtaskSnapshot { splits, ..subtask(0) }),
            vertex("op", SubtaskSnapshot { keys: 2, state_bytes: 64, state: Some(handle), ..subtask(0) }),
            vertex("out", SubtaskSnapshot { committables: vec![committable], ..subtask(0) }),
        ],
        outboxes: Vec::new(),
    }
}

/// The entries of the golden logs. Before format 2 of the log a lineage had no nonce, and metadata's name had none of its attempt.
fn entries(format: u32) -> Vec<LogEntry> {
    let of_format_2 = |nonce: &'static str| (format == 2).then_some(nonce);
    let (attempt, nonce, checkpoint_id) = (AttemptId(3), "c0ffee".to_owned(), CheckpointId(7));
    vec![
        LogEntry::Attempt {
            attempt,
            nonce: nonce.clone(),
            lineage: AttemptId(2),
            lineage_nonce: of_format_2("1abe1").map(str::to_owned),
            root: LineageRoot::Checkpoint(CheckpointId(4)),
            restored: Some(CheckpointId(6)),
            probation: false,
            pinned: Vec::new(),
            overruled: Vec::new(),
            started_ms: 1,
        },
        LogEntry::Completed {
            attempt,
            nonce: nonce.clone(),
            checkpoint_id,
            metadata: paths::metadata(attempt, checkpoint_id, of_format_2("c0ffee")),
            checksum: 5,
            trigger: "periodic".into(),
            completed_ms: 2,
            duration_ms: 30,
            bytes: 400,
        },
        LogEntry::Failed {
            attempt,
            nonce: nonce.clone(),
            checkpoint_id: CheckpointId(8),
            trigger: "stop".into(),
            failed_ms: 3,
            duration_ms: 40,
            reason: "timed out".into(),
        },
        LogEntry::Finished { attempt, nonce, finished_ms: 4 },
    ]
}

/// With each part that a subtask need not have.
fn metadata_with_parts() -> CheckpointMetadata {
    let handle = |part: &str| StateHandle { object: format!("state/3-7-op-0-c0ffee.{part}"), bytes: 9, checksum: 1 };
    let mut metadata = metadata();
    let operator = &mut metadata.vertices[1].subtasks[0];
    operator.deltas = vec![handle("delta")];
    operator.files =
        Some(StateFiles { format: "sst".into(), files: vec![StateFile { name: "000007.sst".into(), handle: handle("file") }] });
    operator.broadcast = Some(handle("broadcast"));
    operator.in_flight = Some(handle("in-flight"));
    operator.call_log = Some(handle("recording"));
    metadata
}

/// With what has to do with time.
fn metadata_with_time() -> CheckpointMetadata {
    let mut metadata = metadata();
    let windows = WindowSettings { lateness: 60_000, ..WindowSettings::new(WindowKind::Session { gap: 1_000 }) };
    let ttl = Some(StateTtl { ms: 3_600_000, time: TimeDomain::Processing, refresh_on_read: true });
    let lived = StateDescriptor { name: "seen".into(), kind: StateKind::Map, schema: "raw".into(), version: 1, ttl };
    let states = vec![lived, timer_state("late", TimeDomain::Event), window_state(&windows)];
    metadata.graph.vertices.insert("op".into(), VertexIdentity::Operator { states, component: None });
    let floor = |from, to, watermark| WatermarkFloor { from, to, watermark };
    let operator = &mut metadata.vertices[1].subtasks[0];
    operator.floors = vec![floor(0, 64, -5), floor(64, 128, 1_356_998_400_000)];
    (operator.processing_time, operator.largest_timestamp) = (Some(1_700_000_000_000), Some(-1));
    metadata.vertices[0].subtasks[0].splits[1].largest_timestamp = Some(7);
    metadata
}

/// The same, knowing when event time began.
fn metadata_with_beginning() -> CheckpointMetadata {
    let mut metadata = metadata_with_time();
    let began = |from, to, watermark| WatermarkFloor { from, to, watermark };
    metadata.vertices[1].subtasks[0].event_time_began = vec![began(0, 64, -900), began(64, 127, 1_356_998_300_000)];
    metadata
}

#[test]
fn when_event_time_began_has_the_name_in_metadata_of_format_1_that_it_had() {
    let stored = golden("metadata-v1-began.json");
    assert_eq!(CheckpointMetadata::open("golden", &stored).unwrap(), metadata_with_beginning());
    assert_eq!(metadata_with_beginning().seal(), stored);
}

#[test]
fn what_metadata_of_format_1_says_of_time_has_the_name_that_it_had() {
    let stored = golden("metadata-v1-time.json");
    assert_eq!(CheckpointMetadata::open("golden", &stored).unwrap(), metadata_with_time());
    assert_eq!(metadata_with_time().seal(), stored);
}

#[test]
fn each_part_of_metadata_of_format_1_has_the_name_that_it_had() {
    let stored = golden("metadata-v1-parts.json");
    assert_eq!(CheckpointMetadata::open("golden", &stored).unwrap(), metadata_with_parts());
    assert_eq!(metadata_with_parts().seal(), stored);
}

#[test]
fn metadata_of_format_1_is_read_and_written_as_it_was() {
    let stored = golden("metadata-v1.json");
    assert_eq!(CheckpointMetadata::open("golden", &stored).unwrap(), metadata());
    assert_eq!(metadata().seal(), stored);
}

#[test]
fn log_entries_of_format_1_are_read_and_written_as_they_were() {
    let stored = golden("log-v1.jsonl");
    let lines: Vec<&[u8]> = stored.split_inclusive(|&byte| byte == b'\n').collect();
    let read: Vec<LogEntry> = lines.iter().zip(1..).map(|(line, seq)| open_entry("golden", seq, line).unwrap().entry).collect();
    assert_eq!(read, entries(1));
    for ((line, entry), seq) in lines.iter().zip(entries(1)).zip(1..) {
        assert_eq!(seal_entry_of_format_1(seq, &entry), *line);
    }
}

#[test]
fn log_entries_of_format_2_are_read_and_written_as_they_were() {
    let stored = golden("log-v2.jsonl");
    let lines: Vec<&[u8]> = stored.split_inclusive(|&byte| byte == b'\n').collect();
    let read: Vec<LogEntry> = lines.iter().zip(1..).map(|(line, seq)| open_entry("golden", seq, line).unwrap().entry).collect();
    assert_eq!(read, entries(2));
    let mut before = None;
    for ((line, entry), seq) in lines.iter().zip(entries(2)).zip(1..) {
        assert_eq!(seal_entry(seq, "10909", before, &entry), *line);
        before = Some(EntryDigest::of(line));
    }
}

#[test]
fn what_an_attempt_notes_of_references_has_the_name_that_it_had() {
    let stored = golden("log-v2-pinned.jsonl");
    let mut entry = entries(2).remove(0);
    let LogEntry::Attempt { pinned, .. } = &mut entry else { panic!("the first entry is an attempt") };
    let component = "01".repeat(32);
    let of_registry = Pinned { vertex: "op".into(), reference: "oci:a.b/c:1".into(), manifest: Some("sha256:02".into()), component };
    let of_digest = Pinned { vertex: "other".into(), reference: "sha256:03".into(), manifest: None, component: "03".into() };
    *pinned = vec![of_registry, of_digest];
    assert_eq!(String::from_utf8_lossy(&seal_entry(1, "10909", None, &entry)), String::from_utf8_lossy(&stored));
    assert_eq!(open_entry("golden", 1, &stored).unwrap().entry, entry);
}

#[test]
fn what_the_log_says_of_an_upgrade_and_of_its_end_has_the_names_that_it_had() {
    let stored = golden("log-v2-overruled.jsonl");
    let component = Some(Replaced { file: "01".to_owned(), now: "02".to_owned() });
    let pin = Pinned { vertex: "op".into(), reference: "oci:a.b/c:2".into(), manifest: Some("sha256:03".into()), component: "02".into() };
    let named = Some("op.wasm".to_owned());
    let changed = Override { vertex: "op".into(), parallelism: Some(Replaced { file: 2, now: 4 }), component, named, pin: Some(pin) };
    let mut attempt = entries(2).remove(0);
    let LogEntry::Attempt { overruled, .. } = &mut attempt else { panic!("the first entry is an attempt") };
    overruled.extend(changed.clone().overruled(true, true));
    let (overrides, owner, checkpoint_id) = (vec![changed], "c0ffee".to_owned(), CheckpointId(7));
    let change = LogEntry::Override { attempt: AttemptId(3), nonce: owner, checkpoint_id, overrides, probation: true, changed_ms: 4 };
    let lines: Vec<&[u8]> = stored.split_inclusive(|&byte| byte == b'\n').collect();
    for ((line, entry), seq) in lines.iter().zip([attempt, change]).zip(1..) {
        assert_eq!(String::from_utf8_lossy(&seal_entry(seq, "10909", None, &entry)), String::from_utf8_lossy(line));
        assert_eq!(open_entry("golden", seq, line).unwrap().entry, entry);
    }
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_log_of_a_format_that_comes_later_is_refused_by_name() {
    let later = envelope::seal_as("weir-log", 3, &json!({"seq": 9}));
    let error = open_entry("log/9.json", 9, &later).unwrap_err().to_string();
    assert_eq!(error, "read log/9.json: format 3 is not known here; this weir reads formats 1 to 2");
}

#[test]
fn an_unknown_kind_of_log_entry_is_refused_by_name() {
    let unknown = envelope::seal("weir-log", &json!({"seq": 9, "entry": {"kind": "summary", "attempt": 1}}));
    let error = open_entry("log/9.json", 9, &unknown).unwrap_err().to_string();
    assert!(error.contains("log/9.json") && error.contains("`summary`"), "{error}");
}

#[test]
fn an_entry_in_the_place_of_another_is_refused() {
    let sealed = seal_entry(4, "10909", None, &entries(2)[0]);
    let error = open_entry("log/5.json", 5, &sealed).unwrap_err().to_string();
    assert!(error.contains("log/5.json") && error.contains("entry 4"), "{error}");
}
