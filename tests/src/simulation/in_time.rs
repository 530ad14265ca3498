//! All that may become of a job's processes, of jobs that go by time: [`STOPS`] and [`OTHERS`] of each of [`IN_TIME`].

use super::scenarios::{CALM, INCREMENTAL, OVERTAKING, PUBLISHING, timed_by};
use super::{
    Barriers, Counter, Scenario, Speaking, TimedBy, simulate_checkpoint_request, simulate_failing_uploads, simulate_found_splits,
    simulate_lost_entries, simulate_replaced_storage, simulate_slow_clearing, simulate_slow_start, simulate_stop_in_restart_delay,
    simulate_stop_on_trial, simulate_stops, simulate_takeover, simulate_unopened_state,
};
use std::time::Duration;
use weir_engine::ErrorKind;
use weir_engine::checkpoint::CheckpointConfig;
use weir_engine::job::{CheckpointRequest, JobOutcome, StopKind};

/// One of each kind that goes by time: until timers of event time and of the clock, in windows of the engine, in sessions, in ones that take late records and correct
/// what they said, by the clock, in windows that join, with states that have a time to live, and by the time that an operator gives.
pub const IN_TIME: [Scenario; 10] = [
    Scenario { counter: Counter::Timed, ..CALM },
    Scenario { counter: Counter::Clocked, ..CALM },
    Scenario { counter: Counter::Windowed, ..CALM },
    Scenario { counter: Counter::Sessions, ..CALM },
    Scenario { counter: Counter::Speaking(Speaking::Sessions), ..CALM },
    Scenario { counter: Counter::Speaking(Speaking::ByClock), ..CALM },
    Scenario { counter: Counter::WindowedJoin, ..CALM },
    Scenario { counter: Counter::Living, ..INCREMENTAL },
    timed_by(TimedBy::ChainedOperator, Counter::Timed, CALM),
    timed_by(TimedBy::Operator, Counter::Speaking(Speaking::Tumbling), CALM),
];

/// What may become of the processes of one job, from one seed. An error says what is wrong.
pub type Life = fn(u64, Scenario) -> Result<(), String>;

/// How jobs are stopped, and what comes of their checkpoints meanwhile.
pub const STOPS: [(&str, Life); 7] = [
    ("stopped-in-time", |seed, of| simulate_stops(seed, Scenario { failures: Some(400), barriers: Barriers::ExactlyOnce, ..of }).map(drop)),
    ("restart-delay-in-time", restart_delay),
    ("slow-clearing-in-time", |seed, of| match simulate_slow_clearing(seed, of)? {
        (JobOutcome::Stopped, took) if took < Duration::from_secs(3) => Ok(()),
        ended => Err(format!("it ended as {ended:?}")),
    }),
    ("failing-uploads-in-time", |seed, of| {
        simulate_failing_uploads(seed, Scenario { records: 150, ..of }, HASTY, Duration::from_millis(2_500)).map(drop)
    }),
    ("savepoint-in-time", |seed, of| savepoint(seed, of, CheckpointRequest::Savepoint)),
    ("unaligned-savepoint-in-time", |seed, of| savepoint(seed, of, CheckpointRequest::UnalignedSavepoint)),
    ("stopped-on-trial-in-time", stopped_on_trial),
];

/// Processes beside a job's, and storage, state and inputs that are not what they were.
pub const OTHERS: [(&str, Life); 8] = [
    ("taken-over-in-time", taken_over),
    ("outbox-taken-over-in-time", |seed, of| taken_over(seed, Scenario { outbox: PUBLISHING.outbox, ..of })),
    ("replaced-in-time", |seed, of| simulate_replaced_storage(seed, of, 3_000).map(drop)),
    ("slow-start-in-time", slow_start),
    ("stopped-start-in-time", stopped_start),
    ("lost-log-in-time", |seed, of| simulate_lost_entries(seed, Scenario { crash_within_polls: 3_000, ..of }).map(drop)),
    ("unopened-in-time", |seed, of| {
        let report = simulate_unopened_state(seed, of, ErrorKind::Restart, 3)?;
        let is_right = matches!(report.outcome, JobOutcome::Finished) && report.restarts == 3;
        if is_right { Ok(()) } else { Err(format!("{report:?}")) }
    }),
    ("found-in-time", found),
];

