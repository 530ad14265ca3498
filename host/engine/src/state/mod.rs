//! State: which key belongs to which subtask and what is kept of it, and what a subtask keeps as a whole.

mod allowance;
mod backend;
mod block;
mod broadcast_reader;
mod broadcast_state;
mod call_keys;
mod changes;
mod chunk;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod contents;
mod delta;
mod distinct_keys;
mod entry;
mod event_time_began;
mod group_table;
mod index;
mod keyed_state;
mod layout;
mod lifetime;
mod list_state;
mod map_state;
mod memory_backend;
mod memory_batches;
mod memory_keys;
mod memory_restore;
mod memory_snapshot;
mod migrate;
mod no_backend;
mod redeclared;
mod rewrite;
pub mod size;
mod small_bytes;
mod snapshot;
mod stored_group;
mod sums;
mod timer_queue;
mod timers;
pub(crate) mod varint;
mod windows;

#[cfg(test)]
mod block_tests;
#[cfg(test)]
mod broadcast_state_tests;
#[cfg(test)]
mod delta_tests;

pub use crate::element::key_hash;
pub use crate::element::{KeyGroupRange, MAX_PARALLELISM_LIMIT, key_group_of, owner_of, owners, range_of};
pub use allowance::{StateAllowance, StatePool};
pub use backend::{BackendPlace, KeySlot, SelectedKeys, StateBackend, StateBackendFactory, StateTime, ValuesOfKeys};
#[cfg(test)]
pub(crate) use block::BlockReader;
pub(crate) use block::MapEntry;
pub use block::Payload;
pub use broadcast_state::{BroadcastAccess, BroadcastState};
pub use call_keys::CallKeys;
pub(crate) use contents::Content;
pub use keyed_state::{KeyLook, KeyedState, Keyless, LOOK_BYTES, LookedContent, LookedState, LookedUnit, SelectError, Unwindowed};
pub(crate) use lifetime::JudgedBy;
pub use lifetime::StateTtl;
pub use memory_backend::MemoryBackendFactory;
pub use migrate::StateMigrator;
pub(crate) use migrate::{Migrated, Migration};
pub use rewrite::StateRewrite;
pub use snapshot::{BlockSnapshot, FileSnapshot, SnapshotFile, StateSnapshot, StoredFile};
pub use stored_group::StoredState;
pub(crate) use stored_group::{StoredGroup, StoredKeys};
pub(crate) use timers::is_timer_of_both;
pub use timers::{TIMER_STATE, TimeDomain, timer_state};
#[cfg(test)]
pub(crate) use windows::DueWindow;
pub(crate) use windows::{DueReason, put_unit};
pub use windows::{
    FiredWindow, FiredWindows, HOPS_MAX, LateRecord, NO_BOUND, OpenWindow, StateMerger, WINDOW_STATE, Window, WindowKind, WindowReason,
    WindowSettings, are_units, key_of_unit, start_of_unit, unit_hash, window_state,
};

use serde::{Deserialize, Serialize};

/// What a state holds for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// One value.
    Value,
    /// Items in the order in which they were appended.
    List,
    /// Entries in byte order.
    Map,
    /// A map of the whole subtask, which is the same in each: see [`BroadcastState`].
    Broadcast,
}

/// A declared state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateDescriptor {
    /// Its name: its identity within the operator.
    pub name: String,
    /// What it holds.
    pub kind: StateKind,
    /// The type's description (wit/schema.md).
    pub schema: String,
    /// The author's version of the schema.
    pub version: u32,
    /// How long what is kept of it lives; `None`: for ever. In metadata it stands as it did when there was none.
    #[serde(rename = "ttl_ms")]
    pub ttl: Option<StateTtl>,
}
