//! A plugin as an operator of the engine: batches in, checked effects out, and faults dealt with as the job says.

use crate::apply::apply;
use crate::bindings::exports::weir::operator::guest as wit;
use crate::effects::{Called, Effects};
use crate::fault::GuestFault;
use crate::guest_batch::GuestBatch;
use crate::guest_maker::GuestMaker;
use crate::instance::GuestInstance;
use crate::limits::{Limits, OnFailure, QuarantineLimit};
use crate::migrate::PluginMigrator;
use crate::narrow::{Narrowing, Next, Part, budget, next};
use crate::plugin::Plugin;
use crate::quarantine::report;
use crate::state_limits::Weighed;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::element::RecordBatch;
use weir_engine::operator::{Component, Operator, OperatorContext, OperatorDescriptor, OperatorFactory, QUARANTINE_OUTPUT, Subtask};
use weir_engine::state::{BroadcastAccess, KeyedState, StateKind, StateMigrator};
use weir_engine::{EngineError, ErrorKind};

/// How one operator of a job runs its plugin.
#[derive(Clone, Debug)]
pub struct OperatorSettings {
    /// The operator's id in the job file.
    pub operator: String,
    /// JSON for the plugin's `open`.
    pub config: String,
    /// Bounds on the guest.
    pub limits: Limits,
    /// What becomes of records that it fails on.
    pub on_failure: OnFailure,
}

/// Makes a [`WasmOperator`] for each subtask.
#[derive(Clone)]
pub struct WasmOperatorFactory {
    plugin: Plugin,
    settings: Arc<OperatorSettings>,
}

impl WasmOperatorFactory {
    /// `plugin` under `settings`.
    pub fn new(plugin: Plugin, settings: OperatorSettings) -> Self {
        Self { plugin, settings: Arc::new(settings) }
    }
}

impl OperatorFactory for WasmOperatorFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        self.plugin.descriptor()
    }

    fn component(&self) -> Option<&Component> {
        Some(self.plugin.component())
    }

    fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        Some(Arc::new(PluginMigrator::new(self.plugin.clone(), self.settings.limits.clone())))
    }

    fn state_bytes(&self) -> Option<u64> {
        self.settings.limits.state_bytes
    }

    fn create(&self, subtask: &Subtask, schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(WasmOperator::new(self.plugin.clone(), self.settings.clone(), subtask, schemas)?))
    }
}

/// One subtask of a plugin.
pub struct WasmOperator {
    guest: GuestMaker,
    /// `None` after a fault, until the next call.
    instance: Option<GuestInstance>,
    batch: GuestBatch,
    /// The plugin reads lists or maps, so its calls need the keyed state itself.
    reads_collections: bool,
    /// No record is set aside.
    on_probation: bool,
    quarantined: u64,
    seen: u64,
}

impl WasmOperator {
    /// Makes the first instance and opens it: a plugin that refuses its config fails here.
    fn new(plugin: Plugin, settings: Arc<OperatorSettings>, subtask: &Subtask, schemas: &[Option<String>]) -> Result<Self, EngineError> {
        let states = &plugin.descriptor().states;
        let reads_collections = states.iter().any(|state| matches!(state.kind, StateKind::List | StateKind::Map));
        let mut guest = GuestMaker { plugin, settings, subtask: subtask.clone(), schemas: schemas.to_vec(), fuel_spent: 0, log: None };
        let instance = Some(guest.open()?);
        let batch = GuestBatch::default();
        Ok(Self { guest, instance, batch, reads_collections, on_probation: false, quarantined: 0, seen: 0 })
    }

