//! What windows cost: counting by key in tumbling windows beside counting by key alone, and the longest call at a window's close, for which a barrier waits.
//!
//! `cargo bench -p weir-engine --features testing --bench windows -- [KEYS] [RECORDS] [WINDOWS] [ROUNDS]`: so many keys (100,000) with so many records each in each
//! window (10), windows (4) and rounds (5); the two take turns. One task's own code, with a native operator: a component's calls cost the same in both.
//!
//! At the end one key has as many sessions as it may, and a record for each gap between two of them, from the first on: each makes one of what has become one before and the
//! next. A barrier waits for a whole batch.

mod support;

use futures_util::FutureExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_engine::element::{Progress, Watermark};
use weir_engine::exchange::InputChannel;
use weir_engine::operator::{InputDescriptor, OperatorDescriptor, OperatorFactory, Subtask};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::state::{FiredWindows, KeyedState, StateDescriptor, StateKind, WindowKind, WindowSettings, key_hash};
use weir_engine::task::Chain;
use weir_engine::{BatchBuilder, Column, EngineError, Operator, OperatorContext, RecordBatch};

const BATCH: u64 = 1_024;
const WINDOW_MS: i64 = 10_000;
const FROM: InputChannel = InputChannel { node: 0, input: 0, keyed: true, edge: 0, sender: 0 };

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let (keys, records) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(10));
    let (windows, rounds) = (numbers.next().unwrap_or(4), numbers.next().unwrap_or(5));
    let threads = ThreadRuntime::new(1).expect("threads start");
    let batches: Vec<Vec<Arc<RecordBatch>>> = (0..windows).map(|window| batches(window, keys, records)).collect();
    let (mut ratios, mut longest) = (Vec::new(), Duration::ZERO);
    for round in 0..rounds {
        let plain = timed(|| _ = run(&mut chain(&threads, None), &batches));
        let settings = WindowSettings::new(WindowKind::Tumbling { size: WINDOW_MS, offset: 0 });
        let mut closing = Duration::ZERO;
        let windowed = timed(|| closing = run(&mut chain(&threads, Some(settings)), &batches));
        let of_record = |took: Duration| took.as_nanos() as u64 / (keys * records * windows).max(1);
        println!(
            "round {round}: {} ns a record by key, {} ns by key and window: {:.2} of the rate; the longest call at a close {closing:.1?}",
            of_record(plain),
            of_record(windowed),
            plain.as_secs_f64() / windowed.as_secs_f64()
        );
        ratios.push(plain.as_secs_f64() / windowed.as_secs_f64());
        longest = longest.max(closing);
    }
    ratios.sort_by(f64::total_cmp);
    println!("{:.2} of the rate (median), and at a close a barrier waits for {longest:.1?} at most", ratios[ratios.len() / 2]);
    sessions(&threads);
    threads.shutdown();
}

/// A window's records: each key comes so many times, in an order of its own each time.
fn batches(window: u64, keys: u64, records: u64) -> Vec<Arc<RecordBatch>> {
    let mut rng = fastrand::Rng::with_seed(window);
    let names: Vec<(String, u64)> = (0..keys)
        .map(|key| {
            let name = format!("key-{key:08}");
            let hash = key_hash(name.as_bytes());
            (name, hash)
        })
        .collect();
    let mut made = Vec::new();
    let mut left = keys * records;
    while left > 0 {
        let mut builder = BatchBuilder::new();
        for _ in 0..left.min(BATCH) {
            let (name, hash) = &names[rng.usize(0..names.len())];
            let time = window as i64 * WINDOW_MS + rng.i64(0..WINDOW_MS);
            builder.push_hashed(name.as_bytes(), *hash, b"value", time);
        }
        left -= left.min(BATCH);
        made.push(Arc::new(builder.finish()));
    }
    made
}

struct CountFactory(OperatorDescriptor);

struct Count {
    present: Vec<u32>,
    values: Column,
    counts: Vec<u64>,
}

impl OperatorFactory for CountFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _: &Subtask, _: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Count { present: Vec::new(), values: Column::new(), counts: Vec::new() }))
    }
}

impl Count {
    /// The counts of the selected keys.
    fn read(&mut self, state: &KeyedState) -> Result<(), EngineError> {
        self.present.clear();
        self.values.clear();
        state.gather_values(0, usize::MAX, &mut self.present, &mut self.values)?;
        self.counts.clear();
        self.counts.resize(state.keys().len(), 0);
        for (&key, value) in self.present.iter().zip(self.values.iter()) {
            self.counts[key as usize] = u64::from_le_bytes(value.try_into().expect("eight bytes"));
        }
        Ok(())
    }
}

