//! Operators and sinks that run one behind the other in one task, without channels between them.
//!
//! A chain is a tree: an operator with several outputs may have a chained successor on each. Invariant: what a batch causes anywhere in
//! the chain has happened, or waits in the output, when [`Chain::process`] is over. A barrier therefore finds every node at the same cut: the task
//! serves nothing else meanwhile, also where an operator's call waits for its state.

mod time;

use super::call_pace::waiting;
use super::{Emitted, KeyQuestion, OperatorSubtask, OutputTime, Successor};
use crate::element::{CheckpointId, Progress, RecordBatch, Selection};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{GateClosed, InputChannel, Output};
use crate::metrics::{Occupation, SubtaskMetrics, VertexMetrics};
use crate::operator::{LATE_OUTPUT, QUARANTINE_OUTPUT};
use crate::outbox::StagingWriter;
use crate::runtime::Clock;
use crate::sink::SinkWriter;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Where records of an output go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Into a node of this chain.
    Node {
        /// Its place in the chain.
        node: usize,
        /// Which of its inputs.
        input: u32,
    },
    /// Out over an edge of [`Output`].
    Edge(usize),
}

/// One vertex's subtask within the chain.
pub struct Node {
    /// The vertex's place in the graph.
    pub vertex: usize,
    /// The vertex's id.
    pub id: String,
    /// The vertex's counters.
    pub metrics: Arc<VertexMetrics>,
    /// The subtask's.
    pub counts: Arc<SubtaskMetrics>,
    /// What it does.
    pub body: NodeBody,
    /// For each output the targets of its records.
    pub routes: Vec<Vec<Target>>,
    /// The targets of quarantined records.
    pub quarantine: Vec<Target>,
    /// The targets of records that came too late for their windows; where there are none they are counted.
    pub late: Vec<Target>,
    /// Where an operator makes watermarks of what it emits; those that come in stay with it then.
    pub time: Option<Box<OutputTime>>,
}

/// What a node does with records.
pub enum NodeBody {
    /// Turns them into others.
    Operator(Box<OperatorSubtask>),
    /// Writes them.
    Sink(Box<dyn SinkWriter>),
    /// Stages them, to be published.
    Outbox(StagingWriter),
}

impl NodeBody {
    /// The subtask of an operator.
    pub fn operator(&mut self) -> Option<&mut OperatorSubtask> {
        match self {
            Self::Operator(subtask) => Some(subtask),
            Self::Sink(_) | Self::Outbox(_) => None,
        }
    }
}

/// The nodes of one task with the output behind them.
pub struct Chain {
    /// In topological order.
    pub nodes: Vec<Node>,
    /// Where the head's records go: a source's, or nothing where the head is node 0.
    pub source_routes: Vec<Target>,
    /// Where a source's quarantined records go.
    pub source_quarantine: Vec<Target>,
    /// The sending side.
    pub output: Output,
    /// Which subtask of its vertices it is.
    pub subtask: u32,
    /// The id of the task's first vertex.
    head: String,
    clock: Arc<dyn Clock>,
    /// Progress of event time that is being worked off: the timers that are due at it fire first, in one call after the other.
    progress: Option<Progress>,
    /// Operators that take over behind the barrier of a checkpoint.
    waiting: Vec<WaitingSwap>,
    /// What is to be delivered within the batch that is being worked off, the next one last.
    ahead: Vec<Delivery>,
    /// How long calls have waited since it was asked last.
    waited: Duration,
    /// Whether there was room when it was asked last.
    has_room: bool,
}

/// An operator that waits to take over.
struct WaitingSwap {
    /// The checkpoint behind whose barrier it does.
    checkpoint_id: CheckpointId,
    /// The vertex that it is for.
    vertex: usize,
    operator: Successor,
}

/// Records on their way to a node of the chain, or out of it.
struct Delivery {
    target: Target,
    /// Whether they came over a `key` edge.
    keyed: bool,
    records: Selection,
    /// The node that emitted them.
    from: Option<usize>,
}

