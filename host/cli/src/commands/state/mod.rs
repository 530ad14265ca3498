//! `weir state`: looks into the state in a job's checkpoints. The engine's room `inspect` reads, [`crate::value_text`] shows.

mod diff;
mod list;
mod output;
mod rows;
mod scan;
mod select;

use super::Context;
use super::checkpoint::OpenLog;
use crate::args::{FormArgs, Output, RowFormat, StateCommand};
use crate::failure::Failure;
use crate::job_file::suggest;
use rows::Form;
use weir_engine::checkpoint::{CheckpointMetadata, LogEntry, paths};
use weir_engine::element::CheckpointId;
use weir_engine::inspect::{CheckpointState, OperatorState};
use weir_engine::job::{CompletedCheckpoint, History, load_metadata};
use weir_engine::{EngineError, ErrorKind};

/// Does what the command says. The exit code.
pub(super) fn run(context: &Context, command: &StateCommand) -> Result<u8, Failure> {
    match command {
        StateCommand::List { job, operator, at } => list::list(context, job, operator.as_deref(), at),
        StateCommand::Get { of, key, form } => scan::get(context, of, key, form),
        StateCommand::Scan { of, prefix, limit, form } => scan::scan(context, of, prefix.as_deref(), *limit, form),
        StateCommand::Diff { job, before, after, operator, limit, form } => {
            diff::diff(context, job, (CheckpointId(*before), CheckpointId(*after)), operator.as_deref(), *limit, form)
        }
    }
}

/// How rows are written; `None` where the document that `--output` says is asked for.
fn rows_asked_for(context: &Context, form: &FormArgs) -> Result<Option<Form>, Failure> {
    match (form.format, context.output) {
        (Some(_), Output::Json) => Err(Failure::Usage {
            message: "`--format` and `--output json` would both write to standard output".into(),
            hint: "leave one of them out".into(),
        }),
        (Some(RowFormat::Jsonl), Output::Text) => Ok(Some(Form::Jsonl)),
        (Some(RowFormat::Csv), Output::Text) => Ok(Some(Form::Csv)),
        (None, _) => Ok(None),
    }
}

/// The metadata of a checkpoint of the job: this one, or the newest completed one that is kept.
async fn load(log: &OpenLog, at: Option<CheckpointId>) -> Result<CheckpointMetadata, EngineError> {
    let kept = log.store.list(paths::CHECKPOINTS).await?;
    let history = History::of(&log.entries);
    let is_kept = |checkpoint: &&CompletedCheckpoint| kept.contains(&checkpoint.metadata);
    let found = match at {
        Some(id) => history.checkpoint(id).filter(is_kept),
        None => history.completed().rev().find(is_kept),
    };
    let Some(found) = found else {
        let all: Vec<String> = history.completed().filter(is_kept).map(|checkpoint| checkpoint.checkpoint_id.to_string()).collect();
        return Err(not_kept(log, at, &all));
    };
    let loaded = load_metadata(&*log.store, &*log.runtime.clock, found).await;
    match loaded {
        Ok(metadata) => Ok(metadata),
        Err(error) => Err(told_of_deletion(log, found.checkpoint_id, &found.metadata, error).await),
    }
}

/// Why a checkpoint cannot be looked into, and which can.
fn not_kept(log: &OpenLog, at: Option<CheckpointId>, kept: &[String]) -> EngineError {
    let Some(id) = at else {
        return EngineError::new(ErrorKind::FixInput, "look into the newest checkpoint: the job has no completed one yet");
    };
    let of_this = |entry: &&LogEntry| match entry {
        LogEntry::Completed { checkpoint_id, .. } | LogEntry::Failed { checkpoint_id, .. } => *checkpoint_id == id,
        LogEntry::Attempt { .. } | LogEntry::Override { .. } | LogEntry::Outcome { .. } | LogEntry::Finished { .. } => false,
    };
    let why = match log.entries.iter().rfind(of_this) {
        Some(LogEntry::Completed { .. }) => "it has been deleted since, as newer ones replace it (`retain`)",
        Some(LogEntry::Failed { .. }) => "it failed",
        Some(LogEntry::Attempt { .. } | LogEntry::Override { .. } | LogEntry::Outcome { .. } | LogEntry::Finished { .. }) | None => {
            "the job has none with that id"
        }
    };
    let error = EngineError::new(ErrorKind::FixInput, format!("look into checkpoint {id}: {why}"));
    error.with_hint(if kept.is_empty() { "the job has no completed checkpoint".into() } else { format!("there are: {}", kept.join(", ")) })
}

