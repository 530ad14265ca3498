//! A run of entries that snapshots share and that is copied when it is written to while one does.
//!
//! Between two snapshots a chunk belongs to the table alone and a write to it costs no atomic operation; taking a snapshot
//! puts it behind a reference count.

use super::entry::Entry;
use std::sync::Arc;

/// Entries of a full chunk: what the first write after a snapshot copies, 4 KiB.
pub(super) const CHUNK_ENTRIES: usize = 64;
/// Entries that a table begins with.
const FIRST_ENTRIES: usize = 4;

/// Entries as they were when a snapshot was taken.
pub(super) struct Slab(Box<[Entry]>);

impl Slab {
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }
}

pub(super) enum Chunk {
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
        Self::Owned(Slab(vec![Entry::default(); entries].into()))
    }

    #[inline]
    pub fn entries(&self) -> &[Entry] {
        match self {
            Self::Owned(slab) => &slab.0,
            Self::Shared(slab) => &slab.0,
        }
    }

    /// The entries to write to, after copying them where a snapshot still holds them.
    #[inline]
    pub fn entries_mut(&mut self) -> &mut [Entry] {
        self.own()
    }

    /// Doubles the chunk, up to its full size.
    pub fn grow(&mut self) {
        let mut entries = std::mem::take(self.own()).into_vec();
        let grown = (2 * entries.len()).min(CHUNK_ENTRIES);
        entries.resize(grown, Entry::default());
        *self = Self::Owned(Slab(entries.into()));
    }

    /// Shares the entries with a snapshot.
    pub fn share(&mut self) -> Arc<Slab> {
        let shared = match std::mem::replace(self, Self::Owned(Slab(Box::default()))) {
            Self::Owned(slab) => Arc::new(slab),
            Self::Shared(slab) => slab,
        };
        *self = Self::Shared(shared.clone());
        shared
    }

    #[inline]
    fn own(&mut self) -> &mut Box<[Entry]> {
        if let Self::Shared(_) = self {
            self.take_over();
        }
        match self {
            Self::Owned(slab) => &mut slab.0,
            Self::Shared(_) => unreachable!("the chunk has just been taken over"),
        }
    }

    #[cold]
    fn take_over(&mut self) {
        let own = match std::mem::replace(self, Self::Owned(Slab(Box::default()))) {
            Self::Owned(slab) => slab,
            Self::Shared(slab) => Arc::try_unwrap(slab).unwrap_or_else(|shared| Slab(shared.0.clone())),
        };
        *self = Self::Owned(own);
    }
}
