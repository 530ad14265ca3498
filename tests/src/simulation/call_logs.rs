//! What an operator was called with and what it emitted, against what is replayed of that from its call log.

use super::run::wait_for;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use weir_engine::element::RecordBatch;
use weir_engine::job::{JobGraph, VertexKind};
use weir_engine::operator::{CallKind, Component, FiredTimers, OperatorDescriptor, Subtask};
use weir_engine::replay::{CallEffects, LoggedRun, LoggedStretch, LoggedSubtask, OutputRecord, ReplayPoint, RunStart, SubtaskCalls};
use weir_engine::runtime::{ConnectorIo, Simulator};
use weir_engine::state::{FiredWindows, MemoryBackendFactory, StateMerger, StateMigrator, WindowKind};
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// A call as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    given: Vec<String>,
    emitted: Vec<String>,
}

/// An operator's subtask, and what it did.
type Made = (u32, Vec<Call>);

/// What each operator did that was ever made.
#[derive(Clone, Default)]
pub(super) struct Witness(Arc<Mutex<Vec<Made>>>);

impl Witness {
    fn lock(&self) -> MutexGuard<'_, Vec<Made>> {
        self.0.lock().expect("no test panics with the witness")
    }

    /// Watches the operator of `graph` that is recorded.
    pub fn watch(&self, mut graph: JobGraph) -> JobGraph {
        for vertex in graph.vertices.iter_mut().filter(|vertex| vertex.record) {
            if let VertexKind::Operator(factory) = &mut vertex.kind {
                *factory = Arc::new(WatchedFactory { inner: factory.clone(), witness: self.clone() });
            }
        }
        graph
    }
}

struct WatchedFactory {
    inner: Arc<dyn OperatorFactory>,
    witness: Witness,
}

impl OperatorFactory for WatchedFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        self.inner.descriptor()
    }

    fn component(&self) -> Option<&Component> {
        self.inner.component()
    }

    fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        self.inner.migrator()
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        self.inner.merger()
    }

    fn create(&self, subtask: &Subtask, schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        let inner = self.inner.create(subtask, schemas)?;
        let mut all = self.witness.lock();
        all.push((subtask.index, Vec::new()));
        Ok(Box::new(Watched { inner, witness: self.witness.clone(), place: all.len() - 1 }))
    }
}

struct Watched {
    inner: Box<dyn Operator>,
    witness: Witness,
    place: usize,
}

impl Watched {
    fn note(&self, given: Vec<String>, context: &OperatorContext<'_>) {
        let emitted = context.outputs.iter().flat_map(|(_, records)| texts(&records.clone().compact()).collect::<Vec<_>>()).collect();
        self.witness.lock()[self.place].1.push(Call { given, emitted });
    }
}

