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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::StateFile;

    /// The files of a checkpoint that wrote the file `name`.
    fn wrote(checkpoint: u64, name: &str) -> TaskFiles {
        let handle = StateHandle { object: format!("state/1-{checkpoint}-op-0-n.{name}.file"), bytes: 0, checksum: 0 };
        let mut files = TaskFiles::default();
        files.add("op", &StateFiles { format: "test".into(), files: vec![StateFile { name: name.into(), handle }] });
        files
    }

    /// Where the file `name` is in the files of a base.
    fn found(files: &SharedFiles, base: Option<u64>, name: &str) -> Option<String> {
        files.of(base.map(CheckpointId)).get("op", name).map(|handle| handle.object.clone())
    }

    #[test]
    fn a_checkpoint_shares_the_files_of_its_base_and_of_no_other() {
        let files = SharedFiles::default();
        [3, 4, 5].into_iter().for_each(|checkpoint| files.on_written(CheckpointId(checkpoint), wrote(checkpoint, "same")));
        for checkpoint in [3, 4, 5] {
            let expect = format!("state/1-{checkpoint}-op-0-n.same.file");
            assert_eq!(found(&files, Some(checkpoint), "same"), Some(expect), "not the newest: that may fail");
        }
        assert_eq!([None, Some(2), Some(6)].map(|base| found(&files, base, "same")), [None, None, None]);
        assert_eq!(found(&files, Some(3), "other"), None);
        assert!(files.of(Some(CheckpointId(3))).get("another", "same").is_none(), "files are one operator's own");
        files.retire(CheckpointId(4));
        assert_eq!([Some(3), Some(4)].map(|base| found(&files, base, "same").is_some()), [false, true]);
    }
}
