//! Splits that a reader is given while it runs: when they take effect, and when they do not.

use super::*;
use crate::checkpoint::{CheckpointBases, Trigger};
use crate::element::{AttemptId, BarrierAlignment};
use crate::exchange::Output;
use crate::runtime::{SimulationEnd, Simulator, TaskGroup};
use crate::source::{LagUnit, SplitLag, SplitProgress};
use crate::storage::ObjectStorage;
use crate::task::SnapshotContext;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// What is done with the reader, and what the attempt is told, in order.
type Seen = Arc<Mutex<Vec<String>>>;

/// Reads each split in one poll, and is then idle. It forgets splits that are finished.
struct Reader {
    splits: Vec<SplitState>,
    seen: Seen,
    /// How often it was asked how far its splits lag.
    looks: Arc<AtomicUsize>,
}

fn split(id: &str) -> SplitState {
    SplitState::unread(id.into(), serde_json::Value::Null)
}

impl SourceReader for Reader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, _max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        let Some(place) = self.splits.iter().position(|split| split.progress == SplitProgress::Unread) else { return Poll::Pending };
        let split = &mut self.splits[place];
        split.progress = SplitProgress::Finished;
        out.of(place).push(None, split.id.as_bytes(), None);
        self.seen.lock().unwrap().push(format!("reads {}", split.id));
        Poll::Ready(Ok(ReadStatus::More))
    }

    fn splits(&self) -> Vec<SplitState> {
        self.splits.clone()
    }

    fn forget_finished(&mut self) -> Vec<usize> {
        let finished = |split: &SplitState| split.progress == SplitProgress::Finished;
        let places = self.splits.iter().enumerate().filter(|(_, split)| finished(split)).map(|(place, _)| place).collect();
        self.splits.retain(|split| !finished(split));
        places
    }

    fn add_splits(&mut self, splits: Vec<SplitState>) -> Result<(), EngineError> {
        splits.iter().for_each(|split| self.seen.lock().unwrap().push(format!("is given {}", split.id)));
        self.splits.extend(splits);
        Ok(())
    }

    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        self.looks.fetch_add(1, Relaxed);
        for split in &self.splits {
            let amount = u64::from(split.progress == SplitProgress::Unread);
            each(&split.id, Some(SplitLag { amount, unit: LagUnit::Records }));
        }
    }
}

struct Running {
    simulator: Simulator,
    controls: mpsc::UnboundedSender<TaskControl>,
    told: mpsc::UnboundedReceiver<(usize, TaskEvent)>,
    seen: Seen,
    metrics: Arc<VertexMetrics>,
    looks: Arc<AtomicUsize>,
}

impl Running {
    /// A task that reads these splits.
    fn with(splits: &[&str]) -> Self {
        let mut running = Self::begun(splits);
        running.settle();
        running
    }

