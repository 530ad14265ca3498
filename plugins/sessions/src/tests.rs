//! Single flights, and flights in any order beside those of each aircraft in order.

use super::*;
use weir_guest::testing::{TestHost, TestRecord, TestWindow, assert_window_cuts_agree};

const HOUR: i64 = 3_600_000;

fn host(window: TestWindow) -> TestHost<Sessions> {
    TestHost::<Sessions>::open("{}").expect("opens").with_window(window)
}

fn flight(tailnum: &str, hour: i64) -> TestRecord {
    TestRecord::new("row").key(tailnum).at(hour * HOUR)
}

/// Flights of an aircraft without a pause, as a row tells them.
fn session(tailnum: &str, hours: std::ops::Range<i64>, flights: usize, revision: u32) -> TestRecord {
    let [start, end] = [hours.start, hours.end].map(|hour| rfc3339(hour * HOUR));
    let line = format!(r#"{{"tailnum":"{tailnum}","start":"{start}","end":"{end}","flights":{flights},"revision":{revision}}}"#);
    TestRecord::new(line).key(tailnum).at(hours.end * HOUR - 1)
}

#[test]
fn flights_without_a_pause_are_told_once_the_pause_has_come() {
    let mut host = host(TestWindow::session(3 * HOUR).lateness(10 * HOUR));
    host.send(&[flight("A", 10), flight("B", 11), flight("A", 12), flight("NA", 10), flight("A", 15)]).expect("no fault");
    host.advance_to(15 * HOUR).expect("no fault");
    assert_eq!(host.take_emitted(), [session("B", 11..14, 1, 1), session("A", 10..15, 2, 1)]);
    host.send(&[flight("A", 14)]).expect("no fault");
    host.end_input().expect("no fault");
    let mut one = session("A", 10..18, 4, 2);
    let [start, end] = [10, 15].map(|hour| rfc3339(hour * HOUR));
    one.value.truncate(one.value.len() - 1);
    one.value.extend(format!(r#","replaces":[{{"start":"{start}","end":"{end}"}}]}}"#).into_bytes());
    assert_eq!(host.take_emitted(), [one], "the flight between two sessions makes them one, in the place of that which was told");
}

#[test]
fn a_window_without_bounds_is_refused_with_a_hint() {
    let message = host(TestWindow::count(1)).send(&[flight("A", 0)]).expect_err("no bounds").message;
    assert_eq!(message, "the window has no bounds: give the operator `{ session = \"3h\" }`");
}

/// Flights of three aircraft in no order.
fn flights() -> Vec<TestRecord> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..300).map(|_| flight(["A", "B", "C"][random.usize(..3)], random.i64(0..700))).collect()
}

#[test]
fn sessions_are_those_of_the_flights_in_order_however_they_came() {
    let mut host = host(TestWindow::session(3 * HOUR));
    let mut flights = flights();
    flights.chunks(7).for_each(|batch| host.send(batch).expect("no fault"));
    host.end_input().expect("no fault");
    flights.sort_by_key(|flight| (flight.key.clone(), flight.timestamp));
    let hour = |flight: &TestRecord| flight.timestamp.expect("a time") / HOUR;
    let without_pause = flights.chunk_by(|a, b| a.key == b.key && hour(b) - hour(a) < 3);
    let mut expect: Vec<_> = without_pause
        .map(|flights| {
            let tailnum = String::from_utf8(flights[0].key.clone().expect("a key")).expect("text");
            session(&tailnum, hour(&flights[0])..hour(&flights[flights.len() - 1]) + 3, flights.len(), 1)
        })
        .collect();
    let mut told = host.take_emitted();
    told.sort();
    expect.sort();
    assert_eq!(told, expect);
}

#[test]
fn cuts_change_nothing() {
    let mut flights = flights();
    flights.sort_by_key(|flight| flight.timestamp);
    let flights: Vec<_> = flights.into_iter().map(|flight| (0, flight)).collect();
    assert_window_cuts_agree::<Sessions>("{}", &Setup::default(), TestWindow::session(3 * HOUR).lateness(HOUR), &flights, 1);
}
