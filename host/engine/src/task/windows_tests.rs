//! Windows of every kind against a plain model: random records, times, watermarks, cuts and failures of single records, and restores at another parallelism
//! between any two calls. Each record is in the windows of its time or is late, each window fires when its time has come, with what has come for it and with what
//! it replaces, and nothing is kept of one that is closed.

use super::*;
use crate::element::{END_OF_TIME, key_hash, range_of};
use crate::operator::{Operator, OperatorContext, OperatorDescriptor, OperatorFactory, Subtask};
use crate::runtime::{Clock, Monotonic, Simulator};
use crate::state::{
    FiredWindows, KeyedState, MemoryBackendFactory, NO_BOUND, SelectError, StateDescriptor, StateKind, StateMerger, Window, WindowKind,
    WindowReason, WindowSettings,
};
use crate::task::SubtaskPlace;
use crate::task::testing::Captured;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use keeper::{HandClock, Keeping, Log, Refused, Shown, UNWILLING, text};
use model::{Came, Model};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

#[path = "windows_keeper.rs"]
mod keeper;
#[path = "windows_model.rs"]
mod model;

const GROUPS: u32 = 8;
/// Its states.
const LIST: usize = 0;
const SUM: usize = 1;
const MAP: usize = 2;

/// Some subtasks of the operator, and what should be true of them.
struct Run {
    dice: Simulator,
    settings: WindowSettings,
    subtasks: Vec<OperatorSubtask>,
    log: Log,
    refused: Refused,
    clock: Arc<HandClock>,
    model: Model,
    /// By group how far its time has come.
    times: Vec<i64>,
    /// The end of what fired last when its time had come, by the time that the call said, since time or state changed.
    last_end: BTreeMap<i64, i64>,
    next_value: u64,
}

fn group_of(key: &str) -> u32 {
    key_group_of(key_hash(key.as_bytes()), GROUPS)
}

impl Run {
    fn new(seed: u64, settings: WindowSettings) -> Self {
        let mut run = Self {
            dice: Simulator::new(seed),
            model: Model::new(settings.clone()),
            settings,
            subtasks: Vec::new(),
            log: Log::default(),
            refused: Refused::default(),
            clock: Arc::default(),
            times: vec![NO_TIMESTAMP; GROUPS as usize],
            last_end: BTreeMap::new(),
            next_value: 0,
        };
        run.subtasks = run.deployed(1);
        run
    }

