//! The real binary from outside: documents, exit codes, what goes to which stream.

#[path = "commands/state.rs"]
mod state;
#[path = "commands/stdin.rs"]
mod stdin;
#[path = "commands/surroundings.rs"]
mod surroundings;

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const COUNT: &str = "name = \"count\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.in]
connector = \"generator\"
count = 20_000
rate = 100_000
keys = 100
[operator.count]
native = \"keyed-count\"
input = { from = \"in\", by = \"key\" }
[sink.out]
connector = \"blackhole\"
input = \"count\"
";

const LINES: &str = "name = \"lines\"
[source.in]
connector = \"stdin\"
replay = \"none\"
[sink.out]
connector = \"stdout\"
input = \"in\"
";

/// A folder with a job file in it.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new(job: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("job.toml"), job).expect("a job file");
        Self(folder)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(line.split(' ')).current_dir(self.0.path()).env_remove("WEIR_LOG").stdin(Stdio::null());
        // A run is registered here, and not among this user's own.
        command.env("WEIR_HOME", self.0.path().join("home"));
        command
    }

    fn weir(&self, line: &str) -> Output {
        self.command(line).output().expect("weir runs")
    }

    fn document(&self, line: &str) -> Value {
        let output = self.weir(line);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}\n{}", text(&output.stderr)))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_run_is_told_in_one_document_and_its_checkpoints_can_be_looked_at() {
    let bench = Bench::new(COUNT);
    let run = bench.document("run job.toml -q --output json");
    assert_eq!(
        (&run["schema"], &run["job"], &run["outcome"], &run["error"]),
        (&1.into(), &"count".into(), &"finished".into(), &Value::Null)
    );
    assert_eq!((&run["vertices"][0]["records_out"], &run["vertices"][2]["records_in"]), (&20_000.into(), &20_000.into()));
    let completed = run["checkpoints"]["completed"].as_u64().expect("a number");
    assert!(completed >= 2 && run["checkpoints"]["items"].as_array().is_some_and(|items| items.len() as u64 == completed), "{run}");
    assert!(run["steady_records_per_s"].as_f64().is_some_and(|rate| rate > 10_000.0), "{run}");
    assert!(run["first_record_s"].as_f64() < run["wall_s"].as_f64() && run["peak_memory_bytes"].as_u64() > Some(0), "{run}");

    let list = bench.document("checkpoint list job.toml --output json");
    let newest = &list["checkpoints"][0];
    assert_eq!((&newest["state"], &newest["trigger"], &newest["retained"]), (&"completed".into(), &"final".into(), &true.into()));
    let inspected = bench.document(&format!("checkpoint inspect job.toml {} --output json", newest["id"]));
    let keys = inspected["vertices"].as_array().into_iter().flatten().find(|vertex| vertex["id"] == "count").map(|vertex| {
        let subtasks = vertex["subtasks"].as_array().into_iter().flatten();
        subtasks.map(|subtask| subtask["keys"].as_u64().unwrap_or(0)).sum::<u64>()
    });
    assert_eq!(keys, Some(100), "{inspected}");
    assert_eq!(inspected["vertices"][0]["subtasks"][0]["positions"][0]["state"], "finished", "{inspected}");
}

#[test]
fn a_finished_job_says_so_and_fresh_starts_over() {
    let bench = Bench::new(COUNT);
    assert!(bench.weir("run job.toml -q").status.success());
    let again = bench.weir("run job.toml");
    assert_eq!((again.status.code(), text(&again.stdout).as_str()), (Some(0), ""));
    assert!(text(&again.stderr).contains("count has finished already; `weir run job.toml --fresh` starts over"), "{}", text(&again.stderr));
    assert_eq!(bench.document("run job.toml -q --output json")["outcome"], "already-finished");
    let dropping = text(&bench.weir("run job.toml --drop-state nix").stderr);
    assert!(dropping.contains("--drop-state nix: the checkpoint keeps nothing of that name; it keeps "), "{dropping}");
    assert_eq!(bench.document("run job.toml -q --fresh --output json")["outcome"], "finished");
}

#[test]
fn a_finished_job_whose_files_could_be_followed_says_how() {
    let file = "name = \"rows\"\n[source.lines]\nconnector = \"file\"\npath = \"*.txt\"\n[sink.out]\nconnector = \"blackhole\"\ninput = \"lines\"\n";
    let bench = Bench::new(file);
    let write = |name: &str| fs::write(bench.0.path().join(name), "1\n").expect("a file");
    write("monday.txt");
    assert!(bench.weir("run job.toml -q").status.success());
    write("tuesday.txt");
    let how =
        "files that have come since are not read; a job that begins with `follow = true` in [source.lines] reads on as files grow and come";
    let again = text(&bench.weir("run job.toml").stderr);
    assert!(again.contains("rows has finished already") && again.contains(how), "{again}");
    let document = bench.document("run job.toml -q --output json");
    assert_eq!((&document["outcome"], &document["hint"]), (&"already-finished".into(), &how.into()));
}

