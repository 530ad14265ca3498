//! One live guest: its store, its exports, and the one way in.
//!
//! Invariants: a deadline is set before every entry; an instance that faulted is never entered again (its owner drops it).

use crate::bindings::exports::weir::operator::guest as wit;
use crate::bindings::weir::operator::types::ColumnParam;
use crate::bindings::{Operator, OperatorPre};
use crate::engine::{EngineMode, WasmEngine};
use crate::fault::{GuestFault, MESSAGE_BYTES};
use crate::guest_log::GuestLog;
use crate::guest_text::{printable, printable_message, printable_trace};
use crate::host_state::{HostState, Lent, Phase};
use crate::limits::Limits;
use crate::reads::CollectionReads;
use std::time::Duration;
use wasmtime::{Store, Trap, WasmBacktrace};
use weir_engine::EngineError;

/// A guest that has been instantiated.
pub(crate) struct GuestInstance {
    store: Store<HostState>,
    operator: Operator,
    engine: WasmEngine,
    /// Calls of `process`, `on-timers` and `on-windows` so far.
    pub(crate) calls: u64,
    /// What all entries have used, where fuel is counted.
    pub(crate) fuel_spent: u64,
    /// How long all entries have taken, host calls within them included.
    pub(crate) time_spent: Duration,
    /// The memory that it had once it was opened, or made where it is not opened.
    opened_with: u64,
}

/// What one entry may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) time: Duration,
    /// Fuel, where it is bounded and counted.
    pub(crate) fuel: Option<u64>,
}

impl From<Duration> for Allowed {
    fn from(time: Duration) -> Self {
        Self { time, fuel: None }
    }
}

impl GuestInstance {
    /// Makes a store and an instance in it: some 10 µs.
    pub(crate) fn new(engine: &WasmEngine, pre: &OperatorPre<HostState>, limits: &Limits, log: GuestLog) -> Result<Self, GuestFault> {
        let mut store = Store::new(&engine.engine, HostState::new(limits, log));
        store.limiter(|state| &mut state.memory);
        // Bounds what lifting a result may copy out of the guest.
        store.set_hostcall_fuel(usize::try_from(limits.output_bytes).unwrap_or(usize::MAX));
        let given = begin_entry(&mut store, engine.mode, limits.time_per_batch.into());
        let instantiated = pre.instantiate(&mut store);
        let fuel_spent = given.spent(&store);
        match instantiated {
            Ok(operator) => {
                let opened_with = store.data().memory.used();
                Ok(Self { store, operator, engine: engine.clone(), calls: 0, fuel_spent, time_spent: Duration::ZERO, opened_with })
            }
            Err(error) => Err(classify(&error, store.data(), given, limits.output_bytes)),
        }
    }

    /// What the guest says of itself.
    pub(crate) fn describe(&mut self, deadline: Duration) -> Result<wit::Descriptor, GuestFault> {
        self.enter(Phase::Describe, deadline.into(), |guest, store| guest.call_describe(store))
    }

    /// Hands the guest its config. An error is its refusal.
    pub(crate) fn open(
        &mut self,
        deadline: Duration,
        config: &str,
        schemas: &[Option<&str>],
        subtask: wit::Subtask,
    ) -> Result<(), GuestFault> {
        self.store.data_mut().log.reopen();
        let opened = self.enter(Phase::Open, deadline.into(), |guest, store| guest.call_open(store, config, schemas, subtask))?;
        self.opened_with = self.store.data().memory.used();
        opened.map_err(|message| GuestFault::OpenFailed { message: printable_message(&message, MESSAGE_BYTES) })
    }

    /// One batch.
    pub(crate) fn process(
        &mut self,
        allowed: Allowed,
        attempt: u32,
        context: wit::Context,
        batch: wit::Batch<'_>,
    ) -> Result<wit::Effects, GuestFault> {
        self.begin(attempt, &context);
        let returned = self.enter(Phase::Process, allowed, |guest, store| guest.call_process(store, context, batch));
        returned?
            .map_err(|failure| GuestFault::Failure { record: failure.cause, message: printable_message(&failure.message, MESSAGE_BYTES) })
    }

