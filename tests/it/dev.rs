//! `weir dev`: what is saved of a plugin takes over on the state as it is, what is no good is shown and the one before goes on, and what is saved of the job file holds.

use crate::WEIR;
use std::path::Path;
use weir_tests::process::{Bench, Running, Signal, WordCount, children_of, has_toolchain, plugin, write_variant};
use weir_wasm::{ChildProcess, CompileCache, CompileIn, CompileLimits, CompileStop, EngineMode, Plugin, WasmEngine};

/// A job that counts what `send` brings, whose plugin is "built" by copying what was "written".
pub struct Developed {
    /// Its folder.
    pub bench: Bench,
    /// Words that have come.
    pub sent: u32,
    /// Bytes of what was said that have been heard.
    pub heard: usize,
}

impl Developed {
    /// Laid out, and begun by nobody.
    pub fn new() -> Self {
        let bench = Bench::new(WEIR, WordCount::default());
        bench.write_job(
            "name = \"words\"\nparallelism = 1\n[checkpoints]\ninterval = \"100ms\"\n[source.words]\nconnector = \"file\"\npath = \"words.jsonl\"\nformat = \"jsonl\"\nkey = \"word\"\nfollow = true\n\
             [operator.count]\nplugin = \"count.wasm\"\nbuild = \"cp written.wasm count.wasm\"\nsources = [\"written.wasm\"]\ninput = { from = \"words\", by = \"key\" }\n\
             [sink.out]\nconnector = \"file\"\ninput = \"count\"\npath = \"out\"\n",
        );
        let developed = Self { bench, sent: 0, heard: 0 };
        developed.write(&std::fs::read(plugin("word-count-count")).expect("a component"));
        std::fs::write(developed.bench.path("words.jsonl"), "").expect("a file");
        developed
    }

    /// As an editor saves: beside it first.
    pub fn write(&self, bytes: &[u8]) {
        std::fs::write(self.bench.path("being-written"), bytes).expect("a file");
        std::fs::rename(self.bench.path("being-written"), self.bench.path("written.wasm")).expect("a file");
    }

    /// Starts `weir LINE`.
    pub fn start(&self, line: &str) -> Running {
        self.bench.start(line)
    }

    /// A word comes, and is counted so often by now.
    pub fn send(&mut self, process: &mut Running) {
        self.sent += 1;
        let line = format!("{{\"word\":\"a\",\"count\":{}}}", self.sent);
        self.emits(process, &line);
    }

    /// So many words come, of which nothing is waited for.
    pub fn come(&mut self, words: u32) {
        self.sent += words;
        self.append(words);
    }

    fn append(&self, words: u32) {
        use std::io::Write;
        let file = std::fs::OpenOptions::new().append(true).open(self.bench.path("words.jsonl"));
        file.and_then(|mut file| file.write_all("{\"word\":\"a\"}\n".repeat(words as usize).as_bytes())).expect("it is written");
    }

    /// A word comes, and this is written of it.
    pub fn emits(&mut self, process: &mut Running, line: &str) {
        self.append(1);
        let is_there = || self.bench.parts().iter().any(|part| std::fs::read_to_string(part).is_ok_and(|text| text.contains(line)));
        let runs = process.runs_until("a line", is_there);
        assert!(runs, "no `{line}`: {}", process.said());
    }

    /// What was saved is answered with this, and the job goes on on what it had counted.
    #[track_caller]
    pub fn goes_on(&mut self, process: &mut Running, what: &str) {
        self.says(process, what);
        self.send(process);
    }

    /// What is said on standard error comes to have this.
    pub fn says(&mut self, process: &mut Running, what: &str) {
        assert!(process.says(what, &mut self.heard), "no `{what}` in {}", process.said());
    }
}

/// Ends what develops a job, which stops behind a last checkpoint. Returns what it has said.
#[track_caller]
pub fn stopped(process: Running) -> String {
    process.send(Signal::Interrupt);
    let ended = process.ended();
    ended.assert(0, &["stopping after a last checkpoint"]);
    ended.stderr
}

#[test]
fn a_job_that_was_stopped_goes_on_from_its_last_checkpoint_with_what_is_saved() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    job.bench.run("stop job.toml").assert(0, &[]);
    job.says(&mut process, "the job has been stopped: what is saved lets it go on from its last checkpoint");
    job.bench.edit_job("[checkpoints]", "[checkpoints]\nretain = 4");
    job.goes_on(&mut process, "resuming from checkpoint");
    stopped(process);
}

