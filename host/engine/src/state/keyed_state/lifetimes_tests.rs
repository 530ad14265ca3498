//! States with a time to live against a plain model: random calls, times and restores. What has expired is never seen, what has not always is, and in the end nothing is
//! left of what has, though nobody asks for it.

use super::*;
use crate::element::{BatchBuilder, CheckpointId, END_OF_TIME};
use crate::state::{KeyGroupRange, MemoryBackendFactory, StateSnapshot, StoredGroup};
use futures_util::FutureExt;
use std::collections::BTreeMap;

#[path = "began_tests.rs"]
mod began;

const VALUE: usize = 0;
const LIST: usize = 1;
const MAP: usize = 2;
const PLAIN: usize = 3;
const GROUPS: u32 = 4;

/// Stamp and bytes.
type Stamped = (i64, Vec<u8>);

#[derive(Clone, Debug, Default)]
struct ModelKey {
    value: Option<Stamped>,
    list: Vec<Stamped>,
    map: BTreeMap<Vec<u8>, Stamped>,
    plain: Option<Vec<u8>>,
}

fn descriptors() -> Vec<StateDescriptor> {
    let ttl = |ms, time, refresh_on_read| Some(StateTtl { ms, time, refresh_on_read });
    let state = |name: &str, kind, ttl| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl };
    vec![
        state("value", StateKind::Value, ttl(20, TimeDomain::Event, true)),
        state("list", StateKind::List, ttl(15, TimeDomain::Processing, false)),
        state("map", StateKind::Map, ttl(10, TimeDomain::Event, false)),
        state("plain", StateKind::Value, None),
    ]
}

struct Run {
    rng: fastrand::Rng,
    state: KeyedState,
    model: BTreeMap<Vec<u8>, ModelKey>,
    event: i64,
    processing: i64,
}

fn made() -> KeyedState {
    let range = KeyGroupRange { start: 0, end: GROUPS };
    KeyedState::new(descriptors(), MemoryBackendFactory::new(1).create(&descriptors(), range, GROUPS))
}

/// What of the model's key is alive.
fn living(key: &ModelKey, event: i64, processing: i64) -> ModelKey {
    let lives = |stamp: i64, ttl: i64, now: i64| now == NO_TIMESTAMP || stamp == NO_TIMESTAMP || now - stamp < ttl;
    ModelKey {
        value: key.value.clone().filter(|(stamp, _)| lives(*stamp, 20, event)),
        list: key.list.iter().filter(|(stamp, _)| lives(*stamp, 15, processing)).cloned().collect(),
        map: key
            .map
            .iter()
            .filter(|(_, (stamp, _))| lives(*stamp, 10, event))
            .map(|(entry, value)| (entry.clone(), value.clone()))
            .collect(),
        plain: key.plain.clone(),
    }
}

fn bytes(stamped: &[Stamped]) -> Vec<Vec<u8>> {
    stamped.iter().map(|(_, bytes)| bytes.clone()).collect()
}

impl Run {
    fn call(&mut self) {
        self.event += self.rng.i64(0..4);
        self.processing += self.rng.i64(0..4);
        let mut builder = BatchBuilder::new();
        let keys: Vec<[u8; 1]> = (0..self.rng.u8(1..5)).map(|_| [self.rng.u8(0..12)]).collect();
        keys.iter().for_each(|key| builder.push(Some(key), b"", None));
        let batch = builder.finish();
        // At the end of time what was told before holds.
        let told = self.state.lifetimes.as_ref().unwrap().judged_by.of(TimeDomain::Event).0;
        let is_end = told != NO_TIMESTAMP && self.rng.u8(0..12) == 0;
        if is_end {
            self.event = told;
        }
        let watermark = if is_end { END_OF_TIME.0 } else { self.event };
        let time = StateTime { watermark, processing_time: self.processing };
        self.state.prefetch((&batch).into(), time).now_or_never().unwrap().unwrap();
        self.state.select(&batch, 0..batch.len()).unwrap();
        for key in 0..self.state.keys().len() {
            self.check(key);
            self.change(key);
        }
        self.state.clean_up(self.rng.usize(0..9), self.event).unwrap();
    }

