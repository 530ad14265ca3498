//! What a guest can do wrong. A guest's mistake is data: it fails a batch, never the host.

use crate::guest_text::with_more;
use std::fmt;
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};

/// Bytes of a guest's own message that are kept.
pub(crate) const MESSAGE_BYTES: usize = 4_096;

/// Why a call of a guest had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestFault {
    /// It trapped: a panic, an illegal memory access, an exhausted stack, a host call that is not allowed.
    Trap {
        /// What wasmtime says, with the guest's last error line where there is one.
        message: String,
        /// What it wrote in that call.
        said: Option<Said>,
        /// It ran out of stack, of which no code of its own can say where that was.
        out_of_stack: bool,
        /// The functions it was in.
        backtrace: Option<String>,
    },
    /// It did not return in time.
    DeadlineExceeded {
        /// The time it had.
        limit: Duration,
        /// The functions it was in.
        backtrace: Option<String>,
    },
    /// It used more fuel than it may, where that is bounded.
    FuelLimit {
        /// What the call had, for all that it was given.
        limit: u64,
        /// The functions it was in.
        backtrace: Option<String>,
    },
    /// It asked for more memory than it may have and failed for that.
    MemoryLimit {
        /// What it may have, in bytes.
        limit: u64,
        /// What it would have had, in bytes.
        wanted: u64,
    },
    /// It asked for more elements of tables than it may have and failed for that.
    TableLimit {
        /// What it may have.
        limit: u64,
        /// What it would have had.
        wanted: u64,
    },
    /// It returned more than it may.
    OutputLimit {
        /// What there was too much of, and how much there may be.
        what: String,
        /// The limit's name in a job file.
        setting: &'static str,
    },
    /// It would have made the state of one key larger than that may be.
    StateLimit {
        /// Whose state, and how large.
        what: String,
        /// What one key may have, in bytes.
        limit: u64,
    },
    /// It returned something that breaks the rules of `wit/operator.wit`.
    Malformed {
        /// What, and where.
        what: String,
    },
    /// It returned a failure.
    Failure {
        /// The record that it named, as an index into the records of the call.
        record: Option<u32>,
        /// Its message.
        message: String,
    },
    /// It returned a failure of timers that were due.
    TimerFailure {
        /// The timer that it named, as an index into the timers of the call.
        timer: Option<u32>,
        /// Its message.
        message: String,
    },
    /// It returned a failure of windows that fired.
    WindowFailure {
        /// The firing that it named, as an index into the firings of the call.
        firing: Option<u32>,
        /// Its message.
        message: String,
    },
    /// A record could not be put into a window: it was not called with it.
    Unwindowed {
        /// Why it could not.
        why: String,
        /// Whether that is because its key has as many windows as it may.
        is_beyond_limit: bool,
    },
    /// It refused to open.
    OpenFailed {
        /// Its message.
        message: String,
    },
}

/// What a guest wrote before it trapped. Its text is `its standard error: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `standard error` or `standard output`.
    pub stream: &'static str,
    /// The beginning and the end of it, fit to be shown.
    pub text: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its {}: {}", self.stream, self.text)
    }
}

impl fmt::Display for GuestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap { message, said: None, .. } => write!(f, "the plugin trapped: {message}"),
            Self::Trap { message, said: Some(said), .. } => write!(f, "the plugin trapped: {message}; {said}"),
            Self::DeadlineExceeded { limit, .. } => write!(f, "the plugin did not return within {limit:?} (limits.time-per-batch)"),
            Self::FuelLimit { limit, .. } => write!(f, "the plugin used more than {limit} fuel in one call (limits.fuel-per-record)"),
            Self::TableLimit { limit, wanted } => {
                write!(f, "the plugin ran out of table elements: it wanted {wanted} and may have {limit} (limits.table-elements)")
            }
            Self::MemoryLimit { limit, wanted } => {
                write!(f, "the plugin ran out of memory: it wanted {wanted} bytes and may have {limit} (limits.memory)")
            }
            Self::OutputLimit { what, setting } => write!(f, "the plugin returned too much: {what} (limits.{setting})"),
            Self::StateLimit { what, limit } => {
                write!(f, "the plugin keeps too much: {what}, and {limit} are the most (limits.state-bytes-per-key)")
            }
            Self::Malformed { what } => write!(f, "the plugin returned malformed effects: {what}"),
            Self::Failure { record: Some(record), message } => write!(f, "the plugin failed on record {record} of the batch: {message}"),
            Self::Failure { record: None, message } => write!(f, "the plugin failed on the batch: {message}"),
            Self::TimerFailure { timer: Some(timer), message } => {
                write!(f, "the plugin failed on timer {timer} of those that are due: {message}")
            }
            Self::TimerFailure { timer: None, message } => write!(f, "the plugin failed on timers that are due: {message}"),
            Self::WindowFailure { firing: Some(firing), message } => {
                write!(f, "the plugin failed on firing {firing} of those of the call: {message}")
            }
            Self::WindowFailure { firing: None, message } => write!(f, "the plugin failed on windows that fire: {message}"),
            Self::Unwindowed { why, .. } => write!(f, "the record cannot be put into a window: {why}"),
            Self::OpenFailed { message } => write!(f, "the plugin refused to open: {message}"),
        }
    }
}

