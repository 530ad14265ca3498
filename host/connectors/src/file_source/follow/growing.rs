//! A file as a stream that has nothing for now where the file ends.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The stream. At the file's end it gives the error `WouldBlock`, until somebody says that nothing more will come.
pub(super) struct Growing {
    file: Arc<File>,
    offset: u64,
    ends: Arc<AtomicBool>,
}

impl Growing {
    /// From `offset` on. Once `ends` is true, the stream ends where the file does.
    pub(super) fn new(file: Arc<File>, offset: u64, ends: Arc<AtomicBool>) -> Self {
        Self { file, offset, ends }
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        if count == 0 && !buffer.is_empty() && !self.ends.load(Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(count)
    }
}
