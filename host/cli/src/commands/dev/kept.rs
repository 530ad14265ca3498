//! Which states a new plugin does not go on with: the one beside that which runs, and a job beside its newest checkpoint.

use crate::assemble::assemble;
use crate::context::Context;
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::start::{build_next, restore_options};
use crate::storage::with_storage;
use weir_engine::checkpoint::JobLog;
use weir_engine::job::{History, Origin, StartMode, load_metadata, plan_restore};
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

/// What of the newest checkpoint `job` does not go on with, by the names under which it is given up; nothing where the job would not go on without that either.
pub fn in_the_way(context: &Context, job: &JobFile) -> Result<Vec<String>, Failure> {
    let plugins = build_next(&context.screen, job)?;
    let graph = &assemble(job, &plugins, || Ok(context.compiler.engine()?))?.graph;
    with_storage(job, |store, runtime| async move {
        let history = History::of(JobLog::open(store.clone(), runtime.clock.clone()).await?.entries());
        let (store, clock) = (&*store, &*runtime.clock);
        let Origin::Checkpoint(checkpoint) = history.origin(&StartMode::Resume)? else { return Ok(Vec::new()) };
        let metadata = load_metadata(store, clock, &checkpoint).await?;
        let names: Vec<_> =
            plan_restore(store, clock, &metadata, graph, &restore_options(job, &[])).await?.in_the_way().into_iter().collect();
        let without = plan_restore(store, clock, &metadata, graph, &restore_options(job, &names)).await?;
        Ok(if without.refusals.is_empty() { names } else { Vec::new() })
    })
}
