//! What has come of a call, as the world wants it, or wrong in the one way that was asked for.

use super::{Call, Ruled};
use crate::columns::{Items, bytes, counts, none, passing};
use crate::weir::operator::types::{
    BroadcastUpdate, Effects, KeyedColumn, ListUpdate, MapUpdate, Metric, Output, TimerUpdate, Timers, Touch, ValueUpdate,
};
use crate::{COUNT, ENTRIES, FRESH, ITEMS, LATELY, RULES};
use std::collections::BTreeMap;

impl Call {
    pub(super) fn effects(self) -> Effects {
        let mut set = Items::default();
        self.changed.iter().for_each(|key| set.push(&self.counts[key].to_le_bytes()));
        let value = ValueUpdate { state: COUNT, cleared: vec![], set: KeyedColumn { keys: bytes(&self.changed), items: set.column() } };
        let mut freshened = Items::default();
        self.freshened.values().for_each(|value| freshened.push(value));
        let keys: Vec<u32> = self.freshened.keys().copied().collect();
        let fresh = ValueUpdate { state: FRESH, cleared: vec![], set: KeyedColumn { keys: bytes(&keys), items: freshened.column() } };
        let lately = ListUpdate {
            state: LATELY,
            cleared: vec![],
            popped: counts(&BTreeMap::new()),
            truncated: counts(&BTreeMap::new()),
            append: KeyedColumn { keys: bytes(&self.lately.keys), items: self.lately.items.column() },
        };
        let list = ListUpdate {
            state: ITEMS,
            cleared: vec![],
            popped: counts(&self.popped),
            truncated: counts(&self.truncated),
            append: KeyedColumn { keys: bytes(&self.list.keys), items: self.list.items.column() },
        };
        let map = MapUpdate {
            state: ENTRIES,
            cleared: vec![],
            removed: KeyedColumn { keys: vec![], items: none() },
            put: KeyedColumn { keys: bytes(&self.map.keys), items: self.map.entries.column() },
            values: self.map.values.column(),
        };
        let Ruled { cleared, removed, put, values } = self.rules;
        let ruled = cleared || !removed.ends.is_empty() || !put.ends.is_empty();
        let rules = BroadcastUpdate { state: RULES, cleared, removed: removed.column(), put: put.column(), values: values.column() };
        let [main, side] = self.passes;
        let output = Output { cause: bytes(&self.cause), values: self.out.column(), valueless: bytes(&self.absent), ..passing(0, main) };
        let mut effects = Effects {
            outputs: if side.is_empty() { vec![output] } else { vec![output, passing(1, side)] },
            values: there([(value, !self.changed.is_empty()), (fresh, !self.freshened.is_empty())]),
            lists: there([
                (list, !self.list.keys.is_empty() || !self.popped.is_empty() || !self.truncated.is_empty()),
                (lately, !self.lately.keys.is_empty()),
            ]),
            maps: if self.map.keys.is_empty() { vec![] } else { vec![map] },
            broadcasts: if ruled { vec![rules] } else { vec![] },
            touched: self.touched.iter().map(|(state, keys)| Touch { state: *state, keys: bytes(keys) }).collect(),
            timers: (0..)
                .zip(self.set.iter().zip(&self.deleted))
                .filter_map(|(timer, (set, deleted))| update(timer, set, deleted))
                .collect(),
            metrics: vec![Metric { name: "calls".into(), delta: 1 }],
        };
        if let Some(wrong) = &self.wrong {
            spoil(&mut effects, wrong, self.values.len(), self.cause.len());
        }
        effects
    }
}

/// Those that there are.
fn there<T>(parts: [(T, bool); 2]) -> Vec<T> {
    parts.into_iter().filter_map(|(part, is_there)| is_there.then_some(part)).collect()
}

fn update(timer: u32, set: &[(u32, i64)], deleted: &[(u32, i64)]) -> Option<TimerUpdate> {
    let timers = |pairs: &[(u32, i64)]| Timers {
        keys: pairs.iter().flat_map(|(key, _)| key.to_le_bytes()).collect(),
        times: pairs.iter().flat_map(|(_, time)| time.to_le_bytes()).collect(),
    };
    (!set.is_empty() || !deleted.is_empty()).then(|| TimerUpdate { timer, set: timers(set), deleted: timers(deleted) })
}

/// Breaks the effects of a call of so many records in one way.
fn spoil(effects: &mut Effects, wrong: &str, records: usize, made: usize) {
    match wrong {
        "passes" => effects.outputs[0].passes = vec![0xff; 1 + records / 8],
        "output" => effects.outputs[0].output = 9,
        "cause" => effects.outputs[0].cause = bytes(&vec![77; made]),
        "ends" => effects.outputs[0].values.ends.reverse(),
        "key" => effects.values.iter_mut().for_each(|update| update.set.keys.fill(0xee)),
        "timer" => effects.timers[0].timer = 2,
        "rules" => effects.broadcasts.iter_mut().for_each(|update| update.values.ends.clear()),
        "rules-kind" => effects.broadcasts.iter_mut().for_each(|update| update.state = ENTRIES),
        "metric" => effects.metrics[0].name = "\u{1b}[2J".into(),
        other => panic!("no way to be wrong: {other}"),
    }
}
