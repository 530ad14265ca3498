//! Sees that a job's log has lost its newest entries: from a backup, by a copy that was made while the job ran, by hand.
//!
//! The log cannot tell that itself: what it says is sound as far as it goes. Metadata without its entry tells nothing either, because every crash
//! between the two leaves that behind. But output becomes visible only behind its checkpoint's entry. So where output is visible whose checkpoint
//! the log does not know, an entry was lost, and a run that went on from the checkpoint before would commit that output once more.
//!
//! Whoever goes on all the same begins a lineage (`--from`, `--fresh`), and only what belongs to the lineage that a start goes on with is asked
//! for, beside attempts that came after all that the log knows.

use crate::checkpoint::{LineageRoot, paths};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::history::start::Start;
use crate::job::history::{History, Lineage};
use crate::job::quarantine::newest_quarantined;
use crate::job::supervisor::Supervisor;
use crate::job::{JobGraph, VertexKind};
use crate::sink::VisibleOutput;
use crate::storage::retry;
use std::collections::BTreeSet;

/// What the storage and the sinks say. It is looked for before the log is read that it is compared with: while a sink is listed, a running job goes on, and
/// what could be seen by then has to be in a log that is read afterwards.
#[derive(Debug, Default)]
pub(in crate::job) struct BesideTheLog {
    /// Metadata of checkpoints.
    metadata: BTreeSet<String>,
    /// Output that is visible, and the sink that it is in.
    visible: Vec<(VisibleOutput, String)>,
}

impl BesideTheLog {
    /// The newest attempt that has written metadata: numbers of attempts go on behind it.
    pub(crate) fn newest_attempt(&self) -> Option<AttemptId> {
        self.metadata.iter().filter_map(|path| paths::owner_of(path)).map(|(attempt, _)| attempt).max()
    }

    /// Owners of attempts that came after all that the log knows.
    fn unknown(&self, history: &History) -> BTreeSet<String> {
        let is_unknown = |path: &&String| paths::owner_of(path).is_some_and(|(attempt, _)| Some(attempt) > history.last_attempt);
        self.metadata.iter().filter(is_unknown).filter_map(|path| paths::metadata_nonce(path)).map(str::to_owned).collect()
    }

    /// Output of the lineage that a start goes on with, or of attempts behind it, that the log does not account for.
    pub(crate) fn unaccounted(&self, start: &Start, history: &History) -> Option<&(VisibleOutput, String)> {
        let (lineage, unknown) = (history.lineage(start.lineage?)?, self.unknown(history));
        let counts = |output: &VisibleOutput| lineage.attempts.contains(&output.nonce) || unknown.contains(&output.nonce);
        self.visible.iter().filter(|(output, _)| counts(output) && !history.accounts_for(output)).max()
    }

    /// The newest checkpoint to go on from: of this lineage, else the one that it began from, as far as its metadata is still there. A log without its
    /// newest entries knows checkpoints that are long gone.
    fn newest_kept(&self, lineage: &Lineage, history: &History) -> Option<CheckpointId> {
        let root = match &lineage.root {
            LineageRoot::Checkpoint(root) => history.checkpoint(*root),
            LineageRoot::Fresh | LineageRoot::Savepoint(_) => None,
        };
        let mut newest_first = lineage.completed.iter().rev().chain(root);
        newest_first.find(|checkpoint| self.metadata.contains(&checkpoint.metadata)).map(|checkpoint| checkpoint.checkpoint_id)
    }
}

impl Supervisor {
    /// Looks into the storage and asks the sinks, which may take long.
    pub(in crate::job) async fn look_beside(&self, start: &Start, history: &History) -> Result<BesideTheLog, EngineError> {
        let (store, clock) = (&*self.options.store, &*self.runtime.clock);
        let metadata = retry(clock, || store.list(paths::CHECKPOINTS)).await?.into_iter().collect();
        let mut beside = BesideTheLog { metadata, visible: Vec::new() };
        let Some(lineage) = start.lineage.and_then(|id| history.lineage(id)) else { return Ok(beside) };
        let nonces: Vec<String> = lineage.attempts.iter().cloned().chain(beside.unknown(history)).collect();
        let quarantined = newest_quarantined(store, clock, &nonces).await?;
        let graph = self.graph.clone();
        let visible = self.runtime.aside("list the output", async move { visible_in_sinks(&graph, &nonces).await }).await;
        beside.visible = visible.unwrap_or_else(|| Err(EngineError::new(ErrorKind::Bug, "list the output: a sink panicked")))?;
        beside.visible.extend(quarantined.into_iter().map(|output| (output, paths::QUARANTINE.to_owned())));
        Ok(beside)
    }

