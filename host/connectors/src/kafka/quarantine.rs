//! Records that no topic takes: a job may have them set aside in a topic of the same cluster, where each is a message with the record's key and value and headers that say why.
//! Exactly-once it lies in the transaction that has the others, so it is there once, as they are.

use super::client::{Cluster, Consumer};
use super::made_topics::MadeTopic;
use super::rules::TopicRules;
use rdkafka::message::{BorrowedMessage, Message as _, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::util::IntoOpaque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use weir_engine::checkpoint::Marker;
use weir_engine::element::NO_TIMESTAMP;
use weir_engine::{EngineError, ErrorKind, RecordBatch};

/// So many records a sink sets aside at most.
const MOST: u64 = 1_000;
/// Once it has seen so many records, one in a hundred is the most.
const SEEN: u64 = 10_000;
/// So large a message of what is set aside is at most, so that topics take it of which nothing else is said.
const MESSAGE_BYTES: usize = 1_000_000;
/// What is kept free for the headers that say why.
const SAID_BYTES: usize = 4_096;
/// So much of an error is said.
const ERROR_BYTES: usize = 1_024;

/// The topic, and how much has been put there.
#[derive(Debug)]
pub(super) struct Quarantine {
    pub topic: String,
    /// How many bytes of key, value and headers a record may have for them to be kept.
    room: usize,
    counts: Arc<Counts>,
}

/// How many records a sink has had and how many of them were set aside, since the process began: whoever publishes or writes anew goes on counting.
#[derive(Debug, Default)]
pub(super) struct Counts {
    seen: AtomicU64,
    set_aside: AtomicU64,
}

impl Counts {
    /// Both, with so many more.
    fn with(&self, records: usize, faults: usize) -> (u64, u64) {
        (self.seen.load(Ordering::Relaxed) + records as u64, self.set_aside.load(Ordering::Relaxed) + faults as u64)
    }

    /// So many more have been had.
    pub(super) fn saw(&self, records: u64) {
        self.seen.fetch_add(records, Ordering::Relaxed);
    }
}

/// A record that is set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Misfit {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Its own.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// In milliseconds since 1970; `None`: it has none.
    pub time: Option<i64>,
    /// Where it was to go; `None`: it says nothing that is fit.
    pub topic: Option<String>,
    /// The checkpoint that it is of and its place among those of that, from 1 on; `None`: no checkpoint had it yet.
    pub place: Option<(u64, u64)>,
    pub why: String,
}

impl Quarantine {
    /// Sees that the topic is there, or makes it: nothing in it goes for its age.
    pub(super) fn see_topic(cluster: &Cluster, client: &Consumer, topic: &str) -> Result<(), EngineError> {
        let made = MadeTopic { called: "quarantine topic", name: topic, settings: &[("cleanup.policy", "delete"), ("retention.ms", "-1")] };
        match made.partitions(cluster, client)? {
            Some(_) => Ok(()),
            None => made.make(cluster, &*cluster.admin()?),
        }
    }

    /// Into this topic, which is there and has these rules.
    pub(super) fn new(cluster: &Cluster, topic: &str, rules: &TopicRules, counts: Arc<Counts>) -> Self {
        let most = cluster.message_bytes_max().min(MESSAGE_BYTES).min(rules.batch_bytes_max.unwrap_or(MESSAGE_BYTES));
        Self { topic: topic.to_owned(), room: most.saturating_sub(SAID_BYTES), counts }
    }

    /// The cluster has refused so many records, and which are at fault is not known.
    pub(super) fn searches(&self, refused: usize, why: &str) {
        tracing::warn!(topic = %self.topic, refused, why, "records were refused: those at fault are looked for");
    }

    /// They are found, behind so many refusals.
    pub(super) fn has_found(&self, refusals: usize) {
        if refusals > 0 {
            tracing::warn!(topic = %self.topic, refusals, "records at fault were found");
        }
    }

    /// Counts records of which so many are to be set aside, the last one because of `why`. An error where these are no exceptions any more.
    pub(super) fn admit(&self, records: usize, faults: usize, why: &str) -> Result<(), EngineError> {
        let (seen, set_aside) = self.counts.with(records, faults);
        if faults == 0 || set_aside <= MOST && (seen < SEEN || set_aside * 100 <= seen) {
            return Ok(());
        }
        let message = format!(
            "set records aside in `{}`: {set_aside} of {seen} records are taken by no topic, the last one because: {why}",
            self.topic
        );
        let hint =
            format!("more than {MOST}, or than one in a hundred, are no exceptions: see what the topic takes, and what `topic` says");
        Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
    }

    /// These are written.
    pub(super) fn count(&self, records: usize, faults: usize, why: Option<&str>) {
        self.counts.saw(records as u64);
        self.counts.set_aside.fetch_add(faults as u64, Ordering::Relaxed);
        if let Some(why) = why {
            let (_, set_aside_total) = self.counts.with(0, 0);
            tracing::warn!(topic = %self.topic, set_aside = faults, set_aside_total, %why, "records set aside");
        }
    }

    /// The message of a record that is set aside.
    pub(super) fn message_of<'m, D: IntoOpaque>(&'m self, misfit: &'m Misfit, of: D) -> BaseRecord<'m, [u8], [u8], D> {
        let (key, value, headers) = misfit.parts(self.room);
        let mut message = BaseRecord::with_opaque_to(&self.topic, of);
        (message.key, message.payload, message.headers) = (key, value, Some(headers));
        message
    }
}

impl Misfit {
    /// A record of a chunk that `marker` stands behind.
    pub(super) fn of_chunk(records: &RecordBatch, record: usize, marker: &Marker) -> Self {
        let place = marker.records.saturating_sub(records.len() as u64) + record as u64 + 1;
        Self { place: Some((marker.checkpoint_id.0, place)), ..Self::of_record(records, record) }
    }

