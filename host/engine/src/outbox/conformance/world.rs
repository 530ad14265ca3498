//! A job's storage, and processes of it as far as they publish.

use super::TargetUnderTest;
use super::steps::{Stepping, Steps};
use crate::checkpoint::{Append, JobLog, LineageRoot, LogEntry, MarkerKey, StagedObject, StagedOutput, StagedRecords, StateHandle};
use crate::element::{AttemptId, BatchBuilder, CheckpointId};
use crate::error::EngineError;
use crate::outbox::port::{ChunkBounds, OutboxOwner, OutboxTarget};
use crate::outbox::{Decisions, MarkerDecision, Outbox, OutboxEvent, OutboxLedger, OutboxRoom, PublisherAction, PublisherTask};
use crate::runtime::ConnectorIo;
use crate::storage::{ObjectStorage, Store};
use futures_util::future::{Either, select};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// A job's storage and what two processes of it know.
pub(super) struct World<'a> {
    pub(super) under_test: &'a dyn TargetUnderTest,
    pub(super) io: ConnectorIo,
    store: Arc<dyn Store>,
    /// A log of its own for each case: the markers of one never meet those of another.
    pub(super) name: String,
}

pub(super) const SINK: &str = "out";

impl<'a> World<'a> {
    pub(super) fn new(under_test: &'a dyn TargetUnderTest, io: &ConnectorIo, name: String) -> Self {
        Self { under_test, io: io.clone(), store: Arc::new(ObjectStorage::in_memory()), name }
    }

    pub(super) fn key(&self, lineage: &str) -> MarkerKey {
        MarkerKey { log: self.name.clone(), lineage: lineage.into(), sink: SINK.into() }
    }

    pub(super) fn owner(&self, attempt: u64) -> OutboxOwner {
        OutboxOwner { log: self.name.clone(), sink: SINK.into(), attempt: AttemptId(attempt), over_newer: false }
    }

    /// The log once this attempt has begun.
    pub(super) async fn begin(&self, attempt: u64) -> JobLog {
        let mut log = JobLog::open(self.store.clone(), self.io.clock().clone()).await.expect("the log opens");
        let entry = LogEntry::Attempt {
            attempt: AttemptId(attempt),
            nonce: nonce(attempt),
            lineage: AttemptId(1),
            lineage_nonce: Some("1".into()),
            root: LineageRoot::Fresh,
            restored: None,
            probation: false,
            pinned: Vec::new(),
            overruled: Vec::new(),
            started_ms: 0,
        };
        assert_eq!(log.append(entry).await.expect("it appends"), Append::Done);
        log
    }

    /// Stages output of attempt 1 in objects of so many records. Values count up from `first`.
    pub(super) async fn stage(&self, checkpoint_id: u64, first: usize, objects: &[usize]) -> StagedOutput {
        let (checkpoint_id, mut next, mut staged) = (CheckpointId(checkpoint_id), first, Vec::new());
        for (part, records) in objects.iter().enumerate() {
            let mut builder = BatchBuilder::new();
            (next..next + records).for_each(|number| builder.push(Some(b"key"), self.value(number).as_bytes(), None));
            next += records;
            let (batch, mut encoded) = (builder.finish(), StagedRecords::default());
            encoded.push(&batch, 0..batch.len(), usize::MAX);
            let finished = encoded.object(SINK, 0).finish();
            // Not where a log looks for what is left over: it begins behind this.
            let object = format!("staged/{checkpoint_id}-{part}");
            let handle = StateHandle { object, bytes: finished.bytes, checksum: finished.checksum };
            self.store.put(&handle.object, finished.parts).await.expect("it is stored");
            staged.push(StagedObject { handle, records: *records as u64 });
        }
        StagedOutput { checkpoint_id, attempt_nonce: nonce(1), objects: staged }
    }

    pub(super) fn value(&self, number: usize) -> String {
        format!("{}:{number}", self.name)
    }

