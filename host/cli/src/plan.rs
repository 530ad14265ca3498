//! What `weir check` prints: how a job will run, every effective setting, and what each path from a source to a sink promises.

mod text;

pub use text::plan_text;

use crate::assemble::Assembly;
use crate::documents::SCHEMA;
use crate::job_file::{Code, JobFile, MAX_IN_FLIGHT_DEFAULT, OperatorStep};
use serde::Serialize;
use serde_json::{Map, Value, json};
use weir_engine::job::{Edge, JobGraph, VertexKind, layout};
use weir_engine::sink::Delivery;

/// The document of `weir check`.
#[derive(Clone, Debug, Serialize)]
pub struct PlanDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// The job file.
    pub file: String,
    /// Default parallelism.
    pub parallelism: u32,
    /// Number of key groups.
    pub max_parallelism: u32,
    /// Effective settings.
    pub checkpoints: Map<String, Value>,
    /// Effective settings.
    pub restart: Map<String, Value>,
    /// In topological order.
    pub vertices: Vec<PlanVertex>,
    /// The ids of the vertices that share a task, for each task.
    pub chains: Vec<Vec<String>>,
    /// Edges.
    pub edges: Vec<PlanEdge>,
    /// What each path from a source to a sink promises.
    pub paths: Vec<PlanPath>,
}

/// A vertex of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanVertex {
    /// Its id.
    pub id: String,
    /// `source`, `operator` or `sink`.
    pub kind: &'static str,
    /// The connector, or the operator's name and version.
    pub runs: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Effective settings.
    pub settings: Map<String, Value>,
}

/// An edge of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanEdge {
    /// The sending vertex.
    pub from: String,
    /// Its output.
    pub output: String,
    /// The receiving vertex.
    pub to: String,
    /// Number of its input.
    pub input: u32,
    /// The input's name, where the receiving vertex declares several.
    pub input_name: Option<String>,
    /// `key`, `forward`, `rebalance` or `broadcast`.
    pub by: String,
    /// True within a task: no channel between the two.
    pub chained: bool,
}

/// What a path promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanPath {
    /// The source.
    pub source: String,
    /// The sink.
    pub sink: String,
    /// What becomes of a record after a failure.
    pub delivery: PathDelivery,
    /// Why.
    pub why: String,
}

/// What becomes of a record after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathDelivery {
    /// It shows once.
    ExactlyOnce,
    /// It may show again.
    MayRepeat,
    /// It may be lost.
    MayLose,
    /// Some may show again, some may be lost.
    MayRepeatOrLose,
}

impl PathDelivery {
    fn text(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly-once",
            Self::MayRepeat => "may repeat",
            Self::MayLose => "may lose",
            Self::MayRepeatOrLose => "may repeat or lose",
        }
    }
}

/// The plan of a job.
pub fn plan(job: &JobFile, assembly: &Assembly) -> PlanDocument {
    let graph = &assembly.graph;
    let id = |vertex: usize| graph.vertices[vertex].id.clone();
    let chains: Vec<Vec<usize>> = layout(graph).into_iter().map(|task| task.members).collect();
    let chained = |from: usize, to: usize| chains.iter().any(|chain| chain[0] != to && chain.contains(&from) && chain.contains(&to));
    let edge = |edge: &Edge| PlanEdge {
        from: id(edge.from),
        output: graph.output_name(edge.from, edge.output),
        to: id(edge.to),
        input: edge.input,
        input_name: input_name(graph, edge),
        by: format!("{:?}", edge.partitioning).to_lowercase(),
        chained: chained(edge.from, edge.to),
    };
    PlanDocument {
        schema: SCHEMA,
        job: job.name.clone(),
        file: job.source.name.to_string(),
        parallelism: job.parallelism,
        max_parallelism: job.max_parallelism,
        checkpoints: checkpoint_settings(job),
        restart: restart_settings(job),
        vertices: (0..graph.vertices.len()).map(|vertex| plan_vertex(job, graph, vertex)).collect(),
        edges: graph.edges.iter().map(edge).collect(),
        paths: paths(graph),
        chains: chains.iter().map(|chain| chain.iter().map(|&vertex| id(vertex)).collect()).collect(),
    }
}

