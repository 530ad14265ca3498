//! Fills the state of one operator's subtask from the state objects of a checkpoint.
//!
//! Of broadcast state the new subtask j takes the copy of the old subtask j mod (old parallelism), whatever the new parallelism is, and the broadcast
//! records that were in flight to that same subtask: with these all copies have seen the same records at a barrier.

use super::NodeBroadcast;
use crate::checkpoint::{
    CheckpointMetadata, Section, SectionKind, StateHandle, StateObjectReader, SubtaskFiles, read_object, read_state_object,
};
use crate::element::NO_TIMESTAMP;
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::state::{JudgedBy, KeyGroupRange, StateBackend, StateDescriptor, StateRewrite, StoredFile};
use crate::storage::Store;
use crate::time::WatermarkFloors;
use futures_util::stream::{self, FuturesOrdered, Stream};
use futures_util::{StreamExt, TryStreamExt};
use std::pin::pin;
use std::sync::Arc;

/// Objects that are being read, or have been and wait for those before them: deltas are many and small, and each is a request to the storage.
const READS: usize = 8;
/// And as many of their bytes: a whole may be as large as the state. One object is read whatever its size.
const READ_BYTES: u64 = 64 << 20;

/// The keyed state that one operator's subtask restores: every object that may hold keys of its range.
pub struct KeyedRestore {
    /// The operator's id in the checkpoint, which names its sections.
    pub operator: String,
    /// The subtask's key groups.
    pub range: KeyGroupRange,
    /// What becomes of its states.
    pub rewrite: StateRewrite,
    /// To what times the checkpoint had come.
    pub times: TimesOfGroups,
    /// The objects: for each subtask that wrote some the whole one, and the deltas behind it in order.
    pub handles: Vec<StateHandle>,
    /// The files, where the state is in files.
    pub files: Option<FilesToRestore>,
    /// Where they are.
    pub store: Arc<dyn Store>,
    /// The clock for retries.
    pub clock: Arc<dyn Clock>,
}

/// To what times a checkpoint had come for an operator's key groups.
#[derive(Clone, Debug)]
pub struct TimesOfGroups {
    /// Event time.
    pub floors: WatermarkFloors,
    /// Where that began.
    pub began: WatermarkFloors,
    /// The clock, as the operator had been told of it.
    pub processing_time: i64,
}

impl TimesOfGroups {
    /// For one of them.
    pub(crate) fn of(&self, group: u32) -> JudgedBy {
        let mut times = JudgedBy::NONE;
        times.tell(self.floors.effective(group, NO_TIMESTAMP), self.processing_time);
        times.since(self.began.effective(group, NO_TIMESTAMP))
    }
}

/// Keyed state in files of a backend.
pub struct FilesToRestore {
    /// The states that they hold, as they were declared.
    pub stored: Vec<StateDescriptor>,
    /// The files of each subtask that may have keys of the range.
    pub of_subtasks: Vec<SubtaskFiles>,
}

impl KeyedRestore {
    /// Of a subtask with the key groups `range`, which goes on with the checkpoint's `operator`. `None` where the checkpoint has no such operator.
    pub fn of(
        metadata: &CheckpointMetadata,
        (operator, rewrite): (&str, StateRewrite),
        (range, times): (KeyGroupRange, TimesOfGroups),
        (store, clock): (Arc<dyn Store>, Arc<dyn Clock>),
    ) -> Option<Self> {
        let (vertex, max_parallelism) = (metadata.vertex(operator)?, metadata.graph.max_parallelism);
        let handles = vertex.keyed_state(range, max_parallelism);
        let of_subtasks = vertex.keyed_files(range, max_parallelism);
        let stored = metadata.states_of(operator).to_vec();
        let files = (!of_subtasks.is_empty()).then_some(FilesToRestore { stored, of_subtasks });
        let any = !handles.is_empty() || files.is_some();
        any.then(|| Self { operator: operator.to_owned(), range, rewrite, times, handles, files, store, clock })
    }

