//! One subtask of a guest, fed batch by batch, with all that it emits and keeps open to view.

use std::sync::Arc;
use weir_engine::element::{BatchBuilder, NO_TIMESTAMP, RecordBatch, Selection};
use weir_engine::metrics::VertexMetrics;
use weir_engine::operator::{FiredTimers, Operator, OperatorContext, OperatorFactory, QUARANTINE_OUTPUT, Subtask, TimerDescriptor};
use weir_engine::state::{
    BroadcastAccess, BroadcastState, FiredWindow, FiredWindows, KeyGroupRange, KeyedState, MemoryBackendFactory, StateAllowance, StateKind,
    StatePool, Window, WindowReason, key_hash,
};
use weir_engine::{Column, EngineError};
use weir_wasm::{OperatorSettings, Plugin, WasmOperatorFactory};

/// Key groups of a bench.
const GROUPS: u32 = 16;

/// A record of a keyed input; its time is its place in the batch.
pub type Record = (String, String);

/// One record that came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// Number of the output.
    pub output: u32,
    /// Its key.
    pub key: Option<String>,
    /// Its value.
    pub value: String,
    /// Its time.
    pub timestamp: Option<i64>,
}

/// What is kept of one key: for each state its items, and for maps the entries before them.
pub type StateOfKey = Vec<Vec<Vec<u8>>>;

/// One subtask, with an input over a `key` edge; where it has a second one, that is over a `broadcast` edge.
pub struct Bench {
    plugin: Plugin,
    settings: OperatorSettings,
    operator: Box<dyn Operator>,
    state: KeyedState,
    /// Where any is declared.
    broadcast: Option<BroadcastState>,
    metrics: Arc<VertexMetrics>,
    outputs: Vec<(u32, Selection)>,
}

