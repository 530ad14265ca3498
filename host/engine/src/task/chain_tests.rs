//! How watermarks go through a chain, and when they reach it.

use super::*;
use crate::element::{BatchBuilder, END_OF_TIME, NO_TIMESTAMP, StreamElement, Watermark};
use crate::exchange::{Appetite, GateEvent, GateSettings, InputGate, Partitioning};
use crate::operator::{InputDescriptor, Operator, OperatorContext, OperatorDescriptor, OperatorFactory, OutputDescriptor, Subtask};
use crate::runtime::{Runtime, Simulator};
use crate::sink::Committable;
use crate::state::conformance::{FaultyBackendFactory, StateFaultPlan};
use crate::state::{KeyGroupRange, MemoryBackendFactory, StateBackendFactory, StateTime};
use crate::task::testing::snapshots;
use crate::task::{OperatorTask, SourceClock, SubtaskPlace, TaskEvents};
use crate::time::{RestoredTime, WatermarkSettings};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use tokio::sync::mpsc;

/// What operators have been called with, one line for each call.
type Heard = Arc<Mutex<Vec<String>>>;

/// Passes records on, and emits one at each watermark.
struct Ticking {
    descriptor: OperatorDescriptor,
    heard: Heard,
}

struct Tick(String, Heard);

impl OperatorFactory for Ticking {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Tick(subtask.vertex.clone(), self.heard.clone())))
    }
}

impl Operator for Tick {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let watermark = if context.watermark == NO_TIMESTAMP { "none".into() } else { context.watermark.to_string() };
        let values = batch.values().iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
        self.1.lock().unwrap().push(format!("{} at {watermark}: {values}", self.0));
        context.outputs.push((0, batch.clone().into()));
        Ok(())
    }

    fn on_watermark(&mut self, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        assert!(context.state.is_none(), "no key is called for");
        self.1.lock().unwrap().push(format!("{} hears {}", self.0, context.watermark));
        context.outputs.push((0, batch(&format!("{}-{}", self.0, context.watermark)).into()));
        Ok(())
    }
}

fn batch(value: &str) -> Arc<RecordBatch> {
    batch_of(&[value])
}

fn batch_of(values: &[&str]) -> Arc<RecordBatch> {
    let mut builder = BatchBuilder::new();
    values.iter().for_each(|value| builder.push(None, value.as_bytes(), None));
    Arc::new(builder.finish())
}

fn node(vertex: usize, id: &str, routes: Vec<Target>, heard: &Heard) -> Node {
    node_with(vertex, id, routes, heard, (&MemoryBackendFactory::new(1), None))
}

/// The same with keyed state of these key groups.
fn node_with(
    vertex: usize,
    id: &str,
    routes: Vec<Target>,
    heard: &Heard,
    (backends, key_groups): (&dyn StateBackendFactory, Option<KeyGroupRange>),
) -> Node {
    let descriptor = OperatorDescriptor {
        name: id.into(),
        inputs: vec![InputDescriptor::default()],
        outputs: vec![OutputDescriptor::default()],
        ..OperatorDescriptor::default()
    };
    let place = SubtaskPlace {
        subtask: Subtask { vertex: id.into(), index: 0, parallelism: 1 },
        factory: Arc::new(Ticking { descriptor, heard: heard.clone() }),
        schemas: vec![None],
        broadcast_inputs: BTreeSet::new(),
        key_groups,
        window: None,
        max_parallelism: 1,
    };
    let metrics = Arc::<VertexMetrics>::default();
    let subtask = OperatorSubtask::new(place, backends, metrics.clone(), Simulator::new(1).runtime().clock).unwrap();
    Node {
        vertex,
        id: id.into(),
        metrics,
        counts: Arc::default(),
        body: NodeBody::Operator(Box::new(subtask)),
        routes: vec![routes],
        quarantine: Vec::new(),
        late: Vec::new(),
        time: None,
    }
}