impl Chain {
    /// A chain of the task whose first vertex is `head`; `source_routes` is empty where that is no source.
    pub fn new(head: String, nodes: Vec<Node>, source_routes: Vec<Target>, output: Output, clock: Arc<dyn Clock>) -> Self {
        let (source_quarantine, waiting, ahead) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            nodes,
            source_routes,
            source_quarantine,
            output,
            subtask: 0,
            head,
            clock,
            progress: None,
            waiting,
            ahead,
            waited: Duration::ZERO,
            has_room: true,
        }
    }

    /// Lets `operator` take over `vertex` behind the barrier of a checkpoint.
    pub(crate) fn swap_at(&mut self, checkpoint_id: CheckpointId, vertex: usize, operator: Successor) {
        self.waiting.push(WaitingSwap { checkpoint_id, vertex, operator });
    }

    /// The barrier has been handled: operators that waited for it take over, state and routes stay. True where one did.
    pub(crate) fn swap(&mut self, barrier: CheckpointId) -> bool {
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(|swap| swap.checkpoint_id == barrier);
        self.waiting = later;
        let mut swapped = false;
        for WaitingSwap { vertex, operator, .. } in now {
            swapped |= self.operator_of(vertex).map(|subtask| subtask.swap(operator)).is_some();
        }
        swapped
    }

    /// A checkpoint is complete: the calls in front of its barrier are in it.
    pub fn on_completed(&mut self, checkpoint_id: CheckpointId) {
        for node in &mut self.nodes {
            match &mut node.body {
                NodeBody::Operator(subtask) => subtask.on_completed(checkpoint_id),
                NodeBody::Outbox(writer) => writer.on_completed(checkpoint_id),
                NodeBody::Sink(_) => {}
            }
        }
    }

    /// The operator of `vertex` has proven itself.
    pub(crate) fn end_probation(&mut self, vertex: usize) {
        if let Some(subtask) = self.operator_of(vertex) {
            subtask.set_probation(false);
        }
    }

    /// Lets the operator that it is put to answer a question.
    pub(crate) async fn answer(&mut self, question: KeyQuestion) {
        if let Some(subtask) = self.operator_of(question.vertex) {
            question.answer_from(subtask).await;
        }
    }

    /// Ready where records may be worked off: there is room downstream and in its sinks, and no outbox sink has stopped behind a barrier.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GateClosed>> {
        let room = self.poll_all_room(cx);
        self.has_room = room.is_ready();
        room
    }

    /// What a task is at that has nothing to step to.
    pub(crate) fn waits_at(&self) -> Occupation {
        if self.has_room { Occupation::Idle } else { Occupation::Backpressured }
    }

    fn poll_all_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GateClosed>> {
        if self.output.poll_room(cx)?.is_pending() {
            return Poll::Pending;
        }
        let waits = |node: &mut Node| match &mut node.body {
            NodeBody::Outbox(writer) => writer.poll_open(cx).is_pending(),
            NodeBody::Sink(writer) => writer.poll_room(cx).is_pending(),
            NodeBody::Operator(_) => false,
        };
        if self.nodes.iter_mut().any(waits) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// The subtasks of its operators.
    pub fn operators(&mut self) -> impl Iterator<Item = &mut OperatorSubtask> {
        self.nodes.iter_mut().filter_map(|node| node.body.operator())
    }

    fn operator_of(&mut self, vertex: usize) -> Option<&mut OperatorSubtask> {
        self.nodes.iter_mut().find(|node| node.vertex == vertex)?.body.operator()
    }

    /// Fills the state of its operators with what they are to restore.
    pub async fn restore(&mut self) -> Result<(), EngineError> {
        for subtask in self.operators() {
            subtask.restore().await?;
        }
        Ok(())
    }

    /// Works off a batch of the source at the head.
    pub(crate) async fn process_from_source(&mut self, batch: RecordBatch) -> Result<(), EngineError> {
        self.ahead.extend(deliveries(&self.source_routes, &batch.into(), None));
        self.work_off().await
    }

    /// Works off what the source at the head could not read.
    pub(crate) async fn quarantine_from_source(&mut self, batch: RecordBatch) -> Result<(), EngineError> {
        if self.source_quarantine.is_empty() {
            return Err(EngineError::new(ErrorKind::Bug, format!("{}: quarantined records lead nowhere", self.head)));
        }
        self.ahead.extend(deliveries(&self.source_quarantine, &batch.into(), None));
        self.work_off().await
    }

    /// Works off a batch that came over an edge from outside.
    pub async fn process(&mut self, from: InputChannel, batch: &Arc<RecordBatch>) -> Result<(), EngineError> {
        let target = Target::Node { node: from.node, input: from.input };
        self.ahead.push(Delivery { target, keyed: from.keyed, records: Selection::all(batch.clone()), from: None });
        self.work_off().await
    }

    /// How long calls have waited for their state since this was asked last.
    pub fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// Delivers what is ahead, and all that comes of it, before what stands behind it.
    async fn work_off(&mut self) -> Result<(), EngineError> {
        while let Some(Delivery { target, keyed, records, from }) = self.ahead.pop() {
            match target {
                Target::Node { node, input } => self.process_node(node, input, keyed, records.compact()).await?,
                Target::Edge(edge) => self.send(edge, records, from)?,
            }
        }
        Ok(())
    }

    async fn process_node(&mut self, place: usize, input: u32, keyed: bool, batch: Arc<RecordBatch>) -> Result<(), EngineError> {
        let node = &mut self.nodes[place];
        node.counts.records_in.add(batch.len() as u64);
        node.counts.bytes_in.add(batch.byte_len() as u64);
        let (began, mut emitted) = (self.clock.now(), Emitted::new());
        match &mut node.body {
            NodeBody::Sink(writer) => writer.write(&batch).map_err(|error| error.context(&node.id))?,
            NodeBody::Outbox(writer) => writer.write(&batch).map_err(|error| error.context(&node.id))?,
            NodeBody::Operator(subtask) => {
                for call in subtask.calls_of(input, keyed, batch) {
                    emitted.extend(waiting(&*self.clock, &mut self.waited, subtask.call(&call)).await?);
                }
            }
        }
        node.counts.batch_time.observe(self.clock.now().saturating_sub(began));
        self.route_all(place, emitted)
    }

    fn route_all(&mut self, place: usize, emitted: Emitted) -> Result<(), EngineError> {
        emitted.into_iter().rev().try_for_each(|(output, records)| self.route(place, output, records))
    }

    /// Puts records that a node has emitted in front of what is ahead, for each of their targets.
    fn route(&mut self, place: usize, output: u32, records: Selection) -> Result<(), EngineError> {
        if records.is_empty() {
            return Ok(());
        }
        let node = &mut self.nodes[place];
        let targets = match output {
            QUARANTINE_OUTPUT => Some(&node.quarantine).filter(|targets| !targets.is_empty()),
            LATE_OUTPUT => Some(&node.late),
            declared => node.routes.get(declared as usize),
        };
        let Some(targets) = targets else {
            return Err(EngineError::new(ErrorKind::Bug, format!("{}: records for output {output}, which leads nowhere", node.id)));
        };
        if !matches!(output, QUARANTINE_OUTPUT | LATE_OUTPUT) {
            node.counts.emitted(records.len(), records.byte_len());
            if let Some(time) = &mut node.time {
                time.on_emitted(&records);
            }
        }
        let records = for_all(targets, records);
        self.ahead.extend(deliveries(targets, &records, Some(place)));
        Ok(())
    }

    /// Sends records out over an edge.
    fn send(&mut self, edge: usize, records: Selection, from: Option<usize>) -> Result<(), EngineError> {
        self.output.emit(edge, records, self.clock.now()).map_err(|_keyless| {
            let from = from.map_or(&self.head, |place| &self.nodes[place].id);
            EngineError::new(ErrorKind::FixInput, format!("{from}: a record without a key for an edge with by = \"key\""))
                .with_hint("set `key` on the source, or emit the record with a key")
        })
    }
}

/// Records in the form that their targets need: several operators in the chain would each lay a selection side by side.
fn for_all(targets: &[Target], records: Selection) -> Selection {
    let nodes = targets.iter().filter(|target| matches!(target, Target::Node { .. })).count();
    if nodes > 1 { records.compact().into() } else { records }
}

/// Records for each of their targets, which share them; the first target's come last. `from`: the node that emitted them; `None`: the source at the head.
fn deliveries<'a>(targets: &'a [Target], records: &'a Selection, from: Option<usize>) -> impl Iterator<Item = Delivery> + 'a {
    targets.iter().rev().map(move |&target| Delivery { target, keyed: false, records: records.clone(), from })
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
