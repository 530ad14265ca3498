//! Where running jobs are found: one file for each process in a folder of the user's.
//!
//! A file counts while its process lives, and is the same process: its number and the time at which it started. One that is stopped lives, one that nobody has
//! waited for does not. What does not count is cleared away by whoever finds it, but for what was registered in another place (`place`): whether that lives nobody
//! can tell here, so it neither counts nor is touched. Who begins to run a job looks for others on its storage and registers in one
//! step, under a lock: of two that begin at once the second finds the first.

mod ended;
mod place;

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A running job, as it registered itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The job's name.
    pub job: String,
    /// The number of the process.
    pub pid: u32,
    /// When the process started, in the system's own count.
    pub started: u64,
    /// The API's address; none yet where the job is about to begin, and never with `--no-api`.
    pub api: Option<String>,
    /// The absolute path of the job file.
    pub job_file: String,
    /// The absolute URL of the folder of its objects.
    pub storage: String,
    /// Where the process's number means something, in the system's own words; none where it says nothing, or an older version registered.
    #[serde(default)]
    pub place: Option<String>,
}

/// The folder.
pub struct Registry(PathBuf);

/// Takes the file away when it is dropped.
pub struct Registration {
    path: PathBuf,
    entry: Registered,
}

/// What has come of looking for others that run a job, and registering.
pub struct Claim {
    /// Others that run a job on the same storage.
    pub others: Vec<Registered>,
    /// This process's entry; none where there are others that it does not take over from.
    pub registration: Option<Registration>,
}

/// The lock is held for as long as it takes to read a few small files: whoever holds it for longer is stopped, and must not hold up all others.
const LOCK_WITHIN: Duration = Duration::from_secs(2);
/// From one try to the next.
const LOCK_EVERY: Duration = Duration::from_millis(5);

impl Registry {
    /// That of this user: `$WEIR_HOME`, else `$XDG_RUNTIME_DIR/weir`, else `~/.local/state/weir`.
    pub fn of_user() -> io::Result<Self> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = folder("WEIR_HOME")
            .or_else(|| folder("XDG_RUNTIME_DIR").map(|folder| folder.join("weir")))
            .or_else(|| folder("HOME").map(|home| home.join(".local/state/weir")));
        let home = home.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "neither WEIR_HOME nor HOME is set"))?;
        Ok(Self(home.join("jobs")))
    }

    /// One in `folder`.
    #[cfg(test)]
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Registers this process's job, where no other runs it or `takeover` says to take it over all the same.
    pub fn claim(&self, job: &str, job_file: &str, storage: &str, takeover: bool) -> io::Result<Claim> {
        make_private(&self.0)?;
        let _lock = self.lock();
        let pid = std::process::id();
        let is_other = |one: &Registered| one.pid != pid && is_same_storage(&one.storage, storage);
        let others: Vec<Registered> = self.running()?.into_iter().filter(is_other).collect();
        if !others.is_empty() && !takeover {
            return Ok(Claim { others, registration: None });
        }
        let started = start_time(pid).unwrap_or(0);
        let place = place::here();
        let entry = Registered { job: job.into(), pid, started, api: None, job_file: job_file.into(), storage: storage.into(), place };
        let registration = Registration { path: self.path_of(&entry), entry };
        registration.write()?;
        Ok(Claim { others, registration: Some(registration) })
    }

    /// The file of an entry. Processes of two places may have one number.
    fn path_of(&self, entry: &Registered) -> PathBuf {
        let Registered { job, pid, place, .. } = entry;
        self.0.join(match place {
            Some(place) => format!("{pid}-{job}-{place}.json"),
            None => format!("{pid}-{job}.json"),
        })
    }

    /// Waits for the lock; `None` where it cannot be had. Then two that begin at once may not see each other, and the later one takes over.
    fn lock(&self) -> Option<fs::File> {
        let file = fs::File::create(self.0.join(".lock")).ok()?;
        for _ in 0..LOCK_WITHIN.as_millis() / LOCK_EVERY.as_millis() {
            match file.try_lock() {
                Ok(()) => return Some(file),
                Err(fs::TryLockError::WouldBlock) => pause(),
                Err(fs::TryLockError::Error(_)) => return None,
            }
        }
        None
    }

    /// All jobs that run here, by name.
    pub fn running(&self) -> io::Result<Vec<Registered>> {
        let files = match fs::read_dir(&self.0) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let (mut running, here) = (Vec::new(), place::here());
        for file in files {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "json")
                || path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.')
            {
                continue;
            }
            // One that was cleared away meanwhile is nobody's any more.
            let Ok(bytes) = fs::read(&path) else { continue };
            match serde_json::from_slice::<Registered>(&bytes) {
                Ok(entry) if !place::is_here(entry.place.as_deref(), here.as_deref()) => {}
                Ok(entry) if lives(&entry) => running.push(entry),
                Ok(_) | Err(_) => _ = fs::remove_file(&path),
            }
        }
        running.sort_by(|a, b| (&a.job, a.pid).cmp(&(&b.job, b.pid)));
        Ok(running)
    }
}

