//! A file as a stream that has nothing for now where the file ends, or where another one has taken its place.

use super::watch::SharedWatch;
use std::io::{self, Read};

/// The stream. At the file's end it gives the error `WouldBlock`, until the watch says that nothing more will come.
pub(super) struct Growing(pub SharedWatch);

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut watch = self.0.lock();
        match watch.read(buffer)? {
            Some(count) if count > 0 || buffer.is_empty() || watch.ends => Ok(count),
            Some(_) | None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}
