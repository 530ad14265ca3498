//! Small jobs for replays: numbered records, an operator that counts them in states of every kind, and a checkpoint of such a job made by
//! hand.

use crate::checkpoint::{
    CheckpointMetadata, InFlightChannel, SectionKind, StateHandle, StateObjectWriter, SubtaskSnapshot, VertexSnapshot, WatermarkFloor,
    write_in_flight,
};
use crate::element::{AttemptId, BatchBuilder, CheckpointId, Column, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::Partitioning;
use crate::job::{Edge, JobGraph, Vertex, VertexKind};
use crate::operator::{
    FiredTimers, InputDescriptor, Operator, OperatorContext, OperatorDescriptor, OperatorFactory, OutputDescriptor, Subtask,
};
use crate::replay::ReplayPoint;
use crate::runtime::{ConnectorIo, Simulator};
use crate::source::{ReadStatus, ReaderContext, Source, SourceReader, SplitBatch, SplitProgress, SplitState};
use crate::state::conformance::{Written, write};
use crate::state::{
    KeyedState, MemoryBackendFactory, StateDescriptor, StateKind, StateMigrator, StateTime, StateTtl, TimeDomain, range_of,
};
use crate::storage::{ObjectStorage, Store};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::json;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Key groups of the jobs.
pub const GROUPS: u32 = 16;

/// Gives `words`, two at a time; a word's key is its first letter. Its one split is read on from a word's number.
pub struct Words(pub &'static str);

impl Source for Words {
    fn connector(&self) -> &'static str {
        "words"
    }

    fn identity(&self) -> serde_json::Value {
        json!(self.0)
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok(vec![split(SplitProgress::Unread)])).boxed()
    }

    fn verify<'a>(&'a self, _splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        let next = match &splits[0].progress {
            SplitProgress::At(position) => position.as_u64().expect("a number") as usize,
            SplitProgress::Unread | SplitProgress::Finished => 0,
        };
        Ok(Box::new(WordReader { words: self.0.split_whitespace().collect(), next }))
    }
}

pub fn split(progress: SplitProgress) -> SplitState {
    SplitState { progress, ..SplitState::unread("all".into(), json!(null)) }
}

struct WordReader {
    words: Vec<&'static str>,
    next: usize,
}

impl SourceReader for WordReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, _max: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        for word in self.words.iter().skip(self.next).take(2) {
            out.of(0).push(Some(&word.as_bytes()[..1]), word.as_bytes(), None);
            self.next += 1;
        }
        Poll::Ready(Ok(if self.next < self.words.len() { ReadStatus::More } else { ReadStatus::End }))
    }

    fn splits(&self) -> Vec<SplitState> {
        vec![split(SplitProgress::At(json!(self.next)))]
    }
}

/// An operator that counts words by key in a value, a list and a map state, and emits `word=count`. Words of the second input are rules:
/// `+x` puts the entry `x` into a broadcast state, and each word shows how many there are as `/rules`.
#[derive(Clone, Default)]
pub struct Count {
    /// Words that it emits nothing for.
    pub silent: &'static str,
    /// Words that it fails on, after having changed state.
    pub fails: &'static str,
    /// The version of its states.
    pub version: u32,
    /// Values begin with a byte that says nothing; those of older versions, which have none, are migrated.
    pub wide: bool,
    /// How long what it keeps of a key lives, by event time.
    pub lives_ms: Option<u64>,
}

pub const COUNT: usize = 0;
pub const SEEN: usize = 1;
pub(crate) const TIMES: usize = 2;
pub const RULES: usize = 3;

struct CountFactory {
    descriptor: OperatorDescriptor,
    count: Count,
}

impl Count {
    pub fn factory(self) -> Arc<dyn OperatorFactory> {
        let version = self.version;
        let ttl = self.lives_ms.map(|ms| StateTtl { ms, time: TimeDomain::Event, refresh_on_read: false });
        let state = |name: &str, kind| {
            let ttl = ttl.filter(|_| kind != StateKind::Broadcast);
            StateDescriptor { name: name.into(), kind, schema: "raw".into(), version, ttl }
        };
        let input = |name: &str| InputDescriptor { name: name.into(), ..InputDescriptor::default() };
        let descriptor = OperatorDescriptor {
            name: "count".into(),
            version: "1".into(),
            inputs: vec![input("words"), input("rules")],
            outputs: vec![OutputDescriptor { name: "out".into(), schema: None }],
            states: vec![
                state("count", StateKind::Value),
                state("seen", StateKind::List),
                state("times", StateKind::Map),
                state("rules", StateKind::Broadcast),
            ],
            timers: Vec::new(),
            ..OperatorDescriptor::default()
        };
        Arc::new(CountFactory { descriptor, count: self })
    }
}

