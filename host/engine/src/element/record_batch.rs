//! Records by column: optional keys, values, timestamps. Immutable once built, and shared between tasks.

use super::{Column, NO_TIMESTAMP};

/// Records of one channel, in order.
///
/// Invariants: keys, values and timestamps have one entry for each record; a keyless record's item in `keys` is empty;
/// `keyless` ascends; `hashes` is empty or has one XXH3-64 of the key for each record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordBatch {
    keys: Column,
    keyless: Vec<u32>,
    hashes: Vec<u64>,
    values: Column,
    timestamps: Vec<i64>,
}

impl RecordBatch {
    /// Puts columns together. Panics where the lengths differ or `keyless` does not ascend within them: the caller has checked.
    pub fn from_parts(keys: Column, keyless: Vec<u32>, values: Column, timestamps: Vec<i64>) -> Self {
        let records = values.len();
        assert_eq!(keys.len(), records, "one key for each record");
        assert_eq!(timestamps.len(), records, "one timestamp for each record");
        assert!(keyless.is_sorted_by(|a, b| a < b) && keyless.last().is_none_or(|&last| (last as usize) < records));
        Self { keys, keyless, hashes: Vec::new(), values, timestamps }
    }

    /// Number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// True where there is no record.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Bytes of all columns: what a channel's bound counts.
    #[inline]
    pub fn byte_len(&self) -> usize {
        self.keys.byte_len() + self.values.byte_len() + 8 * (self.timestamps.len() + self.hashes.len())
    }

    /// One item for each record; empty where the record has no key (see [`Self::key`]).
    #[inline]
    pub fn keys(&self) -> &Column {
        &self.keys
    }

    /// The records that have no key, ascending.
    #[inline]
    pub fn keyless(&self) -> &[u32] {
        &self.keyless
    }

    /// The key of a record; `None` is absent, which is not the empty key.
    #[inline]
    pub fn key(&self, record: usize) -> Option<&[u8]> {
        if !self.keyless.is_empty() && self.keyless.binary_search(&(record as u32)).is_ok() {
            return None;
        }
        Some(self.keys.get(record))
    }

    /// XXH3-64 of each record's key, where a `key` edge has been passed; else empty.
    #[inline]
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The values.
    #[inline]
    pub fn values(&self) -> &Column {
        &self.values
    }

    /// Event times in ms; [`NO_TIMESTAMP`] where there is none.
    #[inline]
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// Gives each record the hash of its key. Panics where the count differs.
    pub fn set_hashes(&mut self, hashes: Vec<u64>) {
        assert_eq!(hashes.len(), self.len(), "one hash for each record");
        self.hashes = hashes;
    }

    /// The records `range` as a batch of their own.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let mut builder = BatchBuilder::with_capacity(range.len(), 0, 0);
        for record in range {
            builder.push_from(self, record);
        }
        builder.finish()
    }
}

/// Collects records into a [`RecordBatch`].
#[derive(Debug, Default)]
pub struct BatchBuilder {
    batch: RecordBatch,
}

impl BatchBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty builder with room for `records` records with `key_bytes` and `value_bytes` bytes in all.
    pub fn with_capacity(records: usize, key_bytes: usize, value_bytes: usize) -> Self {
        let mut builder = Self::default();
        builder.batch.keys = Column::with_capacity(records, key_bytes);
        builder.batch.values = Column::with_capacity(records, value_bytes);
        builder.batch.timestamps.reserve(records);
        builder
    }

    /// Appends one record.
    #[inline]
    pub fn push(&mut self, key: Option<&[u8]>, value: &[u8], timestamp: Option<i64>) {
        debug_assert!(self.batch.hashes.is_empty(), "push and push_hashed do not mix");
        self.push_key(key);
        self.batch.values.push(value);
        self.batch.timestamps.push(timestamp.unwrap_or(NO_TIMESTAMP));
    }

    /// Appends one record whose key and value `write_key` and `write_value` add to the end of the columns' data.
    #[inline]
    pub fn push_with(&mut self, write_key: impl FnOnce(&mut Vec<u8>), write_value: impl FnOnce(&mut Vec<u8>), timestamp: Option<i64>) {
        self.batch.keys.push_with(write_key);
        self.batch.values.push_with(write_value);
        self.batch.timestamps.push(timestamp.unwrap_or(NO_TIMESTAMP));
    }

    /// Appends one record that has a key, with the key's hash.
    #[inline]
    pub fn push_hashed(&mut self, key: &[u8], hash: u64, value: &[u8], timestamp: i64) {
        self.batch.keys.push(key);
        self.batch.hashes.push(hash);
        self.batch.values.push(value);
        self.batch.timestamps.push(timestamp);
    }

    /// Appends record `record` of another batch, with its hash where it has one.
    pub fn push_from(&mut self, other: &RecordBatch, record: usize) {
        self.push_key(other.key(record));
        if let Some(&hash) = other.hashes.get(record) {
            self.batch.hashes.push(hash);
        }
        self.batch.values.push(other.values.get(record));
        self.batch.timestamps.push(other.timestamps[record]);
    }

    /// Appends record `record` of another batch, without its hash.
    pub fn push_unhashed_from(&mut self, other: &RecordBatch, record: usize) {
        self.push_key(other.key(record));
        self.batch.values.push(other.values.get(record));
        self.batch.timestamps.push(other.timestamps[record]);
    }

    #[inline]
    fn push_key(&mut self, key: Option<&[u8]>) {
        if key.is_none() {
            self.batch.keyless.push(self.batch.timestamps.len() as u32);
        }
        self.batch.keys.push(key.unwrap_or_default());
    }

    /// Number of records so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// True where there is no record yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Bytes of the columns so far.
    #[inline]
    pub fn byte_len(&self) -> usize {
        self.batch.byte_len()
    }

    /// The batch. The builder is empty afterwards.
    pub fn take(&mut self) -> RecordBatch {
        std::mem::take(&mut self.batch)
    }

    /// The batch. The builder is empty afterwards, with room for a batch like this one: steady streams do not grow their columns step by step.
    pub fn take_and_make_room(&mut self) -> RecordBatch {
        let batch = self.take();
        let room = |size: usize| size + size / 8;
        *self = Self::with_capacity(room(batch.len()), room(batch.keys.data().len()), room(batch.values.data().len()));
        self.batch.hashes.reserve(room(batch.hashes.len()));
        batch
    }

    /// The batch.
    pub fn finish(self) -> RecordBatch {
        self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_key_is_not_the_empty_key() {
        let mut builder = BatchBuilder::new();
        builder.push(None, b"a", None);
        builder.push(Some(b""), b"b", Some(7));
        builder.push(Some(b"k"), b"c", None);
        let batch = builder.finish();
        assert_eq!((0..3).map(|r| batch.key(r)).collect::<Vec<_>>(), [None, Some(&b""[..]), Some(b"k")]);
        assert_eq!(batch.timestamps(), [NO_TIMESTAMP, 7, NO_TIMESTAMP]);
    }

    #[test]
    fn a_slice_keeps_keys_hashes_and_times() {
        let mut builder = BatchBuilder::new();
        builder.push_hashed(b"x", 1, b"1", 10);
        builder.push_hashed(b"y", 2, b"2", 20);
        let slice = builder.finish().slice(1..2);
        assert_eq!(
            (slice.key(0), slice.hashes(), slice.values().get(0), slice.timestamps()),
            (Some(&b"y"[..]), &[2][..], &b"2"[..], &[20][..])
        );
    }
}
