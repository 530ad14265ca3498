//! One live guest: its store, its exports, and the one way in.
//!
//! Invariants: a deadline is set before every entry; an instance that faulted is never entered again (its owner drops it).

use crate::bindings::exports::weir::operator::guest as wit;
use crate::bindings::weir::operator::types::ColumnParam;
use crate::bindings::{Operator, OperatorPre};
use crate::engine::{EngineMode, WasmEngine};
use crate::fault::{GuestFault, MESSAGE_BYTES};
use crate::guest_log::GuestLog;
use crate::guest_text::{printable, printable_trace};
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
}

impl GuestInstance {
    /// Makes a store and an instance in it: some 10 µs.
    pub(crate) fn new(engine: &WasmEngine, pre: &OperatorPre<HostState>, limits: &Limits, log: GuestLog) -> Result<Self, GuestFault> {
        let mut store = Store::new(&engine.engine, HostState::new(limits, log));
        store.limiter(|state| &mut state.memory);
        // Bounds what lifting a result may copy out of the guest.
        store.set_hostcall_fuel(usize::try_from(limits.output_bytes).unwrap_or(usize::MAX));
        set_deadline(&mut store, engine, limits.time_per_batch);
        match pre.instantiate(&mut store) {
            Ok(operator) => Ok(Self { store, operator, engine: engine.clone(), calls: 0, fuel_spent: 0 }),
            Err(error) => Err(classify(&error, store.data(), limits.time_per_batch, limits.output_bytes)),
        }
    }

    /// What the guest says of itself.
    pub(crate) fn describe(&mut self, deadline: Duration) -> Result<wit::Descriptor, GuestFault> {
        self.enter(Phase::Describe, deadline, |guest, store| guest.call_describe(store))
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
        self.enter(Phase::Open, deadline, |guest, store| guest.call_open(store, config, schemas, subtask))?
            .map_err(|message| GuestFault::OpenFailed { message: printable(&message, MESSAGE_BYTES) })
    }

    /// One batch.
    pub(crate) fn process(
        &mut self,
        deadline: Duration,
        attempt: u32,
        context: wit::Context,
        batch: wit::Batch<'_>,
    ) -> Result<wit::Effects, GuestFault> {
        self.begin(attempt, &context);
        let returned = self.enter(Phase::Process, deadline, |guest, store| guest.call_process(store, context, batch));
        returned?.map_err(|failure| GuestFault::Failure { record: failure.cause, message: printable(&failure.message, MESSAGE_BYTES) })
    }

    /// Timers that are due.
    pub(crate) fn on_timers(
        &mut self,
        deadline: Duration,
        attempt: u32,
        context: wit::Context,
        fired: wit::TimerBatch<'_>,
    ) -> Result<wit::Effects, GuestFault> {
        self.begin(attempt, &context);
        let returned = self.enter(Phase::OnTimers, deadline, |guest, store| guest.call_on_timers(store, context, fired));
        returned?.map_err(|failure| GuestFault::TimerFailure { timer: failure.cause, message: printable(&failure.message, MESSAGE_BYTES) })
    }

    /// Windows that fire.
    pub(crate) fn on_windows(
        &mut self,
        deadline: Duration,
        attempt: u32,
        context: wit::Context,
        fired: wit::WindowBatch<'_>,
    ) -> Result<wit::Effects, GuestFault> {
        self.begin(attempt, &context);
        let returned = self.enter(Phase::OnWindows, deadline, |guest, store| guest.call_on_windows(store, context, fired));
        returned?
            .map_err(|failure| GuestFault::WindowFailure { firing: failure.cause, message: printable(&failure.message, MESSAGE_BYTES) })
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
        self.enter(Phase::Migrate, deadline, |guest, store| guest.call_migrate(store, state, from, values))?
            .map_err(|message| GuestFault::Failure { record: None, message: printable(&message, MESSAGE_BYTES) })
    }

