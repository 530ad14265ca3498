//! Windows as an author sees them: their bounds, and the one that fires.
//!
//! Which windows there are is said in the job file and known to the host alone. A windowed operator keeps its state by key and window, so that
//! [`Operator::process`](crate::Operator::process) sees one window of one key, and [`Operator::on_window`](crate::Operator::on_window) the same when it fires.

use crate::bindings::weir::operator::types::{KeyedColumn, Windows};
use crate::columns::{item, s64_at, u32_at, u32_count};
use std::ops::Range;

/// How 'no bound' crosses the boundary.
const NO_BOUND: i64 = i64::MIN;

/// The bounds of a window, ms since the Unix epoch: from `start` on, up to and without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Its first ms.
    pub start: i64,
    /// The first ms behind it.
    pub end: i64,
}

impl Window {
    /// The window at this place; `None` for one without bounds.
    pub(crate) fn at(windows: &Windows, index: usize) -> Option<Self> {
        let window = Self { start: s64_at(&windows.starts, index), end: s64_at(&windows.ends, index) };
        (window != Self { start: NO_BOUND, end: NO_BOUND }).then_some(window)
    }

    /// The time of what is emitted for it, unless that says another.
    pub(crate) fn last_ms(self) -> i64 {
        self.end.saturating_sub(1)
    }
}

/// Why a window fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowReason {
    /// It is complete: its time has come, it is full, or the input has ended.
    OnTime = 0,
    /// It goes on, and the job file wants to hear of it meanwhile (`emit = { every = … }`).
    Early = 1,
    /// Records have come that were late, and in time for the job file's `lateness`.
    Correction = 2,
}

impl WindowReason {
    /// The reason with this number; `None`: there is none.
    pub(crate) fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::OnTime,
            1 => Self::Early,
            2 => Self::Correction,
            _ => return None,
        })
    }
}

/// A window of a key that fires: what [`Operator::on_window`](crate::Operator::on_window) is given.
#[derive(Clone, Debug)]
pub struct FiredWindow<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) window: Option<Window>,
    pub(crate) reason: WindowReason,
    pub(crate) revision: u32,
    pub(crate) replaced: &'a KeyedColumn,
    /// Which of `replaced` became part of this one.
    pub(crate) replaces: Range<usize>,
}

impl<'a> FiredWindow<'a> {
    /// The key.
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// Its bounds; `None` for a count and for a global window, which have none.
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// Why it fires.
    pub fn reason(&self) -> WindowReason {
        self.reason
    }

    /// How often it has fired before: 0 the first time.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Windows that have fired and became part of this one, so that what was said of them holds no more. Sessions alone have any.
    pub fn replaces(&self) -> impl Iterator<Item = Window> + use<'a> {
        let items = &self.replaced.items;
        self.replaces.clone().map(|index| {
            let bounds = item(items, index);
            Window { start: s64_at(bounds, 0), end: s64_at(bounds, 1) }
        })
    }
}

/// The items of `replaced` that belong to firing `firing`; `from` is where those of the one before end.
pub(crate) fn replaced_by(replaced: &KeyedColumn, firing: u32, from: usize) -> Range<usize> {
    let behind = (from..u32_count(&replaced.keys)).find(|&index| u32_at(&replaced.keys, index) != firing);
    from..behind.unwrap_or(u32_count(&replaced.keys))
}
