//! Every bit and every byte of a small checkpoint changed, and every object of it cut off at every length: a start refuses each by name and offers the
//! checkpoint before it. It never panics and never goes on from what is damaged.
//!
//! `damage` does a few of these to the real binary; here they are all done, in process. What a checkpoint is made of comes from [`JOBS`], and what it is made of where
//! jobs go by time from [`IN_TIME`].

use bytes::Bytes;
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_engine::checkpoint::paths;
use weir_engine::element::CheckpointId;
use weir_engine::job::{JobOutcome, StartMode};
use weir_engine::replay::{LoggedRun, ReplayPoint, RunStart};
use weir_engine::runtime::{ConnectorIo, Simulator};
use weir_engine::state::MemoryBackendFactory;
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::{EngineError, ErrorKind};
use weir_tests::simulation::scenarios::{CALM, speaking, timed_by};
use weir_tests::simulation::{
    Barriers, Counter, Disk, Scenario, Speaking, TimedBy, different_lines, judge_finished, kept_of_counters, simulate_process,
};

/// Few records and keys: what is written of them is small.
const SMALL: Scenario = Scenario { records: 600, keys: 3, ..CALM };

/// The jobs whose checkpoints are damaged, each with what shows in an object's name or contents that they have written that kind. Between them they
/// write every kind of object.
const JOBS: [(Scenario, &str); 4] = [
    (SMALL, ".state"),
    (Scenario { keys: 600, counted_keys: 600, ..SMALL }, "\"deltas\":[{"),
    (Scenario { barriers: Barriers::Unaligned, ..SMALL }, ".in-flight"),
    (Scenario { keys: 20, counter: Counter::Join, ..SMALL }, ".broadcast"),
];

/// The jobs that go by time, each with what its newest checkpoint keeps: timers by event time and by the clock, open windows and one that has spoken already, values
/// that expire, and how far time had come, by what came in and by what was emitted.
const IN_TIME: [(Scenario, &[&str]); 5] = [
    (Scenario { counter: Counter::Timed, ..SMALL }, &["counts", "weir:timer:over", "floors"]),
    (Scenario { counter: Counter::Clocked, ..SMALL }, &["numbers", "due", "weir:timer:over", "clock"]),
    (speaking(Speaking::Tumbling, SMALL), &["numbers", "counted", "weir:window", "weir:window+", "floors"]),
    (Scenario { counter: Counter::Living, ..SMALL }, &["written", "event", "read", "clock", "floors"]),
    (timed_by(TimedBy::Operator, Counter::Sessions, SMALL), &["count", "weir:window", "floors", "largest"]),
];

/// Checkpoints of a job that is killed then; two are kept.
const CHECKPOINTS: u64 = 2;

/// What a killed job has left.
struct Left {
    scenario: Scenario,
    objects: BTreeMap<String, Bytes>,
    disk: Disk,
}

/// A store in memory answers at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory does not wait")
}

impl Left {
    /// What the first seed leaves that writes `kind`.
    fn by(scenario: Scenario, kind: &str) -> Self {
        let mut seeds = (1..200).map(|seed| Self::by_seed(seed, scenario));
        seeds.find(|left| left.holds(kind)).unwrap_or_else(|| panic!("no seed writes {kind}"))
    }

    /// What the first seed leaves of which the newest checkpoint keeps all of these.
    fn keeping(scenario: Scenario, kept: &[&str]) -> Self {
        let mut seeds = (1..200).map(|seed| Self::by_seed(seed, scenario));
        let keeps = |left: &Self| {
            let of_newest = kept_of_counters(&left.store(None)).expect("it is whole");
            kept.iter().all(|name| of_newest.contains(*name))
        };
        seeds.find(keeps).unwrap_or_else(|| panic!("no seed keeps {kept:?}"))
    }

    /// A copy of what is left, with another object.
    fn store(&self, other: Option<(&str, Bytes)>) -> Arc<dyn Store> {
        let store = ObjectStorage::in_memory();
        let whole = self.objects.iter().map(|(path, bytes)| (path.as_str(), bytes.clone()));
        let is_other = |path: &str| other.as_ref().is_some_and(|(other, _)| *other == path);
        for (path, bytes) in whole.filter(|(path, _)| !is_other(path)).chain(other.clone()) {
            now(store.put(path, vec![bytes])).expect("it can be written");
        }
        Arc::new(store)
    }

