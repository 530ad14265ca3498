//! What timers cost: memory for many of them, setting them, firing those of one watermark, the longest call of these (a barrier that comes meanwhile waits for one),
//! and finding them again behind a restore.
//!
//! `cargo bench -p weir-engine --features testing --bench timers -- [TIMERS] [FIRED]`: so many timers (10,000,000), each of a key of its own of 16 bytes; so many of them (1,000,000) are due
//! at the first watermark, the others spread over a day behind it. One task's own code, with a native operator that has no state besides.

mod support;

use futures_util::FutureExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_engine::element::{CheckpointId, Progress, Watermark};
use weir_engine::exchange::InputChannel;
use weir_engine::operator::{FiredTimers, InputDescriptor, OperatorDescriptor, OperatorFactory, Subtask, TimerDescriptor};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::state::{StateSnapshot, key_hash};
use weir_engine::task::Chain;
use weir_engine::{BatchBuilder, EngineError, Operator, OperatorContext, RecordBatch};

const BATCH: usize = 1_024;
const DAY_MS: u64 = 86_400_000;
const FROM: InputChannel = InputChannel { node: 0, input: 0, keyed: true, edge: 0, sender: 0 };

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let (timers, fired) = (numbers.next().unwrap_or(10_000_000), numbers.next().unwrap_or(1_000_000));
    let threads = ThreadRuntime::new(1).expect("threads start");
    let (before, fires) = (resident_mib(), Arc::default());
    let mut chain = chain(&threads, &fires);
    let took = timed(|| set(&mut chain, timers, fired));
    let (each, memory) = (took.as_nanos() as u64 / timers.max(1), resident_mib() - before);
    println!("{timers} timers are set in {took:.1?}, {each} ns each, and take {memory} MiB, {} bytes each", (memory << 20) / timers.max(1));
    let mut longest = Duration::ZERO;
    let took = timed(|| longest = fire(&mut chain));
    println!(
        "{} fire at one watermark in {took:.2?}; the longest call takes {longest:.1?}",
        fires.load(std::sync::atomic::Ordering::Relaxed)
    );
    let took = timed(|| restore(&threads, &mut chain));
    println!("the {} that are left are restored and found again in {took:.1?}", timers - fired);
    threads.shutdown();
}

/// Counts what fires.
type Fires = Arc<std::sync::atomic::AtomicU64>;

/// Sets a timer for each record, at the record's time.
struct AlarmFactory(OperatorDescriptor, Fires);

struct Alarm(Fires);

impl OperatorFactory for AlarmFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _: &Subtask, _: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Alarm(self.1.clone())))
    }
}

impl Operator for Alarm {
    fn process(&mut self, _: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        state.select(batch, 0..batch.len()).map_err(|error| error.into_error(|_| unreachable!("each has a key")))?;
        for record in 0..batch.len() {
            state.set_timer(state.key_of()[record] as usize, 0, batch.timestamps()[record])?;
        }
        Ok(())
    }

    fn on_timers(&mut self, fired: &FiredTimers, _: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.0.fetch_add(fired.len() as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}

fn chain(threads: &ThreadRuntime, fires: &Fires) -> Chain {
    let timers = vec![TimerDescriptor { name: "alarm".into(), event_time: true }];
    let descriptor = OperatorDescriptor { inputs: vec![InputDescriptor::default()], timers, ..OperatorDescriptor::default() };
    support::chain(&threads.runtime(), "alarm", Arc::new(AlarmFactory(descriptor, fires.clone())), None)
}

/// Timer n is of key n. The first ones are due within the first second, the others within a day behind it.
fn set(chain: &mut Chain, timers: u64, fired: u64) {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut numbers = 0..timers;
    loop {
        let mut builder = BatchBuilder::new();
        for number in numbers.by_ref().take(BATCH) {
            let time = if number < fired { rng.u64(0..1_000) } else { 1_000 + rng.u64(0..DAY_MS) };
            let key = format!("key-{number:012}");
            builder.push_hashed(key.as_bytes(), key_hash(key.as_bytes()), b"", time as i64);
        }
        if builder.is_empty() {
            return;
        }
        chain.process(FROM, &Arc::new(builder.finish())).now_or_never().expect("memory does not wait").expect("timers are set");
    }
}

/// Fires what is due at the end of the first second. How long the longest call takes.
fn fire(chain: &mut Chain) -> Duration {
    let mut longest = Duration::ZERO;
    chain.begin_progress(Progress::Watermark(Watermark(999)));
    while chain.is_due() {
        let took = timed(|| chain.advance().now_or_never().expect("memory does not wait").expect("timers fire"));
        longest = longest.max(took);
    }
    longest
}

/// Another task is given all that the first one has.
fn restore(threads: &ThreadRuntime, chain: &mut Chain) {
    let state = chain.operators().next().and_then(|subtask| subtask.keyed_state()).expect("it has keyed state");
    let StateSnapshot::Blocks(mut snapshot) = state.snapshot(CheckpointId(1), None).expect("memory") else {
        unreachable!("memory is written in blocks")
    };
    let mut restored = self::chain(threads, &Fires::default());
    let state = restored.operators().next().and_then(|subtask| subtask.keyed_state()).expect("it has keyed state");
    snapshot
        .write(&mut |group, block| state.backend_mut().restore(group, block, &[Some(0)]).expect("a block of its own"))
        .expect("memory is written");
    state.queue_restored_timers().expect("memory");
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// What the process has in memory, in MiB.
fn resident_mib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    (pages.unwrap_or_default() * 4_096) >> 20
}
