//! How far a split lags behind what there is of it: what was handed on is not counted, what is still to come is, also where nobody has read of it yet,
//! and a reader that goes on from a checkpoint says what the one before it said.

use super::reading::{SourceNow, lags_of, read_attributed, reader_context, through_a_checkpoint};
use crate::source::{LagUnit, ReadStatus, Source, SourceReader, SplitLag, SplitProgress, SplitState};

/// Records that are handed on from one look to the next, in turn.
const STRIDES: [usize; 5] = [1, 7, 2, 40, 500];

pub(super) fn check(source: &dyn Source) {
    let splits = source.discover_now(2).unwrap();
    let fresh = Lags::of(&*source.reader(&reader_context(0, 1), splits.clone()).unwrap());
    let known_unread: Vec<bool> = fresh.0.iter().map(Option::is_some).collect();
    let mut to_come = records_of(source, &splits);
    let mut reader = source.reader(&reader_context(0, 1), splits.clone()).unwrap();
    let (mut before, mut unit) = (fresh.clone(), None);
    counts_what_is_to_come(&before, &to_come);
    for stride in STRIDES.into_iter().cycle() {
        let (records, status) = read_attributed(&mut *reader, stride, 3).unwrap();
        let handed_on: Vec<u64> = (0..splits.len()).map(|place| records.iter().filter(|(of, _)| *of == place).count() as u64).collect();
        to_come.iter_mut().zip(&handed_on).for_each(|(to_come, handed_on)| *to_come -= handed_on);
        let now = Lags::of(&*reader);
        now.are_in_one_unit(&mut unit);
        falls_by_what_was_handed_on(&before, &now, &handed_on);
        counts_what_is_to_come(&now, &to_come);
        nothing_is_left_of_what_is_finished(&*reader, &now);
        survives_a_restore(source, &*reader, &now, &known_unread);
        before = now;
        if status == ReadStatus::End || records.len() < stride {
            break;
        }
    }
    if source.discovery_interval().is_some() {
        what_is_added_counts(source, &splits, &fresh);
    }
}

/// What a reader says of each of its splits.
#[derive(Clone)]
struct Lags(Vec<Option<SplitLag>>);

impl Lags {
    fn of(reader: &dyn SourceReader) -> Self {
        Self(lags_of(reader))
    }

    fn are_in_one_unit(&self, unit: &mut Option<LagUnit>) {
        for lag in self.0.iter().flatten() {
            assert_eq!(lag.unit, *unit.get_or_insert(lag.unit), "the splits of a source are counted in one unit");
        }
    }
}

/// How many records each split has.
fn records_of(source: &dyn Source, splits: &[SplitState]) -> Vec<u64> {
    let mut reader = source.reader(&reader_context(0, 1), splits.to_vec()).unwrap();
    let mut counts = vec![0; splits.len()];
    read_attributed(&mut *reader, usize::MAX, 1000).unwrap().0.into_iter().for_each(|(place, _)| counts[place] += 1);
    counts
}

/// What has been read ahead and not been handed on is still to come.
fn counts_what_is_to_come(lags: &Lags, to_come: &[u64]) {
    for (place, (lag, &to_come)) in lags.0.iter().zip(to_come).enumerate() {
        let Some(SplitLag { amount, unit }) = *lag else { continue };
        let least = match unit {
            LagUnit::Records => to_come,
            LagUnit::Bytes => u64::from(to_come > 0),
        };
        assert!(amount >= least, "split {place} lags by {amount} {}, and {to_come} records of it are still to come", unit.name());
    }
}

fn falls_by_what_was_handed_on(before: &Lags, now: &Lags, handed_on: &[u64]) {
    for (place, &handed_on) in handed_on.iter().enumerate() {
        let (Some(before), Some(now)) = (before.0[place], now.0[place]) else { continue };
        let most = match now.unit {
            LagUnit::Records => before.amount.checked_sub(handed_on),
            LagUnit::Bytes => before.amount.checked_sub(u64::from(handed_on > 0)),
        };
        assert!(
            most.is_some_and(|most| now.amount <= most),
            "split {place} lagged by {before}, {handed_on} records of it were handed on, and it lags by {now}: what was handed on is counted"
        );
    }
}

fn nothing_is_left_of_what_is_finished(reader: &dyn SourceReader, lags: &Lags) {
    for (split, lag) in reader.splits().iter().zip(&lags.0) {
        let lags = lag.is_none_or(|lag| lag.amount > 0);
        assert!(split.progress != SplitProgress::Finished || !lags, "the split {:?} is finished and lags, or it is not known", split.id);
    }
}

/// A reader from the checkpoint of this one says the same before it reads, or does not know it yet; of splits that are unread it knows what was known at
/// a fresh start.
fn survives_a_restore(source: &dyn Source, reader: &dyn SourceReader, lags: &Lags, known_unread: &[bool]) {
    let splits = through_a_checkpoint(reader.splits());
    let restored = Lags::of(&*source.reader(&reader_context(0, 1), splits.clone()).unwrap());
    for (place, split) in splits.iter().enumerate() {
        let (was, is) = (lags.0[place], restored.0[place]);
        if split.progress == SplitProgress::Unread && known_unread[place] {
            assert!(is.is_some(), "split {place} is unread, and a restored reader does not count it");
        }
        let same = is.is_none() || was.is_none() || was == is;
        assert!(same, "split {place} lagged by {was:?}, and by {is:?} behind a restore");
    }
}

/// Splits that are found while a reader runs lag by what they have at a start.
fn what_is_added_counts(source: &dyn Source, splits: &[SplitState], fresh: &Lags) {
    for begun in 0..splits.len() {
        let (first, others) = splits.split_at(begun);
        let mut reader = source.reader(&reader_context(0, 1), first.to_vec()).unwrap();
        read_attributed(&mut *reader, 3, 2).unwrap();
        reader.add_splits(others.to_vec()).unwrap();
        assert_eq!(Lags::of(&*reader).0[begun..], fresh.0[begun..], "splits that are added lag by what they have");
    }
}
