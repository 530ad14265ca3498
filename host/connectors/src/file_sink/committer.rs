//! Makes part files visible: a rename that may be tried any number of times, by any process.

use super::committable::FileCommittable;
use super::{io_error, remove_if_there, sync_dir};
use futures_util::future::BoxFuture;
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::path::Path;
use weir_engine::{Committable, Committer, EngineError, ErrorKind};

/// Commits the committables of all file sinks.
pub(crate) struct FileCommitter;

impl Committer for FileCommitter {
    fn commit<'a>(&'a self, committable: &'a Committable) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move { commit_part(&FileCommittable::try_from(committable)?) })
    }
}

/// What stands at a path, compared with what a committable says.
enum Found {
    Missing,
    Same,
    Differs(String),
}

fn commit_part(part: &FileCommittable) -> Result<(), EngineError> {
    match inspect(&part.target, part)? {
        Found::Same => {
            remove_if_there(&part.pending)?;
            sync_target_dir(part)
        }
        Found::Differs(how) => Err(changed(&part.target, &how)),
        Found::Missing => match inspect(&part.pending, part)? {
            Found::Same => publish(part),
            Found::Differs(how) => Err(changed(&part.pending, &how)),
            Found::Missing => settled_by_another(part),
        },
    }
}

fn publish(part: &FileCommittable) -> Result<(), EngineError> {
    match std::fs::rename(&part.pending, &part.target) {
        Ok(()) => sync_target_dir(part),
        Err(error) if error.kind() == IoErrorKind::NotFound => settled_by_another(part),
        Err(error) => Err(io_error(ErrorKind::Retry, "make visible", &part.target, error)),
    }
}

/// The pending file is gone: either another process has committed it in the meantime, or the output is lost.
fn settled_by_another(part: &FileCommittable) -> Result<(), EngineError> {
    match inspect(&part.target, part)? {
        Found::Same => sync_target_dir(part),
        Found::Differs(how) => Err(changed(&part.target, &how)),
        Found::Missing => {
            let (target, pending) = (part.target.display(), part.pending.display());
            let message =
                format!("commit {target}: it is missing, and so is the pending file {pending}; {} bytes of output are lost", part.size);
            Err(EngineError::new(ErrorKind::FixInput, message)
                .with_hint("put the file back; or give up what it held with --accept-lost-output"))
        }
    }
}

fn changed(path: &Path, how: &str) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, format!("commit {}: it is not the file that the checkpoint names: {how}", path.display()))
        .with_hint("something else has written to it; move it away, or put the file back as it was")
}

fn inspect(path: &Path, part: &FileCommittable) -> Result<Found, EngineError> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(io_error(ErrorKind::Retry, "look at", path, error)),
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
