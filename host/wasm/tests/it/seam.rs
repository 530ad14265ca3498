//! A component driven through the seam alone: no tasks, no metrics, no state of the engine's.

use crate::support::{batch, puppet, windowed_puppet};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::element::{BatchBuilder, RecordBatch};
use weir_engine::operator::Subtask;
use weir_engine::state::{FiredWindow, FiredWindows, Window, WindowReason};
use weir_engine::{Column, EngineError, ErrorKind};
use weir_wasm::effects::{Effects, Passes};
use weir_wasm::{
    CallFailure, CallInput, CollectionReads, EngineMode, Guest, GuestCall, GuestFault, KeyedCall, KeyedValues, Limits, OnFailure,
    OperatorSettings, Plugin, ScanFrom, ScanPage, TimerCall, WindowCall, firing_records,
};

/// The puppet's states, by number.
const COUNT: usize = 0;
const ITEMS: usize = 1;
const RULES: usize = 3;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// All that a driver keeps, by key: as plain as it can be.
#[derive(Clone, Default)]
struct Kept {
    counts: Map,
    /// By number, time and key.
    timers: BTreeSet<(usize, i64, Vec<u8>)>,
    lists: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    rules: Map,
    /// What is on loan cannot be read.
    broken: bool,
}

/// What is lent to a call: a copy, with the call's keys.
struct Lent {
    keys: Vec<Vec<u8>>,
    kept: Kept,
}

impl CollectionReads for Lent {
    fn list_len(&mut self, key: usize, state: usize) -> Result<u64, EngineError> {
        assert_eq!(state, ITEMS, "another state is refused before it is asked for");
        if self.kept.broken {
            return Err(EngineError::new(ErrorKind::Restart, "read the list: the disk is gone"));
        }
        Ok(self.kept.lists.get(&self.keys[key]).map_or(0, |list| list.len() as u64))
    }

    fn list_read(&mut self, key: usize, _: usize, start: u64, max_bytes: usize, items: &mut Column) -> Result<Option<u64>, EngineError> {
        let list = self.kept.lists.get(&self.keys[key]).map_or(&[][..], Vec::as_slice);
        for (at, item) in list.iter().enumerate().skip(start as usize) {
            if !items.is_empty() && items.byte_len() + item.len() > max_bytes {
                return Ok(Some(at as u64));
            }
            items.push(item);
        }
        Ok(None)
    }

    fn map_get(&mut self, _: usize, _: usize, _: &[u8], _: &mut Column) -> Result<bool, EngineError> {
        Ok(false)
    }

    fn map_scan(&mut self, _: usize, _: usize, _: ScanFrom<'_>, _: &mut ScanPage) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(None)
    }

    fn broadcast_get(&mut self, state: usize, entry: &[u8], values: &mut Column) -> Result<bool, EngineError> {
        assert_eq!(state, RULES);
        Ok(self.kept.rules.get(entry).inspect(|value| values.push(value)).is_some())
    }

    fn broadcast_scan(&mut self, _: usize, from: ScanFrom<'_>, page: &mut ScanPage) -> Result<Option<Vec<u8>>, EngineError> {
        for (entry, value) in self.kept.rules.range(from.start.unwrap_or_default().to_vec()..) {
            page.entries.push(entry);
            page.values.push(value);
        }
        Ok(None)
    }
}

/// Another engine, in a few lines.
struct Driver {
    guest: Guest,
    kept: Kept,
}

impl Driver {
    fn new() -> Self {
        Self::of(puppet(EngineMode::Fuel))
    }

    fn of(plugin: Plugin) -> Self {
        let settings =
            OperatorSettings { operator: "op".into(), config: "{}".into(), limits: Limits::default(), on_failure: OnFailure::Fail };
        let subtask = Subtask { vertex: "op".into(), index: 0, parallelism: 1 };
        let guest = Guest::open(plugin, Arc::new(settings), &subtask, &[None, None]).unwrap();
        Self { guest, kept: Kept::default() }
    }

    /// Runs a batch of a keyed input and applies what comes of it.
    fn keyed(&mut self, records: &[(&str, &str)]) -> Result<Effects, CallFailure> {
        let records = batch(records.iter().map(|(key, value)| (Some(*key), *value)));
        let (mut keys, mut key_of) = (Column::new(), Vec::new());
        for key in records.keys().iter() {
            let known = keys.iter().position(|known| known == key);
            key_of.push(known.unwrap_or(keys.len()) as u32);
            if known.is_none() {
                keys.push(key);
            }
        }
        let mut states = vec![KeyedValues::default(); 6];
        for (index, key) in keys.iter().enumerate() {
            if let Some(count) = self.kept.counts.get(key) {
                states[COUNT].keys.push(index as u32);
                states[COUNT].values.push(count);
            }
        }
        let input = CallInput::Keyed(KeyedCall { keys: &keys, key_of: &key_of, states: &states, windows: None });
        let names: Vec<Vec<u8>> = keys.iter().map(<[u8]>::to_vec).collect();
        let effects = self.call(0, input, &records, names.clone())?;
        for update in &effects.values {
            let set = update.set.keys.iter().zip(update.set.items.iter());
            self.kept.counts.extend(set.map(|(key, value)| (names[*key as usize].clone(), value.to_vec())));
        }
        self.apply_timers(&effects, &names);
        for update in &effects.lists {
            for (key, item) in update.append.keys.iter().zip(update.append.items.iter()) {
                self.kept.lists.entry(names[*key as usize].clone()).or_default().push(item.to_vec());
            }
        }
        Ok(effects)
    }

