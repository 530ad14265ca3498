//! The process that examines one plugin: it bounds itself before it reads anything, works on one thread with a stack of a fixed size, writes its answer to
//! standard output and is gone. It writes nothing else, and outlives the process that started it by nothing.
//!
//! It is started as `weir compile-plugin TASK MODE CPU-MS MEMORY BYTES [FUNCTIONS]`, with the plugin's bytes on standard input, which then stays open: its end is the
//! end of whoever waits. FUNCTIONS is the file of what was compiled of an earlier version of the plugin.

use super::examine::{Task, examine};
use super::wire::Answer;
use crate::engine::{EngineMode, WasmEngine};
use crate::pack::{PLUGIN_BYTES, Problem};
use std::any::Any;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;

/// The hidden command.
const COMMAND: &str = "compile-plugin";
/// Arguments that there are always.
const ARGS: usize = 6;
/// The stack of the thread that does the work. Whoever recurses deeper than this does so because a file says so.
pub(super) const STACK_BYTES: usize = 8 << 20;
/// Address space beside what is bounded: thread stacks, the allocator's own, and the memory of an instance that describes itself.
#[cfg(unix)]
const DATA_BYTES: u64 = crate::plugin::DESCRIBE_MEMORY + (128 << 20);

/// The exit code of a process whose request or parent went away.
const LOST: u8 = 3;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) task: Task,
    pub(super) mode: EngineMode,
    pub(super) cpu_ms: u64,
    pub(super) memory: u64,
    /// Bytes of the plugin.
    pub(super) bytes: u64,
    /// Where compiled functions are kept.
    pub(super) functions: Option<PathBuf>,
}

impl Request {
    /// The arguments behind the program.
    pub(super) fn to_args(&self) -> Vec<OsString> {
        let mode = match self.mode {
            EngineMode::Epoch => "epoch",
            EngineMode::Fuel => "fuel",
            EngineMode::EpochAndFuel => "epoch-and-fuel",
        };
        let numbers = [self.cpu_ms, self.memory, self.bytes].map(|number| number.to_string());
        let words = [COMMAND, self.task.name(), mode].map(OsString::from);
        let functions = self.functions.clone().map(PathBuf::into_os_string);
        words.into_iter().chain(numbers.map(OsString::from)).chain(functions).collect()
    }

    /// What [`Request::to_args`] wrote; `None` for any other command line.
    pub(super) fn of_args(args: &[OsString]) -> Option<Self> {
        let (args, functions) = match args {
            [args @ .., functions] if args.len() == ARGS => (args, Some(PathBuf::from(functions))),
            args => (args, None),
        };
        let texts: Vec<&str> = args.iter().map(|arg| arg.to_str()).collect::<Option<_>>()?;
        let [COMMAND, task, mode, cpu, memory, bytes] = texts[..] else { return None };
        let mode = match mode {
            "epoch" => EngineMode::Epoch,
            "fuel" => EngineMode::Fuel,
            "epoch-and-fuel" => EngineMode::EpochAndFuel,
            _ => return None,
        };
        Some(Self {
            task: Task::ALL.into_iter().find(|known| known.name() == task)?,
            mode,
            cpu_ms: cpu.parse().ok()?,
            memory: memory.parse().ok()?,
            bytes: bytes.parse().ok().filter(|bytes| *bytes <= PLUGIN_BYTES)?,
            functions,
        })
    }
}

/// Examines a plugin where the command line `args` (the program's name first) is that of such a process, and returns its exit code; `None` where it is any
/// other. A program that starts plugins in processes of its own calls this before anything else.
pub fn compile_child(args: &[OsString]) -> Option<u8> {
    let request = Request::of_args(args.get(1..)?)?;
    Some(serve(&request).unwrap_or(LOST))
}

fn serve(request: &Request) -> std::io::Result<u8> {
    bound_self(request)?;
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(request.bytes).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != request.bytes {
        return Ok(LOST);
    }
    std::thread::Builder::new().name("lifeline".into()).spawn(end_with_the_parent)?;
    let (task, mode) = (request.task, request.mode);
    // What an earlier version left takes no memory from this one's compilation.
    let functions = request.functions.clone().filter(|_| task == Task::Compile).map(|file| (file, request.memory / 4));
    let work = move || {
        let (answer, functions) = match WasmEngine::of_compiler(mode, functions.as_ref().map(|(file, most)| (file.as_path(), *most))) {
            Ok((engine, functions)) => (examine(task, &bytes, &engine), functions),
            Err(error) => (Answer::Refused(vec![Problem::new(error.to_string())]), None),
        };
        if let (Answer::Fits(_), Some(functions)) = (&answer, functions) {
            // Trouble costs time, the next time.
            _ = functions.keep();
        }
        answer
    };
    let worker = std::thread::Builder::new().name("compile".into()).stack_size(STACK_BYTES).spawn(work)?;
    let answer = worker.join().unwrap_or_else(|panic| Answer::Refused(vec![panicked(&*panic)]));
    let mut out = std::io::stdout().lock();
    answer.write(&mut out)?;
    out.flush()?;
    Ok(0)
}

/// A parser that gave up on what it read.
fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let said = crate::guest_text::printable(said.unwrap_or("a panic without words"), 500);
    Problem::new(format!("what reads it gave up: {said}")).hint("build it again; where that does not help, weir should refuse it better")
}

/// Standard input ends when nobody waits for the answer any more.
fn end_with_the_parent() {
    let mut rest = [0; 16];
    while std::io::stdin().lock().read(&mut rest).is_ok_and(|read| read > 0) {}
    std::process::exit(i32::from(LOST));
}

#[cfg(unix)]
fn bound_self(request: &Request) -> std::io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let bound = |resource: Resource, soft: u64, hard: u64| {
        let (_, most) = getrlimit(resource)?;
        setrlimit(resource, soft.min(most), hard.min(most))
    };
    let cpu_s = request.cpu_ms.div_ceil(1_000);
    bound(Resource::RLIMIT_CORE, 0, 0)?;
    // The soft limit says by its signal what it was; the hard one cannot be caught.
    bound(Resource::RLIMIT_CPU, cpu_s, cpu_s.saturating_add(1))?;
    let data = request.memory.saturating_add(DATA_BYTES);
    bound(Resource::RLIMIT_DATA, data, data)?;
    #[cfg(target_os = "linux")]
    {
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
        // Where memory runs out all the same, the job beside this process is worth more.
        _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    }
    Ok(())
}

#[cfg(not(unix))]
fn bound_self(_: &Request) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_read_as_it_was_written_and_no_other_is() {
        let request = Request { task: Task::Pack, mode: EngineMode::Fuel, cpu_ms: 5_000, memory: 1 << 29, bytes: 168, functions: None };
        let mut args = request.to_args();
        assert_eq!(Request::of_args(&args), Some(request.clone()));
        let keeping = Request { functions: Some("a folder/one.functions".into()), ..request };
        assert_eq!(Request::of_args(&keeping.to_args()), Some(keeping));
        args[5] = (PLUGIN_BYTES + 1).to_string().into();
        assert_eq!(Request::of_args(&args), None);
        let line = |line: &str| line.split(' ').map(Into::into).collect::<Vec<OsString>>();
        for other in ["run job.toml", "compile-plugin", "compile-plugin melt fuel 1 1 1", "compile-plugin pack fuel 1 1 x"] {
            assert_eq!(Request::of_args(&line(other)), None, "{other}");
        }
    }
}