    /// The ledger of the lineage `1` that knows of nothing.
    pub(super) fn empty_ledger(&self) -> OutboxLedger {
        OutboxLedger::new(SINK, serde_json::json!(SINK), self.key("1"))
    }

    /// A ledger of the lineage `1` with this output, all of it final.
    pub(super) fn ledger(&self, outputs: &[StagedOutput]) -> OutboxLedger {
        let mut ledger = self.empty_ledger();
        outputs.iter().for_each(|output| ledger.on_complete(output.clone()));
        ledger.on_final(CheckpointId(u64::MAX));
        ledger
    }

    /// The publisher of a process whose steps are these, and where it tells.
    pub(super) fn publisher(&self, process: Process, log: JobLog) -> (PublisherTask, mpsc::UnboundedReceiver<OutboxEvent>) {
        let Process { attempt, ledger, records, steps, decision } = process;
        let target = self.under_test.client_through(ChunkBounds { records, bytes: usize::MAX }, steps.clone());
        let target: Arc<dyn OutboxTarget> = Arc::new(Stepping(target, steps.clone()));
        let attempts: BTreeSet<String> = (1..=attempt).map(nonce).collect();
        let outbox = Outbox::new(target, ledger, attempts, Decisions::new(decision), OutboxRoom::default());
        let (events, told) = mpsc::unbounded_channel();
        let store: Arc<dyn Store> = Arc::new(Stepping(self.store.clone(), steps));
        let (owner, nonce, io) = (self.owner(attempt), nonce(attempt), self.io.clone());
        (PublisherTask { outbox: Arc::new(outbox), owner, nonce, log, store, io, events }, told)
    }

    /// Publishes until nothing is left to do. The error is the publisher's.
    pub(super) async fn publish(&self, process: Process) -> Result<(), EngineError> {
        let log = self.begin(process.attempt).await;
        let (task, told) = self.publisher(process, log);
        let outbox = task.outbox.clone();
        idle(task, &outbox, told).await
    }

    /// The values that were published of this case, in order.
    async fn seen(&self) -> Vec<String> {
        let all = self.under_test.seen().await.into_iter().map(|value| String::from_utf8(value).expect("a value of the suite"));
        all.filter(|value| value.starts_with(&format!("{}:", self.name))).collect()
    }

    pub(super) async fn check(&self, what: &str, numbers: impl Iterator<Item = usize>) {
        let expected: Vec<String> = numbers.map(|number| self.value(number)).collect();
        assert_eq!(self.seen().await, expected, "{}: {what}", self.name);
    }
}

/// A process, as far as it publishes.
pub(super) struct Process {
    pub(super) attempt: u64,
    pub(super) ledger: OutboxLedger,
    /// Of its chunks.
    pub(super) records: usize,
    pub(super) steps: Arc<Steps>,
    pub(super) decision: Option<MarkerDecision>,
}

impl Process {
    pub(super) fn new(attempt: u64, ledger: OutboxLedger, records: usize) -> Self {
        Self { attempt, ledger, records, steps: Steps::new(None), decision: None }
    }
}

pub(super) fn nonce(attempt: u64) -> String {
    format!("attempt-{attempt}")
}

/// Runs a publisher until it waits for more, or fails.
pub(super) async fn idle(task: PublisherTask, outbox: &Outbox, mut told: mpsc::UnboundedReceiver<OutboxEvent>) -> Result<(), EngineError> {
    let failed = Arc::new(Mutex::new(None));
    let why = failed.clone();
    let waits = async {
        while let Some(event) = told.recv().await {
            match event {
                OutboxEvent::Progress if outbox.next() == PublisherAction::Wait => return,
                OutboxEvent::Progress => {}
                OutboxEvent::Failed(error) => return *why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            }
        }
    };
    let waits = pin!(waits);
    if let Either::Left(((), waits)) = select(pin!(task.run()), waits).await {
        waits.await;
    }
    let error = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    error.map_or(Ok(()), Err)
}
