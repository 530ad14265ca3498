//! Reads the followed files of one subtask, in turn.

use super::super::options::FileOptions;
use super::AWAY_MAX;
use super::open_file::{Came, OpenFile, Opened, Over};
use super::spec::FollowedSpec;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::task::{Context, Poll};
use weir_engine::runtime::{Clock, Monotonic};
use weir_engine::source::{LagUnit, SplitLag, SplitProgress};
use weir_engine::{BatchBuilder, EngineError, ReadStatus, ReaderContext, RecordBatch, SourceReader, SplitBatch, SplitState};

/// Reads files that grow.
pub(in super::super) struct FollowingReader {
    options: Arc<FileOptions>,
    source: String,
    clock: Arc<dyn Clock>,
    files: Vec<Followed>,
    /// The file that is read next.
    turn: usize,
    timer: Option<BoxFuture<'static, ()>>,
    /// Rows that were skipped in files that are over.
    skipped: u64,
    quarantined: BatchBuilder,
}

/// A file, and how far it has come.
struct Followed {
    split: SplitState,
    state: State,
}

enum State {
    /// It has not been opened.
    Closed {
        /// Bytes that it had and that have not been read, when it was last looked at; `None`: nobody could look.
        left: Option<u64>,
    },
    Open(Box<OpenFile>),
    /// Nothing more will come of it.
    Over(Over),
}

impl Followed {
    /// True where nobody can find again what it was made of.
    fn is_gone_for_good(&self) -> bool {
        match self.state {
            State::Over(Over::Deleted | Over::Replaced) => self.split.progress == SplitProgress::Finished,
            State::Over(Over::Away) | State::Closed { .. } | State::Open(_) => false,
        }
    }

    /// True where it was read to its end, was not found, and may come back.
    fn is_away(&self) -> bool {
        matches!(self.state, State::Over(Over::Away)) && self.split.progress == SplitProgress::Finished
    }
}

impl FollowingReader {
    /// Reads these splits from their progress on.
    pub(in super::super) fn new(options: Arc<FileOptions>, context: &ReaderContext, splits: Vec<SplitState>) -> Result<Self, EngineError> {
        let mut reader = Self {
            options,
            source: context.subtask.vertex.clone(),
            clock: context.io.clock().clone(),
            files: Vec::new(),
            turn: 0,
            timer: None,
            skipped: 0,
            quarantined: BatchBuilder::new(),
        };
        reader.add_splits(splits)?;
        Ok(reader)
    }

