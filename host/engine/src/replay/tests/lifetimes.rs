//! State with a time to live in replays: it is shown as the calls see it, and lives no longer for having been put back.

use super::bench::{COUNT, Count, OPERATOR, checkpoint, come_to, counting, words};
use super::now;
use crate::job::JobGraph;
use crate::replay::{Held, IsolatedOperator, RecordEffects, ReplayInput, ReplayPoint, effects_of};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Counts of words that live for 100 ms. At a checkpoint key `a` has been counted three times at 0.
fn job(words: &'static str, fails: &'static str) -> JobGraph {
    counting(words, Count { lives_ms: Some(100), fails, ..Count::default() })
}

/// The same that live for so long; `None`: for good.
fn living(lives_ms: Option<u64>) -> JobGraph {
    counting("", Count { lives_ms, ..Count::default() })
}

fn input(text: &str) -> ReplayInput {
    ReplayInput { number: 0, edge: 0, batch: Arc::new(words(text)) }
}

/// The count before a record of `a` and behind it.
fn counts(effects: &RecordEffects) -> [Option<Held>; 2] {
    let change = effects.changes.iter().find(|change| change.state == "count").expect("it has changed");
    [change.before.clone(), change.after.clone()]
}

#[test]
fn what_had_expired_at_the_checkpoint_is_not_shown_before_the_first_watermark() {
    let graph = job("", "");
    let of = |point: &ReplayPoint| {
        let mut operator = now(IsolatedOperator::restore(&graph, OPERATOR, point)).unwrap();
        counts(&now(effects_of(&mut operator, &input("a1"), 0)).unwrap())
    };
    let held = |count: u8| Some(Held::Value(vec![count]));
    assert_eq!(of(&come_to(checkpoint(&graph, 0, ""), 99)), [held(3), held(4)]);
    assert_eq!(of(&come_to(checkpoint(&graph, 0, ""), 100)), [None, held(1)]);
    // Neither is it compared in the end.
    let mut operator = now(IsolatedOperator::restore(&graph, OPERATOR, &come_to(checkpoint(&graph, 0, ""), 100))).unwrap();
    assert!(now(operator.contents(&BTreeSet::from([b"a".to_vec()]))).unwrap().is_empty());
}

#[test]
fn what_is_put_back_behind_a_failure_lives_no_longer() {
    let graph = job("", "a9");
    for come_to_ms in [None, Some(60)] {
        let point = checkpoint(&graph, 0, "");
        let point = come_to_ms.map_or(point.clone(), |ms| come_to(point, ms));
        let mut operator = now(IsolatedOperator::restore(&graph, OPERATOR, &point)).unwrap();
        let ReplayInput { edge, batch, .. } = input("a1 a9");
        let before = now(operator.contents_of(edge, &batch)).unwrap();
        assert_eq!(before.held[&(COUNT, b"a".to_vec())], Held::Value(vec![3]));
        assert!(now(operator.try_process(edge, &batch, &before)).unwrap().is_err());
        assert_eq!(now(operator.contents_of(edge, &batch)).unwrap().held, before.held);
        operator.begin_watermark(110);
        assert!(now(operator.contents_of(edge, &batch)).unwrap().held.is_empty(), "it was written at 0");
    }
}

/// What is there of key `a` when the first call is told `watermark`, of a job of which these words live so, restored from `point`.
fn first_sees(lives_ms: Option<u64>, point: &ReplayPoint, watermark: i64) -> bool {
    let mut operator = now(IsolatedOperator::restore(&living(lives_ms), OPERATOR, point)).unwrap();
    operator.begin_watermark(watermark);
    !now(operator.contents(&BTreeSet::from([b"a".to_vec()]))).unwrap().is_empty()
}

#[test]
fn what_has_a_time_to_live_from_a_checkpoint_on_is_as_old_as_that_however_late_it_is_restored() {
    let point = come_to(checkpoint(&living(None), 0, ""), 60);
    // Whatever the first call of a run is told.
    assert_eq!([60, 159, 160, 10_000].map(|watermark| first_sees(Some(100), &point, watermark)), [true, true, false, false]);
    assert!(first_sees(None, &point, 10_000));
}

#[test]
fn what_had_expired_by_what_was_declared_is_not_seen_by_what_is_declared_now() {
    for now in [Some(1_000), None] {
        let at = |come_to_ms| first_sees(now, &come_to(checkpoint(&living(Some(100)), 0, ""), come_to_ms), 200);
        // It was written at 0.
        assert_eq!([at(99), at(100)], [true, false], "{now:?}");
    }
}