    fn check(&self, key: usize) {
        let expect = living(self.model.get(self.state.keys().get(key)).unwrap_or(&ModelKey::default()), self.event, self.processing);
        let state = &self.state;
        assert_eq!(state.copied_value(key, VALUE).unwrap(), expect.value.clone().map(|(_, bytes)| bytes));
        assert_eq!(state.copied_value(key, PLAIN).unwrap(), expect.plain);
        let (mut present, mut values) = (Vec::new(), Column::new());
        state.gather_values(VALUE, usize::MAX, &mut present, &mut values).unwrap();
        let gathered = present.iter().position(|&of| of as usize == key).map(|place| values.get(place).to_vec());
        assert_eq!(gathered, expect.value.map(|(_, bytes)| bytes));
        let mut items = Column::new();
        assert_eq!(state.list_read(key, LIST, 0, usize::MAX, &mut items).unwrap(), None);
        assert_eq!(items.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), bytes(&expect.list));
        assert_eq!(state.list_len(key, LIST).unwrap(), expect.list.len() as u64);
        let (mut entries, mut values, mut next) = (Column::new(), Column::new(), Some(None));
        while let Some(start) = next {
            // A page of one entry.
            next = state.map_scan(key, MAP, start.as_deref(), 1, &mut entries, &mut values).unwrap().map(Some);
        }
        let scanned: BTreeMap<_, _> = entries.iter().map(<[u8]>::to_vec).zip(values.iter().map(<[u8]>::to_vec)).collect();
        assert_eq!(scanned, expect.map.iter().map(|(entry, (_, value))| (entry.clone(), value.clone())).collect());
        for entry in 0..6 {
            let mut value = Column::new();
            let is_there = state.map_get(key, MAP, &[entry], &mut value).unwrap();
            assert_eq!(is_there.then(|| value.get(0).to_vec()), expect.map.get(&vec![entry]).map(|(_, value)| value.clone()));
        }
    }

    fn change(&mut self, key: usize) {
        let name = self.state.keys().get(key).to_vec();
        let (event, processing) = (self.event, self.processing);
        let model = self.model.entry(name).or_default();
        let value = vec![self.rng.u8(..); self.rng.usize(0..12)];
        match self.rng.u8(0..10) {
            0 => {
                self.state.set_value(key, VALUE, &value).unwrap();
                model.value = Some((event, value));
            }
            1 => {
                let mut values = Column::new();
                values.push(&value);
                self.state.set_values(&[key as u32], VALUE, &values).unwrap();
                model.value = Some((event, value));
            }
            2 | 3 => {
                self.state.list_append(key, LIST, &value).unwrap();
                model.list.push((processing, value));
            }
            4 | 5 => {
                let entry = vec![self.rng.u8(0..6)];
                self.state.map_put(key, MAP, &entry, &value).unwrap();
                model.map.insert(entry, (event, value));
            }
            6 => {
                self.state.touch(key, VALUE).unwrap();
                self.state.touch(key, MAP).unwrap();
                *model = living(model, event, processing);
                model.value.iter_mut().for_each(|(stamp, _)| *stamp = event);
            }
            7 => {
                self.state.list_pop_front(key, LIST, 1).unwrap();
                *model = living(model, event, processing);
                _ = (!model.list.is_empty()).then(|| model.list.remove(0));
            }
            8 => {
                self.state.clear(key, VALUE).unwrap();
                model.value = None;
            }
            _ => {
                self.state.set_value(key, PLAIN, &value).unwrap();
                model.plain = Some(value);
            }
        }
    }

    /// Goes on with what a snapshot has; what it has is what lives, also for whoever looks into it.
    fn restart(&mut self) {
        let Ok(StateSnapshot::Blocks(mut snapshot)) = self.state.snapshot(CheckpointId(1), None) else { panic!("it is blocks") };
        let mut blocks: Vec<(u32, Vec<u8>)> = Vec::new();
        snapshot.write(&mut |group, block| blocks.push((group, block.to_vec()))).unwrap();
        let states = descriptors();
        self.state = made();
        let mut shown = BTreeMap::new();
        for (group, block) in &blocks {
            self.state.backend_mut().restore(*group, block, &[Some(0), Some(1), Some(2), Some(3)]).unwrap();
            let mut stored = StoredGroup::new(*group, GROUPS, &states).at((NO_TIMESTAMP, self.event), self.processing);
            stored.add_block(block).unwrap();
            shown.extend(stored.into_keys().into_iter().map(|(key, states)| (key.to_vec(), states.len())));
        }
        let states_of = |key: &ModelKey| {
            let some = [key.value.is_some(), !key.list.is_empty(), !key.map.is_empty(), key.plain.is_some()];
            some.iter().filter(|some| **some).count()
        };
        let all = self.model.iter().map(|(key, kept)| (key.clone(), states_of(&living(kept, self.event, self.processing))));
        assert_eq!(shown, all.filter(|(_, states)| *states > 0).collect());
    }
}

