//! What effects are said to come to is what they come to, and limits are about growth.

use super::*;
use crate::apply::apply;
use crate::effects::{KeyCounts, KeyTimes, ListUpdate, TimerUpdate, ValueUpdate};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use weir_engine::ErrorKind;
use weir_engine::element::{BatchBuilder, Column, RecordBatch};
use weir_engine::metrics::VertexMetrics;
use weir_engine::state::{
    KeyGroupRange, MemoryBackendFactory, StateAllowance, StateDescriptor, StatePool, StateTime, StateTtl, TimeDomain, timer_state,
};

const VALUE: usize = 0;
const LIST: usize = 1;
const MAP: usize = 2;
const RULES: usize = 3;
const KEYS: u32 = 4;

/// The states, those by key with this time to live.
fn declared(ttl: Option<StateTtl>) -> Vec<StateDescriptor> {
    let kinds = [("value", StateKind::Value), ("list", StateKind::List), ("map", StateKind::Map), ("rules", StateKind::Broadcast)];
    let state = |(name, kind): (&str, _)| {
        let ttl = ttl.filter(|_| kind != StateKind::Broadcast);
        StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl }
    };
    kinds.into_iter().map(state).collect()
}

/// Some keys' state, and broadcast state.
struct Held {
    keyed: KeyedState,
    broadcast: BroadcastState,
    batch: Arc<RecordBatch>,
}

impl Held {
    fn new() -> Self {
        Self::of(None)
    }

    fn of(ttl: Option<StateTtl>) -> Self {
        let kept: Vec<_> = declared(ttl).into_iter().chain([timer_state("due", TimeDomain::Event)]).collect();
        let backend = MemoryBackendFactory::new(1).create(&kept, KeyGroupRange { start: 0, end: 8 }, 8);
        let mut builder = BatchBuilder::new();
        (0..KEYS).for_each(|key| builder.push(Some(format!("key {key}").as_bytes()), b"", None));
        let (batch, broadcast) = (Arc::new(builder.finish()), BroadcastState::new(&declared(None)).unwrap());
        let mut held = Self { keyed: KeyedState::new(kept, backend).with_timers(vec![TimeDomain::Event]), broadcast, batch };
        held.keyed.select(&held.batch, 0..KEYS as usize).unwrap();
        held
    }

    /// The same with a bound on all state.
    fn within(bytes: u64) -> Self {
        let metrics = Arc::<VertexMetrics>::default();
        let allowance = StateAllowance::new("operator \"op\" subtask 0".into(), Some(bytes), StatePool::new(None), metrics);
        let Self { keyed, broadcast, batch } = Self::new();
        Self { keyed: keyed.within(allowance.clone()), broadcast: broadcast.within(allowance), batch }
    }

    fn weighed<'a>(&'a self, effects: &'a Effects) -> Weighed<'a> {
        Weighed { effects, keyed: Some(&self.keyed), broadcast: Some(&self.broadcast) }
    }

    fn bytes(&self) -> u64 {
        self.keyed.bytes() + self.broadcast.bytes()
    }

    /// The next call is of this event time.
    fn pass_to(&mut self, watermark: i64) {
        let time = StateTime { watermark, processing_time: 0 };
        let fetched = pin!(self.keyed.prefetch((&self.batch).into(), time)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(fetched, Poll::Ready(Ok(()))), "memory does not wait");
        self.keyed.select(&self.batch, 0..self.batch.len()).unwrap();
    }

    fn apply(&mut self, effects: Effects) {
        let range = 0..self.batch.len();
        apply(effects, &self.batch, &range, Some(&mut self.keyed), Some(&mut self.broadcast), &mut Vec::new()).unwrap();
        self.keyed.select(&self.batch, range).unwrap();
    }
}

fn column(items: &[&[u8]]) -> Column {
    let mut column = Column::new();
    items.iter().for_each(|item| column.push(item));
    column
}

fn keyed(items: &[(u32, &[u8])]) -> KeyedColumn {
    let bytes: Vec<&[u8]> = items.iter().map(|&(_, item)| item).collect();
    KeyedColumn { keys: items.iter().map(|&(key, _)| key).collect(), items: column(&bytes) }
}

fn set(items: &[(u32, &[u8])]) -> Effects {
    Effects { values: vec![ValueUpdate { state: VALUE, cleared: vec![], set: keyed(items) }], ..Effects::default() }
}

fn append(cleared: &[u32], items: &[(u32, &[u8])]) -> Effects {
    let update = ListUpdate { state: LIST, cleared: cleared.to_vec(), append: keyed(items), ..ListUpdate::default() };
    Effects { lists: vec![update], ..Effects::default() }
}

fn put(entries: &[(u32, &[u8])], values: &[&[u8]]) -> Effects {
    let update = MapUpdate { state: MAP, cleared: vec![], removed: keyed(&[]), put: keyed(entries), values: column(values) };
    Effects { maps: vec![update], ..Effects::default() }
}

