//! `weir dev`: a job that runs, and what was saved meanwhile of its plugins and of its file.
//!
//! The job runs in a process of its own, as `weir run` runs it, and is spoken to as any running job: a plugin that was built anew is an upgrade whose probation
//! ends at its first checkpoint, a job file that was saved a stop behind a last checkpoint and a run that goes on from there. So nothing holds for this command alone, and
//! what fails here fails a process that is begun again.
//!
//! Files are looked at, and not listened to: a few times a second, which every file system and every editor's way to save serves.

mod file;
mod going_back;
mod job_process;
mod kept;
mod saved;
mod swap;

use crate::args::DevArgs;
use crate::client::JobClient;
use crate::context::Context;
use crate::failure::{Failure, INTERRUPTED};
use job_process::JobProcess;
use saved::Dev;
use std::io::{BufRead, IsTerminal};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// For how many looks another process that runs the job is waited for: one whose developer was killed is about to stop.
const LOOKS_FOR_ANOTHER: u32 = 30;

/// What comes while files are looked at.
enum Event {
    /// Ctrl-C, or SIGTERM.
    Stop,
    /// A line at the keyboard.
    Line(String),
}

/// Runs the job until it is told to stop.
pub(super) fn dev(context: &Context, args: &DevArgs) -> Result<u8, Failure> {
    let events = listen()?;
    if wait_for_another(args, &events)? {
        return Ok(INTERRUPTED as u8);
    }
    let mut dev = Dev::new(context, args)?;
    loop {
        match events.recv_timeout(LOOK) {
            Ok(Event::Line(line)) => dev.answer(line.trim()),
            Err(RecvTimeoutError::Timeout) => dev.look(),
            Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(dev.process.map_or(0, |process| end(process, &events)))
}

/// Two who develop one job would take it from each other with whatever is saved: the second is refused. True: it was stopped.
fn wait_for_another(args: &DevArgs, events: &Receiver<Event>) -> Result<bool, Failure> {
    for look in 0.. {
        let Some(other) = JobClient::look_for(&args.job.display().to_string())? else { break };
        let pid = other.registered.pid;
        if look == LOOKS_FOR_ANOTHER {
            let message = format!("process {pid} runs this job already: one of the two would take it from the other");
            let hint = format!("stop it where it runs, or by `kill {pid}`, which takes a last checkpoint");
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint).into());
        }
        if let Ok(Event::Stop) = events.recv_timeout(LOOK) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn listen() -> Result<Receiver<Event>, Failure> {
    let (sender, events) = mpsc::channel();
    let signals = sender.clone();
    ctrlc::set_handler(move || _ = signals.send(Event::Stop))
        .map_err(|error| EngineError::new(ErrorKind::Bug, format!("listen for signals: {error}")))?;
    if std::io::stdin().is_terminal() {
        let read = move || _ = std::io::stdin().lock().lines().map_while(Result::ok).all(|line| sender.send(Event::Line(line)).is_ok());
        let reader = std::thread::Builder::new().name("keyboard".into()).spawn(read);
        reader.map_err(|error| EngineError::new(ErrorKind::Bug, format!("listen to the keyboard: {error}")))?;
    }
    Ok(events)
}

/// Stops the job as the signal asks for, and a second one at once. The job's exit code.
fn end(mut process: JobProcess, events: &Receiver<Event>) -> u8 {
    process.signal();
    loop {
        if let Some(code) = process.ended() {
            return code;
        }
        if let Ok(Event::Stop) = events.recv_timeout(LOOK) {
            process.signal();
        }
    }
}
