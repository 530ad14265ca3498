//! Reads a state object that a checkpoint's metadata names, and insists that it is that very object.

use super::{StateHandle, StateObjectReader};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::storage::{Store, retry};

/// The object of `handle`, its header and footer checked.
pub(crate) async fn read_state_object(
    store: &dyn Store,
    clock: &dyn Clock,
    handle: &StateHandle,
) -> Result<StateObjectReader, EngineError> {
    let bytes = retry(clock, || store.get(&handle.object)).await?;
    let object = format!("{}/{}", store.location(), handle.object);
    let corrupt = |what: String| EngineError::new(ErrorKind::Corrupt, format!("read {object}: {what}"));
    let bytes = bytes.ok_or_else(|| corrupt("it is not there".into()))?;
    if bytes.len() as u64 != handle.bytes {
        return Err(corrupt(format!("it has {} bytes, the checkpoint says {}", bytes.len(), handle.bytes)));
    }
    // Every byte of the object has a checksum of its own; this one tells it from another object in its place.
    if crc32c::crc32c(&bytes) != handle.checksum {
        return Err(corrupt("its checksum is not the one in the checkpoint's metadata".into()));
    }
    StateObjectReader::open(&object, bytes)
}
