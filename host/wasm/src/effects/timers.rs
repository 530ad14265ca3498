//! The rules of `wit/operator.wit` for the timers that a call sets and deletes.

use super::check::{Checked, parallel};
use super::{Called, KeyTimes, TimerUpdate};
use crate::bindings::weir::operator::types as wit;
use crate::columns::integers;

impl Called<'_> {
    pub(super) fn timer(&self, raw: wit::TimerUpdate) -> Checked<TimerUpdate> {
        if self.keys.is_none() {
            return Err("the batch's input is not keyed, so it may set and delete no timers".into());
        }
        let (deleted, set) = (self.key_times("deleted", &raw.deleted)?, self.key_times("set", &raw.set)?);
        let update = TimerUpdate { timer: raw.timer as usize, deleted, set };
        let both = update.by_key().find_map(|changed| {
            let time = changed.set.iter().find(|time| changed.deleted.binary_search(time).is_ok())?;
            Some((changed.key, *time))
        });
        match both {
            Some((key, time)) => Err(format!("key {key} at {time} is both set and deleted")),
            None => Ok(update),
        }
    }

    /// In order, and each once: setting a timer twice is setting it once.
    fn key_times(&self, what: &str, raw: &wit::Timers) -> Checked<KeyTimes> {
        let keys: Vec<u32> = integers(&raw.keys).map_err(|error| format!("{what}: keys: {error}"))?;
        self.check_keys(what, &keys)?;
        let times: Vec<i64> = integers(&raw.times).map_err(|error| format!("{what}: times: {error}"))?;
        parallel(what, times.len(), keys.len())?;
        let mut pairs: Vec<(u32, i64)> = keys.into_iter().zip(times).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let (keys, times) = pairs.into_iter().unzip();
        Ok(KeyTimes { keys, times })
    }
}
