//! How what one version gave differs from what the other gave, counted, with the first few in full.

use std::collections::BTreeMap;

/// Differences of one output or state that are kept in full.
pub const EXAMPLES: usize = 5;

/// How one output or one state differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Differences<T> {
    /// The output's or the state's name.
    pub name: String,
    /// What only the old version has.
    pub only_old: u64,
    /// What only the new version has.
    pub only_new: u64,
    /// What the two have differently.
    pub different: u64,
    /// The first [`EXAMPLES`].
    pub examples: Vec<Difference<T>>,
}

/// One difference. One of the two sides is there at least.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference<T> {
    /// The key that it is about; `None`: records without one.
    pub key: Option<Vec<u8>>,
    /// What the old version gave.
    pub old: Option<T>,
    /// What the new version gave.
    pub new: Option<T>,
}

impl<T: Clone + PartialEq> Differences<T> {
    /// None yet.
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), only_old: 0, only_new: 0, different: 0, examples: Vec::new() }
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.only_old + self.only_new + self.different == 0
    }

    /// Compares what the two have in one place.
    pub(super) fn compare(&mut self, key: Option<&[u8]>, old: Option<&T>, new: Option<&T>) {
        match (old, new) {
            (Some(old), Some(new)) if old != new => self.different += 1,
            (Some(_), None) => self.only_old += 1,
            (None, Some(_)) => self.only_new += 1,
            (Some(_), Some(_)) | (None, None) => return,
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push(Difference { key: key.map(<[u8]>::to_vec), old: old.cloned(), new: new.cloned() });
        }
    }

    /// Compares two sequences key by key; how keys follow each other does not matter. Of one key, what both begin and end with is alike,
    /// and what lies between is compared one by one: a single item that one of them leaves out is one difference.
    pub(super) fn compare_by_key(&mut self, old: &[(Option<Vec<u8>>, T)], new: &[(Option<Vec<u8>>, T)]) {
        let mut by_key: BTreeMap<Option<&[u8]>, Sides<'_, T>> = BTreeMap::new();
        old.iter().for_each(|(key, item)| by_key.entry(key.as_deref()).or_default().0.push(item));
        new.iter().for_each(|(key, item)| by_key.entry(key.as_deref()).or_default().1.push(item));
        for (key, (old, new)) in by_key {
            let (old, new) = unlike(&old, &new);
            for place in 0..old.len().max(new.len()) {
                self.compare(key, old.get(place).copied(), new.get(place).copied());
            }
        }
    }
}

/// What the old and the new version have.
type Sides<'a, T> = (Vec<&'a T>, Vec<&'a T>);

/// The two without what both begin and both end with.
fn unlike<'a, T: PartialEq>(old: &'a [T], new: &'a [T]) -> (&'a [T], &'a [T]) {
    let front = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[front..], &new[front..]);
    let back = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    (&old[..old.len() - back], &new[..new.len() - back])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ka1 b2` are an item `a1` of key `k` and `b2` without one. Expects only old, only new, different.
    #[track_caller]
    fn check(old: &str, new: &str, expect: [u64; 3]) {
        let item = |word: &str| match word.strip_prefix('k') {
            Some(rest) => (Some(rest.as_bytes()[..1].to_vec()), rest[1..].to_owned()),
            None => (None, word.to_owned()),
        };
        let items = |text: &str| text.split_whitespace().map(item).collect::<Vec<_>>();
        let mut differences = Differences::of("out");
        differences.compare_by_key(&items(old), &items(new));
        assert_eq!([differences.only_old, differences.only_new, differences.different], expect, "{old} against {new}");
        assert_eq!(differences.examples.len() as u64, expect.iter().sum::<u64>().min(EXAMPLES as u64));
    }

    #[test]
    fn items_are_compared_within_their_key() {
        check("ka1 kb1", "kb1 ka1", [0, 0, 0]);
        check("ka1 ka2 kb1", "ka1 ka3 kb1", [0, 0, 1]);
        check("ka1 1", "kb1 1", [1, 1, 0]);
        check("ka1 ka2", "ka2 ka1", [0, 0, 2]);
        check("", "1 2 3 4 5 6 7", [0, 7, 0]);
    }

    #[test]
    fn one_item_that_is_left_out_is_one_difference() {
        check("1 2 3 4 5", "1 2 4 5", [1, 0, 0]);
        check("1 1 1", "1 1", [1, 0, 0]);
        check("1 2 3", "1 9 8 3", [0, 1, 1]);
    }
}
