//! Operators and sinks that run one behind the other in one task, without channels between them.
//!
//! A chain is a tree: an operator with several outputs may have a chained successor on each. Invariant: what a batch causes anywhere in
//! the chain has happened, or waits in the output, when [`Chain::process`] is over. A barrier therefore finds every node at the same cut: the task
//! serves nothing else meanwhile, also where an operator's call waits for its state.

use super::call_pace::waiting;
use super::{Emitted, OperatorSubtask, OutputTime, Successor};
use crate::element::{CheckpointId, END_OF_TIME, Progress, RecordBatch, Selection, Watermark};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{GateClosed, InputChannel, Output};
use crate::metrics::VertexMetrics;
use crate::operator::QUARANTINE_OUTPUT;
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
    /// What it does.
    pub body: NodeBody,
    /// For each output the targets of its records.
    pub routes: Vec<Vec<Target>>,
    /// The targets of quarantined records.
    pub quarantine: Vec<Target>,
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

    /// Ready where records may be worked off: there is room downstream, and no outbox sink has stopped behind a barrier.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GateClosed>> {
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

    /// Event time has made progress, and [`Self::advance`] works it off.
    pub fn begin_progress(&mut self, progress: Progress) {
        if let (Progress::Watermark(Watermark(watermark)), Some(head)) = (progress, self.head_operator()) {
            head.set_watermark(watermark);
        }
        self.progress = Some(progress);
    }

    /// The operator at the head, which alone may have keyed state: `key` edges end at the head of a task.
    fn head_operator(&mut self) -> Option<&mut OperatorSubtask> {
        if self.has_source_at_head() { None } else { self.nodes.first_mut()?.body.operator() }
    }

    /// True where [`Self::advance`] has something to do. Nothing that came behind is worked off before.
    pub fn is_due(&mut self) -> bool {
        self.head_operator().is_some_and(OperatorSubtask::is_due) || self.progress.is_some()
    }

    /// In how many ms a timer by the clock is due.
    pub(crate) fn next_by_clock(&mut self) -> Option<u64> {
        self.head_operator()?.next_by_clock()
    }

    /// One call of timers that are due; or, where none is, what is left to do of the progress of event time. A barrier may pass in between: what is left fires
    /// behind it.
    pub async fn advance(&mut self) -> Result<(), EngineError> {
        let fired = match self.head_operator() {
            Some(head) => head.fire().await?,
            None => None,
        };
        match (fired, self.progress) {
            (Some(emitted), _) => {
                self.route_all(0, emitted)?;
                self.work_off().await
            }
            (None, Some(progress)) => {
                self.tell_all(progress).await?;
                self.progress = None;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// Event time has made progress, which is worked off at once.
    pub async fn on_progress(&mut self, progress: Progress) -> Result<(), EngineError> {
        self.begin_progress(progress);
        while self.is_due() {
            self.advance().await?;
        }
        Ok(())
    }

    /// Each operator hears of it in turn, and what it emits then has been worked off by those behind it, or stands in front of the watermark on the edges, before
    /// they hear of it themselves. The end of time is not sent: the end of the input says so.
    async fn tell_all(&mut self, progress: Progress) -> Result<(), EngineError> {
        let heads = self.heads();
        self.tell(heads, progress).await
    }

    /// Tells those behind a node what time its output has come to.
    pub(crate) async fn tell_behind(&mut self, node: usize, progress: Progress) -> Result<(), EngineError> {
        let behind = self.behind(node).collect();
        self.tell(behind, progress).await
    }

    /// Ready with the progress of a node's output.
    pub(crate) fn poll_output_time(&mut self, cx: &mut Context<'_>) -> Poll<(usize, Progress)> {
        for (node, time) in self.nodes.iter_mut().enumerate().filter_map(|(node, of)| Some((node, of.time.as_deref_mut()?))) {
            if let Poll::Ready(progress) = time.poll(cx) {
                return Poll::Ready((node, progress));
            }
        }
        Poll::Pending
    }

    /// Where what a node emits goes; the last is the first.
    fn behind(&self, node: usize) -> impl Iterator<Item = Target> {
        let Node { routes, quarantine, .. } = &self.nodes[node];
        quarantine.iter().rev().chain(routes.iter().rev().flat_map(|targets| targets.iter().rev())).copied()
    }

    async fn tell(&mut self, mut ahead: Vec<Target>, progress: Progress) -> Result<(), EngineError> {
        while let Some(target) = ahead.pop() {
            match target {
                Target::Edge(_) if progress == Progress::Watermark(END_OF_TIME) => {}
                Target::Edge(edge) => self.output.send_progress(edge, progress),
                Target::Node { node, .. } => {
                    self.tell_node(node, progress).await?;
                    if self.nodes[node].time.is_none() || progress == Progress::Watermark(END_OF_TIME) {
                        ahead.extend(self.behind(node));
                    }
                }
            }
        }
        Ok(())
    }

    /// Where what reaches the task goes first; the last is the first.
    fn heads(&self) -> Vec<Target> {
        if self.has_source_at_head() {
            return self.source_quarantine.iter().rev().chain(self.source_routes.iter().rev()).copied().collect();
        }
        if self.nodes.is_empty() { Vec::new() } else { vec![Target::Node { node: 0, input: 0 }] }
    }

    fn has_source_at_head(&self) -> bool {
        !self.source_routes.is_empty() || !self.source_quarantine.is_empty()
    }

    async fn tell_node(&mut self, place: usize, progress: Progress) -> Result<(), EngineError> {
        self.nodes[place].metrics.watermark.set(self.subtask, progress.time());
        let Progress::Watermark(Watermark(watermark)) = progress else { return Ok(()) };
        let NodeBody::Operator(subtask) = &mut self.nodes[place].body else { return Ok(()) };
        subtask.set_watermark(watermark);
        let call = subtask.watermark_call();
        let emitted = subtask.call(&call).await?;
        self.route_all(place, emitted)?;
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
        node.metrics.records_in.add(batch.len() as u64);
        let subtask = match &mut node.body {
            NodeBody::Sink(writer) => return writer.write(&batch).map_err(|error| error.context(&node.id)),
            NodeBody::Outbox(writer) => {
                writer.write(&batch);
                return Ok(());
            }
            NodeBody::Operator(subtask) => subtask,
        };
        let mut emitted = Emitted::new();
        for call in subtask.calls_of(input, keyed, batch) {
            emitted.extend(waiting(&*self.clock, &mut self.waited, subtask.call(&call)).await?);
        }
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
        let quarantined = output == QUARANTINE_OUTPUT;
        let targets = if quarantined { Some(&node.quarantine) } else { node.routes.get(output as usize) };
        let Some(targets) = targets.filter(|targets| !targets.is_empty() || !quarantined) else {
            return Err(EngineError::new(ErrorKind::Bug, format!("{}: records for output {output}, which leads nowhere", node.id)));
        };
        if !quarantined {
            node.metrics.records_out.add(records.len() as u64);
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
