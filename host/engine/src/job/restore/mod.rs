//! What a graph restores of a checkpoint or savepoint, wherever its metadata comes from: the plan, with all that stands in its way.

pub(in crate::job) mod in_flight_records;
mod tried_migrations;

use crate::checkpoint::{
    CheckpointMetadata, PlannedRestore, Remedy, Restorable, RestoreOptions, RestorePlan, RestoreRefusal, StateFate, plan_identities,
};
use crate::error::EngineError;
use crate::job::restore::in_flight_records::{load_in_flight, misfits};
use crate::job::restore::tried_migrations::refuse_failing_migrations;
use crate::job::{JobGraph, VertexKind};
use crate::runtime::Clock;
use crate::storage::Store;

/// The plan of `graph` that starts from what `metadata`, in `store`, consists of. Records in flight are read, and some of the state that is to be migrated.
pub async fn plan_restore(
    store: &dyn Store,
    clock: &dyn Clock,
    metadata: &CheckpointMetadata,
    graph: &JobGraph,
    options: &RestoreOptions,
) -> Result<PlannedRestore, EngineError> {
    let mut planned = tried(store, clock, metadata, graph, options).await;
    let stored = load_in_flight(store, clock, metadata).await?;
    let misfits = misfits(&stored, graph, &planned.plan).into_iter();
    planned.refusals.extend(misfits.map(|text| RestoreRefusal::new(text, Remedy::Undo)));
    Ok(planned)
}

/// The same as far as the identities of the two tell it, and what comes of migrations that are tried.
pub(in crate::job) async fn tried(
    store: &dyn Store,
    clock: &dyn Clock,
    metadata: &CheckpointMetadata,
    graph: &JobGraph,
    options: &RestoreOptions,
) -> PlannedRestore {
    let mut planned = planned(metadata, graph, options);
    refuse_failing_migrations(store, clock, metadata, graph, &mut planned).await;
    planned
}

/// Tries the migrations that a running job would make for `graph` on some of what `metadata` keeps; the error of those that fail. Nothing is changed.
pub async fn try_migrations(
    store: &dyn Store,
    clock: &dyn Clock,
    metadata: &CheckpointMetadata,
    graph: &JobGraph,
) -> Result<(), EngineError> {
    let planned = tried(store, clock, metadata, graph, &RestoreOptions::default()).await;
    planned.accepted_in_place(REFUSED).map(drop)
}

/// What is said first of a change that a running job refuses.
pub(in crate::job) const REFUSED: &str = "the running job cannot change in this way";

/// The same as far as the identities of the two tell it, and whether operators can migrate.
pub(crate) fn planned<'a>(was: impl Into<Restorable<'a>>, graph: &JobGraph, options: &RestoreOptions) -> PlannedRestore {
    let (was, now): (Restorable<'_>, _) = (was.into(), graph.identity());
    let mut planned = plan_identities(was, &now, options);
    let refusals = migrations_without_migrator(graph, &mut planned.plan);
    planned.refusals.extend(refusals.into_iter().map(|text| RestoreRefusal::new(text, Remedy::Undo)));
    planned
}

/// Refuses what would have to be migrated by an operator that migrates nothing.
fn migrations_without_migrator(graph: &JobGraph, plan: &mut RestorePlan) -> Vec<String> {
    let mut lines = Vec::new();
    for vertex in &graph.vertices {
        let (VertexKind::Operator(factory), Some(planned)) = (&vertex.kind, plan.vertices.get_mut(&vertex.id)) else { continue };
        if factory.migrator().is_some() {
            continue;
        }
        for state in &mut planned.states {
            match state.fate {
                StateFate::Migrated { from_version, to_version, .. } => {
                    let versions = format!("version {from_version} in the checkpoint, version {to_version} in the job");
                    lines.push(format!("{}.{}: {versions}, and this operator migrates nothing", vertex.id, state.name));
                    state.fate = StateFate::Refused;
                }
                StateFate::Kept { .. } | StateFate::Dropped | StateFate::Refused => {}
            }
        }
    }
    lines
}
