//! Whether a followed file is still the one that has been read.
//!
//! Sure to be another is a file that is shorter than what has been read of it, one that begins otherwise, and one whose bytes in front of what is read
//! next are others: it was written anew, to whatever length. One that keeps all three is taken for the same; where it has been written to and has not
//! grown, that is logged, for what was written into its middle is not read.
//!
//! A look costs one `fstat`. Only where that shows that the file was written to, or may have been without showing it, its bytes are compared: 4 KiB at
//! its beginning, and the 4 KiB that were read last. It is looked at behind every read and before what was read is handed on.
//! Invariant: what is known of the beginning and of the end was read as rows are, so it is not what has taken their place.

use super::spec::{Head, KNOWN_BYTES};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use weir_engine::runtime::Monotonic;

/// So long a file's times must have stayed before they are trusted: file systems tell the time in steps, of two seconds at most.
const TRUSTED_AFTER: Duration = Duration::from_secs(2);

/// A file as it is looked at.
pub(super) trait Content: Send + Sync {
    /// Reads some of the bytes at `offset`; none is the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// What changes when it is written.
    fn stamp(&self) -> io::Result<Stamp>;

    /// Reads the `count` bytes at `offset`; `None`: it does not have them.
    fn bytes_at(&self, offset: u64, count: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; count as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => return Ok(None),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(bytes))
    }
}

/// What changes when a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub size: u64,
    /// Seconds and nanoseconds of when it was written last.
    pub modified: (i64, i64),
    /// The same of when anything about it changed: nobody can set that back.
    pub changed: (i64, i64),
    /// How many names it has.
    pub names: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            names: metadata.nlink(),
        }
    }
}

impl Content for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        Ok(Stamp::of(&self.metadata()?))
    }
}

/// A stamp under which the bytes were compared.
#[derive(Clone, Copy)]
struct Compared {
    stamp: Stamp,
    since: Monotonic,
    /// It has stayed long enough: a write would show.
    trusted: bool,
}

/// What is known of a file that is read.
pub(super) struct Watch {
    content: Arc<dyn Content>,
    head: Head,
    /// The bytes in front of `read_to`, as far as there are so many.
    last: Vec<u8>,
    read_to: u64,
    now: Monotonic,
    compared: Option<Compared>,
    /// The newest stamp that was trusted.
    trusted: Option<Stamp>,
    replaced: Option<String>,
    /// It was written to and has not grown, and nobody has been told.
    written_in_place: bool,
    /// Nothing more will come.
    pub ends: bool,
}

/// A watch that the stream and its reader share.
#[derive(Clone)]
pub(super) struct SharedWatch(Arc<Mutex<Watch>>);

impl SharedWatch {
    pub(super) fn new(watch: Watch) -> Self {
        Self(Arc::new(Mutex::new(watch)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Of a file of which this beginning is known, and which is read from behind the bytes `last` on, up to `read_to`.
    pub(super) fn new(content: Arc<dyn Content>, head: Head, last: Vec<u8>, read_to: u64) -> Self {
        debug_assert_eq!(last.len() as u64, KNOWN_BYTES.min(read_to));
        let (now, compared, trusted, replaced) = (Monotonic::ZERO, None, None, None);
        Self { content, head, last, read_to, now, compared, trusted, replaced, written_in_place: false, ends: false }
    }

    /// Of a file of which nothing is known, from its beginning on.
    pub(super) fn of_new(content: Arc<dyn Content>) -> Self {
        Self::new(content, Head::default(), Vec::new(), 0)
    }

    /// What is known of the file's beginning.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// How far it has been read.
    pub(super) fn read_to(&self) -> u64 {
        self.read_to
    }

    /// How it is another than what has been read; `None`: nothing has been found.
    pub(super) fn replaced(&self) -> Option<&str> {
        self.replaced.as_deref()
    }

    /// The file's stamp now.
    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        self.content.stamp()
    }

    /// It is this late.
    pub(super) fn set_now(&mut self, now: Monotonic) {
        self.now = now;
    }

    /// Reads on. Gives `None` where what has come is not of the file that has been read.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.replaced.is_some() {
            return Ok(None);
        }
        let count = self.content.read_at(buffer, self.read_to)?;
        if !self.is_same()? {
            return Ok(None);
        }
        self.advance(&buffer[..count]);
        Ok(Some(count))
    }

    /// Looks at the file; false where it is another by now.
    pub(super) fn is_same(&mut self) -> io::Result<bool> {
        if self.replaced.is_some() {
            return Ok(false);
        }
        let (stamp, now) = (self.content.stamp()?, self.now);
        let known = self.compared.filter(|compared| compared.stamp == stamp);
        if known.is_some_and(|known| known.trusted) {
            return Ok(true);
        }
        self.replaced = self.difference(stamp)?;
        let since = known.map_or(now, |known| known.since);
        let trusted = now >= since + TRUSTED_AFTER;
        self.compared = Some(Compared { stamp, since, trusted });
        if trusted && self.replaced.is_none() {
            let before = self.trusted.replace(stamp);
            self.written_in_place |= before.is_some_and(|before| before.size == stamp.size && before.modified != stamp.modified);
        }
        Ok(self.replaced.is_none())
    }

    /// True once where the file was written to, has not grown, and is taken for the same.
    pub(super) fn take_written_in_place(&mut self) -> bool {
        std::mem::take(&mut self.written_in_place)
    }

    fn difference(&self, stamp: Stamp) -> io::Result<Option<String>> {
        let least = self.read_to.max(self.head.bytes);
        if stamp.size < least {
            return Ok(Some(format!("it has {} bytes now and had {least} at least", stamp.size)));
        }
        if let Some(how) = self.head.difference(&*self.content)? {
            return Ok(Some(how));
        }
        let count = self.last.len() as u64;
        let last = self.content.bytes_at(self.read_to - count, count)?;
        Ok((last.as_ref() != Some(&self.last)).then(|| LAST_DIFFERS.to_owned()))
    }

    fn advance(&mut self, bytes: &[u8]) {
        self.last.extend_from_slice(bytes);
        // As long as all of it is there, it is the file's beginning.
        let beginning = &self.last[..self.last.len().min(KNOWN_BYTES as usize)];
        if self.read_to < KNOWN_BYTES && beginning.len() as u64 > self.head.bytes {
            self.head = Head::of(beginning);
        }
        self.last.drain(..self.last.len().saturating_sub(KNOWN_BYTES as usize));
        self.read_to += bytes.len() as u64;
    }
}

/// How a file is another whose last known bytes are others.
pub(super) const LAST_DIFFERS: &str = "the bytes that were read last are others";

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
