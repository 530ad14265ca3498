//! A file as a stream of uncompressed bytes from an offset on.

use super::compressed::{Compression, Decompressed};
use super::fingerprint::{Watched, open_regular};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes of a compressed file that are read at once.
const COMPRESSED_BLOCK_BYTES: usize = 64 * 1024;

/// How a file is stored, by its suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// As it is.
    Plain,
    /// `.gz`, of one or several members.
    Gzip,
    /// `.zst`, of one or several frames.
    Zstd,
}

impl Storage {
    /// By the file's suffix, in small letters or capitals.
    pub(super) fn of(path: &Path) -> Self {
        let suffix = path.extension().map(|suffix| suffix.as_bytes().to_ascii_lowercase());
        match suffix.as_deref() {
            Some(b"gz") => Self::Gzip,
            Some(b"zst") => Self::Zstd,
            Some(_) | None => Self::Plain,
        }
    }
}

/// The bytes from `start` up to `end`. A compressed file is read from its beginning, whatever `start` is.
pub(super) fn open(path: &Path, start: u64, end: Option<u64>) -> io::Result<Box<dyn Read + Send>> {
    stream(open_regular(path)?, u64::MAX, Storage::of(path), start, end)
}

/// As [`open`], of a file that is watched, up to the size that it is known with.
pub(super) fn open_watched(file: Watched, path: &Path, start: u64, end: Option<u64>) -> io::Result<Box<dyn Read + Send>> {
    let size = file.size();
    stream(file, size, Storage::of(path), start, end)
}

fn stream(
    mut file: impl Read + Seek + Send + 'static,
    size: u64,
    storage: Storage,
    start: u64,
    end: Option<u64>,
) -> io::Result<Box<dyn Read + Send>> {
    let compression = match storage {
        Storage::Plain => {
            file.seek(SeekFrom::Start(start))?;
            return Ok(limited(Box::new(file), start, end));
        }
        Storage::Gzip => Compression::Gzip,
        Storage::Zstd => Compression::Zstd,
    };
    let mut stream = Decompressed::new(compression, BufReader::with_capacity(COMPRESSED_BLOCK_BYTES, file.take(size)));
    let skipped = io::copy(&mut stream.by_ref().take(start), &mut io::sink())?;
    if skipped < start {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends after {skipped} bytes, before the position {start}")));
    }
    Ok(limited(Box::new(stream), start, end))
}

fn limited(stream: Box<dyn Read + Send>, start: u64, end: Option<u64>) -> Box<dyn Read + Send> {
    match end {
        Some(end) => Box::new(stream.take(end.saturating_sub(start))),
        None => stream,
    }
}

/// What a plain file is by its first bytes, where that is something compressed: read as it is, it would be no rows.
pub(super) fn compressed_by_content(path: &Path) -> io::Result<Option<&'static str>> {
    let mut beginning = Vec::new();
    open_regular(path)?.take(16).read_to_end(&mut beginning)?;
    let kinds: [(&[u8], &str); 5] =
        [(b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"PK\x03\x04", "zip")];
    let is = |kind: &str| kind != "bzip2" || beginning.get(4..10) == Some(b"1AY&SY");
    Ok(kinds.into_iter().find(|(signs, kind)| beginning.starts_with(signs) && is(kind)).map(|(_, kind)| kind))
}
