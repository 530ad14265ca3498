//! From a job file to the engine's graph: connectors are made from their settings, plugins loaded and compared with what the job wants of
//! them.
//!
//! What the job file has wrong is a [`Problem`] with its place, all of them at once; a file that is no plugin is a failure of its own.

mod alone;
mod folders;
mod inputs;
mod own_output;
mod secrets;
mod set_aside;
mod time;
mod windows;

pub(crate) use alone::{Alone, alone};
pub(crate) use time::{in_front_of, is_endless, told};
pub(crate) use windows::could_tell;

use crate::failure::Failure;
use crate::job_file::{self, Code, Input, JobFile, OperatorStep, PluginCode, Problem, Settings, SourceStep, Span, suggest};
use crate::native;
use std::collections::HashMap;
use std::sync::Arc;
use weir_connectors::SettingsError;
use weir_engine::checkpoint::CheckpointMode;
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, JobGraph, QuarantineSink, Vertex, VertexKind};
use weir_engine::operator::{LATE_NAME, LATE_OUTPUT, OperatorDescriptor, QUARANTINE_NAME, QUARANTINE_OUTPUT};
use weir_engine::{OperatorFactory, Sink, Source};
use weir_wasm::{OperatorSettings, Plugin, PluginConfig, WasmOperatorFactory};

/// The engine's graph of a job.
#[derive(Clone)]
pub struct Assembly {
    /// The graph.
    pub graph: JobGraph,
    /// Indexes of the vertices that are the job's own sinks. The sinks that weir adds for quarantined records are not among them.
    pub sinks: Vec<usize>,
}

/// Makes the graph of `job`, with the plugin of each operator that `load` gives for its id.
pub fn assemble(job: &JobFile, load: impl FnMut(&str) -> Result<Plugin, Failure>) -> Result<Assembly, Failure> {
    put_together(job, || operators(job, load))
}

/// As [`assemble`], with the operators that `load` gives once the connectors are known to be right.
fn put_together(job: &JobFile, load: impl FnOnce() -> Result<Operators, Failure>) -> Result<Assembly, Failure> {
    let Connectors { sources, sinks, problems } = connectors(job);
    job.refuse(problems)?;
    let operators = load()?;
    let mut builder =
        Builder { job, operators: &operators, places: HashMap::new(), vertices: Vec::new(), edges: Vec::new(), problems: Vec::new() };
    for (step, source) in job.sources.iter().zip(sources) {
        let vertex = builder.vertex(&step.id.value, step.parallelism, VertexKind::Source { source, rate: step.rate });
        builder.vertices[vertex].watermark = step.watermark.as_ref().map(|watermark| watermark.settings.clone());
    }
    for step in topological(&job.operators) {
        builder.operator(step);
    }
    let first_sink = builder.vertices.len();
    for (step, sink) in job.sinks.iter().zip(sinks) {
        let to = builder.vertex(&step.id.value, step.parallelism, VertexKind::Sink(sink));
        step.inputs.iter().for_each(|input| builder.edge(input, to, 0));
    }
    let sinks = (first_sink..builder.vertices.len()).collect();
    builder.quarantine_sinks();
    let Builder { vertices, edges, mut problems, .. } = builder;
    let graph = JobGraph { name: job.name.clone(), max_parallelism: job.max_parallelism, vertices, edges };
    problems.extend(windows::without_time(job, &graph));
    problems.extend(windows::timers_without_time(job, &graph));
    job.refuse(problems)?;
    Ok(Assembly { graph, sinks })
}

/// What is wrong with the settings of a job's connectors.
pub fn connector_problems(job: &JobFile) -> Vec<Problem> {
    connectors(job).problems
}

struct Connectors {
    sources: Vec<Arc<dyn Source>>,
    sinks: Vec<Arc<dyn Sink>>,
    problems: Vec<Problem>,
}

