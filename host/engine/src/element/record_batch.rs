//! Records by column: optional keys, optional values, timestamps, headers. Immutable once built, and shared between tasks.

use super::{BatchBuilder, Column, Headers};
use std::ops::Range;
use std::sync::Arc;

/// Records of one channel, in order.
///
/// Invariants: keys, values and timestamps have one entry for each record; the item in `keys` of a record without a key is empty, and so is the item in
/// `values` of one without a value; `keyless` and `valueless` ascend; `hashes` is empty or has one XXH3-64 of the key for each record; headers, where
/// any record has some, have an end for each record.
///
/// What records caused one by one have from their causes (keys, times, headers) is shared with the batch of these, not copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordBatch {
    pub(super) keys: Arc<Column>,
    pub(super) keyless: Vec<u32>,
    pub(super) hashes: Arc<Vec<u64>>,
    pub(super) values: Column,
    pub(super) valueless: Vec<u32>,
    pub(super) timestamps: Arc<Vec<i64>>,
    pub(super) headers: Option<Arc<Headers>>,
}

impl RecordBatch {
    /// Puts columns together. Panics where the lengths differ or `keyless` does not ascend within them: the caller has checked.
    pub fn from_parts(keys: Column, keyless: Vec<u32>, values: Column, timestamps: Vec<i64>) -> Self {
        let records = values.len();
        assert_eq!(keys.len(), records, "one key for each record");
        assert_eq!(timestamps.len(), records, "one timestamp for each record");
        assert_ascends_within(&keyless, records);
        let (keys, timestamps) = (Arc::new(keys), Arc::new(timestamps));
        Self { keys, keyless, values, timestamps, ..Self::default() }
    }

    /// As many records with the keys, times and headers of these and other values. Panics where the count differs.
    pub fn with_values(&self, values: Column) -> Self {
        assert_eq!(values.len(), self.len(), "one value for each record");
        Self {
            keys: self.keys.clone(),
            keyless: self.keyless.clone(),
            hashes: self.hashes.clone(),
            values,
            valueless: Vec::new(),
            timestamps: self.timestamps.clone(),
            headers: self.headers.clone(),
        }
    }

    /// The same, where these records have no value. Panics where they do not ascend within the batch, or have one.
    pub fn with_valueless(mut self, valueless: Vec<u32>) -> Self {
        assert_ascends_within(&valueless, self.len());
        assert!(valueless.iter().all(|&record| self.values.get(record as usize).is_empty()), "an absent value has no bytes");
        self.valueless = valueless;
        self
    }

    /// The same with headers, which have an end for each record. Panics where they have not.
    pub fn with_headers(mut self, headers: Headers) -> Self {
        assert_eq!(headers.records(), self.len(), "an end of its headers for each record");
        self.headers = (!headers.is_empty()).then(|| Arc::new(headers));
        self
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
        byte_len([&self.keys, &self.values], self.timestamps.len() + self.hashes.len(), self.headers.as_deref())
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
        present(&self.keys, &self.keyless, record)
    }

    /// XXH3-64 of each record's key, where a `key` edge has been passed; else empty.
    #[inline]
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// One item for each record; empty where the record has no value (see [`Self::value`]).
    #[inline]
    pub fn values(&self) -> &Column {
        &self.values
    }

    /// The records that have no value, ascending.
    #[inline]
    pub fn valueless(&self) -> &[u32] {
        &self.valueless
    }

    /// The value of a record; `None` is absent, which is not the empty value.
    #[inline]
    pub fn value(&self, record: usize) -> Option<&[u8]> {
        present(&self.values, &self.valueless, record)
    }

    /// The headers of all records; `None` where no record has any.
    #[inline]
    pub fn headers(&self) -> Option<&Headers> {
        self.headers.as_deref()
    }

    /// The headers of a record, names and values, in order.
    pub fn headers_of(&self, record: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().flat_map(move |headers| headers.of(record))
    }

    /// Event times in ms; [`NO_TIMESTAMP`](super::NO_TIMESTAMP) where there is none.
    #[inline]
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// Gives each record the hash of its key. Panics where the count differs.
    pub fn set_hashes(&mut self, hashes: Vec<u64>) {
        assert_eq!(hashes.len(), self.len(), "one hash for each record");
        self.hashes = Arc::new(hashes);
    }

    /// The records `range` as a batch of their own.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let mut builder = BatchBuilder::with_capacity(range.len(), 0, 0);
        builder.append(self, range, true);
        builder.finish()
    }
}

/// Bytes of a batch with these columns, so many numbers of eight bytes, and these headers.
#[inline]
pub(super) fn byte_len(columns: [&Column; 2], numbers: usize, headers: Option<&Headers>) -> usize {
    columns[0].byte_len() + columns[1].byte_len() + 8 * numbers + headers.map_or(0, Headers::byte_len)
}

fn assert_ascends_within(records: &[u32], count: usize) {
    assert!(
        records.is_sorted_by(|a, b| a < b) && records.last().is_none_or(|&last| (last as usize) < count),
        "records that ascend within {count}"
    );
}

#[inline]
fn present<'a>(column: &'a Column, absent: &[u32], record: usize) -> Option<&'a [u8]> {
    if !absent.is_empty() && absent.binary_search(&(record as u32)).is_ok() {
        return None;
    }
    Some(column.get(record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::NO_TIMESTAMP;

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

    #[test]
    fn other_values_share_keys_times_and_headers() {
        let mut builder = BatchBuilder::new();
        builder.push_valueless(None, Some(3));
        builder.push(Some(b"k"), b"1", None);
        builder.push_header(b"h", b"x");
        let (batch, mut values) = (builder.finish(), Column::new());
        [b"a", b"b"].into_iter().for_each(|value| values.push(value));
        let other = batch.with_values(values);
        assert!(std::ptr::eq(batch.keys(), other.keys()) && std::ptr::eq(batch.timestamps(), other.timestamps()), "nothing is copied");
        assert_eq!([0, 1].map(|record| (other.key(record), other.value(record))), [(None, Some(&b"a"[..])), (Some(&b"k"[..]), Some(b"b"))]);
        assert_eq!((other.headers_of(1).collect::<Vec<_>>(), batch.value(0)), (vec![(&b"h"[..], &b"x"[..])], None));
    }
}
