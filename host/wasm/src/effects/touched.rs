//! The rules of `wit/operator.wit` for the keys whose value a call has read: they count where a state's time to live does from its last read.

use super::check::Checked;
use super::{Called, Touched};
use crate::bindings::weir::operator::types as wit;
use crate::columns::integers;

impl Called<'_> {
    /// A state that has been named once already does not come again: the caller looks after that.
    pub(super) fn touch(&self, raw: &wit::Touch) -> Checked<Touched> {
        let declared = &self.descriptor.states[raw.state as usize];
        if !declared.ttl.is_some_and(|ttl| ttl.refresh_on_read) {
            return Err(format!("\"{}\" has no time to live that counts from its last read", declared.name));
        }
        if self.keys.is_none() {
            return Err("the batch's input is not keyed, so no state was read by key".into());
        }
        let keys = integers(&raw.keys).map_err(|what| format!("keys: {what}"))?;
        self.check_keys("touched", &keys)?;
        match self.key_twice(keys.iter()) {
            Some(key) => Err(format!("key {key} is named twice")),
            None => Ok(Touched { state: raw.state as usize, keys }),
        }
    }
}
