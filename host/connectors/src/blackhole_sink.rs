//! The sink `blackhole`: takes records and keeps none. The engine's counters say how many came.

use crate::settings::{Settings, SettingsError};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use weir_engine::element::{AttemptId, CheckpointId};
use weir_engine::operator::Subtask;
use weir_engine::sink::Delivery;
use weir_engine::{Committable, EngineError, RecordBatch, Sink, SinkWriter};

/// Discards everything, so nothing is ever visible twice.
pub(crate) struct BlackholeSink;

impl BlackholeSink {
    /// It has no settings.
    pub(crate) fn new(settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        Ok((Self, Settings::new("the sink `blackhole`", settings).finish()?))
    }
}

impl Sink for BlackholeSink {
    fn connector(&self) -> &'static str {
        "blackhole"
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare_attempt(&self, _older_nonces: &[String], _restored: &[Committable]) -> Result<(), EngineError> {
        Ok(())
    }

    fn writer(&self, _subtask: &Subtask, _attempt: AttemptId, _nonce: &str) -> Result<Box<dyn SinkWriter>, EngineError> {
        Ok(Box::new(BlackholeWriter))
    }
}

struct BlackholeWriter;

impl SinkWriter for BlackholeWriter {
    fn write(&mut self, _batch: &RecordBatch) -> Result<(), EngineError> {
        Ok(())
    }

    fn prepare_commit(
        &mut self,
        _checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        Ok(Box::pin(async { Ok(Vec::new()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sink_suite;
    use std::sync::Arc;

    #[test]
    fn it_passes_the_sink_suite() {
        sink_suite(|| Arc::new(BlackholeSink), None, None);
    }
}
