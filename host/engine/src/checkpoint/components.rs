//! The components that are kept beside checkpoints.

use super::{CheckpointMetadata, VertexIdentity, paths};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::storage::{Store, retry};
use bytes::Bytes;
use sha2::{Digest, Sha256};

impl CheckpointMetadata {
    /// The digest of the component that `operator` ran; `None` where it ran none, or is none.
    pub fn component(&self, operator: &str) -> Option<&str> {
        match self.graph.vertices.get(operator)? {
            VertexIdentity::Operator { component, .. } => component.as_deref(),
            VertexIdentity::Source { .. } => None,
        }
    }
}

/// The component with this digest, as it is kept in `store`; an error where what is kept there is another.
pub async fn stored_component(store: &dyn Store, clock: &dyn Clock, digest: &str) -> Result<Bytes, EngineError> {
    let path = paths::plugin(digest);
    let corrupt =
        |what: &str| EngineError::new(ErrorKind::Corrupt, format!("read {}/{path}: {what}", store.location())).about_object(&path);
    let bytes = retry(clock, || store.get(&path)).await?.ok_or_else(|| corrupt("it is not there"))?;
    match digest_of(&bytes) == digest {
        true => Ok(bytes),
        false => Err(corrupt("its content does not have the SHA-256 that it is named by")),
    }
}

/// The SHA-256 of a component, as its name has it.
fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Simulator;
    use crate::storage::ObjectStorage;
    use futures_util::FutureExt;

    #[test]
    fn a_component_is_read_as_it_was_stored_or_refused_by_name() {
        let (store, clock) = (ObjectStorage::in_memory(), Simulator::new(1));
        let read = |digest: &str| stored_component(&store, &clock, digest).now_or_never().expect("memory answers at once");
        let put = |path: &str, bytes: &'static [u8]| {
            store.put(path, vec![Bytes::from_static(bytes)]).now_or_never().expect("memory answers at once").expect("memory does not fail");
        };
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let check = |says: &str| {
            let error = read(abc).expect_err(says);
            assert!(error.kind() == ErrorKind::Corrupt && error.to_string().ends_with(&format!("{abc}.wasm: {says}")), "{error}");
            assert_eq!(error.damaged_object(), Some(paths::plugin(abc).as_str()));
        };
        check("it is not there");
        put(&paths::plugin(abc), b"abd");
        check("its content does not have the SHA-256 that it is named by");
        put(&paths::plugin(abc), b"abc");
        assert_eq!(read(abc).expect("it is whole"), b"abc"[..]);
    }
}
