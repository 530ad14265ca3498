//! Splits that are read one after the other: where a reader is asked for it, each is finished before the next one begins, in the order of a fresh start,
//! in whatever order they are given and wherever the last reader of them stopped.

use super::reading::{SourceNow, read_attributed, reader_context, shares, through_a_checkpoint};
use crate::source::{ReaderContext, Source, SourceReader, SplitState};

pub(super) fn check(source: &dyn Source) {
    if !source.reads_in_order() {
        return;
    }
    let fresh: Vec<String> = source.discover_now(2).unwrap().into_iter().map(|split| split.id).collect();
    let mut backwards = source.discover_now(2).unwrap();
    backwards.reverse();
    reads_in_order(&mut *reader_in_order(source, 0, 1, backwards), usize::MAX, &fresh);
    let mut rng = fastrand::Rng::with_seed(12);
    for round in 0..8 {
        let parallelism = 1 + round % 3;
        let mut splits = source.discover_now(2).unwrap();
        for _ in 0..4 {
            rng.shuffle(&mut splits);
            let stopped = shares(splits, parallelism).into_iter().enumerate().map(|(index, share)| {
                let mut reader = reader_in_order(source, index as u32, parallelism, share);
                reads_in_order(&mut *reader, rng.usize(0..12), &fresh);
                through_a_checkpoint(reader.splits())
            });
            splits = stopped.flatten().collect();
        }
        let mut last = reader_in_order(source, 0, 1, splits);
        reads_in_order(&mut *last, usize::MAX, &fresh);
    }
}

fn reader_in_order(source: &dyn Source, index: u32, parallelism: u32, share: Vec<SplitState>) -> Box<dyn SourceReader> {
    let given: Vec<String> = share.iter().map(|split| split.id.clone()).collect();
    let reader = source.reader(&ReaderContext { in_order: true, ..reader_context(index, parallelism) }, share).unwrap();
    assert!(reader.splits().iter().map(|split| &split.id).eq(&given), "a split keeps the place that it is given");
    reader
}

fn reads_in_order(reader: &mut dyn SourceReader, count: usize, fresh: &[String]) {
    let records = read_attributed(reader, count, 4).unwrap().0;
    let splits = reader.splits();
    let rank = |place: usize| fresh.iter().position(|id| *id == splits[place].id);
    let ranks: Vec<_> = records.iter().map(|(place, _)| rank(*place)).collect();
    assert!(ranks.is_sorted(), "splits are read side by side, or in another order than they are discovered in: {ranks:?}");
}
