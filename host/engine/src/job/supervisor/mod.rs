//! Runs a job: attempt after attempt from the newest completed checkpoint, until it is finished, stopped, or beyond help.

mod lost_entries;
mod outboxes;
mod redeploy;
pub(in crate::job) mod restart;
mod resume;

use crate::checkpoint::{Append, BARRIER_MAX, JobLog, LogEntry, paths};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::change::TriedUpgrade;
use crate::job::attempt::context::{AttemptContext, AttemptEnd, OldShape, Redeployed, Session, WaitsFor};
use crate::job::attempt::log_writer::store_components;
use crate::job::attempt::{LEAVE_MAX, run_attempt};
use crate::job::control::{JobInbox, StopKind};
use crate::job::history::start::{Origin, Start};
use crate::job::history::{History, fenced};
use crate::job::options::{JobOptions, JobOutcome, JobReport};
use crate::job::supervisor::lost_entries::BesideTheLog;
use crate::job::supervisor::restart::Restarts;
use crate::job::supervisor::resume::Restored;
use crate::job::{JobGraph, JobStatus, QuarantineCommitter, ResumePoint, StartMode, VertexKind};
use crate::outbox::Decisions;
use crate::runtime::{Monotonic, Runtime};
use crate::sink::{Committable, Committer};
use crate::storage::probe_create_if_absent;
use crate::task::Committers;
use futures_util::future::{Either, select};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// Runs `graph` until it ends. Counters and checkpoints show in `status` meanwhile; whoever has the other end of `inbox` can speak to it.
pub async fn run_job(graph: JobGraph, options: JobOptions, runtime: Runtime, status: Arc<JobStatus>, inbox: JobInbox) -> JobReport {
    let mut supervisor = Supervisor {
        graph: Arc::new(graph),
        committers: with_quarantine(&options, &runtime),
        mode: options.start.clone(),
        restarts: Restarts::new(options.restart),
        decisions: Decisions::new(options.outbox.decision),
        options,
        runtime,
        status,
        inbox,
        nonces: Vec::new(),
        sent: Vec::new(),
        tried: None,
        redeployed: None,
        unproven: None,
        failed_change: None,
        stop_began: None,
        waits_for: WaitsFor::Storage,
        newest: None,
        unread: CheckpointId(0),
        report: JobReport { outcome: JobOutcome::AlreadyFinished, attempt: None, resumed_from: None, from_savepoint: None },
    };
    let patience = supervisor.options.checkpoints.stop_timeout;
    let stop_max = patience.saturating_add(patience.max(BARRIER_MAX));
    let overdue = supervisor.inbox.overdue(supervisor.runtime.clock.clone(), stop_max, LEAVE_MAX * 3);
    // Where nothing else ends a stop: the storage may not answer while an attempt begins, or a target that output is committed to.
    let ended = match select(pin!(supervisor.run()), pin!(overdue)).await {
        Either::Left((outcome, _)) => Ok(outcome),
        Either::Right((kind, _)) => Err(kind),
    };
    let outcome = match ended.unwrap_or_else(|kind| supervisor.overdue(kind)) {
        Ok(outcome) => outcome,
        Err(error) if error.kind() == ErrorKind::Fenced => JobOutcome::Fenced(error),
        Err(error) => JobOutcome::Failed(error),
    };
    supervisor.tell_of_the_end(&outcome);
    JobReport { outcome, ..supervisor.report }
}

fn with_quarantine(options: &JobOptions, runtime: &Runtime) -> Committers {
    let (others, quarantine) =
        (options.committers.clone(), Arc::new(QuarantineCommitter::new(options.store.clone(), runtime.clock.clone())));
    Arc::new(move |connector: &str| {
        if connector == QuarantineCommitter::connector() {
            return Some(quarantine.clone() as Arc<dyn Committer>);
        }
        others(connector)
    })
}

/// What comes of beginning.
enum Begun {
    Attempt(Box<AttemptContext>),
    /// There is nothing to run.
    Over(JobOutcome),
}

