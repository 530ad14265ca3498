//! Standard output: documents, texts, rows, scripts, help. All that a command has to say goes through here, so that what could not be written fails
//! the command and is not lost without a word.
//!
//! A reader that has closed the pipe (`| head`) wants nothing more and is no failure: the command says nothing of it and ends with the exit code that it
//! would have had.

use crate::failure::Failure;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::ops::ControlFlow;
use weir_engine::{EngineError, ErrorKind};

/// Standard output, for what comes piece by piece. It has to be flushed before the command ends, and the outcome looked at with [`written`].
pub fn buffered() -> BufWriter<Stdout> {
    BufWriter::new(io::stdout())
}

/// Prints a text whole.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = buffered();
    _ = written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
    Ok(())
}

/// What came of a write to standard output. A break says that nobody reads any more.
pub fn written(outcome: io::Result<()>) -> Result<ControlFlow<()>, Failure> {
    match outcome {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => {
            let error = EngineError::new(ErrorKind::Retry, format!("write to standard output: {error}"));
            Err(error.with_hint("what was written of the answer is incomplete").into())
        }
    }
}

/// The failure to print the answer of a command that has changed something: that stays done.
pub fn although_done(unwritten: Failure) -> Failure {
    match unwritten {
        Failure::Engine(error) => error.with_hint("what was written of the answer is incomplete; what was asked for is done").into(),
        Failure::Usage { .. } | Failure::JobFile(_) => unwritten,
    }
}

/// Whether what is printed may have colours.
pub fn has_colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_gone_is_no_failure_and_a_full_disk_is_one() {
        assert_eq!(written(Ok(())).ok(), Some(ControlFlow::Continue(())));
        assert_eq!(written(Err(io::ErrorKind::BrokenPipe.into())).ok(), Some(ControlFlow::Break(())));
        let full = written(Err(io::ErrorKind::StorageFull.into())).expect_err("nothing is written");
        assert_eq!((full.exit_code(), full.text().as_str()), (1, "write to standard output: no storage space"));
        assert_eq!(full.hint(), Some("what was written of the answer is incomplete"));
        let done = although_done(full);
        assert_eq!(done.text(), "write to standard output: no storage space");
        assert_eq!(done.hint(), Some("what was written of the answer is incomplete; what was asked for is done"));
    }
}
