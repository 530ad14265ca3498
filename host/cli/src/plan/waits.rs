//! What waits for the end of an input: windows and timers by event time of which one source tells none, and a window without bounds that says nothing before; and what the end
//! comes too early for.

use super::timers::event_timer;
use crate::assemble::{could_tell, in_front_of, is_endless, told};
use weir_engine::job::{JobGraph, Vertex};
use weir_engine::state::{TimeDomain, WindowKind};

/// A line for each of them.
pub(super) fn remarks(graph: &JobGraph) -> Vec<String> {
    let vertices = || graph.vertices.iter().enumerate();
    let for_an_end = vertices().filter_map(|(place, vertex)| waits_for_an_end(graph, place, vertex));
    let silent = vertices().filter_map(|(place, vertex)| is_silent(graph, place, vertex));
    let open = vertices().filter_map(|(place, vertex)| stays_open(graph, place, vertex));
    for_an_end.chain(silent).chain(open).collect()
}

/// What is open by the clock, or not full, at the end of an input says nothing of it.
fn stays_open(graph: &JobGraph, place: usize, vertex: &Vertex) -> Option<String> {
    let window = vertex.window.as_ref()?;
    let what = match window.kind {
        WindowKind::Count { .. } => "counts that are not full then say nothing",
        WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } | WindowKind::Session { .. } if window.time == TimeDomain::Processing => {
            "windows by the clock that are open then say nothing"
        }
        WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } | WindowKind::Session { .. } | WindowKind::Global => return None,
    };
    let is_endless = in_front_of(graph, place).into_iter().any(|before| is_endless(&graph.vertices[before]));
    (!is_endless).then(|| format!("warning: the input of `{}` ends, and {what}: they stay in the last checkpoint", vertex.id))
}

/// One that never ends is refused where the graph is put together.
fn waits_for_an_end(graph: &JobGraph, place: usize, vertex: &Vertex) -> Option<String> {
    let has_windows = vertex.window.as_ref().is_some_and(|window| window.needs_timestamps());
    let what = match (has_windows, event_timer(vertex)) {
        (true, _) => format!("the windows of `{}` wait", vertex.id),
        (false, Some(timer)) => format!("the timer `{timer}` of `{}` waits", vertex.id),
        (false, None) => return None,
    };
    let told = told(graph, place);
    let source = *told.not_by(graph, false).first().filter(|_| told.by_somebody)?;
    Some(format!("warning: {what} for the end of `{}`, which tells no event time before it ({})", source.id, could_tell(source)))
}

/// A window without bounds fires at the end of the input, which never comes.
fn is_silent(graph: &JobGraph, place: usize, vertex: &Vertex) -> Option<String> {
    vertex.window.as_ref().filter(|window| window.kind == WindowKind::Global && window.emit_every.is_none())?;
    let endless = in_front_of(graph, place).into_iter().map(|before| &graph.vertices[before]).find(|before| is_endless(before))?;
    Some(format!(
        "warning: the window of `{}` fires at the end of its input alone, and `{}` never ends (`emit = {{ every = \"1m\" }}` lets it fire before)",
        vertex.id, endless.id
    ))
}

#[cfg(test)]
#[path = "waits_tests.rs"]
mod tests;
