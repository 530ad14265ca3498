//! Turns a graph and, where there is one, a checkpoint into running tasks.

use crate::checkpoint::CheckpointMode;
use crate::element::RecordBatch;
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{ChannelBounds, ChannelSender, GateSettings, InFlightBudget, InputChannel, InputGate, Output, Partitioning};
use crate::job::attempt::context::AttemptContext;
use crate::job::attempt::splits::{Splits, assign};
use crate::job::restore::in_flight_records::RestoredRecords;
use crate::job::{Edge, JobGraph, TaskLayout, Vertex, VertexKind, layout};
use crate::metrics::VertexMetrics;
use crate::operator::{LATE_OUTPUT, QUARANTINE_OUTPUT, Subtask};
use crate::outbox::{OutboxEvent, OutboxOwner, PublisherTask, StagingWriter};
use crate::runtime::{ConnectorIo, Lane, TaskGroup};
use crate::sink::WriterContext;
use crate::source::{ReaderContext, SplitState};
use crate::state::{StateAllowance, StatePool, owners};
use crate::task::{
    CallLog, CallLogBudget, Chain, InFlightEdge, Node, NodeBody, OperatorSubtask, OperatorTask, OutputTime, RateLimiter, Reading,
    RestoreSource, SnapshotContext, Snapshots, SourceClock, SourceTask, Target, TaskControl, TaskEvent, TaskEvents,
};
use crate::time::RestoredTime;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use tokio::sync::mpsc;

/// The tasks of an attempt.
pub(in crate::job) struct Deployment {
    /// One for each task.
    pub controls: Vec<mpsc::UnboundedSender<TaskControl>>,
    /// (task, event).
    pub events: mpsc::UnboundedReceiver<(usize, TaskEvent)>,
    /// What publishers tell.
    pub published: mpsc::UnboundedReceiver<OutboxEvent>,
}

/// A task that has not been started.
type Body = BoxFuture<'static, ()>;

/// Builds every task, then starts them all. The sources read `splits`.
pub(in crate::job) fn deploy(context: &AttemptContext, group: &TaskGroup, splits: Splits) -> Result<Deployment, EngineError> {
    let graph = &*context.graph;
    let tasks = layout(graph);
    let (sender, events) = mpsc::unbounded_channel();
    let budget = InFlightBudget::new(context.config.max_in_flight_bytes);
    let wiring = Wiring::new(context, &tasks, &budget);
    let (limiters, clocks, edges) = (limiters(context), source_clocks(graph), in_flight_edges(graph));
    let in_flight = std::mem::take(&mut *context.in_flight.lock().unwrap_or_else(PoisonError::into_inner));
    for (metrics, vertex) in context.status.metrics.vertices.iter().zip(&graph.vertices) {
        metrics.state_bytes.reset();
        metrics.open_windows.reset();
        metrics.pending.reset();
        metrics.state_keys.reset();
        metrics.plugin.memory.reset();
        metrics.lag.reset();
        metrics.trouble.reset();
        metrics.watermark.reset(vertex.parallelism);
    }
    let pool = StatePool::new(context.backends.memory());
    let calls = CallLogBudget::new(context.config.max_call_log_bytes);
    let mut builder =
        Builder { context, group, sender, wiring, limiters, clocks, budget, calls, edges, in_flight, pool, controls: Vec::new() };
    let by_subtask = |(vertex, splits): (usize, _)| (vertex, assign(splits, graph.vertices[vertex].parallelism));
    let mut splits: BTreeMap<_, _> = splits.into_iter().map(by_subtask).collect();
    let mut bodies: Vec<(String, Body)> = Vec::new();
    for task in &tasks {
        let head = &graph.vertices[task.members[0]];
        for index in 0..head.parallelism {
            let own = splits.get_mut(&task.members[0]).map(|by_subtask| std::mem::take(&mut by_subtask[index as usize]));
            bodies.push((format!("{}-{index}", head.id), builder.task(task, index, own)?));
        }
    }
    let Builder { controls, .. } = builder;
    for (name, body) in bodies {
        group.spawn(Lane::Data, &name, body);
    }
    Ok(Deployment { controls, events, published: start_publishers(context, group) })
}

/// Starts the publisher of each sink with an outbox.
fn start_publishers(context: &AttemptContext, group: &TaskGroup) -> mpsc::UnboundedReceiver<OutboxEvent> {
    let (events, published) = mpsc::unbounded_channel();
    for (outbox, log) in context.outboxes.all().zip(context.log.iter().cycle()) {
        let publisher = PublisherTask {
            outbox: outbox.clone(),
            owner: OutboxOwner {
                log: log.nonce().unwrap_or_default().to_owned(),
                sink: outbox.marker_name(),
                attempt: context.attempt,
                over_newer: false,
            },
            nonce: context.nonce.clone(),
            log: log.clone(),
            store: context.store.clone(),
            io: ConnectorIo::of_attempt(group.clone(), context.runtime.clock.clone()),
            events: events.clone(),
        };
        group.spawn(Lane::Control, &format!("publisher-{}", outbox.sink()), publisher.run().boxed());
    }
    published
}

