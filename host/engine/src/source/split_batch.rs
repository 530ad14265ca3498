//! Records on their way out of a reader, with the splits that they come from: run by run, so that a reader of one split pays nothing for it.

use crate::element::{BatchBuilder, RecordBatch};

/// Records that follow each other and come from one split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitRun {
    /// The split's place in [`super::SourceReader::splits`].
    pub split: usize,
    /// How many they are.
    pub records: usize,
}

/// Collects what a reader gives. Every record belongs to a split: nothing can be appended without naming one.
#[derive(Debug, Default)]
pub struct SplitBatch {
    records: BatchBuilder,
    /// Each goes up to where the next begins.
    runs: Vec<Begun>,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    split: usize,
    /// The place of its first record.
    at: usize,
}

impl SplitBatch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is appended to this comes from the split at this place.
    #[inline]
    pub fn of(&mut self, split: usize) -> &mut BatchBuilder {
        if self.runs.last().is_none_or(|run| run.split != split) {
            self.begin(split);
        }
        &mut self.records
    }

    fn begin(&mut self, split: usize) {
        let at = self.records.len();
        // Nothing came of the last one.
        self.runs.pop_if(|last| last.at == at);
        if self.runs.last().is_none_or(|run| run.split != split) {
            self.runs.push(Begun { split, at });
        }
    }

    /// Number of records so far.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True where there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the records so far.
    pub fn byte_len(&self) -> usize {
        self.records.byte_len()
    }

    /// The runs, in the order of the records. None is empty.
    pub fn runs(&self) -> impl Iterator<Item = SplitRun> + '_ {
        let ends = self.runs.iter().skip(1).map(|next| next.at).chain([self.len()]);
        self.runs.iter().zip(ends).map(|(run, end)| SplitRun { split: run.split, records: end - run.at }).filter(|run| run.records > 0)
    }

    /// The timestamps of the records.
    pub(crate) fn timestamps(&self) -> &[i64] {
        self.records.timestamps()
    }

    /// The records. It is empty afterwards, with room for as many again.
    pub fn take(&mut self) -> RecordBatch {
        self.runs.clear();
        self.records.take_and_make_room()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runs where a record of each of these splits is appended; a `-` names the split behind it and appends nothing.
    #[track_caller]
    fn check(splits: &str, expect: &[(usize, usize)]) {
        let mut batch = SplitBatch::new();
        let mut names_only = false;
        for letter in splits.chars() {
            match letter.to_digit(10) {
                Some(split) if names_only => _ = batch.of(split as usize),
                Some(split) => batch.of(split as usize).push(None, b"x", None),
                None => {}
            }
            names_only = letter == '-';
        }
        let runs: Vec<_> = batch.runs().map(|run| (run.split, run.records)).collect();
        assert_eq!(runs, expect, "{splits}");
        assert_eq!((batch.take().len(), batch.runs().count(), batch.len()), (runs.iter().map(|run| run.1).sum(), 0, 0));
    }

    #[test]
    fn records_that_follow_each_other_from_one_split_are_one_run() {
        check("", &[]);
        check("000", &[(0, 3)]);
        check("00122", &[(0, 2), (1, 1), (2, 2)]);
        check("0-10", &[(0, 2)]);
        check("-10-1", &[(0, 1)]);
        check("0-1-21", &[(0, 1), (1, 1)]);
    }
}
