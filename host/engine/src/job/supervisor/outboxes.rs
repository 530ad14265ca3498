//! What a start takes over of the outboxes of the runs before it: what is staged and final is published, whatever the job has become meanwhile, or the
//! start is refused; it is never dropped unless the user gives it up.

use crate::checkpoint::{CheckpointMetadata, MarkerKey, OutboxSnapshot};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::history::start::Start;
use crate::job::history::{History, Lineage, load_metadata};
use crate::job::supervisor::Supervisor;
use crate::job::supervisor::resume::Restored;
use crate::job::{StartMode, VertexKind};
use crate::outbox::{Outbox, OutboxLedger, OutboxTarget, Outboxes, target_identity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is taken over.
#[derive(Default)]
pub(in crate::job) struct StagedBefore {
    /// By the place of the sink in the graph.
    sections: BTreeMap<usize, OutboxSnapshot>,
    /// True where it is of the lineage that goes on.
    of_this_lineage: bool,
    /// The checkpoint that lists it, and everything that this consists of.
    pub kept: BTreeMap<CheckpointId, BTreeSet<String>>,
}

/// A checkpoint that lists what is staged.
struct Lists {
    metadata: CheckpointMetadata,
    of_this_lineage: bool,
    /// All of it is published.
    finished: bool,
}

impl Supervisor {
    /// The sinks of the graph that have an outbox, by their place.
    fn outbox_sinks(&self) -> BTreeMap<usize, (&str, Arc<dyn OutboxTarget>)> {
        let targets = self.graph.vertices.iter().enumerate().filter_map(|(place, vertex)| match &vertex.kind {
            VertexKind::Sink(sink) => Some((place, (vertex.id.as_str(), sink.outbox()?))),
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
        let Some(lists) = self.what_lists(start, restored, history, !sinks.is_empty()).await? else { return Ok(StagedBefore::default()) };
        self.refuse_repeats(start, restored, history, &lists.metadata)?;
        let mut before = StagedBefore { of_this_lineage: lists.of_this_lineage, ..StagedBefore::default() };
        if !sinks.is_empty() {
            before.kept.insert(lists.metadata.checkpoint_id, lists.metadata.objects());
        }
        for mut section in lists.metadata.outboxes {
            if lists.finished {
                section.lineages.iter_mut().for_each(|lineage| lineage.unpublished.clear());
            }
            let waits = section.unpublished().next().is_some();
            let place = sinks.iter().find(|(_, (id, _))| self.goes_on_as(&section.sink, id));
            let moved = place.is_some_and(|(_, (_, target))| target_identity(&**target) != section.target);
            match place {
                Some((place, _)) if !waits || !moved => _ = before.sections.insert(*place, section),
                Some((place, _)) => {
                    self.give_up(&section, "its target is another one now")?;
                    section.lineages.iter_mut().for_each(|lineage| lineage.unpublished.clear());
                    before.sections.insert(*place, section);
                }
                None if waits => self.give_up(&section, "the job has no such sink any more")?,
                None => {}
            }
        }
        self.refuse_taken_names(&sinks, &before)?;
        Ok(before)
    }

    /// True where the sink with this id is what was called `was` in a checkpoint.
    fn goes_on_as(&self, was: &str, id: &str) -> bool {
        let has = |name: &str| self.graph.vertices.iter().any(|vertex| vertex.id == name);
        id == was || (!has(was) && self.options.restore.renames.get(id).is_some_and(|named| named == was))
    }

    /// The checkpoint that lists all that is staged and final: the one that the attempt starts from, where it is of the same lineage; else the newest of
    /// the lineages before.
    async fn what_lists(
        &self,
        start: &Start,
        restored: &Restored,
        history: &History,
        has_sinks: bool,
    ) -> Result<Option<Lists>, EngineError> {
        let has_completed = |lineage: &&Lineage| !lineage.completed.is_empty();
        if start.lineage.and_then(|id| history.lineage(id)).filter(has_completed).is_some() {
            let metadata = restored.metadata.clone();
            return Ok(metadata.map(|metadata| Lists { metadata, of_this_lineage: true, finished: false }));
        }
        let Some(lineage) = history.lineages.iter().rev().find(has_completed) else { return Ok(None) };
        let Some(newest) = lineage.completed.last() else { return Ok(None) };
        match load_metadata(&*self.options.store, &*self.runtime.clock, newest).await {
            Ok(metadata) => Ok(Some(Lists { metadata, of_this_lineage: false, finished: lineage.finished })),
            Err(error) if error.kind() == ErrorKind::Retry => Err(error),
            // Whatever it lists, no sink of the job could publish it.
            Err(_) if !has_sinks || lineage.finished => Ok(None),
            Err(error) if self.options.accept_lost_output => {
                (self.options.notice)(&format!("output given up that checkpoint {} lists: {error}", newest.checkpoint_id));
                Ok(None)
            }
            Err(error) => {
                let attempted = format!("find what is staged and not published of checkpoint {}", newest.checkpoint_id);
                Err(error.context(attempted).with_hint("put it back; or --accept-lost-output gives that output up"))
            }
        }
    }

    /// Output that can no longer be published is given up only by the user's word.
    fn give_up(&self, section: &OutboxSnapshot, why: &str) -> Result<(), EngineError> {
        let checkpoints: Vec<String> = section.unpublished().map(|output| output.checkpoint_id.to_string()).collect();
        let what =
            format!("output of the sink `{}` is staged and not published, of checkpoints {}: {why}", section.sink, checkpoints.join(", "));
        if self.options.accept_lost_output {
            (self.options.notice)(&format!("output given up: {what}"));
            return Ok(());
        }
        let hint = "run the job as it was until it is published; a sink that was renamed says so with `was = \"OLD-ID\"`; or --accept-lost-output gives it up";
        Err(EngineError::new(ErrorKind::FixInput, format!("start the job: {what}")).with_hint(hint))
    }

    /// A lineage that begins at something older than has been published publishes it again, cut elsewhere: nothing of it could be skipped by number.
    fn refuse_repeats(&self, start: &Start, restored: &Restored, history: &History, lists: &CheckpointMetadata) -> Result<(), EngineError> {
        if start.lineage.is_some() || self.decisions.allows_repeats() {
            return Ok(());
        }
        let Some(metadata) = &restored.metadata else { return Ok(()) };
        let behind = match &self.mode {
            StartMode::From { .. } => history.behind(metadata.checkpoint_id),
            StartMode::FromSavepoint { .. } => history.behind_savepoint(start, (metadata.attempt, metadata.checkpoint_id)),
            StartMode::Resume | StartMode::Fresh => None,
        };
        let Some((first, _)) = behind else { return Ok(()) };
        let repeats = |section: &&OutboxSnapshot| {
            section.newest_output() >= first && self.outbox_sinks().values().any(|(id, _)| self.goes_on_as(&section.sink, id))
        };
        let sinks: Vec<String> = lists.outboxes.iter().filter(repeats).map(|section| format!("`{}`", section.sink)).collect();
        if sinks.is_empty() {
            return Ok(());
        }
        let message = format!(
            "start from checkpoint {}: output behind it is published, or about to be, by the sink {}, and would be published again",
            metadata.checkpoint_id,
            sinks.join(", ")
        );
        Err(EngineError::new(ErrorKind::FixInput, message)
            .with_hint("start from the newest checkpoint; or allow it to be there twice (republish)"))
    }

    /// Two sinks must not move one marker.
    fn refuse_taken_names(&self, sinks: &BTreeMap<usize, (&str, Arc<dyn OutboxTarget>)>, before: &StagedBefore) -> Result<(), EngineError> {
        for (place, (id, _)) in sinks.iter().filter(|(place, _)| !before.sections.contains_key(*place)) {
            let names = |section: &OutboxSnapshot| section.lineages.iter().any(|lineage| lineage.key.sink == *id);
            if let Some((_, owner)) = before.sections.iter().find(|(other, section)| *other != place && names(section)) {
                let message = format!("start the job: the sink `{id}` is new, and what was called so before goes on from `{}`", owner.sink);
                let hint = "its markers have that name; give the new sink another id";
                return Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
            }
        }
        Ok(())
    }

    /// The outboxes of an attempt that the log has.
    pub(in crate::job) fn outboxes(&self, before: &StagedBefore, lineage: AttemptId, log: &str, history: &History) -> Outboxes {
        let nonce = history.lineage(lineage).map(|lineage| lineage.nonce.clone()).unwrap_or_default();
        let attempts: BTreeSet<String> = history.nonces.iter().cloned().collect();
        let of = |(place, (id, target)): (usize, (&str, Arc<dyn OutboxTarget>))| {
            let identity = target_identity(&*target);
            let key = |sink: &str| MarkerKey { log: log.to_owned(), lineage: nonce.clone(), sink: sink.to_owned() };
            let ledger = match before.sections.get(&place).cloned() {
                Some(section) if before.of_this_lineage && section.target == identity => OutboxLedger::restored(section).named(id),
                Some(section) if before.of_this_lineage => OutboxLedger::restored(section).named(id).moved_to(identity),
                Some(section) => {
                    // The name stays, and with it what keeps older publishers out.
                    let name = section.lineages.last().map_or(id.to_owned(), |lineage| lineage.key.sink.clone());
                    OutboxLedger::beginning(id, identity, key(&name), Some(section))
                }
                None => OutboxLedger::beginning(id, identity, key(id), None),
            };
            let outbox = Outbox::new(target, ledger, attempts.clone(), self.decisions.clone(), self.options.outbox.max_unpublished);
            (place, Arc::new(outbox))
        };
        Outboxes::new(self.outbox_sinks().into_iter().map(of).collect())
    }
}
