//! `weir bench nexmark`: how fast each query of the benchmark is.
//!
//! A query is a job file of a folder. It is run as it stands there, but for the number of its source's events and where its checkpoints lie, by `weir run` in a process of its
//! own, so that processor time and memory are those of one job. Ctrl-C ends the query that runs, and what the others came to is printed; so it is where a query fails, behind
//! which the others go on.

use crate::args::NexmarkArgs;
use crate::context::Context;
use crate::documents::{BenchDocument, BenchFailure, BenchQuery, SCHEMA};
use crate::failure::{FAILED, Failure, INTERRUPTED};
use crate::figures::{bytes_text, grouped};
use crate::plugins::PluginOrigin;
use crate::start::build;
use serde_json::Value;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use toml::Table;
use weir_engine::{EngineError, ErrorKind};

/// Runs the queries and prints what each came to.
pub(super) fn nexmark(context: &Context, args: &NexmarkArgs) -> Result<u8, Failure> {
    let mut document = BenchDocument { schema: SCHEMA, queries: Vec::new(), failed: Vec::new() };
    let queries = queries(args)?;
    let stopping = Stopping::listen()?;
    for (place, query) in queries.iter().enumerate() {
        let (of, all) = (place + 1, queries.len());
        context.screen.notice(&format!("{} ({of} of {all}): {} events", query.name, grouped(args.events)));
        match query.measured(context, args.events, &stopping) {
            Ok(measured) => {
                context.screen.notice(&progress(&measured));
                document.queries.push(measured);
            }
            Err(_) if stopping.is_asked_for() => break,
            Err(failure) => {
                context.screen.notice(failure.render(false).trim_end());
                document.failed.push(BenchFailure { query: query.name.clone(), error: failure.text() });
            }
        }
    }
    context.print(&document, || text(&document))?;
    if stopping.is_asked_for() {
        context.screen.notice(&format!("stopped: {} of {} queries were measured", document.queries.len(), queries.len()));
        return Ok(INTERRUPTED as u8);
    }
    Ok(if document.failed.is_empty() { 0 } else { FAILED })
}

/// What a query came to, while others are to come.
fn progress(query: &BenchQuery) -> String {
    let rate = grouped(query.events_per_cpu_s.round() as u64);
    format!("{}: {rate} events per CPU second, {:.1} s", query.query, query.wall_s)
}

/// Ctrl-C, and the process of the query that it ends.
#[derive(Clone, Default)]
struct Stopping(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    asked_for: bool,
    query: Option<Child>,
}

impl Stopping {
    /// From now on a signal ends the query that runs, and no other is begun.
    fn listen() -> Result<Self, Failure> {
        let stopping = Self::default();
        let heard = stopping.clone();
        ctrlc::set_handler(move || heard.stop())
            .map_err(|error| Failure::Engine(EngineError::new(ErrorKind::Bug, format!("take over Ctrl-C: {error}"))))?;
        Ok(stopping)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Running) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_asked_for(&self) -> bool {
        self.with(|running| running.asked_for)
    }

    /// What a query that is ended has measured is worth nothing: it takes no last checkpoint.
    fn stop(&self) {
        self.with(|running| {
            running.asked_for = true;
            // One that has ended by itself is no failure.
            running.query.as_mut().map(Child::kill)
        });
    }

    /// What `command` prints until it ends.
    fn output(&self, command: &mut Command) -> io::Result<Vec<u8>> {
        let mut printed = Vec::new();
        let stdout = self.with(|running| {
            if running.asked_for {
                return Ok(None);
            }
            let mut child = command.stdout(Stdio::piped()).spawn()?;
            let stdout = child.stdout.take();
            running.query = Some(child);
            Ok::<_, io::Error>(stdout)
        })?;
        // Its process may be ended meanwhile.
        let read = stdout.map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut printed));
        let ended = self.with(|running| running.query.take()).map(|mut child| child.wait());
        read.and(ended.transpose()).map(|_| printed)
    }
}

/// A job file of the folder.
struct Query {
    /// As `q5`.
    name: String,
    path: PathBuf,
}

/// Those that are asked for, or all by their numbers.
fn queries(args: &NexmarkArgs) -> Result<Vec<Query>, Failure> {
    let folder = &args.folder;
    let entries = fs::read_dir(folder).map_err(|error| Failure::Usage {
        message: format!("list the queries in {}: {error}", folder.display()),
        hint: "run it in the root of weir's sources, or name the folder with `--folder`".into(),
    })?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut known: Vec<(u32, String)> = names.filter_map(|name| numbered(name.strip_suffix(".toml")?)).collect();
    known.sort_unstable();
    let known: Vec<String> = known.into_iter().map(|(_, name)| name).collect();
    if let Some(unknown) = args.query.iter().find(|query| !known.contains(query)) {
        let message = format!("there is no query `{unknown}` in {}", folder.display());
        return Err(Failure::Usage { message, hint: format!("known queries: {}", known.join(", ")) });
    }
    let asked = if args.query.is_empty() { known } else { args.query.clone() };
    Ok(asked.into_iter().map(|name| Query { path: folder.join(format!("{name}.toml")), name }).collect())
}

