//! The sink port. Either two-phase commit: what a checkpoint covers is made durable by the sink's writer before it completes, and visible by its
//! committer after. Or an outbox: the engine stages what the sink is given as objects of the checkpoint, and publishes it after (`outbox`). What is asked
//! of every writer and committer is in `conformance`, with the feature `testing`.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;

pub use crate::checkpoint::Committable;

use crate::element::{AttemptId, CheckpointId, RecordBatch};
use crate::error::EngineError;
use crate::metrics::Trouble;
use crate::operator::Subtask;
use crate::outbox::OutboxTarget;
use crate::runtime::ConnectorIo;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Finds the committer of a connector.
pub type Committers = Arc<dyn Fn(&str) -> Option<Arc<dyn Committer>> + Send + Sync>;

/// What a sink promises of its output after failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every record is visible once.
    ExactlyOnce,
    /// Records since the last checkpoint are written again after a failure.
    MayRepeat,
}

/// Output that can be seen: of the attempt with this nonce, covered by this checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VisibleOutput {
    /// The attempt's.
    pub nonce: String,
    /// The checkpoint whose completion made it visible.
    pub checkpoint_id: CheckpointId,
}

impl VisibleOutput {
    /// Reads the end of a part's name, `…-<checkpoint>-<nonce>` and perhaps a suffix; `None`: it is named otherwise.
    pub fn of_part(name: &str) -> Option<Self> {
        let (rest, last) = name.rsplit_once('-')?;
        let nonce = last.split('.').next()?.to_owned();
        let checkpoint_id = CheckpointId(rest.rsplit_once('-')?.1.parse().ok()?);
        Some(Self { nonce, checkpoint_id })
    }

    /// The newest for each nonce of `nonces`, of everything that can be seen.
    pub fn newest(all: impl IntoIterator<Item = Self>, nonces: &[String]) -> Vec<Self> {
        let mut newest = BTreeMap::<String, CheckpointId>::new();
        for Self { nonce, checkpoint_id } in all.into_iter().filter(|visible| nonces.contains(&visible.nonce)) {
            let id = newest.entry(nonce).or_insert(checkpoint_id);
            *id = checkpoint_id.max(*id);
        }
        newest.into_iter().map(|(nonce, checkpoint_id)| Self { nonce, checkpoint_id }).collect()
    }
}

/// An attempt, as a sink hears of it before its first writer is made.
#[derive(Clone)]
pub struct SinkAttempt {
    /// Its number: of two attempts of a job the one with the greater number counts.
    pub attempt: AttemptId,
    /// Its nonce, which makes names unique.
    pub nonce: String,
    /// The nonces of the job's attempts before it.
    pub older_nonces: Vec<String>,
    /// The committables of the checkpoint that it starts from, which have been committed.
    pub restored: Vec<Committable>,
    /// Where I/O runs that goes on beside the preparation, as a client's own: what it starts ends with the preparation.
    pub io: ConnectorIo,
}

/// What a writer is given.
#[derive(Clone)]
pub struct WriterContext {
    /// The subtask that it writes for.
    pub subtask: Subtask,
    /// The attempt's number.
    pub attempt: AttemptId,
    /// The attempt's nonce, which makes names unique.
    pub nonce: String,
    /// Where its I/O runs: batches are written on threads that may be busy in a guest for long, and that drive no sockets. What it starts ends with
    /// the attempt.
    pub io: ConnectorIo,
}

/// One sink of a job.
pub trait Sink: Send + Sync {
    /// The connector's name in job files.
    fn connector(&self) -> &'static str;

    /// What its output is after failures.
    fn delivery(&self) -> Delivery;

    /// Before the first writer of an attempt: shuts out what older attempts may still be writing (a broker's fence), and deletes what they have left
    /// behind and `restored` does not name. Creates folders. It happens once for an attempt, also where that is the job's first.
    ///
    /// It may wait for I/O and may block: it runs on a thread of its own, with sockets and timers behind it. No writer is made before it is over.
    fn prepare_attempt<'a>(&'a self, attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Of each attempt that has one of these nonces the newest checkpoint whose output can be seen: it tells whether the job's log has lost its
    /// newest entries. A sink whose output does not say where it comes from has nothing to tell.
    ///
    /// It may wait for I/O and may block: it runs on a thread of its own, with sockets and timers behind it.
    fn newest_visible<'a>(&'a self, nonces: &'a [String]) -> BoxFuture<'a, Result<Vec<VisibleOutput>, EngineError>> {
        let _ = nonces;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Sees whether output can go where the job says, as far as that can be told without writing anything and without keeping anybody out: that somebody
    /// answers there, lets this process in and takes what the job has for it. An error is the user's to mend, whatever its kind. A run that begins a job from nothing
    /// asks for it before it writes anything, and so does `weir check`; a sink that cannot tell has nothing to look at.
    ///
    /// It answers within the time that the sink gives a connection. It is polled on a control thread and must not block there; what it starts on `io` is
    /// ended behind it.
    fn look<'a>(&'a self, io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        let _ = io;
        Box::pin(async { Ok(()) })
    }

    /// Where the engine publishes what the sink is given, for a sink that leaves staging and publishing to it: such a sink has no writer and no
    /// committer of its own.
    fn outbox(&self) -> Option<Arc<dyn OutboxTarget>> {
        None
    }

    /// A writer for one subtask.
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError>;
}

/// Writes one subtask's records.
pub trait SinkWriter: Send {
    /// Writes a batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError>;

    /// Ready where it takes more; else `cx` is woken when it does. Meanwhile its task works nothing off, and barriers pass that may overtake records. What it is
    /// given all the same, of the records that were being worked off, it has to take.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }

    /// Says why what is written does not arrive, while it does not and is tried again; `None`: it has nothing to say of that, ever.
    fn trouble(&self) -> Option<Trouble> {
        None
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parts_name_ends_in_its_checkpoint_and_its_attempts_nonce() {
        let of = |name| VisibleOutput::of_part(name).map(|visible| (visible.checkpoint_id.0, visible.nonce));
        assert_eq!(of("part-my-sink.a-0-17-c0ffee"), Some((17, "c0ffee".to_owned())));
        assert_eq!(of("part-out-3-9-ab.jsonl"), Some((9, "ab".to_owned())));
        for other in ["part-old", "notes.txt", "part-out-0-x-ab", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn of_each_attempt_that_is_asked_for_the_newest_checkpoint_counts() {
        let visible = |nonce: &str, id| VisibleOutput { nonce: nonce.into(), checkpoint_id: CheckpointId(id) };
        let all = [visible("a", 3), visible("b", 9), visible("a", 12), visible("a", 4)];
        assert_eq!(VisibleOutput::newest(all, &["a".into(), "c".into()]), [visible("a", 12)]);
    }
}
