//! The one place where wasmtime is configured: how code is compiled and interrupted, where that happens, and where compiled code is kept.
//!
//! Invariant: the settings here decide what a guest computes. NaN bits, relaxed SIMD and interruption are fixed, so that a replay repeats.

use crate::compile::{CodeCache, CompileIn, FunctionCache};
use crate::plugin::Loaded;
use crate::ticker::Ticker;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::{Config, WasmBacktraceDetails};
use weir_engine::runtime::DATA_STACK_BYTES;
use weir_engine::{EngineError, ErrorKind};

/// Fuel that stands for one millisecond in [`EngineMode::Fuel`]: some tenth of what a core runs in that time, so that a simulation
/// does not wait long for a guest that spins.
const FUEL_PER_MS: u64 = 200_000;
/// A guest's stack: at most half of what a data thread has, the rest is for the host's own calls above and below it.
pub const GUEST_STACK_BYTES: usize = 1 << 19;
const _: () = assert!(GUEST_STACK_BYTES <= DATA_STACK_BYTES / 2);

/// How a guest that does not return is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineMode {
    /// By time: a thread ticks every 10 ms. For production.
    #[default]
    Epoch,
    /// By the number of instructions, the same in every run. For simulation, and where what a guest costs is compared.
    Fuel,
    /// By time, and instructions are counted and may be bounded besides. For the operators of a job that ask for it.
    EpochAndFuel,
}

impl EngineMode {
    /// True where instructions are counted.
    pub(crate) fn counts_fuel(self) -> bool {
        match self {
            Self::Epoch => false,
            Self::Fuel | Self::EpochAndFuel => true,
        }
    }
}

/// Where compiled code is kept between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CompileCache {
    /// `weir` in the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`); nowhere if there is none.
    #[default]
    User,
    /// In this folder.
    Directory(PathBuf),
    /// Nowhere.
    Off,
}

impl CompileCache {
    /// Its folder, where there is one.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::User => Some(user_cache_dir()?.join("code")),
            Self::Directory(folder) => Some(folder.clone()),
            Self::Off => None,
        }
    }
}

/// The compiler and what all guests share. Cheap to clone; one is enough for a process.
#[derive(Clone)]
pub struct WasmEngine {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) mode: EngineMode,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) compile_in: CompileIn,
    pub(crate) cache: Option<Arc<CodeCache>>,
    pub(crate) loaded: Arc<Loaded>,
    /// The same that counts fuel besides, once somebody has asked for it.
    counting: Arc<Mutex<Option<Box<WasmEngine>>>>,
}

impl WasmEngine {
    /// Starts the compiler and, in [`EngineMode::Epoch`], the ticking thread, which ends with the last clone. Plugins are compiled where `compile_in`
    /// says, and what comes of it is kept in `cache`.
    pub fn new(mode: EngineMode, cache: &CompileCache, compile_in: CompileIn) -> Result<Self, EngineError> {
        let engine = wasmtime::Engine::new(&config(mode)).map_err(failed)?;
        Self::of(engine, mode, open_cache(cache).map(Arc::new), compile_in)
    }

    /// One that compiles in this process, alone in it. What is in the file of `functions` of an earlier version of a plugin is not compiled again, where it has so many bytes at most.
    pub(crate) fn of_compiler(
        mode: EngineMode,
        functions: Option<(&Path, u64)>,
    ) -> Result<(Self, Option<Arc<FunctionCache>>), EngineError> {
        let engine = wasmtime::Engine::new(&config(mode)).map_err(failed)?;
        let functions = functions.map(|(file, most)| Arc::new(FunctionCache::open(file, &engine, most)));
        let engine = match &functions {
            None => engine,
            Some(functions) => {
                let mut config = config(mode);
                config.enable_incremental_compilation(functions.clone()).map_err(failed)?;
                wasmtime::Engine::new(&config).map_err(failed)?
            }
        };
        Ok((Self::of(engine, mode, None, CompileIn::ThisProcess)?, functions))
    }

