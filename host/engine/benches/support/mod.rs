//! What benchmarks of one task have in common: a task whose only node is an operator that owns all keys.

use std::collections::BTreeSet;
use std::sync::Arc;
use weir_engine::exchange::Output;
use weir_engine::metrics::VertexMetrics;
use weir_engine::operator::{OperatorFactory, Subtask};
use weir_engine::runtime::Runtime;
use weir_engine::state::{KeyGroupRange, MemoryBackendFactory, WindowSettings};
use weir_engine::task::{Chain, Node, NodeBody, OperatorSubtask, SubtaskPlace};

/// Key groups of the job, all of which are the operator's.
pub const MAX_PARALLELISM: u32 = 128;

/// A chain of the operator named `id`, with its state in memory. What it emits leads nowhere.
pub fn chain(runtime: &Runtime, id: &str, factory: Arc<dyn OperatorFactory>, window: Option<WindowSettings>) -> Chain {
    let routes = factory.descriptor().outputs.iter().map(|_| Vec::new()).collect();
    let place = SubtaskPlace {
        subtask: Subtask { vertex: id.into(), index: 0, parallelism: 1 },
        factory,
        schemas: vec![None],
        broadcast_inputs: BTreeSet::new(),
        window,
        key_groups: Some(KeyGroupRange { start: 0, end: MAX_PARALLELISM }),
        max_parallelism: MAX_PARALLELISM,
    };
    let metrics = Arc::<VertexMetrics>::default();
    let subtask = OperatorSubtask::new(place, &MemoryBackendFactory::new(1), metrics.clone(), runtime.clock.clone()).expect("it is made");
    let body = NodeBody::Operator(Box::new(subtask));
    let node = Node {
        vertex: 0,
        id: id.into(),
        metrics,
        counts: Arc::default(),
        body,
        routes,
        quarantine: Vec::new(),
        late: Vec::new(),
        time: None,
    };
    Chain::new(id.into(), vec![node], Vec::new(), Output::default(), runtime.clock.clone())
}
