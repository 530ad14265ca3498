//! Event time that an operator finds in lines, under the real binary: its source knows of none, its own `watermark` lets windows behind it speak, over kills and other
//! parallelisms, where nothing comes any more, and past a line that says it is from the future.

use crate::WEIR;
use std::fs;
use std::io::Write as _;
use weir_tests::process::{Bench, Lines, Running, Seed, TimedRow, WordCount, plugin, told_windows, windows_of};

const ROWS: u64 = 2_400;
const KEYS: u64 = 12;
/// 2013-01-01T10:00:00Z.
const FIRST: i64 = 1_357_034_400_000;
/// A line comes less than so many seconds late.
const DISORDER: i64 = 40;
/// How long a window is, ms; and where the clock has to pass what is behind the last of them.
const SIZE: i64 = 30_000;
const SHORT: i64 = 1_000;
const DAY: i64 = 86_400_000;
/// A line from the year 2100, whose key no other has.
const FROM_THE_FUTURE: TimedRow = TimedRow { number: 1_000_000, key: KEYS, time: 4_102_444_800_000 };

/// A folder with these lines, and a job in which the operator `parse` makes watermarks as `watermark` says.
fn bench(rows: &[TimedRow], size: i64, source: &str, watermark: &str) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    fs::write(bench.path("lines.txt"), TimedRow::text(rows)).expect("an input");
    bench.write_job(&format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.lines]
connector = \"file\"
path = \"lines.txt\"
{source}
[operator.parse]
plugin = {:?}
input = {{ from = \"lines\", by = \"rebalance\" }}
watermark = {{ {watermark} }}
[operator.tell]
plugin = {:?}
input = {{ from = \"parse\", by = \"key\" }}
window = {{ tumbling = \"{size}ms\" }}
[sink.out]
connector = \"file\"
input = \"tell\"
path = \"out\"
[sink.late]
connector = \"file\"
input = \"tell.late\"
path = \"late\"
",
        plugin("timed-lines"),
        plugin("window-teller")
    ));
    bench
}

#[test]
fn windows_speak_by_the_times_that_an_operator_finds_over_kills_and_other_parallelisms() {
    let rows = TimedRow::nearly_in_order(ROWS, KEYS, (FIRST, DISORDER));
    let (bench, mut seed) = (bench(&rows, SIZE, "rate = 240", &format!("delay = \"{DISORDER}s\"")), Seed::of_run());
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("a window that speaks before the end", || !bench.committed().is_empty()));
    assert!(process.kill());
    bench.kill_at_parallelisms(&mut seed, &[3, 1, 2]);
    bench.edit_job("rate = 240\n", "rate = 1000000\n");
    bench.run("run job.toml").assert(0, &["resuming from checkpoint", "finished"]);
    assert_eq!(told_windows(&bench.committed(), SIZE), windows_of(&rows, SIZE));
    assert_eq!(bench.committed_in("late"), Lines::new());
    bench.assert_nothing_pending();
}

/// So many lines in order, ten of them in each second of event time from `first` on.
fn in_order(numbers: std::ops::Range<u64>, first: i64) -> Vec<TimedRow> {
    numbers.clone().map(|number| TimedRow { number, key: number % KEYS, time: first + (number - numbers.start) as i64 * 100 }).collect()
}

/// What `weir status` says of the operator that makes watermarks.
fn status_of_parse(bench: &Bench) -> serde_json::Value {
    let status = bench.run("status job.toml --output json").document();
    let vertices = status["vertices"].as_array().expect("vertices");
    vertices.iter().find(|vertex| vertex["id"] == "parse").expect("it is one of them").clone()
}

#[track_caller]
fn speaks(process: &mut Running, bench: &Bench, of: &[TimedRow]) {
    let told = || told_windows(&bench.committed(), SHORT);
    assert!(process.runs_until("every window has spoken", || told() == windows_of(of, SHORT)), "the job has ended: {:?}", told());
}

#[test]
fn the_last_windows_speak_when_an_operator_emits_nothing_more_and_a_line_from_the_future_moves_no_time() {
    let mut rows = in_order(0..100, FIRST);
    let mut lines = rows.clone();
    lines.insert(50, FROM_THE_FUTURE);
    // What is behind the newest line is passed by the clock alone.
    let watermark = "delay = \"500ms\", idle-after = \"200ms\", advance-when-idle = true, max-ahead = \"1h\"";
    let bench = bench(&lines, SHORT, "follow = true", watermark);
    let mut process = bench.start("run job.toml -q");
    speaks(&mut process, &bench, &rows);
    assert_eq!(status_of_parse(&bench)["ahead"], 1);
    assert!(process.kill());

    let mut append = |days: i64| {
        let more = in_order(rows.len() as u64..rows.len() as u64 + 100, FIRST + days * DAY);
        let mut file = fs::File::options().append(true).open(bench.path("lines.txt")).expect("a file");
        file.write_all(TimedRow::text(&more).as_bytes()).expect("written");
        rows.extend(more);
        rows.clone()
    };
    let until_then = append(1);
    let mut process = bench.start("run job.toml");
    speaks(&mut process, &bench, &until_then);
    let until_then = append(2);
    speaks(&mut process, &bench, &until_then);
    bench.run("stop words --drain").assert(0, &[]);
    process.ended().assert(0, &["finished"]);
    rows.push(FROM_THE_FUTURE);
    assert_eq!(told_windows(&bench.committed(), SHORT), windows_of(&rows, SHORT));
    assert_eq!(bench.committed_in("late"), Lines::new());
}

#[test]
fn a_source_subtask_without_a_file_holds_nobody_back() {
    let rows = in_order(0..50, FIRST);
    let bench = bench(&rows, SHORT, "follow = true", "delay = \"500ms\", idle-after = \"200ms\", advance-when-idle = true");
    // One file for two subtasks, and the operator in a chain with them.
    bench.edit_job(", by = \"rebalance\"", "");
    let mut process = bench.start("run job.toml -q");
    speaks(&mut process, &bench, &rows);
}

#[test]
fn an_operators_own_time_goes_on_behind_a_kill_though_one_subtask_had_nothing() {
    // One line: one of the two subtasks has it. The clock is not to pass it before the kill.
    let rows = in_order(0..1, FIRST);
    let bench = bench(&rows, SHORT, "follow = true", "delay = \"0s\", idle-after = \"1h\", advance-when-idle = true");
    let mut process = bench.start("run job.toml -q");
    let is_parse = |vertex: &serde_json::Value| vertex["id"] == "parse" && vertex["records_out"] == 1;
    // It may not be there to be asked yet.
    let status = || bench.run("status job.toml --output json").document();
    let has_emitted = || status()["vertices"].as_array().is_some_and(|vertices| vertices.iter().any(is_parse));
    assert!(process.runs_until("the line is emitted", has_emitted));
    let before = bench.log().completed.len();
    assert!(process.runs_until("a checkpoint behind it", || bench.log().completed.len() > before + 1));
    assert!(process.kill());
    bench.edit_job("idle-after = \"1h\"", "idle-after = \"200ms\"");
    let mut process = bench.start("run job.toml -q");
    speaks(&mut process, &bench, &rows);
}
