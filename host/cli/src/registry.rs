//! Where running jobs are found: one file for each process in a folder of the user's.
//!
//! A file counts while its process lives, and is the same process: its number and the time at which it started. What does not count is cleared away
//! by whoever finds it.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A running job, as it registered itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The job's name.
    pub job: String,
    /// The process,
    pub pid: u32,
    /// and when it started, in the system's own count.
    pub started: u64,
    /// The API's address.
    pub api: String,
    /// The absolute path of the job file.
    pub job_file: String,
    /// The absolute URL of the folder of its objects.
    pub storage: String,
}

/// The folder.
pub struct Registry(PathBuf);

/// Takes the file away when it is dropped.
pub struct Registration(PathBuf);

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

    /// One in `folder`, for tests.
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Registers this process's job.
    pub fn register(&self, job: &str, api: &str, job_file: &str, storage: &str) -> io::Result<Registration> {
        let pid = std::process::id();
        let started = start_time(pid).unwrap_or(0);
        let entry = Registered { job: job.into(), pid, started, api: api.into(), job_file: job_file.into(), storage: storage.into() };
        make_private(&self.0)?;
        let path = self.0.join(format!("{pid}-{job}.json"));
        let unfinished = self.0.join(format!(".{pid}-{job}.json"));
        fs::write(&unfinished, serde_json::to_vec_pretty(&entry)?)?;
        fs::rename(&unfinished, &path)?;
        Ok(Registration(path))
    }

    /// All jobs that run, by name.
    pub fn running(&self) -> io::Result<Vec<Registered>> {
        let files = match fs::read_dir(&self.0) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut running = Vec::new();
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
                Ok(entry) if lives(&entry) => running.push(entry),
                Ok(_) | Err(_) => _ = fs::remove_file(&path),
            }
        }
        running.sort_by(|a, b| (&a.job, a.pid).cmp(&(&b.job, b.pid)));
        Ok(running)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

fn lives(entry: &Registered) -> bool {
    match start_time(entry.pid) {
        Some(started) => started == entry.started,
        None => entry.started == 0 && signals(entry.pid),
    }
}

/// When a process started, where the system says it in `/proc`.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold anything; the 20th field behind it is the start.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
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

    #[test]
    fn a_job_is_found_while_its_process_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::in_folder(&folder.path().join("jobs"));
        assert_eq!(registry.running().expect("readable"), []);
        let registration = registry.register("counts", "127.0.0.1:1", "/jobs/a.toml", "file:/w/counts").expect("registered");
        let running = registry.running().expect("readable");
        assert_eq!(running.iter().map(|one| (one.job.as_str(), one.pid)).collect::<Vec<_>>(), [("counts", std::process::id())]);
        drop(registration);
        assert_eq!(registry.running().expect("readable"), []);
    }

    #[test]
    fn files_of_processes_that_are_gone_and_files_that_make_no_sense_are_cleared_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::in_folder(folder.path());
        let _registration = registry.register("mine", "127.0.0.1:1", "/a", "file:/w").expect("registered");
        let other = Registered { started: 1, ..registry.running().expect("readable")[0].clone() };
        fs::write(folder.path().join("1-reused.json"), serde_json::to_vec(&other).expect("JSON")).expect("written");
        fs::write(folder.path().join("2-broken.json"), "{").expect("written");
        fs::write(folder.path().join("notes.txt"), "mine").expect("written");
        assert_eq!(registry.running().expect("readable").len(), 1);
        let mut left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("a file").file_name()).collect();
        left.sort();
        assert_eq!(left, [format!("{}-mine.json", std::process::id()).into(), std::ffi::OsString::from("notes.txt")]);
    }
}