#[test]
fn what_has_expired_is_never_seen_and_goes_by_itself() {
    for seed in 0..300 {
        let mut run = Run { rng: fastrand::Rng::with_seed(seed), state: made(), model: BTreeMap::new(), event: 0, processing: 1_000 };
        for _ in 0..60 {
            match run.rng.u8(0..12) {
                0 => run.restart(),
                _ => run.call(),
            }
        }
        // Nobody asks for them any more.
        (run.event, run.processing) = (run.event + 100, run.processing + 100);
        let none = BatchBuilder::new().finish();
        for _ in 0..40 {
            let time = StateTime { watermark: run.event, processing_time: run.processing };
            run.state.prefetch((&none).into(), time).now_or_never().unwrap().unwrap();
            run.state.clean_up(16, run.event).unwrap();
        }
        let left = run.model.values().filter(|key| key.plain.is_some()).count() as u64;
        assert_eq!(run.state.key_count(), left, "seed {seed}: of what has expired nothing is left");
    }
}

#[test]
fn what_timers_find_and_write_goes_by_the_times_at_which_they_were_due() {
    let timers = vec![TimeDomain::Event];
    let mut states = descriptors();
    states.push(crate::state::timer_state("due", TimeDomain::Event));
    let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: GROUPS }, GROUPS);
    let mut state = KeyedState::new(states, backend).with_timers(timers);
    let keys = |names: &[&str]| {
        names.iter().fold(Column::new(), |mut column, name| {
            column.push(name.as_bytes());
            column
        })
    };
    let tell = |state: &mut KeyedState, watermark| {
        let none = BatchBuilder::new().finish();
        state.prefetch((&none).into(), StateTime { watermark, processing_time: 0 }).now_or_never().unwrap().unwrap();
    };
    let both = keys(&["a", "b"]);
    tell(&mut state, 0);
    state.select(CallKeys::new(&both, &[], &[]), 0..2).unwrap();
    (0..2).for_each(|key| state.set_value(key, VALUE, b"old").unwrap());
    tell(&mut state, 500);
    state.select(CallKeys::new(&both, &[], &[]).of_timers(&[0, 0], &[19, 20]), 0..2).unwrap();
    assert_eq!(state.copied_value(0, VALUE).unwrap().as_deref(), Some(&b"old"[..]), "it lives at 19");
    assert_eq!(state.copied_value(1, VALUE).unwrap(), None, "it does not at 20");
    state.set_value(1, VALUE, b"new").unwrap();
    tell(&mut state, 39);
    state.select(CallKeys::new(&both, &[], &[]), 0..2).unwrap();
    assert_eq!(state.copied_value(1, VALUE).unwrap().as_deref(), Some(&b"new"[..]), "it was written at 20");
}

