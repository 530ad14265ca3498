//! A guest written against the bare world, without an SDK: an SDK would keep it from the mistakes that it is here to make.
//!
//! Each record's value is an instruction. What is no instruction is counted: the key's count goes up by one and `value=count` is
//! emitted with what it inherits from its record.

wit_bindgen::generate!({ path: "../../../../wit", world: "weir:operator/operator" });

use exports::weir::operator::guest::Guest;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use weir::operator::collections;
use weir::operator::logging::{Level, log};
use weir::operator::types::*;

const COUNT: u32 = 0;
const ITEMS: u32 = 1;
const ENTRIES: u32 = 2;
const RULES: u32 = 3;

/// Set by the config `stale`: from the second call of an instance on, everything traps.
static STALE: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU32 = AtomicU32::new(0);

struct Puppet;
export!(Puppet);

impl Guest for Puppet {
    fn describe() -> Descriptor {
        let state = |name: &str, kind| StateDecl { name: name.into(), kind, schema: "raw".into(), version: 2, ttl: None, merges: false };
        let input = |name: &str| InputDecl { name: name.into(), accepts: vec![], partitioning: InputPartitioning::Any };
        let output = |name: &str| OutputDecl { name: name.into(), schema: None };
        Descriptor {
            name: "puppet".into(),
            version: "0.1.0".into(),
            inputs: vec![input("in"), input("rules")],
            outputs: vec![output("out"), output("side")],
            states: vec![
                state("count", StateKind::Value),
                state("items", StateKind::List),
                state("entries", StateKind::Map),
                state("rules", StateKind::Broadcast),
            ],
            timers: vec![],
            windowed: false,
        }
    }

    fn open(config: String, schemas: Vec<Option<String>>, subtask: Subtask) -> Result<(), String> {
        STALE.store(config == "\"stale\"", Relaxed);
        match config.as_str() {
            "\"refuse\"" => Err("no such mode".into()),
            "\"panic\"" => panic!("open panics"),
            "\"spin\"" => spin(),
            _ => {
                log(Level::Info, &format!("opened {config} {schemas:?} {}/{} {}", subtask.index, subtask.parallelism, subtask.seed));
                Ok(())
            }
        }
    }

    fn process(context: Context, batch: Batch) -> Result<Effects, Failure> {
        if CALLS.fetch_add(1, Relaxed) > 0 && STALE.load(Relaxed) {
            panic!("this instance has been used before");
        }
        Call::new(context, batch).run()
    }

    fn on_timers(_context: Context, _fired: TimerBatch) -> Result<Effects, Failure> {
        Err(Failure { cause: None, message: "no timers".into() })
    }

    fn on_windows(_context: Context, _fired: WindowBatch) -> Result<Effects, Failure> {
        Err(Failure { cause: None, message: "no windows".into() })
    }

    fn merge(_state: u32, _earlier: Column, _later: Column) -> Result<Column, String> {
        Err("nothing merges".into())
    }

    fn migrate(_state: u32, from_version: u32, values: Column) -> Result<Column, String> {
        match from_version {
            1 => {
                let mut migrated = Items::default();
                for value in items(&values) {
                    migrated.push(&[&value[..], b"!"].concat());
                }
                Ok(migrated.column())
            }
            3 => Ok(Items::default().column()),
            4 => {
                log(Level::Info, "migrate may not");
                Ok(values)
            }
            5 => spin(),
            6 => Ok(Column { data: vec![1; 100 << 20], ends: vec![] }),
            7 => Ok(Column { data: vec![1; 20 << 20], ends: bytes(&[20 << 20]) }),
            _ => Err(format!("cannot come from version {from_version}")),
        }
    }
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

/// A column that is being written.
#[derive(Default)]
struct Items {
    data: Vec<u8>,
    ends: Vec<u8>,
}

impl Items {
    fn push(&mut self, item: &[u8]) {
        self.data.extend_from_slice(item);
        self.ends.extend((self.data.len() as u32).to_le_bytes());
    }

