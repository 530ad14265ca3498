//! How a log line is written: what a plugin says as its author would want to read it, everything else as it comes.

use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Where plugins' lines come from.
pub(super) const OF_PLUGINS: &str = "weir_wasm::guest_log";

/// Writes `TIME LEVEL OPERATOR[SUBTASK] LINE` of a plugin's line.
#[derive(Default)]
pub(super) struct LogLines(Format);

/// What is said of a plugin's line.
#[derive(Default)]
struct Said {
    operator: String,
    subtask: u64,
    attempt: u64,
    line: Option<String>,
}

impl Visit for Said {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "subtask" => self.subtask = value,
            "attempt" => self.attempt = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "operator" => self.operator = value.into(),
            "line" => self.line = Some(value.into()),
            _ => {}
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

impl<S, N> FormatEvent<S, N> for LogLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        if event.metadata().target() == OF_PLUGINS {
            event.record(&mut said);
        }
        let Said { operator, subtask, attempt, line: Some(line) } = said else {
            return self.0.format_event(context, writer, event);
        };
        let (dim, colour, end) = match (writer.has_ansi_escapes(), *event.metadata().level()) {
            (false, _) => ("", "", ""),
            (true, Level::ERROR) => ("\x1b[2m", "\x1b[31m", "\x1b[0m"),
            (true, Level::WARN) => ("\x1b[2m", "\x1b[33m", "\x1b[0m"),
            (true, _) => ("\x1b[2m", "\x1b[32m", "\x1b[0m"),
        };
        writer.write_str(dim)?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "{end} {colour}{:>5}{end} {dim}{operator}[{subtask}]{end} ", event.metadata().level())?;
        if attempt > 0 {
            // Its records come once more, in smaller batches, to find the one that it fails on.
            write!(writer, "{dim}(again){end} ")?;
        }
        writeln!(writer, "{line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// What is written, without the time in front.
    fn written(colour: bool, log: impl FnOnce()) -> String {
        let written = Written::default();
        let lines = tracing_subscriber::fmt::layer().with_ansi(colour).event_format(LogLines::default()).with_writer(written.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.split_once("Z").map(|(_, text)| text.to_owned()).expect("it begins with the time")
    }

    #[test]
    fn a_plugins_line_is_its_own_words_behind_who_says_it() {
        let says = || tracing::info!(target: "weir_wasm::guest_log", operator = "count", subtask = 3_u32, attempt = 0_u32, line = "a \"b\"", "says");
        assert_eq!(written(false, says), "  INFO count[3] a \"b\"\n");
        assert_eq!(written(true, says), "\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mcount[3]\x1b[0m a \"b\"\n");
        let again =
            || tracing::warn!(target: "weir_wasm::guest_log", operator = "count", subtask = 0_u32, attempt = 2_u32, line = "c", "says");
        assert_eq!(written(false, again), "  WARN count[0] (again) c\n");
    }

    #[test]
    fn everything_else_is_written_as_it_comes() {
        let dropped = || tracing::warn!(target: "weir_wasm::guest_log", operator = %"count", dropped = 7, "plugin log lines dropped");
        assert_eq!(written(false, dropped), "  WARN weir_wasm::guest_log: plugin log lines dropped operator=count dropped=7\n");
        assert_eq!(written(false, || tracing::warn!(target: "weir", "a")), "  WARN weir: a\n");
    }
}
