//! Sources that go quiet, under the real binary: where all is quiet time goes on by the clock, where some is it goes on without it, or waits if it is told to; and a row
//! that says it is from the future moves none.

use crate::WEIR;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use weir_tests::process::{Bench, Lines, Running, Seed, TimedRow, WordCount, plugin, told_windows, windows_of};

const KEYS: u64 = 5;
/// 2013-01-01T10:00:00Z.
const FIRST: i64 = 1_357_034_400_000;
const DAY: i64 = 86_400_000;
/// How long a window is, ms.
const SIZE: i64 = 1_000;
/// Numbers of rows that come late begin here.
const LATE: u64 = 10_000;
/// A row from the year 2100, whose key no other has.
const FROM_THE_FUTURE: TimedRow = TimedRow { number: 1_000_000, key: KEYS, time: 4_102_444_800_000 };

/// A folder without rows, and a job that reads all there are in files, puts them into windows by a source's `watermark`, and writes them down as they are, too.
fn bench(parallelism: u32, source: &str, watermark: &str) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    bench.write_job(&format!(
        "name = \"words\"
parallelism = {parallelism}
[checkpoints]
interval = \"50ms\"
[source.rows]
connector = \"file\"
path = \"*.csv\"
format = \"csv\"
key = \"key\"
timestamp = {{ field = \"at\", format = \"unix-ms\" }}
watermark = {{ {watermark} }}
{source}
[operator.tell]
plugin = {:?}
input = {{ from = \"rows\", by = \"key\" }}
window = {{ tumbling = \"{SIZE}ms\" }}
[sink.out]
connector = \"file\"
input = \"tell\"
path = \"out\"
[sink.late]
connector = \"file\"
input = \"tell.late\"
path = \"late\"
[sink.all]
connector = \"file\"
input = \"rows\"
path = \"all\"
",
        plugin("window-teller")
    ));
    bench
}

/// A job, and the rows that have been added to its files and are not late.
struct Files {
    bench: Bench,
    rows: Vec<TimedRow>,
}

impl Files {
    /// There are none yet.
    fn new(parallelism: u32, source: &str, watermark: &str) -> Self {
        Self { bench: bench(parallelism, source, watermark), rows: Vec::new() }
    }

    /// A hundred rows in order, ten of them in each second of event time from `first` on.
    fn in_order(&self, first: i64) -> Vec<TimedRow> {
        let number = self.rows.len() as u64;
        (0..100).map(|row| TimedRow { number: number + row, key: row % KEYS, time: first + row as i64 * 100 }).collect()
    }

    /// Adds rows to a file, which begins with its header.
    fn write(&self, file: &str, rows: &[TimedRow]) {
        let path = self.bench.path(file);
        let header = if path.exists() { "" } else { TimedRow::HEADER };
        let mut file = fs::File::options().create(true).append(true).open(path).expect("a file");
        file.write_all(format!("{header}{}", TimedRow::text(rows)).as_bytes()).expect("written");
    }

    /// Adds a hundred rows.
    fn add(&mut self, file: &str, first: i64) {
        let rows = self.in_order(first);
        self.write(file, &rows);
        self.rows.extend(rows);
    }

    /// Waits until just the windows of these rows have spoken.
    #[track_caller]
    fn speak(&self, process: &mut Running, of: &[TimedRow]) {
        let told = || told_windows(&self.bench.committed(), SIZE);
        assert!(process.runs_until("every window has spoken", || told() == windows_of(of, SIZE)), "the job has ended: {:?}", told());
    }

    /// Adds rows to a file, all of one time, until just the windows of all rows before have spoken.
    #[track_caller]
    fn speak_while_others_come(&mut self, process: &mut Running, file: &str, time: i64) {
        let wanted = windows_of(&self.rows, SIZE);
        let all = process.runs_until("every window has spoken", || {
            let has_spoken = told_windows(&self.bench.committed(), SIZE) == wanted;
            if !has_spoken {
                let another = TimedRow { number: self.rows.len() as u64, key: 0, time };
                self.write(file, &[another]);
                self.rows.push(another);
            }
            has_spoken
        });
        assert!(all, "the job has ended");
    }
}

#[test]
fn the_last_windows_of_files_that_go_quiet_speak_and_what_comes_then_is_in_others() {
    for parallelism in [1, 2] {
        let mut files = Files::new(parallelism, "follow = true", "delay = \"500ms\", idle-after = \"200ms\", advance-when-idle = true");
        files.add("a.csv", FIRST);
        let mut process = files.bench.start("run job.toml -q");
        files.speak(&mut process, &files.rows);
        assert!(process.kill());
        files.add("a.csv", FIRST + DAY);
        let mut process = files.bench.start("run job.toml -q");
        files.speak(&mut process, &files.rows);
        files.add("a.csv", FIRST + 2 * DAY);
        files.speak(&mut process, &files.rows);
        files.bench.run("stop words --drain").assert(0, &[]);
        assert_eq!(process.ended().code, Some(0));
        assert_eq!(told_windows(&files.bench.committed(), SIZE), windows_of(&files.rows, SIZE));
        assert_eq!(files.bench.committed_in("late"), Lines::new());
    }
}

#[test]
fn a_file_without_a_row_takes_no_time_from_the_others() {
    for parallelism in [1, 2] {
        let mut files = Files::new(parallelism, "follow = true", "delay = \"0s\", idle-after = \"200ms\", advance-when-idle = true");
        files.add("a.csv", FIRST);
        // Its header alone.
        files.write("b.csv", &[]);
        let mut process = files.bench.start("run job.toml -q");
        let rows = files.rows.clone();
        files.speak(&mut process, &rows);
    }
}

/// The numbers of the rows that were told to be late.
fn late(bench: &Bench) -> Vec<u64> {
    let number = |line: &String| {
        let told: Value = serde_json::from_str(line).expect("a line is JSON");
        told["value"].as_str().and_then(|row| row.split(',').next()?.parse().ok()).expect("a row")
    };
    let mut late: Vec<u64> = bench.committed_in("late").keys().map(number).collect();
    late.sort_unstable();
    late
}

#[test]
fn time_goes_on_without_a_file_that_goes_quiet_and_what_that_brings_then_is_late_until_it_has_caught_up() {
    for parallelism in [1, 2] {
        let mut files = Files::new(parallelism, "follow = true", "delay = \"0s\", idle-after = \"200ms\"");
        files.add("a.csv", FIRST);
        files.add("b.csv", FIRST + DAY);
        let mut process = files.bench.start("run job.toml -q");
        files.speak_while_others_come(&mut process, "b.csv", FIRST + DAY + 10_000);
        assert!(process.kill());
        let behind = files.in_order(FIRST + DAY / 2);
        let behind: Vec<_> = behind.into_iter().map(|row| TimedRow { number: row.number + LATE, ..row }).collect();
        files.write("a.csv", &behind);
        let mut process = files.bench.start("run job.toml -q");
        assert!(process.runs_until("what is late", || late(&files.bench).len() == behind.len()));
        files.add("a.csv", FIRST + DAY + 20_000);
        files.speak_while_others_come(&mut process, "a.csv", FIRST + DAY + 30_000);
        let written = files.rows.len() + behind.len();
        assert!(process.runs_until("all rows are read", || files.bench.committed_in("all").len() == written));
        files.bench.run("stop words --drain").assert(0, &[]);
        assert_eq!(process.ended().code, Some(0));
        assert_eq!(told_windows(&files.bench.committed(), SIZE), windows_of(&files.rows, SIZE));
        assert_eq!(late(&files.bench), behind.iter().map(|row| row.number).collect::<Vec<_>>());
    }
}

#[test]
fn windows_wait_for_a_file_that_is_never_idle() {
    let mut files = Files::new(2, "follow = true", "delay = \"0s\", idle-after = \"never\"");
    files.add("a.csv", FIRST);
    files.add("b.csv", FIRST + DAY);
    let mut process = files.bench.start("run job.toml -q");
    // The last second of what is there is not over.
    files.speak(&mut process, &files.rows[..90]);
    assert!(process.runs_until("all rows are read", || files.bench.committed_in("all").len() == 200));
    let completed = files.bench.log().completed.len();
    assert!(process.runs_until("checkpoints", || files.bench.log().completed.len() > completed + 5));
    files.speak(&mut process, &files.rows[..90]);
    files.add("a.csv", FIRST + DAY);
    let is_over = |row: &&TimedRow| row.time < FIRST + DAY + 9_000;
    let over: Vec<_> = files.rows.iter().filter(is_over).copied().collect();
    files.speak(&mut process, &over);
    assert!(process.kill());
    assert_eq!(late(&files.bench), [0_u64; 0]);
}

const ROWS: u64 = 1_600;
/// Rows in a second, so that event time is told between them.
const RATE: u64 = 400;
/// A row comes less than so many seconds late.
const DISORDER: i64 = 20;

/// Rows of which one in the middle says that it is from the future, and a job that reads them.
fn with_one_from_the_future(max_ahead: &str) -> (Bench, Vec<TimedRow>) {
    let files = Files::new(2, &format!("rate = {RATE}"), &format!("delay = \"{DISORDER}s\"{max_ahead}"));
    let mut rows = TimedRow::nearly_in_order(ROWS, KEYS, (FIRST, DISORDER));
    rows.insert(ROWS as usize / 4, FROM_THE_FUTURE);
    files.write("rows.csv", &rows);
    (files.bench, rows)
}

#[test]
fn a_row_from_the_future_moves_no_time_over_kills_and_makes_all_others_late_where_nothing_keeps_it() {
    let (bench, rows) = with_one_from_the_future(", max-ahead = \"1h\"");
    let mut seed = Seed::of_run();
    bench.kill_at_parallelisms(&mut seed, &[3, 1]);
    bench.edit_job(&format!("rate = {RATE}\n"), "rate = 5000\n");
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(told_windows(&bench.committed(), SIZE), windows_of(&rows, SIZE));
    assert_eq!(late(&bench), [0_u64; 0]);
    bench.assert_nothing_pending();

    let ended = bench.run("run job.toml --fresh --output json");
    assert_eq!(ended.assert(0, &[]).document()["vertices"][0]["ahead"], 1, "{ended:?}");
    let (bench, _) = with_one_from_the_future("");
    let ended = bench.run("run job.toml --output json");
    assert_eq!(ended.assert(0, &[]).document()["vertices"][0]["ahead"], 0, "{ended:?}");
    assert!(late(&bench).len() as u64 > ROWS / 4, "{} late", late(&bench).len());
}
