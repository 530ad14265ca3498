//! What a guest may use up, and what becomes of a batch that it fails on.

use std::borrow::Cow;
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};
use weir_secrets::SecretError;

pub use weir_engine::operator::QuarantineLimit;

/// Records in one guest batch, at most. More than this has never made a call cheaper per record.
pub const BATCH_RECORDS: usize = 1_024;

/// Bounds on one instance and on one call. Every one of them is enforced by the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory of one instance, all its memories together.
    pub memory: u64,
    /// Bytes of linear memory beyond which an instance is replaced between two calls. `None`: three quarters of `memory`.
    pub recycle_memory: Option<u64>,
    /// Elements of all tables of one instance.
    pub table_elements: u64,
    /// Time for one call; also for `open`, `describe` and `migrate`.
    pub time_per_batch: Duration,
    /// Fuel that a call may use up for each record, timer or firing that it is given; with it fuel is counted.
    pub fuel_per_record: Option<u64>,
    /// Bytes that go in with one call: records and their keys' state. `None`: a quarter of `memory`.
    pub batch_bytes: Option<u64>,
    /// Bytes that come back from one call.
    pub output_bytes: u64,
    /// Records that come back from one call, over all outputs.
    pub output_records: u64,
    /// Bytes that the states of one key may count as, all of them together, and one entry of broadcast state. What would pass it is the fault of the
    /// record that does.
    pub state_bytes_per_key: u64,
    /// Bytes of state that one subtask may keep. `None`: its part of what the job's subtasks may keep together.
    pub state_bytes: Option<u64>,
    /// Bytes of one subtask's log lines in one second, each line counted as 128 bytes more than it has; what is more is dropped and counted.
    pub log_bytes_per_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            recycle_memory: None,
            table_elements: 100_000,
            time_per_batch: Duration::from_secs(1),
            fuel_per_record: None,
            batch_bytes: None,
            output_bytes: 16 << 20,
            output_records: 1_000_000,
            state_bytes_per_key: 16 << 20,
            state_bytes: None,
            log_bytes_per_s: 64 << 10,
        }
    }
}

impl Limits {
    /// Bytes that go in with one call.
    pub fn batch_bytes(&self) -> u64 {
        self.batch_bytes.unwrap_or(self.memory / 4)
    }

    /// Bytes of linear memory beyond which an instance is replaced between two calls.
    pub fn recycle_memory(&self) -> u64 {
        self.recycle_memory.unwrap_or(self.memory / 4 * 3)
    }
}

/// What a plugin is configured with: JSON, some texts of which may be known only when an instance opens.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// As the job file has it.
    written: String,
    /// The same, where something in it is read anew for each instance.
    with_secrets: Option<serde_json::Value>,
}

impl PluginConfig {
    /// As the job file has it.
    pub fn new(written: &serde_json::Value) -> Self {
        let text = written.to_string();
        let is_read = text.contains('$') || weir_secrets::has_secrets(written);
        Self { written: text, with_secrets: is_read.then(|| written.clone()) }
    }

    /// What an instance that opens now is given.
    pub(crate) fn now(&self) -> Result<Cow<'_, str>, EngineError> {
        let Some(written) = &self.with_secrets else { return Ok(Cow::Borrowed(&self.written)) };
        let told = |error: SecretError| EngineError::new(ErrorKind::FixInput, format!("`config`: {error}")).with_hint(error.hint());
        Ok(Cow::Owned(weir_secrets::with_secrets(written).map_err(told)?.to_string()))
    }
}

impl From<&str> for PluginConfig {
    /// JSON that says everything itself.
    fn from(json: &str) -> Self {
        Self { written: json.to_owned(), with_secrets: None }
    }
}

/// How one operator of a job runs its plugin.
#[derive(Clone, Debug)]
pub struct OperatorSettings {
    /// The operator's id in the job file.
    pub operator: String,
    /// What the plugin's `open` is given.
    pub config: PluginConfig,
    /// Bounds on the guest.
    pub limits: Limits,
    /// What becomes of records that it fails on.
    pub on_failure: OnFailure,
}

/// What becomes of a record that the guest fails on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The task fails and the dataflow goes back to its newest checkpoint.
    #[default]
    Fail,
    /// The record is set aside and the rest goes on, up to a limit.
    Quarantine {
        /// How many records may be set aside.
        limit: QuarantineLimit,
    },
}
