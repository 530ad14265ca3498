//! `weir savepoint list`, `inspect`, `verify` and `delete`: without the user's code, and without the job running.

use super::checkpoint::{position, time_text};
use crate::client::job_file;
use crate::commands::sizes::{state_lines, state_sizes};
use crate::context::Context;
use crate::documents::{
    ListedSavepoint, PositionDocument, SCHEMA, SavepointDeletedDocument, SavepointDocument, SavepointListDocument, SavepointOperator,
    SavepointPlugin, SavepointSource, SavepointVerifyDocument, StateSizeDocument,
};
use crate::failure::{FAILED, Failure};
use crate::figures::{bytes_text, grouped};
use crate::storage::{savepoint_url, with_savepoint, with_storage};
use std::path::Path;
use weir_engine::EngineError;
use weir_engine::checkpoint::{CheckpointMetadata, VertexIdentity, VertexSnapshot};
use weir_engine::inspect::CheckpointState;
use weir_engine::job::{Savepoint, SavepointNote, delete_savepoint, open_savepoint, savepoint_notes, verify_savepoint};

/// Lists the savepoints of a job.
pub(in crate::commands) fn list(context: &Context, path: &Path) -> Result<u8, Failure> {
    let job = context.stored_job(&job_file(path)?)?;
    let notes = with_storage(&job, |store, runtime| async move { savepoint_notes(&*store, &*runtime.clock).await })?;
    let savepoints = notes.into_iter().map(listed).collect();
    let document = SavepointListDocument { schema: SCHEMA, job: job.name, savepoints };
    context.print(&document, || list_text(&document))?;
    Ok(0)
}

fn listed(note: SavepointNote) -> ListedSavepoint {
    // A folder that is not there is not made by looking for it.
    let gone = note.url.strip_prefix("file:").is_some_and(|folder| !Path::new(folder).is_dir());
    let present =
        !gone && with_savepoint(&note.url, |store, runtime| async move { open_savepoint(&*store, &*runtime.clock).await }).is_ok();
    ListedSavepoint { url: note.url, checkpoint: note.checkpoint_id.0, created_at: time_text(note.created_ms), present }
}

fn list_text(document: &SavepointListDocument) -> String {
    if document.savepoints.is_empty() {
        return format!("no savepoint was taken of {}; `weir savepoint create {}` takes one while it runs\n", document.job, document.job);
    }
    let line = |one: &ListedSavepoint| {
        let gone = if one.present { "" } else { "  (not there any more)" };
        format!("  {}  checkpoint {}  {}{gone}\n", one.created_at, one.checkpoint, one.url)
    };
    format!("savepoints of {}\n{}", document.job, document.savepoints.iter().map(line).collect::<String>())
}

/// Shows a savepoint. How much its states hold is counted, so all of them are read.
pub(in crate::commands) fn inspect(context: &Context, url: &str) -> Result<u8, Failure> {
    let absolute = savepoint_url(url)?;
    let document = with_savepoint(url, |store, runtime| async move {
        let (savepoint, metadata) = open_savepoint(&*store, &*runtime.clock).await?;
        let state = CheckpointState::new(&*store, &*runtime.clock, &metadata);
        document(absolute, &savepoint, &metadata, state).await
    })?;
    context.print(&document, || inspect_text(&document))?;
    Ok(0)
}

async fn document(
    url: String,
    savepoint: &Savepoint,
    metadata: &CheckpointMetadata,
    state: CheckpointState<'_>,
) -> Result<SavepointDocument, EngineError> {
    let (mut operators, mut sources, mut plugins) = (Vec::new(), Vec::new(), Vec::new());
    for (id, vertex) in &metadata.graph.vertices {
        let snapshot = metadata.vertex(id);
        match vertex {
            VertexIdentity::Source { connector, .. } => {
                let splits = snapshot.iter().flat_map(|vertex| &vertex.subtasks).flat_map(|subtask| &subtask.splits);
                sources.push(SavepointSource { id: id.clone(), connector: connector.clone(), positions: splits.map(position).collect() });
            }
            VertexIdentity::Operator { states: _, component } => {
                let states = match state.operator(id) {
                    Some(operator) => state_sizes(operator).await?,
                    None => Vec::new(),
                };
                operators.push(operator(id, states, snapshot));
                plugins.extend(component.clone().map(|digest| plugin(id, digest, savepoint)));
            }
        }
    }
    Ok(SavepointDocument {
        schema: SCHEMA,
        savepoint: url,
        job: savepoint.job.clone(),
        checkpoint: savepoint.checkpoint_id.0,
        created_at: time_text(savepoint.created_ms),
        bytes: savepoint.bytes(metadata),
        job_file: savepoint.job_file.is_some(),
        operators,
        sources,
        plugins,
    })
}

