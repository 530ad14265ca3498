//! `weir run`: a job from its file to its end.

use super::check::{build, restore_options};
use super::pinned::{job_of_savepoint, pinned_plugins, refuse_newer_origin};
use super::{Context, tell};
use crate::api::{ApiAddress, ApiServer, Ended, RunningJob, RunningParts, Shape, TOKEN, absolute_storage};
use crate::args::{Output, RunArgs};
use crate::assemble::Assembly;
use crate::crash_points::CrashPoints;
use crate::descriptors::raise_descriptor_limit;
use crate::documents::{Outcome, RunCheckpoints, RunDocument, RunVertex, SCHEMA};
use crate::failure::{FAILED, Failure};
use crate::figures::summary;
use crate::job_file::JobFile;
use crate::observer::{Observer, checkpoint_document};
use crate::plugin_origin::PluginOrigins;
use crate::process_memory::{peak_memory_bytes, state_memory};
use crate::registry::{Claim, Registered, Registration, Registry};
use crate::signals::{Held, Signals};
use crate::standard_output;
use crate::steady_rate::{Sample, first_record_at, steady_rates};
use crate::storage::{savepoint_opener, savepoint_url, threads};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::checkpoint::{JobLog, LogEntry, Trigger};
use weir_engine::element::CheckpointId;
use weir_engine::job::{History, JobControl, JobFileCopy, JobGraph, JobOptions, JobOutcome, JobReport, JobStatus, StartMode, run_job};
use weir_engine::runtime::{Runtime, ThreadRuntime};
use weir_engine::state::MemoryBackendFactory;
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::{EngineError, ErrorKind};

