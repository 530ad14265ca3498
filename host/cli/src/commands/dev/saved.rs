//! What was saved, and what becomes of it.

use super::job_process::JobProcess;
use super::kept::{in_the_way, lost_states};
use crate::args::DevArgs;
use crate::assemble::assemble;
use crate::client::JobClient;
use crate::context::{Context, tell};
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::plugins::{BuildEnvironment, Stale, ensure_built, stale};
use crate::start::build;
use crate::try_out::try_to_open;
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::SystemTime;
use weir_wasm::{Plugin, PluginInfo};

/// What a new plugin has to prove itself, ms: output is held back no longer.
const PROBATION_MS: u64 = 1_000;

/// A job that is being worked on.
pub struct Dev<'a> {
    context: &'a Context,
    args: &'a DevArgs,
    job: JobFile,
    /// The job file's text as it was looked at last.
    text: String,
    /// `None`: the job has ended, and what is saved begins it again.
    pub process: Option<JobProcess>,
    /// It has ended well.
    has_finished: bool,
    /// What the operators declare that were seen running last.
    running: BTreeMap<String, PluginInfo>,
    /// The same of those that were begun and have not been seen running.
    begun: BTreeMap<String, PluginInfo>,
    /// The job file as it was saved last is not what runs.
    is_refused: bool,
    /// When the sources had changed of which a build was tried last.
    tried: BTreeMap<String, Option<SystemTime>>,
    /// Operators that were built while the job could not be spoken to yet.
    waiting: BTreeSet<String>,
    /// States that the user may give up.
    lost: Vec<String>,
    /// Some were given up since something was saved last: what fails all the same is not tried again and again.
    has_reset: bool,
}

impl<'a> Dev<'a> {
    /// Builds the job's plugins and begins it.
    pub fn new(context: &'a Context, args: &'a DevArgs) -> Result<Self, Failure> {
        let job = context.job(&args.job)?;
        let text = job.source.text.to_string();
        let (running, begun, tried, waiting, lost) = Default::default();
        let (process, has_finished, is_refused, has_reset) = (None, false, false, false);
        let mut dev = Self { context, args, job, text, process, has_finished, running, begun, is_refused, tried, waiting, lost, has_reset };
        match dev.begin(&if args.fresh { vec!["--fresh".to_owned()] } else { Vec::new() }) {
            // What does not build is about to be saved once more.
            Err(failure @ Failure::Engine(_)) => {
                dev.tried
                    .extend(stale(&dev.job, &BuildEnvironment::of_process())?.into_iter().map(|plugin| (plugin.operator, plugin.changed)));
                dev.refused(&failure);
            }
            begun => begun?,
        }
        Ok(dev)
    }

    fn say(&self, text: &str) {
        self.context.screen.notice(text);
    }

    /// Begins the job, with what more is said on the command line.
    fn begin(&mut self, more: &[String]) -> Result<(), Failure> {
        (self.begun, self.lost, self.has_finished) = (BTreeMap::new(), Vec::new(), false);
        self.waiting.clear();
        for (id, path) in self.built(&self.job)? {
            let info = self.info(&id, &path)?;
            self.begun.insert(id, info);
        }
        self.process = Some(JobProcess::begin(&self.args.job, more, self.context)?);
        Ok(())
    }

    fn built(&self, job: &JobFile) -> Result<BTreeMap<String, PathBuf>, Failure> {
        ensure_built(job, &BuildEnvironment::of_process(), &|line| self.say(line))
    }

    fn info(&self, id: &str, path: &std::path::Path) -> Result<PluginInfo, Failure> {
        Ok(Plugin::load_within(path, &self.context.compiler.engine()?, self.job.compile_limits(id))?.info())
    }

    /// Looks at the job, at its file, and at what its plugins are made from.
    pub fn look(&mut self) {
        self.look_at_process();
        self.look_at_file();
        match stale(&self.job, &BuildEnvironment::of_process()) {
            Ok(stale) => stale.into_iter().for_each(|plugin| self.look_at_plugin(plugin)),
            Err(failure) => tell(self.context, &failure),
        }
        for operator in std::mem::take(&mut self.waiting) {
            self.swap(operator);
        }
    }

    /// Speaks to the job, once it runs. A job of this file that another process runs is not this one's to change.
    fn client(&self) -> Option<JobClient> {
        let is_own = |client: &JobClient| self.process.as_ref().is_some_and(|process| process.id() == client.registered.pid);
        JobClient::look_for(&self.args.job.display().to_string()).ok().flatten().filter(is_own)
    }

    /// What was begun runs: nothing of what it keeps is lost.
    fn note_running(&mut self) {
        if !self.begun.is_empty() && self.client().is_some_and(|client| client.status().is_ok_and(|status| status["state"] == "running")) {
            self.running = std::mem::take(&mut self.begun);
            self.lost.clear();
        }
    }

    fn look_at_process(&mut self) {
        self.note_running();
        let Some(code) = self.process.as_mut().and_then(JobProcess::ended) else { return };
        self.process = None;
        self.has_finished = code == 0;
        self.say(match self.has_finished {
            true => "the job has ended: what is saved runs it once more, from its beginning; Ctrl-C ends this",
            false => "the job has failed: what is saved lets it go on from its last checkpoint; Ctrl-C ends this",
        });
        if !self.has_finished {
            // What cannot be looked into now is no reason beside that which the job has given.
            self.lost = in_the_way(self.context, &self.job).unwrap_or_default();
            if !self.lost.is_empty() {
                self.ask();
            }
        }
    }