/// `a`, and behind it `b` and `c`.
fn chain(clock: Arc<dyn Clock>, heard: &Heard) -> Chain {
    let to = |node| Target::Node { node, input: 0 };
    let nodes = vec![node(0, "a", vec![to(1), to(2)], heard), node(1, "b", vec![], heard), node(2, "c", vec![], heard)];
    Chain::new("a".into(), nodes, Vec::new(), Output::default(), clock)
}

#[test]
fn a_selection_is_laid_side_by_side_once_for_all_operators_behind_it() {
    let to = |node| Target::Node { node, input: 0 };
    let some = || Selection::some(batch_of(&["1", "2", "3"]), vec![0, 2]);
    let shared = for_all(&[to(1), to(2)], some());
    assert_eq!((shared.records(), shared.len()), (None, 2));
    let batches: Vec<_> = deliveries(&[to(1), to(2)], &shared, None).map(|delivery| delivery.records.compact()).collect();
    assert!(Arc::ptr_eq(&batches[0], &batches[1]));
    let one = for_all(&[to(1), Target::Edge(0)], some());
    assert_eq!(one.records(), Some(&[0, 2][..]), "an edge takes the selection apart by itself");
}

const HEAD: InputChannel = InputChannel { node: 0, input: 0, keyed: false, edge: 0, sender: 0 };

#[test]
fn a_watermark_reaches_each_operator_behind_what_those_in_front_emit_at_it() {
    let (heard, clock) = (Heard::default(), Simulator::new(1).runtime().clock);
    let mut chain = chain(clock, &heard);
    let run = async {
        chain.process(HEAD, &batch("1")).await?;
        chain.on_progress(Progress::Watermark(Watermark(7))).await?;
        chain.process(HEAD, &batch("2")).await
    };
    run.now_or_never().expect("nothing waits").unwrap();
    let expect = [
        "a at none: 1",
        "b at none: 1",
        "c at none: 1",
        "a hears 7",
        "b at none: a-7",
        "c at none: a-7",
        "b hears 7",
        "c hears 7",
        "a at 7: 2",
        "b at 7: 2",
        "c at 7: 2",
    ];
    assert_eq!(*heard.lock().unwrap(), expect);
}

#[test]
fn the_state_is_told_the_times_of_each_call() {
    let (heard, simulator) = (Heard::default(), Simulator::new(1));
    let clock = simulator.runtime().clock;
    let backends = FaultyBackendFactory::new(simulator, StateFaultPlan::default());
    let nodes = vec![node_with(0, "a", vec![], &heard, (&backends, Some(KeyGroupRange { start: 0, end: 1 })))];
    let mut chain = Chain::new("a".into(), nodes, Vec::new(), Output::default(), clock.clone());
    let mut builder = BatchBuilder::new();
    builder.push(Some(b"k"), b"1", None);
    let batch = Arc::new(builder.finish());
    let run = async {
        chain.process(InputChannel { keyed: true, ..HEAD }, &batch).await?;
        chain.on_progress(Progress::Watermark(Watermark(7))).await?;
        chain.process(InputChannel { keyed: true, ..HEAD }, &batch).await
    };
    run.now_or_never().expect("nothing waits").unwrap();
    let at = |watermark| StateTime { watermark, processing_time: clock.wall_ms() };
    assert_eq!(backends.prefetched(), [at(NO_TIMESTAMP), at(7)]);
}

