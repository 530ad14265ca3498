//! Reads a state object, which may be damaged in any way: everything is checked before it is believed.

use super::writer::{ENTRY_OVERHEAD, SECTION_OVERHEAD};
use super::{CRC_BYTES, END_MAGIC, HEADER_BYTES, MAGIC, SectionKind, TRAILER_BYTES, VERSION};
use crate::error::{EngineError, ErrorKind};
use bytes::Bytes;
use std::fmt;
use std::ops::Range;

/// A state object whose header and footer have been checked; sections are checked as they are handed out.
pub struct StateObjectReader {
    object: String,
    bytes: Bytes,
    index: Vec<Entry>,
}

/// One section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// What it holds.
    pub kind: SectionKind,
    /// The operator that it belongs to.
    pub operator: &'a str,
    /// The key group that it belongs to.
    pub key_group: u32,
    /// Its contents.
    pub payload: &'a [u8],
}

/// A section as the footer names it.
struct Entry {
    kind: SectionKind,
    /// Where the operator's id is in the object.
    operator: Range<usize>,
    key_group: u32,
    /// The whole section, its checksum included.
    section: Range<usize>,
}

impl StateObjectReader {
    /// Checks all of `object` but the insides of its sections. Kinds of sections that this version does not serve are refused.
    pub fn open(object: &str, bytes: Bytes) -> Result<Self, EngineError> {
        let footer = check_frame(&bytes).map_err(|what| corrupt(object, what))?;
        let index = read_index(&bytes, footer).map_err(|what| corrupt(object, what))?;
        Ok(Self { object: object.to_owned(), bytes, index })
    }

    /// Its name, for messages.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The sections in the order in which they were written, each checked when its turn comes.
    pub fn sections(&self) -> impl ExactSizeIterator<Item = Result<Section<'_>, EngineError>> {
        self.index.iter().enumerate().map(|(number, entry)| {
            let section = self.section(entry);
            section.map_err(|what| corrupt(&self.object, format!("section {number} ({}): {what}", self.describe(entry))))
        })
    }

    fn section(&self, entry: &Entry) -> Result<Section<'_>, String> {
        let (covered, checksum) = self.bytes[entry.section.clone()].split_at(entry.section.len() - CRC_BYTES);
        check_crc(covered, checksum)?;
        let mut fields = Fields { bytes: covered, at: 0 };
        let kind = fields.number(1)?;
        let operator = fields.text()?;
        let key_group = fields.number(4)?;
        let length = fields.number(8)?;
        let payload = &covered[fields.at..];
        let operator = text(covered, operator)?;
        if (kind, operator, key_group) != (entry.kind as u64, self.operator(entry), u64::from(entry.key_group)) {
            return Err(format!("it calls itself kind {kind} of {operator:?}, key group {key_group}"));
        }
        if length != payload.len() as u64 {
            return Err(format!("it holds {} bytes and says that it holds {length}", payload.len()));
        }
        Ok(Section { kind: entry.kind, operator, key_group: entry.key_group, payload })
    }

    /// A section's contents, to keep when the reader is gone; they share the object's bytes.
    pub fn share(&self, section: &Section<'_>) -> Bytes {
        self.bytes.slice_ref(section.payload)
    }

    /// An error that names the object.
    pub(crate) fn corrupt(&self, what: impl fmt::Display) -> EngineError {
        corrupt(&self.object, what)
    }

    /// The operator's id, which [`read_index`] found to be UTF-8.
    fn operator(&self, entry: &Entry) -> &str {
        text(&self.bytes, entry.operator.clone()).expect("the index was checked when the object was opened")
    }

    fn describe(&self, entry: &Entry) -> impl fmt::Display {
        format!("{} of {:?}, key group {}", entry.kind.name(), self.operator(entry), entry.key_group)
    }
}

