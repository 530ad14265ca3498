//! One map as a batch sees it: what the host stores, read entry by entry or page by page, with what the batch wrote laid over it.

use crate::bindings::weir::operator::collections::MapPage;
use crate::columns::{empty_column, item, items, push_item, u32_count};
use crate::host::{self, PAGE_BYTES};
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

/// Where the host stores a map.
#[derive(Clone, Copy)]
pub(super) enum Stored {
    /// With a key of the batch.
    Keyed { state: u32, key: u32 },
    /// With the subtask.
    Broadcast { state: u32 },
}

impl Stored {
    fn value(self, entry: &[u8]) -> Option<Vec<u8>> {
        let mut wanted = empty_column();
        push_item(&mut wanted, entry);
        let found = match self {
            Self::Keyed { state, key } => host::map_get(state, key, &wanted),
            Self::Broadcast { state } => host::broadcast_get(state, &wanted),
        };
        items(&found.items).next().map(<[u8]>::to_vec)
    }

    fn page(self, start: Option<&[u8]>) -> MapPage {
        match self {
            Self::Keyed { state, key } => host::map_scan(state, key, start, PAGE_BYTES),
            Self::Broadcast { state } => host::broadcast_scan(state, start, PAGE_BYTES),
        }
    }
}

/// What a batch read and did of one map. An entry that was read once is kept for the batch.
#[derive(Default)]
pub(super) struct Overlay {
    cleared: bool,
    entries: BTreeMap<Vec<u8>, Entry>,
}

enum Entry {
    /// Read from the host; `None` where it has no such entry.
    Read(Option<Vec<u8>>),
    Put(Vec<u8>),
    Removed,
}

impl Entry {
    fn value(&self) -> Option<&[u8]> {
        match self {
            Entry::Read(value) => value.as_deref(),
            Entry::Put(value) => Some(value),
            Entry::Removed => None,
        }
    }
}

/// What a batch did to an entry.
pub(super) enum Written<'a> {
    Put(&'a [u8], &'a [u8]),
    Removed(&'a [u8]),
}

impl Overlay {
    /// The value of an entry.
    pub fn get(&mut self, entry: &[u8], stored: Stored) -> Option<&[u8]> {
        if !self.entries.contains_key(entry) {
            let value = if self.cleared { None } else { stored.value(entry) };
            self.entries.insert(entry.to_vec(), Entry::Read(value));
        }
        self.entries.get(entry).and_then(Entry::value)
    }

    pub fn put(&mut self, entry: &[u8], value: Vec<u8>) {
        self.entries.insert(entry.to_vec(), Entry::Put(value));
    }

    pub fn remove(&mut self, entry: &[u8]) {
        self.entries.insert(entry.to_vec(), Entry::Removed);
    }

    pub fn clear(&mut self) {
        self.cleared = true;
        self.entries.clear();
    }

    /// All entries in byte order.
    pub fn scan(&self, stored: Stored) -> Scan<'_> {
        let next = if self.cleared { Next::End } else { Next::First };
        Scan { stored, page: empty_page(), at: 0, next, own: self.entries.iter().peekable() }
    }

    /// True where everything stored is gone before what was written counts.
    pub fn is_cleared(&self) -> bool {
        self.cleared
    }

    /// What is left to tell the host of the entries, in byte order.
    pub fn written(&self) -> impl Iterator<Item = Written<'_>> {
        self.entries.iter().filter_map(|(entry, state)| match state {
            Entry::Read(_) => None,
            Entry::Put(value) => Some(Written::Put(entry, value)),
            Entry::Removed if self.cleared => None,
            Entry::Removed => Some(Written::Removed(entry)),
        })
    }
}

/// The entries of a map: what is stored, page by page, under what the batch wrote.
pub(super) struct Scan<'a> {
    stored: Stored,
    page: MapPage,
    /// The next entry of the page.
    at: usize,
    next: Next,
    own: Peekable<btree_map::Iter<'a, Vec<u8>, Entry>>,
}

/// Where the next page begins.
enum Next {
    First,
    From(Vec<u8>),
    End,
}

impl Iterator for Scan<'_> {
    type Item = (Vec<u8>, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.fetch();
            let stored = (self.at < u32_count(&self.page.entries.ends)).then(|| item(&self.page.entries, self.at));
            let own = self.own.next_if(|(name, _)| stored.is_none_or(|stored| name.as_slice() <= stored));
            let Some((name, entry)) = own else {
                let found = (stored?.to_vec(), item(&self.page.values, self.at).to_vec());
                self.at += 1;
                return Some(found);
            };
            if stored.is_some_and(|stored| stored == name.as_slice()) {
                self.at += 1;
            }
            if let Some(value) = entry.value() {
                return Some((name.clone(), value.to_vec()));
            }
        }
    }
}

impl Scan<'_> {
    /// Fetches the next page where this one has been shown.
    fn fetch(&mut self) {
        while self.at == u32_count(&self.page.entries.ends) {
            let start = match std::mem::replace(&mut self.next, Next::End) {
                Next::First => None,
                Next::From(start) => Some(start),
                Next::End => return,
            };
            let mut page = self.stored.page(start.as_deref());
            if let Some(next) = page.next.take() {
                self.next = Next::From(next);
            }
            (self.page, self.at) = (page, 0);
        }
    }
}

fn empty_page() -> MapPage {
    MapPage { entries: empty_column(), values: empty_column(), next: None }
}
