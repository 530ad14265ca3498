//! How far a partition has been read: message by message, without librdkafka's queues.

use super::partition::{PartitionSpec, Position};
use super::queue::Message;
use super::value_fields::{Unreadable, ValueFields};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;
use std::borrow::Cow;
use weir_engine::element::NO_TIMESTAMP;
use weir_engine::source::SplitProgress;
use weir_engine::{BatchBuilder, EngineError, SplitState};

/// The headers that `metadata = true` adds.
const METADATA: [&[u8]; 3] = [b"kafka.topic", b"kafka.partition", b"kafka.offset"];

/// One partition's.
pub(super) struct Progress {
    pub spec: PartitionSpec,
    pub position: Position,
    /// Nothing is there that has not been handed on, as far as is known.
    pub is_at_end: bool,
    /// It has been read to its end.
    is_over: bool,
}

impl Progress {
    /// From where a checkpoint has left it.
    pub(super) fn new(split: &SplitState) -> Result<Self, EngineError> {
        let (spec, position) = PartitionSpec::parse(split)?;
        let is_over = position.is_none();
        let position = position.unwrap_or_else(|| Position::at(spec.until.unwrap_or(spec.from)));
        let mut progress = Self { spec, position, is_at_end: false, is_over };
        progress.reached(progress.position.offset);
        Ok(progress)
    }

    /// Nothing more of it belongs to the source.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Appends a message, unless it has been taken or lies behind the end. An error says what is wrong with its value.
    pub(super) fn take(
        &mut self,
        message: &Message<'_>,
        of_value: Option<&ValueFields>,
        metadata: bool,
        out: &mut BatchBuilder,
    ) -> Result<(), Unreadable> {
        let offset = message.offset;
        self.is_at_end = false;
        if offset < self.position.offset || self.is_over {
            return Ok(());
        }
        self.reached(offset);
        if self.is_over {
            return Ok(());
        }
        let own = (message.key.map(Cow::Borrowed), message.timestamp);
        let (key, timestamp) = match of_value {
            Some(fields) => fields.of(message.value, own)?,
            None => own,
        };
        match message.value {
            Some(value) => out.push(key.as_deref(), value, timestamp),
            None => out.push_valueless(key.as_deref(), timestamp),
        }
        message.headers.iter().for_each(|(name, value)| out.push_header(name, value.unwrap_or_default()));
        if metadata {
            out.push_header(METADATA[0], self.spec.topic.as_bytes());
            out.push_header(METADATA[1], self.spec.partition.to_string().as_bytes());
            out.push_header(METADATA[2], offset.to_string().as_bytes());
        }
        self.position.last = Some((offset, timestamp.unwrap_or(NO_TIMESTAMP)));
        self.position.leader_epoch = message.leader_epoch;
        self.reached(offset + 1);
        Ok(())
    }

    /// Adds it to what is assigned, from where it is read on.
    pub(super) fn add_to(&self, list: &mut TopicPartitionList) -> KafkaResult<()> {
        let Self { spec, position, .. } = self;
        super::epochs::add(list, &spec.topic, spec.partition, position.offset, position.leader_epoch)
    }

    /// It goes on at this offset of the topic with this id, whatever was read before.
    pub(super) fn go_on_at(&mut self, offset: i64, topic_id: Option<String>) {
        let topic_id = topic_id.filter(|id| self.spec.topic_id.as_ref() != Some(id));
        (self.position, self.is_at_end) = (Position { topic_id, ..Position::at(offset) }, false);
        self.reached(offset);
    }

    /// All that there is has been taken, and that is as much as there is in front of `end`; true where that ends it.
    pub(super) fn ends_at(&mut self, end: Option<i64>) -> bool {
        match (self.spec.until, end) {
            (Some(until), Some(end)) if self.is_at_end && end >= until => {
                self.reached(until);
                true
            }
            _ => false,
        }
    }

    fn reached(&mut self, offset: i64) {
        self.position.offset = self.position.offset.max(offset);
        self.is_over |= self.spec.until.is_some_and(|until| self.position.offset >= until);
    }

    /// How many offsets there are in front of its end, or of `end`, where the partition ended a while ago.
    pub(super) fn lag(&self, end: Option<i64>) -> Option<u64> {
        let end = self.spec.until.or(end).or(self.is_at_end.then_some(self.position.offset))?;
        Some(u64::try_from(end - self.position.offset).unwrap_or(0))
    }