    fn column(self) -> Column {
        Column { data: self.data, ends: self.ends }
    }
}

fn u32s(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn bytes(integers: &[u32]) -> Vec<u8> {
    integers.iter().flat_map(|integer| integer.to_le_bytes()).collect()
}

fn items(column: &Column) -> Vec<Vec<u8>> {
    let mut start = 0;
    let mut cut = |end: u32| column.data[std::mem::replace(&mut start, end as usize)..end as usize].to_vec();
    u32s(&column.ends).into_iter().map(&mut cut).collect()
}

/// The entries of a list with commas.
fn asked(entries: &str) -> Column {
    let mut asked = Items::default();
    entries.split(',').for_each(|entry| asked.push(entry.as_bytes()));
    asked.column()
}

fn none() -> Column {
    Items::default().column()
}

fn counts(counts: &BTreeMap<u32, u64>) -> KeyCounts {
    let keys: Vec<u32> = counts.keys().copied().collect();
    KeyCounts { keys: bytes(&keys), counts: counts.values().flat_map(|count| count.to_le_bytes()).collect() }
}

/// An output of records that pass.
fn passing(output: u32, passes: Vec<u8>) -> Output {
    Output {
        output,
        passes,
        cause: vec![],
        values: none(),
        valueless: vec![],
        keys: none(),
        keyless: vec![],
        headers: None,
        timestamps: vec![],
    }
}

/// The headers of each record.
fn headers(batch: &Batch) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut all = items(&batch.headers.names).into_iter().zip(items(&batch.headers.values));
    let mut start = 0;
    let of = |end: u32| all.by_ref().take((end - std::mem::replace(&mut start, end)) as usize).collect();
    match batch.headers.ends.is_empty() {
        true => vec![Vec::new(); batch.values.ends.len() / 4],
        false => u32s(&batch.headers.ends).into_iter().map(of).collect(),
    }
}

/// One call at work.
struct Call {
    context: Context,
    values: Vec<Vec<u8>>,
    valueless: Vec<u32>,
    /// Of each record, names and values.
    headers: Vec<Vec<(Vec<u8>, Vec<u8>)>>,
    key_of: Vec<u32>,
    counts: BTreeMap<u32, u64>,
    changed: Vec<u32>,
    cause: Vec<u32>,
    out: Items,
    /// A bit for each record that passes to the main output and to the side output.
    passes: [Vec<u8>; 2],
    /// Made records without a value.
    absent: Vec<u32>,
    list: (Vec<u32>, Items),
    /// Keys and numbers of lists to shorten, at the front and at the end.
    popped: BTreeMap<u32, u64>,
    truncated: BTreeMap<u32, u64>,
    map: (Vec<u32>, Items, Items),
    /// Cleared, removed entries, put entries, their values.
    rules: (bool, Items, Items, Items),
    /// What to break in the effects.
    wrong: Option<String>,
}

impl Call {
    fn new(context: Context, batch: Batch) -> Self {
        let mut counts = BTreeMap::new();
        if let Some(state) = batch.states.get(COUNT as usize) {
            for (key, value) in u32s(&state.keys).into_iter().zip(items(&state.items)) {
                counts.insert(key, u64::from_le_bytes(value.try_into().expect("a count has 8 bytes")));
            }
        }
        Self {
            context,
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
            list: Default::default(),
            popped: BTreeMap::new(),
            truncated: BTreeMap::new(),
            map: Default::default(),
            rules: Default::default(),
            wrong: None,
        }
    }

