//! What snapshots wrote, read without a backend, is the state as it was.

use super::model::{Model, ModelKey};
use super::{LIST, MAP, MAX_PARALLELISM, SECOND_VALUE, VALUE, Written, descriptors};
use crate::state::{Payload, StoredGroup, StoredState};
use std::collections::BTreeMap;

/// Compares a whole snapshot and the deltas behind it with the model as it was at the last of them. Files say nothing without their backend.
pub(super) fn check(chain: &[&Written], model: &Model) {
    let blocks = |written: &&'_ Written| match written {
        Written::Blocks(blocks) => Some(blocks.clone()),
        Written::Files(_) => None,
    };
    let Some(chain) = chain.iter().map(blocks).collect::<Option<Vec<_>>>() else { return };
    let declared = descriptors();
    let mut groups: BTreeMap<u32, StoredGroup<'_>> = BTreeMap::new();
    for (at, (key_group, part)) in chain.iter().enumerate().flat_map(|(at, parts)| parts.iter().map(move |part| (at, part))) {
        let group = groups.entry(*key_group).or_insert_with(|| StoredGroup::new(*key_group, MAX_PARALLELISM, &declared));
        let read = if at == 0 { group.add_block(part) } else { group.apply_delta(part) };
        read.unwrap_or_else(|error| panic!("part {at} of key group {key_group}: {error}"));
    }
    let keys = groups.into_values().flat_map(StoredGroup::into_keys);
    let read: BTreeMap<Vec<u8>, ModelKey> = keys.map(|(key, states)| (key.to_vec(), model_key(states))).collect();
    assert_eq!(read, *model.keys());
}

fn model_key(states: Vec<StoredState<'_>>) -> ModelKey {
    let mut key = ModelKey::default();
    assert!(states.is_sorted_by_key(|state| state.index), "states come in the order of their indexes");
    for StoredState { index, version, payload } in states {
        assert_eq!(version, 1, "the version that the suite declares");
        match (index, payload) {
            (VALUE, Payload::Value(value)) => key.values[0] = Some(value.to_vec()),
            (SECOND_VALUE, Payload::Value(value)) => key.values[1] = Some(value.to_vec()),
            (LIST, Payload::List(items)) => key.list = items.into_iter().map(<[u8]>::to_vec).collect(),
            (MAP, Payload::Map(entries)) => {
                key.map = entries.into_iter().map(|(entry, value)| (entry.to_vec(), value.to_vec())).collect();
            }
            (index, payload) => panic!("state {index} holds {payload:?}"),
        }
    }
    key
}
