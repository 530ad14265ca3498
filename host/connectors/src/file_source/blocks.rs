//! A window over a stream of bytes: what has been read and not yet been taken lies in one piece, however long a row is.

use super::ROW_BYTES_MAX;
use std::io::{self, Read};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// What shows the end of the longest row: CR LF behind it.
const WINDOW_BYTES_MAX: usize = ROW_BYTES_MAX + 2;

/// The window. It grows with the row that does not fit, up to the longest row.
pub(super) struct Blocks {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `buffer[start]` in the stream.
    offset: u64,
    ended: bool,
    /// So many bytes in front of the window stay.
    kept: usize,
}

impl Blocks {
    /// A window over `input`, whose first byte has this offset.
    pub(super) fn new(input: Box<dyn Read + Send>, offset: u64) -> Self {
        Self { input, buffer: vec![0; BLOCK_BYTES], start: 0, end: 0, offset, ended: false, kept: 0 }
    }

    /// The same, where `kept` bytes in front of the window stay, `behind` for the beginning.
    pub(super) fn keeping(input: Box<dyn Read + Send>, offset: u64, behind: &[u8], kept: usize) -> Self {
        let mut buffer = vec![0; BLOCK_BYTES];
        buffer[..behind.len()].copy_from_slice(behind);
        Self { input, buffer, start: behind.len(), end: behind.len(), offset, ended: false, kept }
    }

    /// The bytes in front of the window that stay, as far as there are so many.
    pub(super) fn behind(&self) -> &[u8] {
        &self.buffer[self.start.saturating_sub(self.kept)..self.start]
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

    /// True where the longest row and its end would lie in the window.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.end - self.start >= WINDOW_BYTES_MAX
    }

    /// True where so many bytes lie in the window, or all that there are.
    #[inline]
    pub(super) fn has(&self, count: usize) -> bool {
        self.end - self.start >= count || self.ended
    }

    /// Reads on, until the window is full, the stream ends, or has no more for now. Where it has nothing at all that is the error `WouldBlock`.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if self.is_full() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a row is longer than {ROW_BYTES_MAX} bytes")));
        }
        self.move_to_front();
        if self.end == self.buffer.len() {
            self.buffer.resize((self.buffer.len() * 2).min(WINDOW_BYTES_MAX + self.kept), 0);
        }
        self.read()
    }

    /// Reads on as [`Self::fill`], until so many bytes lie in the window or the stream ends. As much again is read at once: the next look ahead is not far.
    pub(super) fn reach(&mut self, count: usize) -> io::Result<()> {
        if self.has(count) {
            return Ok(());
        }
        self.move_to_front();
        if self.buffer.len() < count * 2 + self.kept {
            self.buffer.resize(count * 2 + self.kept, 0);
        }
        self.read()
    }

    fn move_to_front(&mut self) {
        let from = self.start.saturating_sub(self.kept);
        self.buffer.copy_within(from..self.end, 0);
        self.end -= from;
        self.start -= from;
    }

    fn read(&mut self) -> io::Result<()> {
        let before = self.end;
        while self.end < self.buffer.len() && !self.ended {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.end > before => return Ok(()),
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
    fn what_lies_in_front_of_the_window_is_kept_where_it_is_asked_for() {
        let text: Vec<u8> = (0..BLOCK_BYTES * 5).map(|i| (i / 7) as u8).collect();
        let mut blocks = Blocks::keeping(Box::new(io::Cursor::new(text[3..].to_vec())), 3, &text[..3], 10);
        assert_eq!(blocks.behind(), &text[..3]);
        let mut rng = fastrand::Rng::with_seed(1);
        while !blocks.is_ended() {
            match rng.bool() {
                true => blocks.fill().unwrap(),
                false => blocks.reach(rng.usize(0..BLOCK_BYTES)).unwrap(),
            }
            blocks.consume(rng.usize(0..=blocks.bytes().len()));
            let offset = blocks.offset() as usize;
            assert_eq!(blocks.behind(), &text[offset.saturating_sub(10)..offset]);
            assert!(text[offset..].starts_with(blocks.bytes()));
        }
    }

    #[test]
    fn a_row_that_never_ends_is_refused() {
        let mut blocks = Blocks::new(Box::new(io::repeat(b'x')), 0);
        let error = (0..20).find_map(|_| blocks.fill().err()).unwrap();
        assert_eq!(error.to_string(), "a row is longer than 16777216 bytes");
        assert_eq!((blocks.bytes().len(), blocks.is_full()), (WINDOW_BYTES_MAX, true));
    }

    #[test]
    fn the_window_reaches_as_far_as_it_is_asked_to_and_not_beyond_the_end() {
        let mut blocks = Blocks::new(Box::new(io::repeat(b'x').take(5_000_000)), 0);
        blocks.fill().unwrap();
        blocks.consume(10);
        blocks.reach(1_000_000).unwrap();
        assert!((1_000_000..=2_000_000).contains(&blocks.bytes().len()) && !blocks.is_ended());
        blocks.reach(9_000_000).unwrap();
        assert_eq!((blocks.bytes().len(), blocks.offset(), blocks.is_ended()), (4_999_990, 10, true));
    }
}
