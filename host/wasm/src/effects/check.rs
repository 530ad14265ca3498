//! The rules of `wit/operator.wit` for what a call returns, one by one; those for its records are in [`super::outputs`], those of windowed
//! operators in [`super::windows`].

use super::{BroadcastUpdate, Called, Effects, Given, KeyCounts, KeyedColumn, ListUpdate, MapUpdate, ValueUpdate};
use crate::bindings::weir::operator::types as wit;
use crate::columns::{column, integers};
use crate::guest_text::printable;
use hashbrown::HashSet;
use std::hash::Hash;
use weir_engine::shown_text::printable_key;
use weir_engine::state::StateKind;

/// Bytes of a metric's name, and metrics in one call.
const METRIC_NAME_BYTES: usize = 64;
const METRICS: usize = 256;

pub(super) type Checked<T> = Result<T, String>;

impl Called<'_> {
    pub(super) fn effects(&self, raw: wit::Effects) -> Checked<Effects> {
        let mut seen = Once::new("output", self.descriptor.outputs.len());
        let output = |raw: wit::Output| {
            let at = format!("output {}", raw.output);
            seen.name(raw.output)?;
            self.output(raw).map_err(|what| format!("{at}: {what}"))
        };
        self.check_spoken(&raw)?;
        let outputs: Vec<_> = raw.outputs.into_iter().map(output).collect::<Checked<_>>()?;
        self.check_gathered(&outputs)?;
        if let Some(update) = raw.broadcasts.first().filter(|_| self.given != (Given::Records { broadcast: true })) {
            return Err(format!("state {} is updated as broadcast state, and this batch is no broadcast", update.state));
        }
        // One set for all four: a state has one kind.
        let mut named = Once::new("state", self.descriptor.states.len());
        let values = each(raw.values, &mut named, |update| update.state, |update| self.value(update))?;
        let lists = each(raw.lists, &mut named, |update| update.state, |update| self.list(update))?;
        let maps = each(raw.maps, &mut named, |update| update.state, |update| self.map(update))?;
        let broadcasts = each(raw.broadcasts, &mut named, |update| update.state, |update| self.broadcast(update))?;
        let mut named = Once::new("timer", self.descriptor.timers.len());
        let timers = each(raw.timers, &mut named, |update| update.timer, |update| self.timer(update))?;
        let mut named = Once::new("touched state", self.descriptor.states.len());
        let touched = each(raw.touched, &mut named, |touch| touch.state, |touch| self.touch(&touch))?;
        Ok(Effects { outputs, values, lists, maps, broadcasts, touched, timers, metrics: metrics(raw.metrics)? })
    }

    fn value(&self, raw: wit::ValueUpdate) -> Checked<ValueUpdate> {
        let state = self.state(raw.state, StateKind::Value)?;
        let (cleared, set) = (self.cleared(&raw.cleared)?, self.keyed("set", raw.set)?);
        match self.key_twice(cleared.iter().chain(&set.keys)) {
            Some(key) => Err(format!("key {key} is named twice")),
            None => Ok(ValueUpdate { state, cleared, set }),
        }
    }

    fn list(&self, raw: wit::ListUpdate) -> Checked<ListUpdate> {
        let state = self.state(raw.state, StateKind::List)?;
        let cleared = self.cleared(&raw.cleared)?;
        let (popped, truncated) = (self.counts("popped", &raw.popped)?, self.counts("truncated", &raw.truncated)?);
        Ok(ListUpdate { state, cleared, popped, truncated, append: self.keyed("append", raw.append)? })
    }

    fn map(&self, raw: wit::MapUpdate) -> Checked<MapUpdate> {
        let state = self.state(raw.state, StateKind::Map)?;
        let cleared = self.cleared(&raw.cleared)?;
        let (removed, put) = (self.keyed("removed", raw.removed)?, self.keyed("put", raw.put)?);
        let values = column(raw.values).map_err(|what| format!("values: {what}"))?;
        parallel("values", values.len(), put.keys.len())?;
        check_entries_once(&removed, &put)?;
        Ok(MapUpdate { state, cleared, removed, put, values })
    }

    fn broadcast(&self, raw: wit::BroadcastUpdate) -> Checked<BroadcastUpdate> {
        let state = self.of_kind(raw.state, StateKind::Broadcast)?;
        let part = |what: &str, raw| column(raw).map_err(|error| format!("{what}: {error}"));
        let (removed, put, values) = (part("removed", raw.removed)?, part("put", raw.put)?, part("values", raw.values)?);
        parallel("values", values.len(), put.len())?;
        if let Some(entry) = named_twice(removed.iter().chain(put.iter())) {
            return Err(format!("an entry is named twice: {}", printable_key(entry)));
        }
        Ok(BroadcastUpdate { state, cleared: raw.cleared, removed, put, values })
    }

    fn state(&self, state: u32, kind: StateKind) -> Checked<usize> {
        if self.keys.is_none() {
            return Err("the batch's input is not keyed, so it may change no state by key".into());
        }
        self.of_kind(state, kind)
    }

    fn of_kind(&self, state: u32, kind: StateKind) -> Checked<usize> {
        let declared = &self.descriptor.states[state as usize];
        if declared.kind != kind {
            return Err(format!("\"{}\" is updated as a {kind:?}, but declared as a {:?}", declared.name, declared.kind));
        }
        Ok(state as usize)
    }

    fn cleared(&self, raw: &[u8]) -> Checked<Vec<u32>> {
        let keys = integers(raw).map_err(|what| format!("cleared: {what}"))?;
        self.check_keys("cleared", &keys)?;
        Ok(keys)
    }

    fn keyed(&self, what: &str, raw: wit::KeyedColumnResult) -> Checked<KeyedColumn> {
        let keys: Vec<u32> = integers(&raw.keys).map_err(|error| format!("{what}: keys: {error}"))?;
        self.check_keys(what, &keys)?;
        let items = column(raw.items).map_err(|error| format!("{what}: {error}"))?;
        parallel(what, items.len(), keys.len())?;
        Ok(KeyedColumn { keys, items })
    }

    fn counts(&self, what: &str, raw: &wit::KeyCounts) -> Checked<KeyCounts> {
        let keys: Vec<u32> = integers(&raw.keys).map_err(|error| format!("{what}: keys: {error}"))?;
        self.check_keys(what, &keys)?;
        if let Some(key) = self.key_twice(keys.iter()) {
            return Err(format!("{what} names key {key} twice"));
        }
        let counts: Vec<u64> = integers(&raw.counts).map_err(|error| format!("{what}: counts: {error}"))?;
        parallel(what, counts.len(), keys.len())?;
        Ok(KeyCounts { keys, counts })
    }

    /// The first key that comes again. All of them are keys of the batch.
    pub(super) fn key_twice<'k>(&self, mut keys: impl Iterator<Item = &'k u32>) -> Option<u32> {
        let mut seen = BitSet::new(self.keys.unwrap_or(0));
        keys.find(|key| !seen.insert(**key)).copied()
    }

    pub(super) fn check_keys(&self, what: &str, keys: &[u32]) -> Checked<()> {
        let most = self.keys.unwrap_or(0);
        match first_over(keys, most) {
            Some(key) => Err(format!("{what} names key {key}, but the batch has {most}")),
            None => Ok(()),
        }
    }
}

