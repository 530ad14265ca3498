//! Why a publisher does not go on: its target's marker does not fit what the job's log says. And what the user can decide then.

use crate::checkpoint::{Marker, MarkerKey};
use crate::element::AttemptId;
use crate::error::{EngineError, ErrorKind};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What is wrong with a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The marker that is meant.
    pub key: MarkerKey,
    /// What is known to be published.
    pub known: Marker,
    /// What the target has.
    pub found: Option<Marker>,
    /// In a word.
    pub why: Mismatch,
}

/// How a marker does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// There is none, and there was one.
    Missing,
    /// It is behind what is known: the target was reset, or restored from a backup.
    Behind,
    /// It is ahead of the newest final checkpoint: the log has lost entries.
    Ahead,
    /// It names an attempt or a checkpoint that the log does not have: the storage was copied, and another job has published.
    NotInTheLog,
    /// The job has moved to a target that has a marker of its lineage already, which is not from before it went elsewhere.
    OfAnother,
}

/// What the user decides where a marker does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerDecision {
    /// Everything that is staged is published, from its first record on. What the target has of it is there twice then.
    Republish,
    /// Everything that is staged counts as published. What the target lacks of it is lost.
    AssumePublished,
}

/// What the user has decided for this run. A decision is used once for each sink: what a target loses later is not covered by it.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    decision: Option<MarkerDecision>,
    used: Arc<Mutex<BTreeSet<String>>>,
}

impl Decisions {
    /// The user has decided, or has not.
    pub fn new(decision: Option<MarkerDecision>) -> Self {
        Self { decision, used: Arc::default() }
    }

    /// What holds for this sink.
    pub fn of(&self, sink: &str) -> Option<MarkerDecision> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).contains(sink);
        self.decision.filter(|_| !used)
    }

    /// The target has followed it.
    pub fn on_used(&self, sink: &str) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(sink.to_owned());
    }

    /// True where the user allows output to come twice.
    pub fn allows_repeats(&self) -> bool {
        self.decision == Some(MarkerDecision::Republish)
    }
}

/// What the user can do where the target does not fit.
const WAY_OUT: &str = "put back what was lost; or start the job with --republish, which publishes what is staged once more, though it may be there twice, \
                       or with --assume-published, which counts it as published, though it may be missing";

impl Refusal {
    /// As an error of the publisher of `sink`.
    pub fn error(&self, sink: &str) -> EngineError {
        let Self { key, known, found, why } = self;
        let found = found.as_ref().map_or_else(|| "nothing at all".to_owned(), Marker::to_string);
        let what = match why {
            Mismatch::Missing => {
                format!("its target has no marker {key}, and {known} is known to be published: it was reset, or it is another")
            }
            Mismatch::Behind => {
                format!(
                    "the marker {key} says {found}, behind what is known to be published, {known}: the target was reset or restored from a backup"
                )
            }
            Mismatch::Ahead => {
                format!(
                    "the marker {key} says {found}, ahead of the newest final checkpoint that the job's log knows: its newest entries are lost"
                )
            }
            Mismatch::NotInTheLog => {
                format!(
                    "the marker {key} says {found}, which the job's log does not have: the storage was copied or restored, and another run has published"
                )
            }
            Mismatch::OfAnother => {
                format!(
                    "the job has moved to this target, which has a marker {key} already, and it says {found}, where {known} is known to be published: another run has published there"
                )
            }
        };
        EngineError::new(ErrorKind::FixInput, format!("publish the output of {sink}: {what}")).with_hint(WAY_OUT)
    }
}

/// The error of the newest attempt that a log has, where the target has seen a newer one of the same log.
pub(super) fn newer_attempt_seen(sink: &str, attempt: AttemptId, refused: &EngineError) -> EngineError {
    let what = format!(
        "attempt {attempt} is the newest that the job's log has, and its target has seen a newer one: the storage was restored from a backup or copied, \
         and the newest entries of its log are lost ({refused})"
    );
    EngineError::new(ErrorKind::FixInput, format!("publish the output of {sink}: {what}")).with_hint(WAY_OUT)
}
