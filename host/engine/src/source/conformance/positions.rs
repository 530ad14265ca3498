//! All subtasks together read each record once, at any parallelism; from any position, also after the splits went through a checkpoint and to another
//! number of subtasks, the rest and nothing else comes.

use super::reading::{ReadRecord, SourceNow, read, read_all, read_attributed, reader_context, shares, through_a_checkpoint};
use crate::source::{Source, SourceOrder, SplitProgress, SplitState};
use std::collections::BTreeSet;

pub(super) fn check(source: &dyn Source) {
    each_record_comes_once(source);
    in_order_from_every_kind_of_position(source);
    records_belong_to_their_splits(source);
}

fn each_record_comes_once(source: &dyn Source) {
    let whole = sorted(read_all(source, source.discover_now(1).unwrap(), 1).unwrap());
    let mut rng = fastrand::Rng::with_seed(8841);
    for parallelism in [1, 2, 3, 5] {
        let splits = source.discover_now(parallelism).unwrap();
        assert_eq!(splits.iter().map(|split| &split.id).collect::<BTreeSet<_>>().len(), splits.len(), "ids are unique");
        assert!(splits.iter().all(|split| split.progress == SplitProgress::Unread));
        assert_eq!(source.discover_now(parallelism).unwrap(), splits, "ids and order are stable");
        source.verify_now(&splits).unwrap();
        assert_eq!(sorted(read_all(source, splits.clone(), parallelism).unwrap()), whole, "at parallelism {parallelism}");
        for _ in 0..8 {
            let (mut records, cut) = read_some(source, splits.clone(), parallelism, whole.len(), &mut rng);
            source.verify_now(&cut).unwrap();
            let next_parallelism = rng.u32(1..4);
            records.extend(read_all(source, cut, next_parallelism).unwrap());
            assert_eq!(sorted(records), whole, "cut at parallelism {parallelism}, resumed at {next_parallelism}");
        }
    }
}

fn sorted(mut records: Vec<ReadRecord>) -> Vec<ReadRecord> {
    records.sort();
    records
}

/// Each subtask reads a part of its share; the splits come back as a checkpoint gives them.
fn read_some(
    source: &dyn Source,
    splits: Vec<SplitState>,
    parallelism: u32,
    total: usize,
    rng: &mut fastrand::Rng,
) -> (Vec<ReadRecord>, Vec<SplitState>) {
    let (mut records, mut cut) = (Vec::new(), Vec::new());
    for (index, share) in shares(splits, parallelism).into_iter().enumerate() {
        let mut reader = source.reader(&reader_context(index as u32, parallelism), share).unwrap();
        let count = rng.usize(0..=total / parallelism as usize + 1);
        records.extend(read(&mut *reader, count, rng.usize(1..100)).unwrap().0);
        cut.extend(through_a_checkpoint(reader.splits()));
    }
    (records, cut)
}

/// One reader, stopped and replaced again and again, gives the records of each split in the order of one that never was; where the source says that all
/// of them come in one order, all of them do.
fn in_order_from_every_kind_of_position(source: &dyn Source) {
    let mut splits = source.discover_now(1).unwrap();
    let mut undisturbed = source.reader(&reader_context(0, 1), splits.clone()).unwrap();
    let expected = read_attributed(&mut *undisturbed, usize::MAX, 1000).unwrap().0;
    let step = expected.len() / 7 + 1;
    let mut records = Vec::new();
    for _ in 0..8 {
        let mut reader = source.reader(&reader_context(0, 1), splits).unwrap();
        records.extend(read_attributed(&mut *reader, step, 3).unwrap().0);
        splits = through_a_checkpoint(reader.splits());
    }
    if source.order(1) == SourceOrder::Whole {
        assert!(records == expected, "in another order");
    }
    for place in 0..splits.len() {
        let of = |records: &[(usize, ReadRecord)]| records.iter().filter(|(split, _)| *split == place).cloned().collect::<Vec<_>>();
        assert!(of(&records) == of(&expected), "the records of split {place} in another order");
    }
}

/// What a reader of all splits says to be of one split is what a reader of that split alone gives, in the same order.
fn records_belong_to_their_splits(source: &dyn Source) {
    let splits = source.discover_now(3).unwrap();
    let mut all = source.reader(&reader_context(0, 1), splits.clone()).unwrap();
    let attributed = read_attributed(&mut *all, usize::MAX, 7).unwrap().0;
    for (place, split) in splits.into_iter().enumerate() {
        let mut alone = source.reader(&reader_context(0, 1), vec![split]).unwrap();
        let of_split: Vec<_> = attributed.iter().filter(|(of, _)| *of == place).map(|(_, record)| record.clone()).collect();
        assert!(of_split == read(&mut *alone, usize::MAX, 1000).unwrap().0, "other records are said to be of split {place} than it has");
        assert_eq!(all.splits()[place].id, alone.splits()[0].id, "a split keeps its place");
    }
}
