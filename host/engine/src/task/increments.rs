//! How a task's keyed state is written at each checkpoint: whole, or as what has changed since the checkpoint's base; and of which objects
//! it then consists.
//!
//! Invariants: the objects of a checkpoint are those of its base and at most one more; a restore reads about twice the live state at most,
//! and [`DELTAS`] objects behind the first; the first checkpoint of an attempt is whole, so no chain crosses attempts.

use crate::checkpoint::{SectionKind, StateHandle, SubtaskSnapshot};
use crate::element::CheckpointId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Deltas behind one whole object at most: each is a request to the storage when the state is restored.
const DELTAS: usize = 64;

/// The objects that hold a task's keyed state as of one checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StateChain {
    /// All keys as of some checkpoint; `None` where there were none.
    whole: Option<StateHandle>,
    /// What changed since, oldest first.
    deltas: Vec<StateHandle>,
    /// Bytes of state in all of these.
    stored_bytes: u64,
    size: TaskStateSize,
}

/// The size of the live state of all operators of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TaskStateSize {
    pub keys: u64,
    pub bytes: u64,
}

/// What a checkpoint writes of the keyed state.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Extent {
    Whole,
    /// What has changed since the base, behind the base's objects.
    Since {
        base: CheckpointId,
        chain: StateChain,
    },
}

impl StateChain {
    /// Whether a delta of `changed` keys may be added where there are `keys` keys now. Sizes are guessed from the base's.
    fn has_room(&self, keys: u64, changed: u64) -> bool {
        if changed == 0 || self.size.keys == 0 {
            return changed == 0;
        }
        let bytes_of = |keys: u64| u128::from(self.size.bytes) * u128::from(keys) / u128::from(self.size.keys);
        let (delta, live) = (bytes_of(changed), bytes_of(keys));
        self.deltas.len() < DELTAS && delta < live && u128::from(self.stored_bytes) + delta <= 2 * live
    }

    /// Makes `part`, which has keys, refer to the objects.
    pub fn fill(&self, part: &mut SubtaskSnapshot) {
        part.state = self.whole.clone();
        part.deltas = self.deltas.clone();
    }
}

impl Extent {
    /// The base to capture against.
    pub fn base(&self) -> Option<CheckpointId> {
        match self {
            Self::Whole => None,
            Self::Since { base, .. } => Some(*base),
        }
    }

    /// The kind of the sections.
    pub(crate) fn section_kind(&self) -> SectionKind {
        match self {
            Self::Whole => SectionKind::KeyedState,
            Self::Since { .. } => SectionKind::Delta,
        }
    }

    /// The objects of the checkpoint that wrote `object` with `bytes` bytes of state, or none where nothing was to be written.
    pub fn written(self, object: Option<StateHandle>, bytes: u64, size: TaskStateSize) -> StateChain {
        match self {
            // Without keys nobody refers to the objects any more.
            _ if size.keys == 0 => StateChain::default(),
            Self::Whole => StateChain { whole: object, deltas: Vec::new(), stored_bytes: bytes, size },
            Self::Since { mut chain, .. } => {
                chain.deltas.extend(object);
                StateChain { stored_bytes: chain.stored_bytes + bytes, size, ..chain }
            }
        }
    }
}

/// The chains of a task's checkpoints as far as they may be built on. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Increments(Arc<Mutex<BTreeMap<CheckpointId, StateChain>>>);

impl Increments {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CheckpointId, StateChain>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a checkpoint writes whose base is `base`, where there are `keys` keys; `changed` is their number since a base, where that is known.
    pub(crate) fn extent(&self, base: Option<CheckpointId>, keys: u64, changed: impl FnOnce(CheckpointId) -> Option<u64>) -> Extent {
        let chain = base.and_then(|base| Some((base, self.lock().get(&base)?.clone())));
        let Some((base, chain)) = chain else { return Extent::Whole };
        match changed(base) {
            Some(changed) if chain.has_room(keys, changed) => Extent::Since { base, chain },
            Some(_) | None => Extent::Whole,
        }
    }

    /// A checkpoint has been written.
    pub(crate) fn on_written(&self, checkpoint_id: CheckpointId, chain: StateChain) {
        self.lock().insert(checkpoint_id, chain);
    }

