//! Versions of a plugin that keep a state for another time than the one before: for good, for longer, by the clock. What had not expired by then is judged by the
//! new declaration, and counts as written when the new version took over, where there is no stamp of the time that it goes by; `weir state` shows what the plugin sees.

use crate::WEIR;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use weir_tests::process::{Bench, Lines, Running, WordCount, examples, plugin};

/// A state that lives for a day of event time, one for good, for three days, for a day by the clock.
const DAY: &str = "dedup";
const FOR_GOOD: &str = "dedup_for_good";
const FOR_LONGER: &str = "dedup_for_longer";
const BY_CLOCK: &str = "dedup_by_clock";

fn component(version: &str) -> PathBuf {
    if version == DAY { plugin(DAY) } else { examples("other-versions").join(format!("{version}.wasm")) }
}

/// How one version takes the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The job is stopped with a savepoint, which it starts from at another parallelism.
    Savepoint,
    /// The running job is upgraded.
    Live,
}

/// A job whose file grows, in which the first record of a key passes.
struct Growing {
    bench: Bench,
    process: Running,
    change: Change,
    version: &'static str,
    changes: u32,
    expected: Lines,
    rows: u64,
    /// To which time has come.
    hour: u64,
}

fn job_file(version: &str, parallelism: u32) -> String {
    format!(
        "name = \"words\"
parallelism = {parallelism}
[checkpoints]
interval = \"30ms\"
[source.rows]
connector = \"file\"
path = \"rows.csv\"
format = \"csv\"
key = \"key\"
timestamp = \"time\"
watermark = {{ delay = \"0s\" }}
follow = true
[operator.dedup]
plugin = {:?}
input = {{ from = \"rows\", by = \"key\" }}
[sink.out]
connector = \"file\"
input = \"dedup\"
path = \"out\"
",
        component(version)
    )
}

impl Growing {
    fn new(version: &'static str, change: Change) -> Self {
        let bench = Bench::new(WEIR, WordCount { lines: 0, ..WordCount::default() });
        fs::write(bench.path("rows.csv"), "key,time,number\n").expect("an input");
        bench.write_job(&job_file(version, 2));
        let process = bench.start("run job.toml -q");
        Self { bench, process, change, version, changes: 0, expected: Lines::new(), rows: 0, hour: 0 }
    }

    /// Hands in rows, `a+` of the key `a` that passes, `a-` one that does not, and then lets time come to this hour. The rows are of the hour before.
    #[track_caller]
    fn hour(&mut self, hour: u64, rows: &str) {
        // The last row is the only one of its key: where it has passed, the others have been worked off.
        let (last, mut text) = (format!("last{hour}+"), String::new());
        let times = rows.split_whitespace().map(|row| (row, self.hour)).chain([(last.as_str(), hour)]);
        for (row, hour) in times {
            self.rows += 1;
            let line = format!("{},{},{}", row.trim_end_matches(['+', '-']), hour * 3_600_000, self.rows);
            text += &(line.clone() + "\n");
            if row.ends_with('+') {
                self.expected.insert(line, 1);
            }
        }
        self.hour = hour;
        let mut file = fs::File::options().append(true).open(self.bench.path("rows.csv")).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let last = text.trim_end().rsplit('\n').next().expect("a line").to_owned();
        // Parts of one checkpoint are committed one after the other.
        let (bench, rows) = (&self.bench, self.expected.len());
        let are_all = |committed: Lines| committed.len() >= rows && committed.contains_key(&last);
        assert!(self.process.runs_until("the hour's rows that pass", || are_all(bench.committed())));
        assert_eq!(self.bench.committed(), self.expected, "{:?}, hour {hour}, {}", self.change, self.version);
    }

    /// Kills the process and starts it again.
    fn restarted(self) -> Self {
        assert!(self.process.kill());
        let process = self.bench.start("run job.toml -q");
        Self { process, ..self }
    }

    /// Goes on with another version.
    #[track_caller]
    fn becomes(&mut self, version: &'static str) {
        (self.version, self.changes) = (version, self.changes + 1);
        match self.change {
            Change::Live => {
                let line = format!("upgrade words --operator dedup --plugin {} --probation 0s", component(version).display());
                self.bench.run(&line).assert(0, &[]);
            }
            Change::Savepoint => {
                let savepoint = format!("savepoint-{}", self.changes);
                self.bench.run(&format!("stop words --savepoint {savepoint}")).assert(0, &[]);
                self.bench.write_job(&job_file(version, 1 + self.changes % 3));
                let checked = self.bench.run(&format!("check job.toml --from ./{savepoint}"));
                assert!(checked.assert(0, &[]).stdout.contains("has_passed: kept"), "{checked:?}");
                let next = self.bench.start(&format!("run job.toml --from ./{savepoint} -q"));
                std::mem::replace(&mut self.process, next).ended().assert(0, &[]);
            }
        }
    }

    /// Of these keys, those that `weir state` shows.
    #[track_caller]
    fn shown(&self, keys: &str) -> String {
        let scanned = self.bench.run("state scan job.toml dedup --format jsonl -q");
        let key = |row: &str| serde_json::from_str::<Value>(row).expect("a row is JSON")["key"].as_str().expect("a key").to_owned();
        let shown: BTreeSet<String> = scanned.assert(0, &[]).stdout.lines().map(key).collect();
        keys.split(' ').filter(|key| shown.contains(*key)).collect::<Vec<_>>().join(" ")
    }
}

/// Takes a job through versions, and looks which keys pass.
fn check(change: Change) {
    let mut job = Growing::new(DAY, change);
    job.hour(240, "");
    job.hour(241, "a+ b+ a-");
    job.hour(250, "c+ b-");

    // Nothing expires any more, though a day is over for `a` and `b`.
    job.becomes(FOR_GOOD);
    job.hour(290, "a- b- d+");
    job.hour(291, "c-");
    assert_eq!(job.shown("a b c d"), "a b c d");

    // What has no time of its writing counts as written now.
    job.becomes(DAY);
    job.hour(310, "a- b- c- d-");
    job.hour(312, "");
    job.hour(316, "a-");
    job.hour(330, "a+");
    assert_eq!(job.shown("a b c d"), "a");

    // It was written at 316, and lives until 388 now.
    job.becomes(FOR_LONGER);
    job.hour(370, "");
    job.hour(380, "a-");
    assert_eq!(job.shown("a b"), "a");
    job.hour(400, "a-");
    job.hour(401, "a+");

    // The clock says nothing of what event time has said: it counts as written now, however far event time goes.
    job.becomes(BY_CLOCK);
    job.hour(500, "a-");
    job.hour(700, "a- e+");
    assert_eq!(job.shown("a e"), "a e");

    // And the other way round.
    job.becomes(DAY);
    job.hour(720, "a- e-");
    job.hour(723, "a-");
    job.hour(800, "");
    assert_eq!(job.shown("a e"), "");
    job.hour(801, "a+ e+");
    assert!(job.process.kill());
}

#[test]
fn a_savepoint_goes_on_with_another_time_to_live() {
    check(Change::Savepoint);
}

#[test]
fn a_running_job_goes_on_with_another_time_to_live() {
    check(Change::Live);
}

/// More keys than the cleaning up behind a few calls of one record comes to.
const MANY: usize = 300;

/// All of these keys, each with what it is to be followed by.
fn many(mark: char) -> String {
    (0..MANY).map(|key| format!("k{key}{mark} ")).collect()
}

/// How many of them `weir state` shows.
#[track_caller]
fn shown_of_many(job: &Growing) -> usize {
    let keys: Vec<_> = (0..MANY).map(|key| format!("k{key}")).collect();
    job.shown(&keys.join(" ")).split_whitespace().count()
}

/// What is kept for a day from now on is as old as the change, whatever runs come behind it.
fn check_gained(change: Change) {
    let mut job = Growing::new(FOR_GOOD, change);
    job.hour(240, "");
    job.hour(241, &many('+'));
    job.becomes(DAY);
    job.hour(262, "");
    job = job.restarted();
    // It is told a time of its own first, which says nothing of what is there.
    job.hour(263, "");
    assert_eq!(shown_of_many(&job), MANY);
    job.hour(267, "");
    job.hour(268, "");
    assert_eq!(shown_of_many(&job), 0, "{change:?}: a day is over, and nobody has looked at them");
    job = job.restarted();
    job.hour(269, &many('+'));
    assert!(job.process.kill());
}

#[test]
fn a_savepoint_whose_state_lives_for_a_day_from_then_on_is_as_old_as_the_change() {
    check_gained(Change::Savepoint);
}

#[test]
fn a_running_job_whose_state_lives_for_a_day_from_then_on_is_as_old_as_the_change() {
    check_gained(Change::Live);
}

/// What has expired, and has not been cleaned up, comes back by no other declaration.
fn check_expired(change: Change, version: &'static str) {
    let mut job = Growing::new(DAY, change);
    job.hour(240, "");
    job.hour(241, &many('+'));
    job.hour(269, "");
    job.hour(270, "");
    job.becomes(version);
    job.hour(271, "k0+");
    assert_eq!(job.shown("k0"), "k0");
    assert_eq!(shown_of_many(&job), 1, "{change:?}, {version}");
    job.hour(272, &many('+').replace("k0+", "k0-"));
    assert!(job.process.kill());
}

#[test]
fn what_had_expired_lives_neither_for_longer_nor_by_the_clock_nor_for_good() {
    check_expired(Change::Savepoint, FOR_LONGER);
    check_expired(Change::Live, BY_CLOCK);
    check_expired(Change::Savepoint, FOR_GOOD);
}