/// Checks magic, version, length and the footer's checksum. Where the footer's index is.
fn check_frame(bytes: &[u8]) -> Result<Range<usize>, String> {
    if bytes.len() < HEADER_BYTES + size_of::<u32>() + TRAILER_BYTES {
        return Err(format!("it has {} bytes, fewer than the smallest state object: it is truncated", bytes.len()));
    }
    if bytes[..MAGIC.len()] != MAGIC[..] {
        return Err(format!("it begins with \"{}\", not with \"{}\"", bytes[..MAGIC.len()].escape_ascii(), MAGIC.escape_ascii()));
    }
    let version = u16::from_le_bytes([bytes[MAGIC.len()], bytes[MAGIC.len() + 1]]);
    if version != VERSION {
        return Err(format!("format version {version} is not known here; this weir reads version {VERSION}"));
    }
    let trailer = bytes.len() - TRAILER_BYTES;
    let mut fields = Fields { bytes, at: trailer };
    let (footer, length) = (fields.number(8)?, fields.number(8)?);
    let checksum = fields.take(CRC_BYTES)?;
    if bytes[fields.at..] != END_MAGIC[..] {
        return Err("its end is missing: it is truncated".into());
    }
    if length != bytes.len() as u64 {
        return Err(format!("it has {} bytes and says that it has {length}", bytes.len()));
    }
    let footer = usize::try_from(footer).ok().filter(|footer| (HEADER_BYTES..=trailer).contains(footer));
    let footer = footer.ok_or("its footer is said to lie outside of it")?;
    check_crc(&bytes[footer..trailer + 16], checksum).map_err(|what| format!("footer: {what}"))?;
    Ok(footer..trailer)
}

/// Reads the index, whose sections lie end to end between header and footer.
fn read_index(bytes: &[u8], footer: Range<usize>) -> Result<Vec<Entry>, String> {
    let mut fields = Fields { bytes: &bytes[..footer.end], at: footer.start };
    let count = fields.number(4)?;
    if count > (footer.len() / ENTRY_OVERHEAD) as u64 {
        return Err(format!("footer: it names {count} sections but has {} bytes", footer.len()));
    }
    let mut index = Vec::with_capacity(count as usize);
    let mut end = HEADER_BYTES;
    for number in 0..count {
        let entry = read_entry(&mut fields).map_err(|what| format!("footer: section {number}: {what}"))?;
        let (start, length) = (entry.section.start, entry.section.len());
        if start != end || length < SECTION_OVERHEAD || entry.section.end > footer.start {
            return Err(format!("footer: section {number}: it has {length} bytes at {start}, where the one before ends at {end}"));
        }
        end = entry.section.end;
        index.push(entry);
    }
    if (fields.at, end) != (footer.end, footer.start) {
        return Err(format!("footer: its {count} sections end at {end}, but the footer begins at {}", footer.start));
    }
    Ok(index)
}

fn read_entry(fields: &mut Fields<'_>) -> Result<Entry, String> {
    let number = fields.number(1)? as u8;
    let kind = SectionKind::from_number(number).ok_or_else(|| format!("its kind {number} is not known to this weir"))?;
    if !kind.is_served() {
        return Err(format!("it is of kind {number} ({}), which this weir does not read yet", kind.name()));
    }
    let operator = fields.text()?;
    text(fields.bytes, operator.clone())?;
    let key_group = fields.number(4)? as u32;
    let (offset, length) = (fields.number(8)?, fields.number(8)?);
    let end = offset.checked_add(length).and_then(|end| usize::try_from(end).ok()).ok_or("its end does not fit 64 bits")?;
    Ok(Entry { kind, operator, key_group, section: offset as usize..end })
}

fn check_crc(covered: &[u8], checksum: &[u8]) -> Result<(), String> {
    let computed = crc32c::crc32c(covered);
    if computed.to_le_bytes() == *checksum {
        return Ok(());
    }
    let stored = checksum.iter().rev().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    Err(format!("wrong checksum: {computed:08x}, it says {stored}"))
}

fn text(bytes: &[u8], range: Range<usize>) -> Result<&str, String> {
    std::str::from_utf8(&bytes[range]).map_err(|error| format!("the operator's id is not UTF-8: {error}"))
}

fn corrupt(object: &str, what: impl fmt::Display) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, format!("read {object}: {what}"))
}

/// Takes fields off bytes from `at` on.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..count));
        let taken = taken.ok_or_else(|| format!("{count} bytes are missing at byte {}", self.at))?;
        self.at += count;
        Ok(taken)
    }

    /// A little-endian number of up to 8 bytes.
    fn number(&mut self, bytes: usize) -> Result<u64, String> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// Where a text is, behind its length.
    fn text(&mut self) -> Result<Range<usize>, String> {
        let length = self.number(2)? as usize;
        let start = self.at;
        self.take(length)?;
        Ok(start..start + length)
    }
}
