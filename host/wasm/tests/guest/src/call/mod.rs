//! One call: obeys the instructions of its records, in order, and gives what has come of them.

mod effects;

use crate::columns::{Items, asked, headers, items, none, u32s};
use crate::weir::operator::collections;
use crate::weir::operator::logging::{Level, log};
use crate::weir::operator::types::{Batch, Column, Context, Effects, Failure, Headers, KeyedColumn, TimerBatch, WindowBatch, Windows};
use crate::{COUNT, ENTRIES, FRESH, ITEMS, LATELY, RULES, WINDOWED, recurse, spin};
use std::collections::BTreeMap;

/// One call at work.
pub struct Call {
    context: Context,
    values: Vec<Vec<u8>>,
    valueless: Vec<u32>,
    /// Of each record, names and values.
    headers: Vec<Vec<(Vec<u8>, Vec<u8>)>>,
    key_of: Vec<u32>,
    counts: BTreeMap<u32, u64>,
    /// What was handed in of the state that lives for a while, and what of it is set.
    fresh: BTreeMap<u32, Vec<u8>>,
    freshened: BTreeMap<u32, Vec<u8>>,
    lately: Appended,
    /// Of states the keys that are said to have been read.
    touched: BTreeMap<u32, Vec<u32>>,
    changed: Vec<u32>,
    cause: Vec<u32>,
    out: Items,
    /// A bit for each record that passes to the main output and to the side output.
    passes: [Vec<u8>; 2],
    /// Made records without a value.
    absent: Vec<u32>,
    list: Appended,
    /// Keys and numbers of lists to shorten, at the front and at the end.
    popped: BTreeMap<u32, u64>,
    truncated: BTreeMap<u32, u64>,
    map: Put,
    rules: Ruled,
    /// Of each declared timer keys and times.
    set: [Vec<(u32, i64)>; 2],
    deleted: [Vec<(u32, i64)>; 2],
    /// Of each key the bounds of its window, where it has some that are known.
    bounds: Vec<(i64, i64)>,
    /// It is called with windows.
    speaks: bool,
    /// What to break in the effects.
    wrong: Option<String>,
}

/// What is appended to lists.
#[derive(Default)]
struct Appended {
    keys: Vec<u32>,
    items: Items,
}

/// What is put into maps.
#[derive(Default)]
struct Put {
    keys: Vec<u32>,
    entries: Items,
    values: Items,
}

/// What becomes of the rules.
#[derive(Default)]
struct Ruled {
    cleared: bool,
    removed: Items,
    put: Items,
    values: Items,
}

impl Call {
    pub fn new(context: Context, batch: Batch) -> Self {
        let mut counts = BTreeMap::new();
        if let Some(state) = batch.states.get(COUNT as usize) {
            for (key, value) in u32s(&state.keys).into_iter().zip(items(&state.items)) {
                counts.insert(key, u64::from_le_bytes(value.try_into().expect("a count has 8 bytes")));
            }
        }
        let fresh = batch.states.get(FRESH as usize).map(|state| u32s(&state.keys).into_iter().zip(items(&state.items)).collect());
        Self {
            context,
            fresh: fresh.unwrap_or_default(),
            freshened: BTreeMap::new(),
            lately: Appended::default(),
            touched: BTreeMap::new(),
            headers: headers(&batch),
            values: items(&batch.values),
            valueless: u32s(&batch.valueless),
            key_of: u32s(&batch.key_of),
            counts,
            changed: Vec::new(),
            cause: Vec::new(),
            out: Items::default(),
            passes: Default::default(),
            absent: Vec::new(),
            list: Appended::default(),
            popped: BTreeMap::new(),
            truncated: BTreeMap::new(),
            map: Put::default(),
            rules: Ruled::default(),
            set: Default::default(),
            deleted: Default::default(),
            bounds: batch.windows.as_ref().map(bounds).unwrap_or_default(),
            speaks: false,
            wrong: None,
        }
    }

