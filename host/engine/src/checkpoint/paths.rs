//! Where a job's objects lie, relative to `<storage>/<job>/`. Every name of something that may be deleted begins with the attempt's number.

use crate::element::{AttemptId, CheckpointId};

/// Folder of the log.
pub const LOG: &str = "log";
/// Folder of the checkpoints' metadata.
pub const CHECKPOINTS: &str = "checkpoints";
/// Folder of the state objects.
pub const STATE: &str = "state";
/// Folder of the components.
pub const PLUGINS: &str = "plugins";
/// Folder of quarantined records.
pub const QUARANTINE: &str = "quarantine";

/// Entry `seq` of the log.
pub fn log_entry(seq: u64) -> String {
    format!("{LOG}/{seq}.json")
}

/// The number of the log entry at `path`.
pub fn log_seq(path: &str) -> Option<u64> {
    path.strip_prefix(LOG)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}

/// Metadata of a checkpoint.
pub fn metadata(attempt: AttemptId, checkpoint_id: CheckpointId) -> String {
    format!("{CHECKPOINTS}/{attempt}-{checkpoint_id}/metadata.json")
}

/// A state object: what the task that begins with `vertex` wrote in subtask `index`. `nonce` keeps two processes apart that
/// race for one attempt number.
pub fn state_object(attempt: AttemptId, checkpoint_id: CheckpointId, vertex: &str, index: u32, nonce: &str) -> String {
    format!("{STATE}/{attempt}-{checkpoint_id}-{vertex}-{index}-{nonce}.state")
}

/// The attempt that an object under [`CHECKPOINTS`] or [`STATE`] belongs to.
pub fn attempt_of(path: &str) -> Option<AttemptId> {
    let (_, name) = path.split_once('/')?;
    name.split_once('-')?.0.parse().ok().map(AttemptId)
}

/// A component, by content.
pub fn plugin(digest: &str) -> String {
    format!("{PLUGINS}/{digest}.wasm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_attempt_and_their_number() {
        assert_eq!(attempt_of(&metadata(AttemptId(12), CheckpointId(7))), Some(AttemptId(12)));
        assert_eq!(attempt_of(&state_object(AttemptId(3), CheckpointId(7), "my-op", 1, "ab")), Some(AttemptId(3)));
        assert_eq!(attempt_of("state/else"), None);
        assert_eq!((log_seq(&log_entry(5)), log_seq("log/5.json.tmp"), log_seq("state/5.json")), (Some(5), None, None));
    }
}