impl Operator for Watched {
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.inner.process(input, batch, context)?;
        self.note(texts(batch).collect(), context);
        Ok(())
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.inner.on_timers(fired, context)?;
        self.note(timers(fired), context);
        Ok(())
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.inner.on_windows(fired, context)?;
        self.note(vec![windows(fired.len())], context);
        Ok(())
    }

    fn on_watermark(&mut self, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.inner.on_watermark(context)
    }

    fn set_probation(&mut self, on_probation: bool) {
        self.inner.set_probation(on_probation);
    }

    fn fuel_spent(&self) -> Option<u64> {
        self.inner.fuel_spent()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The key of each timer, and when it was due.
fn timers(fired: &FiredTimers) -> Vec<String> {
    fired.keys().iter().zip(fired.due()).map(|(key, due)| format!("{} at {due}", text(key))).collect()
}

/// So many windows fire.
fn windows(count: usize) -> String {
    format!("{count} windows")
}

fn texts(records: &RecordBatch) -> impl Iterator<Item = String> {
    records.values().iter().map(text)
}

/// What a replay came to.
#[derive(Default)]
pub(super) struct Replayed {
    /// Calls that were made again.
    pub calls: u64,
    /// All that they emitted.
    pub emitted: Vec<String>,
    /// Stretches of subtasks that are cut off.
    pub cut_off: u64,
    /// The most that the calls from one checkpoint to the next take, all subtasks together.
    pub bytes_max: u64,
}

/// Replays what is recorded behind `start` of the recorded operator of `graph`. Each stretch must be, subtask by subtask, what one of the watched
/// operators did on end.
pub(super) fn replay(
    simulator: &Simulator,
    objects: &Arc<dyn Store>,
    witness: &Witness,
    graph: JobGraph,
    start: RunStart,
) -> Result<Replayed, String> {
    let stretches = made_again(simulator, objects, move |_| graph.clone(), start)?;
    let mut replayed = Replayed::default();
    let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
    for SubtaskStretch { at, subtask, calls, late, stored_bytes, cut_off } in stretches {
        let furthest = witness.lock().iter().filter(|(index, _)| *index == subtask).map(|(_, all)| furthest(all, &calls)).max();
        if furthest.as_ref().is_none_or(|(made, _)| *made < calls.len()) {
            let (made, did) = furthest.unwrap_or_default();
            return Err(format!(
                "{at}: subtask {subtask} did not do what is replayed of it: {:?} behind {made} calls, but {did}",
                calls[made]
            ));
        }
        replayed.calls += calls.len() as u64;
        replayed.emitted.extend(calls.into_iter().flat_map(|call| call.emitted).chain(late));
        replayed.cut_off += u64::from(cut_off);
        *bytes.entry(at).or_default() += stored_bytes;
    }
    replayed.bytes_max = bytes.into_values().max().unwrap_or_default();
    Ok(replayed)
}

/// How many of `calls` an operator made on end at most, and what it did instead of the next one.
fn furthest(all: &[Call], calls: &[Call]) -> (usize, String) {
    let from = |first: usize| {
        let made = all[first..].iter().zip(calls).take_while(|(one, other)| one == other).count();
        (made, all.get(first + made).map_or("nothing more".to_owned(), |did| format!("{did:?}")))
    };
    (0..=all.len()).map(from).max().unwrap_or_default()
}

/// All that the recorded operator emitted since there was no state, and what came too late for it; `graph` is the job as it was in a stretch.
pub(super) fn emitted(
    simulator: &Simulator,
    objects: &Arc<dyn Store>,
    graph: impl Fn(&LoggedStretch) -> JobGraph + Send + Sync + 'static,
) -> Result<Vec<String>, String> {
    let stretches = made_again(simulator, objects, graph, RunStart::Beginning)?;
    assert!(stretches.iter().all(|stretch| !stretch.cut_off), "there is room for all calls");
    Ok(stretches.into_iter().flat_map(|stretch| stretch.calls.into_iter().flat_map(|call| call.emitted).chain(stretch.late)).collect())
}

/// What one subtask did between two checkpoints, made again.
struct SubtaskStretch {
    /// Between which.
    at: String,
    subtask: u32,
    calls: Vec<Call>,
    /// What the engine says of records that came too late: no operator emits that.
    late: Vec<String>,
    /// What keeping them takes.
    stored_bytes: u64,
    /// There were more.
    cut_off: bool,
}

fn made_again(
    simulator: &Simulator,
    objects: &Arc<dyn Store>,
    graph: impl Fn(&LoggedStretch) -> JobGraph + Send + Sync + 'static,
    start: RunStart,
) -> Result<Vec<SubtaskStretch>, String> {
    let base = ReplayPoint {
        metadata: None,
        store: objects.clone(),
        io: ConnectorIo::of(&simulator.runtime()),
        clock: simulator.runtime().clock,
        backends: Arc::new(MemoryBackendFactory::new(7)),
        processing_time: 0,
    };
    wait_for(simulator, async move { stretches(graph, base, start).await })?.map_err(|error| error.to_string())
}

async fn stretches(
    graph: impl Fn(&LoggedStretch) -> JobGraph,
    base: ReplayPoint,
    start: RunStart,
) -> Result<Vec<SubtaskStretch>, EngineError> {
    let mut all = Vec::new();
    for operator in ["count", "join"] {
        if let Some(run) = LoggedRun::find(operator, &base, start.clone()).await? {
            follow(run, &graph, &mut all).await?;
        }
    }
    Ok(all)
}

async fn follow(mut run: LoggedRun, graph: impl Fn(&LoggedStretch) -> JobGraph, all: &mut Vec<SubtaskStretch>) -> Result<(), EngineError> {
    while let Some(stretch) = run.next().await? {
        let mut graph = graph(&stretch);
        let vertex = graph.vertices.iter().position(|vertex| vertex.record).expect("an operator is recorded");
        let window = &mut graph.vertices[vertex].window;
        let is_of_counts = window.as_ref().is_some_and(|window| matches!(window.kind, WindowKind::Count { .. }));
        // How often windows fire early has been drawn for each process, and where they never do it is not noted what has come since.
        if let Some(window) = window.as_mut().filter(|_| !is_of_counts) {
            window.emit_every = Some(1_000);
        }
        for subtask in 0..stretch.parallelism() {
            let SubtaskCalls { calls, cut_off } = stretch.calls(subtask).await?;
            let stored_bytes = calls.iter().map(|call| call.byte_len() as u64).sum();
            let mut operator = LoggedSubtask::restore(&graph, vertex, (subtask, stretch.parallelism()), &stretch.from).await?;
            let (mut made, mut late) = (Vec::new(), Vec::new());
            for call in calls {
                let CallEffects { records, undivided, recordless, firings } = operator.effects_of(0, &call).await?;
                if let Some(error) = firings.into_iter().find_map(|firing| firing.error) {
                    return Err(error);
                }
                // Windows of one call that fire without changing their state are not told apart, and a count behind one that a call has filled has the next
                // number, but the first one where the call is cut.
                if undivided && !is_of_counts && !matches!(call.kind, CallKind::Windows(_)) {
                    return Err(EngineError::new(ErrorKind::Bug, format!("cutting a call changes something: {call:?}")));
                }
                let given = match &call.kind {
                    CallKind::Batch { batch, .. } => texts(batch).collect(),
                    CallKind::Timers(fired) => timers(fired),
                    // Each emits one record. Of those that are due some may not fire, and where none does the operator is not called.
                    CallKind::Windows(_) if recordless.outputs.is_empty() => continue,
                    CallKind::Windows(_) => vec![windows(recordless.outputs.len())],
                    CallKind::Watermark => {
                        assert!(recordless.is_empty(), "what is recorded emits nothing at a watermark");
                        continue;
                    }
                };
                let outputs = records.iter().flat_map(|record| &record.outputs).chain(&recordless.outputs);
                let (of_engine, of_operator): (Vec<_>, Vec<_>) = outputs.partition(|one| one.output == "late");
                let values =
                    |of: Vec<&OutputRecord>| of.into_iter().map(|one| text(one.record.value.as_deref().unwrap_or_default())).collect();
                late.extend::<Vec<String>>(values(of_engine));
                made.push(Call { given, emitted: values(of_operator) });
            }
            let at = format!("from {} to {}", stretch.from, stretch.to);
            all.push(SubtaskStretch { at, subtask, calls: made, late, stored_bytes, cut_off });
        }
    }
    Ok(())
}
