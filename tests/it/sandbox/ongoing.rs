//! Guests that misbehave for as long as they are let, beside a healthy job that comes further meanwhile: everything malformed that there is, traps that wait,
//! floods of log lines, what a terminal would obey, and drips, whose every call takes nearly all that it may.

use super::faults::{MALFORMED, settings};
use super::neighbour::{Beside, NO_END, hostile_settings, job, with_a_neighbour, without_end};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::job::{JobOutcome, JobStatus};
use weir_engine::metrics::VertexMetrics;
use weir_tests::sandbox::{Aside, Bench, GUEST, GuestJob, drip, engine, faulty};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings};

/// A job around the faulty guest whose values are these, all of whose faults are set aside into a sink.
fn hostile(config: &str, value: impl Fn(u64) -> String + Send + Sync + 'static) -> GuestJob {
    let mut settings = OperatorSettings { on_failure: without_end(), config: config.into(), ..hostile_settings() };
    // What is no fault is not to become one on a loaded machine.
    settings.limits.time_per_batch = Duration::from_secs(10);
    let mut job = job(faulty(EngineMode::Epoch), settings, (NO_END, 2_000.0));
    (job.source.value, job.aside) = (Arc::new(value), Aside::Sink);
    job
}

fn guest(status: &JobStatus) -> &VertexMetrics {
    &status.metrics.vertices[GUEST]
}

/// Runs the job beside the neighbour until that has come further, from when `in_full_swing` is true on; it goes on until it is stopped. Its output, and the
/// reports of what was set aside.
async fn goes_on(beside: &Beside, job: &GuestJob, in_full_swing: impl Fn(&JobStatus) -> bool) -> (Vec<String>, Vec<Value>) {
    let (report, disk) = beside.beside(job, in_full_swing).await;
    assert!(matches!(report.outcome, JobOutcome::Stopped), "{:?}", report.outcome);
    let reports = disk.committed_by("bad");
    (disk.committed_by("out"), reports.iter().map(|line| serde_json::from_str(line).expect("a report is one line of JSON")).collect())
}

fn texts<'a>(reports: &'a [Value], field: &str) -> BTreeSet<&'a str> {
    reports.iter().map(|report| report[field].as_str().expect("text")).collect()
}

#[test]
fn whatever_is_malformed_is_set_aside_beside_a_neighbour() {
    with_a_neighbour(async |beside| {
        // Some of a kind together, and each beside others the next time: two spoilings of one column may mend each other.
        const TOGETHER: u64 = 20;
        let kinds = MALFORMED.len() as u64;
        let kind = move |number| number / TOGETHER * [5, 8][(number / TOGETHER / kinds % 2) as usize] % kinds;
        let job = hostile("{}", move |number| MALFORMED[kind(number) as usize].value.into());
        let (out, reports) = goes_on(beside, &job, |status| guest(status).records_in() > 2 * TOGETHER * kinds).await;
        assert_eq!(texts(&reports, "value"), MALFORMED.iter().map(|fault| fault.value).collect());
        assert!(out.len() * 4 < reports.len(), "{} were taken and {} set aside", out.len(), reports.len());
    });
}