    fn of(engine: wasmtime::Engine, mode: EngineMode, cache: Option<Arc<CodeCache>>, compile_in: CompileIn) -> Result<Self, EngineError> {
        let ticker = match mode {
            EngineMode::Epoch | EngineMode::EpochAndFuel => Ticker::start(&engine).map_err(|error| failed(error.into()))?,
            EngineMode::Fuel => Ticker::still(),
        };
        Ok(Self { engine, mode, ticker, compile_in, cache, loaded: Arc::default(), counting: Arc::default() })
    }

    /// This one where it counts fuel, else one like it that does: counting is part of the code that is compiled.
    pub(crate) fn counting_fuel(&self) -> Result<Self, EngineError> {
        if self.mode.counts_fuel() {
            return Ok(self.clone());
        }
        let mut counting = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*counting {
            return Ok(WasmEngine::clone(engine));
        }
        let mode = EngineMode::EpochAndFuel;
        let engine = wasmtime::Engine::new(&config(mode)).map_err(failed)?;
        let engine = Self::of(engine, mode, self.cache.clone(), self.compile_in.clone())?;
        Ok(WasmEngine::clone(counting.insert(Box::new(engine))))
    }

    /// Ticks for a call that may take `limit`.
    pub(crate) fn ticks_of(limit: Duration) -> u64 {
        // One more, because the first may come at once.
        limit.as_millis().div_ceil(Ticker::PERIOD.as_millis()).min(1 << 40) as u64 + 1
    }

    /// Fuel that stands for the time `limit`.
    pub(crate) fn fuel_of(limit: Duration) -> u64 {
        (limit.as_micros().min(1 << 40) as u64).saturating_mul(FUEL_PER_MS / 1_000).max(1)
    }

    /// The time that `fuel` stands for.
    pub(crate) fn time_of_fuel(fuel: u64) -> Duration {
        Duration::from_micros(fuel / (FUEL_PER_MS / 1_000))
    }
}

fn failed(error: wasmtime::Error) -> EngineError {
    EngineError::new(ErrorKind::Bug, format!("start the Wasm engine: {error:#}"))
}

fn config(mode: EngineMode) -> Config {
    let mut config = Config::new();
    // Alone this makes a call two to three times cheaper.
    config.concurrency_support(false);
    match mode {
        EngineMode::Epoch => config.epoch_interruption(true),
        EngineMode::Fuel => config.consume_fuel(true),
        EngineMode::EpochAndFuel => config.epoch_interruption(true).consume_fuel(true),
    };
    config.cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true);
    config.max_wasm_stack(GUEST_STACK_BYTES);
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

/// Trouble with the cache costs time, never the run.
fn open_cache(wanted: &CompileCache) -> Option<CodeCache> {
    let folder = wanted.folder()?;
    let opened = CodeCache::open(&folder);
    opened.inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "compiled plugins are not kept here")).ok()
}

fn user_cache_dir() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("weir"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::{Func, Instance, Module, Store, Trap};

    /// Makes the clock tick as often as it is told.
    const TICKING: &str = r#"(module (import "host" "tick" (func $tick)) (func (export "run") (param $left i32)
        (loop $on (call $tick) (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#;

    /// Whether a call that may take `limit` is let go on while the clock ticks so often.
    fn is_let_go_on(limit: Duration, ticks: i32) -> bool {
        let engine = wasmtime::Engine::new(&config(EngineMode::Epoch)).unwrap();
        let module = Module::new(&engine, wat::parse_str(TICKING).unwrap()).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(WasmEngine::ticks_of(limit));
        let clock = engine.clone();
        let tick = Func::wrap(&mut store, move || clock.increment_epoch());
        let instance = Instance::new(&mut store, &module, &[tick.into()]).unwrap();
        let run = instance.get_typed_func::<i32, ()>(&mut store, "run").unwrap();
        let ended = run.call(&mut store, ticks);
        if let Err(error) = &ended {
            assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt), "{error:?}");
        }
        ended.is_ok()
    }

    #[test]
    fn a_call_that_takes_nearly_all_of_its_time_by_the_clock_is_not_stopped_and_one_that_takes_more_is() {
        for ticks in [10, 20, 100] {
            let limit = Ticker::PERIOD * ticks as u32;
            assert!(is_let_go_on(limit, ticks / 10 * 9) && is_let_go_on(limit, ticks), "{limit:?}");
            assert!(!is_let_go_on(limit, ticks + 2), "{limit:?}");
        }
    }
}
