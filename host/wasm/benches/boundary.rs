//! What a record costs at the boundary: a plugin's operator alone, fed the same batches again and again.
//!
//!     cargo bench -p weir-wasm -- target/wasm32-unknown-unknown/release/keyed_count.wasm [keys …]
//!
//! Prints what an instance costs, and ns per record at batches of 1,024: cutting, lookup, the call, checks, outputs and updates together; and, for comparison,
//! selecting the keys, gathering and setting their values without a guest.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use weir_engine::element::{BatchBuilder, Column, RecordBatch};
use weir_engine::metrics::VertexMetrics;
use weir_engine::operator::{Operator, OperatorContext, OperatorFactory, Subtask};
use weir_engine::state::{BroadcastAccess, KeyGroupRange, KeyedState, MemoryBackendFactory, key_hash};
use weir_wasm::{CompileCache, CompileIn, EngineMode, Limits, OnFailure, OperatorSettings, Plugin, WasmEngine, WasmOperatorFactory};

const BATCHES: usize = 1_024;
const BATCH: usize = 1_024;
const ROUNDS: usize = 7;

/// Time that this thread has spent on a core, where the system tells (Linux): a busy machine does not show. Else the clock.
fn now() -> Duration {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    let clock = || STARTED.get_or_init(Instant::now).elapsed();
    let on_core = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let on_core = on_core.and_then(|text| text.split(' ').next()?.parse().ok());
    on_core.map_or_else(clock, Duration::from_nanos)
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(path) = arguments.next().map(PathBuf::from) else {
        println!("name a plugin: cargo bench -p weir-wasm -- PLUGIN [KEYS …]");
        return;
    };
    let mut keys: Vec<u64> = arguments.map(|argument| argument.parse().expect("a number of keys")).collect();
    if keys.is_empty() {
        keys = vec![100_000, 1_000_000];
    }
    let started = now();
    let engine = WasmEngine::new(EngineMode::Epoch, &CompileCache::User, CompileIn::ThisProcess).expect("the engine starts");
    let plugin = Plugin::load(&path, &engine).expect("a plugin");
    println!("{}: engine and load {:.1?}", plugin.descriptor().name, now() - started);
    instances(&plugin);
    for keys in keys {
        let batches: Vec<Arc<RecordBatch>> = (0..BATCHES).map(|batch| Arc::new(records(batch, keys))).collect();
        let (guest, bare) = (guest(&plugin, &batches), bare(&plugin, &batches));
        println!("{keys:>9} keys   guest {}   state alone {}", shown(guest), shown(bare));
    }
}

/// What an instance costs before it is given anything.
fn instances(plugin: &Plugin) {
    const INSTANCES: u64 = 16;
    let before = resident_kib();
    let kept: Vec<_> = (0..INSTANCES).map(|_| opened(plugin)).collect();
    let kib = (resident_kib() - before) / INSTANCES;
    // What a thread has spent is told by the tick: it takes many of them to come to something.
    let (began, mut started) = (now(), 0);
    while now() - began < Duration::from_millis(200) {
        (0..INSTANCES).for_each(|_| drop(opened(plugin)));
        started += INSTANCES as u32;
    }
    let took = (now() - began) / started;
    println!("an instance starts in {took:.2?} and takes {kib} KiB");
    drop(kept);
}

fn opened(plugin: &Plugin) -> Box<dyn Operator> {
    let settings =
        OperatorSettings { operator: "bench".into(), config: "{}".into(), limits: Limits::default(), on_failure: OnFailure::Fail };
    let subtask = Subtask { vertex: "bench".into(), index: 0, parallelism: 1 };
    WasmOperatorFactory::new(plugin.clone(), settings).expect("no fuel is asked for").create(&subtask, &[None]).expect("it opens")
}

/// What the process has in memory.
fn resident_kib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or_default() * 4
}

/// Minimum and median, ns per record.
fn shown(mut rounds: Vec<Duration>) -> String {
    rounds.sort();
    let per_record = |time: Duration| time.as_nanos() as f64 / (BATCHES * BATCH) as f64;
    format!("min {:6.1} median {:6.1} ns/record", per_record(rounds[0]), per_record(rounds[ROUNDS / 2]))
}

/// Keys of 16 bytes, uniform; values of 64.
fn records(batch: usize, keys: u64) -> RecordBatch {
    let mut builder = BatchBuilder::with_capacity(BATCH, 16 * BATCH, 64 * BATCH);
    for record in 0..BATCH {
        let number = ((batch * BATCH + record) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let key = format!("key-{:012}", number % keys);
        builder.push_hashed(key.as_bytes(), key_hash(key.as_bytes()), &[7; 64], record as i64);
    }
    builder.finish()
}

fn state(plugin: &Plugin) -> KeyedState {
    let states = plugin.descriptor().states.clone();
    let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: 128 }, 128);
    KeyedState::new(states, backend)
}

fn guest(plugin: &Plugin, batches: &[Arc<RecordBatch>]) -> Vec<Duration> {
    let mut operator = opened(plugin);
    let (mut state, metrics, mut outputs) = (state(plugin), VertexMetrics::default(), Vec::new());
    let keyed = !plugin.descriptor().states.is_empty();
    rounds(batches, |batch| {
        outputs.clear();
        let state = keyed.then_some(&mut state);
        let mut context = OperatorContext {
            state,
            broadcast: BroadcastAccess::None,
            outputs: &mut outputs,
            watermark: i64::MIN,
            processing_time: 0,
            metrics: &metrics,
        };
        operator.process(0, batch, &mut context).expect("no fault");
        std::hint::black_box(&outputs);
    })
}

fn bare(plugin: &Plugin, batches: &[Arc<RecordBatch>]) -> Vec<Duration> {
    let (mut state, mut present, mut values) = (state(plugin), Vec::new(), Column::new());
    let keyed = !plugin.descriptor().states.is_empty();
    rounds(batches, |batch| {
        if keyed {
            present.clear();
            values.clear();
            state.select(batch, 0..batch.len()).expect("every record has a key");
            state.gather_values(0, usize::MAX, &mut present, &mut values).expect("memory");
            for key in 0..state.keys().len() {
                state.set_value(key, 0, &[1; 16]).expect("memory");
            }
        }
        std::hint::black_box(&values);
    })
}

fn rounds(batches: &[Arc<RecordBatch>], mut work: impl FnMut(&Arc<RecordBatch>)) -> Vec<Duration> {
    let round = |_| {
        let started = now();
        batches.iter().for_each(&mut work);
        now() - started
    };
    (0..ROUNDS).map(round).collect()
}