    /// Reads the objects, several at once, and restores the sections in range in order.
    pub async fn run(&self, backend: &mut dyn StateBackend) -> Result<(), EngineError> {
        let read = |handle| async move {
            let reader = self.read(handle).await.map_err(|error| error.about_object(&handle.object))?;
            Ok((handle, reader))
        };
        let mut readers = pin!(read_ahead(&self.handles, read));
        while let Some((handle, reader)) = readers.try_next().await? {
            self.apply(&reader, backend).map_err(|error: EngineError| error.about_object(&handle.object))?;
        }
        match &self.files {
            Some(files) => self.restore_files(files, backend).await.map_err(|error| error.context(format!("restore {}", self.operator))),
            None => Ok(()),
        }
    }

    /// Hands the files to the backend as they are.
    async fn restore_files(&self, files: &FilesToRestore, backend: &mut dyn StateBackend) -> Result<(), EngineError> {
        if !self.rewrite.keeps(&files.stored) {
            let message = "its state is in files, of which no state can be dropped, no value migrated, and no time to live be another but a shorter one";
            let hint = "declare the states as they were, in their versions and with their times to live";
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
        }
        let all: Vec<_> = files.of_subtasks.iter().flat_map(|of| of.files.files.iter().map(move |file| (of, file))).collect();
        if let Some((of, _)) = all.iter().find(|(of, _)| backend.file_format() != Some(&of.files.format)) {
            let takes = backend.file_format().map_or("takes no files".to_owned(), |takes| format!("takes \"{takes}\""));
            let message = format!("its state is in files of the format \"{}\", and the state backend of this run {takes}", of.files.format);
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("run it with the state backend that wrote the checkpoint"));
        }
        let handles: Vec<StateHandle> = all.iter().map(|(_, file)| file.handle.clone()).collect();
        let mut contents = pin!(read_ahead(&handles, |handle| async move {
            read_object(&*self.store, &*self.clock, handle).await.map_err(|error| error.about_object(&handle.object))
        }));
        for (of, file) in all {
            let contents = contents.try_next().await?.expect("one for each handle");
            let stored = StoredFile { subtask: of.subtask, name: &file.name, contents };
            backend.restore_file(&stored, self.rewrite.places()).map_err(|error| error.about_object(&file.handle.object))?;
        }
        Ok(())
    }

    async fn read(&self, handle: &StateHandle) -> Result<StateObjectReader, EngineError> {
        let reader = read_state_object(&*self.store, &*self.clock, handle).await;
        reader.map_err(|error| error.context(format!("restore {}", self.operator)))
    }

    fn apply(&self, reader: &StateObjectReader, backend: &mut dyn StateBackend) -> Result<(), EngineError> {
        for section in reader.sections() {
            let Section { kind, operator, key_group, payload } = section?;
            if operator != self.operator || !self.range.contains(key_group) {
                continue;
            }
            let restored = match kind {
                SectionKind::KeyedState => self
                    .rewrite
                    .block(payload, self.times.of(key_group))
                    .and_then(|block| backend.restore(key_group, &block, self.rewrite.places())),
                SectionKind::Delta => self
                    .rewrite
                    .delta(payload, self.times.of(key_group))
                    .and_then(|delta| backend.restore_delta(key_group, &delta, self.rewrite.places())),
                SectionKind::Timers
                | SectionKind::WatermarkFloors
                | SectionKind::TtlStamps
                | SectionKind::Broadcast
                | SectionKind::InFlight
                | SectionKind::Committables
                | SectionKind::OperatorState
                | SectionKind::CallLog
                | SectionKind::StagedOutput => continue,
            };
            let place = format!("restore {}: {}: key group {key_group}", self.operator, reader.object());
            restored.map_err(|error| failed(error, &self.operator).context(place))?;
        }
        Ok(())
    }
}

/// Why state of the checkpoint's `operator` is not restored. Where it is the plugin that brings no older version over, with what can be done.
fn failed(error: EngineError, operator: &str) -> EngineError {
    if !error.is_guest_fault() || error.hint().is_some() {
        return error;
    }
    error.with_hint(format!(
        "mend `migrate` of the plugin; or give up what is kept with `--drop-state {operator}`, undo the change, or start over with --fresh"
    ))
}