/// A small generator, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn bytes(&mut self) -> Vec<u8> {
        vec![b'x'; self.below(40) as usize]
    }

    /// Each key with a chance of one in two.
    fn keys(&mut self) -> Vec<u32> {
        (0..KEYS).filter(|_| self.below(2) == 0).collect()
    }

    /// Numbers that are mostly small, for each key with a chance of one in two.
    fn counts(&mut self) -> KeyCounts {
        let keys = self.keys();
        let counts = keys.iter().map(|_| if self.below(5) == 0 { u64::MAX } else { self.below(4) }).collect();
        KeyCounts { keys, counts }
    }

    /// Timers that meet again, each deleted or set.
    fn timers(&mut self) -> TimerUpdate {
        let mut update = TimerUpdate::default();
        for (key, time) in (0..KEYS).flat_map(|key| (0..5).map(move |time| (key, time))) {
            let part: &mut KeyTimes = match self.below(4) {
                0 => &mut update.deleted,
                1 => &mut update.set,
                _ => continue,
            };
            part.keys.push(key);
            part.times.push(time);
        }
        update
    }

    /// Entries that meet again, each in one of two parts.
    fn entries(&mut self) -> [Vec<(u32, Vec<u8>)>; 2] {
        let mut parts = [Vec::new(), Vec::new()];
        for (key, entry) in (0..KEYS).flat_map(|key| (0..6).map(move |entry| (key, vec![entry; 3]))) {
            if let part @ 0..2 = self.below(4) {
                parts[part as usize].push((key, entry));
            }
        }
        parts
    }
}

fn borrowed(items: &[(u32, Vec<u8>)]) -> Vec<(u32, &[u8])> {
    items.iter().map(|(key, item)| (*key, item.as_slice())).collect()
}

fn random_effects(chance: &mut Chance) -> Effects {
    let (cleared, set): (Vec<u32>, Vec<u32>) = chance.keys().into_iter().partition(|_| chance.below(2) == 0);
    let set: Vec<(u32, Vec<u8>)> = set.into_iter().map(|key| (key, chance.bytes())).collect();
    let appended: Vec<(u32, Vec<u8>)> = (0..chance.below(6)).map(|_| (chance.below(u64::from(KEYS)) as u32, chance.bytes())).collect();
    let [removed, put] = chance.entries();
    let values: Vec<Vec<u8>> = put.iter().map(|_| chance.bytes()).collect();
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let [unruled, ruled] = chance.entries();
    let rules = |entries: &[(u32, Vec<u8>)]| {
        // Of one key alone: they have no keys, and each is named once.
        let own: Vec<&[u8]> = entries.iter().filter(|(key, _)| *key == 0).map(|(_, entry)| entry.as_slice()).collect();
        column(&own)
    };
    let put_rules = rules(&ruled);
    let rule_values: Vec<Vec<u8>> = put_rules.iter().map(|_| chance.bytes()).collect();
    let rule_values = column(&rule_values.iter().map(Vec::as_slice).collect::<Vec<_>>());
    // A list or a map may be named twice among those that are cleared.
    let twice = |chance: &mut Chance| [chance.keys(), chance.keys()].concat();
    Effects {
        values: vec![ValueUpdate { state: VALUE, cleared, set: keyed(&borrowed(&set)) }],
        lists: vec![ListUpdate {
            state: LIST,
            cleared: if chance.below(2) == 0 { twice(chance) } else { vec![] },
            popped: chance.counts(),
            truncated: chance.counts(),
            append: keyed(&borrowed(&appended)),
        }],
        maps: vec![MapUpdate {
            state: MAP,
            cleared: if chance.below(2) == 0 { twice(chance) } else { vec![] },
            removed: keyed(&borrowed(&removed)),
            put: keyed(&borrowed(&put)),
            values: column(&values),
        }],
        broadcasts: vec![BroadcastUpdate {
            state: RULES,
            cleared: chance.below(3) == 0,
            removed: rules(&unruled),
            put: put_rules,
            values: rule_values,
        }],
        timers: vec![chance.timers()],
        ..Effects::default()
    }
}

#[test]
fn effects_come_to_what_they_are_said_to_come_to() {
    come_to_what_they_are_said_to(Held::new());
}

#[test]
fn stamps_of_a_time_to_live_are_foreseen_too() {
    come_to_what_they_are_said_to(Held::of(Some(StateTtl { ms: 9, time: TimeDomain::Event, refresh_on_read: true })));
}

