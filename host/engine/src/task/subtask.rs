//! One operator's subtask: the operator, its keyed and its broadcast state, and the calls that it keeps. A running job, a replay, a dry run and a
//! simulation all restore, call and capture this one type, so that none of them can do it in a way of its own.
//!
//! Invariant: what a call has changed and emitted is all that it was asked for, or the call has failed and the subtask is of no more use until its
//! state has been put back.

use super::subtask_restore::ToRestore;
use super::timers::Firing;
use super::{CallLog, NodeBroadcast, Successor};
use crate::element::{CheckpointId, NO_TIMESTAMP, Selection, key_group_of, key_hash};
use crate::error::{EngineError, ErrorKind};
use crate::metrics::VertexMetrics;
use crate::operator::{CallKind, Operator, OperatorCall, OperatorContext, OperatorFactory, Subtask, TimerDescriptor};
use crate::runtime::Clock;
use crate::state::{
    BackendPlace, BroadcastAccess, BroadcastState, KeyGroupRange, KeyedState, StateAllowance, StateBackendFactory, StateDescriptor,
    StateTime, WindowSettings,
};
use crate::time::{ProcessingTime, WatermarkFloors};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Records that a call has emitted, by the number of the output, in order.
pub type Emitted = Vec<(u32, Selection)>;

/// Where a subtask stands in its job, and what feeds it.
#[derive(Clone)]
pub struct SubtaskPlace {
    /// Which subtask it is.
    pub subtask: Subtask,
    /// Makes its operator.
    pub factory: Arc<dyn OperatorFactory>,
    /// For each input the text that the source in front of it gives of its records.
    pub schemas: Vec<Option<String>>,
    /// The inputs that `broadcast` edges feed.
    pub broadcast_inputs: BTreeSet<u32>,
    /// Which windows its records are put into; `None`: it is not windowed.
    pub window: Option<WindowSettings>,
    /// Its key groups; `None` where no input is by key.
    pub key_groups: Option<KeyGroupRange>,
    /// Key groups of the whole job.
    pub max_parallelism: u32,
}

impl SubtaskPlace {
    /// A new operator, opened.
    pub(super) fn make_operator(&self) -> Result<Box<dyn Operator>, EngineError> {
        self.factory.create(&self.subtask, &self.schemas).map_err(|error| error.context(&self.subtask.vertex))
    }
}

/// An operator with all that belongs to it.
pub struct OperatorSubtask {
    pub(super) place: SubtaskPlace,
    operator: Box<dyn Operator>,
    on_probation: bool,
    pub(super) state: Option<Box<KeyedState>>,
    pub(super) broadcast: Option<Box<NodeBroadcast>>,
    pub(super) call_log: Option<Box<CallLog>>,
    pub(super) metrics: Arc<VertexMetrics>,
    pub(super) clock: Arc<dyn Clock>,
    /// Event time, as far as the task has come.
    pub(super) watermark: i64,
    /// The last of it that was not the end of time.
    pub(super) floor: i64,
    pub(super) floors: WatermarkFloors,
    pub(super) processing_time: ProcessingTime,
    pub(super) firing: Firing,
    /// Whether somebody takes the records that came too late for their windows.
    pub(super) tells_late: bool,
    /// All states that are kept: those that are declared, and behind them those of timers.
    pub(super) kept_states: Vec<StateDescriptor>,
    /// What [`OperatorSubtask::restore`] is to read.
    pub(super) to_restore: ToRestore,
}

