//! The operator on the host in memory: by hand, and beside a plain look at a month of flights.

use super::*;
use std::collections::BTreeMap;
use std::io::Read;
use weir_guest::testing::{TestHost, TestRecord, assert_cuts_agree};

const DAY: i64 = 86_400_000;

fn host() -> TestHost<Dedup> {
    TestHost::open("{}").expect("opens")
}

fn record(key: &str, value: &str) -> TestRecord {
    TestRecord::new(value).key(key)
}

/// Values that have passed since the last time.
fn passed(host: &mut TestHost<Dedup>) -> Vec<String> {
    host.take_emitted().into_iter().map(|record| String::from_utf8(record.value).expect("text")).collect()
}

#[test]
fn the_first_record_of_a_key_passes_and_no_other_for_a_day() {
    let mut host = host();
    host.advance_to(5 * DAY).expect("no fault");
    host.send(&[record("a", "a1"), record("b", "b1"), record("a", "a2")]).expect("no fault");
    assert_eq!(passed(&mut host), ["a1", "b1"]);
    host.advance_to(6 * DAY - 1).expect("no fault");
    host.send(&[record("b", "b2"), record("c", "c1")]).expect("no fault");
    assert_eq!(passed(&mut host), ["c1"]);
    host.advance_to(6 * DAY).expect("no fault");
    host.send(&[record("a", "a3"), record("a", "a4"), record("b", "b3"), record("c", "c2")]).expect("no fault");
    assert_eq!(passed(&mut host), ["a3", "b3"]);
    assert_eq!(host.metric("duplicates"), 4);
}

#[test]
fn a_record_passes_as_it_came() {
    let mut host = host();
    let came = record("a", "x").at(7).header("from", "y");
    host.send(&[came.clone(), came.clone()]).expect("no fault");
    assert_eq!(host.emitted(), [came]);
}

#[test]
fn of_a_month_of_flights_each_aircraft_passes_once_a_day() {
    let mut text = String::new();
    let file = format!("{}/../flight-delays/data/flights-2013-01.csv.gz", env!("CARGO_MANIFEST_DIR"));
    flate2::read::GzDecoder::new(std::fs::File::open(file).expect("the data")).read_to_string(&mut text).expect("gzip");
    let (mut host, mut since) = (host(), BTreeMap::new());
    let (mut expect, mut count) = (Vec::new(), 0);
    for row in text.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let (day, aircraft) = (fields[2].parse::<i64>().expect("a day"), fields[11]);
        // Event time comes to a day with its first flight.
        host.advance_to(day * DAY).expect("no fault");
        host.send(&[record(aircraft, row)]).expect("no fault");
        if since.insert(aircraft, day) != Some(day) {
            expect.push(row);
        }
        count += 1;
    }
    assert_eq!(passed(&mut host), expect);
    assert!(expect.len() > 10_000 && expect.len() < count, "{} of {count}", expect.len());
}

#[test]
fn cuts_change_nothing() {
    let mut random = fastrand::Rng::with_seed(2);
    let records: Vec<_> = (0..300).map(|number| (0, record(["a", "b", "c", "d"][random.usize(..4)], &number.to_string()))).collect();
    assert_cuts_agree::<Dedup>("{}", &Setup::default(), &records, 1);
}
