//! The ids of published records, by which a target without transactions leaves out what it has taken already.
//!
//! An id is of the record and of nothing else: it stays the same whichever process publishes it, and whatever chunks are cut.

use crate::checkpoint::{Marker, MarkerKey};
use crate::element::CheckpointId;
use std::fmt;

/// Names one record of all that a sink ever publishes. Its text is stable: `LOG/LINEAGE/SINK/CHECKPOINT/ATTEMPT/ORDINAL`, of which log, lineage and attempt
/// are nonces of 16 hexadecimal digits, and checkpoint and ordinal decimal numbers. A target that takes shorter ids only is given a hash of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId<'a> {
    /// The log, the lineage and the sink.
    pub key: &'a MarkerKey,
    /// The checkpoint whose output it is.
    pub checkpoint_id: CheckpointId,
    /// The nonce of the attempt that took that checkpoint: where a log has lost its newest entries, its next checkpoint of the same number is another one.
    pub attempt_nonce: &'a str,
    /// Its number among the sink's records of that checkpoint, from 1: behind it, the marker says so many records.
    pub ordinal: u64,
}

impl fmt::Display for RecordId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, checkpoint_id, attempt_nonce, ordinal } = self;
        write!(f, "{key}/{checkpoint_id}/{attempt_nonce}/{ordinal}")
    }
}

/// The ids of the `records` records of a chunk, in their order. `key` and `marker` are those that the chunk is published with.
pub fn record_ids<'a>(key: &'a MarkerKey, records: usize, marker: &'a Marker) -> impl Iterator<Item = RecordId<'a>> {
    let Marker { checkpoint_id, attempt_nonce, records: published } = marker;
    let before = published.checked_sub(records as u64);
    let before = before.unwrap_or_else(|| panic!("a chunk of {records} records moves the marker {key} to {marker}"));
    (before + 1..=*published).map(move |ordinal| RecordId { key, checkpoint_id: *checkpoint_id, attempt_nonce, ordinal })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MarkerKey {
        MarkerKey { log: "00c0ffee00c0ffee".into(), lineage: "0000000000000002".into(), sink: "out".into() }
    }

    fn marker(records: u64) -> Marker {
        Marker { checkpoint_id: CheckpointId(17), attempt_nonce: "000000000000000a".into(), records }
    }

    /// The ids of the first `records` records of a checkpoint that are published in chunks of so many.
    fn ids(records: u64, chunk: u64) -> Vec<String> {
        let mut ids = Vec::new();
        let ends = (0..records).step_by(chunk as usize).map(|begin| (begin, records.min(begin + chunk)));
        ends.for_each(|(begin, end)| {
            ids.extend(record_ids(&key(), (end - begin) as usize, &marker(end)).map(|id| id.to_string()));
        });
        ids
    }

    #[test]
    fn the_text_of_an_id_is_what_it_was() {
        let first = "00c0ffee00c0ffee/0000000000000002/out/17/000000000000000a/1";
        assert_eq!(ids(1, 1), [first]);
        assert_eq!(ids(12, 5)[11], "00c0ffee00c0ffee/0000000000000002/out/17/000000000000000a/12");
    }

    #[test]
    fn a_record_keeps_its_id_whatever_chunks_are_cut() {
        for chunk in 1..15 {
            assert_eq!(ids(14, chunk), ids(14, 14), "chunks of {chunk}");
        }
    }
}