/// What one operator's subtask restores of broadcast state.
pub struct BroadcastRestore {
    /// The operator's id in the checkpoint.
    operator: String,
    rewrite: StateRewrite,
    handle: StateHandle,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl BroadcastRestore {
    /// For subtask `index` of the operator that goes on with the checkpoint's `operator`. `None` where the copy that it takes has no
    /// entries, or the checkpoint knows no broadcast state of the operator.
    pub fn of(
        metadata: &CheckpointMetadata,
        (operator, rewrite): (&str, StateRewrite),
        index: u32,
        (store, clock): (Arc<dyn Store>, Arc<dyn Clock>),
    ) -> Option<Self> {
        let parts = &metadata.vertex(operator)?.subtasks;
        let copy = index.checked_rem(parts.len() as u32)?;
        let handle = parts.iter().find(|part| part.index == copy)?.broadcast.clone()?;
        Some(Self { operator: operator.to_owned(), rewrite, handle, store, clock })
    }

    /// Reads the object and fills the broadcast state.
    pub async fn run(self, broadcast: &mut NodeBroadcast) -> Result<(), EngineError> {
        let reader = read_state_object(&*self.store, &*self.clock, &self.handle).await;
        let reader = reader.map_err(|error| error.context(format!("restore {}", self.operator)))?;
        for section in reader.sections() {
            let section = section?;
            if section.kind == SectionKind::Broadcast && section.operator == self.operator {
                let rewritten = self.rewrite.broadcast(section.payload);
                let restored = rewritten.and_then(|section| broadcast.restore(&section, self.rewrite.places()));
                let place = format!("restore {}: {}", self.operator, reader.object());
                restored.map_err(|error| failed(error, &self.operator).context(place))?;
            }
        }
        Ok(())
    }
}

/// What `read` makes of each object, in order, while those behind it are being read within [`READS`] and [`READ_BYTES`].
fn read_ahead<'a, T, F: Future<Output = T>>(handles: &'a [StateHandle], read: impl Fn(&'a StateHandle) -> F) -> impl Stream<Item = T> {
    let begin = (FuturesOrdered::new(), handles.iter().peekable(), 0);
    stream::unfold((begin, read), async |((mut reads, mut rest, mut bytes), read)| {
        let fits = |handle: &&StateHandle, reads: usize, bytes: u64| reads == 0 || (reads < READS && bytes + handle.bytes <= READ_BYTES);
        while let Some(handle) = rest.next_if(|handle| fits(handle, reads.len(), bytes)) {
            bytes += handle.bytes;
            let reading = read(handle);
            reads.push_back(async move { (handle.bytes, reading.await) });
        }
        let (done, read_one) = reads.next().await?;
        Some((read_one, ((reads, rest, bytes - done), read)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::cell::Cell;

    #[test]
    fn what_a_plugin_does_not_bring_over_says_what_can_be_done_and_nothing_else_does() {
        let error = || EngineError::new(ErrorKind::FixInput, "no way");
        assert_eq!(failed(error(), "count").hint(), None);
        let hint = failed(error().from_guest(), "count").hint().map(str::to_owned);
        assert!(hint.is_some_and(|hint| hint.contains("`--drop-state count`")));
        assert_eq!(failed(error().from_guest().with_hint("raise limits"), "count").hint(), Some("raise limits"));
    }

    /// Objects of so many MiB: how many of them are being read, or have been, when each is handed over.
    #[track_caller]
    fn check(sizes_mib: &[u64], expect: &[usize]) {
        let handle = |(number, mib): (usize, &u64)| StateHandle { object: number.to_string(), bytes: mib << 20, checksum: 0 };
        let handles: Vec<_> = sizes_mib.iter().enumerate().map(handle).collect();
        let (begun, mut ahead) = (Cell::new(0), Vec::new());
        let mut reads = pin!(read_ahead(&handles, |handle| {
            begun.set(begun.get() + 1);
            async move { handle.object.clone() }
        }));
        while let Some(object) = reads.next().now_or_never().expect("nothing waits") {
            assert_eq!(object, ahead.len().to_string(), "objects come in order");
            ahead.push(begun.get() - ahead.len());
        }
        assert_eq!(ahead, expect, "{sizes_mib:?}");
    }

    #[test]
    fn small_objects_are_read_side_by_side() {
        check(&[1; 10], &[8, 8, 8, 7, 6, 5, 4, 3, 2, 1]);
        check(&[], &[]);
    }

    #[test]
    fn large_objects_are_read_one_after_the_other() {
        check(&[40; 3], &[1, 1, 1]);
        check(&[1_000, 1, 1_000], &[1, 1, 1]);
        check(&[30, 30, 30, 4, 1, 1], &[2, 3, 4, 3, 2, 1]);
    }
}