    /// Forgets the checkpoints before `base`: none builds on them any more.
    pub fn retire(&self, base: CheckpointId) {
        self.lock().retain(|&checkpoint_id, _| checkpoint_id >= base);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(checkpoint: u64) -> StateHandle {
        StateHandle { object: format!("state/1-{checkpoint}-op-0-n.state"), bytes: 0, checksum: 0 }
    }

    /// Checkpoints 1, 2, … of a state with `keys` keys of 10 bytes, of which `changed` change each time, each on the one before it.
    /// `W` whole, `d` a delta, `=` nothing to write.
    fn written(checkpoints: u64, keys: impl Fn(u64) -> u64, changed: u64) -> String {
        let increments = Increments::default();
        let mut kinds = String::new();
        for checkpoint in 1..=checkpoints {
            let base = (checkpoint > 1).then(|| CheckpointId(checkpoint - 1));
            let size = TaskStateSize { keys: keys(checkpoint), bytes: 10 * keys(checkpoint) };
            let extent = increments.extent(base, size.keys, |_| Some(changed));
            let (kind, bytes) = match (&extent, changed) {
                (Extent::Whole, _) => ('W', size.bytes),
                (Extent::Since { .. }, 0) => ('=', 0),
                (Extent::Since { .. }, _) => ('d', 10 * changed),
            };
            let chain = extent.written((bytes > 0).then(|| handle(checkpoint)), bytes, size);
            assert!(chain.stored_bytes <= 2 * size.bytes, "checkpoint {checkpoint} of {size:?} has {} bytes to read", chain.stored_bytes);
            assert!(chain.deltas.len() <= DELTAS);
            increments.on_written(CheckpointId(checkpoint), chain);
            kinds.push(kind);
        }
        kinds
    }

    #[test]
    fn deltas_are_written_until_they_amount_to_the_live_state() {
        assert_eq!(written(10, |_| 100, 25), "WddddWdddd");
        assert_eq!(written(6, |_| 100, 60), "WdWdWd");
        assert_eq!(written(4, |_| 100, 100), "WWWW");
        assert_eq!(written(2 + DELTAS as u64, |_| 100_000, 1), format!("W{}W", "d".repeat(DELTAS)));
    }

    #[test]
    fn a_state_that_grows_is_not_written_again_for_it() {
        assert_eq!(written(9, |checkpoint| 100 * checkpoint, 100), "Wdddddddd");
    }

    #[test]
    fn a_state_that_shrinks_is_written_whole_before_a_restore_reads_more_than_twice_of_it() {
        assert_eq!(written(8, |checkpoint| 100 - 10 * checkpoint, 10), "WdddWdWd");
    }

    #[test]
    fn nothing_changed_writes_nothing_however_often() {
        assert_eq!(written(3 + DELTAS as u64, |_| 100, 0), format!("W{}", "=".repeat(2 + DELTAS)));
        assert_eq!(written(3, |_| 0, 0), "W==");
    }

    #[test]
    fn what_is_not_known_of_the_base_is_written_whole() {
        let increments = Increments::default();
        assert_eq!(increments.extent(None, 5, |_| Some(1)), Extent::Whole);
        assert_eq!(increments.extent(Some(CheckpointId(3)), 5, |_| Some(1)), Extent::Whole);
        let size = TaskStateSize { keys: 5, bytes: 50 };
        increments.on_written(CheckpointId(3), Extent::Whole.written(Some(handle(3)), 50, size));
        assert_eq!(increments.extent(Some(CheckpointId(3)), 5, |_| None), Extent::Whole);
        assert_eq!(increments.extent(Some(CheckpointId(3)), 5, |_| Some(1)).base(), Some(CheckpointId(3)));
        increments.retire(CheckpointId(4));
        assert_eq!(increments.extent(Some(CheckpointId(3)), 5, |_| Some(1)), Extent::Whole);
    }

    #[test]
    fn a_state_without_keys_refers_to_no_object() {
        let size = TaskStateSize { keys: 5, bytes: 50 };
        let chain = Extent::Whole.written(Some(handle(3)), 50, size);
        let extent = Extent::Since { base: CheckpointId(3), chain };
        assert_eq!(extent.written(Some(handle(4)), 9, TaskStateSize::default()), StateChain::default());
    }
}
