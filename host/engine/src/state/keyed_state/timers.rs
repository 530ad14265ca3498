//! Timers of keys: set, deleted and taken out when they are due.

use super::KeyedState;
use crate::error::EngineError;
use crate::metrics::Pending;
use crate::state::TimeDomain;
use crate::state::timer_queue::QueuedTimer;
use crate::state::timers::Times;

impl KeyedState {
    /// True where the operator declares timers.
    pub(crate) fn has_timers(&self) -> bool {
        self.timers.is_some()
    }

    /// What waits for its time; `None`: nothing of the operator does.
    pub(crate) fn pending(&self) -> Option<Pending> {
        let timers = self.timers.as_ref().map(|timers| (timers.set, timers.not_before()));
        let windows = self.windows.as_ref().map(|windows| windows.due.not_before());
        let (set, oldest_timer) = timers.unwrap_or_default();
        (timers.is_some() || windows.is_some()).then(|| Pending { timers: set, oldest_timer, oldest_window: windows.flatten() })
    }

    /// Sets a timer of a key; setting it twice is setting it once.
    pub fn set_timer(&mut self, key: usize, timer: usize, time: i64) -> Result<(), EngineError> {
        let Some((state, times)) = self.times(key, timer)? else { return Ok(()) };
        let Some(with) = Times(&times).with(time) else { return Ok(()) };
        self.set_value(key, state, &with)?;
        if let Some(timers) = &mut self.timers {
            timers.set += 1;
            timers.on_set(timer, time, self.distinct.hashes[key]);
            timers.push(timer, time, self.distinct.keys.get(key));
        }
        Ok(())
    }

    /// Deletes a timer of a key. False where it is not set.
    pub fn delete_timer(&mut self, key: usize, timer: usize, time: i64) -> Result<bool, EngineError> {
        let Some(state) = self.timer_state(timer) else { return Ok(false) };
        let mut times = std::mem::take(&mut self.times);
        times.clear();
        let deleted = match self.value(key, state, &mut times)? {
            true if *times.get(0) == time.to_le_bytes() => self.clear(key, state).map(|()| true),
            true => Times(times.get(0)).without(time).map_or(Ok(false), |left| self.set_value(key, state, &left).map(|()| true)),
            false => Ok(false),
        };
        self.times = times;
        if let (Ok(true), Some(timers)) = (&deleted, &mut self.timers) {
            timers.set = timers.set.saturating_sub(1);
        }
        deleted
    }

    /// The state of a declared timer, and what it is for a key.
    fn times(&self, key: usize, timer: usize) -> Result<Option<(usize, Vec<u8>)>, EngineError> {
        let Some(state) = self.timer_state(timer) else { return Ok(None) };
        Ok(Some((state, self.copied_value(key, state)?.unwrap_or_default())))
    }

    fn timer_state(&self, timer: usize) -> Option<usize> {
        let timers = self.timers.as_ref().filter(|timers| timer < timers.len())?;
        Some(timers.first_state + timer)
    }

    /// Timers of a domain are due up to here: those that are set now and are due already are counted, by key.
    pub(crate) fn on_due(&mut self, domain: TimeDomain, until: i64) {
        if let Some(timers) = &mut self.timers {
            timers.on_due(domain, until);
        }
    }

    /// Nothing is due any more.
    pub(crate) fn on_none_due(&mut self) {
        if let Some(timers) = &mut self.timers {
            timers.on_none_due();
        }
    }

    /// How many timers of the key with this hash were due when they were set, since nothing was.
    pub(crate) fn overdue(&self, hash: u64) -> u32 {
        self.timers.as_ref().map_or(0, |timers| timers.overdue(hash))
    }

    /// The state has been restored: what is set in it is due when its time comes.
    pub fn queue_restored_timers(&mut self) -> Result<(), EngineError> {
        let Self { backend, timers: Some(timers), .. } = self else { return Ok(()) };
        for timer in 0..timers.len() {
            let state = timers.first_state + timer;
            backend.each_value(state, &mut |key, times| {
                for time in Times(times).iter() {
                    timers.set += 1;
                    timers.push(timer, time, key);
                }
            })?;
        }
        Ok(())
    }

