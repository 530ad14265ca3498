//! What tells a file from another one of the same name, and whether it is still the same while it is read.

use crate::paths::kind_of;
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes at a file's beginning and at its end whose hashes identify it.
const SAMPLE_BYTES: u64 = 4096;

/// What tells a file from another one of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// Bytes on disk.
    pub size: u64,
    /// XXH3-64 of the first 4 KiB on disk, as 16 hexadecimal digits.
    pub head: String,
    /// The same of the last 4 KiB; checkpoints of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
}

impl Fingerprint {
    /// Of the file as it is now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = open_regular(path)?;
        let size = file.metadata()?.len();
        Self::up_to(&file, size)
    }

    /// Of the first `size` bytes of a file that has as many.
    fn up_to(file: &File, size: u64) -> io::Result<Self> {
        let sample = |start: u64| {
            let mut bytes = vec![0; SAMPLE_BYTES.min(size) as usize];
            file.read_exact_at(&mut bytes, start)?;
            Ok::<_, io::Error>(format!("{:016x}", xxh3_64(&bytes)))
        };
        Ok(Self { size, head: sample(0)?, tail: Some(sample(size.saturating_sub(SAMPLE_BYTES))?) })
    }

    /// How `now` differs, in words.
    pub(super) fn difference(&self, now: &Self) -> Option<String> {
        let same_tail = self.tail.is_none() || now.tail.is_none() || self.tail == now.tail;
        match (self.size == now.size, self.head == now.head, same_tail) {
            (true, true, true) => None,
            (false, _, _) => Some(format!("it has {} bytes now and had {}", now.size, self.size)),
            (true, false, _) => Some("its first bytes are others".into()),
            (true, true, false) => Some("its last bytes are others".into()),
        }
    }
}

/// Opens a file; what is none, and might be waited for without end, is refused.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    // Opening a device does something to some.
    check_regular(&path.metadata()?)?;
    open_without_waiting(path)
}

/// The path may be a pipe's by now.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path)?;
    check_regular(&file.metadata()?)?;
    Ok(file)
}

fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {}", kind_of(metadata.file_type()))))
}

/// A file that is read, and looked at behind every read: where its size, its beginning or its end has become another, its bytes are not handed
/// on. One that is rewritten in the middle alone, at the same size, is not noticed.
///
/// A file may grow meanwhile. What it had when it was found stays as it was then.
pub(super) struct Watched {
    file: File,
    expected: Fingerprint,
    seen: Stamp,
}

/// What changes when a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

impl Watched {
    /// Opens the file at `path`, which has to be as `expected` says for anything to be read of it.
    pub(super) fn open(path: &Path, expected: Fingerprint) -> io::Result<Self> {
        let file = open_regular(path)?;
        let seen = Stamp::of(&file.metadata()?);
        Ok(Self { file, expected, seen })
    }

    /// The file as it is now.
    pub(super) fn fingerprint(&self) -> io::Result<Fingerprint> {
        Fingerprint::up_to(&self.file, self.seen.size)
    }

    /// The size that it is known with.
    pub(super) fn size(&self) -> u64 {
        self.expected.size
    }

    /// A second way to look at the file.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    fn look(&mut self) -> io::Result<()> {
        let now = Stamp::of(&self.file.metadata()?);
        if now == self.seen {
            return Ok(());
        }
        let changed = |how: String| io::Error::new(io::ErrorKind::InvalidData, format!("it has been changed while it was read: {how}"));
        if now.size < self.expected.size {
            return Err(changed(format!("it has {} bytes now and had {}", now.size, self.expected.size)));
        }
        let there = Fingerprint::up_to(&self.file, self.expected.size)?;
        self.seen = now;
        self.expected.difference(&there).map_or(Ok(()), |how| Err(changed(how)))
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.look()?;
        Ok(count)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// True where a file has grown beyond the `size` that it had, and that ended in the middle of a line.
pub(super) fn has_a_torn_end(file: &File, size: u64) -> io::Result<bool> {
    if size == 0 || file.metadata()?.len() <= size {
        return Ok(false);
    }
    let mut last = [0];
    file.read_exact_at(&mut last, size - 1)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_that_has_taken_a_files_place_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("a.csv");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for refused in [open_regular(&pipe), open_without_waiting(&pipe)] {
            assert_eq!(refused.unwrap_err().to_string(), "it is a pipe");
        }
    }
}
