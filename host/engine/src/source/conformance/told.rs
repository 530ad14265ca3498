//! A reader that is told of checkpoints that exist: whatever comes of its answers, it reads what one reads that is told of none.

use super::reading::{SourceNow, read_attributed, reader_context};
use crate::element::CheckpointId;
use crate::source::{ReadStatus, Source, SourceReader};
use futures_util::FutureExt;

/// From one barrier to the next, in records.
const STRIDES: [usize; 6] = [0, 1, 2, 3, 40, 1];

pub(super) fn check(source: &dyn Source) {
    let splits = source.discover_now(2).unwrap();
    let mut told = source.reader(&reader_context(0, 1), splits.clone()).unwrap();
    let mut untold = source.reader(&reader_context(0, 1), splits).unwrap();
    let (mut barriers, mut unanswered, mut status) = (Vec::new(), Vec::new(), ReadStatus::More);
    let mut both_read = |told: &mut dyn SourceReader, untold: &mut dyn SourceReader, count: usize| {
        // Behind its end a reader is not asked for more, and still told.
        if status == ReadStatus::More {
            let read = read_attributed(told, count, 3).unwrap();
            assert!(read == read_attributed(untold, count, 3).unwrap(), "what it is told changes what it reads");
            status = read.1;
        }
    };
    for (number, stride) in STRIDES.into_iter().enumerate() {
        both_read(&mut *told, &mut *untold, stride);
        barriers.push((CheckpointId(number as u64 + 1), told.splits()));
        // Some come late, and some are never told of: their checkpoints have failed, or a later one is complete.
        if number % 3 != 1 {
            continue;
        }
        let newest = barriers.remove(number / 3);
        barriers.retain(|(id, _)| *id > newest.0);
        let hears = told.hears_of_completion();
        let mut answer = told.on_completed(newest.0, newest.1);
        assert!(hears || answer.is_none(), "a reader answers that does not say that it hears of checkpoints");
        // One that waits is dropped in the end, whatever it has come to; another one is told meanwhile.
        if answer.as_mut().is_some_and(|answer| answer.now_or_never().is_none()) {
            unanswered.extend(answer);
        }
        assert_eq!(told.splits(), untold.splits(), "what it is told changes its positions");
    }
    drop(unanswered);
    both_read(&mut *told, &mut *untold, usize::MAX);
}
