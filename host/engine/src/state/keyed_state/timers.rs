//! Timers of keys: set, deleted and taken out when they are due.

use super::KeyedState;
use crate::error::EngineError;
use crate::state::TimeDomain;
use crate::state::timer_queue::QueuedTimer;
use crate::state::timers::Times;

impl KeyedState {
    /// True where the operator declares timers.
    pub(crate) fn has_timers(&self) -> bool {
        self.timers.is_some()
    }

    /// Sets a timer of a key; setting it twice is setting it once.
    pub fn set_timer(&mut self, key: usize, timer: usize, time: i64) -> Result<(), EngineError> {
        let Some((state, times)) = self.times(key, timer)? else { return Ok(()) };
        let Some(with) = Times(&times).with(time) else { return Ok(()) };
        self.set_value(key, state, &with)?;
        if let Some(timers) = &mut self.timers {
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
            backend.each_value(state, &mut |key, times| Times(times).iter().for_each(|time| timers.push(timer, time, key)))?;
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
