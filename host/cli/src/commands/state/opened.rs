//! A checkpoint or savepoint that is open to be looked into.

use super::kept::{is_deletion, load, told_of_deletion};
use super::target::Target;
use crate::documents::LookedInto;
use crate::failure::Failure;
use crate::job_file::suggest;
use crate::storage::Stores;
use std::sync::Arc;
use weir_engine::checkpoint::{CheckpointMetadata, Store};
use weir_engine::inspect::{CheckpointState, OperatorState};
use weir_engine::job::open_savepoint;
use weir_engine::runtime::Clock;

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
