//! One operator with its state, out of its job: it is given records by hand, and what it emits comes back.
//!
//! It stands for all subtasks of its vertex, and holds the state of every key group, or for one of them. Invariant: after
//! [`IsolatedOperator::try_process`] has failed, its state is what it was before.

use super::ReplayPoint;
use super::contents::{self, Contents, Taken};
use super::standing_clock::StandingClock;
use super::watched::{Fired, Notes, Watched};
use crate::checkpoint::{CheckpointMetadata, RestoreOptions, RestorePlan, VertexIdentity};
use crate::element::{Column, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::Partitioning;
use crate::job::{JobGraph, VertexKind, planned};
use crate::operator::{CallKind, FiredTimers, LATE_NAME, LATE_OUTPUT, OperatorCall, OperatorFactory, QUARANTINE_NAME, QUARANTINE_OUTPUT};
use crate::state::{BroadcastAccess, CallKeys, KeyedState, StateDescriptor, StateMigrator, StateTime, unit_hash};
pub use crate::task::Emitted;
use crate::task::{OperatorSubtask, RestoreSource};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// An operator and its state.
pub struct IsolatedOperator {
    subtask: OperatorSubtask,
    /// By the edge's number in the graph.
    inputs: BTreeMap<usize, Input>,
    /// Times of calls that were recorded; `None`: the calls are of the time that it has come to by itself.
    recorded: Option<StateTime>,
    /// Calls of what has been due that are still to be made.
    due: VecDeque<OperatorCall>,
    /// It has been told of a watermark, and hears of it behind what is due.
    has_progress: bool,
    /// A call is of one timer or window alone.
    pub(super) one_by_one: bool,
    /// What fires in its calls.
    notes: Notes,
    fuel_of_dropped: u64,
}

/// What an edge leads to.
#[derive(Clone, Copy)]
pub(super) struct Input {
    /// The number of the declared input.
    pub number: u32,
    /// How records come over the edge.
    pub partitioning: Partitioning,
}

impl IsolatedOperator {
    /// The operator at `vertex` of `graph` with the state that it has at `point`.
    pub async fn restore(graph: &JobGraph, vertex: usize, point: &ReplayPoint) -> Result<Self, EngineError> {
        Self::restore_subtask(graph, vertex, (0, 1), point).await
    }

    /// The same of subtask `index` of `parallelism` alone, however many there were at `point`.
    pub(crate) async fn restore_subtask(
        graph: &JobGraph,
        vertex: usize,
        (index, parallelism): (u32, u32),
        point: &ReplayPoint,
    ) -> Result<Self, EngineError> {
        let id = graph.vertices[vertex].id.clone();
        let VertexKind::Operator(factory) = &graph.vertices[vertex].kind else {
            return Err(EngineError::new(ErrorKind::FixInput, format!("{id} is no operator")));
        };
        let notes = Notes::default();
        let watched: Arc<dyn OperatorFactory> = Arc::new(Watched::new(factory.clone(), notes.clone()));
        let place = graph.subtask_place(vertex, &watched, (index, parallelism));
        let clock = Arc::new(StandingClock { at: point.processing_time, waits: point.clock.clone() });
        let mut subtask = OperatorSubtask::new(place, &*point.backends, Arc::default(), clock)?.firing_one_by_one();
        if let Some(metadata) = &point.metadata {
            let plan = plan_of(metadata, graph)?;
            let (store, clock) = (point.store.clone(), point.clock.clone());
            subtask.plan_restore(&RestoreSource { metadata, plan: &plan, store, clock });
            subtask.restore().await?;
        }
        let input = |edge: &crate::job::Edge| Input { number: edge.input, partitioning: edge.partitioning };
        Ok(Self::with(subtask, graph.inputs(vertex).map(|(number, edge)| (number, input(edge))).collect(), notes))
    }

    pub(super) fn with(subtask: OperatorSubtask, inputs: BTreeMap<usize, Input>, notes: Notes) -> Self {
        let (recorded, due) = (None, VecDeque::new());
        Self { subtask, inputs, recorded, due, has_progress: false, one_by_one: true, notes, fuel_of_dropped: 0 }
    }

    /// A new operator of the same version goes on with the state as it is.
    pub fn renew(&mut self) -> Result<(), EngineError> {
        self.fuel_of_dropped += self.subtask.renew()?.unwrap_or(0);
        Ok(())
    }

    /// The next calls are those of a recording, and of these times.
    pub(super) fn set_times(&mut self, watermark: i64, processing_time: i64) {
        self.recorded = Some(StateTime { watermark, processing_time });
    }

    /// An edge that leads to this input, whose batches bring keys or do not.
    pub(super) fn edge_to(&self, input: u32, keyed: bool) -> Option<usize> {
        let fits = |found: &Input| found.number == input && (found.partitioning == Partitioning::Key) == keyed;
        self.inputs.iter().find(|(_, found)| fits(found)).map(|(&edge, _)| edge)
    }

    /// As on probation: every fault is an error, and no record is set aside.
    pub fn set_no_record_aside(&mut self) {
        self.subtask.set_probation(true);
    }

    /// Works a batch off that came over `edge`. After an error the operator is of no more use.
    pub async fn process(&mut self, edge: usize, batch: &Arc<RecordBatch>) -> Result<Emitted, EngineError> {
        self.notes.take();
        let mut emitted = Emitted::new();
        for call in self.calls_of(edge, batch) {
            emitted.extend(self.subtask.call_by_name(&call).await?);
        }
        Ok(emitted)
    }

    /// Event time has come to `watermark`: what is due by it, and the call that tells the operator, are its next ones.
    pub fn begin_watermark(&mut self, watermark: i64) {
        self.subtask.set_watermark(watermark);
        self.has_progress = true;
    }

    /// The next call of a timer or a window that is due, or, where none is, of the watermark that it has been told of; `None`: nothing is left to do.
    pub(super) fn next_call(&mut self) -> Result<Option<OperatorCall>, EngineError> {
        // Which is next may not be known yet.
        while self.due.is_empty() && self.subtask.is_due() {
            let Some(call) = self.subtask.due_call()? else { continue };
            match self.one_by_one {
                true => self.due.extend(one_by_one(&call)),
                false => self.due.push_back(call),
            }
        }
        if let Some(call) = self.due.pop_front() {
            return Ok(Some(call));
        }
        Ok(std::mem::take(&mut self.has_progress).then(|| self.subtask.watermark_call()))
    }

    /// Makes the next call of what is due. What it emits; `None`: nothing is left to do. After an error the operator is of no more use.
    pub async fn advance(&mut self) -> Result<Option<Emitted>, EngineError> {
        match self.next_call()? {
            Some(call) => self.make(&call).await.map(Some),
            None => Ok(None),
        }
    }

    /// Makes a call. After an error the operator is of no more use.
    pub(super) async fn make(&mut self, call: &OperatorCall) -> Result<Emitted, EngineError> {
        self.notes.take();
        self.subtask.call_by_name(call).await
    }

    /// The calls that a batch which comes over `edge` makes.
    fn calls_of(&mut self, edge: usize, batch: &Arc<RecordBatch>) -> Vec<OperatorCall> {
        let Input { number: input, partitioning } = self.inputs[&edge];
        let (keyed, batch) = (partitioning == Partitioning::Key, batch.clone());
        match self.recorded {
            Some(StateTime { watermark, processing_time }) => {
                vec![OperatorCall { watermark, processing_time, kind: CallKind::Batch { input, keyed, batch } }]
            }
            None => self.subtask.calls_of(input, keyed, batch),
        }
    }

    /// A call of a timer or a window has failed: of the window nothing is kept, and another operator goes on.
    pub(super) async fn set_aside(&mut self, call: &OperatorCall) -> Result<(), EngineError> {
        if let CallKind::Windows(_) = &call.kind {
            self.put_call_back(call, &Taken::default()).await?;
        }
        self.renew()
    }

    /// What has fired in the batch that it was given last, or the call that was made last, as far as this has not been asked yet.
    pub(super) fn take_fired(&mut self) -> Vec<Fired> {
        self.notes.take()
    }

    /// As [`IsolatedOperator::process`], and where that fails, which is the inner error, another operator goes on with the state as it was.
    /// `before`: what [`IsolatedOperator::contents_of`] gave for this batch.
    pub(crate) async fn try_process(
        &mut self,
        edge: usize,
        batch: &Arc<RecordBatch>,
        before: &Taken,
    ) -> Result<Result<Emitted, EngineError>, EngineError> {
        let failed = match self.process(edge, batch).await {
            Ok(emitted) => return Ok(Ok(emitted)),
            Err(failed) => failed,
        };
        // What has fired has come to nothing.
        self.notes.take();
        self.put_back(edge, batch, before).await?;
        self.renew()?;
        Ok(Err(failed))
    }

    /// What a batch that came over `edge` may change, as its calls see it: what is held of its keys, or the broadcast states.
    pub(crate) async fn contents_of(&mut self, edge: usize, batch: &Arc<RecordBatch>) -> Result<Taken, EngineError> {
        let mut taken = Taken::default();
        match self.inputs[&edge].partitioning {
            Partitioning::Key => {
                for call in self.calls_of(edge, batch) {
                    self.take_of_call(&call, &mut taken).await?;
                }
            }
            Partitioning::Broadcast => taken.held = self.of_broadcast(),
            Partitioning::Forward | Partitioning::Rebalance => {}
        }
        Ok(taken)
    }

    /// What is held of these keys, each at the time that it has come to, and all broadcast states. It is the same however their records were cut.
    pub async fn contents(&mut self, keys: &BTreeSet<Vec<u8>>) -> Result<Contents, EngineError> {
        let mut by_time: BTreeMap<i64, (StateTime, BTreeSet<Vec<u8>>)> = BTreeMap::new();
        for key in keys {
            let time = self.subtask.time_of(key);
            by_time.entry(time.watermark).or_insert_with(|| (time, BTreeSet::new())).1.insert(key.clone());
        }
        let mut taken = Taken::of(self.of_broadcast());
        for (time, keys) in by_time.into_values() {
            self.take_of_keys(&keys, time, &mut taken).await?;
        }
        Ok(contents::numbered_anew(&taken.held, self.states()))
    }

    async fn take_of_keys(&mut self, keys: &BTreeSet<Vec<u8>>, time: StateTime, taken: &mut Taken) -> Result<(), EngineError> {
        let (mut wanted, mut hashes) = (Column::new(), Vec::new());
        match self.subtask.keyed_state().filter(|state| state.is_windowed()) {
            Some(state) => state.open_units_of(keys)?.iter().for_each(|unit| {
                wanted.push(unit);
                hashes.push(unit_hash(unit));
            }),
            None => keys.iter().for_each(|key| wanted.push(key)),
        }
        self.take(CallKeys::new(&wanted, &hashes, &[]), time, taken).await
    }

    /// What is held of the keys of a call, as the call sees it.
    pub(super) async fn of_call(&mut self, call: &OperatorCall) -> Result<Taken, EngineError> {
        let mut taken = Taken::default();
        self.take_of_call(call, &mut taken).await?;
        Ok(taken)
    }

    async fn take_of_call(&mut self, call: &OperatorCall, taken: &mut Taken) -> Result<(), EngineError> {
        match call.keys() {
            Some(keys) => self.take(keys, time_of(call), taken).await,
            None => Ok(()),
        }
    }

    async fn take(&mut self, keys: CallKeys<'_>, time: StateTime, taken: &mut Taken) -> Result<(), EngineError> {
        match self.select(keys, time, &Contents::new()).await? {
            Some(state) => taken.add_selected(state),
            None => Ok(()),
        }
    }

    fn of_broadcast(&mut self) -> Contents {
        let mut found = Contents::new();
        if let Some(captured) = self.subtask.broadcast().and_then(|broadcast| broadcast.capture()) {
            contents::of_broadcast(&captured, self.states(), &mut found);
        }
        found
    }

    /// Selects what a call with these, of this time, may change, and what `before` names. `None`: there is no keyed state.
    pub(super) async fn select(
        &mut self,
        keys: CallKeys<'_>,
        time: StateTime,
        before: &Contents,
    ) -> Result<Option<&mut KeyedState>, EngineError> {
        let id = self.subtask.id().to_owned();
        let Some(state) = self.subtask.keyed_state() else { return Ok(None) };
        let keyless = |_| EngineError::new(ErrorKind::Bug, format!("{id}: a record without a key came over a key edge"));
        state.prefetch(keys, time).await.map_err(|error| error.context(&id))?;
        let named: BTreeSet<&[u8]> = before.keys().map(|(_, key)| &key[..]).collect();
        state.select_touched(keys, named.into_iter()).map_err(|error| error.into_error(keyless))?;
        Ok(Some(state))
    }

    /// Makes the keys of a batch that came over `edge`, or the broadcast states, hold just what was taken of them before.
    pub(super) async fn put_back(&mut self, edge: usize, batch: &Arc<RecordBatch>, before: &Taken) -> Result<(), EngineError> {
        let input = self.inputs[&edge];
        match input.partitioning {
            Partitioning::Key => {
                for call in self.calls_of(edge, batch) {
                    self.put_call_back(&call, before).await?;
                }
            }
            Partitioning::Broadcast => {
                let states = self.states().len();
                if let Some(BroadcastAccess::Write(state)) = self.subtask.broadcast().map(|broadcast| broadcast.access(input.number)) {
                    contents::put_back_broadcast(state, states, &before.held);
                }
            }
            Partitioning::Forward | Partitioning::Rebalance => {}
        }
        Ok(())
    }

    /// Makes the keys of a call hold just what was taken of them before.
    pub(super) async fn put_call_back(&mut self, call: &OperatorCall, before: &Taken) -> Result<(), EngineError> {
        let Some(keys) = call.keys() else { return Ok(()) };
        if let Some(state) = self.select(keys, time_of(call), &before.held).await? {
            contents::put_back(state, before)?;
            state.look_through_windows(call.processing_time)?;
        }
        Ok(())
    }

    /// The states that are kept: those that are declared, and behind them those of timers.
    pub fn states(&self) -> &[StateDescriptor] {
        self.subtask.kept_states()
    }

    /// What brings values of older versions of its states to the declared ones.
    pub(super) fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        self.subtask.factory().migrator()
    }

    /// The name of an output.
    pub fn output_name(&self, output: u32) -> &str {
        match self.subtask.factory().descriptor().outputs.get(output as usize) {
            Some(output) => &output.name,
            None if output == QUARANTINE_OUTPUT => QUARANTINE_NAME,
            None if output == LATE_OUTPUT => LATE_NAME,
            None => "",
        }
    }

    /// The names of the declared outputs.
    pub(crate) fn output_names(&self) -> Vec<String> {
        self.subtask.factory().descriptor().outputs.iter().map(|output| output.name.clone()).collect()
    }

    /// True where records that come over `edge` see the state of their keys.
    pub(crate) fn is_keyed(&self, edge: usize) -> bool {
        self.inputs[&edge].partitioning == Partitioning::Key
    }

    /// The name of the input that `edge` leads to.
    pub fn input_name(&self, edge: usize) -> &str {
        self.subtask.factory().descriptor().inputs.get(self.inputs[&edge].number as usize).map_or("", |input| &input.name)
    }

    /// What all calls have cost, where that is counted.
    pub fn fuel_spent(&self) -> Option<u64> {
        self.subtask.fuel_spent().map(|fuel| fuel + self.fuel_of_dropped)
    }
}

/// What a call sees of the state is judged by these.
fn time_of(call: &OperatorCall) -> StateTime {
    StateTime { watermark: call.watermark, processing_time: call.processing_time }
}

/// The calls that a call of what was due comes to where each is of one of them alone.
pub(super) fn one_by_one(call: &OperatorCall) -> Vec<OperatorCall> {
    let each = |due: &Arc<FiredTimers>, kind: fn(Arc<FiredTimers>) -> CallKind| {
        let one = |place| OperatorCall { kind: kind(Arc::new(due.only(|other| other == place))), ..call.clone() };
        (0..due.len()).map(one).collect()
    };
    match &call.kind {
        CallKind::Timers(due) => each(due, CallKind::Timers),
        CallKind::Windows(due) => each(due, CallKind::Windows),
        CallKind::Watermark | CallKind::Batch { .. } => vec![call.clone()],
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
    let refused = format!("run it from checkpoint {}: the plugin does not go on with what is kept there", metadata.checkpoint_id);
    planned(metadata, graph, &options).accepted_in_place(&refused)
}
