//! One part file while it is written: buffered, its checksum computed on the way, durable when it is finished.

use super::committable::FileCommittable;
use super::{io_error, sync_dir};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use weir_engine::{EngineError, ErrorKind};

/// Bytes that are collected before they are written to the file.
const BUFFER_BYTES: usize = 256 * 1024;

/// How the names of an attempt's pending files begin.
pub(super) fn pending_prefix(nonce: &str) -> String {
    format!("{nonce}.")
}

/// A pending part file that is open for writing.
pub(super) struct Part {
    pending: PathBuf,
    file: File,
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
        Ok(Self { pending, file, buffer: Vec::with_capacity(2 * BUFFER_BYTES), size: 0, crc32c: 0 })
    }

    /// Appends what `encode` adds to the buffer.
    pub(super) fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EngineError>) -> Result<(), EngineError> {
        encode(&mut self.buffer)?;
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        self.file.write_all(&self.buffer).map_err(|e| io_error(ErrorKind::Restart, "write the part file", &self.pending, e))?;
        self.size += self.buffer.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &self.buffer);
        self.buffer.clear();
        Ok(())
    }

    /// Makes the part and its name durable. It becomes visible as `target` when it is committed.
    pub(super) fn finish(mut self, target: PathBuf) -> Result<FileCommittable, EngineError> {
        self.flush()?;
        assert!(self.size > 0, "a part is begun by its first record, which has at least a line end");
        self.file.sync_all().map_err(|e| io_error(ErrorKind::Restart, "make durable", &self.pending, e))?;
        if let Some(folder) = self.pending.parent() {
            sync_dir(folder)?;
        }
        Ok(FileCommittable { target, pending: self.pending, size: self.size, crc32c: self.crc32c })
    }
}
