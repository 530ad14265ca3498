//! A byte string that is kept in place where it is short.
//!
//! Keys and values are mostly short, and a pointer to follow is a cache miss. Long ones are shared, so that copying an entry
//! for a snapshot never copies them.

use crate::element::short_bytes::{copy_short, same_short};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

/// Up to `N` bytes in place, longer ones behind a reference count. `N` is at most 32.
#[derive(Clone, Debug)]
pub(crate) enum SmallBytes<const N: usize> {
    InPlace { len: u8, bytes: [u8; N] },
    Shared(Arc<[u8]>),
}

impl<const N: usize> SmallBytes<N> {
    #[inline]
    pub fn new(value: &[u8]) -> Self {
        const { assert!(N <= 32) };
        if value.len() > N {
            return Self::Shared(value.into());
        }
        let mut bytes = [0; N];
        copy_short(&mut bytes[..value.len()], value);
        Self::InPlace { len: value.len() as u8, bytes }
    }

    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::InPlace { len, bytes } => &bytes[..usize::from(*len)],
            Self::Shared(bytes) => bytes,
        }
    }

    /// True where the bytes are these.
    #[inline]
    pub fn is(&self, other: &[u8]) -> bool {
        match self {
            Self::InPlace { len, bytes } if other.len() <= N => {
                usize::from(*len) == other.len() && same_short(&bytes[..other.len()], other)
            }
            Self::InPlace { .. } => false,
            Self::Shared(bytes) => **bytes == *other,
        }
    }

    /// Overwrites the value: a plain store where it is short, in place where a long one has the same length and no other owner.
    #[inline]
    pub fn set(&mut self, value: &[u8]) {
        match self {
            Self::InPlace { len, bytes } if value.len() <= N => {
                copy_short(&mut bytes[..value.len()], value);
                *len = value.len() as u8;
            }
            Self::InPlace { .. } => *self = Self::new(value),
            Self::Shared(bytes) => match Arc::get_mut(bytes).filter(|bytes| bytes.len() == value.len()) {
                Some(bytes) => bytes.copy_from_slice(value),
                None => *self = Self::new(value),
            },
        }
    }
}

impl<const N: usize> Default for SmallBytes<N> {
    fn default() -> Self {
        Self::InPlace { len: 0, bytes: [0; N] }
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
            assert_eq!(matches!(bytes, SmallBytes::Shared(_)), len > 22);
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
    fn order_is_that_of_the_bytes() {
        let of = |bytes: &[u8]| SmallBytes::<4>::new(bytes);
        assert!(of(b"") < of(b"a") && of(b"ab") < of(b"abcdef") && of(b"abcdef") < of(b"b"));
    }
}
