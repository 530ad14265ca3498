//! The suite itself: a source that finds splits and hears of checkpoints passes it, and one that breaks a promise does not.

use super::{Hesitant, source_suite};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::source::{
    LagUnit, ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitLag, SplitProgress, SplitState,
};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Duration;

/// Splits, of which the last ones have no records, and the second has fewer.
const RECORDS: [u64; 4] = [20, 3, 9, 0];

/// A promise that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    FindsWhatItKnows,
    FindsNothing,
    FindsWhatIsRead,
    HasAnEnd,
    LooksAtOnce,
    AddsInFront,
    AddsNothing,
    AddsAsRead,
    AddsFromTheBeginning,
    ForgetsWhatIsOpen,
    ForgetsWhatIsThere,
    SaysNothingOfWhatItForgets,
    AnswersUnasked,
    GoesOnByWhatItIsTold,
    LagsByWhatWasHandedOn,
    LagsByAllThatItHas,
    LagsLessThanIsToCome,
    LagsBehindItsEnd,
    LagsFromWhereItBegan,
    LagsByNothingBeforeItReads,
    DoesNotKnowWhatIsUnreadAgain,
    LagsInTwoUnits,
    SaysNothingOfASplit,
    ForgetsThatItIsUpToDate,
    IsFinishedBeforeItsEnd,
    IsNeverFinished,
    ReadsSideBySide,
    ReadsAsItIsGiven,
}

/// Numbers in lines of their own, which are read in turn and never end.
struct Lines(Broken);

struct LinesReader {
    broken: Broken,
    splits: Vec<SplitState>,
    turn: usize,
    told: u64,
    /// It goes on from a checkpoint.
    is_restored: bool,
    /// The places of the splits in the order of their names, where that is asked for.
    in_order: Option<Vec<usize>>,
}

fn split(number: usize) -> SplitState {
    SplitState::unread(format!("line {number}"), RECORDS[number].into())
}

fn is_begun(split: &SplitState) -> bool {
    split.progress != SplitProgress::Unread
}

fn position(split: &SplitState) -> u64 {
    match &split.progress {
        SplitProgress::Unread => 0,
        SplitProgress::At(position) => position.as_u64().expect("a number"),
        SplitProgress::Finished => split.spec.as_u64().expect("a number"),
    }
}

impl Source for Lines {
    fn connector(&self) -> &'static str {
        "lines"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities { bounded: self.0 == Broken::HasAnEnd, ..SourceCapabilities::default() }
    }

    fn identity(&self) -> serde_json::Value {
        "lines".into()
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok((0..RECORDS.len()).map(split).collect())).boxed()
    }

    fn new_splits<'a>(&'a self, known: &'a [SplitState], _parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        let finds = |split: &SplitState| match self.0 {
            Broken::FindsWhatItKnows => known.iter().all(|known| known.id != split.id || known.progress == SplitProgress::Finished),
            Broken::FindsNothing => false,
            _ => known.iter().all(|known| known.id != split.id),
        };
        let mut found: Vec<_> = (0..RECORDS.len()).map(split).filter(finds).collect();
        if self.0 == Broken::FindsWhatIsRead {
            found.iter_mut().for_each(|split| split.progress = SplitProgress::Finished);
        }
        ready(Ok(found)).boxed()
    }

    fn discovery_interval(&self) -> Option<Duration> {
        Some(if self.0 == Broken::LooksAtOnce { Duration::ZERO } else { Duration::from_secs(1) })
    }

    fn verify<'a>(&'a self, _splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn reads_in_order(&self) -> bool {
        true
    }

    fn reader(&self, context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        let mut places: Vec<_> = (0..splits.len()).collect();
        if self.0 != Broken::ReadsAsItIsGiven {
            places.sort_by_key(|&place| splits[place].id.clone());
        }
        let in_order = Some(places).filter(|_| context.in_order && self.0 != Broken::ReadsSideBySide);
        Ok(Box::new(LinesReader { broken: self.0, is_restored: splits.iter().any(is_begun), splits, turn: 0, told: 0, in_order }))
    }
}

