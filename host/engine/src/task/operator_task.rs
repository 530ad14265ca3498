//! A task with an input gate at its head: works off what the gate delivers, and takes its snapshot when the gate says so.
//!
//! While there is no room downstream it works on nothing, but still takes snapshots.

use super::call_pace::CallPace;
use super::timer::Timer;
use super::turn::Turn;
use super::{Chain, InFlight, Snapshots, TaskControl, TaskEvent, TaskEvents};
use crate::element::{Barrier, BarrierAlignment, CheckpointId, END_OF_TIME, Progress, RecordBatch, StreamElement};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{Appetite, GateEvent, InputChannel, InputGate};
use crate::runtime::Clock;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

enum Step {
    Control(TaskControl),
    Gate(GateEvent),
    /// Timers are due, or event time has made progress.
    Advance,
    /// What a node emits has come to a time.
    OutputTime(usize, Progress),
    /// Everything that there was has been worked off.
    End,
    Linger,
    /// An alignment has taken long enough.
    Alignment,
    /// The attempt is gone.
    Closed,
}

/// The head of a task that receives.
pub struct OperatorTask {
    gate: InputGate,
    chain: Chain,
    snapshots: Snapshots,
    control: mpsc::UnboundedReceiver<TaskControl>,
    events: TaskEvents,
    clock: Arc<dyn Clock>,
    linger: Timer,
    alignment: Timer,
    by_clock: Timer,
    pace: CallPace,
    /// The gate has nothing more: what is due at the end of time is worked off.
    is_ending: bool,
    ended: bool,
    /// Checkpoints that the coordinator has triggered and whose barrier has not come. Once the input has ended none will: the end
    /// counts as all of them.
    announced: BTreeSet<CheckpointId>,
    last_taken: Option<CheckpointId>,
}

