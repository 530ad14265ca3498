//! The job's log: the one sequence that decides which attempts begin and which checkpoints are complete.
//!
//! Entries are objects `log/<seq>.json`, dense from 1, written by create-if-absent. A process appends at last + 1; where another attempt's
//! entry is there it has been fenced and stops. A create whose outcome is unknown is resolved by reading the entry back: the
//! nonce tells whose it is.

use super::{Created, Store, envelope, paths};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

const MAGIC: &str = "weir-log";
/// Entries read at once when a log is opened.
const READS: usize = 32;
/// Tries of a call to the store before it counts as failed.
const TRIES: u32 = 6;

/// What a lineage starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineageRoot {
    /// No state: the first run of a job, or `--fresh`.
    Fresh,
    /// A checkpoint of this job, by `--from`.
    Checkpoint(CheckpointId),
    /// A savepoint, by `--from` and its URL.
    Savepoint(String),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LogEntry {
    /// An attempt begins.
    Attempt {
        /// Its number.
        attempt: AttemptId,
        /// Its owner.
        nonce: String,
        /// The lineage it belongs to: the number of that lineage's first attempt.
        lineage: AttemptId,
        /// What the lineage starts from.
        root: LineageRoot,
        /// The checkpoint that the attempt starts from.
        restored: Option<CheckpointId>,
        /// True where it goes on with an upgrade that is on probation; any other attempt gives that up.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        probation: bool,
        /// ms since the Unix epoch.
        started_ms: i64,
    },
    /// A checkpoint is complete.
    Completed {
        /// The attempt that took it.
        attempt: AttemptId,
        /// Its owner.
        nonce: String,
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// Its metadata object,
        metadata: String,
        /// and CRC-32C of that object's bytes.
        checksum: u32,
        /// What asked for it.
        trigger: String,
        /// ms since the Unix epoch.
        completed_ms: i64,
        /// From the trigger to the last acknowledgement.
        duration_ms: u64,
        /// Bytes of all objects that it wrote.
        bytes: u64,
    },
    /// A checkpoint has failed.
    Failed {
        /// The attempt that tried it.
        attempt: AttemptId,
        /// Its owner.
        nonce: String,
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// What asked for it.
        trigger: String,
        /// ms since the Unix epoch.
        failed_ms: i64,
        /// From the trigger to the failure.
        duration_ms: u64,
        /// Why.
        reason: String,
    },
    /// From a checkpoint on something else holds than the job file says: by a rescale, or by a live upgrade.
    Override {
        /// The attempt that changed.
        attempt: AttemptId,
        /// Its owner.
        nonce: String,
        /// What is changed holds behind this checkpoint.
        checkpoint_id: CheckpointId,
        /// What is changed.
        overrides: Vec<Override>,
        /// True where it holds for good only with an *outcome* that says so; until then later checkpoints are provisional.
        probation: bool,
        /// ms since the Unix epoch.
        changed_ms: i64,
    },
    /// How a probation ended.
    Outcome {
        /// The attempt in which it ended, or the last one before that.
        attempt: AttemptId,
        /// Its owner.
        nonce: String,
        /// Whether what was on probation holds.
        accepted: bool,
        /// Why it does not.
        reason: Option<String>,
        /// ms since the Unix epoch.
        decided_ms: i64,
    },
    /// All input has been worked off and all output committed.
    Finished {
        /// The attempt that finished.
        attempt: AttemptId,
        /// Its owner.
        nonce: String,
        /// ms since the Unix epoch.
        finished_ms: i64,
    },
}

impl LogEntry {
    /// The owner's nonce.
    pub fn nonce(&self) -> &str {
        self.owner().1
    }

    /// The attempt that wrote it.
    pub fn attempt(&self) -> AttemptId {
        self.owner().0
    }

