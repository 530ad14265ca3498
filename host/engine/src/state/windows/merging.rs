//! Sessions that become one, in front of a call: the unit of the earliest goes on under the start of all, and what the later ones have is added to it. It costs what the later
//! ones have, and is undone where the call has failed.

use super::kept::Kept;
use super::sessions::PlannedSession;
use super::unit::{put_unit, unit_hash};
use super::{Undo, WindowKind};
use crate::element::Column;
use crate::error::EngineError;
use crate::state::contents::{Content, Contents};
use crate::state::sums::{Before, sums};
use crate::state::{KeySlot, SelectedKeys, StateBackend, StateDescriptor, StateMerger, StateTime};

/// How units become one.
#[derive(Clone, Copy)]
pub(in crate::state) struct Merging<'a> {
    pub kind: &'a WindowKind,
    pub states: &'a [StateDescriptor],
    /// The number of the state that keeps what the host knows of a unit.
    pub state: usize,
    pub merger: Option<&'a dyn StateMerger>,
}

impl Merging<'_> {
    /// Makes one unit of those of which a session of a key, with its hash, is made. The inner error is that of the guest.
    pub fn make_one(
        &self,
        backend: &mut dyn StateBackend,
        time: StateTime,
        ((key, hash), session): ((&[u8], u64), &PlannedSession),
        undo: &mut Vec<Undo>,
    ) -> Result<Result<(), EngineError>, EngineError> {
        let mut starts: Vec<i64> = session.olds().map(|old| old.start).collect();
        starts.sort_unstable();
        starts.insert(0, session.window.start);
        starts.dedup();
        let mut units = Column::new();
        starts.iter().for_each(|&start| units.push_with(|unit| put_unit(start, key, unit)));
        let mut slots = Vec::new();
        backend.lookup(SelectedKeys { keys: &units, hashes: &vec![hash; starts.len()], time }, &mut slots)?;
        let mut later = 1;
        if slots[0].entry == KeySlot::ABSENT && starts.len() > 1 {
            let [to, from, ..] = &mut slots[..] else { unreachable!("there are two at least") };
            backend.move_key((from, units.get(1)), (to, units.get(0)))?;
            undo.push(Undo::Moved { from: units.get(1).to_vec(), to: units.get(0).to_vec() });
            later = 2;
        }
        for place in later..starts.len() {
            let had = Contents::read(backend, &slots[place], self.states)?;
            let (unit, gone) = (units.get(0), units.get(place));
            if let Err(error) = self.add(backend, (&mut slots[0], unit), had.clone(), undo)? {
                return Ok(Err(error));
            }
            backend.remove_key(&mut slots[place], gone)?;
            undo.push(Undo::Gone { unit: gone.to_vec(), had });
        }
        Ok(Ok(()))
    }

    /// Adds what is kept of a later unit.
    fn add(
        &self,
        backend: &mut dyn StateBackend,
        (slot, unit): (&mut KeySlot, &[u8]),
        later: Contents,
        undo: &mut Vec<Undo>,
    ) -> Result<Result<(), EngineError>, EngineError> {
        let before = later.0.iter().enumerate().map(|(state, added)| Before::read(backend, slot, state, added));
        let mut before = before.collect::<Result<Vec<Before>, _>>()?;
        // What the host knows the guest does not merge.
        let of_host = std::mem::replace(&mut before[self.state], Before::Same);
        let mut sums = match sums(&before, later, self.merger) {
            Ok(sums) => sums,
            Err(error) => return Ok(Err(error)),
        };
        if let (Before::Value(Some(earlier)), Content::Value(later)) = (&of_host, &mut sums.0[self.state]) {
            let one = Kept::decode(self.kind, unit, earlier)?.made_one_with(Kept::decode(self.kind, unit, later)?);
            later.clear();
            one.encode(self.kind, later);
        }
        before[self.state] = of_host;
        undo.push(Undo::Grown { unit: unit.to_vec(), before });
        sums.0.iter().enumerate().try_for_each(|(state, sum)| sum.put(backend, slot, (unit, state)))?;
        Ok(Ok(()))
    }
}

impl Undo {
    /// Undoes it.
    pub fn apply(self, backend: &mut dyn StateBackend, time: StateTime) -> Result<(), EngineError> {
        match self {
            Self::Moved { from, to } => {
                let (mut of_from, mut of_to) = (slot(backend, &from, time)?, slot(backend, &to, time)?);
                backend.move_key((&mut of_to, &to), (&mut of_from, &from))
            }
            Self::Gone { unit, had } => {
                let mut slot = slot(backend, &unit, time)?;
                had.write(backend, &mut slot, &unit)
            }
            Self::Grown { unit, before } => {
                let mut slot = slot(backend, &unit, time)?;
                before.iter().enumerate().try_for_each(|(state, before)| before.write_back(backend, &mut slot, (&unit, state)))
            }
        }
    }
}

fn slot(backend: &mut dyn StateBackend, unit: &[u8], time: StateTime) -> Result<KeySlot, EngineError> {
    let (mut keys, mut slots) = (Column::new(), Vec::new());
    keys.push(unit);
    backend.lookup(SelectedKeys { keys: &keys, hashes: &[unit_hash(unit)], time }, &mut slots)?;
    Ok(slots[0])
}
