//! Ctrl-C and SIGTERM: the first stops the job after a last checkpoint, the second ends the process at once.

use crate::failure::{Failure, INTERRUPTED};
use crate::screen::Screen;
use std::sync::atomic::{AtomicBool, Ordering};
use weir_engine::job::StopSignal;
use weir_engine::{EngineError, ErrorKind};

/// A stop signal that the first Ctrl-C sets off.
pub(crate) fn stop_on_signals(screen: &Screen) -> Result<StopSignal, Failure> {
    let (sender, stop) = StopSignal::new();
    let (asked, screen) = (AtomicBool::new(false), screen.clone());
    let on_signal = move || {
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
        screen.notice("stopping after a last checkpoint; once more stops at once, without one");
        // Nobody listens any more once the job has ended.
        _ = sender.send(true);
    };
    ctrlc::set_handler(on_signal).map_err(|error| EngineError::new(ErrorKind::Bug, format!("take over Ctrl-C: {error}")))?;
    Ok(stop)
}
