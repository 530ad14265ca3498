//! A time to live under the real binary: what is kept goes when event time has, over kills and other parallelisms, and `weir state` shows none that has gone.

use crate::WEIR;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use weir_tests::process::{Bench, Seed, WordCount, plugin, write_variant};

const ROWS: u64 = 2_600;
const AIRCRAFT: u64 = 40;
/// A row comes less than so many hours late.
const DISORDER: u64 = 10;
/// Hours for which no other flight of an aircraft passes.
const DAY: u64 = 24;

/// The hour and the aircraft of each flight, nearly in order. The last aircraft flies once, at the beginning.
fn flights() -> Vec<(u64, u64)> {
    let mut rng = fastrand::Rng::with_seed(23);
    let others = (0..ROWS).map(|row| (DISORDER + row / 4 - rng.u64(..DISORDER), rng.u64(..AIRCRAFT)));
    std::iter::once((DISORDER, AIRCRAFT)).chain(others).collect()
}

fn bench(rate: u64) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut text = "tailnum,time,number\n".to_owned();
    for (number, (hour, aircraft)) in flights().into_iter().enumerate() {
        writeln!(text, "N{aircraft},{},{number}", hour * 3_600_000).expect("a text");
    }
    fs::write(bench.path("flights.csv"), text).expect("an input");
    bench.write_job(&format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.flights]
connector = \"file\"
path = \"flights.csv\"
format = \"csv\"
key = \"tailnum\"
timestamp = \"time\"
watermark = {{ delay = \"{DISORDER}h\" }}
rate = {rate}
[operator.dedup]
plugin = {:?}
input = {{ from = \"flights\", by = \"key\" }}
[sink.out]
connector = \"file\"
input = \"dedup\"
path = \"out\"
",
        plugin("dedup")
    ));
    bench
}

/// How many flights of each aircraft have passed; none twice.
fn passed(bench: &Bench) -> BTreeMap<u64, u64> {
    let flights = flights();
    let mut passed = BTreeMap::new();
    for (line, times) in bench.committed() {
        let number: usize = line.rsplit(',').next().and_then(|number| number.parse().ok()).expect("a flight's number");
        assert_eq!(times, 1, "{line}");
        *passed.entry(flights[number].1).or_default() += 1;
    }
    passed
}

/// What has passed is a day of event time apart, however far that was behind the flights.
#[track_caller]
fn assert_passed(bench: &Bench) {
    let (passed, most) = (passed(bench), (DISORDER + ROWS / 4) / DAY + 1);
    assert!(passed.values().all(|times| *times <= most), "{most} are the most: {passed:?}");
    assert_eq!(passed[&AIRCRAFT], 1);
    assert!((0..AIRCRAFT).all(|aircraft| passed[&aircraft] > 5), "{passed:?}");
}

#[test]
fn a_running_job_that_is_rescaled_and_upgraded_keeps_what_lives_and_for_how_long() {
    let bench = bench(ROWS / 30);
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("two checkpoints", || bench.log().completed.len() > 1));
    bench.run("rescale words --parallelism 3 --operator dedup").assert(0, &[]);
    write_variant(&plugin("dedup"), &bench.path("variant.wasm"));
    bench.run("upgrade words --operator dedup --plugin variant.wasm --probation 0s").assert(0, &[]);
    bench.run("rescale words --parallelism 1 --operator dedup").assert(0, &[]);
    process.ended().assert(0, &[]);
    assert_passed(&bench);
}

#[test]
fn an_aircraft_passes_again_when_its_time_to_live_is_over_and_not_before() {
    let (bench, mut seed) = (bench(ROWS / 3), Seed::of_run());
    bench.kill_at_parallelisms(&mut seed, &[3, 1, 4, 2]);
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_passed(&bench);

    let scanned = bench.run("state scan job.toml dedup --format jsonl -q");
    scanned.assert(0, &[]);
    let shown = |aircraft: u64| scanned.stdout.contains(&format!("\"N{aircraft}\""));
    assert!((0..AIRCRAFT).any(shown), "{}", scanned.stdout);
    assert!(!shown(AIRCRAFT), "its time was over long ago: {}", scanned.stdout);
}
