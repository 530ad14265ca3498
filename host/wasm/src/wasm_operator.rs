//! A plugin as an operator of the engine: batches, due timers and windows that fire in, checked effects out, and faults dealt with as the job says.

mod culprit;
mod failures;

use crate::apply::apply;
use crate::effects::Effects;
use crate::engine_reads::EngineReads;
use crate::fault::GuestFault;
use crate::guest::{Answer, CallFailure, CallInput, Guest, GuestCall, KeyedCall, TimerCall, Usage, WindowCall};
use crate::guest_batch::{Cut, GuestBatch};
use crate::limits::OperatorSettings;
use crate::merge::PluginMerger;
use crate::migrate::PluginMigrator;
use crate::narrow::{Narrowing, Part};
use crate::plugin::Plugin;
use crate::state_limits::Weighed;
use crate::work::{Work, WorkOf, due_records, firing_records};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::element::RecordBatch;
use weir_engine::operator::{Component, FiredTimers, Operator, OperatorContext, OperatorDescriptor, OperatorFactory, Subtask};
use weir_engine::state::{BroadcastAccess, FiredWindows, KeyedState, StateKind, StateMerger, StateMigrator, Unwindowed};
use weir_engine::{EngineError, ErrorKind};

/// The limit that lines are dropped for, as a job file names it.
const LOG_LIMIT: &str = "log-bytes-per-second";

/// Makes a [`WasmOperator`] for each subtask.
#[derive(Clone)]
pub struct WasmOperatorFactory {
    plugin: Plugin,
    settings: Arc<OperatorSettings>,
}

impl WasmOperatorFactory {
    /// `plugin` under `settings`. Where these bound its fuel, its code has to count that: it may be compiled anew.
    pub fn new(plugin: Plugin, settings: OperatorSettings) -> Result<Self, EngineError> {
        let plugin = if settings.limits.fuel_per_record.is_some() { plugin.counting_fuel()? } else { plugin };
        Ok(Self { plugin, settings: Arc::new(settings) })
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

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        let merges = !self.plugin.descriptor().merging.is_empty();
        merges.then(|| Arc::new(PluginMerger::new(self.plugin.clone(), &self.settings)) as _)
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
    guest: Guest,
    batch: GuestBatch,
    /// The plugin reads lists or maps, so its calls need the keyed state itself.
    reads_collections: bool,
    /// No record is set aside.
    on_probation: bool,
    quarantined: u64,
    seen: u64,
    /// What of the guest's usage is in the metrics.
    counted: Usage,
}

impl WasmOperator {
    /// Makes the first instance and opens it: a plugin that refuses its config fails here.
    fn new(plugin: Plugin, settings: Arc<OperatorSettings>, subtask: &Subtask, schemas: &[Option<String>]) -> Result<Self, EngineError> {
        let states = &plugin.descriptor().states;
        let reads_collections = states.iter().any(|state| matches!(state.kind, StateKind::List | StateKind::Map));
        let guest = Guest::open(plugin, settings, subtask, schemas)?;
        Ok(Self {
            guest,
            batch: GuestBatch::default(),
            reads_collections,
            on_probation: false,
            quarantined: 0,
            seen: 0,
            counted: Usage::default(),
        })
    }

    /// Works off all of it, and counts what that took.
    fn work(&mut self, work: Work<'_>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let worked = self.work_off(work, context);
        let (before, now) = (std::mem::replace(&mut self.counted, self.guest.usage()), self.guest.usage());
        let metrics = &context.metrics.plugin;
        metrics.recycled.add(now.recycled - before.recycled);
        metrics.fuel.add(now.fuel.unwrap_or(0) - before.fuel.unwrap_or(0));
        metrics.time_ns.add(u64::try_from(now.time.saturating_sub(before.time).as_nanos()).unwrap_or(u64::MAX));
        if before.memory != now.memory {
            metrics.memory.set(self.guest.maker.subtask.index, now.memory);
        }
        // Where an instance did not open, the log that counted them is gone.
        metrics.limits.add(LOG_LIMIT, now.lines_dropped.saturating_sub(before.lines_dropped));
        worked
    }

