//! Lines that a guest logs: marked with who wrote them, made harmless, and bounded per second.

use crate::bindings::weir::operator::logging::{Host, Level};
use crate::guest_text::printable;
use crate::host_state::{HostState, Phase};

/// Bytes of one line.
const LINE_BYTES: usize = 8_192;
/// What a line counts beyond its bytes: an empty one has a time, a level and the operator's name too.
const LINE_OVERHEAD: u64 = 128;

/// Where the lines of one subtask's instances go: each hands it to the next, so that a guest gains nothing by failing.
///
/// A second is one of processing time, which stands still within a call: a guest that logs in a loop gets one second's worth.
#[derive(Debug)]
pub(crate) struct GuestLog {
    operator: String,
    subtask: u32,
    bytes_per_s: u64,
    second: i64,
    left: u64,
    dropped: u64,
    /// All lines that were dropped before, and have been reported.
    reported: u64,
    /// Which try of the batch is running; 0 is the first.
    pub(crate) attempt: u32,
    /// The newest line of level error in this call: what a panic leaves behind.
    pub(crate) last_error: Option<String>,
}

impl GuestLog {
    pub(crate) fn new(operator: &str, subtask: u32, bytes_per_s: u64) -> Self {
        let operator = operator.to_string();
        Self { operator, subtask, bytes_per_s, second: i64::MIN, left: bytes_per_s, dropped: 0, reported: 0, attempt: 0, last_error: None }
    }

    /// Another instance begins, in the second of the call before.
    pub(crate) fn reopen(&mut self) {
        (self.attempt, self.last_error) = (0, None);
    }

    /// A call begins, at this processing time (ms).
    pub(crate) fn begin(&mut self, processing_time: i64) {
        self.last_error = None;
        let second = processing_time.div_euclid(1_000);
        if second == self.second {
            return;
        }
        (self.second, self.left) = (second, self.bytes_per_s);
        self.report_dropped();
    }

    fn report_dropped(&mut self) {
        if self.dropped > 0 {
            tracing::warn!(operator = %self.operator, subtask = self.subtask, dropped = self.dropped, "plugin log lines dropped: more than its share");
            (self.reported, self.dropped) = (self.reported + self.dropped, 0);
        }
    }

    /// Lines that were dropped, of all instances that have logged here.
    pub(crate) fn dropped_in_all(&self) -> u64 {
        self.reported + self.dropped
    }

    fn line(&mut self, level: Level, text: &str) {
        let line = printable(text, LINE_BYTES);
        if level == Level::Error {
            self.last_error = Some(line.clone());
        }
        let Some(left) = self.left.checked_sub(line.len() as u64 + LINE_OVERHEAD) else {
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

impl Drop for GuestLog {
    fn drop(&mut self) {
        self.report_dropped();
    }
}

impl Host for HostState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        match self.phase {
            Phase::Open | Phase::Process | Phase::OnTimers | Phase::OnWindows => self.log.line(level, &message),
            Phase::Instantiate | Phase::Describe | Phase::Merge | Phase::Migrate => {
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
        let mut log = GuestLog::new("op", 0, 200);
        log.begin(1_000);
        log.line(Level::Info, "12345");
        log.line(Level::Info, "12345");
        assert_eq!((log.left, log.dropped), (67, 1));
        log.begin(1_900);
        assert_eq!((log.left, log.dropped), (67, 1));
        log.reopen();
        assert_eq!((log.left, log.dropped), (67, 1));
        log.begin(2_000);
        assert_eq!((log.left, log.dropped), (200, 0));
    }

    #[test]
    fn lines_are_bounded_also_where_they_are_empty() {
        let mut log = GuestLog::new("op", 0, 64_000);
        log.begin(1_000);
        (0..10_000).for_each(|_| log.line(Level::Info, ""));
        assert_eq!(log.dropped, 9_500);
    }

    #[test]
    fn the_last_error_is_kept_even_when_its_line_is_dropped() {
        let mut log = GuestLog::new("op", 0, 0);
        log.line(Level::Error, "panicked\u{1b}[0m");
        assert_eq!(log.last_error.as_deref(), Some("panicked\\u{1b}[0m"));
    }
}
