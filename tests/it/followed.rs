//! Files that grow, are rotated and come while the real binary follows them, is killed and is started again.

use crate::WEIR;
use std::fs;
use std::io::Write;
use std::time::Duration;
use weir_tests::process::{Bench, Lines, Seed, WordCount, differences};

/// How often the job is killed.
const KILLS: u64 = 6;
/// Kinds of logs.
const NAMES: [&str; 2] = ["app.log", "web.log"];

const JOB: &str = "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.logs]
connector = \"file\"
path = \"logs/*.log*\"
follow = true
[sink.out]
connector = \"file\"
input = \"logs\"
path = \"out\"
";

/// What writes logs: lines of which no two are alike, and rotations.
struct Writer {
    bench: Bench,
    seed: Seed,
    written: Lines,
    rotated: u64,
}

impl Writer {
    fn new() -> Self {
        let bench = Bench::new(WEIR, WordCount::default());
        fs::create_dir(bench.path("logs")).expect("a folder");
        bench.write_job(JOB);
        Self { bench, seed: Seed::of_run(), written: Lines::new(), rotated: 0 }
    }

    /// Appends some lines, the last of them in two pieces; now and then the log is renamed before, or behind.
    fn write(&mut self) {
        let name = NAMES[self.seed.draw(..2) as usize];
        let first = self.written.len();
        let lines: Vec<String> = (first..first + 1 + self.seed.draw(..20) as usize).map(|line| format!("line {line} of {name}")).collect();
        let text = lines.join("\n") + "\n";
        let cut = self.seed.draw(..text.len() as u64) as usize;
        let mut log = fs::File::options().create(true).append(true).open(self.bench.path(&format!("logs/{name}"))).expect("a log");
        log.write_all(&text.as_bytes()[..cut]).expect("written");
        if self.seed.draw(..4) == 0 {
            self.rotated += 1;
            let (from, to) = (format!("logs/{name}"), format!("logs/{name}.{}", self.rotated));
            fs::rename(self.bench.path(&from), self.bench.path(&to)).expect("renamed");
        }
        log.write_all(&text.as_bytes()[cut..]).expect("written");
        self.written.extend(lines.into_iter().map(|line| (line, 1)));
    }

    fn is_all_committed(&self) -> bool {
        self.bench.committed().len() >= self.written.len()
    }
}

#[test]
fn every_line_of_a_followed_log_is_committed_once_over_rotations_and_kills() {
    let mut writer = Writer::new();
    for kill in 0..KILLS {
        let mut process = writer.bench.start("run job.toml -q");
        let completed = writer.bench.log().completed.len();
        let gets_on = process.runs_until("a checkpoint", || writer.bench.log().completed.len() > completed);
        assert!(gets_on, "{:?}", process.ended());
        for _ in 0..writer.seed.draw(1..40) {
            writer.write();
            let pause = Duration::from_millis(writer.seed.draw(..100));
            assert!(process.runs_for(pause), "{:?}", process.ended());
        }
        assert!(process.kill(), "kill {kill} was not what ended the process");
    }
    let mut process = writer.bench.start("run job.toml --output json");
    writer.write();
    let all = process.runs_until("all lines are committed", || writer.is_all_committed());
    assert!(all, "{:?}", process.ended());
    writer.bench.run("stop words --drain").assert(0, &[]);
    assert_eq!(process.ended().document()["outcome"], "finished");
    if let Some(how) = differences(&writer.bench.committed(), &writer.written) {
        panic!("the output is not what was written: {how}");
    }
}

#[test]
fn a_followed_source_is_stopped_and_goes_on_and_a_file_that_is_gone_too_early_is_named() {
    let writer = Writer::new();
    fs::write(writer.bench.path("logs/app.log"), "one\ntwo\nthr").expect("a log");
    let checked = writer.bench.run("check job.toml").assert(0, &[]).stdout.clone();
    assert!(checked.contains("logs: its files are followed (`follow = true`): the job runs until it is stopped"), "{checked}");
    let mut process = writer.bench.start("run job.toml --output json");
    assert!(process.runs_until("two lines", || writer.bench.committed().len() == 2));
    writer.bench.run("stop words").assert(0, &[]);
    assert_eq!(process.ended().document()["outcome"], "stopped");
    let elsewhere = writer.bench.path("app.log");
    fs::rename(writer.bench.path("logs/app.log"), &elsewhere).expect("renamed");
    writer.bench.run("run job.toml").assert(1, &["follow logs/app.log: it is gone, and 8 of the 11 bytes that it had have been read"]);
    fs::rename(elsewhere, writer.bench.path("logs/app.log.1")).expect("renamed");
    fs::write(writer.bench.path("logs/app.log"), "four\n").expect("a log");
    let mut process = writer.bench.start("run job.toml --output json");
    assert!(process.runs_until("the third", || writer.bench.committed().len() == 3));
    let mut old = fs::File::options().append(true).open(writer.bench.path("logs/app.log.1")).expect("a log");
    old.write_all(b"ee\n").expect("written");
    assert!(process.runs_until("the fourth", || writer.bench.committed().len() == 4));
    writer.bench.run("stop words --drain").assert(0, &[]);
    process.ended().assert(0, &["logs/app.log is called logs/app.log.1 now, and is read on"]);
    let expected = ["one", "two", "three", "four"].map(|line| (line.to_owned(), 1)).into();
    assert_eq!(differences(&writer.bench.committed(), &expected), None);
}
