//! From a file's bytes to compiled code, by whoever is to do it: the cache, a process of its own, or, where a test says so, this process.
//!
//! A plugin's file is a stranger's. What reads it (packer, validator, compiler) recurses, allocates and computes as the file bids, and may be wrong about
//! it; a process of its own can be bounded and may die. `examine` is what is done, `child` and `parent` are where, `budget` is how much
//! it may take, `bounds` refuses cheaply what no program looks like, `cache` keeps what came of it, and `functions` the parts of it for a plugin that is being written.

mod bounds;
mod budget;
mod cache;
mod child;
mod ended;
mod examine;
mod functions;
mod parent;
mod private_dir;
mod usage;
mod wire;

pub use budget::CompileLimits;
pub(crate) use cache::CodeCache;
pub use child::compile_child;
pub(crate) use examine::Task;
pub(crate) use functions::FunctionCache;
pub use parent::{ChildProcess, CompileStop};
pub(crate) use wire::Examined;

use crate::engine::WasmEngine;
use crate::pack::Problem;
use examine::examine;
use weir_engine::EngineError;
use wire::Answer;

/// Where files are examined and compiled.
#[derive(Clone, Debug)]
pub enum CompileIn {
    /// In a process of its own. For everything that strangers' files can reach.
    Child(ChildProcess),
    /// Here, without any bound: for tests, benches and simulations, which run only what they made themselves and have no binary to start.
    ThisProcess,
}

/// Why a file did not become a plugin.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The file is to blame.
    Problems(Vec<Problem>),
    /// It is not.
    Failed(EngineError),
}

impl From<Problem> for Unfit {
    fn from(problem: Problem) -> Self {
        Self::Problems(vec![problem])
    }
}

/// A file on its way.
pub(crate) struct Source<'a> {
    /// What to call it in messages.
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) limits: CompileLimits,
}

/// Whether compiled code may be taken out of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cached {
    Use,
    /// What was there cannot be used.
    Replace,
}

/// Has `source` compiled, or finds what an earlier run compiled.
pub(crate) fn compile(source: &Source<'_>, engine: &WasmEngine, cached: Cached) -> Result<Examined, Unfit> {
    let most = source.limits.budget(source.bytes.len()).answer;
    let Some(cache) = &engine.cache else { return run(Task::Compile, source, engine) };
    let key = CodeCache::key(source.bytes, &engine.engine);
    if let Some(found) = (cached == Cached::Use).then(|| cache.get(&key, most)).flatten() {
        return Ok(found);
    }
    let examined = run(Task::Compile, source, engine)?;
    cache.put(&key, &examined);
    Ok(examined)
}

/// Lets what was compiled of `component` count for `named`, which is the same with other custom sections: whoever runs it finds it in the cache.
pub(crate) fn share(component: &[u8], named: &[u8], engine: &WasmEngine) {
    let Some(cache) = &engine.cache else { return };
    let most = CompileLimits::default().budget(component.len()).answer;
    if let Some(found) = cache.get(&CodeCache::key(component, &engine.engine), most).filter(|found| found.component.is_none()) {
        cache.put(&CodeCache::key(named, &engine.engine), &found);
    }
}

/// Does `task`, wherever the engine says.
pub(crate) fn run(task: Task, source: &Source<'_>, engine: &WasmEngine) -> Result<Examined, Unfit> {
    let budget = source.limits.budget(source.bytes.len());
    // What is plainly no plugin needs no process to say so.
    if task != Task::World {
        crate::pack::check_container(source.bytes)?;
    }
    let answer = match &engine.compile_in {
        CompileIn::ThisProcess => examine(task, source.bytes, engine),
        CompileIn::Child(process) => process.run(task, engine.mode, source, &budget)?,
    };
    match answer {
        Answer::Fits(examined) => Ok(examined),
        Answer::Refused(problems) => Err(Unfit::Problems(problems)),
        Answer::OutOfMemory => Err(ended::exceeded(ended::Exceeded::Memory, &budget).into()),
    }
}
