//! Makes part files visible: a rename that may be tried any number of times, by any process.

use super::committable::FileCommittable;
use super::{io_error, remove_if_there, sync_dir};
use crate::paths::FileName;
use futures_util::future::BoxFuture;
use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use weir_engine::{Committable, Committer, EngineError, ErrorKind};

/// Folders of partitions that are remembered to be durable.
const DURABLE_MAX: usize = 10_000;

/// Commits the committables of all file sinks of a job.
pub(crate) struct FileCommitter {
    /// The job file's folder, absolutely.
    base: PathBuf,
    /// Folders of partitions whose names are known to be durable.
    durable: Mutex<HashSet<PathBuf>>,
}

impl FileCommitter {
    pub(crate) fn new(base_dir: &Path) -> Self {
        Self { base: std::path::absolute(base_dir).unwrap_or_else(|_| base_dir.to_owned()), durable: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the folders between the sink's and the part, durably: the part may be the first in its partition.
    fn make_folders(&self, part: &FileCommittable) -> Result<(), EngineError> {
        let (Some(sinks), Some(own)) = (part.pending.parent().and_then(Path::parent), part.target.parent()) else { return Ok(()) };
        let mut folder = sinks.to_owned();
        for name in own.strip_prefix(sinks).into_iter().flat_map(Path::components) {
            let above = folder.clone();
            folder.push(name);
            match std::fs::create_dir(&folder) {
                Err(error) if error.kind() == IoErrorKind::AlreadyExists && folder.is_dir() => {
                    // Another commit may have made it and not got any further, so one that was there is made durable as well, once.
                    if self.lock().contains(&folder) {
                        continue;
                    }
                }
                Err(error) => return Err(no_folder("make the folder", &folder, error)),
                Ok(()) => {}
            }
            sync_dir(&above)?;
            let mut durable = self.lock();
            if durable.len() >= DURABLE_MAX {
                durable.clear();
            }
            durable.insert(folder.clone());
        }
        Ok(())
    }

    fn commit_part(&self, part: &FileCommittable, lost: &Lost<'_>) -> Result<(), EngineError> {
        match inspect(&part.target, part)? {
            Found::Same => {
                remove_if_there(&part.pending)?;
                sync_target_dir(part)
            }
            Found::Differs(how) => Err(changed(&part.target, &how)),
            Found::Missing => match inspect(&part.pending, part)? {
                Found::Same => self.publish(part, lost),
                Found::Differs(how) => Err(changed(&part.pending, &how)),
                Found::Missing => settled_by_another(part, lost),
            },
        }
    }

    fn publish(&self, part: &FileCommittable, lost: &Lost<'_>) -> Result<(), EngineError> {
        self.make_folders(part)?;
        match std::fs::rename(&part.pending, &part.target) {
            Ok(()) => sync_target_dir(part),
            // The folder may have been taken away, as an empty one, since it was made.
            Err(error) if error.kind() == IoErrorKind::NotFound && matches!(inspect(&part.pending, part)?, Found::Same) => {
                Err(io_error(ErrorKind::Retry, "make visible", &part.target, error))
            }
            Err(error) if error.kind() == IoErrorKind::NotFound => settled_by_another(part, lost),
            Err(error) if error.kind() == IoErrorKind::CrossesDevices => {
                let hint = "a partition lies on another file system than the sink's folder: parts are renamed into it; let all be on one";
                Err(io_error(ErrorKind::FixInput, "make visible", &part.target, error).with_hint(hint))
            }
            Err(error) => Err(io_error(ErrorKind::Retry, "make visible", &part.target, error)),
        }
    }
}

impl Committer for FileCommitter {
    fn commit<'a>(&'a self, committable: &'a Committable) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let part = FileCommittable::try_from(committable)?;
            let lost = || lost(&part, &self.base);
            self.commit_part(&part.at(&self.base), &lost)
        })
    }
}

/// What stands at a path, compared with what a committable says.
enum Found {
    Missing,
    Same,
    Differs(String),
}

/// The error where the folder of a partition cannot be made or looked into.
fn no_folder(attempted: &str, path: &Path, error: std::io::Error) -> EngineError {
    match error.kind() {
        IoErrorKind::AlreadyExists | IoErrorKind::NotADirectory => io_error(ErrorKind::FixInput, attempted, path, error)
            .with_hint("a file is where the folder of a partition should be: move it away"),
        _ => io_error(ErrorKind::Retry, attempted, path, error),
    }
}

/// The pending file is gone: either another process has committed it in the meantime, or the output is lost.
fn settled_by_another(part: &FileCommittable, lost: &Lost<'_>) -> Result<(), EngineError> {
    match inspect(&part.target, part)? {
        Found::Same => sync_target_dir(part),
        Found::Differs(how) => Err(changed(&part.target, &how)),
        Found::Missing => Err(lost()),
    }
}

/// The error where both files are missing.
type Lost<'a> = dyn Fn() -> EngineError + Sync + 'a;

fn lost(part: &FileCommittable, base: &Path) -> EngineError {
    let here = part.at(base);
    let attempted =
        format!("commit {}: it is missing, and so is the pending file {}", FileName::whole(&here.target), FileName::whole(&here.pending));
    let is_it = |path: &PathBuf| matches!(inspect(path, part), Ok(Found::Same));
    match part.elsewhere(base).into_iter().find(is_it) {
        Some(other) => {
            let hint = match part.target.is_absolute() {
                true => {
                    "the folder was moved, and its path in the job file is absolute: put the file back where it was; or go on without it with --accept-lost-output"
                }
                false => {
                    "the job file's folder was moved or copied without it: bring it here under the same name; or give up what it holds with --accept-lost-output"
                }
            };
            EngineError::new(ErrorKind::FixInput, format!("{attempted}; the file is at {}", FileName::whole(&other))).with_hint(hint)
        }
        None => EngineError::new(ErrorKind::FixInput, format!("{attempted}; {} bytes of output are lost", part.size))
            .with_hint("put the file back; or give up what it held with --accept-lost-output"),
    }
}

fn changed(path: &Path, how: &str) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, format!("commit {}: it is not the file that the checkpoint names: {how}", FileName::whole(path)))
        .with_hint("something else has written to it; move it away, or put the file back as it was")
}

fn inspect(path: &Path, part: &FileCommittable) -> Result<Found, EngineError> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(no_folder("look at", path, error)),
    };
    if !metadata.is_file() {
        return Ok(Found::Differs("it is not a regular file".into()));
    }
    if metadata.len() != part.size {
        return Ok(Found::Differs(format!("it has {} bytes instead of {}", metadata.len(), part.size)));
    }
    match checksum(path) {
        Ok(crc32c) if crc32c == part.crc32c => Ok(Found::Same),
        Ok(crc32c) => Ok(Found::Differs(format!("its CRC-32C is {crc32c:08x} instead of {:08x}", part.crc32c))),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(Found::Missing),
        Err(error) => Err(io_error(ErrorKind::Retry, "read", path, error)),
    }
}

fn checksum(path: &Path) -> std::io::Result<u32> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 256 * 1024];
    let mut crc32c = 0;
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(crc32c),
            Ok(count) => crc32c = crc32c::crc32c_append(crc32c, &block[..count]),
            Err(error) if error.kind() == IoErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn sync_target_dir(part: &FileCommittable) -> Result<(), EngineError> {
    part.target.parent().map_or(Ok(()), sync_dir)
}
