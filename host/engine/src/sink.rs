//! The sink port: two-phase commit. What a checkpoint covers is made durable before it completes and visible after.

pub use crate::checkpoint::Committable;

use crate::element::{AttemptId, CheckpointId, RecordBatch};
use crate::error::EngineError;
use crate::operator::Subtask;
use futures_util::future::BoxFuture;

/// What a sink promises of its output after failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every record is visible once.
    ExactlyOnce,
    /// Records since the last checkpoint are written again after a failure.
    MayRepeat,
}

/// One sink of a job.
pub trait Sink: Send + Sync {
    /// The connector's name in job files.
    fn connector(&self) -> &'static str;

    /// What its output is after failures.
    fn delivery(&self) -> Delivery;

    /// Before the first writer of an attempt: deletes leftovers of older attempts (their nonces are `older_nonces`)
    /// that `restored`, the committables of the checkpoint this attempt starts from, does not name. Creates folders.
    fn prepare_attempt(&self, older_nonces: &[String], restored: &[Committable]) -> Result<(), EngineError>;

    /// A writer for one subtask. `nonce` is the attempt's and makes names unique.
    fn writer(&self, subtask: &Subtask, attempt: AttemptId, nonce: &str) -> Result<Box<dyn SinkWriter>, EngineError>;
}

/// Writes one subtask's records.
pub trait SinkWriter: Send {
    /// Writes a batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError>;

    /// Everything written since the last call becomes part of `checkpoint_id`. Quick: the slow part (flush, fsync, checksum) is in the
    /// returned future, which runs in the background and yields what has to be committed once the checkpoint is complete.
    fn prepare_commit(
        &mut self,
        checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError>;
}

/// Makes committables visible.
pub trait Committer: Send + Sync {
    /// Commits one. Committing it again, also from another process, changes nothing and succeeds; where both the pending and the final
    /// form are missing, or the final one differs in size or checksum, it fails.
    fn commit<'a>(&'a self, committable: &'a Committable) -> BoxFuture<'a, Result<(), EngineError>>;
}
