//! `weir upgrade --dry-run` and `weir replay`: a job that was stopped midway, looked at without being touched; and guests that are
//! compared.

use crate::WEIR;
use futures_util::FutureExt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use weir_engine::EngineError;
use weir_engine::checkpoint::JobLog;
use weir_engine::element::CheckpointId;
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, History, JobGraph, Pace, Vertex, VertexKind, write_savepoint};
use weir_engine::replay::{DryRunReport, IsolatedOperator, RecordOfBatch, ReplayPoint, Upstream, dry_run};
use weir_engine::runtime::{ConnectorIo, Simulator, ThreadRuntime};
use weir_engine::state::MemoryBackendFactory;
use weir_engine::storage::{ObjectStorage, Store};
use weir_tests::process::{Bench, Lines, Signal, WordCount, plugin, wait_until};
use weir_tests::sandbox::{faulty, keyed_count};
use weir_tests::simulation::{NumberSource, ReadOrder, in_order};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin, QuarantineLimit, WasmOperatorFactory};

/// A word count that was stopped behind its first committed part.
fn stopped_job() -> Bench {
    stopped(WordCount { rate: 300, parallelism: 2, ..WordCount::default() })
}

fn stopped(job: WordCount) -> Bench {
    let bench = Bench::new(WEIR, job);
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    process.send(Signal::Interrupt);
    process.ended().assert(0, &[]);
    bench.hasten();
    bench
}

/// Every file below `folder` with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => _ = found.insert(path.display().to_string(), fs::read(&path).expect("a readable file")),
        }
    }
    found
}

fn dry_run_of(bench: &Bench, plugin: &Path, more: &str) -> (Option<i32>, Value) {
    let ended = bench.run(&format!("upgrade job.toml --operator count --plugin {} --dry-run --output json{more}", plugin.display()));
    (ended.code, ended.document())
}

