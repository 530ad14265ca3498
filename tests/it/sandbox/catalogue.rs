//! Hostile guests beside a healthy job, in one process and on the same threads: each way to misbehave, wherever the host enters a guest, and floods. Each is
//! contained with the error that says what it was; the neighbour comes further beside each of them, and loses nothing.
//!
//! How much the neighbour gets done meanwhile is a figure: `cargo bench -p weir-tests --bench neighbour`.

use super::neighbour::{Beside, NO_END, hostile_settings, job, with_a_neighbour};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::EngineError;
use weir_engine::job::{JobControl, JobOutcome, JobStatus, run_job};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::state::{WindowKind, WindowSettings};
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::time::WatermarkSettings;
use weir_tests::sandbox::{GUEST, GuestJob, PLACES, Place, WAYS, WatGuest, Way, engine, faulty, huge_value};
use weir_tests::simulation::{Disk, NumberSource};
use weir_wasm::{EngineMode, Limits, Plugin};

/// Two sessions of its key are open before a record comes that makes one of them.
fn sessions_that_meet(number: u64) -> i64 {
    match number {
        0..100 => 20 * number as i64,
        _ => 20 * (number as i64 - 100) + 10,
    }
}

/// How a hostile plugin's job ends, on `threads`.
async fn outcome(plugin: Plugin, place: Place, threads: &ThreadRuntime) -> Result<(), EngineError> {
    let mut job = hostile_job(plugin);
    let window = match place.entered() {
        Place::OnWindows => Some(WindowKind::Tumbling { size: 10, offset: 0 }),
        Place::Merge => Some(WindowKind::Session { gap: 15 }),
        _ => None,
    };
    if place.entered() == Place::Merge {
        (job.source.keys, job.source.time) = (1, sessions_that_meet);
    }
    end_of(&job, window.map(WindowSettings::new), threads).await
}

/// The default limit of what a key may keep.
const MOST_OF_A_KEY: u32 = 16 << 20;
/// A value just below it: the key counts too.
const JUST_BELOW: u32 = MOST_OF_A_KEY - 100;

/// The default limits, but for what comes back from a call, which is to be more than what a key may keep; and time is no limit.
fn huge_limits() -> Limits {
    Limits { output_bytes: 64 << 20, time_per_batch: Duration::from_secs(60), ..Limits::default() }
}

fn huge(bytes: u32) -> GuestJob {
    let mut job = hostile_job(huge_value(bytes).load("hostile.wasm", engine(EngineMode::Epoch)).expect("loads"));
    (job.source.keys, job.settings.limits) = (1, huge_limits());
    job
}

fn hostile_job(plugin: Plugin) -> GuestJob {
    job(plugin, hostile_settings(), (200, 2_000.0))
}

