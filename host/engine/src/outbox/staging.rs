//! What an outbox sink's subtask has in place of a writer: it keeps what it is given, encoded, until a checkpoint that holds it is complete.
//!
//! At a barrier what came since the last one becomes part of the checkpoint and is written in the background. A checkpoint that fails leaves its
//! records here, and the next one stages them with its own: so a checkpoint's objects are always its own, whatever became of those before.
//!
//! Bound: what is kept is the output of the checkpoints that are not complete. While more waits of the complete ones than may, the subtask stops
//! directly behind a barrier. In front of one it never does: the barrier that would free it could not pass.

use super::Outbox;
use crate::checkpoint::{CheckpointBases, StagedRecords};
use crate::element::{CheckpointId, RecordBatch};
use crate::error::EngineError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Bytes of one staged object.
const OBJECT_BYTES: usize = 4 << 20;

/// Where a subtask stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where the attempt began.
    Start,
    /// Directly behind a barrier.
    BehindBarrier,
    /// Among records.
    Between,
}

/// One subtask's records on their way to be staged.
pub struct StagingWriter {
    outbox: Arc<Outbox>,
    open: Vec<StagedRecords>,
    staged: Staged,
    place: Place,
}

/// What belongs to checkpoints that are not known to be complete, by the first one that it was written for. Clones are the same.
#[derive(Clone, Default)]
pub struct Staged(Arc<Mutex<BTreeMap<CheckpointId, Vec<Arc<StagedRecords>>>>>);

impl StagingWriter {
    /// A subtask of a sink.
    pub fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, open: Vec::new(), staged: Staged::default(), place: Place::Start }
    }

    /// Takes a batch, unless the target refuses a record of it: then no checkpoint has any of the batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        self.outbox.target().admit(batch)?;
        self.place = Place::Between;
        let mut from = 0;
        while from < batch.len() {
            if self.open.last().is_none_or(|last| last.byte_len() >= OBJECT_BYTES) {
                self.open.push(StagedRecords::default());
            }
            let last = self.open.last_mut().expect("one is open");
            from += last.push(batch, from..batch.len(), OBJECT_BYTES);
        }
        Ok(())
    }

    /// Everything since the last barrier belongs to this checkpoint.
    pub fn on_barrier(&mut self, checkpoint_id: CheckpointId) -> Staged {
        self.place = Place::BehindBarrier;
        let open = std::mem::take(&mut self.open);
        if !open.is_empty() {
            self.staged.lock().insert(checkpoint_id, open.into_iter().map(Arc::new).collect());
        }
        self.staged.clone()
    }

    /// A checkpoint is complete.
    pub fn on_completed(&self, checkpoint_id: CheckpointId) {
        self.staged.forget(checkpoint_id);
    }

    /// Ready unless the subtask stands behind a barrier and has to stop there.
    pub fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.place {
            Place::Between => Poll::Ready(()),
            Place::Start => self.outbox.poll_open(false, cx),
            Place::BehindBarrier => self.outbox.poll_open(true, cx),
        }
    }
}

impl Staged {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CheckpointId, Vec<Arc<StagedRecords>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever came in front of the barrier of a complete checkpoint is in that one, or in one before.
    fn forget(&self, completed: CheckpointId) {
        self.lock().retain(|id, _| *id > completed);
    }

