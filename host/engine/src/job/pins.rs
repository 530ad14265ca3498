//! Completed checkpoints that somebody is reading: retention leaves them where they are.

use crate::element::CheckpointId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The checkpoints of one job that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Pins(Arc<Mutex<BTreeMap<CheckpointId, usize>>>);

/// Holds one checkpoint until it is dropped.
#[derive(Debug)]
pub(super) struct Pin {
    pins: Pins,
    checkpoint_id: CheckpointId,
}

impl Pins {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CheckpointId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a checkpoint, which may not be complete yet.
    pub fn pin(&self, checkpoint_id: CheckpointId) -> Pin {
        *self.lock().entry(checkpoint_id).or_default() += 1;
        Pin { pins: self.clone(), checkpoint_id }
    }

    /// All that are held.
    pub fn held(&self) -> BTreeSet<CheckpointId> {
        self.lock().keys().copied().collect()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.pins.lock();
        if let Some(count) = pins.get_mut(&self.checkpoint_id) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.checkpoint_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_held_until_the_last_of_its_pins_is_gone() {
        let (pins, id) = (Pins::default(), CheckpointId(3));
        let (first, second) = (pins.pin(id), pins.pin(id));
        drop(first);
        assert_eq!(pins.held(), [id].into());
        drop(second);
        assert_eq!(pins.held(), BTreeSet::new());
    }
}
