//! Values of windows that become one: the guest makes one of two, in an instance that is kept for that.

use crate::columns::column;
use crate::fault::GuestFault;
use crate::guest_log::GuestLog;
use crate::instance::GuestInstance;
use crate::limits::{BATCH_RECORDS, Limits, OnFailure, OperatorSettings};
use crate::lowered::{end, part, rebase};
use crate::plugin::Plugin;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use weir_engine::state::StateMerger;
use weir_engine::{Column, EngineError, ErrorKind};

/// Merges the states of one operator of a job. Its instance is not opened and calls nothing of the host: what a plugin makes of two values depends on
/// nothing but these. One that faulted is never called again.
pub(crate) struct PluginMerger {
    plugin: Plugin,
    limits: Limits,
    /// A fault counts only where a new instance has it too: where records are set aside for theirs.
    twice: bool,
    instance: Mutex<Option<GuestInstance>>,
}

/// Values of two windows, in pairs.
#[derive(Clone, Copy)]
struct Pairs<'a> {
    earlier: &'a Column,
    later: &'a Column,
}

impl PluginMerger {
    /// For an operator with these settings.
    pub(crate) fn new(plugin: Plugin, settings: &OperatorSettings) -> Self {
        let twice = matches!(settings.on_failure, OnFailure::Quarantine { .. });
        Self { plugin, limits: settings.limits.clone(), twice, instance: Mutex::new(None) }
    }

    /// One call of the guest. Where records are set aside, what fails in an instance that has been called before is tried once more in a new one: what earlier
    /// calls left in it may be at fault, and a record is set aside only for what it is itself.
    fn merged(&self, state: u32, pairs: Pairs<'_>, range: &Range<usize>) -> Result<Column, GuestFault> {
        let mut kept = self.instance.lock().unwrap_or_else(PoisonError::into_inner);
        let used = kept.take().map(|instance| self.called(instance, state, pairs, range));
        let (merged, instance) = match used {
            Some(Ok(merged)) => merged,
            Some(Err(fault)) if !self.twice => return Err(fault),
            Some(Err(_)) | None => {
                let inner = &self.plugin.inner;
                let new = GuestInstance::new(&inner.engine, &inner.pre, &self.limits, GuestLog::new("merge", 0, 0))?;
                self.called(new, state, pairs, range)?
            }
        };
        *kept = Some(instance).filter(|instance| !instance.has_outgrown(self.limits.recycle_memory()));
        Ok(merged)
    }

    /// What this instance makes of the pairs, and the instance, which may be called again.
    fn called(
        &self,
        mut instance: GuestInstance,
        state: u32,
        pairs: Pairs<'_>,
        range: &Range<usize>,
    ) -> Result<(Column, GuestInstance), GuestFault> {
        let (mut earlier, mut later) = (Vec::new(), Vec::new());
        rebase(pairs.earlier, range, &mut earlier);
        rebase(pairs.later, range, &mut later);
        let (earlier, later) = (part(pairs.earlier, range, &earlier), part(pairs.later, range, &later));
        let merged = instance.merge(self.limits.time_per_batch, state, earlier, later)?;
        let merged = column(merged).map_err(|what| GuestFault::Malformed { what })?;
        if merged.len() != range.len() {
            return Err(GuestFault::Malformed { what: format!("{} values where there have to be {}", merged.len(), range.len()) });
        }
        Ok((merged, instance))
    }

    /// Which state of which plugin is merged, for errors.
    fn attempted(&self, state: usize) -> String {
        let descriptor = self.plugin.descriptor();
        let name = descriptor.states.get(state).map_or("?", |state| state.name.as_str());
        format!("merge state \"{name}\" of plugin \"{}\"", descriptor.name)
    }

    fn too_large(&self, state: usize, bytes: u64) -> EngineError {
        let limit = self.limits.batch_bytes();
        let message = format!("{}: two values have {bytes} bytes, and a call may have {limit}", self.attempted(state));
        let hint = "raise limits.memory of the operator (what goes into one call may have a quarter of it), or keep less in one window";
        EngineError::new(ErrorKind::FixInput, message).with_hint(hint)
    }
}

impl StateMerger for PluginMerger {
    fn merge(&self, state: usize, earlier: &Column, later: &Column) -> Result<Column, EngineError> {
        assert_eq!(earlier.len(), later.len(), "values are merged in pairs");
        let (pairs, limit) = (Pairs { earlier, later }, self.limits.batch_bytes());
        let (mut all, mut start) = (Column::new(), 0);
        while start < earlier.len() {
            let range = start..pairs.fitting(start, limit);
            if range.is_empty() {
                return Err(self.too_large(state, pairs.bytes(&(start..start + 1))));
            }
            let merged = self.merged(state as u32, pairs, &range);
            let merged = merged.map_err(|fault| fault.into_error(self.attempted(state), self.plugin.named()))?;
            start = range.end;
            all.extend_from(&merged, 0..merged.len());
        }
        Ok(all)
    }
}

impl Pairs<'_> {
    /// The end of the longest run of pairs from `start` on that one call may have.
    fn fitting(self, start: usize, max_bytes: u64) -> usize {
        let most = self.earlier.len().min(start + BATCH_RECORDS);
        let ends: Vec<usize> = (start + 1..=most).collect();
        start + ends.partition_point(|&end| self.bytes(&(start..end)) <= max_bytes)
    }

    fn bytes(self, range: &Range<usize>) -> u64 {
        let of = |column| u64::from(end(column, range.end) - end(column, range.start));
        of(self.earlier) + of(self.later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], max_bytes: u64, expect: &[Range<usize>]) {
        let (mut earlier, mut later) = (Column::new(), Column::new());
        for (first, second) in pairs {
            earlier.push(first.as_bytes());
            later.push(second.as_bytes());
        }
        let pairs = Pairs { earlier: &earlier, later: &later };
        let (mut calls, mut start) = (Vec::new(), 0);
        while start < earlier.len() {
            let end = pairs.fitting(start, max_bytes);
            calls.push(start..end);
            start = if end == start { earlier.len() } else { end };
        }
        assert_eq!(calls, expect, "{max_bytes}");
    }

    #[test]
    fn pairs_go_into_as_few_calls_as_hold_them() {
        check(&[], 9, &[]);
        check(&[("aa", "b"), ("", "c"), ("d", "eee")], 8, std::slice::from_ref(&(0..3)));
        check(&[("aa", "b"), ("", "c"), ("d", "eee")], 7, &[0..2, 2..3]);
        check(&[("aa", "b"), ("", "c"), ("d", "eee")], 4, &[0..2, 2..3]);
        check(&[("", ""); 2_000], 0, &[0..1_024, 1_024..2_000]);
    }

    #[test]
    fn a_pair_that_no_call_may_have_is_not_called_with() {
        check(&[("aa", "b"), ("d", "eee")], 3, &[0..1, 1..1]);
    }
}