impl Bench {
    /// Opens the plugin. An error is its refusal.
    pub fn open(plugin: Plugin, settings: OperatorSettings) -> Result<Self, EngineError> {
        let states = plugin.descriptor().kept_states(None);
        let domains = plugin.descriptor().timers.iter().map(TimerDescriptor::domain).collect();
        let operator = opened(plugin.clone(), settings.clone())?;
        let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: GROUPS }, GROUPS);
        let metrics = Arc::<VertexMetrics>::default();
        let place = format!("operator \"{}\" subtask 0", settings.operator);
        let allowance = StateAllowance::new(place, settings.limits.state_bytes, StatePool::new(None), metrics.clone());
        let broadcast = BroadcastState::new(&states).map(|state| state.within(allowance.clone()));
        let state = KeyedState::new(states, backend).with_timers(domains).within(allowance);
        Ok(Self { plugin, settings, operator, state, broadcast, metrics, outputs: Vec::new() })
    }

    /// Another operator goes on with the state as it is, with this config.
    pub fn reopen(&mut self, config: &str) {
        let settings = OperatorSettings { config: config.into(), ..self.settings.clone() };
        self.operator = opened(self.plugin.clone(), settings).expect("opens");
    }

    /// Runs one batch. What came out, also before an error, waits for [`Bench::take`].
    pub fn run(&mut self, records: &[Record]) -> Result<(), EngineError> {
        self.call(batch(records), true)
    }

    /// As [`Bench::run`], over an input that is not keyed.
    pub fn run_unkeyed(&mut self, records: &[Record]) -> Result<(), EngineError> {
        self.call(batch(records), false)
    }

    /// As [`Bench::run_bytes`], over the second input, which is a broadcast one.
    pub fn run_broadcast(&mut self, value: &[u8]) -> Result<(), EngineError> {
        let batch = Arc::new(one_record(None, value));
        let broadcast = self.broadcast.as_mut().map_or(BroadcastAccess::None, BroadcastAccess::Write);
        let mut context = context(None, broadcast, &mut self.outputs, &self.metrics);
        self.operator.process(1, &batch, &mut context)
    }

    /// The first timer of this key is due.
    pub fn fire_timer(&mut self, key: &[u8]) -> Result<(), EngineError> {
        let mut fired = FiredTimers::default();
        fired.push(key, key_hash(key), 0, 5);
        let broadcast = self.broadcast.as_ref().map_or(BroadcastAccess::None, BroadcastAccess::Read);
        let mut context = context(Some(&mut self.state), broadcast, &mut self.outputs, &self.metrics);
        self.operator.on_timers(&fired, &mut context)
    }

    /// A window of this key is complete.
    pub fn fire_window(&mut self, key: &[u8]) -> Result<(), EngineError> {
        let window = Window { start: 0, end: 10 };
        let firing = FiredWindow { window, reason: WindowReason::OnTime, revision: 0, timestamp: 9 };
        let mut fired = FiredWindows::default();
        fired.push(&[&(window.start ^ i64::MIN).to_be_bytes(), key].concat(), key_hash(key), firing, std::iter::empty());
        let mut context = context(Some(&mut self.state), BroadcastAccess::None, &mut self.outputs, &self.metrics);
        self.operator.on_windows(&fired, &mut context)
    }

    fn call(&mut self, batch: RecordBatch, keyed: bool) -> Result<(), EngineError> {
        let batch = Arc::new(batch);
        let broadcast = self.broadcast.as_ref().map_or(BroadcastAccess::None, BroadcastAccess::Read);
        let mut context = context(keyed.then_some(&mut self.state), broadcast, &mut self.outputs, &self.metrics);
        self.operator.process(0, &batch, &mut context)
    }

    /// What has come out since the last time: the records of the declared outputs, and the reports of those set aside.
    pub fn take(&mut self) -> (Vec<Emitted>, Vec<serde_json::Value>) {
        let all: Vec<_> =
            std::mem::take(&mut self.outputs).iter().flat_map(|(output, records)| shown(*output, &records.clone().compact())).collect();
        let (reports, emitted): (Vec<_>, Vec<_>) = all.into_iter().partition(|record| record.output == QUARANTINE_OUTPUT);
        let parse = |report: Emitted| serde_json::from_str(&report.value).expect("a report is one line of JSON");
        (emitted, reports.into_iter().map(parse).collect())
    }

    /// The counters of its operator.
    pub fn metrics(&self) -> &VertexMetrics {
        &self.metrics
    }

    /// As [`Bench::run`], with one record whose value is `value`.
    pub fn run_bytes(&mut self, key: &str, value: &[u8]) -> Result<(), EngineError> {
        self.call(one_record(Some(key.as_bytes()), value), true)
    }

    /// Records set aside so far, as the metrics tell.
    pub fn quarantined(&self) -> u64 {
        self.metrics.quarantined.get()
    }

    /// All that is kept of these keys.
    pub fn state_of(&mut self, keys: &[&str]) -> Vec<StateOfKey> {
        let records: Vec<Record> = keys.iter().map(|key| ((*key).to_owned(), String::new())).collect();
        let probe = batch(&records);
        self.state.select(&probe, 0..probe.len()).expect("every record has a key");
        let indexes = self.state.key_of().to_vec();
        indexes.into_iter().map(|key| (0..self.state.states().len()).map(|state| self.items(key as usize, state)).collect()).collect()
    }

    fn items(&self, key: usize, state: usize) -> Vec<Vec<u8>> {
        let (mut items, mut values) = (Column::new(), Column::new());
        match self.state.states()[state].kind {
            StateKind::Value => return self.state.copied_value(key, state).expect("memory").into_iter().collect(),
            StateKind::List => _ = self.state.list_read(key, state, 0, usize::MAX, &mut items).expect("memory"),
            StateKind::Map => _ = self.state.map_scan(key, state, None, usize::MAX, &mut items, &mut values).expect("memory"),
            StateKind::Broadcast => {}
        }
        items.iter().chain(values.iter()).map(<[u8]>::to_vec).collect()
    }
}

fn context<'a>(
    state: Option<&'a mut KeyedState>,
    broadcast: BroadcastAccess<'a>,
    outputs: &'a mut Vec<(u32, Selection)>,
    metrics: &'a VertexMetrics,
) -> OperatorContext<'a> {
    OperatorContext { state, broadcast, outputs, watermark: NO_TIMESTAMP, processing_time: 1_000, metrics }
}

fn one_record(key: Option<&[u8]>, value: &[u8]) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    builder.push(key, value, Some(0));
    builder.finish()
}

fn opened(plugin: Plugin, settings: OperatorSettings) -> Result<Box<dyn Operator>, EngineError> {
    let subtask = Subtask { vertex: settings.operator.clone(), index: 0, parallelism: 1 };
    WasmOperatorFactory::new(plugin, settings)?.create(&subtask, &[None])
}

fn batch(records: &[Record]) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    for (place, (key, value)) in records.iter().enumerate() {
        builder.push(Some(key.as_bytes()), value.as_bytes(), Some(place as i64));
    }
    builder.finish()
}

fn shown(output: u32, records: &RecordBatch) -> Vec<Emitted> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let one = |record: usize| Emitted {
        output,
        key: records.key(record).map(text),
        value: text(records.values().get(record)),
        timestamp: Some(records.timestamps()[record]).filter(|&timestamp| timestamp != NO_TIMESTAMP),
    };
    (0..records.len()).map(one).collect()
}
