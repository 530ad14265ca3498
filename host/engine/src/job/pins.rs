//! Completed checkpoints that somebody is reading: retention leaves them where they are.
//!
//! A pin is held by this process and goes with what reads. A lease is held for another process, which may vanish: it ends by itself unless it is renewed. What
//! retention has begun to delete is no longer to be had: both are decided under one lock.

use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Leases of a job at a time.
const LEASES_MAX: usize = 64;
/// Checkpoints of one lease.
const LEASED_MAX: usize = 10_000;
/// For how long a lease holds unless it is renewed.
pub const LEASE: Duration = Duration::from_secs(30);

/// The checkpoints of one job that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Pins(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// How many pins there are on each.
    pinned: BTreeMap<CheckpointId, usize>,
    leases: BTreeMap<u64, (BTreeSet<CheckpointId>, Duration)>,
    leases_given: u64,
    /// The oldest checkpoint that retention keeps for its own sake. Older ones that were not held when it was last asked are gone, or going.
    oldest_retained: Option<CheckpointId>,
}

/// Holds one checkpoint until it is dropped.
#[derive(Debug)]
pub(super) struct Pin {
    pins: Pins,
    checkpoint_id: CheckpointId,
}

/// Checkpoints that are held for another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its number, to renew and to end it by.
    pub id: u64,
    /// Those of the checkpoints that were asked for that are held.
    pub checkpoints: BTreeSet<CheckpointId>,
}

impl Held {
    fn is_held(&self, checkpoint_id: CheckpointId) -> bool {
        self.pinned.contains_key(&checkpoint_id) || self.leases.values().any(|(leased, _)| leased.contains(&checkpoint_id))
    }

    fn end_leases(&mut self, now: Duration) {
        self.leases.retain(|_, (_, until)| *until > now);
    }
}

impl Pins {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a checkpoint, which may not be complete yet.
    pub fn pin(&self, checkpoint_id: CheckpointId) -> Pin {
        *self.lock().pinned.entry(checkpoint_id).or_default() += 1;
        Pin { pins: self.clone(), checkpoint_id }
    }

    /// Holds, of these checkpoints, those that retention has not begun to delete, for [`LEASE`] from `now` on.
    pub fn lease(&self, checkpoints: &BTreeSet<CheckpointId>, now: Duration) -> Result<Lease, EngineError> {
        let mut held = self.lock();
        held.end_leases(now);
        if held.leases.len() == LEASES_MAX || checkpoints.len() > LEASED_MAX {
            let message = format!("hold {} checkpoints: {} others hold some already", checkpoints.len(), held.leases.len());
            let hint = format!("a job lets {LEASES_MAX} others hold {LEASED_MAX} checkpoints each; ask again later");
            return Err(EngineError::new(ErrorKind::Retry, message).with_hint(hint));
        }
        let is_there = |id: &CheckpointId| held.oldest_retained.is_none_or(|oldest| *id >= oldest) || held.is_held(*id);
        let checkpoints: BTreeSet<_> = checkpoints.iter().copied().filter(is_there).collect();
        held.leases_given += 1;
        let id = held.leases_given;
        held.leases.insert(id, (checkpoints.clone(), now + LEASE));
        Ok(Lease { id, checkpoints })
    }

    /// Lets a lease hold for [`LEASE`] from `now` on. False where it has ended.
    pub fn renew(&self, lease: u64, now: Duration) -> bool {
        let mut held = self.lock();
        held.end_leases(now);
        held.leases.get_mut(&lease).map(|(_, until)| *until = now + LEASE).is_some()
    }

    /// Ends a lease.
    pub fn end(&self, lease: u64) {
        self.lock().leases.remove(&lease);
    }

    /// All that are held. Retention is about to delete all others that are older than `oldest_retained`: none of these is held from now on.
    pub(crate) fn spared(&self, oldest_retained: CheckpointId, now: Duration) -> BTreeSet<CheckpointId> {
        let mut held = self.lock();
        held.end_leases(now);
        held.oldest_retained = Some(oldest_retained);
        let leased = held.leases.values().flat_map(|(leased, _)| leased);
        leased.chain(held.pinned.keys()).copied().collect()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut held = self.pins.lock();
        if let Some(count) = held.pinned.get_mut(&self.checkpoint_id) {
            *count -= 1;
            if *count == 0 {
                held.pinned.remove(&self.checkpoint_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u64]) -> BTreeSet<CheckpointId> {
        ids.iter().copied().map(CheckpointId).collect()
    }

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn a_checkpoint_is_held_until_the_last_of_its_pins_is_gone() {
        let (pins, id) = (Pins::default(), CheckpointId(3));
        let (first, second) = (pins.pin(id), pins.pin(id));
        drop(first);
        assert_eq!(pins.spared(CheckpointId(5), NOW), ids(&[3]));
        drop(second);
        assert_eq!(pins.spared(CheckpointId(5), NOW), ids(&[]));
    }

    #[test]
    fn a_lease_ends_by_itself_unless_it_is_renewed() {
        let pins = Pins::default();
        let lease = pins.lease(&ids(&[3, 4]), NOW).expect("it is given");
        let almost = NOW + LEASE - Duration::from_millis(1);
        assert_eq!(pins.spared(CheckpointId(5), almost), ids(&[3, 4]));
        assert!(pins.renew(lease.id, almost));
        assert_eq!(pins.spared(CheckpointId(5), NOW + LEASE), ids(&[3, 4]));
        assert_eq!(pins.spared(CheckpointId(5), almost + LEASE), ids(&[]));
        assert!(!pins.renew(lease.id, almost + LEASE));
        let other = pins.lease(&ids(&[6]), NOW).expect("it is given");
        pins.end(other.id);
        assert_eq!(pins.spared(CheckpointId(6), NOW), ids(&[]));
    }

    #[test]
    fn what_retention_has_begun_to_delete_is_not_to_be_had() {
        let pins = Pins::default();
        let first = pins.lease(&ids(&[2]), NOW).expect("it is given");
        assert_eq!(pins.spared(CheckpointId(4), NOW), ids(&[2]));
        let second = pins.lease(&ids(&[1, 2, 3, 4, 5]), NOW).expect("it is given");
        assert_eq!(second.checkpoints, ids(&[2, 4, 5]));
        pins.end(first.id);
        assert_eq!(pins.spared(CheckpointId(6), NOW), ids(&[2, 4, 5]));
    }

    #[test]
    fn leases_have_a_bound_that_ended_ones_do_not_count_against() {
        let pins = Pins::default();
        (0..LEASES_MAX).for_each(|_| _ = pins.lease(&ids(&[1]), NOW).expect("it is given"));
        let refused = pins.lease(&ids(&[1]), NOW).expect_err("there are too many");
        assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::Retry, "hold 1 checkpoints: 64 others hold some already"));
        assert!(pins.lease(&ids(&[1]), NOW + LEASE).is_ok());
    }
}
