//! A folder with a job in it, and the commands that are run there.

use super::job_log::{JobLogView, entry_path};
use super::{Job, Lines, Running, Seed, WordCount, differences};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A job in a folder of its own.
pub struct Bench<J = WordCount> {
    folder: tempfile::TempDir,
    weir: PathBuf,
    job: J,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The command line.
    pub line: String,
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl<J: Job> Bench<J> {
    /// Lays `job` and its input out in a new folder. `weir`: the binary.
    pub fn new(weir: &str, job: J) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        job.files().into_iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).expect("an input"));
        let bench = Self { folder, weir: weir.into(), job };
        bench.write_job(&bench.job.job_file());
        bench
    }

    /// The folder copied to another place, with all that is in it now.
    pub fn copied(&self) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy_folder(self.folder.path(), folder.path());
        Self { folder, weir: self.weir.clone(), job: self.job.clone() }
    }

    /// The folder moved to another place.
    pub fn moved(self) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::rename(self.folder.path(), folder.path()).expect("a folder can be moved onto an empty one");
        Self { folder, weir: self.weir, job: self.job }
    }

    /// Writes the job file anew, at once: a process that starts meanwhile reads the one or the other.
    pub fn write_job(&self, text: &str) {
        fs::write(self.path("job.toml.new"), text).expect("a job file");
        fs::rename(self.path("job.toml.new"), self.path("job.toml")).expect("a job file");
    }

    /// Replaces `was`, which has to be there, in the job file.
    #[track_caller]
    pub fn edit_job(&self, was: &str, is: &str) {
        let text = fs::read_to_string(self.path("job.toml")).expect("a job file");
        assert!(text.contains(was), "{was} is not in the job file\n{text}");
        self.write_job(&text.replace(was, is));
    }

    /// Runs the job again and again, kills it each time when a few more checkpoints are complete, and lets it go on at the next of these parallelisms.
    #[track_caller]
    pub fn kill_at_parallelisms(&self, seed: &mut Seed, parallelisms: &[u32]) {
        for parallelism in parallelisms {
            let mut process = self.start("run job.toml -q");
            let wanted = self.log().completed.len() + 2 + seed.draw(..6) as usize;
            assert!(process.runs_until("checkpoints", || self.log().completed.len() >= wanted));
            assert!(process.kill());
            let text = fs::read_to_string(self.path("job.toml")).expect("a job file");
            let said = |line: &str| {
                if line.starts_with("parallelism = ") { format!("parallelism = {parallelism}\n") } else { format!("{line}\n") }
            };
            self.write_job(&text.lines().map(said).collect::<String>());
        }
    }

    /// Lets the runs from now on read as fast as they can. A job that a test does something to is laid out with a low rate, so that it does not
    /// come to its end before that on a machine which stalls for seconds; what runs already keeps its rate.
    #[track_caller]
    pub fn hasten(&self) {
        self.edit_job(&format!("rate = {}\n", self.job.rate()), "rate = 1000000\n");
    }

    /// The job as it was laid out.
    pub fn job(&self) -> &J {
        &self.job
    }

    /// A path in the folder.
    pub fn path(&self, inner: &str) -> PathBuf {
        self.folder.path().join(inner)
    }

    /// The job's objects.
    pub fn storage(&self) -> PathBuf {
        self.path(".weir/words")
    }

    /// What the job's log says now.
    pub fn log(&self) -> JobLogView {
        JobLogView::read(&self.storage())
    }

    /// Entry `seq` of the log.
    pub fn log_entry(&self, seq: u64) -> PathBuf {
        entry_path(&self.storage(), seq)
    }

    /// The objects of keyed state that the metadata at `metadata` names, whole ones and deltas.
    pub fn state_objects(&self, metadata: &str) -> Vec<PathBuf> {
        self.objects(metadata, &["state"])
    }

    /// The objects that stand in these fields of the metadata's subtasks, and the deltas.
    fn objects(&self, metadata: &str, fields: &[&str]) -> Vec<PathBuf> {
        let subtasks = self.subtasks(metadata);
        let deltas = |subtask: &Value| subtask["deltas"].as_array().cloned().unwrap_or_default();
        let of = |subtask: &Value| fields.iter().map(|field| subtask[field].clone()).chain(deltas(subtask)).collect::<Vec<_>>();
        let objects = subtasks.iter().flat_map(of).filter_map(|handle| handle["object"].as_str().map(|path| self.storage().join(path)));
        objects.collect()
    }

    /// The part files that the newest completed checkpoint names.
    pub fn parts_of_newest_checkpoint(&self) -> Vec<PathBuf> {
        let subtasks = self.subtasks(&self.log().newest().metadata);
        let committables = subtasks.iter().flat_map(|subtask| subtask["committables"].as_array().into_iter().flatten());
        committables.filter_map(|committable| committable["payload"]["target"].as_str().map(|target| self.path(target))).collect()
    }

    /// The subtasks of all vertices, as the metadata at `metadata` has them.
    fn subtasks(&self, metadata: &str) -> Vec<Value> {
        let bytes = fs::read(self.storage().join(metadata)).expect("metadata");
        let document: Value = serde_json::from_slice(&bytes).expect("JSON");
        let vertices = document["body"]["vertices"].as_array().into_iter().flatten();
        vertices.flat_map(|vertex| vertex["subtasks"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// Fails where the storage holds other objects than those of the newest `retain` checkpoints. Each of `kills` may have left a folder, and
    /// files that had not become objects yet: their names end in `#` and a number.
    #[track_caller]
    pub fn assert_nothing_left_behind(&self, retain: usize, kills: usize) {
        let log = self.log();
        let kept: Vec<_> = log.completed.iter().rev().take(retain).collect();
        let mut expected: BTreeSet<PathBuf> =
            kept.iter().flat_map(|checkpoint| self.objects(&checkpoint.metadata, &["state", "in_flight"])).collect();
        expected.extend(kept.iter().map(|checkpoint| self.storage().join(&checkpoint.metadata)));
        let folders = paths_in(&self.storage().join("checkpoints"));
        assert!(folders.len() <= retain + kills, "{folders:?}");
        // Where no window is open and no timer set, nothing may be kept.
        let state = Some(self.storage().join("state")).filter(|folder| folder.exists());
        let found = folders.iter().chain(&state).flat_map(|folder| paths_in(folder));
        assert_eq!(found.filter(|path| !name(path).contains('#')).collect::<BTreeSet<_>>(), expected);
    }

    /// Starts `weir LINE` in the folder.
    pub fn start(&self, line: &str) -> Running {
        self.start_with(line, &[])
    }

    /// Starts `weir LINE` in the folder, as a process with a limit of its own, which it cannot raise: `-n 100` is descriptors, `-v 1000` KiB of addresses.
    pub fn start_limited(&self, line: &str, limit: &str) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]).arg(&self.weir);
        Running::start(self.prepared(command, line), &format!("weir {line}"))
    }

    /// Starts `weir LINE` in the folder, with these variables in its environment. It has none of S3 but those.
    pub fn start_with(&self, line: &str, variables: &[(&str, &str)]) -> Running {
        let mut command = self.command(line);
        command.envs(variables.iter().copied());
        Running::start(command, &format!("weir {line}"))
    }

    /// The command `weir LINE` in the folder, for a test that gives it streams of its own.
    pub fn command(&self, line: &str) -> Command {
        self.prepared(Command::new(&self.weir), line)
    }

    fn prepared(&self, mut command: Command, line: &str) -> Command {
        command.args(line.split(' ')).current_dir(self.folder.path()).env_remove("WEIR_LOG");
        let of_s3 = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("AWS_"));
        of_s3.for_each(|name| _ = command.env_remove(name));
        // Jobs of other tests are not found here, nor is this one there.
        command.env("WEIR_HOME", self.path("home")).env_remove("WEIR_API_TOKEN");
        command
    }

    /// The address of the API of the job that runs, once it is there.
    pub fn api(&self, process: &mut Running) -> String {
        let mut api = None;
        let runs = process.runs_until("an API", || {
            api = self.run("jobs --output json").document()["jobs"][0]["api"].as_str().map(str::to_owned);
            api.is_some()
        });
        assert!(runs, "the job has ended before it was registered");
        api.expect("found above")
    }

    /// Runs `weir LINE` in the folder to its end.
    pub fn run(&self, line: &str) -> Ended {
        self.start(line).ended()
    }

    /// Runs `weir LINE` in the folder to its end, with these variables in its environment.
    pub fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Ended {
        self.start_with(line, variables).ended()
    }

    /// As [`run_with`](Self::run_with), however long it takes: for what builds plugins, which on a loaded machine takes minutes.
    pub fn run_patiently(&self, line: &str, variables: &[(&str, &str)]) -> Ended {
        let mut command = self.command(line);
        let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().expect("weir starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { line: format!("weir {line}"), code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// The committed part files.
    pub fn parts(&self) -> Vec<PathBuf> {
        self.parts_in("out")
    }

    /// Those of a sink's folder, and of the partitions in it.
    fn parts_in(&self, folder: &str) -> Vec<PathBuf> {
        let (mut parts, mut folders) = (Vec::new(), vec![self.path(folder)]);
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            for path in entries.map(|entry| entry.expect("a readable folder").path()) {
                match name(&path) {
                    name if name.starts_with("part-") => parts.push(path),
                    name if name.contains('=') => folders.push(path),
                    _ => {}
                }
            }
        }
        parts
    }

    /// The checkpoints that the committed part files were prepared for, by their names: `part-<sink>-<subtask>-<checkpoint>-<nonce>.<suffix>`.
    pub fn checkpoints_of_parts(&self) -> BTreeSet<u64> {
        let checkpoint_of = |path: &PathBuf| name(path).rsplit('-').nth(1).and_then(|id| id.parse().ok()).expect("a checkpoint's id");
        self.parts().iter().map(checkpoint_of).collect()
    }

    /// All committed lines, as the job's output says them.
    pub fn committed(&self) -> Lines {
        self.committed_in("out").into_iter().fold(Lines::new(), |mut lines, (line, times)| {
            *lines.entry(self.job.said(&line)).or_default() += times;
            lines
        })
    }

    /// All lines committed in a folder.
    pub fn committed_in(&self, folder: &str) -> Lines {
        let mut lines = Lines::new();
        for part in self.parts_in(folder) {
            let text = fs::read_to_string(&part).expect("a part file is UTF-8");
            assert!(text.ends_with('\n'), "{} ends within a line", part.display());
            text.lines().for_each(|line| *lines.entry(line.to_owned()).or_default() += 1);
        }
        lines
    }

    /// Fails unless every line of the output is committed exactly once.
    #[track_caller]
    pub fn assert_exactly_once(&self) {
        if let Some(how) = self.job.not_exactly_once(&self.committed()) {
            panic!("the output is not what the input gives once: {how}");
        }
    }

    /// Fails unless every record is counted, once or more often.
    #[track_caller]
    pub fn assert_counted_at_least_once(&self) {
        if let Some(how) = self.job.not_at_least_once(&self.committed()) {
            panic!("the output is not what the input gives at least once: {how}");
        }
    }

    /// Fails where a file was begun and neither committed nor cleared away. A process that is fenced may leave some for the next run.
    #[track_caller]
    pub fn assert_nothing_pending(&self) {
        let pending = fs::read_dir(self.path("out/.pending")).expect("the folder of pending files").count();
        assert_eq!(pending, 0, "pending files are left behind a finished job");
    }

    /// Fails unless every line of the output is committed, once or more often.
    #[track_caller]
    pub fn assert_at_least_once(&self) {
        let once = self.committed().into_keys().map(|line| (line, 1)).collect();
        if let Some(how) = differences(&once, &self.job.output()) {
            panic!("the output holds other lines than the input gives: {how}");
        }
    }
}

impl Ended {
    /// The document on standard output.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    /// Fails unless the exit code is `code` and standard error holds each of `parts`.
    #[track_caller]
    pub fn assert(&self, code: i32, parts: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.line, self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{}: `{part}` is not in\n{}", self.line, self.stderr);
        }
        self
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for path in paths_in(from) {
        let target = to.join(name(&path));
        match path.is_dir() {
            true => copy_folder(&path, &target),
            false => _ = fs::copy(&path, target).expect("a file can be copied"),
        }
    }
}

fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display()));
    entries.map(|entry| entry.expect("a readable folder").path()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
