//! A record as tests write and read it.

use crate::bindings::weir::operator::types::{Batch, Column, Headers, Output};
use crate::columns::{empty_column, has_u32, item, push_item, push_s64, push_u32, s64_at, u32_at, u32_count};
use crate::context::{NO_TIMESTAMP, headers_of, key_of, record_headers};
use std::collections::HashMap;
use std::fmt;

/// A record: `TestRecord::new("14").key("N14228").at(1_000)`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestRecord {
    /// `None` is absent, which is not the empty key.
    pub key: Option<Vec<u8>>,
    /// The value's bytes.
    pub value: Vec<u8>,
    /// The value is absent, which is not the empty value.
    pub valueless: bool,
    /// Event time, ms since the Unix epoch.
    pub timestamp: Option<i64>,
    /// Headers, names and values.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl TestRecord {
    /// A record without key and time.
    pub fn new(value: impl AsRef<[u8]>) -> Self {
        Self { key: None, value: value.as_ref().to_vec(), valueless: false, timestamp: None, headers: Vec::new() }
    }

    /// A record without value, key and time.
    pub fn absent() -> Self {
        Self { valueless: true, ..Self::new("") }
    }

    /// The same record under `key`.
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        Self { key: Some(key.as_ref().to_vec()), ..self }
    }

    /// The same record at `timestamp`.
    pub fn at(self, timestamp: i64) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// The same record with another header.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }
}

impl fmt::Debug for TestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}: ", key.escape_ascii())?,
            None => write!(f, "no key: ")?,
        }
        match self.valueless {
            true => write!(f, "no value")?,
            false => write!(f, "{}", self.value.escape_ascii())?,
        }
        self.timestamp.map_or(Ok(()), |timestamp| write!(f, " at {timestamp}"))?;
        let mut headers = self.headers.iter();
        headers.try_for_each(|(name, value)| write!(f, " [{}={}]", name.escape_ascii(), value.escape_ascii()))
    }
}

/// The records as a batch without state, and the distinct keys where the input is keyed.
pub(super) fn batch_of(records: &[TestRecord], keyed: bool) -> Batch {
    let mut batch = Batch {
        keys: empty_column(),
        key_of: Vec::new(),
        keyless: Vec::new(),
        values: empty_column(),
        valueless: Vec::new(),
        headers: headers_of_all(records),
        timestamps: Vec::new(),
        states: Vec::new(),
        windows: None,
    };
    let mut numbers = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        push_item(&mut batch.values, &record.value);
        if record.valueless {
            push_u32(&mut batch.valueless, index as u32);
        }
        push_s64(&mut batch.timestamps, record.timestamp.unwrap_or(NO_TIMESTAMP));
        if !keyed {
            if record.key.is_none() {
                push_u32(&mut batch.keyless, index as u32);
            }
            push_item(&mut batch.keys, record.key.as_deref().unwrap_or_default());
            continue;
        }
        let Some(key) = &record.key else { panic!("record {index} has no key, and its input is keyed: {record:?}") };
        let next = numbers.len() as u32;
        let number = *numbers.entry(key).or_insert_with(|| {
            push_item(&mut batch.keys, key);
            next
        });
        push_u32(&mut batch.key_of, number);
    }
    batch
}

/// The headers of all records; without ends where none has any.
fn headers_of_all(records: &[TestRecord]) -> Headers {
    let mut headers = Headers { ends: Vec::new(), names: empty_column(), values: empty_column() };
    if records.iter().all(|record| record.headers.is_empty()) {
        return headers;
    }
    for record in records {
        for (name, value) in &record.headers {
            push_item(&mut headers.names, name);
            push_item(&mut headers.values, value);
        }
        push_u32(&mut headers.ends, u32_count(&headers.names.ends) as u32);
    }
    headers
}

/// The records of an output, in the order of their causes: of one cause the record that passes stands before those that are made.
pub(super) fn records_of(output: &Output, batch: &Batch) -> Vec<TestRecord> {
    let mut made =
        (0..u32_count(&output.values.ends)).map(|index| (u32_at(&output.cause, index), record_of(output, batch, index))).peekable();
    let mut records = Vec::new();
    for record in 0..u32_count(&batch.values.ends) as u32 {
        if output.passes.get(record as usize / 8).is_some_and(|byte| byte & 1 << (record % 8) != 0) {
            while let Some((_, before)) = made.next_if(|(cause, _)| *cause < record) {
                records.push(before);
            }
            records.push(passed(batch, record as usize));
        }
    }
    records.extend(made.map(|(_, record)| record));
    records
}

/// A record of the batch, as it came.
fn passed(batch: &Batch, record: usize) -> TestRecord {
    TestRecord {
        key: key_of(batch, record).map(<[u8]>::to_vec),
        value: item(&batch.values, record).to_vec(),
        valueless: has_u32(&batch.valueless, record as u32),
        timestamp: timestamp_at(&batch.timestamps, record),
        headers: owned(headers_of(batch, record)),
    }
}

fn record_of(output: &Output, batch: &Batch, index: usize) -> TestRecord {
    let cause = u32_at(&output.cause, index) as usize;
    let own_keys = !output.keys.ends.is_empty();
    let key = match own_keys {
        true if has_u32(&output.keyless, index as u32) => None,
        true => Some(item(&output.keys, index)),
        false => key_of(batch, cause),
    };
    TestRecord {
        key: key.map(<[u8]>::to_vec),
        value: item(&output.values, index).to_vec(),
        valueless: has_u32(&output.valueless, index as u32),
        timestamp: if output.timestamps.is_empty() {
            timestamp_at(&batch.timestamps, cause)
        } else {
            timestamp_at(&output.timestamps, index)
        },
        headers: match &output.headers {
            Some(headers) => owned(record_headers(headers, index)),
            None => owned(headers_of(batch, cause)),
        },
    }
}

fn timestamp_at(timestamps: &[u8], record: usize) -> Option<i64> {
    Some(s64_at(timestamps, record)).filter(|&timestamp| timestamp != NO_TIMESTAMP)
}

fn owned<'a>(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<(Vec<u8>, Vec<u8>)> {
    headers.map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// The items of a column.
pub(super) fn vecs(column: &Column) -> Vec<Vec<u8>> {
    crate::columns::items(column).map(<[u8]>::to_vec).collect()
}
