//! Runs the `build` line of each operator whose plugin is missing or older than what it is made from.
//!
//! The line runs through `sh -c` in the job file's folder. Its sources are those that cargo has noted beside the artefact
//! (`name.d` beside `name.wasm`), else the globs of `sources` and what `weir plugin build` has noted, as headers of C; where there is none, only a missing
//! artefact is built.
//!
//! `CARGO_TARGET_DIR` moves what cargo builds. Where it is set and the operator has a `build` line, the part of the plugin's path up to and
//! with its first folder named `target` stands for that folder; the line itself is handed the same folder as an absolute path,
//! because it runs elsewhere than weir was started. A plugin without a `build` line is read from the path as it is written.

mod freshness;
mod wasm_target;

pub(crate) use freshness::noted_beside;
pub(crate) use wasm_target::ensure_installed as ensure_target;

use crate::failure::Failure;
use crate::job_file::{Code, JobFile, JobFileError, OperatorStep, PluginCode, PluginPlace, Problem};
use freshness::{Freshness, changed_last, dep_info_sources, freshness, glob_sources, noted_sources};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;
use weir_engine::{EngineError, ErrorKind};

/// What is kept of a failed command's output: its end.
const OUTPUT_BYTES: usize = 64 << 10;

/// Where builds happen.
#[derive(Clone, Debug, Default)]
pub struct BuildEnvironment {
    /// `CARGO_TARGET_DIR`, absolute.
    pub target_dir: Option<PathBuf>,
}

impl BuildEnvironment {
    /// That of this process.
    pub fn of_process() -> Self {
        let target_dir = std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty());
        Self { target_dir: target_dir.and_then(|dir| std::path::absolute(dir).ok()) }
    }

    /// Where an operator's artefact is.
    pub fn artefact(&self, job: &JobFile, code: &PluginCode) -> PathBuf {
        let written = Path::new(&code.path.value);
        let moved = self.target_dir.as_ref().filter(|_| code.build.is_some()).and_then(|dir| {
            let mut parts = written.components();
            parts.find(|&part| part == Component::Normal("target".as_ref())).map(|_| dir.join(parts.as_path()))
        });
        moved.unwrap_or_else(|| job.resolve(written))
    }
}

/// The plugin of an operator that has one in a file.
fn in_file(operator: &OperatorStep) -> Option<&PluginCode> {
    match &operator.code {
        Code::Plugin(code) if code.place == PluginPlace::File => Some(code),
        Code::Plugin(_) | Code::Native(_) => None,
    }
}

/// The file that the plugin of an operator is in, where it is in one.
pub fn plugin_file(job: &JobFile, operator: &str, environment: &BuildEnvironment) -> Option<PathBuf> {
    let step = job.operators.iter().find(|step| step.id.value == operator)?;
    Some(environment.artefact(job, in_file(step)?))
}

/// Makes sure that every plugin of the job that is a file is there and up to date. Returns where each operator's is. `say` is told what takes time.
pub fn ensure_built(job: &JobFile, environment: &BuildEnvironment, say: &dyn Fn(&str)) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut artefacts = BTreeMap::new();
    for operator in &job.operators {
        let Some(code) = in_file(operator) else { continue };
        let artefact = environment.artefact(job, code);
        let step = Step { job, operator, code, artefact: &artefact, environment };
        match (step.freshness()?, &code.build) {
            (Freshness::Fresh, _) => {}
            (Freshness::Missing, None) => return Err(step.nothing_there()),
            (Freshness::Missing, Some(build)) => step.build(&build.value, "is not built yet", say)?,
            (Freshness::Older { than }, Some(build)) => step.build(&build.value, &format!("is older than {}", than.display()), say)?,
            (Freshness::Older { than }, None) => {
                say(&format!("{}: {} is older than {} and has no `build` line", operator.id.value, artefact.display(), than.display()));
            }
        }
        artefacts.insert(operator.id.value.clone(), artefact);
    }
    Ok(artefacts)
}

/// A plugin that `build` lines make anew.
pub struct Stale {
    /// The operator's id.
    pub operator: String,
    /// When its sources changed last: a build that failed has nothing to try before they change again.
    pub changed: Option<SystemTime>,
}

/// The plugins of the job that are missing or older than what they are made from, and have a `build` line.
pub fn stale(job: &JobFile, environment: &BuildEnvironment) -> Result<Vec<Stale>, Failure> {
    let mut stale = Vec::new();
    for operator in &job.operators {
        let Some(code) = in_file(operator) else { continue };
        let artefact = environment.artefact(job, code);
        let step = Step { job, operator, code, artefact: &artefact, environment };
        let sources = step.sources()?;
        if code.build.is_some() && freshness(&artefact, &sources) != Freshness::Fresh {
            stale.push(Stale { operator: operator.id.value.clone(), changed: changed_last(&sources) });
        }
    }
    Ok(stale)
}

