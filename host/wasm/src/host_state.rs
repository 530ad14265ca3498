//! What stands behind a guest's imports: one per instance, in its store.

use crate::bindings::weir::operator::types;
use crate::guest_log::GuestLog;
use crate::limits::Limits;
use crate::reads::CollectionReads;
use crate::standard_streams::StandardStreams;
use std::sync::Arc;
use wasmtime::ResourceLimiter;
use weir_engine::EngineError;
use weir_engine::state::StateDescriptor;

/// Which of the guest's exports is running: it decides which imports it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Instantiate,
    Describe,
    Open,
    Process,
    OnTimers,
    OnWindows,
    Merge,
    Migrate,
}

impl Phase {
    /// As in the world.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Instantiate => "instantiation",
            Self::Describe => "describe",
            Self::Open => "open",
            Self::Process => "process",
            Self::OnTimers => "on-timers",
            Self::OnWindows => "on-windows",
            Self::Merge => "merge",
            Self::Migrate => "migrate",
        }
    }
}

/// The host's side of one instance.
pub(crate) struct HostState {
    pub(crate) phase: Phase,
    /// What the call may read: here for its time alone.
    pub(crate) lent: Option<Lent>,
    /// Why something that it wanted to read could not be read.
    pub(crate) unreadable: Option<EngineError>,
    pub(crate) log: GuestLog,
    pub(crate) memory: MemoryLimiter,
    /// How often the stand-in for a clock has been read.
    pub(crate) clock_reads: u64,
    /// What the call has written to its standard error and output.
    pub(crate) written: StandardStreams,
    /// Handles of stand-ins that the instance holds.
    pub(crate) handles: u32,
}

impl HostState {
    pub(crate) fn new(limits: &Limits, log: GuestLog) -> Self {
        Self {
            phase: Phase::Instantiate,
            lent: None,
            unreadable: None,
            log,
            memory: MemoryLimiter::new(limits),
            clock_reads: 0,
            written: StandardStreams::default(),
            handles: 0,
        }
    }
}

/// State that is lent to a call.
pub(crate) struct Lent {
    pub(crate) reads: Box<dyn CollectionReads>,
    /// What is declared.
    pub(crate) states: Arc<[StateDescriptor]>,
    /// Number of the call's keys; `None`: its input is not keyed.
    pub(crate) keys: Option<usize>,
}

impl types::Host for HostState {}

/// Core instances and tables of one component; a Python guest has some forty.
const CORE_INSTANCES: usize = 1_000;
const MEMORIES: usize = 100;

/// Bounds the memories of one instance together, and its tables, and remembers what it refused: a guest that is refused memory traps, or
/// wasmtime fails to lower its arguments, and neither says why.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit: u64,
    used: u64,
    element_limit: u64,
    elements: u64,
    /// The memory that the instance would have had, had it not been refused. Cleared before each call.
    pub(crate) refused: Option<u64>,
    /// The same of elements of tables.
    pub(crate) refused_elements: Option<u64>,
}

impl MemoryLimiter {
    fn new(limits: &Limits) -> Self {
        Self { limit: limits.memory, used: 0, element_limit: limits.table_elements, elements: 0, refused: None, refused_elements: None }
    }

    /// Another call begins.
    pub(crate) fn forget_refusals(&mut self) {
        (self.refused, self.refused_elements) = (None, None);
    }

    /// Bytes of all its memories. They never get less.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    pub(crate) fn element_limit(&self) -> u64 {
        self.element_limit
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.used.saturating_add(desired.saturating_sub(current) as u64);
        let granted = wanted <= self.limit;
        if granted {
            self.used = wanted;
        } else {
            self.refused = Some(wanted);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.elements.saturating_add(desired.saturating_sub(current) as u64);
        let granted = wanted <= self.element_limit;
        if granted {
            self.elements = wanted;
        } else {
            self.refused_elements = Some(wanted);
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        CORE_INSTANCES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}
