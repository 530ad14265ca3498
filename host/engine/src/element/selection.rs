//! Records of a shared batch that go on as they came: all of them, or some by their places. Nothing is copied until somebody needs them side by side.

use super::{BatchBuilder, RecordBatch};
use std::sync::Arc;

/// All records of a batch, or some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    batch: Arc<RecordBatch>,
    /// The records' places, ascending; `None`: all of them.
    records: Option<Arc<[u32]>>,
}

impl Selection {
    /// All records of `batch`.
    pub fn all(batch: Arc<RecordBatch>) -> Self {
        Self { batch, records: None }
    }

    /// The records at these places of `batch`. Panics where they do not ascend within it.
    pub fn some(batch: Arc<RecordBatch>, records: impl Into<Arc<[u32]>>) -> Self {
        let records = records.into();
        assert!(records.is_sorted_by(|a, b| a < b), "selected records ascend");
        assert!(records.last().is_none_or(|&last| (last as usize) < batch.len()), "selected records lie in their batch");
        let all = records.len() == batch.len();
        Self { batch, records: (!all).then_some(records) }
    }

    /// The batch that they are of.
    pub fn batch(&self) -> &Arc<RecordBatch> {
        &self.batch
    }

    /// The places of the records within the batch; `None`: all of them.
    pub fn records(&self) -> Option<&[u32]> {
        self.records.as_deref()
    }

    /// Number of records that are selected.
    pub fn len(&self) -> usize {
        self.records.as_ref().map_or(self.batch.len(), |records| records.len())
    }

    /// Bytes of the batch that they are of, in proportion where only some are selected.
    pub fn byte_len(&self) -> usize {
        match &self.records {
            None => self.batch.byte_len(),
            Some(records) => self.batch.byte_len() * records.len() / self.batch.len().max(1),
        }
    }

    /// True where none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True where every selected record has a key.
    pub fn all_have_keys(&self) -> bool {
        match self.records() {
            None => self.batch.keyless().is_empty(),
            Some(records) => self.batch.keyless().is_empty() || records.iter().all(|&record| self.batch.key(record as usize).is_some()),
        }
    }

    /// The selected records side by side: the batch itself where all are selected, else a copy.
    pub fn compact(self) -> Arc<RecordBatch> {
        let Some(records) = self.records else { return self.batch };
        let mut builder = BatchBuilder::with_capacity(records.len(), 0, 0);
        builder.select(&self.batch, &records, true);
        Arc::new(builder.finish())
    }
}

impl From<Arc<RecordBatch>> for Selection {
    fn from(batch: Arc<RecordBatch>) -> Self {
        Self::all(batch)
    }
}

impl From<RecordBatch> for Selection {
    fn from(batch: RecordBatch) -> Self {
        Self::all(Arc::new(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Arc<RecordBatch> {
        let mut builder = BatchBuilder::new();
        builder.push(Some(b"a"), b"0", Some(5));
        builder.push(None, b"1", None);
        builder.push_header(b"h", b"x");
        builder.push_valueless(Some(b"c"), Some(7));
        builder.push(Some(b""), b"", None);
        builder.push_header(b"h", b"y");
        builder.push_header(b"i", b"");
        Arc::new(builder.finish())
    }

    #[test]
    fn all_of_a_batch_is_the_batch_and_some_of_it_a_copy_with_everything_that_they_have() {
        let whole = batch();
        assert!(Arc::ptr_eq(&Selection::all(whole.clone()).compact(), &whole));
        assert!(Arc::ptr_eq(&Selection::some(whole.clone(), [0, 1, 2, 3]).compact(), &whole), "all of them by their places");
        let mut expect = BatchBuilder::new();
        expect.push(None, b"1", None);
        expect.push_header(b"h", b"x");
        expect.push_valueless(Some(b"c"), Some(7));
        assert_eq!(*Selection::some(whole.clone(), [1, 2]).compact(), expect.finish());
        let mut expect = BatchBuilder::new();
        expect.push(Some(b"a"), b"0", Some(5));
        expect.push(Some(b""), b"", None);
        expect.push_header(b"h", b"y");
        expect.push_header(b"i", b"");
        assert_eq!(*Selection::some(whole, [0, 3]).compact(), expect.finish());
    }

    #[test]
    fn keys_are_asked_for_of_the_selected_records_alone() {
        assert!(!Selection::all(batch()).all_have_keys());
        assert!(!Selection::some(batch(), [1, 2]).all_have_keys());
        assert!(Selection::some(batch(), [0, 2, 3]).all_have_keys());
    }

    #[test]
    #[should_panic(expected = "ascend")]
    fn places_that_do_not_ascend_are_no_selection() {
        Selection::some(batch(), [2, 1]);
    }
}
