//! A time to live: what is kept of a state is stamped with the time at which it was written, and is not seen any more once that is too long ago.
//!
//! ```text
//! stamped = stamp bytes    ; 8 bytes, little-endian: ms of the time that the state goes by; the smallest there is: before there was any
//! ```
//!
//! A value, an item of a list, a value of a map's entry is each stamped. What was written before there was any time is as old as the first time that is told; of event
//! time a checkpoint keeps which that was, so that it is the same in every run.

use super::TimeDomain;
use super::block::Payload;
use crate::element::{END_OF_TIME, NO_TIMESTAMP};
use serde::{Deserialize, Serialize};

/// Bytes of a stamp.
pub(crate) const STAMP_BYTES: usize = 8;

/// How long what is kept of a state lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateTtl {
    /// So many ms; above 0.
    pub ms: u64,
    /// By which time.
    pub time: TimeDomain,
    /// Reading it is as good as writing it: what has been touched begins anew.
    pub refresh_on_read: bool,
}

impl StateTtl {
    /// True where what was stamped so is not to be seen any more at a time, the first that was told being `first`.
    pub(crate) fn is_expired(&self, stamp: i64, now: i64, first: i64) -> bool {
        if now == NO_TIMESTAMP {
            return false;
        }
        let since = if stamp == NO_TIMESTAMP { first } else { stamp };
        since != NO_TIMESTAMP && now.saturating_sub(since) >= i64::try_from(self.ms).unwrap_or(i64::MAX)
    }
}

/// The items at the front of a list that have expired. What has no stamp is no younger than what comes behind it.
#[derive(Default)]
pub(crate) struct ExpiredFront {
    /// How many have.
    pub expired: usize,
    /// Those behind them that have no stamp, and have not by themselves.
    pub unstamped: usize,
}

impl ExpiredFront {
    /// Looks at the next item. False where it, and so whatever is behind it, lives.
    pub fn goes_past(&mut self, stamp: i64, is_expired: bool) -> bool {
        match (is_expired, stamp == NO_TIMESTAMP) {
            (true, _) => self.expired += 1 + std::mem::take(&mut self.unstamped),
            (false, true) => self.unstamped += 1,
            (false, false) => return false,
        }
        true
    }
}

/// The stamp of what is stored, and what it is of. What is shorter than a stamp has none, and is empty.
pub(crate) fn stamped(stored: &[u8]) -> (i64, &[u8]) {
    match stored.split_first_chunk() {
        Some((stamp, bytes)) => (i64::from_le_bytes(*stamp), bytes),
        None => (NO_TIMESTAMP, &[]),
    }
}

/// Takes out of what is stored of a state, stamps and all, what has expired. False where nothing is left.
pub(super) fn retain_living(stored: &mut Payload<'_>, is_expired: impl Fn(i64) -> bool) -> bool {
    match stored {
        Payload::Value(value) => !is_expired(stamped(value).0),
        Payload::List(items) => {
            // As it is read: what is behind one that lives has come later.
            let mut front = ExpiredFront::default();
            items.iter().map(|item| stamped(item).0).all(|stamp| front.goes_past(stamp, is_expired(stamp)));
            items.drain(..front.expired);
            !items.is_empty()
        }
        Payload::Map(entries) => {
            entries.retain(|(_, value)| !is_expired(stamped(value).0));
            !entries.is_empty()
        }
    }
}

/// Times as what is kept is judged by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JudgedBy {
    /// Event time; the end of it says nothing: what has been told before holds.
    event: i64,
    /// The first that was told.
    first_event: i64,
    processing: i64,
    first_processing: i64,
}

impl JudgedBy {
    /// Before any time.
    pub const NONE: Self =
        Self { event: NO_TIMESTAMP, first_event: NO_TIMESTAMP, processing: NO_TIMESTAMP, first_processing: NO_TIMESTAMP };

    /// A call is of these times.
    pub fn tell(&mut self, watermark: i64, processing_time: i64) {
        if watermark != END_OF_TIME.0 {
            self.event = watermark;
        }
        self.processing = processing_time;
        if self.first_event == NO_TIMESTAMP {
            self.first_event = self.event;
        }
        if self.first_processing == NO_TIMESTAMP {
            self.first_processing = processing_time;
        }
    }

    /// The time that a state goes by, and the first of it.
    pub fn of(&self, time: TimeDomain) -> (i64, i64) {
        match time {
            TimeDomain::Event => (self.event, self.first_event),
            TimeDomain::Processing => (self.processing, self.first_processing),
        }
    }

    /// The first event time that was told.
    pub fn first_event(&self) -> i64 {
        self.first_event
    }

    /// The same, where event time began then, if it did.
    pub fn since(self, began: i64) -> Self {
        if began == NO_TIMESTAMP { self } else { Self { first_event: began, ..self } }
    }

    /// The same, at another time of this domain.
    pub fn at(mut self, time: TimeDomain, now: i64) -> Self {
        match time {
            TimeDomain::Event => self.event = now,
            TimeDomain::Processing => self.processing = now,
        }
        self
    }

    /// True where what was stamped so is not to be seen any more.
    pub fn is_expired(&self, ttl: &StateTtl, stamp: i64) -> bool {
        let (now, first) = self.of(ttl.time);
        ttl.is_expired(stamp, now, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_too_long_ago_is_expired_and_what_was_before_any_time_counts_from_the_first() {
        let ttl = StateTtl { ms: 10, time: TimeDomain::Event, refresh_on_read: false };
        let mut judged = JudgedBy::NONE;
        assert!(!judged.is_expired(&ttl, NO_TIMESTAMP));
        judged.tell(NO_TIMESTAMP, 1_000);
        assert!(!judged.is_expired(&ttl, NO_TIMESTAMP), "there is no event time yet");
        judged.tell(100, 1_000);
        assert_eq!([89, 90, 91].map(|stamp| judged.is_expired(&ttl, stamp)), [true, true, false]);
        assert!(!judged.is_expired(&ttl, NO_TIMESTAMP));
        judged.tell(110, 1_000);
        assert!(judged.is_expired(&ttl, NO_TIMESTAMP));
        judged.tell(END_OF_TIME.0, 5_000);
        assert!(!judged.is_expired(&ttl, 101), "at the end of the input nothing expires");
        assert!(judged.is_expired(&StateTtl { time: TimeDomain::Processing, ..ttl }, 4_000));
    }

    #[test]
    fn times_at_the_edges_overflow_nowhere() {
        let ttl = StateTtl { ms: u64::MAX, time: TimeDomain::Event, refresh_on_read: false };
        assert!(ttl.is_expired(i64::MIN + 1, i64::MAX - 1, 0));
        assert!(!ttl.is_expired(0, i64::MAX - 1, 0));
    }
}