    /// Values of a state, of windows that become one: for each pair the value of both.
    pub(crate) fn merge(
        &mut self,
        deadline: Duration,
        state: u32,
        earlier: ColumnParam<'_>,
        later: ColumnParam<'_>,
    ) -> Result<wit::ColumnResult, GuestFault> {
        self.enter(Phase::Merge, deadline, |guest, store| guest.call_merge(store, state, earlier, later))?
            .map_err(|message| GuestFault::Failure { record: None, message: printable(&message, MESSAGE_BYTES) })
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
        deadline: Duration,
        call: impl FnOnce(&wit::Guest, &mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Result<T, GuestFault> {
        let state = self.store.data_mut();
        state.phase = phase;
        state.memory.refused = None;
        state.clock_reads = 0;
        state.written.clear();
        let fuel = set_deadline(&mut self.store, &self.engine, deadline);
        let result = call(self.operator.weir_operator_guest(), &mut self.store);
        if self.engine.mode == EngineMode::Fuel {
            self.fuel_spent += fuel.saturating_sub(self.store.get_fuel().unwrap_or(0));
        }
        result.map_err(|error| {
            let output_bytes = self.store.hostcall_fuel() as u64;
            classify(&error, self.store.data(), deadline, output_bytes)
        })
    }
}

/// Gives the next entry its time, or the fuel that stands for it.
fn set_deadline(store: &mut Store<HostState>, engine: &WasmEngine, deadline: Duration) -> u64 {
    let allowance = engine.allowance(deadline);
    match engine.mode {
        EngineMode::Epoch => store.set_epoch_deadline(allowance),
        EngineMode::Fuel => store.set_fuel(allowance).expect("the engine counts fuel in this mode"),
    }
    allowance
}

/// Wasmtime's words for a result that is larger than `set_hostcall_fuel` allows; the error has no type of its own.
const TOO_MUCH_LIFTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Whose limit or rule it was.
fn classify(error: &wasmtime::Error, state: &HostState, deadline: Duration, output_bytes: u64) -> GuestFault {
    let trap = error.downcast_ref::<Trap>().copied();
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(|trace| printable_trace(&trace.to_string(), 4 * MESSAGE_BYTES));
    if matches!(trap, Some(Trap::Interrupt | Trap::OutOfFuel)) {
        return GuestFault::DeadlineExceeded { limit: deadline, backtrace };
    }
    let limit = state.memory.limit();
    if let Some(wanted) = state.memory.refused.filter(|_| ran_out_of_memory(trap, &backtrace, state)) {
        return GuestFault::MemoryLimit { limit, wanted };
    }
    let refused =
        |wanted| format!("; earlier in this call it was refused memory: it wanted {wanted} bytes and may have {limit} (limits.memory)");
    let refused = state.memory.refused.map(refused).unwrap_or_default();
    let cause = printable(&error.root_cause().to_string(), MESSAGE_BYTES);
    if cause.contains(TOO_MUCH_LIFTED) {
        return GuestFault::OutputLimit { what: format!("more than {output_bytes} bytes from one call") };
    }
    if trap.is_none() && backtrace.is_none() && state.phase != Phase::Instantiate {
        // Not inside the guest: wasmtime could not read what it returned.
        return GuestFault::Malformed { what: cause + &refused };
    }
    let last_line = state.log.last_error.as_ref().map(|line| format!("; its last error line: {line}")).unwrap_or_default();
    let written = state.written.text().map(|text| format!("; {text}")).unwrap_or_default();
    let message = cause + &last_line + &written + &refused;
    GuestFault::Trap { message, backtrace }
}

/// Whether memory that was refused is what ended the call, and not something that the guest came to without it: an allocator that gives up executes
/// `unreachable` and says nothing, and an instance whose first memory is refused is not made. One that wants to say something while the host hands
/// in arguments may not call out.
fn ran_out_of_memory(trap: Option<Trap>, backtrace: &Option<String>, state: &HostState) -> bool {
    match trap {
        Some(Trap::CannotLeaveComponent) => true,
        Some(trap) => trap == Trap::UnreachableCodeReached && state.log.last_error.is_none() && state.written.text().is_none(),
        None => backtrace.is_none() && state.phase == Phase::Instantiate,
    }
}
