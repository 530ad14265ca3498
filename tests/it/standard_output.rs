//! What every command does where standard output takes nothing: a full disk fails it by name, a reader that has gone is a quiet end.
//!
//! The commands are those of the command line's own tree: one that comes anew fails here until it has a line in the table.

use crate::WEIR;
use clap::CommandFactory;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;
use weir::args::WeirArgs;
use weir_tests::process::{Answering, Bench, Running, WordCount, examples, plugin, small_registry};

/// By its name in the tree a command line of each command, all of which succeed beside the running job `words`. `PLUGIN` is the counting
/// component, `SCRIPT` its tests, `NEW` the name of a project that is not there, `built` one that is, `NEXMARK` the folder of its queries, `REGISTRY` a registry, `SAVEPOINT` a savepoint, `ID` a checkpoint that is kept.
const COMMANDS: [(&str, &str); 35] = [
    ("run", "run once.toml --fresh -q --output json"),
    ("check", "check job.toml"),
    ("jobs", "jobs"),
    ("status", "status words"),
    ("stop", "stop words"),
    ("cancel", "cancel words"),
    ("rescale", "rescale words --parallelism 2"),
    ("plugin inspect", "plugin inspect PLUGIN"),
    ("plugin check", "plugin check PLUGIN"),
    ("plugin pack", "plugin pack PLUGIN -o packed.wasm"),
    ("plugin push", "plugin push PLUGIN REGISTRY/count:1"),
    ("plugin pull", "plugin pull REGISTRY/count:1 -o pulled.wasm"),
    ("plugin test", "plugin test SCRIPT --plugin PLUGIN"),
    ("plugin new", "plugin new NEW --language rust"),
    ("plugin build", "plugin build built"),
    ("plugin sdk", "plugin sdk built"),
    ("checkpoint trigger", "checkpoint trigger words"),
    ("checkpoint list", "checkpoint list once.toml"),
    ("checkpoint inspect", "checkpoint inspect once.toml 1"),
    ("savepoint create", "savepoint create words"),
    ("savepoint list", "savepoint list job.toml"),
    ("savepoint inspect", "savepoint inspect SAVEPOINT"),
    ("savepoint verify", "savepoint verify SAVEPOINT"),
    ("savepoint delete", "savepoint delete SAVEPOINT"),
    ("upgrade", "upgrade words --operator count --plugin PLUGIN --probation 0s"),
    ("upgrade", "upgrade words --operator count --plugin PLUGIN --dry-run"),
    ("replay", "replay once.toml --operator count"),
    ("state list", "state list once.toml"),
    ("state get", "state get once.toml count --key word1"),
    ("state scan", "state scan once.toml count"),
    ("state scan", "state scan once.toml count --format csv"),
    ("state scan", "state scan once.toml count --format jsonl"),
    ("state diff", "state diff once.toml@1 once.toml@1"),
    ("bench nexmark", "bench nexmark --query q0 --events 1000 --folder NEXMARK"),
    ("completions", "completions bash"),
];

/// It ends when it is told to, and its job's process, which is begun by `run`, is what writes.
const WRITES_NOTHING: &str = "dev";

/// What is no command of the tree and writes all the same.
const BESIDE: [&str; 4] = ["--help", "--version", "help", "help run"];

/// The names of all commands that have none below them.
fn leaves(command: &clap::Command, above: &str, found: &mut BTreeSet<String>) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let name = format!("{above} {}", below.get_name()).trim().to_owned();
        if below.has_subcommands() {
            leaves(below, &name, found);
        } else {
            found.insert(name);
        }
    }
}

/// The running job, and another that has finished in the same folder.
struct Jobs {
    bench: Bench,
    words: Option<Running>,
    /// What takes every plugin, and has the counting one under every name.
    registry: Answering,
    /// The last command line ended it.
    stopped: bool,
    /// Savepoints and projects that were made.
    savepoints: u32,
}

/// A project whose plugin is made of word-count's `count`, with what the workspace has compiled of what that is built on.
fn write_project(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let at = |below: &str| root.join(below).display().to_string();
    let target = plugin("word-count-count").ancestors().nth(3).expect("it is in a folder of cargo's").display().to_string();
    let manifest = format!(
        "[package]\nname = \"built\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\npath = {:?}\n\
         [dependencies]\nweir-guest = {{ path = {:?} }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n[workspace]\n",
        at("plugins/word-count/count/src/lib.rs"),
        at("guest-sdk/rust"),
    );
    let files = [
        ("weir.toml", "[plugin]\nname = \"built\"\nlanguage = \"rust\"\n".to_owned()),
        ("Cargo.toml", manifest),
        ("Cargo.lock", std::fs::read_to_string(root.join("Cargo.lock")).expect("the workspace has one")),
        (".cargo/config.toml", format!("[build]\ntarget-dir = {target:?}\n[net]\noffline = true\n")),
    ];
    std::fs::create_dir_all(folder.join(".cargo")).expect("a folder");
    files.into_iter().for_each(|(file, text)| std::fs::write(folder.join(file), text).expect("a file"));
}

