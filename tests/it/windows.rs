//! Windows of plugins under the real binary: what fires, with what comes late, is what a plain look at the input says, over kills, other parallelisms, barriers that
//! overtake and an upgrade; and no window says the same twice.

use crate::WEIR;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_tests::process::{Bench, Lines, Seed, WordCount, differences, plugin, write_variant};

const ROWS: u64 = 2_600;
const AIRPORTS: u64 = 30;
/// A row comes less than so many hours late.
const DISORDER: u64 = 30;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What Python counts: flights by origin and hour.
fn counted(flights: &Path) -> BTreeMap<(String, String), u64> {
    let mut python = Command::new("python3");
    let counted = python.arg(in_repository("windows/hourly.py")).arg(flights).output().expect("python3 is there");
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stderr));
    let text = String::from_utf8(counted.stdout).expect("lines");
    let row = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        [origin, hour, flights] => ((origin.to_owned(), hour.to_owned()), flights.parse().expect("a number")),
        _ => panic!("{line}"),
    };
    text.lines().map(row).collect()
}

/// Flights nearly in order, so many hours late at most: the hour in 1970, and where they leave from.
fn flights() -> Vec<(u64, u64)> {
    let mut rng = fastrand::Rng::with_seed(29);
    (0..ROWS).map(|row| (DISORDER + row / 8 - rng.u64(..DISORDER), rng.u64(..AIRPORTS))).collect()
}

fn utc(hour: u64) -> String {
    format!("1970-01-{:02}T{:02}:00:00Z", hour / 24 + 1, hour % 24)
}

/// A folder with such flights.
fn bench() -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut text = "origin,time_hour\n".to_owned();
    for (hour, origin) in flights() {
        writeln!(text, "A{origin},{}", utc(hour)).expect("a text");
    }
    fs::write(bench.path("flights.csv"), text).expect("an input");
    bench
}

