//! What is known of splits while an attempt runs: each is assigned once, whatever becomes of checkpoints and of what readers forget.

use super::*;
use crate::checkpoint::SubtaskSnapshot;
use crate::checkpoint::Trigger;
use crate::runtime::{Clock, SimulationEnd, Simulator};
use crate::source::{ReaderContext, SourceReader};
use futures_util::future::BoxFuture;
use std::collections::VecDeque;

fn split(id: &str) -> SplitState {
    SplitState::unread(id.into(), serde_json::Value::Null)
}

fn splits(ids: &str) -> Vec<SplitState> {
    ids.split_whitespace().map(split).collect()
}

fn ids<'a>(splits: impl IntoIterator<Item = &'a SplitState>) -> String {
    splits.into_iter().map(|split| split.id.as_str()).collect::<Vec<_>>().join(" ")
}

/// Answers to looks, in order; without any more, nothing is found.
type Answers = Arc<Mutex<VecDeque<Result<Vec<SplitState>, EngineError>>>>;

struct Scripted {
    answers: Answers,
    /// What each look compared with.
    compared: Arc<Mutex<Vec<String>>>,
}

impl Source for Scripted {
    fn connector(&self) -> &'static str {
        "scripted"
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn new_splits<'a>(&'a self, known: &'a [SplitState], _parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        self.compared.lock().unwrap().push(ids(known));
        let answer = self.answers.lock().unwrap().pop_front();
        async { answer.unwrap_or_else(|| Ok(Vec::new())) }.boxed()
    }

    fn verify<'a>(&'a self, _splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn reader(&self, _context: &ReaderContext, _splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Err(EngineError::new(ErrorKind::Bug, "nobody reads here"))
    }
}

/// A source of the vertex 0 that is looked at, by tasks 4 and 5.
struct Bench {
    discovery: Discovery,
    simulator: Simulator,
    answers: Answers,
    compared: Arc<Mutex<Vec<String>>>,
}

const INTERVAL: Duration = Duration::from_secs(1);

impl Bench {
    fn with(stored: &str) -> Self {
        let simulator = Simulator::new(1);
        let (answers, compared) = (Answers::default(), Arc::<Mutex<Vec<String>>>::default());
        let known = Arc::new(Mutex::new(Known { stored: splits(stored), ..Known::default() }));
        let (sender, looks) = mpsc::unbounded_channel();
        let source = Arc::new(Scripted { answers: answers.clone(), compared: compared.clone() });
        let looker = Looker { vertex: 0, id: "lines".into(), source, parallelism: 2, interval: INTERVAL, known: known.clone(), sender };
        let runtime = simulator.runtime();
        let spawn = runtime.spawn.clone();
        spawn.spawn(Lane::Control, "discovery", async move { looker.run(&runtime).await }.boxed());
        let sources = BTreeMap::from([(0, Watched { known, tasks: vec![4, 5], assigned: 0 })]);
        Self { discovery: Discovery { sources, looks }, simulator, answers, compared }
    }

    /// The next look finds these; gives what it compares with.
    fn look(&mut self, found: &str) -> String {
        self.answers.lock().unwrap().push_back(Ok(splits(found)));
        let before = self.compared.lock().unwrap().len();
        let (compared, answers) = (self.compared.clone(), self.answers.clone());
        let over = || compared.lock().unwrap().len() > before && answers.lock().unwrap().is_empty();
        assert_eq!(self.simulator.run_until(over, 1_000), SimulationEnd::Finished);
        // The task that looked takes its answer.
        let until = self.simulator.now() + INTERVAL / 2;
        assert_eq!(self.simulator.run(self.simulator.sleep_until(until), 1_000), SimulationEnd::Finished);
        self.compared.lock().unwrap()[before].clone()
    }

    /// What is assigned with a checkpoint, as `task:split`.
    fn trigger(&mut self, checkpoint_id: u64, trigger: Trigger) -> String {
        let assigned = self.discovery.assignments(CheckpointId(checkpoint_id), trigger.is_last());
        assigned.iter().map(|Assignment { task, splits }| format!("{task}:{}", ids(splits))).collect::<Vec<_>>().join(" ")
    }