#[test]
fn what_a_run_takes_and_nobody_meant_is_warned_of_once() {
    let file =
        "name = \"rows\"\nparallelism = 2\n[source.lines]\nconnector = \"file\"\npath = \"*.jsonl\"\nformat = \"jsonl\"\ntimestamp = \"at\"
[sink.out]\nconnector = \"file\"\ninput = \"lines\"\npath = \"out\"\npartition-by = [\"tenat\", \"at\"]\n";
    let bench = Bench::new(file);
    let rows = "{\"at\":1357034400,\"tenant\":1}\n".repeat(3);
    ["a.jsonl", "b.jsonl"].iter().for_each(|name| fs::write(bench.0.path().join(name), &rows).expect("a file"));
    let said = text(&bench.weir("run job.toml").stderr);
    let seconds = "the times of a source are probably in another format: 1357034400 in `at`, read as RFC 3339 or integer milliseconds, is 1970-01-16T16:57:14.4Z; `timestamp = { field = \"at\", format = \"unix-s\" }` would read it as 2013-01-01T10:00:00Z";
    assert_eq!(said.matches(seconds).count(), 1, "{said}");
    let field = "no record so far has `tenat`, which `partition-by` names: all of them lie in __HIVE_DEFAULT_PARTITION__";
    assert_eq!(said.matches(field).count(), 1, "{said}");
}

#[test]
fn a_run_can_start_from_an_older_checkpoint_and_an_unknown_one_fails() {
    let bench = Bench::new(COUNT);
    assert!(bench.weir("run job.toml -q").status.success());
    let list = bench.document("checkpoint list job.toml --output json");
    let older =
        list["checkpoints"].as_array().into_iter().flatten().filter(|one| one["retained"] == true).nth(1).map(|one| one["id"].clone());
    let older = older.expect("a checkpoint before the last");
    let run = bench.document(&format!("run job.toml -q --from {older} --output json"));
    assert_eq!((&run["outcome"], &run["resumed_from"]), (&"finished".into(), &older));
    assert!(run["vertices"][0]["records_out"].as_u64() < Some(20_000), "{run}");

    let again = text(&bench.weir(&format!("run job.toml --from {older}")).stderr);
    let anew = format!("count has finished already; `weir run job.toml --from {older} --again` starts from there once more");
    assert!(again.contains(&anew), "{again}");

    let unknown = bench.weir("run job.toml --from 9999 --output json");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(!text(&unknown.stderr).contains("count failed after"), "no table of what never began: {}", text(&unknown.stderr));
    assert!(text(&unknown.stderr).contains("start from checkpoint 9999: the job has no completed checkpoint with that id"));
    let document: Value = serde_json::from_slice(&unknown.stdout).expect("a document");
    assert_eq!(document["outcome"], "failed");
    assert!(document["hint"].as_str().is_some_and(|hint| hint.contains("weir checkpoint list")), "{document}");
}

#[test]
fn standard_output_carries_the_records_of_a_stdout_sink_alone() {
    let bench = Bench::new(LINES);
    let mut weir =
        bench.command("run job.toml").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weir runs");
    weir.stdin.take().expect("a pipe").write_all(b"one\ntwo\n").expect("it reads");
    let output = weir.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "one\ntwo\n"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("weir: lines finished after "), "{}", text(&output.stderr));
}

