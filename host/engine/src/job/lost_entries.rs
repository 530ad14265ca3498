//! Sees that a job's log has lost its newest entries: from a backup, by a copy that was made while the job ran, by hand.
//!
//! The log cannot tell that itself: what it says is sound as far as it goes. Metadata without its entry tells nothing either, because every crash
//! between the two leaves that behind. But output becomes visible only behind its checkpoint's entry. So where output is visible whose checkpoint
//! the log does not know, an entry was lost, and a run that went on from the checkpoint before would commit that output once more.
//!
//! Whoever goes on all the same begins a lineage (`--from`, `--fresh`), and only what belongs to the lineage that a start goes on with is asked
//! for, beside attempts that came after all that the log knows.

use super::VertexKind;
use super::history::{History, Lineage};
use super::quarantine::newest_quarantined;
use super::start::Start;
use super::supervisor::Supervisor;
use crate::checkpoint::{paths, retry};
use crate::element::AttemptId;
use crate::error::{EngineError, ErrorKind};
use crate::sink::VisibleOutput;

/// What the storage and the sinks say that the log does not.
#[derive(Debug, Default)]
pub(super) struct BesideTheLog {
    /// The newest attempt that has written metadata: numbers of attempts go on behind it.
    pub newest_attempt: Option<AttemptId>,
    /// Output that is visible, of a checkpoint that the log does not know, and the sink that it is in.
    pub unaccounted: Option<(VisibleOutput, String)>,
}

impl Supervisor {
    /// Looks into the storage and asks the sinks.
    pub(super) async fn beside_the_log(&self, start: &Start, history: &History) -> Result<BesideTheLog, EngineError> {
        let (store, clock) = (&*self.options.store, &*self.runtime.clock);
        let listed = retry(clock, || store.list(paths::CHECKPOINTS)).await?;
        let unknown = |path: &&String| paths::owner_of(path).is_some_and(|(attempt, _)| Some(attempt) > history.last_attempt);
        let unknown: Vec<&String> = listed.iter().filter(unknown).collect();
        let newest_attempt = unknown.iter().filter_map(|path| paths::owner_of(path)).map(|(attempt, _)| attempt).max();
        let Some(lineage) = start.lineage.and_then(|id| history.lineages.iter().find(|lineage| lineage.id == id)) else {
            return Ok(BesideTheLog { newest_attempt, unaccounted: None });
        };
        let of_unknown = unknown.iter().filter_map(|path| paths::metadata_nonce(path)).map(str::to_owned);
        let nonces: Vec<String> = lineage.attempts.iter().cloned().chain(of_unknown).collect();
        let mut visible = Vec::new();
        for vertex in &self.graph.vertices {
            match &vertex.kind {
                VertexKind::Sink(sink) => {
                    let of_sink = sink.newest_visible(&nonces).map_err(|error| error.context(&vertex.id))?;
                    visible.extend(of_sink.into_iter().map(|output| (output, vertex.id.clone())));
                }
                VertexKind::Operator(_) | VertexKind::Source { .. } => {}
            }
        }
        let quarantined = newest_quarantined(store, clock, &nonces).await?;
        visible.extend(quarantined.into_iter().map(|output| (output, paths::QUARANTINE.to_owned())));
        let unaccounted = visible.into_iter().filter(|(output, _)| !history.accounts_for(output)).max();
        Ok(BesideTheLog { newest_attempt, unaccounted })
    }

    /// The error where output is visible that the log does not account for.
    pub(super) fn lost_entries(&self, (output, sink): &(VisibleOutput, String), start: &Start, history: &History) -> EngineError {
        let (location, lost) = (self.options.store.location(), output.checkpoint_id);
        let newest = start.lineage.and_then(|id| history.lineages.iter().find(|lineage| lineage.id == id)).and_then(newest_of);
        let (known, back) = match newest {
            Some(id) => (
                format!("knows none behind checkpoint {id}"),
                format!("or `--from {id}` goes on from there, and the output of what came behind it repeats"),
            ),
            None => ("knows no completed one".to_owned(), "or `--fresh` starts over, and the output repeats".to_owned()),
        };
        let message = format!(
            "resume the job: output of checkpoint {lost} is committed in {sink}, and the log in {location} {known}: its newest entries are lost"
        );
        EngineError::new(ErrorKind::Corrupt, message).with_hint(format!("put them back; {back}"))
    }
}

fn newest_of(lineage: &Lineage) -> Option<crate::element::CheckpointId> {
    lineage.completed.last().map(|newest| newest.checkpoint_id)
}