    fn apply_timers(&mut self, effects: &Effects, names: &[Vec<u8>]) {
        for update in &effects.timers {
            for (key, time) in update.deleted.keys.iter().zip(&update.deleted.times) {
                self.kept.timers.remove(&(update.timer, *time, names[*key as usize].clone()));
            }
            for (key, time) in update.set.keys.iter().zip(&update.set.times) {
                self.kept.timers.insert((update.timer, *time, names[*key as usize].clone()));
            }
        }
    }

    /// Fires the timers of number 0 up to a time, one by one, and applies what comes of each.
    fn advance_to(&mut self, watermark: i64) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(next @ (0, ..)) = self.kept.timers.first().cloned().filter(|next| next.1 <= watermark) {
            self.kept.timers.remove(&next);
            let (timer, time, key) = next;
            let (mut due, mut states) = (BatchBuilder::new(), vec![KeyedValues::default(); 6]);
            due.push(Some(&key), b"", Some(time));
            if let Some(count) = self.kept.counts.get(&key) {
                states[COUNT].keys.push(0);
                states[COUNT].values.push(count);
            }
            let (due, timers) = (due.finish(), [timer as u32]);
            let keyed = KeyedCall { keys: due.keys(), key_of: &[0], states: &states, windows: None };
            let deadline = Duration::from_secs(1);
            let call = TimerCall {
                due: &due,
                timers: &timers,
                range: 0..1,
                keyed,
                watermark,
                processing_time: 50,
                deadline,
                fuel_for: 1,
                attempt: 0,
            };
            let effects = self.guest.on_timers(&call, None).effects.unwrap();
            self.apply_timers(&effects, &[key]);
            out.extend(emitted(&effects));
        }
        out
    }

    /// Runs a batch of the broadcast input and applies what comes of it.
    fn broadcast(&mut self, values: &[&str]) -> Result<Effects, CallFailure> {
        let records = batch(values.iter().map(|value| (None, *value)));
        let effects = self.call(1, CallInput::Broadcast, &records, Vec::new())?;
        for update in &effects.broadcasts {
            let put = update.put.iter().zip(update.values.iter());
            self.kept.rules.extend(put.map(|(entry, value)| (entry.to_vec(), value.to_vec())));
        }
        Ok(effects)
    }

    fn call(&mut self, number: u32, input: CallInput<'_>, records: &RecordBatch, keys: Vec<Vec<u8>>) -> Result<Effects, CallFailure> {
        let call = GuestCall {
            input_number: number,
            input,
            records,
            range: 0..records.len(),
            watermark: 40,
            processing_time: 50,
            deadline: Duration::from_secs(1),
            fuel_for: records.len(),
            attempt: 0,
        };
        let answer = self.guest.process(&call, Some(Box::new(Lent { keys, kept: self.kept.clone() })));
        let lent: Box<dyn Any> = answer.reads.expect("what is lent comes back, whatever the call came to");
        assert!(lent.downcast::<Lent>().is_ok());
        answer.effects
    }
}

