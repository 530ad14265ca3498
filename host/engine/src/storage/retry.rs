//! Calls to a store that may be made again. Everything that the engine writes has a name of its own or is created if absent, so a call whose
//! outcome is unknown can be repeated.

use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use std::time::Duration;

/// Tries of a call to the store before it counts as failed.
pub(crate) const TRIES: u32 = 6;

/// Tries a call to the store again while its error may pass.
pub(crate) async fn retry<T, F>(clock: &dyn Clock, mut call: impl FnMut() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let mut attempt = 0;
    loop {
        match call().await {
            Err(error) if error.kind() == ErrorKind::Retry && attempt + 1 < TRIES => back_off(clock, attempt).await,
            outcome => return outcome,
        }
        attempt += 1;
    }
}

pub(crate) async fn back_off(clock: &dyn Clock, attempt: u32) {
    clock.sleep_until(clock.now() + Duration::from_millis(20 << attempt)).await;
}
