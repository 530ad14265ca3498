//! Columns as the world has them: bytes, and where each item ends.

use crate::weir::operator::types::{Batch, Column, KeyCounts, Output};
use std::collections::BTreeMap;

/// A column that is being written.
#[derive(Default)]
pub struct Items {
    pub data: Vec<u8>,
    pub ends: Vec<u8>,
}

impl Items {
    pub fn push(&mut self, item: &[u8]) {
        self.data.extend_from_slice(item);
        self.ends.extend((self.data.len() as u32).to_le_bytes());
    }

    pub fn column(self) -> Column {
        Column { data: self.data, ends: self.ends }
    }
}

pub fn u32s(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap())).collect()
}

pub fn bytes(integers: &[u32]) -> Vec<u8> {
    integers.iter().flat_map(|integer| integer.to_le_bytes()).collect()
}

pub fn items(column: &Column) -> Vec<Vec<u8>> {
    let mut start = 0;
    let mut cut = |end: u32| column.data[std::mem::replace(&mut start, end as usize)..end as usize].to_vec();
    u32s(&column.ends).into_iter().map(&mut cut).collect()
}

/// The entries of a list with commas.
pub fn asked(entries: &str) -> Column {
    let mut asked = Items::default();
    entries.split(',').for_each(|entry| asked.push(entry.as_bytes()));
    asked.column()
}

pub fn none() -> Column {
    Items::default().column()
}

pub fn counts(counts: &BTreeMap<u32, u64>) -> KeyCounts {
    let keys: Vec<u32> = counts.keys().copied().collect();
    KeyCounts { keys: bytes(&keys), counts: counts.values().flat_map(|count| count.to_le_bytes()).collect() }
}

/// An output of records that pass.
pub fn passing(output: u32, passes: Vec<u8>) -> Output {
    Output {
        output,
        passes,
        cause: vec![],
        values: none(),
        valueless: vec![],
        keys: none(),
        keyless: vec![],
        headers: None,
        timestamps: vec![],
    }
}

/// The headers of each record.
pub fn headers(batch: &Batch) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut all = items(&batch.headers.names).into_iter().zip(items(&batch.headers.values));
    let mut start = 0;
    let of = |end: u32| all.by_ref().take((end - std::mem::replace(&mut start, end)) as usize).collect();
    match batch.headers.ends.is_empty() {
        true => vec![Vec::new(); batch.values.ends.len() / 4],
        false => u32s(&batch.headers.ends).into_iter().map(of).collect(),
    }
}
