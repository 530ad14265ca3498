//! The sink `stdout`: a line per record on standard output, for looking and for pipes.
//!
//! Records are out as soon as their batch is written, so those since the last checkpoint come again after a failure.
//! Subtasks share the stream; a batch is written whole, so lines never mix.

use crate::file_sink::encoding::encode_lines;
use crate::settings::table::Setting;
use crate::settings::{Settings, SettingsError};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use weir_engine::element::CheckpointId;
use weir_engine::sink::{Delivery, SinkAttempt, WriterContext};
use weir_engine::{Committable, EngineError, ErrorKind, RecordBatch, Sink, SinkWriter};

/// The settings of the sink `stdout`: none of its own.
pub(crate) const SETTINGS: &[Setting] = &[];

type Output = Arc<Mutex<dyn Write + Send>>;

/// Writes values, each with a line end, to standard output.
pub(crate) struct StdoutSink {
    output: Output,
}

impl StdoutSink {
    /// It has no settings.
    pub(crate) fn new(settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        let shown = Settings::of_sink("stdout", SETTINGS, settings).finish()?;
        Ok((Self { output: Arc::new(Mutex::new(std::io::stdout())) }, shown))
    }
}

impl Sink for StdoutSink {
    fn connector(&self) -> &'static str {
        "stdout"
    }

    fn delivery(&self) -> Delivery {
        Delivery::MayRepeat
    }

    fn prepare_attempt<'a>(&'a self, _attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }

    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        Ok(Box::new(StdoutWriter { output: self.output.clone(), lines: Vec::new() }))
    }
}

struct StdoutWriter {
    output: Output,
    /// The lines of one batch; kept for its room.
    lines: Vec<u8>,
}

impl SinkWriter for StdoutWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        self.lines.clear();
        let elsewhere = "a `file` sink with `format = \"jsonl\"` takes any value";
        encode_lines(batch, &mut self.lines).map_err(|error| error.with_hint(elsewhere))?;
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(&self.lines).and_then(|()| output.flush()).map_err(write_error)
    }

    fn prepare_commit(
        &mut self,
        _checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        Ok(Box::pin(async { Ok(Vec::new()) }))
    }
}

/// Nobody reads any more, or the file behind it is full: a restart would meet the same.
fn write_error(error: std::io::Error) -> EngineError {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return EngineError::new(ErrorKind::FixInput, "write to standard output: its reader has closed it")
            .with_hint("what was read before stays valid; run again to go on from the last checkpoint");
    }
    EngineError::new(ErrorKind::FixInput, format!("write to standard output: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::BatchBuilder;
    use weir_engine::sink::conformance::{lines_of, sink_suite, writer_context};

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn it_passes_the_sink_suite() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let visible = || lines_of(&written.lock().unwrap());
        sink_suite(|| Arc::new(StdoutSink { output: written.clone() }), None, Some(&visible));
    }

    #[test]
    fn a_value_with_a_line_end_fails_the_job_and_nothing_of_its_batch_is_written() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = StdoutSink { output: written.clone() };
        let mut batch = BatchBuilder::new();
        batch.push(None, b"fine", None);
        batch.push(None, b"a\nb", None);
        let error = sink.writer(&writer_context(0, 1, 1, "n")).unwrap().write(&batch.finish()).unwrap_err();
        assert_eq!(error.to_string(), "write a record as a line: its value holds a line end: a\\nb");
        assert_eq!(error.hint(), Some("a `file` sink with `format = \"jsonl\"` takes any value"));
        assert!(written.lock().unwrap().is_empty());
    }

    #[test]
    fn a_reader_that_has_gone_is_a_clear_error() {
        let sink = StdoutSink { output: Arc::new(Mutex::new(Broken)) };
        let mut batch = BatchBuilder::new();
        batch.push(None, b"a", None);
        let error = sink.writer(&writer_context(0, 1, 1, "n")).unwrap().write(&batch.finish()).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::FixInput, "write to standard output: its reader has closed it"));
    }
}
