//! Single flights, and the whole month beside a plain count of it.

use super::*;
use std::collections::BTreeMap;
use std::io::Read;
use weir_guest::testing::{TestHost, TestRecord, TestWindow, assert_window_cuts_agree};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn flight(origin: &str, time: i64) -> TestRecord {
    TestRecord::new("row").key(origin).at(time)
}

fn lines(host: &mut TestHost<HourlyTraffic>) -> Vec<String> {
    host.take_emitted().into_iter().map(|record| String::from_utf8(record.value).expect("text")).collect()
}

#[test]
fn each_hour_is_told_when_it_is_over_and_again_when_a_late_flight_comes() {
    let mut host = TestHost::<HourlyTraffic>::open("{}").expect("opens").with_window(TestWindow::tumbling(HOUR).lateness(HOUR));
    let ten = 1_357_034_400_000;
    host.send(&[flight("EWR", ten), flight("JFK", ten + HOUR), flight("EWR", ten + HOUR - 1)]).expect("no fault");
    host.advance_to(ten + HOUR - 1).expect("no fault");
    let first = r#"{"origin":"EWR","hour":"2013-01-01T10:00:00Z","flights":2,"revision":1}"#;
    assert_eq!(host.take_emitted(), [TestRecord::new(first).key("EWR").at(ten + HOUR - 1)]);
    host.send(&[flight("EWR", ten + 5)]).expect("no fault");
    host.advance_to(ten + HOUR).expect("no fault");
    assert_eq!(lines(&mut host), [r#"{"origin":"EWR","hour":"2013-01-01T10:00:00Z","flights":3,"revision":2}"#]);
    host.end_input().expect("no fault");
    assert_eq!(lines(&mut host), [r#"{"origin":"JFK","hour":"2013-01-01T11:00:00Z","flights":1,"revision":1}"#]);
}

#[test]
fn an_hour_is_where_the_window_starts_whatever_window_it_is() {
    let mut host = TestHost::<HourlyTraffic>::open("{}").expect("opens").with_window(TestWindow::hopping(2 * HOUR, HOUR));
    host.send(&[flight("EWR", HOUR)]).expect("no fault");
    host.end_input().expect("no fault");
    let [zero, one] = ["00", "01"].map(|hour| format!(r#"{{"origin":"EWR","hour":"1970-01-01T{hour}:00:00Z","flights":1,"revision":1}}"#));
    assert_eq!(lines(&mut host), [zero, one]);
}

#[test]
fn a_window_without_a_start_is_refused_with_a_hint() {
    let mut host = TestHost::<HourlyTraffic>::open("{}").expect("opens").with_window(TestWindow::count(1));
    let message = host.send(&[flight("EWR", 0)]).expect_err("no start").message;
    assert_eq!(message, "the window has no start: give the operator a tumbling or a hopping one");
}

/// The flights of January by origin, each with the hour that its row says.
fn january() -> Vec<(TestRecord, String)> {
    let mut text = String::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../flight-delays/data/flights-2013-01.csv.gz");
    flate2::read::GzDecoder::new(std::fs::File::open(path).expect("the data")).read_to_string(&mut text).expect("gzip");
    let of_row = |row: &str| {
        let fields: Vec<_> = row.split(',').collect();
        let number = |digits: std::ops::Range<usize>| fields[18][digits].parse::<i64>().expect("digits");
        // In January 2013, and on the first of February.
        let days = 15_706 + (number(5..7) - 1) * 31 + number(8..10) - 1;
        (flight(fields[12], days * DAY + number(11..13) * HOUR), fields[18].to_owned())
    };
    text.lines().skip(1).map(of_row).collect()
}

#[test]
fn january_is_counted_as_a_plain_count_does_it() {
    let flights = january();
    let mut host = TestHost::<HourlyTraffic>::open("{}").expect("opens").with_window(TestWindow::tumbling(HOUR));
    let mut newest = i64::MIN;
    for chunk in flights.chunks(1_000) {
        let records: Vec<_> = chunk.iter().map(|(record, _)| record.clone()).collect();
        host.send(&records).expect("no fault");
        newest = records.iter().filter_map(|record| record.timestamp).fold(newest, i64::max);
        host.advance_to(newest - DAY).expect("no fault");
    }
    host.end_input().expect("no fault");
    let mut expect: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (record, hour) in &flights {
        let origin = String::from_utf8(record.key.clone().expect("a key")).expect("text");
        *expect.entry((hour.clone(), origin)).or_default() += 1;
    }
    let line = |((hour, origin), flights): (&(String, String), &u64)| {
        format!(r#"{{"origin":"{origin}","hour":"{hour}","flights":{flights},"revision":1}}"#)
    };
    assert_eq!((flights.len(), host.late()), (27_004, &[][..]));
    assert_eq!(lines(&mut host), expect.iter().map(line).collect::<Vec<_>>(), "by hour, then by origin");
}

#[test]
fn cuts_change_nothing() {
    let flights: Vec<_> = january().into_iter().take(600).map(|(record, _)| (0, record)).collect();
    assert_window_cuts_agree::<HourlyTraffic>("{}", &Setup::default(), TestWindow::tumbling(HOUR).lateness(12 * HOUR), &flights, 1);
}
