//! A disk that outlives crashes, and a sink that writes files to it in two phases.

use super::Scenario;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending, ready};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use weir_engine::element::{CheckpointId, RecordBatch};
use weir_engine::outbox::{ChunkBounds, OutboxSink, TargetMemory};
use weir_engine::runtime::{Clock, Simulator};
use weir_engine::sink::{Delivery, SinkAttempt, VisibleOutput, WriterContext};
use weir_engine::{Committable, Committer, EngineError, ErrorKind, Sink, SinkWriter};

#[derive(Clone, Default)]
struct Files {
    /// The nonces of the attempts that their sinks were prepared for.
    prepared_for: BTreeSet<String>,
    /// The nonces of attempts for whose preparation something is at work.
    at_work_for: BTreeSet<String>,
    pending: BTreeMap<String, Vec<String>>,
    committed: BTreeMap<String, Vec<String>>,
}

/// Files by name, and beside them what outbox sinks publish to; clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk {
    files: Arc<Mutex<Files>>,
    target: TargetMemory,
}

/// The sink of a simulated job.
pub(super) fn sink(simulator: &Simulator, disk: &Disk, scenario: Scenario) -> Arc<dyn Sink> {
    let Some(faults) = scenario.outbox else {
        return Arc::new(DiskSink { disk: disk.clone(), simulator: Some(simulator.clone()) });
    };
    // Other chunks in each process, and now and then a target that is down for a while.
    let bounds = ChunkBounds { records: 1 + simulator.draw(30) as usize, bytes: 1 + simulator.draw(200) as usize };
    let down = if simulator.draw(4) == 0 { simulator.draw(3_000) } else { 0 };
    let target = disk.target.client("simulated", bounds).failing(simulator.clone(), faults);
    Arc::new(OutboxSink::new(Arc::new(target.down_until(simulator.now() + Duration::from_millis(down)))))
}

impl Disk {
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().expect("no test panics with the disk")
    }

    /// Another disk with the same files.
    pub fn copy(&self) -> Self {
        Self { files: Arc::new(Mutex::new(self.lock().clone())), target: self.target.copy() }
    }

    /// The lines of all committed files, and what has been published.
    pub fn committed(&self) -> Vec<String> {
        let files: Vec<String> = self.lock().committed.values().flatten().cloned().collect();
        files.into_iter().chain(self.published()).collect()
    }

    /// How many lines are committed: where it has not changed, nothing has.
    pub(super) fn line_count(&self) -> usize {
        self.lock().committed.values().map(Vec::len).sum::<usize>() + self.published().len()
    }

    /// What has been published, in order.
    pub fn published(&self) -> Vec<String> {
        self.target.values()
    }

    /// Where outbox sinks publish to.
    pub fn target(&self) -> &TargetMemory {
        &self.target
    }

    /// The lines of the committed files that one sink wrote.
    pub fn committed_by(&self, vertex: &str) -> Vec<String> {
        let own = |name: &str| name.split('-').nth(1) == Some(vertex);
        self.lock().committed.iter().filter(|(name, _)| own(name)).flat_map(|(_, lines)| lines.clone()).collect()
    }

    /// Deletes all files.
    pub fn clear(&self) {
        *self.lock() = Files::default();
    }

    /// Files that are pending.
    pub fn pending(&self) -> usize {
        self.lock().pending.len()
    }
}

impl Committer for Disk {
    fn commit<'a>(&'a self, committable: &'a Committable) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            let name = committable.payload["file"].as_str().expect("a file's name").to_owned();
            let mut files = self.lock();
            if let Some(lines) = files.pending.remove(&name) {
                files.committed.insert(name, lines);
            } else if !files.committed.contains_key(&name) {
                return Err(EngineError::new(ErrorKind::Corrupt, format!("{name} is neither pending nor committed")));
            }
            Ok(())
        }
        .boxed()
    }
}