#[test]
fn what_is_saved_takes_over_with_the_state_and_what_is_no_good_does_not() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);

    let variant = job.bench.path("variant.wasm");
    write_variant(&plugin("word-count-count"), &variant);
    job.write(&std::fs::read(&variant).expect("a component"));
    job.goes_on(&mut process, "has taken over behind checkpoint");

    job.write(b"no component");
    job.goes_on(&mut process, "the job goes on as it was");

    // Back to what it was when the job began.
    job.write(&std::fs::read(plugin("word-count-count")).expect("a component"));
    job.goes_on(&mut process, "has taken over behind checkpoint");

    job.bench.edit_job("parallelism = 1", "parallelism = 2");
    job.goes_on(&mut process, "job.toml was saved");
    job.bench.edit_job("parallelism = 2", "paralelism = 2");
    job.says(&mut process, "paralelism");
    job.goes_on(&mut process, "the job goes on as it was");
    job.bench.edit_job("paralelism = 2", "parallelism = 2");
    job.goes_on(&mut process, "job.toml was saved");
    job.bench.edit_job("[sink.out]", "config = { nothing = 1 }\n[sink.out]");
    job.goes_on(&mut process, "the job goes on as it was");

    stopped(process);
}

#[test]
fn a_job_file_that_was_refused_is_looked_at_again_when_a_plugin_was_built() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    // A step whose plugin is not there yet.
    job.bench.edit_job("[sink.out]\n", "[operator.more]\nplugin = \"more.wasm\"\ninput = \"count\"\n[sink.out]\n");
    job.bench.edit_job("input = \"count\"\npath", "input = \"more\"\npath");
    job.goes_on(&mut process, "the job goes on as it was");
    std::fs::copy(plugin("pass-through"), job.bench.path("more.wasm")).expect("a file");
    let variant = job.bench.path("variant.wasm");
    write_variant(&plugin("word-count-count"), &variant);
    job.write(&std::fs::read(&variant).expect("a component"));
    job.goes_on(&mut process, "job.toml was saved");
    // What was sent may have been counted before the job stopped.
    let has_more = || job.bench.run("status job.toml --output json").stdout.contains("\"more\"");
    assert!(process.runs_until("the step", has_more), "{}", process.said());
    stopped(process);
}

#[test]
fn who_develops_a_job_that_another_process_runs_is_refused_and_that_one_goes_on() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    job.bench.run("dev job.toml").assert(1, &["runs this job already", "hint: stop it where it runs"]);
    job.send(&mut process);
    stopped(process);
}

#[test]
fn what_was_swapped_to_is_the_job_files_own_and_gives_way_to_what_is_saved_while_nobody_runs_it() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    let (first, variant) = (std::fs::read(plugin("word-count-count")).expect("a component"), job.bench.path("variant.wasm"));
    write_variant(&plugin("word-count-count"), &variant);
    job.write(&std::fs::read(&variant).expect("a component"));
    job.says(&mut process, "has taken over behind checkpoint");
    stopped(process);

    // The one with which the job began.
    job.write(&first);
    let mut process = job.start("dev job.toml");
    job.heard = 0;
    job.send(&mut process);
    assert!(!process.said().contains("by an upgrade"), "the file's component runs: {}", process.said());
    stopped(process);
}

#[test]
fn states_that_would_be_lost_are_asked_about_or_given_up() {
    let other = std::fs::read(plugin("keyed-count")).expect("a component");
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    job.write(&other);
    job.goes_on(&mut process, "does not go on with what is kept of count.occurrences; the one before it goes on");
    stopped(process);

    // The plugin's file is the new one by now.
    let mut process = job.start("dev job.toml");
    job.heard = 0;
    job.says(&mut process, "count.occurrences: in the checkpoint");
    job.says(&mut process, "the job does not go on with what is kept of count.occurrences, and does not run");
    job.says(&mut process, "`weir dev --reset-state` to give up what is kept");
    job.write(&std::fs::read(plugin("word-count-count")).expect("a component"));
    job.send(&mut process);
    job.write(&other);
    job.says(&mut process, "the one before it goes on");
    stopped(process);

    let mut process = job.start("dev job.toml --reset-state");
    job.heard = 0;
    job.says(&mut process, "the job has failed");
    job.says(&mut process, "what is kept of count.occurrences is given up");
    job.says(&mut process, "resuming from checkpoint");
    job.says(&mut process, "count.occurrences: dropped");
    // And so it is on a save.
    job.write(&std::fs::read(plugin("word-count-count")).expect("a component"));
    job.says(&mut process, "is given up");
    job.says(&mut process, "resuming from checkpoint");
    stopped(process);
}

