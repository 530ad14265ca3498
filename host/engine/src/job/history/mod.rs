//! What the log says of a job so far, and what a start makes of it. Pure.

pub(in crate::job) mod start;

use crate::checkpoint::{CheckpointMetadata, LineageRoot, LogEntry, Override, Pinned};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::sink::VisibleOutput;
use crate::storage::{Store, retry};
use std::collections::BTreeMap;

/// A completed checkpoint as the log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedCheckpoint {
    /// Its id.
    pub checkpoint_id: CheckpointId,
    /// The attempt that took it.
    pub attempt: AttemptId,
    /// The name of its metadata object.
    pub metadata: String,
    /// CRC-32C of the metadata object's bytes.
    pub checksum: u32,
}

/// A line of attempts, each of which goes on from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// Its first attempt.
    pub id: AttemptId,
    /// What tells it from every other, also of another log; drawn when it began.
    pub nonce: String,
    /// Owners of its attempts.
    pub attempts: Vec<String>,
    /// What it started from.
    pub root: LineageRoot,
    /// Its completed checkpoints, oldest first.
    pub completed: Vec<CompletedCheckpoint>,
    /// True once all input has been worked off and committed.
    pub finished: bool,
    /// What references are in it, as its newest attempt says.
    pub pinned: Vec<Pinned>,
    /// What was changed while the job ran, oldest first, each behind the checkpoint that it is named with. What held at the checkpoint that the lineage
    /// began from holds in it from the beginning.
    changes: Vec<(Option<CheckpointId>, Vec<Override>)>,
    /// An upgrade that nobody has decided on.
    pub probation: Option<Probation>,
}

/// An upgrade on probation: what lies behind the checkpoint that it began at counts only if it is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probation {
    /// The last checkpoint before it.
    pub since: CheckpointId,
    /// What it changes.
    pub overrides: Vec<Override>,
    /// Checkpoints behind it, oldest first.
    pub provisional: Vec<CompletedCheckpoint>,
}

impl Lineage {
    fn new(id: AttemptId, nonce: String, root: LineageRoot) -> Self {
        let (attempts, completed, changes, pinned) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { id, nonce, attempts, root, completed, finished: false, pinned, changes, probation: None }
    }

    fn on_attempt(&mut self, nonce: &str, probation: bool, pinned: &[Pinned], overruled: &[Override]) {
        self.attempts.push(nonce.to_owned());
        self.pinned = pinned.to_vec();
        if !probation {
            self.probation = None;
        }
        if !overruled.is_empty() {
            // What begins at the checkpoint that this attempt goes on from is as it was when that was taken.
            let behind = self.completed.last().map(|completed| completed.checkpoint_id);
            self.changes.push((behind, overruled.to_vec()));
        }
    }

    /// What holds in place of the job file's word, by vertex.
    pub fn overrides(&self) -> BTreeMap<String, Override> {
        self.overrides_where(|_| true)
    }

    /// The same at a checkpoint of the lineage.
    fn overrides_at(&self, checkpoint_id: CheckpointId) -> BTreeMap<String, Override> {
        self.overrides_where(|behind| behind < Some(checkpoint_id))
    }

    fn overrides_where(&self, holds: impl Fn(Option<CheckpointId>) -> bool) -> BTreeMap<String, Override> {
        let mut all: BTreeMap<String, Override> = BTreeMap::new();
        for change in self.changes.iter().filter(|(behind, _)| holds(*behind)).flat_map(|(_, changes)| changes) {
            let vertex = change.vertex.clone();
            let entry = all.entry(vertex.clone()).or_insert_with(|| Override { vertex, ..Override::default() });
            // With it comes what the job file says by then: only a file that says the same is overridden.
            entry.parallelism = change.parallelism.clone().or(entry.parallelism.take());
            if change.component.is_some() {
                (entry.component, entry.named, entry.pin) = (change.component.clone(), change.named.clone(), change.pin.clone());
            }
        }
        all
    }
}

/// The log, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// In the order in which they began.
    pub lineages: Vec<Lineage>,
    /// Owners of all attempts.
    pub nonces: Vec<String>,
    /// The newest attempt.
    pub last_attempt: Option<AttemptId>,
    /// The highest checkpoint id, completed or failed.
    pub last_checkpoint: Option<CheckpointId>,
    attempts: Vec<KnownAttempt>,
}

/// An attempt, as others are looked up by it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KnownAttempt {
    id: AttemptId,
    /// The place of its lineage among all.
    lineage: usize,
    /// What references led to in it.
    pinned: Vec<Pinned>,
}

