//! Windows that are taken out in the order in which they are due, and held, corrected and touched in between.

use super::*;

fn settings() -> WindowSettings {
    WindowSettings { emit_every: Some(60), ..WindowSettings::new(WindowKind::Tumbling { size: 10, offset: 0 }) }
}

fn taken(due: &mut DueWindows, event: i64, now: i64) -> Vec<(DueReason, Vec<u8>)> {
    let mut next = || due.take(&settings(), (event, now), |_, _| Some(()));
    std::iter::from_fn(|| next().map(|(window, ())| (window.reason, window.unit.as_slice().to_vec()))).collect()
}

#[test]
fn windows_that_were_touched_fire_early_at_the_next_tick_of_the_clock_and_not_before() {
    let mut due = DueWindows::new(&settings().kind);
    due.touch(&settings(), 10, b"b", 1_007);
    due.touch(&settings(), 10, b"a", 1_019);
    due.touch(&settings(), 10, b"b", 1_019);
    assert_eq!(due.next_by_clock(&settings()), Some(1_020), "a multiple of sixty");
    assert!(!due.are_due(&settings(), 0, 1_019));
    assert_eq!(taken(&mut due, 0, 1_020), [(DueReason::Early, b"a".to_vec()), (DueReason::Early, b"b".to_vec())]);
    assert_eq!(due.next_by_clock(&settings()), None);
    due.touch(&settings(), 10, b"a", 1_020);
    assert_eq!(due.next_by_clock(&settings()), Some(1_080));
}

#[test]
fn a_correction_waits_for_the_next_watermark_and_a_tenth_of_a_second_at_most() {
    let mut due = DueWindows::new(&settings().kind);
    due.correct(10, b"a", 1_000);
    due.correct(10, b"b", 1_050);
    assert_eq!(due.next_by_clock(&settings()), Some(1_100), "it is the first that has waited longest");
    assert!(!due.are_due(&settings(), 0, 1_099));
    assert_eq!(taken(&mut due, 0, 1_100).len(), 2);
    due.correct(10, b"a", 2_000);
    assert!(!due.are_due(&settings(), 0, 2_000));
    due.on_watermark(0);
    assert_eq!(taken(&mut due, 0, 2_000), [(DueReason::Correction, b"a".to_vec())]);
}

#[test]
fn a_window_whose_key_has_not_come_to_its_time_is_looked_at_again_when_all_have_and_not_before() {
    for kind in [WindowKind::Tumbling { size: 10, offset: 0 }, WindowKind::Session { gap: 3 }] {
        let mut due = DueWindows::new(&kind);
        for (unit, time) in [(b"a", 8), (b"b", 9)] {
            due.push(DueReason::OnTime, time, unit);
        }
        // Some key has come to 100.
        let taken = |due: &mut DueWindows| {
            let mut taken = Vec::new();
            while due.are_due(&settings(), 100, 0) {
                taken.extend(due.take(&settings(), (100, 0), |_, _| Some(())).map(|(window, ())| window));
            }
            taken
        };
        for held in taken(&mut due) {
            due.hold(held);
        }
        for (watermark, expect) in [(0, ""), (7, ""), (8, "a"), (8, ""), (20, "b"), (90, "")] {
            due.on_watermark(watermark);
            let units: Vec<u8> = taken(&mut due).iter().flat_map(|window| window.unit.as_slice().to_vec()).collect();
            assert_eq!(String::from_utf8(units).unwrap(), expect, "{kind:?} at {watermark}");
        }
    }
}

#[test]
fn what_was_held_and_what_was_put_back_come_in_one_order() {
    let mut due = DueWindows::new(&WindowKind::Session { gap: 3 });
    due.push(DueReason::OnTime, 50, b"first");
    due.push(DueReason::OnTime, 78, b"second");
    let take = |due: &mut DueWindows| {
        let mut next = || due.are_due(&settings(), 100, 0).then(|| due.take(&settings(), (100, 0), |_, _| Some(())));
        std::iter::from_fn(&mut next).flatten().next().map(|(window, ())| window)
    };
    while let Some(window) = take(&mut due) {
        due.hold(window);
    }
    due.on_watermark(80);
    let first = take(&mut due).expect("its time has come");
    assert_eq!((first.unit.as_slice(), first.time), (&b"first"[..], 50));
    // It has become longer meanwhile.
    due.push(DueReason::OnTime, 70, b"first");
    assert_eq!(take(&mut due).map(|window| window.time), Some(70));
    assert_eq!(take(&mut due).map(|window| window.time), Some(78));
}

#[test]
fn a_correction_that_comes_while_others_are_made_waits_for_its_own_watermark() {
    let mut due = DueWindows::new(&settings().kind);
    due.correct(10, b"b", 0);
    due.correct(10, b"c", 0);
    due.on_watermark(0);
    let one = due.take(&settings(), (0, 0), |_, _| Some(())).map(|(window, ())| window.unit.as_slice().to_vec());
    assert_eq!(one, Some(b"b".to_vec()));
    due.correct(10, b"a", 0);
    assert_eq!(taken(&mut due, 0, 0), [(DueReason::Correction, b"c".to_vec())]);
    assert!(!due.are_due(&settings(), 0, 99));
    due.on_watermark(1);
    assert_eq!(taken(&mut due, 0, 0), [(DueReason::Correction, b"a".to_vec())]);
}

#[test]
fn windows_of_one_time_are_all_there_however_many_they_are() {
    let mut due = DueWindows::new(&settings().kind);
    let unit = |number: u32| [&number.to_be_bytes()[..], &[0; 96]].concat();
    // More than two parts.
    let count = 2 * (PART_BYTES / 100) as u32 + 500;
    for number in 0..count {
        due.push(DueReason::OnTime, 9, &unit(number));
        due.push(DueReason::Closed, 20 + i64::from(number % 2), &unit(number));
    }
    assert_eq!(taken(&mut due, 8, 0), []);
    let on_time = taken(&mut due, 9, 0);
    assert!(on_time.iter().map(|(_, unit)| unit.clone()).eq((0..count).map(unit)));
    assert_eq!(taken(&mut due, 20, 0).len(), count as usize / 2);
    assert_eq!(taken(&mut due, 21, 0).len(), count as usize / 2);
    assert_eq!(due.queue.not_before(), None);
}
