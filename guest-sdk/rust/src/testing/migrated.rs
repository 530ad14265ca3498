//! State of an older version in the test host: migrated as a restore does it.

use super::TestHost;
use super::imports::{Call, during};
use super::record::vecs;
use crate::columns::{empty_column, push_item};
use crate::instance::Instance;
use crate::operator::Operator;

impl<O: Operator> TestHost<O> {
    /// Restores the value of a key that was stored under version `from_version` of the state: it is migrated where that is an older one. The
    /// bytes of a serde type are those of [`cbor::to_vec`](crate::cbor::to_vec).
    pub fn restore_value(&mut self, state: &str, from_version: u32, key: impl AsRef<[u8]>, value: &[u8]) -> Result<(), String> {
        let (of, value) = (self.of(state, key), self.migrated(state, from_version, value)?);
        self.store.values.insert(of, value);
        Ok(())
    }

    /// The same of one item of a key's list: it is appended.
    pub fn restore_item(&mut self, state: &str, from_version: u32, key: impl AsRef<[u8]>, item: &[u8]) -> Result<(), String> {
        let (of, item) = (self.of(state, key), self.migrated(state, from_version, item)?);
        self.store.lists.entry(of).or_default().push(item);
        Ok(())
    }

    /// The same of one entry of a key's map. `entry` is not migrated: of maps the values are.
    pub fn restore_entry(
        &mut self,
        state: &str,
        from_version: u32,
        key: impl AsRef<[u8]>,
        entry: &[u8],
        value: &[u8],
    ) -> Result<(), String> {
        let (of, value) = (self.of(state, key), self.migrated(state, from_version, value)?);
        self.store.maps.entry(of).or_default().insert(entry.to_vec(), value);
        Ok(())
    }

    /// The same of one entry of a broadcast state.
    pub fn restore_broadcast(&mut self, state: &str, from_version: u32, entry: &[u8], value: &[u8]) -> Result<(), String> {
        let ((number, _), value) = (self.of(state, ""), self.migrated(state, from_version, value)?);
        self.store.broadcasts.entry(number).or_default().insert(entry.to_vec(), value);
        Ok(())
    }

    fn migrated(&self, state: &str, from_version: u32, value: &[u8]) -> Result<Vec<u8>, String> {
        let (number, _) = self.of(state, "");
        let declared = self.descriptor.states[number as usize].version;
        if from_version == declared {
            return Ok(value.to_vec());
        }
        if from_version > declared {
            return Err(format!("state `{state}` is of version {declared}, and version {from_version} is newer"));
        }
        let mut values = empty_column();
        push_item(&mut values, value);
        let (call, migrated) = during(Call::default(), || Instance::<O>::migrate(number, from_version, &values));
        if let Some((_, line)) = call.logs.first() {
            panic!("migrate may call nothing of the host, and it logged: {line}");
        }
        Ok(vecs(&migrated?).remove(0))
    }
}
