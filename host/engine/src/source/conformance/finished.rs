//! Which splits a reader has finished: it says so at once, in the same words as its checkpoint.

use super::reading::{SourceNow, read_attributed, reader_context, through_a_checkpoint};
use crate::source::{ReadStatus, Source, SourceReader, SplitProgress};

/// Records that are handed on from one look to the next, in turn.
const STRIDES: [usize; 4] = [1, 5, 2, 60];

pub(super) fn check(source: &dyn Source) {
    let mut reader = source.reader(&reader_context(0, 1), source.discover_now(2).unwrap()).unwrap();
    says_what_its_splits_say(&*reader);
    for stride in STRIDES.into_iter().cycle() {
        let (records, status) = read_attributed(&mut *reader, stride, 3).unwrap();
        says_what_its_splits_say(&*reader);
        let splits = through_a_checkpoint(reader.splits());
        says_what_its_splits_say(&*source.reader(&reader_context(0, 1), splits).unwrap());
        if status == ReadStatus::End || records.len() < stride {
            break;
        }
    }
    reader.forget_finished();
    says_what_its_splits_say(&*reader);
}

fn says_what_its_splits_say(reader: &dyn SourceReader) {
    let splits = reader.splits();
    for (place, split) in splits.iter().enumerate() {
        let is_finished = split.progress == SplitProgress::Finished;
        assert_eq!(reader.is_finished(place), is_finished, "whether the split {:?} is finished: {:?}", split.id, split.progress);
    }
    assert!(reader.is_finished(splits.len()), "nothing is left of a split that is not there");
}
