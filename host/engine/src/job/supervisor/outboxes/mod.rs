//! What a start takes over of the outboxes of the runs before it: what is staged and final is published, whatever the job has become meanwhile, or the
//! start is refused; it is never dropped unless the user gives it up.
//!
//! Invariant: the newest completed checkpoint of the log, of whatever lineage, lists all output that is final and not known to be published. Every
//! start takes over what that one lists, beside what its own lineage knows of its markers, and its first checkpoint lists it again.

mod listed;
mod refusals;

use crate::checkpoint::{MarkerKey, OutboxSnapshot};
use crate::element::{AttemptId, CheckpointId};
use crate::error::EngineError;
use crate::job::VertexKind;
use crate::job::history::History;
use crate::job::history::start::Start;
use crate::job::supervisor::Supervisor;
use crate::job::supervisor::resume::Restored;
use crate::outbox::{Outbox, OutboxLedger, OutboxRoom, OutboxTarget, Outboxes, target_identity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is taken over.
#[derive(Default)]
pub(in crate::job) struct StagedBefore {
    /// What checkpoints have of each sink, by its place in the graph. Of another target than the sink's nothing waits.
    sinks: BTreeMap<usize, Vec<OutboxSnapshot>>,
    /// What is known of sinks that the job does not have at present, by their ids. Nothing of them waits.
    absent: BTreeMap<String, OutboxSnapshot>,
    /// The checkpoints that list it, and everything that these consist of.
    pub kept: BTreeMap<CheckpointId, BTreeSet<String>>,
}

/// The sinks of a graph that have an outbox, by their place.
type OutboxSinks<'a> = BTreeMap<usize, OutboxOf<'a>>;

/// A sink that has an outbox.
struct OutboxOf<'a> {
    id: &'a str,
    target: Arc<dyn OutboxTarget>,
}

impl Supervisor {
    fn outbox_sinks(&self) -> OutboxSinks<'_> {
        let targets = self.graph.vertices.iter().enumerate().filter_map(|(place, vertex)| match &vertex.kind {
            VertexKind::Sink(sink) => Some((place, OutboxOf { id: &vertex.id, target: sink.outbox()? })),
            VertexKind::Operator(_) | VertexKind::Source { .. } => None,
        });
        targets.collect()
    }

    /// Finds what is staged of the runs before, and refuses a start that would lose it, or publish it twice, without being told to.
    pub(in crate::job) async fn staged_before(
        &self,
        start: &Start,
        restored: &Restored,
        history: &History,
    ) -> Result<StagedBefore, EngineError> {
        let sinks = self.outbox_sinks();
        let listed = self.listed(start, restored, history, !sinks.is_empty()).await?;
        self.refuse_repeats(start, restored, history, &listed)?;
        let mut before = StagedBefore::default();
        for metadata in listed {
            if !sinks.is_empty() {
                before.kept.insert(metadata.checkpoint_id, metadata.objects());
            }
            for section in metadata.outboxes {
                self.take_over(section, &sinks, &mut before)?;
            }
        }
        refusals::refuse_shared_names(&sinks, &before)?;
        Ok(before)
    }

    fn take_over(&self, section: OutboxSnapshot, sinks: &OutboxSinks<'_>, before: &mut StagedBefore) -> Result<(), EngineError> {
        let waits = section.unpublished().next().is_some();
        match sinks.iter().find(|(_, sink)| self.goes_on_as(&section.sink, sink.id)) {
            Some((place, sink)) if !waits || target_identity(&*sink.target) == section.target => {
                before.sinks.entry(*place).or_default().push(section);
            }
            Some((place, _)) => {
                self.give_up(&section, "its target is another one now")?;
                before.sinks.entry(*place).or_default().push(section.without_output());
            }
            None => {
                if waits {
                    self.give_up(&section, "the job has no such sink any more")?;
                }
                before.keep(section.without_output());
            }
        }
        Ok(())
    }

    /// True where the sink with this id is what was called `was` in a checkpoint.
    fn goes_on_as(&self, was: &str, id: &str) -> bool {
        let has = |name: &str| self.graph.vertices.iter().any(|vertex| vertex.id == name);
        id == was || (!has(was) && self.options.restore.renames.get(id).is_some_and(|named| named == was))
    }

    /// The outboxes of an attempt that the log has.
    pub(in crate::job) fn outboxes(&self, before: &StagedBefore, lineage: AttemptId, log: &str, history: &History) -> Outboxes {
        let nonce = history.lineage(lineage).map(|lineage| lineage.nonce.clone()).unwrap_or_default();
        let attempts: BTreeSet<String> = history.nonces.iter().cloned().collect();
        let of = |(place, OutboxOf { id, target }): (usize, OutboxOf<'_>)| {
            let (identity, sections) = (target_identity(&*target), before.sinks.get(&place).map_or(&[][..], Vec::as_slice));
            // The name stays, and with it what keeps older publishers out.
            let name = sections.first().map_or(id, OutboxSnapshot::marker_name);
            let key = MarkerKey { log: log.to_owned(), lineage: nonce.clone(), sink: name.to_owned() };
            let (same, other): (Vec<_>, Vec<_>) = sections.iter().partition(|section| section.target == identity);
            let ledger = same.into_iter().cloned().fold(OutboxLedger::new(id, identity, key), OutboxLedger::with);
            let ledger = other.into_iter().fold(ledger, OutboxLedger::moved_from);
            let bytes = target.max_unpublished().unwrap_or(self.options.outbox.room.bytes);
            let room = OutboxRoom { bytes, ..self.options.outbox.room };
            let outbox = Outbox::new(target, ledger, attempts.clone(), self.decisions.clone(), room);
            (place, Arc::new(outbox))
        };
        Outboxes::new(self.outbox_sinks().into_iter().map(of).collect(), before.absent.values().cloned().collect())
    }
}

impl StagedBefore {
    /// Keeps what is known of a sink that the job does not have. What the lineage itself knows, which comes first, is what its markers are compared with.
    fn keep(&mut self, section: OutboxSnapshot) {
        let newest = section.newest_output();
        let kept = self.absent.entry(section.sink.clone()).or_insert(section);
        kept.published_before = kept.published_before.max(newest);
    }

    fn sections(&self) -> impl Iterator<Item = &OutboxSnapshot> {
        self.sinks.values().flatten().chain(self.absent.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lineage of a sink that the job does not have has published up to checkpoint `published_before`.
    fn section(target: &str, published_before: u64) -> OutboxSnapshot {
        OutboxSnapshot { sink: "out".into(), target: target.into(), lineages: Vec::new(), published_before: CheckpointId(published_before) }
    }

    #[test]
    fn of_a_sink_that_is_out_of_the_job_the_newest_output_of_any_lineage_is_remembered() {
        for (own, others, newest) in [(3, [9, 5], 9), (9, [3, 5], 9), (0, [0, 0], 0)] {
            let mut before = StagedBefore::default();
            before.keep(section("own", own));
            others.into_iter().for_each(|other| before.keep(section("another", other)));
            let kept: Vec<_> = before.absent.values().map(|kept| (&kept.target, kept.published_before.0)).collect();
            assert_eq!(kept, [(&"own".into(), newest)], "{own} {others:?}");
        }
    }
}
