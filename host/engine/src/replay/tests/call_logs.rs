//! Recorded calls made again: what came of which record, and what is said where that cannot be told, or a recording does not reach far enough.

use super::bench::{COUNT, Count, GROUPS, OPERATOR, beginning, checkpoint, counting, edge, graph, source};
use super::{now, values};
use crate::checkpoint::{
    CheckpointMetadata, JobLog, LogEntry, SectionKind, StateHandle, StateObjectWriter, Stretch, StretchHeader, SubtaskSnapshot,
    VertexSnapshot, write_calls,
};
use crate::element::{AttemptId, BatchBuilder, CheckpointId, NO_TIMESTAMP, RecordBatch, key_group_of, key_hash, range_of};
use crate::error::EngineError;
use crate::exchange::Partitioning::Key;
use crate::job::{JobGraph, VertexKind};
use crate::operator::{
    CallKind, FiredTimers, Operator, OperatorCall, OperatorContext, OperatorDescriptor, OperatorFactory, OutputDescriptor, Subtask,
};
use crate::replay::{CallEffects, Held, LoggedRun, LoggedSubtask, RecordlessEffects, ReplayPoint, RunStart, SubtaskCalls};
use std::sync::Arc;

/// Emits one record for each batch: how many it has, in which subtask, and what it is told of the time; and one at each watermark.
struct Batches(OperatorDescriptor);

struct BatchesOf(Subtask);

impl OperatorFactory for Batches {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(BatchesOf(subtask.clone())))
    }
}

