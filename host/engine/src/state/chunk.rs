//! A run of entries that snapshots share and that is copied when it is written to while one does.
//!
//! Between two snapshots a chunk belongs to the table alone and a write to it costs no atomic operation; taking a snapshot
//! puts it behind a reference count. Which entries have been written to since the last snapshot stands beside the pointer to them, where
//! noting it costs no cache miss.

use super::entry::Entry;
use std::sync::Arc;

/// Entries of a full chunk: what the first write after a snapshot copies, 4 KiB; one bit of a word for each.
pub(super) const CHUNK_ENTRIES: usize = u64::BITS as usize;
/// Entries that a table begins with.
const FIRST_ENTRIES: usize = 4;

/// Entries as they were when a snapshot was taken.
pub(super) struct Slab(Box<[Entry]>);

impl Slab {
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }
}

pub(super) struct Chunk {
    slab: Hold,
    /// A bit for each entry: written to since the last snapshot.
    changed: u64,
}

enum Hold {
    Owned(Slab),
    Shared(Arc<Slab>),
}

impl Chunk {
    /// The first chunk of a table: small, since a table may hold few keys.
    pub fn first() -> Self {
        Self::holes(FIRST_ENTRIES)
    }

    /// A chunk of full size.
    pub fn full() -> Self {
        Self::holes(CHUNK_ENTRIES)
    }

    fn holes(entries: usize) -> Self {
        Self { slab: Hold::Owned(Slab(vec![Entry::default(); entries].into())), changed: 0 }
    }

    #[inline]
    pub fn entries(&self) -> &[Entry] {
        match &self.slab {
            Hold::Owned(slab) => &slab.0,
            Hold::Shared(slab) => &slab.0,
        }
    }

    /// An entry to write to, after copying the chunk where a snapshot still holds it.
    #[inline]
    pub(crate) fn entry_mut(&mut self, at: usize) -> &mut Entry {
        self.changed |= 1 << at;
        &mut self.own()[at]
    }

    /// The entries that have been written to since the last snapshot.
    pub fn changed(&self) -> u64 {
        self.changed
    }

    /// The same; from now on none has.
    pub(crate) fn take_changed(&mut self) -> u64 {
        std::mem::take(&mut self.changed)
    }

    /// Doubles the chunk, up to its full size.
    pub fn grow(&mut self) {
        let mut entries = std::mem::take(self.own()).into_vec();
        let grown = (2 * entries.len()).min(CHUNK_ENTRIES);
        entries.resize(grown, Entry::default());
        self.slab = Hold::Owned(Slab(entries.into()));
    }

    /// Shares the entries with a snapshot.
    pub fn share(&mut self) -> Arc<Slab> {
        let shared = match std::mem::replace(&mut self.slab, Hold::Owned(Slab(Box::default()))) {
            Hold::Owned(slab) => Arc::new(slab),
            Hold::Shared(slab) => slab,
        };
        self.slab = Hold::Shared(shared.clone());
        shared
    }

    #[inline]
    fn own(&mut self) -> &mut Box<[Entry]> {
        if let Hold::Shared(_) = self.slab {
            self.take_over();
        }
        match &mut self.slab {
            Hold::Owned(slab) => &mut slab.0,
            Hold::Shared(_) => unreachable!("the chunk has just been taken over"),
        }
    }

    #[cold]
    fn take_over(&mut self) {
        let own = match std::mem::replace(&mut self.slab, Hold::Owned(Slab(Box::default()))) {
            Hold::Owned(slab) => slab,
            Hold::Shared(slab) => Arc::try_unwrap(slab).unwrap_or_else(|shared| Slab(shared.0.clone())),
        };
        self.slab = Hold::Owned(own);
    }
}
