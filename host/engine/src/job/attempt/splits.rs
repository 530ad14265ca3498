//! Which splits there are when an attempt begins, and which come while it runs.
//!
//! A split that is found is part of the next checkpoint from its barrier on, and is read behind that: should the process die before the checkpoint
//! exists, the split is found anew, and nothing of it has counted.
//! Invariant: a source's splits lie with exactly one subtask each; none is assigned twice in an attempt.

use crate::checkpoint::CompletedTasks;
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::change::tasks_of;
use crate::job::attempt::context::AttemptContext;
use crate::job::{Vertex, VertexKind};
use crate::runtime::{Lane, TaskGroup};
use crate::source::{Source, SplitProgress, SplitState};
use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::warn;

/// The splits of each source, by vertex.
pub(in crate::job) type Splits = BTreeMap<usize, Vec<SplitState>>;

/// The splits of every source: those of the checkpoint with what has come since, else all that there are. Tells the user what is to be known of them.
pub(in crate::job) async fn splits_at_start(context: &AttemptContext) -> Result<Splits, EngineError> {
    let mut by_source = Splits::new();
    for (number, vertex) in context.graph.vertices.iter().enumerate() {
        let VertexKind::Source { source, .. } = &vertex.kind else { continue };
        let (source, parallelism) = (source.clone(), vertex.parallelism);
        let stored = stored_splits(context, vertex);
        // They are the same at every attempt.
        let says_remarks = context.older_nonces.is_empty();
        let look = async move { look(&*source, parallelism, stored, says_remarks).await };
        let looked = context.runtime.aside("look for splits", look).await;
        let (splits, lines) = looked
            .unwrap_or_else(|| Err(EngineError::new(ErrorKind::Bug, "look for splits: the source panicked")))
            .map_err(|error| error.context(&vertex.id))?;
        lines.iter().for_each(|line| (context.notice)(&format!("{}: {line}", vertex.id)));
        by_source.insert(number, splits);
    }
    Ok(by_source)
}

/// Those that the restored checkpoint has of a source; `None`: it has none of it.
fn stored_splits(context: &AttemptContext, vertex: &Vertex) -> Option<Vec<SplitState>> {
    let snapshot = context.metadata.as_ref()?.vertex(context.plan.from(&vertex.id)?)?;
    Some(snapshot.subtasks.iter().flat_map(|subtask| subtask.splits.clone()).collect())
}

/// A source's splits, and lines for the user.
async fn look(
    source: &dyn Source,
    parallelism: u32,
    stored: Option<Vec<SplitState>>,
    says_remarks: bool,
) -> Result<(Vec<SplitState>, Vec<String>), EngineError> {
    let mut lines = if says_remarks { source.remarks()? } else { Vec::new() };
    let Some(mut splits) = stored else { return Ok((source.discover(parallelism).await?, lines)) };
    lines.extend(source.verify(&splits).await?);
    let new = source.new_splits(&splits, parallelism).await?;
    lines.extend(new.iter().map(|split| format!("{} has come since the checkpoint and is read too", split.id)));
    splits.extend(new);
    Ok((splits, lines))
}

/// Deals splits out in turn: first those that are left to read, then the finished ones, which are only remembered.
pub(in crate::job) fn assign(splits: Vec<SplitState>, parallelism: u32) -> Vec<Vec<SplitState>> {
    let mut by_subtask = vec![Vec::new(); parallelism as usize];
    let (finished, open): (Vec<_>, Vec<_>) = splits.into_iter().partition(|split| split.progress == SplitProgress::Finished);
    for (place, split) in open.into_iter().chain(finished).enumerate() {
        by_subtask[place % parallelism as usize].push(split);
    }
    by_subtask
}

/// What a look has come to.
pub(in crate::job) struct Look {
    vertex: usize,
    /// The ids of what it has found.
    found: Result<Vec<String>, EngineError>,
}

/// What a task is to read from the next barrier on.
pub(in crate::job) struct Assignment {
    pub task: usize,
    pub splits: Vec<SplitState>,
}

/// The looks for new splits of an attempt.
pub(in crate::job) struct Discovery {
    sources: BTreeMap<usize, Watched>,
    looks: mpsc::UnboundedReceiver<Look>,
}

/// A source that is looked at.
struct Watched {
    known: Arc<Mutex<Known>>,
    /// The tasks of its subtasks.
    tasks: Vec<usize>,
    /// How many have been assigned.
    assigned: usize,
}

/// What a look compares with.
#[derive(Default)]
struct Known {
    /// The newest checkpoint that all tasks have acknowledged in this attempt.
    newest: Option<CheckpointId>,
    /// The splits that it has, with their progress there; before there is one those that the attempt began with.
    stored: Vec<SplitState>,
    /// Those that this checkpoint does not have.
    found: Vec<Found>,
}

/// A split that has been found.
struct Found {
    split: SplitState,
    /// The first checkpoint that has it; `None`: it is not assigned yet. A later checkpoint may be without it again, because its reader has forgotten it.
    since: Option<CheckpointId>,
}

impl Known {
    fn all(&self) -> Vec<SplitState> {
        self.stored.iter().chain(self.found.iter().map(|found| &found.split)).cloned().collect()
    }
}

