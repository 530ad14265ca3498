//! Joins under the real binary, over kills and other parallelisms: as of a time by the SDK's temporal join, and within a window of two inputs.

use crate::WEIR;
use crate::nexmark::{compare, job};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use weir_tests::process::{Bench, Seed, WordCount, plugin};

const FLIGHTS: u64 = 1_500;
const AIRCRAFT: u64 = 20;
/// Flights are in these years, from the first on.
const YEARS: u64 = 10;
const FIRST_YEAR: u64 = 2000;

/// The year and the aircraft of each flight; years are nearly in order.
fn flights() -> Vec<(u64, u64)> {
    let mut rng = fastrand::Rng::with_seed(31);
    let year = |row: u64, rng: &mut fastrand::Rng| (FIRST_YEAR + row * YEARS / FLIGHTS).saturating_sub(rng.u64(..2));
    (0..FLIGHTS).map(|row| (year(row, &mut rng), rng.u64(..AIRCRAFT))).collect()
}

/// The aircraft that a registration stands for: from when, and its model. Some registrations have none.
fn planes() -> Vec<(u64, u64)> {
    let mut rng = fastrand::Rng::with_seed(37);
    let mut planes: Vec<(u64, u64)> = (0..60).map(|_| (rng.u64(..AIRCRAFT - 2), FIRST_YEAR - 5 + rng.u64(..YEARS + 5))).collect();
    planes.sort_unstable();
    planes.dedup();
    rng.shuffle(&mut planes);
    planes
}

/// For each flight by its number the model that its registration stood for.
fn expected() -> BTreeMap<u64, Option<String>> {
    let (flights, planes) = (flights(), planes());
    let as_of = |year: u64, aircraft: u64| planes.iter().filter(|(of, from)| *of == aircraft && *from <= year).map(|(_, from)| *from).max();
    let model = |(year, aircraft): (u64, u64)| as_of(year, aircraft).map(|from| format!("M{aircraft}-{from}"));
    (0..FLIGHTS).zip(flights).map(|(number, flight)| (number, model(flight))).collect()
}

fn bench() -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut rows = "tailnum,carrier,flight,origin,dest,arr_delay,time_hour\n".to_owned();
    for (number, (year, aircraft)) in flights().into_iter().enumerate() {
        writeln!(rows, "N{aircraft},UA,{number},EWR,IAH,0,{year}-06-01T10:00:00Z").expect("a text");
    }
    fs::write(bench.path("flights.csv"), rows).expect("an input");
    let mut rows = "tailnum,year,manufacturer,model,seats\n".to_owned();
    planes().iter().for_each(|(of, from)| writeln!(rows, "N{of},{from},BOEING,M{of}-{from},149").expect("a text"));
    fs::write(bench.path("planes.csv"), rows).expect("an input");
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
timestamp = \"time_hour\"
watermark = {{ delay = \"800d\" }}
rate = 600
[source.planes]
connector = \"file\"
path = \"planes.csv\"
format = \"csv\"
key = \"tailnum\"
[operator.enrich]
plugin = {:?}
inputs = [{{ from = \"flights\", by = \"key\", to = \"flights\" }}, {{ from = \"planes\", by = \"key\", to = \"planes\" }}]
[sink.out]
connector = \"file\"
input = \"enrich\"
path = \"out\"
",
        plugin("enrich-as-of")
    ));
    bench
}

#[test]
fn a_flight_is_joined_once_with_the_plane_of_its_time_over_kills_and_other_parallelisms() {
    let (bench, mut seed) = (bench(), Seed::of_run());
    bench.kill_at_parallelisms(&mut seed, &[3, 1, 2]);
    bench.run("run job.toml").assert(0, &["finished"]);
    let mut joined = BTreeMap::new();
    for (line, times) in bench.committed_in("out") {
        let row: Value = serde_json::from_str(&line).expect("a line is JSON");
        let number = row["flight"].as_u64().expect("a number");
        let model = row["model"].as_str().map(str::to_owned);
        assert!(times == 1 && joined.insert(number, model).is_none(), "twice: {line}");
    }
    assert_eq!(joined, expected());
    assert!(joined.values().any(Option::is_none) && joined.values().any(Option::is_some));
    bench.assert_nothing_pending();
}

#[test]
fn joins_and_windows_of_nexmark_give_over_kills_what_a_plain_computation_gives() {
    // Joins of two inputs in windows, by an auction's end and for ever; hopping windows and sessions beside them.
    let queries = [3, 4, 5, 7, 8, 9, 11, 20];
    let (bench, mut seed) = (Bench::new(WEIR, WordCount::default()), Seed::of_run());
    let text = job(10_000, &queries).replace("[source.events]\n", "[checkpoints]\ninterval = \"50ms\"\n[source.events]\nrate = 4000\n");
    bench.write_job(&text);
    bench.kill_at_parallelisms(&mut seed, &[1, 1]);
    bench.run("run job.toml").assert(0, &["finished"]);
    compare(&bench, &queries);
}
