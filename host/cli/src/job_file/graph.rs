//! How the steps of a job hang together: every id is unique, every input leads to an output, nothing goes in a circle, and
//! every edge's partitioning fits the parallelism on both sides.

use super::model::{Code, Input, OnFailure, OperatorStep, Partitioning, SinkStep, SourceStep};
use super::problem::{Problem, Reporter, Span};
use super::settings::Head;
use super::steps::{RawInput, RawOperator, RawSink, RawSource, StepHead};
use super::suggest;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use weir_connectors::{sink_capabilities, source_capabilities};
use weir_engine::operator::QUARANTINE_NAME;

/// The steps as they were read one by one.
pub(super) struct RawSteps {
    pub sources: Vec<RawSource>,
    pub operators: Vec<RawOperator>,
    pub sinks: Vec<RawSink>,
}

/// The steps as they hang together.
pub(super) struct Steps {
    pub sources: Vec<SourceStep>,
    pub operators: Vec<OperatorStep>,
    pub sinks: Vec<SinkStep>,
}

/// What a reference can lead to.
#[derive(Clone, Copy, PartialEq)]
enum StepKind {
    Source,
    Operator { quarantines: bool },
    Sink,
}

struct Known {
    kind: StepKind,
    parallelism: u32,
}

/// Ties the steps together. Where something does not fit there is a problem, and the step is left out or kept as far as it goes.
pub(super) fn connect(raw: RawSteps, head: &Head, end: Span, reporter: &Reporter) -> Steps {
    let known = know(&raw, head, reporter);
    refuse_renames(&raw, &known, reporter);
    if raw.sources.is_empty() {
        reporter.add(Problem::new(end.clone(), "the job has no source").hint("for example `[source.lines]` with `connector = \"stdin\"`"));
    }
    if raw.sinks.is_empty() {
        reporter.add(Problem::new(end, "the job has no sink").hint("for example `[sink.out]` with `connector = \"stdout\"`"));
    }
    let connector = Connector { known: &known, head, reporter };
    let steps = Steps {
        sources: raw.sources.into_iter().filter_map(|source| connector.source(source)).collect(),
        operators: raw.operators.into_iter().filter_map(|operator| connector.operator(operator)).collect(),
        sinks: raw.sinks.into_iter().filter_map(|sink| connector.sink(sink)).collect(),
    };
    refuse_cycles(&steps.operators, reporter);
    steps
}

fn know(raw: &RawSteps, head: &Head, reporter: &Reporter) -> BTreeMap<String, Known> {
    let sources = raw.sources.iter().map(|source| (&source.head, StepKind::Source, source_parallelism(source, head)));
    let quarantines =
        |operator: &RawOperator| matches!(&operator.code, Some(Code::Plugin(code)) if code.on_failure == OnFailure::Quarantine);
    let operators = raw.operators.iter().map(|step| {
        let kind = StepKind::Operator { quarantines: quarantines(step) };
        (&step.head, kind, parallelism_of(&step.head, head.parallelism))
    });
    let sinks = raw.sinks.iter().map(|sink| (&sink.head, StepKind::Sink, sink_parallelism(sink, head)));
    let mut known = BTreeMap::new();
    for (step, kind, parallelism) in sources.chain(operators).chain(sinks) {
        match known.entry(step.id.value.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(Known { kind, parallelism });
            }
            Entry::Occupied(_) => {
                let message = format!("there is another step with the id `{}`", step.id.value);
                reporter.add(Problem::new(step.id.span.clone(), message).hint("ids are unique over sources, operators and sinks"));
            }
        }
    }
    known
}

/// How many subtasks a step has: as many as it says, else so many.
fn parallelism_of(step: &StepHead, otherwise: u32) -> u32 {
    step.parallelism.as_ref().map_or(otherwise, |own| own.value)
}

/// As many as it says, or the job; but for what one alone can read.
fn source_parallelism(source: &RawSource, head: &Head) -> u32 {
    let single = source.connector.as_ref().is_some_and(|connector| source_capabilities(&connector.value).single_reader.is_some());
    if single { 1 } else { parallelism_of(&source.head, head.parallelism) }
}

/// As many as it says, or the job. Standard output is written by one where the step does not say otherwise: all of a sink's subtasks write one
/// stream, so that more of them gain nothing and lose the order that lines come in.
fn sink_parallelism(sink: &RawSink, head: &Head) -> u32 {
    let owns_stdout = sink.connector.as_ref().is_some_and(|connector| sink_capabilities(&connector.value).owns_stdout);
    parallelism_of(&sink.head, if owns_stdout { 1 } else { head.parallelism })
}