/// A query's number and name.
fn numbered(name: &str) -> Option<(u32, String)> {
    Some((name.strip_prefix('q')?.parse().ok()?, name.to_owned()))
}

impl Query {
    fn measured(&self, context: &Context, events: u64, stopping: &Stopping) -> Result<BenchQuery, Failure> {
        let job = context.job(&self.path)?;
        let plugins = build(&context.screen, &job)?;
        let folder = Scratch::new(&self.name)?;
        let text = job_text(&job.source.text, events, |operator| match plugins.get(operator) {
            Some(PluginOrigin::File(path)) => Some(job.folder.join(path)),
            _ => None,
        });
        let path = folder.0.join("job.toml");
        fs::write(&path, text).map_err(|error| failed(&format!("write {}: {error}", path.display())))?;
        let run = self.run(&path, stopping)?;
        Ok(figures(&self.name, events, &run))
    }

    /// The document of a run to the end.
    fn run(&self, job: &Path, stopping: &Stopping) -> Result<Value, Failure> {
        let wrong = |why: String| failed(&format!("run {}: {why}", self.name));
        let weir = std::env::current_exe().map_err(|error| wrong(format!("find weir's own file: {error}")))?;
        let mut command = Command::new(weir);
        command.args(["run", "--quiet", "--no-api", "--output", "json"]).arg(job).stdin(Stdio::null()).stderr(Stdio::inherit());
        // Ctrl-C is this process's alone, which tells it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let printed = stopping.output(&mut command).map_err(|error| wrong(error.to_string()))?;
        let document: Value = serde_json::from_slice(&printed).map_err(|error| wrong(format!("read what it printed: {error}")))?;
        match document["outcome"].as_str() {
            Some("finished") => Ok(document),
            outcome => Err(wrong(format!("it has not come to its end, it is {}", outcome.unwrap_or("unknown")))),
        }
    }
}

/// The job file with other events, plugins that lie where they lie, and checkpoints beside the file.
fn job_text(text: &str, events: u64, plugin: impl Fn(&str) -> Option<PathBuf>) -> String {
    let mut job: Table = text.parse().expect("it has been read as a job file");
    for (_, source) in
        tables(&mut job, "source").filter(|(_, source)| source.get("connector").is_some_and(|it| it.as_str() == Some("nexmark")))
    {
        source.insert("count".into(), toml::Value::Integer(events as i64));
    }
    for (id, operator) in tables(&mut job, "operator") {
        if let Some(path) = plugin(id) {
            operator.insert("plugin".into(), path.display().to_string().into());
        }
        ["build", "sources"].iter().for_each(|key| _ = operator.remove(*key));
    }
    if let Some(checkpoints) = job.get_mut("checkpoints").and_then(toml::Value::as_table_mut) {
        checkpoints.remove("storage");
    }
    job.to_string()
}

/// The tables of a kind of step, by id.
fn tables<'a>(job: &'a mut Table, kind: &str) -> impl Iterator<Item = (&'a String, &'a mut Table)> {
    let steps = job.get_mut(kind).and_then(toml::Value::as_table_mut);
    steps.into_iter().flatten().filter_map(|(id, step)| Some((id, step.as_table_mut()?)))
}

fn figures(query: &str, events: u64, run: &Value) -> BenchQuery {
    let number = |name: &str| run[name].as_f64().unwrap_or(0.0);
    let (wall_s, cpu_s) = (number("wall_s"), number("cpu_s"));
    let durations: Vec<u64> =
        run["checkpoints"]["items"].as_array().into_iter().flatten().filter_map(|item| item["duration_ms"].as_u64()).collect();
    BenchQuery {
        query: query.into(),
        events,
        wall_s,
        cpu_s,
        events_per_cpu_s: rate(events, cpu_s),
        events_per_s: run["steady_records_read_per_s"].as_f64().unwrap_or_else(|| rate(events, wall_s)),
        peak_memory_bytes: run["peak_memory_bytes"].as_u64().unwrap_or(0),
        checkpoints: run["checkpoints"]["completed"].as_u64().unwrap_or(0),
        checkpoint_ms_mean: if durations.is_empty() { 0.0 } else { durations.iter().sum::<u64>() as f64 / durations.len() as f64 },
        checkpoint_ms_max: durations.into_iter().max().unwrap_or(0),
    }
}

/// Events per second; 0 where the system does not say how long it took.
fn rate(events: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { events as f64 / seconds } else { 0.0 }
}

