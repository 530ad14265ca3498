//! A partition as a split: what a checkpoint keeps of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_engine::source::SplitProgress;
use weir_engine::{EngineError, ErrorKind, SplitState};

/// What does not change while a partition is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PartitionSpec {
    /// The id that the cluster gives itself: another one at the same address has other records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    pub topic: String,
    /// The id that the cluster gives the topic, where it gives one: a topic that was deleted and made anew has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    pub partition: i32,
    /// The offset of the first record that is read.
    pub from: i64,
    /// The offset at which it ends; `None`: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// How far it has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Position {
    /// What is read next.
    pub offset: i64,
    /// The offset and the timestamp of the record that was read last: a partition that was deleted and made anew has another one there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<(i64, i64)>,
    /// The number of the leader that had the record that was read last, where it had one. Positions from before this was kept have none, and are gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<i32>,
    /// The id of the topic that is read now, where that is another one than when the split was found: it was made anew, and gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
}

impl PartitionSpec {
    /// The split's id. No topic has a slash in its name.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }

    /// True where the topic has this id now, and what has been read up to `position` was of another. What is not known is taken for the same.
    pub(super) fn is_other_topic(&self, position: &Position, now: Option<&String>) -> bool {
        let read = position.topic_id.as_ref().or(self.topic_id.as_ref());
        matches!((read, now), (Some(read), Some(now)) if read != now)
    }

    /// The split, unread.
    pub(super) fn split(&self) -> SplitState {
        SplitState::unread(self.id(), serde_json::to_value(self).expect("it becomes JSON"))
    }

    /// What a split of a checkpoint says, and its position; `None`: it has been read to its end.
    pub(super) fn parse(split: &SplitState) -> Result<(Self, Option<Position>), EngineError> {
        let broken =
            |why: String| EngineError::new(ErrorKind::Corrupt, format!("read the partition {:?} of a checkpoint: {why}", split.id));
        let spec = Self::deserialize(&split.spec).map_err(|error| broken(error.to_string()))?;
        let position = match &split.progress {
            SplitProgress::Unread => Some(Position::at(spec.from)),
            SplitProgress::At(position) => Some(Position::deserialize(position).map_err(|error| broken(error.to_string()))?),
            SplitProgress::Finished => None,
        };
        Ok((spec, position))
    }
}

impl Position {
    /// Where nothing has been read of a topic.
    pub(super) fn at(offset: i64) -> Self {
        Self { offset, last: None, leader_epoch: None, topic_id: None }
    }

    /// As a checkpoint keeps it.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("it becomes JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec() -> PartitionSpec {
        PartitionSpec {
            cluster: Some("c".into()),
            topic: "orders".into(),
            topic_id: Some("id".into()),
            partition: 3,
            from: 5,
            until: Some(9),
        }
    }

    #[test]
    fn what_a_checkpoint_keeps_is_what_is_read_of_it() {
        let mut split = spec().split();
        assert_eq!((split.id.as_str(), PartitionSpec::parse(&split).unwrap()), ("orders/3", (spec(), Some(Position::at(5)))));
        let position = Position { offset: 8, last: Some((6, 1_000)), leader_epoch: Some(4), topic_id: Some("another".into()) };
        split.progress = SplitProgress::At(position.to_json());
        assert_eq!(PartitionSpec::parse(&split).unwrap(), (spec(), Some(position)));
        split.progress = SplitProgress::Finished;
        assert_eq!(PartitionSpec::parse(&split).unwrap(), (spec(), None));
    }

    #[test]
    fn a_position_from_before_leaders_were_kept_is_gone_on_with() {
        let progress = SplitProgress::At(json!({ "offset": 8, "last": [6, 1_000], "topic-id": "another" }));
        let position = PartitionSpec::parse(&SplitState { progress, ..spec().split() }).unwrap().1.unwrap();
        assert_eq!((position.offset, position.leader_epoch), (8, None));
        assert_eq!(position.to_json(), json!({ "offset": 8, "last": [6, 1_000], "topic-id": "another" }));
    }

    #[test]
    fn what_cannot_be_read_is_corrupt() {
        for (spec, progress) in [
            (json!({ "topic": "a" }), SplitProgress::Unread),
            (serde_json::to_value(spec()).unwrap(), SplitProgress::At(json!(7))),
            (serde_json::to_value(spec()).unwrap(), SplitProgress::At(json!({ "offset": "4" }))),
        ] {
            let split = SplitState { progress, ..SplitState::unread("orders/3".into(), spec) };
            assert_eq!(PartitionSpec::parse(&split).unwrap_err().kind(), ErrorKind::Corrupt, "{split:?}");
        }
    }
}