fn limiters(context: &AttemptContext) -> BTreeMap<usize, Arc<RateLimiter>> {
    let now = context.runtime.clock.now();
    let limited = context.graph.vertices.iter().enumerate().filter_map(|(vertex, v)| match &v.kind {
        VertexKind::Source { rate: Some(rate), .. } => Some((vertex, Arc::new(RateLimiter::new(*rate, now)))),
        VertexKind::Source { rate: None, .. } | VertexKind::Operator(_) | VertexKind::Sink(_) => None,
    });
    limited.collect()
}

fn source_clocks(graph: &JobGraph) -> BTreeMap<usize, SourceClock> {
    let of = |(number, vertex): (usize, &Vertex)| Some((number, SourceClock::new(vertex.watermark.clone()?, vertex.parallelism)));
    graph.vertices.iter().enumerate().filter_map(of).collect()
}

fn in_flight_edges(graph: &JobGraph) -> Arc<[InFlightEdge]> {
    let described = |edge| InFlightEdge { edge: graph.edge_identity(edge), schema: graph.record_schema(edge) };
    graph.edges.iter().map(described).collect()
}

/// The gates of all tasks and the sending ends that lead to them.
struct Wiring {
    /// By head vertex and subtask.
    gates: BTreeMap<(usize, u32), InputGate>,
    /// By edge and sending subtask, in the order of the receiving subtasks.
    senders: BTreeMap<(usize, u32), Vec<ChannelSender>>,
    /// Edges within a task.
    chained: BTreeSet<usize>,
}

impl Wiring {
    fn new(context: &AttemptContext, tasks: &[TaskLayout], budget: &InFlightBudget) -> Self {
        let graph = &*context.graph;
        let mut wiring = Self { gates: BTreeMap::new(), senders: BTreeMap::new(), chained: BTreeSet::new() };
        for task in tasks {
            wiring.chained.extend(task.members[1..].iter().flat_map(|&member| graph.inputs(member).map(|(edge, _)| edge)));
            let head = task.members[0];
            for index in 0..graph.vertices[head].parallelism {
                let settings = GateSettings {
                    bounds: ChannelBounds::default(),
                    at_least_once: context.config.mode == CheckpointMode::AtLeastOnce,
                    budget: budget.clone(),
                    clock: context.runtime.clock.clone(),
                };
                wiring.add_gate(graph, head, index, settings);
            }
        }
        wiring
    }

    fn add_gate(&mut self, graph: &JobGraph, head: usize, index: u32, settings: GateSettings) {
        let mut inputs = Vec::new();
        let mut from = Vec::new();
        for (number, edge) in graph.inputs(head) {
            let all = 0..graph.vertices[edge.from].parallelism;
            let senders = if edge.partitioning == Partitioning::Forward { index..index + 1 } else { all };
            for sender in senders {
                inputs.push(input_channel(edge, 0, number, sender));
                from.push((number, sender));
            }
        }
        if inputs.is_empty() {
            return;
        }
        let (gate, senders) = InputGate::new(inputs, settings);
        self.gates.insert((head, index), gate);
        for (key, sender) in from.into_iter().zip(senders) {
            self.senders.entry(key).or_default().push(sender);
        }
    }
}

/// The channel of edge number `number` from subtask `sender` to place `node` of a chain.
fn input_channel(edge: &Edge, node: usize, number: usize, sender: u32) -> InputChannel {
    InputChannel { node, input: edge.input, keyed: edge.partitioning == Partitioning::Key, edge: number, sender }
}

struct Builder<'a> {
    context: &'a AttemptContext,
    group: &'a TaskGroup,
    sender: mpsc::UnboundedSender<(usize, TaskEvent)>,
    wiring: Wiring,
    limiters: BTreeMap<usize, Arc<RateLimiter>>,
    clocks: BTreeMap<usize, SourceClock>,
    budget: InFlightBudget,
    /// What subtasks may keep of their calls together.
    calls: CallLogBudget,
    edges: Arc<[InFlightEdge]>,
    in_flight: RestoredRecords,
    /// What operators may keep together.
    pool: Arc<StatePool>,
    controls: Vec<mpsc::UnboundedSender<TaskControl>>,
}

