//! Maps in the deterministic order: entries are written as they come and put into order at the end where they are not yet.

use super::CborError;
use super::head::{MAP, write_head};
use std::ops::Range;

/// A map that is being written to the end of a buffer.
pub(super) struct MapWriter {
    /// Where the map begins: its head where the number of entries is announced, else its first key.
    start: usize,
    announced: Option<usize>,
    entries: Vec<Entry>,
}

/// Where an entry's key stands, and where the value behind it ends.
struct Entry {
    key: Range<usize>,
    end: usize,
}

impl MapWriter {
    pub(super) fn begin(out: &mut Vec<u8>, announced: Option<usize>) -> Self {
        let start = out.len();
        if let Some(entries) = announced {
            write_head(out, MAP, entries as u64);
        }
        Self { start, announced, entries: Vec::with_capacity(announced.unwrap_or(0).min(1024)) }
    }

    /// A key has been written since `start`.
    pub(super) fn key_written(&mut self, start: usize, out: &[u8]) {
        self.entries.push(Entry { key: start..out.len(), end: out.len() });
    }

    /// The value of the last key has been written.
    pub(super) fn value_written(&mut self, out: &[u8]) {
        if let Some(entry) = self.entries.last_mut() {
            entry.end = out.len();
        }
    }

    /// Puts the entries in order where they are not. Two equal keys are an error.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<(), CborError> {
        let entries = self.entries.len();
        if let Some(announced) = self.announced.filter(|&announced| announced != entries) {
            return Err(CborError::new(format_args!("{entries} entries where {announced} were announced")));
        }
        let in_order = self.entries.is_sorted_by(|a, b| out[a.key.clone()] < out[b.key.clone()]);
        if in_order && self.announced.is_some() {
            return Ok(());
        }
        self.entries.sort_unstable_by(|a, b| out[a.key.clone()].cmp(&out[b.key.clone()]));
        if self.entries.windows(2).any(|pair| out[pair[0].key.clone()] == out[pair[1].key.clone()]) {
            return Err(CborError::new("a map has one key twice"));
        }
        let mut map = Vec::with_capacity(out.len() - self.start + 9);
        write_head(&mut map, MAP, entries as u64);
        for entry in &self.entries {
            map.extend_from_slice(&out[entry.key.start..entry.end]);
        }
        out.truncate(self.start);
        out.extend_from_slice(&map);
        Ok(())
    }
}