/// Checkpoints whose uploads fail are given up soon, and any number of them.
const HASTY: CheckpointConfig = CheckpointConfig {
    interval: Duration::from_millis(100),
    min_pause: Duration::ZERO,
    timeout: Duration::from_millis(400),
    max_concurrent: 1,
    tolerate_failures: 1_000_000,
    mode: weir_engine::checkpoint::CheckpointMode::ExactlyOnce,
    alignment: weir_engine::element::BarrierAlignment::Aligned,
    max_in_flight_bytes: 1 << 20,
    max_call_log_bytes: 1 << 20,
    stop_timeout: Duration::from_secs(10),
};

fn taken_over(seed: u64, of: Scenario) -> Result<(), String> {
    match simulate_takeover(seed, of)? {
        JobOutcome::Fenced(_) => Ok(()),
        other => Err(format!("the first ended as {other:?}")),
    }
}

/// What a list takes of the store of one that starts slowly.
const SLOW: Duration = Duration::from_millis(450);

fn slow_start(seed: u64, of: Scenario) -> Result<(), String> {
    let started = simulate_slow_start(seed, Scenario { records: 6_000, ..of }, SLOW, None)?;
    match (&started.first, &started.second) {
        (JobOutcome::Fenced(_), JobOutcome::Finished) if started.resumptions == 1 => Ok(()),
        _ => Err(format!("{started:?}")),
    }
}

fn stopped_start(seed: u64, of: Scenario) -> Result<(), String> {
    let kind = [StopKind::Suspend, StopKind::SuspendForSavepoint, StopKind::Cancel][seed as usize % 3];
    let started = simulate_slow_start(seed, Scenario { records: 6_000, ..of }, SLOW, Some(kind))?;
    match (&started.first, &started.second) {
        (JobOutcome::Finished, JobOutcome::Stopped | JobOutcome::Cancelled) if started.attempts == 0 => Ok(()),
        _ => Err(format!("{kind:?}: {started:?}")),
    }
}

fn restart_delay(seed: u64, of: Scenario) -> Result<(), String> {
    let kind = [StopKind::Suspend, StopKind::Cancel][seed as usize % 2];
    match simulate_stop_in_restart_delay(seed, Scenario { failures: Some(20), ..of }, kind) {
        (JobOutcome::Stopped | JobOutcome::Cancelled, took) if took < Duration::from_secs(10) => Ok(()),
        // The next attempt may fail too.
        (JobOutcome::Failed(error), _) if error.to_string().contains("failed while stopping") => Ok(()),
        ended => Err(format!("{kind:?}: {ended:?}")),
    }
}

fn savepoint(seed: u64, of: Scenario, request: CheckpointRequest) -> Result<(), String> {
    let down = [Duration::ZERO, Duration::from_millis(200)][seed as usize % 2];
    // Where nothing has been said there is nothing to wait for.
    let (answer, _) = simulate_checkpoint_request(seed, of, HASTY, request, down)?;
    answer.map(drop).map_err(|error| error.to_string())
}

fn stopped_on_trial(seed: u64, of: Scenario) -> Result<(), String> {
    // Version 2 is changed over to at a barrier, version 4 through a redeployment.
    let (version, kind) = [(2, StopKind::Suspend), (4, StopKind::SuspendForSavepoint)][seed as usize % 2];
    let stopped = simulate_stop_on_trial(seed, changing(of.counter, of), version, Duration::from_secs(10), kind)?;
    let is_right = matches!(stopped.outcome, JobOutcome::Failed(_)) && stopped.took < Duration::from_millis(1_500);
    if is_right { Ok(()) } else { Err(format!("version {version}: {stopped:?}")) }
}

/// Every kind finds splits: what it takes no late records of is given ones that are newer than all before them.
fn found(seed: u64, of: Scenario) -> Result<(), String> {
    // Joined are two sides of a quarter of the records each: as many as others have.
    let records = if of.counter == Counter::WindowedJoin { 4 * OVERTAKING.records } else { OVERTAKING.records };
    let Scenario { keys, counted_keys, counter, timed_by, .. } = of;
    simulate_found_splits(seed, Scenario { records, keys, counted_keys, counter, timed_by, ..OVERTAKING }).map(drop)
}

/// A job that is changed while it runs, or between its runs, and in which this counts: with so many keys that windows are over again and again.
pub const fn changing(counter: Counter, scenario: Scenario) -> Scenario {
    let keys = match counter {
        Counter::Living => 600,
        Counter::Speaking(Speaking::Sessions) => 5,
        _ => 15,
    };
    Scenario { keys, counter, ..scenario }
}
