//! The end of an attempt: who is told of it, and how long its tasks and the log are waited for.

use super::{Attempt, LastCheckpoint};
use crate::checkpoint::{BARRIER_MAX, JobLog};
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::context::{AttemptContext, AttemptEnd, Session, WaitsFor, inside_calls};
use crate::job::control::JobInbox;
use crate::runtime::{Clock, TaskGroup};
use futures_util::FutureExt;
use futures_util::future::{Either, join, select};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::oneshot;

/// A process that ends does not wait longer for what its tasks are at: one may be inside a long call, and what it does there is thrown away.
pub(in crate::job) const LEAVE_MAX: Duration = Duration::from_millis(300);

/// Waits for what is left of an attempt that came to `end`, as far as that waits for anything: its tasks, which have been told to leave, and `log`, which
/// the log writer hands back.
pub(super) async fn leave(
    context: &AttemptContext,
    end: AttemptEnd,
    group: &TaskGroup,
    log: oneshot::Receiver<JobLog>,
    session: Session<'_>,
) -> (AttemptEnd, Option<JobLog>) {
    let log = async { log.await.expect("the log writer hands the log back") };
    let clock = &context.runtime.clock;
    let no_longer = |most: Duration| clock.sleep_until(clock.now() + most);
    *session.waits_for = WaitsFor::Tasks(group.clone());
    let end = if end.another_may_follow() { end.after(&left(group, session.inbox, &**clock).await) } else { end };
    *session.waits_for = if matches!(end, AttemptEnd::Stopped) { WaitsFor::Nothing } else { WaitsFor::Storage };
    let log = match &end {
        AttemptEnd::Redeploy(_) | AttemptEnd::Failed(_) | AttemptEnd::NotLeft(_) => Some(log.await),
        AttemptEnd::Finished => Some(join(group.ended(), log).await.1),
        // What is left of a stop is to delete what the last checkpoint has made superfluous, which the next run does as well.
        AttemptEnd::Stopped => {
            match select(join(select(group.ended().boxed(), no_longer(LEAVE_MAX)), log).boxed(), no_longer(BARRIER_MAX)).await {
                Either::Left(((_, log), _)) => Some(log),
                Either::Right(_) => None,
            }
        }
        AttemptEnd::StopGivenUp(_) | AttemptEnd::Cancelled => match select(join(group.ended(), log).boxed(), no_longer(LEAVE_MAX)).await {
            Either::Left(((_, log), _)) => Some(log),
            Either::Right(_) => None,
        },
    };
    (end, log)
}

/// Waits until the tasks of an attempt that is over have left, but no longer than [`BARRIER_MAX`] behind a stop: the next attempt would have to wait for them, and one
/// may be inside a long call. The names of those that have not left.
async fn left(group: &TaskGroup, inbox: &JobInbox, clock: &dyn Clock) -> Vec<String> {
    let long_enough = async {
        inbox.stopped().await;
        clock.sleep_until(clock.now().saturating_add(BARRIER_MAX)).await;
    };
    match select(pin!(group.ended()), pin!(long_enough)).await {
        Either::Left(_) => Vec::new(),
        Either::Right(_) => group.running(),
    }
}

impl AttemptEnd {
    /// True where the job may go on in another attempt, which begins when no task of this one is left.
    fn another_may_follow(&self) -> bool {
        match self {
            Self::Redeploy(_) | Self::Failed(_) => true,
            Self::Finished | Self::Stopped | Self::StopGivenUp(_) | Self::NotLeft(_) | Self::Cancelled => false,
        }
    }

    /// The same where these tasks have not left in the time that a stop gives them: then none follows.
    fn after(self, late: &[String]) -> Self {
        if late.is_empty() {
            return self;
        }
        let hint = "`time-per-batch` in the `limits` of a step bounds how long a call may take";
        let not_left = |error: EngineError| Self::NotLeft(error.context(format!("stop the job: {}", inside_calls(late))).with_hint(hint));
        match self {
            Self::Failed(error) => not_left(error),
            Self::Redeploy(redeploy) => {
                let error = EngineError::new(ErrorKind::Restart, "the job was about to change over");
                redeploy.over(error.clone());
                not_left(error)
            }
            Self::Finished | Self::Stopped | Self::StopGivenUp(_) | Self::NotLeft(_) | Self::Cancelled => self,
        }
    }
}

impl Attempt<'_> {
    /// Answers whoever has asked for something that this attempt has not come to.
    pub(super) fn tell_of_the_end(&mut self, end: &AttemptEnd) {
        let why = match end {
            AttemptEnd::Failed(error) | AttemptEnd::StopGivenUp(error) | AttemptEnd::NotLeft(error) => error.clone(),
            AttemptEnd::Redeploy(_) => EngineError::new(ErrorKind::Retry, "the job changes over to another shape"),
            AttemptEnd::Finished | AttemptEnd::Stopped => EngineError::new(ErrorKind::Restart, "the job has ended"),
            AttemptEnd::Cancelled => EngineError::new(ErrorKind::Restart, "the job was cancelled"),
        };
        self.awaited.on_attempt_over(&why);
        if let Some(redeploy) = self.redeploy.take() {
            redeploy.over(why);
        }
    }

    pub(super) fn given_up(&self, reason: &str) -> EngineError {
        let after = self.context.config.stop_timeout;
        let message = match &self.last {
            Some(LastCheckpoint { checkpoint_id, .. }) => {
                format!("stop the job: checkpoint {checkpoint_id} is complete, but its output is not all committed ({reason})")
            }
            None => {
                let stands = self.context.outboxes.what_stops_sinks().map(|what| format!("{what}; ")).unwrap_or_default();
                format!("stop the job: its last checkpoint is given up after {after:?} ({stands}{reason})")
            }
        };
        EngineError::new(ErrorKind::Restart, message).with_hint("`stop-timeout` in [checkpoints] gives a stop more time")
    }
}
