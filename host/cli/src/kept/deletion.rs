//! A job that goes on deletes old checkpoints, also while they are read: what is missing then is not damaged.

use crate::failure::Failure;
use weir_engine::element::CheckpointId;
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind};

/// The error where it is what it is, and where its checkpoint's `metadata` is gone meanwhile, that: then nothing is damaged.
pub(crate) async fn told_of_deletion(store: &dyn Store, id: CheckpointId, metadata: &str, error: EngineError) -> EngineError {
    let is_gone = error.kind() == ErrorKind::Corrupt && matches!(store.get(metadata).await, Ok(None));
    if is_gone { deleted(id, metadata) } else { error }
}

/// The error that the job has deleted a checkpoint, whose metadata was `metadata`, since it was found.
pub(crate) fn deleted(id: CheckpointId, metadata: &str) -> EngineError {
    let message = format!("look into checkpoint {id}: the job has deleted it meanwhile, as newer ones replace it");
    EngineError::new(ErrorKind::Retry, message).with_hint("look into the newest one, or raise `retain`").about_object(metadata)
}

/// True where a checkpoint was deleted while it was looked into.
pub(crate) fn is_deletion(failure: &Failure) -> bool {
    match failure {
        Failure::Engine(error) => error.kind() == ErrorKind::Retry && error.damaged_object().is_some(),
        Failure::Usage { .. } | Failure::JobFile(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::FutureExt;
    use weir_engine::storage::ObjectStorage;

    #[test]
    fn what_is_gone_with_its_checkpoint_is_no_damage() {
        let store = ObjectStorage::in_memory();
        let told = |kind| {
            let error = EngineError::new(kind, "read state/1: it is not there");
            let told = told_of_deletion(&store, CheckpointId(3), "checkpoints/1-3/metadata.json", error).now_or_never();
            let failure = Failure::from(told.expect("memory does not wait"));
            (failure.text(), is_deletion(&failure))
        };
        let deleted = "look into checkpoint 3: the job has deleted it meanwhile, as newer ones replace it";
        assert_eq!(told(ErrorKind::Corrupt), (deleted.to_owned(), true));
        let missing = ("read state/1: it is not there".to_owned(), false);
        assert_eq!(told(ErrorKind::Retry), missing);
        let written = store.put("checkpoints/1-3/metadata.json", vec![Bytes::from_static(b"x")]).now_or_never();
        written.expect("memory does not wait").expect("it is written");
        assert_eq!(told(ErrorKind::Corrupt), missing);
    }
}
