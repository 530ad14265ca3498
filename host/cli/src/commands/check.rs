//! `weir check`: everything that can be known without running.

use super::Context;
use crate::assemble::{PluginPaths, assemble};
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::plan::{plan, plan_text};
use crate::plugin_build::{BuildEnvironment, ensure_built};
use crate::try_out::try_out;
use std::path::Path;
use weir_engine::EngineError;
use weir_wasm::{CompileCache, EngineMode, WasmEngine};

/// Checks a job and prints its plan.
pub(super) fn check(context: &Context, path: &Path) -> Result<u8, Failure> {
    let job = context.job(path)?;
    let plugins = build(context, &job)?;
    let assembly = assemble(&job, &plugins, || Ok(wasm_engine()?))?;
    try_out(&job, &assembly)?;
    let plan = plan(&job, &assembly);
    context.print(&plan, || plan_text(&plan));
    Ok(0)
}

/// Builds the plugins that are missing or older than their sources.
pub(super) fn build(context: &Context, job: &JobFile) -> Result<PluginPaths, Failure> {
    ensure_built(job, &BuildEnvironment::of_process(), &|line| context.screen.notice(line))
}

/// The compiler as production runs it.
pub(crate) fn wasm_engine() -> Result<WasmEngine, EngineError> {
    WasmEngine::new(EngineMode::Epoch, &CompileCache::User)
}
