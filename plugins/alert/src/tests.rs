//! Against a plain look at the sorted flights, however they come and however far time goes between them.

use super::*;
use std::collections::BTreeMap;
use weir_guest::testing::{TestHost, TestRecord};

const HOUR: i64 = 3_600_000;

fn flight(tailnum: &str, hour: i64) -> TestRecord {
    TestRecord::new("row").key(tailnum).at(hour * HOUR)
}

/// What is emitted: aircraft and time, in the order of both.
fn alerts(host: &mut TestHost<Alert>) -> Vec<(String, i64)> {
    let of = |record: TestRecord| (String::from_utf8(record.key.unwrap_or_default()).expect("text"), record.timestamp.unwrap_or(0) / HOUR);
    let mut alerts: Vec<_> = host.take_emitted().into_iter().map(of).collect();
    alerts.sort();
    alerts
}

#[test]
fn an_aircraft_that_was_awaited_and_did_not_come_is_told_once() {
    let mut host = TestHost::<Alert>::open(r#"{"within-hours":3}"#).expect("opens");
    host.send(&[flight("A", 0), flight("B", 1), flight("A", 2), flight("NA", 0)]).expect("no fault");
    host.advance_to(4 * HOUR - 1).expect("no fault");
    assert_eq!(alerts(&mut host), []);
    host.advance_to(4 * HOUR).expect("no fault");
    let told = r#"{"tailnum":"B","last_flight":"1970-01-01T01:00:00Z","overdue_since":"1970-01-01T04:00:00Z"}"#;
    assert_eq!(host.take_emitted(), [TestRecord::new(told).key("B").at(4 * HOUR)]);
    host.send(&[flight("A", 5), flight("B", 9)]).expect("no fault");
    host.advance_to(8 * HOUR).expect("no fault");
    assert_eq!(alerts(&mut host), [("A".to_owned(), 8)]);
    host.end_input().expect("no fault");
    assert_eq!(alerts(&mut host), [("B".to_owned(), 12)]);
    assert_eq!((host.value("flights", "A"), host.timers(AWAITED, "B")), (None, vec![]));
}

#[test]
fn alerts_are_those_of_the_flights_in_order_however_they_came() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut host, within, disorder) = (TestHost::<Alert>::open(r#"{"within-hours":6}"#).expect("opens"), 6, 4);
        let mut flights: Vec<(i64, i64, &str)> = (0..60)
            .map(|_| {
                let hour = random.i64(0..80);
                (hour + random.i64(0..disorder), hour, ["A", "B", "C"][random.usize(0..3)])
            })
            .collect();
        flights.sort();
        let (mut told, mut newest) = (Vec::new(), 0);
        for (_, hour, tailnum) in &flights {
            host.send(&[flight(tailnum, *hour)]).expect("no fault");
            newest = newest.max(*hour);
            if random.bool() {
                host.advance_to((newest - disorder) * HOUR).expect("no fault");
                host.replace_instance().expect("opens");
                told.extend(alerts(&mut host));
            }
        }
        host.end_input().expect("no fault");
        told.extend(alerts(&mut host));
        told.sort();
        assert_eq!(told, plain(&flights, within), "seed {seed}");
    }
}

/// The flights of each aircraft that none follows in time.
fn plain(flights: &[(i64, i64, &str)], within: i64) -> Vec<(String, i64)> {
    let mut by_aircraft: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    flights.iter().for_each(|(_, hour, tailnum)| by_aircraft.entry(tailnum).or_default().push(*hour));
    let mut alerts = Vec::new();
    for (tailnum, hours) in &mut by_aircraft {
        hours.sort();
        hours.dedup();
        let lonely = hours.iter().enumerate().filter(|(place, hour)| hours.get(place + 1).is_none_or(|next| *next > **hour + within));
        alerts.extend(lonely.map(|(_, hour)| ((*tailnum).to_owned(), hour + within)));
    }
    alerts
}
