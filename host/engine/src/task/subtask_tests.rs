//! Calls of timers that are due see the states of their keys as those of batches do, and a subtask whose operator was replaced goes on as the new one.

use super::*;
use crate::checkpoint::WatermarkFloor;
use crate::element::{BatchBuilder, RecordBatch, key_hash};
use crate::operator::{FiredTimers, OperatorDescriptor};
use crate::runtime::Simulator;
use crate::state::conformance::{FaultyBackendFactory, StateFaultPlan};
use crate::state::{CallKeys, MemoryBackendFactory, StateDescriptor, StateKind, StateTtl, TimeDomain};
use crate::task::CallLogBudget;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// What operators have been called with, one line for each call.
type Heard = Arc<Mutex<Vec<String>>>;

/// Counts, for each key, what it is called with.
struct Counting {
    descriptor: OperatorDescriptor,
    heard: Heard,
}

struct Count {
    version: String,
    heard: Heard,
}

impl OperatorFactory for Counting {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Count { version: self.descriptor.version.clone(), heard: self.heard.clone() }))
    }
}

impl Count {
    fn hear(&self, what: &str) {
        self.heard.lock().unwrap().push(format!("{} {what}", self.version));
    }

    /// Hears each distinct key with its count.
    fn count(&self, what: &str, keys: CallKeys<'_>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        state.select(keys, 0..keys.len()).expect("each has a key");
        let mut counts = vec![0; state.keys().len()];
        for place in 0..keys.len() {
            let key = state.key_of()[place] as usize;
            counts[key] = state.copied_value(key, 0)?.map_or(0, |value| value[0]) + 1;
            state.set_value(key, 0, &[counts[key]])?;
        }
        let counted = state.keys().iter().zip(counts).map(|(key, count)| format!("{}={count}", key.escape_ascii()));
        self.hear(&format!("{what} at {}: {}", context.watermark, counted.collect::<Vec<_>>().join(" ")));
        Ok(())
    }
}

impl Operator for Count {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.count("batch", batch.into(), context)
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.count("timers", fired.into(), context)
    }

    fn set_probation(&mut self, on_probation: bool) {
        self.hear(if on_probation { "is on probation" } else { "is not on probation" });
    }
}

/// Where an operator of this version stands that owns all keys.
fn place(version: &str, heard: &Heard) -> SubtaskPlace {
    let count = StateDescriptor { name: "count".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None };
    let descriptor = OperatorDescriptor { version: version.into(), states: vec![count], ..OperatorDescriptor::default() };
    SubtaskPlace {
        subtask: Subtask { vertex: "count".into(), index: 0, parallelism: 1 },
        factory: Arc::new(Counting { descriptor, heard: heard.clone() }),
        schemas: vec![None],
        broadcast_inputs: BTreeSet::new(),
        window: None,
        key_groups: Some(KeyGroupRange { start: 0, end: 1 }),
        max_parallelism: 1,
    }
}

fn subtask(backends: &dyn StateBackendFactory, heard: &Heard) -> OperatorSubtask {
    OperatorSubtask::new(place("v1", heard), backends, Arc::default(), Simulator::new(1).runtime().clock).unwrap()
}

/// A call at `watermark` of timers of these keys.
fn timers(watermark: i64, keys: &[&str]) -> OperatorCall {
    let mut fired = FiredTimers::default();
    keys.iter().for_each(|key| fired.push(key.as_bytes(), key_hash(key.as_bytes()), 0, watermark));
    OperatorCall { watermark, processing_time: watermark + 1_000, kind: CallKind::Timers(Arc::new(fired)) }
}

/// The same of records.
fn batch(watermark: i64, keys: &[&str]) -> OperatorCall {
    let mut builder = BatchBuilder::new();
    keys.iter().for_each(|key| builder.push(Some(key.as_bytes()), b"", None));
    let kind = CallKind::Batch { input: 0, keyed: true, batch: Arc::new(builder.finish()) };
    OperatorCall { watermark, processing_time: watermark + 1_000, kind }
}

/// Makes a call, and says how often it had to wait.
fn make(subtask: &mut OperatorSubtask, call: &OperatorCall) -> Result<usize, EngineError> {
    let mut made = pin!(subtask.call(call));
    let mut waits = 0;
    loop {
        match made.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(emitted) => return emitted.map(|_| waits),
            Poll::Pending => waits += 1,
        }
    }
}

