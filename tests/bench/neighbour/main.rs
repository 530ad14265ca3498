//! What a healthy job gets done beside a hostile one, in the same process and on the same threads: the records per second of a keyed count alone, and beside
//! a guest that misbehaves with every record that it is given, all of which are set aside.
//!
//! `cargo bench -p weir-tests --bench neighbour [-- SECONDS]`; `WEIR_ROUNDS` (5) rounds, in which the variants take turns, each for SECONDS (2). The time is
//! given and not the number of records: beside a guest that spins it would take minutes. There are two data threads: such a guest holds one of them for its
//! whole time, again and again, and both as often as both of its subtasks have a batch.

use std::sync::Arc;
use std::time::Duration;
use weir_engine::checkpoint::CheckpointConfig;
use weir_engine::job::{JobControl, JobOutcome, JobStatus, RestartPolicy, StopKind, run_job};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::storage::{ObjectStorage, Store};
use weir_tests::sandbox::{Aside, GUEST, GuestJob, Place, WAYS, engine, keyed_count};
use weir_tests::simulation::{Disk, NumberSource, ReadOrder, in_order};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin, QuarantineLimit};

/// What one call of the hostile guest may take.
const TIME: Duration = Duration::from_millis(50);

/// How long both jobs have run before the healthy one's records are counted.
const WARM_UP: Duration = Duration::from_millis(500);

fn job(operator: &str, plugin: Plugin, rate: f64) -> GuestJob {
    let limit = QuarantineLimit { records: u64::MAX, share_percent: 100, share_from: u64::MAX };
    let limits = Limits { time_per_batch: TIME, memory: 8 << 20, ..Limits::default() };
    let settings = OperatorSettings { operator: operator.into(), config: "{}".into(), limits, on_failure: OnFailure::Quarantine { limit } };
    let value = Arc::new(|number| format!("{number}"));
    GuestJob {
        source: NumberSource { count: u64::MAX / 2, keys: 1_000, splits: 2, order: ReadOrder::OneByOne, value, time: in_order },
        rate,
        parallelism: 2,
        plugin,
        settings,
        aside: Aside::Storage,
        checkpoints: CheckpointConfig::default(),
        restart: RestartPolicy::default(),
    }
}

/// Records per second of the healthy job over `span`, from [`WARM_UP`] on, beside `hostile` where there is one.
fn rate(span: Duration, hostile: Option<&Plugin>) -> f64 {
    let threads = ThreadRuntime::new(2).expect("threads");
    let mut healthy = job("healthy", keyed_count(EngineMode::Epoch), 1e9);
    healthy.settings.limits.time_per_batch = Duration::from_secs(10);
    let jobs: Vec<GuestJob> = std::iter::once(healthy).chain(hostile.map(|plugin| job("hostile", plugin.clone(), 10_000.0))).collect();
    let mut controls = Vec::new();
    let mut statuses = Vec::new();
    let runs = jobs.iter().map(|job| {
        let (control, inbox) = JobControl::new();
        let (disk, store): (_, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
        let status = Arc::new(JobStatus::new(4));
        controls.push(control);
        statuses.push(Arc::clone(&status));
        run_job(job.graph(&disk), job.options(store, &disk), threads.runtime(), status, inbox)
    });
    let runs = futures_util::future::join_all(runs);
    let records = || statuses[0].metrics.vertices[GUEST].records_in();
    let runtime = threads.runtime();
    let measured = async {
        runtime.clock.sleep_until(runtime.clock.now() + WARM_UP).await;
        let (began, before) = (runtime.clock.now(), records());
        runtime.clock.sleep_until(began + span).await;
        let rate = (records() - before) as f64 / (runtime.clock.now() - began).as_secs_f64();
        controls.iter().for_each(|control| control.stop(StopKind::Cancel));
        rate
    };
    let (rate, reports) = threads.block_on(async { futures_util::future::join(measured, runs).await });
    reports.iter().for_each(|report| assert!(matches!(report.outcome, JobOutcome::Cancelled), "{:?}", report.outcome));
    threads.shutdown();
    rate
}

fn main() {
    let number = |text: String| text.parse::<u64>().ok();
    let seconds = std::env::args().skip(1).find_map(number).unwrap_or(2);
    let rounds = std::env::var("WEIR_ROUNDS").ok().and_then(number).unwrap_or(5);
    let hostile = |way: &weir_tests::sandbox::Way| {
        let plugin = Place::Process.guest(way.code).load("hostile.wasm", engine(EngineMode::Epoch)).expect("loads");
        (way.name, Some(plugin))
    };
    let variants: Vec<(&str, Option<Plugin>)> = std::iter::once(("nobody", None)).chain(WAYS.iter().map(hostile)).collect();
    let mut rates = vec![Vec::new(); variants.len()];
    for _ in 0..rounds {
        variants.iter().zip(&mut rates).for_each(|((_, plugin), rates)| rates.push(rate(Duration::from_secs(seconds), plugin.as_ref())));
    }
    println!("keyed-count for {seconds} s, beside: records/s, median of {rounds} rounds (minimum to maximum), share of the rate alone");
    let median = |rates: &[f64]| rates[rates.len() / 2];
    rates.iter_mut().for_each(|rates| rates.sort_by(f64::total_cmp));
    for ((name, _), of) in variants.iter().zip(&rates) {
        let (least, most) = (of[0], of[of.len() - 1]);
        println!("  {name:<28} {:>11.0} ({least:.0} to {most:.0})  {:.2}", median(of), median(of) / median(&rates[0]));
    }
}
