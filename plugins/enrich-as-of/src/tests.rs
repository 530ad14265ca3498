//! The operator on the host in memory: single rows, and a month in any order.

use super::*;
use std::collections::BTreeMap;
use std::io::Read;
use weir_guest::testing::{TestHost, TestRecord, assert_cuts_agree};

const FLIGHTS_HEADER: &str = "tailnum,carrier,flight,origin,dest,arr_delay,time_hour";
const PLANES_HEADER: &str = "tailnum,year,manufacturer,model,seats";

fn setup(flights: &str, planes: &str) -> Setup {
    Setup { schemas: vec![Some(flights.to_owned()), Some(planes.to_owned())], ..Setup::default() }
}

fn host() -> TestHost<EnrichAsOf> {
    TestHost::open_with("{}", setup(FLIGHTS_HEADER, PLANES_HEADER)).expect("opens")
}

fn flight(tailnum: &str, year: u32) -> TestRecord {
    TestRecord::new(format!("{tailnum},UA,15,EWR,IAH,-3,T{year}")).key(tailnum).at(start_of_year(year))
}

fn plane(tailnum: &str, year: &str, model: &str) -> TestRecord {
    TestRecord::new(format!("{tailnum},{year},BOEING,{model},149")).key(tailnum)
}

/// What is emitted of flights of these years, and of what planes it is.
fn models(host: &TestHost<EnrichAsOf>) -> Vec<(String, String)> {
    let field = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap_or("none").to_owned();
    let lines = host.emitted().iter().map(|record| serde_json::from_slice(&record.value).expect("JSON"));
    lines.map(|line: serde_json::Value| (field(&line, "time_hour"), field(&line, "model"))).collect()
}

#[test]
fn a_flight_has_the_plane_that_its_registration_stood_for_at_its_time() {
    let mut host = host();
    host.send_to(1, &[plane("N1", "1999", "737"), plane("N1", "NA", "DC-3"), plane("N1", "2010", "787")]).expect("no fault");
    host.send(&[flight("N1", 2012), flight("N1", 1998), flight("N1", 2005), flight("N2", 2005)]).expect("no fault");
    assert_eq!(models(&host), [], "event time has not come to them");
    host.end_input().expect("no fault");
    let expect = [("T1998", "DC-3"), ("T2005", "737"), ("T2005", "none"), ("T2012", "787")];
    assert_eq!(models(&host), expect.map(|(year, model)| (year.to_owned(), model.to_owned())));
    assert_eq!(host.emitted()[1].timestamp, Some(start_of_year(2005)));
}

#[test]
fn a_line_says_what_is_known_and_leaves_out_a_plane_that_is_not() {
    let mut host = host();
    host.send_to(1, &[TestRecord::new("N1,NA,BOEING,737,NA").key("N1")]).expect("no fault");
    host.send(&[flight("N1", 2013), flight("N2", 2013)]).expect("no fault");
    host.end_input().expect("no fault");
    let lines: Vec<_> = host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect();
    let known = r#"{"tailnum":"N1","time_hour":"T2013","carrier":"UA","flight":15,"origin":"EWR","dest":"IAH","arr_delay":-3,"manufacturer":"BOEING","model":"737","year":null,"seats":null}"#;
    let without = r#"{"tailnum":"N2","time_hour":"T2013","carrier":"UA","flight":15,"origin":"EWR","dest":"IAH","arr_delay":-3}"#;
    assert_eq!(lines, [known, without]);
}

#[test]
fn what_cannot_be_joined_is_counted_or_named() {
    let mut host = host();
    host.send(&[TestRecord::new("NA,UA,15,EWR,IAH,NA,T").key("NA").at(1)]).expect("no fault");
    assert_eq!((host.metric("flights-without-aircraft"), host.map("flights", "NA").len()), (1, 0));
    let failure = host.send(&[TestRecord::new("N1,UA,15,EWR,IAH,1,T").key("N1")]).expect_err("no time");
    assert!(failure.message.contains("the flight has no time"), "{}", failure.message);
    let error = TestHost::<EnrichAsOf>::open("{}").err().expect("no header");
    assert!(error.contains("let a csv source feed each of its inputs"), "{error}");
}

#[test]
fn years_begin_when_they_do() {
    let days = [0, 1_970, 1_999, 2_000, 2_001, 2_013, u32::MAX].map(|year| start_of_year(year) / 86_400_000);
    assert_eq!(days, [-719_528, 0, 10_592, 10_957, 11_323, 15_706, 2_932_532]);
}

/// The header of a file and its rows, by the column of the aircraft.
fn rows(path: &str, tailnum: usize) -> (String, Vec<TestRecord>) {
    let mut text = String::new();
    let file = std::fs::File::open(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("the data");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    let (header, rows) = text.split_once('\n').expect("a header");
    (header.to_owned(), rows.lines().map(|row| TestRecord::new(row).key(row.split(',').nth(tailnum).expect("tailnum"))).collect())
}

#[test]
fn a_month_is_joined_alike_in_every_order_and_cut_anywhere() {
    let (flights_header, flights) = rows("../flight-delays/data/flights-2013-01.csv.gz", 11);
    let (planes_header, planes) = rows("../enrich/data/planes.csv.gz", 0);
    let flights: Vec<_> = flights.into_iter().zip(1_357_000_000_000..).map(|(flight, time)| (0, flight.at(time))).collect();
    let planes: Vec<_> = planes.into_iter().map(|plane| (1, plane)).collect();
    let setup = setup(&flights_header, &planes_header);
    let joined = |records: &[(u32, TestRecord)]| {
        let mut host = TestHost::<EnrichAsOf>::open_with("{}", setup.clone()).expect("opens");
        for run in records.chunk_by(|(a, _), (b, _)| a == b) {
            host.send_to(run[0].0, &run.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>()).expect("no fault");
        }
        host.end_input().expect("no fault");
        host.take_emitted()
    };
    let planes_first = joined(&[planes.clone(), flights.clone()].concat());
    let known: BTreeMap<_, _> = planes.iter().map(|(_, plane)| (plane.key.clone(), ())).collect();
    let expect = flights.iter().filter(|(_, flight)| flight.key.as_deref() != Some(b"NA"));
    assert_eq!(planes_first.len(), expect.clone().count());
    let with_plane = planes_first.iter().filter(|line| String::from_utf8_lossy(&line.value).contains("manufacturer")).count();
    assert_eq!(with_plane, expect.filter(|(_, flight)| known.contains_key(&flight.key)).count());

    let mut mixed = [flights, planes].concat();
    fastrand::Rng::with_seed(5).shuffle(&mut mixed);
    assert!(joined(&mixed) == planes_first, "the order in which they came does not matter");
    assert_cuts_agree::<EnrichAsOf>("{}", &setup, &mixed[..600], 1);
}
