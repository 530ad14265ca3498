//! The rules of publishing, as a pure state machine: what happened goes in, what is to be done next comes out.
//!
//! One publisher for each sink, whatever its parallelism, and one thing at a time, so all of a checkpoint precedes all of the next. It takes over first,
//! *then* reads the markers, *then* publishes what is behind them. Whenever the outcome of anything is unknown it begins again with taking over:
//! what has come of it shows in the marker. Invariant: what is published is final, and begins at the record that the marker says, as it was
//! read or moved on since the last takeover.

use super::OutboxLedger;
use super::lineage::{MarkerBefore, Waiting, position};
use super::refusal::{MarkerDecision, Mismatch, Refusal};
use crate::checkpoint::{Marker, MarkerKey, StagedOutput};
use std::collections::BTreeSet;

/// Where the publisher is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// It has not taken over, or has lost what it had.
    Outside,
    /// It has, and the marker of this lineage has to be read.
    Reading(usize),
    /// The marker of this lineage has to be put in place.
    Setting {
        lineage: usize,
        marker: Marker,
        against: Option<Refusal>,
    },
    /// All markers are known.
    Publishing,
    Refused(Refusal),
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublisherAction {
    /// Keep every other publisher out.
    TakeOver,
    /// Read this marker.
    ReadMarker(MarkerKey),
    /// Put this marker in place.
    SetMarker {
        /// Which one.
        key: MarkerKey,
        /// Where.
        marker: Marker,
        /// What the user has decided against.
        against: Option<Refusal>,
    },
    /// Publish the records of these outputs from number `from` of the first one on, in any number of chunks.
    Publish(Publication),
    /// Nothing, until there is more.
    Wait,
    /// Stop: the user has to decide.
    Refuse(Refusal),
}

/// Output that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The marker that moves with it.
    pub key: MarkerKey,
    /// The outputs of one checkpoint after the other, one at least. A chunk may go on from one to the next.
    pub outputs: Vec<StagedOutput>,
    /// So many records of the first are published.
    pub from: u64,
}

/// So many outputs are offered at once at most: how long a chunk of small ones takes to be read is bounded.
const TOGETHER: usize = 64;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublisherEvent {
    /// Every other publisher is kept out.
    TakenOver,
    /// The marker as the target has it.
    MarkerRead(Option<Marker>),
    /// The marker is in place.
    MarkerSet,
    /// The marker is moved on to here, and what it covers is published.
    Published(Marker),
    /// Something failed, and its outcome is unknown.
    Lost,
}

/// The publisher of one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    ledger: OutboxLedger,
    /// Nonces of the attempts that the log has.
    attempts: BTreeSet<String>,
    decision: Option<MarkerDecision>,
    phase: Phase,
    /// The marker of the newest lineage is known to be in its target.
    has_marker: bool,
}

impl Publisher {
    /// A publisher of what waits in `ledger`. `attempts`: the nonces of all attempts that the log has.
    pub fn new(ledger: OutboxLedger, attempts: BTreeSet<String>, decision: Option<MarkerDecision>) -> Self {
        let has_marker = ledger.current().before == MarkerBefore::There;
        Self { ledger, attempts, decision, phase: Phase::Outside, has_marker }
    }

    /// What waits.
    pub fn ledger(&self) -> &OutboxLedger {
        &self.ledger
    }

    /// What waits, to be added to.
    pub fn ledger_mut(&mut self) -> &mut OutboxLedger {
        &mut self.ledger
    }

    /// True once the marker of the newest lineage has been seen in the target, or a checkpoint says that there is one. Until then no checkpoint of
    /// the lineage may complete.
    pub fn has_marker(&self) -> bool {
        self.has_marker
    }

    /// True while what the user has decided of this sink has not been followed.
    pub fn is_decided(&self) -> bool {
        self.decision.is_some()
    }

    /// True while it has taken over and knows every marker.
    pub fn is_publishing(&self) -> bool {
        self.phase == Phase::Publishing
    }

    /// What is to be done next.
    pub fn next(&self) -> PublisherAction {
        match &self.phase {
            Phase::Outside => PublisherAction::TakeOver,
            Phase::Reading(lineage) => PublisherAction::ReadMarker(self.ledger.lineages[*lineage].key.clone()),
            Phase::Setting { lineage, marker, against } => PublisherAction::SetMarker {
                key: self.ledger.lineages[*lineage].key.clone(),
                marker: marker.clone(),
                against: against.clone(),
            },
            Phase::Publishing => self.publication().map_or(PublisherAction::Wait, PublisherAction::Publish),
            Phase::Refused(refusal) => PublisherAction::Refuse(refusal.clone()),
        }
    }

    /// The oldest outputs, as far as they are final and of one lineage: another's come in the order of their checkpoints.
    fn publication(&self) -> Option<Publication> {
        let place = self.ledger.oldest()?;
        let others = self.ledger.lineages.iter().enumerate().filter(|(other, _)| *other != place);
        let end = others.filter_map(|(other, lineage)| Some((lineage.oldest()?, other))).min();
        let lineage = &self.ledger.lineages[place];
        let is_next = |waiting: &&Waiting| waiting.is_final && end.is_none_or(|end| (waiting.output.checkpoint_id, place) < end);
        let waiting = lineage.outputs.iter().take_while(is_next).take(TOGETHER);
        let outputs: Vec<StagedOutput> = waiting.map(|waiting| waiting.output.clone()).collect();
        let from = lineage.published_of(outputs.first()?);
        Some(Publication { key: lineage.key.clone(), outputs, from })
    }

