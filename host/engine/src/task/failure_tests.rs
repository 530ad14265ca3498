//! A task that fails says so before anything of it is gone: whoever finds its channels closed may be heard first, and knows less of why.

use super::testing::snapshots;
use super::*;
use crate::element::{BatchBuilder, RecordBatch, StreamElement};
use crate::error::ErrorKind;
use crate::exchange::{GateSettings, InFlightBudget, InputChannel, InputGate, Output};
use crate::metrics::VertexMetrics;
use crate::operator::{InputDescriptor, Operator, OperatorContext, OperatorDescriptor, OperatorFactory, Subtask};
use crate::runtime::{Runtime, Simulator};
use crate::source::{ReadStatus, SourceReader, SplitBatch};
use crate::state::MemoryBackendFactory;
use futures_util::FutureExt;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// What a task has told, and when parts of it went.
struct Told {
    events: mpsc::UnboundedReceiver<(usize, TaskEvent)>,
    seen: Vec<String>,
}

/// A part of a task that fails when it is used.
#[derive(Clone)]
struct Part(Arc<Mutex<Told>>);

struct Failing(Part);

impl Failing {
    fn fail<T>(&self) -> Result<T, EngineError> {
        Err(EngineError::new(ErrorKind::Restart, "broken"))
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let mut told = self.0.0.lock().unwrap();
        while let Ok((_, event)) = told.events.try_recv() {
            if let TaskEvent::Failed(error) = event {
                told.seen.push(error.to_string());
            }
        }
        told.seen.push("gone".into());
    }
}

impl OperatorFactory for Part {
    fn descriptor(&self) -> &OperatorDescriptor {
        static DESCRIPTOR: std::sync::OnceLock<OperatorDescriptor> = std::sync::OnceLock::new();
        let inputs = vec![InputDescriptor::default()];
        DESCRIPTOR.get_or_init(|| OperatorDescriptor { inputs, ..OperatorDescriptor::default() })
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Failing(self.clone())))
    }
}

impl Operator for Failing {
    fn process(&mut self, _input: u32, _batch: &Arc<RecordBatch>, _context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.fail()
    }
}

impl SourceReader for Failing {
    fn poll_read(&mut self, _cx: &mut Context<'_>, _max: usize, _out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        Poll::Ready(self.fail())
    }

    fn splits(&self) -> Vec<SplitState> {
        Vec::new()
    }
}

/// Runs the task that `task` makes of such a part to its end. What was told of its failure, and when the part went.
fn seen(
    task: impl FnOnce(&Runtime, Part, TaskEvents, mpsc::UnboundedReceiver<TaskControl>) -> futures_util::future::BoxFuture<'static, ()>,
) -> Vec<String> {
    let runtime = Simulator::new(1).runtime();
    let ((_control, inbox), (sender, events)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let part = Part(Arc::new(Mutex::new(Told { events, seen: Vec::new() })));
    task(&runtime, part.clone(), TaskEvents::new(0, sender), inbox).now_or_never().expect("it fails at once");
    std::mem::take(&mut part.0.lock().unwrap().seen)
}

const HEAD: InputChannel = InputChannel { node: 0, input: 0, keyed: false, edge: 0, sender: 0 };

#[test]
fn a_task_behind_a_gate_tells_of_its_failure_before_any_of_it_is_gone() {
    let seen = seen(|runtime, part, events, inbox| {
        let (gate, senders) = InputGate::new(vec![HEAD], GateSettings::of_test(runtime.clock.clone()));
        let mut batch = BatchBuilder::new();
        batch.push(None, b"v", None);
        assert!(senders[0].send(StreamElement::Batch(Arc::new(batch.finish()))).is_ok());
        let place = SubtaskPlace {
            subtask: Subtask { vertex: "a".into(), index: 0, parallelism: 1 },
            factory: Arc::new(part),
            schemas: vec![None],
            broadcast_inputs: BTreeSet::new(),
            window: None,
            key_groups: None,
            max_parallelism: 1,
        };
        let metrics = Arc::<VertexMetrics>::default();
        let subtask =
            OperatorSubtask::new(place, &MemoryBackendFactory::new(1), metrics.clone(), Simulator::new(1).runtime().clock).unwrap();
        let body = NodeBody::Operator(Box::new(subtask));
        let node = Node {
            vertex: 0,
            id: "a".into(),
            metrics,
            counts: Arc::default(),
            body,
            routes: Vec::new(),
            quarantine: Vec::new(),
            late: Vec::new(),
            time: None,
        };
        let chain = Chain::new("a".into(), vec![node], Vec::new(), Output::default(), runtime.clock.clone());
        OperatorTask::new(gate, chain, snapshots(runtime, events.clone()), inbox, events, runtime.clock.clone()).run().boxed()
    });
    assert_eq!(seen, ["broken", "gone"]);
}

#[test]
fn a_task_that_reads_tells_of_its_failure_before_any_of_it_is_gone() {
    let seen = seen(|runtime, part, events, inbox| {
        let reading = Reading {
            vertex: 0,
            id: "a".into(),
            index: 0,
            reader: Box::new(Failing(part)),
            bounded: true,
            limiter: None,
            metrics: Arc::default(),
            counts: Arc::default(),
            time: None,
        };
        let clock = runtime.clock.clone();
        let chain = Chain::new("a".into(), Vec::new(), Vec::new(), Output::default(), clock.clone());
        let snapshots = snapshots(runtime, events.clone());
        SourceTask::new(reading, chain, snapshots, inbox, events, clock, VecDeque::new(), InFlightBudget::new(0)).run().boxed()
    });
    assert_eq!(seen, ["broken", "gone"]);
}