/// A step goes on with what one other was, and that is no step of the job any more.
fn refuse_renames(raw: &RawSteps, known: &BTreeMap<String, Known>, reporter: &Reporter) {
    let heads = raw.sources.iter().map(|step| &step.head).chain(raw.operators.iter().map(|step| &step.head));
    let heads = heads.chain(raw.sinks.iter().map(|step| &step.head));
    let mut names = BTreeMap::new();
    for (head, was) in heads.filter_map(|head| Some((head, head.was.as_ref()?))) {
        if known.contains_key(&was.value) {
            let message = format!("`{}` is a step of this job, so `{}` was not it", was.value, head.id.value);
            reporter.add(Problem::new(was.span.clone(), message).hint("take `was` out; it renames a step, once"));
        } else if let Some(other) = names.insert(&was.value, &head.id.value) {
            let message = format!("`{}` says already that it was `{}`", other, was.value);
            reporter.add(Problem::new(was.span.clone(), message).hint("only one step goes on with the state of another"));
        }
    }
}

/// Turns raw steps into steps that know where their inputs come from.
struct Connector<'a> {
    known: &'a BTreeMap<String, Known>,
    head: &'a Head,
    reporter: &'a Reporter,
}

impl Connector<'_> {
    fn source(&self, raw: RawSource) -> Option<SourceStep> {
        let parallelism = source_parallelism(&raw, self.head);
        let connector = raw.connector?;
        let single = source_capabilities(&connector.value).single_reader.unwrap_or_default();
        if let Some(own) = raw.head.parallelism.filter(|own| own.value != parallelism) {
            self.reporter.add(Problem::new(own.span, format!("{single} is read by one subtask")).hint("leave `parallelism` out"));
        }
        let RawSource { head: StepHead { id, was, .. }, rate, replay_none, watermark, settings, shown, .. } = raw;
        Some(SourceStep { id, was, connector, rate, replay_none, watermark, parallelism, settings, shown })
    }

    fn operator(&self, raw: RawOperator) -> Option<OperatorStep> {
        let parallelism = parallelism_of(&raw.head, self.head.parallelism);
        let inputs = self.inputs(raw.inputs, parallelism);
        let keyed = inputs.iter().find(|input| input.by == Partitioning::Key);
        if let Some(input) = keyed.filter(|_| parallelism > self.head.max_parallelism) {
            let message =
                format!("`{}` has parallelism {parallelism}, but there {}", raw.head.id.value, key_groups_text(self.head.max_parallelism));
            let place = raw.head.parallelism.map_or(input.span.clone(), |own| own.span);
            self.reporter.add(Problem::new(place, message).hint("`max-parallelism` is the number of key groups"));
        }
        Some(OperatorStep {
            id: raw.head.id,
            was: raw.head.was,
            code: raw.code?,
            inputs,
            parallelism,
            record: raw.record,
            watermark: raw.watermark,
            window: raw.window,
            state_bytes: raw.state_bytes,
            shown: raw.shown,
        })
    }

    fn sink(&self, raw: RawSink) -> Option<SinkStep> {
        let parallelism = sink_parallelism(&raw, self.head);
        for to in raw.inputs.iter().filter_map(|input| input.to.as_ref()) {
            let message = format!("`to` names an input of an operator, and `{}` is a sink", raw.head.id.value);
            self.reporter.add(Problem::new(to.span.clone(), message).hint("leave `to` out"));
        }
        let inputs = self.inputs(raw.inputs, parallelism);
        Some(SinkStep { id: raw.head.id, was: raw.head.was, connector: raw.connector?, inputs, parallelism, settings: raw.settings })
    }

    fn inputs(&self, raw: Vec<RawInput>, parallelism: u32) -> Vec<Input> {
        let mut inputs: Vec<Input> = Vec::new();
        for input in raw.into_iter().filter_map(|input| self.input(input, parallelism)) {
            let same = |other: &Input| (other.reference(), other.to_name()) == (input.reference(), input.to_name());
            if inputs.iter().any(same) {
                let message = format!("`{}` is an input of this step already", input.reference());
                self.reporter.add(Problem::new(input.span.clone(), message));
            }
            inputs.push(input);
        }
        inputs
    }

    fn input(&self, raw: RawInput, parallelism: u32) -> Option<Input> {
        let (from, output) = match raw.reference.split_once('.') {
            Some((from, output)) => (from, Some(output)),
            None => (&*raw.reference, None),
        };
        let Some(known) = self.known.get(from) else {
            self.reporter.add(self.dangling(&raw, from));
            return None;
        };
        if let Some(problem) = self.unfit_output(&raw, from, output, known.kind) {
            self.reporter.add(problem);
        }
        let natural = Partitioning::natural(known.parallelism, parallelism);
        if let Some(by) = raw.by.as_ref().filter(|by| by.value == Partitioning::Forward && natural != Partitioning::Forward) {
            let message = format!("`{from}` has parallelism {} and this step {parallelism}: `forward` needs the same", known.parallelism);
            self.reporter.add(Problem::new(by.span.clone(), message).hint("`by = \"rebalance\"` distributes the records in turn"));
        }
        let said = raw.by.map(|by| by.value);
        let (by, natural) = (said.unwrap_or(natural), said.is_none());
        Some(Input { from: from.into(), output: output.map(Into::into), by, natural, to: raw.to, span: raw.span })
    }

    fn dangling(&self, raw: &RawInput, from: &str) -> Problem {
        let outputs = self.known.iter().filter(|(_, known)| known.kind != StepKind::Sink).map(|(id, _)| id.as_str());
        let problem = Problem::new(raw.span.clone(), format!("no source or operator `{from}`"));
        problem.label("nothing comes from here").hint(suggest::hint(from, outputs))
    }

    /// Whether a plugin has the named side output is known only when it has been loaded, and whether a source sets anything aside when it has been made.
    fn unfit_output(&self, raw: &RawInput, from: &str, output: Option<&str>, kind: StepKind) -> Option<Problem> {
        let problem = |message: String| Problem::new(raw.span.clone(), message);
        match (kind, output) {
            (StepKind::Sink, _) => Some(problem(format!("`{from}` is a sink: nothing comes out of it"))),
            (StepKind::Source, Some(QUARANTINE_NAME)) => None,
            (StepKind::Source, Some(output)) => {
                Some(problem(format!("the source `{from}` has no output `{output}`")).hint(format!("write `{from}`")))
            }
            (StepKind::Operator { .. }, Some("")) => Some(problem(format!("`{}` names no output", raw.reference))),
            (StepKind::Operator { quarantines: false }, Some(QUARANTINE_NAME)) => {
                let problem = problem(format!("`{from}` puts no record into quarantine"));
                Some(problem.hint(format!("`on-failure = \"quarantine\"` in [operator.{from}] does")))
            }
            (StepKind::Source | StepKind::Operator { .. }, _) => None,
        }
    }
}