    /// A call with timers that are due, as if they were records.
    pub fn of_timers(context: Context, fired: TimerBatch) -> Self {
        let (keys, mut values) = (items(&fired.keys), Items::default());
        let times = fired.times.chunks_exact(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap()));
        for ((key, timer), time) in u32s(&fired.key_of).into_iter().zip(u32s(&fired.timers)).zip(times) {
            match keys[key as usize].strip_prefix(b"!") {
                Some(instruction) => values.push(instruction),
                None => values.push(format!("{}@{time}", ["due", "tick"][timer as usize]).as_bytes()),
            }
        }
        let TimerBatch { keys, key_of, times, states, .. } = fired;
        Self::new(context, plain(Instructions { keys, key_of, values, states }, times))
    }

    /// A call with windows that fire, as if they were records.
    pub fn of_windows(context: Context, fired: WindowBatch) -> Self {
        let (keys, mut values) = (items(&fired.keys), Items::default());
        let replaced: Vec<_> = u32s(&fired.replaces.keys).into_iter().zip(items(&fired.replaces.items)).collect();
        let revisions = u32s(&fired.revisions);
        for (at, (start, end)) in bounds(&fired.windows).into_iter().enumerate() {
            let reason = ["on-time", "early", "correction"][usize::from(fired.reasons[at])];
            let mut text = format!("{start}..{end} {reason}#{}", revisions[at]);
            for (_, bounds) in replaced.iter().filter(|(firing, _)| *firing as usize == at) {
                let [start, end] = [0, 8].map(|from| i64::from_le_bytes(bounds[from..from + 8].try_into().unwrap()));
                text += &format!(" for {start}..{end}");
            }
            values.push(keys[at].strip_prefix(b"!").unwrap_or(text.as_bytes()));
        }
        let key_of: Vec<u8> = (0..keys.len() as u32).flat_map(u32::to_le_bytes).collect();
        let WindowBatch { keys, states, .. } = fired;
        let times = vec![0; 8 * revisions.len()];
        Self { speaks: true, ..Self::new(context, plain(Instructions { keys, key_of, values, states }, times)) }
    }

    pub fn run(mut self) -> Result<Effects, Failure> {
        for record in 0..self.values.len() as u32 {
            if self.valueless.contains(&record) {
                self.emit(record, b"no value");
                continue;
            }
            let value = String::from_utf8_lossy(&self.values[record as usize]).into_owned();
            let (word, rest) = value.split_once(' ').unwrap_or((&value, ""));
            self.obey(record, word, rest)?;
        }
        Ok(self.effects())
    }

    fn obey(&mut self, record: u32, word: &str, rest: &str) -> Result<(), Failure> {
        let key = self.key_of.get(record as usize).copied();
        match word {
            "trap" => panic!("told to trap"),
            "cry" => {
                log(Level::Error, rest);
                panic!();
            }
            "spin" => spin(),
            "eat" => {
                let mut eaten = Vec::new();
                loop {
                    eaten.push(Vec::<u8>::with_capacity(1 << 20));
                    std::hint::black_box(&eaten);
                }
            }
            // Is refused memory, does without it, and obeys what follows.
            "hungry" => {
                let refused = Vec::<u8>::new().try_reserve_exact(1 << 30);
                assert!(std::hint::black_box(refused).is_err());
                let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                self.obey(record, word, rest)?;
            }
            "recurse" => self.emit(record, recurse(1).to_string().as_bytes()),
            "flood" => {
                self.out.data.reserve_exact(17 << 20);
                (0..17).for_each(|_| self.emit(record, &vec![7; 1 << 20]));
            }
            "many" => (0..rest.parse::<u32>().unwrap()).for_each(|_| self.emit(record, b"")),
            "fail" => return Err(Failure { cause: Some(record), message: rest.into() }),
            "fail-batch" => return Err(Failure { cause: None, message: rest.into() }),
            "fail-other" => return Err(Failure { cause: Some(99_999), message: rest.into() }),
            "wrong" => self.wrong = Some(rest.into()),
            "drop" => {}
            "pass" => self.pass(0, record),
            "pass-side" => self.pass(1, record),
            // Passes, and emits what is left.
            "pass-and" => {
                self.pass(0, record);
                self.emit(record, rest.as_bytes());
            }
            "absent" => {
                self.absent.push(self.cause.len() as u32);
                self.emit(record, b"");
            }
            "headers" => {
                let headers: Vec<_> =
                    self.headers[record as usize].iter().map(|(name, value)| [&name[..], value].join(&b"="[..])).collect();
                self.emit(record, &headers.join(&b","[..]));
            }
            "pop" => drop(self.popped.insert(key.unwrap(), rest.parse().unwrap())),
            "truncate" => drop(self.truncated.insert(key.unwrap(), rest.parse().unwrap())),
            "set" => Self::timer(&mut self.set, key.unwrap(), rest),
            "delete" => Self::timer(&mut self.deleted, key.unwrap(), rest),
            "log" => log(Level::Warn, rest),
            "emit" => self.emit(record, rest.as_bytes()),
            "update" => {
                self.counts.entry(key.unwrap()).or_default();
                self.changed.push(key.unwrap());
            }
            // Notes the bounds of the window that the record is in.
            "bounds" => {
                let key = key.unwrap();
                let text = self.bounds.get(key as usize).map_or("none".into(), |(start, end)| format!("{start}..{end}"));
                self.list.keys.push(key);
                self.list.items.push(text.as_bytes());
            }
            "context" => {
                self.emit(record, format!("{} {} {}", self.context.input, self.context.watermark, self.context.processing_time).as_bytes())
            }
            "append" => {
                self.list.keys.push(key.unwrap());
                self.list.items.push(rest.as_bytes());
            }
            "list" => self.read_list(record, key.unwrap_or(0), rest.parse().unwrap()),
            "keep" => drop(self.freshened.insert(key.unwrap(), rest.into())),
            "kept" => {
                let kept = self.fresh.get(&key.unwrap()).cloned();
                self.emit(record, kept.as_deref().unwrap_or(b"none"));
            }
            "lately" => {
                self.lately.keys.push(key.unwrap());
                self.lately.items.push(rest.as_bytes());
            }
            "list-lately" => self.read_list_of(record, LATELY, key.unwrap(), 1_000),
            // Says that a state of the key, given by its number, has been read.
            "touch" => self.touched.entry(rest.parse().unwrap()).or_default().push(key.unwrap()),
            "put" => {
                let (entry, value) = rest.split_once('=').unwrap();
                self.map.keys.push(key.unwrap());
                self.map.entries.push(entry.as_bytes());
                self.map.values.push(value.as_bytes());
            }
            "map" => self.scan_map(record, key.unwrap_or(0), rest.parse().unwrap()),
            "get" => self.get_entry(record, key.unwrap_or(0), rest),
            "rule" => {
                let (entry, value) = rest.split_once('=').unwrap();
                self.rules.put.push(entry.as_bytes());
                self.rules.values.push(value.as_bytes());
            }
            "unrule" => self.rules.removed.push(rest.as_bytes()),
            "unrule-all" => self.rules.cleared = true,
            "rules" => self.scan_rules(record, rest.parse().unwrap()),
            "get-rule" => self.get_rule(record, rest),
            "peek-rules" => {
                collections::broadcast_scan(rest.parse().unwrap(), None, 100);
            }
            "peek" => {
                // Another key of the batch, or none: by a number that the guest made up.
                collections::list_length(ITEMS, rest.parse().unwrap());
            }
            "peek-state" => {
                collections::list_length(rest.parse().unwrap(), key.unwrap_or(0));
            }
            _ => self.count(record, key),
        }
        Ok(())
    }

    /// `0 77`: timer 0 at 77.
    fn timer(timers: &mut [Vec<(u32, i64)>; 2], key: u32, rest: &str) {
        let (timer, time) = rest.split_once(' ').unwrap();
        timers[timer.parse::<usize>().unwrap()].push((key, time.parse().unwrap()));
    }

    fn count(&mut self, record: u32, key: Option<u32>) {
        let value = self.values[record as usize].clone();
        let Some(key) = key else { return self.emit(record, &value) };
        let count = self.counts.entry(key).or_default();
        *count += u64::from(!self.speaks);
        let text = [&value[..], b"=", count.to_string().as_bytes()].concat();
        if !self.speaks && !self.changed.contains(&key) {
            self.changed.push(key);
        }
        if self.speaks || !WINDOWED {
            self.emit(record, &text);
        }
    }

    fn pass(&mut self, output: usize, record: u32) {
        let passes = &mut self.passes[output];
        passes.resize(self.values.len().div_ceil(8), 0);
        passes[record as usize / 8] |= 1 << (record % 8);
    }

    fn emit(&mut self, record: u32, value: &[u8]) {
        self.cause.push(record);
        self.out.push(value);
    }

    fn read_list(&mut self, record: u32, key: u32, page: u32) {
        self.read_list_of(record, ITEMS, key, page);
    }

    fn read_list_of(&mut self, record: u32, state: u32, key: u32, page: u32) {
        let (mut start, mut pages, mut all) = (0, 0, Vec::new());
        loop {
            let read = collections::list_read(state, key, start, page);
            all.extend(items(&read.items));
            pages += 1;
            let Some(next) = read.next else { break };
            start = next;
        }
        let length = collections::list_length(state, key);
        self.emit(record, format!("{length} in {pages}: {}", String::from_utf8_lossy(&all.join(&b","[..]))).as_bytes());
    }

    fn scan_map(&mut self, record: u32, key: u32, page: u32) {
        self.scan(record, |start| collections::map_scan(ENTRIES, key, start, page));
    }

    fn scan_rules(&mut self, record: u32, page: u32) {
        self.scan(record, |start| collections::broadcast_scan(RULES, start, page));
    }

    fn scan(&mut self, record: u32, read_from: impl Fn(Option<&[u8]>) -> collections::MapPage) {
        let (mut start, mut pages, mut all) = (None::<Vec<u8>>, 0, Vec::new());
        loop {
            let read = read_from(start.as_deref());
            all.extend(items(&read.entries).into_iter().zip(items(&read.values)).map(|(entry, value)| [entry, value].join(&b"="[..])));
            pages += 1;
            let Some(next) = read.next else { break };
            start = Some(next);
        }
        self.emit(record, format!("{pages}: {}", String::from_utf8_lossy(&all.join(&b","[..]))).as_bytes());
    }

    fn get_entry(&mut self, record: u32, key: u32, entries: &str) {
        self.emit_got(record, collections::map_get(ENTRIES, key, &asked(entries)));
    }

    fn get_rule(&mut self, record: u32, entries: &str) {
        self.emit_got(record, collections::broadcast_get(RULES, &asked(entries)));
    }

    fn emit_got(&mut self, record: u32, got: KeyedColumn) {
        self.emit(record, format!("{:?} {}", u32s(&got.keys), String::from_utf8_lossy(&items(&got.items).join(&b","[..]))).as_bytes());
    }
}

/// What there is to do, for each key of `key_of`.
struct Instructions {
    keys: Column,
    key_of: Vec<u8>,
    values: Items,
    states: Vec<KeyedColumn>,
}

/// Instructions as records.
fn plain(Instructions { keys, key_of, values, states }: Instructions, timestamps: Vec<u8>) -> Batch {
    let headers = Headers { ends: vec![], names: none(), values: none() };
    let values = values.column();
    Batch { keys, key_of, keyless: vec![], values, valueless: vec![], headers, timestamps, states, windows: None }
}

fn bounds(windows: &Windows) -> Vec<(i64, i64)> {
    let s64s = |bytes: &[u8]| bytes.chunks_exact(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap())).collect::<Vec<_>>();
    s64s(&windows.starts).into_iter().zip(s64s(&windows.ends)).collect()
}
