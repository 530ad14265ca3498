//! What an attempt is made of, what outlives it, and how it ends.

use crate::checkpoint::{CheckpointBases, CheckpointConfig, CheckpointMetadata, JobLog, Override, RestorePlan};
use crate::element::{AttemptId, CheckpointId};
use crate::error::EngineError;
use crate::job::attempt::change::{Redeploy, TriedUpgrade};
use crate::job::control::{JobInbox, Reply, Rescaled};
use crate::job::restore::in_flight_records::RestoredRecords;
use crate::job::status::JobStatus;
use crate::job::{CompletedCheckpoint, JobGraph};
use crate::outbox::Outboxes;
use crate::runtime::{Monotonic, Runtime, TaskGroup};
use crate::sink::{Committable, Committers};
use crate::state::StateBackendFactory;
use crate::storage::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What an attempt is made of.
pub(in crate::job) struct AttemptContext {
    pub graph: Arc<JobGraph>,
    pub store: Arc<dyn Store>,
    pub runtime: Runtime,
    pub committers: Committers,
    pub backends: Arc<dyn StateBackendFactory>,
    pub status: Arc<JobStatus>,
    /// What this attempt's checkpoints build on.
    pub bases: Arc<CheckpointBases>,
    pub notice: Arc<dyn Fn(&str) + Send + Sync>,
    pub attempt: AttemptId,
    pub nonce: String,
    /// The checkpoint that it starts from, where it is one of the job's own.
    pub restored: Option<CompletedCheckpoint>,
    /// Where the objects lie that it restores: the job's own storage, or that of a savepoint.
    pub source: Arc<dyn Store>,
    /// What the checkpoint or savepoint consists of that it restores.
    pub metadata: Option<CheckpointMetadata>,
    /// Which stored part becomes the state of which subtask.
    pub plan: RestorePlan,
    /// The records in flight that are restored, by the vertex and subtask that they go to now. The tasks take them: nothing else keeps them alive.
    pub in_flight: Mutex<RestoredRecords>,
    pub config: CheckpointConfig,
    pub retain: usize,
    /// The vertex whose operator is on trial from the start.
    pub on_trial: Option<usize>,
    pub next_checkpoint: CheckpointId,
    /// Owners of the attempts before this one.
    pub older_nonces: Vec<String>,
    /// Output of the lineage before this one that may not be committed.
    pub left_behind: Vec<Committable>,
    /// What waits to be published, and what the attempt adds to it.
    pub outboxes: Arc<Outboxes>,
    /// The log for the outboxes' publishers, as it was when the attempt began.
    pub log: Option<JobLog>,
    /// Objects of checkpoints before this attempt that its own may refer to.
    pub kept: BTreeMap<CheckpointId, BTreeSet<String>>,
    /// What is said once every task has restored what it was to restore.
    pub said_when_restored: Vec<String>,
}

/// What outlives an attempt.
pub(in crate::job) struct Session<'a> {
    pub inbox: &'a mut JobInbox,
    /// The graph of the next attempt.
    pub graph: &'a mut Arc<JobGraph>,
    /// An upgrade that has changed over and is not decided.
    pub tried: &'a mut Option<TriedUpgrade>,
    /// What this attempt was deployed for, until the log has it.
    pub redeployed: &'a mut Option<Redeployed>,
    /// A rescale that the log has, until a checkpoint of the new shape is complete.
    pub unproven: &'a mut Option<OldShape>,
    /// When the stop that is under way was asked for.
    pub stop_began: &'a mut Option<Monotonic>,
    pub waits_for: &'a mut WaitsFor,
}

impl Session<'_> {
    /// The same, for a part of the attempt.
    pub fn lent(&mut self) -> Session<'_> {
        let Self { inbox, graph, tried, redeployed, unproven, stop_began, waits_for } = self;
        Session { inbox, graph, tried, redeployed, unproven, stop_began, waits_for }
    }
}

/// What the job waits for: what holds a stop up that does not end in its time.
pub(in crate::job) enum WaitsFor {
    Storage,
    /// The target of this connector's output.
    Target(String),
    /// What the sources read.
    Sources,
    /// Storage or target; as long as an attempt runs, its own rules end a stop before anybody has to ask.
    Either,
    /// Nothing that has to be: the job has stopped, and what is left is to clear away.
    Nothing,
    /// Tasks of an attempt that is over.
    Tasks(TaskGroup),
}

impl WaitsFor {
    /// What is wrong with it, where the job's storage is in `location`.
    pub fn complaint(&self, location: &str) -> String {
        match self {
            Self::Storage => format!("the storage in {location} has not answered in time"),
            Self::Target(connector) => format!("the target of the output of `{connector}` has not answered in time"),
            Self::Sources => "what the sources read has not answered in time".to_owned(),
            Self::Either | Self::Nothing => "neither the storage nor a target of the output has answered in time".to_owned(),
            Self::Tasks(tasks) => inside_calls(&tasks.running()),
        }
    }
}

/// Tasks that have not left, by name.
pub(in crate::job) fn inside_calls(tasks: &[String]) -> String {
    match tasks {
        [] => "its tasks have not left in time".to_owned(),
        [task] => format!("the task {task} has not left the call that it is in"),
        [first, others @ ..] => format!("the task {first} and {} more have not left the calls that they are in", others.len()),
    }
}

/// A redeployment that is under way: the log learns of it once all tasks of the new shape run, so that one which cannot be leaves no trace.
pub(in crate::job) struct Redeployed {
    pub checkpoint_id: CheckpointId,
    /// When that was triggered.
    pub began: Monotonic,
    /// How long nothing was read, once the tasks run.
    pub pause: Option<Duration>,
    pub purpose: DeployedFor,
}

/// What a redeployment is for, once the attempt in front of it is over.
pub(in crate::job) enum DeployedFor {
    Rescale {
        overrides: Vec<Override>,
        /// What to go back to where it cannot be.
        old: OldShape,
        reply: Reply<Rescaled>,
    },
    /// The upgrade on trial holds what there is to know.
    Upgrade,
}

/// What a rescaled job was before.
pub(in crate::job) struct OldShape {
    /// The last checkpoint before the rescale.
    pub checkpoint_id: CheckpointId,
    pub graph: Arc<JobGraph>,
    /// What the log has to say to bring it back.
    pub overrides: Vec<Override>,
}

/// How an attempt ended.
pub(in crate::job) enum AttemptEnd {
    Finished,
    Stopped,
    /// A stop has taken too long: the job ends without what has not been done of it.
    StopGivenUp(EngineError),
    /// It was over otherwise, but a stop cannot wait for its tasks: the job ends.
    NotLeft(EngineError),
    Cancelled,
    /// Another is to follow, in another shape.
    Redeploy(Box<Redeploy>),
    Failed(EngineError),
}
