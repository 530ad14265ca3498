//! Collects records into a batch, one at a time or by the column.

use super::record_batch::byte_len;
use super::{Column, Headers, NO_TIMESTAMP, RecordBatch};
use std::ops::Range;
use std::sync::Arc;

/// Collects records into a [`RecordBatch`].
#[derive(Debug, Default)]
pub struct BatchBuilder {
    keys: Column,
    keyless: Vec<u32>,
    hashes: Vec<u64>,
    values: Column,
    valueless: Vec<u32>,
    timestamps: Vec<i64>,
    headers: Option<Headers>,
}

impl BatchBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty builder with room for `records` records with `key_bytes` and `value_bytes` bytes in all.
    pub fn with_capacity(records: usize, key_bytes: usize, value_bytes: usize) -> Self {
        Self {
            keys: Column::with_capacity(records, key_bytes),
            values: Column::with_capacity(records, value_bytes),
            timestamps: Vec::with_capacity(records),
            ..Self::default()
        }
    }

    /// The timestamps of the records so far.
    pub(crate) fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// Appends one record.
    #[inline]
    pub fn push(&mut self, key: Option<&[u8]>, value: &[u8], timestamp: Option<i64>) {
        debug_assert!(self.hashes.is_empty(), "push and push_hashed do not mix");
        self.push_key(key);
        self.values.push(value);
        self.timestamps.push(timestamp.unwrap_or(NO_TIMESTAMP));
        self.end_headers();
    }

    /// Appends one record that has no value.
    pub fn push_valueless(&mut self, key: Option<&[u8]>, timestamp: Option<i64>) {
        self.valueless.push(self.timestamps.len() as u32);
        self.push(key, b"", timestamp);
    }

    /// Gives the record that was appended last another header. Panics where there is no record.
    pub fn push_header(&mut self, name: &[u8], value: &[u8]) {
        let records = self.len();
        assert!(records > 0, "a header belongs to a record");
        self.headers.get_or_insert_with(|| Headers::of_records(records)).push(name, value);
    }

    /// Appends one record whose key and value `write_key` and `write_value` add to the end of the columns' data.
    #[inline]
    pub fn push_with(&mut self, write_key: impl FnOnce(&mut Vec<u8>), write_value: impl FnOnce(&mut Vec<u8>), timestamp: Option<i64>) {
        self.keys.push_with(write_key);
        self.values.push_with(write_value);
        self.timestamps.push(timestamp.unwrap_or(NO_TIMESTAMP));
        self.end_headers();
    }

    /// Appends one record that has a key, with the key's hash.
    #[inline]
    pub fn push_hashed(&mut self, key: &[u8], hash: u64, value: &[u8], timestamp: i64) {
        self.keys.push(key);
        self.hashes.push(hash);
        self.values.push(value);
        self.timestamps.push(timestamp);
        self.end_headers();
    }

    /// Appends record `record` of another batch, with its hash where it has one.
    pub fn push_from(&mut self, other: &RecordBatch, record: usize) {
        if let Some(&hash) = other.hashes.get(record) {
            self.hashes.push(hash);
        }
        self.push_unhashed_from(other, record);
    }

    /// Appends record `record` of another batch, which has a key, with the key's hash.
    pub fn push_hashed_from(&mut self, other: &RecordBatch, record: usize, hash: u64) {
        self.hashes.push(hash);
        self.push_unhashed_from(other, record);
    }

    /// Appends record `record` of another batch, without its hash.
    pub fn push_unhashed_from(&mut self, other: &RecordBatch, record: usize) {
        self.push_key(other.key(record));
        if other.value(record).is_none() {
            self.valueless.push(self.timestamps.len() as u32);
        }
        self.values.push(other.values.get(record));
        self.timestamps.push(other.timestamps[record]);
        self.end_headers();
        for (name, value) in other.headers_of(record) {
            self.push_header(name, value);
        }
    }

    /// Appends the records `range` of another batch by the column, with their hashes where `hashed` is true and they have some.
    pub fn append(&mut self, other: &RecordBatch, range: Range<usize>, hashed: bool) {
        let before = self.len();
        let absent = |records: &[u32], into: &mut Vec<u32>| {
            let from = records.partition_point(|&record| (record as usize) < range.start);
            let inside = records[from..].iter().take_while(|&&record| (record as usize) < range.end);
            into.extend(inside.map(|&record| (record as usize - range.start + before) as u32));
        };
        absent(&other.keyless, &mut self.keyless);
        absent(&other.valueless, &mut self.valueless);
        if hashed && !other.hashes.is_empty() {
            self.hashes.extend_from_slice(&other.hashes[range.clone()]);
        }
        self.keys.extend_from(&other.keys, range.clone());
        self.values.extend_from(&other.values, range.clone());
        self.timestamps.extend_from_slice(&other.timestamps[range.clone()]);
        match other.headers.as_ref().filter(|headers| !headers.items(range.clone()).is_empty()) {
            Some(headers) => self.headers.get_or_insert_with(|| Headers::of_records(before)).extend_from(headers, range),
            None => self.end_headers(),
        }
    }

    /// Appends the records at these places of another batch, with their hashes where `hashed` is true and they have some.
    pub fn select(&mut self, other: &RecordBatch, records: &[u32], hashed: bool) {
        let plain = other.keyless.is_empty() && other.valueless.is_empty() && other.headers.is_none() && self.headers.is_none();
        if !plain {
            let push = if hashed { Self::push_from } else { Self::push_unhashed_from };
            return records.iter().for_each(|&record| push(self, other, record as usize));
        }
        if hashed && !other.hashes.is_empty() {
            self.hashes.extend(records.iter().map(|&record| other.hashes[record as usize]));
        }
        records.iter().for_each(|&record| self.keys.push(other.keys.get(record as usize)));
        records.iter().for_each(|&record| self.values.push(other.values.get(record as usize)));
        self.timestamps.extend(records.iter().map(|&record| other.timestamps[record as usize]));
    }

    #[inline]
    fn push_key(&mut self, key: Option<&[u8]>) {
        if key.is_none() {
            self.keyless.push(self.timestamps.len() as u32);
        }
        self.keys.push(key.unwrap_or_default());
    }

    /// Records without headers have ends as well, where any record has headers.
    #[inline]
    fn end_headers(&mut self) {
        if let Some(headers) = &mut self.headers {
            headers.end_at(self.timestamps.len());
        }
    }

    /// Number of records so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// True where there is no record yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Bytes of the columns so far.
    #[inline]
    pub fn byte_len(&self) -> usize {
        byte_len([&self.keys, &self.values], self.timestamps.len() + self.hashes.len(), self.headers.as_ref())
    }

    /// The batch. The builder is empty afterwards.
    pub fn take(&mut self) -> RecordBatch {
        std::mem::take(self).finish()
    }

    /// The batch. The builder is empty afterwards, with room for a batch like this one: steady streams do not grow their columns step by step.
    pub fn take_and_make_room(&mut self) -> RecordBatch {
        let room = |size: usize| size + size / 8;
        let mut next = Self::with_capacity(room(self.len()), room(self.keys.data().len()), room(self.values.data().len()));
        next.hashes.reserve(room(self.hashes.len()));
        std::mem::replace(self, next).finish()
    }

    /// The batch.
    pub fn finish(self) -> RecordBatch {
        RecordBatch {
            keys: Arc::new(self.keys),
            keyless: self.keyless,
            hashes: Arc::new(self.hashes),
            values: self.values,
            valueless: self.valueless,
            timestamps: Arc::new(self.timestamps),
            headers: self.headers.map(Arc::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of every make: with and without key, value, time, headers.
    fn records(seed: usize, count: usize) -> RecordBatch {
        let mut builder = BatchBuilder::new();
        for record in seed..seed + count {
            let (name, time) = (record.to_string(), (record % 2 == 0).then_some(record as i64));
            let key = (record % 3 != 0).then_some(name.as_bytes());
            match record % 5 {
                0 => builder.push_valueless(key, time),
                _ => builder.push(key, b"value", time),
            }
            (0..record % 4).for_each(|header| builder.push_header(name.as_bytes(), &[header as u8]));
        }
        builder.finish()
    }

    fn hashed(count: usize) -> RecordBatch {
        let mut builder = BatchBuilder::new();
        (0..count).for_each(|record| builder.push_hashed(&[record as u8], record as u64, b"v", 7));
        builder.finish()
    }

    #[test]
    fn by_the_column_and_one_by_one_come_to_the_same() {
        for (other, is_hashed) in [(records(3, 20), false), (hashed(20), true), (hashed(20), false)] {
            for (start, end) in [(0, 20), (0, 0), (4, 11), (19, 20)] {
                // In front of them stand records that have headers, or none.
                for before in [RecordBatch::default(), if is_hashed { hashed(2) } else { records(10, 6) }] {
                    let (mut by_column, mut selected, mut singly) = (BatchBuilder::new(), BatchBuilder::new(), BatchBuilder::new());
                    for builder in [&mut by_column, &mut selected, &mut singly] {
                        (0..before.len()).for_each(|record| builder.push_from(&before, record));
                    }
                    by_column.append(&other, start..end, is_hashed);
                    selected.select(&other, &(start as u32..end as u32).collect::<Vec<_>>(), is_hashed);
                    let push = if is_hashed { BatchBuilder::push_from } else { BatchBuilder::push_unhashed_from };
                    (start..end).for_each(|record| push(&mut singly, &other, record));
                    let singly = singly.finish();
                    assert_eq!(by_column.finish(), singly, "{start}..{end}");
                    assert_eq!(selected.finish(), singly, "{start}..{end}");
                }
            }
        }
    }

    #[test]
    fn an_absent_value_is_not_the_empty_value_and_headers_stay_with_their_record() {
        let mut builder = BatchBuilder::new();
        builder.push(Some(b"k"), b"", None);
        builder.push_valueless(Some(b"k"), None);
        builder.push_header(b"name", b"1");
        builder.push_header(b"name", b"2");
        builder.push(None, b"v", None);
        let batch = builder.finish();
        assert_eq!([0, 1, 2].map(|record| batch.value(record)), [Some(&b""[..]), None, Some(b"v")]);
        let headers = |record| batch.headers_of(record).collect::<Vec<_>>();
        assert_eq!([0, 1, 2].map(|record| headers(record).len()), [0, 2, 0]);
        assert_eq!(headers(1), [(&b"name"[..], &b"1"[..]), (b"name", b"2")]);
        assert_eq!(batch.headers().map(Headers::records), Some(3));
    }
}
