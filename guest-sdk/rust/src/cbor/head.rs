//! The first bytes of every item: a major type and its argument, in the shortest form.

use super::CborError;

pub(super) const UNSIGNED: u8 = 0;
pub(super) const NEGATIVE: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;
pub(super) const SIMPLE: u8 = 7;

pub(super) const FALSE: u8 = 0xf4;
pub(super) const TRUE: u8 = 0xf5;
pub(super) const NULL: u8 = 0xf6;

/// Appends a head.
#[inline]
pub(super) fn write_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

/// A head as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) major: u8,
    /// The five low bits of the first byte: what a simple value or float is.
    pub(super) info: u8,
    pub(super) argument: u64,
}

/// Reads a head off the front of `bytes`.
pub(super) fn read_head(bytes: &mut &[u8]) -> Result<Head, CborError> {
    let first = take(bytes, 1)?[0];
    let (major, info) = (first >> 5, first & 31);
    let argument = match info {
        0..=23 => u64::from(info),
        24 => u64::from(take(bytes, 1)?[0]),
        25 => u64::from(u16::from_be_bytes(take_array(bytes)?)),
        26 => u64::from(u32::from_be_bytes(take_array(bytes)?)),
        27 => u64::from_be_bytes(take_array(bytes)?),
        28..=30 => return Err(CborError::new(format_args!("the byte {first:#04x} begins no item"))),
        _ => return Err(CborError::new("an item of indefinite length is not deterministic")),
    };
    let shortest = match info {
        24 => argument >= 24 && (major != SIMPLE || argument >= 32),
        25 => major == SIMPLE || argument > 0xff,
        26 => major == SIMPLE || argument > 0xffff,
        27 => major == SIMPLE || argument > 0xffff_ffff,
        _ => true,
    };
    if !shortest {
        return Err(CborError::new(format_args!("the number {argument} is not in its shortest form")));
    }
    Ok(Head { major, info, argument })
}

/// Takes `count` bytes off the front.
pub(super) fn take<'de>(bytes: &mut &'de [u8], count: u64) -> Result<&'de [u8], CborError> {
    let split = usize::try_from(count).ok().and_then(|count| bytes.split_at_checked(count));
    let Some((taken, rest)) = split else {
        return Err(CborError::new(format_args!("an item of {count} bytes with {} left", bytes.len())));
    };
    *bytes = rest;
    Ok(taken)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], CborError> {
    let Some((taken, rest)) = bytes.split_first_chunk::<N>() else {
        return Err(CborError::new(format_args!("a number of {N} bytes with {} left", bytes.len())));
    };
    *bytes = rest;
    Ok(*taken)
}
