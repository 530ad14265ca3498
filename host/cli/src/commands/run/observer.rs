//! Watches a run from outside: samples the records at its sinks for the document, and shows progress.

use super::steady_rate::{Sample, Samples};
use crate::assemble::Assembly;
use crate::documents::RunCheckpoint;
use crate::figures::{Figures, progress_line};
use crate::terminal::Screen;
use futures_util::FutureExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use weir_engine::job::{CheckpointItem, JobStatus, VertexKind};
use weir_engine::runtime::{Clock, Lane, Runtime, TaskGroup};

/// From one line of progress to the next where it is redrawn in place.
const REDRAW_EVERY: Duration = Duration::from_millis(200);
/// From one line of progress to the next where each is a line of its own.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Watches until it is told that the run has ended.
pub(crate) struct Observer {
    watched: Arc<Watched>,
    tasks: TaskGroup,
    screen: Screen,
}

struct Watched {
    status: Arc<JobStatus>,
    sources: Vec<usize>,
    sinks: Vec<usize>,
    clock: Arc<dyn Clock>,
    /// What the clock showed when the run, as far as it is measured, began.
    zero: Duration,
    samples: Mutex<Samples>,
}

impl Observer {
    /// Starts to watch. `zero` is what the clock showed when the run began, or would have without builds.
    pub fn start(assembly: &Assembly, status: Arc<JobStatus>, runtime: &Runtime, zero: Duration, screen: &Screen) -> Self {
        let vertices = assembly.graph.vertices.iter().enumerate();
        let sources = vertices.filter(|(_, vertex)| matches!(vertex.kind, VertexKind::Source { .. })).map(|(index, _)| index).collect();
        let (sinks, clock) = (assembly.sinks.clone(), runtime.clock.clone());
        let watched = Arc::new(Watched { status, sources, sinks, clock, zero, samples: Mutex::default() });
        // A panic here costs the figures, never the run.
        let tasks = TaskGroup::new(runtime.spawn.clone(), Arc::new(|_: &str, _: &str| ()));
        tasks.spawn(Lane::Control, "samples", sample(watched.clone()).boxed());
        if !screen.quiet() {
            tasks.spawn(Lane::Control, "progress", show(watched.clone(), screen.clone()).boxed());
        }
        Self { watched, tasks, screen: screen.clone() }
    }

    /// Stops watching. The samples, the last of which is as of now.
    pub fn end(self) -> Vec<Sample> {
        self.tasks.abort();
        self.screen.end_progress();
        self.watched.take_sample();
        self.watched.samples().all().to_vec()
    }
}

impl Watched {
    fn samples(&self) -> MutexGuard<'_, Samples> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.clock.now().saturating_sub(self.zero)
    }

    fn records_in(&self) -> u64 {
        self.sources.iter().map(|&vertex| self.status.metrics.vertices[vertex].records_out()).sum()
    }

    fn records_out(&self) -> u64 {
        self.sinks.iter().map(|&vertex| self.status.metrics.vertices[vertex].records_in()).sum()
    }

    /// Takes one sample, and says how long to wait for the next.
    fn take_sample(&self) -> Duration {
        let sample = Sample { at: self.now(), records: self.records_out(), read: self.records_in() };
        let mut samples = self.samples();
        samples.push(sample);
        samples.every()
    }
}

async fn sample(watched: Arc<Watched>) {
    loop {
        let wait = watched.take_sample();
        watched.clock.sleep_until(watched.clock.now() + wait).await;
    }
}

async fn show(watched: Arc<Watched>, screen: Screen) {
    let every = if screen.redraws() { REDRAW_EVERY } else { LINE_EVERY };
    let (mut before, mut before_at, mut shown) = (watched.records_in(), watched.now(), None);
    loop {
        watched.clock.sleep_until(watched.clock.now() + every).await;
        let (records_in, elapsed) = (watched.records_in(), watched.now());
        let seconds = elapsed.saturating_sub(before_at).as_secs_f64().max(f64::EPSILON);
        let figures = Figures {
            elapsed,
            records_in,
            records_out: watched.records_out(),
            records_per_s: (records_in - before) as f64 / seconds,
            checkpoint: watched.status.last_checkpoint().map(checkpoint_document),
            restarts: watched.status.restarts.get(),
        };
        // A line of its own is for something that has happened; checkpoints of a job to which nothing comes are nothing.
        let counts = Some((figures.records_in, figures.records_out, figures.restarts));
        if screen.redraws() || std::mem::replace(&mut shown, counts) != counts {
            screen.progress(&progress_line(&figures));
        }
        (before, before_at) = (records_in, elapsed);
    }
}

/// A checkpoint as documents show it.
pub(crate) fn checkpoint_document(item: CheckpointItem) -> RunCheckpoint {
    RunCheckpoint { id: item.checkpoint_id.0, duration_ms: item.duration_ms, bytes: item.bytes }
}
