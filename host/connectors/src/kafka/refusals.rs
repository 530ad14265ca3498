//! Messages that are not taken: which of several is at fault, whose fault it is, and what can be done about it.
//!
//! A batch is refused as a whole, and a transaction with it: then each of its messages is told something, most of them only that another one is to blame. Invariant: what
//! is a consequence is never told where a reason is known.

use super::client::Cluster;
use super::destination::shown;
use super::told::Told;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use std::collections::BTreeMap;
use weir_engine::{EngineError, ErrorKind};

/// What a message is called that is no record's: a marker, say.
pub(super) const NO_RECORD: usize = usize::MAX;

/// How much an error says of why messages were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It was given up, because of another one.
    GivenUp,
    /// It lay in a batch with one that is at fault.
    Beside,
    /// The cluster could not take it, which may pass.
    Passing,
    /// It would be refused again.
    AtFault,
    /// Somebody else writes in this one's place.
    Fenced,
}

impl Weight {
    /// Of an error of a message.
    pub(super) fn of(code: RDKafkaErrorCode) -> Self {
        use RDKafkaErrorCode::{
            Fenced, InvalidDifferentRecord, InvalidMessage, InvalidMessageSize, InvalidProducerEpoch, InvalidRecord, InvalidTimestamp,
            InvalidTopic, MessageBatchTooLarge, MessageSizeTooLarge, ProducerFenced, PurgeInflight, PurgeQueue, State,
            UnsupportedForMessageFormat,
        };
        match code {
            PurgeQueue | PurgeInflight | State => Self::GivenUp,
            InvalidDifferentRecord => Self::Beside,
            InvalidMessage | InvalidMessageSize | InvalidRecord | InvalidTimestamp | InvalidTopic => Self::AtFault,
            MessageBatchTooLarge | MessageSizeTooLarge | UnsupportedForMessageFormat => Self::AtFault,
            Fenced | ProducerFenced | InvalidProducerEpoch => Self::Fenced,
            _ => Self::Passing,
        }
    }
}

/// A message that was not taken.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub error: KafkaError,
    /// What was attempted with it.
    pub said: String,
    pub weight: Weight,
    suspicion: u64,
}

/// The messages that were not taken, as they are heard of one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    worst: Option<Refused>,
    of_records: BTreeMap<usize, RDKafkaErrorCode>,
}

impl Refusals {
    /// This one was not: that of `record`, or of [`NO_RECORD`]; it has this time. librdkafka does not say which when it gives a message back.
    pub(super) fn add(&mut self, record: usize, error: &KafkaError, message: &impl Message, time: Option<i64>) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let (weight, bytes) = (Weight::of(code), bytes_of(message.key(), message.payload()));
        let suspicion = suspicion(code, message.key(), bytes, time, now_ms());
        if record != NO_RECORD && matches!(weight, Weight::Beside | Weight::AtFault) {
            self.of_records.insert(record, code);
        }
        if self.worst.as_ref().is_none_or(|worst| (worst.weight, worst.suspicion) < (weight, suspicion)) {
            let said = said_of(message.topic(), message.key(), bytes, time.filter(|_| is_of_time(code)));
            self.worst = Some(Refused { error: error.clone(), said, weight, suspicion });
        }
    }

    /// The one that says most of why.
    pub(super) fn worst(&self) -> Option<&Refused> {
        self.worst.as_ref()
    }

    /// Those of records that are at fault or were in a batch with one that is, where that is why.
    pub(super) fn of_records(&self) -> Option<&BTreeMap<usize, RDKafkaErrorCode>> {
        let is_why = self.worst.as_ref().is_some_and(|worst| worst.weight == Weight::AtFault);
        Some(&self.of_records).filter(|of_records| is_why && !of_records.is_empty())
    }
}

/// An error of publishing: whether somebody else has taken over, whether the record is at fault, or whether it may pass.
pub(super) fn explained(cluster: &Cluster, attempted: &str, error: &KafkaError, told: &Told) -> EngineError {
    let told = cluster.failed(attempted, error, Some(told));
    let code = error.rdkafka_error_code();
    match code.map(Weight::of) {
        Some(Weight::Fenced) => EngineError::new(ErrorKind::Fenced, told.to_string()),
        Some(Weight::AtFault) => EngineError::new(ErrorKind::FixInput, told.to_string()).with_hint(hint(code)),
        Some(Weight::GivenUp | Weight::Beside | Weight::Passing) | None => told,
    }
}

/// How likely a message is the one at fault among those of which the same is said: the one whose time is furthest from now, the one without a key, or the largest.
pub(super) fn suspicion(code: RDKafkaErrorCode, key: Option<&[u8]>, bytes: usize, time: Option<i64>, now_ms: i64) -> u64 {
    let distance = time.map_or(0, |time| time.abs_diff(now_ms));
    match code {
        RDKafkaErrorCode::InvalidTimestamp => distance,
        RDKafkaErrorCode::InvalidRecord if key.is_none() => u64::MAX,
        RDKafkaErrorCode::InvalidRecord => distance,
        _ => bytes as u64,
    }
}

