//! The components that are kept beside checkpoints.

use super::{CheckpointMetadata, Store, VertexIdentity, paths, retry};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use bytes::Bytes;

impl CheckpointMetadata {
    /// The digest of the component that `operator` ran; `None` where it ran none, or is none.
    pub fn component(&self, operator: &str) -> Option<&str> {
        match self.graph.vertices.get(operator)? {
            VertexIdentity::Operator { component, .. } => component.as_deref(),
            VertexIdentity::Source { .. } => None,
        }
    }
}

/// The component with this digest, as it is kept in `store`. That its content has the digest is for the reader to check.
pub async fn stored_component(store: &dyn Store, clock: &dyn Clock, digest: &str) -> Result<Bytes, EngineError> {
    let path = paths::plugin(digest);
    retry(clock, || store.get(&path)).await?.ok_or_else(|| {
        EngineError::new(ErrorKind::Corrupt, format!("read {}/{path}: it is not there", store.location())).about_object(&path)
    })
}