#[test]
fn states_that_a_job_would_lose_that_does_not_run_are_given_up_too() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml --reset-state");
    job.send(&mut process);
    for child in children_of(process.id()) {
        let killed = std::process::Command::new("kill").args(["-KILL", &child.to_string()]).status();
        assert!(killed.expect("the command `kill` is there").success());
    }
    job.says(&mut process, "the job has failed");
    job.write(&std::fs::read(plugin("keyed-count")).expect("a component"));
    job.says(&mut process, "what is kept of count.occurrences is given up");
    job.says(&mut process, "resuming from checkpoint");
    stopped(process);
}

#[test]
fn headers_of_a_project_in_c_are_looked_at_wherever_they_are() {
    if !has_toolchain("c") {
        return;
    }
    let mut job = Developed::new();
    job.bench.run("plugin new deep --language c -q").assert(0, &[]);
    let write = |job: &Developed, path: &str, text: &str| {
        let path = job.bench.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| std::fs::write(path, text)).expect("a file");
    };
    write(&job, "deep/inner/below.h", "#define BELOW \"1\"\n");
    write(&job, "shared parts/beside.h", "#define BESIDE \"1\"\n");
    let operator = "#include <weir.h>\n#include \"inner/below.h\"\n#include \"../shared parts/beside.h\"\n\
        static weir_status process(weir_context *ctx, const weir_record *record) {\n    (void)record;\n    weir_emit(ctx, weir_text(BELOW BESIDE));\n    return WEIR_OK;\n}\n\
        WEIR_OPERATOR = {.name = \"deep\", .version = \"0.1.0\", .process = process};\n";
    write(&job, "deep/operator.c", operator);
    let built = "plugin = \"count.wasm\"\nbuild = \"cp written.wasm count.wasm\"\nsources = [\"written.wasm\"]";
    job.bench.edit_job(built, "plugin = \"deep/deep.wasm\"\nbuild = \"weir plugin build deep\"\nsources = [\"deep/*.c\"]");
    let mut process = job.start("dev job.toml");
    job.says(&mut process, "count: built");
    job.emits(&mut process, "11");
    for (header, text, expect) in [
        ("deep/inner/below.h", "#define BELOW \"2\"\n", "21"),
        ("shared parts/beside.h", "#define BESIDE \"2\"\n", "22"),
        ("deep/inner/below.h", "#define BELOW \"3\"\n", "32"),
    ] {
        write(&job, header, text);
        job.says(&mut process, "has taken over behind checkpoint");
        job.emits(&mut process, expect);
    }
    // It is looked at as soon as it is part of what is built, and is missed as soon as it is gone.
    std::fs::remove_file(job.bench.path("deep/inner/below.h")).expect("it was there");
    job.says(&mut process, "below.h");
    job.says(&mut process, "the job goes on as it was");
    stopped(process);
}

#[test]
fn a_job_whose_developer_is_killed_stops() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    assert!(process.kill());
    let running = || job.bench.run("jobs --output json").document()["jobs"].as_array().map_or(0, Vec::len);
    weir_tests::process::wait_until("nobody runs the job", || running() == 0);
    assert!(job.bench.log().completed.len() > 1, "it has stopped behind a last checkpoint");
}

#[test]
fn what_is_compiled_of_plugins_that_are_written_is_kept_by_function() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let cache = CompileCache::Directory(folder.path().join("code"));
    let process = ChildProcess::of(Path::new(WEIR), CompileStop::default(), |_| ());
    let kept = |process: ChildProcess, name: &str| {
        let engine = WasmEngine::new(EngineMode::Epoch, &cache, CompileIn::Child(process)).expect("the engine starts");
        let bytes = std::fs::read(plugin("word-count-count")).expect("a component");
        Plugin::from_bytes_within(name, &bytes, &engine, CompileLimits::default()).expect("a plugin");
        let entries = std::fs::read_dir(folder.path().join("code")).expect("a folder").map(|entry| entry.expect("an entry").path());
        let (functions, code): (Vec<_>, Vec<_>) =
            entries.partition(|path| path.extension().is_some_and(|extension| extension == "functions"));
        // It is compiled the next time.
        code.iter().try_for_each(std::fs::remove_file).expect("they are there");
        functions.len()
    };
    assert_eq!(kept(process.clone(), "count.wasm"), 0, "only where that is wanted");
    let process = process.keeping_functions(&cache);
    assert_eq!([kept(process.clone(), "count.wasm"), kept(process.clone(), "count.wasm"), kept(process, "other.wasm")], [1, 1, 2]);
}
