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
/// Folder of the notes of where savepoints were written.
pub(crate) const SAVEPOINTS: &str = "savepoints";
/// Folder of the objects that a store is tried with.
pub(crate) const PROBE: &str = "probe";

/// Entry `seq` of the log.
pub fn log_entry(seq: u64) -> String {
    format!("{LOG}/{seq}.json")
}

/// The number of the log entry at `path`.
pub fn log_seq(path: &str) -> Option<u64> {
    path.strip_prefix(LOG)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}

/// Metadata of a checkpoint that the attempt with this nonce took. With the nonce no process ever means another's object by its name, also where
/// the storage was deleted under it and a new job numbers its attempts from 1 again. Older ones have none.
pub fn metadata(attempt: AttemptId, checkpoint_id: CheckpointId, nonce: Option<&str>) -> String {
    match nonce {
        Some(nonce) => format!("{CHECKPOINTS}/{attempt}-{checkpoint_id}-{nonce}/metadata.json"),
        None => format!("{CHECKPOINTS}/{attempt}-{checkpoint_id}/metadata.json"),
    }
}

/// A state object: what the task that begins with `vertex` wrote in subtask `index`. `nonce` keeps two processes apart that
/// race for one attempt number.
pub fn state_object(attempt: AttemptId, checkpoint_id: CheckpointId, vertex: &str, index: u32, nonce: &str) -> String {
    format!("{STATE}/{attempt}-{checkpoint_id}-{vertex}-{index}-{nonce}.state")
}

/// The object of the records that a barrier overtook on the way into that task.
pub(crate) fn in_flight_object(attempt: AttemptId, checkpoint_id: CheckpointId, vertex: &str, index: u32, nonce: &str) -> String {
    format!("{STATE}/{attempt}-{checkpoint_id}-{vertex}-{index}-{nonce}.in-flight")
}

/// The broadcast state of subtask `index` of `operator`.
pub(crate) fn broadcast_object(attempt: AttemptId, checkpoint_id: CheckpointId, operator: &str, index: u32, nonce: &str) -> String {
    format!("{STATE}/{attempt}-{checkpoint_id}-{operator}-{index}-{nonce}.broadcast")
}

/// The calls of subtask `index` of `operator`.
pub(crate) fn call_log_object(attempt: AttemptId, checkpoint_id: CheckpointId, operator: &str, index: u32, nonce: &str) -> String {
    format!("{STATE}/{attempt}-{checkpoint_id}-{operator}-{index}-{nonce}.recording")
}

/// Part `part` of what subtask `index` of `sink` staged.
pub(crate) fn staged_object(attempt: AttemptId, checkpoint_id: CheckpointId, sink: &str, index: u32, nonce: &str, part: usize) -> String {
    format!("{STATE}/{attempt}-{checkpoint_id}-{sink}-{index}-{nonce}.staged-{part}")
}

/// The file `name` of the keyed state of subtask `index` of `operator`.
pub(crate) fn state_file(attempt: AttemptId, checkpoint_id: CheckpointId, operator: &str, index: u32, nonce: &str, name: &str) -> String {
    format!("{STATE}/{attempt}-{checkpoint_id}-{operator}-{index}-{nonce}.{name}.file")
}

/// Numbers of attempts and checkpoints are smaller than this, which no job reaches: there is always a next one.
pub(super) const NUMBERS_END: u64 = 1 << 53;

/// The attempt and the checkpoint that an object under [`CHECKPOINTS`] or [`STATE`] belongs to.
pub fn owner_of(path: &str) -> Option<(AttemptId, CheckpointId)> {
    let (_, name) = path.split_once('/')?;
    let (attempt, rest) = name.split_once('-')?;
    let checkpoint_id = rest.split(['-', '/']).next()?;
    let number = |text: &str| text.parse().ok().filter(|number| *number < NUMBERS_END);
    Some((AttemptId(number(attempt)?), CheckpointId(number(checkpoint_id)?)))
}

/// The nonce of the attempt that wrote the metadata at `path`, where it names one.
pub(crate) fn metadata_nonce(path: &str) -> Option<&str> {
    let folder = path.strip_prefix(CHECKPOINTS)?.strip_prefix('/')?.strip_suffix("/metadata.json")?;
    folder.splitn(3, '-').nth(2)
}

/// The note of a savepoint of this checkpoint.
pub(crate) fn savepoint_note(checkpoint_id: CheckpointId, created_ms: i64) -> String {
    format!("{SAVEPOINTS}/{checkpoint_id}-{created_ms}.json")
}

/// A component, by content.
pub fn plugin(digest: &str) -> String {
    format!("{PLUGINS}/{digest}.wasm")
}

/// What a store is tried with by the process that has this nonce.
pub fn probe(nonce: &str) -> String {
    format!("{PROBE}/{nonce}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_they_are() {
        let owner = |attempt, checkpoint_id| Some((AttemptId(attempt), CheckpointId(checkpoint_id)));
        assert_eq!(owner_of(&metadata(AttemptId(12), CheckpointId(7), None)), owner(12, 7));
        assert_eq!(owner_of(&metadata(AttemptId(12), CheckpointId(7), Some("ab"))), owner(12, 7));
        assert_eq!(metadata_nonce(&metadata(AttemptId(12), CheckpointId(7), Some("ab"))), Some("ab"));
        assert_eq!((metadata_nonce(&metadata(AttemptId(12), CheckpointId(7), None)), metadata_nonce("state/1-2-ab")), (None, None));
        assert_eq!(owner_of(&state_object(AttemptId(3), CheckpointId(8), "my-op", 1, "ab")), owner(3, 8));
        assert_eq!(owner_of(&in_flight_object(AttemptId(3), CheckpointId(8), "my-op", 1, "ab")), owner(3, 8));
        assert_eq!(owner_of(&broadcast_object(AttemptId(3), CheckpointId(9), "my-op", 1, "ab")), owner(3, 9));
        assert_eq!(owner_of(&call_log_object(AttemptId(3), CheckpointId(9), "my-op", 1, "ab")), owner(3, 9));
        assert_eq!(owner_of(&staged_object(AttemptId(3), CheckpointId(9), "my-op", 1, "ab", 7)), owner(3, 9));
        assert_eq!(owner_of(&state_file(AttemptId(3), CheckpointId(9), "my-op", 1, "ab", "7-f")), owner(3, 9));
        for nobodys in ["state/else", "checkpoints/18446744073709551615-1-aa/metadata.json", "state/1-9007199254740992-op-0-aa.state"] {
            assert_eq!(owner_of(nobodys), None, "{nobodys}");
        }
        assert_eq!((log_seq(&log_entry(5)), log_seq("log/5.json.tmp"), log_seq("state/5.json")), (Some(5), None, None));
    }
}
