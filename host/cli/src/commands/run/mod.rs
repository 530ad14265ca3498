//! `weir run`: a job from its file to its end. `options` is what the command line says, `claim` who runs the job, `report` what it came to; `observer` watches,
//! `crash_points`, which is behind a feature, ends the process where a test says.

mod claim;
#[cfg(any(test, feature = "crash-points"))]
mod crash_points;
mod observer;
mod options;
mod report;
mod steady_rate;

use crate::api::{ApiAddress, ApiServer, Ended, RunningJob, RunningParts, ShownGraph, Started, absolute_storage};
use crate::args::{Output, RunArgs};
use crate::context::{Context, tell};
use crate::documents::{Outcome, RunDocument};
use crate::failure::{FAILED, Failure};
use crate::figures::{NextCommands, summary};
use crate::job_file::JobFile;
use crate::plan::plan;
use crate::plugins::{GoingOn, PluginOrigins, moved_tags, refuse_newer_worlds, stand_ins};
use crate::process::{cpu_seconds, peak_memory_bytes, raise_descriptor_limit, state_memory};
use crate::registry::{Registration, Registry};
use crate::start::{Lineage, build_files, job_of_savepoint, metadata_of, pinned_plugins, pins_of, referenced_plugins, restore_options};
use crate::storage::{savepoint_opener, threads};
use crate::terminal::{HeldSignals, Signals, standard_output};
use bytes::Bytes;
use claim::{Claimant, Claimed, may_run_elsewhere, note_end};
use observer::Observer;
use options::{absolute, api_address, how_to_follow, refuse_two_documents, start_mode};
use report::fill;
use std::sync::Arc;
use weir_engine::checkpoint::{JobLog, Pinned};
use weir_engine::job::{
    History, JobControl, JobFileCopy, JobGraph, JobOptions, JobOutcome, JobStatus, Origin, OutboxOptions, Probation, StartMode, run_job,
};
use weir_engine::outbox::MarkerDecision;
use weir_engine::runtime::{Runtime, ThreadRuntime};
use weir_engine::state::MemoryBackendFactory;
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::{EngineError, ErrorKind};

/// Runs a job and tells what it came to. Returns the exit code.
pub(super) fn run(context: &Context, args: &RunArgs, held: Option<HeldSignals>) -> u8 {
    raise_descriptor_limit();
    let mut document = RunDocument::of_nothing();
    let code = match try_run(context, args, held, &mut document) {
        Ok(()) => match document.outcome {
            Outcome::Finished | Outcome::AlreadyFinished | Outcome::Stopped | Outcome::Cancelled => 0,
            Outcome::Failed | Outcome::Fenced => FAILED,
        },
        Err(failure) => {
            tell(context, &failure);
            document.error = Some(failure.text());
            (document.hint, document.problems) = (failure.hint().map(str::to_owned), failure.problems());
            failure.exit_code()
        }
    };
    document.cpu_s = cpu_seconds();
    document.peak_memory_bytes = peak_memory_bytes();
    if context.output == Output::Json
        && let Err(unwritten) = context.print(&document, String::new)
    {
        let unwritten = if code == 0 { standard_output::although_done(unwritten) } else { unwritten };
        tell(context, &unwritten);
        return if code == 0 { unwritten.exit_code() } else { code };
    }
    code
}

fn try_run(context: &Context, args: &RunArgs, held: Option<HeldSignals>, document: &mut RunDocument) -> Result<(), Failure> {
    let output = context.output;
    let signals = Signals::listen(&context.screen, move || print_stopped(output))?;
    drop(held);
    if args.until_stdin_ends {
        stop_when_stdin_ends()?;
    }
    let threads = threads()?;
    let ended = Run { context, args, runtime: threads.runtime(), threads: &threads, signals }.run(document);
    threads.shutdown();
    ended
}

/// A process that was begun for another one does not outlive it, however that ended.
fn stop_when_stdin_ends() -> Result<(), Failure> {
    let wait = || {
        _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        #[cfg(unix)]
        {
            _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM);
        }
    };
    let started = std::thread::Builder::new().name("standard-input".into()).spawn(wait);
    started.map_err(|error| EngineError::new(ErrorKind::Bug, format!("watch standard input: {error}")))?;
    Ok(())
}