pub(in crate::job) struct Supervisor {
    pub(in crate::job) graph: Arc<JobGraph>,
    pub(in crate::job) options: JobOptions,
    pub(in crate::job) committers: Committers,
    pub(in crate::job) runtime: Runtime,
    pub(in crate::job) status: Arc<JobStatus>,
    pub(in crate::job) inbox: JobInbox,
    pub(in crate::job) mode: StartMode,
    pub(in crate::job) restarts: Restarts,
    /// What the user has decided of outboxes.
    pub(in crate::job) decisions: Decisions,
    /// Of this process's attempts.
    pub(in crate::job) nonces: Vec<String>,
    /// Those, and of entries that may have become attempts without our hearing of it.
    sent: Vec<String>,
    /// An upgrade that has changed over and is not decided.
    pub(in crate::job) tried: Option<TriedUpgrade>,
    /// What the next attempt is deployed for.
    pub(in crate::job) redeployed: Option<Redeployed>,
    /// A rescale that the log has, until a checkpoint of the new shape is complete.
    pub(in crate::job) unproven: Option<OldShape>,
    /// Why one of these three cannot be: the next attempt goes back to what was before it.
    pub(in crate::job) failed_change: Option<EngineError>,
    /// When the stop that is under way was asked for.
    stop_began: Option<Monotonic>,
    waits_for: WaitsFor,
    /// Where a run would go on, as of the last look at the log.
    newest: Option<Origin>,
    /// The first checkpoint that this look did not show.
    unread: CheckpointId,
    pub(in crate::job) report: JobReport,
}

impl Supervisor {
    async fn run(&mut self) -> Result<JobOutcome, EngineError> {
        let (store, clock) = (self.options.store.clone(), self.runtime.clock.clone());
        let mut log = JobLog::open(store, clock).await?;
        loop {
            let context = match self.begin(&mut log).await {
                Ok(Begun::Attempt(context)) => context,
                Ok(Begun::Over(outcome)) => return Ok(outcome),
                Err(error) => {
                    if !self.is_of_a_change(&error) {
                        self.wait_for_restart(&log, error, None).await?;
                    }
                    continue;
                }
            };
            let from = context.restored.as_ref().map(|restored| restored.checkpoint_id);
            let completed = self.status.completed.get();
            let end = match self.prepare(&context).await {
                Ok(()) => {
                    let Self { inbox, graph, tried, redeployed, unproven, stop_began, waits_for, .. } = self;
                    let session = Session { inbox, graph, tried, redeployed, unproven, stop_began, waits_for };
                    let (end, back) = run_attempt(&context, log, session).await;
                    self.waits_for = WaitsFor::Storage;
                    match (back, end) {
                        (Some(back), end) => {
                            log = back;
                            self.look_at(&History::of(log.entries()), &StartMode::Resume);
                            end
                        }
                        (None, AttemptEnd::Stopped) => return Ok(JobOutcome::Stopped),
                        (None, AttemptEnd::StopGivenUp(error)) => return Err(self.naming_where_a_run_resumes(error)),
                        (None, _) => return Ok(JobOutcome::Cancelled),
                    }
                }
                Err(error) => AttemptEnd::Failed(error),
            };
            if self.status.completed.get() > completed {
                self.restarts.on_progress();
                self.unproven = None;
            }
            let error = match end {
                AttemptEnd::Finished => return Ok(JobOutcome::Finished),
                AttemptEnd::Stopped => return Ok(JobOutcome::Stopped),
                AttemptEnd::StopGivenUp(error) => return Err(self.naming_where_a_run_resumes(error)),
                AttemptEnd::NotLeft(error) => return Err(self.given_up(&mut log, error).await),
                AttemptEnd::Cancelled => return Ok(JobOutcome::Cancelled),
                AttemptEnd::Redeploy(redeploy) => {
                    self.redeploy(&log, &context, *redeploy);
                    continue;
                }
                AttemptEnd::Failed(error) => {
                    if self.is_of_a_change(&error) {
                        continue;
                    }
                    match from {
                        Some(from) => self.offer_unharmed(error, from, &History::of(log.entries())).await,
                        None => error,
                    }
                }
            };
            if let Some(fenced) = self.taken_over(&mut log).await {
                return Err(fenced);
            }
            self.wait_for_restart(&log, error, from).await?;
        }
    }

    fn look_at(&mut self, history: &History, mode: &StartMode) {
        self.newest = history.origin(mode).ok();
        self.unread = CheckpointId(history.last_checkpoint.map_or(0, |last| last.0 + 1));
    }

    /// How a job ends whose stop should have been over.
    fn overdue(&self, kind: StopKind) -> Result<JobOutcome, EngineError> {
        match (&self.waits_for, kind) {
            (WaitsFor::Nothing, _) => return Ok(JobOutcome::Stopped),
            (_, StopKind::Cancel) => return Ok(JobOutcome::Cancelled),
            (_, StopKind::Drain | StopKind::SuspendForSavepoint | StopKind::Suspend) => {}
        }
        let message = format!("stop the job: {}", self.waits_for.complaint(&self.options.store.location()));
        let error = EngineError::new(ErrorKind::Restart, message).with_hint("`stop-timeout` in [checkpoints] gives a stop more time");
        Err(self.naming_where_a_run_resumes(error))
    }