#[test]
fn what_is_removed_has_expired_for_the_group_that_is_furthest_back() {
    let mut state = made();
    let tell = |state: &mut KeyedState, watermark| {
        let none = BatchBuilder::new().finish();
        state.prefetch((&none).into(), StateTime { watermark, processing_time: 0 }).now_or_never().unwrap().unwrap();
    };
    let mut keys = Column::new();
    keys.push(b"a");
    tell(&mut state, 0);
    state.select(CallKeys::new(&keys, &[], &[]), 0..1).unwrap();
    state.set_value(0, VALUE, b"v").unwrap();
    // A call of keys that had come further before a restore.
    tell(&mut state, 500);
    (0..10).for_each(|_| state.clean_up(16, 19).unwrap());
    assert_eq!(state.key_count(), 1, "at 19 it lives");
    (0..10).for_each(|_| state.clean_up(16, 20).unwrap());
    assert_eq!(state.key_count(), 0, "at 20 it does not");
}

/// A state of these keys, selected, at an event time; the clock stands still.
fn selected(keys: &[&str], watermark: i64) -> KeyedState {
    let mut state = made();
    select(&mut state, keys, watermark);
    state
}

fn select(state: &mut KeyedState, keys: &[&str], watermark: i64) {
    let mut builder = BatchBuilder::new();
    keys.iter().for_each(|key| builder.push(Some(key.as_bytes()), b"", None));
    let batch = builder.finish();
    state.prefetch((&batch).into(), StateTime { watermark, processing_time: 0 }).now_or_never().unwrap().unwrap();
    state.select(&batch, 0..batch.len()).unwrap();
}

#[test]
fn what_bounds_the_values_that_are_gathered_is_what_lives_of_them() {
    let mut state = selected(&["a", "b", "c"], 0);
    state.set_value(0, VALUE, &[7; 500]).unwrap();
    select(&mut state, &["a", "b", "c"], 10);
    (1..3).for_each(|key| state.set_value(key, VALUE, b"ten bytes.").unwrap());
    select(&mut state, &["a", "b", "c"], 20);
    let gathered = |max_bytes| {
        let (mut present, mut values) = (Vec::new(), Column::new());
        state.gather_values(VALUE, max_bytes, &mut present, &mut values).unwrap();
        present
    };
    assert_eq!(
        (gathered(100), gathered(20), gathered(5)),
        (vec![1, 2], vec![1, 2], vec![1]),
        "the first has expired, and stamps count for nothing"
    );
}

#[test]
fn of_a_long_map_what_has_expired_goes_behind_what_is_renewed_at_its_front_too() {
    let mut state = selected(&["k"], 0);
    let entry = |number: u32| number.to_be_bytes();
    (0..2_000).for_each(|number| state.map_put(0, MAP, &entry(number), &[1; 20]).unwrap());
    for watermark in 1..12 {
        select(&mut state, &["k"], watermark);
        (0..300).for_each(|number| state.map_put(0, MAP, &entry(number), &[2; 20]).unwrap());
    }
    // The other entries have expired at 10.
    (0..100).for_each(|_| state.clean_up(1, 11).unwrap());
    select(&mut state, &["k"], 11);
    let one = crate::state::size::entry_bytes(&entry(0), &[0; 28]);
    assert_eq!(state.state_bytes(0, MAP).unwrap(), 300 * one, "nothing is kept of what has expired");
}

/// Whether the value and the entry of the key `a` live when a restored run is told this time, and how many items do.
fn living_behind_restart(run: &mut Run, event: i64, processing: i64) -> (bool, u64, bool) {
    let Ok(StateSnapshot::Blocks(mut snapshot)) = run.state.snapshot(CheckpointId(1), None) else { panic!("it is blocks") };
    let mut blocks: Vec<(u32, Vec<u8>)> = Vec::new();
    snapshot.write(&mut |group, block| blocks.push((group, block.to_vec()))).unwrap();
    run.state = made();
    for (group, block) in &blocks {
        run.state.backend_mut().restore(*group, block, &[Some(0), Some(1), Some(2), Some(3)]).unwrap();
    }
    select_a(&mut run.state, event, processing);
    let has_entry = run.state.map_get(0, MAP, b"entry", &mut Column::new()).unwrap();
    (run.state.copied_value(0, VALUE).unwrap().is_some(), run.state.list_len(0, LIST).unwrap(), has_entry)
}