/// Checks each entry of a state or timer that is named for the first time, with its number in front of what is wrong.
fn each<R, T>(raw: Vec<R>, named: &mut Once, number: impl Fn(&R) -> u32, check: impl Fn(R) -> Checked<T>) -> Checked<Vec<T>> {
    let checked = |update: R| {
        let number = number(&update);
        named.name(number)?;
        check(update).map_err(|what| format!("{} {number}: {what}", named.what))
    };
    raw.into_iter().map(checked).collect()
}

/// Scans without a branch per item; the guilty one is looked for only where there is one.
pub(super) fn first_over(indexes: &[u32], bound: usize) -> Option<u32> {
    let largest = indexes.iter().copied().fold(0, u32::max);
    if indexes.is_empty() || (largest as usize) < bound { None } else { indexes.iter().copied().find(|&index| index as usize >= bound) }
}

pub(super) fn parallel(what: &str, items: usize, wanted: usize) -> Checked<()> {
    if items == wanted { Ok(()) } else { Err(format!("{what} has {items} items where there have to be {wanted}")) }
}

/// Record numbers that ascend within so many items of the column `name`.
pub(super) fn ascending_within(what: &str, records: &[u32], name: &str, items: usize) -> Checked<()> {
    if !records.is_sorted_by(|a, b| a < b) {
        return Err(format!("{what} does not ascend"));
    }
    match first_over(records, items) {
        Some(record) => Err(format!("{what} names record {record}, but {name} has {items} items")),
        None => Ok(()),
    }
}

fn check_entries_once(removed: &KeyedColumn, put: &KeyedColumn) -> Checked<()> {
    let entries = [removed, put].into_iter().flat_map(|column| column.keys.iter().copied().zip(column.items.iter()));
    match named_twice(entries) {
        Some((key, entry)) => Err(format!("an entry of key {key} is named twice: {}", printable_key(entry))),
        None => Ok(()),
    }
}

/// The first that comes again.
fn named_twice<T: Copy + Eq + Hash>(mut entries: impl Iterator<Item = T>) -> Option<T> {
    let mut seen: HashSet<T, foldhash::quality::RandomState> = HashSet::default();
    entries.find(|&entry| !seen.insert(entry))
}

fn metrics(raw: Vec<wit::Metric>) -> Checked<Vec<(String, i64)>> {
    if raw.len() > METRICS {
        return Err(format!("{} metrics in one call; {METRICS} are the most", raw.len()));
    }
    let fits = |name: &str| {
        !name.is_empty() && name.len() <= METRIC_NAME_BYTES && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    match raw.iter().find(|metric| !fits(&metric.name)) {
        Some(metric) => {
            Err(format!("a metric is named \"{}\"; 1 to {METRIC_NAME_BYTES} of A-Z a-z 0-9 _ - . are allowed", printable(&metric.name, 64)))
        }
        None => Ok(raw.into_iter().map(|metric| (metric.name, metric.delta)).collect()),
    }
}

/// Numbers that may be named once, of at most 64.
struct Once {
    what: &'static str,
    declared: usize,
    seen: u64,
}

impl Once {
    fn new(what: &'static str, declared: usize) -> Self {
        Self { what, declared, seen: 0 }
    }

    fn name(&mut self, number: u32) -> Checked<()> {
        if number as usize >= self.declared {
            return Err(format!("{} {number} is named, but {} are declared", self.what, self.declared));
        }
        if self.seen & (1 << number) != 0 {
            return Err(format!("{} {number} is named twice", self.what));
        }
        self.seen |= 1 << number;
        Ok(())
    }
}

/// A set of small numbers.
struct BitSet(Vec<u64>);

impl BitSet {
    fn new(bound: usize) -> Self {
        Self(vec![0; bound.div_ceil(64)])
    }

    /// False where it was there already. `number` is smaller than the bound.
    #[inline]
    fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = (&mut self.0[number as usize / 64], 1 << (number % 64));
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }
}
