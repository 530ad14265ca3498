//! Migrations that are tried before anything is started: a plugin that knows no way from what a checkpoint keeps is refused for that, as any change that does not
//! fit is, and not found out once tasks are filled with state.
//!
//! Tried are the first values in the smallest objects, within bounds: who knows no way fails at the first one. What fails only further on fails the restore.

use crate::checkpoint::{
    CheckpointMetadata, PlannedRestore, Remedy, RestoreRefusal, SectionKind, StateFate, StateHandle, StateObjectReader, SubtaskSnapshot,
    VertexPlan, VertexSnapshot, migration_fails, read_state_object,
};
use crate::element::Column;
use crate::error::{EngineError, ErrorKind};
use crate::job::{JobGraph, Vertex, VertexKind};
use crate::runtime::Clock;
use crate::state::{KeyGroupRange, StateMigrator, StateRewrite};
use crate::storage::Store;
use crate::task::TimesOfGroups;
use crate::time::WatermarkFloors;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes of objects that are read of an operator, at most, beside the smallest of them.
const TRIED_BYTES: u64 = 64 << 20;
/// Values of a state that are tried of an object, and those of the batch with which they are reached.
const TRIED_VALUES: usize = 1_024;

/// Refuses each migration of the plan that fails on what `metadata`, in `store`, consists of. What cannot be read is left to the restore, which says so.
pub(in crate::job) async fn refuse_failing_migrations(
    store: &dyn Store,
    clock: &dyn Clock,
    metadata: &CheckpointMetadata,
    graph: &JobGraph,
    planned: &mut PlannedRestore,
) {
    for vertex in &graph.vertices {
        let (VertexKind::Operator(factory), Some(plan)) = (&vertex.kind, planned.plan.vertices.get_mut(&vertex.id)) else { continue };
        let is_migrated = plan.states.iter().any(|state| matches!(state.fate, StateFate::Migrated { .. }));
        let (Some(migrator), Some(stored)) = (factory.migrator(), plan.from.as_deref().and_then(|from| metadata.vertex(from))) else {
            continue;
        };
        if is_migrated {
            let kept = Kept { metadata, stored, objects: read(store, clock, stored).await, processing_time: clock.wall_ms() };
            planned.refusals.extend(kept.failing(vertex, plan, &migrator));
        }
    }
}

/// What is read of what a checkpoint keeps of an operator.
struct Kept<'a> {
    metadata: &'a CheckpointMetadata,
    stored: &'a VertexSnapshot,
    objects: Vec<StateObjectReader>,
    /// Where the checkpoint does not say it.
    processing_time: i64,
}

