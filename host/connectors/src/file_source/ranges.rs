//! `split`: cuts a file into ranges that begin at line starts, so that several subtasks read it. The order between them is given up.

use super::discovery::{Inspected, file_error};
use super::options::Format;
use super::row_starts::next_row_start;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use weir_engine::{EngineError, ErrorKind, SplitState};

/// A range shorter than this is not worth its split.
pub(super) const RANGE_BYTES_MIN: u64 = 64 * 1024;
/// Ranges of all files of a source: each is an entry in every checkpoint.
const RANGES_MAX: u64 = 10_000;
/// Bytes of headers that the ranges of a source keep: each has its file's in its entry.
const HEADERS_BYTES_MAX: u64 = 16 << 20;

/// What the ranges of a source come to, over all of its files.
#[derive(Default)]
pub(super) struct Total {
    ranges: u64,
    header_bytes: u64,
}

impl Total {
    /// Counts those of another file, which is one split anyway where it is not cut; what is wrong where there are too many.
    fn add(&mut self, file: &Inspected, ranges: u64) -> Result<(), String> {
        if ranges <= 1 {
            return Ok(());
        }
        let header = file.probe.header.as_ref().map_or(0, String::len) as u64;
        self.ranges = self.ranges.saturating_add(ranges);
        self.header_bytes = self.header_bytes.saturating_add(header.saturating_mul(ranges));
        if self.ranges > RANGES_MAX {
            return Err(format!("with those of the files before it that are more than {RANGES_MAX}"));
        }
        if self.header_bytes > HEADERS_BYTES_MAX {
            let all = self.header_bytes;
            return Err(format!(
                "each of them keeps its file's header, here of {header} bytes, and {all} bytes of headers are more than {HEADERS_BYTES_MAX}"
            ));
        }
        Ok(())
    }
}

/// Ranges of `range_bytes` or a little less, each from a row's start to a row's start. Where it is not sure where rows begin, the rest stays whole.
pub(super) fn of(format: Format, file: &Inspected, range_bytes: u64, total: &mut Total) -> Result<Vec<SplitState>, EngineError> {
    let name = &file.file.name;
    let failed = |e| file_error("find line starts in", name, e);
    let (first, size) = (file.probe.start, file.fingerprint.size);
    let row_bytes = size.saturating_sub(first);
    let ranges = row_bytes.div_ceil(range_bytes);
    total.add(file, ranges).map_err(|why| {
        let message = format!("cut {name}, which has {size} bytes, into {ranges} ranges of {range_bytes} bytes: {why}");
        EngineError::new(ErrorKind::FixInput, message).with_hint("say a larger `split`")
    })?;
    let mut reader = File::open(&file.file.path).map_err(failed)?;
    let mut starts = vec![first];
    for range in 1..ranges {
        let about = first + (u128::from(row_bytes) * u128::from(range) / u128::from(ranges)) as u64;
        let last = starts.last().copied().unwrap_or(first);
        if about <= last {
            continue;
        }
        let start = match format {
            Format::Csv => next_row_start(&mut reader, last, about).map_err(failed)?,
            Format::Lines | Format::JsonLines => Some(next_line_start(&mut reader, about).map_err(failed)?),
        };
        // Who reads the rest finds what is wrong with it.
        let Some(start) = start else { break };
        // The last line goes on to the end, and would be passed over for every range in it.
        if start >= size {
            break;
        }
        if starts.last().is_some_and(|&last| last < start) {
            starts.push(start);
        }
    }
    let ends = starts[1..].iter().copied().chain([size]);
    Ok(starts.iter().zip(ends).map(|(&start, end)| file.split(start, Some(end))).collect())
}

/// The first line start at or after `offset`, which is not 0. A line may be longer than any row that can be read, and is no other for that.
fn next_line_start(file: &mut File, offset: u64) -> io::Result<u64> {
    let before = offset - 1;
    file.seek(SeekFrom::Start(before))?;
    let mut line = BufReader::new(file);
    let skipped = io::BufRead::skip_until(&mut line, b'\n')?;
    Ok(before + skipped as u64)
}
