//! What a run of a job needs, and what it comes to.

use super::{RestartPolicy, SavepointOpener, StartMode};
use crate::checkpoint::{CheckpointConfig, Override, Pinned, RestoreOptions};
use crate::element::{AttemptId, CheckpointId};
use crate::error::EngineError;
use crate::outbox::{MarkerDecision, OutboxRoom};
use crate::sink::Committers;
use crate::state::StateBackendFactory;
use crate::storage::Store;
use std::sync::Arc;

/// Everything a run needs besides the graph.
pub struct JobOptions {
    /// The job's objects.
    pub store: Arc<dyn Store>,
    /// When checkpoints are taken.
    pub checkpoints: CheckpointConfig,
    /// How many completed checkpoints are kept.
    pub retain: usize,
    /// What happens after a failure.
    pub restart: RestartPolicy,
    /// Where to start.
    pub start: StartMode,
    /// What is said of steps that have changed since the checkpoint.
    pub restore: RestoreOptions,
    /// What references of the job file the graph was made with: attempts keep them in the log.
    pub pinned: Vec<Pinned>,
    /// What of earlier changes the job file has put an end to: the first attempt notes it in the log.
    pub overruled: Vec<Override>,
    /// Go on although output that a checkpoint covers is gone, or can no longer be published.
    pub accept_lost_output: bool,
    /// What holds for sinks with an outbox.
    pub outbox: OutboxOptions,
    /// Finds the committer of a sink's connector.
    pub committers: Committers,
    /// Opens savepoints.
    pub savepoints: SavepointOpener,
    /// Makes keyed state.
    pub backends: Arc<dyn StateBackendFactory>,
    /// Told of what the user should know, a line each.
    pub notice: Arc<dyn Fn(&str) + Send + Sync>,
}

/// What holds for sinks with an outbox.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutboxOptions {
    /// How much output of complete checkpoints may wait for one sink.
    pub room: OutboxRoom,
    /// What the user has decided of markers that do not fit, and of output that comes again.
    pub decision: Option<MarkerDecision>,
}

/// How a job ended.
#[derive(Debug)]
pub enum JobOutcome {
    /// All input has been worked off and all output committed.
    Finished,
    /// It was stopped after a last checkpoint.
    Stopped,
    /// It was stopped at once.
    Cancelled,
    /// It had finished before; nothing was done.
    AlreadyFinished,
    /// Another process has taken it over.
    Fenced(EngineError),
    /// It cannot go on.
    Failed(EngineError),
}

/// What a run came to.
#[derive(Debug)]
pub struct JobReport {
    /// How it ended.
    pub outcome: JobOutcome,
    /// The last attempt, where one began.
    pub attempt: Option<AttemptId>,
    /// The checkpoint that the first attempt started from.
    pub resumed_from: Option<CheckpointId>,
    /// The savepoint that it started from instead.
    pub from_savepoint: Option<String>,
}
