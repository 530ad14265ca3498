//! What a topic takes, as its settings say: a record that its brokers would certainly refuse is known before it is sent.
//!
//! Invariant: what is a misfit here is refused there. Where that is not certain (a time near its limit, a batch that is compressed), the record is sent, and the brokers decide.

use super::quarantine::Misfit;
use weir_engine::RecordBatch;
use weir_engine::element::NO_TIMESTAMP;

/// A time counts as beyond a limit once it is so much beyond: a broker judges it by a clock of its own, and later.
const MARGIN_MS: i64 = 60_000;
/// Bytes of what stands in front of the records of a batch (format 2): offset, length, leader epoch, format, checksum, attributes, last offset, two times, producer with epoch and sequence, and count.
const BATCH_BYTES: usize = 8 + 4 + 4 + 1 + 4 + 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4;

/// What a topic takes, as far as the cluster tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TopicRules {
    /// How many bytes a batch may have, as it is sent.
    pub batch_bytes_max: Option<usize>,
    /// The topic is compacted: it takes nothing without a key.
    pub wants_keys: bool,
    /// How far a record's time may lie behind the broker's clock, in milliseconds.
    pub before_ms_max: Option<i64>,
    /// How far it may lie ahead of that, in milliseconds.
    pub after_ms_max: Option<i64>,
}

/// What is to become of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is sent.
    Sent,
    /// It is sent with nobody beside it: whether it is too large shows once it is compressed.
    Apart,
    /// The topic does not take it, for this reason.
    Misfit(String),
}

/// What rules ask of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    has_key: bool,
    /// Bytes of a batch that has nothing else, as it is without compression.
    batch_bytes: usize,
    /// In milliseconds since 1970; `None`: the message gets the time when it is sent.
    time: Option<i64>,
}

impl TopicRules {
    /// What a topic's settings say by their names.
    pub(super) fn of<'s>(setting: impl Fn(&str) -> Option<&'s str>) -> Self {
        let number = |name: &str| setting(name).and_then(|value| value.parse::<i64>().ok());
        let of_times = |name: &str| number(name).filter(|_| setting("message.timestamp.type") == Some("CreateTime"));
        Self {
            batch_bytes_max: number("max.message.bytes").and_then(|bytes| usize::try_from(bytes).ok()),
            wants_keys: setting("cleanup.policy").is_some_and(|all| all.split(',').any(|one| one.trim() == "compact")),
            before_ms_max: of_times("message.timestamp.before.max.ms"),
            after_ms_max: of_times("message.timestamp.after.max.ms"),
        }
    }

    /// What is to become of a record for `topic`, of which these are the rules.
    pub(super) fn verdict(&self, topic: &str, measured: &Measured, is_compressed: bool, now_ms: i64) -> Verdict {
        if self.wants_keys && !measured.has_key {
            return Verdict::Misfit(format!("it has no key, and `cleanup.policy` of `{topic}` is `compact`"));
        }
        if let Some(why) = measured.time.and_then(|time| self.wrong_time(topic, time, now_ms)) {
            return Verdict::Misfit(why);
        }
        match self.batch_bytes_max {
            Some(most) if measured.batch_bytes > most && is_compressed => Verdict::Apart,
            Some(most) if measured.batch_bytes > most => Verdict::Misfit(format!(
                "Message size too large: alone in a batch it has {} bytes, and `max.message.bytes` of `{topic}` is {most}",
                measured.batch_bytes
            )),
            Some(_) | None => Verdict::Sent,
        }
    }

    fn wrong_time(&self, topic: &str, time: i64, now_ms: i64) -> Option<String> {
        let (ahead, behind) = (time.saturating_sub(now_ms), now_ms.saturating_sub(time));
        let is_beyond = |distance: i64, most: Option<i64>| most.filter(|most| distance > most.saturating_add(MARGIN_MS));
        let said = |distance: i64, where_to: &str, setting: &str, most: i64| {
            format!("its time {time} lies {distance} ms {where_to}, and `message.timestamp.{setting}.max.ms` of `{topic}` is {most}")
        };
        let too_late = is_beyond(ahead, self.after_ms_max).map(|most| said(ahead, "ahead", "after", most));
        too_late.or_else(|| is_beyond(behind, self.before_ms_max).map(|most| said(behind, "back", "before", most)))
    }
}

impl Measured {
    /// A record of a batch.
    pub(super) fn of(records: &RecordBatch, record: usize) -> Self {
        let time = Some(records.timestamps()[record]).filter(|time| *time != NO_TIMESTAMP);
        Self::with(records.key(record), records.value(record), records.headers_of(record), time)
    }

    /// A record that came back.
    pub(super) fn of_misfit(misfit: &Misfit) -> Self {
        let headers = misfit.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        Self::with(misfit.key.as_deref(), misfit.value.as_deref(), headers, misfit.time)
    }

    fn with<'r>(key: Option<&[u8]>, value: Option<&[u8]>, headers: impl Iterator<Item = (&'r [u8], &'r [u8])>, time: Option<i64>) -> Self {
        let mut count = 0;
        let mut of_headers = 0;
        for (name, value) in headers {
            count += 1;
            of_headers += text_bytes(Some(name)) + text_bytes(Some(value));
        }
        // Attributes, and the differences to the batch's first time and offset: a byte each.
        let record = 3 + text_bytes(key) + text_bytes(value) + number_bytes(count) + of_headers;
        let batch_bytes = BATCH_BYTES + number_bytes(record) + record;
        // What is not above zero says nothing there.
        Self { has_key: key.is_some(), batch_bytes, time: time.filter(|time| *time > 0) }
    }
}

