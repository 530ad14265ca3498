//! Windows of plugins under the real binary: what fires, with what comes late, is what a plain look at the input says, over kills, other parallelisms, barriers that
//! overtake and an upgrade; and no window says the same twice.

use crate::WEIR;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use weir_tests::process::{Bench, Lines, Seed, WordCount, differences, plugin, write_variant};

const ROWS: u64 = 2_600;
const AIRPORTS: u64 = 30;
/// A row comes less than so many hours late.
const DISORDER: u64 = 30;

/// Flights nearly in order, so many hours late at most: the hour in 1970, and where they leave from.
fn flights() -> Vec<(u64, u64)> {
    let mut rng = fastrand::Rng::with_seed(29);
    (0..ROWS).map(|row| (DISORDER + row / 8 - rng.u64(..DISORDER), rng.u64(..AIRPORTS))).collect()
}

fn utc(hour: u64) -> String {
    format!("1970-01-{:02}T{:02}:00:00Z", hour / 24 + 1, hour % 24)
}

/// How many there are of each airport in each hour.
fn counted() -> BTreeMap<(String, String), u64> {
    let mut counted = BTreeMap::new();
    flights().into_iter().for_each(|(hour, origin)| *counted.entry((format!("A{origin}"), utc(hour))).or_default() += 1);
    counted
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
fn job((rate, delay): (u64, &str), windows: &str, checkpoints: &str) -> String {
    format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
{checkpoints}
[source.flights]
connector = \"file\"
path = \"flights.csv\"
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

/// Each window has said each of its revisions once, and the last, with what came late, is what there is. How many came late, and how many windows were corrected.
#[track_caller]
fn check_traffic(bench: &Bench) -> (u64, usize) {
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
    assert_eq!(totals, counted());
    bench.assert_nothing_pending();
    (late.len() as u64, corrected)
}

#[test]
fn windows_say_each_revision_once_over_kills_other_parallelisms_and_barriers_that_overtake() {
    for checkpoints in ["", "unaligned = \"always\""] {
        let (bench, mut seed) = (bench(), Seed::of_run());
        bench.write_job(&job((ROWS / 3, "5h"), "{ tumbling = \"1h\", lateness = \"12h\" }", checkpoints));
        bench.kill_at_parallelisms(&mut seed, &[3, 1, 2]);
        bench.run("run job.toml").assert(0, &["finished"]);
        let (late, corrected) = check_traffic(&bench);
        assert!(late > 0 && corrected > 0, "{late} came late, {corrected} were corrected");
    }
}

#[test]
fn an_upgrade_of_a_running_job_keeps_its_open_windows() {
    let bench = bench();
    bench.write_job(&job((ROWS / 3, "5h"), "{ tumbling = \"1h\", lateness = \"12h\" }", ""));
    write_variant(&plugin("hourly-traffic"), &bench.path("other.wasm"));
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a window", || !lines_of(&bench, "out").is_empty()));
    let upgraded = bench.run("upgrade words --operator traffic --plugin other.wasm --probation 200ms --output json");
    upgraded.assert(0, &[]);
    assert_eq!(upgraded.document()["outcome"], "accepted");
    process.ended().assert(0, &["finished"]);
    check_traffic(&bench);
}

#[test]
fn a_rescale_of_a_running_job_keeps_its_open_windows() {
    let bench = bench();
    bench.write_job(&job((ROWS / 3, "5h"), "{ tumbling = \"1h\", lateness = \"12h\" }", ""));
    let mut process = bench.start("run job.toml");
    for parallelism in [3, 1] {
        let before = lines_of(&bench, "out").len();
        assert!(process.runs_until("windows", || lines_of(&bench, "out").len() > before));
        bench.run(&format!("rescale words --parallelism {parallelism} -q")).assert(0, &[]);
    }
    process.ended().assert(0, &["finished"]);
    check_traffic(&bench);
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
    let text = job((ROWS / 3, "30h"), "{ session = \"3h\" }", "");
    let text = text.replace(&format!("{:?}", plugin("hourly-traffic")), &format!("{:?}", plugin("sessions")));
    bench.write_job(&text);
    bench.kill_at_parallelisms(&mut seed, &[3, 1, 2]);
    bench.run("run job.toml").assert(0, &["finished"]);
    let committed: BTreeSet<String> = lines_of(&bench, "late").iter().map(Value::to_string).collect();
    assert_eq!(committed, BTreeSet::new(), "nothing comes later than watermarks wait for");
    if let Some(how) = differences(&bench.committed(), &sessions()) {
        panic!("the sessions are not those of the flights: {how}");
    }
}
