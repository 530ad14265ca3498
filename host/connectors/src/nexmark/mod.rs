//! The source `nexmark`: the events of the Nexmark benchmark, an auction house with people, auctions and bids, in the bytes that `plugins/nexmark/README.md` describes.
//!
//! Event n is a pure function of the settings and n, so any parallelism gives the same events. A round of events (`plan`) is dealt out as a whole: split r of s has the
//! rounds k with k mod s = r, in the order of their time, and a reader takes a stretch of each of its splits in turn. A split's position is the number of its next event.

mod channels;
mod draws;
mod encoding;
mod events;
mod plan;
mod settings;
mod stretch;
#[cfg(test)]
mod tests;

use crate::settings::SettingsError;
use events::Events;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use plan::Plan;
use serde_json::{Map, Value};
pub(crate) use settings::SETTINGS;
use std::task::{Context, Poll};
use stretch::{SplitSpec, Stretch};
use weir_engine::source::{LagUnit, SourceOrder, SplitLag};
use weir_engine::{EngineError, ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitState};

/// Bytes of values after which a poll returns.
const POLL_BYTES: usize = 256 * 1024;

/// Generates the benchmark's events.
pub(crate) struct NexmarkSource {
    plan: Plan,
}

/// What the source `nexmark` can do.
pub(crate) const CAPABILITIES: SourceCapabilities =
    SourceCapabilities { single_reader: None, replayable: true, bounded: true, key_setting: false, timestamp_setting: false };

impl NexmarkSource {
    /// Reads the settings of the table.
    pub(crate) fn new(settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        settings::read(settings).map(|(plan, effective)| (Self { plan }, effective))
    }
}

impl Source for NexmarkSource {
    fn connector(&self) -> &'static str {
        "nexmark"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities { bounded: self.plan.count.is_some(), ..CAPABILITIES }
    }

    fn identity(&self) -> Value {
        let mut identity = serde_json::to_value(&self.plan).expect("numbers become JSON");
        identity["connector"] = "nexmark".into();
        identity
    }

    fn discover(&self, parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        let stride = parallelism.max(1);
        let spec = |residue| serde_json::to_value(SplitSpec { residue, stride }).expect("numbers become JSON");
        let split = |residue| SplitState::unread(format!("{residue}/{stride}"), spec(residue));
        ready(Ok((0..stride).map(split).collect())).boxed()
    }

    fn order(&self, parallelism: u32) -> SourceOrder {
        match parallelism {
            0 | 1 => SourceOrder::Whole,
            _ => SourceOrder::None("its events are dealt out to subtasks that run side by side".into()),
        }
    }

    fn timestamps(&self) -> Option<String> {
        Some("the events' own".into())
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        let verified = splits.iter().try_for_each(|split| Stretch::of(split.clone(), &self.plan).map(drop));
        ready(verified.map(|()| Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        let stretches = splits.into_iter().map(|split| Stretch::of(split, &self.plan)).collect::<Result<_, _>>()?;
        Ok(Box::new(NexmarkReader { events: Events::new(&self.plan), plan: self.plan.clone(), stretches, turn: 0 }))
    }
}

struct NexmarkReader {
    plan: Plan,
    events: Events,
    stretches: Vec<Stretch>,
    /// The stretch that gives events next.
    turn: usize,
}

impl SourceReader for NexmarkReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        let count = self.stretches.len();
        let Some(turn) = (0..count).map(|step| (self.turn + step) % count).find(|&turn| !self.stretches[turn].is_finished()) else {
            // Of a source without an end one that has no splits waits, as others of it may have some.
            return if self.plan.count.is_some() { Poll::Ready(Ok(ReadStatus::End)) } else { Poll::Pending };
        };
        let (events, batch) = (&mut self.events, out.of(turn));
        let mut bytes = 0;
        self.stretches[turn].take(max_records, &self.plan, |place| {
            let event = events.at(place);
            batch.push(None, event.bytes, Some(event.time));
            bytes += event.bytes.len();
            bytes < POLL_BYTES
        });
        self.turn = turn + 1;
        Poll::Ready(Ok(if self.stretches.iter().all(Stretch::is_finished) { ReadStatus::End } else { ReadStatus::More }))
    }

    fn splits(&self) -> Vec<SplitState> {
        self.stretches.iter().map(|stretch| stretch.state(&self.plan)).collect()
    }

    fn is_finished(&self, split: usize) -> bool {
        self.stretches.get(split).is_none_or(Stretch::is_finished)
    }

    /// Without a count there is no end that it could be behind.
    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        for stretch in &self.stretches {
            let lag = stretch.left(&self.plan).map(|amount| SplitLag { amount, unit: LagUnit::Records });
            each(stretch.id(), lag);
        }
    }
}