/// Writes to a [`Disk`].
pub struct DiskSink {
    /// The disk.
    pub disk: Disk,
    /// In a simulation the disk takes its time.
    pub simulator: Option<Simulator>,
}

struct DiskWriter {
    disk: Disk,
    simulator: Option<Simulator>,
    name: String,
    lines: Vec<String>,
}

impl Sink for DiskSink {
    fn connector(&self) -> &'static str {
        "disk"
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare_attempt<'a>(&'a self, attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        async {
            let SinkAttempt { nonce, older_nonces, restored, io, .. } = attempt;
            // Now and then it takes its time, as a broker does that shuts older attempts out.
            if let Some(simulator) = self.simulator.as_ref().filter(|_| nonce.ends_with(['0', '1', '2', '3'])) {
                let client = AtWork::new(self.disk.clone(), nonce.clone());
                io.spawn("a client of the disk", async move { client.for_ever().await }.boxed());
                simulator.sleep_until(simulator.now() + Duration::from_millis(20)).await;
            }
            let named: Vec<_> = restored.iter().filter_map(|committable| committable.payload["file"].as_str()).collect();
            let leftover = |name: &str| older_nonces.iter().any(|nonce| name.ends_with(nonce.as_str())) && !named.contains(&name);
            let mut files = self.disk.lock();
            files.pending.retain(|name, _| !leftover(name));
            files.prepared_for.insert(nonce.clone());
            Ok(())
        }
        .boxed()
    }

    fn newest_visible<'a>(&'a self, nonces: &'a [String]) -> BoxFuture<'a, Result<Vec<VisibleOutput>, EngineError>> {
        let of = |name: &String| {
            let (checkpoint_id, rest) = name.split_once('-')?;
            let (_, nonce) = rest.rsplit_once('-')?;
            Some(VisibleOutput { nonce: nonce.to_owned(), checkpoint_id: CheckpointId(checkpoint_id.parse().ok()?) })
        };
        ready(Ok(VisibleOutput::newest(self.disk.lock().committed.keys().filter_map(of), nonces))).boxed()
    }

    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        let WriterContext { subtask, nonce, .. } = context;
        assert!(self.disk.lock().prepared_for.contains(nonce), "no writer is made before its attempt has been prepared");
        assert!(!self.disk.lock().at_work_for.contains(nonce), "nothing of a preparation outlives it");
        let name = format!("{}-{}-{nonce}", subtask.vertex, subtask.index);
        Ok(Box::new(DiskWriter { disk: self.disk.clone(), simulator: self.simulator.clone(), name, lines: Vec::new() }))
    }
}

/// Something that works beside a preparation, as a client of a broker does.
struct AtWork {
    disk: Disk,
    nonce: String,
}

impl AtWork {
    fn new(disk: Disk, nonce: String) -> Self {
        disk.lock().at_work_for.insert(nonce.clone());
        Self { disk, nonce }
    }

    async fn for_ever(self) {
        pending().await
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.disk.lock().at_work_for.remove(&self.nonce);
    }
}

impl SinkWriter for DiskWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        self.lines.extend(batch.values().iter().map(|value| String::from_utf8_lossy(value).into_owned()));
        Ok(())
    }

    fn prepare_commit(
        &mut self,
        checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        let lines = std::mem::take(&mut self.lines);
        let (disk, simulator, file) = (self.disk.clone(), self.simulator.clone(), format!("{checkpoint_id}-{}", self.name));
        let prepare = async move {
            if lines.is_empty() {
                return Ok(Vec::new());
            }
            if let Some(simulator) = simulator {
                let delay = std::time::Duration::from_millis(simulator.draw(30));
                simulator.sleep_until(simulator.now() + delay).await;
            }
            disk.lock().pending.insert(file.clone(), lines);
            Ok(vec![Committable { connector: "disk".into(), payload: json!({"file": file}) }])
        };
        Ok(prepare.boxed())
    }
}
