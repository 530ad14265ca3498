//! Which leader had a record when it was read, by its number (a *leader epoch*). With it librdkafka asks the leader of now whether it has the same records up to there: one that was
//! chosen without having the newest (an unclean election) has others at the same offsets.

#![expect(unsafe_code, reason = "rdkafka has no call for what librdkafka can be told")]

use rdkafka::bindings as librdkafka;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// Adds a partition that is read from `offset` on, where the record in front of that was read of the leader with this number.
pub(super) fn add(list: &mut TopicPartitionList, topic: &str, partition: i32, offset: i64, leader_epoch: Option<i32>) -> KafkaResult<()> {
    list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    if let Some(leader_epoch) = leader_epoch {
        // SAFETY: the list is there, and nobody else has it; what was added is its last element.
        unsafe {
            let native = list.ptr();
            let last = (*native).elems.offset(isize::try_from((*native).cnt - 1).expect("it is small"));
            librdkafka::rd_kafka_topic_partition_set_leader_epoch(last, leader_epoch);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(list: &TopicPartitionList) -> Vec<i32> {
        // SAFETY: the list is there, with so many elements.
        unsafe {
            let native = list.ptr();
            let of = |place: i32| librdkafka::rd_kafka_topic_partition_get_leader_epoch((*native).elems.offset(place as isize));
            (0..(*native).cnt).map(of).collect()
        }
    }

    #[test]
    fn each_partition_has_the_number_of_its_own_leader_or_none() {
        let mut list = TopicPartitionList::new();
        for (partition, epoch) in [(0, None), (1, Some(7)), (2, Some(0)), (3, None)] {
            add(&mut list, "orders", partition, 5, epoch).expect("it is added");
        }
        assert_eq!(epochs(&list), [-1, 7, 0, -1]);
    }
}