    /// The split with its progress.
    pub(super) fn of(&self, split: &SplitState) -> SplitState {
        let progress = match &split.progress {
            SplitProgress::Unread if !self.is_over && self.position.offset == self.spec.from => SplitProgress::Unread,
            _ if self.is_over => SplitProgress::Finished,
            _ => SplitProgress::At(self.position.to_json()),
        };
        SplitState { progress, ..split.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(until: Option<i64>) -> PartitionSpec {
        PartitionSpec { cluster: None, topic: "orders".into(), topic_id: Some("id".into()), partition: 3, from: 5, until }
    }

    fn taken(progress: &mut Progress, offsets: &[i64]) -> Vec<String> {
        let mut out = BatchBuilder::new();
        for offset in offsets.iter().copied() {
            let value = format!("v{offset}");
            let message = Message {
                offset,
                timestamp: Some(offset * 10),
                key: Some(b"k"),
                value: Some(value.as_bytes()),
                leader_epoch: Some(2),
                headers: Vec::new(),
            };
            progress.take(&message, None, false, &mut out).expect("any value will do");
        }
        let batch = out.finish();
        (0..batch.len()).map(|record| String::from_utf8_lossy(batch.value(record).unwrap_or_default()).into_owned()).collect()
    }

    #[test]
    fn each_message_is_taken_once_and_its_offset_is_passed() {
        let mut progress = Progress::new(&spec(None).split()).unwrap();
        assert_eq!(taken(&mut progress, &[5, 6, 6, 5, 9]), ["v5", "v6", "v9"]);
        assert_eq!(progress.position, Position { offset: 10, last: Some((9, 90)), leader_epoch: Some(2), topic_id: None });
        assert_eq!(progress.of(&spec(None).split()).progress, SplitProgress::At(progress.position.to_json()));
    }

    #[test]
    fn a_partition_that_goes_on_elsewhere_takes_what_is_there() {
        let mut progress = Progress::new(&spec(None).split()).unwrap();
        taken(&mut progress, &[5, 6, 7]);
        progress.go_on_at(2, Some("another".into()));
        assert_eq!(taken(&mut progress, &[1, 2, 3, 2]), ["v2", "v3"]);
        assert_eq!(progress.position, Position { offset: 4, last: Some((3, 30)), leader_epoch: Some(2), topic_id: Some("another".into()) });
        let mut behind_its_end = Progress::new(&spec(Some(8)).split()).unwrap();
        behind_its_end.go_on_at(9, Some("id".into()));
        assert!(behind_its_end.is_over());
    }

    #[test]
    fn it_is_over_where_it_ended_and_not_at_a_message() {
        let mut at_a_message = Progress::new(&spec(Some(8)).split()).unwrap();
        assert_eq!((taken(&mut at_a_message, &[5, 6]), at_a_message.is_over()), (vec!["v5".into(), "v6".into()], false));
        assert_eq!((taken(&mut at_a_message, &[7, 8]), at_a_message.is_over()), (vec!["v7".to_string()], true));
        // The last offsets were taken by no record: of a transaction's end, of what was compacted.
        let mut behind = Progress::new(&spec(Some(8)).split()).unwrap();
        assert_eq!((taken(&mut behind, &[5, 11]), behind.is_over()), (vec!["v5".to_string()], true));
        let mut at_its_end = Progress::new(&spec(Some(8)).split()).unwrap();
        taken(&mut at_its_end, &[5, 6]);
        assert!(!at_its_end.ends_at(Some(8)), "there may be more in front of it");
        at_its_end.is_at_end = true;
        assert!(!at_its_end.ends_at(None) && !at_its_end.ends_at(Some(7)) && at_its_end.ends_at(Some(9)) && at_its_end.is_over());
        assert_eq!(at_its_end.of(&spec(Some(8)).split()).progress, SplitProgress::Finished);
    }

    #[test]
    fn a_partition_that_is_empty_is_over_at_once_where_it_has_an_end() {
        assert!(Progress::new(&spec(Some(5)).split()).unwrap().is_over());
        assert!(!Progress::new(&spec(None).split()).unwrap().is_over());
    }

    #[test]
    fn a_message_keeps_what_it_has_and_what_it_lacks() {
        let mut out = BatchBuilder::new();
        let mut progress = Progress::new(&spec(None).split()).unwrap();
        let headers = vec![(&b"a"[..], Some(&b"1"[..])), (b"b", None), (b"\xff", Some(b"\xfe"))];
        let deleted = Message { offset: 5, timestamp: None, key: None, value: None, leader_epoch: None, headers };
        progress.take(&deleted, None, true, &mut out).unwrap();
        let empty = Message { offset: 6, timestamp: Some(7), key: Some(b""), value: Some(b""), leader_epoch: None, headers: Vec::new() };
        progress.take(&empty, None, false, &mut out).unwrap();
        let batch = out.finish();
        let header = |record| batch.headers_of(record).map(|(name, value)| [name, b"=", value].concat()).collect::<Vec<_>>();
        assert_eq!((batch.key(0), batch.value(0), batch.timestamps()[0]), (None, None, NO_TIMESTAMP));
        assert_eq!(header(0), [&b"a=1"[..], b"b=", b"\xff=\xfe", b"kafka.topic=orders", b"kafka.partition=3", b"kafka.offset=5"]);
        assert_eq!((batch.key(1), batch.value(1), batch.timestamps()[1]), (Some(&b""[..]), Some(&b""[..]), 7));
    }

    #[test]
    fn a_partition_lags_by_the_offsets_in_front_of_its_end() {
        let mut progress = Progress::new(&spec(None).split()).unwrap();
        assert_eq!((progress.lag(None), progress.lag(Some(9)), progress.lag(Some(2))), (None, Some(4), Some(0)));
        progress.is_at_end = true;
        assert_eq!(progress.lag(None), Some(0));
        assert_eq!(Progress::new(&spec(Some(8)).split()).unwrap().lag(Some(100)), Some(3));
    }
}