    fn deployed(&self, parallelism: u32) -> Vec<OperatorSubtask> {
        let state = |name: &str, kind| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl: None };
        let states = vec![state("list", StateKind::List), state("sum", StateKind::Value), state("map", StateKind::Map)];
        let descriptor = OperatorDescriptor { states, windowed: true, merging: vec![SUM, MAP], ..OperatorDescriptor::default() };
        let of = |index| {
            let place = SubtaskPlace {
                subtask: Subtask { vertex: "keep".into(), index, parallelism },
                factory: Arc::new(Keeping {
                    descriptor: descriptor.clone(),
                    log: self.log.clone(),
                    refused: self.refused.clone(),
                    seed: u64::from(parallelism),
                    by_clock: self.settings.time == TimeDomain::Processing,
                }),
                schemas: vec![None],
                broadcast_inputs: BTreeSet::new(),
                window: Some(self.settings.clone()),
                key_groups: Some(range_of(index, parallelism, GROUPS)),
                max_parallelism: GROUPS,
            };
            OperatorSubtask::new(place, &MemoryBackendFactory::new(1), Arc::default(), self.clock.clone()).unwrap()
        };
        (0..parallelism).map(of).collect()
    }

    /// A restore at another parallelism from a checkpoint of what is now.
    fn restart(&mut self) {
        self.last_end.clear();
        let captured = Captured::of(&mut self.subtasks);
        self.subtasks = self.deployed(1 + self.dice.draw(3) as u32);
        let now = self.clock.wall_ms();
        self.subtasks.iter_mut().for_each(|subtask| captured.restore(subtask, |state| state.queue_restored_windows(now).unwrap()));
    }

    fn records(&mut self) {
        let subtask = self.dice.draw(self.subtasks.len() as u64) as usize;
        let range = self.subtasks[subtask].place.key_groups.unwrap();
        let keys: Vec<String> = (0..12).map(|number| format!("k{number}")).filter(|key| range.contains(group_of(key))).collect();
        let mut builder = BatchBuilder::new();
        let first = self.next_value;
        for _ in 0..self.dice.draw(12) {
            let key = &keys[self.dice.draw(keys.len() as u64) as usize];
            let poison = if self.dice.draw(15) == 0 { "!" } else { "" };
            let time = self.dice.draw(90) as i64 - 20;
            builder.push(Some(key.as_bytes()), format!("{poison}{}", self.next_value).as_bytes(), (self.dice.draw(25) > 0).then_some(time));
            self.next_value += 1;
        }
        let batch = Arc::new(builder.finish());
        let mut late = BTreeSet::new();
        for call in self.subtasks[subtask].calls_of(0, true, batch) {
            let CallKind::Batch { batch, .. } = &call.kind else { panic!("{call:?}") };
            let emitted = self.subtasks[subtask].call(&call).now_or_never().expect("nothing waits").unwrap();
            let refused = std::mem::take(&mut *self.refused.lock().unwrap());
            for record in 0..batch.len() {
                let (key, value) = (text(batch.keys().get(record)), text(batch.values().get(record)));
                assert_eq!(call.watermark, self.times[group_of(&key) as usize], "the time of {key}");
                let why = refused.get(&value);
                if value.starts_with('!') || why.is_some_and(|why| why.contains(UNWILLING)) {
                    continue;
                }
                let came = self.model.add(&key, &value, batch.timestamps()[record], (call.watermark, call.processing_time));
                assert_eq!(came == Came::Refused, why.is_some(), "{value}: {why:?}");
                if came == Came::Late {
                    late.insert(value);
                }
            }
            for (output, emitted) in emitted {
                assert_eq!(output, LATE_OUTPUT);
                for line in emitted.compact().values().iter() {
                    let line: serde_json::Value = serde_json::from_slice(line).unwrap();
                    let value = line["value"].as_str().unwrap();
                    assert!(late.remove(value), "{value} is not late, of the records from {first} on: {line}");
                    assert!(line["late_ms"].as_i64().unwrap() > 0, "{line}");
                }
            }
            self.check_fired();
        }
        assert_eq!(late, BTreeSet::new(), "these are late");
    }

    fn watermark(&mut self, to: i64) {
        let subtask = self.dice.draw(self.subtasks.len() as u64) as usize;
        self.set_watermark(subtask, to);
    }

    fn set_watermark(&mut self, subtask: usize, to: i64) {
        self.last_end.clear();
        let watermark = self.subtasks[subtask].watermark.max(to);
        self.subtasks[subtask].set_watermark(watermark);
        let range = self.subtasks[subtask].place.key_groups.unwrap();
        for group in range.start..range.end {
            let time = &mut self.times[group as usize];
            *time = watermark.max(*time);
        }
    }

    /// Fires once, where something is due.
    fn fire(&mut self) -> bool {
        let Some(subtask) = (0..self.subtasks.len()).find(|&place| self.subtasks[place].is_due()) else { return false };
        self.subtasks[subtask].fire().now_or_never().expect("nothing waits").unwrap();
        self.check_fired();
        true
    }

    /// What has fired is what the model has.
    fn check_fired(&mut self) {
        let fired = std::mem::take(&mut *self.log.lock().unwrap());
        for shown in &fired {
            assert_eq!(shown.watermark, self.times[group_of(&shown.key) as usize], "the time of {}", shown.key);
            self.model.fire(shown, self.clock.wall_ms());
        }
        let on_time = || fired.iter().filter(|shown| shown.reason == WindowReason::OnTime && shown.window.end != NO_BOUND);
        assert!(on_time().map(|shown| (shown.window.end, shown.window.start, &shown.key)).is_sorted(), "{fired:?}");
        // And what fires in a later call of one subtask does not end before.
        for shown in on_time().filter(|_| self.subtasks.len() == 1) {
            let last = self.last_end.entry(shown.watermark).or_insert(shown.window.end);
            assert!(*last <= shown.window.end, "{shown:?} fires behind one that ends at {last}");
            *last = shown.window.end;
        }
    }

    fn fire_all(&mut self) {
        while self.fire() {
            // A barrier may pass, and the attempt end, between two calls.
            if self.dice.draw(12) == 0 {
                self.restart();
            }
        }
        self.model.close(|key| self.times[group_of(key) as usize], self.clock.wall_ms());
        assert_eq!(self.kept(), self.model.open(), "what is closed is gone with the call that closed it, and what is open is there");
    }

    /// Windows that something is kept of.
    fn kept(&mut self) -> u64 {
        self.subtasks.iter_mut().map(|subtask| subtask.state.as_deref_mut().unwrap().key_count()).sum()
    }

    fn pass(&self, ms: u64) {
        *self.clock.0.lock().unwrap() += ms;
    }

    /// Time by the clock passes: all that waits for that has spoken.
    fn settle(&mut self) {
        self.fire_all();
        self.pass(250);
        while self.fire() {}
        self.model.close(|key| self.times[group_of(key) as usize], self.clock.wall_ms());
        self.model.check_spoken();
    }
}

