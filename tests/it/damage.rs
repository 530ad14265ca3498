//! Damaged objects of a job: a run refuses them by name, and says which older checkpoint it could start from.

use crate::WEIR;
use std::fs;
use std::path::{Path, PathBuf};
use weir_tests::process::{Bench, Job, Seed, Signal, TimedJob, WordCount};

/// A job that was stopped with several completed checkpoints behind it.
fn stopped_job() -> Bench {
    stopped(WordCount { parallelism: 2, ..WordCount::unhurried() })
}

/// The same of any job.
fn stopped<J: Job>(job: J) -> Bench<J> {
    let bench = Bench::new(WEIR, job);
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("four checkpoints", || bench.log().completed.len() >= 4));
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    bench.hasten();
    bench
}

/// Checkpoints that a job keeps.
const RETAINED: usize = 3;

/// What happens to an object. Places are drawn.
#[derive(Clone, Copy, Debug)]
enum Damage {
    FlippedBit,
    Truncated,
    Emptied,
    Deleted,
}

const DAMAGES: [Damage; 6] =
    [Damage::FlippedBit, Damage::FlippedBit, Damage::FlippedBit, Damage::Truncated, Damage::Emptied, Damage::Deleted];

impl Damage {
    /// Damages the object at `path`, and says how.
    fn inflict(self, path: &Path, seed: &mut Seed) -> String {
        let mut bytes = fs::read(path).expect("an object");
        let length = bytes.len() as u64;
        let how = match self {
            Self::FlippedBit => {
                let (byte, bit) = (seed.draw(..length), seed.draw(..8));
                bytes[byte as usize] ^= 1 << bit;
                format!("bit {bit} of byte {byte} flipped")
            }
            Self::Truncated => {
                bytes.truncate(seed.draw(1..length) as usize);
                format!("cut off at {} of {length}", bytes.len())
            }
            Self::Emptied => {
                bytes.clear();
                "emptied".to_owned()
            }
            Self::Deleted => {
                fs::remove_file(path).expect("it is there");
                return format!("{}: deleted", path.display());
            }
        };
        fs::write(path, bytes).expect("it can be written");
        format!("{}: {how}", path.display())
    }
}

/// Damages `objects` in turn, each of them mended again behind it. A run has to refuse each by name and with `parts`.
#[track_caller]
fn check<J: Job>(bench: &Bench<J>, objects: &[PathBuf], damages: &[Damage], parts: &[&str]) {
    let mut seed = Seed::of_run();
    let committed = bench.committed();
    for (damage, object) in damages.iter().zip(objects.iter().cycle()) {
        let whole = fs::read(object).expect("an object");
        let how = damage.inflict(object, &mut seed);
        println!("{how}");
        let name = object.strip_prefix(bench.storage()).expect("an object of the job").display().to_string();
        let refused = bench.run("run job.toml --output json");
        refused.assert(1, &[&name]).assert(1, parts);
        let document = refused.document();
        assert_eq!(document["outcome"], "failed", "{how}");
        assert!(document["error"].as_str().is_some_and(|error| error.contains(&name)), "{how}: {document}");
        fs::write(object, whole).expect("it can be mended");
    }
    assert_eq!(bench.committed(), committed, "a refused run commits nothing");
}

/// Starts from an older checkpoint than the newest, whose object at `object` is damaged, and lets the job finish.
fn check_fallback<J: Job>(bench: &Bench<J>, object: &Path, previous: u64) {
    println!("{}", Damage::FlippedBit.inflict(object, &mut Seed::of_run()));
    let finished = bench.run(&format!("run job.toml --from {previous} --output json"));
    finished.assert(0, &[&format!("resuming from checkpoint {previous}")]);
    assert_eq!(finished.document()["outcome"], "finished");
    bench.assert_at_least_once();
    // What the newest checkpoint had committed beyond it has come again, and no more than that.
    let twice = bench.committed().values().filter(|count| **count > 1).count();
    assert!(twice < bench.job().output().len() / 2, "{twice} lines came twice");
    assert!(bench.committed().values().all(|count| *count <= 2));
}

#[test]
fn damaged_metadata_is_refused_by_name_and_an_older_checkpoint_is_offered() {
    let bench = stopped_job();
    let log = bench.log();
    let object = bench.storage().join(&log.newest().metadata);
    let hint = format!("`--from {}`", log.previous().id);
    check(&bench, std::slice::from_ref(&object), &DAMAGES, &[&hint]);
    check_fallback(&bench, &object, log.previous().id);
}

/// Damages each object of state of the job's newest checkpoint, and one that it alone has in all ways.
#[track_caller]
fn check_state<J: Job>(bench: &Bench<J>, damages: &[Damage]) {
    let log = bench.log();
    let objects = bench.state_objects(&log.newest().metadata);
    assert!(objects.len() >= 2, "one at least for each subtask that counts: {objects:?}");
    // Checkpoints share objects: the newest of those that are kept and do not need this one is offered.
    let kept = &log.completed[log.completed.len() - RETAINED..];
    let without =
        |object: &PathBuf| kept.iter().rev().find(|older| !bench.state_objects(&older.metadata).contains(object)).map(|older| older.id);
    let hint = |object: &PathBuf| without(object).map_or_else(String::new, |older| format!("`--from {older}`"));
    objects.iter().zip(DAMAGES.iter().cycle()).for_each(|(object, damage)| {
        check(bench, std::slice::from_ref(object), &[*damage], &[&hint(object)]);
    });
    let own = objects.iter().find_map(|object| Some((object, without(object)?)));
    let (own, older) = own.expect("the newest checkpoint has written something itself");
    check(bench, std::slice::from_ref(own), damages, &[&hint(own)]);
    check_fallback(bench, own, older);
}

#[test]
fn a_damaged_state_object_is_refused_by_name_and_an_older_checkpoint_is_offered() {
    check_state(&stopped_job(), &DAMAGES);
}

#[test]
fn damaged_windows_and_timers_are_refused_by_name_and_an_older_checkpoint_is_offered() {
    let bench = stopped(TimedJob { parallelism: 2, ..TimedJob::unhurried() });
    bench.run("state scan job.toml windows --limit 1").assert(0, &[]);
    check_state(&bench, &DAMAGES[2..]);
}

#[test]
fn a_damaged_entry_of_the_log_is_refused_by_name() {
    let bench = stopped_job();
    let entries = bench.log().entries;
    let mut seed = Seed::of_run();
    // A log that ends earlier is a log as well: only what is behind shows that an entry is missing.
    let objects: Vec<_> = (0..6).map(|_| bench.log_entry(seed.draw(1..entries))).collect();
    check(&bench, &objects, &DAMAGES, &[]);
    check(&bench, &[bench.log_entry(entries)], &DAMAGES[..5], &[]);
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn a_checkpoint_that_has_been_deleted_since_cannot_be_started_from() {
    let bench = stopped_job();
    let hint = "only the newest checkpoints are kept (`retain`); `weir checkpoint list JOB` shows which";
    let oldest = bench.log().completed[0].id;
    bench.run(&format!("run job.toml -q --from {oldest}")).assert(1, &[&format!("read checkpoint {oldest}: "), hint]);
    bench.run("run job.toml -q --from 99").assert(1, &["start from checkpoint 99: the job has no completed checkpoint with that id"]);
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}
