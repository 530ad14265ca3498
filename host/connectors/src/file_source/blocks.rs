//! A window over a stream of bytes: what has been read and not yet been taken lies in one piece, however long a row is.

use super::ROW_BYTES_MAX;
use std::io::{self, Read};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// The window. It grows with the row that does not fit, up to the longest row.
pub(super) struct Blocks {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `buffer[start]` in the stream.
    offset: u64,
    ended: bool,
}

impl Blocks {
    /// A window over `input`, whose first byte has this offset.
    pub(super) fn new(input: Box<dyn Read + Send>, offset: u64) -> Self {
        Self { input, buffer: vec![0; BLOCK_BYTES], start: 0, end: 0, offset, ended: false }
    }

    /// What lies in the window.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The offset of the window's first byte.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// True where nothing follows the window.
    #[inline]
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Takes bytes from the window's beginning.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads on, until the window is full or the stream ends.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.end >= ROW_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a row is longer than {ROW_BYTES_MAX} bytes")));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        while self.end < self.buffer.len() && !self.ended {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_and_grows_and_keeps_its_offset() {
        let text: Vec<u8> = (0..BLOCK_BYTES * 5).map(|i| i as u8).collect();
        let mut blocks = Blocks::new(Box::new(io::Cursor::new(text.clone())), 10);
        blocks.fill().unwrap();
        blocks.consume(BLOCK_BYTES - 1);
        blocks.fill().unwrap();
        blocks.fill().unwrap();
        assert_eq!(blocks.bytes(), &text[BLOCK_BYTES - 1..][..2 * BLOCK_BYTES]);
        assert_eq!((blocks.offset(), blocks.is_ended()), (10 + BLOCK_BYTES as u64 - 1, false));
    }

    #[test]
    fn a_row_that_never_ends_is_refused() {
        let mut blocks = Blocks::new(Box::new(io::repeat(b'x')), 0);
        let error = (0..20).find_map(|_| blocks.fill().err()).unwrap();
        assert_eq!(error.to_string(), "a row is longer than 16777216 bytes");
        assert_eq!(blocks.bytes().len(), ROW_BYTES_MAX);
    }
}