fn check(settings: &WindowSettings) {
    for seed in 0..150 {
        // Of every second run a key has few.
        let max_per_key = if seed % 2 == 0 { settings.max_per_key } else { 3 };
        let mut run = Run::new(seed, WindowSettings { max_per_key, ..settings.clone() });
        for _ in 0..50 {
            match run.dice.draw(10) {
                0 => run.restart(),
                8 => run.settle(),
                9 => run.pass(run.dice.draw(12)),
                1 | 2 => {
                    let to = run.dice.draw(90) as i64 - 20;
                    run.watermark(to);
                }
                _ => {
                    // What is due fires in front of what comes next.
                    run.fire_all();
                    run.records();
                }
            }
        }
        (0..run.subtasks.len()).for_each(|subtask| run.set_watermark(subtask, END_OF_TIME.0));
        // The end of time is no floor, so there is no restart in between.
        while run.fire() {}
        let by_clock = settings.time == TimeDomain::Processing;
        if by_clock {
            // They stay at the end of the input, and go when their time comes.
            run.pass(1_000);
            while run.fire() {}
        }
        run.model.close(|_| END_OF_TIME.0, run.clock.wall_ms());
        assert_eq!(run.model.left(), 0, "seed {seed}: {settings:?}");
        assert_eq!(run.kept(), run.model.partial(), "seed {seed}: what is closed is gone, {settings:?}");
    }
}

#[test]
fn tumbling_windows_are_what_the_model_says() {
    for lateness in [0, 7] {
        let settings = WindowSettings::new(WindowKind::Tumbling { size: 10, offset: 3 });
        check(&WindowSettings { lateness, ..settings });
    }
}

#[test]
fn hopping_windows_are_what_the_model_says() {
    for lateness in [0, 7] {
        let settings = WindowSettings::new(WindowKind::Hopping { size: 10, every: 4, offset: 0 });
        check(&WindowSettings { lateness, ..settings });
    }
}

#[test]
fn sessions_are_what_the_model_says() {
    for (gap, lateness) in [(3, 0), (6, 0), (3, 9), (6, 20)] {
        check(&WindowSettings { lateness, ..WindowSettings::new(WindowKind::Session { gap }) });
    }
}

#[test]
fn counts_and_a_global_window_are_what_the_model_says() {
    for records in [1, 2, 5] {
        check(&WindowSettings::new(WindowKind::Count { records }));
    }
    check(&WindowSettings::new(WindowKind::Global));
}

