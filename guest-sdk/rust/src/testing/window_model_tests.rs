//! Windows against a plain look at their records, in whatever order these come and wherever they are cut.

use super::window_tests::{Tell, host};
use crate::prelude::*;
use crate::testing::{TestHost, TestRecord, TestWindow, assert_window_cuts_agree};
use std::collections::BTreeMap;

/// Records of a few keys whose times rise, with some that are far behind.
fn records(seed: u64) -> Vec<(u32, TestRecord)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let record = |n: i64| {
        let behind = if random.u8(0..10) == 0 { random.i64(0..60) } else { random.i64(0..6) };
        let value = ["a", "bb", "c", "ddd"][random.usize(..4)];
        (0, TestRecord::new(value).key(random.u8(b'a'..b'e').to_string()).at(n / 2 - behind))
    };
    (0..400).map(record).collect()
}

#[test]
fn cutting_anywhere_gives_the_same_firings_in_windows_of_every_kind() {
    let kinds = [
        TestWindow::tumbling(10),
        TestWindow::tumbling(10).lateness(20),
        TestWindow::hopping(10, 3).lateness(4),
        TestWindow::session(3),
        TestWindow::session(3).lateness(30),
        TestWindow::count(7),
        TestWindow::global(),
    ];
    for window in kinds {
        assert_window_cuts_agree::<Tell>("{}", &Setup::default(), window, &records(7), 100);
    }
}

/// The count of each window: by key, start and end.
type Counts = BTreeMap<(Vec<u8>, i64, i64), u64>;

/// The last count that is told of each window that is not replaced.
fn last_counts(host: &mut TestHost<Tell>) -> Counts {
    let mut counts = Counts::new();
    for record in host.take_emitted() {
        let text = String::from_utf8(record.value).expect("text");
        let key = record.key.expect("a key");
        let (bounds, rest) = text.split_once(' ').expect("bounds");
        let count = rest.split(' ').nth(2).expect("a count").parse().expect("a number");
        let mut windows = bounds.replace("--", "-!").replace("..-", "..!");
        if windows.starts_with('-') {
            windows.replace_range(..1, "!");
        }
        let mut windows = windows.split('-').map(|window| {
            let (start, end) = window.split_once("..").expect("bounds");
            let number = |text: &str| text.replace('!', "-").parse::<i64>().expect("a number");
            (key.clone(), number(start), number(end))
        });
        let own = windows.next().expect("its own");
        windows.for_each(|replaced| {
            counts.remove(&replaced);
        });
        counts.insert(own, count);
    }
    counts
}

#[test]
fn whatever_the_order_and_however_time_goes_the_last_word_is_that_of_a_plain_count() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut records: Vec<TestRecord> = records(seed).into_iter().map(|(_, record)| record).collect();
        let gap = 3;
        let (mut tumbling, mut sessions) = (host(TestWindow::tumbling(10).lateness(1_000)), host(TestWindow::session(gap).lateness(1_000)));
        random.shuffle(&mut records[..200]);
        for batch in records.chunks(23) {
            for host in [&mut tumbling, &mut sessions] {
                host.send(batch).expect("no fault");
                if random.bool() {
                    host.advance_to(random.i64(-50..220)).expect("no fault");
                }
                if random.u8(0..8) == 0 {
                    host.fire_early().expect("no fault");
                }
            }
        }
        let (mut in_tens, mut in_sessions) = (Counts::new(), Counts::new());
        records.sort_by_key(|record| (record.key.clone(), record.timestamp));
        for of_key in records.chunk_by(|a, b| a.key == b.key) {
            for session in of_key.chunk_by(|a, b| b.timestamp < a.timestamp.map(|time| time + gap)) {
                let (first, last) = (session[0].timestamp.expect("a time"), session[session.len() - 1].timestamp.expect("a time"));
                in_sessions.insert((session[0].key.clone().expect("a key"), first, last + gap), session.len() as u64);
            }
            for record in of_key {
                let start = record.timestamp.expect("a time").div_euclid(10) * 10;
                *in_tens.entry((record.key.clone().expect("a key"), start, start + 10)).or_default() += 1;
            }
        }
        for (host, expect) in [(&mut tumbling, in_tens), (&mut sessions, in_sessions)] {
            host.end_input().expect("no fault");
            assert_eq!((last_counts(host), host.late()), (expect, &[][..]), "seed {seed}");
        }
    }
}
