//! Ctrl-C and SIGTERM: the first stops the job after a last checkpoint, the second ends the process at once. Before the job has begun there is nothing to
//! take a checkpoint of, and the first ends the process, whatever it is doing: building, compiling, waiting for a store.
//!
//! Some senders say it twice: `timeout` signals its child and right after that the child's whole group. What comes so soon behind the first
//! signal is the first signal.

use crate::failure::{Failure, INTERRUPTED};
use crate::terminal::Screen;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use weir_engine::job::{JobControl, StopKind};
use weir_engine::runtime::{Clock, Monotonic};
use weir_engine::{EngineError, ErrorKind};

/// Nobody has read the notice and decided to stop at once before this has passed.
const SECOND_AFTER: Duration = Duration::from_millis(500);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// A last checkpoint, then the end.
    Stop,
    /// What the first signal asks for already.
    Nothing,
    /// The end, now.
    Exit,
}

/// What a signal asks for that comes so long after the first; `None`: it is the first.
fn asks(since_first: Option<Duration>) -> Asks {
    match since_first {
        None => Asks::Stop,
        Some(since) if since < SECOND_AFTER => Asks::Nothing,
        Some(_) => Asks::Exit,
    }
}

/// Keeps signals waiting until it is dropped: one that comes before somebody listens for it would end the process as if nobody ever did.
pub(crate) struct HeldSignals {
    #[cfg(unix)]
    before: Option<nix::sys::signal::SigSet>,
}

impl HeldSignals {
    /// From now on signals wait.
    pub fn begin() -> Self {
        #[cfg(unix)]
        {
            use nix::sys::signal::{SigSet, SigmaskHow, Signal};
            let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
            Self { before: signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok() }
        }
        #[cfg(not(unix))]
        Self {}
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            _ = before.thread_set_mask();
        }
    }
}

/// Listens for signals.
pub(crate) struct Signals(Arc<Mutex<Phase>>);

/// Whom a signal means.
enum Phase {
    /// The process, which has begun nothing yet.
    Before,
    /// The job, and when it was told first.
    Job { control: JobControl, clock: Arc<dyn Clock>, first: Option<Monotonic> },
}

impl Signals {
    /// From now on a signal ends the process, as one that was stopped and has done nothing. `at_end` is called before, and gives the exit code.
    pub fn listen(screen: &Screen, at_end: impl Fn() -> u8 + Send + 'static) -> Result<Self, Failure> {
        let (phase, screen) = (Arc::new(Mutex::new(Phase::Before)), screen.clone());
        let heard = phase.clone();
        let on_signal = move || match &mut *heard.lock().unwrap_or_else(PoisonError::into_inner) {
            // The lock is held to the end: no job begins meanwhile.
            Phase::Before => {
                screen.notice("stopped before the job began");
                std::process::exit(at_end().into());
            }
            Phase::Job { control, clock, first } => match asks(first.map(|first| clock.now().saturating_sub(first))) {
                Asks::Stop => {
                    *first = Some(clock.now());
                    screen.notice("stopping after a last checkpoint; once more stops at once, without one");
                    control.stop(StopKind::Suspend);
                }
                Asks::Nothing => {}
                Asks::Exit => std::process::exit(INTERRUPTED),
            },
        };
        ctrlc::set_handler(on_signal).map_err(|error| EngineError::new(ErrorKind::Bug, format!("take over Ctrl-C: {error}")))?;
        Ok(Self(phase))
    }

    /// From now on a signal stops the job that `control` speaks to.
    pub fn stop_job(&self, control: JobControl, clock: Arc<dyn Clock>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Phase::Job { control, clock, first: None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_right_behind_the_first_is_the_first_said_twice() {
        assert_eq!(asks(None), Asks::Stop);
        assert_eq!(asks(Some(Duration::from_micros(20))), Asks::Nothing);
        assert_eq!(asks(Some(Duration::from_millis(499))), Asks::Nothing);
        assert_eq!(asks(Some(SECOND_AFTER)), Asks::Exit);
        assert_eq!(asks(Some(Duration::from_secs(60))), Asks::Exit);
    }
}
