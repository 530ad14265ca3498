//! Events as bytes: what `plugins/nexmark/README.md` describes, and the plugins there read.
//!
//! A tag, the time, numbers of eight bytes, then texts behind their lengths; everything little-endian.

/// The first byte of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Person = 0,
    Auction = 1,
    Bid = 2,
}

/// Begins an event: tag, time in ms since the Unix epoch, and its numbers.
#[inline]
pub(super) fn begin<const N: usize>(tag: Tag, time: i64, numbers: [u64; N], out: &mut Vec<u8>) {
    out.clear();
    out.push(tag as u8);
    out.extend_from_slice(&time.to_le_bytes());
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Adds the text that `write` adds to the end of `out`, behind its length; gives the length.
#[inline]
pub(super) fn text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    write(out);
    let length = out.len() - start - 2;
    let prefix = u16::try_from(length).expect("the settings keep texts below 64 KiB");
    out[start..start + 2].copy_from_slice(&prefix.to_le_bytes());
    length as u64
}
