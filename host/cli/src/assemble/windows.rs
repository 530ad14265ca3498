//! Whether an operator gets the windows that it needs, and these the inputs, the states and the time that they need.

use super::time::{Told, in_front_of, told};
use crate::job_file::{Input, JobFile, OperatorStep, Partitioning, Problem, Span, list_words};
use weir_engine::job::{JobGraph, Vertex, VertexKind};
use weir_engine::operator::{LATE_NAME, OperatorDescriptor};
use weir_engine::state::StateKind;

/// What is wrong with a step's windows as far as its plugin and its inputs tell.
pub(super) fn problems(step: &OperatorStep, descriptor: &OperatorDescriptor) -> Vec<Problem> {
    let id = &step.id.value;
    match (&step.window, descriptor.windowed) {
        (None, false) => Vec::new(),
        (Some(window), false) => {
            let message = format!("`{id}` keeps nothing by windows");
            let hint = "leave `window` out, or name a plugin that is windowed (`weir plugin inspect` tells)";
            vec![Problem::new(window.span.clone(), message).hint(hint)]
        }
        (None, true) => {
            let message = format!("`{id}` keeps what it keeps by windows, and nothing says which");
            let hint = format!("write `window` in [operator.{id}], for example `window = {{ tumbling = \"1h\" }}`");
            vec![Problem::new(step.id.span.clone(), message).hint(hint)]
        }
        (Some(_), true) => not_by_key(step).into_iter().chain(not_merging(step, descriptor)).collect(),
    }
}

/// Inputs whose records have no key to be put into a window of.
fn not_by_key(step: &OperatorStep) -> Vec<Problem> {
    let id = &step.id.value;
    let by_key = |input: &Input| format!("write `{{ from = \"{}\", by = \"key\" }}`", input.reference());
    let neither = step.inputs.iter().filter(|input| match input.by {
        Partitioning::Forward | Partitioning::Rebalance => true,
        Partitioning::Key | Partitioning::Broadcast => false,
    });
    let problem = |input: &Input| {
        let message = format!("windows belong to keys, and this input of `{id}` is fed by `{}`", input.by.name());
        Problem::new(input.span.clone(), message).hint(by_key(input))
    };
    let problems: Vec<_> = neither.map(problem).collect();
    let without_any = step.inputs.first().filter(|_| step.inputs.iter().all(|input| input.by == Partitioning::Broadcast));
    let only_broadcast = without_any.map(|input| {
        let message = format!("windows belong to keys, and every input of `{id}` is broadcast");
        Problem::new(input.span.clone(), message).hint(by_key(input))
    });
    problems.into_iter().chain(only_broadcast).collect()
}

/// Sessions become one where a record falls between two, and so must what is kept of them.
fn not_merging(step: &OperatorStep, descriptor: &OperatorDescriptor) -> Option<Problem> {
    let window = step.window.as_ref().filter(|window| window.settings.kind.merges())?;
    let stays_two = |(number, kind): (usize, StateKind)| match kind {
        StateKind::Value | StateKind::Map => !descriptor.merging.contains(&number),
        StateKind::List | StateKind::Broadcast => false,
    };
    let states = descriptor.states.iter().enumerate().filter(|(number, state)| stays_two((*number, state.kind)));
    let names: Vec<_> = states.map(|(_, state)| state.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let message = format!(
        "a record may make one session of two, and `{}` does not merge what it keeps of them ({})",
        step.id.value,
        list_words(names)
    );
    let hint =
        "its plugin says of each value and map that it merges, and does (lists are merged without it); or take windows of another kind";
    Some(Problem::new(window.kind.clone(), message).hint(hint))
}

/// The input from `ID.late` of an operator without windows.
pub(super) fn never_late(input: &Input) -> Problem {
    let from = &input.from;
    let message = format!("`{from}` has no output `{LATE_NAME}`: it keeps nothing by windows, so no record comes too late for one");
    Problem::new(input.span.clone(), message).hint(format!("write `{from}`, or take a plugin for it that is windowed"))
}

/// Windows by event time in front of which nothing tells it, or a source that never ends does not: none of them would be complete before the input has ended.
pub(super) fn without_time(job: &JobFile, graph: &JobGraph) -> Vec<Problem> {
    let vertices = graph.vertices.iter().enumerate();
    let timed = vertices.filter(|(_, vertex)| vertex.window.as_ref().is_some_and(|window| window.needs_timestamps()));
    let problem = |(place, vertex): (usize, &Vertex)| {
        let window = job.operators.iter().find(|step| step.id.value == vertex.id)?.window.as_ref()?;
        let what = format!("the windows of `{}` go by event time", vertex.id);
        let told = told(graph, place);
        if !told.by_somebody {
            let hint = format!("{}, or the windows go by the clock: `time = \"processing\"`", who_could_tell(graph, place));
            return Some(Problem::new(window.span.clone(), format!("{what}, and nothing in front of it tells any")).hint(hint));
        }
        never(graph, &told, &what, window.span.clone())
    };
    timed.filter_map(problem).collect()
}

/// Timers by event time that wait for a source that never ends and tells none.
pub(super) fn timers_without_time(job: &JobFile, graph: &JobGraph) -> Vec<Problem> {
    let problem = |(place, vertex): (usize, &Vertex)| {
        let VertexKind::Operator(factory) = &vertex.kind else { return None };
        let timer = factory.descriptor().timers.iter().find(|timer| timer.event_time)?;
        let told = told(graph, place);
        let step = job.operators.iter().find(|step| step.id.value == vertex.id).filter(|_| told.by_somebody)?;
        never(graph, &told, &format!("the timer `{}` of `{}` goes by event time", timer.name, vertex.id), step.id.span.clone())
    };
    graph.vertices.iter().enumerate().filter_map(problem).collect()
}

/// What goes by event time that never comes, as one of several sources tells none and never ends.
fn never(graph: &JobGraph, told: &Told, what: &str, span: Span) -> Option<Problem> {
    let source = *told.not_by(graph, true).first()?;
    let message = format!("{what}, which waits for the end of `{}`: that tells none, and never ends", source.id);
    Some(Problem::new(span, message).hint(could_tell(source)))
}

/// How event time could be told in front of a vertex.
fn who_could_tell(graph: &JobGraph, vertex: usize) -> String {
    let before = in_front_of(graph, vertex).into_iter().map(|before| &graph.vertices[before]);
    let sources = before.filter(|vertex| matches!(vertex.kind, VertexKind::Source { .. }));
    // Of several, the first that has times.
    match sources.reduce(|first, other| if has_times(first) || !has_times(other) { first } else { other }) {
        Some(source) => could_tell(source),
        None => "`watermark` of a source or of an operator tells it".to_owned(),
    }
}

fn has_times(vertex: &Vertex) -> bool {
    matches!(&vertex.kind, VertexKind::Source { source, .. } if source.timestamps().is_some())
}

/// How a source could tell event time.
pub(crate) fn could_tell(source: &Vertex) -> String {
    let id = &source.id;
    match has_times(source) {
        true => format!("write `watermark = {{ delay = \"5s\" }}` in [source.{id}]"),
        false => {
            format!(
                "`watermark` in [source.{id}] tells it where its records have a time, or `watermark` of an operator that gives them one"
            )
        }
    }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
