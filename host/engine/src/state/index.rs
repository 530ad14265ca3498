//! From a key's hash to its entry's number: open addressing with linear probing in one vector of words.
//!
//! A hit reads one cache line mostly, and the line that it will read is known beforehand ([`Index::touch`]): a batch's cache misses
//! can be started together. Keys are not here; whoever looks one up compares it with the entry.

use super::KeySlot;

/// Hash and entry of one key, or [`EMPTY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    hash: u32,
    entry: u32,
}

const EMPTY: Bucket = Bucket { hash: 0, entry: KeySlot::ABSENT };
const FIRST_BUCKETS: usize = 8;

/// Invariants: no more than three quarters of the buckets are taken; between the bucket that a hash asks for and the one that it got there is no
/// empty one. Their number grows by half: twice as many would be half empty on the average, and what is looked up at random should lie in few lines.
#[derive(Default)]
pub(super) struct Index {
    buckets: Vec<Bucket>,
    len: usize,
}

impl Index {
    /// Number of keys.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Reads the bucket that `hash` asks for, so that it is in the cache soon after. What it returns means nothing.
    #[inline]
    pub fn touch(&self, hash: u32) -> u32 {
        self.buckets.get(self.home(hash)).map_or(0, |bucket| bucket.entry)
    }

    /// The first entry with this hash that `is_it`.
    #[inline]
    pub fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.position(hash, is_it).map(|at| self.buckets[at].entry)
    }

    /// Adds an entry, whatever else has its hash.
    pub fn insert(&mut self, hash: u32, entry: u32) {
        assert_ne!(entry, KeySlot::ABSENT, "no entry has this number");
        self.reserve(1);
        self.place(Bucket { hash, entry });
        self.len += 1;
    }

    /// Takes an entry out. Panics where it is not there under this hash.
    pub fn remove(&mut self, hash: u32, entry: u32) {
        let Some(mut hole) = self.position(hash, |other| other == entry) else {
            panic!("entry {entry} with hash {hash:#x} is not in the index");
        };
        self.len -= 1;
        let mut at = hole;
        loop {
            at = self.after(at);
            let bucket = self.buckets[at];
            if bucket == EMPTY {
                break;
            }
            // A bucket moves into the hole unless that would put it before the place that its hash asks for.
            if self.distance(self.home(bucket.hash), at) >= self.distance(hole, at) {
                self.buckets[hole] = bucket;
                hole = at;
            }
        }
        self.buckets[hole] = EMPTY;
    }

    /// Makes room for `more` keys.
    #[inline]
    pub fn reserve(&mut self, more: usize) {
        let needed = (self.len + more) * 4 / 3 + 1;
        if needed > self.buckets.len() {
            self.grow(needed.max(self.buckets.len() * 3 / 2).max(FIRST_BUCKETS));
        }
    }

    #[cold]
    fn grow(&mut self, buckets: usize) {
        let old = std::mem::replace(&mut self.buckets, vec![EMPTY; buckets]);
        old.into_iter().filter(|&bucket| bucket != EMPTY).for_each(|bucket| self.place(bucket));
    }

    fn place(&mut self, bucket: Bucket) {
        let mut at = self.home(bucket.hash);
        while self.buckets[at] != EMPTY {
            at = self.after(at);
        }
        self.buckets[at] = bucket;
    }

    #[inline]
    fn position(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let bucket = *self.buckets.get(at)?;
            if bucket == EMPTY {
                return None;
            }
            if bucket.hash == hash && is_it(bucket.entry) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    /// The hash as a fraction of all hashes, of the buckets: any number of them will do.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.buckets.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.buckets.len() { 0 } else { at + 1 }
    }

    /// How many steps of [`Self::after`] lead from one bucket to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.buckets.len() - from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_empty_index_finds_nothing() {
        assert_eq!((Index::default().find(7, |_| true), Index::default().touch(7)), (None, 0));
    }

    /// Few distinct hashes, so that probing runs long and wraps around.
    #[test]
    fn entries_are_found_whatever_was_inserted_and_removed_before() {
        let mut rng = fastrand::Rng::with_seed(9);
        let mut index = Index::default();
        let mut model: BTreeMap<u32, u32> = BTreeMap::new();
        for _ in 0..20_000 {
            let entry = rng.u32(0..300);
            let grows = rng.bool();
            match model.get(&entry).copied() {
                Some(hash) if !grows => {
                    index.remove(hash, entry);
                    model.remove(&entry);
                }
                None if grows => {
                    let hash = rng.u32(0..40).wrapping_sub(20).rotate_right(6);
                    index.insert(hash, entry);
                    model.insert(entry, hash);
                }
                Some(_) | None => {}
            }
            assert_eq!(index.len(), model.len());
            let probe = rng.u32(0..300);
            let found = model.get(&probe).and_then(|&hash| index.find(hash, |other| other == probe));
            assert_eq!(found, model.contains_key(&probe).then_some(probe));
        }
        assert!(model.iter().all(|(&entry, &hash)| index.find(hash, |other| other == entry) == Some(entry)));
    }

    #[test]
    fn a_quarter_of_the_buckets_stays_empty() {
        let mut index = Index::default();
        for entry in 0..10_000 {
            index.insert(0x9e37_79b9_u32.wrapping_mul(entry), entry);
            assert!(4 * index.len() <= 3 * index.buckets.len(), "{} of {}", index.len(), index.buckets.len());
        }
    }
}
