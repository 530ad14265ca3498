//! Staged output as it is stored: the payload of a section of kind [`SectionKind::StagedOutput`].
//!
//! ```text
//! payload = number-of-records *record    ; a record is described in `records.rs`
//! ```
//!
//! An object holds one section, under the sink's id and, in place of a key group, the number of the subtask that wrote it. The count is LEB128.

use super::records::{put_record, read_records};
use super::{SectionKind, StateObjectReader, StateObjectWriter};
use crate::element::RecordBatch;
use crate::error::{EngineError, ErrorKind};
use crate::state::varint::put_number;
use bytes::Bytes;

/// Bytes after which a part is closed. One buffer that grew to an object's size would be copied at each doubling, and nearly half of it be room that nothing
/// comes into any more.
const PART_BYTES: usize = 256 << 10;

/// Records as they will be staged.
#[derive(Debug, Default)]
pub struct StagedRecords {
    records: u64,
    /// Closed parts.
    parts: Vec<Bytes>,
    /// Bytes of the closed parts.
    closed: usize,
    part: Vec<u8>,
}

impl StagedRecords {
    /// Appends records `range` of `batch`, as long as there are fewer bytes than `most`. Returns how many it took: one at least.
    pub fn push(&mut self, batch: &RecordBatch, range: std::ops::Range<usize>, most: usize) -> usize {
        let mut taken = 0;
        for record in range {
            // The next part is as large as the last, most likely; one record may make it larger.
            if self.part.capacity() == 0 && !self.parts.is_empty() {
                self.part.reserve(PART_BYTES + PART_BYTES / 64);
            }
            put_record(&mut self.part, batch, record);
            taken += 1;
            if self.part.len() >= PART_BYTES {
                self.close_part();
            }
            if self.byte_len() >= most {
                break;
            }
        }
        self.records += taken as u64;
        taken
    }

    fn close_part(&mut self) {
        let part = std::mem::take(&mut self.part);
        self.closed += part.len();
        self.parts.push(part.into());
    }

    /// Number of records.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Bytes that they take.
    pub fn byte_len(&self) -> usize {
        self.closed + self.part.len()
    }

    /// The object that they are staged in, of subtask `index` of `sink`. It shares the closed parts.
    pub fn object(&self, sink: &str, index: u32) -> StateObjectWriter {
        let mut number = Vec::with_capacity(10);
        put_number(&mut number, self.records);
        let last = Bytes::copy_from_slice(&self.part);
        let payload: Vec<Bytes> = std::iter::once(number.into()).chain(self.parts.iter().cloned()).chain([last]).collect();
        let mut object = StateObjectWriter::new();
        object.section_of_parts(SectionKind::StagedOutput, sink, index, &payload);
        object
    }
}

/// The records of a staged object, which `name` says in errors; there have to be `expected` of them.
pub fn read_staged(name: &str, reader: &StateObjectReader, expected: u64) -> Result<Vec<RecordBatch>, EngineError> {
    let corrupt = |what: String| EngineError::new(ErrorKind::Corrupt, format!("read {name}: {what}"));
    let mut batches = Vec::new();
    for section in reader.sections() {
        let section = section?;
        if section.kind != SectionKind::StagedOutput {
            return Err(corrupt(format!("a section of {} among staged output", section.kind.name())));
        }
        batches.extend(read_records(section.payload).map_err(corrupt)?);
    }
    let found: u64 = batches.iter().map(|batch| batch.len() as u64).sum();
    if found != expected {
        return Err(corrupt(format!("{found} records, the checkpoint says {expected}")));
    }
    Ok(batches)
}
