//! A whole job around one guest: numbered records in, a disk behind it, and one of three places for what is set aside.

use crate::simulation::{Disk, DiskSink, NumberSource, no_savepoints};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::Committer;
use weir_engine::checkpoint::{CheckpointConfig, RestoreOptions};
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, JobGraph, JobOptions, OutboxOptions, QuarantineSink, RestartPolicy, StartMode, Vertex, VertexKind};
use weir_engine::operator::{OperatorFactory, QUARANTINE_OUTPUT};
use weir_engine::state::MemoryBackendFactory;
use weir_engine::storage::Store;
use weir_wasm::{OperatorSettings, Plugin, WasmOperatorFactory};

/// Key groups of these jobs.
pub const MAX_PARALLELISM: u32 = 16;
/// The vertex of the guest is number 1: behind the source, in front of the sinks.
pub const GUEST: usize = 1;

/// Where quarantined records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// Nowhere: none are expected.
    Nowhere,
    /// Into the job's storage.
    Storage,
    /// Into a sink of the job, which the disk knows as `bad`.
    Sink,
}

/// The graph source → (key) guest → (forward) sink `out`.
pub struct GuestJob {
    /// What is read.
    pub source: NumberSource,
    /// Records per second.
    pub rate: f64,
    /// Subtasks of every vertex.
    pub parallelism: u32,
    /// The guest.
    pub plugin: Plugin,
    /// How the guest is run.
    pub settings: OperatorSettings,
    /// Where quarantined records go.
    pub aside: Aside,
    /// When checkpoints are taken.
    pub checkpoints: CheckpointConfig,
    /// What happens after a failure.
    pub restart: RestartPolicy,
}

impl GuestJob {
    /// The job's graph, with its output on `disk`.
    pub fn graph(&self, disk: &Disk) -> JobGraph {
        let vertex = |id: &str, kind| Vertex::new(id, self.parallelism, kind);
        let edge = |from, output, to, partitioning| Edge { from, output, to, input: 0, partitioning };
        let sink = || Arc::new(DiskSink { disk: disk.clone(), simulator: None });
        let guest: Arc<dyn OperatorFactory> =
            Arc::new(WasmOperatorFactory::new(self.plugin.clone(), self.settings.clone()).expect("its code can be compiled"));
        let operator = self.settings.operator.as_str();
        let mut vertices = vec![
            vertex("in", VertexKind::Source { source: Arc::new(self.source.clone()), rate: Some(self.rate) }),
            vertex(operator, VertexKind::Operator(guest)),
            vertex("out", VertexKind::Sink(sink())),
        ];
        let mut edges = vec![edge(0, 0, GUEST, Partitioning::Key), edge(GUEST, 0, 2, Partitioning::Forward)];
        match self.aside {
            Aside::Nowhere => {}
            Aside::Storage => vertices.push(vertex("aside", VertexKind::Sink(Arc::new(QuarantineSink::new(operator))))),
            Aside::Sink => vertices.push(vertex("bad", VertexKind::Sink(sink()))),
        }
        if vertices.len() == 4 {
            edges.push(edge(GUEST, QUARANTINE_OUTPUT, 3, Partitioning::Forward));
        }
        JobGraph { name: "sandboxed".into(), max_parallelism: MAX_PARALLELISM, vertices, edges }
    }

    /// How it is run, on `store`.
    pub fn options(&self, store: Arc<dyn Store>, disk: &Disk) -> JobOptions {
        options(store, disk, self.checkpoints, self.restart)
    }
}

/// How a job is run on `store` whose sinks are on `disk`.
pub fn options(store: Arc<dyn Store>, disk: &Disk, checkpoints: CheckpointConfig, restart: RestartPolicy) -> JobOptions {
    let committer: Arc<dyn Committer> = Arc::new(disk.clone());
    JobOptions {
        store,
        checkpoints,
        retain: 2,
        restart,
        start: StartMode::Resume,
        restore: RestoreOptions::default(),
        pinned: Vec::new(),
        overruled: Vec::new(),
        accept_lost_output: false,
        outbox: OutboxOptions::default(),
        savepoints: no_savepoints(),
        committers: Arc::new(move |connector| (connector == "disk").then(|| committer.clone())),
        backends: Arc::new(MemoryBackendFactory::new(7)),
        notice: Arc::new(|_| {}),
    }
}

/// Checkpoints so often that a short run takes many.
pub fn often() -> CheckpointConfig {
    CheckpointConfig { interval: Duration::from_millis(20), ..CheckpointConfig::default() }
}
