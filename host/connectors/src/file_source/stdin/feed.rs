//! The input, what has been read of it and not been taken, and what becomes of its rows.

use super::super::bad_rows::BadRows;
use super::super::blocks::Blocks;
use super::super::discovery::same_columns;
use super::super::header::{self, BYTE_ORDER_MARK, Header};
use super::super::options::Format;
use super::super::rows::{AnyRows, Before, Lines};
use super::super::window::{Progress, Window};
use super::StdinOptions;
use super::input::{PolledInput, WakerSlot};
use crate::paths::FileName;
use std::io::{self, Read};
use std::sync::Arc;
use std::task::Context;
use weir_engine::{BatchBuilder, EngineError, ErrorKind};

/// What messages call the input.
const NAME: &str = "standard input";

/// The input of one source.
pub(super) struct Feed {
    options: Arc<StdinOptions>,
    waker: WakerSlot,
    window: Window,
    stage: Stage,
    pub bad_rows: BadRows,
}

/// What comes next.
enum Stage {
    /// A byte order mark, perhaps.
    Start,
    /// The header (csv).
    Header,
    Rows(Box<AnyRows>),
}

impl Feed {
    /// Of the source with the id `source`. Nothing is read yet.
    pub(super) fn new(input: Box<dyn Read + Send>, options: Arc<StdinOptions>, source: &str) -> Self {
        let (input, waker) = PolledInput::new(input);
        let window = Window::of_live(Blocks::new(Box::new(input), 0), options.lines_are_rows);
        let mut bad_rows = BadRows::new(Arc::new(options.rows.clone()), source);
        bad_rows.begin_file(&FileName::from(NAME), 0);
        Self { options, waker, window, stage: Stage::Start, bad_rows }
    }

    /// Appends what has come of the input.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut BatchBuilder) -> Result<Progress, EngineError> {
        self.waker.set(cx.waker());
        loop {
            if let Stage::Rows(rows) = &mut self.stage {
                return self.window.read_any(rows, max_records, out, &mut self.bad_rows);
            }
            if !self.begin()? {
                return Ok(Progress::Waiting);
            }
        }
    }

    /// Takes what stands in front of the rows, a piece at a time; false where that has not come yet.
    fn begin(&mut self) -> Result<bool, EngineError> {
        let blocks = &mut self.window.blocks;
        let format = self.options.rows.format;
        let next = match (&self.stage, format) {
            (Stage::Start, _) => {
                let bytes = blocks.bytes();
                if bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(bytes) && !blocks.is_ended() {
                    return self.fill();
                }
                // Of `lines` every byte is data.
                if format != Format::Lines && bytes.starts_with(BYTE_ORDER_MARK) {
                    blocks.consume(BYTE_ORDER_MARK.len());
                }
                match format {
                    Format::Csv => Stage::Header,
                    Format::Lines | Format::JsonLines => {
                        Stage::Rows(Box::new(AnyRows::new(&self.options.rows, None, false, Before::Nothing)?))
                    }
                }
            }
            (Stage::Header, _) => match header::find(blocks).map_err(|why| failed(&format!("its header: {why}")))? {
                Header::Row(frame) => {
                    let rows = self.rows_under(frame.content)?;
                    self.window.blocks.consume(frame.next);
                    rows
                }
                Header::None => Stage::Rows(Box::new(AnyRows::Lines(Lines::none()))), // there is nothing
                Header::Incomplete => return self.fill(),
            },
            (Stage::Rows(_), _) => return Ok(true),
        };
        self.stage = next;
        Ok(true)
    }

    /// The rows under the header, which is the first so many bytes of the window.
    fn rows_under(&mut self, header: usize) -> Result<Stage, EngineError> {
        let header = &self.window.blocks.bytes()[..header];
        let header = std::str::from_utf8(header).map_err(|_| failed("its header is not UTF-8"))?;
        if let Some(said) = self.options.header.as_ref().filter(|said| !same_columns(said, header)) {
            let error = failed(&format!("its header is not the one that `header` says: {}", header::shown(header)));
            return Err(error.with_hint(format!("the first row has to be {}", header::shown(said))));
        }
        let rows = AnyRows::new(&self.options.rows, Some(header), !self.options.lines_are_rows, Before::Nothing)?;
        self.bad_rows.pass_lines(1 + header.matches('\n').count() as u64);
        Ok(Stage::Rows(Box::new(rows)))
    }

    fn fill(&mut self) -> Result<bool, EngineError> {
        match self.window.blocks.fill() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(failed(&error.to_string())),
        }
    }
}

fn failed(why: &str) -> EngineError {
    EngineError::new(ErrorKind::FixInput, format!("read {NAME}: {why}"))
}
