//! Cuts what is staged into chunks, each of which is one transaction of the target.
//!
//! A chunk goes on over the borders of stored batches and objects: many small ones, of as many subtasks, are one transaction. Where it ends depends on the
//! records and the bounds alone, so a restart that begins at the same record cuts alike; and one that does not is no worse, because markers count
//! records.

use super::ChunkBounds;
use crate::element::{BatchBuilder, RecordBatch};

/// A chunk that is being filled.
pub(super) struct Chunk {
    bounds: ChunkBounds,
    records: BatchBuilder,
    bytes: usize,
}

impl Chunk {
    /// An empty one.
    pub fn new(bounds: ChunkBounds) -> Self {
        Self { bounds, records: BatchBuilder::new(), bytes: 0 }
    }

    /// Adds records of `batch` from `from` on, as many as there is room for. How many that are: one at least, unless it is full.
    pub fn add(&mut self, batch: &RecordBatch, from: usize) -> usize {
        let (mut end, room) = (from, self.bounds.records.max(1) - self.records.len());
        while end < batch.len() && end - from < room && (self.bytes < self.bounds.bytes || self.records.len() + end - from == 0) {
            self.bytes += record_bytes(batch, end);
            end += 1;
        }
        self.records.append(batch, from..end, false);
        end - from
    }

    /// True where nothing more goes into it.
    pub fn is_full(&self) -> bool {
        !self.is_empty() && (self.records.len() >= self.bounds.records || self.bytes >= self.bounds.bytes)
    }

    /// True where there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What is in it. It is empty afterwards.
    pub fn take(&mut self) -> RecordBatch {
        self.bytes = 0;
        self.records.take()
    }
}

/// Bytes of a record's key, value and headers.
fn record_bytes(batch: &RecordBatch, record: usize) -> usize {
    let headers = batch.headers_of(record).map(|(name, value)| name.len() + value.len());
    batch.keys().get(record).len() + batch.values().get(record).len() + headers.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of these values. `+` behind one is a header of ten bytes.
    fn batch(values: &str) -> RecordBatch {
        let mut builder = BatchBuilder::new();
        for value in values.split(' ') {
            builder.push(None, value.trim_end_matches('+').as_bytes(), None);
            if value.ends_with('+') {
                builder.push_header(b"trace", b"abcde");
            }
        }
        builder.finish()
    }

    /// The chunks that these batches are cut into, from record `from` on.
    #[track_caller]
    fn check(batches: &[&str], from: usize, records: usize, bytes: usize, expect: &[&str]) {
        let (mut chunk, mut skipped, mut chunks) = (Chunk::new(ChunkBounds { records, bytes }), from, Vec::new());
        let mut end = |chunk: &mut Chunk| {
            let records = chunk.take();
            let values: Vec<_> = records.values().iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
            chunks.push(values.join(" "));
        };
        for batch in batches.iter().map(|values| batch(values)) {
            let mut at = skipped.min(batch.len());
            skipped -= at;
            while at < batch.len() {
                at += chunk.add(&batch, at);
                if chunk.is_full() {
                    end(&mut chunk);
                }
            }
        }
        if !chunk.is_empty() {
            end(&mut chunk);
        }
        assert_eq!(chunks, expect);
    }

    #[test]
    fn a_chunk_goes_on_over_the_borders_of_batches_until_it_is_full() {
        check(&["a", "b", "c d", "e"], 0, 3, 100, &["a b c", "d e"]);
        check(&["a b c d e"], 0, 2, 100, &["a b", "c d", "e"]);
        check(&["a b", "c"], 0, 100, 100, &["a b c"]);
    }

    #[test]
    fn where_a_chunk_ends_does_not_depend_on_the_batches() {
        for batches in [&["a bb c dd e"][..], &["a", "bb c", "dd e"], &["a bb", "c dd", "e"]] {
            check(batches, 0, 3, 100, &["a bb c", "dd e"]);
            check(batches, 0, 100, 3, &["a bb", "c dd", "e"]);
            check(batches, 2, 3, 100, &["c dd e"]);
        }
    }

    #[test]
    fn a_record_that_is_larger_than_a_chunk_is_one_and_no_bound_keeps_records_back() {
        check(&["aaaa b", "cccc"], 0, 100, 2, &["aaaa", "b cccc"]);
        check(&["a b"], 0, 0, 0, &["a", "b"]);
    }

    #[test]
    fn headers_count() {
        check(&["a+ b", "c"], 0, 100, 10, &["a", "b c"]);
    }
}
