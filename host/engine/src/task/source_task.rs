//! A task with a source at its head: reads, hands on, and starts barriers.

use super::call_pace::CallPace;
use super::lag_watch::LagWatch;
use super::source_time::SourceTime;
use super::timer::Timer;
use super::turn::Turn;
use super::{Chain, InFlight, RateLimiter, Snapshots, SourceClock, TaskControl, TaskEvent, TaskEvents};
use crate::element::{Barrier, CheckpointId, END_OF_TIME, Progress, RecordBatch, StreamElement};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{InFlightBudget, InFlightRecords, InputChannel};
use crate::metrics::{SubtaskMetrics, VertexMetrics};
use crate::operator::QuarantineLimit;
use crate::runtime::{Clock, Monotonic};
use crate::source::{ReadStatus, SourceReader, SplitBatch, SplitState, is_caught_up};
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Records read at once.
const READ_RECORDS: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    /// A stop checkpoint's barrier has been sent: nothing is read behind it.
    Suspended,
    /// All splits have been read to their end.
    Ended,
}

enum Step {
    Control(TaskControl),
    Read(ReadStatus),
    /// Restored records are worked off before anything is read.
    Restored(InputChannel, Arc<RecordBatch>),
    Linger,
    /// Time has made progress without a record.
    Progress(Progress),
    /// What a node emits has come to a time.
    OutputTime(usize, Progress),
    /// How far the reader lags behind has not been looked at since the last read.
    LookAtLag,
    /// The attempt is gone.
    Closed,
}

/// What a source task reads with.
pub struct Reading {
    /// The source's vertex.
    pub vertex: usize,
    /// The vertex's id.
    pub id: String,
    /// The subtask.
    pub index: u32,
    /// Reads the subtask's splits.
    pub reader: Box<dyn SourceReader>,
    /// Whether the source comes to an end by itself.
    pub bounded: bool,
    /// Where the source has a rate: what all its subtasks share.
    pub limiter: Option<Arc<RateLimiter>>,
    /// The source's counters.
    pub metrics: Arc<VertexMetrics>,
    /// The subtask's.
    pub counts: Arc<SubtaskMetrics>,
    /// Where the source makes watermarks: what its subtasks have in common.
    pub time: Option<SourceClock>,
}

/// The head of a task that reads.
pub struct SourceTask {
    reading: Reading,
    chain: Chain,
    snapshots: Snapshots,
    control: mpsc::UnboundedReceiver<TaskControl>,
    events: TaskEvents,
    clock: Arc<dyn Clock>,
    /// What the limiter has granted: so many records from this time on.
    reserved: Option<(usize, Monotonic)>,
    pace: Timer,
    linger: Timer,
    call_pace: CallPace,
    lag: LagWatch,
    /// `None`: the source makes no watermarks.
    time: Option<SourceTime>,
    phase: Phase,
    /// The input is to end where it is.
    draining: bool,
    batch: SplitBatch,
    /// Splits that were found, until the next barrier.
    assigned: Vec<SplitState>,
    /// What the reader is told when a checkpoint exists: its splits as of the barrier.
    awaited: BTreeMap<CheckpointId, Vec<SplitState>>,
    skipped: u64,
    quarantine: Quarantine,
    /// Records that were in flight in the restored checkpoint, on what is now an edge within the task.
    restored: VecDeque<(InputChannel, Arc<RecordBatch>)>,
    budget: InFlightBudget,
}