#[test]
fn a_plugin_agrees_with_itself_and_costs_the_same_and_nothing_is_written() {
    let bench = stopped_job();
    let before = files(&bench.path(""));
    let own = plugin("word-count-count");
    let (code, first) = dry_run_of(&bench, &own, "");
    assert_eq!(
        (code, &first["agrees"], &first["compared"], &first["old"]["failures"]),
        (Some(0), &true.into(), &true.into(), &0.into()),
        "{first}"
    );
    assert_eq!(first["from"]["checkpoint"], bench.log().newest().id);
    let left = bench.job().output().len() as u64 - bench.committed().values().sum::<u64>();
    assert_eq!(first["records"], left);
    let fuel = |document: &Value, version: &str| document[version]["fuel"].as_u64().expect("fuel is counted");
    assert!(fuel(&first, "old") > 0 && fuel(&first, "old") == fuel(&first, "new"), "{first}");
    let (_, second) = dry_run_of(&bench, &own, "");
    assert_eq!((fuel(&second, "old"), fuel(&second, "new")), (fuel(&first, "old"), fuel(&first, "new")));
    let (_, fewer) = dry_run_of(&bench, &own, " --records 7");
    assert_eq!(fewer["records"], 7);
    assert!(files(&bench.path("")) == before, "a dry run leaves the job's folder as it was");
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn a_dry_run_and_a_replay_of_nothing_say_so() {
    let bench = Bench::new(WEIR, WordCount { lines: 50, ..WordCount::default() });
    bench.run("run job.toml -q").assert(0, &[]);
    let own = plugin("word-count-count");
    let (code, document) = dry_run_of(&bench, &own, "");
    assert_eq!(
        (code, &document["records"], &document["compared"], &document["agrees"]),
        (Some(1), &0.into(), &false.into(), &false.into())
    );
    let text = bench.run(&format!("upgrade job.toml --operator count --plugin {} --dry-run", own.display()));
    assert!(text.stdout.contains("no record has come") && text.stdout.contains("`--from` takes an older checkpoint"), "{text:?}");
    assert_eq!((text.code, text.stdout.lines().last()), (Some(1), Some("nothing was compared")));
    bench.run("replay job.toml --operator count").assert(0, &["count: 0 records from", "no record has come", "`--from` takes an older"]);
}

#[test]
fn another_plugin_is_told_apart_by_its_output_and_its_state() {
    let bench = Bench::new(WEIR, WordCount { lines: 500, ..WordCount::default() });
    let (code, document) = dry_run_of(&bench, &plugin("faulty"), "");
    assert_eq!((code, &document["agrees"], &document["failures_agree"]), (Some(1), &false.into(), &true.into()), "{document}");
    let out = &document["outputs"][0];
    assert_eq!((&out["name"], &out["different"]), (&"out".into(), &document["records"]), "{document}");
    let example = &out["examples"][0];
    let (old, new) = (example["old"]["value"].as_str().expect("text"), example["new"]["value"].as_str().expect("text"));
    assert!(old.starts_with("{\"word\":\"word") && new == "#1", "{document}");
    let of = |name: &str| document["states"].as_array().into_iter().flatten().find(|state| state["name"] == name).cloned();
    assert!(of("occurrences").is_some_and(|state| state["only_old"] == 40 && state["examples"][0]["new"].is_null()), "{document}");
    assert!(of("count").is_some_and(|state| state["only_new"] == 40), "{document}");
    assert_eq!(document["left_out"], serde_json::json!(["occurrences"]));
    let text = bench.run(&format!("upgrade job.toml --operator count --plugin {} --dry-run", plugin("faulty").display()));
    assert!(text.stdout.contains("the new one leaves out `occurrences`: a live upgrade to it is refused"), "{text:?}");
    assert_eq!((text.code, text.stdout.lines().last()), (Some(1), Some("the two differ")));
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    let bench = stopped_job();
    let own = plugin("word-count-count");
    let upgrade = |rest: &str| bench.run(&format!("upgrade job.toml --plugin {} {rest}", own.display()));
    upgrade("--operator count").assert(1, &["no job `job.toml` runs here"]);
    upgrade("--operator cout --dry-run").assert(2, &["`words` has no operator `cout`", "did you mean `count`"]);
    upgrade("--operator count --dry-run --from 9999").assert(1, &["replay from checkpoint 9999: the job has no completed checkpoint"]);
    upgrade("--operator count --dry-run --from nowhere").assert(2, &["neither a checkpoint id nor"]);
    bench.run("upgrade job.toml --operator count --plugin job.toml --dry-run").assert(1, &["count: load the plugin"]);
    bench.edit_job("input.txt", "inpu?.txt");
    bench.run("replay job.toml --operator split").assert(1, &["the job has changed"]);
}

#[test]
fn a_replay_is_what_the_job_goes_on_to_do_and_two_are_the_same() {
    let bench = stopped_job();
    // What runs is the component beside the checkpoint, not what the job file names now.
    bench.edit_job("word_count_count.wasm", "gone.wasm");
    let first = bench.run("replay job.toml --operator count -q");
    first.assert(0, &[]);
    assert_eq!(first.stdout, bench.run("replay job.toml --operator count -q").stdout);
    let (lines, replayed) = replayed(&first.stdout);
    assert!(lines.iter().all(|line| line["outputs"][0]["key"] == line["key"] && line["state"][0]["state"] == "occurrences"));
    let mut emitted = bench.committed();
    replayed.into_iter().for_each(|(line, times)| *emitted.entry(line).or_default() += times);
    assert_eq!(emitted, bench.job().output() as Lines, "what was committed, and what the replay emits, are what the input gives");

    let of_one = bench.run("replay job.toml --operator count --key word7 -q --output json").document();
    let records = of_one["records"].as_array().expect("records");
    let expected: Vec<&Value> = lines.iter().filter(|line| line["key"] == "word7").collect();
    assert!(!records.is_empty() && records.iter().eq(expected), "{of_one}");
    let changes = |record: &Value| (record["state"][0]["before"].clone(), record["state"][0]["after"].clone());
    assert!(records.windows(2).all(|pair| changes(&pair[0]).1 == changes(&pair[1]).0), "each goes on where the one before it came to");
}

#[test]
fn a_running_job_leaves_its_checkpoints_where_they_are_while_they_are_replayed() {
    let settings = WordCount { lines: 200_000, rate: 5_000, count_settings: "record = true".into(), ..WordCount::default() };
    let bench = Bench::new(WEIR, settings);
    bench.edit_job("interval = \"50ms\"", "interval = \"1h\"");
    let mut job = bench.start("run job.toml -q");
    let counted = || bench.run("status words --output json").document()["vertices"][2]["records_in"].as_u64().unwrap_or(0);
    assert!(job.runs_until("the API", || bench.run("jobs").stdout.contains("words")));
    let mut trigger = || {
        // More between two checkpoints than a pipe takes.
        let before = counted();
        assert!(job.runs_until("records", || counted() > before + 1_000));
        bench.run("checkpoint trigger words").assert(0, &[]);
    };
    (0..4).for_each(|_| trigger());
    let log = bench.log();
    let [from, last] = [1, 3].map(|place: usize| log.completed[place].clone());
    let is_kept = |metadata: &str| bench.storage().join(metadata).is_file();
    wait_until("the oldest to go", || !is_kept(&log.completed[0].metadata));
    assert!(is_kept(&from.metadata), "three are kept");

    let mut replay = bench.command(&format!("replay job.toml --operator count --from {}", from.id));
    let mut replay = replay.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weir runs");
    let mut lines = BufReader::new(replay.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a line").expect("text");
    // Nobody reads on: the replay stands still, and its job goes on.
    (0..4).for_each(|_| trigger());
    assert!(is_kept(&from.metadata) && is_kept(&last.metadata));
    let read = lines.collect::<Result<Vec<_>, _>>().expect("text").len();
    let ended = replay.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && said.contains(&format!("the run that there was, up to checkpoint {}", last.id)), "{said}");
    assert!(read > 2_000, "{read}");
    // It has let them go.
    trigger();
    wait_until("those that were held to go", || !is_kept(&from.metadata) && !is_kept(&last.metadata));
}

#[test]
fn a_replay_starts_alike_from_a_checkpoint_and_from_a_savepoint_of_it() {
    let bench = stopped_job();
    let newest = bench.log().newest().id;
    let savepoint = write_savepoint_of(&bench, newest);
    let of_checkpoint = bench.run(&format!("replay job.toml --operator count -q --from {newest}"));
    of_checkpoint.assert(0, &[]);
    fs::remove_dir_all(bench.path(".weir")).expect("the job's storage can be deleted");
    let of_savepoint = bench.run(&format!("replay job.toml --operator count -q --from {savepoint}"));
    assert!(!of_savepoint.stdout.is_empty() && of_savepoint.stdout == of_checkpoint.stdout, "{}", of_savepoint.stderr);
}

/// Writes a savepoint of a checkpoint with the engine, and returns its path.
fn write_savepoint_of(bench: &Bench, id: u64) -> String {
    let threads = ThreadRuntime::new(1).expect("threads");
    let clock = threads.runtime().clock;
    let path = bench.path("savepoint").display().to_string();
    let written = threads.block_on(async {
        let open = async |url: String, job: &str| ObjectStorage::open(&url, Path::new("/"), job, threads.control()).await;
        let source: Arc<dyn Store> = Arc::new(open(format!("file:{}", bench.path(".weir").display()), "words").await?);
        let target = open(format!("file:{path}"), "").await?;
        let history = History::of(JobLog::open(source.clone(), clock.clone()).await?.entries());
        let checkpoint = history.checkpoint(CheckpointId(id)).expect("it is in the log").clone();
        write_savepoint(&*source, &target, &*clock, &checkpoint, None, Pace::Fast).await
    });
    written.expect("it is written");
    path
}

/// A replay's lines, and how often each line was emitted in it.
fn replayed(text: &str) -> (Vec<Value>, Lines) {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let mut emitted = Lines::new();
    for output in lines.iter().flat_map(|line| line["outputs"].as_array().into_iter().flatten()) {
        *emitted.entry(output["value"].as_str().expect("text").to_owned()).or_default() += 1;
    }
    (lines, emitted)
}

#[test]
fn a_recorded_run_is_replayed_as_it_was_and_two_replays_are_the_same() {
    let (count_settings, checkpoints) = ("record = true".to_owned(), "retain = 1000".to_owned());
    let bench = stopped(WordCount { rate: 300, parallelism: 2, count_settings, checkpoints, ..WordCount::default() });
    let (log, before) = (bench.log(), files(&bench.path("")));
    let replay = |rest: &str| bench.run(&format!("replay job.toml --operator count -q{rest}"));
    let oldest = log.completed[0].id;
    let first = replay(&format!(" --from {oldest}"));
    first.assert(0, &[]);
    assert_eq!(first.stdout, replay(&format!(" --from {oldest}")).stdout);
    assert!(files(&bench.path("")) == before, "a replay leaves the job's folder as it was");

    let (lines, emitted) = replayed(&first.stdout);
    let subtasks: BTreeSet<_> = lines.iter().filter_map(|line| line["subtask"].as_u64()).collect();
    assert_eq!(subtasks, BTreeSet::from([0, 1]));
    assert!(lines.iter().all(|line| line["call"].is_u64() && line["processing_time"].as_i64() > Some(1_600_000_000_000)));
    // Of each word the highest counts, up to the one that was committed last.
    let committed = bench.committed();
    assert!(emitted.iter().all(|(line, times)| *times == 1 && committed.contains_key(line)), "{emitted:?}");
    let earlier: Lines = committed.into_iter().filter(|(line, _)| !emitted.contains_key(line)).collect();
    let words = |line: &String| serde_json::from_str::<Value>(line).expect("JSON")["word"].to_string();
    for word in emitted.keys().map(words).collect::<BTreeSet<_>>() {
        let before = earlier.keys().filter(|line| words(line) == word).count();
        let next = format!("{{\"word\":{word},\"count\":{}}}", before + 1);
        assert!(emitted.contains_key(&next), "{word} was counted {before} times before checkpoint {oldest}: {emitted:?}");
    }

    let savepoint = write_savepoint_of(&bench, oldest);
    assert_eq!(replay(&format!(" --from {savepoint}")).stdout, first.stdout);
    let document = |rest: &str| replay(&format!("{rest} --output json")).document();
    let newest = document("");
    assert_eq!((&newest["run"], &newest["from"]["checkpoint"]), (&"recorded".into(), &log.previous().id.into()));
    assert_eq!(newest["to"], log.newest().id);
    assert_eq!(document(&format!(" --from {}", log.newest().id))["run"], "sources", "nothing is recorded behind it yet");
    assert_eq!(document(" --sources")["run"], "sources");
    assert_eq!(document(&format!(" --from {oldest} --records 3"))["records"].as_array().map(Vec::len), Some(3));
}

#[test]
fn what_a_recorded_job_has_committed_is_what_its_replay_emits() {
    let count_settings = "record = true".to_owned();
    let bench = Bench::new(WEIR, WordCount { lines: 500, rate: 50_000, parallelism: 2, count_settings, ..WordCount::default() });
    // One checkpoint, at the end.
    bench.edit_job("interval = \"50ms\"", "interval = \"1h\"");
    bench.run("run job.toml -q").assert(0, &[]);
    let replay = bench.run("replay job.toml --operator count");
    replay.assert(0, &["records from the beginning", "the run that there was, up to checkpoint 1"]);
    assert_eq!(replayed(&replay.stdout).1, bench.committed());
}

#[test]
fn a_job_that_has_not_run_is_replayed_from_its_beginning() {
    let bench = Bench::new(WEIR, WordCount { lines: 5, ..WordCount::default() });
    let replay = bench.run("replay job.toml --operator split");
    replay.assert(0, &["split: 5 records from the beginning, 5 of them shown"]);
    let first: Value = serde_json::from_str(replay.stdout.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["batch"], &first["record"], &first["key"]), (&0.into(), &0.into(), &Value::Null));
    assert_eq!(first["outputs"].as_array().map(Vec::len), Some(3), "{first}");
}