/// Runs a job and tells what it came to. Returns the exit code.
pub(super) fn run(context: &Context, args: &RunArgs, held: Option<Held>) -> u8 {
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

fn try_run(context: &Context, args: &RunArgs, held: Option<Held>, document: &mut RunDocument) -> Result<(), Failure> {
    let output = context.output;
    let signals = Signals::listen(&context.screen, move || print_stopped(output))?;
    drop(held);
    let threads = threads()?;
    let ended = Run { context, args, runtime: threads.runtime(), threads: &threads, signals }.run(document);
    threads.shutdown();
    ended
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
        let address = api_address(self.args)?;
        let job = self.job(&start)?;
        document.job.clone_from(&job.name);
        refuse_two_documents(self.context.output, &job)?;
        let storage = absolute_storage(&job.checkpoints.storage.value, &job.folder, &job.name);
        let job_file = self.args.job.as_ref().map_or_else(|| job.source.name.to_string(), |path| absolute(path));
        let Claimed { mut registration, taken_from } = self.claim(&job.name, &job_file, &storage)?;
        let began = self.runtime.clock.now();
        // Without a job file of its own a run has no plugins of its own either.
        let pinned = self.args.pinned || self.args.job.is_none();
        let built = if pinned { None } else { Some(build(self.context, &job)?) };
        // Compiling a plugin belongs to the start of a job, making it does not.
        let building = self.runtime.clock.now().saturating_sub(began);
        let opened = ObjectStorage::open(&job.checkpoints.storage.value, &job.folder, &job.name, self.threads.control());
        let store: Arc<dyn Store> = Arc::new(self.threads.block_on(opened)?);
        let screen = &self.context.screen;
        let log = self.threads.block_on(JobLog::open(store.clone(), self.runtime.clock.clone()))?;
        let stored = |path: &str| self.threads.block_on(store.get(path));
        let history = History::of(log.entries());
        let plugins = match built {
            Some(plugins) => plugins,
            None => self.pinned(&job, &history, &start, &*store)?,
        };
        let (shape, assembly) = {
            let compiler = self.context.compiler.clone();
            Shape::started((&job, compiler), plugins, &history, &start, stored, &|line| screen.notice(line))?
        };
        self.refuse_newer(&job, (&assembly.graph, &history), &start, &*store)?;
        let ended = Registry::of_user().ok().and_then(|registry| registry.ended(&storage));
        taken_from.or(may_run_elsewhere(log.entries(), ended)).iter().for_each(|line| screen.notice(line));
        drop(log);
        let crash = CrashPoints::of_process()?;

        let status = Arc::new(JobStatus::new(assembly.graph.vertices.len()));
        let options = self.options(&job, store.clone(), start);
        let options = JobOptions { store: crash.store(options.store), committers: crash.committers(options.committers), ..options };
        let (control, inbox) = JobControl::new();
        self.signals.stop_job(control.clone(), self.runtime.clock.clone());
        let parts = RunningParts {
            control,
            status: status.clone(),
            store,
            runtime: self.runtime.clone(),
            threads: self.threads.control().clone(),
            vertices: assembly.graph.vertices.iter().map(|vertex| (vertex.id.clone(), vertex.parallelism)).collect(),
            storage: storage.clone(),
            job_file,
            job_copy: JobFileCopy { text: Bytes::copy_from_slice(job.source.text.as_bytes()), folder: job.folder.display().to_string() },
            shape,
        };
        let served = address.map(|address| self.serve(address, parts, registration.take())).transpose()?;
        let observer = Observer::start(&assembly, status.clone(), &self.runtime, building, screen);
        let report =
            self.threads.block_on(run_job(crash.graph(assembly.graph.clone()), options, self.runtime.clone(), status.clone(), inbox));
        // Nobody waits for a component that would replace one of a job which has ended.
        self.context.compiler.stop();
        let samples = observer.end();
        document.wall_s = self.runtime.clock.now().saturating_sub(building).as_secs_f64();
        fill(document, &assembly, &status, &report, &samples);
        note_end(&storage, &report);
        screen.notice(summary(document, &self.again()).trim_end());
        match report.outcome {
            JobOutcome::Failed(error) | JobOutcome::Fenced(error) => {
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

    /// Registers the job, unless another process of this user's has it.
    fn claim(&self, job: &str, job_file: &str, storage: &str) -> Result<Claimed, Failure> {
        let claimed = Registry::of_user().and_then(|registry| registry.claim(job, job_file, storage, self.args.takeover));
        let Claim { others, registration } = match claimed {
            Ok(claim) => claim,
            // A job runs as well where nobody finds it.
            Err(error) => {
                self.context.screen.notice(&format!("the job is not registered: {error}"));
                return Ok(Claimed { registration: None, taken_from: None });
            }
        };
        if registration.is_none() {
            return Err(runs_already((job, storage), &pids(&others)).into());
        }
        let taken_from = (!others.is_empty()).then(|| taking_over(&pids(&others)));
        Ok(Claimed { registration, taken_from })
    }

    /// The job file that is named, or the savepoint's.
    fn job(&self, start: &StartMode) -> Result<JobFile, Failure> {
        match (&self.args.job, start) {
            (Some(path), _) => self.context.job(path),
            (None, StartMode::FromSavepoint { url, .. }) => job_of_savepoint(self.context, url),
            (None, StartMode::Resume | StartMode::Fresh | StartMode::From { .. }) => Err(Failure::Usage {
                message: "`--from` names a checkpoint, and the job that it is of is not named".into(),
                hint: "name its job file: `weir run JOB --from ID`; only a savepoint holds one itself".into(),
            }),
        }
    }

    /// The components that are kept where the job starts from.
    fn pinned(&self, job: &JobFile, history: &History, start: &StartMode, store: &dyn Store) -> Result<PluginOrigins, Failure> {
        let savepoints = savepoint_opener(self.threads);
        let pinned = pinned_plugins(job, (history.origin(start)?, &self.args.drop_state), store, &savepoints, &*self.runtime.clock);
        Ok(self.threads.block_on(pinned)?)
    }

    /// What a newer weir wrote is not gone on with.
    fn refuse_newer(&self, job: &JobFile, of: (&JobGraph, &History), start: &StartMode, store: &dyn Store) -> Result<(), Failure> {
        let (graph, history) = of;
        let (savepoints, clock) = (savepoint_opener(self.threads), &*self.runtime.clock);
        let what = (job, graph, self.args.drop_state.as_slice());
        let refused = refuse_newer_origin(what, history.origin(start), store, (&savepoints, clock), || self.context.compiler.engine());
        Ok(self.threads.block_on(refused)?)
    }

    /// The command that goes on with this run.
    fn again(&self) -> String {
        match (&self.args.job, &self.args.from) {
            (Some(job), _) => format!("weir run {}{}", job.display(), if self.args.pinned { " --pinned" } else { "" }),
            (None, from) => format!("weir run --from {}", from.as_deref().unwrap_or_default()),
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

    fn options(&self, job: &JobFile, store: Arc<dyn Store>, start: StartMode) -> JobOptions {
        let (checkpoints, screen, folder) = (&job.checkpoints, self.context.screen.clone(), job.folder.clone());
        JobOptions {
            store,
            checkpoints: checkpoints.config,
            retain: checkpoints.retain as usize,
            restart: job.restart,
            start,
            restore: restore_options(job, &self.args.drop_state),
            accept_lost_output: self.args.accept_lost_output,
            committers: Arc::new(move |connector| weir_connectors::committer(connector, &folder)),
            savepoints: savepoint_opener(self.threads),
            backends: Arc::new(MemoryBackendFactory::new((self.runtime.seed)()).with_memory(state_memory())),
            notice: Arc::new(move |line| screen.notice_in_short(line)),
        }
    }
}

/// A run's place in the registry.
struct Claimed {
    registration: Option<Registration>,
    /// Whom the job is taken over from, for the user.
    taken_from: Option<String>,
}

fn pids(processes: &[Registered]) -> Vec<u32> {
    processes.iter().map(|process| process.pid).collect()
}

/// Why a job is not begun that these processes run.
fn runs_already((job, storage): (&str, &str), pids: &[u32]) -> EngineError {
    let (has, is_fenced) = if pids.len() == 1 { ("has", "is fenced and stops") } else { ("have", "are fenced and stop") };
    let processes = processes_text(pids);
    let message = format!("job {job} runs already: {processes} of yours {has} it, with the same storage {storage}");
    let hint = format!("`weir stop {job}` stops it after a last checkpoint; `--takeover` runs it here, and {processes} {is_fenced}");
    EngineError::new(ErrorKind::FixInput, message).with_hint(hint)
}

fn taking_over(pids: &[u32]) -> String {
    let is_fenced = if pids.len() == 1 { "is fenced and stops" } else { "are fenced and stop" };
    format!("taking over from {}, which {is_fenced}", processes_text(pids))
}

fn processes_text(pids: &[u32]) -> String {
    let numbers: Vec<String> = pids.iter().map(u32::to_string).collect();
    format!("{} {}", if pids.len() == 1 { "process" } else { "processes" }, numbers.join(", "))
}

/// Notes that this run's last attempt is over, for whoever runs the job next. Where that cannot be written, the next run says that it takes over.
fn note_end(storage: &str, report: &JobReport) {
    if let (Some(attempt), Ok(registry)) = (report.attempt, Registry::of_user()) {
        _ = registry.note_end(storage, attempt.0);
    }
}

/// What the user has to know where neither the log nor a note of this user's (`ended`: the last attempt that is known to be over) shows that the run before has
/// ended: nobody here knows of it, and there is no lease that could be waited for.
fn may_run_elsewhere(entries: &[LogEntry], ended: Option<u64>) -> Option<String> {
    let attempt = match entries.last()? {
        LogEntry::Finished { .. } => return None,
        LogEntry::Completed { trigger, .. } if [Trigger::Stop, Trigger::Final].iter().any(|last| last.name() == trigger) => return None,
        entry @ (LogEntry::Attempt { .. }
        | LogEntry::Completed { .. }
        | LogEntry::Failed { .. }
        | LogEntry::Override { .. }
        | LogEntry::Outcome { .. }) => entry.attempt(),
    };
    if ended == Some(attempt.0) {
        return None;
    }
    Some(format!(
        "taking over from attempt {attempt}, whose end is not in the log: if its process still runs elsewhere, it is fenced and stops"
    ))
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Where to serve the API; `None`: nowhere.
fn api_address(args: &RunArgs) -> Result<Option<ApiAddress>, Failure> {
    if args.no_api {
        return Ok(None);
    }
    ApiAddress::parse(&args.api, std::env::var(TOKEN).ok()).map(Some)
}

fn start_mode(args: &RunArgs) -> Result<StartMode, Failure> {
    match &args.from {
        None if args.fresh => Ok(StartMode::Fresh),
        None => Ok(StartMode::Resume),
        Some(from) => match start_point(from, args.job.as_deref().unwrap_or(Path::new("JOB")))? {
            StartPoint::Checkpoint(checkpoint_id) => Ok(StartMode::From { checkpoint_id, again: args.again }),
            StartPoint::Savepoint(url) => Ok(StartMode::FromSavepoint { url, again: args.again }),
        },
    }
}

/// What `--from` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StartPoint {
    /// A checkpoint of the job.
    Checkpoint(CheckpointId),
    /// A savepoint, by its absolute URL.
    Savepoint(String),
}

/// Reads the argument of `--from`.
pub(super) fn start_point(from: &str, job: &Path) -> Result<StartPoint, Failure> {
    match from.parse() {
        Ok(id) => Ok(StartPoint::Checkpoint(CheckpointId(id))),
        Err(_) if from.contains([':', '/']) => Ok(StartPoint::Savepoint(savepoint_url(from)?)),
        Err(_) => Err(Failure::Usage {
            message: format!("`--from {from}`: this is neither a checkpoint id nor the URL or path of a savepoint"),
            hint: format!("`weir checkpoint list {}` shows the ids; a path has a slash: `./{from}`", job.display()),
        }),
    }
}

fn refuse_two_documents(output: Output, job: &JobFile) -> Result<(), Failure> {
    match job.sinks.iter().find(|sink| sink.connector.value == "stdout") {
        Some(sink) if output == Output::Json => Err(Failure::Usage {
            message: format!("`--output json` and the sink `{}` would both write to standard output", sink.id.value),
            hint: "leave `--output json` out, or send the records to a `file` sink".into(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Fills in what the run came to.
fn fill(document: &mut RunDocument, assembly: &Assembly, status: &JobStatus, report: &JobReport, samples: &[Sample]) {
    let (outcome, error) = match &report.outcome {
        JobOutcome::Finished => (Outcome::Finished, None),
        JobOutcome::Stopped => (Outcome::Stopped, None),
        JobOutcome::Cancelled => (Outcome::Cancelled, None),
        JobOutcome::AlreadyFinished => (Outcome::AlreadyFinished, None),
        JobOutcome::Fenced(error) => (Outcome::Fenced, Some(error)),
        JobOutcome::Failed(error) => (Outcome::Failed, Some(error)),
    };
    document.outcome = outcome;
    document.error = error.map(ToString::to_string);
    document.attempt = report.attempt.map(|attempt| attempt.0);
    document.resumed_from = report.resumed_from.map(|checkpoint| checkpoint.0);
    document.from_savepoint.clone_from(&report.from_savepoint);
    document.first_record_s = first_record_at(samples).map(|at: Duration| at.as_secs_f64());
    // Of an input that has not come to its end nobody knows what a quarter is.
    let steady = steady_rates(samples).filter(|_| outcome == Outcome::Finished);
    document.steady_records_per_s = steady.map(|rates| rates.at_sinks);
    document.steady_records_read_per_s = steady.map(|rates| rates.read);
    document.restarts = status.restarts.get();
    let items = status.checkpoints().into_iter().map(checkpoint_document).collect();
    document.checkpoints = RunCheckpoints { completed: status.completed.get(), failed: status.failed.get(), items };
    let vertices = assembly.graph.vertices.iter().zip(&status.metrics.vertices);
    let vertex = |(vertex, metrics): (&weir_engine::job::Vertex, &Arc<weir_engine::metrics::VertexMetrics>)| RunVertex {
        id: vertex.id.clone(),
        parallelism: vertex.parallelism,
        records_in: metrics.records_in.get(),
        records_out: metrics.records_out.get(),
        quarantined: metrics.quarantined.get(),
        skipped: metrics.skipped.get(),
        state_bytes: metrics.state_bytes.get(),
        metrics: metrics.own.get(),
    };
    document.vertices = vertices.map(vertex).collect();
    document.peak_memory_bytes = peak_memory_bytes();
}

impl RunDocument {
    /// That of a run that has not begun, and has failed unless something better becomes known.
    fn of_nothing() -> Self {
        Self {
            schema: SCHEMA,
            job: String::new(),
            outcome: Outcome::Failed,
            attempt: None,
            resumed_from: None,
            from_savepoint: None,
            wall_s: 0.0,
            first_record_s: None,
            steady_records_per_s: None,
            steady_records_read_per_s: None,
            vertices: Vec::new(),
            checkpoints: RunCheckpoints::default(),
            restarts: 0,
            peak_memory_bytes: 0,
            error: None,
            hint: None,
            problems: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_file::{SourceText, parse};
    use weir_engine::checkpoint::LineageRoot;
    use weir_engine::element::AttemptId;

    fn args(from: Option<&str>, fresh: bool, again: bool) -> RunArgs {
        RunArgs {
            job: Some("job.toml".into()),
            fresh,
            from: from.map(Into::into),
            again,
            pinned: false,
            drop_state: Vec::new(),
            accept_lost_output: false,
            api: String::new(),
            no_api: true,
            takeover: false,
        }
    }

    #[test]
    fn the_start_follows_the_options() {
        let mode = |from, fresh, again| start_mode(&args(from, fresh, again)).ok();
        assert_eq!(mode(None, false, false), Some(StartMode::Resume));
        assert_eq!(mode(None, true, false), Some(StartMode::Fresh));
        assert_eq!(mode(Some("7"), false, true), Some(StartMode::From { checkpoint_id: CheckpointId(7), again: true }));
    }

    #[test]
    fn a_savepoint_is_named_by_url_or_path_and_anything_else_is_bad_usage() {
        let mode = |from| start_mode(&args(Some(from), false, false)).map_err(|failure| (failure.exit_code(), failure.text()));
        assert_eq!(mode("file:/s"), Ok(StartMode::FromSavepoint { url: "file:/s".into(), again: false }));
        assert_eq!(mode("/s/1"), Ok(StartMode::FromSavepoint { url: "file:/s/1".into(), again: false }));
        let neither = "`--from latest`: this is neither a checkpoint id nor the URL or path of a savepoint";
        assert_eq!(mode("latest"), Err((2, neither.into())));
        assert!(mode("gs://x/y").is_err());
    }

    #[test]
    fn one_process_has_a_job_and_several_have_it() {
        let one = runs_already(("j", "file:/w/j"), &[7]);
        assert_eq!(one.to_string(), "job j runs already: process 7 of yours has it, with the same storage file:/w/j");
        assert!(one.hint().is_some_and(|hint| hint.ends_with("and process 7 is fenced and stops")), "{:?}", one.hint());
        let two = runs_already(("j", "file:/w/j"), &[7, 8]);
        assert_eq!(two.to_string(), "job j runs already: processes 7, 8 of yours have it, with the same storage file:/w/j");
        assert!(two.hint().is_some_and(|hint| hint.ends_with("and processes 7, 8 are fenced and stop")), "{:?}", two.hint());
        assert_eq!(taking_over(&[7]), "taking over from process 7, which is fenced and stops");
        assert_eq!(taking_over(&[7, 8]), "taking over from processes 7, 8, which are fenced and stop");
    }

    #[test]
    fn a_run_that_is_known_to_have_ended_runs_nowhere_else() {
        let begun = LogEntry::Attempt {
            attempt: AttemptId(3),
            nonce: "n".into(),
            lineage: AttemptId(1),
            lineage_nonce: None,
            root: LineageRoot::Fresh,
            restored: None,
            probation: false,
            started_ms: 0,
        };
        let said = |ended| may_run_elsewhere(std::slice::from_ref(&begun), ended);
        assert!(said(None).is_some_and(|line| line.starts_with("taking over from attempt 3, whose end is not in the log")));
        assert!(said(Some(2)).is_some(), "another has begun an attempt since");
        assert_eq!(said(Some(3)), None, "it was cancelled here, or has failed");
        assert_eq!(may_run_elsewhere(&[], None), None);
    }

    #[test]
    fn a_stdout_sink_and_a_document_do_not_share_standard_output() {
        let text = "name = \"j\"\n[source.in]\nconnector = \"generator\"\n[sink.out]\nconnector = \"stdout\"\ninput = \"in\"\n";
        let source = SourceText { name: "job.toml".into(), text: text.into() };
        let job = parse(source, std::path::Path::new("/jobs"), 1).expect("a fine job");
        assert!(refuse_two_documents(Output::Text, &job).is_ok());
        assert_eq!(refuse_two_documents(Output::Json, &job).err().map(|failure| failure.exit_code()), Some(2));
    }
}
