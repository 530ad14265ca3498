//! Sources that would read what the job itself writes: its sinks' files, or its checkpoints.

use crate::job_file::{JobFile, Problem, SourceStep};
use weir_connectors::Output;
use weir_engine::storage::StorageUrl;

/// One problem for each source whose path can match a file that the job writes.
pub(super) fn problems(job: &JobFile) -> Vec<Problem> {
    let sinks = job.sinks.iter().filter_map(|step| {
        let output = weir_connectors::output(&step.connector.value, &step.settings.values, &job.folder)?;
        Some((format!("the sink `{}` writes into", step.id.value), output))
    });
    let storage = match StorageUrl::parse(&job.checkpoints.storage.value) {
        Ok(StorageUrl::File(folder)) => Some(Output::storage(&job.resolve(folder).join(&job.name))),
        Ok(StorageUrl::Memory | StorageUrl::S3 { .. }) | Err(_) => None,
    };
    let (whats, outputs): (Vec<_>, Vec<_>) =
        sinks.chain(storage.map(|storage| ("the job keeps its checkpoints in".into(), storage))).unzip();
    job.sources.iter().filter_map(|step| problem(job, step, &whats, &outputs)).collect()
}

fn problem(job: &JobFile, step: &SourceStep, whats: &[String], outputs: &[Output]) -> Option<Problem> {
    let span = step.settings.spans.get("path").unwrap_or(&step.connector.span).clone();
    match weir_connectors::matched_output(&step.connector.value, &step.settings.values, &job.folder, outputs) {
        Ok(None) => None,
        Ok(Some(place)) => {
            let folder = outputs[place].folder();
            let message = format!("`{}` would read what {} {}", step.id.value, whats[place], folder.display());
            Some(Problem::new(span, message).hint("write elsewhere, or narrow the pattern: `*.csv` leaves files without that suffix out"))
        }
        Err(error) => Some(Problem::new(span, error.to_string())),
    }
}
