//! A job that is being worked on: its process, what is looked at, and what the user is asked. `file` is about the job file, `swap` about plugins, `going_back` about those that fail.

use super::going_back::Held;
use super::job_process::JobProcess;
use super::kept::{going_on, has_checkpoint, has_worked_off};
use crate::args::DevArgs;
use crate::client::JobClient;
use crate::context::{Context, tell};
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::plugins::{BuildEnvironment, Stale, ensure_built, stale};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::SystemTime;
use weir_wasm::{Plugin, PluginInfo};

/// A job that is being worked on.
pub struct Dev<'a> {
    pub(super) context: &'a Context,
    pub(super) args: &'a DevArgs,
    pub(super) job: JobFile,
    /// The job file's text as it was looked at last.
    pub(super) text: String,
    /// `None`: the job has ended, and what is saved begins it again.
    pub process: Option<JobProcess>,
    /// It has ended well.
    has_finished: bool,
    /// It is to begin without what is kept, and has not been seen running since that was asked for.
    is_to_be_fresh: bool,
    /// What the operators declare that were seen running last.
    pub(super) running: BTreeMap<String, PluginInfo>,
    /// The same of those that were begun and have not been seen running.
    pub(super) begun: BTreeMap<String, PluginInfo>,
    /// The same of those that the ones that run took over from.
    pub(super) before: BTreeMap<String, PluginInfo>,
    /// Operators whose plugin's file has been refused, or has failed.
    pub(super) held: BTreeMap<String, Held>,
    /// The job file as it was saved last is not what runs.
    pub(super) is_refused: bool,
    /// It is what would run if the states that are asked about were given up.
    pub(super) pending: Option<JobFile>,
    /// Where output comes again has been said.
    pub(super) has_said_repeats: bool,
    /// When the sources had changed of which a build was tried last.
    tried: BTreeMap<String, Option<SystemTime>>,
    /// Operators that were built while the job could not be spoken to yet.
    pub(super) waiting: BTreeSet<String>,
    /// States that the user may give up.
    pub(super) lost: Vec<String>,
    /// Some were given up since something was saved last: what fails all the same is not tried again and again.
    pub(super) has_reset: bool,
}