impl LinesReader {
    fn lag(&self, split: usize) -> Option<SplitLag> {
        let of = &self.splits[split];
        let (all, at) = (of.spec.as_u64().expect("a number"), position(of));
        let amount = match self.broken {
            Broken::LagsByWhatWasHandedOn => at,
            Broken::LagsLessThanIsToCome => (all - at).saturating_sub(4),
            Broken::LagsBehindItsEnd => all - at + 1,
            Broken::LagsByAllThatItHas => all,
            Broken::LagsFromWhereItBegan if self.is_restored => all,
            Broken::LagsByNothingBeforeItReads if !is_begun(of) => 0,
            Broken::DoesNotKnowWhatIsUnreadAgain if !is_begun(of) && self.is_restored => return None,
            Broken::ForgetsThatItIsUpToDate if of.progress == SplitProgress::Finished => return None,
            _ => all - at,
        };
        let in_bytes = self.broken == Broken::LagsInTwoUnits && split == 1;
        Some(SplitLag { amount, unit: if in_bytes { LagUnit::Bytes } else { LagUnit::Records } })
    }
}

impl SourceReader for LinesReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        for _ in 0..self.splits.len() {
            let mut place = self.turn % self.splits.len();
            match &self.in_order {
                Some(places) => place = places.iter().copied().find(|&place| !self.is_finished(place)).unwrap_or(place),
                None => self.turn += 1,
            }
            let split = &mut self.splits[place];
            let (at, end) = (position(split), split.spec.as_u64().expect("a number"));
            let next = end.min(at + max_records as u64);
            (at..next).for_each(|number| out.of(place).push(None, format!("{} {number}", split.id).as_bytes(), None));
            split.progress = if next == end { SplitProgress::Finished } else { SplitProgress::At(next.into()) };
            if !out.is_empty() {
                return Poll::Ready(Ok(ReadStatus::More));
            }
        }
        let ends = self.broken == Broken::HasAnEnd;
        if ends { Poll::Ready(Ok(ReadStatus::End)) } else { Poll::Pending }
    }

    fn splits(&self) -> Vec<SplitState> {
        self.splits.clone()
    }

    fn forget_finished(&mut self) -> Vec<usize> {
        let finished = self.splits.iter().position(|split| split.progress == SplitProgress::Finished);
        match self.broken {
            Broken::ForgetsWhatIsOpen => self.splits.pop().map(|_| self.splits.len()).into_iter().collect(),
            Broken::ForgetsWhatIsThere => finished.inspect(|&place| drop(self.splits.remove(place))).into_iter().collect(),
            Broken::SaysNothingOfWhatItForgets => {
                finished.inspect(|&place| drop(self.splits.remove(place)));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn add_splits(&mut self, mut splits: Vec<SplitState>) -> Result<(), EngineError> {
        match self.broken {
            Broken::AddsNothing => splits.clear(),
            Broken::AddsAsRead => splits.iter_mut().for_each(|split| split.progress = SplitProgress::Finished),
            Broken::AddsFromTheBeginning => self.splits.iter_mut().for_each(|split| split.progress = SplitProgress::Unread),
            _ => {}
        }
        match self.broken {
            Broken::AddsInFront => self.splits.splice(0..0, splits).for_each(drop),
            _ => self.splits.extend(splits),
        }
        Ok(())
    }

    fn is_finished(&self, split: usize) -> bool {
        let Some(of) = self.splits.get(split) else { return true };
        match self.broken {
            Broken::IsFinishedBeforeItsEnd => is_begun(of),
            Broken::IsNeverFinished => false,
            _ => of.progress == SplitProgress::Finished,
        }
    }

    fn is_idle(&self, split: usize) -> bool {
        self.splits[split].progress == SplitProgress::Finished
    }

    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        let said = self.splits.len() - usize::from(self.broken == Broken::SaysNothingOfASplit);
        (0..said).for_each(|place| each(&self.splits[place].id, self.lag(place)));
    }

    fn hears_of_completion(&self) -> bool {
        self.broken != Broken::AnswersUnasked
    }

    fn on_completed(
        &mut self,
        checkpoint_id: CheckpointId,
        splits: Vec<SplitState>,
    ) -> Option<BoxFuture<'static, Result<(), EngineError>>> {
        assert!(checkpoint_id.0 > self.told, "checkpoints come in the order of their ids");
        self.told = checkpoint_id.0;
        if self.broken == Broken::GoesOnByWhatItIsTold {
            self.splits = splits;
        }
        // One fails, the next one never answers.
        let answers = if self.told == 1 { ready(Err(EngineError::new(ErrorKind::Retry, "not now"))).boxed() } else { pending().boxed() };
        Some(answers)
    }
}

