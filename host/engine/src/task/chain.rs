//! Operators and sinks that run one behind the other in one task, without channels between them.
//!
//! A chain is a tree: an operator with several outputs may have a chained successor on each. Invariant: what a batch causes anywhere in
//! the chain has happened, or waits in the output, when [`Chain::process`] returns. A barrier therefore finds every node at the same cut.

use super::{NodeBroadcast, Recording};
use crate::checkpoint::RecordedCall;
use crate::element::{CheckpointId, NO_TIMESTAMP, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{InputChannel, Output};
use crate::metrics::VertexMetrics;
use crate::operator::{Operator, OperatorContext, QUARANTINE_OUTPUT};
use crate::runtime::Clock;
use crate::sink::SinkWriter;
use crate::state::{BroadcastAccess, BroadcastState, KeyedState, StateAllowance};
use std::sync::Arc;

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
    /// What an operator has been called with, where that is recorded.
    pub recording: Option<Box<Recording>>,
}

/// What a node does with records.
pub enum NodeBody {
    /// Turns them into others.
    Operator {
        /// The operator.
        operator: Box<dyn Operator>,
        /// Its keyed state, where it has a `key` input.
        state: Option<Box<KeyedState>>,
        /// Its broadcast state, where it declares one.
        broadcast: Option<Box<NodeBroadcast>>,
    },
    /// Writes them.
    Sink {
        /// The writer.
        writer: Box<dyn SinkWriter>,
    },
}

impl NodeBody {
    /// An operator's keyed state.
    pub fn keyed_state(&mut self) -> Option<&mut KeyedState> {
        match self {
            Self::Operator { state, .. } => state.as_deref_mut(),
            Self::Sink { .. } => None,
        }
    }