/// A task of this chain is sent the watermark 5, and nothing else.
fn run_at_a_watermark(chain: Chain, runtime: &Runtime) {
    let (gate, senders) = InputGate::new(vec![HEAD], GateSettings::of_test(runtime.clock.clone()));
    let ((_control, inbox), (events, _told)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let events = TaskEvents::new(0, events);
    let task = OperatorTask::new(gate, chain, snapshots(runtime, events.clone()), inbox, events, runtime.clock.clone());
    let mut task = Box::pin(task.run());
    assert!(senders[0].send(StreamElement::Progress(Progress::Watermark(Watermark(5)))).is_ok());
    for _ in 0..10 {
        assert!((&mut task).now_or_never().is_none(), "the task waits for more");
    }
}

#[test]
fn a_watermark_reaches_operators_when_it_arrives_and_not_with_the_next_batch() {
    let (heard, runtime) = (Heard::default(), Simulator::new(1).runtime());
    run_at_a_watermark(chain(runtime.clock.clone(), &heard), &runtime);
    assert_eq!(heard.lock().unwrap()[..1], ["a hears 5"]);
    assert_eq!(heard.lock().unwrap().len(), 5);
}

#[test]
fn a_watermark_leaves_a_task_behind_what_its_operators_emit_at_it() {
    let (heard, runtime) = (Heard::default(), Simulator::new(1).runtime());
    let (mut receiver, to_receiver) = InputGate::new(vec![HEAD], GateSettings::of_test(runtime.clock.clone()));
    let mut output = Output::default();
    let edge = output.add_edge(Partitioning::Forward, to_receiver, &[], 0);
    let nodes = vec![node(0, "a", vec![Target::Node { node: 1, input: 0 }], &heard), node(1, "b", vec![Target::Edge(edge)], &heard)];
    run_at_a_watermark(Chain::new("a".into(), nodes, Vec::new(), output, runtime.clock.clone()), &runtime);
    let mut left = Vec::new();
    while let Poll::Ready(event) = receiver.poll_next(Appetite::Everything, &mut Context::from_waker(Waker::noop())) {
        match event {
            GateEvent::Batch { batch, .. } => left.extend(batch.values().iter().map(|value| String::from_utf8_lossy(value).into_owned())),
            GateEvent::Progress(Progress::Watermark(watermark)) => left.push(format!("watermark {}", watermark.0)),
            GateEvent::Progress(Progress::Idle) => left.push("idle".into()),
            GateEvent::Barrier(_) | GateEvent::InFlight(..) | GateEvent::Declined(..) => panic!("nobody takes a checkpoint"),
            GateEvent::End => break,
        }
    }
    assert_eq!(left, ["a-5", "b-5", "watermark 5"]);
}

#[test]
fn watermarks_of_what_an_operator_emits_take_the_place_of_those_that_come_in() {
    let (heard, simulator) = (Heard::default(), Simulator::new(1));
    let (clock, settings) =
        (simulator.runtime().clock, WatermarkSettings { delay: Duration::from_millis(2), ..WatermarkSettings::default() });
    let mut chain = chain(clock.clone(), &heard);
    let output = |largest| {
        OutputTime::new(
            &SourceClock::new(settings.clone(), 1),
            RestoredTime { largest, others: largest },
            ("a".into(), 0),
            Arc::default(),
            clock.clone(),
        )
    };
    chain.nodes[0].time = Some(Box::new(output(None)));
    let told = |chain: &mut Chain| match chain.poll_output_time(|| true, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready((node, progress)) => Some((node, progress)),
        Poll::Pending => None,
    };
    let watermark = |at| Progress::Watermark(Watermark(at));
    let run = async {
        chain.on_progress(watermark(7)).await.unwrap();
        assert_eq!(*heard.lock().unwrap(), ["a hears 7", "b at none: a-7", "c at none: a-7"], "what comes in stays with it");
        assert_eq!(told(&mut chain), None, "what it has emitted has no time");
        let mut builder = BatchBuilder::new();
        [30, 20].into_iter().for_each(|time| builder.push(None, b"r", Some(time)));
        chain.process(HEAD, &Arc::new(builder.finish())).await.unwrap();
        let (node, progress) = told(&mut chain).expect("it has come to a time");
        assert_eq!((node, progress, told(&mut chain)), (0, watermark(27), None));
        heard.lock().unwrap().clear();
        chain.tell_behind(node, progress).await.unwrap();
        assert_eq!(*heard.lock().unwrap(), ["b hears 27", "c hears 27"]);
        assert_eq!(chain.nodes[0].time.as_ref().unwrap().largest(), Some(30));
        heard.lock().unwrap().clear();
        chain.on_progress(Progress::Watermark(END_OF_TIME)).await.unwrap();
        assert_eq!(
            heard.lock().unwrap().iter().filter(|line| line.contains(&format!("hears {}", i64::MAX))).count(),
            3,
            "the end is everybody's"
        );
    };
    run.now_or_never().expect("nothing waits");
    // Restored, it goes on from where it was.
    chain.nodes[0].time = Some(Box::new(output(Some(30))));
    assert_eq!(told(&mut chain), Some((0, watermark(27))));
}

#[test]
fn the_time_of_what_operators_emit_goes_on_by_the_clock_where_those_that_are_not_idle_have_ended() {
    let (heard, simulator, second) = (Heard::default(), Simulator::new(1), Duration::from_secs(1));
    let clock = simulator.runtime().clock;
    let settings = WatermarkSettings { idle_after: Some(second), advance_when_idle: true, ..WatermarkSettings::default() };
    let shared = SourceClock::new(settings, 2);
    let mut chains = [0, 1].map(|subtask| {
        let mut chain = chain(clock.clone(), &heard);
        chain.nodes[0].time = Some(Box::new(OutputTime::new(
            &shared,
            RestoredTime { largest: Some(30), others: Some(30) },
            ("a".into(), subtask),
            Arc::default(),
            clock.clone(),
        )));
        chain
    });
    let look = |chain: &mut Chain| match chain.poll_output_time(|| true, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready((_, progress)) => Some(progress),
        Poll::Pending => None,
    };
    let at = |watermark| Some(Progress::Watermark(Watermark(watermark)));
    assert_eq!([0, 1].map(|subtask| look(&mut chains[subtask])), [at(29), at(29)]);
    chains[0].on_progress(Progress::Watermark(END_OF_TIME)).now_or_never().expect("nothing waits").unwrap();
    let mut told = Vec::new();
    for _ in 0..6 {
        told.extend(look(&mut chains[1]));
        let until = simulator.now() + second / 4;
        simulator.run(simulator.clone().sleep_until(until), 1_000);
    }
    assert_eq!(told, [at(29), at(279)].map(Option::unwrap), "from when it was idle");
}

#[test]
fn what_an_operator_emits_goes_on_from_the_others_once_it_is_idle_where_one_of_its_old_ones_had_emitted_nothing() {
    let (heard, simulator, second) = (Heard::default(), Simulator::new(1), Duration::from_secs(1));
    let clock = simulator.runtime().clock;
    let of = SourceClock::new(WatermarkSettings { idle_after: Some(second), ..WatermarkSettings::default() }, 1);
    let restored = RestoredTime { largest: None, others: Some(30) };
    let mut chain = chain(clock.clone(), &heard);
    chain.nodes[0].time = Some(Box::new(OutputTime::new(&of, restored, ("a".into(), 0), Arc::default(), clock.clone())));
    let mut told = Vec::new();
    for _ in 0..6 {
        if let Poll::Ready((_, progress)) = chain.poll_output_time(|| true, &mut Context::from_waker(Waker::noop())) {
            told.push(progress);
        }
        let until = simulator.now() + second / 4;
        simulator.run(simulator.clone().sleep_until(until), 1_000);
    }
    assert_eq!(told, [Progress::Watermark(Watermark(29)), Progress::Idle]);
}

/// A sink that has room when it is told so.
struct Narrow(Arc<AtomicBool>);

impl SinkWriter for Narrow {
    fn write(&mut self, _batch: &RecordBatch) -> Result<(), EngineError> {
        Ok(())
    }

    fn poll_room(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        if self.0.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn prepare_commit(&mut self, _id: CheckpointId) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        Ok(ready(Ok(Vec::new())).boxed())
    }
}

#[test]
fn nothing_is_worked_off_while_a_sink_has_no_room() {
    let (heard, room) = (Heard::default(), Arc::new(AtomicBool::new(false)));
    let mut nodes = vec![node(0, "a", vec![], &heard), node(1, "out", vec![], &heard)];
    nodes[1].body = NodeBody::Sink(Box::new(Narrow(room.clone())));
    let mut chain = Chain::new("a".into(), nodes, Vec::new(), Output::default(), Simulator::new(1).runtime().clock);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(chain.poll_room(&mut cx).is_pending());
    room.store(true, Ordering::Relaxed);
    assert!(matches!(chain.poll_room(&mut cx), Poll::Ready(Ok(()))));
}
