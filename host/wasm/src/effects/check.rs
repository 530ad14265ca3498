//! The rules of `wit/operator.wit` for what a call returns, one by one.

use super::{BroadcastUpdate, Called, Effects, KeyedColumn, ListUpdate, MapUpdate, Output, ValueUpdate};
use crate::bindings::weir::operator::types as wit;
use crate::columns::{column, integers};
use crate::fault::GuestFault;
use crate::guest_text::printable;
use hashbrown::HashSet;
use std::hash::Hash;
use weir_engine::Column;
use weir_engine::shown_text::printable_key;
use weir_engine::state::StateKind;

/// Bytes of a metric's name, and metrics in one call.
const METRIC_NAME_BYTES: usize = 64;
const METRICS: usize = 256;

pub(super) type Checked<T> = Result<T, String>;

impl Called<'_> {
    pub(super) fn check_record_count(&self, outputs: &[wit::Output]) -> Result<(), GuestFault> {
        let records: u64 = outputs.iter().map(|output| (output.cause.len() / 4) as u64).sum();
        let most = self.limits.output_records;
        if records > most {
            return Err(GuestFault::OutputLimit { what: format!("{records} records from one call, and {most} are the most") });
        }
        Ok(())
    }

    pub(super) fn effects(&self, raw: wit::Effects) -> Checked<Effects> {
        let mut seen = Once::new("output", self.descriptor.outputs.len());
        let output = |raw: wit::Output| {
            let at = format!("output {}", raw.output);
            seen.name(raw.output)?;
            self.output(raw).map_err(|what| format!("{at}: {what}"))
        };
        let outputs = raw.outputs.into_iter().map(output).collect::<Checked<_>>()?;
        if let Some(update) = raw.broadcasts.first().filter(|_| !self.broadcast) {
            return Err(format!("state {} is updated as broadcast state, and this batch is no broadcast", update.state));
        }
        // One set for all four: a state has one kind.
        let mut named = Once::new("state", self.descriptor.states.len());
        let values = each(raw.values, &mut named, |update| update.state, |update| self.value(update))?;
        let lists = each(raw.lists, &mut named, |update| update.state, |update| self.list(update))?;
        let maps = each(raw.maps, &mut named, |update| update.state, |update| self.map(update))?;
        let broadcasts = each(raw.broadcasts, &mut named, |update| update.state, |update| self.broadcast(update))?;
        if let Some(update) = raw.timers.first() {
            return Err(format!("timer {} is named, but {} are declared", update.timer, self.descriptor.timers.len()));
        }
        self.touched(&raw.touched)?;
        Ok(Effects { outputs, values, lists, maps, broadcasts, metrics: metrics(raw.metrics)? })
    }

    fn output(&self, raw: wit::Output) -> Checked<Output> {
        let cause: Vec<u32> = integers(&raw.cause).map_err(|what| format!("cause: {what}"))?;
        if let Some(record) = first_over(&cause, self.records) {
            return Err(format!("cause names record {record}, but the batch has {}", self.records));
        }
        let records = cause.len();
        let values = column(raw.values).map_err(|what| format!("values: {what}"))?;
        parallel("values", values.len(), records)?;
        let keys = column(raw.keys).map_err(|what| format!("keys: {what}"))?;
        let keyless = integers(&raw.keyless).map_err(|what| format!("keyless: {what}"))?;
        check_keyless(&keys, &keyless)?;
        let timestamps: Vec<i64> = integers(&raw.timestamps).map_err(|what| format!("timestamps: {what}"))?;
        if !keys.is_empty() {
            parallel("keys", keys.len(), records)?;
        }
        if !timestamps.is_empty() {
            parallel("timestamps", timestamps.len(), records)?;
        }
        let keys = (!keys.is_empty()).then_some((keys, keyless));
        let timestamps = (!timestamps.is_empty()).then_some(timestamps);
        Ok(Output { output: raw.output, cause, values, keys, timestamps })
    }

    fn value(&self, raw: wit::ValueUpdate) -> Checked<ValueUpdate> {
        let state = self.state(raw.state, StateKind::Value)?;
        let (cleared, set) = (self.cleared(&raw.cleared)?, self.keyed("set", raw.set)?);
        let mut seen = BitSet::new(self.keys.unwrap_or(0));
        match cleared.iter().chain(&set.keys).find(|key| !seen.insert(**key)) {
            Some(key) => Err(format!("key {key} is named twice")),
            None => Ok(ValueUpdate { state, cleared, set }),
        }
    }

    fn list(&self, raw: wit::ListUpdate) -> Checked<ListUpdate> {
        let state = self.state(raw.state, StateKind::List)?;
        Ok(ListUpdate { state, cleared: self.cleared(&raw.cleared)?, append: self.keyed("append", raw.append)? })
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

    fn check_keys(&self, what: &str, keys: &[u32]) -> Checked<()> {
        let most = self.keys.unwrap_or(0);
        match first_over(keys, most) {
            Some(key) => Err(format!("{what} names key {key}, but the batch has {most}")),
            None => Ok(()),
        }
    }

    /// Reads count only for states with a time to live, which are not served: a note of them changes nothing, but must make sense.
    fn touched(&self, raw: &[wit::Touch]) -> Checked<()> {
        let states = self.descriptor.states.len();
        for touch in raw {
            if touch.state as usize >= states {
                return Err(format!("touched names state {}, but {states} are declared", touch.state));
            }
            self.check_keys("touched", &integers(&touch.keys).map_err(|what| format!("touched: {what}"))?)?;
        }
        Ok(())
    }
}

/// Checks each update of a state that is named for the first time, with its number in front of what is wrong.
fn each<R, T>(raw: Vec<R>, named: &mut Once, state: impl Fn(&R) -> u32, check: impl Fn(R) -> Checked<T>) -> Checked<Vec<T>> {
    let checked = |update: R| {
        let state = state(&update);
        named.name(state)?;
        check(update).map_err(|what| format!("state {state}: {what}"))
    };
    raw.into_iter().map(checked).collect()
}

/// Scans without a branch per item; the guilty one is looked for only where there is one.
fn first_over(indexes: &[u32], bound: usize) -> Option<u32> {
    let largest = indexes.iter().copied().fold(0, u32::max);
    if indexes.is_empty() || (largest as usize) < bound { None } else { indexes.iter().copied().find(|&index| index as usize >= bound) }
}

fn parallel(what: &str, items: usize, wanted: usize) -> Checked<()> {
    if items == wanted { Ok(()) } else { Err(format!("{what} has {items} items where there have to be {wanted}")) }
}

fn check_keyless(keys: &Column, keyless: &[u32]) -> Checked<()> {
    if !keyless.is_sorted_by(|a, b| a < b) {
        return Err("keyless does not ascend".into());
    }
    if let Some(record) = first_over(keyless, keys.len()) {
        return Err(format!("keyless names record {record}, but keys has {} items", keys.len()));
    }
    match keyless.iter().find(|&&record| !keys.get(record as usize).is_empty()) {
        Some(record) => Err(format!("record {record} is keyless, but its item in keys is not empty")),
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
