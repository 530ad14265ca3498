//! Windows: the unit of keyed state in a windowed operator is a key in one of its windows.
//!
//! What comes is put into windows in front of each call ([`plan`]), and taken note of when the call has been made. Which are due follows from what is kept of them
//! ([`kept`]) under their units ([`unit`]), which is state as any other is: captured, stored by increments, restored, rescaled. What is in memory besides ([`index`],
//! [`due`]) follows from it and is made of it behind a restore.

mod accept;
mod due;
mod fired;
mod firing;
mod index;
mod kept;
mod merging;
mod plan;
mod sessions;
mod settings;
mod shown;
mod unit;

pub(crate) use due::{DueReason, DueWindow, UnitName};
pub use fired::{FiredWindow, FiredWindows, WindowReason};
pub(super) use kept::Kept;
pub(super) use merging::Merging;
pub use plan::LateRecord;
pub(super) use plan::Planning;
pub(super) use sessions::NoWindow;
pub use settings::{HOPS_MAX, WindowKind, WindowSettings};
pub use shown::OpenWindow;
pub(crate) use unit::put_unit;
pub use unit::{key_of_unit, start_of_unit, unit_hash};

use super::contents::Contents;
use super::sums::Before;
use super::{StateDescriptor, StateKind};
use crate::element::Column;
use crate::error::EngineError;
use due::DueWindows;
use index::KeyIndex;
use plan::Plan;
use std::sync::Arc;

/// Name of the state that keeps what the host knows of a unit. An operator that has it keeps its state by units.
pub const WINDOW_STATE: &str = "weir:window";

/// Bounds of a window, ms: from `start` on, up to and without `end`. Of windows without bounds (counts, a global one) both are [`NO_BOUND`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Its first ms.
    pub start: i64,
    /// The first ms behind it.
    pub end: i64,
}

/// The state that keeps what the host knows of a unit.
pub fn window_state(settings: &WindowSettings) -> StateDescriptor {
    StateDescriptor { name: WINDOW_STATE.into(), kind: StateKind::Value, schema: settings.described(), version: 1, ttl: None }
}

/// True where an operator that keeps these states keeps them by key and window.
pub fn are_units(states: &[StateDescriptor]) -> bool {
    states.iter().any(|state| state.name == WINDOW_STATE)
}

/// In the place of a bound that a window does not have.
pub const NO_BOUND: i64 = i64::MIN;

/// What makes one value of two where windows become one.
pub trait StateMerger: Send + Sync {
    /// For each pair of values of the operator's state `state` the value of both: as many as there are pairs, in order. Of a map the values of entries that
    /// both have. `earlier` are of the window that starts first.
    fn merge(&self, state: usize, earlier: &Column, later: &Column) -> Result<Column, EngineError>;
}

/// The windows of one subtask's keys.
pub(super) struct Windows {
    pub settings: WindowSettings,
    /// The number of the state [`WINDOW_STATE`].
    pub state: usize,
    pub merger: Option<Arc<dyn StateMerger>>,
    pub index: KeyIndex,
    pub due: DueWindows,
    pub plan: Plan,
    /// What has been done in front of the call to units that become one, first to last.
    pub undo: Vec<Undo>,
    /// Records that came too late in calls that have been made.
    pub late: Vec<LateRecord>,
    /// Counts that are full, each with the last of its records.
    pub full: Vec<(u32, Vec<u8>)>,
    /// The windows that fire, and what becomes of their units.
    pub firing: Vec<Firing>,
    /// Which of them have failed.
    pub failed: Vec<u32>,
    /// All windows that are due are selected, and are those that fire.
    pub all_selected: bool,
}

/// What has been done to a unit in front of a call, as it is undone.
pub(super) enum Undo {
    /// It is known by another start: it was `from`, and is `to`.
    Moved { from: Vec<u8>, to: Vec<u8> },
    /// It has become part of another, and had this.
    Gone { unit: Vec<u8>, had: Contents },
    /// What another had has been added to it: of each state what was there before.
    Grown { unit: Vec<u8>, before: Vec<Before> },
}

