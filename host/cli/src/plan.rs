//! What `weir check` prints: how a job will run, every effective setting, and what each path from a source to a sink promises.

mod delivery;
mod order;
mod restore;
#[cfg(test)]
mod stand_in;
mod text;
mod time;
mod timers;
mod waits;

pub use delivery::PlanPath;
pub use order::PlanOrder;
pub use restore::{RestoreDocument, restore_document};
pub use text::plan_text;
pub use time::PlanTime;
pub use timers::PlanTimer;

use crate::assemble::Assembly;
use crate::documents::{SCHEMA, runs_text};
use crate::job_file::{Code, JobFile, OperatorStep, duration_text, size_text};
use crate::plugins::{PluginOrigin, PluginOrigins};
use crate::process::state_memory;
use serde::Serialize;
use serde_json::{Map, Value, json};
use weir_engine::job::{Edge, JobGraph, VertexKind, layout};
use weir_engine::operator::QUARANTINE_OUTPUT;
use weir_wasm::CompileLimits;

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
    /// Effective settings.
    pub api: Map<String, Value>,
    /// In topological order.
    pub vertices: Vec<PlanVertex>,
    /// The ids of the vertices that share a task, for each task.
    pub chains: Vec<Vec<String>>,
    /// Edges.
    pub edges: Vec<PlanEdge>,
    /// What each path from a source to a sink promises.
    pub paths: Vec<PlanPath>,
    /// How far the order of records goes: of a key's, for each source and keyed operator behind it; of all that one subtask reads, to where it is spread.
    pub orders: Vec<PlanOrder>,
    /// Whether each source gives its records a time, and how it tells event time from it.
    pub times: Vec<PlanTime>,
    /// What there is and is not read, or is read once under one of its names; sources that no step reads; windows and timers that
    /// wait for the end of the input, or for ever.
    pub remarks: Vec<String>,
    /// What is taken over from a checkpoint, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreDocument>,
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
    /// Timers that it declares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<PlanTimer>,
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

/// The plan of a job whose plugins come from `plugins`: some limits follow from the sizes of their files.
pub fn plan(job: &JobFile, assembly: &Assembly, plugins: &PluginOrigins) -> PlanDocument {
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
        checkpoints: job.checkpoints.shown.clone(),
        restart: job.restart_shown.clone(),
        api: job.api.shown.clone(),
        vertices: (0..graph.vertices.len()).map(|vertex| plan_vertex((job, plugins), graph, vertex)).collect(),
        edges: graph.edges.iter().map(edge).collect(),
        paths: delivery::paths(graph, job.checkpoints.config.mode),
        orders: order::orders(graph),
        times: time::times(graph),
        remarks: [unread(graph), timers::without_time(graph), timers::living_without_time(graph), waits::remarks(graph)].concat(),
        restore: None,
        chains: chains.iter().map(|chain| chain.iter().map(|&vertex| id(vertex)).collect()).collect(),
    }
}

/// A line for each source whose records no step takes.
fn unread(graph: &JobGraph) -> Vec<String> {
    let is_read = |source: usize| graph.edges.iter().any(|edge| edge.from == source && edge.output != QUARANTINE_OUTPUT);
    let vertices = graph.vertices.iter().enumerate();
    let unread = vertices.filter(|(place, vertex)| matches!(vertex.kind, VertexKind::Source { .. }) && !is_read(*place));
    unread.map(|(_, source)| format!("warning: no step takes the records of `{}`: `input` of a step names its source", source.id)).collect()
}

fn input_name(graph: &JobGraph, edge: &Edge) -> Option<String> {
    match &graph.vertices[edge.to].kind {
        VertexKind::Operator(factory) if factory.descriptor().inputs.len() > 1 => {
            factory.descriptor().inputs.get(edge.input as usize).map(|input| input.name.clone())
        }
        VertexKind::Operator(_) | VertexKind::Source { .. } | VertexKind::Sink(_) => None,
    }
}

fn plan_vertex((job, plugins): (&JobFile, &PluginOrigins), graph: &JobGraph, vertex: usize) -> PlanVertex {
    let vertex = &graph.vertices[vertex];
    let (kind, runs) = match &vertex.kind {
        VertexKind::Source { source, .. } => ("source", source.connector().to_owned()),
        VertexKind::Operator(factory) => {
            let descriptor = factory.descriptor();
            let digest = factory.component().map(|component| component.digest.as_str());
            ("operator", runs_text(&descriptor.name, &descriptor.version, digest))
        }
        VertexKind::Sink(sink) => ("sink", sink.connector().to_owned()),
    };
    let settings = settings_of((job, plugins), &vertex.id);
    PlanVertex { id: vertex.id.clone(), kind, runs, parallelism: vertex.parallelism, settings, timers: timers::declared(vertex) }
}

/// The settings of a step with every default filled in. The vertices that weir adds have none.
fn settings_of((job, plugins): (&JobFile, &PluginOrigins), id: &str) -> Map<String, Value> {
    if let Some(step) = job.sources.iter().find(|step| step.id.value == id) {
        let effective = weir_connectors::source_settings(&step.connector.value, &step.settings.values, &job.folder);
        let mut settings = effective.unwrap_or_else(|_| step.settings.values.clone());
        // What else it says stands beside its settings.
        settings.extend(step.shown.clone().into_iter().filter(|(name, _)| ["rate", "replay", "watermark"].contains(&name.as_str())));
        return settings;
    }
    if let Some(step) = job.sinks.iter().find(|step| step.id.value == id) {
        let effective = weir_connectors::sink_settings(&step.connector.value, &step.settings.values, &job.folder);
        return effective.unwrap_or_else(|_| step.settings.values.clone());
    }
    let bytes = plugins.get(id).and_then(PluginOrigin::size);
    job.operators.iter().find(|step| step.id.value == id).map(|step| operator_settings(step, bytes)).unwrap_or_default()
}

/// What a subtask may keep: its own limit, or what all without one may keep together.
fn state_bytes(step: &OperatorStep) -> String {
    match (step.state_bytes, state_memory()) {
        (Some(own), _) => size_text(own),
        (None, Some(shared)) => format!("{} (half of the memory, shared by all subtasks without a limit of their own)", size_text(shared)),
        (None, None) => "none (the system does not say how much memory there is)".into(),
    }
}

/// What compiling a file of `bytes` bytes may take; nothing is known of one that is not there.
fn compile_limits(limits: CompileLimits, bytes: Option<u64>) -> Value {
    let CompileLimits { time, memory } = bytes.map_or(limits, |bytes| limits.for_file(bytes));
    let time = time.map(|time| duration_text(std::time::Duration::from_millis(time.as_millis() as u64)));
    json!({ "time": time, "memory": memory.map(size_text) })
}

/// The settings as they hold, with what follows from the machine and from the plugin's file, which has `bytes` bytes.
fn operator_settings(step: &OperatorStep, bytes: Option<u64>) -> Map<String, Value> {
    let elsewhere = ["parallelism", "was"];
    let mut settings: Map<String, Value> = step.shown.clone().into_iter().filter(|(name, _)| !elsewhere.contains(&name.as_str())).collect();
    let limits = settings.entry("limits").or_insert_with(|| json!({}));
    limits["state-bytes"] = json!(state_bytes(step));
    match &step.code {
        Code::Native(_) => {}
        Code::Plugin(code) => limits["compile"] = compile_limits(code.limits.compile, bytes),
    }
    settings
}

#[cfg(test)]
mod tests;
