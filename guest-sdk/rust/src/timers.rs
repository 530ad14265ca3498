//! Timers as an author sees them: declared by name, set and deleted for the key of what is being worked on, and handed in when they are due.
//!
//! Key, name and time are a timer: setting it twice is setting it once. What a call does to one is folded, so that the last word counts and the host
//! is told one thing.

use crate::bindings::weir::operator::types::{TimeDomain, TimerDecl, TimerUpdate, Timers as KeyTimes};
use crate::columns::{push_s64, push_u32};
use crate::context::NO_TIMESTAMP;
use crate::error::{Error, Result};

/// A declared timer, and the handle by which it is set: one of [`Operator::TIMERS`](crate::Operator::TIMERS).
///
/// A name that the host would refuse is refused when the operator is compiled:
///
/// ```compile_fail
/// const OVERDUE: weir_guest::Timer = weir_guest::Timer::event("over due");
/// ```
///
/// ```
/// const OVERDUE: weir_guest::Timer = weir_guest::Timer::event("over-due");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    name: &'static str,
    is_event: bool,
}

impl Timer {
    /// A timer of event time: it fires when the watermark has come to it, and where it still stands at the end of the input, there.
    pub const fn event(name: &'static str) -> Self {
        Self { name: checked(name), is_event: true }
    }

    /// A timer of processing time: it fires when the clock has come to it, also while there is no input.
    pub const fn processing(name: &'static str) -> Self {
        Self { name: checked(name), is_event: false }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    pub(crate) fn declaration(&self) -> TimerDecl {
        let domain = if self.is_event { TimeDomain::Event } else { TimeDomain::Processing };
        TimerDecl { name: self.name.to_owned(), domain }
    }
}

const fn checked(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty() && bytes.len() <= 64, "the name of a timer has 1 to 64 characters");
    let mut at = 0;
    while at < bytes.len() {
        let fits = bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_' || bytes[at] == b'-';
        assert!(fits, "the name of a timer has the characters A-Z a-z 0-9 _ - alone");
        at += 1;
    }
    name
}

/// A timer that is due: what [`Operator::on_timer`](crate::Operator::on_timer) is given.
#[derive(Clone, Copy, Debug)]
pub struct FiredTimer<'a> {
    pub(crate) timer: Timer,
    pub(crate) key: &'a [u8],
    pub(crate) time: i64,
}

impl<'a> FiredTimer<'a> {
    /// Which one it is: `fired.timer() == OVERDUE`.
    pub fn timer(&self) -> Timer {
        self.timer
    }

    /// The key that it was set for.
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The time that it was set to, ms since the Unix epoch: not the time that it is, which may be later.
    pub fn time(&self) -> i64 {
        self.time
    }
}

/// The timers of the key that is being worked on: [`Context::timers`](crate::Context::timers).
pub struct Timers {
    operator: &'static str,
    declared: &'static [Timer],
    /// The key that is shown; `None`: the input is not keyed.
    pub(crate) key: Option<u32>,
    /// How far event time has come; the smallest there is: nowhere yet.
    watermark: i64,
    changes: Vec<Change>,
}

/// What was done to a timer; ordered by the timer alone.
struct Change {
    timer: u32,
    key: u32,
    time: i64,
    set: bool,
}

impl Timers {
    pub(crate) fn new(operator: &'static str, declared: &'static [Timer], watermark: i64) -> Self {
        Self { operator, declared, key: None, watermark, changes: Vec::new() }
    }

    /// How far event time has come, as [`Context::watermark`](crate::Context::watermark) says it.
    pub fn watermark(&self) -> Option<i64> {
        Some(self.watermark).filter(|&watermark| watermark != NO_TIMESTAMP)
    }

    /// Whether event time has come to `time`, so that a timer that is set to it fires next.
    pub fn has_come(&self, time: i64) -> bool {
        self.watermark().is_some_and(|watermark| watermark >= time)
    }

    /// Sets a timer of this key to `time`, ms since the Unix epoch. A key may have a timer at many times; one that is set to a time that has passed
    /// fires next. An error where the input is not keyed. Panics where the operator does not declare it in
    /// [`Operator::TIMERS`](crate::Operator::TIMERS).
    pub fn set(&mut self, timer: Timer, time: i64) -> Result<()> {
        self.change(timer, time, true)
    }

    /// Deletes a timer of this key that was set to `time`; nothing where it was not. Fails and panics as [`Self::set`].
    pub fn delete(&mut self, timer: Timer, time: i64) -> Result<()> {
        self.change(timer, time, false)
    }

    fn change(&mut self, timer: Timer, time: i64, set: bool) -> Result<()> {
        let Some(number) = self.declared.iter().position(|declared| *declared == timer) else {
            panic!("{} has no timer `{}` in its TIMERS", self.operator, timer.name);
        };
        let Some(key) = self.key else { return Err(no_key(timer)) };
        self.changes.push(Change { timer: number as u32, key, time, set });
        Ok(())
    }

    /// What was done, of each timer what was done last.
    pub(crate) fn finish(mut self) -> Vec<TimerUpdate> {
        // It keeps the order of those that are the same timer.
        self.changes.sort_by_key(|change| (change.timer, change.key, change.time));
        let mut updates: Vec<TimerUpdate> = Vec::new();
        for same in self.changes.chunk_by(|a, b| (a.timer, a.key, a.time) == (b.timer, b.key, b.time)) {
            let Some(last) = same.last() else { continue };
            if updates.last().is_none_or(|update| update.timer != last.timer) {
                let none = || KeyTimes { keys: Vec::new(), times: Vec::new() };
                updates.push(TimerUpdate { timer: last.timer, set: none(), deleted: none() });
            }
            let Some(update) = updates.last_mut() else { continue };
            let part = if last.set { &mut update.set } else { &mut update.deleted };
            push_u32(&mut part.keys, last.key);
            push_s64(&mut part.times, last.time);
        }
        updates
    }
}

#[cold]
fn no_key(timer: Timer) -> Error {
    Error::new(format_args!("timer `{}` needs a key, and this input is not keyed: give it `by = \"key\"` in the job file", timer.name))
}
