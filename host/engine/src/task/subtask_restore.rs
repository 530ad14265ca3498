//! What a subtask restores, and how it is filled with it.

use super::OperatorSubtask;
use super::restore::{BroadcastRestore, KeyedRestore, TimesOfGroups};
use crate::checkpoint::{CheckpointMetadata, RestorePlan};
use crate::error::EngineError;
use crate::runtime::Clock;
use crate::state::{KeyGroupRange, StateRewrite};
use crate::storage::Store;
use crate::time::{ProcessingTime, WatermarkFloors};
use std::sync::Arc;

/// A checkpoint that subtasks restore from.
pub struct RestoreSource<'a> {
    /// What it consists of.
    pub metadata: &'a CheckpointMetadata,
    /// What of it goes where.
    pub plan: &'a RestorePlan,
    /// Where its objects are.
    pub store: Arc<dyn Store>,
    /// The clock for retries.
    pub clock: Arc<dyn Clock>,
}

#[derive(Default)]
pub(super) struct ToRestore {
    keyed: Option<KeyedRestore>,
    broadcast: Option<BroadcastRestore>,
}

impl OperatorSubtask {
    /// Notes what [`OperatorSubtask::restore`] is to read of a checkpoint.
    pub fn plan_restore(&mut self, from: &RestoreSource<'_>) {
        let Some(was) = from.plan.from(self.id()).map(str::to_owned) else { return };
        let factory = &self.place.factory;
        let rewrite =
            StateRewrite::new(from.plan.places(self.id()), &self.kept_states, factory.migrator()).of(from.metadata.states_of(&was));
        let parts = from.metadata.vertex(&was).map_or(&[][..], |vertex| &vertex.subtasks);
        self.floors = WatermarkFloors::restored(parts.iter().flat_map(|part| part.floors.iter().copied()), self.place.key_groups);
        let told = parts.iter().filter_map(|part| part.processing_time).max();
        self.processing_time = ProcessingTime::restored(told, self.clock.now());
        let read = (from.store.clone(), from.clock.clone());
        // A checkpoint that says nothing of the clock is of an operator that had not been called, or of a weir that did not say it.
        let processing_time = told.unwrap_or_else(|| self.processing_time.now(self.clock.wall_ms(), self.clock.now()));
        let began = WatermarkFloors::restored(parts.iter().flat_map(|part| part.event_time_began.iter().copied()), self.place.key_groups);
        if let Some((state, range)) = self.state.as_deref_mut().zip(self.place.key_groups) {
            let of_groups = began.iter().map(|began| (KeyGroupRange { start: began.from, end: began.to }, began.watermark)).collect();
            state.restore_event_time_began(of_groups, range, self.place.max_parallelism);
        }
        let times = TimesOfGroups { floors: self.floors.clone(), began, processing_time };
        let of_range = |range| KeyedRestore::of(from.metadata, (&was, rewrite.clone()), (range, times), read.clone());
        let keyed = self.place.key_groups.and_then(of_range);
        let index = self.place.subtask.index;
        let broadcast = self.broadcast.as_ref().and_then(|_| BroadcastRestore::of(from.metadata, (&was, rewrite), index, read));
        self.to_restore = ToRestore { keyed, broadcast };
    }

    /// True where there is something to restore.
    pub(crate) fn has_to_restore(&self) -> bool {
        self.to_restore.keyed.is_some() || self.to_restore.broadcast.is_some()
    }

    /// Fills the state with what has been planned. It counts then, and is never too much.
    pub async fn restore(&mut self) -> Result<(), EngineError> {
        let ToRestore { keyed, broadcast } = std::mem::take(&mut self.to_restore);
        if let (Some(restore), Some(state)) = (keyed, self.state.as_deref_mut()) {
            restore.run(state.backend_mut()).await?;
            state.queue_restored_timers().map_err(|error| error.context(format!("restore {}: its timers", self.place.subtask.vertex)))?;
            let now = self.processing_time.now(self.clock.wall_ms(), self.clock.now());
            state
                .queue_restored_windows(now)
                .map_err(|error| error.context(format!("restore {}: its windows", self.place.subtask.vertex)))?;
        }
        if let (Some(restore), Some(broadcast)) = (broadcast, self.broadcast.as_deref_mut()) {
            restore.run(broadcast).await?;
        }
        if let Some(kept) = self.kept() {
            kept.allowance.note(kept.keyed_bytes, kept.broadcast_bytes);
        }
        self.note_pending();
        Ok(())
    }
}