impl Operator for BatchesOf {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let mut out = BatchBuilder::new();
        let text = format!("{} in {} of {} at {}", batch.len(), self.0.index, self.0.parallelism, context.processing_time);
        out.push(None, text.as_bytes(), None);
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }

    fn on_watermark(&mut self, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let mut out = BatchBuilder::new();
        out.push(None, format!("at {} and {}", context.watermark, context.processing_time).as_bytes(), None);
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

fn batches() -> JobGraph {
    let outputs = vec![OutputDescriptor { name: "out".into(), schema: None }];
    let batches = Arc::new(Batches(OperatorDescriptor { outputs, ..OperatorDescriptor::default() }));
    graph(vec![("in", source("a1")), ("count", VertexKind::Operator(batches))], [edge(0, OPERATOR, 0, Key)])
}

fn call(words: &str, processing_time: i64) -> OperatorCall {
    let mut builder = BatchBuilder::new();
    words.split_whitespace().for_each(|word| builder.push(Some(&word.as_bytes()[..1]), word.as_bytes(), None));
    let kind = CallKind::Batch { input: 0, keyed: true, batch: Arc::new(builder.finish()) };
    OperatorCall { watermark: NO_TIMESTAMP, processing_time, kind }
}

/// A call of timers of these keys.
fn timers(keys: &[&str]) -> OperatorCall {
    let mut fired = FiredTimers::default();
    keys.iter().for_each(|key| fired.push(key.as_bytes(), key_hash(key.as_bytes()), 0, 5));
    OperatorCall { watermark: 5, processing_time: 9, kind: CallKind::Timers(Arc::new(fired)) }
}

/// The words that a call was made with.
fn given(call: &OperatorCall) -> String {
    match &call.kind {
        CallKind::Batch { batch, .. } => values(batch),
        CallKind::Timers(_) | CallKind::Windows(_) | CallKind::Watermark => panic!("{call:?}"),
    }
}

/// What each record of a call emits, as `word>emitted`, and how a failure ends it.
fn shown(effects: &CallEffects) -> String {
    let of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let emitted = |record: &crate::replay::RecordEffects| {
        let outputs: Vec<_> = record.outputs.iter().map(|emitted| of(emitted.record.value.as_deref().unwrap_or_default())).collect();
        format!(
            "{}>{}{}",
            of(record.given.value.as_deref().unwrap_or_default()),
            outputs.join("+"),
            record.error.as_ref().map_or("", |_| "!")
        )
    };
    effects.records.iter().map(emitted).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_call_shows_what_came_of_each_of_its_records() {
    let graph = counting("a1", Count::default());
    let point = checkpoint(&graph, 0, "");
    let mut operator = now(LoggedSubtask::restore(&graph, OPERATOR, (0, 1), &point)).unwrap();
    let effects = now(operator.effects_of(7, &call("a1 b1 a2", 0))).unwrap();
    assert_eq!((shown(&effects), effects.undivided), ("a1>a1=4 b1>b1=1 a2>a2=5".to_owned(), false));
    assert!(effects.records.iter().all(|record| record.batch == 7 && record.changes.len() == 3));
    assert_eq!(effects.records[2].changes[COUNT].after, Some(Held::Value(vec![5])));
    assert_eq!(shown(&now(operator.effects_of(8, &call("a3", 0))).unwrap()), "a3>a3=6");
}

#[test]
fn what_an_operator_does_with_a_batch_and_not_with_its_records_stands_with_the_last() {
    let mut operator = now(LoggedSubtask::restore(&batches(), OPERATOR, (2, 3), &beginning())).unwrap();
    let effects = now(operator.effects_of(0, &call("a1 b1 a2", 5))).unwrap();
    assert_eq!((shown(&effects), effects.undivided), ("a1> b1> a2>3 in 2 of 3 at 5".to_owned(), true));
    let effects = now(operator.effects_of(1, &call("a1", 6))).unwrap();
    assert_eq!((shown(&effects), effects.undivided), ("a1>1 in 2 of 3 at 6".to_owned(), false));
}

#[test]
fn a_call_at_a_watermark_is_made_again_and_one_of_timers_is_refused_by_an_operator_that_serves_none() {
    let mut operator = now(LoggedSubtask::restore(&batches(), OPERATOR, (2, 3), &beginning())).unwrap();
    let mut call = OperatorCall { watermark: 7, processing_time: 9, kind: CallKind::Watermark };
    let effects = now(operator.effects_of(0, &call)).unwrap();
    let emitted: Vec<_> = effects.recordless.outputs.iter().map(|one| (&*one.output, one.record.value.clone())).collect();
    assert_eq!((effects.records.len(), emitted), (0, vec![("out", Some(b"at 7 and 9".to_vec()))]));
    call.kind = CallKind::Timers(Arc::default());
    let refused = now(operator.effects_of(1, &call)).unwrap().firings.remove(0).error.expect("it fails");
    assert_eq!(refused.to_string(), "count: it is called with timers that are due, and serves none");
}

#[test]
fn a_call_of_timers_is_made_again_on_the_state_of_their_keys() {
    let graph = counting("a1", Count::default());
    let mut operator = now(LoggedSubtask::restore(&graph, OPERATOR, (0, 1), &checkpoint(&graph, 0, ""))).unwrap();
    let call = timers(&["a", "b", "a"]);
    let effects = now(operator.effects_of(0, &call)).unwrap();
    let RecordlessEffects { outputs, changes } = &effects.recordless;
    let emitted: Vec<_> = outputs.iter().map(|one| String::from_utf8_lossy(one.record.value.as_deref().unwrap())).collect();
    assert_eq!((effects.records.len(), emitted.join(" ")), (0, "timers=4 timers=1 timers=5".to_owned()));
    let of_count: Vec<_> = changes.iter().filter(|change| change.state == "count").map(|change| (&change.key[..], &change.after)).collect();
    assert_eq!(of_count, [(&b"a"[..], &Some(Held::Value(vec![5]))), (b"b", &Some(Held::Value(vec![1])))]);
    // Both operators that stand for the subtask have been called.
    let effects = now(operator.effects_of(1, &self::call("a1 b1", 0))).unwrap();
    assert_eq!((shown(&effects), effects.undivided), ("a1>a1=6 b1>b1=2".to_owned(), false));
}

#[test]
fn a_call_that_fails_now_ends_with_the_record_that_it_fails_on() {
    let graph = counting("a1", Count { fails: "b1", ..Count::default() });
    let mut operator = now(LoggedSubtask::restore(&graph, OPERATOR, (0, 1), &beginning())).unwrap();
    assert_eq!(shown(&now(operator.effects_of(0, &call("a1 b1 a2", 0))).unwrap()), "a1>a1=1 b1>!");
}

#[test]
fn a_call_for_an_input_that_the_job_does_not_have_is_refused() {
    let graph = counting("a1", Count::default());
    let mut operator = now(LoggedSubtask::restore(&graph, OPERATOR, (0, 1), &beginning())).unwrap();
    let mut without_keys = call("a1", 0);
    if let CallKind::Batch { keyed, .. } = &mut without_keys.kind {
        *keyed = false;
    }
    let refused = now(operator.effects_of(0, &without_keys)).unwrap_err();
    assert_eq!(refused.to_string(), "count: a recorded batch without keys for its input 0, which has no such edge");
}

/// A job with completed checkpoints 1 to 3 in its log; of checkpoint 3 these stretches of the first of so many subtasks are recorded.
fn recorded(parallelism: usize, stretches: &[Stretch]) -> ReplayPoint {
    let point = beginning();
    let graph = counting("a1", Count::default());
    let mut object = StateObjectWriter::new();
    for payload in stretches.iter().flat_map(|stretch| write_calls(stretch).collect::<Vec<_>>()) {
        object.section(SectionKind::CallLog, "count", 0, &payload);
    }
    let finished = object.finish();
    let handle = StateHandle { object: "state/1-3-count".into(), bytes: finished.bytes, checksum: finished.checksum };
    let written = async {
        let mut log = JobLog::open(point.store.clone(), point.clock.clone()).await?;
        let attempt = AttemptId(1);
        log.append(LogEntry::begun(attempt, "n", attempt)).await?;
        point.store.put(&handle.object, finished.parts).await?;
        for checkpoint_id in [1, 2, 3].map(CheckpointId) {
            let call_log = (checkpoint_id == CheckpointId(3)).then(|| handle.clone());
            let subtasks = vec![SubtaskSnapshot { call_log, ..SubtaskSnapshot::default() }; parallelism];
            let vertices = vec![VertexSnapshot { id: "count".into(), subtasks }];
            let metadata = CheckpointMetadata {
                job: "job".into(),
                checkpoint_id,
                attempt,
                nonce: None,
                graph: graph.identity(),
                vertices,
                outboxes: Vec::new(),
            };
            let (path, sealed) = (metadata.path(), metadata.seal());
            point.store.put(&path, vec![sealed.clone()]).await?;
            log.append(LogEntry::complete(attempt, "n", checkpoint_id, path, crc32c::crc32c(&sealed))).await?;
        }
        Ok(())
    };
    now(written).expect("memory takes it");
    point
}

fn stretch(behind: u64, cut_off: bool, words: &[&str]) -> Stretch {
    let calls = words.iter().map(|words| call(words, 0)).collect();
    Stretch { header: StretchHeader { behind: Some(CheckpointId(behind)), cut_off }, calls }
}

/// What is recorded behind `start` up to checkpoint 3: calls, and whether they are cut off.
fn calls(stretches: &[Stretch], start: RunStart) -> Result<Option<(String, bool)>, EngineError> {
    let point = recorded(1, stretches);
    now(async {
        let Some(mut run) = LoggedRun::find("count", &point, start).await? else { return Ok(None) };
        let stretch = run.next().await?.expect("a stretch");
        let SubtaskCalls { calls, cut_off } = stretch.calls(0).await?;
        assert!(run.next().await?.is_none(), "checkpoint 3 is the newest");
        Ok(Some((calls.iter().map(given).collect::<Vec<_>>().join(", "), cut_off)))
    })
}

#[test]
fn a_recorded_run_begins_where_the_newest_recording_does_or_behind_the_named_checkpoint() {
    let all = [stretch(1, false, &["a0"]), stretch(2, false, &["a1 b1", "a2"])];
    assert_eq!(calls(&all, RunStart::Newest).unwrap(), Some(("a1 b1, a2".to_owned(), false)));
    assert_eq!(calls(&all, RunStart::Checkpoint(CheckpointId(2))).unwrap(), Some(("a1 b1, a2".to_owned(), false)));
    // Behind 1 comes 2, which has no recording; behind 3 comes nothing; and there is no 9.
    for start in [RunStart::Checkpoint(CheckpointId(1)), RunStart::Checkpoint(CheckpointId(3)), RunStart::Beginning] {
        assert_eq!(calls(&all, start).unwrap(), None);
    }
    assert_eq!(calls(&all, RunStart::Checkpoint(CheckpointId(9))).unwrap(), None);
}

#[test]
fn a_stretch_goes_over_the_barriers_of_checkpoints_that_failed_up_to_where_it_is_cut_off() {
    let all = [stretch(2, false, &["a1"]), stretch(7, true, &["a2", "a3"]), stretch(8, false, &["a4"])];
    assert_eq!(calls(&all, RunStart::Newest).unwrap(), Some(("a1, a2, a3".to_owned(), true)));
}

#[test]
fn a_recording_that_does_not_reach_back_to_the_checkpoint_is_refused() {
    let refused = calls(&[stretch(7, false, &["a1"])], RunStart::Newest).unwrap_err();
    assert_eq!(refused.to_string(), "replay count: the calls that checkpoint 3 has do not reach back to checkpoint 2");
}

#[test]
fn calls_whose_records_or_timers_are_of_another_subtasks_keys_are_refused() {
    let is_own = |key: &&&str| range_of(0, 2, GROUPS).contains(key_group_of(key_hash(key.as_bytes()), GROUPS));
    let (own, others): (Vec<&str>, Vec<&str>) = ["a", "b", "c", "d", "e", "f", "g", "h"].iter().partition(is_own);
    let (own, other) = (own[0], others[0]);
    let read = |call: OperatorCall| {
        let point = recorded(2, &[Stretch { calls: vec![call], ..stretch(2, false, &[]) }]);
        now(async {
            let mut run = LoggedRun::find("count", &point, RunStart::Newest).await?.expect("it is recorded");
            run.next().await?.expect("a stretch").calls(0).await.map(|read| read.calls.len())
        })
    };
    let refused = |call| read(call).unwrap_err().to_string().rsplit(": ").next().map(str::to_owned);
    assert_eq!(read(call(own, 0)).unwrap(), 1);
    assert_eq!(read(timers(&[own, own])).unwrap(), 1);
    assert_eq!(refused(call(other, 0)).as_deref(), Some("record 0 of a call has no key of its subtask"));
    assert_eq!(refused(timers(&[own, other])).as_deref(), Some("timer 1 of a call has no key of its subtask"));
}