    /// The error of a stop that cannot wait for the tasks of an attempt that is over. What is on trial goes back first: nobody has decided on it.
    async fn given_up(&mut self, log: &mut JobLog, error: EngineError) -> EngineError {
        if self.tried.is_some() {
            self.failed_change = Some(error.clone());
            match self.go_back(log).await {
                Ok(()) => self.look_at(&History::of(log.entries()), &StartMode::Resume),
                Err(fenced) if fenced.kind() == ErrorKind::Fenced => return fenced,
                // The next run gives it up.
                Err(_) => {}
            }
        }
        self.naming_where_a_run_resumes(error)
    }

    /// A stop that fails loses nothing: what has happened since that checkpoint happens again.
    fn naming_where_a_run_resumes(&self, error: EngineError) -> EngineError {
        error.followed_by(format!("a run resumes from {}", self.resume_point()))
    }

    /// Where a run would go on.
    fn resume_point(&self) -> ResumePoint {
        let completed = self.status.last_checkpoint().map(|last| last.checkpoint_id).filter(|&last| last >= self.unread);
        // What is behind an upgrade on trial goes with it.
        let since = self.tried.as_ref().and_then(|tried| tried.trial.since());
        match completed.map(|last| since.map_or(last, |since| last.min(since))) {
            Some(checkpoint_id) => ResumePoint::Checkpoint(checkpoint_id),
            None => self.newest.as_ref().map_or(ResumePoint::Beginning, ResumePoint::from),
        }
    }

    /// Answers whoever has asked for something that the job has not come to.
    fn tell_of_the_end(&mut self, outcome: &JobOutcome) {
        let to = self.resume_point();
        let why = match outcome {
            JobOutcome::Failed(error) | JobOutcome::Fenced(error) => error.clone(),
            JobOutcome::Finished | JobOutcome::AlreadyFinished | JobOutcome::Stopped => {
                EngineError::new(ErrorKind::Restart, "the job has ended")
            }
            JobOutcome::Cancelled => EngineError::new(ErrorKind::Restart, "the job was cancelled"),
        };
        if let Some(tried) = self.tried.take() {
            tried.ended(why.clone(), to);
        }
        self.inbox.refuse_commands(&why);
    }

    /// The error where another process has begun an attempt behind ours, or another log in its place. What ours failed for may be just that: the
    /// other has deleted what it no longer needs.
    async fn taken_over(&self, log: &mut JobLog) -> Option<EngineError> {
        match log.read_on().await {
            Ok(()) => (!self.newest_is_ours(&History::of(log.entries()))).then(|| fenced(&self.graph.name)),
            Err(error) => Some(error).filter(|error| error.kind() == ErrorKind::Fenced),
        }
    }

    pub(in crate::job) fn newest_is_ours(&self, history: &History) -> bool {
        history.nonces.last().is_none_or(|nonce| self.sent.contains(nonce))
    }

    async fn wait_for_restart(&mut self, log: &JobLog, error: EngineError, from: Option<CheckpointId>) -> Result<(), EngineError> {
        let stopping = self.inbox.stop_requested();
        self.look_at(&History::of(log.entries()), &StartMode::Resume);
        // Whatever keeps the job from another try, it is told to stop. What keeps it from its first attempt is told as it is.
        if stopping.is_some_and(StopKind::is_prompt) && !self.nonces.is_empty() && error.kind() != ErrorKind::Fenced {
            return Err(self.naming_where_a_run_resumes(error.context("failed while stopping")));
        }
        let delay = match self.restarts.on_failure(&error, from) {
            Ok(delay) => delay,
            Err(_) if self.gives_up_rescale(&error, stopping) => return Ok(()),
            Err(why) if why.is_empty() => return Err(error),
            Err(why) => return Err(error.context(format!("given up ({why})"))),
        };
        self.status.restarts.add(1);
        (self.options.notice)(&format!("restarting in {delay:?}: {error}"));
        // A stop does not wait: the next attempt sees to it at once.
        let (inbox, mut delay) = (&mut self.inbox, self.runtime.clock.sleep_until(self.runtime.clock.now() + delay));
        poll_fn(|cx| if inbox.poll_stop(stopping, cx).is_ready() { Poll::Ready(()) } else { delay.as_mut().poll(cx) }).await;
        Ok(())
    }

