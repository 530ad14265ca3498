//! What a checkpoint holds of the output of outbox sinks: what is staged and not known to be published, and how far publishing is known to be.
//!
//! It is a section of the metadata, one entry for each sink. The records themselves are in objects of their own (`staged.rs`). All output of a sink
//! that waits is listed in every checkpoint until it is published, so the objects of a checkpoint are all that a later run needs to go on.

use super::StateHandle;
use crate::element::CheckpointId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Which marker of a target is meant. Both nonces are drawn at random: numbers do not do, because a storage that was deleted counts from 1 again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkerKey {
    /// The nonce of the job's log.
    pub log: String,
    /// The nonce of the lineage.
    pub lineage: String,
    /// The sink's id when its outbox began in this lineage. A sink that is renamed keeps it.
    pub sink: String,
}

impl fmt::Display for MarkerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.log, self.lineage, self.sink)
    }
}

/// How far the output of a lineage has been published. The target keeps it, and moves it on in the transaction that publishes the records. Records
/// are counted and not chunks, because a restart may cut other chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// The newest checkpoint of which something is published; 0 before the first.
    pub checkpoint_id: CheckpointId,
    /// The nonce of the attempt that took it; empty before the first.
    pub attempt_nonce: String,
    /// So many records of that checkpoint are published, from its first on.
    pub records: u64,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.checkpoint_id {
            CheckpointId(0) => f.write_str("nothing"),
            checkpoint_id => write!(f, "{} records of checkpoint {checkpoint_id} of attempt {}", self.records, self.attempt_nonce),
        }
    }
}

/// An object with staged records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagedObject {
    /// Where it is.
    pub handle: StateHandle,
    /// Number of records in it.
    pub records: u64,
}

/// What one sink wrote for one checkpoint. A checkpoint without records of the sink has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagedOutput {
    /// The checkpoint.
    pub checkpoint_id: CheckpointId,
    /// The nonce of the attempt that took it.
    pub attempt_nonce: String,
    /// Its objects, in the order in which they are published.
    pub objects: Vec<StagedObject>,
}

impl StagedOutput {
    /// Number of records.
    pub fn records(&self) -> u64 {
        self.objects.iter().map(|object| object.records).sum()
    }

    /// Bytes of the objects.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.handle.bytes).sum()
    }

    /// Where the marker is once so many records of it are published.
    pub fn marker(&self, records: u64) -> Marker {
        Marker { checkpoint_id: self.checkpoint_id, attempt_nonce: self.attempt_nonce.clone(), records }
    }
}

/// What waits of one lineage's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineageOutput {
    /// Its marker's name.
    pub key: MarkerKey,
    /// What is known to be published.
    pub published: Marker,
    /// What is not, oldest first.
    pub unpublished: Vec<StagedOutput>,
}

/// One outbox sink's part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboxSnapshot {
    /// The sink's id.
    pub sink: String,
    /// What tells its target from others: another one has no marker of this job.
    pub target: serde_json::Value,
    /// The last is the lineage of the checkpoint; of the others in front of it only what waits is left.
    pub lineages: Vec<LineageOutput>,
    /// The newest checkpoint of which output is published in a lineage that is not listed any more, or was given up, and may be published; 0 where there is
    /// none. A start from something older repeats it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub published_before: CheckpointId,
}

fn is_none(checkpoint_id: &CheckpointId) -> bool {
    *checkpoint_id == CheckpointId(0)
}

impl OutboxSnapshot {
    /// Every output that is not known to be published, oldest first.
    pub fn unpublished(&self) -> impl Iterator<Item = &StagedOutput> {
        self.lineages.iter().flat_map(|lineage| &lineage.unpublished)
    }

    /// The newest checkpoint of which output is published, or waits to be.
    pub fn newest_output(&self) -> CheckpointId {
        let published = self.lineages.iter().map(|lineage| lineage.published.checkpoint_id);
        published.chain(self.unpublished().map(|output| output.checkpoint_id)).fold(self.published_before, CheckpointId::max)
    }

    /// The sink's name in its markers.
    pub fn marker_name(&self) -> &str {
        self.lineages.last().map_or(&self.sink, |lineage| &lineage.key.sink)
    }

    /// The same without what it has of other lineages than the one with this nonce; `None`: that is nothing.
    pub(crate) fn of_lineage(mut self, nonce: &str) -> Option<Self> {
        self.lineages.retain(|lineage| lineage.key.lineage == nonce);
        (!self.lineages.is_empty()).then_some(self)
    }

    /// The same once everything that it lists is published.
    pub(crate) fn all_published(mut self) -> Self {
        for lineage in &mut self.lineages {
            if let Some(last) = std::mem::take(&mut lineage.unpublished).last() {
                lineage.published = last.marker(last.records());
            }
        }
        self
    }

    /// The same without what waits, which is given up. Some of it may be published all the same, behind the checkpoint that lists it.
    pub(crate) fn without_output(mut self) -> Self {
        self.published_before = self.newest_output();
        self.lineages.iter_mut().for_each(|lineage| lineage.unpublished.clear());
        self
    }

    /// What is wrong with it as a part of the checkpoint with this id. What was read may be of any make: whoever publishes relies on all of this.
    pub(super) fn problem(&self, checkpoint_id: CheckpointId) -> Option<String> {
        let of_sink = |what: String| Some(format!("the output of sink `{}`: {what}", self.sink));
        if self.lineages.is_empty() {
            return of_sink("it belongs to no lineage".to_owned());
        }
        let (mut keys, mut objects, mut bytes) = (BTreeSet::new(), 0_u64, 0_u64);
        for lineage in &self.lineages {
            if !keys.insert(&lineage.key) {
                return of_sink(format!("the lineage of marker {} is in it twice", lineage.key));
            }
            if let Some(what) = lineage.problem(checkpoint_id) {
                return of_sink(what);
            }
        }
        for object in self.unpublished().flat_map(|output| &output.objects) {
            (objects, bytes) = (objects.saturating_add(object.records), bytes.saturating_add(object.handle.bytes));
        }
        (objects == u64::MAX || bytes == u64::MAX).then(|| of_sink("more records or bytes than can be".to_owned())).flatten()
    }
}

impl LineageOutput {
    fn problem(&self, checkpoint_id: CheckpointId) -> Option<String> {
        // Of the first one a part may be published.
        let (mut before, mut in_part) = (self.published.checkpoint_id, Some(self.published.records));
        for output in &self.unpublished {
            let records = output.objects.iter().fold(0_u64, |sum, object| sum.saturating_add(object.records));
            let id = output.checkpoint_id;
            if id > checkpoint_id {
                return Some(format!("checkpoint {id} waits, which is newer than the one that says so"));
            }
            let is_behind = id > before || (id == before && in_part.is_some_and(|published| published < records));
            if !is_behind || records == 0 || is_none(&id) {
                return Some(format!("checkpoint {id} waits, and nothing of it can"));
            }
            (before, in_part) = (id, None);
        }
        None
    }
}
