//! What lies in front of one operator, run on one thread: sources from a checkpoint's positions on, and the operators between.
//!
//! The order is fixed: first the records that were in flight in the checkpoint, those further down before those further up; then the
//! sources in the graph's order, one batch of each in turn, each batch worked off to its end before the next is read. A source's rate does
//! not count.

use super::isolated::{Emitted, plan_of};
use super::{IsolatedOperator, ReplayPoint};
use crate::element::RecordBatch;
use crate::error::{EngineError, ErrorKind};
use crate::exchange::Partitioning;
use crate::job::{JobGraph, VertexKind, distribute, load_in_flight, misfits};
use crate::operator::{QUARANTINE_OUTPUT, Subtask};
use crate::runtime::Clock;
use crate::source::{ReadStatus, ReaderContext, Source, SourceReader, SplitBatch, is_idle};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Records read at once.
const READ_RECORDS: usize = 1_024;
/// How long a source that has nothing is left alone until the next look at it.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long a source may have nothing until it counts as ended.
const PATIENCE: Duration = Duration::from_secs(5);
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

/// All that lies in front of one operator.
pub struct Upstream {
    graph: JobGraph,
    vertex: usize,
    point: ReplayPoint,
    /// Those in front of the operator, by vertex.
    operators: BTreeMap<usize, IsolatedOperator>,
    /// The one in front is read next.
    sources: VecDeque<(usize, Box<dyn SourceReader>)>,
    /// Records in flight, by edge.
    in_flight: VecDeque<(usize, Arc<RecordBatch>)>,
    ready: VecDeque<(usize, Arc<RecordBatch>)>,
    given: u64,
    records_left: u64,
    reads_left: u64,
}

impl Upstream {
    /// What lies in front of `vertex`, as it is at `point`. It gives `records` records at most.
    pub async fn restore(graph: &JobGraph, vertex: usize, point: &ReplayPoint, records: u64) -> Result<Self, EngineError> {
        let mut graph = graph.clone();
        graph.vertices.iter_mut().for_each(|vertex| vertex.parallelism = 1);
        let (mut operators, mut sources) = (BTreeMap::new(), VecDeque::new());
        for above in above(&graph, vertex) {
            match &graph.vertices[above].kind {
                VertexKind::Source { source, .. } => sources.push_back((above, reader(&graph, above, &**source, point).await?)),
                VertexKind::Operator(_) => _ = operators.insert(above, IsolatedOperator::restore(&graph, above, point).await?),
                VertexKind::Sink(_) => {}
            }
        }
        let in_flight = in_flight(&graph, point).await?;
        let reads_left = records.saturating_mul(READ_PER_RECORD);
        let (point, ready) = (point.clone(), VecDeque::new());
        Ok(Self { graph, vertex, point, operators, sources, in_flight, ready, given: 0, records_left: records, reads_left })
    }

    /// The next batch for the operator; `None` once it has been given as many records as were asked for, or there are no more.
    pub async fn next(&mut self) -> Result<Option<ReplayInput>, EngineError> {
        while self.ready.is_empty() && self.records_left > 0 {
            if let Some((edge, batch)) = self.in_flight.pop_front() {
                self.deliver_all(vec![(edge, batch)]).await?;
            } else if !self.read().await? {
                return Ok(None);
            }
        }
        let Some((edge, mut batch)) = self.ready.pop_front().filter(|_| self.records_left > 0) else { return Ok(None) };
        if batch.len() as u64 > self.records_left {
            batch = Arc::new(batch.slice(0..self.records_left as usize));
        }
        self.records_left -= batch.len() as u64;
        self.given += 1;
        Ok(Some(ReplayInput { number: self.given - 1, edge, batch }))
    }

    /// Reads one batch of the source whose turn it is. False where no source is left.
    async fn read(&mut self) -> Result<bool, EngineError> {
        let Some((vertex, mut reader)) = self.sources.pop_front().filter(|_| self.reads_left > 0) else { return Ok(false) };
        let mut batch = SplitBatch::new();
        let status =
            poll(&mut *reader, &mut batch, &*self.point.clock).await.map_err(|error| error.context(&self.graph.vertices[vertex].id))?;
        let batch = batch.take();
        self.reads_left = self.reads_left.saturating_sub(batch.len() as u64);
        self.deliver_all(self.routed(vertex, 0, &Arc::new(batch))).await?;
        self.deliver_all(self.routed(vertex, QUARANTINE_OUTPUT, &Arc::new(reader.take_quarantined()))).await?;
        match status {
            ReadStatus::More => self.sources.push_back((vertex, reader)),
            ReadStatus::End => {}
        }
        Ok(true)
    }