fn input_name(graph: &JobGraph, edge: &Edge) -> Option<String> {
    match &graph.vertices[edge.to].kind {
        VertexKind::Operator(factory) if factory.descriptor().inputs.len() > 1 => {
            factory.descriptor().inputs.get(edge.input as usize).map(|input| input.name.clone())
        }
        VertexKind::Operator(_) | VertexKind::Source { .. } | VertexKind::Sink(_) => None,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

fn duration(duration: std::time::Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A size as one would write it in a job file.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|&(_, shift)| bytes > 0 && bytes.trailing_zeros() >= shift);
    unit.map_or(format!("{bytes}B"), |(name, shift)| format!("{}{name}", bytes >> shift))
}

fn checkpoint_settings(job: &JobFile) -> Map<String, Value> {
    let settings = &job.checkpoints;
    object(json!({
        "storage": settings.storage.value, "interval": duration(settings.interval), "mode": "exactly-once", "unaligned": "never",
        "max-concurrent": settings.max_concurrent, "min-pause": duration(settings.min_pause), "timeout": duration(settings.timeout),
        "tolerate-failures": settings.tolerate_failures, "retain": settings.retain, "max-in-flight-bytes": size(MAX_IN_FLIGHT_DEFAULT),
    }))
}

fn restart_settings(job: &JobFile) -> Map<String, Value> {
    let settings = &job.restart;
    object(json!({
        "strategy": settings.strategy.name(), "attempts": settings.attempts,
        "delay": duration(settings.delay), "max-delay": duration(settings.max_delay),
    }))
}

fn plan_vertex(job: &JobFile, graph: &JobGraph, vertex: usize) -> PlanVertex {
    let vertex = &graph.vertices[vertex];
    let (kind, runs) = match &vertex.kind {
        VertexKind::Source { source, .. } => ("source", source.connector().to_owned()),
        VertexKind::Operator(factory) => {
            let descriptor = factory.descriptor();
            let digest = factory.component().map(|component| format!(" ({})", component.digest.get(..8).unwrap_or(&component.digest)));
            ("operator", format!("{} {}{}", descriptor.name, descriptor.version, digest.unwrap_or_else(|| " (native)".into())))
        }
        VertexKind::Sink(sink) => ("sink", sink.connector().to_owned()),
    };
    PlanVertex { id: vertex.id.clone(), kind, runs, parallelism: vertex.parallelism, settings: settings_of(job, &vertex.id) }
}

/// The settings of a step with every default filled in. The vertices that weir adds have none.
fn settings_of(job: &JobFile, id: &str) -> Map<String, Value> {
    if let Some(step) = job.sources.iter().find(|step| step.id.value == id) {
        let effective = weir_connectors::source_settings(&step.connector.value, &step.settings.values, &job.folder);
        let mut settings = effective.unwrap_or_else(|_| step.settings.values.clone());
        settings.insert("rate".into(), json!(step.rate));
        if step.replay_none.is_some() {
            settings.insert("replay".into(), json!("none"));
        }
        return settings;
    }
    if let Some(step) = job.sinks.iter().find(|step| step.id.value == id) {
        let effective = weir_connectors::sink_settings(&step.connector.value, &step.settings.values, &job.folder);
        return effective.unwrap_or_else(|_| step.settings.values.clone());
    }
    job.operators.iter().find(|step| step.id.value == id).map(operator_settings).unwrap_or_default()
}

fn operator_settings(step: &OperatorStep) -> Map<String, Value> {
    match &step.code {
        Code::Native(name) => object(json!({ "native": name.value })),
        Code::Plugin(code) => object(json!({
            "plugin": code.path.value, "build": code.build.as_ref().map(|build| &build.value), "sources": code.sources, "config": code.config,
            "on-failure": code.on_failure.name(),
            "limits": {
                "memory": size(code.limits.memory),
                "time-per-batch": duration(code.limits.time_per_batch),
            },
        })),
    }
}

/// One entry for each source and sink that a record can travel between.
fn paths(graph: &JobGraph) -> Vec<PlanPath> {
    let mut paths = Vec::new();
    for (from, vertex) in graph.vertices.iter().enumerate() {
        let VertexKind::Source { source, .. } = &vertex.kind else { continue };
        for to in reachable(graph, from) {
            let VertexKind::Sink(sink) = &graph.vertices[to].kind else { continue };
            let (delivery, why) = delivery(&vertex.id, source.replayable(), &graph.vertices[to].id, sink.delivery());
            paths.push(PlanPath { source: vertex.id.clone(), sink: graph.vertices[to].id.clone(), delivery, why });
        }
    }
    paths
}

/// The vertices behind `from`, ascending. Vertices are in topological order, so one pass finds all.
fn reachable(graph: &JobGraph, from: usize) -> Vec<usize> {
    let mut reached = vec![false; graph.vertices.len()];
    reached[from] = true;
    for vertex in from..graph.vertices.len() {
        if reached[vertex] {
            graph.outputs(vertex).for_each(|(_, edge)| reached[edge.to] = true);
        }
    }
    (0..reached.len()).filter(|&vertex| vertex != from && reached[vertex]).collect()
}

fn delivery(source: &str, replayable: bool, sink: &str, of_sink: Delivery) -> (PathDelivery, String) {
    let lost = format!("`{source}` cannot be read again: what it had given since the last checkpoint is lost");
    let repeated = format!("`{sink}` shows records before their checkpoint is complete: they are written again");
    match (replayable, of_sink) {
        (true, Delivery::ExactlyOnce) => {
            let why = format!("`{source}` is read again from the checkpoint, `{sink}` shows what a complete checkpoint covers");
            (PathDelivery::ExactlyOnce, why)
        }
        (true, Delivery::MayRepeat) => (PathDelivery::MayRepeat, repeated),
        (false, Delivery::ExactlyOnce) => (PathDelivery::MayLose, lost),
        (false, Delivery::MayRepeat) => (PathDelivery::MayRepeatOrLose, format!("{lost}; {repeated}")),
    }
}

#[cfg(test)]
mod tests;
