//! A file as a stream of uncompressed bytes from an offset on.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

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
    /// By the file's suffix.
    pub(super) fn of(path: &Path) -> Self {
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            Some(_) | None => Self::Plain,
        }
    }
}

/// The bytes from `start` up to `end`. A compressed file is read from its beginning, whatever `start` is.
pub(super) fn open(path: &Path, start: u64, end: Option<u64>) -> io::Result<Box<dyn Read + Send>> {
    let mut file = File::open(path)?;
    let mut stream: Box<dyn Read + Send> = match Storage::of(path) {
        Storage::Plain => {
            file.seek(SeekFrom::Start(start))?;
            return Ok(limited(Box::new(file), start, end));
        }
        Storage::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, file))),
        Storage::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
    };
    let skipped = io::copy(&mut stream.by_ref().take(start), &mut io::sink())?;
    if skipped < start {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends after {skipped} bytes, before the position {start}")));
    }
    Ok(limited(stream, start, end))
}

fn limited(stream: Box<dyn Read + Send>, start: u64, end: Option<u64>) -> Box<dyn Read + Send> {
    match end {
        Some(end) => Box::new(stream.take(end.saturating_sub(start))),
        None => stream,
    }
}