#[test]
fn a_call_of_timers_reads_and_writes_the_states_of_its_keys_each_once_and_in_order() {
    let plan = StateFaultPlan { slow: 1_000, ..StateFaultPlan::default() };
    let (heard, backends) = (Heard::default(), FaultyBackendFactory::new(Simulator::new(1), plan));
    let mut subtask = subtask(&backends, &heard);
    let calls = [timers(7, &["b", "a", "b"]), batch(8, &["a"]), timers(9, &["", "a"])];
    let waits: Vec<usize> = calls.iter().map(|call| make(&mut subtask, call).unwrap()).collect();
    assert_eq!(*heard.lock().unwrap(), ["v1 timers at 7: b=2 a=1", "v1 batch at 8: a=2", "v1 timers at 9: =1 a=3"]);
    assert!(waits[0] > 0 && waits[2] > 0, "the state is waited for in front of a call of timers too: {waits:?}");
    let times = calls.map(|call| StateTime { watermark: call.watermark, processing_time: call.processing_time });
    assert_eq!(backends.prefetched(), times);
}

#[test]
fn a_call_of_timers_whose_states_cannot_be_fetched_is_neither_made_nor_kept() {
    let plan = StateFaultPlan { prefetch: 1_000, ..StateFaultPlan::default() };
    let (heard, backends) = (Heard::default(), FaultyBackendFactory::new(Simulator::new(1), plan));
    let mut subtask = subtask(&backends, &heard).keeping(CallLog::since(None, CallLogBudget::new(1_000_000)));
    let failed = make(&mut subtask, &timers(7, &["a"])).unwrap_err();
    assert_eq!(failed.to_string(), "count: prefetch: injected failure of the state backend");
    assert!(heard.lock().unwrap().is_empty());
    let kept = format!("{:?}", subtask.capture(CheckpointId(1), None, None).unwrap().calls.expect("calls are kept"));
    assert!(kept.contains("calls: []"), "{kept}");
}

#[test]
fn behind_a_swap_whoever_takes_over_next_is_of_the_new_version_and_on_probation_as_it_was() {
    let heard = Heard::default();
    let mut subtask = subtask(&MemoryBackendFactory::new(1), &heard);
    make(&mut subtask, &batch(1, &["a"])).unwrap();
    subtask.swap(Successor::new(place("v2", &heard)).unwrap());
    make(&mut subtask, &batch(2, &["a"])).unwrap();
    subtask.renew().unwrap();
    make(&mut subtask, &batch(3, &["a"])).unwrap();
    assert_eq!(subtask.factory().descriptor().version, "v2");
    let expect = ["v1 batch at 1: a=1", "v2 is on probation", "v2 batch at 2: a=2", "v2 is on probation", "v2 batch at 3: a=3"];
    assert_eq!(*heard.lock().unwrap(), expect);
}

#[test]
fn state_by_key_keeps_the_clock_of_the_barrier_whatever_it_lives_by_and_however_long_ago_it_was_called() {
    let kept = |kind, time: Option<TimeDomain>| {
        let mut place = place("v1", &Heard::default());
        let ttl = time.map(|time| StateTtl { ms: 5, time, refresh_on_read: false });
        let count = StateDescriptor { name: "count".into(), kind, schema: "raw".into(), version: 1, ttl };
        let descriptor = OperatorDescriptor { states: vec![count], ..OperatorDescriptor::default() };
        place.factory = Arc::new(Counting { descriptor, heard: Heard::default() });
        let clock = Simulator::new(1).runtime().clock;
        let at_barrier = clock.wall_ms();
        let mut subtask = OperatorSubtask::new(place, &MemoryBackendFactory::new(1), Arc::default(), clock).unwrap();
        make(&mut subtask, &OperatorCall { processing_time: at_barrier - 60_000, ..batch(1, &["a"]) }).unwrap();
        let kept = subtask.capture(CheckpointId(1), None, None).unwrap().processing_time;
        kept.inspect(|kept| assert_eq!(*kept, at_barrier)).is_some()
    };
    // Another version may let it live by the clock: it is as old as this then.
    let domains = [Some(TimeDomain::Processing), Some(TimeDomain::Event), None];
    assert!(domains.iter().all(|time| kept(StateKind::Value, *time)));
}

#[test]
fn event_time_begins_with_the_first_watermark_though_no_call_brings_a_key() {
    let mut place = place("v1", &Heard::default());
    let ttl = Some(StateTtl { ms: 5, time: TimeDomain::Event, refresh_on_read: false });
    let count = StateDescriptor { name: "count".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl };
    let descriptor = OperatorDescriptor { states: vec![count], ..OperatorDescriptor::default() };
    place.factory = Arc::new(Counting { descriptor, heard: Heard::default() });
    let clock = Simulator::new(1).runtime().clock;
    let mut subtask = OperatorSubtask::new(place, &MemoryBackendFactory::new(1), Arc::default(), clock).unwrap();
    make(&mut subtask, &batch(i64::MIN, &["a"])).unwrap();
    for watermark in [7, 30] {
        subtask.set_watermark(watermark);
        let call = subtask.watermark_call();
        make(&mut subtask, &call).unwrap();
    }
    let began = subtask.capture(CheckpointId(1), None, None).unwrap().event_time_began;
    assert_eq!(began, [WatermarkFloor { from: 0, to: 1, watermark: 7 }]);
}
