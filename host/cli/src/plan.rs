//! What `weir check` prints: how a job will run, every effective setting, and what each path from a source to a sink promises.

mod delivery;
mod order;
mod restore;
mod text;

pub use delivery::PlanPath;
pub use order::PlanOrder;
pub use restore::{RestoreDocument, restore_document};
pub use text::plan_text;

use crate::assemble::Assembly;
use crate::documents::SCHEMA;
use crate::job_file::{Code, JobFile, OperatorStep};
use crate::plugins::{PluginOrigin, PluginOrigins};
use crate::process::state_memory;
use serde::Serialize;
use serde_json::{Map, Value, json};
use weir_engine::checkpoint::CheckpointMode;
use weir_engine::element::BarrierAlignment;
use weir_engine::job::{Edge, JobGraph, VertexKind, layout};
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
    /// In topological order.
    pub vertices: Vec<PlanVertex>,
    /// The ids of the vertices that share a task, for each task.
    pub chains: Vec<Vec<String>>,
    /// Edges.
    pub edges: Vec<PlanEdge>,
    /// What each path from a source to a sink promises.
    pub paths: Vec<PlanPath>,
    /// How far the order of a key's records goes, for each source and keyed operator behind it.
    pub orders: Vec<PlanOrder>,
    /// What there is and is not read, or is read once under one of its names.
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
        checkpoints: checkpoint_settings(job),
        restart: restart_settings(job),
        vertices: (0..graph.vertices.len()).map(|vertex| plan_vertex((job, plugins), graph, vertex)).collect(),
        edges: graph.edges.iter().map(edge).collect(),
        paths: delivery::paths(graph, job.checkpoints.config.mode),
        orders: order::orders(graph),
        remarks: Vec::new(),
        restore: None,
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
    let (settings, config) = (&job.checkpoints, &job.checkpoints.config);
    let mode = match config.mode {
        CheckpointMode::ExactlyOnce => "exactly-once",
        CheckpointMode::AtLeastOnce => "at-least-once",
    };
    let unaligned = match config.alignment {
        BarrierAlignment::Aligned => "never".to_owned(),
        BarrierAlignment::AlignedFor(time) => duration(time),
        BarrierAlignment::Unaligned => "always".to_owned(),
    };
    object(json!({
        "storage": settings.storage.value, "interval": duration(config.interval), "mode": mode, "unaligned": unaligned,
        "max-concurrent": config.max_concurrent, "min-pause": duration(config.min_pause), "timeout": duration(config.timeout),
        "stop-timeout": duration(config.stop_timeout), "tolerate-failures": config.tolerate_failures, "retain": settings.retain,
        "max-in-flight-bytes": size(config.max_in_flight_bytes),
    }))
}

fn restart_settings(job: &JobFile) -> Map<String, Value> {
    let settings = &job.restart;
    object(json!({
        "strategy": settings.strategy.name(), "attempts": settings.attempts,
        "delay": duration(settings.delay), "max-delay": duration(settings.max_delay),
    }))
}

fn plan_vertex((job, plugins): (&JobFile, &PluginOrigins), graph: &JobGraph, vertex: usize) -> PlanVertex {
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
    PlanVertex { id: vertex.id.clone(), kind, runs, parallelism: vertex.parallelism, settings: settings_of((job, plugins), &vertex.id) }
}

/// The settings of a step with every default filled in. The vertices that weir adds have none.
fn settings_of((job, plugins): (&JobFile, &PluginOrigins), id: &str) -> Map<String, Value> {
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
    let bytes = plugins.get(id).and_then(PluginOrigin::size);
    job.operators.iter().find(|step| step.id.value == id).map(|step| operator_settings(step, bytes)).unwrap_or_default()
}

/// What a subtask may keep: its own limit, or what all without one may keep together.
fn state_bytes(step: &OperatorStep) -> String {
    match (step.state_bytes, state_memory()) {
        (Some(own), _) => size(own),
        (None, Some(shared)) => format!("{} (half of the memory, shared by all subtasks without a limit of their own)", size(shared)),
        (None, None) => "none (the system does not say how much memory there is)".into(),
    }
}

/// What compiling a file of `bytes` bytes may take; nothing is known of one that is not there.
fn compile_limits(limits: CompileLimits, bytes: Option<u64>) -> Value {
    let CompileLimits { time, memory } = bytes.map_or(limits, |bytes| limits.for_file(bytes));
    let time = time.map(|time| duration(std::time::Duration::from_millis(time.as_millis() as u64)));
    json!({ "time": time, "memory": memory.map(size) })
}

/// `bytes`: the size of the plugin's file.
fn operator_settings(step: &OperatorStep, bytes: Option<u64>) -> Map<String, Value> {
    match &step.code {
        Code::Native(name) => {
            object(json!({ "native": name.value, "limits": { "state-bytes": state_bytes(step) }, "record": step.record }))
        }
        Code::Plugin(code) => object(json!({
            "plugin": code.path.value, "build": code.build.as_ref().map(|build| &build.value), "sources": code.sources, "config": code.config,
            "on-failure": code.on_failure.name(),
            "limits": {
                "memory": size(code.limits.memory),
                "time-per-batch": duration(code.limits.time_per_batch),
                "state-bytes-per-key": size(code.limits.state_bytes_per_key),
                "state-bytes": state_bytes(step),
                "compile": compile_limits(code.limits.compile, bytes),
            },
            "record": step.record,
        })),
    }
}

#[cfg(test)]
mod tests;
