//! Starts that would lose output, or publish it twice, and are refused unless the user says so.

use super::{OutboxSinks, StagedBefore};
use crate::checkpoint::{CheckpointMetadata, OutboxSnapshot};
use crate::error::{EngineError, ErrorKind};
use crate::job::StartMode;
use crate::job::history::History;
use crate::job::history::start::Start;
use crate::job::supervisor::Supervisor;
use crate::job::supervisor::resume::Restored;
use std::collections::BTreeSet;

impl Supervisor {
    /// Output that can no longer be published is given up only by the user's word.
    pub(super) fn give_up(&self, section: &OutboxSnapshot, why: &str) -> Result<(), EngineError> {
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

    /// A start at something older than has been published publishes it again, cut elsewhere: nothing of it could be skipped by number. What any lineage has
    /// published counts, also where an older one is gone on with.
    pub(super) fn refuse_repeats(
        &self,
        start: &Start,
        restored: &Restored,
        history: &History,
        listed: &[CheckpointMetadata],
    ) -> Result<(), EngineError> {
        let goes_on = start.lineage.is_some() && start.lineage == history.newest_lineage().map(|lineage| lineage.id);
        let Some(metadata) = restored.metadata.as_ref().filter(|_| !goes_on && !self.decisions.allows_repeats()) else { return Ok(()) };
        let behind = match (&self.mode, &start.restored) {
            (StartMode::Resume | StartMode::Fresh, _) => None,
            (StartMode::From { .. } | StartMode::FromSavepoint { .. }, Some(restored)) => history.behind(restored.checkpoint_id),
            (StartMode::From { .. } | StartMode::FromSavepoint { .. }, None) => {
                // A lineage that has completed nothing is as good as a new one.
                let begins = Start { lineage: None, ..start.clone() };
                history.behind_savepoint(&begins, (metadata.attempt, metadata.checkpoint_id))
            }
        };
        let Some((first, _)) = behind else { return Ok(()) };
        let sinks = self.outbox_sinks();
        let repeats = |section: &&OutboxSnapshot| {
            section.newest_output() >= first && sinks.values().any(|sink| self.goes_on_as(&section.sink, sink.id))
        };
        let sections = listed.iter().flat_map(|metadata| &metadata.outboxes);
        let sinks: BTreeSet<String> = sections.filter(repeats).map(|section| format!("`{}`", section.sink)).collect();
        if sinks.is_empty() {
            return Ok(());
        }
        let message = format!(
            "start from checkpoint {}: output behind it is published, or about to be, by the sink {}, and would be published again",
            metadata.checkpoint_id,
            sinks.into_iter().collect::<Vec<_>>().join(", ")
        );
        let hint = "start from the newest checkpoint; or start the job with --republish: what is published already is there twice then";
        Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
    }
}

/// Two sinks must not move one marker, and one sink must not go on as two.
pub(super) fn refuse_shared_names(sinks: &OutboxSinks<'_>, before: &StagedBefore) -> Result<(), EngineError> {
    for (place, sink) in sinks {
        let id = sink.id;
        let Some(sections) = before.sinks.get(place) else {
            if let Some(owner) = before.sections().find(|section| section.marker_name() == id) {
                let message = format!("start the job: the sink `{id}` is new, and what was called so before is `{}` now", owner.sink);
                let hint = "its markers have that name; give the new sink another id";
                return Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
            }
            continue;
        };
        let were: BTreeSet<&str> = sections.iter().map(OutboxSnapshot::marker_name).collect();
        if were.len() > 1 {
            let were: Vec<String> = were.into_iter().map(|was| format!("`{was}`")).collect();
            let message = format!("start the job: the sink `{id}` would go on with the outboxes of two sinks, {}", were.join(" and "));
            let hint = "their markers are not the same; leave `was` out, or give the sink an id that none of them has had";
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
        }
    }
    Ok(())
}
