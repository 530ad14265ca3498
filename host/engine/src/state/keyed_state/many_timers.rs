//! Timers of a key that are changed many at once, as a component does it.

use super::KeyedState;
use crate::error::EngineError;
use crate::state::timers::Times;

impl KeyedState {
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