    /// Before this time no timer of a domain is due. `None`: none is set.
    pub(crate) fn next_timer(&mut self, domain: TimeDomain) -> Option<i64> {
        self.timers.as_mut()?.queue(domain).not_before()
    }

    /// Takes the next timer of a domain out of the queue, where `fits` says something of it; it may have been deleted since, or come twice.
    pub(crate) fn take_timer<T>(&mut self, domain: TimeDomain, fits: impl FnOnce(i64, &[u8]) -> Option<T>) -> Option<(QueuedTimer, T)> {
        let queue = self.timers.as_mut()?.queue(domain);
        let next = queue.next()?;
        let said = fits(next.time, next.key())?;
        queue.pop().map(|next| (next, said))
    }

    /// Puts a timer that was taken out back: its time has not come for its key.
    pub(crate) fn put_timer_back(&mut self, timer: u32, time: i64, key: &[u8]) {
        if let Some(timers) = &mut self.timers {
            timers.push(timer as usize, time, key);
        }
    }

    /// Event time is at its end: timers that are set from now on stay.
    pub(crate) fn end_event_time(&mut self) {
        if let Some(timers) = &mut self.timers {
            timers.end_event_time();
        }
    }

    /// Deletes timers of a key and sets others; the lists ascend. Cheaper than one by one where they are many.
    pub fn change_timers(&mut self, key: usize, timer: usize, deleted: &[i64], set: &[i64]) -> Result<(), EngineError> {
        let Some((state, times)) = self.times(key, timer)? else { return Ok(()) };
        let changed = Times(&times).changed(deleted, set);
        if changed.times == times {
            return Ok(());
        }
        if changed.times.is_empty() {
            self.clear(key, state)?;
        } else {
            self.set_value(key, state, &changed.times)?;
        }
        if let Some(timers) = &mut self.timers {
            timers.set = (timers.set + Times(&changed.times).len()).saturating_sub(Times(&times).len());
            for time in changed.new {
                timers.on_set(timer, time, self.distinct.hashes[key]);
                timers.push(timer, time, self.distinct.keys.get(key));
            }
        }
        Ok(())
    }

    /// How many of some times a timer of a key is set to.
    pub fn count_timers(&self, key: usize, timer: usize, times: &[i64]) -> Result<usize, EngineError> {
        Ok(self.times(key, timer)?.map_or(0, |(_, there)| Times(&there).count_of(times)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Column;
    use crate::state::{CallKeys, KeyGroupRange, MemoryBackendFactory, timer_state};

    #[test]
    fn timers_that_are_set_are_counted_and_none_is_due_before_the_oldest() {
        let domains = vec![TimeDomain::Event, TimeDomain::Processing];
        let states: Vec<_> = domains.iter().map(|domain| timer_state("t", *domain)).collect();
        let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: 4 }, 4);
        let mut state = KeyedState::new(states, backend).with_timers(domains);
        let mut keys = Column::new();
        keys.push(b"a");
        assert_eq!(state.select(CallKeys::new(&keys, &[], &[]), 0..1).expect("it has a key"), 1);
        let none = Pending::default();
        assert_eq!(state.pending(), Some(none));
        for (timer, time) in [(0, 50), (0, 50), (0, 70), (1, -3)] {
            state.set_timer(0, timer, time).expect("memory does not fail");
        }
        assert_eq!(
            state.pending(),
            Some(Pending { timers: 3, oldest_timer: Some(-16_384), ..none }),
            "as far as that is known without a search"
        );
        for set in [true, false] {
            assert_eq!(state.delete_timer(0, 1, -3).expect("memory does not fail"), set);
        }
        state.change_timers(0, 0, &[50], &[60, 70, 80]).expect("memory does not fail");
        assert_eq!(state.pending().map(|pending| pending.timers), Some(3));
        state.change_timers(0, 0, &[60, 70, 80], &[]).expect("memory does not fail");
        assert_eq!(state.pending(), Some(none));
    }
}
