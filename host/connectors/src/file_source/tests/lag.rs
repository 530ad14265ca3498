//! How far the splits of files lag behind what there is of them.

use super::*;
use weir_engine::source::{KnownLag, LagUnit, SourceLag, lag};
use weir_engine::{SourceReader, SplitState};

/// The lag of each split behind so many records, by a reader that goes on from there as well.
fn lags(source: &FileSource, splits: Vec<SplitState>, behind: usize) -> Vec<Option<u64>> {
    let mut reader = source.reader(&reader_context(0, 1), splits).unwrap();
    read(&mut *reader, behind, 3).unwrap();
    let each =
        |reader: &dyn SourceReader| -> Vec<Option<u64>> { lags_of(reader).into_iter().map(|lag| lag.map(|lag| lag.amount)).collect() };
    let restored = source.reader(&reader_context(0, 1), reader.splits()).unwrap();
    assert_eq!(each(&*restored), each(&*reader), "from the checkpoint behind {behind} records");
    each(&*reader)
}

#[test]
fn a_file_lags_by_the_bytes_behind_the_last_row_that_was_handed_on() {
    let files = Files::of(&[("a.csv", b"k,v\n1,22\n3,4\n5,6"), ("b.csv", b"k,v\n")]);
    let source = files.source(json!({ "path": "*.csv", "format": "csv" }));
    let splits = source.discover_now(1).unwrap();
    assert_eq!(lags(&source, splits.clone(), 0), [Some(12), Some(0)], "its header is no row of it");
    assert_eq!(lags(&source, splits.clone(), 1), [Some(7), Some(0)], "although all of it is in memory");
    assert_eq!(lags(&source, splits.clone(), 2), [Some(3), Some(0)]);
    let mut reader = source.reader(&reader_context(0, 1), splits).unwrap();
    read(&mut *reader, usize::MAX, 3).unwrap();
    let restored = source.reader(&reader_context(0, 1), reader.splits()).unwrap();
    for reader in [reader, restored] {
        let SourceLag { known, unknown_splits } = lag(&*reader);
        let KnownLag { unit, splits, total, .. } = known.expect("what is finished is up to date, which is known");
        assert_eq!((unit, splits, total, unknown_splits), (LagUnit::Bytes, 2, 0, 0));
    }
}

#[test]
fn each_range_of_a_file_lags_by_itself_and_those_that_wait_for_their_turn_as_well() {
    let files = Files::of(&[("a.csv", &table(60_000))]);
    let source = files.source(json!({ "path": "a.csv", "format": "csv", "split": "64KiB" }));
    let splits = source.discover_now(1).unwrap();
    assert!(splits.len() > reader::OPEN_MAX, "{} ranges", splits.len());
    let reader = source.reader(&reader_context(0, 1), splits.clone()).unwrap();
    let SourceLag { known, unknown_splits } = lag(&*reader);
    let KnownLag { unit, splits: known_splits, total, most, .. } = known.unwrap();
    let largest = most[0].1;
    let bytes = table(60_000).len() as u64 - "n,k,name,filler\n".len() as u64;
    assert_eq!((unit, known_splits, total, unknown_splits), (LagUnit::Bytes, splits.len() as u64, bytes, 0));
    assert!(largest < total);
    let behind: u64 = lags(&source, splits, 10).into_iter().flatten().sum();
    assert!(behind < bytes);
}

#[test]
fn how_far_a_compressed_file_lags_nobody_knows() {
    let files = Files::of(&[("a.csv.gz", &table(10)), ("b.csv", b"n,k,name,filler\n1,2,3,4\n")]);
    let source = files.source(json!({ "path": "*", "format": "csv" }));
    let splits = source.discover_now(1).unwrap();
    assert_eq!(lags(&source, splits.clone(), 3), [None, Some(8)]);
    let mut reader = source.reader(&reader_context(0, 1), splits).unwrap();
    let told = |reader: &dyn SourceReader| (lag(reader).known.map(|known| known.total), lag(reader).unknown_splits);
    assert_eq!(told(&*reader), (Some(8), 1));
    read(&mut *reader, usize::MAX, 3).unwrap();
    assert_eq!(told(&*reader), (Some(0), 0), "of one that has been read to its end it is known");
}
