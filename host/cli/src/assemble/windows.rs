//! Whether an operator gets the windows that it needs, and these the inputs, the states and the time that they need.

use super::time::in_front_of;
use crate::job_file::{Input, JobFile, OperatorStep, Partitioning, Problem, list_words};
use weir_engine::job::{JobGraph, VertexKind};
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

/// Windows by event time in front of which nothing tells it: none of them would be complete before the input has ended.
pub(super) fn without_time(job: &JobFile, graph: &JobGraph) -> Vec<Problem> {
    let vertices = graph.vertices.iter().enumerate();
    let timed = vertices.filter(|(_, vertex)| vertex.window.as_ref().is_some_and(|window| window.needs_timestamps()));
    let stuck = timed.filter(|(place, _)| !super::is_told_in_front_of(graph, *place));
    let problem = |(place, vertex): (usize, &weir_engine::job::Vertex)| {
        let window = job.operators.iter().find(|step| step.id.value == vertex.id)?.window.as_ref()?;
        let message = format!("the windows of `{}` go by event time, and nothing in front of it tells any", vertex.id);
        let hint = format!("{}, or the windows go by the clock: `time = \"processing\"`", who_could_tell(graph, place));
        Some(Problem::new(window.span.clone(), message).hint(hint))
    };
    stuck.filter_map(problem).collect()
}

/// How event time could be told in front of a vertex.
fn who_could_tell(graph: &JobGraph, vertex: usize) -> String {
    let sources = in_front_of(graph, vertex).into_iter().map(|before| &graph.vertices[before]);
    let sources = sources.filter_map(|vertex| match &vertex.kind {
        VertexKind::Source { source, .. } => Some((&vertex.id, source.timestamps().is_some())),
        VertexKind::Operator(_) | VertexKind::Sink(_) => None,
    });
    // Of several, the first that has times.
    match sources.reduce(|first, other| if first.1 || !other.1 { first } else { other }) {
        Some((id, true)) => format!("write `watermark = {{ delay = \"5s\" }}` in [source.{id}]"),
        Some((id, false)) => {
            format!(
                "`watermark` in [source.{id}] tells it where its records have a time, or `watermark` of an operator that gives them one"
            )
        }
        None => "`watermark` of a source or of an operator tells it".to_owned(),
    }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
