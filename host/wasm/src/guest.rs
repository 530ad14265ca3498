//! The seam: one guest, driven by whoever has batches for it and holds its state.
//!
//! In go records, timers that are due or windows that fire, their keys, the keys' values and the time; out come checked effects. Nothing here knows of tasks,
//! channels, metrics or of where state is kept; what a guest reads in the middle of a call goes through [`CollectionReads`]. [`WasmOperator`](crate::WasmOperator) drives it for
//! the engine, which cuts batches, narrows those that fail, and applies what comes back.
//!
//! Invariants: a call that ends in a failure has no effect; an instance that failed is dropped, and the next call opens a new one.

use crate::bindings::exports::weir::operator::guest as wit;
use crate::effects::{Called, Effects, Given};
use crate::fault::GuestFault;
use crate::guest_log::GuestLog;
use crate::guest_maker::GuestMaker;
use crate::host_state::Lent;
use crate::instance::{Allowed, GuestInstance};
use crate::limits::{Limits, OperatorSettings};
use crate::lowered::{Lowered, lent_states, lent_values, timer_batch};
use crate::plugin::Plugin;
use crate::reads::CollectionReads;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::EngineError;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::operator::{OperatorDescriptor, Subtask};
use weir_engine::state::{FiredWindows, StateDescriptor, Window};

/// One subtask of a plugin, without what runs it. An instance that has grown beyond `recycle-memory` is replaced between two calls: an instance keeps nothing
/// that matters, and what an interpreter never gives back would fail a call in the end.
pub struct Guest {
    pub(crate) maker: GuestMaker,
    /// `None` after a failure and where one has grown too large, until the next call.
    instance: Option<GuestInstance>,
    states: Arc<[StateDescriptor]>,
    lowered: Lowered,
    /// How many instances were replaced because they had grown.
    recycled: u64,
}

/// What a subtask's guest has used so far, all of its instances together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instances that were replaced between two calls because they had grown beyond `recycle-memory`.
    pub recycled: u64,
    /// Fuel, `open` included, where it is counted.
    pub fuel: Option<u64>,
    /// How long its calls have taken, what they asked of the host included.
    pub time: Duration,
    /// Bytes of the memories and tables of the instance that there is.
    pub memory: u64,
    /// Lines that it wanted to log beyond its share.
    pub lines_dropped: u64,
}

/// One call of `process`.
pub struct GuestCall<'a> {
    /// The number of the input that the records came from.
    pub input_number: u32,
    /// How it is fed, and what that brings with it.
    pub input: CallInput<'a>,
    /// The batch that holds the records.
    pub records: &'a RecordBatch,
    /// Which records of the batch the guest is given, one at least.
    pub range: Range<usize>,
    /// Event time up to which the input is complete, ms; `i64::MIN`: none yet.
    pub watermark: i64,
    /// Milliseconds since the Unix epoch.
    pub processing_time: i64,
    /// The time that the call may take.
    pub deadline: Duration,
    /// For how many records, timers or firings its fuel is reckoned, where it is.
    pub fuel_for: usize,
    /// How often these records have been tried before; it marks the guest's log lines.
    pub attempt: u32,
}

/// One call of `on-timers`.
pub struct TimerCall<'a> {
    /// The timers as records: of each the key and, as the record's time, when it was due ([`due_records`](crate::due_records)). What their effects inherit
    /// is theirs.
    pub due: &'a RecordBatch,
    /// For each of them the number of the declared timer.
    pub timers: &'a [u32],
    /// Which of them the guest is given, one at least; of a key those of one time.
    pub range: Range<usize>,
    /// The keys of these, and their state.
    pub keyed: KeyedCall<'a>,
    /// Event time, ms; `i64::MIN`: none yet.
    pub watermark: i64,
    /// Milliseconds since the Unix epoch.
    pub processing_time: i64,
    /// The time that the call may take.
    pub deadline: Duration,
    /// For how many records, timers or firings its fuel is reckoned, where it is.
    pub fuel_for: usize,
    /// How often these timers have been tried before.
    pub attempt: u32,
}

/// One call of `on-windows`.
pub struct WindowCall<'a> {
    /// The firings as records: of each the key and, as the record's time, that of what comes of it ([`firing_records`](crate::firing_records)). What their
    /// effects inherit is theirs.
    pub records: &'a RecordBatch,
    /// The windows that fire.
    pub fired: &'a FiredWindows,
    /// Which of them the guest is given, one at least; none of them twice.
    pub range: Range<usize>,
    /// For each declared state the values of these windows, by the firings' indexes in the range.
    pub states: &'a [KeyedValues],
    /// Event time, ms; `i64::MIN`: none yet.
    pub watermark: i64,
    /// Milliseconds since the Unix epoch.
    pub processing_time: i64,
    /// The time that the call may take.
    pub deadline: Duration,
    /// For how many records, timers or firings its fuel is reckoned, where it is.
    pub fuel_for: usize,
    /// How often these firings have been tried before.
    pub attempt: u32,
}

