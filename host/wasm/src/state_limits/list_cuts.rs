//! What goes of lists that are shortened, in bytes: read only where a limit may be passed.

use crate::effects::ListUpdate;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use weir_engine::state::KeyedState;
use weir_engine::state::size::item_bytes;
use weir_engine::{Column, EngineError};

/// What goes of a list at either end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// So many items at the front.
    popped: u64,
    /// What is behind the first so many of those that are left.
    kept: u64,
}

/// Of each key whose list is shortened what goes of it. Lists that are cleared are empty by then.
pub(super) fn list_cuts(update: &ListUpdate, cleared: &BTreeSet<u32>) -> BTreeMap<u32, Cut> {
    const WHOLE: Cut = Cut { popped: 0, kept: u64::MAX };
    let mut cuts: BTreeMap<u32, Cut> = BTreeMap::new();
    for (&key, &count) in update.popped.keys.iter().zip(&update.popped.counts) {
        cuts.entry(key).or_insert(WHOLE).popped = count;
    }
    for (&key, &len) in update.truncated.keys.iter().zip(&update.truncated.counts) {
        cuts.entry(key).or_insert(WHOLE).kept = len;
    }
    cuts.retain(|key, _| !cleared.contains(key));
    cuts
}

impl Cut {
    /// What the items that go count as.
    pub(super) fn bytes(self, keyed: &KeyedState, key: usize, state: usize) -> Result<u64, EngineError> {
        let there = keyed.list_len(key, state)?;
        let first = self.popped.min(there);
        let end = first.saturating_add(self.kept).min(there);
        Ok(items_bytes(keyed, key, state, 0..first)? + items_bytes(keyed, key, state, end..there)?)
    }
}

/// What these items of a list count as, read page by page.
fn items_bytes(keyed: &KeyedState, key: usize, state: usize, items: Range<u64>) -> Result<u64, EngineError> {
    const PAGE_BYTES: usize = 64 << 10;
    let stamp = super::stamp_bytes(keyed, state);
    let (mut next, mut bytes, mut page) = (items.start, 0, Column::new());
    while next < items.end {
        page.clear();
        let after = keyed.list_read(key, state, next, PAGE_BYTES, &mut page)?;
        let wanted = usize::try_from(items.end - next).unwrap_or(usize::MAX);
        bytes += page.iter().take(wanted).map(|item| item_bytes(item) + stamp).sum::<u64>();
        next = after.unwrap_or(items.end);
    }
    Ok(bytes)
}
