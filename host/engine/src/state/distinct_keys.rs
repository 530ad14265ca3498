//! The distinct keys of records or timers, in the order of the first of each: what is looked up once, however often it comes.

use super::{CallKeys, key_hash};
use crate::element::Column;
use crate::element::short_bytes::same;
use std::ops::Range;

/// No key.
const NONE: u32 = u32::MAX;

/// Distinct keys, with the room for them, which is kept from call to call.
#[derive(Default)]
pub(super) struct DistinctKeys {
    /// The keys.
    pub keys: Column,
    /// The XXH3-64 of each.
    pub hashes: Vec<u64>,
    /// For each record or timer the index of its key.
    pub key_of: Vec<u32>,
    /// A key's index, or [`NONE`], in open addressing with linear probing: half of them at least are none.
    buckets: Vec<u32>,
}

impl DistinctKeys {
    /// Gathers the keys of the records or timers in `range`, which all have one, in place of those before.
    pub fn gather(&mut self, of: CallKeys<'_>, range: Range<usize>) {
        self.keys.clear();
        self.hashes.clear();
        self.key_of.clear();
        self.buckets.clear();
        self.buckets.resize((2 * range.len()).next_power_of_two(), NONE);
        for place in range {
            let key = of.keys.get(place);
            let hash = of.hashes.get(place).copied().unwrap_or_else(|| key_hash(key));
            let index = self.index_of(key, hash, hash);
            self.key_of.push(index);
        }
    }

    /// Gathers units, each of a key with a hash, in place of what was there before. The units of a key share its hash, and are told apart by their beginning.
    pub fn gather_units(&mut self, units: &Column, hashes: &[u64]) {
        self.keys.clear();
        self.hashes.clear();
        self.key_of.clear();
        self.buckets.clear();
        self.buckets.resize((2 * units.len()).next_power_of_two(), NONE);
        for (unit, &hash) in units.iter().zip(hashes) {
            let start = unit.first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
            // An odd factor with many ones: starts that are next to each other are far apart.
            let index = self.index_of(unit, hash, hash ^ start.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            self.key_of.push(index);
        }
    }

    #[inline]
    fn index_of(&mut self, key: &[u8], hash: u64, probe: u64) -> u32 {
        let mask = self.buckets.len() - 1;
        // The lower half says which group a key is of, and keys of one subtask have much of it in common.
        let mut at = (probe >> 32) as usize & mask;
        loop {
            match self.buckets[at] {
                NONE => break,
                index if self.hashes[index as usize] == hash && same(self.keys.get(index as usize), key) => return index,
                _ => at = (at + 1) & mask,
            }
        }
        let index = self.hashes.len() as u32;
        self.buckets[at] = index;
        self.keys.push(key);
        self.hashes.push(hash);
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Keys of which each hash is drawn by `hash_of`, and which come again and again.
    fn check(hash_of: impl Fn(u32) -> u64) {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut distinct = DistinctKeys::default();
        for round in 0..20 {
            let (mut keys, mut hashes) = (Column::new(), Vec::new());
            let names: Vec<u32> = (0..300).map(|_| rng.u32(0..1 + 40 * round)).collect();
            names.iter().for_each(|name| keys.push(&name.to_be_bytes()));
            hashes.extend(names.iter().map(|&name| hash_of(name)));
            let range = rng.usize(0..100)..rng.usize(100..=300);
            distinct.gather(CallKeys::new(&keys, &hashes, &[]), range.clone());
            assert_eq!(distinct.key_of.len(), range.len());
            for (place, &index) in range.clone().zip(&distinct.key_of) {
                let index = index as usize;
                assert_eq!((distinct.keys.get(index), distinct.hashes[index]), (keys.get(place), hashes[place]));
            }
            let mut seen = BTreeSet::new();
            let firsts = names[range].iter().filter(|name| seen.insert(**name)).map(|name| name.to_be_bytes());
            assert!(distinct.keys.iter().eq(firsts.map(|key| key.to_vec())));
        }
    }

    #[test]
    fn each_key_is_there_once_in_the_order_of_the_first_of_each() {
        check(|name| key_hash(&name.to_be_bytes()));
    }

    #[test]
    fn keys_whose_hashes_meet_are_told_apart() {
        check(|name| u64::from(name % 3) << 40);
        check(|_| u64::MAX);
    }

    #[test]
    fn no_records_have_no_keys() {
        let mut distinct = DistinctKeys::default();
        distinct.gather(CallKeys::new(&Column::new(), &[], &[]), 0..0);
        assert!(distinct.keys.is_empty() && distinct.key_of.is_empty());
    }
}
