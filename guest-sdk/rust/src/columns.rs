//! Reading and writing the flat columns of `wit/operator.wit`: little-endian integers and byte strings end to end.
//!
//! Reading never panics on what the host promises to keep (ends that rise to the length of the data); on anything else it
//! panics with an index out of range, which traps the call and nothing more.

use crate::bindings::weir::operator::types::{Column, KeyedColumn};

/// Number `index` of a `u32s`.
#[inline(always)]
pub(crate) fn u32_at(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes(bytes.as_chunks::<4>().0[index])
}

/// Number `index` of an `s64s`.
#[inline(always)]
pub(crate) fn s64_at(bytes: &[u8], index: usize) -> i64 {
    i64::from_le_bytes(bytes.as_chunks::<8>().0[index])
}

/// How many numbers a `u32s` has.
#[inline(always)]
pub(crate) fn u32_count(bytes: &[u8]) -> usize {
    bytes.len() / 4
}

/// The numbers of a `u32s` in order.
pub(crate) fn u32s(bytes: &[u8]) -> impl ExactSizeIterator<Item = u32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number))
}

/// Whether an ascending `u32s` has `number`.
pub(crate) fn has_u32(bytes: &[u8], number: u32) -> bool {
    bytes.as_chunks::<4>().0.binary_search_by_key(&number, |bytes| u32::from_le_bytes(*bytes)).is_ok()
}

/// Appends a number to a `u32s`.
#[inline(always)]
pub(crate) fn push_u32(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// Appends a number to a `u64s`.
#[inline]
pub(crate) fn push_u64(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// Appends a number to an `s64s`.
#[inline(always)]
pub(crate) fn push_s64(bytes: &mut Vec<u8>, number: i64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// A length as it is written into a column. Panics past 4 GiB, which no guest's memory reaches.
#[inline(always)]
pub(crate) fn end_of(data: &[u8]) -> u32 {
    debug_assert!(u32::try_from(data.len()).is_ok());
    data.len() as u32
}

/// Item `index` of a column.
#[inline(always)]
pub(crate) fn item(column: &Column, index: usize) -> &[u8] {
    let start = if index == 0 { 0 } else { u32_at(&column.ends, index - 1) as usize };
    &column.data[start..u32_at(&column.ends, index) as usize]
}

/// The items of a column in order.
pub(crate) fn items(column: &Column) -> impl ExactSizeIterator<Item = &[u8]> + '_ {
    (0..u32_count(&column.ends)).map(|index| item(column, index))
}

/// Appends `bytes` to a value that is being written, as in `ctx.emit_into(|out| append(out, name))`. Short ones go in pieces of fixed lengths: in Wasm a
/// copy of a length that is known only when it runs, as that of `extend_from_slice`, is a call out of the guest, which costs more than a few bytes do.
#[inline(always)]
pub fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() >= 128 {
        return out.extend_from_slice(bytes);
    }
    out.reserve(bytes.len());
    let rest = append_piece::<64>(out, bytes);
    let rest = append_piece::<32>(out, rest);
    let rest = append_piece::<16>(out, rest);
    let rest = append_piece::<8>(out, rest);
    let rest = append_piece::<4>(out, rest);
    let rest = append_piece::<2>(out, rest);
    append_piece::<1>(out, rest);
}

/// Appends the first `N` bytes where there are as many; returns the others.
#[inline(always)]
fn append_piece<'a, const N: usize>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    let Some((piece, rest)) = bytes.split_first_chunk::<N>() else {
        return bytes;
    };
    out.extend_from_slice(piece);
    rest
}

/// Appends an item to a column.
#[inline]
pub(crate) fn push_item(column: &mut Column, item: &[u8]) {
    append(&mut column.data, item);
    let end = end_of(&column.data);
    push_u32(&mut column.ends, end);
}

/// A column without items.
pub(crate) fn empty_column() -> Column {
    Column { data: Vec::new(), ends: Vec::new() }
}

/// A keyed column without items.
pub(crate) fn empty_keyed_column() -> KeyedColumn {
    KeyedColumn { keys: Vec::new(), items: empty_column() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_are_appended() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..=bytes.len() {
            let mut out = vec![7];
            append(&mut out, &bytes[..length]);
            assert_eq!((out[0], &out[1..]), (7, &bytes[..length]));
        }
    }

    #[test]
    fn items_come_back_as_pushed() {
        let mut column = empty_column();
        for value in [&b"ab"[..], b"", b"c"] {
            push_item(&mut column, value);
        }
        assert_eq!(items(&column).collect::<Vec<_>>(), [&b"ab"[..], b"", b"c"]);
        assert_eq!(u32s(&column.ends).collect::<Vec<_>>(), [2, 2, 3]);
    }
}
