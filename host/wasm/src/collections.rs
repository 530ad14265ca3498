//! Reads of list and map state out of a running call: by key index, by page, as of the start of the call.

use crate::bindings::weir::operator::collections::{Column, Host, KeyedColumn, ListPage, MapPage};
use crate::host_state::{HostState, Phase};
use wasmtime::{Result, bail};
use weir_engine::element;
use weir_engine::state::{KeyedState, StateKind};

/// Bytes of one page, whatever the guest asks for.
const PAGE_BYTES: u32 = 1 << 20;

impl Host for HostState {
    fn list_length(&mut self, state: u32, key: u32) -> Result<u64> {
        let keyed = self.readable("list-length", state, key, StateKind::List)?;
        Ok(keyed.list_len(key as usize, state as usize))
    }

    fn list_read(&mut self, state: u32, key: u32, start: u64, max_bytes: u32) -> Result<ListPage> {
        let keyed = self.readable("list-read", state, key, StateKind::List)?;
        let mut items = element::Column::new();
        let next = keyed.list_read(key as usize, state as usize, start, max_bytes.min(PAGE_BYTES) as usize, &mut items);
        Ok(ListPage { items: lowered(items), next })
    }

    fn map_get(&mut self, state: u32, key: u32, entries: Column) -> Result<KeyedColumn> {
        let bound = self.memory.limit();
        let keyed = self.readable("map-get", state, key, StateKind::Map)?;
        let entries = asked("map-get", entries)?;
        let (mut keys, mut items) = (Vec::new(), element::Column::new());
        for (index, entry) in entries.iter().enumerate() {
            let Some(value) = keyed.map_get(key as usize, state as usize, entry) else { continue };
            if (items.byte_len() + value.len()) as u64 > bound {
                bail!("map-get asks for more than the {bound} bytes of memory that the plugin has");
            }
            keys.push(index as u32);
            items.push(value);
        }
        Ok(KeyedColumn { keys: bytemuck::cast_slice(&keys).to_vec(), items: lowered(items) })
    }

    fn map_scan(&mut self, state: u32, key: u32, start: Option<Vec<u8>>, max_bytes: u32) -> Result<MapPage> {
        let keyed = self.readable("map-scan", state, key, StateKind::Map)?;
        let (mut entries, mut values) = (element::Column::new(), element::Column::new());
        let max_bytes = max_bytes.min(PAGE_BYTES) as usize;
        let next = keyed.map_scan(key as usize, state as usize, start.as_deref(), max_bytes, &mut entries, &mut values);
        Ok(MapPage { entries: lowered(entries), values: lowered(values), next })
    }

    fn broadcast_get(&mut self, state: u32, _entries: Column) -> Result<KeyedColumn> {
        bail!("broadcast-get names state {state}, which is not a broadcast state")
    }

    fn broadcast_scan(&mut self, state: u32, _start: Option<Vec<u8>>, _max_bytes: u32) -> Result<MapPage> {
        bail!("broadcast-scan names state {state}, which is not a broadcast state")
    }
}

impl HostState {
    /// The keyed state, where this call may read state `state` of key `key`.
    fn readable(&self, call: &str, state: u32, key: u32, kind: StateKind) -> Result<&KeyedState> {
        if self.phase != Phase::Process {
            bail!("{call} was called in {}; it may be called in process only", self.phase.name());
        }
        let Some(keyed) = &self.lent else {
            bail!("{call} was called, but this batch's input is not keyed or the plugin declares no list or map");
        };
        let Some(declared) = keyed.states().get(state as usize) else {
            bail!("{call} names state {state}, but {} are declared", keyed.states().len());
        };
        if declared.kind != kind {
            bail!("{call} names state {state}, \"{}\", whose kind is {:?}", declared.name, declared.kind);
        }
        if key as usize >= keyed.keys().len() {
            bail!("{call} names key {key}, but the batch has {}", keyed.keys().len());
        }
        Ok(keyed)
    }
}

fn asked(call: &str, column: Column) -> Result<element::Column> {
    match crate::columns::column(column) {
        Ok(column) => Ok(column),
        Err(what) => bail!("{call}: {what}"),
    }
}

fn lowered(column: element::Column) -> Column {
    let (data, ends) = column.into_parts();
    Column { data, ends: bytemuck::cast_slice(&ends).to_vec() }
}
