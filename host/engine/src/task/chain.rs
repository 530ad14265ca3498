//! Operators and sinks that run one behind the other in one task, without channels between them.
//!
//! A chain is a tree: an operator with several outputs may have a chained successor on each. Invariant: what a batch causes anywhere in
//! the chain has happened, or waits in the output, when [`Chain::process`] returns. A barrier therefore finds every node at the same cut.

use super::OperatorSubtask;
use crate::checkpoint::RecordedCall;
use crate::element::{CheckpointId, NO_TIMESTAMP, RecordBatch, Selection};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{GateClosed, InputChannel, Output};
use crate::metrics::VertexMetrics;
use crate::operator::{Operator, QUARANTINE_OUTPUT};
use crate::outbox::StagingWriter;
use crate::runtime::Clock;
use crate::sink::SinkWriter;
use std::sync::Arc;
use std::task::{Context, Poll};

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
    /// What it does.
    pub body: NodeBody,
    /// For each output the targets of its records.
    pub routes: Vec<Vec<Target>>,
    /// The targets of quarantined records.
    pub quarantine: Vec<Target>,
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
    /// The id of the task's first vertex.
    head: String,
    clock: Arc<dyn Clock>,
    /// Event time up to which the task's input is complete.
    pub watermark: i64,
    /// Operators that take over behind the barrier of a checkpoint: (checkpoint, vertex, operator).
    waiting: Vec<(CheckpointId, usize, Box<dyn Operator>)>,
}

impl Chain {
    /// A chain of the task whose first vertex is `head`; `source_routes` is empty where that is no source.
    pub fn new(head: String, nodes: Vec<Node>, source_routes: Vec<Target>, output: Output, clock: Arc<dyn Clock>) -> Self {
        let source_quarantine = Vec::new();
        Self { nodes, source_routes, source_quarantine, output, head, clock, watermark: NO_TIMESTAMP, waiting: Vec::new() }
    }

    /// Lets `operator` take over `vertex` behind the barrier of a checkpoint.
    pub fn swap_at(&mut self, checkpoint_id: CheckpointId, vertex: usize, operator: Box<dyn Operator>) {
        self.waiting.push((checkpoint_id, vertex, operator));
    }

    /// The barrier has been handled: operators that waited for it take over, state and routes stay. True where one did.
    pub fn swap(&mut self, barrier: CheckpointId) -> bool {
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(|(at, ..)| *at == barrier);
        self.waiting = later;
        let mut swapped = false;
        for (_, vertex, new) in now {
            swapped |= self.operator_of(vertex).map(|subtask| subtask.swap(new)).is_some();
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
    pub fn end_probation(&mut self, vertex: usize) {
        if let Some(subtask) = self.operator_of(vertex) {
            subtask.set_probation(false);
        }
    }

    /// Ready where records may be worked off: there is room downstream, and no outbox sink has stopped behind a barrier.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GateClosed>> {
        if self.output.poll_room(cx)?.is_pending() {
            return Poll::Pending;
        }
        let waits = |node: &Node| match &node.body {
            NodeBody::Outbox(writer) => writer.poll_open(cx).is_pending(),
            NodeBody::Operator(_) | NodeBody::Sink(_) => false,
        };
        if self.nodes.iter().any(waits) { Poll::Pending } else { Poll::Ready(Ok(())) }
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
    pub fn process_from_source(&mut self, batch: RecordBatch) -> Result<(), EngineError> {
        let routes = std::mem::take(&mut self.source_routes);
        let delivered = self.deliver_all(&routes, batch.into(), None);
        self.source_routes = routes;
        delivered
    }

    /// Works off what the source at the head could not read.
    pub fn quarantine_from_source(&mut self, batch: RecordBatch) -> Result<(), EngineError> {
        if self.source_quarantine.is_empty() {
            return Err(EngineError::new(ErrorKind::Bug, format!("{}: quarantined records lead nowhere", self.head)));
        }
        let routes = std::mem::take(&mut self.source_quarantine);
        let delivered = self.deliver_all(&routes, batch.into(), None);
        self.source_quarantine = routes;
        delivered
    }

    /// Works off a batch that came over an edge from outside.
    pub fn process(&mut self, from: InputChannel, batch: &Arc<RecordBatch>) -> Result<(), EngineError> {
        self.process_node(from.node, from.input, from.keyed, batch.clone())
    }

    fn process_node(&mut self, place: usize, input: u32, keyed: bool, batch: Arc<RecordBatch>) -> Result<(), EngineError> {
        let node = &mut self.nodes[place];
        node.metrics.records_in.add(batch.len() as u64);
        let emitted = match &mut node.body {
            NodeBody::Sink(writer) => return writer.write(&batch).map_err(|error| error.context(&node.id)),
            NodeBody::Outbox(writer) => {
                writer.write(&batch);
                return Ok(());
            }
            NodeBody::Operator(subtask) => {
                let (watermark, processing_time) = (self.watermark, self.clock.wall_ms());
                subtask.call(&RecordedCall { input, keyed, watermark, processing_time, batch })?
            }
        };
        emitted.into_iter().try_for_each(|(output, records)| self.route(place, output, records))
    }

    fn route(&mut self, place: usize, output: u32, records: Selection) -> Result<(), EngineError> {
        if records.is_empty() {
            return Ok(());
        }
        let node = &mut self.nodes[place];
        let quarantined = output == QUARANTINE_OUTPUT;
        let targets = if quarantined { Some(&mut node.quarantine) } else { node.routes.get_mut(output as usize) };
        let Some(targets) = targets.filter(|targets| !targets.is_empty() || !quarantined).map(std::mem::take) else {
            return Err(EngineError::new(ErrorKind::Bug, format!("{}: records for output {output}, which leads nowhere", node.id)));
        };
        if !quarantined {
            node.metrics.records_out.add(records.len() as u64);
        }
        let delivered = self.deliver_all(&targets, records, Some(place));
        let node = &mut self.nodes[place];
        *(if quarantined { &mut node.quarantine } else { &mut node.routes[output as usize] }) = targets;
        delivered
    }

    /// Hands records to each of their targets, which share them. `from`: the node that emitted it; `None`: the source at the head.
    fn deliver_all(&mut self, targets: &[Target], records: Selection, from: Option<usize>) -> Result<(), EngineError> {
        let Some((last, others)) = targets.split_last() else { return Ok(()) };
        others.iter().try_for_each(|target| self.deliver(*target, records.clone(), from))?;
        self.deliver(*last, records, from)
    }

    fn deliver(&mut self, target: Target, records: Selection, from: Option<usize>) -> Result<(), EngineError> {
        match target {
            Target::Node { node, input } => self.process_node(node, input, false, records.compact()),
            Target::Edge(edge) => self.output.emit(edge, records, self.clock.now()).map_err(|_keyless| {
                let from = from.map_or(&self.head, |place| &self.nodes[place].id);
                EngineError::new(ErrorKind::FixInput, format!("{from}: a record without a key for an edge with by = \"key\""))
                    .with_hint("set `key` on the source, or emit the record with a key")
            }),
        }
    }
}
