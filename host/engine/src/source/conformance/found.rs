//! Splits that are found: what is known is not found again, what is added is read once behind what there was, what is forgotten was finished and stays so.

use super::reading::{Attributed, SourceNow, read_attributed, reader_context, through_a_checkpoint};
use crate::source::{Source, SourceReader, SplitProgress, SplitState};
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) fn check(source: &dyn Source) {
    only_what_is_not_known_is_found(source);
    nothing_is_forgotten_that_would_be_found_again(source);
    nothing_added_is_nothing(source);
    let Some(interval) = source.discovery_interval() else { return };
    assert!(interval > Duration::ZERO, "a look follows the other at once");
    assert!(!source.capabilities().bounded, "the reader of a source with an end may have ended when a split is found");
    let splits = source.discover_now(2).unwrap();
    for begun in 0..=splits.len() {
        for read in [0, 1, usize::MAX] {
            what_is_added_is_read_once(source, &splits, begun, read);
        }
    }
}

fn ids(splits: &[SplitState]) -> BTreeSet<&str> {
    splits.iter().map(|split| split.id.as_str()).collect()
}

fn only_what_is_not_known_is_found(source: &dyn Source) {
    let splits = source.discover_now(2).unwrap();
    let mut reader = source.reader(&reader_context(0, 1), splits.clone()).unwrap();
    let mut known = splits.clone();
    for count in [0, 1, 5, usize::MAX] {
        read_attributed(&mut *reader, count, 3).unwrap();
        known = through_a_checkpoint(reader.splits());
        assert_eq!(source.new_splits_now(&known, 2).unwrap(), [], "what is known is found again, behind {count} records");
    }
    for missing in 0..known.len() {
        let mut others = known.clone();
        let missing = others.remove(missing);
        let found = source.new_splits_now(&others, 2).unwrap();
        assert!(found.iter().all(|split| split.progress == SplitProgress::Unread), "what is found has not been read");
        let expected: Vec<_> = splits.iter().filter(|split| split.id == missing.id).cloned().collect();
        // A source that looks at its start alone may know beforehand what there is.
        let knows_all = source.discovery_interval().is_none() && found.is_empty();
        assert!(knows_all || found == expected, "of all splits but {} these are found: {:?}", missing.id, ids(&found));
    }
}

/// What is forgotten was finished, and is not found again by who does not know it any more; the others stay in their order.
fn nothing_is_forgotten_that_would_be_found_again(source: &dyn Source) {
    let mut reader = source.reader(&reader_context(0, 1), source.discover_now(2).unwrap()).unwrap();
    for count in [1, usize::MAX] {
        read_attributed(&mut *reader, count, 3).unwrap();
        let before = reader.splits();
        let forgotten: BTreeSet<usize> = reader.forget_finished().into_iter().collect();
        let mut kept = before.clone();
        for &place in forgotten.iter().rev() {
            assert_eq!(kept.remove(place).progress, SplitProgress::Finished, "a split is forgotten that is not finished");
        }
        assert_eq!(ids(&reader.splits()), ids(&kept), "it is said of others that they are forgotten");
        assert!(reader.splits().iter().map(|split| &split.id).eq(kept.iter().map(|split| &split.id)), "the others keep their order");
        assert_eq!(source.new_splits_now(&kept, 2).unwrap(), [], "what is forgotten is found again");
    }
}

fn nothing_added_is_nothing(source: &dyn Source) {
    let mut reader = source.reader(&reader_context(0, 1), source.discover_now(1).unwrap()).unwrap();
    let before = reader.splits();
    reader.add_splits(Vec::new()).unwrap();
    assert_eq!(reader.splits(), before);
}

/// A reader begins with `begun` splits, and is given the others at a barrier behind `read` records: they are in its checkpoint, unread, and each record
/// comes once, whether the reader goes on or another one from that checkpoint.
fn what_is_added_is_read_once(source: &dyn Source, splits: &[SplitState], begun: usize, read: usize) {
    let mut whole = source.reader(&reader_context(0, 1), splits.to_vec()).unwrap();
    let expected = sorted(read_attributed(&mut *whole, usize::MAX, 1000).unwrap().0);
    let (first, others) = splits.split_at(begun);
    let mut reader = source.reader(&reader_context(0, 1), first.to_vec()).unwrap();
    let before = read_attributed(&mut *reader, read, 3).unwrap().0;
    assert!(before.iter().all(|(place, _)| *place < begun), "a record of a split that it has not been given");
    let progress = reader.splits();
    reader.add_splits(others.to_vec()).unwrap();
    let captured = through_a_checkpoint(reader.splits());
    assert_eq!(captured[..begun], progress, "what a reader has keeps its place and its progress where others are added");
    assert_eq!(captured[begun..], *others, "what is added is part of the checkpoint, unread, behind the others");
    let mut resumed = source.reader(&reader_context(0, 1), captured).unwrap();
    for (reader, who) in [(&mut reader, "the reader"), (&mut resumed, "another one from the checkpoint")] {
        assert_eq!(
            all_behind(&before, &mut **reader),
            expected,
            "{who} behind {} records, {begun} of {} splits",
            before.len(),
            splits.len()
        );
    }
}

fn all_behind(before: &[Attributed], reader: &mut dyn SourceReader) -> Vec<Attributed> {
    let rest = read_attributed(reader, usize::MAX, 5).unwrap().0;
    sorted(before.iter().cloned().chain(rest).collect())
}

fn sorted(mut records: Vec<Attributed>) -> Vec<Attributed> {
    records.sort();
    records
}