    /// Cuts a batch from the front of `part` and runs it. What of the part is done, or why nothing is.
    fn attempt(
        &mut self,
        input: u32,
        records: &RecordBatch,
        part: &Part,
        tries: u32,
        context: &mut OperatorContext<'_>,
    ) -> Result<Attempt, EngineError> {
        let settings = self.guest.settings.clone();
        let limits = &settings.limits;
        let state = context.state.as_deref_mut();
        let cut = self
            .batch
            .cut(records, part.range.clone(), state, limits.batch_bytes())
            .map_err(|error| self.guest.cut_error(error, records))?;
        let tried = Part { range: cut, narrowing: part.narrowing };
        let deadline = tried.deadline(limits.time_per_batch);
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => none.insert(self.guest.open()?),
        };
        let fresh = instance.calls == 0;
        let wit_context = wit::Context { input, watermark: context.watermark, processing_time: context.processing_time };
        let batch = (&mut self.batch, records, &tried.range);
        if let Some(broadcast) = context.broadcast.readable() {
            instance.lend_broadcast(broadcast.clone());
        }
        let returned = call(instance, (deadline, tries, wit_context), batch, context.state.as_deref_mut(), self.reads_collections);
        if let Some(error) = instance.take_state_failure() {
            return Err(error.context(self.guest.place()));
        }
        let keys = context.state.as_ref().map(|state| state.keys().len());
        let broadcast = matches!(context.broadcast, BroadcastAccess::Write(_));
        let called = Called { descriptor: self.guest.plugin.descriptor(), limits, records: tried.range.len(), keys, broadcast };
        let mut checked = returned.and_then(|effects| Effects::check(effects, &called)?.within(records, &tried.range, limits));
        if let Ok(effects) = &checked {
            let weighed = Weighed { effects, keyed: context.state.as_deref(), broadcast: context.broadcast.readable() };
            if let Err(fault) = weighed.check_keys(limits)? {
                checked = Err(fault);
            }
        }
        match checked {
            Ok(effects) => {
                let weighed = Weighed { effects: &effects, keyed: context.state.as_deref(), broadcast: context.broadcast.readable() };
                weighed.check_subtask()?;
                effects.metrics.iter().for_each(|(name, delta)| context.metrics.own.add(name, *delta));
                apply(effects, records, &tried.range, context.state.as_deref_mut(), context.broadcast.writable(), context.outputs)?;
                Ok(Attempt::Done(tried.range))
            }
            Err(fault) => {
                // An instance that faulted is never called again.
                self.instance.take().into_iter().for_each(|instance| self.guest.retire(instance));
                Ok(Attempt::Failed { tried, fault, fresh, had_all_time: deadline >= limits.time_per_batch })
            }
        }
    }

    /// Time that has passed, for the budget of narrowing.
    fn now(&self) -> Duration {
        self.guest.now(self.instance.as_ref().map_or(0, |instance| instance.fuel_spent))
    }

    /// What to try after a fault, or the error that fails the task.
    fn narrow(
        &mut self,
        records: &RecordBatch,
        (tried, fault): (Part, GuestFault),
        (fresh, had_all_time): (bool, bool),
        context: &mut OperatorContext<'_>,
    ) -> Result<Vec<Part>, EngineError> {
        let quarantine = match self.guest.settings.on_failure {
            OnFailure::Quarantine { limit } if !self.on_probation => Some(limit),
            OnFailure::Quarantine { .. } | OnFailure::Fail => None,
        };
        let Some(limit) = quarantine else {
            let place = self.guest.place_of(&fault, records, &tried.range);
            let error = fault.into_error(place, self.guest.plugin_named());
            let hint = "`on-failure = \"quarantine\"` of the operator sets such a record aside and goes on";
            return Err(if self.on_probation { error } else { error.with_hint(hint) });
        };
        let now = self.now();
        match next(&tried, &fault, fresh, had_all_time, now) {
            // What has been found out counts, however long it took.
            Next::SetAside => {
                self.set_aside(records, tried.range.start, &fault, limit, context)?;
                Ok(Vec::new())
            }
            Next::Parts(parts) => {
                let budget = budget(self.guest.settings.limits.time_per_batch);
                if tried.narrowing.is_some_and(|narrowing| now.saturating_sub(narrowing.since) > budget) {
                    let place = self.guest.place();
                    let attempted = format!("{place}: gave up after {budget:?} of narrowing a batch down to its bad records");
                    return Err(fault.into_error(attempted, self.guest.plugin_named()));
                }
                Ok(parts)
            }
        }
    }

    fn set_aside(
        &mut self,
        records: &RecordBatch,
        record: usize,
        fault: &GuestFault,
        limit: QuarantineLimit,
        context: &mut OperatorContext<'_>,
    ) -> Result<(), EngineError> {
        let operator = self.guest.settings.operator.as_str();
        let plugin = self.guest.plugin_named();
        tracing::warn!(operator, subtask = self.guest.subtask.index, plugin, fault = %fault, "record quarantined");
        let from = (operator, self.guest.subtask.index, &*plugin);
        context.outputs.push((QUARANTINE_OUTPUT, report(from, records, record, fault).into()));
        context.metrics.quarantined.add(1);
        self.quarantined += 1;
        self.seen += 1;
        self.check_limit(limit)
    }

    fn check_limit(&self, limit: QuarantineLimit) -> Result<(), EngineError> {
        if !limit.exceeded(self.quarantined, self.seen) {
            return Ok(());
        }
        let message = limit.exceeded_message(&self.guest.place(), self.quarantined, self.seen);
        let hint = "up to the last complete checkpoint the records and their errors are in the operator's quarantine output; mend the plugin or the input";
        Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint).from_guest())
    }
}

