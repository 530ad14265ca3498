//! What a graph restores of a checkpoint or savepoint, wherever its metadata comes from: the plan, with all that stands in its way.

use super::in_flight::{load_in_flight, misfits};
use super::{JobGraph, VertexKind};
use crate::checkpoint::{
    CheckpointMetadata, GraphIdentity, PlannedRestore, Refusal, Remedy, RestoreOptions, RestorePlan, StateFate, Store, plan_identities,
};
use crate::error::EngineError;
use crate::runtime::Clock;

/// The plan of `graph` that starts from what `metadata`, in `store`, consists of. Nothing but records in flight is read.
pub async fn plan_restore(
    store: &dyn Store,
    clock: &dyn Clock,
    metadata: &CheckpointMetadata,
    graph: &JobGraph,
    options: &RestoreOptions,
) -> Result<PlannedRestore, EngineError> {
    let mut planned = planned(&metadata.graph, graph, options);
    let stored = load_in_flight(store, clock, metadata).await?;
    let misfits = misfits(&stored, graph, &planned.plan).into_iter();
    planned.refusals.extend(misfits.map(|text| Refusal { text, remedy: Remedy::Undo }));
    Ok(planned)
}

/// The same as far as the identities of the two tell it, and whether operators can migrate.
pub(crate) fn planned(was: &GraphIdentity, graph: &JobGraph, options: &RestoreOptions) -> PlannedRestore {
    let mut planned = plan_identities(was, &graph.identity(), options);
    let refusals = migrations_without_migrator(graph, &planned.plan);
    planned.refusals.extend(refusals.into_iter().map(|text| Refusal { text, remedy: Remedy::Undo }));
    planned
}

fn migrations_without_migrator(graph: &JobGraph, plan: &RestorePlan) -> Vec<String> {
    let mut lines = Vec::new();
    for vertex in &graph.vertices {
        let (VertexKind::Operator(factory), Some(planned)) = (&vertex.kind, plan.vertices.get(&vertex.id)) else { continue };
        if factory.migrator().is_some() {
            continue;
        }
        lines.extend(planned.states.iter().filter_map(|state| match state.fate {
            StateFate::Migrated { from_version, to_version, .. } => Some(format!(
                "{}.{}: version {from_version} in the checkpoint, version {to_version} in the job, and this operator migrates nothing",
                vertex.id, state.name
            )),
            StateFate::Kept { .. } | StateFate::Dropped => None,
        }));
    }
    lines
}