    /// Timers that are due.
    pub(crate) fn on_timers(
        &mut self,
        allowed: Allowed,
        attempt: u32,
        context: wit::Context,
        fired: wit::TimerBatch<'_>,
    ) -> Result<wit::Effects, GuestFault> {
        self.begin(attempt, &context);
        let returned = self.enter(Phase::OnTimers, allowed, |guest, store| guest.call_on_timers(store, context, fired));
        returned?.map_err(|failure| GuestFault::TimerFailure {
            timer: failure.cause,
            message: printable_message(&failure.message, MESSAGE_BYTES),
        })
    }

    /// Windows that fire.
    pub(crate) fn on_windows(
        &mut self,
        allowed: Allowed,
        attempt: u32,
        context: wit::Context,
        fired: wit::WindowBatch<'_>,
    ) -> Result<wit::Effects, GuestFault> {
        self.begin(attempt, &context);
        let returned = self.enter(Phase::OnWindows, allowed, |guest, store| guest.call_on_windows(store, context, fired));
        returned?.map_err(|failure| GuestFault::WindowFailure {
            firing: failure.cause,
            message: printable_message(&failure.message, MESSAGE_BYTES),
        })
    }

    /// Notes a call of the guest, and marks its log lines.
    fn begin(&mut self, attempt: u32, context: &wit::Context) {
        self.calls += 1;
        let log = &mut self.store.data_mut().log;
        log.begin(context.processing_time);
        log.attempt = attempt;
    }

    /// Old values of a state to its declared version.
    pub(crate) fn migrate(
        &mut self,
        deadline: Duration,
        state: u32,
        from: u32,
        values: ColumnParam<'_>,
    ) -> Result<wit::ColumnResult, GuestFault> {
        self.enter(Phase::Migrate, deadline.into(), |guest, store| guest.call_migrate(store, state, from, values))?
            .map_err(|message| GuestFault::Failure { record: None, message: printable_message(&message, MESSAGE_BYTES) })
    }

    /// Values of a state, of windows that become one: for each pair the value of both.
    pub(crate) fn merge(
        &mut self,
        deadline: Duration,
        state: u32,
        earlier: ColumnParam<'_>,
        later: ColumnParam<'_>,
    ) -> Result<wit::ColumnResult, GuestFault> {
        self.enter(Phase::Merge, deadline.into(), |guest, store| guest.call_merge(store, state, earlier, later))?
            .map_err(|message| GuestFault::Failure { record: None, message: printable_message(&message, MESSAGE_BYTES) })
    }

    /// Bytes of its linear memories and tables.
    pub(crate) fn memory(&self) -> u64 {
        self.store.data().memory.used()
    }

    /// Whether it has grown beyond `bytes` of memory. What a guest does not give back adds up; one that has begun with more than that is as it has to be.
    pub(crate) fn has_outgrown(&self, bytes: u64) -> bool {
        let used = self.store.data().memory.used();
        used > bytes && used > self.opened_with
    }

    /// Lines that could not be logged, of all instances that have logged to the same place.
    pub(crate) fn lines_dropped(&self) -> u64 {
        self.store.data().log.dropped_in_all()
    }

    /// Drops it, but for where it logs.
    pub(crate) fn into_log(self) -> GuestLog {
        self.store.into_data().log
    }

    /// Lends the guest's host calls what they may read, until [`GuestInstance::take_back`].
    pub(crate) fn lend(&mut self, lent: Option<Lent>) {
        self.store.data_mut().lent = lent;
    }

    /// What was lent, and why something could not be read of it.
    pub(crate) fn take_back(&mut self) -> (Option<Box<dyn CollectionReads>>, Option<EngineError>) {
        let state = self.store.data_mut();
        (state.lent.take().map(|lent| lent.reads), state.unreadable.take())
    }