    fn owner(&self) -> (AttemptId, &str) {
        match self {
            Self::Attempt { attempt, nonce, .. }
            | Self::Completed { attempt, nonce, .. }
            | Self::Failed { attempt, nonce, .. }
            | Self::Override { attempt, nonce, .. }
            | Self::Outcome { attempt, nonce, .. }
            | Self::Finished { attempt, nonce, .. } => (*attempt, nonce),
        }
    }
}

/// What holds for one vertex in place of the job file's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The vertex's id.
    pub vertex: String,
    /// Its parallelism.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<Replaced<u32>>,
    /// The SHA-256 of its component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Replaced<String>>,
}

/// A setting that something else holds for. Where the job file no longer says `file`, the file wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced<T> {
    /// What the job file said then.
    pub file: T,
    /// What holds instead.
    pub now: T,
}

/// An entry with its place: two that have been exchanged are told by it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbered<E> {
    seq: u64,
    entry: E,
}

/// `entry` as the object at place `seq`.
pub(super) fn seal_entry(seq: u64, entry: &LogEntry) -> Bytes {
    envelope::seal(MAGIC, &Numbered { seq, entry })
}

/// The entry in the object at place `seq`.
pub(super) fn open_entry(object: &str, seq: u64, bytes: &[u8]) -> Result<LogEntry, EngineError> {
    let numbered: Numbered<LogEntry> = envelope::open(object, MAGIC, bytes)?;
    if numbered.seq != seq {
        return Err(EngineError::new(
            ErrorKind::Corrupt,
            format!("read {object}: it is entry {} of the log, in another's place", numbered.seq),
        ));
    }
    Ok(numbered.entry)
}

/// What an append came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Append {
    /// The entry is in the log.
    Done,
    /// Another process's entry has taken the place.
    Taken,
}

/// A job's log as far as this process has read and written it.
pub struct JobLog {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entries: Vec<LogEntry>,
}

impl JobLog {
    /// Reads the whole log.
    pub async fn open(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        let mut log = Self { store, clock, entries: Vec::new() };
        log.read_on().await?;
        Ok(log)
    }

    /// All entries so far.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// Reads entries that others have added. A list may lag behind and is only the hint that lets them be read side by side: the end of the log
    /// is where no entry is.
    pub async fn read_on(&mut self) -> Result<(), EngineError> {
        let paths = retry(&*self.clock, || self.store.list(paths::LOG)).await?;
        let last_listed = paths.iter().filter_map(|path| paths::log_seq(path)).max().unwrap_or(0);
        let known = self.entries.len() as u64;
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let mut listed = stream::iter(known + 1..=last_listed).map(|seq| read_entry(&*store, &*clock, seq)).buffered(READS);
        while let Some(entry) = listed.next().await {
            let seq = self.entries.len() as u64 + 1;
            self.entries.push(entry?.ok_or_else(|| missing(&paths::log_entry(seq), &self.store.location()))?);
        }
        while let Some(entry) = read_entry(&*self.store, &*self.clock, self.entries.len() as u64 + 1).await? {
            self.entries.push(entry);
        }
        Ok(())
    }

    /// Appends `entry` at last + 1. An error leaves open whether it is in the log; the caller then gives up.
    pub async fn append(&mut self, entry: LogEntry) -> Result<Append, EngineError> {
        let seq = self.entries.len() as u64 + 1;
        let path = paths::log_entry(seq);
        let sealed = seal_entry(seq, &entry);
        self.check_still_there(seq - 1).await?;
        for attempt in 0..TRIES {
            match self.store.create(&path, sealed.clone()).await {
                Ok(Created::New) => {
                    self.entries.push(entry);
                    return Ok(Append::Done);
                }
                // Ours where an earlier try of this very call got through without our hearing of it.
                Ok(Created::Exists) => return self.whose(seq, entry).await,
                Err(error) if error.kind() == ErrorKind::Retry && attempt + 1 < TRIES => back_off(&*self.clock, attempt).await,
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last try returns")
    }

    /// A folder that was moved away or emptied under a running job would be filled with a log that no one can read.
    async fn check_still_there(&self, last: u64) -> Result<(), EngineError> {
        if last == 0 {
            return Ok(());
        }
        let path = paths::log_entry(last);
        match retry(&*self.clock, || self.store.get(&path)).await? {
            Some(_) => Ok(()),
            None => Err(missing(&path, &self.store.location())),
        }
    }

    async fn whose(&mut self, seq: u64, entry: LogEntry) -> Result<Append, EngineError> {
        match read_entry(&*self.store, &*self.clock, seq).await? {
            Some(found) if found == entry => {
                self.entries.push(entry);
                Ok(Append::Done)
            }
            _ => Ok(Append::Taken),
        }
    }
}

fn missing(path: &str, location: &str) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, format!("read the log in {location}: {path} is missing"))
        .with_hint("put it back; or move the whole folder away, and the job starts over beside its committed output")
}