    /// Appends an attempt to the log. What takes long comes before the log is read, as far as it can: a job that runs elsewhere goes on meanwhile, and
    /// takes the place behind what was read.
    async fn begin(&mut self, log: &mut JobLog) -> Result<Begun, EngineError> {
        self.go_back(log).await?;
        let (mut seen, mut probed, mut taken) = (None, false, None);
        loop {
            log.read_on().await?;
            // Whoever took the place has left an entry there, or there is something else in it.
            if taken == Some(log.entries().len()) {
                let next = paths::log_entry(log.entries().len() as u64 + 1);
                let message = format!("append to the log in {}: something that is no entry is at {next}", self.options.store.location());
                return Err(EngineError::new(ErrorKind::Corrupt, message).with_hint("move it away"));
            }
            let history = History::of(log.entries());
            if !self.nonces.is_empty() && !self.newest_is_ours(&history) {
                return Err(fenced(&self.graph.name));
            }
            let start = history.start(&self.mode)?;
            self.look_at(&history, &self.mode.clone());
            if start.finished {
                self.name_new_files(&start).await;
                self.report.resumed_from = start.restored.map(|restored| restored.checkpoint_id);
                return Ok(Begun::Over(JobOutcome::AlreadyFinished));
            }
            if let Some(outcome) = self.stopped_before_it_began() {
                return Ok(Begun::Over(outcome));
            }
            let beside = match (&mut seen, self.nonces.is_empty()) {
                (Some(beside), true) => &*beside,
                (none, true) => {
                    *none = Some(self.look_beside(&start, &history).await?);
                    continue;
                }
                (_, false) => &BesideTheLog::default(),
            };
            if let Some(output) = beside.unaccounted(&start, &history) {
                return Err(self.lost_entries(output, beside, &start, &history));
            }
            if self.sent.is_empty() && !std::mem::replace(&mut probed, true) {
                // Before the first thing is written, and once. A job that has finished writes nothing.
                let nonce = self.draw_nonce();
                probe_create_if_absent(&*self.options.store, &*self.runtime.clock, &paths::probe(&nonce)).await?;
                continue;
            }
            let restored = match self.load(&start, &history).await {
                Ok(restored) => restored,
                Err(error) if error.kind() == ErrorKind::Corrupt && log.has_grown().await? => continue,
                Err(error) => return Err(error),
            };
            let left_behind = self.left_behind(&start, &history).await;
            let staged = match self.staged_before(&start, &restored, &history).await {
                Ok(staged) => staged,
                Err(error) if error.kind() == ErrorKind::Corrupt && log.has_grown().await? => continue,
                Err(error) => return Err(error),
            };
            let last = history.last_attempt.max(beside.newest_attempt());
            let attempt = AttemptId(last.map_or(1, |last| last.0 + 1));
            if let Some(outcome) = self.stopped_before_it_began() {
                return Ok(Begun::Over(outcome));
            }
            let (entry, nonce) = self.attempt_entry(attempt, &start, &history, log);
            match log.append(entry).await? {
                Append::Taken => {
                    taken = Some(log.entries().len());
                    continue;
                }
                Append::Done => {}
            }
            self.announce(&start, &restored, &history);
            let lineage = start.lineage.unwrap_or(attempt);
            let outboxes = self.outboxes(&staged, lineage, log.nonce().unwrap_or_default(), &History::of(log.entries()));
            let context = self.context(&history, start, restored, attempt, nonce);
            let (log, outboxes) = ((!outboxes.is_empty()).then(|| log.clone()), Arc::new(outboxes));
            self.status.set_outboxes(outboxes.clone());
            return Ok(Begun::Attempt(Box::new(AttemptContext { left_behind, outboxes, log, kept: staged.kept, ..context })));
        }
    }

    /// How a run ends that is told to stop before its first attempt: nothing has been written, and whoever runs the job elsewhere goes on.
    fn stopped_before_it_began(&self) -> Option<JobOutcome> {
        match self.inbox.stop_requested().filter(|_| self.nonces.is_empty())? {
            StopKind::Cancel => Some(JobOutcome::Cancelled),
            StopKind::Suspend | StopKind::SuspendForSavepoint => Some(JobOutcome::Stopped),
            StopKind::Drain => None,
        }
    }

