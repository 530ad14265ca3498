//! The entries of one key's map, in byte order, copied for a snapshot without copying large maps.
//!
//! A small map is a sorted vector; beyond [`SMALL_ENTRIES`] it becomes a persistent tree whose copies share their nodes.

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
#[derive(Clone)]
pub(super) enum MapState {
    Small(Vec<(EntryKey, EntryValue)>),
    Large(OrdMap<EntryKey, EntryValue>),
}

impl Default for MapState {
    fn default() -> Self {
        Self::Small(Vec::new())
    }
}

impl MapState {
    /// True where no entry is left.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Small(entries) => entries.is_empty(),
            Self::Large(entries) => entries.is_empty(),
        }
    }

    /// The value of `entry`.
    pub fn get(&self, entry: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Small(entries) => find(entries, entry).ok().map(|at| entries[at].1.as_slice()),
            Self::Large(entries) => entries.get(entry).map(EntryValue::as_slice),
        }
    }

    /// Sets the value of `entry`.
    pub fn put(&mut self, entry: &[u8], value: &[u8]) {
        match self {
            Self::Small(entries) => match find(entries, entry) {
                Ok(at) => entries[at].1.set(value),
                Err(at) if entries.len() < SMALL_ENTRIES => entries.insert(at, (EntryKey::new(entry), EntryValue::new(value))),
                Err(_) => {
                    let mut large: OrdMap<_, _> = std::mem::take(entries).into_iter().collect();
                    large.insert(EntryKey::new(entry), EntryValue::new(value));
                    *self = Self::Large(large);
                }
            },
            Self::Large(entries) => match entries.get_mut(entry) {
                Some(old) => old.set(value),
                None => {
                    entries.insert(EntryKey::new(entry), EntryValue::new(value));
                }
            },
        }
    }

    /// Removes `entry` where it is there.
    pub fn remove(&mut self, entry: &[u8]) {
        match self {
            Self::Small(entries) => {
                if let Ok(at) = find(entries, entry) {
                    entries.remove(at);
                }
            }
            Self::Large(entries) => {
                entries.remove(entry);
            }
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
    pub fn starting_at<'a>(&'a self, start: &'a [u8]) -> Box<dyn Iterator<Item = (&'a [u8], &'a [u8])> + 'a> {
        match self {
            Self::Small(entries) => {
                let at = entries.partition_point(|(entry, _)| entry.as_slice() < start);
                Box::new(entries[at..].iter().map(|(entry, value)| (entry.as_slice(), value.as_slice())))
            }
            Self::Large(entries) => {
                let range = entries.range::<_, [u8]>((Bound::Included(start), Bound::Unbounded));
                Box::new(range.map(|(entry, value)| (entry.as_slice(), value.as_slice())))
            }
        }
    }

    /// Appends the number of entries, and each entry and value behind its length.
    pub fn write(&self, out: &mut Vec<u8>) {
        let count = match self {
            Self::Small(entries) => entries.len(),
            Self::Large(entries) => entries.len(),
        };
        put_number(out, count as u64);
        for (entry, value) in self.starting_at(&[]) {
            put_bytes(out, entry);
            put_bytes(out, value);
        }
    }
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
            assert_eq!(matches!(map, MapState::Large(_)), count > 16);
            assert_eq!(map.get(&(count - 1).to_be_bytes()), Some(&(count - 1).to_le_bytes()[..]));
            let (mut entries, mut values) = (Column::new(), Column::new());
            assert_eq!(map.scan(None, usize::MAX, &mut entries, &mut values), None);
            assert_eq!(
                entries.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(),
                (0..count).map(|n| n.to_be_bytes().to_vec()).collect::<Vec<_>>()
            );
            (0..count).for_each(|n| map.remove(&n.to_be_bytes()));
            assert!(map.is_empty());
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