    /// Something has happened.
    pub fn on(&mut self, event: PublisherEvent) {
        self.phase = match (std::mem::replace(&mut self.phase, Phase::Outside), event) {
            (Phase::Refused(refusal), _) => Phase::Refused(refusal),
            (_, PublisherEvent::Lost) => Phase::Outside,
            (_, PublisherEvent::TakenOver) => Phase::Reading(0),
            (Phase::Reading(lineage), PublisherEvent::MarkerRead(found)) => self.read(lineage, found),
            (Phase::Setting { lineage, marker, .. }, PublisherEvent::MarkerSet) => self.known(lineage, marker),
            (Phase::Publishing, PublisherEvent::Published(marker)) => {
                self.published(marker);
                Phase::Publishing
            }
            (phase, event) => unreachable!("{event:?} in {phase:?}: the publisher has not asked for it"),
        };
    }

    fn read(&mut self, lineage: usize, found: Option<Marker>) -> Phase {
        let of = &self.ledger.lineages[lineage];
        let set = |marker, against| Phase::Setting { lineage, marker, against };
        match (self.mismatch(lineage, found.as_ref()), found, of.before) {
            (None, _, MarkerBefore::Elsewhere) => set(of.published.clone(), None),
            (None, None, MarkerBefore::NotYet | MarkerBefore::There) => set(Marker::default(), None),
            (None, Some(found), MarkerBefore::NotYet | MarkerBefore::There) => self.known(lineage, found),
            (Some(why), found, _) => {
                let refusal = Refusal { key: of.key.clone(), known: of.published.clone(), found, why };
                match self.decision {
                    Some(decision) => set(self.decided(lineage, decision), Some(refusal)),
                    None => Phase::Refused(refusal),
                }
            }
        }
    }

    /// How a marker does not fit what is known.
    fn mismatch(&self, lineage: usize, found: Option<&Marker>) -> Option<Mismatch> {
        let lineage = &self.ledger.lineages[lineage];
        let known = &lineage.published;
        let Some(found) = found else { return (lineage.before == MarkerBefore::There).then_some(Mismatch::Missing) };
        if found == known {
            return None;
        }
        let in_log = self.attempts.contains(&found.attempt_nonce);
        // What was given up may have been published by the attempt that staged it.
        let given_up = in_log && found.checkpoint_id <= self.ledger.published_before;
        if lineage.before == MarkerBefore::Elsewhere {
            // What the target has from before the job went elsewhere is behind what is known, or at zero.
            let from_before = (in_log || *found == Marker::default()) && position(found) < position(known);
            return (!from_before && !given_up).then_some(Mismatch::OfAnother);
        }
        let unknown = |otherwise| if in_log { otherwise } else { Mismatch::NotInTheLog };
        if position(found) < position(known) {
            return Some(Mismatch::Behind);
        }
        match lineage.outputs.iter().find(|waiting| waiting.output.checkpoint_id == found.checkpoint_id) {
            Some(waiting) if waiting.output.attempt_nonce != found.attempt_nonce => Some(Mismatch::NotInTheLog),
            Some(waiting) if !waiting.is_final || found.records > waiting.output.records() => Some(unknown(Mismatch::Ahead)),
            Some(_) => None,
            None if given_up => None,
            None if lineage.newest_final().is_some_and(|newest| newest.checkpoint_id > found.checkpoint_id) => Some(Mismatch::NotInTheLog),
            None => Some(unknown(Mismatch::Ahead)),
        }
    }

    /// Where the marker is put by the user's decision.
    fn decided(&self, lineage: usize, decision: MarkerDecision) -> Marker {
        let lineage = &self.ledger.lineages[lineage];
        let finals = || lineage.outputs.iter().filter(|waiting| waiting.is_final).map(|waiting| &waiting.output);
        let marker = match decision {
            MarkerDecision::Republish => finals().next().map(|first| first.marker(0)),
            MarkerDecision::AssumePublished => finals().next_back().map(|last| last.marker(last.records())),
        };
        marker.unwrap_or_else(|| lineage.published.clone())
    }

    /// The marker of a lineage is known.
    fn known(&mut self, lineage: usize, marker: Marker) -> Phase {
        self.ledger.lineages[lineage].advance_to(marker);
        if lineage + 1 < self.ledger.lineages.len() {
            return Phase::Reading(lineage + 1);
        }
        self.has_marker = true;
        // A decision is about what was found at the first takeover.
        self.decision = None;
        self.ledger.drop_done();
        Phase::Publishing
    }

    fn published(&mut self, marker: Marker) {
        let place = self.ledger.oldest().expect("what is published was waiting");
        let lineage = &mut self.ledger.lineages[place];
        let waited = lineage.outputs.iter().any(|waiting| {
            waiting.is_final
                && waiting.output.checkpoint_id == marker.checkpoint_id
                && (1..=waiting.output.records()).contains(&marker.records)
        });
        assert!(waited && position(&lineage.published) < position(&marker), "{marker} is published after {}", lineage.published);
        lineage.advance_to(marker);
        self.ledger.drop_done();
    }
}