/// How an input is fed.
#[derive(Clone, Copy)]
pub enum CallInput<'a> {
    /// By key: the keys' state may be read and changed.
    Keyed(KeyedCall<'a>),
    /// To every subtask: broadcast state may be changed.
    Broadcast,
    /// Otherwise.
    Other,
}

/// The keys of a call and what is kept of them.
#[derive(Clone, Copy)]
pub struct KeyedCall<'a> {
    /// The distinct keys of the call's records.
    pub keys: &'a Column,
    /// For each of these records the index of its key.
    pub key_of: &'a [u32],
    /// For each declared state its values; without any where it is no value state.
    pub states: &'a [KeyedValues],
    /// For each of the keys the window that it stands for, where there are windows whose bounds are known: a key that comes again is in another one.
    pub windows: Option<&'a [Window]>,
}

/// The values of a state, of the keys that have one.
#[derive(Clone, Debug, Default)]
pub struct KeyedValues {
    /// The keys' indexes, ascending.
    pub keys: Vec<u32>,
    /// A value for each.
    pub values: Column,
}

/// What a call came to.
pub struct Answer {
    /// Its effects, or why there are none.
    pub effects: Result<Effects, CallFailure>,
    /// What was lent for the time of the call.
    pub reads: Option<Box<dyn CollectionReads>>,
    /// It was the first call of its instance.
    pub fresh: bool,
}

/// Why a call has no effects.
#[derive(Debug)]
pub enum CallFailure {
    /// The guest did wrong.
    Guest(GuestFault),
    /// State could not be read, or no new instance opened: no record is to blame.
    Operator(EngineError),
}

impl Guest {
    /// Makes the first instance and opens it: a plugin that refuses its config fails here. What `settings` say of failures is for the driver.
    pub fn open(
        plugin: Plugin,
        settings: Arc<OperatorSettings>,
        subtask: &Subtask,
        schemas: &[Option<String>],
    ) -> Result<Self, EngineError> {
        let states = plugin.descriptor().states.clone().into();
        let mut maker = GuestMaker {
            plugin,
            settings,
            subtask: subtask.clone(),
            schemas: schemas.to_vec(),
            fuel_spent: 0,
            time_spent: Duration::ZERO,
            log: None,
        };
        let instance = Some(maker.open()?);
        Ok(Self { maker, instance, states, lowered: Lowered::default(), recycled: 0 })
    }

    /// What the plugin declares.
    pub fn descriptor(&self) -> &OperatorDescriptor {
        self.maker.plugin.descriptor()
    }

    /// The bounds on its calls.
    pub fn limits(&self) -> &Limits {
        &self.maker.settings.limits
    }

    /// One batch. Without `reads` the guest's reads of lists, maps and broadcast state trap.
    pub fn process(&mut self, call: &GuestCall<'_>, reads: Option<Box<dyn CollectionReads>>) -> Answer {
        let context = wit::Context { input: call.input_number, watermark: call.watermark, processing_time: call.processing_time };
        let given = Given::Records { broadcast: matches!(call.input, CallInput::Broadcast) };
        let of = CallOf { given, keys: call.keys(), records: call.records, range: &call.range };
        let allowed = self.allowed(call.deadline, call.fuel_for);
        self.enter(of, reads, |instance, lowered| {
            let states = lent_states(&call.input);
            instance.process(allowed, call.attempt, context, lowered.batch(call, &states))
        })
    }

    /// Timers that are due. Without `reads` the guest's reads of lists, maps and broadcast state trap.
    pub fn on_timers(&mut self, call: &TimerCall<'_>, reads: Option<Box<dyn CollectionReads>>) -> Answer {
        let context = wit::Context { input: 0, watermark: call.watermark, processing_time: call.processing_time };
        let of = CallOf { given: Given::Timers, keys: Some(call.keyed.keys.len()), records: call.due, range: &call.range };
        let allowed = self.allowed(call.deadline, call.fuel_for);
        self.enter(of, reads, |instance, _| {
            let states = lent_states(&CallInput::Keyed(call.keyed));
            instance.on_timers(allowed, call.attempt, context, timer_batch(call, &states))
        })
    }

