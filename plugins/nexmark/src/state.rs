//! State of a fixed number of numbers.

use weir_guest::RawState;

/// `N` little-endian numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers<const N: usize>(pub [u64; N]);

impl<const N: usize> Default for Numbers<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> RawState for Numbers<N> {
    #[inline]
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let numbers: &[[u8; 8]; N] = numbers.try_into().ok()?;
        Some(Self(numbers.map(u64::from_le_bytes)))
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_they_were() {
        let mut out = Vec::new();
        Numbers([1, u64::MAX, 256]).encode(&mut out);
        assert_eq!(Numbers::decode(&out), Some(Numbers([1, u64::MAX, 256])));
        assert_eq!(Numbers::<2>::decode(&out), None);
        assert_eq!(Numbers::<3>::decode(&out[1..]), None);
    }
}
