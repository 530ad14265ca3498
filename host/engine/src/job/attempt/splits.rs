//! Which splits there are when an attempt begins, and which come while it runs.
//!
//! A split that is found is part of the next checkpoint from its barrier on, and is read behind that: should the process die before the checkpoint
//! exists, the split is found anew, and nothing of it has counted.
//! Invariant: a source's splits lie with exactly one subtask each; none is assigned twice in an attempt.

use crate::checkpoint::{CompletedTasks, Trigger};
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::change::tasks_of;
use crate::job::attempt::context::AttemptContext;
use crate::job::{Vertex, VertexKind};
use crate::runtime::{Lane, TaskGroup};
use crate::source::{Source, SplitProgress, SplitState};
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
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
    found: Result<Vec<SplitState>, EngineError>,
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
    /// With their progress as of the newest checkpoint that all tasks have acknowledged.
    known: Known,
    /// Found, and not yet assigned.
    waiting: Vec<SplitState>,
    /// The tasks of its subtasks.
    tasks: Vec<usize>,
    /// How many have been assigned.
    assigned: usize,
}

type Known = Arc<Mutex<Vec<SplitState>>>;

impl Discovery {
    /// Looks for new splits of every source that asks for it, from now on; the attempt begins with `splits`.
    pub fn begin(context: &AttemptContext, group: &TaskGroup, splits: &Splits) -> Self {
        let (sender, looks) = mpsc::unbounded_channel();
        let mut sources = BTreeMap::new();
        for (number, vertex) in context.graph.vertices.iter().enumerate() {
            let VertexKind::Source { source, .. } = &vertex.kind else { continue };
            let Some(interval) = source.discovery_interval() else { continue };
            let known: Known = Arc::new(Mutex::new(splits.get(&number).cloned().unwrap_or_default()));
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
            sources.insert(number, Watched { known, waiting: Vec::new(), tasks, assigned: 0 });
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

    /// Keeps what was found until the next barrier. Gives the vertex and the ids, for the user.
    pub fn on_look(&mut self, look: Look) -> Result<(usize, Vec<String>), EngineError> {
        let found = look.found?;
        let ids = found.iter().map(|split| split.id.clone()).collect();
        if let Some(watched) = self.sources.get_mut(&look.vertex) {
            watched.waiting.extend(found);
        }
        Ok((look.vertex, ids))
    }

    /// What is assigned with the checkpoint that is about to be triggered. Behind the last one nothing is read: a start finds what is left.
    pub fn assignments(&mut self, trigger: Trigger) -> Vec<Assignment> {
        if trigger.is_last() {
            return Vec::new();
        }
        self.sources.values_mut().flat_map(Watched::assign).collect()
    }

    /// All tasks have acknowledged a checkpoint that consists of `parts`: a look goes by what the splits had come to there.
    pub fn on_acknowledged(&mut self, parts: &CompletedTasks) {
        for (vertex, watched) in &mut self.sources {
            let stored: Vec<_> = parts.iter().filter(|(of, _)| of == vertex).flat_map(|(_, part)| part.splits.clone()).collect();
            watched.update(stored);
        }
    }
}

impl Watched {
    fn assign(&mut self) -> Vec<Assignment> {
        let splits = std::mem::take(&mut self.waiting);
        let assignment = |(place, split)| Assignment { task: self.tasks[(self.assigned + place) % self.tasks.len()], splits: vec![split] };
        let count = splits.len();
        let assignments = splits.into_iter().enumerate().map(assignment).collect();
        self.assigned += count;
        assignments
    }

    /// Takes over the progress of `stored`; what has been found since stays known.
    fn update(&self, mut stored: Vec<SplitState>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let ids: BTreeSet<String> = stored.iter().map(|split| split.id.clone()).collect();
        stored.extend(known.drain(..).filter(|split| !ids.contains(&split.id)));
        *known = stored;
    }
}

/// Looks for new splits of one source for as long as the attempt lives.
struct Looker {
    vertex: usize,
    id: String,
    source: Arc<dyn Source>,
    parallelism: u32,
    interval: Duration,
    known: Known,
    sender: mpsc::UnboundedSender<Look>,
}

impl Looker {
    async fn run(self, runtime: &crate::runtime::Runtime) {
        loop {
            runtime.clock.sleep_until(runtime.clock.now().saturating_add(self.interval)).await;
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (source, parallelism) = (self.source.clone(), self.parallelism);
            let look = async move { source.new_splits(&known, parallelism).await };
            let found = runtime.aside("look for splits", look).await;
            let found = found.unwrap_or_else(|| Err(EngineError::new(ErrorKind::Bug, "look for splits: the source panicked")));
            match &found {
                Ok(found) if found.is_empty() => continue,
                Ok(found) => self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(found.iter().cloned()),
                Err(error) if error.kind() == ErrorKind::Retry => {
                    warn!(source = %self.id, %error, "new splits could not be looked for");
                    continue;
                }
                Err(_) => {}
            }
            let failed = found.is_err();
            let found = found.map_err(|error| error.context(&self.id));
            if self.sender.send(Look { vertex: self.vertex, found }).is_err() || failed {
                return;
            }
        }
    }
}
