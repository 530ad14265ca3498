//! A running job that is watched from outside, by its API, while something is done to it.

use super::job::{Bench, Run, wait, weir};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A running job. Dropping it ends it.
pub struct Live {
    folder: TempDir,
    child: Child,
    api: String,
    plugins: PathBuf,
}

/// What came to the sink during a time.
pub struct Watched {
    /// The longest time without a record.
    pub longest_gap_ms: f64,
    /// Records per second.
    pub rate: f64,
}

impl Live {
    /// Starts an endless job, and waits until it has its keys and some checkpoints.
    pub fn start(bench: &Bench, run: &Run) -> Self {
        let folder = TempDir::new().expect("a folder");
        let job = bench.write(run, folder.path());
        let home = folder.path().join("home");
        let child = weir(&job).env("WEIR_HOME", &home).stdout(Stdio::null()).spawn().expect("weir starts");
        let log = folder.path().join(".weir/figures/log/5.json");
        while !log.exists() {
            wait(Duration::from_millis(50));
        }
        let entry = std::fs::read_dir(home.join("jobs")).expect("a registry").next().expect("an entry").expect("readable").path();
        let entry: Value = serde_json::from_slice(&std::fs::read(entry).expect("readable")).expect("JSON");
        let api = entry["api"].as_str().expect("an address").to_owned();
        Self { folder, child, api, plugins: bench.plugins.clone() }
    }

    /// Does something, and watches the sink until shortly after.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time, and watches beside what it does")]
    pub fn watch(&self, work: impl FnOnce(&Self)) -> Watched {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let url = format!("http://{}/v1/job", self.api);
                let agent = ureq::Agent::new_with_defaults();
                let count = || {
                    let text = agent.get(&url).call().expect("it answers").body_mut().read_to_string().expect("text");
                    let status: Value = serde_json::from_str(&text).expect("JSON");
                    let vertices = status["vertices"].as_array().expect("vertices");
                    vertices.last().and_then(|sink| sink["records_in"].as_u64()).expect("a number")
                };
                let (began, first) = (Instant::now(), count());
                let (mut last, mut changed, mut longest) = (first, Instant::now(), Duration::ZERO);
                while !over.load(Ordering::Relaxed) {
                    let now = count();
                    if now != last {
                        longest = longest.max(changed.elapsed());
                        (last, changed) = (now, Instant::now());
                    }
                    wait(LOOK_EVERY);
                }
                Watched { longest_gap_ms: longest.as_secs_f64() * 1e3, rate: (last - first) as f64 / began.elapsed().as_secs_f64() }
            });
            work(self);
            wait(Duration::from_millis(200));
            over.store(true, Ordering::Relaxed);
            watching.join().expect("the watching ends")
        })
    }

    /// Lets it run.
    pub fn wait(&self, seconds: f64) {
        wait(Duration::from_secs_f64(seconds));
    }

    /// Upgrades the operator to a component that does the same. The standstill that it reports, ms.
    pub fn upgrade(&self) -> f64 {
        let variant = self.folder.path().join("variant.wasm");
        weir_tests::process::write_variant(&self.plugins.join("keyed_count.wasm"), &variant);
        let variant = variant.display().to_string();
        let line = ["upgrade", "figures", "--operator", "op", "--plugin", &variant, "--probation", "1s", "--allow-repeat"];
        let document = self.command(&line);
        assert_eq!(document["outcome"], "accepted", "{document}");
        document["pause_ms"].as_f64().expect("a number")
    }

    /// Rescales every step. The pause that it reports, ms.
    pub fn rescale(&self, parallelism: u32) -> f64 {
        let document = self.command(&["rescale", "figures", "--parallelism", &parallelism.to_string()]);
        document["pause_ms"].as_f64().expect("a number")
    }

    /// Takes a savepoint. How long that took, s.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub fn savepoint(&self) -> f64 {
        let began = Instant::now();
        self.command(&["savepoint", "create", "figures"]);
        began.elapsed().as_secs_f64()
    }

    fn command(&self, line: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir-under-test"));
        command.args(line).args(["--output", "json", "-q"]).env("WEIR_HOME", self.folder.path().join("home"));
        let output = command.stderr(Stdio::inherit()).output().expect("weir runs");
        assert!(output.status.success(), "weir {}", line.join(" "));
        serde_json::from_slice(&output.stdout).expect("a document")
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
