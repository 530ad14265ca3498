//! Which channel of an edge a record takes.

use crate::element::{BatchBuilder, Selection, key_group_of, key_hash};
use serde::{Deserialize, Serialize};

/// How an edge spreads records over the receiving subtasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partitioning {
    /// To the subtask with the sender's index; needs equal parallelism.
    Forward,
    /// To the owner of the key's group.
    Key,
    /// To each in turn, by the batch.
    Rebalance,
    /// To every one.
    Broadcast,
}

impl Partitioning {
    /// True where records that were spread like this may be spread like `now`.
    pub(crate) fn is_kept_by(self, now: Self) -> bool {
        match (self, now) {
            (Self::Key, Self::Key) | (Self::Broadcast, Self::Broadcast) => true,
            (Self::Forward | Self::Rebalance, Self::Forward | Self::Rebalance) => true,
            (Self::Key | Self::Broadcast | Self::Forward | Self::Rebalance, _) => false,
        }
    }
}

/// A record without a key reached a `key` edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeylessRecord;

/// Partitions one sender's records for one edge into builders, one for each channel.
pub enum Partitioner {
    /// One channel, keys left alone: `forward`, and anything with one receiver.
    Single,
    /// By key group; the table has the channel of each group.
    Key {
        /// Channel of each key group.
        owners: Vec<u16>,
    },
    /// All of a batch to one channel, the next batch to the next.
    Rebalance {
        /// The next channel.
        next: usize,
    },
    /// All to all.
    Broadcast,
}

impl Partitioner {
    /// The partitioner of an edge to `channels` subtasks. `owners` has the channel of each key group; `start` spreads the first batches of
    /// rebalancing senders.
    pub fn new(partitioning: Partitioning, channels: usize, owners: &[u16], start: usize) -> Self {
        match partitioning {
            Partitioning::Forward => Self::Single,
            Partitioning::Key => Self::Key { owners: owners.to_vec() },
            Partitioning::Rebalance => Self::Rebalance { next: start % channels },
            Partitioning::Broadcast => Self::Broadcast,
        }
    }

    /// Adds `records` to the builders of the channels that they take.
    pub fn partition(&mut self, records: &Selection, builders: &mut [BatchBuilder]) -> Result<(), KeylessRecord> {
        match self {
            Self::Single => append(records, &mut builders[0]),
            Self::Key { owners } => return partition_by_key(records, owners, builders),
            Self::Rebalance { next } => {
                append(records, &mut builders[*next]);
                *next = (*next + 1) % builders.len();
            }
            Self::Broadcast => builders.iter_mut().for_each(|builder| append(records, builder)),
        }
        Ok(())
    }
}

fn append(records: &Selection, builder: &mut BatchBuilder) {
    match records.records() {
        None => builder.append(records.batch(), 0..records.len(), false),
        Some(some) => builder.select(records.batch(), some, false),
    }
}

fn partition_by_key(records: &Selection, owners: &[u16], builders: &mut [BatchBuilder]) -> Result<(), KeylessRecord> {
    if !records.all_have_keys() {
        return Err(KeylessRecord);
    }
    match records.records() {
        None => spread(records, 0..records.len(), owners, builders),
        Some(some) => spread(records, some.iter().map(|&record| record as usize), owners, builders),
    }
    Ok(())
}

