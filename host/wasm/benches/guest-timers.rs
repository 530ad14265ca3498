//! What a plugin's timers cost: setting one for each record, firing all of them at one watermark, and the longest call of these, which a barrier that comes
//! meanwhile waits for.
//!
//!     cargo bench -p weir-wasm --bench guest-timers -- target/wasm32-unknown-unknown/release/alert.wasm [TIMERS]
//!
//! So many records (1,000,000), each of a key of its own of 16 bytes and within one second, and a watermark of a year behind them: a plugin that sets event-time timers
//! for a time in between, with the config `{}`. One task's own code, with the guest's; the host's part alone is in the engine's benchmark `timers`.

#[path = "../../engine/benches/support/mod.rs"]
mod support;

use futures_util::FutureExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_engine::BatchBuilder;
use weir_engine::element::{Progress, Watermark};
use weir_engine::exchange::InputChannel;
use weir_engine::runtime::ThreadRuntime;
use weir_engine::state::key_hash;
use weir_engine::task::Chain;
use weir_wasm::{CompileCache, CompileIn, EngineMode, Limits, OnFailure, OperatorSettings, Plugin, WasmEngine, WasmOperatorFactory};

const BATCH: u64 = 1_024;
const YEAR_MS: i64 = 366 * 86_400_000;
const FROM: InputChannel = InputChannel { node: 0, input: 0, keyed: true, edge: 0, sender: 0 };

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(path) = arguments.next().map(PathBuf::from) else {
        println!("name a plugin: cargo bench -p weir-wasm --bench guest-timers -- PLUGIN [TIMERS]");
        return;
    };
    let timers = arguments.next().map_or(1_000_000, |argument| argument.parse().expect("a number of timers"));
    let engine = WasmEngine::new(EngineMode::Epoch, &CompileCache::User, CompileIn::ThisProcess).expect("the engine starts");
    let plugin = Plugin::load(&path, &engine).expect("a plugin");
    let settings =
        OperatorSettings { operator: "bench".into(), config: "{}".into(), limits: Limits::default(), on_failure: OnFailure::Fail };
    let threads = ThreadRuntime::new(1).expect("threads start");
    let mut chain = support::chain(
        &threads.runtime(),
        "bench",
        Arc::new(WasmOperatorFactory::new(plugin, settings).expect("no fuel is asked for")),
        None,
    );
    let per_timer = |took: Duration| took.as_nanos() as u64 / timers.max(1);
    let took = timed(|| set(&mut chain, timers));
    println!("{timers} records set a timer each in {took:.2?}, {} ns each", per_timer(took));
    let mut longest = Duration::ZERO;
    let took = timed(|| longest = fire(&mut chain));
    println!("they fire at one watermark in {took:.2?}, {} ns each; the longest call takes {longest:.1?}", per_timer(took));
    threads.shutdown();
}

fn set(chain: &mut Chain, timers: u64) {
    for first in (0..timers).step_by(BATCH as usize) {
        let mut builder = BatchBuilder::new();
        for number in first..timers.min(first + BATCH) {
            let key = format!("key-{number:012}");
            builder.push_hashed(
                key.as_bytes(),
                key_hash(key.as_bytes()),
                b"{}",
                (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000) as i64,
            );
        }
        chain.process(FROM, &Arc::new(builder.finish())).now_or_never().expect("memory does not wait").expect("timers are set");
    }
}

/// Fires what is due a year later. How long the longest call takes.
fn fire(chain: &mut Chain) -> Duration {
    let mut longest = Duration::ZERO;
    chain.begin_progress(Progress::Watermark(Watermark(YEAR_MS)));
    while chain.is_due() {
        let took = timed(|| chain.advance().now_or_never().expect("memory does not wait").expect("timers fire"));
        longest = longest.max(took);
    }
    longest
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}