#[test]
fn quiet_says_nothing() {
    let bench = Bench::new(COUNT);
    let output = bench.weir("run job.toml -q");
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(0), String::new(), String::new()));
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_after_a_last_checkpoint_and_says_how_to_go_on() {
    let bench = Bench::new(LINES);
    let mut weir =
        bench.command("run job.toml").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weir runs");
    let mut input = weir.stdin.take().expect("a pipe");
    let mut shown = BufReader::new(weir.stdout.take().expect("a pipe")).lines();
    input.write_all(b"one\n").expect("it reads");
    assert_eq!(shown.next().expect("a line").expect("text"), "one");
    let killed = Command::new("kill").args(["-INT", &weir.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    // Standard input stays open: nothing but the signal ends the job.
    let output = weir.wait_with_output().expect("it ends");
    drop(input);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("weir: lines stopped after ") && said.contains("`weir run job.toml` goes on from here"), "{said}");
    assert_eq!(bench.document("checkpoint list job.toml --output json")["checkpoints"][0]["trigger"], "stop");
}

#[test]
fn a_bad_job_file_is_shown_with_its_place_and_ends_with_two() {
    let bench = Bench::new(&COUNT.replace("from = \"in\"", "from = \"on\"").replace("keys = 100", "keyz = 100"));
    let output = bench.weir("check job.toml");
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    assert!(said.contains("no source or operator `on`") && said.contains("job.toml:12:9") && said.contains("did you mean `in`?"), "{said}");
    let document = bench.document("check job.toml --output json");
    assert_eq!((&document["problems"][0]["line"], &document["problems"][1]["line"]), (&9.into(), &12.into()), "{document}");
    assert_eq!(document["problems"][0]["message"], "the source `generator` has no setting `keyz`", "{document}");
    let run = bench.document("run job.toml --output json");
    assert_eq!((&run["outcome"], run["error"].is_string()), (&"failed".into(), true));
    assert_eq!(run["problems"], document["problems"], "a run says what `check` says");
    assert_eq!(bench.weir("check nowhere.toml").status.code(), Some(2));
}

#[test]
fn a_plan_is_printed_without_running_anything() {
    let bench = Bench::new(COUNT);
    let plan = bench.document("check job.toml --output json");
    assert_eq!(plan["chains"], serde_json::json!([["in"], ["count", "out"]]));
    assert_eq!((&plan["checkpoints"]["interval"], &plan["paths"][0]["delivery"]), (&"50ms".into(), &"exactly-once".into()));
    assert!(!bench.0.path().join(".weir").exists());
}

#[test]
fn looking_at_checkpoints_makes_no_storage() {
    let bench = Bench::new(COUNT);
    assert_eq!(bench.document("checkpoint list job.toml --output json")["checkpoints"], serde_json::json!([]));
    let inspect = bench.weir("checkpoint inspect job.toml 1");
    assert_eq!(inspect.status.code(), Some(1));
    assert!(text(&inspect.stderr).contains("the job has none with that id"), "{}", text(&inspect.stderr));
    assert_eq!(bench.weir("savepoint inspect save/1").status.code(), Some(1));
    let left: Vec<_> = fs::read_dir(bench.0.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left, ["job.toml"]);
}

#[test]
fn a_log_filter_that_is_none_is_bad_usage() {
    let bench = Bench::new(COUNT);
    for command in ["check job.toml", "run job.toml", "checkpoint list job.toml"] {
        let output = bench.command(command).env("WEIR_LOG", "weir_engine=loud").output().expect("weir runs");
        assert_eq!(output.status.code(), Some(2), "{command}");
        let said = text(&output.stderr);
        assert!(said.starts_with("error: WEIR_LOG=\"weir_engine=loud\": ") && said.contains("hint: it is a level"), "{said}");
    }
    assert!(!bench.0.path().join(".weir").exists());
}

#[test]
fn two_documents_on_one_standard_output_are_refused() {
    let output = Bench::new(LINES).weir("run job.toml --output json");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("would both write to standard output"));
}

#[test]
fn what_is_no_plugin_does_not_fit() {
    let bench = Bench::new(COUNT);
    let check = bench.weir("plugin check job.toml --output json");
    let document: Value = serde_json::from_slice(&check.stdout).expect("a document");
    assert_eq!((check.status.code(), &document["fits"]), (Some(1), &false.into()));
    assert!(document["problems"].as_array().is_some_and(|problems| !problems.is_empty()), "{document}");
    assert_eq!(bench.weir("plugin inspect job.toml").status.code(), Some(1));
}

#[test]
fn a_job_with_an_unfit_plugin_fails_with_its_name() {
    let job = COUNT.replace("native = \"keyed-count\"", "plugin = \"job.toml\"");
    let output = Bench::new(&job).weir("check job.toml");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("count: load the plugin"), "{}", text(&output.stderr));
}

#[test]
fn help_completions_and_bad_usage() {
    let bench = Bench::new(COUNT);
    let help = bench.weir("run --help");
    assert!(help.status.success() && text(&help.stdout).contains("weir run job.toml --fresh"));
    let bash = bench.weir("completions bash");
    assert!(bash.status.success() && text(&bash.stdout).contains("checkpoint"));
    assert_eq!(bench.weir("run").status.code(), Some(2));
    assert_eq!(bench.weir("fly").status.code(), Some(2));
    assert!(Path::new(env!("CARGO_BIN_EXE_weir")).is_file());
}
