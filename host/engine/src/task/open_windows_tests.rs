//! How many windows are open is shown as of each checkpoint, and from a restore on.

use super::testing::Captured;
use super::{OperatorSubtask, SubtaskPlace};
use crate::element::{BatchBuilder, CheckpointId, END_OF_TIME, RecordBatch, range_of};
use crate::error::EngineError;
use crate::metrics::VertexMetrics;
use crate::operator::{Operator, OperatorContext, OperatorDescriptor, OperatorFactory, Subtask};
use crate::runtime::Simulator;
use crate::state::{FiredWindows, MemoryBackendFactory, StateAllowance, StatePool, WindowKind, WindowSettings};
use futures_util::FutureExt;
use std::collections::BTreeSet;
use std::sync::Arc;

const GROUPS: u32 = 4;

/// Puts records into their windows, and keeps nothing of its own.
struct Opening(OperatorDescriptor);

impl OperatorFactory for Opening {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Self(self.0.clone())))
    }
}

impl Operator for Opening {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("it is keyed");
        assert_eq!(state.select(&**batch, 0..batch.len()).expect("they have keys and times"), batch.len());
        Ok(())
    }

    fn on_windows(&mut self, _fired: &FiredWindows, _context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        Ok(())
    }
}

/// The only subtask of such an operator with windows of ten ms, and what is shown of it.
fn subtask() -> (OperatorSubtask, Arc<VertexMetrics>) {
    let metrics = Arc::new(VertexMetrics::default());
    let place = SubtaskPlace {
        subtask: Subtask { vertex: "open".into(), index: 0, parallelism: 1 },
        factory: Arc::new(Opening(OperatorDescriptor { windowed: true, ..OperatorDescriptor::default() })),
        schemas: vec![None],
        broadcast_inputs: BTreeSet::new(),
        window: Some(WindowSettings::new(WindowKind::Tumbling { size: 10, offset: 0 })),
        key_groups: Some(range_of(0, 1, GROUPS)),
        max_parallelism: GROUPS,
    };
    let allowance = StateAllowance::new("operator \"open\" subtask 0".into(), None, StatePool::new(None), metrics.clone());
    let clock = Simulator::new(1).runtime().clock;
    let subtask = OperatorSubtask::new(place, &MemoryBackendFactory::new(1), metrics.clone(), clock).unwrap();
    (subtask.within(allowance), metrics)
}

fn come(subtask: &mut OperatorSubtask, records: &[(&str, i64)]) {
    let mut batch = BatchBuilder::new();
    records.iter().for_each(|(key, time)| batch.push(Some(key.as_bytes()), b"v", Some(*time)));
    for call in subtask.calls_of(0, true, Arc::new(batch.finish())) {
        subtask.call(&call).now_or_never().expect("nothing waits").unwrap();
    }
}

#[test]
fn open_windows_are_shown_as_of_a_checkpoint_and_from_a_restore_on() {
    let (mut subtask, metrics) = subtask();
    come(&mut subtask, &[("a", 1), ("b", 2), ("a", 3), ("a", 15)]);
    assert_eq!(metrics.open_windows.get(), 0, "it is a look at each key group, and no record's business");
    let captured = Captured::of(std::slice::from_mut(&mut subtask));
    assert_eq!(metrics.open_windows.get(), 3, "each of each key");
    subtask.set_watermark(9);
    while subtask.is_due() {
        subtask.fire().now_or_never().expect("nothing waits").unwrap();
    }
    subtask.capture(CheckpointId(2), None, None).unwrap();
    assert_eq!(metrics.open_windows.get(), 1);
    let (mut restored, metrics) = self::subtask();
    captured.restore(&mut restored, |state| state.queue_restored_windows(0).unwrap());
    restored.restore().now_or_never().expect("memory does not wait").unwrap();
    assert_eq!(metrics.open_windows.get(), 3);
    restored.set_watermark(END_OF_TIME.0);
    while restored.is_due() {
        restored.fire().now_or_never().expect("nothing waits").unwrap();
    }
    restored.capture(CheckpointId(1), None, None).unwrap();
    assert_eq!(metrics.open_windows.get(), 0);
}