    /// Reads of the first file in turn that has anything; false where none has.
    fn read(&mut self, max_records: usize, out: &mut SplitBatch) -> Result<bool, EngineError> {
        let now = self.clock.now();
        for _ in 0..self.files.len() {
            let place = self.turn % self.files.len();
            self.turn = place + 1;
            let before = out.len();
            // A report of a row that cannot be read is progress as well: a checkpoint may hold it as read.
            if self.read_file(place, now, max_records, out)? == Came::Rows || out.len() > before || !self.quarantined.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read_file(&mut self, place: usize, now: Monotonic, max_records: usize, out: &mut SplitBatch) -> Result<Came, EngineError> {
        let file = &mut self.files[place];
        if let State::Closed { .. } = file.state {
            let (spec, position) = FollowedSpec::parse(&file.split)?;
            file.state = match position {
                None => State::Over(Over::Away),
                Some(position) => match OpenFile::open(&self.options, &self.source, spec.clone(), position)? {
                    Opened::File(open) => State::Open(open),
                    Opened::Over(over) => {
                        file.split.spec = spec.finished(position).to_json();
                        State::Over(over)
                    }
                },
            };
        }
        let open = match &mut file.state {
            State::Open(open) => open,
            State::Over(over) => {
                file.split.progress = SplitProgress::Finished;
                return Ok(Came::Over(*over));
            }
            State::Closed { .. } => return Ok(Came::Nothing),
        };
        let came = open.read(now, max_records, out.of(place))?;
        let reports = open.bad_rows.take_quarantined();
        (0..reports.len()).for_each(|report| self.quarantined.push_from(&reports, report));
        match came {
            Came::Rows | Came::Nothing => file.split.progress = SplitProgress::At(open.position().into()),
            Came::Over(over) => {
                self.skipped += open.bad_rows.skipped();
                file.split.spec = open.spec_now().finished(open.position()).to_json();
                file.split.progress = SplitProgress::Finished;
                file.state = State::Over(over);
            }
        }
        Ok(came)
    }

    /// When the next file is looked at again; `None`: there is none.
    fn next_look(&self) -> Option<Monotonic> {
        let look = |file: &Followed| match &file.state {
            State::Open(open) => open.idle_until,
            State::Closed { .. } | State::Over(_) => None,
        };
        self.files.iter().filter_map(look).min()
    }
}

impl SourceReader for FollowingReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        loop {
            if self.read(max_records, out)? {
                return Poll::Ready(Ok(ReadStatus::More));
            }
            // Where there is nothing to look at, what is assigned wakes the task.
            let Some(next) = self.next_look() else { return Poll::Pending };
            let timer = self.timer.insert(self.clock.sleep_until(next));
            if timer.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn splits(&self) -> Vec<SplitState> {
        let split = |file: &Followed| match &file.state {
            State::Open(open) => SplitState { spec: open.spec_now().to_json(), ..file.split.clone() },
            State::Closed { .. } | State::Over(_) => file.split.clone(),
        };
        self.files.iter().map(split).collect()
    }

    /// What has no name any more, and what another file has taken the place of, is not found again. What is away may be: of those only some are remembered.
    fn forget_finished(&mut self) -> Vec<usize> {
        let mut too_many = self.files.iter().filter(|file| file.is_away()).count().saturating_sub(AWAY_MAX);
        let mut is_forgotten = |file: &Followed| {
            let away_for_long = file.is_away() && too_many > 0;
            if away_for_long {
                too_many -= 1;
                tracing::warn!(split = %file.split.id, "a file that has been away for long is forgotten");
            }
            away_for_long || file.is_gone_for_good()
        };
        let forgotten: Vec<usize> = self.files.iter().enumerate().filter(|(_, file)| is_forgotten(file)).map(|(place, _)| place).collect();
        self.turn -= forgotten.iter().filter(|&&place| place < self.turn).count();
        for &place in forgotten.iter().rev() {
            self.files.remove(place);
        }
        forgotten
    }

    fn add_splits(&mut self, splits: Vec<SplitState>) -> Result<(), EngineError> {
        for split in splits {
            let (spec, position) = FollowedSpec::parse(&split)?;
            let state = position.map_or(State::Over(Over::Away), |position| State::Closed { left: spec.left(position) });
            self.files.push(Followed { split, state });
        }
        Ok(())
    }

    fn is_finished(&self, split: usize) -> bool {
        self.files.get(split).is_none_or(|file| file.split.progress == SplitProgress::Finished)
    }

    fn is_idle(&self, split: usize) -> bool {
        match &self.files[split].state {
            State::Open(open) => open.idle_until.is_some(),
            State::Closed { .. } => false,
            State::Over(_) => true,
        }
    }

    /// The bytes that a file is known to have behind the last row that was handed on, a last line without LF among them. One that is open is looked at.
    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        for file in &self.files {
            let left = match &file.state {
                State::Open(open) => open.lag(),
                State::Closed { left } => *left,
                State::Over(_) => Some(0),
            };
            each(&file.split.id, left.map(|amount| SplitLag { amount, unit: LagUnit::Bytes }));
        }
    }

    fn take_quarantined(&mut self) -> RecordBatch {
        self.quarantined.take()
    }

    fn skipped(&self) -> u64 {
        let open = |file: &Followed| match &file.state {
            State::Open(open) => open.bad_rows.skipped(),
            State::Closed { .. } | State::Over(_) => 0,
        };
        self.skipped + self.files.iter().map(open).sum::<u64>()
    }
}
