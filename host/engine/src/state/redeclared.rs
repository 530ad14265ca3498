//! A time to live that a version of the operator declares otherwise than the one whose checkpoint is restored.
//!
//! The moment of the change is the checkpoint: the old declaration holds up to the time to which it had come, the new one from there on. So what had expired by then
//! is gone for good, though it had not been cleaned up and the new one would let it live. What has no stamp of the time that counts now is stamped with that moment:
//! it was written no later. Every restore from a checkpoint does the same, whenever it is, and what `weir state` looks at in the next one has these stamps.

use super::TimeDomain;
use super::block::Payload;
use super::lifetime::{JudgedBy, StateTtl, retain_living, stamped};

/// How long what is kept of a state lived, and how long it does now; `None`: for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Redeclared {
    pub was: Option<StateTtl>,
    pub now: Option<StateTtl>,
}

/// To what times a checkpoint had come for a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyTimes {
    /// Those of its group.
    pub group: JudgedBy,
    /// What a call of it may still see is judged by these: one of timers that are due is of their time, which may be before.
    pub earliest: JudgedBy,
}

impl Redeclared {
    /// True where what is stored has to become something else, or less.
    pub fn changes(self) -> bool {
        self.was.is_some() != self.now.is_some() || self.is_stamped_anew().is_some() || self.may_revive()
    }

    /// The time that it goes by now, where its stamps, if any, are not of that.
    fn is_stamped_anew(self) -> Option<TimeDomain> {
        let now = self.now?.time;
        self.was.is_none_or(|was| was.time != now).then_some(now)
    }

    /// True where the new declaration might let live what has expired by the old one.
    fn may_revive(self) -> bool {
        self.was.is_some_and(|was| self.now.is_none_or(|now| now.time != was.time || now.ms > was.ms))
    }

    /// Takes out of what is stored of a key what had expired. False where nothing is left.
    pub fn retain_living(self, stored: &mut Payload<'_>, times: &KeyTimes) -> bool {
        match self.was.filter(|_| self.may_revive()) {
            None => true,
            Some(was) => retain_living(stored, |stamp| times.earliest.is_expired(&was, stamp)),
        }
    }

    /// The stamp that a value, an item or an entry is to have, where it is to have one, and what it is of.
    pub fn stamped<'b>(self, stored: &'b [u8], times: &KeyTimes) -> (Option<i64>, &'b [u8]) {
        let (stamp, bytes) = if self.was.is_some() { stamped(stored) } else { (0, stored) };
        let anew = self.is_stamped_anew().map(|time| times.group.of(time).0);
        (self.now.map(|_| anew.or_else(|| self.until_the_checkpoint(stamp, times)).unwrap_or(stamp)), bytes)
    }

    /// What is kept for a timer that is due, and had expired for all else, lives up to the checkpoint's time and no longer, where it lives by the same time as before.
    fn until_the_checkpoint(self, stamp: i64, times: &KeyTimes) -> Option<i64> {
        let (was, now) = self.was.zip(self.now).filter(|_| self.may_revive())?;
        let time = times.group.of(now.time).0;
        times.group.is_expired(&was, stamp).then(|| time.saturating_sub_unsigned(now.ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::NO_TIMESTAMP;

    const EVENT: TimeDomain = TimeDomain::Event;
    const CLOCK: TimeDomain = TimeDomain::Processing;

    fn ttl(ms: u64, time: TimeDomain) -> Option<StateTtl> {
        Some(StateTtl { ms, time, refresh_on_read: false })
    }

    fn times(event: i64, processing: i64) -> KeyTimes {
        let mut group = JudgedBy::NONE;
        group.tell(event, processing);
        KeyTimes { group, earliest: group }
    }

    /// A value that was written at 7.
    const WRITTEN: &[u8] = b"\x07\0\0\0\0\0\0\0v";

    #[test]
    fn what_has_no_stamp_of_the_time_that_counts_now_is_as_old_as_the_checkpoint() {
        let at = |was, now, stored, event| Redeclared { was, now }.stamped(stored, &times(event, 900)).0;
        assert_eq!(at(None, ttl(5, EVENT), b"v", 30), Some(30));
        assert_eq!(at(None, ttl(5, CLOCK), b"v", 30), Some(900));
        assert_eq!(at(ttl(5, EVENT), ttl(5, CLOCK), WRITTEN, 8), Some(900));
        assert_eq!(at(ttl(5, CLOCK), ttl(5, EVENT), WRITTEN, 30), Some(30));
        assert_eq!(at(None, ttl(5, EVENT), b"v", NO_TIMESTAMP), Some(NO_TIMESTAMP), "it was before any event time");
        // A stamp of that time is what it was, and one that nobody asks for goes.
        assert_eq!(at(ttl(5, EVENT), ttl(9, EVENT), WRITTEN, 8), Some(7));
        assert_eq!(at(ttl(5, EVENT), None, WRITTEN, 8), None);
        assert_eq!(Redeclared { was: None, now: None }.stamped(WRITTEN, &times(1, 1)), (None, WRITTEN));
    }

    #[test]
    fn what_had_expired_is_gone_wherever_the_new_declaration_might_let_it_live() {
        // It expires at 12 by the one that was.
        let lives = |was, now, event| Redeclared { was, now }.retain_living(&mut Payload::Value(WRITTEN), &times(event, event));
        for (was, now) in [
            (ttl(5, EVENT), None),
            (ttl(5, EVENT), ttl(6, EVENT)),
            (ttl(5, EVENT), ttl(1, CLOCK)),
            (ttl(5, CLOCK), ttl(1, EVENT)),
            (ttl(5, CLOCK), None),
        ] {
            assert_eq!([11, 12].map(|event| lives(was, now, event)), [true, false], "{was:?} {now:?}");
            assert!(Redeclared { was, now }.changes());
        }
        // A shorter one judges it by itself, and nothing that is stored has to change.
        for (was, now) in [(ttl(5, EVENT), ttl(5, EVENT)), (ttl(5, CLOCK), ttl(4, CLOCK)), (None, None)] {
            assert!(lives(was, now, 100) && !Redeclared { was, now }.changes(), "{was:?} {now:?}");
        }
    }

    #[test]
    fn what_a_timer_that_is_due_would_see_has_not_expired() {
        let later = times(100, 0);
        let before = KeyTimes { earliest: later.group.at(EVENT, 11), ..later };
        let longer = Redeclared { was: ttl(5, EVENT), now: ttl(6, EVENT) };
        assert_eq!([later, before].map(|at| longer.retain_living(&mut Payload::Value(WRITTEN), &at)), [false, true]);
        assert_eq!(Redeclared { was: None, now: ttl(6, EVENT) }.stamped(b"v", &before).0, Some(100), "it was written by then, not before");
        // For the timer, and for nobody behind the checkpoint.
        assert_eq!(longer.stamped(WRITTEN, &before).0, Some(94));
        assert_eq!(longer.stamped(WRITTEN, &times(11, 0)).0, Some(7), "it had not expired");
        // By the clock too.
        let later = times(0, 100);
        let before = KeyTimes { earliest: later.group.at(CLOCK, 11), ..later };
        let longer = Redeclared { was: ttl(5, CLOCK), now: ttl(6, CLOCK) };
        assert_eq!([later, before].map(|at| longer.retain_living(&mut Payload::Value(WRITTEN), &at)), [false, true]);
    }
}
