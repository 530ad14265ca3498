//! Whether a whole source is idle, which its subtasks know together: then its time may go on as the clock does.
//!
//! One subtask's splits being idle is not enough: what the others read may be from long ago, and a time that went on by the clock beside it would hold theirs
//! back. Its time then is the one that those behind it have, merged from all subtasks, with the time that all have been idle since, from zero at each start:
//! so data of the past is never judged by today's clock.

use super::millis;
use crate::element::{NO_TIMESTAMP, Progress, Watermark};
use crate::exchange::{Merged, WatermarkValve};
use crate::runtime::Monotonic;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The subtasks of one source.
pub(crate) struct SourceIdleness(Mutex<Subtasks>);

struct Subtasks {
    valve: WatermarkValve,
    idle: Vec<bool>,
    /// Since when all have been.
    all_since: Option<Monotonic>,
}

impl SourceIdleness {
    /// None of so many subtasks has said anything yet.
    pub fn new(subtasks: u32) -> Self {
        let count = subtasks as usize;
        Self(Mutex::new(Subtasks { valve: WatermarkValve::new(count), idle: vec![false; count], all_since: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Subtasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A subtask tells how far it is.
    pub fn on_progress(&self, subtask: u32, progress: Progress, now: Monotonic) {
        let is_idle = progress == Progress::Idle;
        self.note(subtask, is_idle, now, |valve| valve.on_progress(subtask as usize, progress));
    }

    /// A subtask has ended. It holds the others back as little as one that is idle.
    pub fn on_end(&self, subtask: u32, now: Monotonic) {
        self.note(subtask, true, now, |valve| valve.on_end(subtask as usize));
    }

    fn note(&self, subtask: u32, is_idle: bool, now: Monotonic, tell: impl FnOnce(&mut WatermarkValve) -> Merged) {
        let mut state = self.lock();
        if let Some(since) = state.all_since {
            // What has passed by the clock stays passed.
            let passed = state.passed(since, now);
            state.valve.raise(passed);
        }
        tell(&mut state.valve);
        state.idle[subtask as usize] = is_idle;
        let all = state.idle.iter().all(|idle| *idle);
        state.all_since = all.then_some(now);
    }

    /// Nobody could look from then until now. That is no time that all have been idle for.
    pub fn stood_still(&self, from: Monotonic, now: Monotonic) {
        let mut state = self.lock();
        let Some(since) = state.all_since.filter(|since| *since < now) else { return };
        let passed = state.passed(since, from);
        state.valve.raise(passed);
        state.all_since = Some(now);
    }

    /// The source's time, where all of it is idle and it has had a time before.
    pub fn watermark(&self, now: Monotonic) -> Option<Watermark> {
        let state = self.lock();
        let since = state.all_since?;
        (state.valve.merged() > Watermark(NO_TIMESTAMP)).then(|| state.passed(since, now))
    }
}

impl Subtasks {
    fn passed(&self, since: Monotonic, now: Monotonic) -> Watermark {
        let merged = self.valve.merged();
        let none = merged == Watermark(NO_TIMESTAMP);
        if none { merged } else { Watermark(merged.0.saturating_add(millis(now.saturating_sub(since)))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// `A5`: subtask A is at 5; `A~`: it is idle; `A|`: it has ended; `t7`: the clock is at 7 ms; `s7`: the same, and nobody could look until then. The source's time
    /// behind each.
    #[track_caller]
    fn check(subtasks: u32, events: &str, expect: &str) {
        let (idleness, mut now) = (SourceIdleness::new(subtasks), Duration::ZERO);
        let mut out = Vec::new();
        for event in events.split_whitespace() {
            let subtask = u32::from(event.as_bytes()[0].saturating_sub(b'A'));
            match event.split_at(1) {
                ("t", ms) => now = Duration::from_millis(ms.parse().unwrap()),
                ("s", ms) => {
                    let (from, until) = (now, Duration::from_millis(ms.parse().unwrap()));
                    // Each subtask finds that out for itself.
                    (0..subtasks).for_each(|_| idleness.stood_still(from, until));
                    now = until;
                }
                (_, "~") => idleness.on_progress(subtask, Progress::Idle, now),
                (_, "|") => idleness.on_end(subtask, now),
                (_, time) => idleness.on_progress(subtask, Progress::Watermark(Watermark(time.parse().unwrap())), now),
            }
            out.push(idleness.watermark(now).map_or("-".into(), |watermark| watermark.0.to_string()));
        }
        assert_eq!(out.join(" "), expect, "{events}");
    }

    #[test]
    fn time_goes_on_by_the_clock_while_all_are_idle() {
        check(1, "A5 t3 A~ t4 t10", "- - 5 6 12");
        check(2, "A5 B3 A~ t9 B~ t10", "- - - - 3 4");
        check(2, "A5 B3 B~ t9 A~ t10", "- - - - 5 6");
    }

    #[test]
    fn one_that_reads_stops_it_and_the_next_time_it_begins_at_zero() {
        check(1, "A5 A~ t4 A5 t9 A~ t10", "- 5 9 - - 9 10");
        check(1, "A5 A~ t4 A20 t9 A~ t10", "- 5 9 - - 20 21");
    }

    #[test]
    fn time_goes_on_by_the_clock_where_those_that_are_not_idle_have_ended() {
        check(2, "A5 B3 A| t9 B~ t10", "- - - - 3 4");
        check(2, "A5 B3 B~ t9 A| t10 B7 t11 B~ t12", "- - - - 5 6 - - 7 8");
        check(2, "A5 B3 A~ B~ t9 A| t10", "- - - 3 12 12 13");
    }

    #[test]
    fn time_in_which_nobody_could_look_does_not_pass() {
        check(1, "A5 t3 A~ t4 s90 t92", "- - 5 6 6 8");
        check(2, "A5 B3 A~ s90 B~ t95 s99 t100", "- - - - 3 8 8 9");
    }

    #[test]
    fn one_that_never_had_a_time_is_no_end_of_the_others() {
        check(2, "A5 A~ t9 B~ t10", "- - - 5 6");
        check(2, "A5 B~ t9 A~ t10", "- - - 5 6");
    }

    #[test]
    fn without_a_time_there_is_none_to_go_on_from() {
        check(1, "A~ t900", "- -");
    }
}
