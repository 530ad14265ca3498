//! What lies in front of one operator, run on one thread: sources from a checkpoint's positions on, and the operators between.
//!
//! The order is fixed: first the records that were in flight in the checkpoint, those further down before those further up; then the
//! sources in the graph's order, one batch of each in turn, each batch worked off to its end before the next is read. A source's rate does
//! not count.
//!
//! Event time goes on as the records bring it: behind each batch of a source that makes watermarks, and of an operator that does; what is due at it in the
//! operators between fires. A source that has been read to its end has come to the end of time. One without an end that has nothing more stays where it is, or
//! is idle where its watermarks say that splits may be; so is what an operator emits that makes its own, once its sources have nothing more. A source that
//! gives nothing, though it may have more, is left, and its time stays where it is. The clock stands still, so nothing goes on by that.

use super::isolated::{Emitted, plan_of};
use super::read_source::{Read, ReadSource, Time, left_behind};
use super::{IsolatedOperator, ReplayPoint};
use crate::element::{END_OF_TIME, Progress, RecordBatch, Selection, Watermark};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{Merged, Partitioning, WatermarkValve};
use crate::job::{JobGraph, VertexKind, distribute, load_in_flight, misfits};
use crate::operator::{LATE_OUTPUT, QUARANTINE_OUTPUT};
use crate::source::SplitState;
use crate::time::{OpenSplits, RestoredTime, SplitWatermarks};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Records that the sources may give for each one that was asked for: an operator in front may let few through.
const READ_PER_RECORD: u64 = 1_000;

/// A batch that the operator in question is given.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayInput {
    /// From 0.
    pub number: u64,
    /// The edge that it comes over, by its number in the graph.
    pub edge: usize,
    /// The records.
    pub batch: Arc<RecordBatch>,
}

/// What comes to the operator in question.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// Records.
    Records(ReplayInput),
    /// Event time has come to here, ms; at the end of all input to the end of time.
    Watermark(i64),
}

/// All that lies in front of one operator.
pub struct Upstream {
    graph: JobGraph,
    point: ReplayPoint,
    /// Those in front of the operator, by vertex.
    operators: BTreeMap<usize, IsolatedOperator>,
    /// How far time has come on the edges into each of them, and into the operator itself, by vertex.
    gates: BTreeMap<usize, Gate>,
    /// Of those of the operators that make watermarks of what they emit, by vertex.
    output_times: BTreeMap<usize, SplitWatermarks>,
    /// The one in front is read next.
    sources: VecDeque<ReadSource>,
    /// How each of the others was left, by vertex.
    left: BTreeMap<usize, Read>,
    /// Records in flight, by edge.
    in_flight: VecDeque<(usize, Arc<RecordBatch>)>,
    ready: VecDeque<Ready>,
    given: u64,
    records_left: u64,
    reads_left: u64,
}

/// The watermarks of a vertex's edges, in the order of their numbers.
struct Gate {
    edges: Vec<usize>,
    valve: WatermarkValve,
}

/// What the operator is given next.
enum Ready {
    Records { edge: usize, batch: Arc<RecordBatch> },
    Watermark(i64),
}

/// What is to be done before anything more is read; the last is done first.
enum Ahead {
    /// Records that go over an edge.
    Records { edge: usize, batch: Arc<RecordBatch> },
    /// How far time has come on an edge.
    Time { edge: usize, time: Time },
    /// What is due at it fires, call by call, before those behind hear of it.
    Advance { vertex: usize, time: Time },
    /// What an operator has emitted has been worked off, and may have a time of its own.
    OutputTime { vertex: usize },
}

impl Upstream {
    /// What lies in front of `vertex`, as it is at `point`. It gives `records` records at most.
    pub async fn restore(graph: &JobGraph, vertex: usize, point: &ReplayPoint, records: u64) -> Result<Self, EngineError> {
        let mut graph = graph.clone();
        graph.vertices.iter_mut().for_each(|vertex| vertex.parallelism = 1);
        let (mut operators, mut sources, mut output_times) = (BTreeMap::new(), VecDeque::new(), BTreeMap::new());
        let above = above(&graph, vertex);
        for &above in &above {
            match &graph.vertices[above].kind {
                VertexKind::Source { source, .. } => sources.push_back(ReadSource::open(&graph, above, &**source, point).await?),
                VertexKind::Operator(_) => {
                    output_times.extend(output_time(&graph, above, point).map(|time| (above, time)));
                    operators.insert(above, IsolatedOperator::restore(&graph, above, point).await?);
                }
                VertexKind::Sink(_) => {}
            }
        }
        let gates = above.into_iter().chain([vertex]).map(|vertex| (vertex, Gate::of(&graph, vertex))).collect();
        let in_flight = in_flight(&graph, point).await?;
        let reads_left = records.saturating_mul(READ_PER_RECORD);
        let (point, ready) = (point.clone(), VecDeque::new());
        let (given, records_left, left) = (0, records, BTreeMap::new());
        Ok(Self { graph, point, operators, gates, output_times, sources, left, in_flight, ready, given, records_left, reads_left })
    }