impl Builder<'_> {
    fn task(&mut self, task: &TaskLayout, index: u32, splits: Option<Vec<SplitState>>) -> Result<Body, EngineError> {
        let context = self.context;
        let head = task.members[0];
        let vertex = &context.graph.vertices[head];
        let (control, controls) = mpsc::unbounded_channel();
        let events = TaskEvents::new(self.controls.len(), self.sender.clone());
        self.controls.push(control);
        let snapshots = Snapshots::new(SnapshotContext {
            store: context.store.clone(),
            clock: context.runtime.clock.clone(),
            group: self.group.clone(),
            bases: context.bases.clone(),
            committers: context.committers.clone(),
            attempt: context.attempt,
            nonce: context.nonce.clone(),
            head: vertex.id.clone(),
            index,
            edges: self.edges.clone(),
            events: events.clone(),
        });
        let mut chain = self.chain(task, index)?;
        let clock = context.runtime.clock.clone();
        if let VertexKind::Source { source, .. } = &vertex.kind {
            if chain.operators().any(|subtask| subtask.has_to_restore()) {
                // State is filled by `key` and `broadcast` edges, which end at the head of a task.
                let message = format!("{}: the checkpoint holds state for an operator that is chained to this source", vertex.id);
                return Err(EngineError::new(ErrorKind::Bug, message));
            }
            let subtask = Subtask { vertex: vertex.id.clone(), index, parallelism: vertex.parallelism };
            let io = ConnectorIo::of_attempt(self.group.clone(), clock.clone());
            let of_reader = ReaderContext { subtask, in_order: vertex.reads_in_order(), io };
            let reader = source.reader(&of_reader, splits.unwrap_or_default());
            let reading = Reading {
                vertex: head,
                id: vertex.id.clone(),
                index,
                reader: reader.map_err(|error| error.context(&vertex.id))?,
                bounded: source.capabilities().bounded,
                limiter: self.limiters.get(&head).cloned(),
                metrics: context.status.metrics.vertices[head].clone(),
                counts: context.status.metrics.vertices[head].subtasks.of(index),
                time: self.clocks.get(&head).cloned(),
            };
            let (restored, budget) = (self.restored(task, index).into(), self.budget.clone());
            let task = SourceTask::new(reading, chain, snapshots, controls, events, clock, restored, budget);
            return Ok(task.run().boxed());
        }
        let mut gate = self
            .wiring
            .gates
            .remove(&(head, index))
            .ok_or_else(|| EngineError::new(ErrorKind::Bug, format!("{}: neither a source nor an edge leads to it", vertex.id)))?;
        gate.restore(self.restored(task, index));
        Ok(OperatorTask::new(gate, chain, snapshots, controls, events, clock).run().boxed())
    }

    fn chain(&mut self, task: &TaskLayout, index: u32) -> Result<Chain, EngineError> {
        let graph = self.context.graph.clone();
        let inner = inner(&graph, task);
        let mut output = Output::default();
        let mut nodes = Vec::new();
        for &vertex in &inner {
            let body = self.body(vertex, index)?;
            let Routes { routes, quarantine, late } = self.routes(&graph, vertex, index, &inner, &mut output);
            let metrics = self.context.status.metrics.vertices[vertex].clone();
            let (id, time) = (graph.vertices[vertex].id.clone(), self.output_time(vertex, index, &metrics));
            let counts = metrics.subtasks.of(index);
            nodes.push(Node { vertex, id, metrics, counts, body, routes, quarantine, late, time });
        }
        let head = task.members[0];
        let of_source = match &graph.vertices[head].kind {
            VertexKind::Source { .. } => self.routes(&graph, head, index, &inner, &mut output),
            VertexKind::Operator(_) | VertexKind::Sink(_) => Routes::default(),
        };
        let (id, source_routes) = (graph.vertices[head].id.clone(), of_source.routes.into_iter().next().unwrap_or_default());
        let mut chain = Chain::new(id, nodes, source_routes, output, self.context.runtime.clock.clone());
        chain.source_quarantine = of_source.quarantine;
        chain.subtask = index;
        Ok(chain)
    }

    /// What makes watermarks of an operator's output. Its subtasks go on from the smallest time that any of the old ones' had come to.
    fn output_time(&self, vertex: usize, index: u32, metrics: &Arc<VertexMetrics>) -> Option<Box<OutputTime>> {
        let (context, of) = (self.context, self.clocks.get(&vertex)?);
        let id = &context.graph.vertices[vertex].id;
        let old = context.metadata.as_ref().and_then(|metadata| metadata.vertex(context.plan.from(id)?));
        let restored =
            old.map_or_else(RestoredTime::default, |old| RestoredTime::of(old.subtasks.iter().map(|part| part.largest_timestamp)));
        Some(Box::new(OutputTime::new(of, restored, (id.clone(), index), metrics.clone(), context.runtime.clock.clone())))
    }

    /// The task's records in flight. Those of vertices further down come first: they were sent before what the ones in front will send.
    fn restored(&mut self, task: &TaskLayout, index: u32) -> Vec<(InputChannel, Arc<RecordBatch>)> {
        let graph = self.context.graph.clone();
        let mut restored = Vec::new();
        for (node, vertex) in inner(&graph, task).into_iter().enumerate().rev() {
            let batches = self.in_flight.remove(&(vertex, index)).into_iter().flatten();
            restored.extend(batches.map(|restored| {
                let from = input_channel(&graph.edges[restored.edge], node, restored.edge, restored.sender);
                (from, restored.batch)
            }));
        }
        restored
    }

    /// Where what `vertex` emits goes.
    fn routes(&mut self, graph: &JobGraph, vertex: usize, index: u32, inner: &[usize], output: &mut Output) -> Routes {
        let outputs = match &graph.vertices[vertex].kind {
            VertexKind::Operator(factory) => factory.descriptor().outputs.len(),
            VertexKind::Source { .. } => 1,
            VertexKind::Sink(_) => 0,
        };
        let mut all = Routes { routes: vec![Vec::new(); outputs], ..Routes::default() };
        for (number, edge) in graph.outputs(vertex) {
            let target = if self.wiring.chained.contains(&number) {
                let node = inner.iter().position(|&v| v == edge.to).expect("a chained edge ends in its own task");
                Target::Node { node, input: edge.input }
            } else {
                let senders = self.wiring.senders.remove(&(number, index)).expect("every edge has a sending end in each subtask");
                let owners = owners(senders.len() as u32, graph.max_parallelism);
                Target::Edge(output.add_edge(edge.partitioning, senders, &owners, index as usize))
            };
            match edge.output {
                QUARANTINE_OUTPUT => all.quarantine.push(target),
                LATE_OUTPUT => all.late.push(target),
                declared => all.routes[declared as usize].push(target),
            }
        }
        all
    }

    fn body(&self, vertex: usize, index: u32) -> Result<NodeBody, EngineError> {
        let (context, graph) = (self.context, &self.context.graph);
        let v = &graph.vertices[vertex];
        match &v.kind {
            VertexKind::Source { .. } => unreachable!("a source is a head, not a node"),
            VertexKind::Sink(sink) => {
                let troubles = &context.status.metrics.vertices[vertex].trouble;
                if let Some(outbox) = context.outboxes.of(vertex) {
                    let asked = outbox.clone();
                    troubles.ask(index, Arc::new(move || asked.trouble()));
                    return Ok(NodeBody::Outbox(StagingWriter::new(outbox.clone())));
                }
                let subtask = Subtask { vertex: v.id.clone(), index, parallelism: v.parallelism };
                let io = ConnectorIo::of_attempt(self.group.clone(), context.runtime.clock.clone());
                let of_attempt = WriterContext { subtask, attempt: context.attempt, nonce: context.nonce.clone(), io };
                let writer = sink.writer(&of_attempt).map_err(|error| error.context(&v.id))?;
                writer.trouble().into_iter().for_each(|trouble| troubles.ask(index, trouble));
                Ok(NodeBody::Sink(writer))
            }
            VertexKind::Operator(factory) => {
                let metrics = context.status.metrics.vertices[vertex].clone();
                let at = format!("operator \"{}\" subtask {index}", v.id);
                let allowance = StateAllowance::new(at, factory.state_bytes(), self.pool.clone(), metrics.clone());
                let place = graph.subtask_place(vertex, factory, (index, v.parallelism));
                let mut subtask =
                    OperatorSubtask::new(place, &*context.backends, metrics, context.runtime.clock.clone())?.within(allowance);
                if !graph.outputs(vertex).any(|(_, edge)| edge.output == LATE_OUTPUT) {
                    subtask = subtask.without_late();
                }
                subtask.set_probation(context.on_trial == Some(vertex));
                if v.record {
                    let restored = context.restored.as_ref().map(|restored| restored.checkpoint_id);
                    subtask = subtask.keeping(CallLog::since(restored, self.calls.clone()));
                }
                if let Some(metadata) = &context.metadata {
                    let (store, clock) = (context.source.clone(), context.runtime.clock.clone());
                    subtask.plan_restore(&RestoreSource { metadata, plan: &context.plan, store, clock });
                }
                Ok(NodeBody::Operator(Box::new(subtask)))
            }
        }
    }
}

/// Where what a vertex emits goes.
#[derive(Default)]
struct Routes {
    /// For each declared output its targets.
    routes: Vec<Vec<Target>>,
    /// The targets of what is set aside.
    quarantine: Vec<Target>,
    /// The targets of what came too late.
    late: Vec<Target>,
}

/// The vertices of a task that are nodes of its chain: all but a source at the head.
fn inner(graph: &JobGraph, task: &TaskLayout) -> Vec<usize> {
    task.members.iter().copied().filter(|&vertex| !matches!(graph.vertices[vertex].kind, VertexKind::Source { .. })).collect()
}
