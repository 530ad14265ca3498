//! A byte string that is kept in place where it is short.
//!
//! Keys and values are mostly short, and a pointer to follow is a cache miss. Long ones are shared, so that copying an entry
//! for a snapshot never copies them.

use crate::element::short_bytes::{copy_short, same_short};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

/// Up to `N` bytes in place, longer ones behind a reference count. `N` is at most 31: a length takes five bits, and three are left for a mark, which is no part
/// of the bytes.
#[derive(Clone, Debug)]
pub(crate) enum SmallBytes<const N: usize> {
    InPlace { mark_and_len: u8, bytes: [u8; N] },
    Shared { mark: u8, bytes: Arc<[u8]> },
}

/// The largest mark.
pub(crate) const MARK_MAX: u8 = 7;

const LEN_BITS: u8 = 5;
const LEN: u8 = (1 << LEN_BITS) - 1;

impl<const N: usize> SmallBytes<N> {
    #[inline]
    pub fn new(value: &[u8]) -> Self {
        const { assert!(N <= LEN as usize) };
        if value.len() > N {
            return Self::Shared { mark: 0, bytes: value.into() };
        }
        let mut bytes = [0; N];
        copy_short(&mut bytes[..value.len()], value);
        Self::InPlace { mark_and_len: value.len() as u8, bytes }
    }

    /// The mark; 0 unless one was set.
    #[inline]
    pub fn mark(&self) -> u8 {
        match self {
            Self::InPlace { mark_and_len, .. } => mark_and_len >> LEN_BITS,
            Self::Shared { mark, .. } => *mark,
        }
    }

    /// Sets the mark, which is [`MARK_MAX`] at most.
    #[inline]
    pub fn set_mark(&mut self, new: u8) {
        debug_assert!(new <= MARK_MAX, "a mark of three bits");
        match self {
            Self::InPlace { mark_and_len, .. } => *mark_and_len = *mark_and_len & LEN | new << LEN_BITS,
            Self::Shared { mark, .. } => *mark = new,
        }
    }

    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::InPlace { mark_and_len, bytes } => &bytes[..usize::from(mark_and_len & LEN)],
            Self::Shared { bytes, .. } => bytes,
        }
    }

    /// True where the bytes are these.
    #[inline]
    pub fn is(&self, other: &[u8]) -> bool {
        match self {
            Self::InPlace { mark_and_len, bytes } if other.len() <= N => {
                usize::from(mark_and_len & LEN) == other.len() && same_short(&bytes[..other.len()], other)
            }
            Self::InPlace { .. } => false,
            Self::Shared { bytes, .. } => **bytes == *other,
        }
    }

    /// Overwrites the value: a plain store where it is short, in place where a long one has the same length and no other owner. A mark is gone.
    #[inline]
    pub fn set(&mut self, value: &[u8]) {
        match self {
            Self::InPlace { mark_and_len, bytes } if value.len() <= N => {
                copy_short(&mut bytes[..value.len()], value);
                *mark_and_len = value.len() as u8;
            }
            Self::InPlace { .. } => *self = Self::new(value),
            Self::Shared { mark, bytes } => match Arc::get_mut(bytes).filter(|bytes| bytes.len() == value.len()) {
                Some(bytes) => {
                    bytes.copy_from_slice(value);
                    *mark = 0;
                }
                None => *self = Self::new(value),
            },
        }
    }
}

impl<const N: usize> Default for SmallBytes<N> {
    fn default() -> Self {
        Self::InPlace { mark_and_len: 0, bytes: [0; N] }
    }
}

impl<const N: usize> PartialEq for SmallBytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<const N: usize> Eq for SmallBytes<N> {}

impl<const N: usize> PartialOrd for SmallBytes<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for SmallBytes<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl<const N: usize> Borrow<[u8]> for SmallBytes<N> {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_last_is_read_whatever_the_lengths() {
        let lengths = [0, 1, 21, 22, 23, 23, 1_000, 22, 1_000, 0];
        let mut bytes = SmallBytes::<22>::default();
        for (round, len) in lengths.into_iter().enumerate() {
            let value = vec![round as u8; len];
            bytes.set(&value);
            assert_eq!(bytes.as_slice(), value);
            assert_eq!(matches!(bytes, SmallBytes::Shared { .. }), len > 22);
        }
    }

    #[test]
    fn setting_a_long_value_leaves_its_clones_alone() {
        let mut bytes = SmallBytes::<22>::new(&[1; 40]);
        let clone = bytes.clone();
        bytes.set(&[2; 40]);
        assert_eq!((bytes.as_slice(), clone.as_slice()), (&[2; 40][..], &[1; 40][..]));
    }

    #[test]
    fn bytes_are_these_and_no_others() {
        for len in 0..=40 {
            let value: Vec<u8> = (1..=len).collect();
            let bytes = SmallBytes::<30>::new(&value);
            assert!(bytes.as_slice() == value && bytes.is(&value) && !bytes.is(&[&value[..], b"x"].concat()));
            for changed in 0..value.len() {
                let mut other = value.clone();
                other[changed] ^= 0x80;
                assert!(!bytes.is(&other) && !bytes.is(&value[..changed]), "byte {changed} of {len}");
            }
        }
    }

    #[test]
    fn a_mark_is_beside_the_bytes_and_in_no_comparison_of_them() {
        for len in 0..=40 {
            let value = vec![9; len];
            let mut bytes = SmallBytes::<30>::new(&value);
            for mark in (0..=MARK_MAX).rev() {
                bytes.set_mark(mark);
                assert_eq!((bytes.mark(), bytes.as_slice()), (mark, &value[..]));
                assert!(bytes.is(&value) && bytes == SmallBytes::new(&value));
            }
            bytes.set_mark(MARK_MAX);
            bytes.set(&value);
            assert_eq!((bytes.mark(), bytes.as_slice()), (0, &value[..]));
        }
    }

    #[test]
    fn order_is_that_of_the_bytes() {
        let of = |bytes: &[u8]| SmallBytes::<4>::new(bytes);
        assert!(of(b"") < of(b"a") && of(b"ab") < of(b"abcdef") && of(b"abcdef") < of(b"b"));
    }
}
