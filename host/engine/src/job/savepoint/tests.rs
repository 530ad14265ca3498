//! A savepoint of a made-up checkpoint, in memory.

use super::*;
use crate::checkpoint::{GraphIdentity, SectionKind, StateObjectWriter, SubtaskSnapshot, VertexIdentity, VertexSnapshot};
use crate::runtime::Simulator;
use crate::storage::ObjectStorage;
use futures_util::FutureExt;

const DIGEST: &str = "cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f";

struct Fixture {
    clock: Arc<dyn Clock>,
    source: ObjectStorage,
    target: ObjectStorage,
    checkpoint: CompletedCheckpoint,
}

fn pin(vertex: &str, component: &str) -> Pinned {
    let (reference, manifest) = ("oci:r.example/counts:1".to_owned(), Some(format!("sha256:{DIGEST}")));
    Pinned { vertex: vertex.into(), reference, manifest, component: component.into() }
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory does not wait")
}

impl Fixture {
    fn new() -> Self {
        let source = ObjectStorage::in_memory();
        let state = |path: &str, payload: &[u8]| {
            let mut object = StateObjectWriter::new();
            object.section(SectionKind::KeyedState, "op", 0, payload);
            let finished = object.finish();
            at_once(source.put(path, finished.parts)).expect("it is written");
            StateHandle { object: path.into(), bytes: finished.bytes, checksum: finished.checksum }
        };
        let part = SubtaskSnapshot {
            keys: 1,
            state: Some(state("state/1-1-op-0-n.state", b"whole")),
            deltas: vec![state("state/1-2-op-0-n.state", b"changes")],
            committables: vec![crate::sink::Committable {
                connector: "file".into(),
                payload: serde_json::json!({ "target": "out/part-1" }),
            }],
            ..SubtaskSnapshot::default()
        };
        let operator = VertexIdentity::Operator { states: Vec::new(), component: Some(DIGEST.into()) };
        let metadata = CheckpointMetadata {
            job: "counts".into(),
            checkpoint_id: CheckpointId(2),
            attempt: AttemptId(1),
            nonce: None,
            graph: GraphIdentity { max_parallelism: 8, vertices: [("op".to_owned(), operator)].into(), edges: Vec::new() },
            vertices: vec![VertexSnapshot { id: "op".into(), subtasks: vec![part] }],
            outboxes: Vec::new(),
        };
        let sealed = metadata.seal();
        let checksum = crc32c::crc32c(&sealed);
        at_once(source.put(&metadata.path(), vec![sealed])).expect("it is written");
        at_once(source.put(&paths::plugin(DIGEST), vec![Bytes::from_static(b"\0asm")])).expect("it is written");
        let checkpoint = CompletedCheckpoint { checkpoint_id: CheckpointId(2), attempt: AttemptId(1), metadata: metadata.path(), checksum };
        Self { clock: Simulator::new(1).runtime().clock, source, target: ObjectStorage::in_memory(), checkpoint }
    }

    fn write(&self) -> Result<Savepoint, EngineError> {
        let pinned = vec![pin("op", DIGEST), pin("op", &"0".repeat(64)), pin("gone", DIGEST)];
        let job_file = Some(JobFileCopy { text: Bytes::from_static(b"name = \"counts\"\n"), folder: "/jobs".into(), pinned });
        at_once(write_savepoint(&self.source, &self.target, &*self.clock, &self.checkpoint, job_file, Pace::Fast))
    }

    fn paths(&self) -> BTreeSet<String> {
        at_once(self.target.list("")).expect("a list").into_iter().collect()
    }

    fn object(&self, path: &str) -> Vec<u8> {
        at_once(self.target.get(path)).expect("readable").expect("it is there").to_vec()
    }
}

#[test]
fn a_savepoint_holds_all_that_the_checkpoint_consists_of_and_nothing_else() {
    let fixture = Fixture::new();
    let written = fixture.write().expect("it is written");
    let plugin = paths::plugin(DIGEST);
    let expect = ["job.toml", "metadata.json", plugin.as_str(), "savepoint.json", "state/1-1-op-0-n.state", "state/1-2-op-0-n.state"];
    assert_eq!(fixture.paths(), expect.map(str::to_owned).into());
    let (savepoint, metadata) = at_once(open_savepoint(&fixture.target, &*fixture.clock)).expect("it opens");
    assert_eq!((savepoint, metadata.checkpoint_id), (written.clone(), CheckpointId(2)));
    assert_eq!(written.pinned, [pin("op", DIGEST)], "and not what an upgrade has replaced");
    assert_eq!(metadata.committables().next(), None, "its output is committed, and no concern of the savepoint's");
    assert_eq!(at_once(verify_savepoint(&fixture.target, &*fixture.clock)).expect("readable"), Vec::<String>::new());
    let job_file = at_once(savepoint_job_file(&fixture.target, &*fixture.clock, &written)).expect("readable");
    assert_eq!((job_file.as_deref(), written.job_folder.as_deref()), (Some(&b"name = \"counts\"\n"[..]), Some("/jobs")));
}

#[test]
fn every_flipped_byte_and_every_missing_object_is_named() {
    let fixture = Fixture::new();
    fixture.write().expect("it is written");
    for path in fixture.paths() {
        let good = fixture.object(&path);
        let named = |what: &str| {
            let outcome = at_once(verify_savepoint(&fixture.target, &*fixture.clock));
            let text = outcome.map_or_else(|error| error.to_string(), |problems| problems.join("\n"));
            assert!(text.contains(&path), "{path} {what}: `{text}`");
        };
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 0x20;
            at_once(fixture.target.put(&path, vec![bad.into()])).expect("it is written");
            named(&format!("with byte {place} flipped"));
        }
        at_once(fixture.target.delete(&path)).expect("it is deleted");
        named("missing");
        at_once(fixture.target.put(&path, vec![good.into()])).expect("it is written");
    }
}

#[test]
fn a_folder_that_is_not_empty_is_refused_and_left_alone() {
    let fixture = Fixture::new();
    at_once(fixture.target.put("notes.txt", vec![Bytes::from_static(b"mine")])).expect("it is written");
    let error = fixture.write().expect_err("the folder is not empty");
    assert!(error.to_string().contains("not empty: notes.txt"), "{error}");
    assert_eq!(fixture.paths(), ["notes.txt".to_owned()].into());
}

#[test]
fn deleting_a_savepoint_leaves_what_is_not_its_own() {
    let fixture = Fixture::new();
    fixture.write().expect("it is written");
    at_once(fixture.target.put("notes.txt", vec![Bytes::from_static(b"mine")])).expect("it is written");
    at_once(delete_savepoint(&fixture.target, &*fixture.clock)).expect("it is deleted");
    assert_eq!(fixture.paths(), ["notes.txt".to_owned()].into());
    let error = at_once(open_savepoint(&fixture.target, &*fixture.clock)).expect_err("it is gone");
    assert!(error.to_string().contains("there is no savepoint.json"), "{error}");
}