impl Discovery {
    /// Looks for new splits of every source that asks for it, from now on; the attempt begins with `splits`.
    pub fn begin(context: &AttemptContext, group: &TaskGroup, splits: &Splits) -> Self {
        let (sender, looks) = mpsc::unbounded_channel();
        let mut sources = BTreeMap::new();
        for (number, vertex) in context.graph.vertices.iter().enumerate() {
            let VertexKind::Source { source, .. } = &vertex.kind else { continue };
            let Some(interval) = source.discovery_interval() else { continue };
            let stored = splits.get(&number).cloned().unwrap_or_default();
            let known = Arc::new(Mutex::new(Known { stored, ..Known::default() }));
            let tasks = tasks_of(&context.graph, number).into_iter().map(|(task, _)| task).collect();
            let looker = Looker {
                vertex: number,
                id: vertex.id.clone(),
                source: source.clone(),
                parallelism: vertex.parallelism,
                interval,
                known: known.clone(),
                sender: sender.clone(),
            };
            let runtime = context.runtime.clone();
            group.spawn(Lane::Control, "discovery", async move { looker.run(&runtime).await }.boxed());
            sources.insert(number, Watched { known, tasks, assigned: 0 });
        }
        Self { sources, looks }
    }

    /// The next look that has come to something.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Look> {
        match self.looks.poll_recv(cx) {
            Poll::Ready(Some(look)) => Poll::Ready(look),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// What was found is kept until the next barrier. Gives the vertex and the ids, for the user.
    pub fn on_look(&mut self, look: Look) -> Result<(usize, Vec<String>), EngineError> {
        Ok((look.vertex, look.found?))
    }

    /// What is assigned with the checkpoint that is about to be triggered. Where the input `ends` there nothing is: a start finds what is left.
    pub fn assignments(&mut self, checkpoint_id: CheckpointId, ends: bool) -> Vec<Assignment> {
        if ends {
            return Vec::new();
        }
        self.sources.values_mut().flat_map(|watched| watched.assign(checkpoint_id)).collect()
    }

    /// All tasks have acknowledged a checkpoint that consists of `parts`: a look goes by what the splits had come to there.
    pub fn on_acknowledged(&mut self, checkpoint_id: CheckpointId, parts: &CompletedTasks) {
        for (vertex, watched) in &mut self.sources {
            let stored: Vec<_> = parts.iter().filter(|(of, _)| of == vertex).flat_map(|(_, part)| part.splits.clone()).collect();
            watched.update(checkpoint_id, stored);
        }
    }
}

impl Watched {
    /// Deals out in turn what has not been assigned; the checkpoint of the next barrier has it.
    fn assign(&mut self, checkpoint_id: CheckpointId) -> Vec<Assignment> {
        let mut known = lock(&self.known);
        let mut assignments = Vec::new();
        for found in known.found.iter_mut().filter(|found| found.since.is_none()) {
            found.since = Some(checkpoint_id);
            assignments.push(Assignment { task: self.tasks[self.assigned % self.tasks.len()], splits: vec![found.split.clone()] });
            self.assigned += 1;
        }
        assignments
    }

    /// `stored` is what the checkpoint has. What has been found since stays known; what a reader has forgotten does not.
    fn update(&self, checkpoint_id: CheckpointId, stored: Vec<SplitState>) {
        let mut known = lock(&self.known);
        if known.newest.is_some_and(|newest| newest > checkpoint_id) {
            return;
        }
        known.newest = Some(checkpoint_id);
        known.found.retain(|found| found.since.is_none_or(|since| since > checkpoint_id));
        known.stored = stored;
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks for new splits of one source for as long as the attempt lives.
struct Looker {
    vertex: usize,
    id: String,
    source: Arc<dyn Source>,
    parallelism: u32,
    interval: Duration,
    known: Arc<Mutex<Known>>,
    sender: mpsc::UnboundedSender<Look>,
}

impl Looker {
    async fn run(self, runtime: &crate::runtime::Runtime) {
        loop {
            runtime.clock.sleep_until(runtime.clock.now().saturating_add(self.interval)).await;
            let known = lock(&self.known).all();
            let (source, parallelism) = (self.source.clone(), self.parallelism);
            let look = async move { source.new_splits(&known, parallelism).await };
            let found = runtime.aside("look for splits", look).await;
            let found = found.unwrap_or_else(|| Err(EngineError::new(ErrorKind::Bug, "look for splits: the source panicked")));
            let look = match found {
                Ok(found) if found.is_empty() => continue,
                Ok(found) => Look { vertex: self.vertex, found: Ok(self.keep(found)) },
                Err(error) if error.kind() == ErrorKind::Retry => {
                    warn!(source = %self.id, %error, "new splits could not be looked for");
                    continue;
                }
                Err(error) => Look { vertex: self.vertex, found: Err(error.context(&self.id)) },
            };
            let failed = look.found.is_err();
            if self.sender.send(look).is_err() || failed {
                return;
            }
        }
    }

    /// Keeps what has been found until the next barrier. Gives the ids.
    fn keep(&self, found: Vec<SplitState>) -> Vec<String> {
        let ids = found.iter().map(|split| split.id.clone()).collect();
        lock(&self.known).found.extend(found.into_iter().map(|split| Found { split, since: None }));
        ids
    }
}

#[cfg(test)]
#[path = "splits_tests.rs"]
mod tests;