impl Kept<'_> {
    /// The migrations of the plan that fail. Each is tried alone: what there is of other states is left out.
    fn failing(&self, vertex: &Vertex, plan: &mut VertexPlan, migrator: &Arc<dyn StateMigrator>) -> Vec<RestoreRefusal> {
        let (declared, states, mut refusals) = (vertex.kept_states(), plan.states.len(), Vec::new());
        for (number, state) in plan.states.iter_mut().enumerate() {
            let StateFate::Migrated { place, from_version, to_version } = state.fate else { continue };
            let alone = (0..states).map(|other| (other == number).then_some(place)).collect();
            let tried = Arc::new(FirstValues { migrator: migrator.clone(), tried: AtomicUsize::new(0) });
            let rewrite = StateRewrite::new(alone, &declared, Some(tried.clone())).of(self.metadata.states_of(&self.stored.id));
            if let Some(error) = self.objects.iter().find_map(|object| self.fails(object, &rewrite, &tried)) {
                let text = migration_fails((&self.stored.id, &state.name), (from_version, to_version), &error.to_string());
                refusals.push(RestoreRefusal { text, remedy: Remedy::BringOver, step: Some(vertex.id.clone()) });
                state.fate = StateFate::Refused;
            }
        }
        refusals
    }

    /// Why a migration fails on an object, where it is the plugin that is at fault. An error that says what else would help, a limit, is left to the restore.
    fn fails(&self, object: &StateObjectReader, rewrite: &StateRewrite, of_object: &FirstValues) -> Option<EngineError> {
        of_object.tried.store(0, Relaxed);
        let times = self.times();
        let sections = object.sections().filter_map(Result::ok).filter(|section| section.operator == self.stored.id);
        let mut errors = sections.filter_map(|section| match section.kind {
            SectionKind::KeyedState => rewrite.block(section.payload, times.of(section.key_group)).err(),
            SectionKind::Delta => rewrite.delta(section.payload, times.of(section.key_group)).err(),
            SectionKind::Broadcast => rewrite.broadcast(section.payload).err(),
            SectionKind::Timers
            | SectionKind::WatermarkFloors
            | SectionKind::TtlStamps
            | SectionKind::InFlight
            | SectionKind::Committables
            | SectionKind::OperatorState
            | SectionKind::CallLog
            | SectionKind::StagedOutput => None,
        });
        errors.find(|error| error.kind() == ErrorKind::FixInput && error.hint().is_none())
    }

    /// To what times the checkpoint had come: what has expired is not migrated.
    fn times(&self) -> TimesOfGroups {
        let (parts, all) = (&self.stored.subtasks, KeyGroupRange { start: 0, end: self.metadata.graph.max_parallelism });
        TimesOfGroups {
            floors: WatermarkFloors::restored(parts.iter().flat_map(|part| part.floors.iter().copied()), Some(all)),
            began: WatermarkFloors::restored(parts.iter().flat_map(|part| part.event_time_began.iter().copied()), Some(all)),
            processing_time: parts.iter().filter_map(|part| part.processing_time).max().unwrap_or(self.processing_time),
        }
    }
}

/// Migrates so many values, and leaves those behind them as they are: what comes of a trial is thrown away.
struct FirstValues {
    migrator: Arc<dyn StateMigrator>,
    tried: AtomicUsize,
}

impl StateMigrator for FirstValues {
    fn migrate(&self, state: usize, from_version: u32, values: &Column) -> Result<Column, EngineError> {
        match self.tried.fetch_add(values.len(), Relaxed) {
            tried if tried < TRIED_VALUES => self.migrator.migrate(state, from_version, values),
            _ => Ok(values.clone()),
        }
    }

    fn batch_bytes(&self) -> u64 {
        self.migrator.batch_bytes()
    }
}

/// The smallest objects with state of the operator.
async fn read(store: &dyn Store, clock: &dyn Clock, stored: &VertexSnapshot) -> Vec<StateObjectReader> {
    let of_part =
        |part: &SubtaskSnapshot| part.state.iter().chain(&part.deltas).chain(&part.broadcast).cloned().collect::<Vec<StateHandle>>();
    let mut handles: Vec<_> = stored.subtasks.iter().flat_map(of_part).collect();
    handles.sort_by_key(|handle| handle.bytes);
    let (mut objects, mut bytes) = (Vec::new(), 0);
    for handle in &handles {
        bytes += handle.bytes;
        if bytes > TRIED_BYTES && !objects.is_empty() {
            break;
        }
        objects.extend(read_state_object(store, clock, handle).await.ok());
    }
    objects
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows no way.
    struct NoWay;

    impl StateMigrator for NoWay {
        fn migrate(&self, _state: usize, from_version: u32, _values: &Column) -> Result<Column, EngineError> {
            Err(EngineError::new(ErrorKind::FixInput, format!("no way from version {from_version}")))
        }

        fn batch_bytes(&self) -> u64 {
            1 << 20
        }
    }

    #[test]
    fn the_first_values_of_an_object_are_tried_and_those_behind_them_left_as_they_are() {
        let first = FirstValues { migrator: Arc::new(NoWay), tried: AtomicUsize::new(0) };
        let mut values = Column::new();
        (0..TRIED_VALUES - 1).for_each(|_| values.push(b"v"));
        let tried = || first.migrate(0, 1, &values).map_err(|error| error.to_string());
        let refused = Err("no way from version 1".to_owned());
        assert_eq!([tried(), tried()], [refused.clone(), refused], "the batch with which they are reached is among them");
        assert_eq!(tried(), Ok(values.clone()));
    }
}