    fn enter<T>(
        &mut self,
        phase: Phase,
        allowed: Allowed,
        call: impl FnOnce(&wit::Guest, &mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Result<T, GuestFault> {
        let state = self.store.data_mut();
        state.phase = phase;
        state.memory.forget_refusals();
        state.clock_reads = 0;
        state.written.clear();
        let given = begin_entry(&mut self.store, self.engine.mode, allowed);
        let began = self.engine.ticker.elapsed();
        let result = call(self.operator.weir_operator_guest(), &mut self.store);
        self.time_spent += self.engine.ticker.elapsed().saturating_sub(began);
        self.fuel_spent += given.spent(&self.store);
        result.map_err(|error| {
            let output_bytes = self.store.hostcall_fuel() as u64;
            classify(&error, self.store.data(), given, output_bytes)
        })
    }
}

/// What an entry has been given.
#[derive(Clone, Copy)]
struct Given {
    allowed: Allowed,
    /// Where fuel is counted.
    fuel: Option<u64>,
}

impl Given {
    /// Fuel that has been used since.
    fn spent(self, store: &Store<HostState>) -> u64 {
        self.fuel.map_or(0, |fuel| fuel.saturating_sub(store.get_fuel().unwrap_or(0)))
    }
}

/// Gives the next entry its time, or the fuel that stands for it, and the fuel that it may use.
fn begin_entry(store: &mut Store<HostState>, mode: EngineMode, allowed: Allowed) -> Given {
    let most = allowed.fuel.unwrap_or(u64::MAX);
    let fuel = match mode {
        EngineMode::Epoch => None,
        EngineMode::Fuel => Some(WasmEngine::fuel_of(allowed.time).min(most)),
        EngineMode::EpochAndFuel => Some(most),
    };
    match mode {
        EngineMode::Epoch | EngineMode::EpochAndFuel => store.set_epoch_deadline(WasmEngine::ticks_of(allowed.time)),
        EngineMode::Fuel => {}
    }
    if let Some(fuel) = fuel {
        store.set_fuel(fuel).expect("the engine counts fuel in this mode");
    }
    Given { allowed, fuel }
}

/// Wasmtime's words for a result that is larger than `set_hostcall_fuel` allows; the error has no type of its own.
const TOO_MUCH_LIFTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Whose limit or rule it was.
fn classify(error: &wasmtime::Error, state: &HostState, given: Given, output_bytes: u64) -> GuestFault {
    let trap = error.downcast_ref::<Trap>().copied();
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(|trace| printable_trace(&trace.to_string(), 4 * MESSAGE_BYTES));
    let Allowed { time, fuel } = given.allowed;
    if let Some(limit) = fuel.filter(|_| trap == Some(Trap::OutOfFuel) && given.fuel == fuel) {
        return GuestFault::FuelLimit { limit, backtrace };
    }
    if matches!(trap, Some(Trap::Interrupt | Trap::OutOfFuel)) {
        return GuestFault::DeadlineExceeded { limit: time, backtrace };
    }
    let limit = state.memory.limit();
    if ran_out_of_memory(trap, &backtrace, state) {
        if let Some(wanted) = state.memory.refused {
            return GuestFault::MemoryLimit { limit, wanted };
        }
        if let Some(wanted) = state.memory.refused_elements {
            return GuestFault::TableLimit { limit: state.memory.element_limit(), wanted };
        }
    }
    let refused =
        |wanted| format!("; earlier in this call it was refused memory: it wanted {wanted} bytes and may have {limit} (limits.memory)");
    let refused = state.memory.refused.map(refused).unwrap_or_default();
    let cause = printable(&error.root_cause().to_string(), MESSAGE_BYTES);
    if cause.contains(TOO_MUCH_LIFTED) {
        return GuestFault::OutputLimit { what: format!("more than {output_bytes} bytes from one call"), setting: "output-bytes" };
    }
    if trap.is_none() && backtrace.is_none() && state.phase != Phase::Instantiate {
        // Not inside the guest: wasmtime could not read what it returned.
        return GuestFault::Malformed { what: cause + &refused };
    }
    let last_line = state.log.last_error.as_ref().map(|line| format!("; its last error line: {line}")).unwrap_or_default();
    let out_of_stack = trap == Some(Trap::StackOverflow);
    GuestFault::Trap { message: cause + &last_line + &refused, said: state.written.said(), out_of_stack, backtrace }
}

/// Whether memory or elements of a table that were refused are what ended the call, and not something that the guest came to without it: an allocator that gives up executes
/// `unreachable` and says nothing, and an instance whose first memory is refused is not made. One that wants to say something while the host hands
/// in arguments may not call out.
fn ran_out_of_memory(trap: Option<Trap>, backtrace: &Option<String>, state: &HostState) -> bool {
    match trap {
        Some(Trap::CannotLeaveComponent) => true,
        Some(trap) => trap == Trap::UnreachableCodeReached && state.log.last_error.is_none() && state.written.said().is_none(),
        None => backtrace.is_none() && state.phase == Phase::Instantiate,
    }
}
