//! The process that runs the job.

use crate::context::Context;
use crate::failure::{FAILED, Failure};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use weir_engine::{EngineError, ErrorKind};

/// A process of this program that runs the job.
pub struct JobProcess(Child);

impl JobProcess {
    /// Begins the job, with what more is said behind `weir run JOB`.
    pub fn begin(job: &Path, more: &[String], context: &Context) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| EngineError::new(ErrorKind::Bug, format!("begin a process that runs the job: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        // The pipe stays open for as long as this process is there.
        command
            .arg("run")
            .arg(job)
            .args(["--until-stdin-ends", "--developed"])
            .args(more)
            .args(context.screen.quiet().then_some("--quiet"))
            .stdin(Stdio::piped());
        Ok(Self(command.spawn().map_err(failed)?))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The exit code, once it has ended.
    pub fn ended(&mut self) -> Option<u8> {
        match self.0.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.code().map_or(FAILED, |code| code as u8)),
            Err(_) => Some(FAILED),
        }
    }

    /// Sends it SIGTERM: the first stops the job behind a last checkpoint, a second ends it at once.
    pub fn signal(&mut self) {
        #[cfg(unix)]
        {
            let pid = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
            _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        #[cfg(not(unix))]
        {
            _ = self.0.kill();
        }
    }

    /// Stops the job behind a last checkpoint, and waits for that.
    pub fn stop(mut self) -> u8 {
        self.signal();
        self.0.wait().ok().and_then(|status| status.code()).map_or(FAILED, |code| code as u8)
    }
}