fn emitted(effects: &Effects) -> Vec<String> {
    effects.outputs.iter().flat_map(|output| output.values.iter()).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
fn a_component_is_driven_without_the_engines_tasks() {
    let mut driver = Driver::new();
    let effects = driver.keyed(&[("a", "x"), ("b", "y"), ("a", "pass"), ("a", "append 1"), ("b", "append 2")]).unwrap();
    assert_eq!((emitted(&effects), &effects.outputs[0].passes), (vec!["x=1".into(), "y=1".into()], &Passes::Some(vec![2])));
    assert_eq!(effects.metrics, [("calls".to_owned(), 1)]);
    let effects = driver.keyed(&[("a", "x"), ("a", "append 3"), ("c", "x")]).unwrap();
    assert_eq!((emitted(&effects), &effects.outputs[0].cause), (vec!["x=2".into(), "x=1".into()], &vec![0, 2]));
    assert_eq!(
        emitted(&driver.keyed(&[("c", "list 9"), ("a", "list 9"), ("b", "context")]).unwrap()),
        ["0 in 1: ", "2 in 1: 1,3", "0 40 50"]
    );
}

#[test]
fn timers_fire_where_the_driver_moves_time() {
    let mut driver = Driver::new();
    driver.keyed(&[("a", "x"), ("a", "set 0 7"), ("b", "set 0 5"), ("!set 1 6", "set 0 4"), ("b", "set 0 50")]).unwrap();
    assert_eq!(driver.advance_to(6), ["due@5=1"]);
    assert_eq!(driver.kept.timers.iter().map(|(_, time, _)| *time).collect::<Vec<_>>(), [7, 50, 6]);
    assert_eq!(driver.advance_to(i64::MAX), ["due@7=2", "due@50=1"]);
}

#[test]
fn windows_are_those_that_the_driver_puts_records_into() {
    let mut driver = Driver::of(windowed_puppet());
    // Two records, the second of which is in two windows.
    let (mut keys, records) = (Column::new(), batch([(Some("b"), "x"), (Some("a"), "bounds"), (Some("a"), "bounds")].into_iter()));
    ["b", "a", "a"].iter().for_each(|key| keys.push(key.as_bytes()));
    let windows = [(0, 10), (0, 10), (-5, 5)].map(|(start, end)| Window { start, end });
    let (states, key_of) = (vec![KeyedValues::default(); 4], [0, 1, 2]);
    let keyed = KeyedCall { keys: &keys, key_of: &key_of, states: &states, windows: Some(&windows) };
    let effects = driver.call(0, CallInput::Keyed(keyed), &records, Vec::new()).unwrap();
    assert_eq!((emitted(&effects), &effects.values[0].set.keys), (vec![], &vec![0]));
    let noted: Vec<_> = effects.lists[0].append.keys.iter().zip(effects.lists[0].append.items.iter()).collect();
    assert_eq!(noted, [(&1, &b"0..10"[..]), (&2, b"-5..5")]);
}

#[test]
fn windows_fire_where_the_driver_says_with_the_state_that_it_brings() {
    let mut driver = Driver::of(windowed_puppet());
    let mut fired = FiredWindows::default();
    for (number, key) in ["a", "b", "a"].iter().enumerate() {
        let window = Window { start: 10 * number as i64, end: 10 * number as i64 + 10 };
        let replaces = (number == 2).then_some(Window { start: 20, end: 25 });
        let firing = FiredWindow { window, reason: WindowReason::OnTime, revision: number as u32, timestamp: window.end - 1 };
        fired.push(key.as_bytes(), 0, firing, replaces);
    }
    let mut states = vec![KeyedValues::default(); 4];
    states[COUNT].keys.push(1);
    states[COUNT].values.push(&7_u64.to_le_bytes());
    let records = firing_records(&fired);
    let (watermark, processing_time, deadline) = (30, 50, Duration::from_secs(1));
    let call = WindowCall {
        records: &records,
        fired: &fired,
        range: 1..3,
        states: &states,
        watermark,
        processing_time,
        deadline,
        fuel_for: 2,
        attempt: 0,
    };
    let effects = driver.guest.on_windows(&call, None).effects.unwrap();
    assert_eq!(emitted(&effects), ["10..20 on-time#1=0", "20..30 on-time#2 for 20..25=7"]);
    assert_eq!(effects.outputs[0].cause, [0, 1]);
}

#[test]
fn broadcast_state_is_changed_by_its_input_alone_and_read_by_all() {
    let mut driver = Driver::new();
    driver.broadcast(&["rule a=1", "rule b=2"]).unwrap();
    assert_eq!(emitted(&driver.keyed(&[("k", "get-rule a,x,b"), ("k", "rules 100")]).unwrap()), ["[0, 2] 1,2", "1: a=1,b=2"]);
    let refused = driver.keyed(&[("k", "rule c=3")]);
    assert!(matches!(refused, Err(CallFailure::Guest(GuestFault::Malformed { ref what })) if what.contains("no broadcast")), "{refused:?}");
}

#[test]
fn a_fault_leaves_nothing_behind_and_the_next_call_has_a_new_instance() {
    let mut driver = Driver::new();
    driver.keyed(&[("a", "x")]).unwrap();
    let fault = driver.keyed(&[("a", "x"), ("a", "trap")]);
    assert!(matches!(fault, Err(CallFailure::Guest(GuestFault::Trap { .. }))), "{fault:?}");
    assert_eq!(emitted(&driver.keyed(&[("a", "x")]).unwrap()), ["x=2"]);
}

#[test]
fn state_that_cannot_be_read_is_an_error_of_the_driver_and_no_fault_of_the_guest() {
    let mut driver = Driver::new();
    driver.kept.broken = true;
    match driver.keyed(&[("a", "list 9")]) {
        Err(CallFailure::Operator(error)) => assert_eq!(error.to_string(), "operator \"op\" subtask 0: read the list: the disk is gone"),
        other => panic!("{other:?}"),
    }
    driver.kept.broken = false;
    assert_eq!(emitted(&driver.keyed(&[("a", "list 9")]).unwrap()), ["0 in 1: "]);
}
