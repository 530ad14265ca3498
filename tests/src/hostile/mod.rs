//! Plugins as someone would write them who means harm, and ones that chance has written: each with what it does to a reader that trusts it.
//!
//! The program that examines them is the binary under test, in processes of its own, as in production.

mod files;
mod measured;
mod mutations;
mod written;

pub use files::{
    blocks, branches, circle, components, functions, instances, loops, lying_headers, noise, of_preview_1, tiny_plugin, types, with_wasi,
};
pub use measured::{Examination, Totals, examine_measured, examiner};
pub use mutations::{Mutants, Outcome};

use std::path::Path;
use std::sync::Arc;
use weir_wasm::{ChildProcess, CompileCache, CompileIn, CompileStop, EngineMode, WasmEngine};

/// An engine that has `weir` examine plugins, keeps nothing, and can be stopped.
pub fn engine(weir: &str, stop: CompileStop, say: impl Fn(&str) + Send + Sync + 'static) -> WasmEngine {
    let process = ChildProcess::of(Path::new(weir), stop, say);
    WasmEngine::new(EngineMode::Epoch, &CompileCache::Off, CompileIn::Child(process)).expect("the engine starts")
}

/// As [`engine`], for whoever neither stops it nor listens.
pub fn plain_engine(weir: &str) -> Arc<WasmEngine> {
    Arc::new(engine(weir, CompileStop::default(), |_| {}))
}
