//! One operator with its state, out of its job: it is given records by hand, and what it emits comes back.
//!
//! It stands for all subtasks of its vertex, and holds the state of every key group, or for one of them. Invariant: after
//! [`IsolatedOperator::try_process`] has failed, its state is what it was before.

use super::ReplayPoint;
use super::contents::{self, Contents};
use crate::checkpoint::{CheckpointMetadata, RestoreOptions, RestorePlan, VertexIdentity};
use crate::element::{NO_TIMESTAMP, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{Output, Partitioning};
use crate::job::{JobGraph, VertexKind, planned};
use crate::metrics::VertexMetrics;
use crate::operator::{Operator, OperatorContext, OperatorFactory, QUARANTINE_NAME, QUARANTINE_OUTPUT, Subtask};
use crate::state::{BroadcastAccess, KeyGroupRange, KeyedState, StateDescriptor, StateMigrator, StateRewrite, range_of};
use crate::task::{BroadcastRestore, Chain, KeyedRestore, Node, NodeBody, NodeBroadcast};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records by the number of the output that they were emitted on.
pub type Emitted = Vec<(u32, RecordBatch)>;

/// An operator and its state.
pub struct IsolatedOperator {
    subtask: Subtask,
    factory: Arc<dyn OperatorFactory>,
    schemas: Vec<Option<String>>,
    on_probation: bool,
    operator: Box<dyn Operator>,
    state: Option<Box<KeyedState>>,
    broadcast: Option<Box<NodeBroadcast>>,
    /// By the edge's number in the graph.
    inputs: BTreeMap<usize, Input>,
    metrics: VertexMetrics,
    watermark: i64,
    processing_time: i64,
    fuel_of_dropped: u64,
}

#[derive(Clone, Copy)]
struct Input {
    number: u32,
    partitioning: Partitioning,
}

impl IsolatedOperator {
    /// The operator at `vertex` of `graph` with the state that it has at `point`.
    pub async fn restore(graph: &JobGraph, vertex: usize, point: &ReplayPoint) -> Result<Self, EngineError> {
        Self::restore_subtask(graph, vertex, (0, 1), point).await
    }

    /// The same of subtask `index` of `parallelism` alone, however many there were at `point`.
    pub async fn restore_subtask(
        graph: &JobGraph,
        vertex: usize,
        (index, parallelism): (u32, u32),
        point: &ReplayPoint,
    ) -> Result<Self, EngineError> {
        let id = graph.vertices[vertex].id.clone();
        let VertexKind::Operator(factory) = &graph.vertices[vertex].kind else {
            return Err(EngineError::new(ErrorKind::FixInput, format!("{id} is no operator")));
        };
        let inputs: BTreeMap<_, _> =
            graph.inputs(vertex).map(|(number, edge)| (number, Input { number: edge.input, partitioning: edge.partitioning })).collect();
        let (factory, subtask) = (factory.clone(), Subtask { vertex: id.clone(), index, parallelism });
        let schemas = graph.input_schemas(vertex, factory.descriptor().inputs.len());
        let operator = factory.create(&subtask, &schemas).map_err(|error| error.context(&id))?;
        let states = &factory.descriptor().states;
        let broadcast_inputs = inputs.values().filter(|input| input.partitioning == Partitioning::Broadcast);
        let broadcast = NodeBroadcast::new(states, broadcast_inputs.map(|input| input.number).collect());
        let range = range_of(index, parallelism, graph.max_parallelism);
        let keyed = inputs.values().any(|input| input.partitioning == Partitioning::Key);
        let state = keyed.then(|| {
            let backend = point.backends.create(states, range, graph.max_parallelism);
            Box::new(KeyedState::new(states.clone(), backend))
        });
        let body = NodeBody::Operator { operator, state, broadcast };
        let node =
            Node { vertex, id: id.clone(), metrics: Arc::default(), body, routes: Vec::new(), quarantine: Vec::new(), recording: None };
        let mut chain = Chain::new(id, vec![node], Vec::new(), Output::default(), point.clock.clone());
        if let Some(metadata) = &point.metadata {
            let plan = plan_of(metadata, graph)?;
            if let Some(from) = plan.from(&graph.vertices[vertex].id) {
                let rewrite = StateRewrite::new(plan.places(&graph.vertices[vertex].id), states, factory.migrator());
                fill(&mut chain, metadata, (from, rewrite), (index, range), point).await?;
            }
        }
        let Some(NodeBody::Operator { operator, state, broadcast }) = chain.nodes.pop().map(|node| node.body) else {
            unreachable!("the chain was made of one operator");
        };
        Ok(Self {
            subtask,
            factory,
            schemas,
            on_probation: false,
            operator,
            state,
            broadcast,
            inputs,
            metrics: VertexMetrics::default(),
            watermark: NO_TIMESTAMP,
            processing_time: point.processing_time,
            fuel_of_dropped: 0,
        })
    }

    /// What the next calls are told of the time.
    pub(super) fn set_times(&mut self, watermark: i64, processing_time: i64) {
        (self.watermark, self.processing_time) = (watermark, processing_time);
    }

    /// An edge that leads to this input, whose batches bring keys or do not.
    pub(super) fn edge_to(&self, input: u32, keyed: bool) -> Option<usize> {
        let fits = |found: &Input| found.number == input && (found.partitioning == Partitioning::Key) == keyed;
        self.inputs.iter().find(|(_, found)| fits(found)).map(|(&edge, _)| edge)
    }

    /// As on probation: every fault is an error, and no record is set aside.
    pub fn set_no_record_aside(&mut self) {
        self.on_probation = true;
        self.operator.set_probation(true);
    }

    /// Works a batch off that came over `edge`. After an error the operator is of no more use.
    pub fn process(&mut self, edge: usize, batch: &RecordBatch) -> Result<Emitted, EngineError> {
        let input = self.inputs[&edge];
        let mut outputs = Vec::new();
        let mut context = OperatorContext {
            state: if input.partitioning == Partitioning::Key { self.state.as_deref_mut() } else { None },
            broadcast: self.broadcast.as_mut().map_or(BroadcastAccess::None, |broadcast| broadcast.access(input.number)),
            outputs: &mut outputs,
            watermark: self.watermark,
            processing_time: self.processing_time,
            metrics: &self.metrics,
        };
        self.operator.process(input.number, batch, &mut context).map_err(|error| error.context(&self.subtask.vertex))?;
        Ok(outputs)
    }

    /// As [`IsolatedOperator::process`], and where that fails, which is the inner error, another operator goes on with the state as it was.
    /// `before`: what [`IsolatedOperator::contents_of`] gave for this batch.
    pub fn try_process(
        &mut self,
        edge: usize,
        batch: &RecordBatch,
        before: &Contents,
    ) -> Result<Result<Emitted, EngineError>, EngineError> {
        let failed = match self.process(edge, batch) {
            Ok(emitted) => return Ok(Ok(emitted)),
            Err(failed) => failed,
        };
        self.put_back(edge, batch, before)?;
        self.fuel_of_dropped += self.operator.fuel_spent().unwrap_or(0);
        self.operator = self.factory.create(&self.subtask, &self.schemas)?;
        self.operator.set_probation(self.on_probation);
        Ok(Err(failed))
    }

    /// What a batch that came over `edge` may change: what is held of its keys, or the broadcast states.
    pub fn contents_of(&mut self, edge: usize, batch: &RecordBatch) -> Result<Contents, EngineError> {
        match self.inputs[&edge].partitioning {
            Partitioning::Key => self.of_keys(batch),
            Partitioning::Broadcast => Ok(self.of_broadcast()),
            Partitioning::Forward | Partitioning::Rebalance => Ok(Contents::new()),
        }
    }

    /// What is held of these keys, and all broadcast states.
    pub fn contents(&mut self, keys: &BTreeSet<Vec<u8>>) -> Result<Contents, EngineError> {
        let mut all = self.of_broadcast();
        all.extend(self.of_keys(&contents::probe(keys.iter().map(Vec::as_slice)))?);
        Ok(all)
    }

    fn of_keys(&mut self, batch: &RecordBatch) -> Result<Contents, EngineError> {
        let mut found = Contents::new();
        if self.select(batch)?
            && let Some(state) = self.state.as_deref()
        {
            contents::of_selected(state, &mut found);
        }
        Ok(found)
    }

    fn of_broadcast(&self) -> Contents {
        let mut found = Contents::new();
        if let Some(captured) = self.broadcast.as_ref().and_then(|broadcast| broadcast.capture()) {
            contents::of_broadcast(&captured, self.states(), &mut found);
        }
        found
    }

    /// False where there is no keyed state.
    fn select(&mut self, batch: &RecordBatch) -> Result<bool, EngineError> {
        let Some(state) = self.state.as_deref_mut() else { return Ok(false) };
        let keyless = |_| EngineError::new(ErrorKind::Bug, format!("{}: a record without a key came over a key edge", self.subtask.vertex));
        state.select(batch, 0..batch.len()).map_err(keyless)?;
        Ok(true)
    }

    /// Makes the keys of a batch that came over `edge`, or the broadcast states, hold just what `before` has of them.
    pub(super) fn put_back(&mut self, edge: usize, batch: &RecordBatch, before: &Contents) -> Result<(), EngineError> {
        let input = self.inputs[&edge];
        match input.partitioning {
            Partitioning::Key => {
                if self.select(batch)?
                    && let Some(state) = self.state.as_deref_mut()
                {
                    contents::put_back(state, before);
                }
            }
            Partitioning::Broadcast => {
                let states = self.factory.descriptor().states.len();
                if let Some(BroadcastAccess::Write(state)) = self.broadcast.as_mut().map(|broadcast| broadcast.access(input.number)) {
                    contents::put_back_broadcast(state, states, before);
                }
            }
            Partitioning::Forward | Partitioning::Rebalance => {}
        }
        Ok(())
    }

    /// The declared states.
    pub fn states(&self) -> &[StateDescriptor] {
        &self.factory.descriptor().states
    }

    /// What brings values of older versions of its states to the declared ones.
    pub(super) fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        self.factory.migrator()
    }

    /// The name of an output.
    pub fn output_name(&self, output: u32) -> &str {
        match self.factory.descriptor().outputs.get(output as usize) {
            Some(output) => &output.name,
            None if output == QUARANTINE_OUTPUT => QUARANTINE_NAME,
            None => "",
        }
    }

    /// The names of the declared outputs.
    pub fn output_names(&self) -> Vec<String> {
        self.factory.descriptor().outputs.iter().map(|output| output.name.clone()).collect()
    }

    /// True where records that come over `edge` see the state of their keys.
    pub fn is_keyed(&self, edge: usize) -> bool {
        self.inputs[&edge].partitioning == Partitioning::Key
    }

    /// The name of the input that `edge` leads to.
    pub fn input_name(&self, edge: usize) -> &str {
        self.factory.descriptor().inputs.get(self.inputs[&edge].number as usize).map_or("", |input| &input.name)
    }

    /// What all calls have cost, where that is counted.
    pub fn fuel_spent(&self) -> Option<u64> {
        self.operator.fuel_spent().map(|fuel| fuel + self.fuel_of_dropped)
    }
}