/// Prints the document of a run that was told to stop before it began, where one is wanted. The exit code.
fn print_stopped(output: Output) -> u8 {
    let document = RunDocument { outcome: Outcome::Stopped, ..RunDocument::of_nothing() };
    let text = || serde_json::to_string_pretty(&document).expect("a document is JSON") + "\n";
    match output {
        Output::Json => standard_output::print(&text()).map_or_else(|unwritten| unwritten.exit_code(), |()| 0),
        Output::Text => 0,
    }
}

struct Run<'a> {
    context: &'a Context,
    args: &'a RunArgs,
    threads: &'a ThreadRuntime,
    runtime: Runtime,
    signals: Signals,
}

impl Run<'_> {
    fn run(&self, document: &mut RunDocument) -> Result<(), Failure> {
        let start = start_mode(self.args)?;
        let job = self.job(&start)?;
        document.job.clone_from(&job.name);
        let address = api_address(self.args, &job)?;
        refuse_two_documents(self.context.output, &job)?;
        let storage = absolute_storage(&job.checkpoints.storage.value, &job.folder, &job.name);
        let job_file = self.args.job.as_ref().map_or_else(|| job.source.name.to_string(), |path| absolute(path));
        let Claimed { mut registration, taken_from } =
            Claimant { job: &job.name, job_file: &job_file, storage: &storage }.claim(self.args.takeover, &self.context.screen)?;
        let began = self.runtime.clock.now();
        // Without a job file of its own a run has no plugins of its own either.
        let pinned = self.args.pinned || self.args.job.is_none();
        let built = if pinned { None } else { Some(build_files(&self.context.screen, &job)?) };
        // Compiling a plugin belongs to the start of a job, making it does not.
        let building = self.runtime.clock.now().saturating_sub(began);
        let opened = ObjectStorage::open(&job.checkpoints.storage.value, &job.folder, &job.name, self.threads.control());
        let store: Arc<dyn Store> = Arc::new(self.threads.block_on(opened)?);
        let screen = &self.context.screen;
        let log = self.threads.block_on(JobLog::open(store.clone(), self.runtime.clock.clone()))?;
        let stored = |path: &str| self.threads.block_on(store.get(path));
        let history = History::of(log.entries());
        let (plugins, kept) = match built {
            Some(files) => {
                let plugins = self.with_references(files, &job, &history, &start, &*store)?;
                (self.with_stand_ins(plugins, &*store)?, Vec::new())
            }
            None => self.pinned(&job, &history, &start, &*store)?,
        };
        if let Some(Probation { overrides, since, .. }) = history.overrides(&start).1 {
            let ids: Vec<&str> = overrides.iter().map(|change| change.vertex.as_str()).collect();
            let ids = ids.join(", ");
            screen.notice(&format!("the upgrade of {ids} was cut off on probation and is given up: back to checkpoint {since}"));
        }
        let found = plugins.clone();
        let Started { shape, assembly, overruled } = {
            let compiler = self.context.compiler.clone();
            Started::of((&job, compiler), plugins, (&history, &start), stored, &|line| screen.notice(line))?
        };
        self.compare_with_origin(&job, (&assembly.graph, &found), history.origin(&start), &store)?;
        let ended = Registry::of_user().ok().and_then(|registry| registry.ended(&storage));
        taken_from.or(may_run_elsewhere(log.entries(), ended)).iter().for_each(|line| screen.notice(line));
        drop(log);

        let status = Arc::new(JobStatus::new(assembly.graph.vertices.len()));
        let known = [history.pinned(&start), &kept[..]].concat();
        let pinned = pins_of(&job, &found, &shape.digests, &known);
        let job_copy = JobFileCopy {
            text: Bytes::copy_from_slice(job.source.text.as_bytes()),
            folder: job.folder.display().to_string(),
            pinned: pinned.clone(),
        };
        let (graph, options) = (assembly.graph.clone(), JobOptions { pinned, overruled, ..self.options(&job, store.clone(), start) });
        #[cfg(any(test, feature = "crash-points"))]
        let (graph, options) = crash_points::CrashPoints::of_process()?.around(graph, options);
        let (control, inbox) = JobControl::new();
        self.signals.stop_job(control.clone(), self.runtime.clock.clone());
        let parts = RunningParts {
            control,
            status: status.clone(),
            store,
            runtime: self.runtime.clone(),
            threads: self.threads.control().clone(),
            graph: ShownGraph::of(&assembly.graph),
            plan: serde_json::to_value(plan(&job, &assembly, &found)).unwrap_or_default(),
            storage: storage.clone(),
            job_file,
            job_copy,
            shape,
        };
        let served = address.map(|address| self.serve(address, parts, registration.take())).transpose()?;
        let observer = Observer::start(&assembly, status.clone(), &self.runtime, building, screen);
        let report = self.threads.block_on(run_job(graph, options, self.runtime.clone(), status.clone(), inbox));
        // Nobody waits for a component that would replace one of a job which has ended.
        self.context.compiler.stop();
        let samples = observer.end();
        document.wall_s = self.runtime.clock.now().saturating_sub(building).as_secs_f64();
        fill(document, &assembly, &status, &report, &samples);
        note_end(&storage, &report, assembly.graph.vertices.iter().map(|vertex| vertex.id.as_str()));
        let next = self.next(&job);
        if document.outcome == Outcome::AlreadyFinished {
            document.hint.clone_from(&next.follow);
        }
        // Of a run that was refused before it began its error says all.
        if document.attempt.is_some() || document.outcome != Outcome::Failed {
            screen.notice(summary(document, &next).trim_end());
        }
        match report.outcome {
            JobOutcome::Failed(error) | JobOutcome::Fenced(error) => {
                document.places = job.places(&error);
                let failure = Failure::of_job(&job, error);
                tell(self.context, &failure);
                (document.hint, document.problems) = (failure.hint().map(str::to_owned), failure.problems());
            }
            JobOutcome::Finished | JobOutcome::Stopped | JobOutcome::Cancelled | JobOutcome::AlreadyFinished => {}
        }
        if let Some(server) = served {
            let (outcome, error, hint) = (document.outcome.name().into(), document.error.clone(), document.hint.clone());
            server.end(self.threads, Ended { outcome, error, hint });
        }
        drop(registration);
        Ok(())
    }

    /// The job file that is named, or the savepoint's.
    fn job(&self, start: &StartMode) -> Result<JobFile, Failure> {
        match (&self.args.job, start) {
            (Some(path), _) => self.context.job(path),
            (None, StartMode::FromSavepoint { url, .. }) => job_of_savepoint(&self.context.screen, url),
            (None, StartMode::Resume | StartMode::Fresh | StartMode::From { .. }) => Err(Failure::Usage {
                message: "`--from` names a checkpoint, and the job that it is of is not named".into(),
                hint: "name its job file: `weir run JOB --from ID`; only a savepoint holds one itself".into(),
            }),
        }
    }

    /// The plugins that are files, and what the job's references lead to, or led to when what the job goes on with began.
    fn with_references(
        &self,
        mut plugins: PluginOrigins,
        job: &JobFile,
        history: &History,
        start: &StartMode,
        store: &dyn Store,
    ) -> Result<PluginOrigins, Failure> {
        let lineage = Lineage::of(history, start, store);
        let referenced = referenced_plugins(&self.context.screen, job, Some(&lineage), &*self.runtime.clock);
        plugins.extend(self.threads.block_on(referenced)?);
        Ok(plugins)
    }

    /// With the components that take the place of the job file's.
    fn with_stand_ins(&self, mut plugins: PluginOrigins, store: &dyn Store) -> Result<PluginOrigins, Failure> {
        let digests = self.args.component.iter().filter_map(|one| one.split_once('=')).filter(|(id, _)| plugins.contains_key(*id));
        let digests = digests.map(|(id, digest)| (id.to_owned(), digest.to_owned())).collect();
        plugins.extend(self.threads.block_on(stand_ins(&digests, store, &*self.runtime.clock))?);
        Ok(plugins)
    }

    /// The components that are kept where the job starts from, and what is known there of the references that led to them.
    fn pinned(
        &self,
        job: &JobFile,
        history: &History,
        start: &StartMode,
        store: &dyn Store,
    ) -> Result<(PluginOrigins, Vec<Pinned>), Failure> {
        let savepoints = savepoint_opener(self.threads);
        let pinned = pinned_plugins(job, (history, start, &self.args.drop_state), store, &savepoints, &*self.runtime.clock);
        Ok(self.threads.block_on(pinned)?)
    }

    /// What a newer weir wrote is not gone on with, and a tag that has moved since is told.
    fn compare_with_origin(
        &self,
        job: &JobFile,
        (graph, plugins): (&JobGraph, &PluginOrigins),
        origin: Result<Origin, EngineError>,
        store: &Arc<dyn Store>,
    ) -> Result<(), Failure> {
        let (savepoints, clock) = (savepoint_opener(self.threads), &*self.runtime.clock);
        let begun = self.threads.block_on(metadata_of(origin, store, &savepoints, clock));
        let Some((metadata, store)) = begun else { return Ok(()) };
        let what = GoingOn { job, graph, drops: &self.args.drop_state };
        if self.args.from.is_some() {
            moved_tags(what, plugins, &metadata).iter().for_each(|line| self.context.screen.notice(line));
        }
        Ok(self.threads.block_on(refuse_newer_worlds(what, &metadata, &*store, clock, || self.context.compiler.engine()))?)
    }

    /// The commands that go on with this run.
    fn next(&self, of: &JobFile) -> NextCommands {
        let follow = how_to_follow(of);
        let pinned = if self.args.pinned { " --pinned" } else { "" };
        let job = self.args.job.as_ref().map(|job| format!("weir run {}{pinned}", job.display()));
        let from = self.args.from.as_ref().map(|from| format!(" --from {from}"));
        let anew = |from: &str| {
            let command = job.as_deref().unwrap_or("weir run");
            format!("`{command}{from} --again` starts from there once more, and leaves committed output where it is")
        };
        match (&job, &from) {
            (Some(job), None) => {
                let anew = format!("`{job} --fresh` starts over, and leaves committed output where it is");
                NextCommands { resume: job.clone(), anew, follow }
            }
            (Some(job), Some(from)) => NextCommands { resume: job.clone(), anew: anew(from), follow },
            (None, from) => {
                let from = from.as_deref().unwrap_or_default();
                NextCommands { resume: format!("weir run{from}"), anew: anew(from), follow }
            }
        }
    }

    /// Serves the API, and says in the registry where: the job can be spoken to from then on.
    fn serve(&self, address: ApiAddress, parts: RunningParts, registration: Option<Registration>) -> Result<ApiServer, Failure> {
        let job = RunningJob::new(parts);
        let server = ApiServer::start(self.threads, address, job.clone())?;
        if let Some(mut registration) = registration {
            if let Err(error) = registration.serves(&server.address.to_string()) {
                self.context.screen.notice(&format!("the job can be spoken to on {}, which is not registered: {error}", server.address));
            }
            job.registered(registration);
        }
        Ok(server)
    }

    /// What the user has decided of markers that do not fit.
    fn decision(&self) -> Option<MarkerDecision> {
        let assumed = self.args.assume_published.then_some(MarkerDecision::AssumePublished);
        self.args.republish.then_some(MarkerDecision::Republish).or(assumed)
    }

    fn options(&self, job: &JobFile, store: Arc<dyn Store>, start: StartMode) -> JobOptions {
        let (checkpoints, screen, folder) = (&job.checkpoints, self.context.screen.clone(), job.folder.clone());
        JobOptions {
            store,
            checkpoints: checkpoints.config,
            retain: checkpoints.retain as usize,
            restart: job.restart,
            start,
            restore: restore_options(job, &self.args.drop_state),
            pinned: Vec::new(),
            overruled: Vec::new(),
            accept_lost_output: self.args.accept_lost_output,
            outbox: OutboxOptions { decision: self.decision(), ..OutboxOptions::default() },
            committers: Arc::new(move |connector| weir_connectors::committer(connector, &folder)),
            savepoints: savepoint_opener(self.threads),
            backends: Arc::new(MemoryBackendFactory::new((self.runtime.seed)()).with_memory(state_memory())),
            notice: Arc::new(move |line| screen.notice_in_short(line)),
        }
    }
}