/// How this job ends.
async fn end_of(job: &GuestJob, window: Option<WindowSettings>, threads: &ThreadRuntime) -> Result<(), EngineError> {
    let disk = Disk::default();
    let mut graph = job.graph(&disk);
    graph.vertices[GUEST].window = window;
    let delay = Duration::from_secs(3_600);
    graph.vertices[0].watermark = Some(WatermarkSettings { delay, ..WatermarkSettings::default() });
    let store: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
    let (_control, inbox) = JobControl::new();
    let report = run_job(graph, job.options(store, &disk), threads.runtime(), Arc::new(JobStatus::new(3)), inbox).await;
    match report.outcome {
        JobOutcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// What becomes of a guest that does `bad` at `place`, which has to be refused.
async fn refused(place: Place, bad: &str, threads: &ThreadRuntime) -> Option<EngineError> {
    let plugin = match place.guest(bad).load("hostile.wasm", engine(EngineMode::Epoch)) {
        Ok(plugin) => plugin,
        Err(error) => return Some(error),
    };
    match place.entered() {
        Place::Migrate => {
            let mut values = weir_engine::Column::new();
            values.push(b"x");
            plugin.migrate(0, 1, &values, &hostile_settings().limits).err()
        }
        _ => outcome(plugin, place, threads).await.err(),
    }
}

/// How the error begins, before it says what it was.
fn attempted(place: Place) -> &'static str {
    match place.entered() {
        Place::Start | Place::Initialize | Place::Describe => "load plugin hostile.wasm: it does not describe itself: ",
        Place::Realloc | Place::Open => "operator \"shaky\" subtask 0: open: ",
        Place::Process | Place::OnTimers | Place::OnWindows => "operator \"shaky\" subtask 0",
        Place::Merge => "merge state \"value\" of plugin \"hostile\"",
        Place::Migrate | Place::Behind(_) => "migrate state \"value\" of plugin \"hostile\" from version 1: ",
    }
}

#[test]
fn every_hostile_guest_is_contained_and_its_neighbour_loses_nothing() {
    with_a_neighbour(async |beside| {
        for place in PLACES {
            for Way { name: way, code, error: expect } in WAYS {
                let attack = async || {
                    let refused = refused(place, code, &beside.threads).await;
                    let text = refused.unwrap_or_else(|| panic!("{way} at {place:?} is not refused")).to_string();
                    assert!(text.contains(attempted(place)) && text.contains(expect), "{way} at {place:?}: {text}");
                };
                beside.while_it_comes_further(attack).await;
            }
        }
    });
}

/// A new export is a new place.
#[test]
fn every_export_of_the_world_is_a_place_and_so_is_what_is_behind_it() {
    let mut world = wit_parser::Resolve::default();
    world.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/operator.wit")).expect("the world's text");
    let (_, world_of) = world.worlds.iter().find(|(_, world)| world.name == "operator").expect("the world");
    let exports: BTreeSet<String> = world_of
        .exports
        .values()
        .flat_map(|item| match item {
            wit_parser::WorldItem::Interface { id, .. } => world.interfaces[*id].functions.keys().cloned().collect(),
            other => vec![format!("{other:?}")],
        })
        .collect();
    let places = |is_behind| -> BTreeSet<String> {
        let of = PLACES.iter().filter(|place| (place.entered() != **place) == is_behind);
        of.filter_map(|place| place.export().map(str::to_owned)).collect()
    };
    assert_eq!(places(false), exports);
    assert_eq!(places(true), exports);
}

/// Guests that keep or give too much, one whose every record brings a new key, and one whose records open too many windows.
#[test]
fn every_flood_comes_to_its_limit_and_its_neighbour_loses_nothing() {
    with_a_neighbour(async |beside| {
        let limits = Limits { state_bytes_per_key: 20_000, ..hostile_settings().limits };
        for (asked, expect) in [
            ("timers:3000", "state-bytes-per-key"),
            ("items:3000", "state-bytes-per-key"),
            ("entries:3000", "state-bytes-per-key"),
            ("records:2000", "output-records"),
            ("flood:300000", "output-bytes"),
        ] {
            let mut job = hostile_job(faulty(EngineMode::Epoch));
            job.source.value = Arc::new(|_| asked.into());
            job.settings.limits = limits.clone();
            flood(beside, &job, None, &format!("(limits.{expect})")).await;
        }
        let mut keys = hostile_job(faulty(EngineMode::Epoch));
        (keys.source.count, keys.source.keys, keys.rate) = (NO_END, NO_END, 1e6);
        keys.settings.limits = Limits { state_bytes: Some(200_000), ..huge_limits() };
        flood(beside, &keys, None, "and 200000 are the most (limits.state-bytes)").await;
        flood(beside, &huge(MOST_OF_A_KEY + 1), None, "and 16777216 are the most (limits.state-bytes-per-key)").await;
        let windowed = hostile_job(WatGuest::windowed().load("hostile.wasm", engine(EngineMode::Epoch)).expect("loads"));
        let few = WindowSettings { max_per_key: 3, ..WindowSettings::new(WindowKind::Tumbling { size: 10, offset: 0 }) };
        flood(beside, &windowed, Some(few), "open windows, and it would open another (`limits.windows-per-key`)").await;
    });
}

/// Each of its batches hands sixteen mebibytes in and gives as many back, and each checkpoint holds them.
#[test]
fn a_value_as_large_as_it_may_be_is_kept_beside_a_neighbour() {
    with_a_neighbour(async |beside| {
        let job = huge(JUST_BELOW);
        let job = GuestJob { source: NumberSource { count: NO_END, ..job.source }, ..job };
        let (report, _) =
            beside.beside(&job, |status| status.metrics.vertices[GUEST].records_in() > 20 && status.completed.get() > 0).await;
        assert!(matches!(report.outcome, JobOutcome::Stopped), "{:?}", report.outcome);
    });
}

async fn flood(beside: &Beside, job: &GuestJob, window: Option<WindowSettings>, expect: &str) {
    let attack = async || {
        let text = end_of(job, window.clone(), &beside.threads).await.expect_err(expect).to_string();
        assert!(text.contains(attempted(Place::Process)) && text.contains(expect), "{expect}: {text}");
    };
    beside.while_it_comes_further(attack).await;
}
