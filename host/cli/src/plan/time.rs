//! Whether sources give their records a time, and how they tell event time from it.

use crate::job_file::duration_text;
use serde::Serialize;
use weir_engine::job::{JobGraph, Vertex, VertexKind};
use weir_engine::time::WatermarkSettings;

/// The time of one source's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanTime {
    /// The source.
    pub source: String,
    /// Where the times of its records come from; `None`: they have none.
    pub timestamps: Option<String>,
    /// How it makes watermarks of them; `None`: it makes none.
    pub watermarks: Option<String>,
}

/// One entry for each source.
pub(super) fn times(graph: &JobGraph) -> Vec<PlanTime> {
    let of = |vertex: &Vertex| match &vertex.kind {
        VertexKind::Source { source, .. } => Some(PlanTime {
            source: vertex.id.clone(),
            timestamps: source.timestamps(),
            watermarks: vertex.watermark.as_ref().map(in_words),
        }),
        VertexKind::Operator(_) | VertexKind::Sink(_) => None,
    };
    graph.vertices.iter().filter_map(of).collect()
}

fn in_words(settings: &WatermarkSettings) -> String {
    let WatermarkSettings { delay, idle_after, advance_when_idle, max_ahead, in_order } = settings;
    let mut words = format!("watermarks are {} behind the newest", duration_text(*delay));
    words.push_str(match in_order {
        true => " of files that are read in the order of their names",
        false => " of the split that is furthest back",
    });
    match idle_after {
        Some(idle_after) => words.push_str(&format!(", without those that have had nothing for {}", duration_text(*idle_after))),
        None => words.push_str(", and none is ever left out"),
    }
    if *advance_when_idle {
        words.push_str("; where all are so, time goes on by the clock");
    }
    if let Some(max_ahead) = max_ahead {
        words.push_str(&format!("; records more than {} ahead of the clock move none", duration_text(*max_ahead)));
    }
    words
}
