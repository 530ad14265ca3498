//! The operator on the host in memory: single rows, and the whole month beside the source.

use super::*;
use std::collections::BTreeMap;
use std::io::Read;
use weir_guest::testing::{TestHost, TestRecord, assert_cuts_agree};

const HEADER: &str = "year,arr_delay,tailnum";

fn setup(header: &str) -> Setup {
    Setup { schemas: vec![Some(header.to_owned())], ..Setup::default() }
}

fn host(config: &str) -> TestHost<FlightDelays> {
    TestHost::open_with(config, setup(HEADER)).expect("opens")
}

fn row(row: &str) -> TestRecord {
    TestRecord::new(row).key(row.rsplit(',').next().expect("a field"))
}

#[track_caller]
fn check(config: &str, rows: &[&str], expect: &[&str]) {
    let mut host = host(config);
    host.send(&rows.iter().map(|text| row(text)).collect::<Vec<_>>()).expect("works the rows off");
    let lines: Vec<_> = host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect();
    assert_eq!(lines, expect);
}

#[test]
fn known_rows_give_the_running_totals_of_their_aircraft() {
    check(
        "{}",
        &["2013,11,N14228", "2013,-20,N24211", "2013,-4,N14228", "2013,NA,N14228", "2013,5,NA", "2013,,N14228", "2013,5,"],
        &[
            r#"{"tailnum":"N14228","flights":1,"total_delay":11}"#,
            r#"{"tailnum":"N24211","flights":1,"total_delay":-20}"#,
            r#"{"tailnum":"N14228","flights":2,"total_delay":7}"#,
        ],
    );
}

#[test]
fn means_are_of_all_rows_with_two_decimals() {
    check(
        r#"{"emit":"mean"}"#,
        &["2013,NA,N1", "2013,11,N1", "2013,-4,N1", "2013,1,N1", "2013,-1,N2", "2013,0,N2", "2013,0,N2", "2013,NA,NA"],
        &["N1,1,", "N1,2,11.00", "N1,3,3.50", "N1,4,2.67", "N2,1,-1.00", "N2,2,-0.50", "N2,3,-0.33", "NA,1,"],
    );
}

#[test]
fn an_odd_tailnum_is_escaped() {
    check("{}", &["2013,1,N\t1"], &[r#"{"tailnum":"N\t1","flights":1,"total_delay":1}"#]);
}

#[test]
fn a_bad_row_is_named() {
    for (bad, expect) in [("2013,soon,N1", "`soon` is no number"), ("2013,1", "field 3 is wanted"), ("2013,1234567890,N1", "no number")] {
        let failure = host("{}").send(&[row("2013,1,N1"), row(bad)]).expect_err(bad);
        assert_eq!(failure.record, Some(1));
        assert!(failure.message.contains(expect), "{bad}: {}", failure.message);
    }
}

#[test]
fn opening_needs_a_header_with_both_columns() {
    let error = TestHost::<FlightDelays>::open("{}").err().expect("no header");
    assert!(error.contains("needs the header"), "{error}");
    let error = TestHost::<FlightDelays>::open_with("{}", setup("year,tailnum")).err().expect("no column");
    assert!(error.contains("no column `arr_delay`"), "{error}");
    let error = TestHost::<FlightDelays>::open_with(r#"{"emmit":"mean"}"#, setup(HEADER)).err().expect("no such setting");
    assert!(error.contains("emmit"), "{error}");
}

/// The header and the rows of January, keyed by aircraft.
fn january() -> (String, Vec<(u32, TestRecord)>) {
    let mut text = String::new();
    let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-2013-01.csv.gz")).expect("the data");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    let (header, rows) = text.split_once('\n').expect("a header");
    let rows = rows.lines().map(|row| (0, TestRecord::new(row).key(row.split(',').nth(11).expect("tailnum")))).collect();
    (header.to_owned(), rows)
}

#[test]
fn january_has_26398_known_rows_of_3140_aircraft() {
    let (header, rows) = january();
    let mut host = TestHost::<FlightDelays>::open_with("{}", setup(&header)).expect("opens");
    let mut expect = BTreeMap::new();
    for chunk in rows.chunks(1024) {
        host.send(&chunk.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>()).expect("every row is well-formed");
    }
    for (_, row) in &rows {
        let text = String::from_utf8_lossy(&row.value);
        let fields: Vec<_> = text.split(',').collect();
        if let (Ok(delay), true) = (fields[8].parse::<i64>(), fields[11] != "NA") {
            let (flights, total) = expect.entry(fields[11].to_owned()).or_insert((0, 0));
            (*flights, *total) = (*flights + 1, *total + delay);
        }
    }
    assert_eq!((host.emitted().len(), expect.len()), (26_398, 3_140));
    for (tailnum, (flights, total_delay)) in expect {
        let last = host.emitted().iter().rfind(|record| record.key.as_deref() == Some(tailnum.as_bytes())).expect("emitted");
        let line = format!(r#"{{"tailnum":"{tailnum}","flights":{flights},"total_delay":{total_delay}}}"#);
        assert_eq!(String::from_utf8_lossy(&last.value), line);
    }
}

#[test]
fn cuts_change_nothing() {
    let (header, rows) = january();
    assert_cuts_agree::<FlightDelays>("{}", &setup(&header), &rows[..500], 1);
    assert_cuts_agree::<FlightDelays>(r#"{"emit":"mean"}"#, &setup(&header), &rows[..500], 2);
}