/// Selects the key `a` in a call of this time.
fn select_a(state: &mut KeyedState, event: i64, processing: i64) {
    let mut key = Column::new();
    key.push(b"a");
    let of = CallKeys::new(&key, &[], &[]);
    state.prefetch(of, StateTime { watermark: event, processing_time: processing }).now_or_never().unwrap().unwrap();
    state.select(of, 0..1).unwrap();
}

#[test]
fn an_item_without_a_stamp_is_no_younger_than_the_one_behind_it() {
    let made = || Run { rng: fastrand::Rng::with_seed(1), state: made(), model: BTreeMap::new(), event: 0, processing: 0 };
    let mut run = made();
    for (processing, items) in [(NO_TIMESTAMP, 2), (100, 0), (105, 1)] {
        select_a(&mut run.state, 0, processing);
        (0..items).for_each(|_| run.state.list_append(0, LIST, b"item").unwrap());
    }
    // They are as old as the first time of a run, but for that.
    assert_eq!(living_behind_restart(&mut run, 0, 119), (false, 3, false));
    run.state.clean_up(16, 0).unwrap();
    assert_eq!(living_behind_restart(&mut run, 0, 119), (false, 3, false), "stamped");
    assert_eq!(living_behind_restart(&mut run, 0, 120), (false, 0, false));
    let mut run = made();
    for (processing, items) in [(NO_TIMESTAMP, 2), (105, 1)] {
        select_a(&mut run.state, 0, processing);
        (0..items).for_each(|_| run.state.list_append(0, LIST, b"item").unwrap());
    }
    assert_eq!(living_behind_restart(&mut run, 0, 200), (false, 0, false), "unstamped");
}

#[test]
fn what_was_written_before_any_time_counts_from_the_first_of_all_behind_a_restart_too() {
    let none = BatchBuilder::new().finish();
    let tell = |state: &mut KeyedState, watermark| {
        let time = StateTime { watermark, processing_time: NO_TIMESTAMP };
        state.prefetch((&none).into(), time).now_or_never().unwrap().unwrap();
    };
    let mut run =
        Run { rng: fastrand::Rng::with_seed(1), state: made(), model: BTreeMap::new(), event: NO_TIMESTAMP, processing: NO_TIMESTAMP };
    let mut key = Column::new();
    key.push(b"a");
    tell(&mut run.state, NO_TIMESTAMP);
    run.state.select(CallKeys::new(&key, &[], &[]), 0..1).unwrap();
    run.state.set_value(0, VALUE, b"value").unwrap();
    (0..9).for_each(|_| run.state.list_append(0, LIST, b"item").unwrap());
    run.state.map_put(0, MAP, b"entry", b"value").unwrap();
    // The value lives for 20 ms, the entry for 10, the items for 15 of the clock.
    (0..3).for_each(|_| run.state.clean_up(16, NO_TIMESTAMP).unwrap());
    run.state.prefetch((&none).into(), StateTime { watermark: 100, processing_time: 1_000 }).now_or_never().unwrap().unwrap();
    (0..3).for_each(|_| run.state.clean_up(16, 100).unwrap());
    assert_eq!(living_behind_restart(&mut run, 109, 1_014), (true, 9, true));
    assert_eq!(living_behind_restart(&mut run, 110, 1_014), (true, 9, false));
    assert_eq!(living_behind_restart(&mut run, 119, 1_015), (true, 0, false));
    assert_eq!(living_behind_restart(&mut run, 120, 1_015), (false, 0, false));
}