struct Step<'a> {
    job: &'a JobFile,
    operator: &'a OperatorStep,
    code: &'a PluginCode,
    artefact: &'a Path,
    environment: &'a BuildEnvironment,
}

impl Step<'_> {
    fn id(&self) -> &str {
        &self.operator.id.value
    }

    fn freshness(&self) -> Result<Freshness, Failure> {
        Ok(freshness(self.artefact, &self.sources()?))
    }

    fn sources(&self) -> Result<Vec<PathBuf>, Failure> {
        match dep_info_sources(self.artefact, &self.job.folder) {
            Some(sources) => Ok(sources),
            None => {
                let globbed = glob_sources(&self.code.sources, &self.job.folder).map_err(|message| self.problem(message, None))?;
                Ok(globbed.into_iter().chain(noted_sources(self.artefact)).collect())
            }
        }
    }

    fn problem(&self, message: String, hint: Option<&str>) -> Failure {
        let problem = Problem::new(self.code.path.span.clone(), message);
        let problem = match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        };
        Failure::JobFile(JobFileError { source: self.job.source.clone(), problems: vec![problem] })
    }

    fn nothing_there(&self) -> Failure {
        let message = format!("there is no file {}", self.artefact.display());
        self.problem(message, Some("build it first, or say how: `build = \"cargo build --release --target wasm32-unknown-unknown\"`"))
    }

    fn build(&self, line: &str, why: &str, say: &dyn Fn(&str)) -> Result<(), Failure> {
        wasm_target::ensure_installed(line, &self.job.folder, say).map_err(|error| error.context(format!("{}: build", self.id())))?;
        say(&format!("{}: {} {why}; running `{line}`", self.id(), file_name(self.artefact)));
        let failed = |what: String| {
            EngineError::new(ErrorKind::FixInput, format!("{}: run `{line}` in {}: {what}", self.id(), self.job.folder.display()))
        };
        let (succeeded, output) = self.run(line).map_err(|error| failed(error.to_string()))?;
        if !succeeded {
            return Err(failed(format!("it failed\n{}", output.trim_end())).into());
        }
        if !self.artefact.is_file() {
            let error = failed(format!("it succeeded, but there is no {}", self.artefact.display()));
            return Err(error.with_hint(hint_for_no_artefact(line)).into());
        }
        say(&format!("{}: built", self.id()));
        Ok(())
    }

    /// Whether the line succeeded, and what it printed.
    fn run(&self, line: &str) -> std::io::Result<(bool, String)> {
        let (mut reader, writer) = std::io::pipe()?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(with_this_weir(line)).current_dir(&self.job.folder).stdin(Stdio::null());
        command.stdout(writer.try_clone()?).stderr(writer);
        if let Some(dir) = &self.environment.target_dir {
            command.env("CARGO_TARGET_DIR", dir);
        }
        let mut child = command.spawn()?;
        // Closes our ends of the pipe.
        drop(command);
        let mut tail = Vec::new();
        let mut chunk = [0; 8 << 10];
        loop {
            match reader.read(&mut chunk)? {
                0 => break,
                read => tail.extend_from_slice(&chunk[..read]),
            }
            let beyond = tail.len().saturating_sub(OUTPUT_BYTES);
            tail.drain(..beyond);
        }
        Ok((child.wait()?.success(), String::from_utf8_lossy(&tail).into_owned()))
    }
}

/// The line as it is run: one that is a command of weir's is one of this very program, wherever it is.
fn with_this_weir(line: &str) -> String {
    match (line.strip_prefix("weir "), std::env::current_exe()) {
        (Some(rest), Ok(program)) => format!("'{}' {rest}", program.display().to_string().replace('\'', "'\\''")),
        (Some(_), Err(_)) | (None, _) => line.to_owned(),
    }
}

/// What to look at where a command succeeded and made something else than the plugin.
fn hint_for_no_artefact(line: &str) -> String {
    let hint = "`plugin` has to name the file that `build` makes";
    if line.split(|c: char| !c.is_alphanumeric()).any(|word| word == "cargo") {
        return format!(
            "{hint} (CARGO_TARGET_DIR moves it); cargo makes a .wasm only of a crate that says `crate-type = [\"cdylib\"]` below `[lib]` in its Cargo.toml"
        );
    }
    match line.starts_with("weir plugin build") {
        true => format!("{hint}: for `weir plugin build` that is NAME.wasm beside the weir.toml with that `name`"),
        false => hint.to_owned(),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