    /// The entry of an attempt that goes on from `start`, and the attempt's nonce.
    fn attempt_entry(&mut self, attempt: AttemptId, start: &Start, history: &History, log: &mut JobLog) -> (LogEntry, String) {
        let nonce = self.draw_nonce();
        log.begin(|| self.draw_nonce());
        let of_lineage = start.lineage.and_then(|id| history.lineage(id));
        let entry = LogEntry::Attempt {
            attempt,
            nonce: nonce.clone(),
            lineage: start.lineage.unwrap_or(attempt),
            lineage_nonce: Some(of_lineage.map_or_else(|| self.draw_nonce(), |lineage| lineage.nonce.clone())),
            root: start.root.clone(),
            restored: start.restored.as_ref().map(|restored| restored.checkpoint_id),
            probation: self.tried.is_some(),
            started_ms: self.runtime.clock.wall_ms(),
        };
        self.sent.push(nonce.clone());
        (entry, nonce)
    }

    /// A name that nobody else has.
    fn draw_nonce(&self) -> String {
        format!("{:016x}", (self.runtime.seed)())
    }

    fn context(&mut self, history: &History, start: Start, restored: Restored, attempt: AttemptId, nonce: String) -> AttemptContext {
        self.nonces.push(nonce.clone());
        self.mode = StartMode::Resume;
        self.status.set_parallelism(&self.graph);
        if self.report.attempt.replace(attempt).is_none() {
            self.report.resumed_from = start.restored.as_ref().map(|restored| restored.checkpoint_id);
            self.report.from_savepoint = start.savepoint().map(str::to_owned);
        }
        AttemptContext {
            graph: self.graph.clone(),
            store: self.options.store.clone(),
            runtime: self.runtime.clone(),
            committers: self.committers.clone(),
            backends: self.options.backends.clone(),
            status: self.status.clone(),
            bases: Arc::default(),
            notice: self.options.notice.clone(),
            attempt,
            nonce,
            restored: start.restored,
            source: restored.source,
            metadata: restored.metadata,
            plan: restored.plan,
            in_flight: Mutex::new(restored.in_flight),
            config: self.options.checkpoints,
            retain: self.options.retain,
            on_trial: self.tried.as_ref().map(TriedUpgrade::vertex),
            next_checkpoint: CheckpointId(history.last_checkpoint.map_or(1, |last| last.0 + 1)),
            older_nonces: history.nonces.clone(),
            left_behind: Vec::new(),
            outboxes: Arc::default(),
            log: None,
            kept: BTreeMap::new(),
        }
    }

    /// Commits one part of a sink's output. Where it `may_be_lost`, only trouble with the storage is an error.
    async fn commit(&mut self, committable: &Committable, may_be_lost: bool) -> Result<(), EngineError> {
        self.waits_for = WaitsFor::Target(committable.connector.clone());
        let committed = crate::task::commit_all(std::slice::from_ref(committable), &self.committers).await;
        self.waits_for = WaitsFor::Storage;
        match committed {
            Err(error) if may_be_lost && error.kind() != ErrorKind::Retry => {
                (self.options.notice)(&format!("output given up: {error}"));
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Commits what the restored checkpoint covers, clears leftovers away, and stores the components.
    async fn prepare(&mut self, context: &AttemptContext) -> Result<(), EngineError> {
        let restored: Vec<Committable> = context.metadata.iter().flat_map(|metadata| metadata.committables().cloned()).collect();
        for committable in &context.left_behind {
            // Whoever starts over may have cleared the old output away.
            self.commit(committable, true).await?;
        }
        // Where a savepoint's output is now is its owner's concern, and a checkpoint behind it has committed it.
        let may_be_lost = self.options.accept_lost_output || context.restored.is_none();
        for committable in &restored {
            self.commit(committable, may_be_lost).await?;
        }
        let committables: Vec<Committable> = context.left_behind.iter().cloned().chain(restored).collect();
        let (graph, older_nonces) = (context.graph.clone(), context.older_nonces.clone());
        self.waits_for = WaitsFor::Either;
        let prepared = self.runtime.aside("prepare the sinks", async move { prepare_sinks(&graph, &older_nonces, &committables) }).await;
        self.waits_for = WaitsFor::Storage;
        prepared.unwrap_or_else(|| Err(EngineError::new(ErrorKind::Bug, "prepare the attempt: a sink panicked")))?;
        store_components(&*self.options.store, &*self.runtime.clock, &context.graph).await
    }
}

/// Clears away what attempts before this one have left in the sinks.
fn prepare_sinks(graph: &JobGraph, older_nonces: &[String], committables: &[Committable]) -> Result<(), EngineError> {
    for vertex in &graph.vertices {
        match &vertex.kind {
            VertexKind::Sink(sink) => sink.prepare_attempt(older_nonces, committables).map_err(|error| error.context(&vertex.id))?,
            VertexKind::Operator(_) | VertexKind::Source { .. } => {}
        }
    }
    Ok(())
}
