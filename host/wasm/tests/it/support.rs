//! The guest of these tests, and a bench that feeds it batches and shows what came of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use weir_engine::element::{BatchBuilder, NO_TIMESTAMP, RecordBatch, Selection};
use weir_engine::metrics::VertexMetrics;
use weir_engine::operator::{FiredTimers, Operator, OperatorContext, OperatorFactory, QUARANTINE_OUTPUT, Subtask, TimerDescriptor};
use weir_engine::state::{
    BroadcastAccess, BroadcastState, CallKeys, FiredWindows, KeyGroupRange, KeyedState, MemoryBackendFactory, StateTime, WindowSettings,
    key_hash,
};
use weir_engine::{EngineError, operator};
use weir_wasm::{
    CompileCache, CompileIn, EngineMode, Limits, OnFailure, OperatorSettings, Plugin, QuarantineLimit, WasmEngine, WasmOperatorFactory,
};

/// The guest of these tests, and the same as a windowed operator.
#[derive(Clone, Copy)]
pub enum Puppet {
    Plain,
    Windowed,
}

/// The guest's core module, built once.
pub fn puppet_path() -> &'static Path {
    built(Puppet::Plain)
}

fn built(puppet: Puppet) -> &'static Path {
    static PATHS: [OnceLock<PathBuf>; 2] = [const { OnceLock::new() }; 2];
    let (package, file) = match puppet {
        Puppet::Plain => ("weir-wasm-puppet", "weir_wasm_puppet.wasm"),
        Puppet::Windowed => ("weir-wasm-windowed-puppet", "weir_wasm_windowed_puppet.wasm"),
    };
    PATHS[puppet as usize].get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the folder for temporary files lies in the target folder");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "-p", package, "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the puppet could not be built; is the target there? rustup target add wasm32-unknown-unknown");
        target.join("wasm32-unknown-unknown/release").join(file)
    })
}

/// An engine without a cache.
pub fn engine(mode: EngineMode) -> WasmEngine {
    WasmEngine::new(mode, &CompileCache::Off, CompileIn::ThisProcess).unwrap()
}

/// The puppet, compiled once for each mode.
pub fn puppet(mode: EngineMode) -> Plugin {
    static PLUGINS: [OnceLock<Plugin>; 3] = [const { OnceLock::new() }; 3];
    let slot = match mode {
        EngineMode::Epoch => &PLUGINS[0],
        EngineMode::Fuel => &PLUGINS[1],
        EngineMode::EpochAndFuel => &PLUGINS[2],
    };
    slot.get_or_init(|| Plugin::load(puppet_path(), &engine(mode)).unwrap()).clone()
}

/// The puppet as a windowed operator, compiled once.
pub fn windowed_puppet() -> Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    PLUGIN.get_or_init(|| Plugin::load(built(Puppet::Windowed), &engine(EngineMode::Fuel)).unwrap()).clone()
}

/// Quarantine with its default limit.
pub fn quarantine() -> OnFailure {
    OnFailure::Quarantine { limit: QuarantineLimit::default() }
}

/// How a bench is set up.
pub struct Setup {
    pub mode: EngineMode,
    pub config: &'static str,
    pub limits: Limits,
    pub on_failure: OnFailure,
}

impl Default for Setup {
    fn default() -> Self {
        Self { mode: EngineMode::Fuel, config: "{}", limits: Limits::default(), on_failure: OnFailure::Fail }
    }
}

/// One subtask of the puppet with its state.
pub struct Bench {
    operator: Box<dyn Operator>,
    pub state: KeyedState,
    pub broadcast: BroadcastState,
    pub metrics: VertexMetrics,
    pub watermark: i64,
}

/// What one record came to: its output, key, value, time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    pub output: u32,
    pub key: Option<String>,
    pub value: String,
    pub timestamp: i64,
}

impl Bench {
    pub fn new(setup: Setup) -> Self {
        Self::try_new(setup).unwrap()
    }

    pub fn try_new(setup: Setup) -> Result<Self, EngineError> {
        Self::of(puppet(setup.mode), setup)
    }

    /// Of this plugin, whatever mode the setup says.
    pub fn of(plugin: Plugin, setup: Setup) -> Result<Self, EngineError> {
        Self::with_windows(plugin, setup, None)
    }

