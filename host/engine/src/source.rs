//! The source port: where records come from, cut into splits that can be read again from a position.

pub use crate::checkpoint::{SplitProgress, SplitState};

use crate::element::{BatchBuilder, RecordBatch};
use crate::error::EngineError;
use crate::operator::Subtask;
use std::task::{Context, Poll};

/// What [`SourceReader::poll_read`] says about what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// There may be more.
    More,
    /// All splits have been read to their end.
    End,
}

/// How far the order of a source's records goes, where one subtask hands them on as it reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOrder {
    /// All of them come in one order.
    Whole,
    /// Those of each of these pieces do ("file"); pieces are read side by side.
    Within(&'static str),
    /// Records that belong behind each other may come the other way round, for this reason.
    None(String),
}

/// What a source can do, and what the rest of a job has to know of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceCapabilities {
    /// What it reads, as messages call it, where only one subtask can read that, whatever the job's parallelism is.
    pub single_reader: Option<&'static str>,
    /// A restart reads again what was read. Exactly-once cannot be had without.
    pub replayable: bool,
    /// It comes to an end by itself.
    pub bounded: bool,
    /// Its setting `key` says where the key of a record is.
    pub key_setting: bool,
}

impl Default for SourceCapabilities {
    /// Those of a source that any number of subtasks read to its end, as often as they are asked to.
    fn default() -> Self {
        Self { single_reader: None, replayable: true, bounded: true, key_setting: false }
    }
}

/// One source of a job.
pub trait Source: Send + Sync {
    /// The connector's name in job files.
    fn connector(&self) -> &'static str;

    /// What all records have in common and a guest may want to know (csv: the header row).
    fn schema(&self) -> Option<String> {
        None
    }

    /// What it can do.
    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities::default()
    }

    /// The settings that must not change while a job's checkpoints are resumed (path, format, key …), for comparison.
    fn identity(&self) -> serde_json::Value;

    /// All splits of a fresh start, `Unread`, in the order in which they should be read. `parallelism` subtasks will share them.
    fn discover(&self, parallelism: u32) -> Result<Vec<SplitState>, EngineError>;

    /// Lines for the user about what there is and is not read, or is read once under one of its names.
    fn remarks(&self) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    /// How far the order of its records goes with so many subtasks.
    fn order(&self, parallelism: u32) -> SourceOrder {
        let _ = parallelism;
        SourceOrder::Within("split")
    }

    /// False where its records never have a key: then no `key` edge can follow it.
    fn gives_keys(&self) -> bool {
        true
    }

    /// True where what cannot be read goes to its output `quarantine`, instead of failing the job.
    fn quarantines(&self) -> bool {
        false
    }

    /// Splits that have come since `known` were discovered, `Unread`: files that now match a glob. A resumed run reads them too.
    fn new_splits(&self, known: &[SplitState], parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        let _ = (known, parallelism);
        Ok(Vec::new())
    }

    /// Checks splits of a checkpoint against the world: a split that is gone or has changed is refused by name.
    /// Returns lines for the user (a file that is gone but has been read to its end, …).
    fn verify(&self, splits: &[SplitState]) -> Result<Vec<String>, EngineError>;

    /// A reader of these splits, which go on from their progress. A reader without splits ends at once.
    fn reader(&self, subtask: &Subtask, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError>;
}

/// Reads the splits of one subtask one after the other.
pub trait SourceReader: Send {
    /// Appends up to `max_records` records to `out`, fewer where that is sensible (a block's end, bytes over 256 KiB).
    /// `Pending` registers the waker and appends nothing. After `End` it is not called again; records may come with `End`.
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut BatchBuilder) -> Poll<Result<ReadStatus, EngineError>>;

    /// The splits with their progress as of the last record appended.
    fn splits(&self) -> Vec<SplitState>;

    /// Reports of what could not be read since the last call, for the output `quarantine`: JSON with `source`, `key`, `value`, `timestamp` and
    /// `error`. It is called after each [`Self::poll_read`], and the splits' progress covers what it gives.
    fn take_quarantined(&mut self) -> RecordBatch {
        RecordBatch::default()
    }

    /// Records that were skipped by `on-error = "skip"` so far.
    fn skipped(&self) -> u64 {
        0
    }
}
