//! Builds a project's component: the language's compiler makes it, or a core module that weir packs.

use super::{Project, failed};
use crate::failure::Failure;
use crate::plugins::noted_beside;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use weir_engine::{EngineError, ErrorKind};

/// What is kept of a failed command's output: its end.
const OUTPUT_BYTES: usize = 64 << 10;
/// What is shown of a command line.
const LINE_CHARS: usize = 160;

/// A program that a build needs.
pub struct Tool {
    /// Its name, as it is looked for.
    pub program: &'static str,
    /// How to get it.
    pub get: &'static str,
    /// What it says where a part of it is missing, which comes in the same way.
    pub incomplete: Option<&'static str>,
}

/// What a build has made.
pub struct Built {
    /// The module or component of the language's compiler.
    pub made: PathBuf,
    /// Where the project's component belongs.
    pub component: PathBuf,
}

/// Runs the language's compiler. `say` is told what takes time.
pub fn build(project: &Project, say: &dyn Fn(&str)) -> Result<Built, Failure> {
    let made = (project.language.profile().build)(project, say)?;
    let (noted, place) = (made.with_extension("d"), noted_beside(&project.component()));
    if noted.is_file() {
        // What cannot be noted is looked for by the globs of the job file alone.
        _ = place.parent().map(std::fs::create_dir_all).transpose().and_then(|_| std::fs::copy(&noted, &place));
    }
    Ok(Built { made, component: project.component() })
}

/// The first of these programs that is there.
pub(super) fn first_there<const N: usize>(tools: [&'static Tool; N]) -> Result<&'static Tool, Failure> {
    let is_there =
        |tool: &&Tool| Command::new(tool.program).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    tools.into_iter().find(is_there).ok_or_else(|| missing(tools[0]).into())
}

/// As [`run_with`], in this process's environment.
pub(super) fn run<S: AsRef<OsStr>>(
    tool: &Tool,
    arguments: impl IntoIterator<Item = S>,
    folder: &Path,
    say: &dyn Fn(&str),
) -> Result<String, Failure> {
    run_with(tool, arguments, folder, &[], say)
}

/// Runs a program of the toolchain in `folder`. What it printed on standard output; what it has complained of is part of the error where it fails.
pub(super) fn run_with<S: AsRef<OsStr>>(
    tool: &Tool,
    arguments: impl IntoIterator<Item = S>,
    folder: &Path,
    variables: &[(&str, &str)],
    say: &dyn Fn(&str),
) -> Result<String, Failure> {
    let mut command = Command::new(tool.program);
    command.args(arguments).envs(variables.iter().copied()).current_dir(folder).stdin(Stdio::null());
    let line = std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let line = shortened(&line);
    say(&format!("running `{line}`"));
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => missing(tool),
        _ => failed("run", Path::new(tool.program), &error),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let printed = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let printed = String::from_utf8_lossy(&printed[printed.len().saturating_sub(OUTPUT_BYTES)..]).into_owned();
    let error = EngineError::new(ErrorKind::FixInput, format!("`{line}` failed\n{}", printed.trim_end()));
    Err(if tool.incomplete.is_some_and(|said| printed.contains(said)) { error.with_hint(tool.get) } else { error }.into())
}

/// What a line begins with. Behind that come names of files, one for each of an SDK's.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}

fn missing(tool: &Tool) -> EngineError {
    EngineError::new(ErrorKind::FixInput, format!("there is no `{}` here, which builds this plugin", tool.program)).with_hint(tool.get)
}