impl History {
    /// Reads a log.
    pub fn of(entries: &[LogEntry]) -> Self {
        let mut history = Self::default();
        entries.iter().for_each(|entry| history.on_entry(entry));
        history
    }

    fn on_entry(&mut self, entry: &LogEntry) {
        match entry {
            LogEntry::Attempt { attempt, nonce, lineage, lineage_nonce, root, probation, pinned, overruled, .. } => {
                let place = self.lineages.iter().position(|known| known.id == *lineage).unwrap_or_else(|| {
                    let of_lineage = lineage_nonce.as_ref().unwrap_or(nonce).clone();
                    let mut began = Lineage::new(*lineage, of_lineage, root.clone());
                    began.changes.extend(self.held_at(root).map(|overrides| (None, overrides)));
                    self.lineages.push(began);
                    self.lineages.len() - 1
                });
                self.lineages[place].on_attempt(nonce, *probation, pinned, overruled);
                self.attempts.push(KnownAttempt { id: *attempt, lineage: place, pinned: pinned.clone() });
                self.nonces.push(nonce.clone());
                self.last_attempt = self.last_attempt.max(Some(*attempt));
            }
            LogEntry::Completed { attempt, checkpoint_id, metadata, checksum, .. } => {
                self.last_checkpoint = self.last_checkpoint.max(Some(*checkpoint_id));
                let completed = CompletedCheckpoint {
                    checkpoint_id: *checkpoint_id,
                    attempt: *attempt,
                    metadata: metadata.clone(),
                    checksum: *checksum,
                };
                if let Some(lineage) = self.lineage_of(*attempt) {
                    let list = lineage.probation.as_mut().map_or(&mut lineage.completed, |probation| &mut probation.provisional);
                    list.push(completed);
                }
            }
            LogEntry::Override { attempt, checkpoint_id, overrides, probation, .. } => {
                let Some(lineage) = self.lineage_of(*attempt) else { return };
                if *probation {
                    let (since, overrides) = (*checkpoint_id, overrides.clone());
                    lineage.probation = Some(Probation { since, overrides, provisional: Vec::new() });
                } else {
                    lineage.changes.push((Some(*checkpoint_id), overrides.clone()));
                }
            }
            LogEntry::Outcome { attempt, accepted, .. } => {
                let Some(lineage) = self.lineage_of(*attempt) else { return };
                if let Some(probation) = lineage.probation.take().filter(|_| *accepted) {
                    lineage.completed.extend(probation.provisional);
                    lineage.changes.push((Some(probation.since), probation.overrides));
                }
            }
            LogEntry::Failed { checkpoint_id, .. } => self.last_checkpoint = self.last_checkpoint.max(Some(*checkpoint_id)),
            LogEntry::Finished { attempt, .. } => {
                if let Some(lineage) = self.lineage_of(*attempt) {
                    lineage.finished = true;
                }
            }
        }
    }

    fn lineage_of(&mut self, attempt: AttemptId) -> Option<&mut Lineage> {
        let place = self.known(attempt)?.lineage;
        self.lineages.get_mut(place)
    }

    fn known(&self, attempt: AttemptId) -> Option<&KnownAttempt> {
        self.attempts.iter().rev().find(|known| known.id == attempt)
    }

    /// What the references led to that a component of this attempt may come from: those of the job file in front, then those of upgrades.
    pub fn pins_of(&self, attempt: AttemptId) -> Vec<Pinned> {
        let Some(known) = self.known(attempt) else { return Vec::new() };
        let lineage = &self.lineages[known.lineage];
        let changes = lineage.changes.iter().map(|(_, overrides)| overrides);
        let of_upgrades = changes.chain(lineage.probation.iter().map(|probation| &probation.overrides)).flatten();
        known.pinned.iter().chain(of_upgrades.filter_map(|change| change.pin.as_ref())).cloned().collect()
    }

    /// What held in place of the job file's word at the checkpoint that a lineage with this root begins from. Of a savepoint the log does not say it.
    pub(super) fn held_at(&self, root: &LineageRoot) -> Option<Vec<Override>> {
        let LineageRoot::Checkpoint(id) = root else { return None };
        let of = |lineage: &&Lineage| lineage.completed.iter().any(|completed| completed.checkpoint_id == *id);
        let held = self.lineages.iter().rev().find(of)?.overrides_at(*id);
        Some(held.into_values().collect())
    }

