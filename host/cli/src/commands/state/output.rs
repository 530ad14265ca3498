//! Rows on standard output, up to a limit and for as long as somebody reads them.

use super::rows::{Form, Row, Rows};
use crate::context::{Context, tell};
use crate::failure::Failure;
use crate::figures::grouped;
use crate::terminal::standard_output::{buffered, written};
use std::io::{BufWriter, Stdout};
use std::ops::ControlFlow;

/// Rows on their way to standard output.
pub(super) struct RowsOut<R: Row> {
    rows: Rows<R, BufWriter<Stdout>>,
    limit: Option<u64>,
    /// There are more rows than the limit allows.
    more: bool,
    /// Whoever read them has gone, and needs nothing.
    gone: bool,
}

impl<R: Row> RowsOut<R> {
    /// So many rows at most.
    pub fn new(form: Form, limit: Option<u64>) -> Self {
        Self { rows: Rows::new(form, buffered()), limit, more: false, gone: false }
    }

    /// True where no row has been written, though there was a reader.
    pub fn is_empty(&self) -> bool {
        self.rows.written() == 0 && !self.gone
    }

    /// Writes a row. A break says that no other is wanted.
    pub fn write(&mut self, row: &R) -> Result<ControlFlow<()>, Failure> {
        if self.limit == Some(self.rows.written()) {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        let wanted = written(self.rows.write(row))?;
        self.gone = wanted.is_break();
        Ok(wanted)
    }

    /// Ends the output of rows that were `read` up to their end, or up to a failure. The exit code. A failure in front of all rows is given back, to be
    /// told like that of any command.
    pub fn finish(self, context: &Context, read: Result<(), Failure>) -> Result<u8, Failure> {
        let failure = match read {
            Err(failure) if self.is_empty() => return Err(failure),
            read => read.err(),
        };
        if self.more {
            context.screen.notice(&format!("there is more than the first {}", grouped(self.rows.written())));
        }
        let finished = if self.gone { Ok(()) } else { self.rows.finish(self.more, failure.as_ref().map(Failure::text).as_deref()) };
        match failure {
            Some(failure) => {
                tell(context, &failure);
                Ok(failure.exit_code())
            }
            None => written(finished).map(|_| 0),
        }
    }
}
