//! Rows on standard output, up to a limit and for as long as somebody reads them.

use super::super::{Context, tell};
use super::rows::{Form, Row, Rows};
use crate::failure::Failure;
use crate::figures::grouped;
use std::io::{self, BufWriter, ErrorKind as IoErrorKind, Stdout};
use std::ops::ControlFlow;
use weir_engine::{EngineError, ErrorKind};

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
        Self { rows: Rows::new(form, BufWriter::new(io::stdout())), limit, more: false, gone: false }
    }

    /// True where no row has been written.
    pub fn is_empty(&self) -> bool {
        self.rows.written() == 0
    }

    /// Writes a row. A break says that no other is wanted.
    pub fn write(&mut self, row: &R) -> Result<ControlFlow<()>, Failure> {
        if self.limit == Some(self.rows.written()) {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        match self.rows.write(row) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) if error.kind() == IoErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(ControlFlow::Break(()))
            }
            Err(error) => Err(unwritten(&error)),
        }
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
        match (finished, failure) {
            (_, Some(failure)) => {
                tell(context, &failure);
                Ok(failure.exit_code())
            }
            (Err(error), None) if error.kind() != IoErrorKind::BrokenPipe => Err(unwritten(&error)),
            (Ok(()) | Err(_), None) => Ok(0),
        }
    }
}

fn unwritten(error: &io::Error) -> Failure {
    EngineError::new(ErrorKind::Retry, format!("write to standard output: {error}")).into()
}
