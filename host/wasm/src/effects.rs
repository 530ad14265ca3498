//! What a call came to, checked: whatever is in here can be applied without another look.
//!
//! The guest's `effects` are hostile until they have been through `Effects::check`; a fault found there means that none of them is applied.

mod check;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod output_tests;
mod outputs;
#[cfg(test)]
mod tests;
mod timers;
mod touched;
#[cfg(test)]
mod window_tests;
mod windows;

use crate::bindings::weir::operator::types as wit;
use crate::fault::GuestFault;
use crate::limits::Limits;
use std::ops::Range;
use weir_engine::element::Headers;
use weir_engine::operator::OperatorDescriptor;
use weir_engine::{Column, RecordBatch};

/// Checked effects of one call. Keys are indexes into the call's keys, records indexes into the records that the call was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Each output once at most.
    pub outputs: Vec<Output>,
    /// Each state once at most, over all four kinds.
    pub values: Vec<ValueUpdate>,
    /// See `values`.
    pub lists: Vec<ListUpdate>,
    /// See `values`.
    pub maps: Vec<MapUpdate>,
    /// See `values`.
    pub broadcasts: Vec<BroadcastUpdate>,
    /// Each state once at most, beside what else becomes of it.
    pub touched: Vec<Touched>,
    /// Each declared timer once at most.
    pub timers: Vec<TimerUpdate>,
    /// Names of counters and what is to be added to each.
    pub metrics: Vec<(String, i64)>,
}

/// Records for one output: in the order of their causes, and of one cause the record that passes before those that are made.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The output's number.
    pub output: u32,
    /// The records that go on as they came. Where there are any, `cause` never decreases.
    pub passes: Passes,
    /// For each made record the record that it comes from.
    pub cause: Vec<u32>,
    /// The made records' values.
    pub values: Column,
    /// The made records that have no value, ascending.
    pub valueless: Vec<u32>,
    /// Keys of the made records; `None`: the causes'.
    pub keys: Option<OwnKeys>,
    /// Headers of the made records; `None`: the causes'.
    pub headers: Option<Headers>,
    /// Times of the made records; `None`: the causes'.
    pub timestamps: Option<Vec<i64>>,
}

/// Which records of a call pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Passes {
    /// None does.
    #[default]
    None,
    /// Every one does.
    All,
    /// These do, ascending; one at least.
    Some(Vec<u32>),
}

/// Keys that made records have of their own.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OwnKeys {
    /// One for each record.
    pub keys: Column,
    /// The records that have none, ascending; their item in `keys` is empty.
    pub keyless: Vec<u32>,
}

/// Items of keys, by the keys' indexes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyedColumn {
    /// A key for each item.
    pub keys: Vec<u32>,
    /// The items.
    pub items: Column,
}

/// Numbers of keys, by the keys' indexes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// Each key once.
    pub keys: Vec<u32>,
    /// A number for each.
    pub counts: Vec<u64>,
}

/// Changes of a value state: a key stands once, in `cleared` or in `set`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ValueUpdate {
    /// The state's number.
    pub state: usize,
    /// Keys whose value is removed.
    pub cleared: Vec<u32>,
    /// Keys and their new values.
    pub set: KeyedColumn,
}

/// Changes of a list state, in the order of the fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ListUpdate {
    /// The state's number.
    pub state: usize,
    /// Keys whose items are all removed. A key may stand twice.
    pub cleared: Vec<u32>,
    /// So many items are removed from the front, or all where there are fewer.
    pub popped: KeyCounts,
    /// Only so many stay at the front, where there are more.
    pub truncated: KeyCounts,
    /// Items for the end.
    pub append: KeyedColumn,
}

/// Changes of a map state, in the order of the fields; an entry of a key stands once, in `removed` or in `put`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MapUpdate {
    /// The state's number.
    pub state: usize,
    /// Keys whose entries are all removed. A key may stand twice.
    pub cleared: Vec<u32>,
    /// Entries that are removed.
    pub removed: KeyedColumn,
    /// Entries that are put.
    pub put: KeyedColumn,
    /// The values of the entries that are put.
    pub values: Column,
}

/// Changes of a broadcast state, in the order of the fields; an entry stands once, in `removed` or in `put`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct BroadcastUpdate {
    /// The state's number.
    pub state: usize,
    /// All entries are removed.
    pub cleared: bool,
    /// Entries that are removed.
    pub removed: Column,
    /// Entries that are put.
    pub put: Column,
    /// The values of the entries that are put.
    pub values: Column,
}

/// Keys whose value was read, of a state whose time to live counts from that.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The state's number.
    pub state: usize,
    /// Each key once.
    pub keys: Vec<u32>,
}

/// Which timers of keys are deleted, and which are set: none is in both.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TimerUpdate {
    /// The declared timer's number.
    pub timer: usize,
    /// A key that has none of it at that time loses nothing.
    pub deleted: KeyTimes,
    /// A key that has it at that time already gains nothing.
    pub set: KeyTimes,
}

/// Times of keys, by the keys' indexes: ascending by key and then by time, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyTimes {
    /// A key for each time.
    pub keys: Vec<u32>,
    /// The times, ms.
    pub times: Vec<i64>,
}

impl TimerUpdate {
    /// Each key that it names, with what becomes of it.
    pub(crate) fn by_key(&self) -> impl Iterator<Item = ChangedKey<'_>> {
        let (mut deleted, mut set) = (&self.deleted.keys[..], &self.set.keys[..]);
        std::iter::from_fn(move || {
            let key = deleted.first().into_iter().chain(set.first()).copied().min()?;
            let run = |keys: &mut &[u32], of: &'_ KeyTimes| {
                let (start, count) = (of.keys.len() - keys.len(), keys.iter().take_while(|&&other| other == key).count());
                *keys = &keys[count..];
                start..start + count
            };
            let (gone, new) = (run(&mut deleted, &self.deleted), run(&mut set, &self.set));
            Some(ChangedKey { key, deleted: &self.deleted.times[gone], set: &self.set.times[new] })
        })
    }
}