fn plugin(id: &str, digest: String, savepoint: &Savepoint) -> SavepointPlugin {
    let pin = savepoint.pinned.iter().find(|pin| pin.vertex == id && pin.component == digest);
    let (reference, manifest) = (pin.map(|pin| pin.reference.clone()), pin.and_then(|pin| pin.manifest.clone()));
    SavepointPlugin { id: id.to_owned(), digest, reference, manifest }
}

fn operator(id: &str, states: Vec<StateSizeDocument>, snapshot: Option<&VertexSnapshot>) -> SavepointOperator {
    let parts = snapshot.map_or(&[][..], |vertex| &vertex.subtasks);
    SavepointOperator {
        id: id.to_owned(),
        parallelism: parts.len(),
        keys: parts.iter().map(|part| part.keys).sum(),
        bytes: parts.iter().map(|part| part.state_bytes).sum(),
        in_flight_bytes: parts.iter().filter_map(|part| part.in_flight.as_ref()).map(|handle| handle.bytes).sum(),
        states,
    }
}

fn inspect_text(document: &SavepointDocument) -> String {
    let SavepointDocument { job, checkpoint, created_at, bytes, .. } = document;
    let mut text = format!("savepoint of {job}, checkpoint {checkpoint}, {created_at}, {}\n", bytes_text(*bytes));
    for source in &document.sources {
        text.push_str(&format!("  {}  source, {}\n", source.id, source.connector));
        for PositionDocument { split, state, position } in &source.positions {
            let position = position.as_ref().map(|position| format!(" at {position}")).unwrap_or_default();
            text.push_str(&format!("     {split}: {state}{position}\n"));
        }
    }
    for operator in &document.operators {
        let plugin = document.plugins.iter().find(|plugin| plugin.id == operator.id);
        let digest = plugin.map_or("native", |plugin| &plugin.digest[..8.min(plugin.digest.len())]);
        text.push_str(&format!(
            "  {}  operator {digest}, {} subtasks, {} keys, {}\n",
            operator.id,
            operator.parallelism,
            grouped(operator.keys),
            bytes_text(operator.bytes)
        ));
        if let Some(SavepointPlugin { reference: Some(reference), manifest, .. }) = plugin {
            let manifest = manifest.as_ref().map(|manifest| format!(", there {manifest}")).unwrap_or_default();
            text.push_str(&format!("     {reference} was component {digest}{manifest}\n"));
        }
        text.push_str(&state_lines(&operator.states, document.operators.iter().flat_map(|operator| &operator.states)));
    }
    let is_tag = |reference: &String| reference.starts_with("oci:") && !reference.contains('@');
    if document.plugins.iter().any(|plugin| plugin.reference.as_ref().is_some_and(is_tag)) {
        text.push_str("  a run from here takes what the tag is by then; with `--pinned` it runs the components that are kept here\n");
    }
    text
}

/// Checks every object of a savepoint.
pub(in crate::commands) fn verify(context: &Context, url: &str) -> Result<u8, Failure> {
    let problems = with_savepoint(url, |store, runtime| async move { verify_savepoint(&*store, &*runtime.clock).await })?;
    let document = SavepointVerifyDocument { schema: SCHEMA, url: savepoint_url(url)?, whole: problems.is_empty(), problems };
    let text = || match document.problems.as_slice() {
        [] => format!("{} is whole\n", document.url),
        problems => format!("{} is damaged\n  {}\n", document.url, problems.join("\n  ")),
    };
    context.print(&document, text)?;
    Ok(if document.whole { 0 } else { FAILED })
}

/// Deletes a savepoint.
pub(in crate::commands) fn delete(context: &Context, url: &str) -> Result<u8, Failure> {
    let deleted = with_savepoint(url, |store, runtime| async move { delete_savepoint(&*store, &*runtime.clock).await })?;
    let document = SavepointDeletedDocument { schema: SCHEMA, url: savepoint_url(url)?, checkpoint: deleted.checkpoint_id.0 };
    context.print_done(&document, || format!("deleted {}\n", document.url))?;
    Ok(0)
}
