//! When a failed dataflow is started again, and after how long. Pure.

use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use std::time::Duration;

/// Settings of the restart strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// The shape of the delays.
    pub strategy: RestartStrategy,
    /// Restarts without a completed checkpoint between them.
    pub attempts: u32,
    /// The first delay, or the fixed one.
    pub delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
}

/// The shape of the delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartStrategy {
    /// Never start again.
    None,
    /// The same delay each time.
    Fixed,
    /// Twice the delay each time, until a checkpoint completes.
    Exponential,
}

impl RestartStrategy {
    /// As it is written in a job file.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fixed => "fixed",
            Self::Exponential => "exponential",
        }
    }
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self { strategy: RestartStrategy::Exponential, attempts: 5, delay: Duration::from_millis(100), max_delay: Duration::from_secs(30) }
    }
}

/// The failures of one process so far.
#[derive(Clone, Debug)]
pub(in crate::job) struct Restarts {
    policy: RestartPolicy,
    in_a_row: u32,
    last_guest_fault: Option<(Option<CheckpointId>, String)>,
}

impl Restarts {
    pub fn new(policy: RestartPolicy) -> Self {
        Self { policy, in_a_row: 0, last_guest_fault: None }
    }

    /// A checkpoint has completed: the next failure is the first again.
    pub(crate) fn on_progress(&mut self) {
        self.in_a_row = 0;
    }

    /// The delay before the next attempt, or why there is none. `from`: the checkpoint that the failed attempt started from.
    pub fn on_failure(&mut self, error: &EngineError, from: Option<CheckpointId>) -> Result<Duration, String> {
        match error.kind() {
            ErrorKind::Retry | ErrorKind::Restart => {}
            ErrorKind::FixInput | ErrorKind::Corrupt | ErrorKind::Fenced | ErrorKind::Bug => return Err(String::new()),
        }
        if error.is_guest_fault() {
            let fault = (from, error.to_string());
            if self.last_guest_fault.as_ref() == Some(&fault) {
                return Err("the same guest fault from the same checkpoint twice".to_owned());
            }
            self.last_guest_fault = Some(fault);
        }
        if self.in_a_row >= self.policy.attempts {
            return Err(format!("{} restarts without a completed checkpoint between them", self.policy.attempts));
        }
        let doubled = self.policy.delay.saturating_mul(1u32.checked_shl(self.in_a_row).unwrap_or(u32::MAX));
        self.in_a_row += 1;
        match self.policy.strategy {
            RestartStrategy::None => Err("the restart strategy is `none`".to_owned()),
            RestartStrategy::Fixed => Ok(self.policy.delay),
            RestartStrategy::Exponential => Ok(doubled.min(self.policy.max_delay)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> EngineError {
        EngineError::new(ErrorKind::Restart, "lost")
    }

    #[test]
    fn delays_double_up_to_the_longest_until_a_checkpoint_completes() {
        let mut restarts = Restarts::new(RestartPolicy { max_delay: Duration::from_millis(300), ..RestartPolicy::default() });
        let delays: Vec<_> = (0..6).map(|_| restarts.on_failure(&failure(), None).ok().map(|delay| delay.as_millis())).collect();
        assert_eq!(delays, [Some(100), Some(200), Some(300), Some(300), Some(300), None]);
        restarts.on_progress();
        assert_eq!(restarts.on_failure(&failure(), None), Ok(Duration::from_millis(100)));
    }

    #[test]
    fn the_same_guest_fault_from_the_same_checkpoint_is_final_and_from_another_is_not() {
        let fault = || EngineError::new(ErrorKind::Restart, "trap").from_guest();
        let mut restarts = Restarts::new(RestartPolicy::default());
        assert!(restarts.on_failure(&fault(), None).is_ok());
        assert!(restarts.on_failure(&fault(), Some(CheckpointId(3))).is_ok());
        assert!(restarts.on_failure(&fault(), Some(CheckpointId(3))).is_err());
    }

    #[test]
    fn what_a_restart_cannot_mend_is_final() {
        for kind in [ErrorKind::FixInput, ErrorKind::Corrupt, ErrorKind::Fenced, ErrorKind::Bug] {
            assert!(Restarts::new(RestartPolicy::default()).on_failure(&EngineError::new(kind, "x"), None).is_err());
        }
    }
}
