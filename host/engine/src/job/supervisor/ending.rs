//! The end of a job: what it ends with, where a run would go on, and who is told.

use super::Supervisor;
use crate::checkpoint::JobLog;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::context::{AttemptEnd, WaitsFor};
use crate::job::control::StopKind;
use crate::job::history::History;
use crate::job::options::JobOutcome;
use crate::job::{ResumePoint, StartMode};

impl Supervisor {
    /// How a job ends whose attempt came to `end`, and whose storage does not answer meanwhile: no other attempt follows.
    pub(super) fn ended_without_the_log(&self, end: AttemptEnd) -> Result<JobOutcome, EngineError> {
        match end {
            AttemptEnd::Stopped => Ok(JobOutcome::Stopped),
            AttemptEnd::StopGivenUp(error) => Err(self.naming_where_a_run_resumes(error)),
            AttemptEnd::Finished | AttemptEnd::NotLeft(_) | AttemptEnd::Cancelled | AttemptEnd::Redeploy(_) | AttemptEnd::Failed(_) => {
                Ok(JobOutcome::Cancelled)
            }
        }
    }

    /// How a job ends whose stop should have been over.
    pub(super) fn overdue(&self, kind: StopKind) -> Result<JobOutcome, EngineError> {
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
    pub(super) async fn given_up(&mut self, log: &mut JobLog, error: EngineError) -> EngineError {
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
    pub(super) fn naming_where_a_run_resumes(&self, error: EngineError) -> EngineError {
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
    pub(super) fn tell_of_the_end(&mut self, outcome: &JobOutcome) {
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
}