    /// Sources that were left because they gave nothing for long, though they may have more.
    pub fn stalled(&self) -> Vec<String> {
        let stalled = self.left.iter().filter(|(_, read)| **read == Read::Stalled);
        stalled.map(|(&vertex, _)| self.graph.vertices[vertex].id.clone()).collect()
    }

    /// What comes next to the operator; `None` once it has been given as many records as were asked for, or there are no more.
    pub async fn next(&mut self) -> Result<Option<Given>, EngineError> {
        loop {
            match self.ready.pop_front() {
                Some(Ready::Watermark(watermark)) => return Ok(Some(Given::Watermark(watermark))),
                Some(Ready::Records { edge, batch }) if self.records_left > 0 => return Ok(Some(self.give(edge, batch))),
                Some(Ready::Records { .. }) => self.ready.clear(),
                None if self.records_left == 0 => return Ok(None),
                None => match self.in_flight.pop_front() {
                    Some((edge, batch)) => self.work_off(vec![Ahead::Records { edge, batch }]).await?,
                    None if !self.read().await? => return Ok(None),
                    None => {}
                },
            }
        }
    }

    /// As many of the records as are left. Time that the others have brought counts for nothing.
    fn give(&mut self, edge: usize, mut batch: Arc<RecordBatch>) -> Given {
        if batch.len() as u64 > self.records_left {
            batch = Arc::new(batch.slice(0..self.records_left as usize));
            self.ready.clear();
        }
        self.records_left -= batch.len() as u64;
        self.given += 1;
        Given::Records(ReplayInput { number: self.given - 1, edge, batch })
    }

    /// Reads one batch of the source whose turn it is. False where no source is left.
    async fn read(&mut self) -> Result<bool, EngineError> {
        let Some(mut source) = self.sources.pop_front().filter(|_| self.reads_left > 0) else { return Ok(false) };
        let vertex = source.vertex;
        let read = source.read(self.records_left, &*self.point.clock).await;
        let (read, batch) = read.map_err(|error| error.context(&self.graph.vertices[vertex].id))?;
        self.reads_left = self.reads_left.saturating_sub(batch.len() as u64);
        let quarantined = Arc::new(source.reader.take_quarantined());
        self.work_off(self.routed(vertex, 0, &Arc::new(batch))).await?;
        self.work_off(self.routed(vertex, QUARANTINE_OUTPUT, &quarantined)).await?;
        let time = source.time_behind(read);
        match read {
            Read::More => self.sources.push_back(source),
            Read::End | Read::CaughtUp | Read::Stalled => _ = self.left.insert(vertex, read),
        }
        for time in time {
            self.work_off(self.told(vertex, time)).await?;
        }
        if read != Read::More {
            self.idle_outputs().await?;
        }
        Ok(true)
    }

    /// What operators emit that make watermarks of it is idle where it may be, once nothing more comes to them and their time has no end. Those in front come first: what
    /// is due by their idleness is emitted ahead of that of those behind.
    async fn idle_outputs(&mut self) -> Result<(), EngineError> {
        let above = |vertex: &usize| above(&self.graph, *vertex);
        let mut waiting: Vec<_> = self.output_times.keys().map(|vertex| (above(vertex), *vertex)).collect();
        waiting.sort_by_key(|(above, vertex)| (above.len(), *vertex));
        for (above, vertex) in waiting {
            let is_source = |vertex: &&usize| matches!(self.graph.vertices[**vertex].kind, VertexKind::Source { .. });
            let left: Vec<_> = above.iter().filter(is_source).map(|source| self.left.get(source)).collect();
            let is_over = left.iter().all(|left| matches!(left, Some(Read::End | Read::CaughtUp)));
            if !is_over || !left.contains(&Some(&Read::CaughtUp)) {
                continue;
            }
            let Some(time) = self.output_times.get_mut(&vertex) else { continue };
            let left = left_behind(time, &OpenSplits { is_finished: &|_| false, is_caught_up: Some(&|_| true) });
            for time in left {
                self.work_off(self.told(vertex, time)).await?;
            }
        }
        Ok(())
    }

