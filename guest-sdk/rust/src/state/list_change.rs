//! What a batch did to one key's list, in the order in which the host applies it: cleared, popped, truncated, appended to.
//!
//! Whatever order the operator did it in, it comes to that: what is popped beyond the stored items comes off the front of those that the batch
//! appended, and what is truncated to fewer than the stored ones takes all of these.

use crate::bindings::weir::operator::types::{Column, ListUpdate};
use crate::columns::{empty_column, end_of, item, push_u32, push_u64, u32_count, u32s};

/// One key's list, seen through the batch's change of it.
pub(super) struct View<'a> {
    pub(super) change: Option<&'a Change>,
    /// Position of the first stored item that is still there.
    pub(super) first: u64,
    /// How many stored items are still there.
    pub(super) stored: u64,
}

impl View<'_> {
    pub(super) fn len(&self) -> u64 {
        self.stored + self.change.map_or(0, |change| change.appended.len())
    }
}

/// What the batch did to one key's list.
pub(super) struct Change {
    pub(super) key: u32,
    pub(super) cleared: bool,
    /// So many stored items are gone at the front.
    pub(super) popped: u64,
    /// Of those behind them only so many are left.
    pub(super) kept: Option<u64>,
    pub(super) appended: Appended,
}

/// Items of which those at the front may be gone.
pub(super) struct Appended {
    pub(super) items: Column,
    gone: usize,
}

impl Change {
    pub(super) fn of(key: u32) -> Self {
        Self { key, cleared: false, popped: 0, kept: None, appended: Appended { items: empty_column(), gone: 0 } }
    }

    /// `stored`: how many stored items are still there.
    pub(super) fn pop_front(&mut self, count: u64, stored: u64) {
        let of_stored = count.min(stored);
        if of_stored > 0 {
            self.popped += of_stored;
            self.kept = self.kept.map(|kept| kept - of_stored);
        }
        self.appended.pop_front(count - of_stored);
    }

    /// `stored`: how many stored items are still there.
    pub(super) fn truncate(&mut self, len: u64, stored: u64) {
        if len < stored {
            self.kept = Some(len);
        }
        self.appended.truncate(len.saturating_sub(stored));
    }

    pub(super) fn add_to(&self, update: &mut ListUpdate) {
        if self.cleared {
            push_u32(&mut update.cleared, self.key);
        }
        if self.popped > 0 {
            push_u32(&mut update.popped.keys, self.key);
            push_u64(&mut update.popped.counts, self.popped);
        }
        if let Some(kept) = self.kept {
            push_u32(&mut update.truncated.keys, self.key);
            push_u64(&mut update.truncated.counts, kept);
        }
        for index in 0..self.appended.len() {
            push_u32(&mut update.append.keys, self.key);
            update.append.items.data.extend_from_slice(self.appended.get(index).unwrap_or_default());
            let end = end_of(&update.append.items.data);
            push_u32(&mut update.append.items.ends, end);
        }
    }
}

impl Appended {
    pub(super) fn len(&self) -> u64 {
        (u32_count(&self.items.ends) - self.gone) as u64
    }

    pub(super) fn get(&self, index: u64) -> Option<&[u8]> {
        (index < self.len()).then(|| item(&self.items, self.gone + index as usize))
    }

    fn pop_front(&mut self, count: u64) {
        self.gone += count.min(self.len()) as usize;
    }

    fn truncate(&mut self, len: u64) {
        if len >= self.len() {
            return;
        }
        let items = self.gone + len as usize;
        self.items.ends.truncate(4 * items);
        let end = u32s(&self.items.ends).last().unwrap_or(0);
        self.items.data.truncate(end as usize);
    }
}
