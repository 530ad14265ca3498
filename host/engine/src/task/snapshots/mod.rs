//! One task's part in checkpoints: captured at the barrier, written in the background, acknowledged when durable.
//!
//! Invariants: checkpoints of one task are written one after the other, so that a sink's part holds everything older that is
//! not committed; commits too happen one after the other. Of a checkpoint that is given up no object is left: one that waits for its turn is not
//! written, one that is being written ends with the object that it is at, and what was written while it was given up is deleted by whoever wrote
//! it; what was written before, the log writer deletes.

mod line;
mod upload;
mod write;

use crate::checkpoint::CheckpointBases;
use crate::element::{AttemptId, CheckpointId};
use crate::error::EngineError;
use crate::exchange::{Decline, InFlightRecords};
use crate::outbox::Staged;
use crate::runtime::{Clock, Lane, TaskGroup};
use crate::sink::{Committable, Committers};
use crate::source::SplitState;
use crate::storage::Store;
use crate::task::commits::Uncommitted;
use crate::task::in_flight_object::InFlightEdge;
use crate::task::increments::{Extent, Increments};
use crate::task::shared_files::SharedFiles;
use crate::task::{Chain, NodeBody, SubtaskCapture, TaskEvent, TaskEvents};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use line::Line;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::warn;
use write::{StoredBefore, WriteError, discard, write, write_records};

/// How long what is read may take to answer that it has heard of a checkpoint.
const TOLD_MAX: Duration = Duration::from_secs(10);

/// What all snapshots of a task have in common.
pub struct SnapshotContext {
    /// Where objects go.
    pub store: Arc<dyn Store>,
    /// The clock for retries.
    pub clock: Arc<dyn Clock>,
    /// The attempt's tasks: what runs in the background ends with it.
    pub group: TaskGroup,
    /// What checkpoints build on.
    pub bases: Arc<CheckpointBases>,
    /// Finds committers.
    pub committers: Committers,
    /// The attempt that the task belongs to.
    pub attempt: AttemptId,
    /// What tells this attempt's objects from those of another of the same number.
    pub nonce: String,
    /// The id of the task's first vertex.
    pub head: String,
    /// The subtask.
    pub index: u32,
    /// The graph's edges, by number.
    pub edges: Arc<[InFlightEdge]>,
    /// Where acknowledgements go.
    pub events: TaskEvents,
}

/// Takes a task's snapshots.
pub struct Snapshots {
    context: Arc<SnapshotContext>,
    /// By vertex.
    uncommitted: BTreeMap<usize, Uncommitted>,
    increments: Increments,
    files: SharedFiles,
    writing: Line,
    committing: Line,
    /// Snapshots that wait for what their barrier overtook.
    awaiting: BTreeMap<CheckpointId, oneshot::Sender<InFlightRecords>>,
}

/// What of a task's input belongs to a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFlight {
    /// Nothing: all that was sent before the barrier has been worked off.
    Nothing,
    /// What [`Snapshots::take_in_flight`] will hand in.
    Awaited,
}

/// One vertex's part, as of the barrier.
enum Capture {
    Source { vertex: usize, splits: Vec<SplitState> },
    Operator { vertex: usize, capture: SubtaskCapture },
    Sink { vertex: usize, uncommitted: Uncommitted, prepared: BoxFuture<'static, Result<Vec<Committable>, EngineError>> },
    Outbox { vertex: usize, sink: String, staged: Staged },
}

impl Snapshots {
    /// For a task with this context.
    pub fn new(context: SnapshotContext) -> Self {
        Self {
            context: Arc::new(context),
            uncommitted: BTreeMap::new(),
            increments: Increments::default(),
            files: SharedFiles::default(),
            writing: Line::default(),
            committing: Line::default(),
            awaiting: BTreeMap::new(),
        }
    }

