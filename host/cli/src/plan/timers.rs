//! Timers of operators, and whether anything gives them their time.

use crate::assemble::told;
use serde::Serialize;
use weir_engine::job::{JobGraph, Vertex, VertexKind};
use weir_engine::operator::TimerDescriptor;
use weir_engine::state::{StateDescriptor, TimeDomain};

/// A timer of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanTimer {
    /// Its name.
    pub name: String,
    /// What it goes by.
    pub time: PlanTimerTime,
}

/// What a timer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanTimerTime {
    /// The watermark.
    Event,
    /// The clock.
    Processing,
}

impl PlanTimerTime {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Event => "event time",
            Self::Processing => "processing time",
        }
    }
}

/// Those of one vertex.
pub(super) fn declared(vertex: &Vertex) -> Vec<PlanTimer> {
    let timer = |timer: &TimerDescriptor| PlanTimer {
        name: timer.name.clone(),
        time: if timer.event_time { PlanTimerTime::Event } else { PlanTimerTime::Processing },
    };
    timers(vertex).iter().map(timer).collect()
}

fn timers(vertex: &Vertex) -> &[TimerDescriptor] {
    match &vertex.kind {
        VertexKind::Operator(factory) => &factory.descriptor().timers,
        VertexKind::Source { .. } | VertexKind::Sink(_) => &[],
    }
}

/// A line for each operator with timers of event time in front of which nothing makes watermarks.
pub(super) fn without_time(graph: &JobGraph) -> Vec<String> {
    let vertices = graph.vertices.iter().enumerate().filter_map(|(place, vertex)| Some((place, vertex, event_timer(vertex)?)));
    let stuck = vertices.filter(|(place, ..)| !told(graph, *place).by_somebody);
    let line = |(place, vertex, timer): (usize, &Vertex, String)| {
        let when = match told(graph, place).not_by(graph, true).first() {
            Some(source) => format!("it never fires, as `{}` never ends", source.id),
            None => "it fires at the end of the input alone".to_owned(),
        };
        format!(
            "warning: the timer `{timer}` of `{}` goes by event time, and nothing in front of it gives any: {when} (`watermark` of a source, or of an operator, \
             says how)",
            vertex.id
        )
    };
    stuck.map(line).collect()
}

/// A line for each operator whose state lives by event time in front of which nothing makes watermarks.
pub(super) fn living_without_time(graph: &JobGraph) -> Vec<String> {
    let stuck = graph.vertices.iter().enumerate().filter(|(place, _)| !told(graph, *place).by_somebody);
    let line = |(_, vertex): (usize, &Vertex)| {
        let VertexKind::Operator(factory) = &vertex.kind else { return None };
        let by_event = |state: &&StateDescriptor| state.ttl.is_some_and(|ttl| ttl.time == TimeDomain::Event);
        let state = factory.descriptor().states.iter().find(by_event)?;
        Some(format!(
            "warning: the state `{}` of `{}` has a time to live by event time, and nothing in front of it gives any: nothing of it expires (`watermark` of a \
             source, or of an operator, says how)",
            state.name, vertex.id
        ))
    };
    stuck.filter_map(line).collect()
}

/// The first timer of a vertex that goes by event time.
pub(super) fn event_timer(vertex: &Vertex) -> Option<String> {
    timers(vertex).iter().find(|timer| timer.event_time).map(|timer| timer.name.clone())
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
