//! The outboxes of one attempt, as its parts share them: the log writer adds what is complete, the attempt says what is final and asks what it has to wait
//! for.

use super::Outbox;
use super::shared::OutboxStatus;
use crate::checkpoint::{OutboxSnapshot, StagedOutput};
use crate::element::CheckpointId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The outboxes of one attempt.
#[derive(Default)]
pub struct Outboxes {
    /// By the sink's place in the graph.
    sinks: BTreeMap<usize, Arc<Outbox>>,
    /// What is known of sinks that the job does not have at present. Nothing of them waits; it is kept for when they come back.
    absent: Vec<OutboxSnapshot>,
}

impl Outboxes {
    /// Of these sinks, by their place in the graph, and what is known of others.
    pub fn new(sinks: BTreeMap<usize, Arc<Outbox>>, absent: Vec<OutboxSnapshot>) -> Self {
        Self { sinks, absent }
    }

    /// True where no sink has one.
    pub fn is_empty(&self) -> bool {
        self.sinks.is_empty()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Outbox>> {
        self.sinks.values()
    }

    /// The one of the sink at this place.
    pub fn of(&self, vertex: usize) -> Option<&Arc<Outbox>> {
        self.sinks.get(&vertex)
    }

    /// What a checkpoint says of them for which these sinks have staged output.
    pub fn snapshots(&self, outputs: &BTreeMap<usize, StagedOutput>) -> Vec<OutboxSnapshot> {
        let present = self.sinks.iter().map(|(vertex, outbox)| outbox.snapshot(outputs.get(vertex)));
        present.chain(self.absent.iter().cloned()).collect()
    }

    /// The log says that the checkpoint of these outputs is complete, since then (ms since the Unix epoch).
    pub fn on_complete(&self, outputs: BTreeMap<usize, StagedOutput>, completed_ms: i64) {
        for (vertex, output) in outputs {
            self.sinks[&vertex].on_complete(output, completed_ms);
        }
    }

    /// Every complete checkpoint up to this one is final: what is staged of it is published from now on.
    pub fn on_final(&self, up_to: CheckpointId) {
        self.all().for_each(|outbox| outbox.on_final(up_to));
    }

    /// Sinks whose target is not known to have a marker of this lineage: no checkpoint may complete yet.
    pub fn without_marker(&self) -> Vec<&str> {
        self.all().filter(|outbox| !outbox.has_marker()).map(|outbox| outbox.sink()).collect()
    }

    /// Sinks with output of checkpoints up to this one that is not published.
    pub fn unpublished(&self, up_to: CheckpointId) -> Vec<&str> {
        self.all().filter(|outbox| !outbox.is_published_up_to(up_to)).map(|outbox| outbox.sink()).collect()
    }

    /// A sink of which as much waits as may.
    pub fn full(&self) -> Option<&str> {
        self.all().find(|outbox| outbox.is_full()).map(|outbox| outbox.sink())
    }

    /// True where sinks stop behind their next barrier, or have stopped.
    pub fn stop_sinks(&self) -> bool {
        self.full().is_some() || !self.without_marker().is_empty()
    }

    /// What sinks stop for behind their next barrier, by name, and why their targets were not reached. `None`: none does.
    pub fn what_stops_sinks(&self) -> Option<String> {
        listed(self.all().filter_map(|outbox| outbox.what_stops_it()))
    }

    /// What waits to be published of checkpoints up to this one, by sink, and why their targets were not reached. `None`: nothing.
    pub fn what_waits(&self, up_to: CheckpointId) -> Option<String> {
        listed(self.all().filter_map(|outbox| outbox.what_waits(up_to)))
    }

    /// What is shown of them.
    pub fn status(&self) -> Vec<OutboxStatus> {
        self.all().map(|outbox| outbox.status()).collect()
    }
}

fn listed(some: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = some.collect();
    (!all.is_empty()).then(|| all.join("; "))
}