    /// The lineage that ran last: the one of the newest attempt, which may have gone on with an older one.
    pub fn newest_lineage(&self) -> Option<&Lineage> {
        self.attempts.last().map(|known| &self.lineages[known.lineage])
    }

    /// The lineage that this attempt began.
    pub(super) fn lineage(&self, id: AttemptId) -> Option<&Lineage> {
        self.lineages.iter().find(|lineage| lineage.id == id)
    }

    /// Every completed checkpoint, oldest first.
    pub fn completed(&self) -> impl DoubleEndedIterator<Item = &CompletedCheckpoint> {
        let mut all: Vec<_> = self.lineages.iter().flat_map(|lineage| &lineage.completed).collect();
        all.sort_by_key(|completed| completed.checkpoint_id);
        all.into_iter()
    }

    /// The checkpoint with this id.
    pub fn checkpoint(&self, checkpoint_id: CheckpointId) -> Option<&CompletedCheckpoint> {
        self.completed().find(|completed| completed.checkpoint_id == checkpoint_id)
    }

    /// True where the log says that a checkpoint which made this output visible is complete: its own, or one behind it in the same attempt, where
    /// its own has failed and the output went into the next.
    pub(crate) fn accounts_for(&self, visible: &VisibleOutput) -> bool {
        let attempts = self.attempts.iter().zip(&self.nonces).filter(|(_, nonce)| **nonce == visible.nonce).map(|(known, _)| known.id);
        let is_complete =
            |attempt| self.completed().any(|completed| completed.attempt == attempt && completed.checkpoint_id >= visible.checkpoint_id);
        attempts.into_iter().any(is_complete)
    }

    /// The newest checkpoints, `retain` of them: the ones that are kept.
    pub fn retained(&self, retain: usize) -> Vec<CompletedCheckpoint> {
        self.completed().rev().take(retain).cloned().collect()
    }

    /// The checkpoints that went on from `start`, oldest first: those of the newest lineage that has any.
    pub(crate) fn went_on_from(&self, start: &LineageRoot) -> &[CompletedCheckpoint] {
        let of = |lineage: &Lineage| match start {
            _ if lineage.root == *start => Some(0),
            LineageRoot::Checkpoint(id) => Some(1 + lineage.completed.iter().position(|completed| completed.checkpoint_id == *id)?),
            LineageRoot::Fresh | LineageRoot::Savepoint(_) => None,
        };
        let behind = |lineage| of(lineage).map_or(&[][..], |from| &lineage.completed[from..]);
        self.lineages.iter().rev().map(behind).find(|behind| !behind.is_empty()).unwrap_or_default()
    }

    /// The checkpoint to fall back to from the one with this id: the one before it in its lineage, else the one that the lineage began from.
    pub(in crate::job) fn before(&self, checkpoint_id: CheckpointId) -> Option<&CompletedCheckpoint> {
        let holds = |lineage: &&Lineage| lineage.completed.iter().any(|completed| completed.checkpoint_id == checkpoint_id);
        let lineage = self.lineages.iter().find(holds)?;
        match (lineage.completed.iter().rev().find(|older| older.checkpoint_id < checkpoint_id), &lineage.root) {
            (Some(older), _) => Some(older),
            (None, LineageRoot::Checkpoint(root)) => self.checkpoint(*root),
            (None, LineageRoot::Fresh | LineageRoot::Savepoint(_)) => None,
        }
    }
}

/// The error of a process whose job another has taken over.
pub(in crate::job) fn fenced(job: &str) -> EngineError {
    EngineError::new(ErrorKind::Fenced, format!("job {job}: another process has taken it over"))
        .with_hint("this process stops; the other goes on")
}

/// Reads and checks a completed checkpoint's metadata.
pub async fn load_metadata(
    store: &dyn Store,
    clock: &dyn Clock,
    checkpoint: &CompletedCheckpoint,
) -> Result<CheckpointMetadata, EngineError> {
    let object = format!("{}/{}", store.location(), checkpoint.metadata);
    let corrupt =
        |what: &str| EngineError::new(ErrorKind::Corrupt, format!("read checkpoint {}: {object}: {what}", checkpoint.checkpoint_id));
    let bytes = retry(clock, || store.get(&checkpoint.metadata)).await?.ok_or_else(|| corrupt("it is not there"))?;
    if crc32c::crc32c(&bytes) != checkpoint.checksum {
        return Err(corrupt("its checksum is not the one in the job's log"));
    }
    CheckpointMetadata::open(&object, &bytes)
}

#[cfg(test)]
mod tests;