impl OperatorFactory for CountFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.count.clone()))
    }

    fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        self.count.wide.then(|| Arc::new(self.count.clone()) as _)
    }
}

impl StateMigrator for Count {
    fn migrate(&self, _state: usize, _from_version: u32, values: &Column) -> Result<Column, EngineError> {
        let mut migrated = Column::new();
        values.iter().for_each(|value| migrated.push(&self.encoded(value)));
        Ok(migrated)
    }

    fn batch_bytes(&self) -> u64 {
        1 << 20
    }
}

impl Count {
    fn check(&self, word: &str) -> Result<(), EngineError> {
        match self.fails.split_whitespace().any(|bad| bad == word) {
            true => Err(EngineError::new(ErrorKind::Restart, format!("cannot take {word}"))),
            false => Ok(()),
        }
    }

    fn encoded(&self, value: &[u8]) -> Vec<u8> {
        if self.wide { [b"~", value].concat() } else { value.to_vec() }
    }

    fn count(&self, state: &mut KeyedState, key: usize, word: &str) -> Result<u64, EngineError> {
        let count = state.copied_value(key, COUNT)?.map_or(0, |bytes| u64::from(bytes[bytes.len() - 1])) + 1;
        state.set_value(key, COUNT, &self.encoded(&[count as u8]))?;
        state.list_append(key, SEEN, &self.encoded(word.as_bytes()))?;
        state.map_put(key, TIMES, word.as_bytes(), &self.encoded(&[count as u8]))?;
        Ok(count)
    }
}