    /// How much state an operator may keep, and how much it keeps by key and as broadcast state; `None` where nobody counts.
    fn kept(&self) -> Option<(&StateAllowance, u64, u64)> {
        let Self::Operator { state, broadcast, .. } = self else { return None };
        let broadcast = broadcast.as_ref().map(|broadcast| broadcast.state());
        let allowance = state.as_ref().and_then(|state| state.allowance()).or_else(|| broadcast?.allowance())?;
        let keyed = state.as_ref().map_or(0, |state| state.bytes());
        Some((allowance, keyed, broadcast.map_or(0, BroadcastState::bytes)))
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
            swapped |= self.operator_of(vertex).map(|operator| *operator = new).is_some();
        }
        swapped
    }

    /// A checkpoint is complete: what was recorded in front of its barrier is in it.
    pub fn on_completed(&mut self, checkpoint_id: CheckpointId) {
        self.nodes.iter_mut().filter_map(|node| node.recording.as_mut()).for_each(|recording| recording.on_completed(checkpoint_id));
    }

    /// The operator of `vertex` has proven itself.
    pub fn end_probation(&mut self, vertex: usize) {
        if let Some(operator) = self.operator_of(vertex) {
            operator.set_probation(false);
        }
    }

    fn operator_of(&mut self, vertex: usize) -> Option<&mut Box<dyn Operator>> {
        let node = self.nodes.iter_mut().find(|node| node.vertex == vertex)?;
        match &mut node.body {
            NodeBody::Operator { operator, .. } => Some(operator),
            NodeBody::Sink { .. } => None,
        }
    }

    /// State has been restored: it counts, and is never too much.
    pub fn note_restored_state(&self) {
        self.nodes.iter().filter_map(|node| node.body.kept()).for_each(|(allowance, keyed, broadcast)| allowance.note(keyed, broadcast));
    }

    /// Works off a batch of the source at the head.
    pub fn process_from_source(&mut self, batch: RecordBatch) -> Result<(), EngineError> {
        let routes = std::mem::take(&mut self.source_routes);
        let delivered = self.deliver_all(&routes, batch);
        self.source_routes = routes;
        delivered
    }

    /// Works off what the source at the head could not read.
    pub fn quarantine_from_source(&mut self, batch: RecordBatch) -> Result<(), EngineError> {
        if self.source_quarantine.is_empty() {
            return Err(EngineError::new(ErrorKind::Bug, format!("{}: quarantined records lead nowhere", self.head)));
        }
        let routes = std::mem::take(&mut self.source_quarantine);
        let delivered = self.deliver_all(&routes, batch);
        self.source_quarantine = routes;
        delivered
    }

    /// Hands a batch of the source at the head to each of its targets.
    fn deliver_all(&mut self, routes: &[Target], batch: RecordBatch) -> Result<(), EngineError> {
        let Some((last, others)) = routes.split_last() else { return Ok(()) };
        others.iter().try_for_each(|target| self.deliver(*target, batch.clone(), None))?;
        self.deliver(*last, batch, None)
    }

    /// Works off a batch that came over an edge from outside.
    pub fn process(&mut self, from: InputChannel, batch: &Arc<RecordBatch>) -> Result<(), EngineError> {
        let noted = self.nodes[from.node].recording.is_some().then(|| batch.clone());
        self.process_node(from.node, from.input, from.keyed, batch, noted)
    }

    /// `noted`: the batch once more, where calls of the node are recorded.
    fn process_node(
        &mut self,
        place: usize,
        input: u32,
        keyed: bool,
        batch: &RecordBatch,
        noted: Option<Arc<RecordBatch>>,
    ) -> Result<(), EngineError> {
        let node = &mut self.nodes[place];
        node.metrics.records_in.add(batch.len() as u64);
        let mut outputs = Vec::new();
        match &mut node.body {
            NodeBody::Sink { writer } => return writer.write(batch).map_err(|error| error.context(&node.id)),
            NodeBody::Operator { operator, state, broadcast } => {
                let (watermark, processing_time) = (self.watermark, self.clock.wall_ms());
                if let (Some(recording), Some(batch)) = (&mut node.recording, noted) {
                    recording.note(RecordedCall { input, keyed, watermark, processing_time, batch });
                }
                let mut context = OperatorContext {
                    state: if keyed { state.as_deref_mut() } else { None },
                    broadcast: broadcast.as_mut().map_or(BroadcastAccess::None, |broadcast| broadcast.access(input)),
                    outputs: &mut outputs,
                    watermark,
                    processing_time,
                    metrics: &node.metrics,
                };
                operator.process(input, batch, &mut context)?;
            }
        }
        if let Some((allowance, keyed, broadcast)) = node.body.kept() {
            allowance.settle(keyed, broadcast)?;
        }
        outputs.into_iter().try_for_each(|(output, records)| self.route(place, output, records))
    }

    fn route(&mut self, place: usize, output: u32, records: RecordBatch) -> Result<(), EngineError> {
        if records.is_empty() {
            return Ok(());
        }
        let node = &self.nodes[place];
        let quarantined = output == QUARANTINE_OUTPUT;
        if !quarantined {
            node.metrics.records_out.add(records.len() as u64);
        }
        let targets = if quarantined { Some(node.quarantine.len()) } else { node.routes.get(output as usize).map(Vec::len) };
        let Some(targets) = targets.filter(|&targets| targets > 0 || !quarantined) else {
            return Err(EngineError::new(ErrorKind::Bug, format!("{}: records for output {output}, which leads nowhere", node.id)));
        };
        for number in 0..targets {
            let node = &self.nodes[place];
            let target = if quarantined { node.quarantine[number] } else { node.routes[output as usize][number] };
            if number + 1 == targets {
                return self.deliver(target, records, Some(place));
            }
            self.deliver(target, records.clone(), Some(place))?;
        }
        Ok(())
    }

    /// `from`: the node that emitted the records; `None`: the source at the head.
    fn deliver(&mut self, target: Target, records: RecordBatch, from: Option<usize>) -> Result<(), EngineError> {
        match target {
            Target::Node { node, input } if self.nodes[node].recording.is_some() => {
                let records = Arc::new(records);
                self.process_node(node, input, false, &records, Some(records.clone()))
            }
            Target::Node { node, input } => self.process_node(node, input, false, &records, None),
            Target::Edge(edge) => self.output.emit(edge, records, self.clock.now()).map_err(|_keyless| {
                let from = from.map_or(&self.head, |place| &self.nodes[place].id);
                EngineError::new(ErrorKind::FixInput, format!("{from}: a record without a key for an edge with by = \"key\""))
                    .with_hint("set `key` on the source, or emit the record with a key")
            }),
        }
    }
}