/// A job of one guest, fed from numbers.
fn graph(plugin: Plugin, config: &str, source: &NumberSource) -> JobGraph {
    let limits = Limits::default();
    // Set aside in the job, counted as failures in a dry run.
    let on_failure = OnFailure::Quarantine { limit: QuarantineLimit::default() };
    let settings = OperatorSettings { operator: "op".into(), config: config.into(), limits, on_failure };
    let vertex = |id: &str, kind| Vertex::new(id, 1, kind);
    let vertices = vec![
        vertex("in", VertexKind::Source { source: Arc::new(source.clone()), rate: None }),
        vertex("op", VertexKind::Operator(Arc::new(WasmOperatorFactory::new(plugin, settings).expect("no fuel is asked for")))),
    ];
    let edges = vec![Edge { from: 0, output: 0, to: 1, input: 0, partitioning: Partitioning::Key }];
    JobGraph { name: "compared".into(), max_parallelism: 16, vertices, edges }
}

fn compare(old: &JobGraph, new: &JobGraph) -> DryRunReport {
    let point = ReplayPoint {
        metadata: None,
        store: Arc::new(ObjectStorage::in_memory()),
        io: ConnectorIo::of(&Simulator::new(1).runtime()),
        clock: Simulator::new(1).runtime().clock,
        backends: Arc::new(MemoryBackendFactory::new(1)),
        processing_time: 0,
    };
    let compared = async {
        let mut upstream = Upstream::restore(old, 1, &point, 1_000).await?;
        let mut old = IsolatedOperator::restore(old, 1, &point).await?;
        let mut new = IsolatedOperator::restore(new, 1, &point).await?;
        dry_run(&mut upstream, (&mut old, &mut new), &*point.clock).await
    };
    let compared: Result<DryRunReport, EngineError> = compared.now_or_never().expect("nothing here waits");
    compared.expect("both run")
}

