//! One part file while it is written: buffered, its checksum computed on the way, durable when it is finished.

use super::committable::FileCommittable;
use super::{PENDING_DIR, io_error};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use weir_engine::{EngineError, ErrorKind};

/// Bytes that are collected before they are written to the file.
const BUFFER_BYTES: usize = 256 * 1024;

/// How the names of an attempt's pending files begin.
pub(super) fn pending_prefix(nonce: &str) -> String {
    format!("{nonce}.")
}

/// The sink's folder as checkpoints store it.
#[derive(Clone)]
pub(super) struct StoredFolder {
    /// As the job file gives it where that is relative, else absolute.
    pub path: PathBuf,
    /// What a relative one is relative to.
    pub written_in: Option<PathBuf>,
}

impl StoredFolder {
    /// The folder that the job file in `base` calls `path`, and that is `folder`.
    pub(super) fn new(path: &Path, base: &Path, folder: &Path) -> Self {
        match path.is_relative() {
            true => Self { path: path.to_owned(), written_in: Some(base.to_owned()) },
            false => Self { path: folder.to_owned(), written_in: None },
        }
    }
}

/// A pending part file that is being written.
pub(super) struct Part {
    pending: PathBuf,
    /// `None`: it is closed, and will be opened again.
    file: Option<File>,
    /// What has not been written yet; nothing while the file is closed.
    buffer: Vec<u8>,
    /// Of what has left the buffer.
    size: u64,
    crc32c: u32,
}

impl Part {
    /// Creates the pending file; one of that name must not exist.
    pub(super) fn begin(pending: PathBuf) -> Result<Self, EngineError> {
        let file = OpenOptions::new().write(true).create_new(true).open(&pending);
        let file = file.map_err(|e| io_error(ErrorKind::Restart, "create the part file", &pending, e))?;
        Ok(Self { pending, file: Some(file), buffer: Vec::new(), size: 0, crc32c: 0 })
    }

    /// Appends what `encode` adds to the buffer.
    pub(super) fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EngineError>) -> Result<(), EngineError> {
        encode(&mut self.buffer)?;
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        let Self { pending, file, buffer, size, crc32c } = self;
        let file = file.as_mut().expect("what is written to is open");
        file.write_all(buffer).map_err(|e| io_error(ErrorKind::Restart, "write the part file", pending, e))?;
        *size += buffer.len() as u64;
        *crc32c = crc32c::crc32c_append(*crc32c, buffer);
        buffer.clear();
        Ok(())
    }

    /// Writes what is collected and closes the file.
    pub(super) fn close(&mut self) -> Result<(), EngineError> {
        self.flush()?;
        (self.file, self.buffer) = (None, Vec::new());
        Ok(())
    }

    /// Opens the file again; what comes is appended.
    pub(super) fn reopen(&mut self) -> Result<(), EngineError> {
        if self.file.is_none() {
            let file = OpenOptions::new().append(true).open(&self.pending);
            self.file = Some(file.map_err(|e| io_error(ErrorKind::Restart, "open the part file again", &self.pending, e))?);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Makes the part durable, but for its name. It becomes visible as `name` in `partition`, a folder in `folder`, when it is committed.
    pub(super) fn finish(mut self, folder: &StoredFolder, partition: &str, name: &str) -> Result<FileCommittable, EngineError> {
        self.reopen()?;
        self.flush()?;
        assert!(self.size > 0, "a part is begun by its first record, which has at least a line end");
        let file = self.file.as_ref().expect("it has been written to");
        file.sync_all().map_err(|e| io_error(ErrorKind::Restart, "make durable", &self.pending, e))?;
        let pending_name = self.pending.file_name().expect("a part has a name");
        Ok(FileCommittable {
            target: folder.path.join(partition).join(name),
            pending: folder.path.join(PENDING_DIR).join(pending_name),
            size: self.size,
            crc32c: self.crc32c,
            written_in: folder.written_in.clone(),
            partitioned: !partition.is_empty(),
        })
    }
}
