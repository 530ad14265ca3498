//! Runs a job: attempt after attempt from the newest completed checkpoint, until it is finished, stopped, or beyond help.

mod begin;
mod ending;
mod lost_entries;
mod outboxes;
mod prepare;
mod redeploy;
pub(in crate::job) mod restart;
mod resume;
mod targets;

use crate::checkpoint::{JobLog, stop_max};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::change::TriedUpgrade;
use crate::job::attempt::context::{AttemptContext, AttemptEnd, OldShape, Redeployed, Session, WaitsFor};
use crate::job::attempt::{LEAVE_MAX, run_attempt};
use crate::job::control::{JobInbox, StopKind};
use crate::job::history::start::Origin;
use crate::job::history::{History, fenced};
use crate::job::options::{JobOptions, JobOutcome, JobReport};
use crate::job::supervisor::begin::Begun;
use crate::job::supervisor::restart::Restarts;
use crate::job::{JobGraph, JobStatus, QuarantineCommitter, ShownFailure, StartMode};
use crate::outbox::Decisions;
use crate::runtime::{Monotonic, Runtime};
use crate::sink::{Committer, Committers};
use futures_util::future::{Either, select};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
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
    let stop_max = stop_max(supervisor.options.checkpoints.stop_timeout);
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
                    let (end, back) = self.attempt(&context, log).await;
                    let Some(back) = back else { return self.ended_without_the_log(end) };
                    log = back;
                    self.look_at(&History::of(log.entries()), &StartMode::Resume);
                    end
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

    async fn attempt(&mut self, context: &AttemptContext, log: JobLog) -> (AttemptEnd, Option<JobLog>) {
        let Self { inbox, graph, tried, redeployed, unproven, stop_began, waits_for, .. } = self;
        let session = Session { inbox, graph, tried, redeployed, unproven, stop_began, waits_for };
        let ended = run_attempt(context, log, session).await;
        self.waits_for = WaitsFor::Storage;
        ended
    }

    fn look_at(&mut self, history: &History, mode: &StartMode) {
        self.newest = history.origin(mode).ok();
        self.unread = CheckpointId(history.last_checkpoint.map_or(0, |last| last.0 + 1));
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
        let (at_ms, hint) = (self.runtime.clock.wall_ms(), error.hint().map(str::to_owned));
        let record = error.record().cloned();
        self.status.on_failure(ShownFailure { at_ms, message: error.to_string(), hint, record });
        (self.options.notice)(&format!("restarting in {delay:?}: {error}"));
        // A stop does not wait: the next attempt sees to it at once.
        let (inbox, mut delay) = (&mut self.inbox, self.runtime.clock.sleep_until(self.runtime.clock.now() + delay));
        poll_fn(|cx| if inbox.poll_stop(stopping, cx).is_ready() { Poll::Ready(()) } else { delay.as_mut().poll(cx) }).await;
        Ok(())
    }
}