/// A job that goes on deletes old checkpoints also while they are looked into: then nothing is damaged, and this says so.
async fn told_of_deletion(log: &OpenLog, id: CheckpointId, metadata: &str, error: EngineError) -> EngineError {
    let is_gone = error.kind() == ErrorKind::Corrupt && matches!(log.store.get(metadata).await, Ok(None));
    if !is_gone {
        return error;
    }
    let message = format!("look into checkpoint {id}: the job has deleted it meanwhile, as newer ones replace it");
    EngineError::new(ErrorKind::Retry, message).with_hint("look into the newest one, or raise `retain`")
}

/// What went wrong, told as it is where the checkpoint has been deleted meanwhile.
async fn explained(log: &OpenLog, metadata: &CheckpointMetadata, failure: Failure) -> Failure {
    match failure {
        Failure::Engine(error) => told_of_deletion(log, metadata.checkpoint_id, &metadata.path(), error).await.into(),
        Failure::Usage { .. } | Failure::JobFile(_) => failure,
    }
}

/// The state in a checkpoint.
fn state_of<'a>(log: &'a OpenLog, metadata: &'a CheckpointMetadata) -> CheckpointState<'a> {
    CheckpointState::new(&*log.store, &*log.runtime.clock, metadata)
}

/// The operator with this id, or the error that names those that there are.
fn operator_of<'a>(log: &'a OpenLog, metadata: &'a CheckpointMetadata, id: &str) -> Result<OperatorState<'a>, Failure> {
    let state = state_of(log, metadata);
    state.operator(id).ok_or_else(|| no_operator(id, &[metadata], state.operators().map(|operator| operator.id())))
}

fn no_operator<'a>(id: &str, looked_into: &[&CheckpointMetadata], known: impl Iterator<Item = &'a str>) -> Failure {
    let ids: Vec<String> = looked_into.iter().map(|metadata| metadata.checkpoint_id.to_string()).collect();
    let message = format!("no operator `{id}` in checkpoint {}", ids.join(" and "));
    Failure::Usage { message, hint: suggest(id, known) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::FutureExt;
    use std::sync::Arc;
    use weir_engine::checkpoint::{ObjectStorage, Store};
    use weir_engine::runtime::Simulator;

    #[test]
    fn what_is_gone_with_its_checkpoint_is_no_damage() {
        let store: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
        let log = OpenLog { entries: Vec::new(), store: Arc::clone(&store), runtime: Simulator::new(1).runtime() };
        let told = |kind| {
            let error = EngineError::new(kind, "read state/1: it is not there");
            told_of_deletion(&log, CheckpointId(3), "checkpoints/1-3/metadata.json", error).now_or_never().expect("memory does not wait")
        };
        let deleted = told(ErrorKind::Corrupt);
        assert_eq!(deleted.to_string(), "look into checkpoint 3: the job has deleted it meanwhile, as newer ones replace it");
        assert_eq!(told(ErrorKind::Retry).to_string(), "read state/1: it is not there");
        let written = store.put("checkpoints/1-3/metadata.json", vec![Bytes::from_static(b"x")]).now_or_never();
        written.expect("memory does not wait").expect("it is written");
        assert_eq!(
            (told(ErrorKind::Corrupt).kind(), told(ErrorKind::Corrupt).to_string().as_str()),
            (ErrorKind::Corrupt, "read state/1: it is not there")
        );
    }
}