impl Registration {
    /// The job can be spoken to there from now on.
    pub fn serves(&mut self, api: &str) -> io::Result<()> {
        self.entry.api = Some(api.to_owned());
        self.write()
    }

    /// Whoever reads finds all of it or what was there before.
    fn write(&self) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = self.path.with_file_name(format!(".{name}"));
        fs::write(&unfinished, serde_json::to_vec_pretty(&self.entry)?)?;
        fs::rename(&unfinished, &self.path)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
    }
}

#[expect(clippy::disallowed_methods, reason = "before a job runs there is no clock of its own yet")]
fn pause() {
    std::thread::sleep(LOCK_EVERY);
}

/// Whether two absolute URLs name one folder of a job's objects. What is in memory is each process's own.
pub fn is_same_storage(a: &str, b: &str) -> bool {
    match (a.strip_prefix("file:"), b.strip_prefix("file:")) {
        (Some(a), Some(b)) => resolved(Path::new(a)) == resolved(Path::new(b)),
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => a == b && !a.starts_with("memory:"),
    }
}

/// The path without links, as far as it is there.
pub fn resolved(path: &Path) -> PathBuf {
    let there = |ancestor: &Path| Some(ancestor.canonicalize().ok()?.join(path.strip_prefix(ancestor).ok()?));
    path.ancestors().find_map(there).unwrap_or_else(|| path.to_owned())
}

fn lives(entry: &Registered) -> bool {
    match start_time(entry.pid) {
        Some(started) => started == entry.started,
        None => entry.started == 0 && signals(entry.pid),
    }
}

/// When a process started, where the system says it in `/proc`; `None` of one that is there only because nobody has waited for it.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold anything; the first field behind it is the state, and the 20th the start.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X" | "x");
    fields.nth(18).filter(|_| !is_dead)?.parse().ok()
}

#[cfg(unix)]
fn signals(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok())
}

