//! What the log says of a job so far, and what a start makes of it. Pure.

use crate::checkpoint::{LineageRoot, LogEntry, Override};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use std::collections::BTreeMap;

/// How the user starts a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StartMode {
    /// Go on with the newest lineage.
    #[default]
    Resume,
    /// Begin a new lineage without state.
    Fresh,
    /// Begin a new lineage from a checkpoint of this job, or go on with the one that it began before.
    From {
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// Begin a new lineage in any case.
        again: bool,
    },
    /// Begin a new lineage from a savepoint, or go on with the one that it began before.
    FromSavepoint {
        /// Where the savepoint is.
        url: String,
        /// Begin a new lineage in any case.
        again: bool,
    },
}

/// A completed checkpoint as the log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedCheckpoint {
    /// Its id.
    pub checkpoint_id: CheckpointId,
    /// The attempt that took it.
    pub attempt: AttemptId,
    /// Its metadata object,
    pub metadata: String,
    /// and that object's CRC-32C.
    pub checksum: u32,
}

/// A line of attempts, each of which goes on from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// Its first attempt.
    pub id: AttemptId,
    /// What it started from.
    pub root: LineageRoot,
    /// Its completed checkpoints, oldest first.
    pub completed: Vec<CompletedCheckpoint>,
    /// True once all input has been worked off and committed.
    pub finished: bool,
    /// What holds in place of the job file's word, by vertex.
    pub overrides: BTreeMap<String, Override>,
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
    fn new(id: AttemptId, root: LineageRoot) -> Self {
        Self { id, root, completed: Vec::new(), finished: false, overrides: BTreeMap::new(), probation: None }
    }

    fn change(&mut self, overrides: Vec<Override>) {
        for change in overrides {
            let entry =
                self.overrides.entry(change.vertex.clone()).or_insert_with(|| Override { vertex: change.vertex, ..Override::default() });
            // With it comes what the job file says by then: only a file that says the same is overridden.
            entry.parallelism = change.parallelism.or(entry.parallelism.take());
            entry.component = change.component.or(entry.component.take());
        }
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
    attempts: Vec<(AttemptId, usize)>,
}

/// Where an attempt starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The lineage to go on with; `None`: this attempt begins one.
    pub lineage: Option<AttemptId>,
    pub root: LineageRoot,
    /// A checkpoint of the job's own; without one a lineage that a savepoint began starts from that.
    pub restored: Option<CompletedCheckpoint>,
    pub finished: bool,
}