impl SourceTask {
    /// A task that reads.
    #[expect(clippy::too_many_arguments, reason = "deploy puts a task together once, from parts that have nothing else in common")]
    pub fn new(
        reading: Reading,
        chain: Chain,
        snapshots: Snapshots,
        control: mpsc::UnboundedReceiver<TaskControl>,
        events: TaskEvents,
        clock: Arc<dyn Clock>,
        restored: VecDeque<(InputChannel, Arc<RecordBatch>)>,
        budget: InFlightBudget,
    ) -> Self {
        let lag = LagWatch::new(reading.metrics.clone(), reading.index, clock.clone());
        let of = |time| {
            SourceTime::new(time, &reading.reader.splits(), (reading.id.clone(), reading.index), reading.metrics.clone(), clock.clone())
        };
        let time = reading.time.as_ref().map(of);
        Self {
            reading,
            chain,
            snapshots,
            control,
            events,
            pace: Timer::new(clock.clone()),
            linger: Timer::new(clock.clone()),
            clock,
            call_pace: CallPace::default(),
            lag,
            time,
            reserved: None,
            phase: Phase::Reading,
            draining: false,
            batch: SplitBatch::new(),
            assigned: Vec::new(),
            awaited: BTreeMap::new(),
            skipped: 0,
            quarantine: Quarantine::default(),
            restored,
            budget,
        }
    }

    /// Runs until the attempt is gone or something fails, and tells what.
    pub async fn run(mut self) {
        if let Err(error) = self.work().await {
            // Before its channels close: whoever finds them closed knows less of why.
            self.events.send(TaskEvent::Failed(error));
        }
    }

