//! When a source's task tells how far its time is: behind the records that moved it, at most every few milliseconds while it reads, and when a split has
//! been quiet for long enough.
//!
//! Only time counts in which the task looks again and again. One that waits and is woken much later than it asked for stood still, as in a process that is stopped
//! for a while; so did what hands records to it, and these are still on their way. That time is no idleness. Where it is woken late twice on end it shares its thread
//! with calls that take long: then nothing stood still but the task, and time counts.

use super::timer::Timer;
use crate::element::{Progress, Watermark};
use crate::metrics::VertexMetrics;
use crate::runtime::{Clock, Monotonic};
use crate::source::{SourceReader, SplitBatch, SplitState};
use crate::time::{OpenSplits, SourceIdleness, SplitWatermarks, WatermarkSettings};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tracing::warn;

/// From one watermark to the next, while records are read. Each closes the batches in front of it, which are as old then as a batch becomes at most.
const TELL_AGAIN: Duration = Duration::from_millis(10);
/// How often the time of an idle source that goes on by the clock is told.
const IDLE_TICK: Duration = Duration::from_millis(100);
/// A task that is woken later than it asked for by more than this stood still, or by more than a quarter of the time after which its splits are idle.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the subtasks of a source that makes watermarks have in common.
#[derive(Clone)]
pub struct SourceClock {
    /// How it makes them.
    pub settings: WatermarkSettings,
    /// What its subtasks know together of their idleness.
    idleness: Arc<SourceIdleness>,
}

impl SourceClock {
    /// That of a source of so many subtasks.
    pub fn new(settings: WatermarkSettings, subtasks: u32) -> Self {
        Self { settings, idleness: Arc::new(SourceIdleness::new(subtasks)) }
    }
}

/// What is asked of whoever hands records on.
pub(super) trait ReadSplits {
    /// See [`SourceReader::is_finished`].
    fn is_read(&self, split: usize) -> bool;
    /// See [`SourceReader::is_idle`].
    fn is_caught_up(&self, split: usize) -> bool;
}

impl<R: SourceReader + ?Sized> ReadSplits for R {
    fn is_read(&self, split: usize) -> bool {
        self.is_finished(split)
    }

    fn is_caught_up(&self, split: usize) -> bool {
        self.is_idle(split)
    }
}

/// The time of one source subtask.
pub(super) struct SourceTime {
    splits: SplitWatermarks,
    /// Where the time of an idle source goes on.
    idleness: Option<Arc<SourceIdleness>>,
    source: String,
    subtask: u32,
    metrics: Arc<VertexMetrics>,
    clock: Arc<dyn Clock>,
    timer: Timer,
    /// When the task asked to be woken, where it has waited since.
    asked: Option<Monotonic>,
    /// It was woken late the last time.
    was_late: bool,
    /// How late that is.
    patience: Duration,
    /// Something may have changed since the last look.
    is_stale: bool,
    /// Nothing is told before this time.
    next: Monotonic,
    /// The subtask is idle.
    is_idle: bool,
    /// What has been told of the time that goes on by the clock.
    by_clock: Option<Watermark>,
    warned_of_ahead: bool,
}