#[track_caller]
fn come_to_what_they_are_said_to(mut held: Held) {
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    for round in 0..2_000 {
        held.pass_to(round);
        let effects = random_effects(&mut chance);
        let before = held.bytes();
        let (exactly, most) = (held.weighed(&effects).exactly(before).unwrap(), before + held.weighed(&effects).most_added());
        let changes = held.weighed(&effects).changes(&held.keyed).unwrap();
        let keys: Vec<u64> = (0..KEYS as usize).map(|key| held.keyed.key_bytes(key).unwrap()).collect();
        let added = held.weighed(&effects).added_by_key(&held.keyed);
        held.apply(effects);
        for key in 0..KEYS {
            let (after, change) = (held.keyed.key_bytes(key as usize).unwrap(), changes.get(&key).copied().unwrap_or_default());
            assert_eq!(after, keys[key as usize] + change.added - change.gone, "key {key} of round {round}");
            assert!(after <= keys[key as usize] + added[key as usize]);
        }
        // A key that is left without state is gone, and its own bytes with it: that is not foreseen.
        let gone = exactly - held.bytes();
        assert!(gone.is_multiple_of(key_bytes(b"key 0")), "round {round}: {exactly} were foreseen, and there are {}", held.bytes());
        assert!(exactly <= most, "round {round}");
    }
}

fn limits(state_bytes_per_key: u64) -> Limits {
    Limits { state_bytes_per_key, ..Limits::default() }
}

#[test]
fn a_key_may_not_pass_its_limit_with_all_its_states_together() {
    let mut held = Held::new();
    held.apply(set(&[(0, &[1; 40])]));
    held.apply(append(&[], &[(0, &[1; 26])]));
    let check = |effects: Effects, expect: Option<&str>| {
        let error = held.weighed(&effects).check_keys(&limits(100)).unwrap().err().map(|fault| fault.to_string());
        assert_eq!(error.as_deref(), expect);
    };
    check(set(&[(0, &[2; 70]), (1, &[2; 100])]), None);
    check(append(&[], &[(0, &[2; 26])]), None);
    let too_much = |key, bytes| {
        let what = format!("the state of key \"key {key}\" would have {bytes} bytes, and 100 are the most (limits.state-bytes-per-key)");
        format!("the plugin keeps too much: {what}")
    };
    check(set(&[(0, &[2; 71])]), Some(&too_much(0, 101)));
    check(set(&[(1, &[2; 101])]), Some(&too_much(1, 101)));
    check(append(&[], &[(2, &[2; 40]), (0, &[2; 27])]), Some(&too_much(0, 101)));
    check(append(&[], &[(3, &b""[..]); 26]), Some(&too_much(3, 104)));
    check(put(&[(0, b"e")], &[b""]), Some(&too_much(0, 135)));
}

#[test]
fn what_is_beyond_the_limit_may_shrink_and_stay_but_not_grow() {
    let mut held = Held::new();
    held.apply(append(&[], &[(0, &[1; 500])]));
    held.apply(set(&[(0, &[1; 100])]));
    let passes = |effects: Effects| held.weighed(&effects).check_keys(&limits(100)).unwrap().is_ok();
    assert!(passes(set(&[(0, &[2; 100])])) && passes(set(&[(0, b"")])));
    assert!(!passes(set(&[(0, &[2; 101])])));
    assert!(passes(append(&[0], &[(0, &[2; 400])])));
    let popped = |count| {
        let popped = KeyCounts { keys: vec![0], counts: vec![count] };
        let update = ListUpdate { state: LIST, popped, append: keyed(&[(0, &[2; 500])]), ..ListUpdate::default() };
        Effects { lists: vec![update], ..Effects::default() }
    };
    assert!(passes(popped(1)) && !passes(popped(0)), "an item that takes the place of one that is popped is no growth");
    assert!(!passes(append(&[], &[(0, b"")])));
    assert!(passes(set(&[(1, &[2; 100])])));
}

#[test]
fn an_entry_of_broadcast_state_is_bounded_like_a_key() {
    let rule = |value: usize| {
        let update = BroadcastUpdate {
            state: RULES,
            cleared: false,
            removed: column(&[]),
            put: column(&[b"r"]),
            values: column(&[&vec![1; value]]),
        };
        Effects { broadcasts: vec![update], ..Effects::default() }
    };
    let held = Held::new();
    assert!(held.weighed(&rule(99)).check_keys(&limits(100)).unwrap().is_ok());
    let error = held.weighed(&rule(100)).check_keys(&limits(100)).unwrap().unwrap_err().to_string();
    assert!(error.contains("an entry of broadcast state \"r\" would have 101 bytes"), "{error}");
}

#[test]
fn a_subtask_may_not_pass_its_limit_and_what_takes_the_place_of_other_state_is_no_growth() {
    // A key of five bytes counts as 69 besides its state.
    let mut held = Held::within(69 + 100);
    held.apply(set(&[(0, &[1; 100])]));
    held.weighed(&set(&[(0, &[2; 100])])).check_subtask().unwrap();
    held.weighed(&append(&[0], &[])).check_subtask().unwrap();
    let error = held.weighed(&set(&[(0, &[2; 101])])).check_subtask().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FixInput);
    assert!(error.to_string().starts_with("operator \"op\" subtask 0: its state would have 170 bytes, and 169 are the most"), "{error}");
    assert!(held.weighed(&set(&[(1, b"")])).check_subtask().is_err());
    assert_eq!(held.bytes(), 169);
}
