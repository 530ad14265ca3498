//! What a windowed operator may not do, and what of it is refused by name.

use super::window_tests::{Tell, at, host};
use crate::prelude::*;
use crate::testing::{TestHost, TestRecord, TestWindow};
use crate::{Instance, cbor};

#[test]
fn a_record_without_a_time_is_in_no_window_of_event_time() {
    let mut host = host(TestWindow::tumbling(10));
    let failure = host.send(&[at(1, "a"), TestRecord::new("b").key("k")]).expect_err("no time");
    assert_eq!((failure.record, failure.message.contains("no time"), host.open_windows("k").len()), (Some(1), true, 0));
}

#[test]
fn a_record_that_emits_is_named_and_its_call_had_no_effect() {
    for (verb, window) in [("emit", TestWindow::hopping(10, 2)), ("pass", TestWindow::session(10)), ("emit", TestWindow::count(1))] {
        let mut host = host(window);
        let failure = host.send(&[at(1, "a"), at(100, "b"), at(2, verb)]).expect_err(verb);
        let message = "tell is windowed and emits in `process`: it may change state there and nothing else, and emits in `on_window`";
        assert_eq!((failure.record, failure.message.as_str()), (Some(2), message));
        assert_eq!((host.emitted(), host.open_windows("k"), host.list("values", host.in_window("k", 0))), (&[][..], vec![], &[][..]));
    }
    let failure = host(TestWindow::tumbling(10)).send(&[at(1, "a"), at(2, "fail")]).expect_err("as asked");
    assert_eq!((failure.record, failure.message.as_str()), (Some(1), "as asked"));
}

#[test]
fn a_window_that_changes_state_is_named_with_the_state() {
    for (key, state) in [("clear", "values"), ("set", "count"), ("put", "longest-of")] {
        let mut host = host(TestWindow::tumbling(10));
        host.send(&[at(1, "a"), TestRecord::new("b").key(key).at(11), at(12, "c")]).expect("no fault");
        let failure = host.advance_to(100).expect_err(key);
        let message = format!("tell changes state `{state}` in `on_window`, which may read it alone: `process` changes it");
        assert_eq!((failure.record, failure.message), (Some(if key < "k" { 1 } else { 2 }), message));
        assert_eq!((host.emitted().len(), host.open_windows(key).len()), (0, 1));
    }
    let mut host = host(TestWindow::tumbling(10));
    host.send(&[TestRecord::new("b").key("bail").at(11)]).expect("no fault");
    let failure = host.advance_to(100).expect_err("unlucky");
    assert_eq!((failure.record, failure.message.as_str()), (Some(0), "unlucky"));
}

#[test]
fn the_descriptor_says_which_states_merge() {
    let descriptor = Instance::<Tell>::describe();
    let merging: Vec<_> = descriptor.states.iter().map(|state| (state.name.as_str(), state.merges)).collect();
    assert_eq!((descriptor.windowed, merging), (true, vec![("count", true), ("values", false), ("longest-of", true)]));
}

#[test]
fn values_that_are_no_pairs_or_of_a_state_that_does_not_merge_are_refused_by_name() {
    let column = |values: &[&[u8]]| {
        let mut column = crate::columns::empty_column();
        values.iter().for_each(|value| crate::columns::push_item(&mut column, value));
        column
    };
    let two = cbor::to_vec(&2_u64).expect("encodes");
    let merge = |state, earlier: &[&[u8]], later: &[&[u8]]| Instance::<Tell>::merge(state, &column(earlier), &column(later));
    assert_eq!(crate::columns::items(&merge(0, &[&two, &two], &[&two, &two]).expect("pairs")).collect::<Vec<_>>(), [b"\x04", b"\x04"]);
    assert!(merge(0, &[&two], &[]).unwrap_err().contains("state `count`: 1 values and 0 are no pairs"));
    assert!(merge(0, &[&two], &[b"\xff"]).unwrap_err().starts_with("decode, to merge, state `count`"));
    assert_eq!(
        merge(1, &[&two], &[&two]).unwrap_err(),
        "tell has no way to make one value of two of state 1: `#[state(merge = …)]` gives one"
    );
}

/// Tells its windows at a time of its own where the key asks for it.
struct Timed;

impl Operator for Timed {
    const NAME: &'static str = "timed";
    const VERSION: &'static str = "1";
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, _record: Record<'_>, _ctx: &mut Context<'_, Self>) -> Result<()> {
        Ok(())
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match firing.key() {
            b"own" => ctx.emit_with(Some(b"other"), Some(77), "own"),
            _ => ctx.emit_keyed(Some(b"other"), "inherited"),
        }
        Ok(())
    }
}

#[test]
fn what_is_emitted_at_a_time_of_its_own_stands_beside_what_inherits() {
    let mut host = TestHost::<Timed>::open("{}").expect("opens").with_window(TestWindow::tumbling(10));
    host.send(&[TestRecord::new("").key("a").at(1), TestRecord::new("").key("own").at(1)]).expect("no fault");
    host.end_input().expect("no fault");
    assert_eq!(host.emitted(), [TestRecord::new("inherited").key("other").at(9), TestRecord::new("own").key("other").at(77)]);
}

#[test]
#[should_panic(expected = "of windows without bounds all that an output is sent has a time of its own, or nothing has")]
fn of_a_window_without_bounds_nobody_but_the_host_knows_the_time_that_is_inherited() {
    let mut host = TestHost::<Timed>::open("{}").expect("opens").with_window(TestWindow::global());
    host.send(&[TestRecord::new("").key("a").at(1), TestRecord::new("").key("own").at(1)]).expect("no fault");
    let _ = host.end_input();
}