    /// A record.
    pub(super) fn of_record(records: &RecordBatch, record: usize) -> Self {
        Self {
            key: records.key(record).map(<[u8]>::to_vec),
            value: records.value(record).map(<[u8]>::to_vec),
            headers: records.headers_of(record).map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
            time: Some(records.timestamps()[record]).filter(|time| *time != NO_TIMESTAMP),
            ..Self::default()
        }
    }

    /// Its key, its value and its headers as a message has them: what does not fit into `room` is left out, and its size is said.
    pub(super) fn parts(&self, room: usize) -> (Option<&[u8]>, Option<&[u8]>, OwnedHeaders) {
        let mut left = room;
        let mut fits = |bytes: usize| {
            let fits = bytes <= left;
            left -= if fits { bytes } else { 0 };
            fits
        };
        let of_headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + 20).sum::<usize>();
        let (key, value) = (self.key.as_deref(), self.value.as_deref());
        let (key, no_key) = key.filter(|key| fits(key.len())).map_or((None, key), |key| (Some(key), None));
        let (value, no_value) = value.filter(|value| fits(value.len())).map_or((None, value), |value| (Some(value), None));
        let (own, no_headers): (&[(Vec<u8>, Vec<u8>)], _) = if fits(of_headers) { (&self.headers, None) } else { (&[], Some(of_headers)) };
        let mut said: Vec<(&str, String)> = vec![("weir.error", cut(&self.why).to_owned())];
        said.extend(self.topic.iter().map(|topic| ("weir.topic", topic.clone())));
        said.extend(self.time.iter().map(|time| ("weir.time", time.to_string())));
        said.extend(
            self.place
                .iter()
                .flat_map(|(checkpoint, record)| [("weir.checkpoint", checkpoint.to_string()), ("weir.record", record.to_string())]),
        );
        said.extend(no_key.map(|key| ("weir.key-bytes", key.len().to_string())));
        said.extend(no_value.map(|value| ("weir.value-bytes", value.len().to_string())));
        said.extend(no_headers.map(|bytes| ("weir.headers-bytes", bytes.to_string())));
        let own = own.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let headers = super::headers::headers(own.chain(said.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))));
        (key, value, headers)
    }
}

impl From<&BorrowedMessage<'_>> for Misfit {
    /// A message that came back, but for its time.
    fn from(message: &BorrowedMessage<'_>) -> Self {
        Self {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map(super::headers::all).unwrap_or_default(),
            topic: Some(message.topic().to_owned()),
            ..Self::default()
        }
    }
}

/// The beginning of an error.
fn cut(why: &str) -> &str {
    let mut end = why.len().min(ERROR_BYTES);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    &why[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::Headers as _;

    fn said(misfit: &Misfit, room: usize) -> (Option<usize>, Option<usize>, Vec<String>) {
        let (key, value, headers) = misfit.parts(room);
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let headers = (0..headers.count()).map(|place| headers.get(place)).map(|header| format!("{}={}", header.key, text(header.value)));
        (key.map(<[u8]>::len), value.map(<[u8]>::len), headers.collect())
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_its_size_is_said() {
        let misfit = Misfit {
            key: Some(b"key".to_vec()),
            value: Some(vec![b'x'; 100]),
            headers: vec![(b"a".to_vec(), b"1".to_vec())],
            time: Some(7),
            topic: Some("t".into()),
            place: Some((3, 9)),
            why: "no".into(),
        };
        let why = ["weir.error=no", "weir.topic=t", "weir.time=7", "weir.checkpoint=3", "weir.record=9"].map(str::to_owned);
        let with = |before: &[&str], behind: &[&str]| {
            before
                .iter()
                .map(|text| (*text).to_owned())
                .chain(why.clone())
                .chain(behind.iter().map(|text| (*text).to_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(said(&misfit, 1_000), (Some(3), Some(100), with(&["a=1"], &[])));
        assert_eq!(said(&misfit, 99), (Some(3), None, with(&["a=1"], &["weir.value-bytes=100"])));
        assert_eq!(said(&misfit, 104), (Some(3), Some(100), with(&[], &["weir.headers-bytes=22"])));
        assert_eq!(said(&misfit, 2), (None, None, with(&[], &["weir.key-bytes=3", "weir.value-bytes=100", "weir.headers-bytes=22"])));
        let none = Misfit { why: "ä".repeat(2_000), ..Misfit::default() };
        assert_eq!(said(&none, 10), (None, None, vec![format!("weir.error={}", "ä".repeat(512))]));
    }

    #[test]
    fn many_are_no_exceptions() {
        let quarantine = |seen, set_aside| {
            let counts = Counts { seen: AtomicU64::new(seen), set_aside: AtomicU64::new(set_aside) };
            Quarantine { topic: "aside".into(), room: 0, counts: Arc::new(counts) }
        };
        assert!(quarantine(0, 0).admit(100, 100, "x").is_ok(), "it is early");
        assert!(quarantine(9_990, 50).admit(10, 50, "x").is_ok());
        assert!(quarantine(9_990, 51).admit(10, 50, "x").unwrap_err().to_string().contains("101 of 10000 records"));
        assert!(quarantine(1_000_000, 1_000).admit(10, 1, "x").is_err());
        assert!(quarantine(20_000, 900).admit(10, 0, "").is_ok(), "nothing more is set aside");
        // Who comes behind goes on counting.
        let first = quarantine(0, 0);
        first.count(2_000, 990, Some("x"));
        let second = Quarantine { topic: "aside".into(), room: 0, counts: first.counts.clone() };
        assert!(second.admit(100, 10, "x").is_ok() && second.admit(100, 11, "x").is_err());
    }
}