    /// The same, in a job that gives it these windows.
    pub fn with_windows(plugin: Plugin, setup: Setup, windows: Option<WindowSettings>) -> Result<Self, EngineError> {
        let states = plugin.descriptor().kept_states(windows.as_ref());
        let domains = plugin.descriptor().timers.iter().map(TimerDescriptor::domain).collect();
        let settings =
            OperatorSettings { operator: "op".into(), config: setup.config.into(), limits: setup.limits, on_failure: setup.on_failure };
        let factory: Arc<dyn operator::OperatorFactory> = Arc::new(WasmOperatorFactory::new(plugin, settings)?);
        let subtask = Subtask { vertex: "op".into(), index: 0, parallelism: 1 };
        let operator = OperatorFactory::create(&*factory, &subtask, &[Some("a,b".into())])?;
        let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: 128 }, 128);
        let broadcast = BroadcastState::new(&states).unwrap();
        let plain = KeyedState::new(states, backend).with_timers(domains);
        let state = match windows {
            Some(windows) => plain.with_windows(windows, factory.merger()),
            None => plain,
        };
        Ok(Self { operator, state, broadcast, metrics: VertexMetrics::default(), watermark: i64::MIN })
    }

    /// Runs one batch of a keyed input.
    pub fn keyed(&mut self, records: &[(&str, &str)]) -> Result<Vec<Out>, EngineError> {
        let batch = batch(records.iter().map(|(key, value)| (Some(*key), *value)));
        self.run(&batch, true)
    }

    /// Runs one batch of another input.
    pub fn unkeyed(&mut self, records: &[(Option<&str>, &str)]) -> Result<Vec<Out>, EngineError> {
        self.run(&batch(records.iter().copied()), false)
    }

    /// Runs one batch of a broadcast input.
    pub fn broadcast(&mut self, values: &[&str]) -> Result<Vec<Out>, EngineError> {
        self.call(1, &batch(values.iter().map(|value| (None, *value))), false)
    }

    /// Runs one batch.
    pub fn run(&mut self, batch: &RecordBatch, keyed: bool) -> Result<Vec<Out>, EngineError> {
        self.call(0, batch, keyed)
    }

    /// Calls with timers that are due: key, number, time.
    pub fn fire(&mut self, timers: &[(&str, u32, i64)]) -> Result<Vec<Out>, EngineError> {
        let mut fired = FiredTimers::default();
        timers.iter().for_each(|(key, timer, due)| fired.push(key.as_bytes(), key_hash(key.as_bytes()), *timer, *due));
        let mut outputs = Vec::new();
        let mut context = OperatorContext {
            state: Some(&mut self.state),
            broadcast: BroadcastAccess::Read(&self.broadcast),
            outputs: &mut outputs,
            watermark: self.watermark,
            processing_time: 1_000,
            metrics: &self.metrics,
        };
        self.operator.on_timers(&fired, &mut context)?;
        Ok(outputs.iter().flat_map(|(output, records)| shown(*output, &records.clone().compact())).collect())
    }

    /// Calls with windows that fire.
    pub fn fire_windows(&mut self, fired: &FiredWindows) -> Result<Vec<Out>, EngineError> {
        let mut outputs = Vec::new();
        let mut context = OperatorContext {
            state: Some(&mut self.state),
            broadcast: BroadcastAccess::Read(&self.broadcast),
            outputs: &mut outputs,
            watermark: self.watermark,
            processing_time: 1_000,
            metrics: &self.metrics,
        };
        self.operator.on_windows(fired, &mut context)?;
        Ok(outputs.iter().flat_map(|(output, records)| shown(*output, &records.clone().compact())).collect())
    }

    /// From now on every fault is an error.
    pub fn set_probation(&mut self) {
        self.operator.set_probation(true);
    }

    /// The times that a key's timer is set to.
    pub fn timers(&mut self, key: &str, timer: usize) -> Vec<i64> {
        self.state.select(&batch([(Some(key), "")].into_iter()), 0..1).unwrap();
        let times = self.state.copied_value(0, self.state.declared().len() + timer).unwrap().unwrap_or_default();
        times.chunks_exact(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap())).collect()
    }

    /// Fuel of all calls so far.
    pub fn fuel_spent(&self) -> Option<u64> {
        self.operator.fuel_spent()
    }

    /// What comes of one batch of an input that is not keyed, as it goes downstream.
    pub fn emitted(&mut self, batch: &Arc<RecordBatch>) -> Result<Vec<(u32, Selection)>, EngineError> {
        self.process(0, batch, false)
    }

    /// Tells the state the time of the call. It is in memory, so there is nothing to wait for.
    fn prefetch(&mut self, batch: &Arc<RecordBatch>) -> Result<(), EngineError> {
        let time = StateTime { watermark: self.watermark, processing_time: 1_000 };
        let prefetch = std::pin::pin!(self.state.prefetch(CallKeys::from(batch), time));
        match prefetch.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("state in memory is there"),
        }
    }

    fn call(&mut self, input: u32, batch: &RecordBatch, keyed: bool) -> Result<Vec<Out>, EngineError> {
        let outputs = self.process(input, &Arc::new(batch.clone()), keyed)?;
        Ok(outputs.iter().flat_map(|(output, records)| shown(*output, &records.clone().compact())).collect())
    }

    /// The second input is the broadcast one.
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, keyed: bool) -> Result<Vec<(u32, Selection)>, EngineError> {
        if keyed {
            self.prefetch(batch)?;
        }
        let mut outputs = Vec::new();
        let broadcast = &mut self.broadcast;
        let mut context = OperatorContext {
            state: keyed.then_some(&mut self.state),
            broadcast: if input == 1 { BroadcastAccess::Write(broadcast) } else { BroadcastAccess::Read(broadcast) },
            outputs: &mut outputs,
            watermark: self.watermark,
            processing_time: 1_000,
            metrics: &self.metrics,
        };
        self.operator.process(input, batch, &mut context)?;
        Ok(outputs)
    }
}

fn shown(output: u32, records: &RecordBatch) -> Vec<Out> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let one = |record| Out {
        output,
        key: records.key(record).map(text),
        value: text(records.values().get(record)),
        timestamp: records.timestamps()[record],
    };
    (0..records.len()).map(one).collect()
}

/// Records whose time is their number.
pub fn batch<'a>(records: impl Iterator<Item = (Option<&'a str>, &'a str)>) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    for (index, (key, value)) in records.enumerate() {
        builder.push(key.map(str::as_bytes), value.as_bytes(), Some(index as i64));
    }
    builder.finish()
}

/// Values of the main output.
pub fn values(outs: &[Out]) -> Vec<&str> {
    outs.iter().filter(|out| out.output != QUARANTINE_OUTPUT).map(|out| out.value.as_str()).collect()
}

/// Reports of quarantined records.
pub fn reports(outs: &[Out]) -> Vec<serde_json::Value> {
    let reports = outs.iter().filter(|out| out.output == QUARANTINE_OUTPUT);
    reports.map(|out| serde_json::from_str(&out.value).unwrap()).collect()
}

/// So that a test of what has no time says so.
pub const NONE: i64 = NO_TIMESTAMP;
