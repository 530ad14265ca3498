//! Writes a state object section by section.

use super::{CRC_BYTES, END_MAGIC, MAGIC, SectionKind, TRAILER_BYTES, VERSION};
use bytes::Bytes;

/// Bytes after which a part is closed: the object grows without being copied as a whole.
const PART_BYTES: usize = 1 << 20;
/// Bytes from which on a part of a payload is shared and not copied.
const SHARED_BYTES: usize = 64 << 10;

/// A state object in the making.
pub struct StateObjectWriter {
    /// Closed parts.
    parts: Vec<Bytes>,
    /// Bytes of the closed parts.
    closed: u64,
    /// Checksum of the closed parts.
    checksum: u32,
    part: Vec<u8>,
    sections: u32,
    /// The footer's entries.
    index: Vec<u8>,
}

/// A written object.
pub struct FinishedObject {
    /// Its bytes, in order.
    pub parts: Vec<Bytes>,
    /// Their number.
    pub bytes: u64,
    /// CRC-32C of all of them.
    pub checksum: u32,
}

impl Default for StateObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl StateObjectWriter {
    /// An object without sections.
    pub fn new() -> Self {
        let part = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        Self { parts: Vec::new(), closed: 0, checksum: 0, part, sections: 0, index: Vec::new() }
    }

    /// Appends a section. Panics where the operator's id has more than 65,535 bytes; the job file allows far fewer.
    pub fn section(&mut self, kind: SectionKind, operator: &str, key_group: u32, payload: &[u8]) {
        let (offset, start) = (self.length(), self.part.len());
        let name = self.begin_section(kind, operator, key_group, payload.len());
        self.part.extend_from_slice(payload);
        let checksum = crc32c::crc32c(&self.part[start..]);
        self.end_section(&name, offset, checksum);
    }

    /// The same, of a payload in parts. The large ones become parts of the object as they are, without being copied.
    pub fn section_of_parts(&mut self, kind: SectionKind, operator: &str, key_group: u32, payload: &[Bytes]) {
        let (offset, start) = (self.length(), self.part.len());
        let name = self.begin_section(kind, operator, key_group, payload.iter().map(Bytes::len).sum());
        let mut checksum = crc32c::crc32c(&self.part[start..]);
        for part in payload {
            checksum = crc32c::crc32c_append(checksum, part);
            if part.len() < SHARED_BYTES {
                self.part.extend_from_slice(part);
            } else {
                self.close_part();
                self.close(part.clone());
            }
        }
        self.end_section(&name, offset, checksum);
    }

    /// What its entry in the footer begins with.
    fn begin_section(&mut self, kind: SectionKind, operator: &str, key_group: u32, payload: usize) -> Vec<u8> {
        let name = section_name(kind, operator, key_group);
        self.part.extend_from_slice(&name);
        self.part.extend_from_slice(&(payload as u64).to_le_bytes());
        name
    }

    fn end_section(&mut self, name: &[u8], offset: u64, checksum: u32) {
        self.part.extend_from_slice(&checksum.to_le_bytes());
        let length = self.length() - offset;
        self.index.extend_from_slice(name);
        self.index.extend_from_slice(&offset.to_le_bytes());
        self.index.extend_from_slice(&length.to_le_bytes());
        self.sections = self.sections.checked_add(1).expect("a state object has fewer than 2^32 sections");
        if self.part.len() >= PART_BYTES {
            self.close_part();
        }
    }

    /// True where no section has been appended.
    pub fn is_empty(&self) -> bool {
        self.sections == 0
    }

    /// Appends the footer.
    pub fn finish(mut self) -> FinishedObject {
        let footer_offset = self.length();
        let mut footer = self.sections.to_le_bytes().to_vec();
        footer.append(&mut self.index);
        let bytes = footer_offset + (footer.len() + TRAILER_BYTES) as u64;
        footer.extend_from_slice(&footer_offset.to_le_bytes());
        footer.extend_from_slice(&bytes.to_le_bytes());
        footer.extend_from_slice(&crc32c::crc32c(&footer).to_le_bytes());
        footer.extend_from_slice(END_MAGIC);
        self.part.append(&mut footer);
        self.close_part();
        assert_eq!(self.closed, bytes, "the length in the trailer is that of the object");
        FinishedObject { parts: self.parts, bytes, checksum: self.checksum }
    }

    fn length(&self) -> u64 {
        self.closed + self.part.len() as u64
    }

    fn close_part(&mut self) {
        let part = std::mem::take(&mut self.part);
        if !part.is_empty() {
            self.close(part.into());
        }
    }

    fn close(&mut self, part: Bytes) {
        self.checksum = crc32c::crc32c_append(self.checksum, &part);
        self.closed += part.len() as u64;
        self.parts.push(part);
    }
}

/// What a section and its entry in the footer begin with.
fn section_name(kind: SectionKind, operator: &str, key_group: u32) -> Vec<u8> {
    let length = u16::try_from(operator.len()).expect("an operator's id has fewer than 65,536 bytes");
    [&[kind as u8][..], &length.to_le_bytes(), operator.as_bytes(), &key_group.to_le_bytes()].concat()
}

/// Bytes of a section around the operator's id and the payload.
pub(super) const SECTION_OVERHEAD: usize = 1 + 2 + 4 + 8 + CRC_BYTES;
/// Bytes of a footer's entry around the operator's id.
pub(super) const ENTRY_OVERHEAD: usize = 1 + 2 + 4 + 8 + 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_object_comes_in_parts_and_its_checksum_covers_them_all() {
        let mut writer = StateObjectWriter::new();
        for key_group in 0..10 {
            writer.section(SectionKind::KeyedState, "count", key_group, &vec![key_group as u8; 700_000]);
        }
        let finished = writer.finish();
        let whole = finished.parts.concat();
        assert_eq!(finished.parts.len(), 6);
        assert_eq!((finished.bytes, finished.checksum), (whole.len() as u64, crc32c::crc32c(&whole)));
    }

    #[test]
    fn a_payload_in_parts_makes_the_same_object_as_in_one_piece() {
        let parts: Vec<Bytes> =
            [3, SHARED_BYTES, 0, SHARED_BYTES - 1, 2 * SHARED_BYTES, 7].map(|bytes| vec![bytes as u8; bytes].into()).to_vec();
        let written = |write: &dyn Fn(&mut StateObjectWriter)| {
            let mut writer = StateObjectWriter::new();
            writer.section(SectionKind::KeyedState, "count", 1, b"before");
            write(&mut writer);
            writer.section(SectionKind::KeyedState, "count", 2, b"behind");
            let finished = writer.finish();
            (finished.parts.concat(), finished.bytes, finished.checksum)
        };
        let whole = written(&|writer| writer.section(SectionKind::StagedOutput, "out", 7, &parts.concat()));
        let in_parts = written(&|writer| writer.section_of_parts(SectionKind::StagedOutput, "out", 7, &parts));
        assert!(whole == in_parts && whole.1 == whole.0.len() as u64);
    }
}