/// What becomes of one key's timer.
pub(crate) struct ChangedKey<'a> {
    pub(crate) key: u32,
    pub(crate) deleted: &'a [i64],
    pub(crate) set: &'a [i64],
}

/// What a call was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// Records of a batch. They may pass; where they came over a `broadcast` edge, broadcast state may be changed.
    Records { broadcast: bool },
    /// Timers that are due.
    Timers,
    /// Windows that fire: they are read and told, and nothing changes by them.
    Windows,
}

impl Given {
    /// What one of them is called.
    pub(crate) fn one(self) -> &'static str {
        match self {
            Self::Records { .. } => "record",
            Self::Timers => "timer",
            Self::Windows => "firing",
        }
    }

    /// Several of them.
    pub(crate) fn many(self) -> &'static str {
        match self {
            Self::Records { .. } => "records",
            Self::Timers => "timers",
            Self::Windows => "windows",
        }
    }
}

/// What the call was about: the bounds of every index in its effects.
#[derive(Clone, Copy)]
pub(crate) struct Called<'a> {
    pub(crate) descriptor: &'a OperatorDescriptor,
    pub(crate) limits: &'a Limits,
    /// What it was given, and how many.
    pub(crate) given: Given,
    pub(crate) count: usize,
    /// Distinct keys; `None`: its input is not keyed.
    pub(crate) keys: Option<usize>,
}

impl Effects {
    /// Takes a guest's effects over, or says what is wrong with them.
    pub(crate) fn check(raw: wit::Effects, called: &Called<'_>) -> Result<Self, GuestFault> {
        called.check_record_count(&raw.outputs)?;
        called.effects(raw).map_err(|what| GuestFault::Malformed { what })
    }

    /// Refuses outputs for which more bytes have to be copied out of the batch than a call may return: a long key or headers that very many records
    /// inherit, and records that pass to many outputs beside others, cost the guest nothing. `range`: the records of `batch` that the call was given.
    pub(crate) fn within(self, batch: &RecordBatch, range: &Range<usize>, limits: &Limits) -> Result<Self, GuestFault> {
        if self.outputs.iter().map(|output| output.copied_most(batch)).fold(0, u64::saturating_add) <= limits.output_bytes {
            return Ok(self);
        }
        let bytes = self.outputs.iter().map(|output| output.copied_bytes(batch, range)).fold(0, u64::saturating_add);
        if bytes <= limits.output_bytes {
            return Ok(self);
        }
        let what = format!(
            "records with {bytes} bytes of keys, headers and passing values out of the batch of one call, and {} are the most",
            limits.output_bytes
        );
        Err(GuestFault::OutputLimit { what, setting: "output-bytes" })
    }
}

impl Output {
    /// No less than [`Self::copied_bytes`], and mostly enough to know: no record is longer than all of them together.
    fn copied_most(&self, batch: &RecordBatch) -> u64 {
        let (keys, headers) = (batch.keys().data().len() as u64, header_bytes(batch, 0..batch.len()));
        let inherited = (if self.keys.is_none() { keys } else { 0 }) + (if self.headers.is_none() { headers } else { 0 });
        let passed = if self.copies_passes() { keys + batch.values().data().len() as u64 + headers } else { 0 };
        (self.cause.len() as u64).saturating_mul(inherited).saturating_add(passed)
    }

    /// Bytes of keys and headers that made records inherit, and of the records that pass between them.
    fn copied_bytes(&self, batch: &RecordBatch, range: &Range<usize>) -> u64 {
        let key = |record: usize| batch.keys().get(record).len() as u64;
        let headers = |record: usize| header_bytes(batch, record..record + 1);
        let inherited = |&cause: &u32| {
            let cause = range.start + cause as usize;
            (if self.keys.is_none() { key(cause) } else { 0 }) + (if self.headers.is_none() { headers(cause) } else { 0 })
        };
        let passed = |record: u32| {
            let record = range.start + record as usize;
            key(record) + batch.values().get(record).len() as u64 + headers(record)
        };
        let passing = if self.copies_passes() { self.passes.iter(range.len()).map(passed).sum() } else { 0 };
        self.cause.iter().map(inherited).sum::<u64>() + passing
    }

    /// Records pass among others, so that they are copied.
    fn copies_passes(&self) -> bool {
        !self.cause.is_empty() && self.passes != Passes::None
    }
}

/// Bytes of the headers of these records.
fn header_bytes(batch: &RecordBatch, records: Range<usize>) -> u64 {
    let Some(headers) = batch.headers() else { return 0 };
    let items = headers.items(records);
    let between = |column: &Column| {
        let end = |items: usize| if items == 0 { 0 } else { column.ends()[items - 1] as usize };
        end(items.end) - end(items.start)
    };
    (between(headers.names()) + between(headers.values()) + 8 * items.len()) as u64
}

impl Passes {
    /// How many of `records` records pass.
    pub fn count(&self, records: usize) -> usize {
        match self {
            Self::None => 0,
            Self::All => records,
            Self::Some(passing) => passing.len(),
        }
    }

    /// Those of `records` records that pass, ascending.
    pub fn iter(&self, records: usize) -> impl Iterator<Item = u32> + '_ {
        let (all, some) = match self {
            Self::None => (0, &[][..]),
            Self::All => (records as u32, &[][..]),
            Self::Some(passing) => (0, &passing[..]),
        };
        (0..all).chain(some.iter().copied())
    }
}