impl OperatorSubtask {
    /// A subtask without any state, whose operator is made and opened.
    pub fn new(
        place: SubtaskPlace,
        backends: &dyn StateBackendFactory,
        metrics: Arc<VertexMetrics>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EngineError> {
        let operator = place.make_operator()?;
        let kept_states = place.factory.descriptor().kept_states(place.window.as_ref());
        let states = &kept_states;
        let domains = || place.factory.descriptor().timers.iter().map(TimerDescriptor::domain).collect();
        let broadcast = NodeBroadcast::new(states, place.broadcast_inputs.clone());
        let (operator_id, index, max_parallelism) = (&place.subtask.vertex, place.subtask.index, place.max_parallelism);
        let open = |range| -> Result<_, EngineError> {
            let of = BackendPlace { operator: operator_id, subtask: index, states, range, max_parallelism };
            let backend = backends.open(&of).map_err(|error| error.context(format!("{operator_id}: open its state")))?;
            let state = KeyedState::new(states.clone(), backend).with_timers(domains());
            Ok(Box::new(match &place.window {
                Some(window) => state.with_windows(window.clone(), place.factory.merger()),
                None => state,
            }))
        };
        let state = place.key_groups.map(open).transpose()?;
        Ok(Self {
            place,
            operator,
            on_probation: false,
            state,
            broadcast,
            call_log: None,
            metrics,
            clock,
            watermark: NO_TIMESTAMP,
            floor: NO_TIMESTAMP,
            floors: WatermarkFloors::default(),
            processing_time: ProcessingTime::default(),
            firing: Firing::default(),
            tells_late: true,
            kept_states,
            to_restore: ToRestore::default(),
        })
    }

    /// The same, with state within an allowance.
    pub fn within(mut self, allowance: Arc<StateAllowance>) -> Self {
        self.broadcast = self.broadcast.map(|broadcast| broadcast.within(allowance.clone()));
        self.state = self.state.map(|state| Box::new(state.within(allowance)));
        self
    }

    /// The same, where nobody takes the records that come too late for their windows: they are counted alone.
    pub fn without_late(self) -> Self {
        Self { tells_late: false, ..self }
    }

    /// The same, called with one timer or session at a time: each sees what those before it have done.
    pub(crate) fn firing_one_by_one(mut self) -> Self {
        self.firing.one_by_one = true;
        self
    }

    /// The same, keeping every call until a checkpoint behind it is complete.
    pub fn keeping(mut self, call_log: CallLog) -> Self {
        self.call_log = Some(Box::new(call_log));
        self
    }

    /// The operator's id.
    pub fn id(&self) -> &str {
        &self.place.subtask.vertex
    }

    /// Makes one call, and gives what it has emitted. Waits until the states of its keys are where the operator reads them, and for nothing else.
    pub async fn call(&mut self, call: &OperatorCall) -> Result<Emitted, EngineError> {
        if let CallKind::Timers(_) | CallKind::Windows(_) = call.kind {
            return self.call_by_name(call).await;
        }
        // What an operator says of its own batch names it as a rule.
        self.fetch(call).await?;
        self.make_noted(call)
    }

    /// Makes the next call of timers that are due; `None`: none is. Nothing is emitted where they have all been deleted since they were set.
    pub(super) async fn fire(&mut self) -> Result<Option<Emitted>, EngineError> {
        match self.due_call()? {
            // Which is next may not be known yet.
            None => Ok(self.is_due().then(Emitted::new)),
            Some(call) => self.call_by_name(&call).await.map(Some),
        }
    }

    /// As [`Self::call`]; whatever goes wrong names the operator, once.
    pub async fn call_by_name(&mut self, call: &OperatorCall) -> Result<Emitted, EngineError> {
        self.fetch(call).await?;
        self.make_named(call).map_err(|error| error.context(&self.place.subtask.vertex))
    }

    /// Puts the states of the call's keys where the operator reads them.
    async fn fetch(&mut self, call: &OperatorCall) -> Result<(), EngineError> {
        let Some(state) = self.state.as_deref_mut() else { return Ok(()) };
        let time = StateTime { watermark: call.watermark, processing_time: call.processing_time };
        match (call.keys(), &call.kind) {
            (Some(keys), _) => state.prefetch(keys, time).await.map_err(|error| error.context(&self.place.subtask.vertex)),
            // Event time may begin with it, for keys that no call brings.
            (None, CallKind::Watermark) => {
                state.tell(time);
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    fn make_named(&mut self, call: &OperatorCall) -> Result<Emitted, EngineError> {
        let CallKind::Timers(fired) = &call.kind else { return self.make_noted(call) };
        match self.take_fired(call, fired)? {
            None => self.make_noted(call),
            Some(left) => match &left.kind {
                CallKind::Timers(none) if none.is_empty() => Ok(Emitted::new()),
                CallKind::Timers(_) | CallKind::Windows(_) | CallKind::Batch { .. } | CallKind::Watermark => self.make_noted(&left),
            },
        }
    }

    /// Keeps the call, where calls are kept, and makes it.
    fn make_noted(&mut self, call: &OperatorCall) -> Result<Emitted, EngineError> {
        if let Some(call_log) = &mut self.call_log {
            call_log.note(call.clone());
        }
        let mut emitted = Emitted::new();
        self.make(call, call.keys().is_some(), &mut emitted)?;
        // What timers that are still due may see goes by their times, which may be behind.
        if let (CallKind::Batch { .. }, Some(keys), Some(state)) = (&call.kind, call.keys(), self.state.as_deref_mut()) {
            state.clean_up(keys.len(), self.floor).map_err(|error| error.context(&self.place.subtask.vertex))?;
        }
        if let Some(kept) = self.kept() {
            kept.allowance.settle(kept.keyed_bytes, kept.broadcast_bytes)?;
        }
        Ok(emitted)
    }

    fn make(&mut self, call: &OperatorCall, keyed: bool, outputs: &mut Emitted) -> Result<(), EngineError> {
        if keyed && self.place.window.is_some() {
            return self.make_windowed(call, outputs);
        }
        self.enter(call, keyed, outputs, |operator, context| match &call.kind {
            CallKind::Batch { input, batch, .. } => operator.process(*input, batch, context),
            CallKind::Timers(fired) => operator.on_timers(fired, context),
            CallKind::Windows(_) => Err(EngineError::new(ErrorKind::FixInput, "it is called with windows that are due, and has none")),
            CallKind::Watermark => operator.on_watermark(context),
        })
    }

    /// Lets `enter` call the operator, with what belongs to a call.
    pub(super) fn enter(
        &mut self,
        call: &OperatorCall,
        keyed: bool,
        outputs: &mut Emitted,
        enter: impl FnOnce(&mut dyn Operator, &mut OperatorContext<'_>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let broadcast = match (&call.kind, &mut self.broadcast) {
            (CallKind::Batch { input, .. }, Some(broadcast)) => broadcast.access(*input),
            (CallKind::Timers(_) | CallKind::Windows(_) | CallKind::Watermark, Some(broadcast)) => BroadcastAccess::Read(broadcast.state()),
            (_, None) => BroadcastAccess::None,
        };
        let mut context = OperatorContext {
            state: if keyed { self.state.as_deref_mut() } else { None },
            broadcast,
            outputs,
            watermark: call.watermark,
            processing_time: call.processing_time,
            metrics: &self.metrics,
        };
        enter(&mut *self.operator, &mut context)
    }

    /// The clock, as the next call is told it.
    pub(super) fn tell_processing_time(&mut self) -> i64 {
        self.processing_time.tell(self.clock.wall_ms(), self.clock.now())
    }

    /// The times that a call of this key would be of now.
    pub(crate) fn time_of(&self, key: &[u8]) -> StateTime {
        let processing_time = self.processing_time.now(self.clock.wall_ms(), self.clock.now());
        let group = key_group_of(key_hash(key), self.place.max_parallelism);
        StateTime { watermark: self.floors.effective(group, self.watermark), processing_time }
    }

    /// The states that are kept: those that are declared, and behind them those of timers.
    pub fn kept_states(&self) -> &[StateDescriptor] {
        &self.kept_states
    }

    /// A checkpoint is complete: the calls in front of its barrier are in it.
    pub fn on_completed(&mut self, checkpoint_id: CheckpointId) {
        if let Some(call_log) = &mut self.call_log {
            call_log.on_completed(checkpoint_id);
        }
    }

    /// The operator of another version goes on with the state as it is, on probation. What feeds the subtask, and its key groups, stay.
    pub(crate) fn swap(&mut self, Successor { factory, schemas, operator }: Successor) {
        // Its states are what the old one's were, timers and all: another set of them is migrated by a redeployment.
        (self.place.factory, self.place.schemas) = (factory, schemas);
        (self.operator, self.on_probation) = (operator, true);
        let merger = self.place.factory.merger();
        if let Some(state) = self.state.as_deref_mut() {
            state.set_merger(merger);
        }
    }

    /// A new operator of the version that works goes on with the state as it is. What the old one has cost is returned.
    pub fn renew(&mut self) -> Result<Option<u64>, EngineError> {
        let spent = self.operator.fuel_spent();
        self.operator = self.place.make_operator()?;
        self.operator.set_probation(self.on_probation);
        Ok(spent)
    }

    /// While it is on probation every fault is an error: no record is set aside.
    pub fn set_probation(&mut self, on_probation: bool) {
        self.on_probation = on_probation;
        self.operator.set_probation(on_probation);
    }

    /// What all calls of this operator have cost, where that is counted.
    pub fn fuel_spent(&self) -> Option<u64> {
        self.operator.fuel_spent()
    }

    /// Makes its operators, of the version that works.
    pub fn factory(&self) -> &Arc<dyn OperatorFactory> {
        &self.place.factory
    }

    /// The keyed state.
    pub fn keyed_state(&mut self) -> Option<&mut KeyedState> {
        self.state.as_deref_mut()
    }

    /// The broadcast state with its inputs.
    pub fn broadcast(&mut self) -> Option<&mut NodeBroadcast> {
        self.broadcast.as_deref_mut()
    }

    /// What it keeps, and how much it may; `None` where nobody counts.
    pub(super) fn kept(&self) -> Option<KeptState<'_>> {
        let broadcast = self.broadcast.as_ref().map(|broadcast| broadcast.state());
        let allowance = self.state.as_ref().and_then(|state| state.allowance()).or_else(|| broadcast?.allowance())?;
        let keyed_bytes = self.state.as_ref().map_or(0, |state| state.bytes());
        Some(KeptState { allowance, keyed_bytes, broadcast_bytes: broadcast.map_or(0, BroadcastState::bytes) })
    }
}

/// The state that a subtask keeps, as far as it counts.
pub(super) struct KeptState<'a> {
    /// How much it may keep.
    pub(super) allowance: &'a StateAllowance,
    pub(super) keyed_bytes: u64,
    pub(super) broadcast_bytes: u64,
}

#[cfg(test)]
#[path = "subtask_tests.rs"]
mod tests;
