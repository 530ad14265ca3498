//! Starts the process that examines a plugin, hands it the file, and waits: for its answer, for a bound that it passes, or for whoever gives up waiting.
//!
//! The process sets the same bounds on itself. This side knows which of them it was, sees them pass to the hundredth of a second, and counts the
//! time on the clock, which nobody else does. However the waiting ends, the process is gone.

use super::budget::Budget;
use super::cache::FUNCTIONS_SUFFIX;
use super::child::Request;
use super::ended::{Death, Exceeded, died, exceeded, passed, seconds};
use super::examine::Task;
use super::private_dir::private_dir;
use super::usage::usage;
use super::wire::Answer;
use super::{Source, Unfit};
use crate::engine::{CompileCache, EngineMode};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::Builder;
use std::time::{Duration, Instant};
use weir_engine::{EngineError, ErrorKind};
use xxhash_rust::xxh3::xxh3_64;

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// What takes longer is said.
const SAY_AFTER: Duration = Duration::from_secs(1);
/// A process that has answered ends at once.
const END_WITHIN: Duration = Duration::from_secs(1);
/// What is kept of its standard error.
const SAID_BYTES: usize = 8 << 10;
/// Threads that compile. Each takes memory, and a job may be running beside them.
const THREADS: usize = 4;

/// How processes that examine plugins are started. Cheap to clone.
#[derive(Clone)]
pub struct ChildProcess {
    program: PathBuf,
    stop: CompileStop,
    say: Arc<dyn Fn(&str) + Send + Sync>,
    /// Where compiled functions are kept.
    functions: Option<PathBuf>,
}

/// Ends the processes that examine plugins, and lets none begin any more: a process that stops waits for none of them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CompileStop(Arc<AtomicBool>);

impl CompileStop {
    /// Stops them.
    pub fn stop(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether they have been stopped.
    pub fn stopped(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl std::fmt::Debug for ChildProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChildProcess").field("program", &self.program).finish_non_exhaustive()
    }
}

impl ChildProcess {
    /// Starts `program`, whose `main` calls [`super::compile_child`]. `say` is told of what takes long.
    pub fn of(program: &Path, stop: CompileStop, say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { program: program.to_owned(), stop, say: Arc::new(say), functions: None }
    }

    /// Starts this process's own program, also where its file has been replaced since.
    pub fn of_this_program(stop: CompileStop, say: impl Fn(&str) + Send + Sync + 'static) -> Result<Self, EngineError> {
        let own = Path::new("/proc/self/exe");
        if cfg!(target_os = "linux") && own.exists() {
            return Ok(Self::of(own, stop, say));
        }
        let program = std::env::current_exe()
            .map_err(|error| EngineError::new(ErrorKind::Bug, format!("find this program's file, to compile plugins with: {error}")))?;
        Ok(Self::of(&program, stop, say))
    }

    /// Keeps compiled functions between compilations of plugins of one name in one working folder, where `cache` is. For plugins that are being written. Where that
    /// cannot be, everything is compiled each time.
    pub fn keeping_functions(self, cache: &CompileCache) -> Self {
        Self { functions: cache.folder().and_then(|folder| private_dir(&folder).ok()), ..self }
    }

    /// Has a process do `task`.
    pub(super) fn run(&self, task: Task, mode: EngineMode, source: &Source<'_>, budget: &Budget) -> Result<Answer, Unfit> {
        let failed = |what: &str, error: io::Error| {
            let message = format!("load plugin {}: {what} the process that examines it: {error}", source.name);
            Unfit::Failed(EngineError::new(ErrorKind::Retry, message))
        };
        // Nothing begins where it has ended: a short examination would be over before anybody looks.
        let stopped = || {
            let message = format!("load plugin {}: it was not examined to the end, because weir is stopping", source.name);
            Unfit::Failed(EngineError::new(ErrorKind::Restart, message))
        };
        if self.stop.stopped() {
            return Err(stopped());
        }
        let cpu_ms = u64::try_from(budget.cpu.as_millis()).unwrap_or(u64::MAX);
        let request = Request {
            task,
            mode,
            cpu_ms,
            memory: budget.memory,
            bytes: source.bytes.len() as u64,
            functions: self.functions_of(source, mode),
        };
        let child = self.command(&request).spawn().map_err(|error| failed("start", error))?;
        let ended = self.attend(Attended(child), source, budget).map_err(|error| failed("wait for", error))?;
        match ended {
            Ended::Stopped => Err(stopped()),
            Ended::Exceeded(bound) => Err(exceeded(bound, budget).into()),
            Ended::Itself { answer, said, status } => match Answer::decode(answer) {
                Some(answer) if status.success() => Ok(answer),
                Some(_) | None => Err(died(&death(status, &said), budget).into()),
            },
        }
    }