    /// Captures the task as of now and writes it in the background. `source`: the vertex and splits of the source at the head.
    pub fn take(
        &mut self,
        checkpoint_id: CheckpointId,
        chain: &mut Chain,
        source: Option<(usize, Vec<SplitState>)>,
        in_flight: InFlight,
    ) -> Result<(), EngineError> {
        let extent = self.extent(checkpoint_id, chain);
        let base = self.context.bases.base_of(checkpoint_id);
        let mut captures = Vec::with_capacity(chain.nodes.len() + 1);
        captures.extend(source.map(|(vertex, splits)| Capture::Source { vertex, splits }));
        for node in &mut chain.nodes {
            captures.push(match &mut node.body {
                NodeBody::Operator(subtask) => {
                    let largest_timestamp = node.time.as_ref().and_then(|time| time.largest());
                    let capture = subtask.capture(checkpoint_id, extent.base(), base)?;
                    Capture::Operator { vertex: node.vertex, capture: SubtaskCapture { largest_timestamp, ..capture } }
                }
                NodeBody::Sink(writer) => {
                    let uncommitted = self.uncommitted.entry(node.vertex).or_default().clone();
                    let prepared = writer.prepare_commit(checkpoint_id).map_err(|error| error.context(&node.id))?;
                    Capture::Sink { vertex: node.vertex, uncommitted, prepared }
                }
                NodeBody::Outbox(writer) => {
                    Capture::Outbox { vertex: node.vertex, sink: node.id.clone(), staged: writer.on_barrier(checkpoint_id) }
                }
            });
        }
        let overtaken = match in_flight {
            InFlight::Nothing => None,
            InFlight::Awaited => {
                let (records, overtaken) = oneshot::channel();
                self.awaiting.insert(checkpoint_id, records);
                Some(overtaken)
            }
        };
        let (context, mut place) = (self.context.clone(), self.writing.take());
        let stored = StoredBefore { increments: self.increments.clone(), files: self.files.clone(), of_base: self.files.of(base) };
        let write = async move {
            place.come_up().await;
            let written = write(&context, &stored, checkpoint_id, extent, captures).await;
            // What barriers overtake may take as long as the next barrier: it holds up no other snapshot.
            drop(place);
            let written = match (written, overtaken) {
                (Ok(parts), Some(overtaken)) => match overtaken.await {
                    Ok(records) => write_records(&context, checkpoint_id, parts, records).await,
                    Err(_given_up) => return discard(&context, checkpoint_id, &parts).await,
                },
                (written, _) => written,
            };
            match written {
                Ok(parts) if context.bases.is_under_way(checkpoint_id) => {
                    context.events.send(TaskEvent::Acknowledged { checkpoint_id, parts });
                }
                Ok(parts) => discard(&context, checkpoint_id, &parts).await,
                Err(WriteError::GivenUp) => {}
                Err(WriteError::Upload(error)) => {
                    context
                        .events
                        .send(TaskEvent::Declined { checkpoint_id, decline: Decline::Failed(format!("{}: {error}", context.head)) });
                }
                Err(WriteError::Sink(error)) => context.events.send(TaskEvent::Failed(error)),
            }
        };
        self.context.group.spawn(Lane::Control, "snapshot", write.boxed());
        Ok(())
    }

    /// Hands in what the barrier of `checkpoint_id` overtook.
    pub fn take_in_flight(&mut self, checkpoint_id: CheckpointId, records: InFlightRecords) {
        if let Some(waiting) = self.awaiting.remove(&checkpoint_id) {
            // The snapshot failed where nobody waits for it.
            _ = waiting.send(records);
        }
    }

    /// The coordinator has given `checkpoint_id` up: nothing more of it is awaited.
    pub fn abort(&mut self, checkpoint_id: CheckpointId) {
        self.awaiting.remove(&checkpoint_id);
    }

    /// What this checkpoint writes of the keyed state; what only older bases need is forgotten.
    fn extent(&self, checkpoint_id: CheckpointId, chain: &mut Chain) -> Extent {
        let base = self.context.bases.base_of(checkpoint_id);
        let mut states: Vec<_> = chain.operators().filter_map(|subtask| subtask.keyed_state()).collect();
        if let Some(base) = base {
            self.increments.retire(base);
            self.files.retire(base);
            states.iter_mut().for_each(|state| state.retire(base));
        }
        let keys = states.iter().map(|state| state.key_count()).sum();
        self.increments.extent(base, keys, |base| states.iter().map(|state| state.changed_since(base)).sum())
    }

    /// Commits everything up to `checkpoint_id` in the background, beside `told`: what the source at the head has to do now that it exists.
    pub fn commit(&mut self, checkpoint_id: CheckpointId, told: Option<BoxFuture<'static, Result<(), EngineError>>>) {
        let context = self.context.clone();
        let sinks: Vec<_> = self.uncommitted.values().cloned().collect();
        if sinks.is_empty() && told.is_none() {
            return context.events.send(TaskEvent::Committed(checkpoint_id));
        }
        let mut place = self.committing.take();
        let commit = async move {
            place.come_up().await;
            for sink in sinks {
                if let Err(error) = sink.commit(checkpoint_id, &context.committers).await {
                    return context.events.send(TaskEvent::Failed(error));
                }
            }
            // Nothing rests on it: what never answers holds up neither the commits behind it nor the end of the job.
            drop(place);
            if let Some(told) = told {
                let long_enough = context.clock.sleep_until(context.clock.now() + TOLD_MAX);
                match select(told, long_enough).await {
                    Either::Left((Ok(()), _)) => {}
                    Either::Left((Err(error), _)) => {
                        warn!(source = %context.head, %checkpoint_id, %error, "what is read could not be told of a checkpoint");
                    }
                    Either::Right(_) => warn!(source = %context.head, %checkpoint_id, "what is read has not answered to a checkpoint"),
                }
            }
            context.events.send(TaskEvent::Committed(checkpoint_id));
        };
        self.context.group.spawn(Lane::Control, "commit", commit.boxed());
    }
}

#[cfg(test)]
mod tests;
