//! Stands in for registries in a weir that has none.

use super::{Access, KeptPlugins, Pulled, Pushed, Pushing};
use crate::job_file::OciReference;
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};

fn refused(reference: &OciReference) -> EngineError {
    EngineError::new(ErrorKind::FixInput, format!("{reference}: this weir was built without registries"))
        .with_hint("build it with `--features oci`, or name a file")
}

/// Refuses.
pub async fn pull(
    reference: &OciReference,
    _access: &Access,
    _clock: &dyn Clock,
    _kept: Option<&KeptPlugins>,
    _seen: &dyn Fn(u64, u64),
) -> Result<Pulled, EngineError> {
    Err(refused(reference))
}

/// Refuses.
pub async fn push(reference: &OciReference, _: &Pushing<'_>, _: &Access, _: &dyn Clock) -> Result<Pushed, EngineError> {
    Err(refused(reference))
}
