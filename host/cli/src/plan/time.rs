//! Whether sources give their records a time, and how they, and operators that say so, tell event time.

use crate::job_file::duration_text;
use serde::Serialize;
use weir_engine::job::{JobGraph, Vertex, VertexKind};
use weir_engine::time::WatermarkSettings;

/// The time of the records of one source, or of an operator that makes watermarks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanTime {
    /// The source or the operator.
    pub step: String,
    /// Where the times of its records come from; `None`: they have none.
    pub timestamps: Option<String>,
    /// How it makes watermarks of them; `None`: it makes none.
    pub watermarks: Option<String>,
}

/// One entry for each source, and for each operator that makes watermarks.
pub(super) fn times(graph: &JobGraph) -> Vec<PlanTime> {
    let of = |vertex: &Vertex| {
        let timestamps = match &vertex.kind {
            VertexKind::Source { source, .. } => source.timestamps(),
            VertexKind::Operator(_) if vertex.watermark.is_some() => Some("those of what it emits".to_owned()),
            VertexKind::Operator(_) | VertexKind::Sink(_) => return None,
        };
        Some(PlanTime {
            step: vertex.id.clone(),
            timestamps,
            watermarks: vertex.watermark.as_ref().map(|settings| in_words(settings, &vertex.kind)),
        })
    };
    graph.vertices.iter().filter_map(of).collect()
}

fn in_words(settings: &WatermarkSettings, of: &VertexKind) -> String {
    let WatermarkSettings { delay, idle_after, advance_when_idle, max_ahead, in_order } = settings;
    let mut words = format!("watermarks are {} behind the newest", duration_text(*delay));
    let what = match (of, in_order) {
        (VertexKind::Operator(_) | VertexKind::Sink(_), _) => " of the subtask that is furthest back",
        (VertexKind::Source { .. }, true) => " of files that are read in the order of their names",
        (VertexKind::Source { .. }, false) => " of the split that is furthest back",
    };
    words.push_str(what);
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
