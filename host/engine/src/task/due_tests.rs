//! A task whose timers are due, and a barrier that comes meanwhile.

use super::testing::snapshots;
use super::{Chain, Node, NodeBody, OperatorSubtask, OperatorTask, SubtaskPlace, TaskEvents};
use crate::element::{Barrier, BarrierAlignment, BatchBuilder, CheckpointId, Progress, RecordBatch, StreamElement, Watermark, key_hash};
use crate::error::EngineError;
use crate::exchange::{Appetite, GateEvent, GateSettings, InputChannel, InputGate, Output, Partitioning};
use crate::metrics::VertexMetrics;
use crate::operator::{
    FiredTimers, InputDescriptor, Operator, OperatorContext, OperatorDescriptor, OperatorFactory, OutputDescriptor, Subtask,
    TimerDescriptor,
};
use crate::runtime::Simulator;
use crate::state::{KeyGroupRange, MemoryBackendFactory};
use crate::task::chain::Target;
use futures_util::FutureExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::sync::mpsc;

const FROM: InputChannel = InputChannel { node: 0, input: 0, keyed: true, edge: 0, sender: 0 };
/// More than are fired in two calls.
const TIMERS: usize = 3_000;

/// Sets a timer for each record, and tells how many have fired in a call.
struct Alarms(OperatorDescriptor);

struct Alarm;

impl OperatorFactory for Alarms {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _: &Subtask, _: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Alarm))
    }
}

impl Operator for Alarm {
    fn process(&mut self, _: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        state.select(batch, 0..batch.len()).map_err(|error| error.into_error(|_| unreachable!("each has a key")))?;
        (0..batch.len()).try_for_each(|record| state.set_timer(state.key_of()[record] as usize, 0, 10))
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let mut builder = BatchBuilder::new();
        builder.push(None, fired.len().to_string().as_bytes(), None);
        context.outputs.push((0, Arc::new(builder.finish()).into()));
        Ok(())
    }
}

fn node(runtime: &crate::runtime::Runtime, routes: Vec<Target>) -> Node {
    let descriptor = OperatorDescriptor {
        inputs: vec![InputDescriptor::default()],
        outputs: vec![OutputDescriptor::default()],
        timers: vec![TimerDescriptor { name: "alarm".into(), event_time: true }],
        ..OperatorDescriptor::default()
    };
    let place = SubtaskPlace {
        subtask: Subtask { vertex: "a".into(), index: 0, parallelism: 1 },
        factory: Arc::new(Alarms(descriptor)),
        schemas: vec![None],
        broadcast_inputs: BTreeSet::new(),
        window: None,
        key_groups: Some(KeyGroupRange { start: 0, end: 1 }),
        max_parallelism: 1,
    };
    let metrics = Arc::<VertexMetrics>::default();
    let subtask = OperatorSubtask::new(place, &MemoryBackendFactory::new(1), metrics.clone(), runtime.clock.clone()).unwrap();
    let body = NodeBody::Operator(Box::new(subtask));
    Node {
        vertex: 0,
        id: "a".into(),
        metrics,
        counts: Arc::default(),
        body,
        routes: vec![routes],
        quarantine: Vec::new(),
        late: Vec::new(),
        time: None,
    }
}

#[test]
fn a_barrier_passes_between_two_calls_of_what_one_watermark_makes_due() {
    let runtime = Simulator::new(1).runtime();
    let (mut receiver, to_receiver) = InputGate::new(vec![FROM], GateSettings::of_test(runtime.clock.clone()));
    let mut output = Output::default();
    let edge = output.add_edge(Partitioning::Forward, to_receiver, &[], 0);
    let chain = Chain::new("a".into(), vec![node(&runtime, vec![Target::Edge(edge)])], Vec::new(), output, runtime.clock.clone());
    let (gate, senders) = InputGate::new(vec![FROM], GateSettings::of_test(runtime.clock.clone()));
    let ((_control, inbox), (events, _told)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let events = TaskEvents::new(0, events);
    let mut task =
        Box::pin(OperatorTask::new(gate, chain, snapshots(&runtime, events.clone()), inbox, events, runtime.clock.clone()).run());
    let mut builder = BatchBuilder::new();
    for number in 0..TIMERS {
        let key = format!("k{number}");
        builder.push_hashed(key.as_bytes(), key_hash(key.as_bytes()), b"", 1);
    }
    let barrier = Barrier { checkpoint_id: CheckpointId(1), alignment: BarrierAlignment::Aligned };
    for element in [
        StreamElement::Batch(Arc::new(builder.finish())),
        StreamElement::Progress(Progress::Watermark(Watermark(20))),
        StreamElement::Barrier(barrier),
    ] {
        assert!(senders[0].send(element).is_ok());
    }
    let mut left: Vec<String> = Vec::new();
    for _ in 0..50 {
        assert!((&mut task).now_or_never().is_none(), "the task waits for more");
        while let Poll::Ready(event) = receiver.poll_next(Appetite::Everything, &mut Context::from_waker(Waker::noop())) {
            match event {
                GateEvent::Batch { batch, .. } => {
                    left.extend(batch.values().iter().map(|value| String::from_utf8_lossy(value).into_owned()));
                }
                GateEvent::Barrier(_) => left.push("barrier".into()),
                GateEvent::Progress(_) => left.push("progress".into()),
                GateEvent::InFlight(..) | GateEvent::Declined(..) | GateEvent::End => panic!("nothing of the kind was sent"),
            }
        }
    }
    let at = left.iter().position(|what| what == "barrier").expect("the barrier passes");
    let fired = |part: &[String]| part.iter().filter_map(|what| what.parse::<usize>().ok()).sum::<usize>();
    assert_eq!(fired(&left), TIMERS, "{left:?}");
    assert!(fired(&left[at..]) > 0, "what is left fires behind it: {left:?}");
    assert_eq!(left.last().map(String::as_str), Some("progress"), "and the watermark leaves behind all of them: {left:?}");
}
