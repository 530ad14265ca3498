//! The entries of one key's map, in byte order, copied for a snapshot without copying large maps.
//!
//! A small map is a sorted vector; beyond [`SMALL_ENTRIES`] it becomes a persistent tree whose copies share their nodes.

use super::size::{ENTRY_OVERHEAD, entry_bytes};
use super::small_bytes::SmallBytes;
use super::varint::{put_bytes, put_number};
use crate::element::Column;
use imbl::OrdMap;
use std::ops::Bound;

/// The largest map that is a vector: the bound of what a copy-on-write copies of it.
const SMALL_ENTRIES: usize = 16;

type EntryKey = SmallBytes<22>;
type EntryValue = SmallBytes<30>;

/// Never empty once the first entry is in, until the last is removed.
#[derive(Clone, Default)]
pub(super) struct MapState {
    entries: Entries,
    /// What all entries count as.
    bytes: u64,
}

#[derive(Clone)]
enum Entries {
    Small(Vec<(EntryKey, EntryValue)>),
    Large(OrdMap<EntryKey, EntryValue>),
}

impl Default for Entries {
    fn default() -> Self {
        Self::Small(Vec::new())
    }
}

impl MapState {
    /// True where no entry is left.
    pub fn is_empty(&self) -> bool {
        match &self.entries {
            Entries::Small(entries) => entries.is_empty(),
            Entries::Large(entries) => entries.is_empty(),
        }
    }

    /// What all entries count as.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The value of `entry`.
    pub fn get(&self, entry: &[u8]) -> Option<&[u8]> {
        match &self.entries {
            Entries::Small(entries) => find(entries, entry).ok().map(|at| entries[at].1.as_slice()),
            Entries::Large(entries) => entries.get(entry).map(EntryValue::as_slice),
        }
    }

    /// Sets the value of `entry`.
    pub fn put(&mut self, entry: &[u8], value: &[u8]) {
        let before = self.entries.put(entry, value);
        self.bytes += entry_bytes(entry, value);
        self.bytes -= before.map_or(0, |before| (entry.len() + before) as u64 + ENTRY_OVERHEAD);
    }

    /// Removes `entry` where it is there.
    pub fn remove(&mut self, entry: &[u8]) {
        if let Some(before) = self.entries.remove(entry) {
            self.bytes -= (entry.len() + before) as u64 + ENTRY_OVERHEAD;
        }
    }

    /// See [`super::StateBackend::map_scan`]. An entry costs the bytes of both columns.
    pub fn scan(&self, start: Option<&[u8]>, max_bytes: usize, entries: &mut Column, values: &mut Column) -> Option<Vec<u8>> {
        let mut budget = max_bytes;
        let mut any = false;
        for (entry, value) in self.starting_at(start.unwrap_or_default()) {
            let cost = entry.len() + value.len() + 2 * size_of::<u32>();
            if any && cost > budget {
                return Some(entry.to_vec());
            }
            entries.push(entry);
            values.push(value);
            budget = budget.saturating_sub(cost);
            any = true;
        }
        None
    }

    /// Entries from `start` on.
    pub(crate) fn starting_at<'a>(&'a self, start: &'a [u8]) -> Box<dyn Iterator<Item = (&'a [u8], &'a [u8])> + 'a> {
        match &self.entries {
            Entries::Small(entries) => {
                let at = entries.partition_point(|(entry, _)| entry.as_slice() < start);
                Box::new(entries[at..].iter().map(|(entry, value)| (entry.as_slice(), value.as_slice())))
            }
            Entries::Large(entries) => {
                let range = entries.range::<_, [u8]>((Bound::Included(start), Bound::Unbounded));
                Box::new(range.map(|(entry, value)| (entry.as_slice(), value.as_slice())))
            }
        }
    }

    /// Appends the number of entries, and each entry and value behind its length.
    pub fn write(&self, out: &mut Vec<u8>) {
        let count = match &self.entries {
            Entries::Small(entries) => entries.len(),
            Entries::Large(entries) => entries.len(),
        };
        put_number(out, count as u64);
        for (entry, value) in self.starting_at(&[]) {
            put_bytes(out, entry);
            put_bytes(out, value);
        }
    }
}

impl Entries {
    /// Sets the value of `entry`. The length of the one before.
    fn put(&mut self, entry: &[u8], value: &[u8]) -> Option<usize> {
        match self {
            Self::Small(entries) => match find(entries, entry) {
                Ok(at) => Some(replace(&mut entries[at].1, value)),
                Err(at) if entries.len() < SMALL_ENTRIES => {
                    entries.insert(at, (EntryKey::new(entry), EntryValue::new(value)));
                    None
                }
                Err(_) => {
                    let mut large: OrdMap<_, _> = std::mem::take(entries).into_iter().collect();
                    large.insert(EntryKey::new(entry), EntryValue::new(value));
                    *self = Self::Large(large);
                    None
                }
            },
            Self::Large(entries) => match entries.get_mut(entry) {
                Some(old) => Some(replace(old, value)),
                None => {
                    entries.insert(EntryKey::new(entry), EntryValue::new(value));
                    None
                }
            },
        }
    }

    /// Removes `entry` where it is there. The length of its value.
    fn remove(&mut self, entry: &[u8]) -> Option<usize> {
        let value = match self {
            Self::Small(entries) => find(entries, entry).ok().map(|at| entries.remove(at).1),
            Self::Large(entries) => entries.remove(entry),
        };
        value.map(|value| value.as_slice().len())
    }
}

/// Overwrites a value. The length of the one before.
fn replace(old: &mut EntryValue, value: &[u8]) -> usize {
    let before = old.as_slice().len();
    old.set(value);
    before
}

fn find(entries: &[(EntryKey, EntryValue)], entry: &[u8]) -> Result<usize, usize> {
    entries.binary_search_by(|(other, _)| other.as_slice().cmp(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_maps_behave_alike() {
        for count in [1_u32, 15, 16, 17, 300] {
            let mut map = MapState::default();
            (0..count).rev().for_each(|n| map.put(&n.to_be_bytes(), b"old"));
            (0..count).for_each(|n| map.put(&n.to_be_bytes(), &n.to_le_bytes()));
            assert_eq!(matches!(map.entries, Entries::Large(_)), count > 16);
            assert_eq!(map.get(&(count - 1).to_be_bytes()), Some(&(count - 1).to_le_bytes()[..]));
            let (mut entries, mut values) = (Column::new(), Column::new());
            assert_eq!(map.scan(None, usize::MAX, &mut entries, &mut values), None);
            assert_eq!(
                entries.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(),
                (0..count).map(|n| n.to_be_bytes().to_vec()).collect::<Vec<_>>()
            );
            (0..count).for_each(|n| map.remove(&n.to_be_bytes()));
            assert!(map.is_empty() && map.bytes() == 0);
        }
    }

    #[test]
    fn a_page_says_which_entry_follows() {
        let mut map = MapState::default();
        (0..100_u8).for_each(|n| map.put(&[n], &[n]));
        let (mut entries, mut values) = (Column::new(), Column::new());
        assert_eq!(map.scan(Some(&[20, 0]), 25, &mut entries, &mut values), Some(vec![23]));
        assert_eq!(entries.data(), [21, 22]);
    }
}
