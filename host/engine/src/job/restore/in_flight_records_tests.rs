//! Where records in flight go when a checkpoint is restored at another parallelism, edge by edge.

use super::*;
use crate::checkpoint::{EdgeIdentity, GraphIdentity, RecordSchema, SubtaskSnapshot, VertexSnapshot};
use crate::element::{AttemptId, CheckpointId};
use crate::job::{Edge, Vertex, VertexKind};
use crate::operator::{InputDescriptor, Operator, OperatorDescriptor, OperatorFactory, OutputDescriptor, Subtask};
use crate::state::{key_group_of, key_hash, owner_of};

struct Factory(OperatorDescriptor);

impl OperatorFactory for Factory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        unreachable!("nothing runs here")
    }
}

fn operator(id: &str, parallelism: u32, accepts: Vec<RecordSchema>) -> Vertex {
    let descriptor = OperatorDescriptor {
        inputs: vec![InputDescriptor { name: "in".into(), accepts, ..InputDescriptor::default() }],
        outputs: vec![OutputDescriptor { name: "out".into(), schema: None }],
        ..Default::default()
    };
    Vertex::new(id, parallelism, VertexKind::Operator(Arc::new(Factory(descriptor))))
}

fn graph(parallelism: u32, partitioning: Partitioning, accepts: Vec<RecordSchema>) -> JobGraph {
    let edge = Edge { from: 0, output: 0, to: 1, input: 0, partitioning };
    let vertices = vec![operator("a", parallelism, Vec::new()), operator("b", parallelism, accepts)];
    JobGraph { name: "job".into(), max_parallelism: 8, vertices, edges: vec![edge] }
}

fn metadata(parallelism: u32) -> CheckpointMetadata {
    let subtasks = (0..parallelism).map(|index| SubtaskSnapshot { index, ..Default::default() }).collect();
    CheckpointMetadata {
        job: "job".into(),
        checkpoint_id: CheckpointId(1),
        attempt: AttemptId(1),
        nonce: None,
        graph: GraphIdentity { max_parallelism: 8, vertices: BTreeMap::new(), edges: Vec::new() },
        vertices: vec![VertexSnapshot { id: "b".into(), subtasks }],
        outboxes: Vec::new(),
    }
}

/// What lies between sender 0 and subtask `receiver`: two batches, `r0 r1` and `r2`.
fn stored(receiver: u32, partitioning: Partitioning, schema: Option<RecordSchema>) -> StoredRecords {
    let batch = |names: &[&str]| {
        let mut builder = BatchBuilder::new();
        names.iter().for_each(|name| builder.push(Some(format!("{receiver}{name}").as_bytes()), name.as_bytes(), None));
        Arc::new(builder.finish())
    };
    let edge = EdgeIdentity { from: "a".into(), output: "out".into(), to: "b".into(), input: 0, partitioning };
    StoredRecords { channel: InFlightChannel { edge, sender: 0, schema }, receiver, batches: vec![batch(&["r0", "r1"]), batch(&["r2"])] }
}

/// The old receiver of each record, by new subtask: `0 0 0 | 1 1 1` where each subtask gets what was on its way to it.
#[track_caller]
fn check(partitioning: Partitioning, was: u32, now: u32, expect: &str) {
    let stored: Vec<_> = (0..was).map(|receiver| stored(receiver, partitioning, None)).collect();
    let restored = distribute(&stored, &graph(now, partitioning, Vec::new()), &metadata(was), &RestorePlan::default()).unwrap();
    let subtask = |index| {
        let batches = restored.get(&(1, index)).into_iter().flatten();
        let keys = batches.flat_map(|restored| {
            restored.batch.keys().iter().map(|key| String::from_utf8_lossy(&key[..1]).into_owned()).collect::<Vec<_>>()
        });
        keys.collect::<Vec<_>>().join(" ")
    };
    assert_eq!((0..now).map(subtask).collect::<Vec<_>>().join(" | "), expect, "{partitioning:?} {was} → {now}");
}