impl Start {
    /// The savepoint to start from.
    pub fn savepoint(&self) -> Option<&str> {
        match (&self.restored, &self.root) {
            (None, LineageRoot::Savepoint(url)) => Some(url),
            (Some(_), _) | (None, LineageRoot::Fresh | LineageRoot::Checkpoint(_)) => None,
        }
    }
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
            LogEntry::Attempt { attempt, nonce, lineage, root, probation, .. } => {
                let place = self.lineages.iter().position(|known| known.id == *lineage).unwrap_or_else(|| {
                    self.lineages.push(Lineage::new(*lineage, root.clone()));
                    self.lineages.len() - 1
                });
                if !probation {
                    self.lineages[place].probation = None;
                }
                self.attempts.push((*attempt, place));
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
                    lineage.change(overrides.clone());
                }
            }
            LogEntry::Outcome { attempt, accepted, .. } => {
                let Some(lineage) = self.lineage_of(*attempt) else { return };
                if let Some(probation) = lineage.probation.take().filter(|_| *accepted) {
                    lineage.completed.extend(probation.provisional);
                    lineage.change(probation.overrides);
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
        let &(_, place) = self.attempts.iter().rev().find(|(known, _)| *known == attempt)?;
        self.lineages.get_mut(place)
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

    /// What holds in place of the job file's word for a start in this mode; and the upgrade that it gives up because nobody has decided on it.
    pub fn overrides(&self, mode: &StartMode) -> (Vec<Override>, Option<&Probation>) {
        let lineage = self.start(mode).ok().and_then(|start| start.lineage);
        let lineage = lineage.and_then(|id| self.lineages.iter().find(|lineage| lineage.id == id));
        lineage.map_or((Vec::new(), None), |lineage| (lineage.overrides.values().cloned().collect(), lineage.probation.as_ref()))
    }

    /// The newest checkpoints, `retain` of them: the ones that are kept.
    pub fn retained(&self, retain: usize) -> Vec<CompletedCheckpoint> {
        self.completed().rev().take(retain).cloned().collect()
    }

    /// The checkpoint to fall back to from the one with this id: the one before it in its lineage, else the one that the lineage began from.
    pub(super) fn before(&self, checkpoint_id: CheckpointId) -> Option<&CompletedCheckpoint> {
        let holds = |lineage: &&Lineage| lineage.completed.iter().any(|completed| completed.checkpoint_id == checkpoint_id);
        let lineage = self.lineages.iter().find(holds)?;
        match (lineage.completed.iter().rev().find(|older| older.checkpoint_id < checkpoint_id), &lineage.root) {
            (Some(older), _) => Some(older),
            (None, LineageRoot::Checkpoint(root)) => self.checkpoint(*root),
            (None, LineageRoot::Fresh | LineageRoot::Savepoint(_)) => None,
        }
    }

    /// Where a start in this mode begins.
    pub(super) fn start(&self, mode: &StartMode) -> Result<Start, EngineError> {
        match mode {
            StartMode::Fresh => Ok(Start { lineage: None, root: LineageRoot::Fresh, restored: None, finished: false }),
            StartMode::Resume => match self.lineages.last() {
                None => Ok(Start { lineage: None, root: LineageRoot::Fresh, restored: None, finished: false }),
                Some(lineage) => self.resume(lineage),
            },
            StartMode::From { checkpoint_id, again } => {
                let root = LineageRoot::Checkpoint(*checkpoint_id);
                self.start_from(root, *again, |history| history.required(*checkpoint_id).map(Some))
            }
            StartMode::FromSavepoint { url, again } => self.start_from(LineageRoot::Savepoint(url.clone()), *again, |_| Ok(None)),
        }
    }

    /// The newest lineage that `root` began, or a new one.
    fn start_from(
        &self,
        root: LineageRoot,
        again: bool,
        restored: impl FnOnce(&Self) -> Result<Option<CompletedCheckpoint>, EngineError>,
    ) -> Result<Start, EngineError> {
        match self.lineages.iter().rev().find(|lineage| lineage.root == root) {
            Some(lineage) if !again => self.resume(lineage),
            Some(_) | None => Ok(Start { lineage: None, root, restored: restored(self)?, finished: false }),
        }
    }

    fn resume(&self, lineage: &Lineage) -> Result<Start, EngineError> {
        let restored = match (lineage.completed.last(), &lineage.root) {
            (Some(newest), _) => Some(newest.clone()),
            (None, LineageRoot::Checkpoint(id)) => Some(self.required(*id)?),
            (None, LineageRoot::Fresh | LineageRoot::Savepoint(_)) => None,
        };
        Ok(Start { lineage: Some(lineage.id), root: lineage.root.clone(), restored, finished: lineage.finished })
    }

    fn required(&self, checkpoint_id: CheckpointId) -> Result<CompletedCheckpoint, EngineError> {
        self.checkpoint(checkpoint_id).cloned().ok_or_else(|| {
            let message = format!("start from checkpoint {checkpoint_id}: the job has no completed checkpoint with that id");
            EngineError::new(ErrorKind::FixInput, message).with_hint("`weir checkpoint list JOB` shows the ones that it has")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Replaced;

    /// `A1.1` attempt 1 of lineage 1, `A2.2<5` attempt 2 begins lineage 2 from checkpoint 5, `A2.2<s` from a savepoint, `C1.5` attempt 1 completes 5, `O1.5` it is
    /// rescaled at 5, `U1.5` upgraded at 5, on probation, `P2.1` attempt 2 of lineage 1 goes on with that, `Y2` it is accepted, `N2` rolled back,
    /// `F2` attempt 2 finishes.
    fn history(log: &str) -> History {
        let entries: Vec<_> = log.split_whitespace().map(entry).collect();
        History::of(&entries)
    }

    fn entry(word: &str) -> LogEntry {
        let number = |text: &str| text.parse::<u64>().unwrap();
        let (first, rest) = word[1..].split_once('.').unwrap_or((&word[1..], "0"));
        let attempt = AttemptId(number(first));
        let nonce = format!("n{first}");
        match &word[..1] {
            "A" | "P" => {
                let (lineage, root) = rest.split_once('<').map_or((rest, LineageRoot::Fresh), |(lineage, from)| {
                    (lineage, if from == "s" { savepoint() } else { LineageRoot::Checkpoint(CheckpointId(number(from))) })
                });
                let (lineage, probation) = (AttemptId(number(lineage)), word.starts_with('P'));
                LogEntry::Attempt { attempt, nonce, lineage, root, restored: None, probation, started_ms: 0 }
            }
            "C" => LogEntry::Completed {
                attempt,
                nonce,
                checkpoint_id: CheckpointId(number(rest)),
                metadata: format!("m{rest}"),
                checksum: 0,
                trigger: "periodic".into(),
                completed_ms: 0,
                duration_ms: 0,
                bytes: 0,
            },
            kind @ ("O" | "U") => {
                let probation = kind == "U";
                let component = probation.then(|| Replaced { file: "a".to_owned(), now: format!("b{rest}") });
                let parallelism = (!probation).then(|| Replaced { file: 1, now: number(rest) as u32 });
                let overrides = vec![Override { vertex: "op".into(), parallelism, component }];
                LogEntry::Override { attempt, nonce, checkpoint_id: CheckpointId(number(rest)), overrides, probation, changed_ms: 0 }
            }
            kind @ ("Y" | "N") => LogEntry::Outcome { attempt, nonce, accepted: kind == "Y", reason: None, decided_ms: 0 },
            _ => LogEntry::Finished { attempt, nonce, finished_ms: 0 },
        }
    }

    /// `lineage/checkpoint/finished` of a start.
    #[track_caller]
    fn check(log: &str, mode: StartMode, expect: &str) {
        let start = history(log).start(&mode);
        let text = start.map_or_else(
            |_| "refused".to_owned(),
            |start| {
                let lineage = start.lineage.map_or("new".into(), |id| id.to_string());
                let savepoint = start.savepoint().unwrap_or("none").to_owned();
                let restored = start.restored.map_or(savepoint, |checkpoint| checkpoint.checkpoint_id.to_string());
                format!("{lineage} from {restored}{}", if start.finished { " finished" } else { "" })
            },
        );
        assert_eq!(text, expect, "{log}");
    }

    fn savepoint() -> LineageRoot {
        LineageRoot::Savepoint("file:/s".into())
    }

    #[test]
    fn a_savepoint_begins_a_lineage_and_is_what_it_starts_from_until_it_has_a_checkpoint() {
        let from = |again| StartMode::FromSavepoint { url: "file:/s".into(), again };
        check("", from(false), "new from file:/s");
        check("A1.1 C1.1", from(false), "new from file:/s");
        check("A1.1 C1.1 A2.2<s", from(false), "2 from file:/s");
        check("A1.1 C1.1 A2.2<s", StartMode::Resume, "2 from file:/s");
        check("A1.1 C1.1 A2.2<s C2.2", from(false), "2 from 2");
        check("A1.1 C1.1 A2.2<s C2.2", from(true), "new from file:/s");
        check("A1.1<s A2.2", from(false), "1 from file:/s");
    }

    fn from(checkpoint: u64, again: bool) -> StartMode {
        StartMode::From { checkpoint_id: CheckpointId(checkpoint), again }
    }

    #[test]
    fn plain_run_goes_on_with_the_newest_lineage() {
        check("", StartMode::Resume, "new from none");
        check("A1.1", StartMode::Resume, "1 from none");
        check("A1.1 C1.1 C1.2 A2.1 C2.3", StartMode::Resume, "1 from 3");
        check("A1.1 C1.1 A2.2", StartMode::Resume, "2 from none");
        check("A1.1 C1.1 A2.2<1", StartMode::Resume, "2 from 1");
        check("A1.1 C1.1 F1", StartMode::Resume, "1 from 1 finished");
        check("A1.1 C1.1 F1 A2.2", StartMode::Resume, "2 from none");
    }

    #[test]
    fn what_lies_behind_an_upgrade_counts_once_it_is_accepted() {
        check("A1.1 C1.1 U1.1 C1.2", StartMode::Resume, "1 from 1");
        check("A1.1 C1.1 U1.1 C1.2 Y1", StartMode::Resume, "1 from 2");
        check("A1.1 C1.1 U1.1 C1.2 Y1 C1.3", StartMode::Resume, "1 from 3");
        check("A1.1 C1.1 U1.1 C1.2 N1", StartMode::Resume, "1 from 1");
        check("A1.1 C1.1 U1.1 C1.2 N1 A2.1 C2.3", StartMode::Resume, "1 from 3");
        // Killed on probation: the next attempt gives it up, unless it goes on with it.
        check("A1.1 C1.1 U1.1 C1.2 A2.1 C2.3", StartMode::Resume, "1 from 3");
        check("A1.1 C1.1 U1.1 C1.2 A2.1 Y2", StartMode::Resume, "1 from 1");
        check("A1.1 C1.1 U1.1 P2.1 C2.2", StartMode::Resume, "1 from 1");
        check("A1.1 C1.1 U1.1 P2.1 C2.2 Y2", StartMode::Resume, "1 from 2");
    }

    #[test]
    fn what_was_changed_by_hand_holds_in_its_lineage() {
        let overrides = |log| {
            let (overrides, probation) =
                (history(log).overrides(&StartMode::Resume).0, history(log).overrides(&StartMode::Resume).1.is_some());
            let one = |change: &Override| {
                let parallelism = change.parallelism.as_ref().map(|is| format!("{}→{}", is.file, is.now));
                let component = change.component.as_ref().map(|is| format!("{}→{}", is.file, is.now));
                [parallelism, component].into_iter().flatten().collect::<Vec<_>>().join(" ")
            };
            (overrides.iter().map(one).collect::<String>(), probation)
        };
        assert_eq!(overrides("A1.1 C1.2 O1.2"), ("1→2".into(), false));
        assert_eq!(overrides("A1.1 C1.2 O1.2 A2.1 C2.3 O2.3"), ("1→3".into(), false));
        assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 U1.3"), ("1→2".into(), true));
        assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 U1.3 Y1"), ("1→2 a→b3".into(), false));
        assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 U1.3 N1"), ("1→2".into(), false));
        assert_eq!(overrides("A1.1 C1.2 O1.2 A2.2"), (String::new(), false));
    }

    #[test]
    fn a_change_overrides_what_the_job_file_says_by_then() {
        let rescale = |file, now| Override { vertex: "op".into(), parallelism: Some(Replaced { file, now }), component: None };
        let mut lineage = Lineage::new(AttemptId(1), LineageRoot::Fresh);
        lineage.change(vec![rescale(2, 3)]);
        // The file has been edited to 4 since, and the job is rescaled again.
        lineage.change(vec![rescale(4, 5)]);
        assert_eq!(lineage.overrides["op"], rescale(4, 5));
    }

    #[test]
    fn fresh_begins_a_new_lineage() {
        check("A1.1 C1.1 F1", StartMode::Fresh, "new from none");
    }

    #[test]
    fn from_given_again_resumes_the_lineage_that_it_began() {
        check("A1.1 C1.1 C1.2", from(1, false), "new from 1");
        check("A1.1 C1.1 C1.2 A2.2<1 C2.3", from(1, false), "2 from 3");
        check("A1.1 C1.1 C1.2 A2.2<1 C2.3", from(1, true), "new from 1");
        check("A1.1 C1.1", from(7, false), "refused");
    }

    #[test]
    fn a_checkpoint_falls_back_within_its_lineage_and_to_its_root() {
        let before = |log, id| history(log).before(CheckpointId(id)).map(|older| older.checkpoint_id.0);
        assert_eq!(before("A1.1 C1.1 A2.1 C2.2 C2.4", 4), Some(2));
        assert_eq!(before("A1.1 C1.1 C1.2 A2.2 C2.3", 3), None);
        assert_eq!(before("A1.1 C1.1 C1.2 A2.2<1 C2.3", 3), Some(1));
        assert_eq!(before("A1.1 C1.1", 7), None);
    }

    #[test]
    fn a_late_completion_counts_for_its_own_attempt() {
        check("A1.1 A2.2 C1.1 C2.2", StartMode::Resume, "2 from 2");
    }
}
