//! Reads a section of broadcast state, which may be damaged in any way. Nothing is allocated by a length in it.

use super::varint::{Malformed, take_bytes, take_number};
use crate::error::{EngineError, ErrorKind};

/// Takes a section apart: [`BroadcastReader::next_state`], then its version and its entries.
pub(super) struct BroadcastReader<'a> {
    length: usize,
    rest: &'a [u8],
    states_left: u64,
    /// The lowest index that the next state may have.
    least: u64,
}

impl<'a> BroadcastReader<'a> {
    /// Reads how many states there are.
    pub fn open(section: &'a [u8]) -> Result<Self, EngineError> {
        let mut reader = Self { length: section.len(), rest: section, states_left: 0, least: 0 };
        reader.states_left = reader.number("the number of states")?;
        Ok(reader)
    }

    /// The index of the next state among those of the section's writer; `None` at the end.
    pub(crate) fn next_state(&mut self) -> Result<Option<u64>, EngineError> {
        if self.states_left == 0 {
            return match self.rest.len() {
                0 => Ok(None),
                left => Err(self.corrupt(format!("{left} bytes follow its last state"))),
            };
        }
        self.states_left -= 1;
        let state = self.number("a state's index")?;
        if state < self.least {
            return Err(self.corrupt(format!("its states do not ascend at state {state}")));
        }
        self.least = state.saturating_add(1);
        Ok(Some(state))
    }

    /// The schema version under which the state's values were written.
    pub fn version(&mut self) -> Result<u64, EngineError> {
        self.number("a state's version")
    }

    /// The entries of the state with their values, in order.
    pub fn entries(&mut self, mut each: impl FnMut(&'a [u8], &'a [u8])) -> Result<(), EngineError> {
        let count = self.number("the number of entries")?;
        if count == 0 {
            return Err(self.corrupt("a state is empty".into()));
        }
        let mut before: Option<&[u8]> = None;
        for _ in 0..count {
            let entry = self.bytes("an entry")?;
            if before.is_some_and(|before| before >= entry) {
                return Err(self.corrupt("the entries of a state do not ascend".into()));
            }
            before = Some(entry);
            each(entry, self.bytes("the value of an entry")?);
        }
        Ok(())
    }

    fn number(&mut self, what: &str) -> Result<u64, EngineError> {
        take_number(&mut self.rest).map_err(|malformed| self.malformed(what, malformed))
    }

    fn bytes(&mut self, what: &str) -> Result<&'a [u8], EngineError> {
        take_bytes(&mut self.rest).map_err(|malformed| self.malformed(what, malformed))
    }

    fn malformed(&self, what: &str, malformed: Malformed) -> EngineError {
        self.corrupt(malformed.says(what))
    }

    /// What is wrong with the section, with where it was noticed.
    pub(crate) fn corrupt(&self, what: String) -> EngineError {
        let at = self.length - self.rest.len();
        EngineError::new(ErrorKind::Corrupt, format!("broadcast state of {} bytes is damaged at byte {at}: {what}", self.length))
    }
}