    /// Works off all of it, narrowing down what fails.
    fn work_off(&mut self, work: Work<'_>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        // A stack: the part in front is the last.
        let mut parts = vec![Part { range: 0..work.records.len(), narrowing: None }];
        let mut tries = 0;
        while let Some(part) = parts.pop() {
            // A guest is not called for nothing; parts below an empty one are still to be done.
            if part.range.is_empty() {
                continue;
            }
            tries = if part.narrowing.is_some() { tries + 1 } else { 0 };
            let end = part.range.end;
            match self.attempt(work, &part, tries, context)? {
                Attempt::Done(done) => {
                    self.seen += done.len() as u64;
                    push_rest(&mut parts, done.end..end, part.narrowing);
                }
                Attempt::SetAside(record) => push_rest(&mut parts, record + 1..end, part.narrowing),
                Attempt::Failed(failed) => {
                    push_rest(&mut parts, failed.tried.range.end..end, part.narrowing);
                    let next = self.narrow(work, failed, context)?;
                    parts.extend(next.into_iter().rev());
                }
            }
        }
        Ok(())
    }

    /// Cuts a batch from the front of `part` and runs it. What of the part is done, or why nothing is.
    fn attempt(&mut self, work: Work<'_>, part: &Part, tries: u32, context: &mut OperatorContext<'_>) -> Result<Attempt, EngineError> {
        let limits = self.guest.limits();
        let state = context.state.as_deref_mut();
        let cut = self.batch.cut(work, part.range.clone(), state, limits.batch_bytes());
        let range = match cut.map_err(|error| self.guest.maker.cut_error(error, work.records))? {
            Cut::Call(range) => range,
            Cut::Nothing(range) => {
                context.state.as_deref_mut().map_or(Ok(()), KeyedState::accept)?;
                return Ok(Attempt::Done(range));
            }
            Cut::Unwindowed(Unwindowed { why, is_beyond_limit, .. }) => {
                let fault = GuestFault::Unwindowed { why, is_beyond_limit };
                fault.limit().into_iter().for_each(|limit| context.metrics.plugin.limits.add(limit, 1));
                return self.refuse(work, part.range.start, fault, context);
            }
        };
        let tried = Part { range, narrowing: part.narrowing };
        let time_per_batch = limits.time_per_batch;
        let deadline = tried.deadline(time_per_batch);
        let answer = self.call(Called { work, range: tried.range.clone(), deadline, fuel_for: tried.fuel_for(), attempt: tries }, context);
        let fresh = answer.fresh;
        let checked = match answer.effects {
            Ok(effects) => weighed(&effects, context).check_keys(self.guest.limits())?.map(|()| effects),
            Err(CallFailure::Guest(fault)) => Err(self.batch.of_records(fault)),
            Err(CallFailure::Operator(error)) => return Err(error),
        };
        match checked {
            Ok(effects) => {
                let fits = weighed(&effects, context).check_subtask();
                fits.inspect_err(|_| context.metrics.plugin.limits.add("state-bytes", 1))?;
                effects.metrics.iter().for_each(|(name, delta)| context.metrics.own.add(name, *delta));
                let (given, range) = self.batch.given(work.records, &tried.range);
                apply(effects, given, &range, context.state.as_deref_mut(), context.broadcast.writable(), context.outputs)?;
                context.state.as_deref_mut().map_or(Ok(()), KeyedState::accept)?;
                Ok(Attempt::Done(tried.range))
            }
            Err(fault) => {
                fault.limit().into_iter().for_each(|limit| context.metrics.plugin.limits.add(limit, 1));
                // An instance that faulted is never called again.
                self.guest.discard();
                context.state.as_deref_mut().map_or(Ok(()), KeyedState::reject)?;
                let had_all = tried.had_all(&fault, time_per_batch);
                Ok(Attempt::Failed(Failed { tried, fault, fresh, had_all }))
            }
        }
    }

