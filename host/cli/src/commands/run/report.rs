//! The document of a run: what it came to.

use super::observer::checkpoint_document;
use super::steady_rate::{Sample, first_record_at, steady_rates};
use crate::assemble::Assembly;
use crate::documents::{Outcome, RunCheckpoints, RunDocument, RunVertex, SCHEMA, VertexFigures};
use crate::process::{cpu_seconds, peak_memory_bytes};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::job::{JobOutcome, JobReport, JobStatus, Vertex};
use weir_engine::metrics::VertexMetrics;

/// Fills in what the run came to.
pub(super) fn fill(document: &mut RunDocument, assembly: &Assembly, status: &JobStatus, report: &JobReport, samples: &[Sample]) {
    let (outcome, error) = match &report.outcome {
        JobOutcome::Finished => (Outcome::Finished, None),
        JobOutcome::Stopped => (Outcome::Stopped, None),
        JobOutcome::Cancelled => (Outcome::Cancelled, None),
        JobOutcome::AlreadyFinished => (Outcome::AlreadyFinished, None),
        JobOutcome::Fenced(error) => (Outcome::Fenced, Some(error)),
        JobOutcome::Failed(error) => (Outcome::Failed, Some(error)),
    };
    document.outcome = outcome;
    document.error = error.map(ToString::to_string);
    document.attempt = report.attempt.map(|attempt| attempt.0);
    document.resumed_from = report.resumed_from.map(|checkpoint| checkpoint.0);
    document.from_savepoint.clone_from(&report.from_savepoint);
    document.first_record_s = first_record_at(samples).map(|at: Duration| at.as_secs_f64());
    // Of an input that has not come to its end nobody knows what a quarter is.
    let steady = steady_rates(samples).filter(|_| outcome == Outcome::Finished);
    document.steady_records_per_s = steady.map(|rates| rates.at_sinks);
    document.steady_records_read_per_s = steady.and_then(|rates| rates.read);
    document.restarts = status.restarts.get();
    let items = status.checkpoints().into_iter().map(checkpoint_document).collect();
    document.checkpoints = RunCheckpoints { completed: status.completed.get(), failed: status.failed.get(), items };
    let vertices = assembly.graph.vertices.iter().zip(&status.metrics.vertices);
    let vertex = |(vertex, metrics): (&Vertex, &Arc<VertexMetrics>)| RunVertex {
        id: vertex.id.clone(),
        parallelism: vertex.parallelism,
        counted: VertexFigures::of(metrics),
    };
    document.vertices = vertices.map(vertex).collect();
    document.cpu_s = cpu_seconds();
    document.peak_memory_bytes = peak_memory_bytes();
}

impl RunDocument {
    /// That of a run that has not begun, and has failed unless something better becomes known.
    pub(super) fn of_nothing() -> Self {
        Self {
            schema: SCHEMA,
            job: String::new(),
            outcome: Outcome::Failed,
            attempt: None,
            resumed_from: None,
            from_savepoint: None,
            wall_s: 0.0,
            first_record_s: None,
            steady_records_per_s: None,
            steady_records_read_per_s: None,
            vertices: Vec::new(),
            checkpoints: RunCheckpoints::default(),
            restarts: 0,
            cpu_s: 0.0,
            peak_memory_bytes: 0,
            error: None,
            hint: None,
            problems: Vec::new(),
            places: Vec::new(),
        }
    }
}
