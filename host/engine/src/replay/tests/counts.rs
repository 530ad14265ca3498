//! Counts in replays: that one has filled within a call, and the next has begun in it, is no difference between a call and its records.

use super::bench::beginning;
use super::now;
use super::time::counting;
use super::timed::{Counter, push, source};
use crate::element::{BatchBuilder, NO_TIMESTAMP, RecordBatch};
use crate::job::JobGraph;
use crate::operator::{CallKind, OperatorCall};
use crate::replay::{Contents, IsolatedOperator, LoggedSubtask};
use crate::state::{WindowKind, key_of_unit, start_of_unit};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Counts words in twos.
fn twos() -> JobGraph {
    counting(source("in", "", true), Counter::new(false), Some(WindowKind::Count { records: 2 }))
}

fn batch(words: &[&str]) -> Arc<RecordBatch> {
    let mut batch = BatchBuilder::new();
    words.iter().for_each(|word| push(&mut batch, word));
    Arc::new(batch.finish())
}

/// What a call of these words comes to: which record fires how many counts, and whether it stands with the last record.
fn called(operator: &mut LoggedSubtask, words: &[&str]) -> (Vec<usize>, bool) {
    let kind = CallKind::Batch { input: 0, keyed: true, batch: batch(words) };
    let effects = now(operator.effects_of(0, &OperatorCall { watermark: NO_TIMESTAMP, processing_time: 7, kind })).unwrap();
    (effects.records.iter().map(|record| record.outputs.len()).collect(), effects.undivided)
}

#[test]
fn a_recorded_call_that_fills_a_count_and_begins_the_next_comes_to_what_its_records_do() {
    let mut operator = now(LoggedSubtask::restore(&twos(), 1, (0, 1), &beginning())).unwrap();
    assert_eq!(called(&mut operator, &["a1", "b1", "a2", "a3"]), (vec![0, 0, 1, 0], false));
    // The two operators that stand for the subtask go on with the same counts.
    assert_eq!(called(&mut operator, &["a4", "a5", "b2"]), (vec![1, 0, 1], false));
    assert_eq!(called(&mut operator, &["a6", "a7", "a8", "a9"]), (vec![1, 0, 1, 0], false));
}

/// What two keys hold behind batches of these words, with the numbers of their counts.
fn held(batches: &[&[&str]]) -> (Contents, BTreeSet<(Vec<u8>, i64)>) {
    let mut operator = now(IsolatedOperator::restore(&twos(), 1, &beginning())).unwrap();
    batches.iter().for_each(|words| _ = now(operator.process(0, &batch(words))).unwrap());
    let held = now(operator.contents(&[b"a", b"b"].map(|key| key.to_vec()).into())).unwrap();
    let numbers = held.keys().map(|(_, unit)| (key_of_unit(unit).to_vec(), start_of_unit(unit))).collect();
    (held, numbers)
}

#[test]
fn what_is_held_of_a_count_is_the_same_however_its_records_were_cut() {
    let (whole, numbers) = held(&[&["a1", "b1", "a2", "a3", "b2", "b3", "b4", "b5"]]);
    assert_eq!(numbers, [(b"a".to_vec(), 0), (b"b".to_vec(), 0)].into(), "one is open of each key");
    assert_eq!(whole.len(), 4, "its count and what the host keeps of it, for each key");
    let cut: [&[&str]; 4] = [&["a1", "b1", "a2"], &["a3", "b2"], &["b3", "b4"], &["b5"]];
    assert_eq!(held(&cut).0, whole);
}