    fn run(mut self) -> Result<Effects, Failure> {
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
            "log" => log(Level::Warn, rest),
            "context" => {
                self.emit(record, format!("{} {} {}", self.context.input, self.context.watermark, self.context.processing_time).as_bytes())
            }
            "append" => {
                self.list.0.push(key.unwrap());
                self.list.1.push(rest.as_bytes());
            }
            "list" => self.read_list(record, key.unwrap_or(0), rest.parse().unwrap()),
            "put" => {
                let (entry, value) = rest.split_once('=').unwrap();
                self.map.0.push(key.unwrap());
                self.map.1.push(entry.as_bytes());
                self.map.2.push(value.as_bytes());
            }
            "map" => self.scan_map(record, key.unwrap_or(0), rest.parse().unwrap()),
            "get" => self.get_entry(record, key.unwrap_or(0), rest),
            "rule" => {
                let (entry, value) = rest.split_once('=').unwrap();
                self.rules.2.push(entry.as_bytes());
                self.rules.3.push(value.as_bytes());
            }
            "unrule" => self.rules.1.push(rest.as_bytes()),
            "unrule-all" => self.rules.0 = true,
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

    fn count(&mut self, record: u32, key: Option<u32>) {
        let value = self.values[record as usize].clone();
        let Some(key) = key else { return self.emit(record, &value) };
        let count = self.counts.entry(key).or_default();
        *count += 1;
        let text = [&value[..], b"=", count.to_string().as_bytes()].concat();
        if !self.changed.contains(&key) {
            self.changed.push(key);
        }
        self.emit(record, &text);
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
        let (mut start, mut pages, mut all) = (0, 0, Vec::new());
        loop {
            let read = collections::list_read(ITEMS, key, start, page);
            all.extend(items(&read.items));
            pages += 1;
            let Some(next) = read.next else { break };
            start = next;
        }
        let length = collections::list_length(ITEMS, key);
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

    fn effects(self) -> Effects {
        let mut set = Items::default();
        self.changed.iter().for_each(|key| set.push(&self.counts[key].to_le_bytes()));
        let value = ValueUpdate { state: COUNT, cleared: vec![], set: KeyedColumn { keys: bytes(&self.changed), items: set.column() } };
        let list = ListUpdate {
            state: ITEMS,
            cleared: vec![],
            popped: counts(&self.popped),
            truncated: counts(&self.truncated),
            append: KeyedColumn { keys: bytes(&self.list.0), items: self.list.1.column() },
        };
        let map = MapUpdate {
            state: ENTRIES,
            cleared: vec![],
            removed: KeyedColumn { keys: vec![], items: none() },
            put: KeyedColumn { keys: bytes(&self.map.0), items: self.map.1.column() },
            values: self.map.2.column(),
        };
        let (cleared, removed, put, values) = self.rules;
        let ruled = cleared || !removed.ends.is_empty() || !put.ends.is_empty();
        let rules = BroadcastUpdate { state: RULES, cleared, removed: removed.column(), put: put.column(), values: values.column() };
        let [main, side] = self.passes;
        let output = Output { cause: bytes(&self.cause), values: self.out.column(), valueless: bytes(&self.absent), ..passing(0, main) };
        let mut effects = Effects {
            outputs: if side.is_empty() { vec![output] } else { vec![output, passing(1, side)] },
            values: if self.changed.is_empty() { vec![] } else { vec![value] },
            lists: if self.list.0.is_empty() && self.popped.is_empty() && self.truncated.is_empty() { vec![] } else { vec![list] },
            maps: if self.map.0.is_empty() { vec![] } else { vec![map] },
            broadcasts: if ruled { vec![rules] } else { vec![] },
            touched: vec![],
            timers: vec![],
            metrics: vec![Metric { name: "calls".into(), delta: 1 }],
        };
        match self.wrong.as_deref() {
            Some("passes") => effects.outputs[0].passes = vec![0xff; 1 + self.values.len() / 8],
            Some("output") => effects.outputs[0].output = 9,
            Some("cause") => effects.outputs[0].cause = bytes(&vec![77; self.cause.len()]),
            Some("ends") => effects.outputs[0].values.ends.reverse(),
            Some("key") => effects.values.iter_mut().for_each(|update| update.set.keys.fill(0xee)),
            Some("rules") => effects.broadcasts.iter_mut().for_each(|update| update.values.ends.clear()),
            Some("rules-kind") => effects.broadcasts.iter_mut().for_each(|update| update.state = ENTRIES),
            Some("metric") => effects.metrics[0].name = "\u{1b}[2J".into(),
            Some(other) => panic!("no way to be wrong: {other}"),
            None => {}
        }
        effects
    }
}

/// Small frames, so that the host's stack ends before the guest's own.
fn recurse(depth: u64) -> u64 {
    let depth = std::hint::black_box(depth);
    if depth == 0 { 0 } else { recurse(depth + 1) ^ depth }
}