    /// The same, which has not made a step.
    fn begun(splits: &[&str]) -> Self {
        let (metrics, looks) = (Arc::<VertexMetrics>::default(), Arc::<AtomicUsize>::default());
        let simulator = Simulator::new(1);
        let runtime = simulator.runtime();
        let ((controls, inbox), (sender, told)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let (events, seen, bases) = (TaskEvents::new(0, sender), Seen::default(), Arc::<CheckpointBases>::default());
        (1..9).for_each(|id| bases.on_triggered(CheckpointId(id)));
        let snapshots = Snapshots::new(SnapshotContext {
            store: Arc::new(ObjectStorage::in_memory()),
            clock: runtime.clock.clone(),
            group: TaskGroup::new(runtime.spawn.clone(), Arc::new(|_, _| {})),
            bases,
            committers: Arc::new(|_| None),
            attempt: AttemptId(1),
            nonce: "n".into(),
            head: "lines".into(),
            index: 0,
            edges: Arc::new([]),
            events: events.clone(),
        });
        let reading = Reading {
            vertex: 0,
            id: "lines".into(),
            index: 0,
            reader: Box::new(Reader { splits: splits.iter().map(|id| split(id)).collect(), seen: seen.clone(), looks: looks.clone() }),
            bounded: false,
            limiter: None,
            metrics: metrics.clone(),
            counts: Arc::default(),
            time: None,
        };
        let chain = Chain::new("lines".into(), Vec::new(), Vec::new(), Output::default(), runtime.clock.clone());
        let budget = InFlightBudget::new(0);
        let task = SourceTask::new(reading, chain, snapshots, inbox, events, runtime.clock.clone(), VecDeque::new(), budget);
        runtime.spawn.spawn(crate::runtime::Lane::Data, "lines", Box::pin(task.run()));
        Self { simulator, controls, told, seen, metrics, looks }
    }

    /// How far its splits lag together, as the task said last.
    fn lag(&self) -> Option<u64> {
        self.metrics.lag.get().known.map(|known| known.total)
    }

    /// Runs until it has said that its splits lag so far.
    #[track_caller]
    fn until_it_lags(&mut self, lag: u64) {
        let metrics = self.metrics.clone();
        let said = move || metrics.lag.get().known.is_some_and(|known| known.total == lag);
        assert_eq!(self.simulator.run_until(said, 1_000), SimulationEnd::Finished, "{:?}", self.lag());
    }

    fn assign(&mut self, ids: &[&str]) {
        assert!(self.controls.send(TaskControl::Assign(ids.iter().map(|id| split(id)).collect())).is_ok());
        self.settle();
    }

    fn trigger(&mut self, checkpoint_id: u64, trigger: Trigger) {
        let (checkpoint_id, alignment) = (CheckpointId(checkpoint_id), BarrierAlignment::Aligned);
        assert!(self.controls.send(TaskControl::Trigger { checkpoint_id, trigger, alignment }).is_ok());
        self.settle();
    }

    /// Runs until everything waits, and notes what each checkpoint has.
    fn settle(&mut self) {
        assert_eq!(self.simulator.run_until(|| false, 1_000), SimulationEnd::Deadlock);
        while let Ok((_, event)) = self.told.try_recv() {
            if let TaskEvent::Acknowledged { checkpoint_id, parts } = event {
                let of = |split: &SplitState| format!("{}:{:?}", split.id, split.progress);
                let splits: Vec<_> = parts.iter().flat_map(|(_, part)| part.splits.iter().map(of)).collect();
                self.seen.lock().unwrap().push(format!("checkpoint {checkpoint_id} has {}", splits.join(" ")));
            }
        }
    }

    #[track_caller]
    fn expect(&self, expect: &[&str]) {
        assert_eq!(std::mem::take(&mut *self.seen.lock().unwrap()), expect);
    }
}

#[test]
fn what_is_found_waits_for_the_next_barrier_is_unread_in_its_checkpoint_and_read_behind_it() {
    let mut running = Running::with(&["a"]);
    running.expect(&["reads a"]);
    running.assign(&["b"]);
    running.assign(&["c"]);
    running.expect(&[]);
    running.trigger(1, Trigger::Periodic);
    running.expect(&["is given b", "is given c", "reads b", "reads c", "checkpoint 1 has b:Unread c:Unread"]);
    running.trigger(2, Trigger::Periodic);
    running.expect(&["checkpoint 2 has "]);
}

#[test]
fn how_far_a_reader_lags_is_known_before_it_reads_at_a_barrier_and_behind_what_it_read() {
    let mut running = Running::begun(&["a", "b", "c"]);
    assert_eq!(running.lag(), None);
    running.until_it_lags(3);
    running.settle();
    assert_eq!(running.lag(), Some(0), "what was read last counts as well, although nothing is read any more");
    let (checkpoint_id, alignment) = (CheckpointId(1), BarrierAlignment::Aligned);
    assert!(running.controls.send(TaskControl::Assign(vec![split("d"), split("e")])).is_ok());
    assert!(running.controls.send(TaskControl::Trigger { checkpoint_id, trigger: Trigger::Periodic, alignment }).is_ok());
    running.until_it_lags(2);
    running.settle();
    assert_eq!(running.lag(), Some(0));
}

#[test]
fn a_reader_is_not_asked_with_every_batch_how_far_it_lags() {
    let ids: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let mut running = Running::with(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert!((2..=4).contains(&running.looks.load(Relaxed)), "it is asked {} times", running.looks.load(Relaxed));
    running.settle();
    assert!(running.looks.load(Relaxed) <= 4, "where nothing is read no timer is set");
}

#[test]
fn what_is_finished_and_need_not_be_known_is_no_part_of_the_next_checkpoint() {
    let mut running = Running::with(&["a"]);
    running.trigger(1, Trigger::Periodic);
    running.expect(&["reads a", "checkpoint 1 has "]);
}

#[test]
fn behind_the_end_of_its_input_and_behind_a_stop_a_reader_is_given_nothing() {
    for (drained, trigger) in [(true, Trigger::Periodic), (false, Trigger::Stop)] {
        let mut running = Running::with(&["a"]);
        if drained {
            assert!(running.controls.send(TaskControl::Drain).is_ok());
            running.settle();
        } else {
            running.trigger(1, trigger);
        }
        running.seen.lock().unwrap().clear();
        running.assign(&["b"]);
        running.trigger(2, trigger);
        let seen = running.seen.lock().unwrap().join("; ");
        assert!(!seen.contains('b'), "{seen}");
    }
}
