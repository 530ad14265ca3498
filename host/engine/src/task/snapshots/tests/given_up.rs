//! A task's snapshot from its barrier on, where the checkpoint is given up in front of its last object, while that is written, or instead of it.

use super::*;
use crate::exchange::Output;
use crate::operator::{Operator, OperatorContext, OperatorDescriptor, OperatorFactory, Subtask};
use crate::state::{KeyGroupRange, KeyedState, MemoryBackendFactory};
use crate::task::{CallLog, Node, OperatorSubtask, SubtaskPlace};
use std::collections::BTreeSet;

/// An operator whose keyed state is in blocks. They are written into the task's object, behind what operators write alone.
fn in_blocks(operator: &str) -> Capture {
    let states = vec![StateDescriptor { name: "count".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None }];
    let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: 1 }, 1);
    let mut state = KeyedState::new(states, backend);
    state.select(&keyed_batch(), 0..1).expect("its record has a key");
    state.set_value(0, 0, b"1").unwrap();
    let keyed = Some(state.snapshot(CHECKPOINT, None).unwrap());
    Capture::Operator {
        vertex: 0,
        capture: SubtaskCapture {
            operator: operator.into(),
            keyed,
            broadcast: None,
            calls: None,
            floors: Vec::new(),
            event_time_began: Vec::new(),
            processing_time: None,
            largest_timestamp: None,
        },
    }
}

#[test]
fn keyed_state_is_not_written_for_a_checkpoint_that_is_given_up_in_front_of_it() {
    let with_blocks = |nth| {
        let bench = Bench::new(nth);
        let parts = bench.write([in_blocks("a"), captured("b")], &StoredBefore::default());
        (bench.written_and_left(), parts.is_some())
    };
    assert_eq!(with_blocks(2), ((2, 0), false));
    assert_eq!(with_blocks(9), ((3, 3), true));
}

struct Idle(OperatorDescriptor);

impl OperatorFactory for Idle {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Idle(self.0.clone())))
    }
}

impl Operator for Idle {
    fn process(&mut self, _input: u32, _batch: &Arc<RecordBatch>, _context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        Ok(())
    }
}

/// A chain of one operator that keeps its calls: of each checkpoint it writes one object.
fn chain(clock: Arc<dyn Clock>) -> Chain {
    let place = SubtaskPlace {
        subtask: Subtask { vertex: "op".into(), index: 0, parallelism: 1 },
        factory: Arc::new(Idle(OperatorDescriptor::default())),
        schemas: Vec::new(),
        broadcast_inputs: BTreeSet::new(),
        window: None,
        key_groups: None,
        max_parallelism: 1,
    };
    let subtask = OperatorSubtask::new(place, &MemoryBackendFactory::new(1), Arc::default(), Simulator::new(1).runtime().clock).unwrap();
    let body = NodeBody::Operator(Box::new(subtask.keeping(CallLog::since(None, CallLogBudget::new(0)))));
    let node = Node {
        vertex: 0,
        id: "op".into(),
        metrics: Arc::default(),
        counts: Arc::default(),
        body,
        routes: Vec::new(),
        quarantine: Vec::new(),
        late: Vec::new(),
        time: None,
    };
    Chain::new("op".into(), vec![node], Vec::new(), Output::default(), clock)
}

/// What has become of a snapshot.
#[derive(Debug, PartialEq, Eq)]
struct Became {
    acknowledged: bool,
    objects_written: usize,
    objects_left: usize,
}

/// What becomes of a snapshot of that chain that awaits what its barrier overtakes, where `then` follows and the checkpoint is given up while its `nth`
/// object is written.
fn taken(nth: usize, then: impl FnOnce(&mut Snapshots)) -> Became {
    let (simulator, mut bench) = (Simulator::new(1), Bench::new(nth));
    let runtime = simulator.runtime();
    bench.context.group = TaskGroup::new(runtime.spawn.clone(), Arc::new(|task, message| panic!("{task}: {message}")));
    let Bench { context, store, mut told } = bench;
    let mut snapshots = Snapshots::new(context);
    snapshots.take(CHECKPOINT, &mut chain(runtime.clock.clone()), None, InFlight::Awaited).unwrap();
    then(&mut snapshots);
    assert_eq!(simulator.run_until(|| false, 1_000), SimulationEnd::Deadlock, "all is done that will be");
    let acknowledged = matches!(told.try_recv(), Ok((_, TaskEvent::Acknowledged { .. })));
    let left = store.inner.list("").now_or_never().unwrap().unwrap().len();
    Became { acknowledged, objects_written: *store.puts.lock().unwrap(), objects_left: left }
}

#[test]
fn what_is_given_up_while_its_last_object_is_written_leaves_none_and_is_not_acknowledged() {
    let with_records = |nth| taken(nth, |snapshots| snapshots.take_in_flight(CHECKPOINT, overtaken()));
    assert_eq!(with_records(2), Became { acknowledged: false, objects_written: 2, objects_left: 0 });
    assert_eq!(with_records(9), Became { acknowledged: true, objects_written: 2, objects_left: 2 });
}

#[test]
fn a_snapshot_whose_overtaken_records_are_awaited_no_more_leaves_nothing_and_is_not_acknowledged_without_them() {
    let aborted = taken(9, |snapshots| snapshots.abort(CHECKPOINT));
    assert_eq!(aborted, Became { acknowledged: false, objects_written: 1, objects_left: 0 });
}
