//! What of a job's state is not gone on with: the states of a new plugin beside those of the one that runs, and a job beside its newest checkpoint.

use crate::api::Started;
use crate::assemble::Assembly;
use crate::context::Context;
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::next_run::next_run;
use crate::plugins::stand_ins;
use crate::start::restore_options;
use crate::storage::with_storage;
use crate::try_out::try_to_open;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::checkpoint::{CheckpointMetadata, JobLog};
use weir_engine::job::{History, Origin, StartMode, load_metadata, plan_restore};
use weir_engine::runtime::Runtime;
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::PluginInfo;

/// The states of operator `id` that `new` has no more, or with another type that nothing leads to, each as `ID.STATE`.
pub fn lost_states(id: &str, old: &PluginInfo, new: &PluginInfo) -> Vec<String> {
    let goes_on = |state: &weir_engine::state::StateDescriptor| {
        let now = new.states.iter().find(|other| other.name == state.name);
        now.is_some_and(|now| {
            now.kind == state.kind && (now.version > state.version || (now.version == state.version && now.schema == state.schema))
        })
    };
    old.states.iter().filter(|state| !goes_on(state)).map(|state| format!("{id}.{}", state.name)).collect()
}

/// True where `new` declares a newer version of a state than `old`: values that are kept are migrated.
pub fn is_newer_of_some(old: &PluginInfo, new: &PluginInfo) -> bool {
    old.states.iter().any(|state| new.states.iter().any(|now| now.name == state.name && now.version > state.version))
}

/// How a job goes on from its newest checkpoint.
#[derive(Default)]
pub struct GoingOn {
    /// It has one.
    pub is_kept: bool,
    /// Why its start would be refused.
    pub refused: Option<EngineError>,
    /// What it does not go on with, by the names under which that is given up; nothing where it would not go on without that either.
    pub in_the_way: Vec<String>,
    /// It would not go on whatever is given up: the change is to be undone.
    pub is_to_be_undone: bool,
}

/// How `job` goes on, in which operators run components that its storage keeps in place of what it names, by their digests. An error is one of the job file or its plugins alone: they have to open.
pub fn going_on(context: &Context, job: &JobFile, digests: &BTreeMap<String, String>) -> Result<GoingOn, Failure> {
    let graph = &opened(context, job, digests)?.graph;
    with_storage(job, |store, runtime| async move {
        let Some(metadata) = newest(&store, &runtime).await? else { return Ok(GoingOn::default()) };
        let (store, clock) = (&*store, &*runtime.clock);
        let planned = plan_restore(store, clock, &metadata, graph, &restore_options(job, &[])).await?;
        let names: Vec<_> = planned.in_the_way().into_iter().collect();
        let without = plan_restore(store, clock, &metadata, graph, &restore_options(job, &names)).await?;
        let in_the_way = if without.refusals.is_empty() { names } else { Vec::new() };
        let is_to_be_undone = planned.has_to_be_undone();
        let refused = planned.accepted(&format!("checkpoint {}", metadata.checkpoint_id)).err();
        Ok(GoingOn { is_kept: true, refused, in_the_way, is_to_be_undone })
    })
}

/// False where the job begins at its beginning: it has no checkpoint. One that cannot be looked for may be there.
pub fn has_checkpoint(job: &JobFile) -> bool {
    with_storage(job, |store, runtime| async move { newest(&store, &runtime).await }).map_or(true, |newest| newest.is_some())
}

/// True where all input has been worked off, and not where the job was only stopped. One that cannot be looked for may have been.
pub fn has_worked_off(job: &JobFile) -> bool {
    let finished = with_storage(job, |store, runtime| async move {
        let log = JobLog::open(store, runtime.clock).await?;
        Ok(History::of(log.entries()).newest_lineage().is_some_and(|lineage| lineage.finished))
    });
    finished.unwrap_or(true)
}

/// The graph that the job file stands for, once its plugins have opened.
fn opened(context: &Context, job: &JobFile, digests: &BTreeMap<String, String>) -> Result<Assembly, Failure> {
    let Started { mut shape, mut assembly, .. } = next_run(context, job, None, None)?;
    if !digests.is_empty() {
        let kept = with_storage(job, |store, runtime| async move { stand_ins(digests, &*store, &*runtime.clock).await })?;
        shape.plugins.extend(kept.into_iter().filter(|(id, _)| job.operators.iter().any(|step| step.id.value == *id)));
        assembly = shape.assemble()?;
    }
    try_to_open(job, &assembly)?;
    Ok(assembly)
}

/// The newest checkpoint of a job that may run. What was deleted while it was looked for has a newer one behind it.
async fn newest(store: &Arc<dyn Store>, runtime: &Runtime) -> Result<Option<CheckpointMetadata>, EngineError> {
    let mut missed = None;
    loop {
        let log = JobLog::open(store.clone(), runtime.clock.clone()).await?;
        let Origin::Checkpoint(checkpoint) = History::of(log.entries()).origin(&StartMode::Resume)? else { return Ok(None) };
        match load_metadata(&**store, &*runtime.clock, &checkpoint).await {
            Ok(metadata) => return Ok(Some(metadata)),
            Err(error) if error.kind() == ErrorKind::Corrupt && missed != Some(checkpoint.checkpoint_id) => {
                missed = Some(checkpoint.checkpoint_id);
            }
            Err(error) => return Err(error),
        }
    }
}
