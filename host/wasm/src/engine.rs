//! The one place where wasmtime is configured: what is compiled, how it is interrupted, where compiled code is kept.
//!
//! Invariant: the settings here decide what a guest computes. NaN bits, relaxed SIMD and interruption are fixed, so that a replay repeats.

use crate::ticker::Ticker;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Cache, CacheConfig, Config, WasmBacktraceDetails};
use weir_engine::{EngineError, ErrorKind};

/// Fuel that stands for one millisecond in [`EngineMode::Fuel`]: some tenth of what a core runs in that time, so that a simulation
/// does not wait long for a guest that spins.
const FUEL_PER_MS: u64 = 200_000;
/// A guest's stack. Data threads have 2 MiB each.
const STACK_BYTES: usize = 1 << 19;

/// How a guest that does not return is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineMode {
    /// By time: a thread ticks every 10 ms. For production.
    #[default]
    Epoch,
    /// By the number of instructions, the same in every run. For simulation, and where what a guest costs is compared.
    Fuel,
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

/// The compiler and what all guests share. Cheap to clone; one is enough for a process.
#[derive(Clone)]
pub struct WasmEngine {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) mode: EngineMode,
    pub(crate) ticker: Arc<Ticker>,
}

impl WasmEngine {
    /// Starts the compiler and, in [`EngineMode::Epoch`], the ticking thread, which ends with the last clone.
    pub fn new(mode: EngineMode, cache: &CompileCache) -> Result<Self, EngineError> {
        let failed = |error: wasmtime::Error| EngineError::new(ErrorKind::Bug, format!("start the Wasm engine: {error:#}"));
        let mut config = config(mode);
        config.cache(open_cache(cache));
        let engine = wasmtime::Engine::new(&config).map_err(failed)?;
        let ticker = match mode {
            EngineMode::Epoch => Ticker::start(&engine).map_err(|error| failed(error.into()))?,
            EngineMode::Fuel => Ticker::still(),
        };
        Ok(Self { engine, mode, ticker })
    }

    /// Ticks or fuel for a call that may take `limit`.
    pub(crate) fn allowance(&self, limit: Duration) -> u64 {
        match self.mode {
            // One more, because the first tick may come at once.
            EngineMode::Epoch => limit.as_millis().div_ceil(Ticker::PERIOD.as_millis()).min(1 << 40) as u64 + 1,
            EngineMode::Fuel => (limit.as_micros().min(1 << 40) as u64).saturating_mul(FUEL_PER_MS / 1_000).max(1),
        }
    }

    /// The time that `fuel` stands for.
    pub(crate) fn time_of_fuel(fuel: u64) -> Duration {
        Duration::from_micros(fuel / (FUEL_PER_MS / 1_000))
    }
}

fn config(mode: EngineMode) -> Config {
    let mut config = Config::new();
    // Alone this makes a call two to three times cheaper.
    config.concurrency_support(false);
    match mode {
        EngineMode::Epoch => config.epoch_interruption(true),
        EngineMode::Fuel => config.consume_fuel(true),
    };
    config.cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true);
    config.max_wasm_stack(STACK_BYTES);
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

/// Wasmtime's own cache: keyed by the content, the compiler's version and its settings. Trouble with it costs time, never the run.
fn open_cache(wanted: &CompileCache) -> Option<Cache> {
    let directory = match wanted {
        CompileCache::User => user_cache_dir()?,
        CompileCache::Directory(directory) => directory.clone(),
        CompileCache::Off => return None,
    };
    let open = || -> wasmtime::Result<Cache> {
        private_dir(&directory)?;
        let mut config = CacheConfig::new();
        config.with_directory(std::path::absolute(&directory)?);
        Cache::new(config)
    };
    match open() {
        Ok(cache) => Some(cache),
        Err(error) => {
            tracing::warn!(directory = %directory.display(), error = %format!("{error:#}"), "compiled plugins cannot be cached");
            None
        }
    }
}

/// Compiled code is run as it is read, so nobody else may write it.
fn private_dir(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn user_cache_dir() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("weir"))
}