#[test]
fn forward_and_rebalance_go_to_one_subtask_each() {
    for partitioning in [Partitioning::Forward, Partitioning::Rebalance] {
        check(partitioning, 1, 1, "0 0 0");
        check(partitioning, 2, 1, "0 0 0 1 1 1");
        check(partitioning, 1, 2, "0 0 0 | ");
        check(partitioning, 3, 2, "0 0 0 2 2 2 | 1 1 1");
        check(partitioning, 2, 3, "0 0 0 | 1 1 1 | ");
    }
}

#[test]
fn broadcast_comes_to_every_subtask_from_one_and_the_same() {
    check(Partitioning::Broadcast, 1, 3, "0 0 0 | 0 0 0 | 0 0 0");
    check(Partitioning::Broadcast, 3, 1, "0 0 0");
    check(Partitioning::Broadcast, 2, 3, "0 0 0 | 1 1 1 | 0 0 0");
}

#[test]
fn takers_of_one_broadcast_share_its_batches() {
    let restored = distribute(
        &[stored(0, Partitioning::Broadcast, None)],
        &graph(3, Partitioning::Broadcast, Vec::new()),
        &metadata(1),
        &RestorePlan::default(),
    )
    .unwrap();
    let first = |subtask| &restored[&(1, subtask)][0].batch;
    assert!(Arc::ptr_eq(first(0), first(1)) && Arc::ptr_eq(first(0), first(2)));
}

#[test]
fn keys_go_to_the_owner_of_their_group_in_order() {
    for (was, now) in [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2), (1, 8)] {
        let stored: Vec<_> = (0..was).map(|receiver| stored(receiver, Partitioning::Key, None)).collect();
        let restored = distribute(&stored, &graph(now, Partitioning::Key, Vec::new()), &metadata(was), &RestorePlan::default()).unwrap();
        let mut seen = Vec::new();
        for ((vertex, subtask), batches) in &restored {
            assert_eq!(*vertex, 1);
            for batch in batches {
                for (key, &hash) in batch.batch.keys().iter().zip(batch.batch.hashes()) {
                    assert_eq!((hash, owner_of(key_group_of(hash, 8), now, 8)), (key_hash(key), *subtask), "{was} → {now}");
                    seen.push(String::from_utf8_lossy(key).into_owned());
                }
            }
        }
        seen.sort();
        let mut all: Vec<_> = (0..was).flat_map(|receiver| ["r0", "r1", "r2"].map(|name| format!("{receiver}{name}"))).collect();
        all.sort();
        assert_eq!(seen, all, "{was} → {now}");
    }
}

#[test]
fn records_that_fit_no_edge_any_more_are_refused_by_edge() {
    let schema = |version| RecordSchema { id: "flight".into(), version };
    let lines = |stored: StoredRecords, now: JobGraph| misfits(&[stored], &now, &RestorePlan::default()).join("\n");
    let key = || stored(0, Partitioning::Key, None);
    assert_eq!(lines(key(), graph(2, Partitioning::Key, Vec::new())), "");
    let gone = "edge a.out → b (key): records are in flight on it, and the job has no such edge any more";
    assert_eq!(lines(key(), graph(2, Partitioning::Rebalance, Vec::new())), gone);
    assert_eq!(lines(stored(0, Partitioning::Forward, None), graph(2, Partitioning::Rebalance, Vec::new())), "");
    let versioned = |version| stored(0, Partitioning::Key, Some(schema(version)));
    assert_eq!(lines(versioned(1), graph(1, Partitioning::Key, vec![schema(1), schema(2)])), "");
    assert_eq!(
        lines(versioned(1), graph(1, Partitioning::Key, vec![schema(2)])),
        "edge a.out → b (key): records of flight v1 are in flight on it, and b takes flight v2"
    );
}
