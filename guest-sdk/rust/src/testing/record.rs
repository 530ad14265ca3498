//! A record as tests write and read it.

use crate::bindings::weir::operator::types::{Batch, Column, Output};
use crate::columns::{empty_column, has_u32, item, push_item, push_s64, push_u32, s64_at, u32_at, u32_count};
use crate::context::{NO_TIMESTAMP, key_of};
use std::collections::HashMap;
use std::fmt;

/// A record: `TestRecord::new("14").key("N14228").at(1_000)`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestRecord {
    /// `None` is absent, which is not the empty key.
    pub key: Option<Vec<u8>>,
    /// The value's bytes.
    pub value: Vec<u8>,
    /// Event time, ms since the Unix epoch.
    pub timestamp: Option<i64>,
}

impl TestRecord {
    /// A record without key and time.
    pub fn new(value: impl AsRef<[u8]>) -> Self {
        Self { key: None, value: value.as_ref().to_vec(), timestamp: None }
    }

    /// The same record under `key`.
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        Self { key: Some(key.as_ref().to_vec()), ..self }
    }

    /// The same record at `timestamp`.
    pub fn at(self, timestamp: i64) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }
}

impl fmt::Debug for TestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}: ", key.escape_ascii())?,
            None => write!(f, "no key: ")?,
        }
        write!(f, "{}", self.value.escape_ascii())?;
        self.timestamp.map_or(Ok(()), |timestamp| write!(f, " at {timestamp}"))
    }
}

/// The records as a batch without state, and the distinct keys where the input is keyed.
pub(super) fn batch_of(records: &[TestRecord], keyed: bool) -> Batch {
    let mut batch = Batch {
        keys: empty_column(),
        key_of: Vec::new(),
        keyless: Vec::new(),
        values: empty_column(),
        timestamps: Vec::new(),
        states: Vec::new(),
    };
    let mut numbers = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        push_item(&mut batch.values, &record.value);
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

/// The records of an output.
pub(super) fn records_of(output: &Output, batch: &Batch) -> Vec<TestRecord> {
    (0..u32_count(&output.values.ends)).map(|index| record_of(output, batch, index)).collect()
}

fn record_of(output: &Output, batch: &Batch, index: usize) -> TestRecord {
    let cause = u32_at(&output.cause, index) as usize;
    let own_keys = !output.keys.ends.is_empty();
    let key = match own_keys {
        true if has_u32(&output.keyless, index as u32) => None,
        true => Some(item(&output.keys, index)),
        false => key_of(batch, cause),
    };
    let timestamp = if output.timestamps.is_empty() { s64_at(&batch.timestamps, cause) } else { s64_at(&output.timestamps, index) };
    TestRecord {
        key: key.map(<[u8]>::to_vec),
        value: item(&output.values, index).to_vec(),
        timestamp: Some(timestamp).filter(|&timestamp| timestamp != NO_TIMESTAMP),
    }
}

/// The items of a column.
pub(super) fn vecs(column: &Column) -> Vec<Vec<u8>> {
    crate::columns::items(column).map(<[u8]>::to_vec).collect()
}