fn text(document: &BenchDocument) -> String {
    let mut text = "query      events/cpu s        events/s     cpu s   peak memory   checkpoints, mean and longest\n".to_owned();
    for query in &document.queries {
        let BenchQuery { events_per_cpu_s, events_per_s, cpu_s, checkpoints, checkpoint_ms_mean, checkpoint_ms_max, .. } = query;
        let [by_cpu, by_wall] = [events_per_cpu_s, events_per_s].map(|rate| grouped(rate.round() as u64));
        let (name, memory) = (&query.query, bytes_text(query.peak_memory_bytes));
        text.push_str(&format!("{name:<5}  {by_cpu:>15} {by_wall:>15} {cpu_s:>9.2} {memory:>13}   "));
        text.push_str(&format!("{checkpoints}, {checkpoint_ms_mean:.1} ms, {checkpoint_ms_max} ms\n"));
    }
    for BenchFailure { query, error } in &document.failed {
        text.push_str(&format!("{query:<5}  failed: {error}\n"));
    }
    text
}

fn failed(message: &str) -> Failure {
    Failure::Engine(EngineError::new(ErrorKind::FixInput, message.to_owned()))
}

/// A folder that goes when it is done with.
struct Scratch(PathBuf);

impl Scratch {
    fn new(query: &str) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("weir-bench-{}-{query}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| failed(&format!("make {}: {error}", folder.display())))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be cleared away is in the system's folder for such files.
        _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_run_with_other_events_and_the_plugins_that_were_built() {
        let text = "name = \"q\"\n[checkpoints]\nstorage = \"s3://b\"\ninterval = \"1s\"\n[source.events]\nconnector = \"nexmark\"\ncount = 5\n[source.other]\nconnector = \"generator\"\ncount = 6\n[operator.a]\nplugin = \"a.wasm\"\nbuild = \"make\"\ninput = \"events\"\n";
        let job: Table = job_text(text, 70, |id| Some(format!("/built/{id}.wasm").into())).parse().unwrap();
        let expect = "name = \"q\"\n[checkpoints]\ninterval = \"1s\"\n[source.events]\nconnector = \"nexmark\"\ncount = 70\n[source.other]\nconnector = \"generator\"\ncount = 6\n[operator.a]\nplugin = \"/built/a.wasm\"\ninput = \"events\"\n";
        assert_eq!(job, expect.parse().unwrap());
    }

    #[test]
    #[cfg(unix)]
    fn a_query_that_is_stopped_ends_at_once_and_no_other_begins() {
        let stopping = Stopping::default();
        assert_eq!(stopping.output(Command::new("echo").arg("5")).unwrap(), b"5\n");
        let printed = std::thread::scope(|scope| {
            scope.spawn(|| {
                while stopping.with(|running| running.query.is_none()) {
                    std::thread::yield_now();
                }
                stopping.stop();
            });
            stopping.output(Command::new("sleep").arg("3600"))
        });
        assert_eq!(printed.unwrap(), b"", "it is not waited for");
        assert!(stopping.is_asked_for());
        assert_eq!(stopping.output(Command::new("echo").arg("5")).unwrap(), b"");
    }

    #[test]
    fn figures_are_of_all_events_and_of_the_run() {
        let run = serde_json::json!({
            "wall_s": 4.0, "cpu_s": 5.0, "steady_records_read_per_s": null, "peak_memory_bytes": 9,
            "checkpoints": { "completed": 2, "items": [{ "duration_ms": 3 }, { "duration_ms": 6 }] },
        });
        let query = figures("q5", 100, &run);
        assert_eq!((query.events_per_cpu_s, query.events_per_s, query.checkpoint_ms_mean, query.checkpoint_ms_max), (20.0, 25.0, 4.5, 6));
        let shown = text(&BenchDocument { schema: SCHEMA, queries: vec![query], failed: Vec::new() });
        assert!(shown.contains("q5") && shown.ends_with("2, 4.5 ms, 6 ms\n"), "{shown}");
    }

    #[test]
    fn a_query_that_is_not_there_is_refused_with_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        ["q10.toml", "q2.toml", "README.md", "quiet.toml"].iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        let asked = |query: &[&str]| NexmarkArgs {
            query: query.iter().map(|&name| name.into()).collect(),
            events: 1,
            folder: folder.path().into(),
        };
        let names = |args: &NexmarkArgs| queries(args).map(|all| all.into_iter().map(|query| query.name).collect::<Vec<_>>());
        assert_eq!(names(&asked(&[])).unwrap(), ["q2", "q10"]);
        assert_eq!(names(&asked(&["q10"])).unwrap(), ["q10"]);
        assert_eq!(names(&asked(&["q5"])).unwrap_err().hint(), Some("known queries: q2, q10"));
    }
}