fn connectors(job: &JobFile) -> Connectors {
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    for step in &job.sources {
        match source(job, step) {
            Ok(source) => {
                problems.extend(set_aside::missing(job, step, &*source));
                problems.extend(time::problems(step, &*source));
                sources.push(source);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let sinks = collect(job.sinks.iter().map(|step| sink(job, &step.connector, &step.settings)), &mut problems);
    problems.extend(secrets::problems(job));
    problems.extend(folders::shared(job));
    problems.extend(own_output::problems(job));
    Connectors { sources, sinks, problems }
}

/// Keeps what worked and puts the rest among the problems.
fn collect<T>(results: impl Iterator<Item = Result<T, Problem>>, problems: &mut Vec<Problem>) -> Vec<T> {
    results.filter_map(|result| result.map_err(|problem| problems.push(problem)).ok()).collect()
}

fn source(job: &JobFile, step: &SourceStep) -> Result<Arc<dyn Source>, Problem> {
    let source = weir_connectors::source(&step.connector.value, &step.settings.values, &job.folder)
        .map_err(|error| settings_problem(error, &step.settings, &step.connector.span))?;
    let id = &step.id.value;
    match (source.capabilities().replayable, &step.replay_none) {
        (false, None) if job.checkpoints.config.mode == CheckpointMode::ExactlyOnce => {
            let message = format!("`{id}` cannot be read again after a failure, and the job is exactly-once");
            Err(Problem::new(step.connector.span.clone(), message).hint("`replay = \"none\"` says that records may be lost"))
        }
        (true, Some(span)) => {
            let message = format!("`{id}` can be read again after a failure, and always is");
            Err(Problem::new(span.clone(), message).hint("leave `replay` out"))
        }
        (true, None) | (false, None | Some(_)) => Ok(source),
    }
}

fn sink(job: &JobFile, connector: &job_file::Located<String>, settings: &Settings) -> Result<Arc<dyn Sink>, Problem> {
    weir_connectors::sink(&connector.value, &settings.values, &job.folder)
        .map_err(|error| settings_problem(error, settings, &connector.span))
}

/// A connector's complaint, at the setting that it is about.
fn settings_problem(error: SettingsError, settings: &Settings, connector: &Span) -> Problem {
    let span = error.field.as_ref().and_then(|field| settings.spans.get(field)).unwrap_or(connector);
    let problem = Problem::new(span.clone(), error.message);
    match error.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

type Operators = HashMap<String, Arc<dyn OperatorFactory>>;

fn operators(job: &JobFile, mut load: impl FnMut(&str) -> Result<Plugin, Failure>) -> Result<Operators, Failure> {
    let mut operators = Operators::new();
    for step in &job.operators {
        let id = &step.id.value;
        let factory: Arc<dyn OperatorFactory> = match &step.code {
            Code::Native(name) => native::factory(&name.value, step.state_bytes).expect("the job file names a built-in operator"),
            Code::Plugin(code) => Arc::new(WasmOperatorFactory::new(load(id)?, settings(step, code))?),
        };
        operators.insert(id.clone(), factory);
    }
    Ok(operators)
}

fn engine_partitioning(by: job_file::Partitioning) -> Partitioning {
    match by {
        job_file::Partitioning::Forward => Partitioning::Forward,
        job_file::Partitioning::Key => Partitioning::Key,
        job_file::Partitioning::Rebalance => Partitioning::Rebalance,
        job_file::Partitioning::Broadcast => Partitioning::Broadcast,
    }
}

fn settings(step: &OperatorStep, code: &PluginCode) -> OperatorSettings {
    let on_failure = match code.on_failure {
        job_file::OnFailure::Fail => weir_wasm::OnFailure::Fail,
        job_file::OnFailure::Quarantine => weir_wasm::OnFailure::Quarantine { limit: code.quarantine },
    };
    let limits = weir_wasm::Limits {
        memory: code.limits.memory,
        recycle_memory: code.limits.recycle_memory,
        table_elements: code.limits.table_elements,
        time_per_batch: code.limits.time_per_batch,
        fuel_per_record: code.limits.fuel_per_record,
        batch_bytes: None,
        output_bytes: code.limits.output_bytes,
        output_records: code.limits.output_records,
        state_bytes_per_key: code.limits.state_bytes_per_key,
        state_bytes: step.state_bytes,
        log_bytes_per_s: code.limits.log_bytes_per_s,
    };
    OperatorSettings { operator: step.id.value.clone(), config: PluginConfig::new(&code.config), limits, on_failure }
}

/// Operators so that each comes behind those that it reads from. The job file has no circles.
fn topological(operators: &[OperatorStep]) -> Vec<&OperatorStep> {
    let mut left: Vec<&OperatorStep> = operators.iter().collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |step: &OperatorStep, left: &[&OperatorStep]| {
            step.inputs.iter().any(|input| left.iter().any(|other| other.id.value == input.from))
        };
        let next = left.iter().position(|step| !waits(step, &left)).expect("the job file has no circles");
        ordered.push(left.remove(next));
    }
    ordered
}

struct Builder<'a> {
    job: &'a JobFile,
    operators: &'a Operators,
    /// Index of each step's vertex.
    places: HashMap<String, usize>,
    vertices: Vec<Vertex>,
    edges: Vec<Edge>,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn vertex(&mut self, id: &str, parallelism: u32, kind: VertexKind) -> usize {
        self.places.insert(id.to_owned(), self.vertices.len());
        self.vertices.push(Vertex::new(id, parallelism, kind));
        self.vertices.len() - 1
    }

    fn operator(&mut self, step: &OperatorStep) {
        let factory = self.operators[&step.id.value].clone();
        let to = self.vertex(&step.id.value, step.parallelism, VertexKind::Operator(factory.clone()));
        self.vertices[to].record = step.record;
        self.vertices[to].watermark = step.watermark.as_ref().map(|watermark| watermark.settings.clone());
        let descriptor = factory.descriptor();
        self.vertices[to].window = step.window.as_ref().filter(|_| descriptor.windowed).map(|window| window.settings.clone());
        self.problems.extend(windows::problems(step, descriptor));
        self.problems.extend(inputs::unserved(step, descriptor));
        let numbers = inputs::numbers(step, descriptor, &mut self.problems);
        for (input, number) in step.inputs.iter().zip(numbers) {
            self.check_schema(input, descriptor, number as usize);
            self.edge(input, to, number);
        }
    }

    fn check_schema(&mut self, input: &Input, descriptor: &OperatorDescriptor, number: usize) {
        let Some(accepts) = descriptor.inputs.get(number).map(|input| &input.accepts).filter(|accepts| !accepts.is_empty()) else { return };
        let Some(factory) = self.operators.get(&input.from) else { return };
        let outputs = &factory.descriptor().outputs;
        let output = match &input.output {
            Some(name) => outputs.iter().find(|output| output.name == *name),
            None => outputs.first(),
        };
        let Some(schema) = output.and_then(|output| output.schema.as_ref()).filter(|schema| !accepts.contains(schema)) else { return };
        let accepted: Vec<String> = accepts.iter().map(|schema| format!("`{}` v{}", schema.id, schema.version)).collect();
        let message =
            format!("`{}` gives records of type `{}` v{}, which this input does not take", input.reference(), schema.id, schema.version);
        self.problems.push(Problem::new(input.span.clone(), message).hint(format!("it takes {}", accepted.join(", "))));
    }

    /// Records that never have a key cannot be distributed by it.
    fn check_keys(&mut self, input: &Input) {
        let VertexKind::Source { source, .. } = &self.vertices[self.places[&input.from]].kind else { return };
        if input.by != job_file::Partitioning::Key {
            return;
        }
        if input.output.is_some() {
            let message = format!("the records of `{}` have no key: they could not be read", input.reference());
            self.problems.push(Problem::new(input.span.clone(), message).hint("leave `by` out"));
            return;
        }
        if source.gives_keys() {
            return;
        }
        let from = &input.from;
        let hint = match source.capabilities().key_setting {
            true => format!("`key` in [source.{from}] names a column (`format = \"csv\"`) or a field (`format = \"jsonl\"`)"),
            false => format!("an operator between the two can give the records of `{from}` a key"),
        };
        let message = format!("the records of `{from}` have no key, so they cannot be distributed by key");
        self.problems.push(Problem::new(input.span.clone(), message).hint(hint));
    }

    fn edge(&mut self, input: &Input, to: usize, number: u32) {
        self.check_keys(input);
        match self.output_of(input) {
            Ok(output) => {
                let partitioning = engine_partitioning(input.by);
                self.edges.push(Edge { from: self.places[&input.from], output, to, input: number, partitioning });
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    fn output_of(&self, input: &Input) -> Result<u32, Problem> {
        let Some(factory) = self.operators.get(&input.from) else {
            // The job file lets a source have no other.
            return Ok(if input.output.is_some() { QUARANTINE_OUTPUT } else { 0 });
        };
        let outputs = &factory.descriptor().outputs;
        let Some(name) = &input.output else {
            let nothing = || Problem::new(input.span.clone(), format!("the plugin of `{}` has no output", input.from));
            return if outputs.is_empty() { Err(nothing()) } else { Ok(0) };
        };
        match name.as_str() {
            QUARANTINE_NAME => return Ok(QUARANTINE_OUTPUT),
            LATE_NAME if factory.descriptor().windowed => return Ok(LATE_OUTPUT),
            LATE_NAME => return Err(windows::never_late(input)),
            _ => {}
        }
        let found = outputs.iter().position(|output| output.name == *name);
        found.map(|index| index as u32).ok_or_else(|| {
            let problem = Problem::new(input.span.clone(), format!("the plugin of `{}` has no output `{name}`", input.from));
            let late = factory.descriptor().windowed.then_some(LATE_NAME);
            let own = outputs.iter().map(|output| output.name.as_str());
            problem.hint(suggest(name, own.chain(late).chain([QUARANTINE_NAME])))
        })
    }

    /// Quarantined records that no step of the job takes go into the job's storage.
    fn quarantine_sinks(&mut self) {
        let of_sources = self.job.sources.iter().map(|step| {
            let kind = &self.vertices[self.places[&step.id.value]].kind;
            (&step.id.value, step.parallelism, matches!(kind, VertexKind::Source { source, .. } if source.quarantines()))
        });
        let of_operators = self.job.operators.iter().map(|step| {
            let quarantines = matches!(&step.code, Code::Plugin(code) if code.on_failure == job_file::OnFailure::Quarantine);
            (&step.id.value, step.parallelism, quarantines)
        });
        for (id, parallelism, quarantines) in of_sources.chain(of_operators).collect::<Vec<_>>() {
            let from = self.places[id];
            let taken = self.edges.iter().any(|edge| edge.from == from && edge.output == QUARANTINE_OUTPUT);
            if !quarantines || taken {
                continue;
            }
            let sink = VertexKind::Sink(Arc::new(QuarantineSink::new(id)));
            let to = self.vertex(&format!("{id}.{QUARANTINE_NAME}"), parallelism, sink);
            self.edges.push(Edge { from, output: QUARANTINE_OUTPUT, to, input: 0, partitioning: Partitioning::Forward });
        }
    }
}

#[cfg(test)]
mod tests;
