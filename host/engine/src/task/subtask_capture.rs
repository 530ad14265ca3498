//! What a checkpoint keeps of a subtask, as of its barrier.

use super::{KeptStretch, OperatorSubtask};
use crate::checkpoint::WatermarkFloor;
use crate::element::CheckpointId;
use crate::error::EngineError;
use crate::state::{BroadcastState, KeyGroupRange, StateKind, StateSnapshot, TimeDomain};
use std::sync::Arc;

/// A subtask's part of a checkpoint, as of the barrier.
pub struct SubtaskCapture {
    /// The operator's id.
    pub operator: String,
    /// Its keyed state.
    pub keyed: Option<StateSnapshot>,
    /// Its broadcast state, where there is any.
    pub broadcast: Option<BroadcastState>,
    /// The calls that it keeps.
    pub calls: Option<Vec<Arc<KeptStretch>>>,
    /// How far event time had come for its keys.
    pub floors: Vec<WatermarkFloor>,
    /// When that began, where some state lives by it.
    pub event_time_began: Vec<WatermarkFloor>,
    /// The clock at the barrier, where anything goes by that, or may go by it in another version: a later call is told no earlier one.
    pub processing_time: Option<i64>,
    /// The largest timestamp that it has emitted, where its output makes watermarks.
    pub largest_timestamp: Option<i64>,
}

impl OperatorSubtask {
    /// Captures the subtask as of now for `checkpoint_id`: keyed state since `since`, or all of it, and the calls since `base`, the newest checkpoint
    /// that was complete at its trigger.
    pub fn capture(
        &mut self,
        checkpoint_id: CheckpointId,
        since: Option<CheckpointId>,
        base: Option<CheckpointId>,
    ) -> Result<SubtaskCapture, EngineError> {
        self.note_pending();
        let keyed = self.state.as_mut().map(|state| state.snapshot(checkpoint_id, since)).transpose();
        Ok(SubtaskCapture {
            operator: self.id().to_owned(),
            keyed: keyed.map_err(|error| error.context(self.id()))?,
            broadcast: self.broadcast.as_ref().and_then(|broadcast| broadcast.capture()),
            calls: self.call_log.as_mut().map(|call_log| call_log.at_barrier(checkpoint_id, base)),
            floors: self.floors.capture(self.floor, self.place.key_groups),
            event_time_began: self.event_time_began(),
            processing_time: self.goes_by_clock().then(|| self.tell_processing_time()),
            largest_timestamp: None,
        })
    }

    /// When event time began for its key groups, where some state lives by it.
    fn event_time_began(&self) -> Vec<WatermarkFloor> {
        let Some((state, range)) = self.state.as_deref().zip(self.place.key_groups) else { return Vec::new() };
        let began = state.event_time_began(range).into_iter();
        began.map(|(KeyGroupRange { start: from, end: to }, watermark)| WatermarkFloor { from, to, watermark }).collect()
    }

    /// Shows what waits for its time, and how many windows are open, where somebody looks.
    pub(super) fn note_pending(&self) {
        let Some((state, allowance)) = self.state.as_ref().and_then(|state| Some((state, state.allowance()?))) else { return };
        self.metrics.state_keys.set(self.place.subtask.index, state.key_count());
        if let Some(pending) = state.pending() {
            self.metrics.pending.set(self.place.subtask.index, pending);
        }
        if let Some(open) = state.open_windows() {
            allowance.note_open_windows(open);
        }
    }

    /// True where timers, windows or times to live go by the clock. State by key without windows is stamped with it where a later version has a time to live by it.
    fn goes_by_clock(&self) -> bool {
        match &self.place.window {
            Some(window) => window.time == TimeDomain::Processing || window.emit_every.is_some() || window.lateness > 0,
            None => self.state.is_some() && self.kept_states.iter().any(|state| state.kind != StateKind::Broadcast),
        }
    }
}
