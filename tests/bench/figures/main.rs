//! The figures that weir is held to: the real binary runs whole jobs, in turn, and the table has median, minimum and maximum.
//!
//! `cargo bench -p weir-tests --bench figures [-- GROUP …]`, groups: `boundary`, `checkpointed`, `backpressure`,
//! `start`, `recovery`, `changes`, `migration`, `windows`, `languages`, `peers`, `dev`. `WEIR_ROUNDS` (5) rounds of each.
//! Variants of a group take turns within a round, so that a machine whose speed drifts does not decide; quote the ratios of one run.

mod dev;
mod job;
mod languages;
mod live;
mod migration;
mod peers;
mod statistics;

use job::{Bench, Operator, Run};
use live::Live;
use migration::Aircraft;
use statistics::{row, spread};

type Group = (&'static str, fn(&Bench, usize));

const GROUPS: [Group; 11] = [
    ("boundary", boundary),
    ("checkpointed", checkpointed),
    ("backpressure", backpressure),
    ("start", start),
    ("recovery", recovery),
    ("changes", changes),
    ("migration", migration),
    ("windows", windows),
    ("languages", |_, rounds| languages::languages(rounds)),
    ("peers", |_, rounds| peers::peers(rounds)),
    ("dev", |_, rounds| dev::dev(rounds)),
];

fn main() {
    // Cargo hands `--bench` to every benchmark.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let rounds = std::env::var("WEIR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let bench = Bench::new();
    println!("load before: {}", statistics::load());
    for (name, group) in GROUPS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("\n{name}, {rounds} rounds: median (minimum to maximum)");
            group(&bench, rounds);
        }
    }
    println!("\nload after: {}", statistics::load());
}

/// The same operator as a component and native, in the same engine, at parallelism 1, without checkpoints.
fn boundary(bench: &Bench, rounds: usize) {
    for (name, operator, keys, count) in [
        ("keyed-count, 100,000 keys", Operator::KeyedCount, 100_000, 20_000_000),
        ("keyed-count, 1,000,000 keys", Operator::KeyedCount, 1_000_000, 20_000_000),
        ("pass-through", Operator::PassThrough, 100_000, 40_000_000),
    ] {
        let (mut wasm, mut native, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let run = |as_component| {
                bench.run(Run { operator, as_component, keys, count, parallelism: 1, interval: "1h", ..Run::default() }).rate()
            };
            let (component, built_in) = (run(true), run(false));
            ratios.push(component / built_in);
            wasm.push(component / 1e6);
            native.push(built_in / 1e6);
        }
        row(&format!("{name}: component, M records/s"), &spread(&wasm));
        row(&format!("{name}: native, M records/s"), &spread(&native));
        row(&format!("{name}: component / native"), &spread(&ratios));
    }
}

/// Counting by key in tumbling windows beside counting by key, at parallelism 1: some ten records of a key in each window, and a window is emitted once.
fn windows(bench: &Bench, rounds: usize) {
    let count = 40_000_000;
    let (mut by_key, mut by_window, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let run = |operator| bench.run(Run { operator, count, parallelism: 1, interval: "1h", ..Run::default() }).rate_of(count);
        let (plain, windowed) = (run(Operator::KeyedCount), run(Operator::WindowedCount("300ms")));
        ratios.push(windowed / plain);
        by_key.push(plain / 1e6);
        by_window.push(windowed / 1e6);
    }
    row("keyed-count, M records/s", &spread(&by_key));
    row("windowed-count, M records/s", &spread(&by_window));
    row("windowed / keyed", &spread(&ratios));
}

/// A million keys at parallelism 2, with a checkpoint every second and without.
fn checkpointed(bench: &Bench, rounds: usize) {
    let (mut with, mut without, mut ratios, mut memory, mut durations) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let run = |interval| {
            let (keys, count) = (1_000_000, 40_000_000);
            bench.run(Run { keys, count, interval, ..Run::default() })
        };
        let (checkpoints, none) = (run("1s"), run("1h"));
        ratios.push(checkpoints.rate() / none.rate());
        with.push(checkpoints.rate() / 1e6);
        without.push(none.rate() / 1e6);
        memory.push(checkpoints.peak_memory_mib());
        durations.extend(checkpoints.checkpoint_ms());
    }
    row("checkpoint every second, M records/s", &spread(&with));
    row("without checkpoints, M records/s", &spread(&without));
    row("with / without", &spread(&ratios));
    row("peak resident memory, MiB", &spread(&memory));
    row("duration of a checkpoint, ms", &spread(&durations));
}

