//! Objects as they are written, and objects that are damaged in every way.

use super::writer::SECTION_OVERHEAD;
use super::{HEADER_BYTES, Section, SectionKind, StateObjectReader, StateObjectWriter, TRAILER_BYTES};
use crate::error::{EngineError, ErrorKind};

fn object() -> Vec<u8> {
    let mut writer = StateObjectWriter::new();
    writer.section(SectionKind::KeyedState, "count", 3, b"block three");
    writer.section(SectionKind::KeyedState, "count", 4, b"");
    writer.section(SectionKind::KeyedState, "späte", 3, b"another block");
    writer.finish().parts.concat()
}

/// A section as it was read.
#[derive(Debug, PartialEq, Eq)]
struct ReadSection {
    operator: String,
    key_group: u32,
    payload: Vec<u8>,
}

/// All sections, or the first error.
fn read(bytes: Vec<u8>) -> Result<Vec<ReadSection>, EngineError> {
    let reader = StateObjectReader::open("state/1-2-count-0", bytes.into())?;
    let read = |s: Section<'_>| ReadSection { operator: s.operator.to_owned(), key_group: s.key_group, payload: s.payload.to_vec() };
    reader.sections().map(|section| section.map(read)).collect()
}

fn check(change: impl FnOnce(&mut Vec<u8>), expect: &str) {
    let mut bytes = object();
    change(&mut bytes);
    let error = read(bytes).expect_err(expect);
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().starts_with("read state/1-2-count-0: ") && error.to_string().contains(expect), "{error}: not {expect:?}");
}

/// Gives the footer a right checksum after a change: what a damaged writer, not a damaged disk, would leave.
fn seal_footer(bytes: &mut [u8]) {
    let trailer = bytes.len() - TRAILER_BYTES;
    let footer = u64::from_le_bytes(bytes[trailer..trailer + 8].try_into().unwrap()) as usize;
    let checksum = crc32c::crc32c(&bytes[footer..trailer + 16]);
    bytes[trailer + 16..trailer + 20].copy_from_slice(&checksum.to_le_bytes());
}

/// Where the footer's first entry is.
fn first_entry(bytes: &[u8]) -> usize {
    let trailer = bytes.len() - TRAILER_BYTES;
    u64::from_le_bytes(bytes[trailer..trailer + 8].try_into().unwrap()) as usize + 4
}

#[test]
fn sections_come_back_in_order() {
    let expected = [("count", 3, &b"block three"[..]), ("count", 4, b""), ("späte", 3, b"another block")];
    assert_eq!(
        read(object()).unwrap(),
        expected.map(|(operator, key_group, payload)| ReadSection { operator: operator.to_owned(), key_group, payload: payload.to_vec() })
    );
    assert_eq!(read(StateObjectWriter::new().finish().parts.concat()).unwrap(), []);
}

#[test]
fn every_flipped_bit_is_refused_with_the_names_of_object_and_section() {
    let bytes = object();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = read(flipped).expect_err("a flipped bit was accepted").to_string();
        assert!(error.starts_with("read state/1-2-count-0: "), "{error}");
        let in_first_section = (HEADER_BYTES..HEADER_BYTES + SECTION_OVERHEAD + "count".len() + 11).contains(&(bit / 8));
        let named = error.contains(r#"section 0 (keyed state of "count", key group 3): wrong checksum"#);
        assert_eq!(named, in_first_section, "bit {bit}: {error}");
    }
}

#[test]
fn every_truncation_and_every_lengthening_is_refused() {
    let bytes = object();
    for length in 0..bytes.len() {
        read(bytes[..length].to_vec()).expect_err("a truncated object was accepted");
        read(bytes[length + 1..].to_vec()).expect_err("an object without its beginning was accepted");
        let hole = [&bytes[..length], &bytes[length + 1..]].concat();
        read(hole).expect_err("an object with a missing byte was accepted");
        let longer = [&bytes[..length], &[0], &bytes[length..]].concat();
        read(longer).expect_err("an object with a byte too many was accepted");
    }
}

#[test]
fn what_is_wrong_is_named() {
    check(|bytes| bytes.truncate(9), "it has 9 bytes, fewer than the smallest state object");
    check(|bytes| bytes[0] = b'X', "it begins with \"XEIRSTAT\", not with \"WEIRSTAT\"");
    check(|bytes| bytes[8] = 2, "format version 2 is not known here; this weir reads version 1");
    check(|bytes| bytes.truncate(bytes.len() - 1), "its end is missing: it is truncated");
    let footer_changed = |change: fn(&mut [u8])| {
        move |bytes: &mut Vec<u8>| {
            let at = first_entry(bytes);
            change(&mut bytes[at..]);
            seal_footer(bytes);
        }
    };
    check(footer_changed(|entry| entry[0] = 77), "section 0: its kind 77 is not known to this weir");
    check(footer_changed(|entry| entry[0] = 2), "section 0: it is of kind 2 (timers), which this weir does not read yet");
    check(footer_changed(|entry| entry[1] = 200), "bytes are missing");
    check(footer_changed(|entry| entry[3] = 0xff), "the operator's id is not UTF-8");
    check(
        footer_changed(|entry| entry[8] = 9),
        r#"section 0 (keyed state of "count", key group 9): it calls itself kind 1 of "count", key group 3"#,
    );
    check(footer_changed(|entry| entry[12] = 11), "it has 35 bytes at 11, where the one before ends at 10");
    check(footer_changed(|entry| entry[20..28].fill(0xff)), "does not fit 64 bits");
}

#[test]
fn a_count_of_sections_that_the_footer_has_no_room_for_is_refused_before_room_is_made_for_them() {
    let change = |bytes: &mut Vec<u8>| {
        let at = first_entry(bytes) - 4;
        bytes[at..at + 4].fill(0xff);
        seal_footer(bytes);
    };
    check(change, "it names 4294967295 sections but has");
}

#[test]
fn random_damage_is_refused_or_changes_nothing() {
    let mut rng = fastrand::Rng::with_seed(5);
    let bytes = object();
    for _ in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..rng.usize(1..6) {
            let at = rng.usize(0..damaged.len());
            damaged[at] = rng.u8(..);
        }
        if rng.bool() {
            seal_footer_if_it_can_be_found(&mut damaged);
        }
        if damaged != bytes {
            read(damaged).expect_err("a damaged object was accepted");
        }
    }
}

fn seal_footer_if_it_can_be_found(bytes: &mut [u8]) {
    let trailer = bytes.len() - TRAILER_BYTES;
    if u64::from_le_bytes(bytes[trailer..trailer + 8].try_into().unwrap()) <= trailer as u64 {
        seal_footer(bytes);
    }
}
