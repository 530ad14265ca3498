//! Makes a subtask's instances, one after the other, and knows what to call it in an error.

use crate::bindings::exports::weir::operator::guest as wit;
use crate::engine::{EngineMode, WasmEngine};
use crate::fault::GuestFault;
use crate::guest_batch::CutError;
use crate::guest_log::GuestLog;
use crate::guest_text::with_more;
use crate::instance::GuestInstance;
use crate::limits::OperatorSettings;
use crate::narrow::named;
use crate::plugin::Plugin;
use crate::quarantine::UNBOUNDED;
use crate::work::{Work, WorkOf};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::element::RecordBatch;
use weir_engine::operator::Subtask;
use weir_engine::shown_text::{moment, printable_key};
use weir_engine::state::{FiredWindows, Window, key_hash};
use weir_engine::{EngineError, ErrorKind};

/// All that it takes to make another instance.
pub(crate) struct GuestMaker {
    pub(crate) plugin: Plugin,
    pub(crate) settings: Arc<OperatorSettings>,
    pub(crate) subtask: Subtask,
    pub(crate) schemas: Vec<Option<String>>,
    /// What dropped instances used, where fuel is counted.
    pub(crate) fuel_spent: u64,
    /// How long their entries took.
    pub(crate) time_spent: Duration,
    /// Where the last instance logged, once it has been dropped.
    pub(crate) log: Option<GuestLog>,
}

impl GuestMaker {
    /// A new instance, opened. Its faults are nobody's record: they fail the job.
    pub(crate) fn open(&mut self) -> Result<GuestInstance, EngineError> {
        let settings = &*self.settings;
        let new_log = || GuestLog::new(&settings.operator, self.subtask.index, settings.limits.log_bytes_per_s);
        let log = self.log.take().unwrap_or_else(new_log);
        let schemas: Vec<Option<&str>> = self.schemas.iter().map(Option::as_deref).collect();
        let subtask = wit::Subtask { index: self.subtask.index, parallelism: self.subtask.parallelism, seed: self.seed() };
        let config =
            settings.config.now().map_err(|error| error.context(format!("{}: open", self.place())).from_open_of(&settings.operator))?;
        let opened = GuestInstance::new(self.engine(), &self.plugin.inner.pre, &settings.limits, log).and_then(|mut instance| {
            instance.open(settings.limits.time_per_batch, &config, &schemas, subtask)?;
            Ok(instance)
        });
        opened.map_err(|fault| {
            let backtrace = fault.backtrace().map(|trace| format!("\n{}", trace.trim_end())).unwrap_or_default();
            let told = with_more(&format!("{}: open: {fault}", self.place()), self.plugin_named());
            EngineError::new(ErrorKind::FixInput, told + &backtrace).from_guest().from_open_of(&settings.operator)
        })
    }

    /// Drops an instance.
    pub(crate) fn retire(&mut self, instance: GuestInstance) {
        self.fuel_spent += instance.fuel_spent;
        self.time_spent += instance.time_spent;
        self.log = Some(instance.into_log());
    }

    fn engine(&self) -> &WasmEngine {
        &self.plugin.inner.engine
    }

    /// Fixed for the operator and subtask: chance that a replay repeats.
    fn seed(&self) -> u64 {
        key_hash(format!("{}/{}", self.settings.operator, self.subtask.index).as_bytes())
    }

    pub(crate) fn place(&self) -> String {
        format!("operator \"{}\" subtask {}", self.settings.operator, self.subtask.index)
    }

    /// The plugin's file and the digest of its component, for errors.
    pub(crate) fn plugin_named(&self) -> String {
        self.plugin.named()
    }

    /// As [`GuestMaker::place`], with the key of the record, timer or firing that is to blame.
    pub(crate) fn place_of(&self, fault: &GuestFault, given: Work<'_>, range: &Range<usize>) -> String {
        let Some(at) = named(fault, range.len()).map(|at| range.start + at) else { return self.place() };
        let Some(key) = given.records.key(at) else { return self.place() };
        let place = format!("{} at key \"{}\"", self.place(), printable_key(key));
        match given.of {
            WorkOf::Records => place,
            WorkOf::Timers(timers) => {
                format!("{place}, timer \"{}\" due at {}", self.timer_name(timers[at]), moment(given.records.timestamps()[at]))
            }
            WorkOf::Windows(fired) => window_text(fired, at).map_or(place.clone(), |window| format!("{place}, {window}")),
        }
    }

    /// The name of a declared timer.
    pub(crate) fn timer_name(&self, timer: u32) -> &str {
        &self.plugin.descriptor().timers[timer as usize].name
    }

    pub(crate) fn now(&self, fuel_of_instance: u64) -> Duration {
        match self.engine().mode {
            EngineMode::Epoch | EngineMode::EpochAndFuel => self.engine().ticker.elapsed(),
            EngineMode::Fuel => WasmEngine::time_of_fuel(self.fuel_spent + fuel_of_instance),
        }
    }

    /// What all instances have used, where fuel is counted.
    pub(crate) fn fuel_spent(&self, by_instance: u64) -> Option<u64> {
        self.engine().mode.counts_fuel().then_some(self.fuel_spent + by_instance)
    }

    pub(crate) fn cut_error(&self, error: CutError, records: &RecordBatch) -> EngineError {
        match error {
            CutError::Keyless(keyless) => {
                let message = format!("{}: record {} of a batch from a `key` edge has no key", self.place(), keyless.record);
                EngineError::new(ErrorKind::Restart, message)
            }
            CutError::State(error) => error.context(self.place()),
            CutError::StateTooLarge { record, bytes, units } => {
                let key = printable_key(records.keys().get(record));
                let limit = self.settings.limits.batch_bytes();
                let has = match units {
                    0 | 1 => format!("alone has {bytes} bytes"),
                    _ => format!("in the {units} windows of one record has {bytes} bytes or more"),
                };
                let message = format!("{}: the state of key \"{key}\" {has}, and a batch may have {limit}", self.place());
                let hint = "raise limits.memory of the operator (a batch may have a quarter of it), or keep less in one key; a list or map state is read by pages";
                EngineError::new(ErrorKind::FixInput, message).with_hint(hint)
            }
        }
    }
}

/// Which window the firing at this place is of; `None`: it is the key's only one.
pub(crate) fn window_text(fired: &FiredWindows, at: usize) -> Option<String> {
    match fired.firings()[at].window {
        UNBOUNDED => fired.number(at).map(|number| format!("window number {number}")),
        Window { start, end } => Some(format!("window {} to {}", moment(start), moment(end))),
    }
}