    /// Records of an output for each edge that it leads to, the first edge last.
    fn routed(&self, vertex: usize, output: u32, batch: &Arc<RecordBatch>) -> Vec<Ahead> {
        if batch.is_empty() {
            return Vec::new();
        }
        let edges = self.graph.outputs(vertex).filter(|(_, edge)| edge.output == output);
        let mut routed: Vec<_> = edges.map(|(edge, _)| Ahead::Records { edge, batch: batch.clone() }).collect();
        routed.reverse();
        routed
    }

    /// What an operator has emitted, the first last.
    fn emitted(&mut self, vertex: usize, emitted: Emitted) -> Vec<Ahead> {
        let mut ahead = Vec::new();
        if let Some(time) = self.output_times.get_mut(&vertex) {
            let wall_ms = self.point.clock.wall_ms();
            let declared = emitted.iter().filter(|(output, _)| !matches!(*output, QUARANTINE_OUTPUT | LATE_OUTPUT));
            declared.for_each(|(_, records)| note_times(time, records, wall_ms));
            ahead.push(Ahead::OutputTime { vertex });
        }
        ahead.extend(emitted.into_iter().rev().flat_map(|(output, records)| self.routed(vertex, output, &records.compact())));
        ahead
    }

    /// A vertex's time on each of its edges, the first edge last.
    fn told(&self, vertex: usize, time: Time) -> Vec<Ahead> {
        let mut told: Vec<_> = self.graph.outputs(vertex).map(|(edge, _)| Ahead::Time { edge, time }).collect();
        told.reverse();
        told
    }

    /// Does what is ahead, the last first, and all that comes of one before the next.
    async fn work_off(&mut self, mut ahead: Vec<Ahead>) -> Result<(), EngineError> {
        while let Some(next) = ahead.pop() {
            ahead.extend(match next {
                Ahead::Records { edge, batch } => self.deliver(edge, batch).await?,
                Ahead::Time { edge, time } => self.on_time(edge, time),
                Ahead::Advance { vertex, time } => self.advance(vertex, time).await?,
                Ahead::OutputTime { vertex } => self.on_output_time(vertex),
            });
        }
        Ok(())
    }

    /// Hands a batch to where an edge leads. What comes of it in the operator there.
    async fn deliver(&mut self, number: usize, batch: Arc<RecordBatch>) -> Result<Vec<Ahead>, EngineError> {
        let edge = &self.graph.edges[number];
        let to = edge.to;
        if !self.gates.contains_key(&to) {
            return Ok(Vec::new());
        }
        if edge.partitioning == Partitioning::Key && !batch.keyless().is_empty() {
            let message = format!("{}: a record without a key for an edge with by = \"key\"", self.graph.vertices[edge.from].id);
            return Err(EngineError::new(ErrorKind::FixInput, message));
        }
        let Some(operator) = self.operators.get_mut(&to) else {
            self.ready.push_back(Ready::Records { edge: number, batch });
            return Ok(Vec::new());
        };
        // What was due at the restore is due before anything else.
        let mut emitted = Emitted::new();
        while let Some(fired) = operator.advance().await? {
            emitted.extend(fired);
        }
        emitted.extend(operator.process(number, &batch).await?);
        while let Some(fired) = operator.advance().await? {
            emitted.extend(fired);
        }
        Ok(self.emitted(to, emitted))
    }

    /// Time has come further on an edge: what that means to whom it leads to.
    fn on_time(&mut self, edge: usize, time: Time) -> Vec<Ahead> {
        let vertex = self.graph.edges[edge].to;
        let merged = self.gates.get_mut(&vertex).map_or([None; 2], |gate| gate.on_time(edge, time));
        // What is ahead is done from the end.
        merged.into_iter().flatten().rev().flat_map(|merged| self.on_merged(vertex, merged)).collect()
    }

    fn on_merged(&mut self, vertex: usize, merged: Progress) -> Option<Ahead> {
        let time = if merged == Progress::Watermark(END_OF_TIME) { Time::End } else { Time::Progress(merged) };
        match (merged, self.operators.get_mut(&vertex)) {
            (Progress::Watermark(Watermark(watermark)), Some(operator)) => operator.begin_watermark(watermark),
            (Progress::Watermark(Watermark(watermark)), None) => {
                self.ready.push_back(Ready::Watermark(watermark));
                return None;
            }
            (Progress::Idle, Some(_)) => {}
            (Progress::Idle, None) => return None,
        }
        Some(Ahead::Advance { vertex, time })
    }

