//! Values of an older version of a state, brought to the version that the operator declares: the port for it, and how values are handed to it.
//!
//! All of a state is migrated when it is restored, before the first record: an operator then never meets two versions, and the first
//! checkpoint of the attempt, which is always whole, holds the new one alone.

use super::StateDescriptor;
use crate::element::Column;
use crate::error::{EngineError, ErrorKind};

/// Values that are migrated at once, at most.
pub const MIGRATED_VALUES: usize = 1_024;

/// What an operator brings old values of its states to the declared versions with.
pub trait StateMigrator: Send + Sync {
    /// `values` of version `from_version` of the operator's state `state`, in the declared version: one for each, in order. Of a map the values of
    /// its entries, of a list its items. There are `MIGRATED_VALUES` at most, of [`StateMigrator::batch_bytes`] together, or one that is larger.
    fn migrate(&self, state: usize, from_version: u32, values: &Column) -> Result<Column, EngineError>;

    /// Bytes of values that are migrated at once, at most.
    fn batch_bytes(&self) -> u64;
}

/// Values of one state on their way to its declared version.
pub(crate) struct Migration<'a> {
    migrator: &'a dyn StateMigrator,
    state: usize,
    declared: &'a StateDescriptor,
    from_version: u32,
    batch: Column,
    /// Whose value is the first of the batch.
    first_key: Vec<u8>,
    done: Vec<Column>,
}

impl<'a> Migration<'a> {
    /// Of the state `state` of an operator that declares it as `declared`.
    pub fn new(migrator: &'a dyn StateMigrator, state: usize, declared: &'a StateDescriptor, from_version: u32) -> Self {
        Self { migrator, state, declared, from_version, batch: Column::new(), first_key: Vec::new(), done: Vec::new() }
    }

    /// Takes on one value of `key`.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        let bytes = (self.batch.data().len() + value.len()) as u64;
        if self.batch.len() == MIGRATED_VALUES || (bytes > self.migrator.batch_bytes() && !self.batch.is_empty()) {
            self.run()?;
        }
        if self.batch.is_empty() {
            self.first_key = key.to_vec();
        }
        self.batch.push(value);
        Ok(())
    }

    fn run(&mut self) -> Result<(), EngineError> {
        let batch = std::mem::take(&mut self.batch);
        let migrated = self.migrator.migrate(self.state, self.from_version, &batch);
        let migrated = migrated
            .map_err(|error| error.context(format_args!("{} values from the key \"{}\" on", batch.len(), self.first_key.escape_ascii())))?;
        if migrated.len() != batch.len() {
            let StateDescriptor { name, version, .. } = self.declared;
            let (from, came, went) = (self.from_version, migrated.len(), batch.len());
            let message = format!("migrate state {name:?} from version {from} to {version}: {went} values went in and {came} came out");
            return Err(EngineError::new(ErrorKind::FixInput, message));
        }
        self.done.push(migrated);
        Ok(())
    }

    /// The migrated values, in order.
    pub fn finish(mut self) -> Result<Migrated, EngineError> {
        if !self.batch.is_empty() {
            self.run()?;
        }
        Ok(Migrated { done: self.done, column: 0, item: 0 })
    }
}

/// Migrated values, to be taken one by one.
pub(crate) struct Migrated {
    done: Vec<Column>,
    column: usize,
    item: usize,
}

impl Migrated {
    /// The next one; there are as many as were pushed.
    pub fn next(&mut self) -> &[u8] {
        if self.item == self.done[self.column].len() {
            (self.column, self.item) = (self.column + 1, 0);
        }
        self.item += 1;
        self.done[self.column].get(self.item - 1)
    }
}
