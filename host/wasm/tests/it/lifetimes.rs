//! Times to live at the seam: what a guest is given of a state, and what it says that it has read.

use crate::support::{Bench, Setup, quarantine, reports, values};

/// Gives the key `a` instructions at a watermark.
fn give(bench: &mut Bench, watermark: i64, instructions: &[&str]) {
    for instruction in instructions {
        at(bench, watermark, instruction);
    }
}

/// What comes of one record of the key `a` at a watermark.
fn at(bench: &mut Bench, watermark: i64, instruction: &str) -> String {
    bench.watermark = watermark;
    values(&bench.keyed(&[("a", instruction)]).unwrap()).join(" ")
}

#[test]
fn what_has_expired_is_given_to_no_guest() {
    let mut bench = Bench::new(Setup::default());
    at(&mut bench, 100, "keep x");
    at(&mut bench, 105, "lately 1");
    at(&mut bench, 109, "lately 2");
    assert_eq!((at(&mut bench, 109, "kept"), at(&mut bench, 109, "list-lately")), ("x".into(), "2 in 1: 1,2".into()));
    assert_eq!((at(&mut bench, 110, "kept"), at(&mut bench, 110, "list-lately")), ("none".into(), "2 in 1: 1,2".into()));
    assert_eq!(at(&mut bench, 115, "list-lately"), "1 in 1: 2");
    assert_eq!(at(&mut bench, 119, "list-lately"), "0 in 1: ");
    at(&mut bench, 120, "keep y");
    assert_eq!((at(&mut bench, 129, "kept"), at(&mut bench, i64::MAX, "kept")), ("y".into(), "y".into()));
}

#[test]
fn what_a_guest_says_that_it_has_read_begins_anew() {
    let mut bench = Bench::new(Setup::default());
    give(&mut bench, 100, &["keep x", "lately 1", "lately 2"]);
    give(&mut bench, 109, &["touch 4", "touch 5"]);
    assert_eq!((at(&mut bench, 118, "kept"), at(&mut bench, 118, "list-lately")), ("x".into(), "2 in 1: 1,2".into()));
    assert_eq!((at(&mut bench, 119, "kept"), at(&mut bench, 119, "list-lately")), ("none".into(), "0 in 1: ".into()));
    // Of what is not there any more, or was never, nothing begins.
    give(&mut bench, 119, &["touch 4", "touch 5"]);
    assert_eq!((at(&mut bench, 119, "kept"), at(&mut bench, 119, "list-lately")), ("none".into(), "0 in 1: ".into()));
}

#[test]
fn what_a_call_writes_is_as_new_as_what_it_has_read() {
    let mut bench = Bench::new(Setup::default());
    give(&mut bench, 100, &["keep x", "lately 1"]);
    bench.watermark = 109;
    bench.keyed(&[("a", "touch 4"), ("b", "touch 5"), ("a", "touch 5"), ("a", "keep y"), ("a", "lately 2"), ("b", "lately 1")]).unwrap();
    assert_eq!((at(&mut bench, 118, "kept"), at(&mut bench, 118, "list-lately")), ("y".into(), "2 in 1: 1,2".into()));
    assert_eq!(at(&mut bench, 119, "list-lately"), "0 in 1: ");
}

#[test]
fn reads_that_do_not_count_or_are_named_twice_are_malformed() {
    let mut bench = Bench::new(Setup::default());
    let error = bench.keyed(&[("a", "touch 0")]).unwrap_err();
    assert!(error.is_guest_fault());
    assert!(
        error.to_string().contains("malformed effects: touched state 0: \"count\" has no time to live that counts from its last read"),
        "{error}"
    );
    let error = bench.keyed(&[("a", "touch 4"), ("a", "touch 4")]).unwrap_err().to_string();
    assert!(error.contains("touched state 4: key 0 is named twice"), "{error}");
}

#[test]
fn a_batch_that_is_halved_keeps_what_its_good_records_did() {
    let mut bench = Bench::new(Setup { on_failure: quarantine(), ..Setup::default() });
    at(&mut bench, 100, "keep x");
    bench.watermark = 109;
    let outs = bench.keyed(&[("a", "touch 4"), ("b", "trap"), ("b", "keep y")]).unwrap();
    assert_eq!(reports(&outs).len(), 1);
    assert_eq!(at(&mut bench, 118, "kept"), "x");
}

#[test]
fn what_timers_are_given_is_what_lived_when_they_were_due() {
    let mut bench = Bench::new(Setup::default());
    bench.watermark = 100;
    bench.keyed(&[("!kept", "keep x"), ("!keep y", "keep x")]).unwrap();
    // Event time has gone far beyond both.
    bench.watermark = 500;
    assert_eq!(values(&bench.fire(&[("!kept", 0, 109)]).unwrap()), ["x"]);
    assert_eq!(values(&bench.fire(&[("!kept", 0, 110)]).unwrap()), ["none"]);
    // What a timer writes is of its time.
    bench.fire(&[("!keep y", 0, 495)]).unwrap();
    bench.watermark = 504;
    assert_eq!(values(&bench.keyed(&[("!keep y", "kept")]).unwrap()), ["y"]);
    bench.watermark = 505;
    assert_eq!(values(&bench.keyed(&[("!keep y", "kept")]).unwrap()), ["none"]);
}
