//! One process of `weir`: started, waited for, sent signals. Its streams go into files, so that nothing has to read along.

use super::Ended;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a test waits for what has to happen. Far longer than it takes: a loaded machine is no failure.
const PATIENCE: Duration = Duration::from_secs(90);
/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What a process is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// What Ctrl-C sends.
    Interrupt,
    /// What a service manager sends.
    Terminate,
    /// Holds the process wherever it is.
    Pause,
    /// Lets a process that is held go on.
    Continue,
}

/// A running process. Dropping it kills it.
pub struct Running {
    child: Child,
    line: String,
    stdout: File,
    stderr: File,
}

impl Running {
    /// Starts `command`, which `line` stands for in messages.
    pub fn start(command: Command, line: &str) -> Self {
        Self::start_reading(command, line, Stdio::null())
    }

    /// The same, with a standard input.
    pub fn start_reading(mut command: Command, line: &str, stdin: Stdio) -> Self {
        let file = || tempfile::tempfile().expect("a file for a stream");
        let (stdout, stderr) = (file(), file());
        let end = |file: &File| Stdio::from(file.try_clone().expect("a second handle"));
        command.stdin(stdin).stdout(end(&stdout)).stderr(end(&stderr));
        let child = command.spawn().unwrap_or_else(|error| panic!("start `{line}`: {error}"));
        Self { child, line: line.to_owned(), stdout, stderr }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// True until the process has ended.
    pub fn runs(&mut self) -> bool {
        self.status().is_none()
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child can be asked for")
    }

    /// Waits until `condition` holds; false where the process ends before.
    pub fn runs_until(&mut self, what: &str, mut condition: impl FnMut() -> bool) -> bool {
        let mut runs = true;
        let (line, stderr) = (self.line.clone(), self.stderr.try_clone().expect("a second handle"));
        let by = || format!("{what}, by `{line}`, which says: {}", read_of(&stderr));
        wait(by, || {
            runs = self.runs();
            !runs || condition()
        });
        runs
    }

    /// What it has said on standard error.
    pub fn said(&self) -> String {
        read_of(&self.stderr)
    }

    /// Waits until it says this behind the first `heard` bytes of what it has said, which then end there. False where it ends before.
    pub fn says(&mut self, what: &str, heard: &mut usize) -> bool {
        let (mut runs, mut found) = (true, None);
        let line = self.line.clone();
        wait_until(&format!("`{what}`, by `{line}`"), || {
            runs = self.runs();
            let said = self.said();
            found = said.get(*heard..).and_then(|said| said.find(what)).map(|place| *heard + place + what.len());
            !runs || found.is_some()
        });
        *heard = found.unwrap_or(*heard);
        found.is_some()
    }

    /// Lets the process run for this long; false where it ends before.
    #[expect(clippy::disallowed_methods, reason = "a process that is killed at a random moment runs in real time")]
    pub fn runs_for(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while self.runs() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
        false
    }

    /// SIGKILL. True where it is what ended the process.
    pub fn kill(mut self) -> bool {
        self.child.kill().expect("a child can be killed");
        // Only a process that was killed has no exit code.
        self.child.wait().expect("a killed child ends").code().is_none()
    }

    /// Waits until a SIGTERM would not simply end the process: it holds it back, or listens for it.
    pub fn hears_signals(&mut self) -> bool {
        let status = format!("/proc/{}/status", self.child.id());
        let bit = |line: &str| {
            line.split_whitespace().nth(1).and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask >> 14 & 1 == 1)
        };
        let hears = |line: &str| (line.starts_with("SigBlk:") || line.starts_with("SigCgt:")) && bit(line);
        self.runs_until("it hears signals", || std::fs::read_to_string(&status).is_ok_and(|text| text.lines().any(hears)))
    }

    /// Sends a signal that does not end the process by force.
    pub fn send(&self, signal: Signal) {
        let name = match signal {
            Signal::Interrupt => "-INT",
            Signal::Terminate => "-TERM",
            Signal::Pause => "-STOP",
            Signal::Continue => "-CONT",
        };
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("the command `kill` is there").success(), "send {name} to `{}`", self.line);
    }

    /// Waits for the end of the process.
    pub fn ended(mut self) -> Ended {
        let line = self.line.clone();
        wait_until(&format!("the end of `{line}`"), || !self.runs());
        let status = self.status().expect("ended");
        Ended { line, code: status.code(), stdout: text(&mut self.stdout), stderr: text(&mut self.stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("what a process wrote can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a process has written so far. Its own writing goes on where it was: nothing is sought here.
fn read_of(file: &File) -> String {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; file.metadata().map_or(0, |file| file.len() as usize)];
    let read = file.read_at(&mut bytes, 0).unwrap_or(0);
    bytes.truncate(read);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits until `condition` holds, and fails the test where it never does.
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait(|| what.to_owned(), condition);
}

#[track_caller]
#[expect(clippy::disallowed_methods, reason = "processes are watched in real time")]
fn wait(what: impl Fn() -> String, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {}", what());
        std::thread::sleep(LOOK_EVERY);
    }
}