    /// One call of the guest. Where it may read collections, the engine's state is behind its host calls meanwhile.
    fn call(&mut self, called: Called<'_>, context: &mut OperatorContext<'_>) -> Answer {
        let lends_keyed = self.reads_collections && context.state.is_some();
        if let Some(state) = context.state.as_deref().filter(|_| lends_keyed) {
            self.batch.copy_keys(state);
        }
        let broadcast = context.broadcast.readable();
        let lends = lends_keyed || broadcast.is_some();
        let reads = lends.then(|| EngineReads::lend(context.state.as_deref_mut().filter(|_| lends_keyed), broadcast));
        let batch = &self.batch;
        let states = &batch.states;
        let keyed = match context.state.as_deref() {
            Some(_) if lends_keyed => {
                Some(KeyedCall { keys: &batch.keys, key_of: &batch.key_of, states, windows: batch.windows.as_deref() })
            }
            Some(state) => Some(KeyedCall { keys: state.keys(), key_of: state.key_of(), states, windows: state.windows() }),
            None => None,
        };
        let Called { work, range, deadline, fuel_for, attempt } = called;
        let (records, watermark, processing_time) = (work.records, context.watermark, context.processing_time);
        let mut answer = match work.of {
            WorkOf::Records => {
                let is_broadcast = matches!(context.broadcast, BroadcastAccess::Write(_));
                let other = if is_broadcast { CallInput::Broadcast } else { CallInput::Other };
                let (input_number, input) = (work.input, keyed.map_or(other, CallInput::Keyed));
                let (records, range) = batch.given(records, &range);
                let call = GuestCall { input_number, input, records, range, watermark, processing_time, deadline, fuel_for, attempt };
                self.guest.process(&call, reads)
            }
            WorkOf::Timers(timers) => {
                let keyed = keyed.expect("timers bring their keys' state");
                let call = TimerCall { due: records, timers, range, keyed, watermark, processing_time, deadline, fuel_for, attempt };
                self.guest.on_timers(&call, reads)
            }
            WorkOf::Windows(fired) => {
                let call = WindowCall { records, fired, range, states, watermark, processing_time, deadline, fuel_for, attempt };
                self.guest.on_windows(&call, reads)
            }
        };
        if let Some(reads) = answer.reads.take() {
            EngineReads::give_back(reads, context.state.as_deref_mut());
        }
        answer
    }
}

impl Operator for WasmOperator {
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.work(Work { input, records: batch, of: WorkOf::Records }, context)
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let declared = self.guest.descriptor().timers.len();
        if let Some(timer) = fired.timers().iter().find(|&&timer| timer as usize >= declared) {
            let message = format!("{}: timer {timer} is due, but {declared} are declared", self.guest.maker.place());
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("the version of the plugin that set it declares it"));
        }
        self.work(Work { input: 0, records: &Arc::new(due_records(fired)), of: WorkOf::Timers(fired.timers()) }, context)
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.work(Work { input: 0, records: &Arc::new(firing_records(fired)), of: WorkOf::Windows(fired) }, context)
    }

    fn set_probation(&mut self, on_probation: bool) {
        self.on_probation = on_probation;
    }

    /// Instructions of all instances so far, `open` included, where the engine counts fuel.
    fn fuel_spent(&self) -> Option<u64> {
        self.guest.fuel_spent()
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
    /// This record has been set aside without a call.
    SetAside(usize),
    /// Nothing has happened.
    Failed(Failed),
}

/// A call that came to nothing.
struct Failed {
    tried: Part,
    fault: GuestFault,
    /// Its instance had worked on nothing before.
    fresh: bool,
    /// See [`Part::had_all`].
    had_all: bool,
}

/// What one call is about.
struct Called<'a> {
    work: Work<'a>,
    range: Range<usize>,
    deadline: Duration,
    fuel_for: usize,
    attempt: u32,
}

/// Effects beside the state that they are to change.
fn weighed<'a>(effects: &'a Effects, context: &'a OperatorContext<'_>) -> Weighed<'a> {
    Weighed { effects, keyed: context.state.as_deref(), broadcast: context.broadcast.readable() }
}
