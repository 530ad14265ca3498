//! An operator around another one, which notes which windows and timers of it fire. Nothing else of a call is another by it.

use crate::element::RecordBatch;
use crate::error::EngineError;
use crate::operator::{Component, FiredTimers, Operator, OperatorContext, OperatorDescriptor, OperatorFactory, Subtask, TimerDescriptor};
use crate::state::{FiredWindows, StateMerger, StateMigrator, Window, WindowReason};
use std::sync::{Arc, Mutex, PoisonError};

/// A window or a timer that has fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Its key.
    pub key: Vec<u8>,
    /// Which of the key's it is.
    pub by: FiredBy,
}

/// What of a key has fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FiredBy {
    /// A window.
    Window {
        /// Its bounds.
        window: Window,
        /// Why it fired.
        reason: WindowReason,
        /// How often it had fired before.
        revision: u32,
        /// Windows that had fired and became part of it.
        replaces: Vec<Window>,
    },
    /// A timer.
    Timer {
        /// Its name.
        name: String,
        /// When it was due, ms.
        due: i64,
    },
}

/// What has been noted since this was asked last.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<Fired>>>);

impl Notes {
    pub fn take(&self) -> Vec<Fired> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, fired: impl Iterator<Item = Fired>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(fired);
    }
}

/// Makes operators that are watched.
pub(super) struct Watched {
    factory: Arc<dyn OperatorFactory>,
    notes: Notes,
}

impl Watched {
    /// Around the operators that `factory` makes.
    pub fn new(factory: Arc<dyn OperatorFactory>, notes: Notes) -> Self {
        Self { factory, notes }
    }
}

impl OperatorFactory for Watched {
    fn descriptor(&self) -> &OperatorDescriptor {
        self.factory.descriptor()
    }

    fn component(&self) -> Option<&Component> {
        self.factory.component()
    }

    fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        self.factory.migrator()
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        self.factory.merger()
    }

    fn state_bytes(&self) -> Option<u64> {
        self.factory.state_bytes()
    }

    fn create(&self, subtask: &Subtask, schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        let (operator, timers) = (self.factory.create(subtask, schemas)?, self.descriptor().timers.clone());
        Ok(Box::new(WatchedOperator { operator, timers, notes: self.notes.clone() }))
    }
}

struct WatchedOperator {
    operator: Box<dyn Operator>,
    timers: Vec<TimerDescriptor>,
    notes: Notes,
}

impl Operator for WatchedOperator {
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.operator.process(input, batch, context)
    }

    fn on_watermark(&mut self, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.operator.on_watermark(context)
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let named = |timer: u32| self.timers.get(timer as usize).map_or_else(|| timer.to_string(), |timer| timer.name.clone());
        let one = |place: usize| Fired {
            key: fired.keys().get(place).to_vec(),
            by: FiredBy::Timer { name: named(fired.timers()[place]), due: fired.due()[place] },
        };
        self.notes.add((0..fired.len()).map(one));
        self.operator.on_timers(fired, context)
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let replaced = |place: usize| fired.replaces().iter().filter(move |(of, _)| *of as usize == place).map(|(_, window)| *window);
        let one = |(place, firing): (usize, &crate::state::FiredWindow)| Fired {
            key: fired.keys().get(place).to_vec(),
            by: FiredBy::Window {
                window: firing.window,
                reason: firing.reason,
                revision: firing.revision,
                replaces: replaced(place).collect(),
            },
        };
        self.notes.add(fired.firings().iter().enumerate().map(one));
        self.operator.on_windows(fired, context)
    }

    fn set_probation(&mut self, on_probation: bool) {
        self.operator.set_probation(on_probation);
    }

    fn fuel_spent(&self) -> Option<u64> {
        self.operator.fuel_spent()
    }
}