/// Now, in milliseconds since 1970: the brokers measure times by their clocks, which are the machine's here, and nothing but the choice of what is named hangs on it.
#[expect(clippy::disallowed_methods, reason = "what is compared with it is a broker's clock")]
pub(super) fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// What can be done about a message that is at fault.
fn hint(code: Option<RDKafkaErrorCode>) -> &'static str {
    use RDKafkaErrorCode::{InvalidMessageSize, InvalidRecord, InvalidTimestamp, InvalidTopic, MessageBatchTooLarge, MessageSizeTooLarge};
    match code {
        Some(MessageSizeTooLarge | MessageBatchTooLarge | InvalidMessageSize) => {
            "raise `max.message.bytes` of the topic, and `message.max.bytes` in `options`; or, where only many together are too large, lower `batch.size` there"
        }
        Some(InvalidTimestamp) => {
            "the topic takes no message whose time is so far from its broker's clock: see its `message.timestamp.after.max.ms` and `message.timestamp.before.max.ms`"
        }
        Some(InvalidRecord) => {
            "a compacted topic takes no message without a key, and others none whose time is too far from its broker's clock"
        }
        Some(InvalidTopic) => "it is the brokers' own, or can be none: name another topic",
        Some(_) | None => "the topic takes no such message",
    }
}

/// True of an error that may be about a message's time.
pub(super) fn is_of_time(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::InvalidTimestamp | RDKafkaErrorCode::InvalidRecord)
}

/// Bytes of a message's key and value.
pub(super) fn bytes_of(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
}

/// What is attempted with a message of so many bytes, and of this time where that matters (in milliseconds since 1970).
pub(super) fn said_of(topic: &str, key: Option<&[u8]>, bytes: usize, time: Option<i64>) -> String {
    let key = key.map_or_else(|| "without a key".into(), |key| format!("with the key `{}`", shown(key)));
    let time = time.map(|time| format!(" and the time {time}")).unwrap_or_default();
    format!("write a message of {bytes} bytes {key}{time} to `{topic}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode::{
        InvalidDifferentRecord, InvalidRecord, InvalidTimestamp, MessageSizeTooLarge, OperationTimedOut, ProducerFenced, PurgeQueue,
    };
    use rdkafka::message::{OwnedMessage, Timestamp};

    /// What is told of messages of so many bytes that were refused so, one after the other; and how many of them are at fault, or beside one that is.
    fn told(heard: &[(RDKafkaErrorCode, usize)]) -> (RDKafkaErrorCode, usize, usize) {
        let mut refusals = Refusals::default();
        for (record, (code, bytes)) in heard.iter().enumerate() {
            let message = OwnedMessage::new(Some(vec![b'x'; *bytes]), None, "t".into(), Timestamp::CreateTime(7), 0, 0, None);
            refusals.add(record, &KafkaError::MessageProduction(*code), &message, Some(7));
        }
        let worst = refusals.worst().expect("there is one");
        let bytes = worst.said.split(' ').find_map(|word| word.parse().ok()).expect("a number of bytes");
        (worst.error.rdkafka_error_code().expect("a code"), bytes, refusals.of_records().map_or(0, BTreeMap::len))
    }

    #[test]
    fn a_reason_is_told_and_no_consequence_of_it_however_large_and_in_whatever_order() {
        let heard = [(PurgeQueue, 900), (InvalidDifferentRecord, 500), (InvalidTimestamp, 3), (PurgeQueue, 1_000)];
        assert_eq!(told(&heard), (InvalidTimestamp, 3, 2));
        let mut backwards = heard;
        backwards.reverse();
        assert_eq!(told(&backwards), (InvalidTimestamp, 3, 2));
        assert_eq!(told(&[(MessageSizeTooLarge, 5), (MessageSizeTooLarge, 50), (MessageSizeTooLarge, 7)]), (MessageSizeTooLarge, 50, 3));
        assert_eq!(told(&[(OperationTimedOut, 5), (PurgeQueue, 9)]), (OperationTimedOut, 5, 0));
        assert_eq!(told(&[(InvalidTimestamp, 5), (ProducerFenced, 1)]), (ProducerFenced, 1, 0), "who is kept out has nothing to say");
    }

    #[test]
    fn of_several_the_one_is_named_whose_time_is_furthest_or_that_has_no_key() {
        let of = |code, key: Option<&str>, time| {
            let key = key.map(str::as_bytes);
            suspicion(code, key, bytes_of(key, Some(b"value")), Some(time), 1_000)
        };
        assert!(of(InvalidTimestamp, Some("k"), 9_000) > of(InvalidTimestamp, None, 1_500));
        assert!(of(InvalidTimestamp, Some("k"), -9_000) > of(InvalidTimestamp, None, 1_500));
        assert!(of(InvalidRecord, None, 1_000) > of(InvalidRecord, Some("k"), 9_000));
        assert!(of(MessageSizeTooLarge, Some("a longer key"), 0) > of(MessageSizeTooLarge, Some("k"), 9_000));
    }

    #[test]
    fn a_time_is_said_where_it_may_be_why() {
        assert_eq!(said_of("t", Some(b"k"), 4, Some(7)), "write a message of 4 bytes with the key `k` and the time 7 to `t`");
        assert_eq!(said_of("t", None, 4, None), "write a message of 4 bytes without a key to `t`");
    }
}