/// Counts flights by hour, or by what `windows` says; `checkpoints` is what else is said of these.
fn job(flights: &Path, (rate, delay): (u64, &str), windows: &str, checkpoints: &str) -> String {
    format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
{checkpoints}
[source.flights]
connector = \"file\"
path = {flights:?}
format = \"csv\"
key = \"origin\"
timestamp = \"time_hour\"
watermark = {{ delay = {delay:?} }}
rate = {rate}
[operator.traffic]
plugin = {:?}
input = {{ from = \"flights\", by = \"key\" }}
window = {windows}
[sink.out]
connector = \"file\"
input = \"traffic\"
path = \"out\"
[sink.late]
connector = \"file\"
input = \"traffic.late\"
path = \"late\"
",
        plugin("hourly-traffic")
    )
}

/// All lines that are committed in a folder.
fn lines_of(bench: &Bench, folder: &str) -> Vec<Value> {
    let line = |(line, times): (String, u64)| (0..times).map(move |_| serde_json::from_str(&line).expect("a line is JSON"));
    bench.committed_in(folder).into_iter().flat_map(|(text, times)| line((text, times))).collect()
}

/// Each window has said each of its revisions once, and the last, with what came late, is what Python counts. How many came late, and how many windows were corrected.
#[track_caller]
fn check_traffic(bench: &Bench, flights: &Path) -> (u64, usize) {
    let mut revisions: BTreeMap<(String, String), BTreeMap<u64, u64>> = BTreeMap::new();
    for line in lines_of(bench, "out") {
        let of = (line["origin"].as_str().expect("an origin").to_owned(), line["hour"].as_str().expect("an hour").to_owned());
        let (revision, flights) = (line["revision"].as_u64().expect("a number"), line["flights"].as_u64().expect("a number"));
        assert_eq!(revisions.entry(of).or_default().insert(revision, flights), None, "twice: {line}");
    }
    for (of, revisions) in &revisions {
        assert!(revisions.keys().copied().eq(1..=revisions.len() as u64), "{of:?}: {revisions:?}");
        assert!(revisions.values().is_sorted(), "a window only gains: {of:?}: {revisions:?}");
    }
    let corrected = revisions.values().filter(|revisions| revisions.len() > 1).count();
    let mut totals: BTreeMap<(String, String), u64> =
        revisions.into_iter().map(|(of, revisions)| (of, revisions.into_values().last().unwrap_or(0))).collect();
    let late = lines_of(bench, "late");
    for line in &late {
        assert!(line["late_ms"].as_i64().is_some_and(|late| late > 0), "{line}");
        let window = &line["window"];
        assert_eq!(window["end"].as_i64().map(|end| end - 3_600_000), window["start"].as_i64());
        let row = line["value"].as_str().expect("a row").split(',').next_back().expect("its hour");
        *totals.entry((line["key"].as_str().expect("an origin").to_owned(), row.to_owned())).or_default() += 1;
    }
    assert_eq!(totals, counted(flights));
    bench.assert_nothing_pending();
    (late.len() as u64, corrected)
}

#[test]
fn a_month_of_flights_counted_by_hour_is_what_python_counts() {
    let bench = Bench::new(WEIR, WordCount::default());
    let flights = in_repository("../plugins/flight-delays/data/flights-2013-01.csv.gz");
    // Watermarks run ahead of the rows: some correct what was said, and some come too late for that.
    bench.write_job(&job(&flights, (1_000_000_000, "0s"), "{ tumbling = \"1h\", lateness = \"4h\" }", ""));
    bench.run("run job.toml").assert(0, &["finished"]);
    let (late, _) = check_traffic(&bench, &flights);
    assert!(late > 0, "some came too late");
}

#[test]
fn windows_say_each_revision_once_over_kills_other_parallelisms_and_barriers_that_overtake() {
    for checkpoints in ["", "unaligned = \"always\""] {
        let (bench, mut seed) = (bench(), Seed::of_run());
        let flights = bench.path("flights.csv");
        bench.write_job(&job(&flights, (ROWS / 3, "5h"), "{ tumbling = \"1h\", lateness = \"12h\" }", checkpoints));
        for parallelism in [3, 1, 2] {
            let mut process = bench.start("run job.toml -q");
            let before = bench.log().completed.len();
            let more = 2 + seed.draw(..6) as usize;
            assert!(process.runs_until("checkpoints", || bench.log().completed.len() >= before + more));
            assert!(process.kill());
            let text = fs::read_to_string(bench.path("job.toml")).expect("a job file");
            let (first, rest) = text.split_once("parallelism = ").expect("it is said");
            bench.write_job(&format!("{first}parallelism = {parallelism}{}", &rest[1..]));
        }
        bench.run("run job.toml").assert(0, &["finished"]);
        let (late, corrected) = check_traffic(&bench, &flights);
        assert!(late > 0 && corrected > 0, "{late} came late, {corrected} were corrected");
    }
}

#[test]
fn an_upgrade_of_a_running_job_keeps_its_open_windows() {
    let bench = bench();
    let flights = bench.path("flights.csv");
    bench.write_job(&job(&flights, (ROWS / 3, "5h"), "{ tumbling = \"1h\", lateness = \"12h\" }", ""));
    write_variant(&plugin("hourly-traffic"), &bench.path("other.wasm"));
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a window", || !lines_of(&bench, "out").is_empty()));
    let upgraded = bench.run("upgrade words --operator traffic --plugin other.wasm --probation 200ms --output json");
    upgraded.assert(0, &[]);
    assert_eq!(upgraded.document()["outcome"], "accepted");
    process.ended().assert(0, &["finished"]);
    check_traffic(&bench, &flights);
}

/// The sessions of each airport's flights, without a pause of three hours.
fn sessions() -> Lines {
    let mut hours: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    flights().into_iter().for_each(|(hour, aircraft)| hours.entry(aircraft).or_default().push(hour));
    let mut lines = Lines::new();
    for (aircraft, mut hours) in hours {
        hours.sort();
        for session in hours.chunk_by(|one, next| next - one < 3) {
            let (start, end) = (utc(session[0]), utc(session[session.len() - 1] + 3));
            let flights = session.len();
            let line =
                format!("{{\"tailnum\":\"A{aircraft}\",\"start\":\"{start}\",\"end\":\"{end}\",\"flights\":{flights},\"revision\":1}}");
            lines.insert(line, 1);
        }
    }
    assert!(lines.len() > 300, "{} sessions", lines.len());
    lines
}

#[test]
fn sessions_are_pieced_together_over_kills_and_other_parallelisms() {
    let (bench, mut seed) = (bench(), Seed::of_run());
    let text = job(&bench.path("flights.csv"), (ROWS / 3, "30h"), "{ session = \"3h\" }", "");
    let text = text.replace(&format!("{:?}", plugin("hourly-traffic")), &format!("{:?}", plugin("sessions")));
    for parallelism in [2, 3, 1] {
        let (first, rest) = text.split_once("parallelism = ").expect("it is said");
        bench.write_job(&format!("{first}parallelism = {parallelism}{}", &rest[1..]));
        let mut process = bench.start("run job.toml -q");
        let before = bench.log().completed.len();
        let more = 2 + seed.draw(..6) as usize;
        assert!(process.runs_until("checkpoints", || bench.log().completed.len() >= before + more));
        assert!(process.kill());
    }
    bench.run("run job.toml").assert(0, &["finished"]);
    let committed: BTreeSet<String> = lines_of(&bench, "late").iter().map(Value::to_string).collect();
    assert_eq!(committed, BTreeSet::new(), "nothing comes later than watermarks wait for");
    if let Some(how) = differences(&bench.committed(), &sessions()) {
        panic!("the sessions are not those of the flights: {how}");
    }
}