impl OperatorTask {
    /// A task behind `gate`. Before it reads anything the chain restores what it is to restore.
    pub fn new(
        gate: InputGate,
        chain: Chain,
        snapshots: Snapshots,
        control: mpsc::UnboundedReceiver<TaskControl>,
        events: TaskEvents,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let timer = || Timer::new(clock.clone());
        Self {
            gate,
            chain,
            snapshots,
            control,
            events,
            linger: timer(),
            alignment: timer(),
            by_clock: timer(),
            clock,
            pace: CallPace::default(),
            is_ending: false,
            ended: false,
            announced: BTreeSet::new(),
            last_taken: None,
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
        self.chain.restore().await?;
        self.events.send(TaskEvent::Running);
        let mut turn = Turn::new(self.clock.clone(), self.chain.nodes[0].counts.occupations.clone());
        loop {
            match poll_fn(|cx| turn.poll(|| (self.poll_step(cx), self.chain.waits_at()))).await? {
                Step::Control(TaskControl::Look(question)) => self.chain.answer(question).await,
                Step::Control(control) => self.on_control(control)?,
                Step::Gate(event) => self.on_gate(event).await?,
                Step::Advance => self.chain.advance().await?,
                Step::OutputTime(node, progress) => self.chain.tell_behind(node, progress).await?,
                Step::End => self.on_end()?,
                Step::Linger => self.chain.output.flush(),
                Step::Alignment => self.gate.on_time(),
                Step::Closed => return Ok(()),
            }
            turn.step_made().await;
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, EngineError>> {
        if let Poll::Ready(control) = self.control.poll_recv(cx) {
            return Poll::Ready(Ok(control.map_or(Step::Closed, Step::Control)));
        }
        let torn_down = |_closed| EngineError::new(ErrorKind::Restart, "a task downstream is gone");
        let appetite = match self.chain.poll_room(cx).map_err(torn_down)? {
            Poll::Ready(()) => Appetite::Everything,
            Poll::Pending => Appetite::Barriers,
        };
        // In front of the gate: its channels may never run dry.
        if self.alignment.poll(self.gate.deadline(), cx).is_ready() {
            return Poll::Ready(Ok(Step::Alignment));
        }
        // What is due fires before anything else is worked off, and barriers pass between two calls.
        let may_work = appetite == Appetite::Everything && !self.ended;
        let is_due = may_work && self.chain.is_due();
        // In front of the gate too, but for idleness: only what finds nothing behind the gate may be idle.
        if may_work && let Some((node, progress)) = self.chain.look_at_output_time() {
            return Poll::Ready(Ok(Step::OutputTime(node, progress)));
        }
        if !self.is_ending
            && let Poll::Ready(event) = self.gate.poll_next(if is_due { Appetite::Barriers } else { appetite }, cx)
        {
            return Poll::Ready(Ok(Step::Gate(event)));
        }
        if is_due {
            return Poll::Ready(Ok(Step::Advance));
        }
        if self.is_ending && may_work {
            return Poll::Ready(Ok(Step::End));
        }
        // The gate may have noted a barrier's arrival.
        if self.alignment.poll(self.gate.deadline(), cx).is_ready() {
            return Poll::Ready(Ok(Step::Alignment));
        }
        if appetite == Appetite::Barriers {
            return Poll::Pending;
        }
        if may_work && let Poll::Ready((node, progress)) = self.chain.poll_output_time(|| true, cx) {
            return Poll::Ready(Ok(Step::OutputTime(node, progress)));
        }
        let by_clock = if self.ended { None } else { self.chain.next_by_clock() };
        let due = by_clock.map(|ms| self.clock.now().saturating_add(Duration::from_millis(ms)));
        if self.by_clock.poll(due, cx).is_ready() {
            return Poll::Ready(Ok(Step::Advance));
        }
        self.linger.poll(self.chain.output.linger_deadline(), cx).map(|()| Ok(Step::Linger))
    }

    async fn on_gate(&mut self, event: GateEvent) -> Result<(), EngineError> {
        match event {
            GateEvent::Batch { from, batch } => {
                self.work_off(from, batch).await?;
                if self.chain.output.linger_deadline().is_some_and(|deadline| self.clock.now() >= deadline) {
                    self.chain.output.flush();
                }
            }
            GateEvent::Progress(progress) => self.chain.begin_progress(progress),
            GateEvent::Barrier(barrier) => {
                let in_flight = match barrier.alignment {
                    BarrierAlignment::Aligned | BarrierAlignment::AlignedFor(_) => InFlight::Nothing,
                    BarrierAlignment::Unaligned => InFlight::Awaited,
                };
                self.take(barrier.checkpoint_id, in_flight)?;
                self.chain.output.send_marker(&StreamElement::Barrier(barrier));
            }
            GateEvent::InFlight(checkpoint_id, records) => self.snapshots.take_in_flight(checkpoint_id, records),
            GateEvent::Declined(checkpoint_id, decline) => self.events.send(TaskEvent::Declined { checkpoint_id, decline }),
            GateEvent::End => {
                self.is_ending = true;
                self.chain.begin_progress(Progress::Watermark(END_OF_TIME));
            }
        }
        Ok(())
    }

    fn on_end(&mut self) -> Result<(), EngineError> {
        self.ended = true;
        self.chain.output.send_marker(&StreamElement::EndOfInput);
        self.events.send(TaskEvent::InputEnded);
        self.take_announced()
    }

    async fn work_off(&mut self, from: InputChannel, batch: Arc<RecordBatch>) -> Result<(), EngineError> {
        let (part, rest) = self.pace.cut(batch);
        let began = self.clock.now();
        self.chain.process(from, &part).await?;
        self.pace.observe(part.len(), began + self.chain.take_waited(), self.clock.now());
        if let Some(rest) = rest {
            self.gate.put_back(from, rest);
        }
        Ok(())
    }

    fn on_control(&mut self, control: TaskControl) -> Result<(), EngineError> {
        match control {
            TaskControl::Trigger { checkpoint_id, alignment, .. } => {
                self.announced.insert(checkpoint_id);
                self.gate.announce(Barrier { checkpoint_id, alignment });
                if self.ended {
                    self.take_announced()?;
                }
            }
            TaskControl::Complete(checkpoint_id) => {
                self.chain.on_completed(checkpoint_id);
                self.snapshots.commit(checkpoint_id, None);
            }
            TaskControl::Abort(checkpoint_id) => {
                self.announced.remove(&checkpoint_id);
                self.gate.abort(checkpoint_id);
                self.snapshots.abort(checkpoint_id);
            }
            TaskControl::Overtake(checkpoint_id) => self.gate.overtake(checkpoint_id),
            TaskControl::Swap { checkpoint_id, vertex, operator } => self.chain.swap_at(checkpoint_id, vertex, operator),
            TaskControl::EndProbation(vertex) => self.chain.end_probation(vertex),
            // Questions are answered where they can wait.
            TaskControl::Drain | TaskControl::Assign(_) | TaskControl::Look(_) => {}
        }
        Ok(())
    }

    fn take_announced(&mut self) -> Result<(), EngineError> {
        while let Some(checkpoint_id) = self.announced.pop_first() {
            if self.last_taken < Some(checkpoint_id) {
                self.take(checkpoint_id, InFlight::Nothing)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, checkpoint_id: CheckpointId, in_flight: InFlight) -> Result<(), EngineError> {
        self.last_taken = Some(checkpoint_id);
        self.announced.retain(|&announced| announced > checkpoint_id);
        let began = self.clock.now();
        let alignment = self.gate.take_arrival(checkpoint_id).map_or(Duration::ZERO, |arrival| began.saturating_sub(arrival));
        self.snapshots.take(checkpoint_id, &mut self.chain, None, in_flight)?;
        let capture = self.clock.now().saturating_sub(began);
        self.events.send(TaskEvent::Captured { checkpoint_id, alignment, capture });
        if self.chain.swap(checkpoint_id) {
            self.events.send(TaskEvent::Swapped(self.clock.now().saturating_sub(began)));
        }
        Ok(())
    }
}