#[test]
fn windows_that_fire_early_are_what_the_model_says() {
    let kinds = [
        WindowKind::Tumbling { size: 10, offset: 0 },
        WindowKind::Hopping { size: 10, every: 5, offset: 0 },
        WindowKind::Session { gap: 5 },
        WindowKind::Count { records: 4 },
        WindowKind::Global,
    ];
    for kind in kinds {
        let lateness = if kind.has_known_bounds() || kind.merges() { 8 } else { 0 };
        check(&WindowSettings { emit_every: Some(7), lateness, ..WindowSettings::new(kind) });
    }
}

#[test]
fn windows_by_the_clock_are_what_the_model_says() {
    for kind in [
        WindowKind::Tumbling { size: 10, offset: 0 },
        WindowKind::Hopping { size: 20, every: 5, offset: 1 },
        WindowKind::Session { gap: 4 },
    ] {
        let settings = WindowSettings { time: TimeDomain::Processing, ..WindowSettings::new(kind) };
        check(&settings);
        check(&WindowSettings { emit_every: Some(3), ..settings });
    }
}

#[test]
fn a_session_that_has_become_longer_fires_behind_those_that_end_before_it() {
    let mut run = Run::new(1, WindowSettings::new(WindowKind::Session { gap: 60 }));
    for (key, times) in [("k0", &[0, 10][..]), ("k1", &[40]), ("k2", &[5, 50])] {
        let mut builder = BatchBuilder::new();
        times.iter().for_each(|time| builder.push(Some(key.as_bytes()), b"v", Some(*time)));
        for call in run.subtasks[0].calls_of(0, true, Arc::new(builder.finish())) {
            run.subtasks[0].call(&call).now_or_never().unwrap().unwrap();
        }
    }
    run.set_watermark(0, 200);
    while run.subtasks[0].is_due() {
        run.subtasks[0].fire().now_or_never().unwrap().unwrap();
    }
    let fired: Vec<_> = run.log.lock().unwrap().iter().map(|shown| (shown.key.clone(), shown.window.end)).collect();
    assert_eq!(fired, [("k0".to_owned(), 70), ("k1".into(), 100), ("k2".into(), 110)]);
}

/// Of two values the later: what another version makes of them.
struct Later(OperatorDescriptor);

impl OperatorFactory for Later {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        Some(Arc::new(TakingLater))
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Keeping { descriptor: self.0.clone(), log: Log::default(), refused: Refused::default(), seed: 1, by_clock: false }
            .create(_subtask, _schemas)
    }
}

struct TakingLater;

impl StateMerger for TakingLater {
    fn merge(&self, _state: usize, _earlier: &Column, later: &Column) -> Result<Column, EngineError> {
        Ok(later.clone())
    }
}

#[test]
fn behind_an_upgrade_windows_become_one_as_the_new_version_says() {
    let mut run = Run::new(1, WindowSettings::new(WindowKind::Session { gap: 10 }));
    let subtask = &mut run.subtasks[0];
    let come = |subtask: &mut OperatorSubtask, time| {
        let mut builder = BatchBuilder::new();
        builder.push(Some(b"k0"), b"v", Some(time));
        for call in subtask.calls_of(0, true, Arc::new(builder.finish())) {
            subtask.call(&call).now_or_never().unwrap().unwrap();
        }
    };
    [0, 15, 16].into_iter().for_each(|time| come(subtask, time));
    let place = SubtaskPlace { factory: Arc::new(Later(subtask.factory().descriptor().clone())), ..subtask.place.clone() };
    subtask.swap(crate::task::Successor::new(place).unwrap());
    // Of the two values, 1 and 2, that of the later window, and the record that has made them one.
    come(subtask, 8);
    let state = subtask.state.as_deref_mut().unwrap();
    state
        .select_touched(CallKeys::new(&Column::new(), &[], &[]), std::iter::once(&[&i64::MIN.to_be_bytes()[..], b"k0"].concat()[..]))
        .unwrap();
    assert_eq!(keeper::sum_of(state, 0), 3);
}