    /// The error where output is visible that the log does not account for.
    pub(in crate::job) fn lost_entries(
        &self,
        (output, sink): &(VisibleOutput, String),
        beside: &BesideTheLog,
        start: &Start,
        history: &History,
    ) -> EngineError {
        let (location, lost) = (self.options.store.location(), output.checkpoint_id);
        let lineage = start.lineage.and_then(|id| history.lineage(id));
        let known = match lineage.and_then(|lineage| lineage.completed.last()) {
            Some(newest) => format!("knows none behind checkpoint {}", newest.checkpoint_id),
            None => "knows no completed one".to_owned(),
        };
        let back = match lineage.and_then(|lineage| beside.newest_kept(lineage, history)) {
            Some(id) => format!("or `--from {id}` goes on from there, and the output of what came behind it repeats"),
            None => "or `--fresh` starts over, and the output repeats".to_owned(),
        };
        let message = format!(
            "resume the job: output of checkpoint {lost} is committed in {sink}, and the log in {location} {known}: its newest entries are lost"
        );
        EngineError::new(ErrorKind::Corrupt, message).with_hint(format!("put them back; {back}"))
    }
}

/// The newest output of these attempts in each sink.
async fn visible_in_sinks(graph: &JobGraph, nonces: &[String]) -> Result<Vec<(VisibleOutput, String)>, EngineError> {
    let mut visible = Vec::new();
    for vertex in &graph.vertices {
        match &vertex.kind {
            VertexKind::Sink(sink) => {
                let of_sink = sink.newest_visible(nonces).await.map_err(|error| error.context(&vertex.id))?;
                visible.extend(of_sink.into_iter().map(|output| (output, vertex.id.clone())));
            }
            VertexKind::Operator(_) | VertexKind::Source { .. } => {}
        }
    }
    Ok(visible)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::LogEntry;

    /// The log of an attempt that has completed these checkpoints.
    fn history(completed: &[u64]) -> History {
        let attempt = LogEntry::begun(AttemptId(1), "a", AttemptId(1));
        let completed = completed.iter().map(|&id| LogEntry::complete(AttemptId(1), "a", CheckpointId(id), metadata(id), 0));
        History::of(&std::iter::once(attempt).chain(completed).collect::<Vec<_>>())
    }

    fn metadata(id: u64) -> String {
        paths::metadata(AttemptId(1), CheckpointId(id), Some("a"))
    }

    /// Which checkpoint is gone on from where the log knows these, and the metadata of those is there.
    fn check(known: &[u64], there: &[u64], expect: Option<u64>) {
        let (history, metadata) = (history(known), there.iter().map(|&id| metadata(id)).collect());
        let beside = BesideTheLog { metadata, visible: Vec::new() };
        assert_eq!(beside.newest_kept(&history.lineages[0], &history).map(|id| id.0), expect, "{known:?} {there:?}");
    }

    #[test]
    fn the_checkpoint_to_go_on_from_is_the_newest_that_is_known_and_there() {
        check(&[1, 2, 3], &[2, 3, 4], Some(3));
        check(&[1, 2, 3], &[1, 2, 5], Some(2));
        // Six entries are lost, and two checkpoints are kept.
        check(&[1, 2, 3, 4, 5, 6], &[11, 12], None);
        check(&[], &[1], None);
    }

    #[test]
    fn output_that_was_seen_before_the_log_was_read_is_in_the_log_or_lost() {
        let output = |id| (VisibleOutput { nonce: "a".into(), checkpoint_id: CheckpointId(id) }, "out".to_owned());
        let beside = BesideTheLog { metadata: [metadata(4)].into(), visible: vec![output(4)] };
        for (log, expect) in [(&[1, 2, 3, 4][..], None), (&[1, 2, 3, 4, 5], None), (&[1, 2, 3], Some(&beside.visible[0]))] {
            let history = history(log);
            let start = history.start(&super::super::StartMode::Resume).expect("a start");
            assert_eq!(beside.unaccounted(&start, &history), expect, "{log:?}");
        }
    }
}