    fn acknowledged(&mut self, checkpoint_id: u64, stored: &str) {
        let part = SubtaskSnapshot { splits: splits(stored), ..SubtaskSnapshot::default() };
        let of_another = SubtaskSnapshot { splits: splits("another"), ..SubtaskSnapshot::default() };
        self.discovery.on_acknowledged(CheckpointId(checkpoint_id), &vec![(0, part), (1, of_another)]);
    }
}

#[test]
fn what_is_found_is_dealt_out_in_turn_and_once() {
    let mut bench = Bench::with("a");
    assert_eq!(bench.trigger(1, Trigger::Periodic), "");
    assert_eq!(bench.look("b c d"), "a");
    assert_eq!(bench.trigger(2, Trigger::Periodic), "4:b 5:c 4:d");
    assert_eq!(bench.trigger(3, Trigger::Periodic), "");
    bench.look("e");
    assert_eq!(bench.trigger(4, Trigger::Savepoint), "5:e");
}

#[test]
fn nothing_is_assigned_with_a_checkpoint_behind_which_nothing_is_read() {
    for trigger in [Trigger::Stop, Trigger::StopSavepoint, Trigger::Final, Trigger::Redeploy] {
        let mut bench = Bench::with("");
        bench.look("b");
        assert_eq!(bench.trigger(1, trigger), "", "{trigger:?}");
        // A redeployment that fails goes on.
        assert_eq!(bench.trigger(2, Trigger::Periodic), "4:b");
    }
}

#[test]
fn what_is_found_stays_known_until_a_checkpoint_that_has_it_takes_over() {
    let mut bench = Bench::with("a");
    bench.look("b");
    assert_eq!(bench.look(""), "a b", "before it is assigned");
    bench.trigger(1, Trigger::Periodic);
    bench.look("c");
    bench.trigger(2, Trigger::Periodic);
    bench.acknowledged(1, "a b");
    assert_eq!(bench.look(""), "a b c", "the checkpoint is older than c");
    bench.acknowledged(2, "a b c");
    assert_eq!(bench.look(""), "a b c");
}

#[test]
fn what_was_assigned_with_a_checkpoint_that_fails_is_known_and_not_assigned_again() {
    let mut bench = Bench::with("");
    bench.look("b");
    assert_eq!(bench.trigger(1, Trigger::Periodic), "4:b");
    assert_eq!(bench.trigger(2, Trigger::Periodic), "");
    assert_eq!(bench.look(""), "b");
    bench.acknowledged(2, "b");
    assert_eq!(bench.look(""), "b");
}

#[test]
fn what_a_reader_has_forgotten_is_forgotten_here_too() {
    let mut bench = Bench::with("a b");
    bench.acknowledged(1, "b");
    assert_eq!(bench.look("c"), "b");
    bench.trigger(2, Trigger::Periodic);
    // It came and went between the barriers of 2, which failed, and 3.
    bench.acknowledged(3, "b");
    assert_eq!(bench.look(""), "b");
    bench.acknowledged(2, "b c");
    assert_eq!(bench.look(""), "b", "what is older than the newest says nothing");
}

#[test]
fn a_look_that_may_be_made_again_is_and_any_other_error_ends_the_attempt() {
    let mut bench = Bench::with("");
    let error = |kind, why: &str| Err(EngineError::new(kind, why));
    bench.answers.lock().unwrap().extend([error(ErrorKind::Retry, "not now"), Ok(splits("b")), error(ErrorKind::FixInput, "no folder")]);
    let (mut looks, mut began) = (Vec::new(), Vec::new());
    let mut context = Context::from_waker(std::task::Waker::noop());
    let ended = || {
        while let Poll::Ready(look) = bench.discovery.poll(&mut context) {
            began.push(bench.simulator.now().as_secs());
            looks.push(bench.discovery.on_look(look).map_err(|error| error.to_string()));
        }
        looks.len() == 2
    };
    assert_eq!(bench.simulator.run_until(ended, 1_000), SimulationEnd::Finished);
    assert_eq!(looks, [Ok((0, vec!["b".to_owned()])), Err("lines: no folder".to_owned())]);
    assert_eq!(began, [2, 3], "a look follows the other after the interval");
}