impl<'a> Dev<'a> {
    /// Builds the job's plugins and begins it.
    pub fn new(context: &'a Context, args: &'a DevArgs) -> Result<Self, Failure> {
        let job = context.job(&args.job)?;
        let text = job.source.text.to_string();
        let (running, begun, before, held, tried, waiting, lost, pending) = Default::default();
        let (process, has_finished, is_refused, has_said_repeats, has_reset) = (None, false, false, false, false);
        let is_to_be_fresh = args.fresh;
        let mut dev = Self {
            context,
            args,
            job,
            text,
            process,
            has_finished,
            is_to_be_fresh,
            running,
            begun,
            before,
            held,
            is_refused,
            pending,
            has_said_repeats,
            tried,
            waiting,
            lost,
            has_reset,
        };
        match dev.begin(&[]) {
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

    pub(super) fn say(&self, text: &str) {
        self.context.screen.notice(text);
    }

    /// Begins the job, with what more is said on the command line. One that is to be fresh has nothing of which states could be given up.
    pub(super) fn begin(&mut self, more: &[String]) -> Result<(), Failure> {
        (self.begun, self.lost, self.pending, self.has_finished) = (BTreeMap::new(), Vec::new(), None, false);
        self.waiting.clear();
        let mut more = if self.is_to_be_fresh { vec!["--fresh".to_owned()] } else { more.to_vec() };
        for (id, path) in self.built(&self.job)? {
            let info = self.info(&id, &path)?;
            let info = self.held_back(&id, info, &mut more);
            self.begun.insert(id, info);
        }
        self.process = Some(JobProcess::begin(&self.args.job, &more, self.context)?);
        Ok(())
    }

    pub(super) fn built(&self, job: &JobFile) -> Result<BTreeMap<String, PathBuf>, Failure> {
        ensure_built(job, &BuildEnvironment::of_process(), &|line| self.say(line))
    }

    pub(super) fn info(&self, id: &str, path: &std::path::Path) -> Result<PluginInfo, Failure> {
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
            self.swap(&operator);
        }
    }

    /// Speaks to the job, once it runs. A job of this file that another process runs is not this one's to change.
    pub(super) fn client(&self) -> Option<JobClient> {
        let is_own = |client: &JobClient| self.process.as_ref().is_some_and(|process| process.id() == client.registered.pid);
        JobClient::look_for(&self.args.job.display().to_string()).ok().flatten().filter(is_own)
    }

    /// What was begun runs: nothing of what it keeps is lost.
    pub(super) fn note_running(&mut self) {
        if !self.begun.is_empty() && self.client().is_some_and(|client| client.status().is_ok_and(|status| status["state"] == "running")) {
            self.running = std::mem::take(&mut self.begun);
            self.is_to_be_fresh = false;
            self.lost.clear();
        }
    }

    fn look_at_process(&mut self) {
        self.note_running();
        let Some((pid, code)) = self.process.as_mut().and_then(|process| Some((process.id(), process.ended()?))) else { return };
        self.process = None;
        let was_stopped = code == 0 && !has_worked_off(&self.job);
        self.has_finished = code == 0 && !was_stopped;
        if code != 0 && self.goes_back(pid) {
            return;
        }
        let begins_anew = self.is_to_be_fresh || (!self.has_finished && !has_checkpoint(&self.job));
        let how = if was_stopped { "has been stopped" } else { "has failed" };
        self.say(&match (self.has_finished, begins_anew) {
            (true, _) => "the job has ended: what is saved runs it once more, from its beginning; Ctrl-C ends this".to_owned(),
            (false, true) => format!("the job {how}: what is saved begins it, from its beginning; Ctrl-C ends this"),
            (false, false) => format!("the job {how}: what is saved lets it go on from its last checkpoint; Ctrl-C ends this"),
        });
        if code != 0 && !begins_anew {
            // What cannot be looked into now is no reason beside that which the job has given.
            self.lost = going_on(self.context, &self.job, &self.stand_ins()).map(|going_on| going_on.in_the_way).unwrap_or_default();
            if !self.lost.is_empty() {
                self.ask();
            }
        }
    }

    /// Stops the job behind a last checkpoint, where it runs, and lets it go on.
    pub(super) fn begin_again(&mut self, more: &[String]) {
        match self.process.take() {
            Some(process) => {
                self.say("the job stops behind a checkpoint, and goes on from there");
                process.stop();
            }
            None if self.has_finished => self.is_to_be_fresh = true,
            None => {}
        }
        if let Err(failure) = self.begin(more) {
            self.refused(&failure);
        }
    }

    /// What was saved is no good, and what runs goes on.
    pub(super) fn refused(&self, failure: &Failure) {
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
            Ok(_) => self.swap(&operator),
        }
    }

    /// Asks what is to become of states that nothing goes on with, or does what was said of them.
    pub(super) fn ask(&mut self) {
        let lost = self.lost.join(", ");
        if self.args.reset_state && !self.has_reset {
            self.say(&format!("what is kept of {lost} is given up"));
            return self.reset();
        }
        let what = match self.process {
            Some(_) if self.pending.is_some() => {
                format!("the job as it was saved does not go on with what is kept of {lost}; it goes on as it was")
            }
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
        match self.pending.take() {
            Some(job) => (self.job, self.is_refused) = (job, false),
            None if self.is_refused => return self.say("the job file is refused as it was saved last: undo that first"),
            None => {}
        }
        // The plugin that gives the states up is no longer held back.
        let lost = &self.lost;
        self.held.retain(|id, _| !lost.iter().any(|state| state.split('.').next() == Some(id)));
        let drops: Vec<_> = std::mem::take(&mut self.lost).into_iter().flat_map(|state| ["--drop-state".to_owned(), state]).collect();
        self.begin_again(&drops);
    }
}
