//! The sink `blackhole`: takes records and keeps none. The engine's counters say how many came.
//!
//! With `rate` it takes no more than so many records a second, so that one can see what a job does behind a slow sink.

use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use std::time::Duration;
use weir_engine::element::CheckpointId;
use weir_engine::sink::{Delivery, SinkAttempt, WriterContext};
use weir_engine::{Committable, EngineError, RecordBatch, Sink, SinkWriter};

/// The settings of the sink `blackhole`.
pub(crate) const SETTINGS: &[Setting] = &[Setting::new(
    "rate",
    Kind::Whole { least: 1, most: u64::MAX },
    Fallback::Nothing,
    "At most so many records in a second are taken, all subtasks together: what a job does behind a slow sink.",
)];

/// Discards everything, so nothing is ever visible twice.
pub(crate) struct BlackholeSink {
    /// Records per second of all subtasks together.
    rate: Option<u64>,
}

impl BlackholeSink {
    /// Reads `rate`.
    pub(crate) fn new(settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        let mut settings = Settings::of_sink("blackhole", SETTINGS, settings);
        let rate = settings.optional_whole("rate")?;
        Ok((Self { rate }, settings.finish()?))
    }
}

impl Sink for BlackholeSink {
    fn connector(&self) -> &'static str {
        "blackhole"
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare_attempt<'a>(&'a self, _attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }

    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        let record_s = self.rate.map_or(0.0, |rate| f64::from(context.subtask.parallelism) / rate as f64);
        Ok(Box::new(BlackholeWriter { record_s }))
    }
}

struct BlackholeWriter {
    /// How long each record takes.
    record_s: f64,
}

impl SinkWriter for BlackholeWriter {
    #[expect(clippy::disallowed_methods, reason = "a sink that is slow on purpose is busy meanwhile, as a slow one is")]
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        if self.record_s > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(self.record_s * batch.len() as f64));
        }
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
    use std::sync::Arc;
    use weir_engine::sink::conformance::sink_suite;

    #[test]
    fn it_passes_the_sink_suite() {
        sink_suite(|| Arc::new(BlackholeSink { rate: None }), None, None);
    }
}
