//! What a file's beginning says: where its rows begin, its CSV header, and whether its quoted cells hold line breaks.

use super::blocks::Blocks;
use super::csv_rows::frame_multiline;
use super::discovery::{InputFile, file_error};
use super::header::{self, BYTE_ORDER_MARK, Header};
use super::options::{FileOptions, Format};
use super::stream;
use weir_engine::{EngineError, ErrorKind};

/// What a file's beginning says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// Offset of the first row, uncompressed: after the byte order mark and the header. The mark in front of `lines` is data.
    pub start: u64,
    /// The header row (csv); `None` also for an empty file.
    pub header: Option<String>,
    /// Whether rows may go on over line breaks (csv): as the settings say, else whether one in the first block does.
    pub multiline: bool,
}

impl Probe {
    /// Reads the beginning of `file`.
    pub(super) fn of(options: &FileOptions, file: &InputFile) -> Result<Self, EngineError> {
        let failed = |e| file_error("read the beginning of", &file.name, e);
        if stream::Storage::of(&file.path) == stream::Storage::Plain
            && let Some(kind) = stream::compressed_by_content(&file.path).map_err(failed)?
        {
            let message = format!("read {}: it is compressed with {kind}, which its name does not say", file.name);
            return Err(
                EngineError::new(ErrorKind::FixInput, message).with_hint("files are read as gzip by the suffix `.gz`, as zstd by `.zst`")
            );
        }
        let end = match options.format {
            Format::Csv => None,
            Format::Lines | Format::JsonLines => Some(BYTE_ORDER_MARK.len() as u64),
        };
        let mut blocks = Blocks::new(stream::open(&file.path, 0, end).map_err(failed)?, 0);
        blocks.fill().map_err(failed)?;
        if options.format != Format::Lines && blocks.bytes().starts_with(BYTE_ORDER_MARK) {
            blocks.consume(BYTE_ORDER_MARK.len());
        }
        match options.format {
            Format::Csv => Self::of_csv(options, file, blocks),
            Format::Lines | Format::JsonLines => Ok(Self { start: blocks.offset(), header: None, multiline: false }),
        }
    }

    fn of_csv(options: &FileOptions, file: &InputFile, mut blocks: Blocks) -> Result<Self, EngineError> {
        let frame = loop {
            let found = header::find(&blocks).map_err(|why| {
                let error = EngineError::new(ErrorKind::FixInput, format!("read the header of {}: {why}", file.name));
                error.with_hint("is `format` that of the file?")
            })?;
            match found {
                Header::Row(frame) => break frame,
                Header::None => return Ok(Self { start: blocks.offset(), header: None, multiline: false }),
                Header::Incomplete => blocks.fill().map_err(|e| file_error("read the header of", &file.name, e))?,
            }
        };
        let header = String::from_utf8(blocks.bytes()[..frame.content].to_vec())
            .map_err(|_| EngineError::new(ErrorKind::FixInput, format!("read the header of {}: it is not UTF-8", file.name)))?;
        blocks.consume(frame.next);
        let multiline = options.multiline.unwrap_or_else(|| header.contains('\n') || has_line_breaks(blocks.bytes()));
        if header.contains('\n') && !multiline {
            let message = format!("read the header of {}: a cell holds a line break, but `multiline = false`", file.name);
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("leave `multiline` out, or say `multiline = true`"));
        }
        Ok(Self { start: blocks.offset(), header: Some(header), multiline })
    }
}

/// True where a row at the beginning of a file goes on over a line break.
fn has_line_breaks(mut rows: &[u8]) -> bool {
    while let Some(frame) = frame_multiline(rows, false) {
        if rows[..frame.content].contains(&b'\n') {
            return true;
        }
        rows = &rows[frame.next..];
    }
    false
}