/// What the suite says of it; `None`: it passes.
fn said_of(broken: Broken) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| source_suite(&Lines(broken)))).err()?;
    Some(crate::runtime::panic_message(&*panic))
}

#[test]
fn a_source_that_finds_splits_and_whose_answers_fail_or_never_come_passes() {
    assert_eq!(said_of(Broken::Nothing), None);
    source_suite(&Hesitant(Lines(Broken::Nothing)));
}

#[test]
fn each_promise_that_is_broken_is_noticed() {
    for (broken, says) in [
        (Broken::FindsWhatItKnows, "what is known is found again"),
        (Broken::FindsNothing, "of all splits but"),
        (Broken::FindsWhatIsRead, "what is found has not been read"),
        (Broken::HasAnEnd, "the reader of a source with an end may have ended"),
        (Broken::LooksAtOnce, "a look follows the other at once"),
        (Broken::AddsInFront, "keeps its place and its progress"),
        (Broken::AddsNothing, "is part of the checkpoint, unread"),
        (Broken::AddsAsRead, "is part of the checkpoint, unread"),
        (Broken::AddsFromTheBeginning, "keeps its place and its progress"),
        (Broken::ForgetsWhatIsOpen, "a split is forgotten that is not finished"),
        (Broken::ForgetsWhatIsThere, "what is forgotten is found again"),
        (Broken::SaysNothingOfWhatItForgets, "it is said of others"),
        (Broken::AnswersUnasked, "does not say that it hears"),
        (Broken::GoesOnByWhatItIsTold, "what it is told changes its positions"),
        (Broken::LagsByWhatWasHandedOn, "records of it are still to come"),
        (Broken::LagsByAllThatItHas, "what was handed on is counted"),
        (Broken::LagsLessThanIsToCome, "records of it are still to come"),
        (Broken::LagsBehindItsEnd, "is finished and lags"),
        (Broken::LagsFromWhereItBegan, "behind a restore"),
        (Broken::LagsByNothingBeforeItReads, "records of it are still to come"),
        (Broken::DoesNotKnowWhatIsUnreadAgain, "a restored reader does not count it"),
        (Broken::LagsInTwoUnits, "are counted in one unit"),
        (Broken::SaysNothingOfASplit, "of each split it is said"),
        (Broken::ForgetsThatItIsUpToDate, "is finished and lags, or it is not known"),
        (Broken::IsFinishedBeforeItsEnd, "is finished: At"),
        (Broken::IsNeverFinished, "is finished: Finished"),
        (Broken::ReadsSideBySide, "are read side by side"),
        (Broken::ReadsAsItIsGiven, "in another order than they are discovered in"),
    ] {
        let said = said_of(broken).unwrap_or_else(|| panic!("{broken:?} passes"));
        assert!(said.contains(says), "{broken:?}: {said}");
    }
}