impl Operator for Count {
    fn process(&mut self, _: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        state.select(batch, 0..batch.len()).map_err(|error| error.into_error(|_| unreachable!("each has a key")))?;
        self.read(state)?;
        state.key_of().iter().for_each(|&key| self.counts[key as usize] += 1);
        let (keys, mut values): (Vec<u32>, _) = ((0..self.counts.len() as u32).collect(), Column::new());
        self.counts.iter().for_each(|count| values.push(&count.to_le_bytes()));
        state.set_values(&keys, 0, &values)
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| unreachable!("each has a key")))?;
        self.read(state)?;
        assert!(self.counts.iter().all(|count| *count > 0), "a window that fires has records");
        Ok(())
    }
}

/// Keeps the records of each session.
struct Gather;

impl OperatorFactory for GatherFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _: &Subtask, _: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Gather))
    }
}

struct GatherFactory(OperatorDescriptor);

impl Operator for Gather {
    fn process(&mut self, _: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        let mut done = 0;
        while done < batch.len() {
            done += state.select(batch, done..batch.len()).map_err(|error| error.into_error(|_| unreachable!("each has a key")))?;
            let key_of: Vec<u32> = state.key_of().to_vec();
            key_of.iter().try_for_each(|&key| state.list_append(key as usize, 0, b"value"))?;
            state.accept()?;
        }
        Ok(())
    }
}

/// One key's sessions become one, record by record.
fn sessions(threads: &ThreadRuntime) {
    const SESSIONS: i64 = 10_000;
    let items = StateDescriptor { name: "items".into(), kind: StateKind::List, schema: "raw".into(), version: 1, ttl: None };
    let descriptor = OperatorDescriptor {
        inputs: vec![InputDescriptor::default()],
        states: vec![items],
        windowed: true,
        ..OperatorDescriptor::default()
    };
    let settings = WindowSettings::new(WindowKind::Session { gap: 10 });
    let mut chain = support::chain(&threads.runtime(), "gather", Arc::new(GatherFactory(descriptor)), Some(settings));
    let batches_of = |first: i64, count: i64| -> Vec<Arc<RecordBatch>> {
        let times: Vec<i64> = (0..count).map(|place| first + 15 * place).collect();
        let batch = |times: &[i64]| {
            let mut builder = BatchBuilder::new();
            times.iter().for_each(|time| builder.push_hashed(b"key", key_hash(b"key"), b"value", *time));
            Arc::new(builder.finish())
        };
        times.chunks(BATCH as usize).map(batch).collect()
    };
    let mut longest_of = |batches: Vec<Arc<RecordBatch>>| {
        let work = |batch: &Arc<RecordBatch>| {
            timed(|| chain.process(FROM, batch).now_or_never().expect("memory does not wait").expect("it gathers"))
        };
        let took: Vec<Duration> = batches.iter().map(work).collect();
        (took.iter().sum::<Duration>(), took.into_iter().max().unwrap_or_default())
    };
    let (opened, _) = longest_of(batches_of(0, SESSIONS));
    let (all, longest) = longest_of(batches_of(8, SESSIONS - 1));
    println!("{SESSIONS} sessions of a key, opened in {opened:.1?}, become one in {all:.1?}; the longest batch takes {longest:.1?}");
}

fn chain(threads: &ThreadRuntime, window: Option<WindowSettings>) -> Chain {
    let count = StateDescriptor { name: "count".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None };
    let (inputs, windowed) = (vec![InputDescriptor::default()], window.is_some());
    let descriptor = OperatorDescriptor { inputs, states: vec![count], windowed, ..OperatorDescriptor::default() };
    support::chain(&threads.runtime(), "count", Arc::new(CountFactory(descriptor)), window)
}

/// Works all of it off, window by window, and closes each behind its records. How long the longest call at a close takes.
fn run(chain: &mut Chain, windows: &[Vec<Arc<RecordBatch>>]) -> Duration {
    let mut longest = Duration::ZERO;
    for (number, batches) in windows.iter().enumerate() {
        for batch in batches {
            chain.process(FROM, batch).now_or_never().expect("memory does not wait").expect("it counts");
        }
        chain.begin_progress(Progress::Watermark(Watermark((number as i64 + 1) * WINDOW_MS - 1)));
        while chain.is_due() {
            longest = longest.max(timed(|| chain.advance().now_or_never().expect("memory does not wait").expect("windows fire")));
        }
    }
    longest
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}
