//! The key of state of a key in one of its windows.
//!
//! ```text
//! unit = start key    ; 8 bytes, big-endian, with the sign bit flipped, so that units are in the order of their starts
//! ```
//!
//! Of windows that are known by another number (counts) it is that number; of a global one it is that of [`super::NO_BOUND`].

use crate::element::key_hash;

/// Bytes in front of the key.
const START_BYTES: usize = 8;

/// Appends a unit.
pub(crate) fn put_unit(start: i64, key: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&(start ^ i64::MIN).to_be_bytes());
    into.extend_from_slice(key);
}

/// The start of a unit's window.
pub fn start_of_unit(unit: &[u8]) -> i64 {
    unit.first_chunk().map_or(i64::MIN, |start| i64::from_be_bytes(*start) ^ i64::MIN)
}

/// The key that the unit is of.
pub fn key_of_unit(unit: &[u8]) -> &[u8] {
    unit.get(START_BYTES..).unwrap_or_default()
}

/// The hash of the key that a unit is of: its windows are all where the key is. Anything shorter is no unit, and hashes as nothing does.
pub fn unit_hash(unit: &[u8]) -> u64 {
    key_hash(key_of_unit(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_in_the_order_of_their_starts_and_then_of_their_keys() {
        let units: Vec<Vec<u8>> = [(i64::MIN, "b"), (-5, "a"), (-5, "b"), (0, ""), (0, "a"), (i64::MAX, "a")]
            .iter()
            .map(|(start, key)| {
                let mut unit = Vec::new();
                put_unit(*start, key.as_bytes(), &mut unit);
                assert_eq!((start_of_unit(&unit), key_of_unit(&unit)), (*start, key.as_bytes()));
                assert_eq!(unit_hash(&unit), key_hash(key.as_bytes()));
                unit
            })
            .collect();
        assert!(units.is_sorted());
    }
}
