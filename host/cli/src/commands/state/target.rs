//! Where `weir state` looks: the storage behind what was named, and which checkpoint in it.

use super::named::{Lies, Named, not_of_savepoints};
use crate::api::absolute_storage;
use crate::args::LookArgs;
use crate::client::{JobClient, registered};
use crate::context::Context;
use crate::failure::Failure;
use serde_json::json;
use std::path::Path;
use weir_engine::element::CheckpointId;
use weir_engine::{EngineError, ErrorKind};

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Into a savepoint, by its absolute URL.
    Savepoint(String),
    /// Into a checkpoint of the job whose objects lie at an absolute URL.
    Job { storage: String, which: Which },
}

/// Which checkpoint of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The newest completed one that is kept.
    Newest,
    /// The one that was just taken for this. A newer one is as good.
    Taken(CheckpointId),
    /// This one and no other.
    Only(CheckpointId),
}

impl Target {
    /// What `look` names. A checkpoint that it asks for is taken now.
    pub fn of(context: &Context, look: &LookArgs) -> Result<Self, Failure> {
        let named = Named::of(&look.named, Lies::at)?;
        if let (Named::Running(_), Ok((_, Some(id)))) = (&named, Named::with_checkpoint(&look.named, Lies::at)) {
            let message = format!("`{}`: a checkpoint is named by itself here", look.named);
            return Err(Failure::Usage { message, hint: format!("name the job alone, and `--at {id}`") });
        }
        match (look.at, look.now) {
            (Some(_), _) if matches!(named, Named::Savepoint(_)) => Err(not_of_savepoints(&look.named, "--at")),
            (_, true) if matches!(named, Named::Savepoint(_)) => Err(not_of_savepoints(&look.named, "--now")),
            (_, true) => taken_now(context, &named, &look.named),
            (Some(id), false) => Self::named(context, named, Which::Only(CheckpointId(id))),
            (None, false) => Self::named(context, named, Which::Newest),
        }
    }

    /// One side of a comparison.
    pub fn side(context: &Context, text: &str) -> Result<Self, Failure> {
        let (named, id) = Named::with_checkpoint(text, Lies::at)?;
        Self::named(context, named, id.map_or(Which::Newest, Which::Only))
    }

    /// What to look into where the job has deleted this meanwhile.
    pub fn instead(&self) -> Option<Self> {
        match self {
            Self::Job { storage, which: Which::Newest | Which::Taken(_) } => {
                Some(Self::Job { storage: storage.clone(), which: Which::Newest })
            }
            Self::Job { which: Which::Only(_), .. } | Self::Savepoint(_) => None,
        }
    }

    fn named(context: &Context, named: Named, which: Which) -> Result<Self, Failure> {
        match named {
            Named::Savepoint(url) => Ok(Self::Savepoint(url)),
            Named::JobFile(path) => {
                let job = context.stored_job(&path)?;
                Self::job(&job.name, absolute_storage(&job.checkpoints.storage.value, &job.folder, &job.name), which)
            }
            Named::Running(name) => {
                let found = registered(&name)?.ok_or_else(|| nothing(&name))?;
                Self::job(&found.job, found.storage, which)
            }
        }
    }

    fn job(name: &str, storage: String, which: Which) -> Result<Self, Failure> {
        if !storage.starts_with("memory:") {
            return Ok(Self::Job { storage, which });
        }
        let message = format!("look into {name}: its checkpoints are in the memory of its process");
        let hint = format!("`weir savepoint create {name} FOLDER` copies the state of a running job to where it can be looked into");
        Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint).into())
    }
}

/// Has the running job that is meant take a checkpoint.
fn taken_now(context: &Context, named: &Named, text: &str) -> Result<Target, Failure> {
    let Some(client) = JobClient::look_for(text)? else {
        return Err(match named {
            Named::Running(name) => nothing(name),
            Named::JobFile(path) => not_running(path),
            Named::Savepoint(url) => not_of_savepoints(url, "--now"),
        });
    };
    context.screen.notice("waiting for the checkpoint to complete");
    let taken = client.post("/v1/checkpoints", &json!({}))?;
    let which = taken["checkpoint"].as_u64().map_or(Which::Newest, |id| Which::Taken(CheckpointId(id)));
    Target::job(&client.registered.job, client.registered.storage, which)
}

fn not_running(job_file: &Path) -> Failure {
    let message = format!("`--now`: no job of {} runs here, or none that can be spoken to", job_file.display());
    EngineError::new(ErrorKind::FixInput, message).with_hint("without `--now` its newest checkpoint is looked into").into()
}

fn nothing(name: &str) -> Failure {
    Failure::Usage {
        message: format!("`{name}`: there is neither a job file nor a savepoint of that name, and no job of that name runs here"),
        hint: format!("`weir jobs` shows what runs; the path of a savepoint has a slash: `./{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_checkpoint_that_was_named_has_nothing_in_its_place() {
        let job = |which| Target::Job { storage: "file:/w".into(), which };
        let newest = Some(job(Which::Newest));
        assert_eq!(job(Which::Newest).instead(), newest);
        assert_eq!(job(Which::Taken(CheckpointId(3))).instead(), newest);
        assert_eq!(job(Which::Only(CheckpointId(3))).instead(), None);
        assert_eq!(Target::Savepoint("file:/s".into()).instead(), None);
    }

    #[test]
    fn what_lies_in_a_jobs_memory_is_refused() {
        let refused = Target::job("words", "memory:/words".into(), Which::Newest).expect_err("it is elsewhere");
        assert_eq!(refused.text(), "look into words: its checkpoints are in the memory of its process");
    }
}