impl GuestFault {
    /// The guest's functions at the time of the fault, innermost first.
    pub fn backtrace(&self) -> Option<&str> {
        match self {
            Self::Trap { backtrace, .. } | Self::DeadlineExceeded { backtrace, .. } | Self::FuelLimit { backtrace, .. } => {
                backtrace.as_deref()
            }
            Self::MemoryLimit { .. } | Self::TableLimit { .. } | Self::OutputLimit { .. } => None,
            Self::StateLimit { .. } | Self::Malformed { .. } => None,
            Self::Failure { .. } | Self::TimerFailure { .. } | Self::WindowFailure { .. } => None,
            Self::Unwindowed { .. } | Self::OpenFailed { .. } => None,
        }
    }

    /// Whether it ran out of stack.
    pub(crate) fn is_out_of_stack(&self) -> bool {
        matches!(self, Self::Trap { out_of_stack: true, .. })
    }

    /// The text of a fault that comes of what an author's code has said itself: that first, and the fault on a line below it.
    pub(crate) fn in_own_words(mut self) -> String {
        match &mut self {
            Self::Trap { said, .. } => match said.take() {
                Some(said) => format!("{}\n{self}", said.text),
                None => self.to_string(),
            },
            _ => self.to_string(),
        }
    }

    /// The name in a job file of the limit that it is about, where it is about one.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::DeadlineExceeded { .. } => Some("time-per-batch"),
            Self::FuelLimit { .. } => Some("fuel-per-record"),
            Self::MemoryLimit { .. } => Some("memory"),
            Self::TableLimit { .. } => Some("table-elements"),
            Self::OutputLimit { setting, .. } => Some(setting),
            Self::StateLimit { .. } => Some("state-bytes-per-key"),
            Self::Unwindowed { is_beyond_limit: true, .. } => Some("windows-per-key"),
            Self::Trap { .. } | Self::Malformed { .. } | Self::Unwindowed { .. } | Self::OpenFailed { .. } => None,
            Self::Failure { .. } | Self::TimerFailure { .. } | Self::WindowFailure { .. } => None,
        }
    }

    /// The same, where the guest was given records several times or not at all: `record_of` says which record of the call stands in a row, and of one that is not
    /// there nothing.
    pub(crate) fn of_records(self, record_of: impl FnOnce(u32) -> Option<u32>) -> Self {
        match self {
            Self::Failure { record, message } => Self::Failure { record: record.and_then(record_of), message },
            Self::Trap { .. } | Self::DeadlineExceeded { .. } | Self::FuelLimit { .. } => self,
            Self::MemoryLimit { .. } | Self::TableLimit { .. } | Self::OutputLimit { .. } => self,
            Self::StateLimit { .. } | Self::Malformed { .. } | Self::Unwindowed { .. } | Self::OpenFailed { .. } => self,
            Self::TimerFailure { .. } | Self::WindowFailure { .. } => self,
        }
    }

    /// The error that fails a task, with the plugin that failed and the backtrace in its message.
    pub fn into_error(self, attempted: impl fmt::Display, plugin: impl fmt::Display) -> EngineError {
        let backtrace = self.backtrace().map(|trace| format!("\n{}", trace.trim_end())).unwrap_or_default();
        let told = with_more(&format!("{attempted}: {self}"), plugin);
        EngineError::new(ErrorKind::Restart, told + &backtrace).from_guest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_trap_carries_its_backtrace() {
        let fault = GuestFault::Trap {
            message: "unreachable".into(),
            said: None,
            out_of_stack: false,
            backtrace: Some("0: weir!process\n".into()),
        };
        let error = fault.into_error("operator \"count\" subtask 0", "plugin count.wasm a1b2c3d4");
        assert!(error.is_guest_fault());
        assert_eq!(
            error.to_string(),
            "operator \"count\" subtask 0: the plugin trapped: unreachable (plugin count.wasm a1b2c3d4)\n0: weir!process"
        );
    }
}
