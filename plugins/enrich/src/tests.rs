//! The operator on the host in memory: single rows, and the whole month in any order.

use super::*;
use std::collections::BTreeMap;
use std::io::Read;
use weir_guest::testing::{TestHost, TestRecord, assert_cuts_agree};

const FLIGHTS_HEADER: &str = "tailnum,carrier,flight,origin,dest,arr_delay,time_hour";
const PLANES_HEADER: &str = "tailnum,year,manufacturer,model,seats";

fn setup(flights: &str, planes: &str) -> Setup {
    Setup { schemas: vec![Some(flights.to_owned()), Some(planes.to_owned())], ..Setup::default() }
}

/// Records with the numbers of their inputs.
type Rows = Vec<(u32, TestRecord)>;

/// Input and record of a row that begins with its aircraft: `p` for planes, `f` for flights.
fn record(line: &str) -> (u32, TestRecord) {
    let (input, row) = line.split_once(' ').expect("an input and a row");
    let row = TestRecord::new(row).key(row.split(',').next().expect("a field"));
    if input == "p" { (1, row) } else { (0, row.at(7)) }
}

fn run(setup: Setup, records: &[(u32, TestRecord)]) -> TestHost<Enrich> {
    let mut host = TestHost::<Enrich>::open_with("{}", setup).expect("opens");
    for run in records.chunk_by(|(a, _), (b, _)| a == b) {
        host.send_to(run[0].0, &run.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>()).expect("works the rows off");
    }
    host
}

#[track_caller]
fn check(lines: &[&str], expect: &[&str]) {
    let records: Vec<_> = lines.iter().map(|line| record(line)).collect();
    let host = run(setup(FLIGHTS_HEADER, PLANES_HEADER), &records);
    assert_eq!(host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect::<Vec<_>>(), expect);
    assert!(host.emitted().iter().all(|record| record.timestamp == Some(7)), "a flight keeps its time");
}

const JOINED: &str = r#"{"tailnum":"N1","time_hour":"T","carrier":"UA","flight":15,"origin":"EWR","dest":"IAH","arr_delay":-3,"manufacturer":"BOEING","model":"737","year":1999,"seats":149}"#;

#[test]
fn a_flight_is_joined_whichever_comes_first() {
    check(&["p N1,1999,BOEING,737,149", "f N1,UA,15,EWR,IAH,-3,T"], &[JOINED]);
    check(&["f N1,UA,15,EWR,IAH,-3,T", "p N1,1999,BOEING,737,149"], &[JOINED]);
    check(&["f N1,UA,15,EWR,IAH,-3,T", "p N2,1999,BOEING,737,149"], &[]);
}

#[test]
fn flights_that_waited_come_in_their_order_and_once() {
    let flight = |number: u32| JOINED.replace(":15,", &format!(":{number},"));
    check(
        &[
            "f N1,UA,1,EWR,IAH,-3,T",
            "f N1,UA,2,EWR,IAH,-3,T",
            "p N1,1999,BOEING,737,149",
            "f N1,UA,3,EWR,IAH,-3,T",
            "p N1,1999,BOEING,737,149",
        ],
        &[&flight(1), &flight(2), &flight(3)],
    );
}

#[test]
fn what_is_not_known_is_null_and_a_flight_without_aircraft_is_counted() {
    let nulls = JOINED.replace("-3", "null").replace("1999", "null").replace("149", "null");
    check(&["p N1,NA,BOEING,737,NA", "f N1,UA,15,EWR,IAH,NA,T"], &[&nulls]);
    let host = run(setup(FLIGHTS_HEADER, PLANES_HEADER), &[record("f NA,UA,15,EWR,IAH,NA,T"), record("f ,UA,15,EWR,IAH,NA,T")]);
    assert_eq!((host.metric("flights-without-aircraft"), host.list("waiting", "NA").len()), (2, 0));
}

#[test]
fn a_bad_row_is_named_and_headers_are_needed() {
    let mut host = TestHost::<Enrich>::open_with("{}", setup(FLIGHTS_HEADER, PLANES_HEADER)).expect("opens");
    let failure = host.send(&[record("f N1,UA,1,EWR,IAH,1,T").1, record("f N1,UA,one,EWR,IAH,1,T").1]).expect_err("no number");
    assert_eq!((failure.record, failure.message.as_str()), (Some(1), "the column `flight` has `one`, which is no number that it can have"));
    let error = TestHost::<Enrich>::open("{}").err().expect("no header");
    assert!(error.contains("let a csv source feed each of its inputs"), "{error}");
    let error = TestHost::<Enrich>::open_with("{}", setup(FLIGHTS_HEADER, "tailnum,year")).err().expect("no column");
    assert!(error.contains("no column `manufacturer`"), "{error}");
}

/// The header of a file and its rows, by the column of the aircraft.
fn rows(input: u32, path: &str, tailnum: usize) -> (String, Rows) {
    let mut text = String::new();
    let file = std::fs::File::open(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("the data");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    let (header, rows) = text.split_once('\n').expect("a header");
    let rows = rows.lines().map(|row| (input, TestRecord::new(row).key(row.split(',').nth(tailnum).expect("tailnum")))).collect();
    (header.to_owned(), rows)
}

/// A month of flights.
struct January {
    /// What opens the operator.
    setup: Setup,
    flights: Rows,
    planes: Rows,
}

fn january() -> January {
    let (flights_header, flights) = rows(0, "../flight-delays/data/flights-2013-01.csv.gz", 11);
    let (planes_header, planes) = rows(1, "data/planes.csv.gz", 0);
    January { setup: setup(&flights_header, &planes_header), flights, planes }
}

/// The lines of a host that was given everything, sorted.
fn lines(host: &TestHost<Enrich>) -> Vec<TestRecord> {
    let mut lines = host.emitted().to_vec();
    lines.sort();
    lines
}

#[test]
fn january_is_joined_alike_in_every_order() {
    let January { setup, flights, planes } = january();
    let known: BTreeMap<_, _> = planes.iter().map(|(_, plane)| (plane.key.clone(), plane)).collect();
    let expect = flights.iter().filter(|(_, flight)| known.contains_key(&flight.key)).count();

    let planes_first = run(setup.clone(), &[planes.clone(), flights.clone()].concat());
    let flights_first = run(setup.clone(), &[flights.clone(), planes.clone()].concat());
    let mut mixed = [flights, planes].concat();
    fastrand::Rng::with_seed(5).shuffle(&mut mixed);
    let mixed = run(setup, &mixed);
    assert_eq!(planes_first.emitted().len(), expect);
    assert!(lines(&planes_first) == lines(&flights_first) && lines(&planes_first) == lines(&mixed));
}

#[test]
fn cuts_change_nothing() {
    let January { setup, flights, planes } = january();
    let mut rng = fastrand::Rng::with_seed(6);
    let mut mixed = [&flights[..300], &rng.choose_multiple(&planes, 300).into_iter().cloned().collect::<Vec<_>>()].concat();
    mixed.extend(
        mixed[..300].iter().filter_map(|(_, flight)| planes.iter().find(|(_, plane)| plane.key == flight.key).cloned()).collect::<Vec<_>>(),
    );
    rng.shuffle(&mut mixed);
    assert_cuts_agree::<Enrich>("{}", &setup, &mixed, 1);
}
