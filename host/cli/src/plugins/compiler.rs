//! The compiler as a process of weir runs it: strangers' files in processes of their own, what takes long said on the screen, and all of it over at once
//! when weir stops.

use crate::terminal::Screen;
use std::sync::{Arc, Mutex, PoisonError};
use weir_engine::EngineError;
use weir_wasm::{ChildProcess, CompileCache, CompileIn, CompileStop, EngineMode, WasmEngine};

/// Started when it is first needed; one for a process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Compiler(Arc<Inner>);

struct Inner {
    screen: Screen,
    stop: CompileStop,
    engine: Mutex<Option<WasmEngine>>,
    /// Plugins are being written: functions of theirs that have not changed are not compiled again.
    developed: bool,
}

impl Compiler {
    /// One that speaks on `screen`. `developed`: the plugins are being written, and functions of theirs that have not changed are not compiled again.
    pub fn new(screen: Screen, developed: bool) -> Self {
        Self(Arc::new(Inner { screen, stop: CompileStop::default(), engine: Mutex::new(None), developed }))
    }

    /// The engine that jobs run on.
    pub fn engine(&self) -> Result<WasmEngine, EngineError> {
        let mut engine = self.0.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*engine {
            return Ok(engine.clone());
        }
        Ok(engine.insert(self.start(EngineMode::Epoch)?).clone())
    }

    /// An engine whose guests are interrupted by fuel, the same in every run.
    pub fn fuel_engine(&self) -> Result<WasmEngine, EngineError> {
        self.start(EngineMode::Fuel)
    }

    /// Ends what is being compiled, and compiles nothing more.
    pub fn stop(&self) {
        self.0.stop.stop();
    }

    fn start(&self, mode: EngineMode) -> Result<WasmEngine, EngineError> {
        let screen = self.0.screen.clone();
        let process = ChildProcess::of_this_program(self.0.stop.clone(), move |line| screen.notice(line))?;
        let process = if self.0.developed { process.keeping_functions(&CompileCache::User) } else { process };
        WasmEngine::new(mode, &CompileCache::User, CompileIn::Child(process))
    }
}