impl Jobs {
    fn new() -> Self {
        let bench = Bench::new(WEIR, WordCount { lines: 100_000, rate: 500, ..WordCount::default() });
        let once = WordCount { count_settings: "record = true".into(), ..WordCount::default() }.job_file();
        let once = once.replace("\"words\"", "\"once\"").replace("rate = 3000", "rate = 100_000").replace("\"out\"\n", "\"once-out\"\n");
        std::fs::write(bench.path("once.toml"), once.replace("input.txt", "once.txt")).expect("a job file");
        std::fs::write(bench.path("once.txt"), WordCount { lines: 2_000, ..WordCount::default() }.input()).expect("an input");
        bench.run("run once.toml -q").assert(0, &[]);
        write_project(&bench.path("built"));
        let registry = small_registry(std::fs::read(plugin("word-count-count")).expect("a component"));
        Self { bench, words: None, registry, stopped: false, savepoints: 0 }
    }

    /// The command line with what it is about, which is there then.
    fn prepare(&mut self, line: &str) -> String {
        if std::mem::replace(&mut self.stopped, ["stop", "cancel"].contains(&line.split(' ').next().unwrap_or_default())) {
            self.words.take().into_iter().for_each(|words| _ = words.ended());
        }
        if line.contains("words") && self.words.is_none() {
            let before = self.bench.log().completed.len();
            let mut words = self.bench.start("run job.toml -q");
            assert!(words.runs_until("a checkpoint", || self.bench.log().completed.len() > before));
            self.words = Some(words);
        }
        let mut line = line.replace("PLUGIN", &plugin("word-count-count").display().to_string());
        line = line.replace("SCRIPT", concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/word-count/count.test.toml"));
        line = line.replace("REGISTRY", &self.registry.host());
        if line.contains("NEXMARK") {
            examples("nexmark");
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/nexmark");
            line = line.replace("NEXMARK", folder);
        }
        if line.contains("NEW") {
            self.savepoints += 1;
            line = line.replace("NEW", &format!("new-{}", self.savepoints));
        }
        if line.contains("SAVEPOINT") {
            self.savepoints += 1;
            let savepoint = format!("savepoint-{}", self.savepoints);
            let path = self.bench.path(&savepoint).display().to_string();
            let created = self.prepare(&format!("savepoint create words {path}"));
            self.bench.run(&created).assert(0, &[]);
            line = line.replace("SAVEPOINT", &path);
        }
        line
    }

    /// The exit code, and what is said on standard error.
    fn ended(&self, line: &str, stdout: Stdio) -> (Option<i32>, String) {
        let mut command = self.bench.command(line);
        let ended = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).output().expect("weir runs");
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    }
}

/// Every command line, in both forms of its document.
fn lines() -> impl Iterator<Item = String> {
    let forms = |line: &str| {
        let has_forms = !line.contains("--output") && !line.contains("--format") && !line.starts_with("completions");
        [Some(line.to_owned()), has_forms.then(|| format!("{line} --output json"))]
    };
    let of_commands = COMMANDS.into_iter().flat_map(move |(_, line)| forms(line)).flatten();
    of_commands.chain(BESIDE.map(str::to_owned))
}

#[test]
fn every_command_is_tried() {
    let mut all = BTreeSet::new();
    leaves(&WeirArgs::command(), "", &mut all);
    let tried = COMMANDS.iter().map(|(name, _)| (*name).to_owned()).chain([WRITES_NOTHING.to_owned()]);
    assert_eq!(tried.collect::<BTreeSet<_>>(), all);
}

#[test]
fn what_cannot_be_written_to_a_full_disk_fails_every_command_by_name() {
    let mut jobs = Jobs::new();
    for line in lines() {
        let line = jobs.prepare(&line);
        let full = OpenOptions::new().write(true).open("/dev/full").expect("there is a device that is always full");
        let (code, said) = jobs.ended(&line, full.into());
        assert_eq!(code, Some(1), "{line}: {said}");
        assert!(said.contains("error: write to standard output: No space left on device"), "{line}: {said}");
    }
}

#[test]
fn a_reader_that_has_gone_ends_every_command_quietly_with_the_exit_code_that_it_would_have_had() {
    let mut jobs = Jobs::new();
    for line in lines() {
        let line = jobs.prepare(&line);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (code, said) = jobs.ended(&line, writer.into());
        assert_eq!(code, Some(0), "{line}: {said}");
        assert!(!said.contains("standard output") && !said.contains("panicked"), "{line}: {said}");
    }
}
