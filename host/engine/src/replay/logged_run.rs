//! The run that there was, as far as it was recorded: from one kept checkpoint to the next, the calls of an operator's subtasks.
//!
//! Each stretch begins with the state of its checkpoint, whatever came before: it gives the same wherever a replay begins. So it does not
//! matter that an attempt ended at a checkpoint, or that parallelism or component changed there: the attempt that went on began with that state too.
//! What an attempt did behind its last completed checkpoint is not part of the run. Invariant: stretches follow one lineage of the job's log.

use super::ReplayPoint;
use crate::checkpoint::{
    CallKind, CheckpointMetadata, JobLog, LineageRoot, OperatorCall, SectionKind, StateHandle, Stretch, VertexSnapshot, read_calls,
    read_state_object,
};
use crate::element::{CheckpointId, key_hash};
use crate::error::{EngineError, ErrorKind};
use crate::job::{CompletedCheckpoint, History, load_metadata};
use crate::state::{key_group_of, range_of, unit_hash};
use crate::storage::{Store, retry};
use std::collections::VecDeque;
use std::sync::Arc;

/// Where to begin.
#[derive(Clone)]
pub enum RunStart {
    /// The newest kept checkpoint, or the beginning, that a recorded checkpoint went on from.
    Newest,
    /// Where there was no state yet.
    Beginning,
    /// This checkpoint.
    Checkpoint(CheckpointId),
    /// A savepoint: of this job, or one that it was started from.
    Savepoint {
        /// The savepoint's absolute URL.
        url: String,
        /// What the savepoint holds.
        point: ReplayPoint,
    },
}

/// The rest of a recorded run.
pub struct LoggedRun {
    operator: String,
    /// The job's storage.
    base: ReplayPoint,
    /// Where the next stretch begins.
    at: ReplayPoint,
    /// The checkpoint that calls of the next stretch are said to be behind.
    behind: Option<CheckpointId>,
    /// The checkpoints that went on from there.
    rest: VecDeque<CompletedCheckpoint>,
}

/// What happened from one checkpoint to the next.
pub struct LoggedStretch {
    operator: String,
    behind: Option<CheckpointId>,
    /// Where it begins: the beginning of the job, a savepoint or a checkpoint.
    pub from: ReplayPoint,
    /// The checkpoint where it ends, which has the calls. The components that it names are those that made them.
    pub to: ReplayPoint,
    /// One for each subtask that there was.
    call_logs: Vec<StateHandle>,
}

/// The calls of one subtask.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubtaskCalls {
    /// In the order in which they were made.
    pub calls: Vec<OperatorCall>,
    /// There were more before the stretch ended, which were not kept.
    pub cut_off: bool,
}

impl LoggedRun {
    /// The recorded run of `operator` in the job whose storage `base` has. `None` where nothing is recorded behind `start`.
    pub async fn find(operator: &str, base: &ReplayPoint, start: RunStart) -> Result<Option<Self>, EngineError> {
        let log = JobLog::open(base.store.clone(), base.clock.clone()).await?;
        let history = History::of(log.entries());
        let Some((at, root)) = begin(operator, base, &history, start).await? else { return Ok(None) };
        let behind = match &root {
            LineageRoot::Checkpoint(id) => Some(*id),
            LineageRoot::Fresh | LineageRoot::Savepoint(_) => None,
        };
        let rest: VecDeque<_> = history.went_on_from(&root).iter().cloned().collect();
        let Some(next) = rest.front() else { return Ok(None) };
        let recorded = kept(base, next).await?.is_some_and(|next| call_logs(&next, operator).is_some());
        Ok(recorded.then(|| Self { operator: operator.to_owned(), base: base.clone(), at, behind, rest }))
    }

    /// Where the next stretch begins.
    pub fn at(&self) -> &ReplayPoint {
        &self.at
    }

    /// The next stretch; `None` where kept checkpoints or call logs reach no further.
    pub async fn next(&mut self) -> Result<Option<LoggedStretch>, EngineError> {
        let Some(next) = self.rest.pop_front() else { return Ok(None) };
        let Some(metadata) = kept(&self.base, &next).await? else { return Ok(None) };
        let Some(call_logs) = call_logs(&metadata, &self.operator) else { return Ok(None) };
        let to = ReplayPoint { metadata: Some(Arc::new(metadata)), ..self.base.clone() };
        let from = std::mem::replace(&mut self.at, to.clone());
        let behind = self.behind.replace(next.checkpoint_id);
        Ok(Some(LoggedStretch { operator: self.operator.clone(), behind, from, to, call_logs }))
    }
}

impl LoggedStretch {
    /// How many subtasks there were.
    pub fn parallelism(&self) -> u32 {
        self.call_logs.len() as u32
    }

    /// What subtask `index` was called with.
    pub async fn calls(&self, index: u32) -> Result<SubtaskCalls, EngineError> {
        let attempted = |error: EngineError| error.context(format!("replay {}", self.operator));
        let reader = read_state_object(&*self.to.store, &*self.to.clock, &self.call_logs[index as usize]).await.map_err(attempted)?;
        let (mut found, mut begun, mut at) = (SubtaskCalls::default(), false, self.behind);
        for section in reader.sections() {
            let section = section.map_err(attempted)?;
            if section.kind != SectionKind::CallLog || section.operator != self.operator {
                continue;
            }
            let read = read_calls(section.payload).and_then(|stretch| self.checked(stretch, index, section.key_group));
            let stretch = read.map_err(|what| attempted(reader.corrupt(what)))?;
            // Calls of checkpoints before it may be there too.
            begun |= stretch.header.behind == self.behind;
            // Behind a gap nothing can be replayed.
            if begun && (!found.cut_off || stretch.header.behind == at) {
                at = stretch.header.behind;
                found.cut_off |= stretch.header.cut_off;
                found.calls.extend(stretch.calls);
            }
        }
        if begun { Ok(found) } else { Err(self.does_not_reach_back()) }
    }