/// A sink that takes far less than a tenth of what the source gives, every channel full: how long a checkpoint takes, aligned and unaligned.
fn backpressure(bench: &Bench, rounds: usize) {
    let variants = ["never", "always", "100ms"];
    let mut durations = variants.map(|_| Vec::new());
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let mut medians = Vec::new();
        for (unaligned, durations) in variants.iter().zip(&mut durations) {
            let run = bench.run(Run { count: 400_000, sink_rate: Some(40_000), interval: "500ms", unaligned, ..Run::default() });
            // The first comes before the channels are full, the last when the input has ended.
            let all: Vec<f64> = run.checkpoint_ms().collect();
            let full = &all[1..all.len() - 1];
            medians.push(spread(full).median);
            durations.extend_from_slice(full);
        }
        ratios.push(medians[1] / medians[0]);
    }
    for (unaligned, durations) in variants.iter().zip(&durations) {
        row(&format!("unaligned = {unaligned:?}: duration of a checkpoint, ms"), &spread(durations));
    }
    row("\"always\" / \"never\"", &spread(&ratios));
}

/// Process start to the first record at the sink, with compiled code in the cache.
fn start(bench: &Bench, rounds: usize) {
    let run = || bench.run(Run { operator: Operator::KeyedCount, as_component: true, count: 100_000, ..Run::default() });
    run();
    let first: Vec<f64> = (0..rounds).map(|_| run().first_record_s()).collect();
    row("process start to first record, s", &spread(&first));
}

/// SIGKILL with a million keys in state; process start to the first new record at the sink.
fn recovery(bench: &Bench, rounds: usize) {
    let run = Run { operator: Operator::KeyedCount, as_component: true, keys: 1_000_000, count: 10_000_000_000, ..Run::default() };
    let first: Vec<f64> = (0..rounds).map(|_| bench.kill_and_resume(&run)).collect();
    row("process start to first new record, s", &spread(&first));
}

/// A job with a million keys under full load is upgraded, rescaled, and a savepoint is taken of it. What counts is what comes to the sink meanwhile.
fn changes(bench: &Bench, rounds: usize) {
    let run = |parallelism| Run { keys: 1_000_000, count: 10_000_000_000, parallelism, ..Run::default() };
    let (mut normal, mut upgrade, mut reported) = (Vec::new(), Vec::new(), Vec::new());
    let (mut savepoint, mut meanwhile, mut rescale, mut rescale_reported) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let live = Live::start(bench, &run(2));
        let calm = live.watch(|live| live.wait(3.0));
        normal.push(calm.longest_gap_ms);
        let changed = live.watch(|live| reported.push(live.upgrade()));
        upgrade.push(changed.longest_gap_ms);
        let saved = live.watch(|live| savepoint.push(live.savepoint()));
        let calm_again = live.watch(|live| live.wait(3.0));
        meanwhile.push(saved.rate / calm_again.rate);
        drop(live);
        let live = Live::start(bench, &run(1));
        let changed = live.watch(|live| rescale_reported.push(live.rescale(2)));
        rescale.push(changed.longest_gap_ms);
    }
    row("nothing at the sink, when nothing is changed, ms at most", &spread(&normal));
    row("nothing at the sink, around an upgrade, ms at most", &spread(&upgrade));
    row("standstill of a subtask that the upgrade reports, ms", &spread(&reported));
    row("savepoint, from the command to its end, s", &spread(&savepoint));
    row("records at the sink meanwhile / otherwise", &spread(&meanwhile));
    row("nothing at the sink, around a rescale 1 to 2, ms at most", &spread(&rescale));
    row("pause that the rescale reports, ms", &spread(&rescale_reported));
}

/// Going on from a million values under the plugin that wrote them, and under a version that migrates each of them first.
fn migration(bench: &Bench, rounds: usize) {
    let aircraft = Aircraft::new(bench);
    let (mut same, mut newer, mut per_value) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (restored, migrated) = (aircraft.go_on("flight_delays"), aircraft.go_on("flight_delays_v2"));
        per_value.push((migrated - restored) * 1e9 / 1e6);
        same.push(restored);
        newer.push(migrated);
    }
    row("process start to first record, restored as it is, s", &spread(&same));
    row("process start to first record, every value migrated, s", &spread(&newer));
    row("migration of a value, ns of two tasks' time", &spread(&per_value));
}
