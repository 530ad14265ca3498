//! The source port: where records come from, cut into splits that can be read again from a position. What is asked of every implementation is in
//! `conformance`, with the feature `testing`.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod split_batch;

pub use crate::checkpoint::{SplitProgress, SplitState};
pub use crate::metrics::{KnownLag, LagUnit, SourceLag, SplitLag};
pub use split_batch::{SplitBatch, SplitRun};

use crate::element::{CheckpointId, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::operator::Subtask;
use crate::runtime::ConnectorIo;
use futures_util::future::BoxFuture;
use std::task::{Context, Poll};
use std::time::Duration;

/// What [`SourceReader::poll_read`] says about what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// There may be more.
    More,
    /// All splits have been read to their end. A reader of an unbounded source never says so: without splits it has nothing to give yet.
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
    /// Its setting `timestamp` says where the time of a record is.
    pub timestamp_setting: bool,
}

impl Default for SourceCapabilities {
    /// Those of a source that any number of subtasks read to its end, as often as they are asked to.
    fn default() -> Self {
        Self { single_reader: None, replayable: true, bounded: true, key_setting: false, timestamp_setting: false }
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
    ///
    /// This, [`Self::new_splits`] and [`Self::verify`] may wait for I/O and may block: they run on a thread of their own, with sockets and timers
    /// behind it.
    fn discover(&self, parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>>;

    /// Lines for the user about what there is and is not read, or is read once under one of its names, and about what has been read of it so far.
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

    /// Where the times of its records come from, in words: "the column `at`". `None`: they never have one, and no watermark can be made of them.
    fn timestamps(&self) -> Option<String> {
        None
    }

    /// True where a reader can read its splits one after the other, in the order that [`Self::discover`] gives them, and does so where
    /// [`ReaderContext::in_order`] asks for it.
    fn reads_in_order(&self) -> bool {
        false
    }

    /// True where what cannot be read goes to its output `quarantine`, instead of failing the job.
    fn quarantines(&self) -> bool {
        false
    }

    /// Splits that have come since `known` were discovered, `Unread`: files that now match a glob. A resumed run reads them too.
    fn new_splits<'a>(&'a self, known: &'a [SplitState], parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        let _ = (known, parallelism);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// How long after one look for new splits the next comes, while the job runs; `None`: it is looked for them at a start alone. What is found takes
    /// effect at a barrier. Only an unbounded source finds splits while it runs: the reader of a bounded one may have ended.
    fn discovery_interval(&self) -> Option<Duration> {
        None
    }

    /// Checks splits of a checkpoint against the world: a split that is gone or has changed is refused by name.
    /// Returns lines for the user (a file that is gone but has been read to its end, …).
    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>>;

    /// A reader of these splits, which go on from their progress. A bounded reader without splits ends at once.
    fn reader(&self, context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError>;
}

/// What a reader is given besides its splits.
#[derive(Clone)]
pub struct ReaderContext {
    /// The subtask that it reads for.
    pub subtask: Subtask,
    /// It is to read its splits one after the other, in the order of a fresh start and not in that in which it is given them: between a checkpoint and a
    /// restore they are dealt out anew.
    pub in_order: bool,
    /// Where its I/O runs: polls are made on threads that may be busy in a guest for long.
    pub io: ConnectorIo,
}

/// Reads the splits of one subtask, one after the other or in turn.
pub trait SourceReader: Send {
    /// Appends up to `max_records` records to `out`, fewer where that is sensible (a block's end, bytes over 256 KiB), each to the run of the split that
    /// it comes from. `Pending` registers the waker and appends nothing. After `End` it is not called again; records may come with `End`.
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>>;

    /// The splits with their progress as of the last record appended. A split keeps its place, which is its number in [`SplitBatch`], until one in front
    /// of it is forgotten.
    fn splits(&self) -> Vec<SplitState>;

    /// Lets go of finished splits that nobody has to know of any more, because what they were made of is gone for good and cannot be found again: a
    /// source without an end would remember ever more of them. Gives the places that they had, in ascending order; those behind them move up. It is
    /// called at a barrier, in front of [`Self::add_splits`]: that checkpoint does not have them.
    fn forget_finished(&mut self) -> Vec<usize> {
        Vec::new()
    }

    /// Takes splits that were found while the job runs, behind those that it has. It is called at a barrier: they are part of that checkpoint, and what
    /// is read of them comes behind it.
    fn add_splits(&mut self, splits: Vec<SplitState>) -> Result<(), EngineError> {
        match splits.first() {
            None => Ok(()),
            Some(split) => {
                Err(EngineError::new(ErrorKind::Bug, format!("read the split {:?}: its source finds none while it runs", split.id)))
            }
        }
    }

    /// True where the split at this place has been read to its end. Asked often, of every split that is not: where [`Self::splits`] costs more than a look,
    /// a reader answers by itself.
    fn is_finished(&self, split: usize) -> bool {
        self.splits().get(split).is_none_or(|split| split.progress == SplitProgress::Finished)
    }

    /// True where all that there is of the split at this place has been handed on, and its reader waits for more to come into being. Waiting for a
    /// connection, for room, or for a turn is not idleness. It is asked after [`Self::poll_read`] was pending.
    fn is_idle(&self, split: usize) -> bool {
        let _ = split;
        false
    }

    /// Tells of each split, in the order of their places, its id and what there is of it, as far as its reader knows, and has not been handed on: what it
    /// holds in memory counts, and so does what waits for its end, as a last line without LF. `None`: not known, now or ever. All splits of a source are
    /// counted in one unit.
    ///
    /// A split that is unread lags by all that it has, from the reader's beginning on, and after a restore by what is behind its position. A finished one
    /// lags by nothing, also where it was not known before. Where more comes into being a lag rises; that of a split that is only read falls.
    ///
    /// It is asked now and then, not with every poll: what it costs may be a look at each file that is open, and never a wait. A reader with many splits
    /// keeps what this needs: [`Self::splits`] costs more. Where nothing is ever known the default will do.
    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        for split in self.splits() {
            let is_finished = split.progress == SplitProgress::Finished;
            each(&split.id, is_finished.then_some(SplitLag { amount: 0, unit: LagUnit::Bytes }));
        }
    }

    /// Why it does not get what there is, while it does not: a broker that is not reached, and the like. It goes on trying by itself. Asked as often as
    /// [`Self::lags`], and never waits.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// True where [`Self::on_completed`] has something to do.
    fn hears_of_completion(&self) -> bool {
        false
    }

    /// A checkpoint exists: the log has its entry. `splits` are this reader's, as of its barrier. What is read again after a failure lies behind them,
    /// so offsets may be committed to a broker, or a replication slot moved on. Checkpoints come in the order of their ids, and not every one is told of.
    ///
    /// What it returns runs where connectors' I/O does, and a stop waits for it. Nothing rests on its success: an error is logged. One that does not answer
    /// holds up no other: what two checkpoints return may run side by side, and a reader whose positions must not go back sees to that itself.
    fn on_completed(
        &mut self,
        checkpoint_id: CheckpointId,
        splits: Vec<SplitState>,
    ) -> Option<BoxFuture<'static, Result<(), EngineError>>> {
        let _ = (checkpoint_id, splits);
        None
    }

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

/// True where a reader waits for more to come into being, of every split that it has not finished. One that has no splits does not say so.
pub fn is_idle(reader: &dyn SourceReader) -> bool {
    let splits = reader.splits();
    if splits.is_empty() {
        return false;
    }
    let open = splits.iter().enumerate().filter(|(_, split)| split.progress != SplitProgress::Finished);
    let mut idle = open.map(|(place, _)| reader.is_idle(place));
    idle.all(|idle| idle)
}

/// True where a reader has handed on all that there is for it. One without splits has nothing to hand on.
pub fn is_caught_up(reader: &dyn SourceReader) -> bool {
    reader.splits().is_empty() || is_idle(reader)
}

/// How far a reader lags behind what there is of its splits.
pub fn lag(reader: &dyn SourceReader) -> SourceLag {
    let mut sum = SourceLag::default();
    reader.lags(&mut |id, lag| sum.add(id, lag));
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Splits, of which each has been read to its end, is idle, or has more.
    struct Splits(&'static str);

    impl SourceReader for Splits {
        fn poll_read(&mut self, _cx: &mut Context<'_>, _max: usize, _out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
            Poll::Pending
        }

        fn splits(&self) -> Vec<SplitState> {
            let split = |of: char| {
                let progress = if of == 'f' { SplitProgress::Finished } else { SplitProgress::At(json!(1)) };
                SplitState { progress, ..SplitState::unread(of.to_string(), json!(null)) }
            };
            self.0.chars().map(split).collect()
        }

        fn is_idle(&self, split: usize) -> bool {
            self.0.as_bytes()[split] == b'i'
        }
    }

    /// Whether a reader of these splits is idle, and whether it is caught up.
    #[track_caller]
    fn check(splits: &'static str, expect: (bool, bool)) {
        assert_eq!((is_idle(&Splits(splits)), is_caught_up(&Splits(splits))), expect, "{splits:?}");
    }

    #[test]
    fn a_reader_without_splits_has_nothing_to_hand_on_and_does_not_say_that_it_waits_for_any() {
        check("", (false, true));
    }

    #[test]
    fn a_reader_of_splits_is_caught_up_once_every_open_one_is_idle() {
        check("i", (true, true));
        check("ifi", (true, true));
        check("f", (true, true));
        check("m", (false, false));
        check("im", (false, false));
        check("fm", (false, false));
    }
}