fn key_groups_text(key_groups: u32) -> String {
    if key_groups == 1 { "is 1 key group".into() } else { format!("are {key_groups} key groups") }
}

/// Walks from each operator to the operators it reads from; an operator that is met again on the way is in a circle.
fn refuse_cycles(operators: &[OperatorStep], reporter: &Reporter) {
    let by_id: BTreeMap<&str, &OperatorStep> = operators.iter().map(|operator| (operator.id.value.as_str(), operator)).collect();
    let mut done: Vec<&str> = Vec::new();
    for operator in operators {
        let mut path = Vec::new();
        walk(operator, &by_id, &mut path, &mut done, reporter);
    }
}

fn walk<'a>(
    operator: &'a OperatorStep,
    by_id: &BTreeMap<&str, &'a OperatorStep>,
    path: &mut Vec<&'a str>,
    done: &mut Vec<&'a str>,
    reporter: &Reporter,
) {
    let id = operator.id.value.as_str();
    if done.contains(&id) {
        return;
    }
    path.push(id);
    for input in &operator.inputs {
        if let Some(start) = path.iter().position(|&step| step == input.from) {
            let circle = path[start..=start].iter().chain(path[start..].iter().rev());
            let circle: Vec<String> = circle.map(|step| format!("`{step}`")).collect();
            let message = format!("the steps go in a circle: {}", circle.join(" → "));
            reporter.add(Problem::new(input.span.clone(), message).hint("records flow from sources to sinks only"));
        } else if let Some(next) = by_id.get(input.from.as_str()) {
            walk(next, by_id, path, done, reporter);
        }
    }
    path.pop();
    done.push(id);
}