    /// What is staged for `checkpoint_id`, in order: its own, and before that what belonged to checkpoints that have failed. Waits until it is known
    /// which of the older ones have: any that is under way has staged what is older than itself, also where it has nothing of its own here.
    pub async fn of(&self, checkpoint_id: CheckpointId, bases: &CheckpointBases) -> Vec<Arc<StagedRecords>> {
        loop {
            let oldest = self.lock().keys().next().copied().filter(|oldest| *oldest < checkpoint_id);
            match oldest.and_then(|oldest| bases.oldest_under_way(oldest..checkpoint_id)) {
                Some(older) => bases.decided(older).await,
                None => break,
            }
        }
        // Behind that look: what was complete by then is not staged again.
        if let Some(completed) = bases.completed() {
            self.forget(completed);
        }
        self.lock().range(..=checkpoint_id).flat_map(|(_, records)| records.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::MarkerKey;
    use crate::element::BatchBuilder;
    use crate::error::ErrorKind;
    use crate::outbox::{Decisions, OutboxLedger, OutboxOwner, OutboxRoom, OutboxSession, OutboxTarget};
    use crate::runtime::ConnectorIo;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use serde_json::{Value, json};

    /// A target that no record without a key may go to.
    struct Keyed;

    impl OutboxTarget for Keyed {
        fn connector(&self) -> &'static str {
            "keyed"
        }

        fn identity(&self) -> Value {
            json!("keyed")
        }

        fn admit(&self, records: &RecordBatch) -> Result<(), EngineError> {
            match (0..records.len()).find(|record| records.key(*record).is_none()) {
                Some(record) => Err(EngineError::new(ErrorKind::FixInput, format!("record {record} has no key"))),
                None => Ok(()),
            }
        }

        fn take_over<'a>(&'a self, _: &'a OutboxOwner, _: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
            unreachable!("nothing is published")
        }
    }

    fn batch(keys: &[Option<&str>]) -> RecordBatch {
        let mut batch = BatchBuilder::new();
        keys.iter().for_each(|key| batch.push(key.map(str::as_bytes), b"v", None));
        batch.finish()
    }

    #[test]
    fn a_record_that_the_target_refuses_is_in_no_checkpoint() {
        let key = MarkerKey { log: "log".into(), lineage: "1".into(), sink: "out".into() };
        let ledger = OutboxLedger::new("out", json!("keyed"), key);
        let outbox = Outbox::new(Arc::new(Keyed), ledger, Default::default(), Decisions::default(), OutboxRoom::default());
        let mut writer = StagingWriter::new(Arc::new(outbox));
        writer.write(&batch(&[Some("a"), Some("b")])).expect("they may be staged");
        let refused = writer.write(&batch(&[Some("c"), None])).expect_err("one may not");
        assert_eq!(refused.to_string(), "record 1 has no key");
        let staged = writer.on_barrier(CheckpointId(1)).of(CheckpointId(1), &CheckpointBases::after("t1")).now_or_never().expect("at once");
        assert_eq!(staged.iter().map(|records| records.records()).sum::<u64>(), 2);
    }

    /// Records have come in front of the barriers `with`, and `events` have happened: of how many barriers the last checkpoint stages them; `None`: it waits.
    fn staged(with: &[u64], events: &str, last: u64) -> Option<usize> {
        let staged = Staged::default();
        with.iter().for_each(|id| _ = staged.lock().insert(CheckpointId(*id), vec![Arc::default()]));
        staged.of(CheckpointId(last), &CheckpointBases::after(events)).now_or_never().map(|records| records.len())
    }

    #[test]
    fn what_a_failed_checkpoint_left_is_staged_by_one_checkpoint_only() {
        assert_eq!(staged(&[1, 2], "t1 t2 f1", 2), Some(2), "its own, and what was left");
        assert_eq!(staged(&[1, 2], "t1 t2", 2), None, "nobody knows whether it is left");
        assert_eq!(staged(&[1, 2], "t1 t2 c1", 2), Some(1), "nothing is left");
        // Checkpoint 2 has nothing of its own, and stages what the first has left.
        assert_eq!(staged(&[1], "t1 t2 f1", 2), Some(1));
        assert_eq!(staged(&[1, 3], "t1 t2 f1 t3", 3), None, "it may be staged by the second");
        assert_eq!(staged(&[1], "t1 t2 f1 t3", 3), None, "it may be staged by the second");
        assert_eq!(staged(&[1, 3], "t1 t2 f1 t3 c2", 3), Some(1), "it was");
        assert_eq!(staged(&[1, 3], "t1 t2 f1 t3 f2", 3), Some(2), "it was not");
        assert_eq!(staged(&[3], "t1 t2 f1 t3", 3), Some(1), "nothing older is here: it need not wait");
    }
}
