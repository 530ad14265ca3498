//! From a saved source to the first record of the new code, under `weir dev`, in every language whose compiler is here.
//!
//! The project is that of `weir plugin new`, whose count goes by another step with each save: so a record shows which code it is of. What the language's own compiler
//! takes is measured by `weir plugin build` on such saves before, up to where it has made the module or component; what is left is weir's: looking, packing,
//! compiling for this machine, and the change at a barrier.

use super::job::wait;
use super::statistics::{row, spread};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use weir_tests::process::has_toolchain;

const WEIR: &str = env!("CARGO_BIN_EXE_weir-under-test");
/// From one record to the next.
const RECORD_EVERY: Duration = Duration::from_millis(2);

/// Where a language's project counts, and how it would by another step.
const LANGUAGES: [(&str, &str, &str, &str); 5] = [
    ("rust", "src/lib.rs", "visits.count += 1;", "visits.count += STEP;"),
    ("c", "operator.c", "page->count++;", "page->count += STEP;"),
    ("go", "main.go", "visits.Count++", "visits.Count += STEP"),
    ("javascript", "operator.js", "count + 1n", "count + STEPn"),
    ("python", "visits.py", "visits.count += 1", "visits.count += STEP"),
];

/// Seconds from a save to the first record of what was saved, with and without the compiler.
pub fn dev(rounds: usize) {
    for (language, source, one, step) in LANGUAGES {
        if language != "rust" && !has_toolchain(language) {
            continue;
        }
        let project = Project::new(language, source, (one, step));
        let rounds = rounds as u64;
        // The first compiles what the SDK is made of, too.
        project.compiled_with(2);
        let compiler: Vec<f64> = (3..3 + rounds).map(|step| project.compiled_with(step)).collect();
        let mut developed = Developed::start(&project, 2 + rounds);
        let saved: Vec<f64> = (10..10 + rounds).map(|step| developed.first_record_with(&project, step)).collect();
        drop(developed);
        let median = spread(&compiler).median;
        let beyond: Vec<f64> = saved.iter().map(|seconds| seconds - median).collect();
        row(&format!("{language}: from save to first record, s"), &spread(&saved));
        row(&format!("{language}: of it its own compiler, s"), &spread(&compiler));
        row(&format!("{language}: what weir takes beyond that, s"), &spread(&beyond));
    }
}

/// A project that counts by a step.
struct Project {
    parent: TempDir,
    source: PathBuf,
    text: String,
    step: (&'static str, &'static str),
}

impl Project {
    fn new(language: &str, source: &str, step: (&'static str, &'static str)) -> Self {
        let parent = TempDir::new().expect("a folder");
        let made =
            Command::new(WEIR).args(["plugin", "new", "count-visits", "--language", language, "-q"]).current_dir(parent.path()).status();
        assert!(made.expect("weir runs").success(), "no project in {language}");
        let folder = parent.path().join("count-visits");
        let (source, job) = (folder.join(source), folder.join("job.toml"));
        let text = fs::read_to_string(&source).expect("a source");
        assert!(text.contains(step.0), "the project in {language} counts otherwise");
        let lines = fs::read_to_string(&job).expect("a job file");
        fs::write(&job, lines.replace("key = \"page\"", "key = \"page\"\nfollow = true")).expect("a job file");
        Self { parent, source, text, step }
    }

    fn folder(&self) -> PathBuf {
        self.parent.path().join("count-visits")
    }

    fn save(&self, step: u64) {
        fs::write(&self.source, self.text.replace(self.step.0, &self.step.1.replace("STEP", &step.to_string()))).expect("a source");
    }

    /// Builds it with this step. How long its language's compiler took, s.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    fn compiled_with(&self, step: u64) -> f64 {
        self.save(step);
        let began = Instant::now();
        let mut build =
            command(&["plugin", "build"], &self.folder()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("weir runs");
        let lines = BufReader::new(build.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let compiled = lines.map(|line| (line.contains("packing"), began.elapsed())).filter(|(packing, _)| *packing).last();
        assert!(build.wait().expect("it ends").success(), "weir plugin build in {}", self.folder().display());
        compiled.expect("it is packed").1.as_secs_f64()
    }
}

/// A job of a project under `weir dev`, whose records come one after the other.
struct Developed {
    weir: Child,
    counts: BufReader<ChildStdout>,
    feeding: Arc<AtomicBool>,
    feeder: Option<JoinHandle<()>>,
    last: u64,
}

impl Developed {
    /// Starts it, and waits until it counts by this step.
    fn start(project: &Project, step: u64) -> Self {
        let folder = project.folder();
        let mut weir =
            command(&["dev", "job.toml", "--fresh"], &folder).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("weir runs");
        let counts = BufReader::new(weir.stdout.take().expect("a pipe"));
        let feeding = Arc::new(AtomicBool::new(true));
        let feeder = feed(&folder.join("visits.jsonl"), feeding.clone());
        let mut developed = Self { weir, counts, feeding, feeder: Some(feeder), last: 0 };
        developed.wait_for(step);
        developed
    }

    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    fn first_record_with(&mut self, project: &Project, step: u64) -> f64 {
        let began = Instant::now();
        project.save(step);
        self.wait_for(step);
        began.elapsed().as_secs_f64()
    }

    /// Reads on to a record that counts by this step.
    fn wait_for(&mut self, step: u64) {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.counts.read_line(&mut line).is_ok_and(|bytes| bytes > 0), "weir dev has ended");
            let Some(count) =
                line.strip_prefix("{\"page\":\"/\",\"visits\":").and_then(|rest| rest.split([',', '}']).next()?.parse::<u64>().ok())
            else {
                continue;
            };
            if count.checked_sub(std::mem::replace(&mut self.last, count)) == Some(step) {
                return;
            }
        }
    }
}

impl Drop for Developed {
    fn drop(&mut self) {
        self.feeding.store(false, Ordering::Relaxed);
        _ = self.feeder.take().map(JoinHandle::join);
        // What it runs stops by itself.
        _ = self.weir.kill();
        _ = self.weir.wait();
        _ = std::io::copy(&mut self.counts, &mut std::io::sink());
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark feeds a job beside watching it")]
fn feed(visits: &Path, feeding: Arc<AtomicBool>) -> JoinHandle<()> {
    let mut file = fs::OpenOptions::new().append(true).open(visits).expect("the visits");
    std::thread::spawn(move || {
        while feeding.load(Ordering::Relaxed) {
            file.write_all(b"{\"page\":\"/\",\"visitor\":\"ann\"}\n").expect("it is written");
            wait(RECORD_EVERY);
        }
    })
}

fn command(line: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(WEIR);
    command.args(line).current_dir(folder).env("WEIR_HOME", folder.join("home"));
    command
}