    fn look_at_file(&mut self) {
        // It may be about to be replaced.
        let Ok(text) = std::fs::read_to_string(&self.args.job) else { return };
        if text == self.text {
            return;
        }
        self.text = text;
        match self.context.job(&self.args.job).and_then(|job| self.opens(&job).map(|()| job)) {
            Ok(job) => {
                (self.job, self.is_refused) = (job, false);
                self.say(&format!("{} was saved", self.args.job.display()));
                self.has_reset = false;
                self.begin_again(&[]);
            }
            Err(failure) => {
                self.is_refused = true;
                self.refused(&failure);
            }
        }
    }

    /// A config that a plugin refuses stops no job.
    fn opens(&self, job: &JobFile) -> Result<(), Failure> {
        let plugins = build(&self.context.screen, job)?;
        try_to_open(job, &assemble(job, &plugins, || Ok(self.context.compiler.engine()?))?)
    }

    /// Stops the job behind a last checkpoint, where it runs, and lets it go on.
    fn begin_again(&mut self, more: &[String]) {
        let mut more = more.to_vec();
        match self.process.take() {
            Some(process) => {
                self.say("the job stops behind a checkpoint, and goes on from there");
                process.stop();
            }
            None if self.has_finished => more.push("--fresh".into()),
            None => {}
        }
        if let Err(failure) = self.begin(&more) {
            self.refused(&failure);
        }
    }

    /// What was saved is no good, and what runs goes on.
    fn refused(&self, failure: &Failure) {
        tell(self.context, failure);
        self.say(match self.process {
            Some(_) => "the job goes on as it was",
            None => "the job does not run; save it once more",
        });
    }

    fn look_at_plugin(&mut self, Stale { operator, changed }: Stale) {
        if self.tried.insert(operator.clone(), changed) == Some(changed) {
            return;
        }
        self.has_reset = false;
        let mut part = self.job.clone();
        part.operators.retain(|step| step.id.value == operator);
        let built = self.built(&part);
        if built.is_ok() && self.is_refused {
            // It may be the plugin that knows what the file says.
            self.text.clear();
        }
        match built {
            Err(failure) => self.refused(&failure),
            Ok(_) if self.process.is_none() => self.begin_again(&[]),
            Ok(_) => self.swap(operator),
        }
    }

    /// Lets the plugin that was built take over.
    fn swap(&mut self, operator: String) {
        if let Err(failure) = self.try_swap(&operator) {
            self.refused(&failure);
        }
    }

    fn try_swap(&mut self, operator: &str) -> Result<(), Failure> {
        let Some(path) = self.built(&self.job)?.remove(operator) else { return Ok(()) };
        let new = self.info(operator, &path)?;
        let old = self.begun.get(operator).or_else(|| self.running.get(operator));
        if old.is_some_and(|old| old.digest == new.digest) {
            self.say(&format!("{operator}: the plugin is the same"));
            return Ok(());
        }
        let Some(client) = self.client() else {
            self.waiting.insert(operator.to_owned());
            return Ok(());
        };
        self.note_running();
        let old = self.running.get(operator);
        self.lost = old.map(|old| lost_states(operator, old, &new)).unwrap_or_default();
        if !self.lost.is_empty() {
            self.ask();
            return Ok(());
        }
        let query = [
            ("operator", operator.to_owned()),
            ("name", path.display().to_string()),
            ("probation_ms", PROBATION_MS.to_string()),
            ("allow_repeat", "true".to_owned()),
        ];
        let answer = client.post_bytes("/v1/upgrade", &query, &weir_wasm::read_plugin(&path)?)?;
        if answer["outcome"] == "accepted" {
            let (pause, checkpoint) = (answer["pause_ms"].as_f64().unwrap_or_default(), &answer["checkpoint"]);
            self.say(&format!("{operator}: {} {} has taken over behind checkpoint {checkpoint}, in {pause:.1} ms", new.name, new.version));
            self.running.insert(operator.to_owned(), new);
        } else {
            let reason = answer["reason"].as_str().unwrap_or_default();
            self.say(&format!("{operator}: the new plugin failed, and the one before it goes on\n  {reason}"));
        }
        Ok(())
    }

    /// Asks what is to become of states that nothing goes on with, or does what was said of them.
    fn ask(&mut self) {
        let lost = self.lost.join(", ");
        if self.args.reset_state && !self.has_reset {
            self.say(&format!("what is kept of {lost} is given up"));
            return self.reset();
        }
        let what = match self.process {
            Some(_) => format!("the new plugin does not go on with what is kept of {lost}; the one before it goes on"),
            None => format!("the job does not go on with what is kept of {lost}, and does not run"),
        };
        let how = if std::io::stdin().is_terminal() { "type `reset`" } else { "`weir dev --reset-state`" };
        self.say(&format!(
            "{what}\n  a type that changes gets a new `version` and a `migrate` from the one before; {how} to give up what is kept"
        ));
    }

    /// What the user has typed.
    pub fn answer(&mut self, line: &str) {
        match (line, self.lost.is_empty()) {
            ("reset", false) => self.reset(),
            ("", _) => {}
            (_, false) => self.say("`reset` gives up what is kept; everything else is done by saving"),
            (_, true) => self.say("there is nothing to answer; Ctrl-C stops the job"),
        }
    }

    fn reset(&mut self) {
        self.has_reset = true;
        let drops: Vec<_> = std::mem::take(&mut self.lost).into_iter().flat_map(|state| ["--drop-state".to_owned(), state]).collect();
        self.begin_again(&drops);
    }
}
