//! Which files of a task's keyed state its checkpoints have stored, so that the next ones refer to them by name.
//!
//! Invariant: a checkpoint shares the files of its base and of no other: the base is complete, and its objects are kept until the checkpoint is complete
//! or has failed. The first checkpoint of an attempt has no base, so no file is shared across attempts.

use crate::checkpoint::{StateFiles, StateHandle};
use crate::element::CheckpointId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of all operators of a task in one checkpoint.
#[derive(Debug, Default)]
pub(super) struct TaskFiles(BTreeMap<(String, String), StateHandle>);

impl TaskFiles {
    /// Adds those of one operator.
    pub fn add(&mut self, operator: &str, files: &StateFiles) {
        self.0.extend(files.files.iter().map(|file| ((operator.to_owned(), file.name.clone()), file.handle.clone())));
    }

    /// Where the file of this name is.
    pub fn get(&self, operator: &str, name: &str) -> Option<&StateHandle> {
        self.0.get(&(operator.to_owned(), name.to_owned()))
    }
}

/// The files of the checkpoints that may be bases. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct SharedFiles(Arc<Mutex<BTreeMap<CheckpointId, Arc<TaskFiles>>>>);

impl SharedFiles {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CheckpointId, Arc<TaskFiles>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files of a base; none where there is no base, or nothing is known of it.
    pub fn of(&self, base: Option<CheckpointId>) -> Arc<TaskFiles> {
        base.and_then(|base| self.lock().get(&base).cloned()).unwrap_or_default()
    }

    /// A checkpoint has been written.
    pub(crate) fn on_written(&self, checkpoint_id: CheckpointId, files: TaskFiles) {
        self.lock().insert(checkpoint_id, Arc::new(files));
    }

    /// Forgets the checkpoints before `base`: none builds on them any more.
    pub fn retire(&self, base: CheckpointId) {
        self.lock().retain(|&checkpoint_id, _| checkpoint_id >= base);
    }
}