/// Fills the state of the one operator in `chain` from a checkpoint, in which it had the id `from`.
async fn fill(
    chain: &mut Chain,
    metadata: &CheckpointMetadata,
    (from, rewrite): (&str, StateRewrite),
    (index, range): (u32, KeyGroupRange),
    point: &ReplayPoint,
) -> Result<(), EngineError> {
    let Some(snapshot) = metadata.vertex(from) else { return Ok(()) };
    let handles = snapshot.keyed_state(range, metadata.graph.max_parallelism);
    if !handles.is_empty() {
        let (store, clock) = (point.store.clone(), point.clock.clone());
        KeyedRestore { node: 0, operator: from.to_owned(), range, rewrite: rewrite.clone(), handles, store, clock }.run(chain).await?;
    }
    let (store, clock) = (point.store.clone(), point.clock.clone());
    match BroadcastRestore::of(metadata, (from, rewrite), (index, 0), store, clock) {
        Some(restore) => restore.run(chain).await,
        None => Ok(()),
    }
}

/// What of a checkpoint goes where in `graph`. States that an operator no longer declares are left out: a replay writes nothing.
pub(super) fn plan_of(metadata: &CheckpointMetadata, graph: &JobGraph) -> Result<RestorePlan, EngineError> {
    let (was, is) = (&metadata.graph, graph.identity());
    let mut options = RestoreOptions::default();
    for (id, vertex) in &was.vertices {
        let (VertexIdentity::Operator { states: was, .. }, Some(VertexIdentity::Operator { states: is, .. })) =
            (vertex, is.vertices.get(id))
        else {
            continue;
        };
        let gone = was.iter().filter(|state| is.iter().all(|other| other.name != state.name));
        options.drops.extend(gone.map(|state| format!("{id}.{}", state.name)));
    }
    planned(was, graph, &options).accepted(&format!("checkpoint {}", metadata.checkpoint_id))
}