    /// Windows that fire. Without `reads` the guest's reads of lists, maps and broadcast state trap.
    pub fn on_windows(&mut self, call: &WindowCall<'_>, reads: Option<Box<dyn CollectionReads>>) -> Answer {
        let context = wit::Context { input: 0, watermark: call.watermark, processing_time: call.processing_time };
        let of = CallOf { given: Given::Windows, keys: Some(call.range.len()), records: call.records, range: &call.range };
        let allowed = self.allowed(call.deadline, call.fuel_for);
        self.enter(of, reads, |instance, lowered| {
            let states = lent_values(call.states);
            instance.on_windows(allowed, call.attempt, context, lowered.windows(call, &states))
        })
    }

    fn enter(
        &mut self,
        of: CallOf<'_>,
        reads: Option<Box<dyn CollectionReads>>,
        call: impl FnOnce(&mut GuestInstance, &mut Lowered) -> Result<wit::Effects, GuestFault>,
    ) -> Answer {
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => match self.maker.open() {
                Ok(opened) => none.insert(opened),
                Err(error) => return Answer { effects: Err(CallFailure::Operator(error)), reads, fresh: true },
            },
        };
        let fresh = instance.calls == 0;
        instance.lend(reads.map(|reads| Lent { reads, states: self.states.clone(), keys: of.keys }));
        let returned = call(instance, &mut self.lowered);
        let (reads, unreadable) = instance.take_back();
        let effects = match unreadable {
            Some(error) => Err(CallFailure::Operator(error.context(self.maker.place()))),
            None => returned.and_then(|effects| self.checked(effects, of)).map_err(CallFailure::Guest),
        };
        let outgrown = self.instance.as_ref().is_some_and(|instance| instance.has_outgrown(self.limits().recycle_memory()));
        if effects.is_err() {
            self.discard();
        } else if outgrown {
            self.recycled += 1;
            self.discard();
        }
        Answer { effects, reads, fresh }
    }

    /// What a call may take whose fuel is reckoned for so many records, timers or firings.
    fn allowed(&self, time: Duration, fuel_for: usize) -> Allowed {
        let fuel = self.limits().fuel_per_record.map(|each| each.saturating_mul(fuel_for as u64));
        Allowed { time, fuel }
    }

    fn checked(&self, effects: wit::Effects, CallOf { given, keys, records, range }: CallOf<'_>) -> Result<Effects, GuestFault> {
        let called = Called { descriptor: self.descriptor(), limits: self.limits(), count: range.len(), given, keys };
        Effects::check(effects, &called)?.within(records, range, self.limits())
    }

    /// Drops the instance, for a driver that refuses what it returned: it is never called again, and the next call opens a new one.
    pub fn discard(&mut self) {
        self.instance.take().into_iter().for_each(|instance| self.maker.retire(instance));
    }

    /// The time that its calls have taken, by the engine's clock: real time, or that which fuel stands for.
    pub fn now(&self) -> Duration {
        self.maker.now(self.fuel_of_instance())
    }

    /// Instructions of all instances so far, `open` included, where the engine counts fuel.
    pub fn fuel_spent(&self) -> Option<u64> {
        self.maker.fuel_spent(self.fuel_of_instance())
    }

    /// What has been used so far.
    pub fn usage(&self) -> Usage {
        let of_instance = self.instance.as_ref().map(GuestInstance::lines_dropped);
        let lines_dropped = of_instance.or_else(|| self.maker.log.as_ref().map(GuestLog::dropped_in_all)).unwrap_or(0);
        let time = self.maker.time_spent + self.instance.as_ref().map_or(Duration::ZERO, |instance| instance.time_spent);
        let memory = self.instance.as_ref().map_or(0, GuestInstance::memory);
        Usage { recycled: self.recycled, fuel: self.fuel_spent(), time, memory, lines_dropped }
    }

    fn fuel_of_instance(&self) -> u64 {
        self.instance.as_ref().map_or(0, |instance| instance.fuel_spent)
    }
}

/// What the effects of a call are checked against.
#[derive(Clone, Copy)]
struct CallOf<'a> {
    given: Given,
    /// Number of distinct keys; `None`: the input is not keyed.
    keys: Option<usize>,
    /// What made records inherit from, and which of it the call was given.
    records: &'a RecordBatch,
    range: &'a Range<usize>,
}

impl GuestCall<'_> {
    /// Number of distinct keys; `None`: the input is not keyed.
    fn keys(&self) -> Option<usize> {
        match &self.input {
            CallInput::Keyed(keyed) => Some(keyed.keys.len()),
            CallInput::Broadcast | CallInput::Other => None,
        }
    }
}
