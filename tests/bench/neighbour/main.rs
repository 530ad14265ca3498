//! What a healthy job gets done beside a hostile one, in the same process and on the same threads: the records per second of a keyed count alone, and beside
//! a guest that misbehaves with every record that it is given, all of which are set aside.
//!
//! `cargo bench -p weir-tests --bench neighbour [-- RECORDS]`; `WEIR_ROUNDS` (5) rounds, in which the variants take turns. It has two data threads: a guest that
//! spins holds one of them for its whole time, so half of the rate is what a neighbour of one that never stops can hope for.

use std::sync::Arc;
use std::time::Duration;
use weir_engine::checkpoint::CheckpointConfig;
use weir_engine::job::{JobControl, JobOutcome, JobStatus, RestartPolicy, StopKind, run_job};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::storage::{ObjectStorage, Store};
use weir_tests::sandbox::{Aside, GuestJob, Place, WAYS, engine, keyed_count};
use weir_tests::simulation::{Disk, NumberSource, ReadOrder, in_order};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin, QuarantineLimit};

/// What one call of the hostile guest may take.
const TIME: Duration = Duration::from_millis(50);

fn job(operator: &str, plugin: Plugin, (count, rate): (u64, f64)) -> GuestJob {
    let limit = QuarantineLimit { records: u64::MAX, share_percent: 100, share_from: u64::MAX };
    let limits = Limits { time_per_batch: TIME, memory: 8 << 20, ..Limits::default() };
    let settings = OperatorSettings { operator: operator.into(), config: "{}".into(), limits, on_failure: OnFailure::Quarantine { limit } };
    let value = Arc::new(|number| format!("{number}"));
    GuestJob {
        source: NumberSource { count, keys: 1_000, splits: 2, order: ReadOrder::OneByOne, value, time: in_order },
        rate,
        parallelism: 2,
        plugin,
        settings,
        aside: Aside::Storage,
        checkpoints: CheckpointConfig::default(),
        restart: RestartPolicy::default(),
    }
}

/// Records per second of the healthy job, beside `hostile` where there is one.
fn rate(records: u64, hostile: Option<&Plugin>) -> f64 {
    let threads = ThreadRuntime::new(2).expect("threads");
    let mut healthy = job("healthy", keyed_count(EngineMode::Epoch), (records, 1e9));
    healthy.settings.limits.time_per_batch = Duration::from_secs(10);
    let beside = hostile.map(|plugin| job("hostile", plugin.clone(), (u64::MAX / 2, 10_000.0)));
    let clock = threads.runtime().clock;
    let start = |job: &GuestJob| {
        let (control, inbox) = JobControl::new();
        let (disk, store): (_, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
        (control, run_job(job.graph(&disk), job.options(store, &disk), threads.runtime(), Arc::new(JobStatus::new(4)), inbox))
    };
    let (hostile, beside) = beside.as_ref().map(start).unzip();
    let (_control, run) = start(&healthy);
    let measured = async {
        let began = clock.now();
        let report = run.await;
        let took = clock.now() - began;
        assert!(matches!(report.outcome, JobOutcome::Finished), "{:?}", report.outcome);
        hostile.iter().for_each(|control| control.stop(StopKind::Cancel));
        records as f64 / took.as_secs_f64()
    };
    let beside = async {
        if let Some(run) = beside {
            let report = run.await;
            assert!(matches!(report.outcome, JobOutcome::Cancelled), "{:?}", report.outcome);
        }
    };
    let (rate, ()) = threads.block_on(async { futures_util::future::join(measured, beside).await });
    threads.shutdown();
    rate
}

fn main() {
    let number = |text: String| text.parse::<u64>().ok();
    let records = std::env::args().skip(1).find_map(number).unwrap_or(2_000_000);
    let rounds = std::env::var("WEIR_ROUNDS").ok().and_then(number).unwrap_or(5);
    let hostile = |way: &weir_tests::sandbox::Way| {
        let plugin = Place::Process.guest(way.code).load("hostile.wasm", engine(EngineMode::Epoch)).expect("loads");
        (way.name, Some(plugin))
    };
    let variants: Vec<(&str, Option<Plugin>)> = std::iter::once(("nobody", None)).chain(WAYS.iter().map(hostile)).collect();
    let mut rates = vec![Vec::new(); variants.len()];
    for _ in 0..rounds {
        variants.iter().zip(&mut rates).for_each(|((_, plugin), rates)| rates.push(rate(records, plugin.as_ref())));
    }
    println!("keyed-count, {records} records, beside: records/s, median of {rounds} rounds (minimum to maximum), share of the rate alone");
    let median = |rates: &[f64]| rates[rates.len() / 2];
    rates.iter_mut().for_each(|rates| rates.sort_by(f64::total_cmp));
    for ((name, _), of) in variants.iter().zip(&rates) {
        let (least, most) = (of[0], of[of.len() - 1]);
        println!("  {name:<28} {:>11.0} ({least:.0} to {most:.0})  {:.2}", median(of), median(of) / median(&rates[0]));
    }
}