    async fn work(&mut self) -> Result<(), EngineError> {
        self.events.send(TaskEvent::Running);
        self.lag.look(&*self.reading.reader);
        let mut turn = Turn::new(self.clock.clone(), self.reading.counts.occupations.clone());
        loop {
            match poll_fn(|cx| turn.poll(|| (self.poll_step(cx), self.chain.waits_at()))).await? {
                Step::Control(control) => self.on_control(control)?,
                Step::Read(status) => self.on_read(status).await?,
                Step::Restored(from, batch) => self.on_restored(from, batch).await?,
                Step::Linger => self.chain.output.flush(),
                Step::Progress(progress) => self.on_progress(progress).await?,
                Step::OutputTime(node, progress) => self.chain.tell_behind(node, progress).await?,
                Step::LookAtLag => self.lag.look(&*self.reading.reader),
                Step::Closed => return Ok(()),
            }
            turn.step_made().await;
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, EngineError>> {
        let step = self.poll_work(cx);
        if step.is_pending() && self.lag.poll(cx).is_ready() {
            return Poll::Ready(Ok(Step::LookAtLag));
        }
        step
    }

    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, EngineError>> {
        if let Poll::Ready(control) = self.control.poll_recv(cx) {
            return Poll::Ready(Ok(control.map_or(Step::Closed, Step::Control)));
        }
        let torn_down = |_closed| EngineError::new(ErrorKind::Restart, "a task downstream is gone");
        if self.chain.poll_room(cx).map_err(torn_down)?.is_pending() {
            return Poll::Pending;
        }
        if let Some((from, batch)) = self.restored.pop_front() {
            return Poll::Ready(Ok(Step::Restored(from, batch)));
        }
        if self.phase == Phase::Reading {
            if let Some((node, progress)) = self.chain.look_at_output_time() {
                return Poll::Ready(Ok(Step::OutputTime(node, progress)));
            }
            if self.draining {
                return Poll::Ready(Ok(Step::Read(ReadStatus::End)));
            }
            if let Poll::Ready(status) = self.poll_read(cx) {
                return Poll::Ready(status.and_then(|status| self.checked(status)).map(Step::Read));
            }
            if let Some(time) = &mut self.time
                && let Poll::Ready(progress) = time.poll_waiting(&*self.reading.reader, cx)
            {
                return Poll::Ready(Ok(Step::Progress(progress)));
            }
            if let Poll::Ready((node, progress)) = self.chain.poll_output_time(|| is_caught_up(&*self.reading.reader), cx) {
                return Poll::Ready(Ok(Step::OutputTime(node, progress)));
            }
        }
        self.linger.poll(self.chain.output.linger_deadline(), cx).map(|()| Ok(Step::Linger))
    }

    fn checked(&self, status: ReadStatus) -> Result<ReadStatus, EngineError> {
        if status == ReadStatus::End && !self.reading.bounded {
            let message = format!("read {}: its reader has ended, and a source without an end has always more to come", self.reading.id);
            return Err(EngineError::new(ErrorKind::Bug, message));
        }
        Ok(status)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<ReadStatus, EngineError>> {
        let Some(limiter) = &self.reading.limiter else {
            return self.reading.reader.poll_read(cx, READ_RECORDS.min(self.call_pace.records()), &mut self.batch);
        };
        let now = self.clock.now();
        let most = limiter.batch().min(self.call_pace.records());
        let (granted, from) = *self.reserved.get_or_insert_with(|| (most, limiter.reserve(most, now)));
        if self.pace.poll(Some(from), cx).is_pending() {
            return Poll::Pending;
        }
        let read = self.reading.reader.poll_read(cx, granted, &mut self.batch);
        if read.is_ready() {
            limiter.refund(granted.saturating_sub(self.batch.len()));
            self.reserved = None;
        }
        read
    }

    async fn on_restored(&mut self, from: InputChannel, batch: Arc<RecordBatch>) -> Result<(), EngineError> {
        let (part, rest) = self.call_pace.cut(batch);
        let began = self.clock.now();
        self.chain.process(from, &part).await?;
        self.call_pace.observe(part.len(), began + self.chain.take_waited(), self.clock.now());
        if let Some(rest) = rest {
            self.restored.push_front((from, rest));
        }
        Ok(())
    }

    async fn on_read(&mut self, status: ReadStatus) -> Result<(), EngineError> {
        self.lag.on_read(&*self.reading.reader);
        let before = std::mem::replace(&mut self.skipped, self.reading.reader.skipped());
        self.reading.metrics.skipped.add(self.skipped - before);
        self.quarantine().await?;
        if !self.batch.is_empty() {
            self.time.iter_mut().for_each(|time| time.on_read(&self.batch));
            let batch = self.batch.take();
            self.reading.counts.emitted(batch.len(), batch.byte_len());
            let (records, began) = (batch.len(), self.clock.now());
            self.chain.process_from_source(batch).await?;
            self.call_pace.observe(records, began + self.chain.take_waited(), self.clock.now());
        }
        if status == ReadStatus::More
            && let Some(progress) = self.time.as_mut().and_then(|time| time.look_behind_records(&*self.reading.reader))
        {
            self.on_progress(progress).await?;
        }
        if self.chain.output.linger_deadline().is_some_and(|deadline| self.clock.now() >= deadline) {
            self.chain.output.flush();
        }
        if status == ReadStatus::End {
            self.phase = Phase::Ended;
            self.lag.look(&*self.reading.reader);
            self.time.iter().for_each(SourceTime::end);
            self.on_progress(Progress::Watermark(END_OF_TIME)).await?;
            self.chain.output.send_marker(&StreamElement::EndOfInput);
            self.events.send(TaskEvent::InputEnded);
        }
        Ok(())
    }

    async fn on_progress(&mut self, progress: Progress) -> Result<(), EngineError> {
        self.reading.metrics.watermark.set(self.reading.index, progress.time());
        self.chain.on_progress(progress).await
    }

    /// Hands on what could not be read, within the same cut as what could: no barrier comes between a poll and this.
    async fn quarantine(&mut self) -> Result<(), EngineError> {
        let reports = self.reading.reader.take_quarantined();
        self.quarantine.seen += (self.batch.len() + reports.len()) as u64;
        if reports.is_empty() {
            return Ok(());
        }
        self.quarantine.records += reports.len() as u64;
        self.reading.metrics.quarantined.add(reports.len() as u64);
        self.chain.quarantine_from_source(reports).await?;
        self.quarantine.check(&self.reading.id)
    }

    fn on_control(&mut self, control: TaskControl) -> Result<(), EngineError> {
        match control {
            TaskControl::Trigger { checkpoint_id, trigger, alignment } => {
                let assigned = std::mem::take(&mut self.assigned);
                if self.phase == Phase::Reading {
                    // Nothing of theirs is kept here by their places.
                    let forgotten = self.reading.reader.forget_finished();
                    if let Some(time) = &mut self.time {
                        time.forget(&forgotten);
                        time.add(&assigned);
                    }
                    self.reading.reader.add_splits(assigned).map_err(|error| error.context(&self.reading.id))?;
                    self.lag.on_barrier(&*self.reading.reader);
                }
                self.take(checkpoint_id)?;
                // Behind the end of its input a channel has no barriers: the end counts as all of them.
                if self.phase != Phase::Ended {
                    self.chain.output.send_marker(&StreamElement::Barrier(Barrier { checkpoint_id, alignment }));
                    if trigger.suspends() {
                        self.phase = Phase::Suspended;
                    }
                }
            }
            TaskControl::Complete(checkpoint_id) => {
                self.chain.on_completed(checkpoint_id);
                let told = self.tell_reader(checkpoint_id);
                self.snapshots.commit(checkpoint_id, told);
            }
            // A failed stop checkpoint is tried again: a suspended source stays where it is.
            TaskControl::Abort(checkpoint_id) => {
                self.awaited.remove(&checkpoint_id);
                self.snapshots.abort(checkpoint_id);
            }
            TaskControl::Assign(splits) => self.assigned.extend(splits),
            TaskControl::Overtake(_) | TaskControl::Look(_) => {}
            TaskControl::Drain => self.draining = true,
            TaskControl::Swap { checkpoint_id, vertex, operator } => self.chain.swap_at(checkpoint_id, vertex, operator),
            TaskControl::EndProbation(vertex) => self.chain.end_probation(vertex),
        }
        Ok(())
    }

    /// Tells the reader of a checkpoint that exists; older ones need not be told of any more.
    fn tell_reader(&mut self, checkpoint_id: CheckpointId) -> Option<BoxFuture<'static, Result<(), EngineError>>> {
        let splits = self.awaited.remove(&checkpoint_id)?;
        self.awaited.retain(|&other, _| other > checkpoint_id);
        self.reading.reader.on_completed(checkpoint_id, splits)
    }

    /// Restored records that are still to be worked off are part of the snapshot, whatever the barrier's alignment.
    fn take(&mut self, checkpoint_id: CheckpointId) -> Result<(), EngineError> {
        let mut splits = self.reading.reader.splits();
        if let Some(time) = &self.time {
            time.note(&mut splits);
        }
        if self.reading.reader.hears_of_completion() {
            self.awaited.insert(checkpoint_id, splits.clone());
        }
        let source = Some((self.reading.vertex, splits));
        let in_flight = if self.restored.is_empty() { InFlight::Nothing } else { InFlight::Awaited };
        let began = self.clock.now();
        self.snapshots.take(checkpoint_id, &mut self.chain, source, in_flight).map_err(|error| error.context(&self.reading.id))?;
        let capture = self.clock.now().saturating_sub(began);
        self.events.send(TaskEvent::Captured { checkpoint_id, alignment: Monotonic::ZERO, capture });
        if self.chain.swap(checkpoint_id) {
            self.events.send(TaskEvent::Swapped(self.clock.now().saturating_sub(began)));
        }
        let mut records = InFlightRecords::new(self.budget.clone());
        if self.restored.iter().fold(true, |within, (from, batch)| records.add(*from, [batch.clone()]) && within) {
            self.snapshots.take_in_flight(checkpoint_id, records);
        } else {
            self.events.send(TaskEvent::Declined { checkpoint_id, decline: self.budget.exceeded() });
        }
        Ok(())
    }
}

/// What one subtask has set aside in this attempt.
#[derive(Default)]
struct Quarantine {
    records: u64,
    /// Those that could be read among them.
    seen: u64,
    limit: QuarantineLimit,
}

impl Quarantine {
    fn check(&self, source: &str) -> Result<(), EngineError> {
        if !self.limit.exceeded(self.records, self.seen) {
            return Ok(());
        }
        let hint = "up to the last complete checkpoint the rows and their errors are in the source's quarantine output; mend the input, or what `format` says of it";
        Err(EngineError::new(ErrorKind::FixInput, self.limit.exceeded_message(source, self.records, self.seen)).with_hint(hint))
    }
}

#[cfg(test)]
#[path = "source_task_tests.rs"]
mod tests;