impl Operator for WasmOperator {
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        // A stack: the part in front is the last.
        let mut parts = vec![Part { range: 0..batch.len(), narrowing: None }];
        let mut tries = 0;
        while let Some(part) = parts.pop() {
            // A guest is not called for nothing; parts below an empty one are still to be done.
            if part.range.is_empty() {
                continue;
            }
            tries = if part.narrowing.is_some() { tries + 1 } else { 0 };
            let end = part.range.end;
            match self.attempt(input, batch, &part, tries, context)? {
                Attempt::Done(done) => {
                    self.seen += done.len() as u64;
                    push_rest(&mut parts, done.end..end, part.narrowing);
                }
                Attempt::Failed { tried, fault, fresh, had_all_time } => {
                    push_rest(&mut parts, tried.range.end..end, part.narrowing);
                    let next = self.narrow(batch, (tried, fault), (fresh, had_all_time), context)?;
                    parts.extend(next.into_iter().rev());
                }
            }
        }
        Ok(())
    }

    fn set_probation(&mut self, on_probation: bool) {
        self.on_probation = on_probation;
    }

    /// Instructions of all instances so far, `open` included, where the engine counts fuel.
    fn fuel_spent(&self) -> Option<u64> {
        self.guest.fuel_spent(self.instance.as_ref().map_or(0, |instance| instance.fuel_spent))
    }
}

fn push_rest(parts: &mut Vec<Part>, rest: Range<usize>, narrowing: Option<Narrowing>) {
    if !rest.is_empty() {
        parts.push(Part { range: rest, narrowing });
    }
}

/// How one call ended.
enum Attempt {
    /// These records are done and their effects applied.
    Done(Range<usize>),
    /// Nothing has happened.
    Failed { tried: Part, fault: GuestFault, fresh: bool, had_all_time: bool },
}

/// One call of the guest. Where it may read collections, the keyed state is in its store for the time of the call.
fn call(
    instance: &mut GuestInstance,
    (deadline, tries, context): (Duration, u32, wit::Context),
    (batch, records, cut): (&mut GuestBatch, &RecordBatch, &Range<usize>),
    state: Option<&mut KeyedState>,
    reads_collections: bool,
) -> Result<wit::Effects, GuestFault> {
    match state {
        None => instance.process(deadline, tries, context, batch.unkeyed(records, cut)),
        Some(state) if reads_collections => {
            batch.copy_keys(state);
            let states = batch.states();
            instance.lend(std::mem::replace(state, KeyedState::placeholder()));
            let returned = instance.process(deadline, tries, context, batch.with_copied_keys(records, cut, &states));
            *state = instance.take_back();
            returned
        }
        Some(state) => {
            let states = batch.states();
            instance.process(deadline, tries, context, batch.keyed(records, cut, (state.keys(), state.key_of()), &states))
        }
    }
}