/// Bytes of a text with its length in front; one that is absent has -1 there.
fn text_bytes(text: Option<&[u8]>) -> usize {
    text.map_or(1, |text| number_bytes(text.len()) + text.len())
}

/// Bytes of a number as records have them: seven bits in each, and one bit for the sign.
fn number_bytes(number: usize) -> usize {
    let bits = usize::BITS - number.leading_zeros() + 1;
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn rules(settings: &[(&str, &'static str)]) -> TopicRules {
        TopicRules::of(|name| settings.iter().find(|(setting, _)| *setting == name).map(|(_, value)| *value))
    }

    fn measured(key: Option<usize>, value: Option<usize>, headers: &[(usize, usize)], time: Option<i64>) -> Measured {
        let text = vec![b'x'; 100_000];
        let headers = headers.iter().map(|(name, value)| (&text[..*name], &text[..*value]));
        Measured::with(key.map(|bytes| &text[..bytes]), value.map(|bytes| &text[..bytes]), headers, time)
    }

    #[test]
    fn a_batch_of_one_record_is_measured_to_the_byte() {
        let bytes = |key, value, headers: &[(usize, usize)]| measured(key, value, headers, None).batch_bytes;
        // 61 in front, a byte each of the record's length, attributes, time, offset, the lengths of key and value, and the count of headers.
        assert_eq!(bytes(None, None, &[]), 61 + 7);
        assert_eq!(bytes(Some(0), Some(0), &[]), 61 + 7);
        assert_eq!(bytes(Some(1), Some(1), &[(1, 0)]), 61 + 7 + 2 + 3);
        // Lengths from 64 on have two bytes, from 8,192 on three.
        assert_eq!(bytes(None, Some(57), &[]), 61 + 7 + 57);
        assert_eq!(bytes(None, Some(58), &[]), 61 + 7 + 58 + 1, "the record's own length");
        assert_eq!(bytes(None, Some(64), &[]), 61 + 7 + 64 + 2);
        assert_eq!(bytes(None, Some(8_192), &[]), 61 + 7 + 8_192 + 4);
        assert_eq!(bytes(None, None, &[(1, 1); 64]), 61 + 7 + 64 * 4 + 2);
    }

    #[test]
    fn what_a_topic_certainly_refuses_is_a_misfit_and_the_rule_is_named() {
        let all = rules(&[
            ("max.message.bytes", "1000"),
            ("cleanup.policy", "delete,compact"),
            ("message.timestamp.type", "CreateTime"),
            ("message.timestamp.before.max.ms", "5000"),
            ("message.timestamp.after.max.ms", "7000"),
        ]);
        let verdict = |measured: Measured| match all.verdict("t", &measured, false, NOW) {
            Verdict::Misfit(why) => why,
            other => format!("{other:?}"),
        };
        let fits = 1_000 - 61 - 7 - 1 - 2;
        assert_eq!(verdict(measured(Some(1), Some(fits), &[], Some(NOW))), "Sent");
        let too_large = "Message size too large: alone in a batch it has 1001 bytes, and `max.message.bytes` of `t` is 1000";
        assert_eq!(verdict(measured(Some(1), Some(fits + 1), &[], None)), too_large);
        assert_eq!(verdict(measured(None, Some(1), &[], None)), "it has no key, and `cleanup.policy` of `t` is `compact`");
        let at = |time| verdict(measured(Some(1), Some(1), &[], Some(time)));
        assert_eq!((at(NOW + 7_000 + MARGIN_MS), at(NOW - 5_000 - MARGIN_MS)), ("Sent".into(), "Sent".into()), "clocks differ");
        assert!(at(NOW + 7_001 + MARGIN_MS).ends_with("lies 67001 ms ahead, and `message.timestamp.after.max.ms` of `t` is 7000"));
        assert!(at(NOW - 5_001 - MARGIN_MS).ends_with("lies 65001 ms back, and `message.timestamp.before.max.ms` of `t` is 5000"));
        assert_eq!((at(0), at(-1)), ("Sent".into(), "Sent".into()), "the message has none then");
    }

    #[test]
    fn what_is_not_known_or_not_certain_is_sent() {
        let odd = measured(None, Some(90_000), &[], Some(i64::MAX));
        assert_eq!(TopicRules::default().verdict("t", &odd, false, NOW), Verdict::Sent);
        let of_broker = rules(&[("message.timestamp.type", "LogAppendTime"), ("message.timestamp.after.max.ms", "1")]);
        assert_eq!(of_broker.verdict("t", &odd, false, NOW), Verdict::Sent);
        let any_time = rules(&[("message.timestamp.type", "CreateTime"), ("message.timestamp.after.max.ms", "9223372036854775807")]);
        assert_eq!(any_time.verdict("t", &odd, false, NOW), Verdict::Sent);
        let small = rules(&[("max.message.bytes", "10")]);
        assert_eq!(small.verdict("t", &odd, true, NOW), Verdict::Apart);
    }
}
