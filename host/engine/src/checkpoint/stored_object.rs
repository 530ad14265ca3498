//! Reads a state object that a checkpoint's metadata names, and insists that it is that very object.

use super::{StateHandle, StateObjectReader};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::storage::{Store, retry};
use bytes::Bytes;

/// The object of `handle`, its header and footer checked.
pub(crate) async fn read_state_object(
    store: &dyn Store,
    clock: &dyn Clock,
    handle: &StateHandle,
) -> Result<StateObjectReader, EngineError> {
    let bytes = read_object(store, clock, handle).await?;
    StateObjectReader::open(&format!("{}/{}", store.location(), handle.object), bytes)
}

/// The bytes of `handle`'s object, whatever they are: as many as it says, with its checksum.
pub(crate) async fn read_object(store: &dyn Store, clock: &dyn Clock, handle: &StateHandle) -> Result<Bytes, EngineError> {
    let bytes = retry(clock, || store.get(&handle.object)).await?;
    let corrupt = |what: String| EngineError::new(ErrorKind::Corrupt, format!("read {}/{}: {what}", store.location(), handle.object));
    let bytes = bytes.ok_or_else(|| corrupt("it is not there".into()))?;
    if bytes.len() as u64 != handle.bytes {
        return Err(corrupt(format!("it has {} bytes, the checkpoint says {}", bytes.len(), handle.bytes)));
    }
    // Every byte of a state object has a checksum of its own; this one tells it from another object in its place.
    if crc32c::crc32c(&bytes) != handle.checksum {
        return Err(corrupt("its checksum is not the one in the checkpoint's metadata".into()));
    }
    Ok(bytes)
}
