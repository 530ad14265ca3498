//! The graph of a running job, as its status shows it: what of that stays as it is while the job runs.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use weir_engine::job::{Edge, JobGraph, ShownPlugin, Vertex, VertexKind};
use weir_engine::metrics::{SubtaskMetrics, TimeSpent};

/// A job's vertices and edges.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShownGraph {
    pub vertices: Vec<ShownVertex>,
    pub edges: Vec<StatusEdge>,
}

/// A vertex.
#[derive(Clone, Debug)]
pub(crate) struct ShownVertex {
    pub id: String,
    /// With how many subtasks it begins.
    pub parallelism: u32,
    /// `source`, `operator` or `sink`.
    pub kind: &'static str,
    pub connector: Option<&'static str>,
    /// The component with which it begins, where it runs one.
    pub plugin: Option<ShownPlugin>,
}

/// An edge of a running job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusEdge {
    /// The vertex that it comes from.
    pub from: String,
    /// The output of that.
    pub output: String,
    /// The vertex that it leads to.
    pub to: String,
    /// Number of the input of that.
    pub input: u32,
    /// `key`, `forward`, `rebalance` or `broadcast`.
    pub by: String,
}

/// What a subtask has counted in this process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusSubtask {
    /// Its number.
    pub index: u32,
    /// Records that it was given.
    pub records_in: u64,
    /// Records that it emitted.
    pub records_out: u64,
    /// Bytes of the batches that it was given.
    pub bytes_in: u64,
    /// Bytes of the records that it emitted.
    pub bytes_out: u64,
    /// Batches that it has worked on.
    pub batches: u64,
    /// How long it has worked on them, s.
    pub batch_s: f64,
    /// Time at work, s; `None` where it is not the first vertex of its task, which has these times.
    pub busy_s: Option<f64>,
    /// Time with nothing to do, s.
    pub idle_s: Option<f64>,
    /// Time without room for what it would send, s.
    pub backpressured_s: Option<f64>,
}

impl ShownGraph {
    /// That of a job which is about to run.
    pub fn of(graph: &JobGraph) -> Self {
        let id = |vertex: usize| graph.vertices[vertex].id.clone();
        let edge = |edge: &Edge| StatusEdge {
            from: id(edge.from),
            output: graph.output_name(edge.from, edge.output),
            to: id(edge.to),
            input: edge.input,
            by: format!("{:?}", edge.partitioning).to_lowercase(),
        };
        Self { vertices: graph.vertices.iter().map(ShownVertex::of).collect(), edges: graph.edges.iter().map(edge).collect() }
    }
}

impl ShownVertex {
    fn of(vertex: &Vertex) -> Self {
        let (kind, connector) = match &vertex.kind {
            VertexKind::Source { source, .. } => ("source", Some(source.connector())),
            VertexKind::Operator(_) => ("operator", None),
            VertexKind::Sink(sink) => ("sink", Some(sink.connector())),
        };
        Self { id: vertex.id.clone(), parallelism: vertex.parallelism, kind, connector, plugin: ShownPlugin::of(vertex) }
    }
}

impl StatusSubtask {
    /// What has been counted up to `now`; `leads`: it is the first vertex of its task.
    pub fn of(index: usize, counted: &SubtaskMetrics, leads: bool, now: Duration) -> Self {
        let (batches, spent) = (counted.batch_time.get(), counted.occupations.spent(now).filter(|_| leads));
        let seconds = |of: fn(&TimeSpent) -> Duration| spent.as_ref().map(|spent| of(spent).as_secs_f64());
        Self {
            index: index as u32,
            records_in: counted.records_in.get(),
            records_out: counted.records_out.get(),
            bytes_in: counted.bytes_in.get(),
            bytes_out: counted.bytes_out.get(),
            batches: batches.count,
            batch_s: batches.sum_s,
            busy_s: seconds(|spent| spent.busy),
            idle_s: seconds(|spent| spent.idle),
            backpressured_s: seconds(|spent| spent.backpressured),
        }
    }
}
