//! What waits of one sink's output, and how far it is known to be published. Pure.
//!
//! Output is in here from the moment its checkpoint is complete, and is published once that is final: accepted, where it was on trial. It leaves when it
//! is known to be published. Invariants: outputs stand in the order of their checkpoints, those of older lineages first; what is final stands in
//! front of what is not; a lineage's marker is never known to be behind an output that has left.

use crate::checkpoint::{LineageOutput, Marker, MarkerKey, OutboxSnapshot, StagedOutput};
use crate::element::CheckpointId;
use std::collections::{BTreeSet, VecDeque};

/// What is known of a lineage's marker before the target has been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerBefore {
    /// No checkpoint of the lineage is complete with this sink in it: there is none yet, or one at zero.
    NotYet,
    /// A complete checkpoint says that there is one.
    There,
    /// There is one in another target. All output up to now went there.
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

/// The output of one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxLedger {
    sink: String,
    target: serde_json::Value,
    /// Oldest first. The last is the one that output is added to.
    pub(super) lineages: Vec<LineageLedger>,
}

impl LineageLedger {
    fn of(output: LineageOutput, before: MarkerBefore) -> Self {
        let outputs = output.unpublished.into_iter().map(|output| Waiting { output, is_final: true }).collect();
        Self { key: output.key, before, published: output.published, outputs }
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
}

impl OutboxLedger {
    /// The ledger of a sink that goes on in the lineage of a complete checkpoint, which has this of it.
    pub fn restored(snapshot: OutboxSnapshot) -> Self {
        let lineages = snapshot.lineages.into_iter().map(|lineage| LineageLedger::of(lineage, MarkerBefore::There)).collect();
        Self { sink: snapshot.sink, target: snapshot.target, lineages }
    }

    /// The ledger of a sink that begins in the lineage of `key`. `older`: what earlier lineages hold of it as final.
    pub fn beginning(sink: &str, target: serde_json::Value, key: MarkerKey, older: Option<OutboxSnapshot>) -> Self {
        let older = older.into_iter().flat_map(|snapshot| snapshot.lineages).filter(|lineage| !lineage.unpublished.is_empty());
        let mut lineages: Vec<_> = older.map(|lineage| LineageLedger::of(lineage, MarkerBefore::There)).collect();
        lineages.push(LineageLedger { key, before: MarkerBefore::NotYet, published: Marker::default(), outputs: VecDeque::new() });
        Self { sink: sink.to_owned(), target, lineages }
    }

    /// The same under the sink's name of now.
    pub fn named(mut self, sink: &str) -> Self {
        sink.clone_into(&mut self.sink);
        self
    }

    /// The same for another target, which is to take over where everything is published.
    pub fn moved_to(mut self, target: serde_json::Value) -> Self {
        self.target = target;
        self.lineages.iter_mut().for_each(|lineage| lineage.before = MarkerBefore::Elsewhere);
        self
    }

    /// The sink's id.
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// The sink's name in its markers.
    pub fn marker_name(&self) -> &str {
        &self.current().key.sink
    }

    fn current(&self) -> &LineageLedger {
        self.lineages.last().expect("a ledger has the lineage that it belongs to")
    }

    /// What a checkpoint says of the sink that is complete as soon as the log has it, and for which the sink has staged `output`.
    pub fn snapshot(&self, output: Option<&StagedOutput>) -> OutboxSnapshot {
        let of = |lineage: &LineageLedger| LineageOutput {
            key: lineage.key.clone(),
            published: lineage.published.clone(),
            unpublished: lineage.outputs.iter().map(|waiting| waiting.output.clone()).collect(),
        };
        let mut lineages: Vec<_> = self.lineages.iter().map(of).collect();
        if let Some(current) = lineages.last_mut() {
            current.unpublished.extend(output.cloned());
        }
        OutboxSnapshot { sink: self.sink.clone(), target: self.target.clone(), lineages }
    }

    /// The log says that the checkpoint of `output` is complete.
    pub fn on_complete(&mut self, output: StagedOutput) {
        let current = self.lineages.last_mut().expect("a ledger has the lineage that it belongs to");
        let newest = current.outputs.back().map_or(current.published.checkpoint_id, |waiting| waiting.output.checkpoint_id);
        assert!(output.checkpoint_id > newest, "{}: output of checkpoint {} behind that of {newest}", self.sink, output.checkpoint_id);
        current.outputs.push_back(Waiting { output, is_final: false });
    }

    /// Every complete checkpoint up to this one is final.
    pub fn on_final(&mut self, up_to: CheckpointId) {
        let waiting = self.lineages.iter_mut().flat_map(|lineage| &mut lineage.outputs);
        waiting.filter(|waiting| waiting.output.checkpoint_id <= up_to).for_each(|waiting| waiting.is_final = true);
    }

    /// An older lineage has nothing left to wait for.
    pub(super) fn drop_done(&mut self) {
        let current = self.lineages.len() - 1;
        let mut place = 0;
        self.lineages.retain(|lineage| {
            place += 1;
            place > current || !lineage.outputs.is_empty()
        });
    }

    /// Bytes of all output of complete checkpoints that waits.
    pub fn unpublished_bytes(&self) -> u64 {
        self.waiting().map(|waiting| waiting.output.bytes()).sum()
    }

    /// Checkpoints whose output waits.
    pub fn unpublished(&self) -> BTreeSet<CheckpointId> {
        self.waiting().map(|waiting| waiting.output.checkpoint_id).collect()
    }

    /// True where no output of a checkpoint up to this one waits.
    pub fn is_published_up_to(&self, checkpoint_id: CheckpointId) -> bool {
        self.waiting().all(|waiting| waiting.output.checkpoint_id > checkpoint_id)
    }

    fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.lineages.iter().flat_map(|lineage| &lineage.outputs)
    }
}