    async fn advance(&mut self, vertex: usize, time: Time) -> Result<Vec<Ahead>, EngineError> {
        let fired = match self.operators.get_mut(&vertex) {
            Some(operator) => operator.advance().await?,
            None => None,
        };
        match (fired, time) {
            (Some(emitted), _) => {
                let mut ahead = vec![Ahead::Advance { vertex, time }];
                ahead.extend(self.emitted(vertex, emitted));
                Ok(ahead)
            }
            // Its output has a time of its own.
            (None, Time::Progress(_)) if self.output_times.contains_key(&vertex) => Ok(Vec::new()),
            (None, Time::Progress(_) | Time::End) => Ok(self.told(vertex, time)),
        }
    }

    fn on_output_time(&mut self, vertex: usize) -> Vec<Ahead> {
        let Some(time) = self.output_times.get_mut(&vertex) else { return Vec::new() };
        time.look(&OpenSplits { is_finished: &|_| false, is_caught_up: None }, Duration::ZERO);
        let news = time.news();
        news.map_or_else(Vec::new, |progress| self.told(vertex, Time::Progress(progress)))
    }
}

impl Gate {
    fn of(graph: &JobGraph, vertex: usize) -> Self {
        let edges: Vec<usize> = graph.inputs(vertex).map(|(edge, _)| edge).collect();
        Self { valve: WatermarkValve::new(edges.len()), edges }
    }

    fn on_time(&mut self, edge: usize, time: Time) -> Merged {
        let Some(channel) = self.edges.iter().position(|other| *other == edge) else { return [None; 2] };
        match time {
            Time::Progress(progress) => self.valve.on_progress(channel, progress),
            Time::End => self.valve.on_end(channel),
        }
    }
}

fn note_times(time: &mut SplitWatermarks, records: &Selection, wall_ms: i64) {
    let timestamps = records.batch().timestamps();
    match records.records() {
        None => time.on_records(0, timestamps, wall_ms),
        Some(places) => {
            let emitted: Vec<i64> = places.iter().map(|&place| timestamps[place as usize]).collect();
            time.on_records(0, &emitted, wall_ms)
        }
    };
}

/// The vertices in front of `vertex`, in the graph's order.
fn above(graph: &JobGraph, vertex: usize) -> BTreeSet<usize> {
    let mut above = BTreeSet::new();
    let mut below = vec![vertex];
    while let Some(next) = below.pop() {
        let fresh: Vec<usize> = graph.inputs(next).map(|(_, edge)| edge.from).filter(|from| above.insert(*from)).collect();
        below.extend(fresh);
    }
    above
}

/// The time of what an operator emits, where it makes watermarks of that: it goes on from where the subtask was that was furthest behind.
fn output_time(graph: &JobGraph, vertex: usize, point: &ReplayPoint) -> Option<SplitWatermarks> {
    let settings = graph.vertices[vertex].watermark.clone()?;
    let snapshot = point.metadata.as_ref().and_then(|metadata| metadata.vertex(&graph.vertices[vertex].id));
    let RestoredTime { largest, others } =
        snapshot.map_or_else(RestoredTime::default, |old| RestoredTime::of(old.subtasks.iter().map(|part| part.largest_timestamp)));
    let output = SplitState { largest_timestamp: largest, ..SplitState::unread(String::new(), serde_json::Value::Null) };
    Some(SplitWatermarks::new(settings, &[output]).beside(others))
}

/// The checkpoint's records in flight. Those of vertices further down come first: they were sent before what the ones in front will send.
async fn in_flight(graph: &JobGraph, point: &ReplayPoint) -> Result<VecDeque<(usize, Arc<RecordBatch>)>, EngineError> {
    let Some(metadata) = &point.metadata else { return Ok(VecDeque::new()) };
    let stored = load_in_flight(&*point.store, &*point.clock, metadata).await?;
    let plan = plan_of(metadata, graph)?;
    let misfits = misfits(&stored, graph, &plan);
    if !misfits.is_empty() {
        let message = format!("replay from checkpoint {}: it holds records in flight\n  {}", metadata.checkpoint_id, misfits.join("\n  "));
        return Err(EngineError::new(ErrorKind::FixInput, message));
    }
    let restored = distribute(&stored, graph, metadata, &plan)?;
    Ok(restored.into_values().rev().flatten().map(|restored| (restored.edge, restored.batch)).collect())
}
