//! A subtask's time: which of its timers are due, in what calls they fire, and what time its calls are of.
//!
//! A call is of timers of one effective watermark and of one due time for each key: what it sets and deletes counts for the key's next. Timers come in the order
//! of their times. The queue may name timers that have been deleted, so a call's timers are looked up in the state when its keys are there, and are taken out
//! of it before the operator is called: what it sets anew is new.

use super::OperatorSubtask;
use crate::element::{END_OF_TIME, RecordBatch, Selection, key_group_of, key_hash};
use crate::error::{EngineError, ErrorKind};
use crate::operator::{CallKind, FiredTimers, OperatorCall};
use crate::state::{KeyedState, TimeDomain};
use foldhash::fast::FixedState;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Timers of a call at most.
const FIRED_MAX: usize = 1_024;
/// So many timers or windows are put aside in one step, as their groups have not come to their time.
pub(super) const HELD_MAX: usize = 4_096;
/// So many timers of a key may be set that are due already, before nothing is due.
const OVERDUE_MAX: u32 = 10_000;

/// What of firing goes from call to call.
#[derive(Default)]
pub(super) struct Firing {
    /// A call has one timer or session alone.
    pub(super) one_by_one: bool,
    /// Timers whose group has not come to their time, while the largest floor has, with their numbers. Each is looked at again once, when all groups have.
    held: BTreeMap<i64, Vec<(u32, Vec<u8>)>>,
}

impl Firing {
    /// When the first of those that were put aside is due.
    fn next_held(&self) -> Option<i64> {
        self.held.first_key_value().map(|(time, _)| *time)
    }
}

impl OperatorSubtask {
    /// Event time has come to here. Timers that were held back for their floors until now are looked at again.
    pub(crate) fn set_watermark(&mut self, watermark: i64) {
        self.watermark = watermark;
        if watermark != END_OF_TIME.0 {
            self.floor = watermark;
        }
        self.floors.on_watermark(watermark);
        let Some(state) = self.state.as_deref_mut() else { return };
        state.on_event_time(watermark);
        if watermark == END_OF_TIME.0 {
            state.end_event_time();
        }
    }

    /// True where timers may be due.
    pub(crate) fn is_due(&mut self) -> bool {
        let is_due = self.next_due().is_some() || self.are_windows_due();
        if let Some(state) = self.state.as_deref_mut().filter(|_| !is_due) {
            state.on_none_due();
        }
        is_due
    }

    /// The domain of the timer that is due next.
    fn next_due(&mut self) -> Option<TimeDomain> {
        let event_time = self.event_time_due();
        if self.firing.next_held().is_some_and(|time| time <= self.watermark) {
            return Some(TimeDomain::Event);
        }
        let state = self.state.as_deref_mut()?;
        if state.next_timer(TimeDomain::Event).is_some_and(|time| time <= event_time) {
            return Some(TimeDomain::Event);
        }
        let time = state.next_timer(TimeDomain::Processing)?;
        (time <= self.processing_time.now(self.clock.wall_ms(), self.clock.now())).then_some(TimeDomain::Processing)
    }

    /// Puts timers back whose time has come for all groups, so many in one step. True where there are more: nothing fires in front of them.
    fn put_held_back(&mut self) -> bool {
        let Some(state) = self.state.as_deref_mut() else { return false };
        for _ in 0..HELD_MAX {
            let Some(mut held) = self.firing.held.first_entry().filter(|held| *held.key() <= self.watermark) else { return false };
            let time = *held.key();
            match held.get_mut().pop() {
                Some((timer, key)) => state.put_timer_back(timer, time, &key),
                None => _ = held.remove(),
            }
        }
        self.firing.next_held().is_some_and(|time| time <= self.watermark)
    }

    /// Up to when timers may be due: some group's floor may be ahead.
    pub(super) fn event_time_due(&self) -> i64 {
        self.floors.largest().map_or(self.watermark, |largest| largest.max(self.watermark))
    }

    /// In how many ms the next timer by the clock is due.
    pub(super) fn next_by_clock(&mut self) -> Option<u64> {
        let state = self.state.as_deref_mut()?;
        let time = state.next_timer(TimeDomain::Processing).into_iter().chain(state.next_window_by_clock()).min()?;
        Some(time.saturating_sub(self.processing_time.now(self.clock.wall_ms(), self.clock.now())).max(0) as u64)
    }

