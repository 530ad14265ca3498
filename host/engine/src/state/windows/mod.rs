//! Windows: the unit of keyed state in a windowed operator is a key in one of its windows.

mod fired;
mod settings;
mod unit;

pub use fired::{FiredWindow, FiredWindows, WindowReason};
pub use settings::{HOPS_MAX, WindowKind, WindowSettings};

use super::{StateDescriptor, StateKind};
use crate::element::Column;
use crate::error::EngineError;

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
    StateDescriptor { name: WINDOW_STATE.into(), kind: StateKind::Value, schema: settings.described(), version: 1, ttl_ms: None }
}

/// In the place of a bound that a window does not have.
pub const NO_BOUND: i64 = i64::MIN;

/// What makes one value of two where windows become one.
pub trait StateMerger: Send + Sync {
    /// For each pair of values of the operator's state `state` the value of both: as many as there are pairs, in order. Of a map the values of entries that
    /// both have. `earlier` are of the window that starts first.
    fn merge(&self, state: usize, earlier: &Column, later: &Column) -> Result<Column, EngineError>;
}
