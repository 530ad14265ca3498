//! A checkpoint or savepoint that is open to be looked into.

use super::kept::load;
use super::target::Target;
use crate::documents::LookedInto;
use crate::failure::Failure;
use crate::job_file::suggest;
use crate::kept::{is_deletion, told_of_deletion};
use crate::storage::Stores;
use std::sync::Arc;
use weir_engine::checkpoint::CheckpointMetadata;
use weir_engine::inspect::{CheckpointState, OperatorState};
use weir_engine::job::open_savepoint;
use weir_engine::runtime::Clock;
use weir_engine::storage::Store;

/// An open checkpoint or savepoint.
pub(super) struct Opened {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metadata: CheckpointMetadata,
    /// The absolute URL where it is a savepoint.
    savepoint: Option<String>,
}

/// Opens `target` and lets `look` have it. Where the job deletes the checkpoint meanwhile, once more with its newest, unless that very one was
/// named: so `look` fails only where it has written nothing yet.
pub(super) async fn look_into<T>(
    stores: &Stores,
    target: &Target,
    look: impl AsyncFn(&Opened) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match (look_once(stores, target, &look).await, target.instead()) {
        (Err(failure), Some(newest)) if is_deletion(&failure) => look_once(stores, &newest, &look).await,
        (looked, _) => looked,
    }
}

async fn look_once<T>(stores: &Stores, target: &Target, look: &impl AsyncFn(&Opened) -> Result<T, Failure>) -> Result<T, Failure> {
    let opened = Opened::open(stores, target).await?;
    match look(&opened).await {
        Ok(looked) => Ok(looked),
        Err(failure) => Err(opened.explained(failure).await),
    }
}

impl Opened {
    async fn open(stores: &Stores, target: &Target) -> Result<Self, Failure> {
        let clock = Arc::clone(&stores.runtime.clock);
        match target {
            Target::Savepoint(url) => {
                let store = stores.look(url).await?;
                let (_, metadata) = open_savepoint(&*store, &*clock).await?;
                Ok(Self { store, clock, metadata, savepoint: Some(url.clone()) })
            }
            Target::Job { storage, which } => {
                let store = stores.look(storage).await?;
                let metadata = load(&store, &clock, *which).await?;
                Ok(Self { store, clock, metadata, savepoint: None })
            }
        }
    }

    /// What it is, for documents and headings.
    pub fn looked_into(&self) -> LookedInto {
        LookedInto { job: self.metadata.job.clone(), checkpoint: self.metadata.checkpoint_id.0, savepoint: self.savepoint.clone() }
    }

    /// Its state.
    pub fn state(&self) -> CheckpointState<'_> {
        CheckpointState::new(&*self.store, &*self.clock, &self.metadata)
    }

    /// The operator with this id, or the error that names those that there are.
    pub fn operator(&self, id: &str) -> Result<OperatorState<'_>, Failure> {
        let state = self.state();
        state.operator(id).ok_or_else(|| no_operator(id, &[self], state.operators().map(|operator| operator.id())))
    }

    /// What went wrong, told as it is where the checkpoint has been deleted meanwhile.
    pub async fn explained(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Engine(error) if self.savepoint.is_none() => {
                told_of_deletion(&*self.store, self.metadata.checkpoint_id, &self.metadata.path(), error).await.into()
            }
            Failure::Engine(_) | Failure::Usage { .. } | Failure::JobFile(_) => failure,
        }
    }
}

/// That none of these has an operator `id`; `known` are those that there are.
pub(super) fn no_operator<'a>(id: &str, looked_into: &[&Opened], known: impl Iterator<Item = &'a str>) -> Failure {
    let places: Vec<String> = looked_into.iter().map(|opened| opened.looked_into().place()).collect();
    Failure::Usage { message: format!("no operator `{id}` in {}", places.join(" and ")), hint: suggest(id, known) }
}

#[cfg(test)]
mod tests {
    use super::super::target::Which;
    use super::*;
    use crate::storage::with_stores;
    use std::cell::Cell;
    use weir_engine::checkpoint::{GraphIdentity, JobLog, LogEntry};
    use weir_engine::element::{AttemptId, CheckpointId};
    use weir_engine::{EngineError, ErrorKind};

    const ATTEMPT: AttemptId = AttemptId(1);

    async fn append(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, entry: LogEntry) {
        let mut log = JobLog::open(store.clone(), clock.clone()).await.expect("a log");
        log.append(entry).await.expect("a writable log");
    }

    /// Completes a checkpoint of a job without vertices.
    async fn complete(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, checkpoint_id: CheckpointId) {
        let graph = GraphIdentity { max_parallelism: 1, vertices: [].into(), edges: Vec::new() };
        let metadata = CheckpointMetadata {
            job: "j".into(),
            checkpoint_id,
            attempt: ATTEMPT,
            nonce: None,
            graph,
            vertices: Vec::new(),
            outboxes: Vec::new(),
        };
        let sealed = metadata.seal();
        let completed = LogEntry::complete(ATTEMPT, "n", checkpoint_id, metadata.path(), crc32c::crc32c(&sealed));
        store.put(&metadata.path(), vec![sealed]).await.expect("a writable folder");
        append(store, clock, completed).await;
    }

    /// Looks into checkpoint 1, or the newest by then, while the job completes 2 and deletes 1. What was seen in the end, and how many looks that took.
    fn overtaken(which: Which) -> (Result<u64, String>, u32) {
        let folder = tempfile::tempdir().expect("a folder");
        let (storage, looks) = (format!("file:{}", folder.path().display()), Cell::new(0));
        let looked = with_stores(async |stores| {
            let (store, clock) = (stores.look(&storage).await?, stores.runtime.clock.clone());
            append(&store, &clock, LogEntry::begun(ATTEMPT, "n", ATTEMPT)).await;
            complete(&store, &clock, CheckpointId(1)).await;
            let look = async |opened: &Opened| {
                looks.set(looks.get() + 1);
                if looks.get() > 1 {
                    return Ok(opened.looked_into().checkpoint);
                }
                complete(&store, &clock, CheckpointId(2)).await;
                store.delete(&opened.metadata.path()).await?;
                Err(EngineError::new(ErrorKind::Corrupt, "read state/1: it is not there").into())
            };
            look_into(stores, &Target::Job { storage: storage.clone(), which }, look).await
        });
        (looked.map_err(|failure| failure.text()), looks.get())
    }

    #[test]
    fn a_look_that_is_overtaken_by_deletion_goes_on_with_the_newest_checkpoint_unless_one_was_named() {
        assert_eq!(overtaken(Which::Newest), (Ok(2), 2));
        assert_eq!(overtaken(Which::Taken(CheckpointId(1))), (Ok(2), 2));
        let told = "look into checkpoint 1: the job has deleted it meanwhile, as newer ones replace it";
        assert_eq!(overtaken(Which::Only(CheckpointId(1))), (Err(told.into()), 1));
    }
}