    /// The file of one plugin's functions, as they are compiled in one mode.
    fn functions_of(&self, source: &Source<'_>, mode: EngineMode) -> Option<PathBuf> {
        let plugin = std::env::current_dir().unwrap_or_default().join(source.name);
        let name = format!("{:016x}-{mode:?}{FUNCTIONS_SUFFIX}", xxh3_64(plugin.as_os_str().as_encoded_bytes()));
        self.functions.as_ref().map(|folder| folder.join(name))
    }

    fn command(&self, request: &Request) -> Command {
        let mut command = Command::new(&self.program);
        command.args(request.to_args()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What it does depends on the file alone. The linker's path is how some systems start a program at all.
        let kept = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SystemRoot", "LLVM_PROFILE_FILE"];
        let kept: Vec<_> = kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))).collect();
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS));
        command.env_clear().envs(kept).env("RAYON_NUM_THREADS", threads.to_string());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // A Ctrl-C on the terminal is for weir, which decides what becomes of this.
            command.process_group(0).arg0("weir");
        }
        command
    }

    fn attend(&self, mut child: Attended, source: &Source<'_>, budget: &Budget) -> io::Result<Ended> {
        let began = now();
        let pipes = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else { unreachable!("all three are pipes") };
        let (answered, done) = mpsc::channel();
        std::thread::scope(|scope| {
            // It stays open until the process has ended: its end would be the end of the process.
            let lifeline = Builder::new().spawn_scoped(scope, move || {
                _ = stdin.write_all(source.bytes);
                stdin
            });
            let said = Builder::new().spawn_scoped(scope, move || end_of(stderr));
            let answer = Builder::new().spawn_scoped(scope, move || {
                let mut bytes = Vec::new();
                let read = stdout.take(budget.answer + 1).read_to_end(&mut bytes).map(|_| bytes);
                _ = answered.send(());
                read
            });
            let waited = self.wait(&mut child, (&done, began), (source, budget));
            // Whatever came of the waiting, and of starting these threads, they end with the process.
            let status = child.end();
            let (lifeline, said, answer) = (lifeline?, said?, answer?);
            let said = said.join().unwrap_or_default();
            let answer = answer.join().unwrap_or_else(|_| Ok(Vec::new()))?;
            drop(lifeline.join());
            Ok(match waited {
                Some(ended) => ended,
                None if answer.len() as u64 > budget.answer => Ended::Exceeded(Exceeded::Answer),
                None => Ended::Itself { answer, said, status: status? },
            })
        })
    }

    /// Until its answer is complete: then `None`.
    fn wait(
        &self,
        child: &mut Attended,
        (answered, began): (&Receiver<()>, Instant),
        (source, budget): (&Source<'_>, &Budget),
    ) -> Option<Ended> {
        let mut told = false;
        loop {
            match answered.recv_timeout(LOOK) {
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.stop.stopped() {
                return Some(Ended::Stopped);
            }
            let since = now() - began;
            if let Some(bound) = passed(usage(child.0.id()), since, budget) {
                return Some(Ended::Exceeded(bound));
            }
            if !told && since > SAY_AFTER {
                told = true;
                (self.say)(&format!("{}: compiling, which may take up to {} of processor time", source.name, seconds(budget.cpu)));
            }
        }
        // An answer that is complete, or cut off by a death that is to be told from a kill.
        let end_by = now() + END_WITHIN;
        while now() < end_by && matches!(child.0.try_wait(), Ok(None)) {
            _ = answered.recv_timeout(LOOK);
            std::thread::park_timeout(Duration::from_millis(1));
        }
        None
    }
}

/// How the waiting ended.
enum Ended {
    /// Nobody wants to know any more.
    Stopped,
    /// The process had to be ended.
    Exceeded(Exceeded),
    /// It ended itself.
    Itself { answer: Vec<u8>, said: String, status: ExitStatus },
}

/// A process that does not outlive this.
struct Attended(Child);

impl Attended {
    /// Ends it where it has not ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.0.try_wait()? {
            return Ok(status);
        }
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        _ = self.end();
    }
}

/// The last of what a process says.
fn end_of(mut pipe: impl Read) -> String {
    let mut said = Vec::new();
    let mut chunk = [0; 4 << 10];
    while let Ok(read @ 1..) = pipe.read(&mut chunk) {
        said.extend_from_slice(&chunk[..read]);
        said.drain(..said.len().saturating_sub(SAID_BYTES));
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn death(status: ExitStatus, said: &str) -> Death {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    Death { signal, code: status.code(), said: said.to_owned() }
}

#[expect(clippy::disallowed_methods, reason = "a process of the operating system is waited for in its time; simulations start none")]
fn now() -> Instant {
    Instant::now()
}
