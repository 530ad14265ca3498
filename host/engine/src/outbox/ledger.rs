//! What waits of one sink's output, and how far it is known to be published. Pure.
//!
//! Output is in here from the moment its checkpoint is complete, and is published once that is final: accepted, where it was on trial. It leaves when it
//! is known to be published. Invariants: output is published in the order of its checkpoints, whatever lineage they are of (their ids rise over all of
//! them, so a lineage that is gone on with publishes what another has left behind where it belongs); what is final stands in front of what is
//! not; a lineage's marker is never known to be behind an output that has left.

use super::OutboxRoom;
use super::lineage::{LineageLedger, MarkerBefore, Waiting};
use crate::checkpoint::{MarkerKey, OutboxSnapshot, StagedOutput};
use crate::element::CheckpointId;
use std::collections::BTreeSet;

/// The output of one sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxLedger {
    sink: String,
    target: serde_json::Value,
    /// The last is the one that output is added to; of the others something waits.
    pub(super) lineages: Vec<LineageLedger>,
    /// The newest checkpoint of which output is published in a lineage that is not in here any more, or was given up, and may be published.
    pub(super) published_before: CheckpointId,
}

impl OutboxLedger {
    /// The ledger of a sink in the lineage of `key`, which knows of no output before it.
    pub fn new(sink: &str, target: serde_json::Value, key: MarkerKey) -> Self {
        let lineages = vec![LineageLedger::beginning(key)];
        Self { sink: sink.to_owned(), target, lineages, published_before: CheckpointId(0) }
    }

    /// The same that knows what a complete checkpoint has of the sink, in this target: the newest of all, and of an older one of this lineage what that has of the
    /// lineage itself (of others the newest knows better: their markers may have moved on since). What it has of others is published as well.
    pub fn with(mut self, snapshot: OutboxSnapshot) -> Self {
        self.published_before = self.published_before.max(snapshot.published_before);
        for output in snapshot.lineages {
            let place = self.lineages.iter().position(|lineage| lineage.key == output.key).unwrap_or_else(|| {
                self.lineages.insert(0, LineageLedger::beginning(output.key.clone()));
                0
            });
            self.lineages[place].learn(output);
        }
        self.drop_done();
        self
    }

    /// The same that knows what a complete checkpoint has of the sink in another target, where nothing of it waits: all output up to now went there.
    pub fn moved_from(mut self, snapshot: &OutboxSnapshot) -> Self {
        let current = self.current_mut();
        if let Some(was) = snapshot.lineages.iter().find(|lineage| lineage.key == current.key)
            && current.before == MarkerBefore::NotYet
        {
            (current.before, current.published) = (MarkerBefore::Elsewhere, was.published.clone());
        }
        self.published_before = self.published_before.max(snapshot.newest_output());
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

    pub(super) fn current(&self) -> &LineageLedger {
        self.lineages.last().expect("a ledger is made with the lineage that it belongs to")
    }

    fn current_mut(&mut self) -> &mut LineageLedger {
        self.lineages.last_mut().expect("a ledger is made with the lineage that it belongs to")
    }

    /// What a checkpoint says of the sink that is complete as soon as the log has it, and for which the sink has staged `output`.
    pub fn snapshot(&self, output: Option<&StagedOutput>) -> OutboxSnapshot {
        let mut lineages: Vec<_> = self.lineages.iter().map(LineageLedger::output).collect();
        if let Some(current) = lineages.last_mut() {
            current.unpublished.extend(output.cloned());
        }
        OutboxSnapshot { sink: self.sink.clone(), target: self.target.clone(), lineages, published_before: self.published_before }
    }

    /// The log says that the checkpoint of `output` is complete.
    pub fn on_complete(&mut self, output: StagedOutput) {
        let current = self.current();
        let newest = current.outputs.back().map_or(current.published.checkpoint_id, |waiting| waiting.output.checkpoint_id);
        assert!(output.checkpoint_id > newest, "{}: output of checkpoint {} behind that of {newest}", self.sink, output.checkpoint_id);
        self.current_mut().outputs.push_back(Waiting { output, is_final: false });
    }

    /// Every complete checkpoint up to this one is final.
    pub fn on_final(&mut self, up_to: CheckpointId) {
        let waiting = self.lineages.iter_mut().flat_map(|lineage| &mut lineage.outputs);
        waiting.filter(|waiting| waiting.output.checkpoint_id <= up_to).for_each(|waiting| waiting.is_final = true);
    }

    /// The lineage of the oldest output that waits.
    pub(super) fn oldest(&self) -> Option<usize> {
        let waiting = self.lineages.iter().enumerate().filter_map(|(place, lineage)| Some((lineage.oldest()?, place)));
        waiting.min().map(|(_, place)| place)
    }

    /// Another lineage has nothing left to wait for.
    pub(super) fn drop_done(&mut self) {
        let current = self.current().key.clone();
        let done = |lineage: &mut LineageLedger| lineage.outputs.is_empty() && lineage.key != current;
        let newest = self.lineages.extract_if(.., done).map(|lineage| lineage.published.checkpoint_id).max();
        self.published_before = self.published_before.max(newest.unwrap_or_default());
    }

    /// How much room the output of complete checkpoints takes that waits.
    pub fn waiting_room(&self) -> OutboxRoom {
        let add = |room: OutboxRoom, waiting: &Waiting| OutboxRoom {
            bytes: room.bytes.saturating_add(waiting.output.bytes()),
            objects: room.objects.saturating_add(waiting.output.objects.len() as u64),
        };
        self.waiting().fold(OutboxRoom { bytes: 0, objects: 0 }, add)
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
