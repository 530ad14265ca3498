//! What of a key's open windows has to be known when a record comes, in memory: it follows from the units that are kept, and is made of them behind a restore.

use super::{Window, WindowKind, WindowSettings};
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// Open windows by key.
pub(in crate::state) enum KeyIndex {
    /// Tumbling, hopping and global windows: how many there are, by the hash of the key, once that is asked for: a key has no more than there are different ones, and
    /// mostly these are few. Keys that share a hash share the count, which only bounds it.
    Number(Option<HashMap<u64, u32, FixedState>>),
    /// Sessions, by key, in order.
    Sessions(HashMap<Box<[u8]>, Vec<Window>, FixedState>),
    /// Counts, by key: the window that is being filled.
    Filling(HashMap<Box<[u8]>, Filling, FixedState>),
}

/// A count that is not full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::state) struct Filling {
    /// Its number, in the place of its start.
    pub number: i64,
    /// The records that it has.
    pub records: u64,
}

impl Filling {
    /// Of a key that has none.
    pub const EMPTY: Self = Self { number: 0, records: 0 };
}

impl KeyIndex {
    /// Of no windows. Those of each key are counted from the first on where more different ones are likely to be open than half of what a key may have.
    pub fn new(settings: &WindowSettings) -> Self {
        let are_many = 2 * settings.likely_open() >= u64::from(settings.max_per_key);
        match settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => Self::Number(are_many.then(HashMap::default)),
            WindowKind::Global => Self::Number(None),
            WindowKind::Session { .. } => Self::Sessions(HashMap::default()),
            WindowKind::Count { .. } => Self::Filling(HashMap::default()),
        }
    }

    /// Open windows of the keys with this hash, where they are counted.
    pub fn number(&self, hash: u64) -> u32 {
        match self {
            Self::Number(Some(numbers)) => numbers.get(&hash).copied().unwrap_or_default(),
            Self::Number(None) | Self::Sessions(_) | Self::Filling(_) => 0,
        }
    }

    /// True where a key's windows are known by their number, if at all.
    pub fn is_of_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// True where the windows of each key could be counted, and are not.
    pub fn is_uncounted(&self) -> bool {
        matches!(self, Self::Number(None))
    }

    /// From now on they are; `open` are the hashes of the keys of all that are open, each as often as its key has some.
    pub fn count(&mut self, open: impl Iterator<Item = u64>) {
        let mut numbers = HashMap::<u64, u32, FixedState>::default();
        open.for_each(|hash| *numbers.entry(hash).or_default() += 1);
        *self = Self::Number(Some(numbers));
    }

    /// A window has been opened.
    pub fn open(&mut self, key: &[u8], hash: u64, window: Window) {
        match self {
            Self::Number(None) => {}
            Self::Number(Some(numbers)) => *numbers.entry(hash).or_default() += 1,
            Self::Sessions(sessions) => {
                let of_key = sessions.entry(key.into()).or_default();
                let place = of_key.partition_point(|open| open.start < window.start);
                of_key.insert(place, window);
            }
            Self::Filling(_) => {}
        }
    }

    /// A window is closed; `start` is its unit's.
    pub fn close(&mut self, key: &[u8], hash: u64, start: i64) {
        match self {
            Self::Number(None) => {}
            Self::Number(Some(numbers)) => {
                if let Some(number) = numbers.get_mut(&hash) {
                    *number -= 1;
                    if *number == 0 {
                        numbers.remove(&hash);
                    }
                }
            }
            Self::Sessions(sessions) => {
                if let Some(of_key) = sessions.get_mut(key) {
                    if let Ok(place) = of_key.binary_search_by_key(&start, |open| open.start) {
                        of_key.remove(place);
                    }
                    if of_key.is_empty() {
                        sessions.remove(key);
                    }
                }
            }
            Self::Filling(filling) => {
                // Full ones fire together, before another record comes.
                if filling.get(key).is_some_and(|open| open.number == start || open.records == 0) {
                    filling.remove(key);
                }
            }
        }
    }

    /// The sessions of a key, in order.
    pub fn sessions(&self, key: &[u8]) -> &[Window] {
        match self {
            Self::Sessions(sessions) => sessions.get(key).map_or(&[], |sessions| sessions),
            Self::Number(_) | Self::Filling(_) => &[],
        }
    }

    /// A key has a session in the place of others.
    pub fn change_session(&mut self, key: &[u8], olds: impl Iterator<Item = Window>, now: Window) {
        let Self::Sessions(sessions) = self else { return };
        let of_key = match sessions.get_mut(key) {
            Some(of_key) => of_key,
            None => sessions.entry(key.into()).or_default(),
        };
        let place_of = |of_key: &[Window], start: i64| of_key.binary_search_by_key(&start, |open| open.start);
        for old in olds.filter(|old| old.start != now.start) {
            if let Ok(place) = place_of(of_key, old.start) {
                of_key.remove(place);
            }
        }
        match place_of(of_key, now.start) {
            Ok(place) => of_key[place] = now,
            Err(place) => of_key.insert(place, now),
        }
    }

    /// The count of a key that is being filled.
    pub fn filling(&self, key: &[u8]) -> Filling {
        match self {
            Self::Filling(filling) => filling.get(key).copied().unwrap_or(Filling::EMPTY),
            Self::Number(_) | Self::Sessions(_) => Filling::EMPTY,
        }
    }

    /// This is the count of a key that is being filled from now on.
    pub fn set_filling(&mut self, key: &[u8], now: Filling) {
        let Self::Filling(filling) = self else { return };
        if now == Filling::EMPTY {
            filling.remove(key);
        } else if let Some(there) = filling.get_mut(key) {
            *there = now;
        } else {
            filling.insert(key.into(), now);
        }
    }
}