#[test]
fn traps_that_wait_take_nothing_with_them_beside_a_neighbour() {
    with_a_neighbour(async |beside| {
        let good = |number| format!("v{number}");
        let one_key = hostile(r#"{"trap":{"key":"2"}}"#, good);
        let (out, reports) = goes_on(beside, &one_key, |status| guest(status).quarantined.get() > 20).await;
        assert_eq!(texts(&reports, "key"), ["2"].into());
        assert!(out.len() > 2 * reports.len(), "{} of {}", reports.len(), out.len());
        let third_call = hostile(r#"{"trap":{"call":3}}"#, good);
        let (out, reports) = goes_on(beside, &third_call, |status| guest(status).records_in() > 100).await;
        assert_eq!((out.len() > 100, reports), (true, Vec::new()));
    });
}

#[test]
fn floods_of_log_lines_and_what_a_terminal_would_obey_reach_nobody_beside_a_neighbour() {
    with_a_neighbour(async |beside| {
        let loud = hostile("{}", |number| if number % 2 == 0 { "log:2000".into() } else { "log-long:100000".into() });
        let dropped = |status: &JobStatus| guest(status).plugin.limits.get().get("log-bytes-per-second").copied();
        let (out, reports) = goes_on(beside, &loud, |status| dropped(status) > Some(10_000)).await;
        assert!(!out.is_empty() && reports.is_empty(), "{reports:?}");
        let obeyed = hostile("{}", |_| "escape".into());
        let (_, reports) = goes_on(beside, &obeyed, |status| guest(status).quarantined.get() > 20).await;
        let errors = texts(&reports, "error");
        assert!(
            errors.iter().all(|error| error.contains(r"\u{1b}[2J\u{202e}") && !error.contains(['\u{1b}', '\u{7}', '\u{202e}'])),
            "{errors:?}"
        );
    });
}

/// A bench of the drip, in fuel's time or by the clock, under the catalogue's limits or, by the clock, with much time.
fn dripping(turns: u64, mode: EngineMode) -> Bench {
    let settings = match mode {
        EngineMode::Fuel => hostile_settings(),
        EngineMode::Epoch | EngineMode::EpochAndFuel => by_the_clock(),
    };
    Bench::open(drip(turns).load("drip.wasm", engine(mode)).expect("loads"), settings).expect("opens")
}

fn by_the_clock() -> OperatorSettings {
    let limits = Limits { time_per_batch: Duration::from_secs(20), ..Limits::default() };
    OperatorSettings { limits, ..settings(OnFailure::Fail) }
}

/// The fuel of one call of the drip, and whether it ended by itself.
fn fuel_of(turns: u64) -> (u64, bool) {
    let mut bench = dripping(turns, EngineMode::Fuel);
    let ended = bench.run_bytes("a", b"x").is_ok();
    (bench.metrics().plugin.fuel.get(), ended)
}

#[test]
fn a_drip_of_nine_tenths_of_what_a_call_may_take_is_within_its_limits() {
    let (allowed, ended) = fuel_of(NO_END);
    assert!(!ended && allowed > 1_000_000, "{allowed}");
    let (few, many) = (fuel_of(100_000).0, fuel_of(200_000).0);
    let (each, besides) = ((many - few) as f64 / 100_000.0, few - (many - few));
    let turns = |share: f64| ((allowed as f64 * share - besides as f64) / each) as u64;
    let (fuel, ended) = fuel_of(turns(0.9));
    let share = fuel as f64 / allowed as f64;
    assert!(ended && (0.899..0.901).contains(&share), "{share} of what it may take");
    assert!(!fuel_of(turns(1.01)).1, "and somewhat more than all is too much");
    with_a_neighbour(async |beside| {
        let plugin = drip(turns(0.9)).load("drip.wasm", engine(EngineMode::Fuel)).expect("loads");
        let calls_that_take_it = |status: &JobStatus| guest(status).plugin.fuel.get() > 5 * fuel;
        let job = job(plugin, hostile_settings(), (NO_END, 2_000.0));
        goes_on(beside, &job, calls_that_take_it).await;
    });
}

/// In production time is by the clock, and what a guest gets done in it is up to the machine: here its every call takes a tenth of a second at least, as measured, and
/// may take two hundred times that, so that a machine that is loaded later does not make a fault of it. Where exactly a call is stopped is tried in `weir-wasm`, by a
/// clock that the guest itself moves.
#[test]
fn a_drip_by_the_clock_is_not_stopped_beside_a_neighbour() {
    with_a_neighbour(async |beside| {
        let clock = beside.threads.runtime().clock;
        let tenth = Duration::from_millis(100);
        let takes = |turns| {
            let mut bench = dripping(turns, EngineMode::Epoch);
            let began = clock.now();
            bench.run_bytes("a", b"x").expect("it is far from the limit");
            clock.now() - began
        };
        let turns = (10..).map(|power| 1_u64 << power).find(|&turns| takes(turns) >= tenth).expect("a number of turns");
        let plugin = drip(turns).load("drip.wasm", engine(EngineMode::Epoch)).expect("loads");
        let job = job(plugin, by_the_clock(), (NO_END, 2_000.0));
        goes_on(beside, &job, |status| guest(status).records_in() > 20).await;
    });
}
