//! Which checkpoints say what is staged.

use crate::checkpoint::{CheckpointMetadata, OutboxSnapshot};
use crate::error::{EngineError, ErrorKind};
use crate::job::history::start::Start;
use crate::job::history::{History, Lineage, load_metadata};
use crate::job::supervisor::Supervisor;
use crate::job::supervisor::resume::Restored;

impl Supervisor {
    /// The checkpoint that the attempt starts from, where it is of the lineage that it goes on with; and the newest of all, where that is another one. Of the first
    /// only what it has of its own lineage is left then: the markers of others may have moved on.
    pub(super) async fn listed(
        &self,
        start: &Start,
        restored: &Restored,
        history: &History,
        has_sinks: bool,
    ) -> Result<Vec<CheckpointMetadata>, EngineError> {
        let goes_on = start.lineage.and_then(|id| history.lineage(id)).filter(|lineage| !lineage.completed.is_empty());
        let own = goes_on.and_then(|lineage| Some((lineage, restored.metadata.clone()?)));
        let known = own.as_ref().map(|(_, metadata)| metadata.checkpoint_id);
        let Some(newest) = history.completed().last().filter(|newest| known != Some(newest.checkpoint_id)) else {
            return Ok(own.map(|(_, metadata)| metadata).into_iter().collect());
        };
        let alone = |(lineage, mut metadata): (&Lineage, CheckpointMetadata)| {
            let sections = metadata.outboxes.into_iter();
            metadata.outboxes = sections.filter_map(|section| section.of_lineage(&lineage.nonce)).collect();
            metadata
        };
        let mut listed: Vec<_> = own.map(alone).into_iter().collect();
        let holds = |lineage: &&Lineage| lineage.completed.contains(newest);
        let finished = history.lineages.iter().find(holds).is_some_and(|lineage| lineage.finished);
        match load_metadata(&*self.options.store, &*self.runtime.clock, newest).await {
            Ok(mut metadata) => {
                if finished {
                    metadata.outboxes = metadata.outboxes.into_iter().map(OutboxSnapshot::all_published).collect();
                }
                listed.push(metadata);
            }
            Err(error) if error.kind() == ErrorKind::Retry => return Err(error),
            // Whatever it lists, no sink of the job could publish it.
            Err(_) if !has_sinks || finished => {}
            Err(error) if self.options.accept_lost_output => {
                (self.options.notice)(&format!("output given up that checkpoint {} lists: {error}", newest.checkpoint_id));
            }
            Err(error) => {
                let attempted = format!("find what is staged and not published of checkpoint {}", newest.checkpoint_id);
                return Err(error.context(attempted).with_hint("put it back; or --accept-lost-output gives that output up"));
            }
        }
        Ok(listed)
    }
}
