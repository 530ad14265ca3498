//! Windows that fire, as an operator is called with them.

use super::{NO_BOUND, Window};
use crate::element::Column;
use crate::state::CallKeys;

/// Why a window fires. The numbers are those of `wit/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum WindowReason {
    /// It is complete: its time has come, it is full, or the input has ended.
    OnTime = 0,
    /// It goes on.
    Early = 1,
    /// Records have come that were late.
    Correction = 2,
}

/// One firing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiredWindow {
    /// The window's bounds.
    pub window: Window,
    /// Why it fires.
    pub reason: WindowReason,
    /// How often it has fired before.
    pub revision: u32,
    /// The time of what is emitted, unless it says another, ms.
    pub timestamp: i64,
}

/// Windows that fire, each with its key, ordered by end, start and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FiredWindows {
    /// Keys of state: a key in its window.
    units: Column,
    /// The hash of each key.
    hashes: Vec<u64>,
    keys: Column,
    firings: Vec<FiredWindow>,
    /// Windows that have fired and became part of another: by the index of its firing.
    replaces: Vec<(u32, Window)>,
}

impl FiredWindows {
    /// Adds the firing of a key's window, which replaces windows that have fired. `unit` is its key of state and `hash` that of the key alone.
    pub fn push(&mut self, unit: &[u8], hash: u64, firing: FiredWindow, replaces: impl IntoIterator<Item = Window>) {
        let index = self.firings.len() as u32;
        self.units.push(unit);
        self.hashes.push(hash);
        self.keys.push(super::unit::key_of_unit(unit));
        self.firings.push(firing);
        self.replaces.extend(replaces.into_iter().map(|window| (index, window)));
    }

    /// Number of firings.
    pub fn len(&self) -> usize {
        self.firings.len()
    }

    /// True where nothing fires.
    pub fn is_empty(&self) -> bool {
        self.firings.is_empty()
    }

    /// The key of each.
    pub fn keys(&self) -> &Column {
        &self.keys
    }

    /// The hash of each key.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The firings.
    pub fn firings(&self) -> &[FiredWindow] {
        &self.firings
    }

    /// The number of the window of the firing at this place, where it has that in place of bounds: a count.
    pub fn number(&self, at: usize) -> Option<i64> {
        let start = super::unit::start_of_unit(self.units.get(at));
        (self.firings[at].window.start == NO_BOUND && start != NO_BOUND).then_some(start)
    }

    /// Windows that have fired and became part of one that fires: the index of its firing, ascending, and the window.
    pub fn replaces(&self) -> &[(u32, Window)] {
        &self.replaces
    }
}

impl<'a> From<&'a FiredWindows> for CallKeys<'a> {
    fn from(fired: &'a FiredWindows) -> Self {
        Self::new(&fired.units, &fired.hashes, &[])
    }
}