impl Operator for Count {
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let mut out = BatchBuilder::new();
        if let Some(state) = context.state.as_deref_mut() {
            state.select(batch, 0..batch.len()).expect("every word has a key");
        }
        for record in 0..batch.len() {
            let word = String::from_utf8_lossy(batch.values().get(record)).into_owned();
            if input == 1 {
                context.broadcast.writable().expect("a broadcast edge").put(RULES, word.as_bytes(), &self.encoded(b""));
                self.check(&word)?;
                continue;
            }
            let mut text = word.clone();
            if let Some(state) = context.state.as_deref_mut() {
                let key = state.key_of()[record] as usize;
                text = format!("{word}={}", self.count(state, key, &word)?);
            }
            self.check(&word)?;
            if !self.silent.split_whitespace().any(|silent| silent == word) {
                out.push(batch.key(record), text.as_bytes(), None);
            }
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let mut out = BatchBuilder::new();
        let state = context.state.as_deref_mut().expect("timers are of keys");
        state.select(fired, 0..fired.len()).expect("every timer has a key");
        for (timer, key) in fired.keys().iter().enumerate() {
            let count = self.count(state, state.key_of()[timer] as usize, "timers")?;
            out.push(Some(key), format!("timers={count}").as_bytes(), None);
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

pub fn source(words: &'static str) -> VertexKind {
    VertexKind::Source { source: Arc::new(Words(words)), rate: Some(1.0) }
}

/// The edge `from → to.input`.
pub fn edge(from: usize, to: usize, input: u32, partitioning: Partitioning) -> Edge {
    Edge { from, output: 0, to, input, partitioning }
}

/// A graph of vertices with their ids.
pub fn graph(vertices: Vec<(&str, VertexKind)>, edges: impl Into<Vec<Edge>>) -> JobGraph {
    let vertices = vertices.into_iter().map(|(id, kind)| Vertex::new(id, 2, kind)).collect();
    JobGraph { name: "job".into(), max_parallelism: GROUPS, vertices, edges: edges.into() }
}

/// The operator of [`counting`].
pub const OPERATOR: usize = 1;

/// Words that are counted by key.
pub fn counting(words: &'static str, count: Count) -> JobGraph {
    graph(vec![("in", source(words)), ("count", VertexKind::Operator(count.factory()))], [edge(0, OPERATOR, 0, Partitioning::Key)])
}

/// The beginning of a job.
pub fn beginning() -> ReplayPoint {
    let runtime = Simulator::new(1).runtime();
    ReplayPoint {
        io: ConnectorIo::of(&runtime),
        metadata: None,
        store: Arc::new(ObjectStorage::in_memory()),
        clock: runtime.clock,
        backends: Arc::new(MemoryBackendFactory::new(1)),
        processing_time: 7,
    }
}

/// The point of `graph`, made by [`counting`], at which the source has come to word `position`, key `a` has been counted three times, and
/// `in_flight` words are on the way to the operator. What has a time to live was written at 0.
pub fn checkpoint(graph: &JobGraph, position: usize, in_flight: &str) -> ReplayPoint {
    let point = beginning();
    let states = match &graph.vertices[OPERATOR].kind {
        VertexKind::Operator(factory) => factory.descriptor().states.clone(),
        VertexKind::Source { .. } | VertexKind::Sink(_) => unreachable!("it counts"),
    };
    let mut state = KeyedState::new(states.clone(), MemoryBackendFactory::new(1).create(&states, range_of(0, 1, GROUPS), GROUPS));
    let at = StateTime { watermark: 0, processing_time: 7 };
    state.prefetch((&words("a")).into(), at).now_or_never().expect("memory does not wait").expect("it is there");
    state.select(&words("a"), 0..1).expect("it has a key");
    (0..3).for_each(|_| _ = Count::default().count(&mut state, 0, "a0").expect("it is counted"));
    let mut keyed = StateObjectWriter::new();
    let mut snapshot = state.snapshot(CheckpointId(1), None).expect("it is taken");
    let Written::Blocks(blocks) = write(&mut snapshot).0 else { panic!("the state is in memory") };
    blocks.iter().for_each(|(group, block)| keyed.section(SectionKind::KeyedState, "count", *group, block));
    let channel = InFlightChannel { edge: graph.edge_identity(&graph.edges[0]), sender: 0, schema: None };
    let mut flying = StateObjectWriter::new();
    flying.section(SectionKind::InFlight, "count", 0, &write_in_flight(&channel, [&words(in_flight)].into_iter()));
    let part = SubtaskSnapshot {
        state: Some(put(&*point.store, "state/1-1-count", keyed)),
        in_flight: (!in_flight.is_empty()).then(|| put(&*point.store, "state/1-1-flying", flying)),
        ..SubtaskSnapshot::default()
    };
    let read = SubtaskSnapshot { splits: vec![split(SplitProgress::At(json!(position)))], ..SubtaskSnapshot::default() };
    let vertices = [("in", read), ("count", part)].map(|(id, part)| VertexSnapshot { id: id.into(), subtasks: vec![part] });
    let metadata = CheckpointMetadata {
        job: "job".into(),
        checkpoint_id: CheckpointId(1),
        attempt: AttemptId(1),
        nonce: None,
        graph: graph.identity(),
        vertices: vertices.into(),
        outboxes: Vec::new(),
    };
    ReplayPoint { metadata: Some(Arc::new(metadata)), ..point }
}

/// The same point, where event time had come to here in all key groups.
pub fn come_to(point: ReplayPoint, watermark: i64) -> ReplayPoint {
    let mut metadata = (**point.metadata.as_ref().expect("it is a checkpoint")).clone();
    let of_operator = &mut metadata.vertices[OPERATOR].subtasks[0];
    of_operator.floors = vec![WatermarkFloor { from: 0, to: GROUPS, watermark }];
    ReplayPoint { metadata: Some(Arc::new(metadata)), ..point }
}

fn put(store: &dyn Store, path: &str, object: StateObjectWriter) -> StateHandle {
    let finished = object.finish();
    store.put(path, finished.parts).now_or_never().expect("memory does not wait").expect("it is written");
    StateHandle { object: path.into(), bytes: finished.bytes, checksum: finished.checksum }
}

pub fn words(text: &str) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    text.split_whitespace().for_each(|word| builder.push(Some(&word.as_bytes()[..1]), word.as_bytes(), None));
    builder.finish()
}
