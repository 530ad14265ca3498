//! The sink of quarantined records that no other sink takes: JSON lines below the job's storage, exactly-once.
//!
//! A committable holds the lines themselves, bounded by the quarantine limit, so nothing has to be pending anywhere: committing is creating
//! `quarantine/<step>/part-….jsonl`.

use crate::checkpoint::paths;
use crate::element::{CheckpointId, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::operator::Subtask;
use crate::runtime::Clock;
use crate::sink::{Committable, Committer, Delivery, Sink, SinkAttempt, SinkWriter, VisibleOutput, WriterContext};
use crate::storage::{Store, retry};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The name of the connector.
const CONNECTOR: &str = "quarantine";

/// Takes the quarantined records of one source or operator.
pub struct QuarantineSink {
    step: String,
}

/// Creates the files.
pub struct QuarantineCommitter {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize, Deserialize)]
struct Part {
    object: String,
    lines: String,
}

struct QuarantineWriter {
    step: String,
    subtask: Subtask,
    nonce: String,
    lines: String,
}

impl QuarantineSink {
    /// The sink of the source or operator `step`.
    pub fn new(step: &str) -> Self {
        Self { step: step.to_owned() }
    }
}

impl QuarantineCommitter {
    /// Commits into `store`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The connector whose committables it knows.
    pub fn connector() -> &'static str {
        CONNECTOR
    }
}

/// What [`Sink::newest_visible`] asks, of the quarantined records in `store`.
pub(super) async fn newest_quarantined(store: &dyn Store, clock: &dyn Clock, nonces: &[String]) -> Result<Vec<VisibleOutput>, EngineError> {
    let listed = retry(clock, || store.list(paths::QUARANTINE)).await?;
    Ok(VisibleOutput::newest(listed.iter().filter_map(|path| VisibleOutput::of_part(path)), nonces))
}

impl Sink for QuarantineSink {
    fn connector(&self) -> &'static str {
        CONNECTOR
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare_attempt<'a>(&'a self, _attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        ready(Ok(())).boxed()
    }

    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        let WriterContext { subtask, nonce, .. } = context.clone();
        Ok(Box::new(QuarantineWriter { step: self.step.clone(), subtask, nonce, lines: String::new() }))
    }
}

impl SinkWriter for QuarantineWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        for value in batch.values().iter() {
            self.lines.push_str(&String::from_utf8_lossy(value));
            self.lines.push('\n');
        }
        Ok(())
    }

    fn prepare_commit(
        &mut self,
        checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return Ok(async { Ok(Vec::new()) }.boxed());
        }
        let (step, index, nonce) = (&self.step, self.subtask.index, &self.nonce);
        let object = format!("{}/{step}/part-{index}-{checkpoint_id}-{nonce}.jsonl", paths::QUARANTINE);
        let payload = serde_json::to_value(Part { object, lines })
            .map_err(|error| EngineError::new(ErrorKind::Bug, format!("{step}: describe quarantined records: {error}")))?;
        Ok(async move { Ok(vec![Committable { connector: CONNECTOR.to_owned(), payload }]) }.boxed())
    }
}

impl Committer for QuarantineCommitter {
    fn commit<'a>(&'a self, committable: &'a Committable) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            let part: Part = serde_json::from_value(committable.payload.clone())
                .map_err(|error| EngineError::new(ErrorKind::Corrupt, format!("commit quarantined records: {error}")))?;
            let lines = Bytes::from(part.lines.into_bytes());
            // Its name is unique, and its content decided: an object that is there already is this one.
            retry(&*self.clock, || self.store.create(&part.object, lines.clone())).await.map(drop)
        }
        .boxed()
    }
}
