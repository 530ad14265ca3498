//! What an older version of an operator holds, as a newer one would go on with it: values of states that have another version there are
//! migrated, as a restore does it. So two versions can be compared by what they hold, whatever their values look like.

use super::IsolatedOperator;
use super::contents::{Contents, Held};
use crate::error::EngineError;
use crate::state::{Migrated, Migration, StateDescriptor};
use std::collections::BTreeMap;

/// `contents`, which is numbered as the states `was` of the older version are, with its values in the versions of `newer`. The numbers stay.
pub(super) fn migrated(contents: Contents, was: &[StateDescriptor], newer: &IsolatedOperator) -> Result<Contents, EngineError> {
    let Some(migrator) = newer.migrator() else { return Ok(contents) };
    let mut migrations = BTreeMap::new();
    for (number, state) in was.iter().enumerate() {
        let named = newer.states().iter().enumerate().find(|(_, declared)| declared.name == state.name);
        if let Some((place, declared)) = named.filter(|(_, declared)| declared.version > state.version) {
            migrations.insert(number, Migration::new(&*migrator, place, declared, state.version));
        }
    }
    for ((number, key), held) in &contents {
        if let Some(migration) = migrations.get_mut(number) {
            values(held).try_for_each(|value| migration.push(key, value))?;
        }
    }
    let mut migrated = BTreeMap::new();
    for (number, migration) in migrations {
        migrated.insert(number, migration.finish()?);
    }
    let with_new_values = |((number, key), held): ((usize, Vec<u8>), Held)| {
        let held = match migrated.get_mut(&number) {
            Some(values) => with_values(held, values),
            None => held,
        };
        ((number, key), held)
    };
    Ok(contents.into_iter().map(with_new_values).collect())
}

/// What a version of a state is about: the value, the items, the values of the entries.
fn values(held: &Held) -> Box<dyn Iterator<Item = &[u8]> + '_> {
    match held {
        Held::Value(value) => Box::new(std::iter::once(&**value)),
        Held::List(items) => Box::new(items.iter().map(Vec::as_slice)),
        Held::Map(entries) => Box::new(entries.iter().map(|(_, value)| &**value)),
    }
}

/// The same with other values, in the order in which [`values`] gave them.
fn with_values(held: Held, values: &mut Migrated) -> Held {
    match held {
        Held::Value(_) => Held::Value(values.next().to_vec()),
        Held::List(items) => Held::List(items.iter().map(|_| values.next().to_vec()).collect()),
        Held::Map(entries) => Held::Map(entries.into_iter().map(|(entry, _)| (entry, values.next().to_vec())).collect()),
    }
}