async fn read_entry(store: &dyn Store, clock: &dyn Clock, seq: u64) -> Result<Option<LogEntry>, EngineError> {
    let path = paths::log_entry(seq);
    let Some(bytes) = retry(clock, || store.get(&path)).await? else { return Ok(None) };
    open_entry(&format!("{}/{path}", store.location()), seq, &bytes).map(Some)
}

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

async fn back_off(clock: &dyn Clock, attempt: u32) {
    clock.sleep_until(clock.now() + Duration::from_millis(20 << attempt)).await;
}

#[cfg(test)]
mod tests {
    use super::super::{FaultPlan, FaultyStore, ObjectStorage};
    use super::*;
    use crate::runtime::{SimulationEnd, Simulator};
    use futures_util::FutureExt;

    fn entry(attempt: u64, nonce: &str) -> LogEntry {
        LogEntry::Finished { attempt: AttemptId(attempt), nonce: nonce.into(), finished_ms: 0 }
    }

    #[test]
    fn of_two_racing_writers_one_is_taken_and_a_lost_acknowledgement_is_read_back() {
        for seed in 0..200 {
            let simulator = Simulator::new(seed);
            let inner: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
            let plan = FaultPlan { refused: 100, lost_acknowledgement: 200, slow: 300, ..FaultPlan::NONE };
            let store: Arc<dyn Store> = Arc::new(FaultyStore::new(inner, simulator.clone(), plan));
            let clock: Arc<dyn Clock> = simulator.runtime().clock;
            let writer = |nonce: &'static str| {
                let (store, clock) = (store.clone(), clock.clone());
                async move {
                    let mut log = JobLog::open(store, clock).await?;
                    log.append(entry(1, nonce)).await
                }
            };
            let (a, b) = (writer("a"), writer("b"));
            let watched = async move {
                let (a, b) = futures_util::future::join(a, b).await;
                let done = [&a, &b].iter().filter(|end| matches!(end, Ok(Append::Done))).count();
                // A reader that came late appends a second entry; an error gives up and may have written.
                assert!(a.is_err() || b.is_err() || done >= 1, "seed {seed}: {a:?} {b:?}");
                let log = JobLog::open(store, clock).await;
                if let Ok(log) = log {
                    assert!(log.entries().len() >= done, "seed {seed}");
                }
            };
            assert_eq!(simulator.run(watched.boxed(), 100_000), SimulationEnd::Finished, "seed {seed}");
        }
    }

    #[test]
    fn a_gap_in_the_log_is_named() {
        let simulator = Simulator::new(1);
        let clock: Arc<dyn Clock> = simulator.runtime().clock;
        let watched = async move {
            let store: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
            store.put(&paths::log_entry(2), vec![seal_entry(2, &entry(1, "a"))]).await.unwrap();
            let error = JobLog::open(store, clock).await.err().unwrap();
            assert!(error.to_string().contains("log/1.json is missing"), "{error}");
        };
        assert_eq!(simulator.run(watched.boxed(), 10_000), SimulationEnd::Finished);
    }
}
