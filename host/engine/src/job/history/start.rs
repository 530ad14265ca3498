//! Where an attempt starts: what the user asks for, and what the job's history makes of it. Pure.

use crate::checkpoint::{LineageRoot, Override, Pinned};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::history::{CompletedCheckpoint, History, Lineage, Probation};
use std::fmt;

/// How the user starts a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StartMode {
    /// Go on with the lineage that ran last.
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

/// Where an attempt starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::job) struct Start {
    /// The lineage to go on with; `None`: this attempt begins one.
    pub lineage: Option<AttemptId>,
    pub root: LineageRoot,
    /// A checkpoint of the job's own; without one a lineage that a savepoint began starts from that.
    pub restored: Option<CompletedCheckpoint>,
    pub finished: bool,
}

/// Where the state of an attempt comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: there is none.
    Beginning,
    /// A checkpoint of the job.
    Checkpoint(CompletedCheckpoint),
    /// A savepoint, by its URL.
    Savepoint(String),
}

/// Where a job goes on, as one says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumePoint {
    /// Where its input begins, without state.
    Beginning,
    /// At a checkpoint of the job.
    Checkpoint(CheckpointId),
    /// At a savepoint, by its URL.
    Savepoint(String),
}

impl From<&Origin> for ResumePoint {
    fn from(origin: &Origin) -> Self {
        match origin {
            Origin::Beginning => Self::Beginning,
            Origin::Checkpoint(checkpoint) => Self::Checkpoint(checkpoint.checkpoint_id),
            Origin::Savepoint(url) => Self::Savepoint(url.clone()),
        }
    }
}

impl fmt::Display for ResumePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => f.write_str("the beginning"),
            Self::Checkpoint(checkpoint_id) => write!(f, "checkpoint {checkpoint_id}"),
            Self::Savepoint(url) => write!(f, "the savepoint {url}"),
        }
    }
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
    /// What holds in place of the job file's word for a start in this mode; and the upgrade that it gives up because nobody has decided on it.
    pub fn overrides(&self, mode: &StartMode) -> (Vec<Override>, Option<&Probation>) {
        let Ok(start) = self.start(mode) else { return (Vec::new(), None) };
        match start.lineage.and_then(|id| self.lineage(id)) {
            Some(lineage) => (lineage.overrides().into_values().collect(), lineage.probation.as_ref()),
            // A lineage that is about to begin at a checkpoint of the job.
            None => (self.held_at(&start.root).unwrap_or_default(), None),
        }
    }

    /// True where a start in this mode goes on with a lineage that there is.
    pub fn goes_on(&self, mode: &StartMode) -> bool {
        self.start(mode).is_ok_and(|start| start.lineage.is_some())
    }

    /// What references of the job file are for a start in this mode: nothing, where it begins a lineage.
    pub fn pinned(&self, mode: &StartMode) -> &[Pinned] {
        let lineage = self.start(mode).ok().and_then(|start| self.lineage(start.lineage?));
        lineage.map_or(&[], |lineage| &lineage.pinned)
    }

    /// Where the state of a start in this mode comes from.
    pub fn origin(&self, mode: &StartMode) -> Result<Origin, EngineError> {
        let start = self.start(mode)?;
        let savepoint = start.savepoint().map(|url| Origin::Savepoint(url.to_owned()));
        Ok(savepoint.or(start.restored.map(Origin::Checkpoint)).unwrap_or(Origin::Beginning))
    }

    /// Where a start in this mode begins.
    pub(in crate::job) fn start(&self, mode: &StartMode) -> Result<Start, EngineError> {
        match mode {
            StartMode::Fresh => Ok(Start { lineage: None, root: LineageRoot::Fresh, restored: None, finished: false }),
            StartMode::Resume => match self.newest_lineage() {
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

    /// The first and the last checkpoint that the job may have completed behind this one.
    pub(in crate::job) fn behind(&self, checkpoint_id: CheckpointId) -> Option<(CheckpointId, CheckpointId)> {
        let newest = self.completed().last().map(|newest| newest.checkpoint_id)?;
        (newest > checkpoint_id).then_some((CheckpointId(checkpoint_id.0 + 1), newest))
    }

    /// The same behind a savepoint that a new lineage starts from, which is the copy of the checkpoint `of`. Where that is one of this job's it counts
    /// as that; else what counts is all from the first run that began from the savepoint.
    pub(in crate::job) fn behind_savepoint(&self, start: &Start, of: (AttemptId, CheckpointId)) -> Option<(CheckpointId, CheckpointId)> {
        if start.lineage.is_some() {
            return None;
        }
        if self.completed().any(|own| (own.attempt, own.checkpoint_id) == of) {
            return self.behind(of.1);
        }
        let began = self.lineages.iter().filter(|lineage| lineage.root == start.root);
        let first = began.filter_map(|lineage| lineage.completed.first()).map(|first| first.checkpoint_id).min()?;
        self.behind(CheckpointId(first.0.saturating_sub(1)))
    }

    fn required(&self, checkpoint_id: CheckpointId) -> Result<CompletedCheckpoint, EngineError> {
        self.checkpoint(checkpoint_id).cloned().ok_or_else(|| {
            let message = format!("start from checkpoint {checkpoint_id}: the job has no completed checkpoint with that id");
            EngineError::new(ErrorKind::FixInput, message).with_hint("`weir checkpoint list JOB` shows the ones that it has")
        })
    }
}
