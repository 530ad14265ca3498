//! Errors of the engine: what was attempted, on what, and what the caller can do about it. None of them holds a secret of the job file.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// What can be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The same step may succeed if it is tried again: storage or network trouble.
    Retry,
    /// The dataflow has to go back to its newest completed checkpoint: a failed task, a guest's fault.
    Restart,
    /// The user's files or settings are wrong; trying again changes nothing.
    FixInput,
    /// Stored data fails its checks.
    Corrupt,
    /// Another process has taken the job over.
    Fenced,
    /// A mistake in weir.
    Bug,
}

/// An error with its kind, a message that names what was attempted and on what, and an optional hint.
#[derive(Clone, Debug)]
pub struct EngineError {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    /// Set for a guest's fault: the same one from the same checkpoint twice fails the job.
    guest_fault: bool,
    /// The stored object that fails its checks, by its path in the job's storage.
    damaged_object: Option<String>,
    /// The operator that does not open with the `config` of its step.
    unopened: Option<Box<str>>,
    /// The steps of the job that it is about: what the job file says of them has to change.
    steps: Box<[String]>,
    /// The record that it came with, where it is of one.
    record: Option<Box<Value>>,
}

impl EngineError {
    /// An error of this kind. `message` says what was attempted and on what.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: shown(message.into()),
            hint: None,
            guest_fault: false,
            damaged_object: None,
            unopened: None,
            steps: Box::default(),
            record: None,
        }
    }

    /// Adds what the user can do.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(shown(hint.into()));
        self
    }

    /// Marks the error as a guest's fault.
    pub fn from_guest(mut self) -> Self {
        self.guest_fault = true;
        self
    }

    /// Names the stored object that the error is about, by its path in the job's storage: other checkpoints may consist of it too.
    pub fn about_object(mut self, path: &str) -> Self {
        self.damaged_object = Some(path.to_owned());
        self
    }

    /// Names the operator that does not open: what its step says in the job file is the first thing to look at.
    pub fn from_open_of(mut self, operator: &str) -> Self {
        self.unopened = Some(operator.into());
        self
    }

    /// Names the steps of the job that the error is about, where it is about what the job file says of some.
    pub fn about_steps(mut self, steps: Vec<String>) -> Self {
        self.steps = steps.into();
        self
    }

    /// Says which record it came with, as a quarantine would report it.
    pub fn about_record(mut self, record: Value) -> Self {
        self.record = Some(Box::new(record));
        self
    }

    /// Puts a line of its own below the message, indented as those that belong to it.
    pub fn with_line(mut self, line: impl fmt::Display) -> Self {
        self.message = shown(format!("{}\n  {line}", self.message));
        self
    }

    /// Puts what was being attempted in front of the message.
    pub fn context(mut self, attempted: impl fmt::Display) -> Self {
        self.message = shown(format!("{attempted}: {}", self.message));
        self
    }

    /// Puts what follows from it behind the message.
    pub fn followed_by(mut self, consequence: impl fmt::Display) -> Self {
        self.message = shown(format!("{}; {consequence}", self.message));
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The hint, where there is one.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The stored object that the error is about, where it is about one.
    pub fn damaged_object(&self) -> Option<&str> {
        self.damaged_object.as_deref()
    }

    /// The operator that does not open, where the error is about that.
    pub fn unopened(&self) -> Option<&str> {
        self.unopened.as_deref()
    }

    /// The steps of the job that it is about.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// The record that it came with, where it is of one.
    pub fn record(&self) -> Option<&Value> {
        self.record.as_deref()
    }

    /// True for a guest's fault.
    pub fn is_guest_fault(&self) -> bool {
        self.guest_fault
    }
}

/// Errors go everywhere, into the log of the job too: no secret does.
fn shown(text: String) -> String {
    match weir_secrets::redacted(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(redacted) => redacted,
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {}
