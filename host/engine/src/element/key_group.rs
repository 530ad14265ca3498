//! Key → key group → subtask. Part of the format of checkpoints: it never changes.
//!
//! The group of a key is XXH3-64 of its bytes (seed 0) modulo max-parallelism. Group `g` of `m` belongs, at parallelism `p`,
//! to subtask `g * p / m`, rounded down: subtasks own contiguous, half-open ranges of groups.

use serde::{Deserialize, Serialize};

/// The largest max-parallelism that a job may ask for.
pub const MAX_PARALLELISM_LIMIT: u32 = 32_768;

/// Key groups `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGroupRange {
    /// The first group.
    pub start: u32,
    /// The group behind the last.
    pub end: u32,
}

impl KeyGroupRange {
    /// True where `group` is one of these.
    #[inline]
    pub fn contains(&self, group: u32) -> bool {
        self.start <= group && group < self.end
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// True where there is none: more subtasks than groups.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// True where the two have a group in common.
    pub(crate) fn overlaps(&self, other: &KeyGroupRange) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// The group of a key with this hash.
#[inline]
pub fn key_group_of(hash: u64, max_parallelism: u32) -> u32 {
    let max = u64::from(max_parallelism);
    // The same number; a division costs more than everything else that is done to find the group.
    if max.is_power_of_two() { (hash & (max - 1)) as u32 } else { (hash % max) as u32 }
}

/// The subtask that owns `group`.
#[inline]
pub fn owner_of(group: u32, parallelism: u32, max_parallelism: u32) -> u32 {
    (u64::from(group) * u64::from(parallelism) / u64::from(max_parallelism)) as u32
}

/// The owning subtask of each key group.
pub fn owners(parallelism: u32, max_parallelism: u32) -> Vec<u16> {
    (0..max_parallelism).map(|group| owner_of(group, parallelism, max_parallelism) as u16).collect()
}

/// The groups that `subtask` owns.
pub fn range_of(subtask: u32, parallelism: u32, max_parallelism: u32) -> KeyGroupRange {
    let first = |s: u32| (u64::from(s) * u64::from(max_parallelism)).div_ceil(u64::from(parallelism)) as u32;
    KeyGroupRange { start: first(subtask), end: first(subtask + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::key_hash;

    /// What other implementations check themselves against. The hashes are those of the reference implementation of XXH3.
    #[test]
    fn hashes_and_groups_match_the_published_vectors() {
        let vectors: [(&[u8], u64, u32, u32); 5] = [
            (b"", 0x2d06_8005_38d3_94c2, 66, 5_314),
            (b"a", 0xe6c6_32b6_1e96_4e1f, 31, 19_999),
            (b"abc", 0x78af_5f94_892f_3950, 80, 14_672),
            (b"N14228", 0x045b_f808_ce81_96a6, 38, 5_798),
            (b"key-000000000000", 0xa3b4_4b4b_cd12_faf1, 113, 31_473),
        ];
        for (key, hash, of_128, of_32768) in vectors {
            assert_eq!((key_hash(key), key_group_of(hash, 128), key_group_of(hash, 32_768)), (hash, of_128, of_32768), "{key:?}");
        }
    }

    #[test]
    fn ranges_are_contiguous_and_agree_with_the_owner() {
        for (parallelism, max) in [(1, 1), (1, 128), (2, 128), (3, 128), (7, 10), (128, 128), (200, 128), (5, 32_768)] {
            let mut next = 0;
            for subtask in 0..parallelism {
                let range = range_of(subtask, parallelism, max);
                assert_eq!(range.start, next);
                next = range.end.max(next);
                for group in range.start..range.end {
                    assert_eq!(owner_of(group, parallelism, max), subtask, "group {group} at {parallelism} of {max}");
                }
            }
            assert_eq!(next, max);
        }
    }
}