/// A window that has been due.
pub(super) struct Firing {
    pub unit: UnitName,
    pub window: Window,
    pub reason: DueReason,
    /// That of its key.
    pub hash: u64,
    pub kept: Kept,
}

impl Windows {
    pub fn new(settings: WindowSettings, state: usize, merger: Option<Arc<dyn StateMerger>>) -> Self {
        let index = KeyIndex::new(&settings);
        let (due, plan) = (DueWindows::new(&settings.kind), Plan::default());
        let (undo, late, full, firing, failed) = Default::default();
        Self { settings, state, merger, index, due, plan, undo, late, full, firing, failed, all_selected: false }
    }

    /// Starts of the windows that a key may have open, the newest first. Of windows that keys have in common they are those that any key has.
    pub fn starts_of(&self, key: &[u8]) -> Vec<i64> {
        match self.settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => self.due.starts().into_iter().rev().collect(),
            WindowKind::Session { .. } => self.index.sessions(key).iter().rev().map(|session| session.start).collect(),
            WindowKind::Count { .. } => vec![self.index.filling(key).number],
            WindowKind::Global => vec![NO_BOUND],
        }
    }

    /// When a window is complete, by the time that it goes by.
    pub fn complete_at(&self, window: Window) -> i64 {
        match (self.settings.kind, self.settings.time) {
            // Not by any time: the end of it is the end of the input.
            (WindowKind::Count { .. } | WindowKind::Global, _) => i64::MAX,
            (_, super::TimeDomain::Event) => window.end - 1,
            // The clock may stand still at the last ms of a window while records come.
            (_, super::TimeDomain::Processing) => window.end,
        }
    }

    /// When nothing may come for a window any more.
    pub fn closed_at(&self, window: Window) -> i64 {
        self.complete_at(window).saturating_add(self.settings.lateness)
    }

    /// The bounds of a unit's window.
    pub fn window_of(&self, unit: &[u8], kept: &Kept) -> Window {
        let start = start_of_unit(unit);
        if self.settings.kind.merges() { Window { start, end: kept.end } } else { self.settings.kind.window_of(start) }
    }

    /// Whether more than that a unit is there has to be known of it when records come for it. Not of one that fires on time alone and is gone then: it has records, and has
    /// not spoken, from its opening on, which is what [`Kept::new`] says of it. So what comes for it later is not noted, and need not be.
    pub fn reads_kept(&self) -> bool {
        let is_fixed = matches!(self.settings.kind, WindowKind::Tumbling { .. } | WindowKind::Hopping { .. });
        !is_fixed || self.settings.lateness > 0 || self.settings.emit_every.is_some()
    }

    /// Notes an open window, as it is kept. `now`: the clock.
    pub fn note_restored(&mut self, unit: &[u8], kept: &Kept, now: i64) {
        let (key, hash, window) = (key_of_unit(unit), unit_hash(unit), self.window_of(unit, kept));
        match self.settings.kind {
            WindowKind::Count { .. } => {
                let filling = index::Filling { number: start_of_unit(unit), records: kept.records };
                self.index.set_filling(key, filling);
            }
            _ => self.index.open(key, hash, window),
        }
        self.queue(unit, window, kept, now);
    }

    /// Puts a window where it is due.
    pub fn queue(&mut self, unit: &[u8], window: Window, kept: &Kept, now: i64) {
        let is_count = matches!(self.settings.kind, WindowKind::Count { .. });
        match (kept.has_come, kept.touched) {
            (true, touched) => {
                self.due.push(DueReason::Closed, self.closed_at(window), unit);
                if touched {
                    self.due.correct(window.end, unit, now);
                }
            }
            (false, touched) => {
                // A count is complete when it is full.
                if !is_count {
                    self.due.push(DueReason::OnTime, self.complete_at(window), unit);
                }
                if touched {
                    self.due.touch(&self.settings, window.end, unit, now);
                }
            }
        }
    }
}