#[test]
fn faults_of_guests_are_counted_with_their_records_though_the_job_sets_them_aside() {
    let value = |n: u64| ["trap", "fail", "fine", "fine"][(n % 20).min(3) as usize].to_owned();
    let source = NumberSource { count: 100, keys: 10, splits: 1, order: ReadOrder::OneByOne, value: Arc::new(value), time: in_order };
    let (poisoned, sturdy) = (graph(faulty(EngineMode::Fuel), "{}", &source), graph(keyed_count(EngineMode::Fuel), "{}", &source));
    let report = compare(&sturdy, &poisoned);
    assert_eq!((report.records_in, report.old.failures, report.new.failures), (100, 0, 10));
    let first = RecordOfBatch { place: 0, key: Some(b"0".to_vec()), value: Some(b"trap".to_vec()) };
    assert_eq!((report.new.examples[0].batch, report.new.examples[0].record.as_ref()), (0, Some(&first)));
    assert!(report.new.examples[1].message.contains("failed as requested"), "{:?}", report.new.examples);
    assert!(!report.failures_agree && report.outputs[0].only_old == 10 && report.outputs[0].different == 90, "{report:?}");
    let fuel = report.new.fuel.expect("fuel is counted");
    assert!(fuel > 0 && compare(&sturdy, &poisoned).new.fuel == Some(fuel));
    let same = compare(&poisoned, &poisoned);
    assert!(same.agrees() && same.old.failures == 10 && same.old.fuel == Some(fuel), "{same:?}");
}
