//! One job: its file, the run of the real binary, and what its document says.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Where everything is.
pub struct Bench {
    pub plugins: PathBuf,
}

/// The benchmark's operators.
#[derive(Clone, Copy)]
pub enum Operator {
    /// Count and sum per key.
    KeyedCount,
    /// The same per key and window, of so long by the clock; there is a component alone.
    WindowedCount(&'static str),
    /// No state.
    PassThrough,
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::KeyedCount => "keyed-count",
            Self::WindowedCount(_) => "windowed-count",
            Self::PassThrough => "pass-through",
        }
    }
}

/// A job to run: generator → operator → blackhole.
#[derive(Clone, Copy)]
pub struct Run {
    pub operator: Operator,
    /// The component, or the built-in operator.
    pub as_component: bool,
    pub keys: u64,
    pub count: u64,
    pub parallelism: u32,
    pub interval: &'static str,
    /// `unaligned` of the job.
    pub unaligned: &'static str,
    /// Records per second that the sink takes.
    pub sink_rate: Option<u64>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            operator: Operator::KeyedCount,
            as_component: true,
            keys: 100_000,
            count: 1_000_000,
            parallelism: 2,
            interval: "1s",
            unaligned: "never",
            sink_rate: None,
        }
    }
}

/// A run's document.
pub struct Document(pub Value);

impl Document {
    /// Records per second of all the input, over the whole run.
    pub fn rate_of(&self, records: u64) -> f64 {
        records as f64 / self.wall_s()
    }

    pub fn wall_s(&self) -> f64 {
        self.0["wall_s"].as_f64().expect("a run takes time")
    }

    /// Records per second at the sink, from a quarter of the input to its end.
    pub fn rate(&self) -> f64 {
        self.0["steady_records_per_s"].as_f64().expect("a bounded run has a rate")
    }

    pub fn first_record_s(&self) -> f64 {
        self.0["first_record_s"].as_f64().expect("a record came")
    }

    pub fn peak_memory_mib(&self) -> f64 {
        self.0["peak_memory_bytes"].as_f64().expect("a number") / f64::from(1 << 20)
    }

    pub fn checkpoint_ms(&self) -> impl Iterator<Item = f64> {
        self.0["checkpoints"]["items"].as_array().into_iter().flatten().filter_map(|item| item["duration_ms"].as_f64())
    }
}

impl Bench {
    /// Builds the plugins.
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let build = Command::new(env!("CARGO"))
            .args(["build", "--release", "--target", "wasm32-unknown-unknown"])
            .args(["-p", "keyed-count", "-p", "windowed-count", "-p", "pass-through", "-p", "flight-delays", "-p", "flight-delays-v2"])
            .current_dir(&root)
            .status();
        assert!(build.expect("cargo runs").success(), "the plugins build");
        Self { plugins: target.join("wasm32-unknown-unknown/release") }
    }

    /// Runs a job to its end.
    pub fn run(&self, run: Run) -> Document {
        let folder = TempDir::new().expect("a folder");
        document(&mut weir(&self.write(&run, folder.path())))
    }

    /// Starts an endless job, kills it three seconds after its first checkpoint, starts it again, and says how long the first new record took.
    pub fn kill_and_resume(&self, run: &Run) -> f64 {
        let folder = TempDir::new().expect("a folder");
        let job = self.write(run, folder.path());
        let mut first = weir(&job).stdout(Stdio::null()).spawn().expect("weir starts");
        let log = folder.path().join(".weir/figures/log/3.json");
        while !log.exists() {
            wait(Duration::from_millis(50));
        }
        wait(Duration::from_secs(3));
        first.kill().expect("it runs");
        first.wait().expect("it was started");
        let second = weir(&job).stdout(Stdio::piped()).spawn().expect("weir starts");
        wait(Duration::from_secs(4));
        let stop = Command::new("kill").args(["-INT", &second.id().to_string()]).status();
        assert!(stop.expect("kill runs").success());
        let output = second.wait_with_output().expect("it was started");
        let document = Document(serde_json::from_slice(&output.stdout).expect("a document"));
        assert!(document.0["resumed_from"].is_u64(), "it resumed: {}", document.0);
        document.first_record_s()
    }

    /// Writes the job file.
    pub fn write(&self, run: &Run, folder: &Path) -> PathBuf {
        let name = run.operator.name();
        let operator = match run.as_component {
            true => format!("plugin = {:?}", self.plugins.join(format!("{}.wasm", name.replace('-', "_")))),
            false => format!("native = {name:?}"),
        };
        let by = match run.operator {
            Operator::KeyedCount | Operator::WindowedCount(_) => "key",
            Operator::PassThrough => "forward",
        };
        let window = match run.operator {
            Operator::WindowedCount(size) => format!("window = {{ tumbling = {size:?}, time = \"processing\" }}\n"),
            Operator::KeyedCount | Operator::PassThrough => String::new(),
        };
        let sink_rate = run.sink_rate.map_or(String::new(), |rate| format!("rate = {rate}\n"));
        let job = format!(
            "name = \"figures\"\nparallelism = {}\n[checkpoints]\ninterval = {:?}\nunaligned = {:?}\n[source.records]\nconnector = \"generator\"\ncount = {}\nkeys = {}\n\
             [operator.op]\n{operator}\ninput = {{ from = \"records\", by = {by:?} }}\n{window}[sink.nothing]\nconnector = \"blackhole\"\ninput = \"op\"\n{sink_rate}",
            run.parallelism, run.interval, run.unaligned, run.count, run.keys
        );
        let path = folder.join("job.toml");
        fs::write(&path, job).expect("a writable folder");
        path
    }
}

/// `weir run` of a job.
pub fn weir(job: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir-under-test"));
    command.arg("run").arg(job).args(["--output", "json", "-q"]);
    command
}

pub fn document(command: &mut Command) -> Document {
    let output = command.stderr(Stdio::inherit()).output().expect("weir runs");
    let document = serde_json::from_slice(&output.stdout).expect("a document");
    assert!(output.status.success(), "{document}");
    Document(document)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark of whole processes waits for them")]
pub fn wait(time: Duration) {
    std::thread::sleep(time);
}
