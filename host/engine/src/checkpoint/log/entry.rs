//! What the job's log can say: that an attempt begins, how a checkpoint ended, what holds in place of the job file's word, that the job is finished.

use crate::element::{AttemptId, CheckpointId};
use serde::{Deserialize, Serialize};

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
        /// That lineage's nonce, drawn when it began. In format 1 it is its first attempt's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lineage_nonce: Option<String>,
        /// What the lineage starts from.
        root: LineageRoot,
        /// The checkpoint that the attempt starts from.
        restored: Option<CheckpointId>,
        /// True where it goes on with an upgrade that is on probation; any other attempt gives that up.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        probation: bool,
        /// What references of the job file, which may come to mean something else, are in this lineage.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pinned: Vec<Pinned>,
        /// What of earlier changes the job file has put an end to by saying something else there: none of it holds from here on, whatever the file says later.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        overruled: Vec<Override>,
        /// Milliseconds since the Unix epoch.
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
        /// The name of its metadata object.
        metadata: String,
        /// CRC-32C of the metadata object's bytes.
        checksum: u32,
        /// What asked for it.
        trigger: String,
        /// Milliseconds since the Unix epoch.
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
        /// Milliseconds since the Unix epoch.
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
        /// Milliseconds since the Unix epoch.
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
        /// Milliseconds since the Unix epoch.
        decided_ms: i64,
    },
    /// All input has been worked off and all output committed.
    Finished {
        /// The attempt that finished.
        attempt: AttemptId,
        /// Its owner.
        nonce: String,
        /// Milliseconds since the Unix epoch.
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

    /// The numbers of attempts and checkpoints in it.
    pub(in crate::checkpoint) fn numbers(&self) -> Vec<u64> {
        let own = self.attempt().0;
        match self {
            Self::Attempt { lineage, root, restored, .. } => {
                let root = match root {
                    LineageRoot::Checkpoint(id) => Some(id.0),
                    LineageRoot::Fresh | LineageRoot::Savepoint(_) => None,
                };
                [Some(own), Some(lineage.0), root, restored.map(|id| id.0)].into_iter().flatten().collect()
            }
            Self::Completed { checkpoint_id, .. } | Self::Failed { checkpoint_id, .. } | Self::Override { checkpoint_id, .. } => {
                vec![own, checkpoint_id.0]
            }
            Self::Outcome { .. } | Self::Finished { .. } => vec![own],
        }
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

/// The component that a reference of the job file led to when it was resolved. It holds as long as the job file has that reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The operator's id.
    pub vertex: String,
    /// The reference as the job file has it.
    pub reference: String,
    /// The digest by which its registry still has it, where it is one of a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The SHA-256 of the component.
    pub component: String,
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
    /// How the job file named its component then. Where it names one otherwise, the file wins, though it may be the same. Logs of before do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// What led to the component that holds instead, where that was a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pinned>,
}

impl Override {
    /// The end of this change: where `parallelism` and `component` say so, nothing is replaced from there on.
    #[must_use]
    pub fn overruled(self, parallelism: bool, component: bool) -> Option<Self> {
        let (parallelism, component) =
            (self.parallelism.filter(|_| parallelism).map(Replaced::ended), self.component.filter(|_| component).map(Replaced::ended));
        (parallelism.is_some() || component.is_some()).then_some(Self {
            vertex: self.vertex,
            parallelism,
            component,
            named: None,
            pin: None,
        })
    }
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

impl<T: Clone + PartialEq> Replaced<T> {
    /// True where something else holds than the file said.
    pub fn replaces(&self) -> bool {
        self.file != self.now
    }

    fn ended(self) -> Self {
        Self { file: self.now.clone(), now: self.now }
    }
}
