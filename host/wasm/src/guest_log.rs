//! Lines that a guest logs: marked with who wrote them, made harmless, and bounded per second.

use crate::bindings::weir::operator::logging::{Host, Level};
use crate::fault::printable;
use crate::host_state::{HostState, Phase};

/// Bytes of one line.
const LINE_BYTES: usize = 8_192;

/// Where one instance's lines go.
///
/// A second is one of processing time, which stands still within a call: a guest that logs in a loop gets one second's worth.
#[derive(Clone, Debug)]
pub(crate) struct GuestLog {
    operator: String,
    subtask: u32,
    bytes_per_s: u64,
    second: i64,
    left: u64,
    dropped: u64,
    /// Which try of the batch is running; 0 is the first.
    pub(crate) attempt: u32,
    /// The newest line of level error in this call: what a panic leaves behind.
    pub(crate) last_error: Option<String>,
}

impl GuestLog {
    pub(crate) fn new(operator: &str, subtask: u32, bytes_per_s: u64) -> Self {
        let operator = operator.to_string();
        Self { operator, subtask, bytes_per_s, second: i64::MIN, left: bytes_per_s, dropped: 0, attempt: 0, last_error: None }
    }

    /// A call begins, at this processing time (ms).
    pub(crate) fn begin(&mut self, processing_time: i64) {
        self.last_error = None;
        let second = processing_time.div_euclid(1_000);
        if second == self.second {
            return;
        }
        (self.second, self.left) = (second, self.bytes_per_s);
        if self.dropped > 0 {
            tracing::warn!(operator = %self.operator, subtask = self.subtask, dropped = self.dropped, "plugin log lines dropped: more than its share");
            self.dropped = 0;
        }
    }

    fn line(&mut self, level: Level, text: &str) {
        let line = printable(text, LINE_BYTES);
        if level == Level::Error {
            self.last_error = Some(line.clone());
        }
        let Some(left) = self.left.checked_sub(line.len() as u64 + 1) else {
            self.dropped += 1;
            return;
        };
        self.left = left;
        let (operator, subtask, attempt) = (self.operator.as_str(), self.subtask, self.attempt);
        match level {
            Level::Debug => tracing::debug!(operator, subtask, attempt, line, "plugin says"),
            Level::Info => tracing::info!(operator, subtask, attempt, line, "plugin says"),
            Level::Warn => tracing::warn!(operator, subtask, attempt, line, "plugin says"),
            Level::Error => tracing::error!(operator, subtask, attempt, line, "plugin says"),
        }
    }
}

impl Host for HostState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        match self.phase {
            Phase::Open | Phase::Process => self.log.line(level, &message),
            Phase::Instantiate | Phase::Describe | Phase::Migrate => {
                wasmtime::bail!("weir:operator/logging log was called in {}, which may call nothing of the host", self.phase.name())
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_over_the_share_are_dropped_until_the_next_second() {
        let mut log = GuestLog::new("op", 0, 10);
        log.begin(1_000);
        log.line(Level::Info, "12345");
        log.line(Level::Info, "12345");
        assert_eq!((log.left, log.dropped), (4, 1));
        log.begin(1_900);
        assert_eq!((log.left, log.dropped), (4, 1));
        log.begin(2_000);
        assert_eq!((log.left, log.dropped), (10, 0));
    }

    #[test]
    fn the_last_error_is_kept_even_when_its_line_is_dropped() {
        let mut log = GuestLog::new("op", 0, 0);
        log.line(Level::Error, "panicked\u{1b}[0m");
        assert_eq!(log.last_error.as_deref(), Some("panicked\\u{1b}[0m"));
    }
}
