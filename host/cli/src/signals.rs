//! Ctrl-C and SIGTERM: the first stops the job after a last checkpoint, the second ends the process at once.
//!
//! Some senders say it twice: `timeout` signals its child and right after that the child's whole group. What comes so soon behind the first
//! signal is the first signal.

use crate::failure::{Failure, INTERRUPTED};
use crate::screen::Screen;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use weir_engine::job::{JobControl, StopKind};
use weir_engine::runtime::Clock;
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

/// Stops the job that `control` speaks to at the first Ctrl-C.
pub(crate) fn stop_on_signals(control: JobControl, screen: &Screen, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let (first, screen) = (Mutex::new(None), screen.clone());
    let on_signal = move || {
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        match asks(first.map(|first| clock.now().saturating_sub(first))) {
            Asks::Stop => {
                *first = Some(clock.now());
                screen.notice("stopping after a last checkpoint; once more stops at once, without one");
                control.stop(StopKind::Suspend);
            }
            Asks::Nothing => {}
            Asks::Exit => std::process::exit(INTERRUPTED),
        }
    };
    ctrlc::set_handler(on_signal).map_err(|error| EngineError::new(ErrorKind::Bug, format!("take over Ctrl-C: {error}")))?;
    Ok(())
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