#[cfg(not(unix))]
fn signals(_pid: u32) -> bool {
    true
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn claimed(registry: &Registry, job: &str, storage: &str, takeover: bool) -> Claim {
        registry.claim(job, "/jobs/a.toml", storage, takeover).expect("a folder that can be written to")
    }

    /// Registers `process` as one that runs `job`.
    fn register(registry: &Registry, process: u32, job: &str, storage: &str) {
        let started = start_time(process).unwrap_or(1);
        register_at(registry, place::here(), Registered { started, ..entry(process, job, storage) });
    }

    fn entry(pid: u32, job: &str, storage: &str) -> Registered {
        let (job_file, place) = ("/jobs/a.toml".into(), None);
        Registered { job: job.into(), pid, started: 1, api: None, job_file, storage: storage.into(), place }
    }

    /// Registers it as one that runs at `place`. Its file.
    fn register_at(registry: &Registry, place: Option<String>, entry: Registered) -> PathBuf {
        let entry = Registered { place, ..entry };
        make_private(&registry.0).expect("a folder");
        let path = registry.path_of(&entry);
        fs::write(&path, serde_json::to_vec(&entry).expect("JSON")).expect("written");
        path
    }

    /// A process of another program, which lives until it is dropped.
    struct Other(std::process::Child);

    impl Other {
        fn start() -> Self {
            Self(std::process::Command::new("sleep").arg("600").spawn().expect("the command `sleep` is there"))
        }

        /// Ends it. Nobody has waited for it then.
        fn kill(&mut self) {
            self.0.kill().expect("a child can be killed");
        }
    }

    impl Drop for Other {
        fn drop(&mut self) {
            _ = self.0.kill();
            _ = self.0.wait();
        }
    }

    #[test]
    fn a_job_is_found_while_its_process_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::in_folder(&folder.path().join("jobs"));
        assert_eq!(registry.running().expect("readable"), []);
        let mut registration = claimed(&registry, "counts", "file:/w/counts", false).registration.expect("nobody else runs it");
        registration.serves("127.0.0.1:1").expect("written");
        let running = registry.running().expect("readable");
        let found: Vec<_> = running.iter().map(|one| (one.job.as_str(), one.pid, one.api.as_deref())).collect();
        assert_eq!(found, [("counts", std::process::id(), Some("127.0.0.1:1"))]);
        drop(registration);
        assert_eq!(registry.running().expect("readable"), []);
    }

    #[test]
    fn a_job_that_another_process_runs_is_claimed_only_to_take_it_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let (registry, other) = (Registry::in_folder(folder.path()), Other::start());
        register(&registry, other.0.id(), "counts", "file:/w/counts");
        let refused = claimed(&registry, "counts", "file:/w/counts", false);
        assert_eq!((refused.others[0].pid, refused.registration.is_some()), (other.0.id(), false));
        let taken = claimed(&registry, "counts", "file:/w/counts", true);
        assert_eq!((taken.others[0].pid, taken.registration.is_some()), (other.0.id(), true));
        assert!(claimed(&registry, "counts", "file:/elsewhere/counts", false).registration.is_some());
    }

    #[test]
    fn a_process_that_nobody_has_waited_for_runs_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (registry, mut other) = (Registry::in_folder(folder.path()), Other::start());
        register(&registry, other.0.id(), "counts", "file:/w/counts");
        other.kill();
        let gone = (0..1_000).any(|_| {
            pause();
            claimed(&registry, "counts", "file:/w/counts", false).registration.is_some()
        });
        assert!(gone, "its number is still taken, and it runs nothing");
    }

    #[test]
    fn what_was_registered_in_another_place_neither_counts_nor_is_cleared_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::in_folder(folder.path());
        let elsewhere = Some("00000000-0000-4000-8000-000000000000-1".to_owned());
        // One number may be a dead process here and a living one there, or the number of this process, which is that of another one there.
        let dead = register_at(&registry, elsewhere.clone(), entry(u32::MAX, "counts", "file:/w/counts"));
        let same = register_at(&registry, elsewhere, entry(std::process::id(), "counts", "file:/w/counts"));
        let claim = claimed(&registry, "counts", "file:/w/counts", false);
        assert_eq!(claim.others, []);
        let running: Vec<_> = registry.running().expect("readable").into_iter().map(|one| one.place).collect();
        assert_eq!(running, [place::here()]);
        drop(claim);
        assert!(dead.exists() && same.exists(), "whoever runs there is still found there");
    }

    #[test]
    fn an_entry_that_does_not_say_where_is_taken_to_be_of_this_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let (registry, other) = (Registry::in_folder(folder.path()), Other::start());
        let started = start_time(other.0.id()).unwrap_or(1);
        register_at(&registry, None, Registered { started, ..entry(other.0.id(), "counts", "file:/w/counts") });
        assert_eq!(claimed(&registry, "counts", "file:/w/counts", false).others.len(), 1);
        let dead = register_at(&registry, None, entry(u32::MAX, "old", "file:/w/old"));
        assert_eq!((registry.running().expect("readable").len(), dead.exists()), (1, false));
    }

    #[test]
    fn a_lock_that_is_not_given_back_holds_nobody_up_for_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::in_folder(folder.path());
        let held = registry.lock().expect("nobody has it");
        assert!(claimed(&registry, "counts", "file:/w/counts", false).registration.is_some());
        drop(held);
        assert!(registry.lock().is_some());
    }

    #[test]
    fn one_folder_is_one_storage_under_whatever_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = |inner: &str| format!("file:{}/{inner}", folder.path().display());
        fs::create_dir(folder.path().join("a")).expect("a folder");
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("a"), folder.path().join("link")).expect("a link");
        for (a, b, same) in [
            (name("a/job"), name("a/job"), true),
            (name("a/job"), name("link/job"), true),
            (name("a/job"), name("a/../a/job"), true),
            (name("a/job"), name("a/jobs"), false),
            ("s3://bucket/a/job".into(), "s3://bucket/a/job".into(), true),
            ("s3://bucket/a/job".into(), name("a/job"), false),
            ("memory:/job".into(), "memory:/job".into(), false),
        ] {
            assert_eq!(is_same_storage(&a, &b), same, "{a} {b}");
        }
    }

    #[test]
    fn files_of_processes_that_are_gone_and_files_that_make_no_sense_are_cleared_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::in_folder(folder.path());
        let _registration = claimed(&registry, "mine", "file:/w", false).registration.expect("nobody else runs it");
        let other = Registered { started: 1, ..registry.running().expect("readable")[0].clone() };
        fs::write(folder.path().join("1-reused.json"), serde_json::to_vec(&other).expect("JSON")).expect("written");
        fs::write(folder.path().join("2-broken.json"), "{").expect("written");
        fs::write(folder.path().join("notes.txt"), "mine").expect("written");
        assert_eq!(registry.running().expect("readable").len(), 1);
        let mut left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("a file").file_name()).collect();
        left.sort();
        let mine = registry.path_of(&registry.running().expect("readable")[0]).file_name().expect("a file").to_owned();
        assert_eq!(left, [".lock".into(), mine, std::ffi::OsString::from("notes.txt")]);
    }
}