    /// True where the newest checkpoint has an object of this kind, and none that only some starts read: of broadcast state a start at a lower
    /// parallelism leaves copies alone.
    fn holds(&self, kind: &str) -> bool {
        let contains = |bytes: &[u8]| bytes.windows(kind.len()).any(|window| window == kind.as_bytes());
        let is_another_copy = |path: &str| path.ends_with(".broadcast") && !path.contains("-join-0-");
        self.read_by_a_start().any(|(path, bytes)| path.contains(kind) || contains(bytes))
            && !self.read_by_a_start().any(|(path, _)| is_another_copy(path))
    }

    fn by_seed(seed: u64, scenario: Scenario) -> Self {
        let (disk, store) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
        let ended = simulate_process(seed, scenario, &disk, store.clone(), StartMode::Resume, Some(CHECKPOINTS));
        assert!(ended.is_none(), "it is killed on its way: {ended:?}");
        let paths = now(store.list("")).expect("it can be listed");
        let read = |path: String| (now(store.get(&path)).expect("it can be read").expect("it is listed"), path);
        Self { scenario, objects: paths.into_iter().map(read).map(|(bytes, path)| (path, bytes)).collect(), disk }
    }

    /// Starts the job on a copy of what is left, with the object at `path` as `bytes`.
    fn start(&self, path: &str, bytes: Bytes, start: StartMode) -> (JobOutcome, Disk, Arc<dyn Store>) {
        let (store, disk) = (self.store(Some((path, bytes))), self.disk.copy());
        let outcome = simulate_process(2, self.scenario, &disk, store.clone(), start, None);
        (outcome.expect("nobody kills it"), disk, store)
    }

    /// The objects that a start from the newest checkpoint reads: the whole log, and what belongs to that checkpoint.
    fn read_by_a_start(&self) -> impl Iterator<Item = (&String, &Bytes)> {
        let newest = |path: &str| paths::owner_of(path).is_some_and(|(_, id)| id == CheckpointId(CHECKPOINTS));
        self.objects.iter().filter(move |(path, _)| paths::log_seq(path).is_some() || newest(path))
    }

    /// A start with the object at `path` as `bytes` has to be refused, with the object's name.
    #[track_caller]
    fn refused(&self, path: &str, bytes: Bytes, how: &str) {
        let (outcome, ..) = self.start(path, bytes, StartMode::Resume);
        let JobOutcome::Failed(error) = outcome else { panic!("{path}, {how}: {outcome:?}") };
        assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains(path), "{path}, {how}: {error:?}");
        let offered = format!("`--from {}`", CHECKPOINTS - 1);
        // Without its log nobody knows of an older checkpoint.
        let offers = error.hint().is_some_and(|hint| hint.contains(&offered));
        assert_eq!(offers, paths::log_seq(path).is_none(), "{path}, {how}: {error:?}");
    }

    /// The older checkpoint has to lead to the end, with the object at `path` damaged.
    fn falls_back(&self, path: &str) {
        let older = StartMode::From { checkpoint_id: CheckpointId(CHECKPOINTS - 1), again: false };
        let (outcome, disk, store) = self.start(path, Bytes::new(), older);
        assert!(matches!(outcome, JobOutcome::Finished), "{path}: {outcome:?}");
        // What the newest checkpoint had committed comes again.
        let expected = different_lines(self.scenario);
        if expected.is_empty() {
            let at_least_once = Scenario { barriers: Barriers::AtLeastOnce, ..self.scenario };
            return judge_finished(&disk, &store, at_least_once).unwrap_or_else(|what| panic!("{path}: {what}"));
        }
        assert_eq!(disk.committed().into_iter().collect::<BTreeSet<_>>(), expected, "{path}");
    }

    /// Every byte of `objects` is changed by each of these masks, and each of them is cut off at every length.
    fn damage(&self, objects: &[(&String, &Bytes)], masks: &[u8]) {
        let places: Vec<_> = objects.iter().flat_map(|(path, whole)| (0..whole.len()).map(move |place| (*path, *whole, place))).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for some in places.chunks(places.len().div_ceil(threads)) {
                scope.spawn(move || some.iter().for_each(|(path, whole, place)| self.damage_at(path, whole, *place, masks)));
            }
        });
        for (path, _) in objects.iter().filter(|(path, _)| paths::log_seq(path).is_none()) {
            self.falls_back(path);
        }
    }

    fn damage_at(&self, path: &str, whole: &Bytes, place: usize, masks: &[u8]) {
        for mask in masks {
            let mut changed = whole.to_vec();
            changed[place] ^= mask;
            self.refused(path, changed.into(), &format!("byte {place} changed by {mask:#x}"));
        }
        self.refused(path, whole.slice(..place), &format!("cut off at {place}"));
    }
}