/// Deals the records at `places` out by their keys' groups.
fn spread(records: &Selection, places: impl Iterator<Item = usize>, owners: &[u16], builders: &mut [BatchBuilder]) {
    let (batch, groups) = (records.batch(), owners.len() as u32);
    let (keys, values, timestamps, hashes) = (batch.keys(), batch.values(), batch.timestamps(), batch.hashes());
    let plain = batch.valueless().is_empty() && batch.headers().is_none();
    for record in places {
        let key = keys.get(record);
        // One that has come over a `key` edge before, and kept its key, has its hash.
        let hash = hashes.get(record).copied().unwrap_or_else(|| key_hash(key));
        let builder = &mut builders[usize::from(owners[key_group_of(hash, groups) as usize])];
        if plain {
            builder.push_hashed(key, hash, values.get(record), timestamps[record]);
        } else {
            builder.push_hashed_from(batch, record, hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(channels: u16) -> Vec<u16> {
        (0..128).map(|group| group * channels / 128).collect()
    }

    fn batch(keys: &[&str]) -> Selection {
        let mut builder = BatchBuilder::new();
        keys.iter().for_each(|key| builder.push(Some(key.as_bytes()), key.as_bytes(), None));
        builder.finish().into()
    }

    /// The keys that each of `channels` channels is given for two batches.
    fn spread(partitioning: Partitioning, channels: usize) -> Vec<Vec<String>> {
        let mut partitioner = Partitioner::new(partitioning, channels, &owners(channels as u16), 1);
        let mut builders: Vec<_> = (0..channels).map(|_| BatchBuilder::new()).collect();
        for keys in [["a", "b"], ["c", "a"]] {
            partitioner.partition(&batch(&keys), &mut builders).unwrap();
        }
        let keys = |batch: crate::element::RecordBatch| batch.keys().iter().map(|k| String::from_utf8_lossy(k).into_owned()).collect();
        builders.into_iter().map(|builder| keys(builder.finish())).collect()
    }

    #[test]
    fn rebalance_takes_turns_and_broadcast_takes_all() {
        assert_eq!(spread(Partitioning::Rebalance, 2), [vec!["c", "a"], vec!["a", "b"]]);
        assert_eq!(spread(Partitioning::Broadcast, 2), [vec!["a", "b", "c", "a"], vec!["a", "b", "c", "a"]]);
        assert_eq!(spread(Partitioning::Forward, 1), [vec!["a", "b", "c", "a"]]);
    }

    #[test]
    fn a_key_goes_to_the_owner_of_its_group_with_its_hash() {
        let mut partitioner = Partitioner::new(Partitioning::Key, 3, &owners(3), 0);
        let mut builders: Vec<_> = (0..3).map(|_| BatchBuilder::new()).collect();
        let keys: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        partitioner.partition(&batch(&keys.iter().map(String::as_str).collect::<Vec<_>>()), &mut builders).unwrap();
        let mut seen = 0;
        for (channel, builder) in builders.into_iter().enumerate() {
            let batch = builder.finish();
            seen += batch.len();
            for (key, &hash) in batch.keys().iter().zip(batch.hashes()) {
                assert_eq!(hash, key_hash(key));
                assert_eq!(usize::from(owners(3)[(hash % 128) as usize]), channel);
            }
        }
        assert_eq!(seen, 100);
    }

    #[test]
    fn a_keyless_record_is_refused_by_a_key_edge() {
        let mut builder = BatchBuilder::new();
        builder.push(None, b"v", None);
        let refused = Partitioner::new(Partitioning::Key, 2, &owners(2), 0)
            .partition(&builder.finish().into(), &mut [BatchBuilder::new(), BatchBuilder::new()]);
        assert_eq!(refused, Err(KeylessRecord));
    }

    #[test]
    fn of_a_selection_only_the_selected_records_are_spread_with_all_that_they_have() {
        let mut builder = BatchBuilder::new();
        builder.push(None, b"keyless, and not selected", None);
        builder.push_valueless(Some(b"a"), Some(4));
        builder.push_header(b"h", b"1");
        builder.push(Some(b"b"), b"2", None);
        let some = Selection::some(std::sync::Arc::new(builder.finish()), [1, 2]);
        for partitioning in [Partitioning::Key, Partitioning::Forward, Partitioning::Rebalance, Partitioning::Broadcast] {
            let mut builders = [BatchBuilder::new()];
            Partitioner::new(partitioning, 1, &owners(1), 0).partition(&some, &mut builders).unwrap();
            let [builder] = builders;
            let spread = builder.finish();
            let hashes = if partitioning == Partitioning::Key { vec![key_hash(b"a"), key_hash(b"b")] } else { vec![] };
            assert_eq!(spread.hashes(), hashes, "{partitioning:?}");
            assert_eq!(
                [0, 1].map(|record| (spread.key(record), spread.value(record))),
                [(Some(&b"a"[..]), None), (Some(&b"b"[..]), Some(&b"2"[..]))]
            );
            assert_eq!([0, 1].map(|record| spread.headers_of(record).count()), [1, 0]);
        }
    }
}