    /// The next call of timers that are due, which may have been deleted since; `None`: none is, or which is next is not known yet ([`Self::is_due`]).
    pub(crate) fn due_call(&mut self) -> Result<Option<OperatorCall>, EngineError> {
        let Some(domain) = self.next_due() else { return Ok(self.due_windows()) };
        if self.put_held_back() {
            return Ok(None);
        }
        let processing_time = self.tell_processing_time();
        let until = match domain {
            TimeDomain::Event => self.event_time_due(),
            TimeDomain::Processing => processing_time,
        };
        let (watermark, max_parallelism) = (self.watermark, self.place.max_parallelism);
        let fired_max = if self.firing.one_by_one { 1 } else { FIRED_MAX };
        let (floors, has_floors) = (&self.floors, self.floors.largest().is_some());
        let Some(state) = self.state.as_deref_mut() else { return Ok(None) };
        state.on_due(domain, until);
        let (mut fired, mut times, mut of_call) = (FiredTimers::default(), HashMap::with_hasher(FixedState::default()), None);
        let mut held = 0;
        while fired.len() < fired_max && held < HELD_MAX {
            let fits = |time: i64, key: &[u8]| {
                let hash = key_hash(key);
                let effective = if has_floors { floors.effective(key_group_of(hash, max_parallelism), watermark) } else { watermark };
                let is_of_call = of_call.is_none_or(|of_call| of_call == effective) && times.get(&hash).is_none_or(|other| *other == time);
                // One that its group has not come to is taken out, and held back.
                (time <= until && (is_of_call || (domain == TimeDomain::Event && time > effective))).then_some((hash, effective))
            };
            let Some((timer, (hash, effective))) = state.take_timer(domain, fits) else { break };
            if domain == TimeDomain::Event && timer.time > effective {
                self.firing.held.entry(timer.time).or_default().push((timer.timer, timer.key().to_vec()));
                held += 1;
                continue;
            }
            of_call = Some(effective);
            times.insert(hash, timer.time);
            check_overdue(state, hash, timer.key()).map_err(|error| error.context(&self.place.subtask.vertex))?;
            fired.push(timer.key(), hash, timer.timer, timer.time);
        }
        let watermark = of_call.unwrap_or(watermark);
        Ok((!fired.is_empty()).then(|| OperatorCall { watermark, processing_time, kind: CallKind::Timers(Arc::new(fired)) }))
    }

    /// The calls that records of a batch make: one, but where their keys have come to different times before a restore.
    pub(crate) fn calls_of(&mut self, input: u32, keyed: bool, batch: Arc<RecordBatch>) -> Vec<OperatorCall> {
        let (watermark, processing_time) = (self.watermark, self.tell_processing_time());
        let call = |watermark, batch| OperatorCall { watermark, processing_time, kind: CallKind::Batch { input, keyed, batch } };
        if self.floors.largest().is_none_or(|largest| largest <= watermark) {
            return vec![call(watermark, batch)];
        }
        if !keyed {
            return vec![call(self.floors.of_no_key(watermark, self.place.key_groups), batch)];
        }
        let mut by_time: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for record in 0..batch.len() {
            // A record without a key is the operator's to refuse.
            let group = batch.key(record).map(|key| key_group_of(key_hash(key), self.place.max_parallelism));
            let effective = group.map_or(watermark, |group| self.floors.effective(group, watermark));
            by_time.entry(effective).or_default().push(record as u32);
        }
        if by_time.len() == 1 {
            return by_time.into_keys().map(|watermark| call(watermark, batch.clone())).collect();
        }
        by_time.into_iter().map(|(watermark, records)| call(watermark, Selection::some(batch.clone(), records).compact())).collect()
    }

    /// The call that says that the watermark has come to where it is.
    pub(crate) fn watermark_call(&mut self) -> OperatorCall {
        let watermark = self.floors.of_no_key(self.watermark, self.place.key_groups);
        OperatorCall { watermark, processing_time: self.tell_processing_time(), kind: CallKind::Watermark }
    }

    /// Takes timers out of the state of their keys, which are there. What is left of their call where some were not set; `None`: all were.
    pub(super) fn take_fired(&mut self, call: &OperatorCall, fired: &FiredTimers) -> Result<Option<OperatorCall>, EngineError> {
        // An operator that declares none has set none, and refuses them by itself.
        let Some(state) = self.state.as_deref_mut().filter(|state| state.has_timers()) else { return Ok(None) };
        let keyless = |_| EngineError::new(ErrorKind::Bug, "a timer without a key");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(keyless))?;
        let key_of = state.key_of().to_vec();
        let mut set = Vec::with_capacity(fired.len());
        for (place, key) in key_of.into_iter().enumerate() {
            set.push(state.delete_timer(key as usize, fired.timers()[place] as usize, fired.due()[place])?);
        }
        if set.iter().all(|set| *set) {
            return Ok(None);
        }
        let kind = CallKind::Timers(Arc::new(fired.only(|place| set[place])));
        Ok(Some(OperatorCall { kind, ..call.clone() }))
    }
}

/// A key whose timers set timers that are due, again and again, would never let anything else be worked off.
fn check_overdue(state: &KeyedState, hash: u64, key: &[u8]) -> Result<(), EngineError> {
    if state.overdue(hash) <= OVERDUE_MAX {
        return Ok(());
    }
    let message =
        format!("more than {OVERDUE_MAX} timers of the key {} were due when they were set, one behind the other", key.escape_ascii());
    Err(EngineError::new(ErrorKind::FixInput, message).with_hint("a timer that sets itself has to be set to a later time"))
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