/// Each bit, and all of them.
const EVERY_BIT: [u8; 9] = [1, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 0xff];

#[test]
fn every_changed_byte_and_every_truncation_is_refused_by_name_and_the_older_checkpoint_leads_to_the_end() {
    for (scenario, kind) in JOBS {
        let left = Left::by(scenario, kind);
        let objects: Vec<_> = left.read_by_a_start().collect();
        let folders: BTreeSet<_> = objects.iter().map(|(path, _)| path.split('/').next().expect("a folder")).collect();
        assert_eq!(folders, BTreeSet::from([paths::LOG, paths::CHECKPOINTS, paths::STATE]));
        let bytes: usize = objects.iter().map(|(_, bytes)| bytes.len()).sum();
        println!("{kind}: {} objects, {bytes} bytes", objects.len());
        left.damage(&objects, &EVERY_BIT);
    }
}

#[test]
fn every_changed_byte_of_windows_timers_and_times_to_live_is_refused_by_name() {
    for (scenario, kept) in IN_TIME {
        let left = Left::keeping(scenario, kept);
        // What is not of time is damaged above.
        let of_time = |path: &str| path.starts_with(paths::CHECKPOINTS) || path.contains("-count-");
        let objects: Vec<_> = left.read_by_a_start().filter(|(path, _)| of_time(path)).collect();
        let bytes: usize = objects.iter().map(|(_, bytes)| bytes.len()).sum();
        println!("{kept:?}: {} objects, {bytes} bytes", objects.len());
        left.damage(&objects, &[1 << (bytes % 8)]);
    }
}

/// Reads what is recorded of `count` behind the last but one checkpoint, on a store that holds `objects`.
fn read_call_log(objects: &BTreeMap<String, Bytes>) -> Result<usize, EngineError> {
    let store = ObjectStorage::in_memory();
    objects.iter().for_each(|(path, bytes)| now(store.put(path, vec![bytes.clone()])).expect("it can be written"));
    let base = ReplayPoint {
        metadata: None,
        store: Arc::new(store),
        io: ConnectorIo::of(&Simulator::new(1).runtime()),
        clock: Simulator::new(1).runtime().clock,
        backends: Arc::new(MemoryBackendFactory::new(1)),
        processing_time: 0,
    };
    now(async {
        let mut run = LoggedRun::find("count", &base, RunStart::Newest).await?.expect("it is recorded");
        let stretch = run.next().await?.expect("a checkpoint behind it");
        let mut calls = 0;
        for subtask in 0..stretch.parallelism() {
            calls += stretch.calls(subtask).await?.calls.len();
        }
        Ok(calls)
    })
}

#[test]
fn every_changed_byte_of_a_recording_is_refused_by_name() {
    let left = Left::by(Scenario { record: true, ..SMALL }, ".recording");
    let calls = read_call_log(&left.objects).expect("undamaged");
    assert!(calls > 0, "nothing is recorded");
    let call_logs: Vec<_> = left.read_by_a_start().filter(|(path, _)| path.ends_with(".recording")).collect();
    for (path, whole) in call_logs {
        let refused = |bytes: Bytes, how: &str| {
            let mut objects = left.objects.clone();
            objects.insert(path.clone(), bytes);
            let error = read_call_log(&objects).expect_err(how);
            assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains(path.as_str()), "{path}, {how}: {error:?}");
        };
        for place in (0..whole.len()).step_by(7).chain(0..32).chain(whole.len() - 64..whole.len()) {
            let mut changed = whole.to_vec();
            changed[place] ^= 1 << (place % 8);
            refused(changed.into(), &format!("byte {place} changed"));
            refused(whole.slice(..place), &format!("cut off at {place}"));
        }
    }
}
