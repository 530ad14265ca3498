//! What waits of one lineage's output, and how far its marker is known to be.

use crate::checkpoint::{LineageOutput, Marker, MarkerKey, StagedOutput};
use crate::element::CheckpointId;
use std::collections::VecDeque;

/// What is known of a lineage's marker before the target has been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerBefore {
    /// No checkpoint of the lineage is complete with this sink in it: there is none yet, or one at zero.
    NotYet,
    /// A complete checkpoint says that there is one.
    There,
    /// There is one in another target. All output up to now went there; this one may have one of the time before.
    Elsewhere,
}

/// One lineage's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineageLedger {
    pub key: MarkerKey,
    pub before: MarkerBefore,
    /// The marker as it was last known.
    pub published: Marker,
    pub outputs: VecDeque<Waiting>,
}

/// Output that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub output: StagedOutput,
    pub is_final: bool,
}

impl LineageLedger {
    /// The ledger of a lineage that no checkpoint is complete of.
    pub fn beginning(key: MarkerKey) -> Self {
        Self { key, before: MarkerBefore::NotYet, published: Marker::default(), outputs: VecDeque::new() }
    }

    /// Learns what a complete checkpoint has of it. Two may say something: one of its own, and a newer one of another lineage, which has published some of it in
    /// between, or all, and lists what is left. Output that only one of them lists waits all the same: whether it is published, the marker says.
    pub fn learn(&mut self, output: LineageOutput) {
        self.before = MarkerBefore::There;
        let known = |waiting: &Waiting, id| waiting.output.checkpoint_id == id;
        for output in output.unpublished {
            let place = self.outputs.partition_point(|waiting| waiting.output.checkpoint_id < output.checkpoint_id);
            if !self.outputs.get(place).is_some_and(|there| known(there, output.checkpoint_id)) {
                self.outputs.insert(place, Waiting { output, is_final: true });
            }
        }
        let further = position(&output.published) > position(&self.published);
        let published = if further { output.published } else { self.published.clone() };
        self.advance_to(published);
    }

    /// The marker is known to be there: what it covers is published.
    pub fn advance_to(&mut self, marker: Marker) {
        while let Some(first) = self.outputs.front() {
            let covered = first.output.checkpoint_id < marker.checkpoint_id
                || (first.output.checkpoint_id == marker.checkpoint_id && first.output.records() <= marker.records);
            if !covered {
                break;
            }
            self.outputs.pop_front();
        }
        self.published = marker;
        self.before = MarkerBefore::There;
    }

    /// How many records of `output` are published.
    pub fn published_of(&self, output: &StagedOutput) -> u64 {
        if output.checkpoint_id == self.published.checkpoint_id { self.published.records } else { 0 }
    }

    pub fn newest_final(&self) -> Option<&StagedOutput> {
        self.outputs.iter().rev().find(|waiting| waiting.is_final).map(|waiting| &waiting.output)
    }

    /// The checkpoint of the oldest output that waits.
    pub fn oldest(&self) -> Option<CheckpointId> {
        self.outputs.front().map(|waiting| waiting.output.checkpoint_id)
    }

    /// As a checkpoint has it.
    pub fn output(&self) -> LineageOutput {
        let unpublished = self.outputs.iter().map(|waiting| waiting.output.clone()).collect();
        LineageOutput { key: self.key.clone(), published: self.published.clone(), unpublished }
    }
}

/// Where a marker is.
pub(super) fn position(marker: &Marker) -> (CheckpointId, u64) {
    (marker.checkpoint_id, marker.records)
}
