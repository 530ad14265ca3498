//! A source of a replay: its reader, and the time that its records bring.

use super::ReplayPoint;
use crate::element::{Progress, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::job::JobGraph;
use crate::operator::Subtask;
use crate::runtime::Clock;
use crate::source::{ReadStatus, ReaderContext, Source, SourceReader, SplitBatch, is_idle};
use crate::time::{OpenSplits, SplitWatermarks};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Records read at once.
const READ_RECORDS: usize = 1_024;
/// The same of a source that makes watermarks: each is told behind a batch, and what is late is late for a batch.
const READ_WITH_TIME: usize = 128;
/// How long a source that has nothing is left alone until the next look at it.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long a source may have nothing until it is left.
const PATIENCE: Duration = Duration::from_secs(5);

/// A source that is read again.
pub(super) struct ReadSource {
    /// Its vertex.
    pub vertex: usize,
    /// Reads all of its splits.
    pub reader: Box<dyn SourceReader>,
    /// `None`: it makes no watermarks.
    time: Option<SplitWatermarks>,
}

/// How far time has come, on an edge or behind a source.
#[derive(Clone, Copy)]
pub(super) enum Time {
    /// To here.
    Progress(Progress),
    /// Nothing more comes.
    End,
}

/// What a look at a source has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// There may be more.
    More,
    /// Nothing more comes.
    End,
    /// All that there is has been read; there may be more later.
    CaughtUp,
    /// It has given nothing for so long that it is left, and has not said that there is no more.
    Stalled,
}

/// Waits for a batch of a source, so that the order does not depend on which has something first.
async fn poll(reader: &mut dyn SourceReader, (at_once, batch): (usize, &mut SplitBatch), clock: &dyn Clock) -> Result<Read, EngineError> {
    let until = clock.now() + PATIENCE;
    loop {
        let read = reader.poll_read(&mut Context::from_waker(Waker::noop()), at_once, batch);
        match read {
            Poll::Ready(Ok(ReadStatus::More)) => return Ok(Read::More),
            Poll::Ready(Ok(ReadStatus::End)) => return Ok(Read::End),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending if is_idle(reader) => return Ok(Read::CaughtUp),
            // Where it has no splits there is nothing that could be waited for.
            Poll::Pending if clock.now() >= until && reader.splits().is_empty() => return Ok(Read::CaughtUp),
            Poll::Pending if clock.now() >= until => return Ok(Read::Stalled),
            Poll::Pending => clock.sleep_until(clock.now() + LOOK_AGAIN).await,
        }
    }
}

impl ReadSource {
    /// Opens a source with a reader of all its splits: those of the checkpoint and what has come since, or all that there are.
    pub async fn open(graph: &JobGraph, vertex: usize, source: &dyn Source, point: &ReplayPoint) -> Result<Self, EngineError> {
        let id = &graph.vertices[vertex].id;
        let named = |error: EngineError| error.context(id);
        if !source.capabilities().replayable {
            let message = format!("{id}: a source that cannot be read again cannot be replayed");
            return Err(EngineError::new(ErrorKind::FixInput, message));
        }
        let splits = match point.metadata.as_ref().and_then(|metadata| metadata.vertex(id)) {
            Some(snapshot) => {
                let mut splits: Vec<_> = snapshot.subtasks.iter().flat_map(|subtask| subtask.splits.clone()).collect();
                source.verify(&splits).await.map_err(named)?;
                splits.extend(source.new_splits(&splits, 1).await.map_err(named)?);
                splits
            }
            None => source.discover(1).await.map_err(named)?,
        };
        let in_order = graph.vertices[vertex].reads_in_order();
        let context = ReaderContext { subtask: Subtask { vertex: id.clone(), index: 0, parallelism: 1 }, in_order, io: point.io.clone() };
        let reader = source.reader(&context, splits).map_err(named)?;
        let time = graph.vertices[vertex].watermark.clone().map(|settings| SplitWatermarks::new(settings, &reader.splits()));
        Ok(ReadSource { vertex, reader, time })
    }

    /// Reads a batch of so many records at most.
    pub async fn read(&mut self, records: u64, clock: &dyn Clock) -> Result<(Read, RecordBatch), EngineError> {
        let at_once = if self.time.is_some() { READ_WITH_TIME.min(records as usize) } else { READ_RECORDS };
        let mut batch = SplitBatch::new();
        let read = poll(&mut *self.reader, (at_once, &mut batch), clock).await?;
        // What is too far ahead is so by the real clock: a replay from the beginning has no other.
        self.on_read(&batch, clock.wall_ms());
        Ok((read, batch.take()))
    }

    /// What there is to tell of time, behind the records of a read, one behind the other.
    pub fn time_behind(&mut self, read: Read) -> Vec<Time> {
        match read {
            Read::More => self.news(),
            Read::End => vec![Time::End],
            Read::CaughtUp | Read::Stalled => self.idle(),
        }
    }

    /// These records are about to be handed on.
    fn on_read(&mut self, batch: &SplitBatch, wall_ms: i64) {
        let Some(time) = &mut self.time else { return };
        let mut at = 0;
        for run in batch.runs() {
            time.on_records(run.split, &batch.timestamps()[at..at + run.records], wall_ms);
            at += run.records;
        }
    }

    /// What there is to tell behind them.
    fn news(&mut self) -> Vec<Time> {
        let (Some(time), reader) = (&mut self.time, &*self.reader) else { return Vec::new() };
        time.look(&OpenSplits { is_finished: &|split| reader.is_finished(split), is_caught_up: None }, Duration::ZERO);
        all_news(time)
    }

    /// It is left: those of its splits that are caught up have been so for as long as it takes to be idle. The others hold time where it is.
    fn idle(&mut self) -> Vec<Time> {
        let (Some(time), reader) = (&mut self.time, &*self.reader) else { return Vec::new() };
        let open = OpenSplits { is_finished: &|split| reader.is_finished(split), is_caught_up: Some(&|split| reader.is_idle(split)) };
        left_behind(time, &open)
    }
}

/// What there is to tell of splits of which nothing more comes, once those that are caught up have been so for long enough: how far their time is then, and behind
/// that, where none counts any more, that it rests.
pub(super) fn left_behind(time: &mut SplitWatermarks, open: &OpenSplits<'_>) -> Vec<Time> {
    time.look(open, Duration::ZERO);
    time.look(open, Duration::MAX);
    all_news(time)
}

fn all_news(time: &mut SplitWatermarks) -> Vec<Time> {
    std::iter::from_fn(|| time.news()).map(Time::Progress).collect()
}
