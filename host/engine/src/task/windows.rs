//! A subtask's windows: which of them are due, and what comes of a call in which records are put into windows, or windows fire.

use super::timers::HELD_MAX;
use super::{Emitted, OperatorSubtask};
use crate::element::{BatchBuilder, Column, NO_TIMESTAMP, RecordBatch, key_group_of};
use crate::error::EngineError;
use crate::operator::{CallKind, FiredTimers, LATE_OUTPUT, OperatorCall, report_of_record};
use crate::state::{CallKeys, DueReason, LateRecord, TimeDomain, unit_hash};
use serde_json::json;
use std::sync::Arc;

/// Windows of a call at most.
const DUE_MAX: usize = 1_024;

impl OperatorSubtask {
    /// True where windows may be due.
    pub(super) fn are_windows_due(&mut self) -> bool {
        if self.place.window.is_none() {
            return false;
        }
        let (event, now) = (self.event_time_due(), self.processing_time.now(self.clock.wall_ms(), self.clock.now()));
        self.state.as_deref_mut().is_some_and(|state| state.are_windows_due(event, now))
    }

    /// The next call of windows that are due; some may not fire after all. `None`: none is due, or which is next is not known yet.
    pub(super) fn due_windows(&mut self) -> Option<OperatorCall> {
        if !self.are_windows_due() {
            return None;
        }
        let (event, processing_time) = (self.event_time_due(), self.tell_processing_time());
        let (watermark, max_parallelism) = (self.watermark, self.place.max_parallelism);
        let (floors, has_floors) = (&self.floors, self.floors.largest().is_some());
        // Of windows that all keys have in common, those of a call are in their order; sessions are it in the queue.
        let is_alone = self.firing.one_by_one && self.place.window.as_ref().is_some_and(|window| window.kind.merges());
        let due_max = if is_alone { 1 } else { DUE_MAX };
        let by_event_time = self.place.window.as_ref().is_some_and(|window| window.time == TimeDomain::Event);
        let state = self.state.as_deref_mut()?;
        let (mut taken, mut of_call, mut held) = (Vec::new(), None, 0);
        while taken.len() < due_max && held < HELD_MAX {
            // A window is due by its key group's time; those of a call are of one.
            let fits = |time: Option<i64>, unit: &[u8]| {
                let hash = unit_hash(unit);
                let effective = if has_floors { floors.effective(key_group_of(hash, max_parallelism), watermark) } else { watermark };
                let is_held = by_event_time && time.is_some_and(|time| time > effective);
                (is_held || of_call.is_none_or(|of_call| of_call == effective)).then_some((hash, effective, is_held))
            };
            let Some((window, (hash, effective, is_held))) = state.take_window((event, processing_time), fits) else { break };
            if is_held {
                state.hold_window(window);
                held += 1;
                continue;
            }
            of_call = Some(effective);
            taken.push((window, hash));
        }
        // Those of one time come as they please; a call has them in the order of their units, which is that of their starts and keys.
        taken.sort_unstable_by(|(one, _), (other, _)| (one.time, one.unit.as_slice()).cmp(&(other.time, other.unit.as_slice())));
        let mut due = FiredTimers::default();
        taken.iter().for_each(|(window, hash)| due.push(window.unit.as_slice(), *hash, window.reason as u32, window.time));
        let watermark = of_call.unwrap_or(watermark);
        (!due.is_empty()).then(|| OperatorCall { watermark, processing_time, kind: CallKind::Windows(Arc::new(due)) })
    }

    /// Makes a call that brings keys of a windowed operator.
    pub(super) fn make_windowed(&mut self, call: &OperatorCall, outputs: &mut Emitted) -> Result<(), EngineError> {
        match &call.kind {
            CallKind::Batch { input, batch, .. } => {
                self.enter(call, true, outputs, |operator, context| operator.process(*input, batch, context))?;
                let Some(state) = self.state.as_deref_mut() else { return Ok(()) };
                state.accept()?;
                let (late, full) = (state.take_late(), state.take_full());
                self.put_late(&late, batch, outputs);
                self.fire_full(call, &full, outputs)
            }
            CallKind::Windows(due) => self.fire_windows(call, CallKeys::from(&**due), (due.timers(), due.due()), outputs),
            CallKind::Timers(_) | CallKind::Watermark => Ok(()),
        }
    }

    /// Counts that the call has filled fire behind it.
    fn fire_full(&mut self, call: &OperatorCall, full: &[Vec<u8>], outputs: &mut Emitted) -> Result<(), EngineError> {
        for some in full.chunks(DUE_MAX) {
            let (mut units, mut hashes) = (Column::new(), Vec::new());
            for unit in some {
                units.push(unit);
                hashes.push(unit_hash(unit));
            }
            let (reasons, times) = (vec![DueReason::OnTime as u32; some.len()], vec![i64::MAX; some.len()]);
            self.fire_windows(call, CallKeys::new(&units, &hashes, &[]), (&reasons, &times), outputs)?;
        }
        Ok(())
    }

    fn fire_windows(
        &mut self,
        call: &OperatorCall,
        units: CallKeys<'_>,
        (reasons, times): (&[u32], &[i64]),
        outputs: &mut Emitted,
    ) -> Result<(), EngineError> {
        let Some(state) = self.state.as_deref_mut() else { return Ok(()) };
        let fired = state.begin_firing(units, reasons, times)?;
        if !fired.is_empty() {
            self.enter(call, true, outputs, |operator, context| operator.on_windows(&fired, context))?;
        }
        self.state.as_deref_mut().map_or(Ok(()), |state| state.end_firing())
    }

    /// Records that came too late go to the reserved output, or are counted alone.
    fn put_late(&mut self, late: &[LateRecord], batch: &RecordBatch, outputs: &mut Emitted) {
        if late.is_empty() {
            return;
        }
        self.metrics.late.add(late.len() as u64);
        if !self.tells_late {
            return;
        }
        let mut builder = BatchBuilder::new();
        for record in late {
            let timestamp = batch.timestamps()[record.record as usize];
            let line = self.late_line(record, batch);
            builder.push(batch.key(record.record as usize), line.as_bytes(), (timestamp != NO_TIMESTAMP).then_some(timestamp));
        }
        outputs.push((LATE_OUTPUT, builder.finish().into()));
    }

    /// What is told of a late record: the record as a quarantine's line has it, its window, and by how much it came too late.
    fn late_line(&self, late: &LateRecord, batch: &RecordBatch) -> String {
        let mut line = report_of_record(self.id(), batch, late.record as usize);
        line["window"] = json!({ "start": late.window.start, "end": late.window.end });
        line["late_ms"] = late.late_ms.into();
        line.to_string()
    }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