    /// A call log says what it likes: its keys have to be keys of its subtask.
    fn checked(&self, stretch: Stretch, index: u32, named: u32) -> Result<Stretch, String> {
        if named != index {
            return Err(format!("it is of subtask {named}, not {index}"));
        }
        let max_parallelism = self.to.metadata.as_ref().map_or(1, |metadata| metadata.graph.max_parallelism);
        let own = range_of(index, self.parallelism(), max_parallelism);
        for call in &stretch.calls {
            let (of, hash_of): (_, fn(&[u8]) -> u64) = match call.kind {
                CallKind::Timers(_) => ("timer", key_hash),
                CallKind::Windows(_) => ("window", unit_hash),
                CallKind::Batch { .. } | CallKind::Watermark => ("record", key_hash),
            };
            let is_own = |key: Option<&[u8]>| key.is_some_and(|key| own.contains(key_group_of(hash_of(key), max_parallelism)));
            if let Some(place) = call.keys().and_then(|keys| keys.iter().position(|key| !is_own(key))) {
                return Err(format!("{of} {place} of a call has no key of its subtask"));
            }
        }
        Ok(stretch)
    }

    fn does_not_reach_back(&self) -> EngineError {
        let behind = self.behind.map_or("the beginning".to_owned(), |id| format!("checkpoint {id}"));
        let message = format!("replay {}: the calls that {} has do not reach back to {behind}", self.operator, self.to);
        EngineError::new(ErrorKind::FixInput, message).with_hint("`--from` takes another checkpoint, `--sources` re-runs the sources")
    }
}

/// Where a run begins, and how the log names that. `None`: it has no such place, or it is no longer kept.
async fn begin(
    operator: &str,
    base: &ReplayPoint,
    history: &History,
    start: RunStart,
) -> Result<Option<(ReplayPoint, LineageRoot)>, EngineError> {
    let root = match start {
        RunStart::Newest => newest(operator, base, history).await?,
        RunStart::Beginning => Some(LineageRoot::Fresh),
        RunStart::Checkpoint(id) => Some(LineageRoot::Checkpoint(id)),
        RunStart::Savepoint { url, point } => return Ok(root_of_savepoint(history, url, &point).map(|root| (point, root))),
    };
    let metadata = match &root {
        Some(LineageRoot::Fresh) => None,
        Some(LineageRoot::Checkpoint(id)) => match history.checkpoint(*id) {
            Some(checkpoint) => match kept(base, checkpoint).await? {
                Some(metadata) => Some(Arc::new(metadata)),
                None => return Ok(None),
            },
            None => return Ok(None),
        },
        Some(LineageRoot::Savepoint(_)) | None => return Ok(None),
    };
    Ok(root.map(|root| (ReplayPoint { metadata, ..base.clone() }, root)))
}

/// The newest start in the lineage that ran last which a recorded checkpoint went on from.
async fn newest(operator: &str, base: &ReplayPoint, history: &History) -> Result<Option<LineageRoot>, EngineError> {
    let Some(lineage) = history.newest_lineage() else { return Ok(None) };
    for (place, checkpoint) in lineage.completed.iter().enumerate().rev() {
        let Some(metadata) = kept(base, checkpoint).await? else { return Ok(None) };
        if call_logs(&metadata, operator).is_some() {
            let before = place.checked_sub(1).map(|before| LineageRoot::Checkpoint(lineage.completed[before].checkpoint_id));
            return Ok(Some(before.unwrap_or_else(|| lineage.root.clone())));
        }
    }
    Ok(None)
}

/// What a savepoint is to the job: what it was started from, or a copy of one of its checkpoints.
fn root_of_savepoint(history: &History, url: String, point: &ReplayPoint) -> Option<LineageRoot> {
    let started = LineageRoot::Savepoint(url);
    if !history.went_on_from(&started).is_empty() {
        return Some(started);
    }
    let metadata = point.metadata.as_ref()?;
    let original = history.checkpoint(metadata.checkpoint_id)?;
    // Its copy holds no output, so the two differ; the name holds the nonce of who took it. Older copies are equal byte for byte.
    let is_copy = match metadata.nonce {
        Some(_) => metadata.path() == original.metadata,
        None => crc32c::crc32c(&metadata.seal()) == original.checksum,
    };
    is_copy.then_some(LineageRoot::Checkpoint(original.checkpoint_id))
}

/// A checkpoint's metadata; `None` where it is no longer kept.
async fn kept(base: &ReplayPoint, checkpoint: &CompletedCheckpoint) -> Result<Option<CheckpointMetadata>, EngineError> {
    let store: &dyn Store = &*base.store;
    if retry(&*base.clock, || store.get(&checkpoint.metadata)).await?.is_none() {
        return Ok(None);
    }
    load_metadata(store, &*base.clock, checkpoint).await.map(Some)
}

/// Where the calls of each subtask of `operator` are; `None` where they were not recorded.
fn call_logs(metadata: &CheckpointMetadata, operator: &str) -> Option<Vec<StateHandle>> {
    let VertexSnapshot { subtasks, .. } = metadata.vertex(operator)?;
    subtasks.iter().map(|part| part.call_log.clone()).collect()
}