    /// Records of an output for each edge that it leads to, the first edge last.
    fn routed(&self, vertex: usize, output: u32, batch: &Arc<RecordBatch>) -> Vec<(usize, Arc<RecordBatch>)> {
        if batch.is_empty() {
            return Vec::new();
        }
        let edges = self.graph.outputs(vertex).filter(|(_, edge)| edge.output == output);
        let mut routed: Vec<_> = edges.map(|(number, _)| (number, batch.clone())).collect();
        routed.reverse();
        routed
    }

    /// Delivers batches, the last first, and all that comes of one before the next.
    async fn deliver_all(&mut self, mut ahead: Vec<(usize, Arc<RecordBatch>)>) -> Result<(), EngineError> {
        while let Some((edge, batch)) = ahead.pop() {
            let to = self.graph.edges[edge].to;
            for (output, records) in self.deliver(edge, batch).await?.into_iter().rev() {
                ahead.extend(self.routed(to, output, &records.compact()));
            }
        }
        Ok(())
    }

    /// Hands a batch to where an edge leads. What the operator there emits.
    async fn deliver(&mut self, number: usize, batch: Arc<RecordBatch>) -> Result<Emitted, EngineError> {
        let edge = &self.graph.edges[number];
        let to = edge.to;
        if to != self.vertex && !self.operators.contains_key(&to) {
            return Ok(Emitted::new());
        }
        if edge.partitioning == Partitioning::Key && !batch.keyless().is_empty() {
            let message = format!("{}: a record without a key for an edge with by = \"key\"", self.graph.vertices[edge.from].id);
            return Err(EngineError::new(ErrorKind::FixInput, message));
        }
        match self.operators.get_mut(&to) {
            Some(operator) => operator.process(number, &batch).await,
            None => {
                self.ready.push_back((number, batch));
                Ok(Emitted::new())
            }
        }
    }
}

/// Waits for a batch of a source, so that the order does not depend on which has something first.
async fn poll(reader: &mut dyn SourceReader, batch: &mut SplitBatch, clock: &dyn Clock) -> Result<ReadStatus, EngineError> {
    let until = clock.now() + PATIENCE;
    loop {
        let read = reader.poll_read(&mut Context::from_waker(Waker::noop()), READ_RECORDS, batch);
        match read {
            Poll::Ready(read) => return read,
            Poll::Pending if clock.now() >= until || is_idle(reader) => return Ok(ReadStatus::End),
            Poll::Pending => clock.sleep_until(clock.now() + LOOK_AGAIN).await,
        }
    }
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

/// A reader of all splits of a source: those of the checkpoint and what has come since, or all that there are.
async fn reader(graph: &JobGraph, vertex: usize, source: &dyn Source, point: &ReplayPoint) -> Result<Box<dyn SourceReader>, EngineError> {
    let id = &graph.vertices[vertex].id;
    let named = |error: EngineError| error.context(id);
    if !source.capabilities().replayable {
        let message = format!("{id}: a source that cannot be read again cannot be replayed");
        return Err(EngineError::new(ErrorKind::FixInput, message));
    }
    let splits = match point.metadata.as_ref().and_then(|metadata| metadata.vertex(id)) {
        Some(snapshot) => {
            let mut splits: Vec<_> = snapshot.subtasks.iter().flat_map(|subtask| subtask.splits.clone()).collect();
            source.verify(&splits).await.map_err(named)?;
            splits.extend(source.new_splits(&splits, 1).await.map_err(named)?);
            splits
        }
        None => source.discover(1).await.map_err(named)?,
    };
    let in_order = graph.vertices[vertex].reads_in_order();
    let context = ReaderContext { subtask: Subtask { vertex: id.clone(), index: 0, parallelism: 1 }, in_order, io: point.io.clone() };
    source.reader(&context, splits).map_err(named)
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