impl SourceTime {
    /// That of subtask `subtask` of `source`, which begins with these splits.
    pub fn new(
        of: &SourceClock,
        splits: &[SplitState],
        (source, subtask): (String, u32),
        metrics: Arc<VertexMetrics>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            splits: SplitWatermarks::new(of.settings.clone(), splits),
            idleness: of.settings.advance_when_idle.then(|| of.idleness.clone()),
            source,
            subtask,
            metrics,
            timer: Timer::new(clock.clone()),
            clock,
            asked: None,
            was_late: false,
            patience: of.settings.idle_after.map_or(PATIENCE, |idle_after| PATIENCE.min(idle_after / 4)),
            is_stale: true,
            next: Monotonic::ZERO,
            is_idle: false,
            by_clock: None,
            warned_of_ahead: false,
        }
    }

    /// See [`SplitWatermarks::beside`].
    pub fn beside(self, others: Option<i64>) -> Self {
        Self { splits: self.splits.beside(others), ..self }
    }

    /// More splits, behind those that there are.
    pub fn add(&mut self, splits: &[SplitState]) {
        self.splits.add(splits);
    }

    /// See [`SplitWatermarks::forget`].
    pub fn forget(&mut self, places: &[usize]) {
        self.splits.forget(places);
    }

    /// See [`SplitWatermarks::note`].
    pub fn note(&self, splits: &mut [SplitState]) {
        self.splits.note(splits);
    }

    /// The reader has ended.
    pub fn end(&self) {
        if let Some(idleness) = &self.idleness {
            idleness.on_end(self.subtask, self.clock.now());
        }
    }

    /// These records are about to be handed on.
    pub fn on_read(&mut self, batch: &SplitBatch) {
        let mut at = 0;
        for run in batch.runs() {
            self.on_records(run.split, &batch.timestamps()[at..at + run.records]);
            at += run.records;
        }
    }

    /// Records of a split with these timestamps are about to be handed on.
    pub fn on_records(&mut self, split: usize, timestamps: &[i64]) {
        let ahead = self.splits.on_records(split, timestamps, self.clock.wall_ms());
        self.is_stale = true;
        if ahead > 0 {
            self.metrics.ahead.add(ahead);
            self.warn_of_ahead();
        }
    }

    fn warn_of_ahead(&mut self) {
        if let Some(split) = self.splits.only_ahead().next().filter(|_| !self.warned_of_ahead) {
            self.warned_of_ahead = true;
            let what = "every record of a split is further ahead of the clock than `max-ahead`: nothing moves its watermark";
            warn!(source = %self.source, subtask = self.subtask, split, what);
        }
    }

    /// They have been handed on, and all that there was in front of them: what there is to tell.
    pub fn look_behind_records(&mut self, reader: &(impl ReadSplits + ?Sized)) -> Option<Progress> {
        let now = self.woken();
        if now < self.next {
            return None;
        }
        self.look(reader, false, now);
        self.tell(now)
    }

    /// There is work to do, and nobody knows whether there is more to hand on: what records have brought to tell.
    pub fn look_at_records(&mut self) -> Option<Progress> {
        let now = self.woken();
        if now < self.next {
            return None;
        }
        self.splits.look_at_records();
        self.tell(now)
    }

    /// The reader waits for more. Ready with what there is to tell, once it is time.
    pub fn poll_waiting(&mut self, reader: &(impl ReadSplits + ?Sized), cx: &mut Context<'_>) -> Poll<Progress> {
        loop {
            let now = self.woken();
            self.look(reader, true, now);
            if now >= self.next
                && let Some(progress) = self.tell(now)
            {
                return Poll::Ready(progress);
            }
            let again = (self.is_stale || (self.is_idle && self.idleness.is_some())).then_some(self.next);
            let next_look = self.splits.next_look(now).map(|next_look| next_look.max(self.next));
            let deadline = [again, next_look].into_iter().flatten().min();
            if self.timer.poll(deadline, cx).is_pending() {
                self.asked = deadline;
                return Poll::Pending;
            }
        }
    }

    /// The task goes on, now: where it has waited for longer than it asked for, that counts for nothing.
    fn woken(&mut self) -> Monotonic {
        let now = self.clock.now();
        let Some(asked) = self.asked.take() else { return now };
        let late = now.saturating_sub(asked);
        let was_late = std::mem::replace(&mut self.was_late, late > self.patience);
        if self.was_late && !was_late {
            self.splits.stood_still(late, now);
            self.idleness.iter().for_each(|idleness| idleness.stood_still(asked, now));
        }
        now
    }

    fn look(&mut self, reader: &(impl ReadSplits + ?Sized), waits: bool, now: Monotonic) {
        let is_caught_up = |split: usize| reader.is_caught_up(split);
        let is_caught_up: Option<&dyn Fn(usize) -> bool> = if waits { Some(&is_caught_up) } else { None };
        self.splits.look(&OpenSplits { is_finished: &|split| reader.is_read(split), is_caught_up }, now);
    }

    fn tell(&mut self, now: Monotonic) -> Option<Progress> {
        let own = self.splits.news();
        self.is_stale = self.splits.has_news();
        if let Some(own) = own {
            self.is_idle = own == Progress::Idle;
            if let Some(idleness) = &self.idleness {
                idleness.on_progress(self.subtask, own, now);
            }
        }
        let told = self.with_clock(own, now);
        match (told, self.is_idle && self.idleness.is_some()) {
            (_, true) => self.next = now + IDLE_TICK,
            (Some(_), false) => self.next = now + TELL_AGAIN,
            (None, false) => {}
        }
        told
    }

    /// Where all of the source is idle its time goes on, and where it is no more this subtask is idle again.
    fn with_clock(&mut self, own: Option<Progress>, now: Monotonic) -> Option<Progress> {
        let Some(idleness) = self.idleness.as_ref().filter(|_| self.is_idle) else {
            self.by_clock = None;
            return own;
        };
        let Some(watermark) = idleness.watermark(now) else {
            return own.or(self.by_clock.take().map(|_| Progress::Idle));
        };
        self.splits.advance(watermark);
        (self.by_clock.replace(watermark) != Some(watermark)).then_some(Progress::Watermark(watermark))
    }
}

#[cfg(test)]
#[path = "source_time_tests.rs"]
mod tests;
