//! Reads of list, map and broadcast state out of a running call: by key index, by page, as of the start of the call.

use crate::bindings::weir::operator::collections::{Column, Host, KeyedColumn, ListPage, MapPage};
use crate::host_state::{HostState, Phase};
use wasmtime::bail;
use weir_engine::state::{BroadcastState, KeyedState, StateKind};
use weir_engine::{EngineError, element};

/// Bytes of one page, whatever the guest asks for.
const PAGE_BYTES: u32 = 1 << 20;

impl Host for HostState {
    fn list_length(&mut self, state: u32, key: u32) -> wasmtime::Result<u64> {
        let keyed = self.readable("list-length", state, key, StateKind::List)?;
        let length = keyed.list_len(key as usize, state as usize);
        self.read("list-length", length)
    }

    fn list_read(&mut self, state: u32, key: u32, start: u64, max_bytes: u32) -> wasmtime::Result<ListPage> {
        let keyed = self.readable("list-read", state, key, StateKind::List)?;
        let mut items = element::Column::new();
        let next = keyed.list_read(key as usize, state as usize, start, max_bytes.min(PAGE_BYTES) as usize, &mut items);
        let next = self.read("list-read", next)?;
        Ok(ListPage { items: lowered(items), next })
    }

    fn map_get(&mut self, state: u32, key: u32, entries: Column) -> wasmtime::Result<KeyedColumn> {
        let bound = self.memory.limit();
        let keyed = self.readable("map-get", state, key, StateKind::Map)?;
        let got = get("map-get", entries, bound, |entry, out| keyed.map_get(key as usize, state as usize, entry, out))?;
        self.read("map-get", got)
    }

    fn map_scan(&mut self, state: u32, key: u32, start: Option<Vec<u8>>, max_bytes: u32) -> wasmtime::Result<MapPage> {
        let keyed = self.readable("map-scan", state, key, StateKind::Map)?;
        let (mut entries, mut values) = (element::Column::new(), element::Column::new());
        let max_bytes = max_bytes.min(PAGE_BYTES) as usize;
        let next = keyed.map_scan(key as usize, state as usize, start.as_deref(), max_bytes, &mut entries, &mut values);
        let next = self.read("map-scan", next)?;
        Ok(MapPage { entries: lowered(entries), values: lowered(values), next })
    }

    fn broadcast_get(&mut self, state: u32, entries: Column) -> wasmtime::Result<KeyedColumn> {
        let bound = self.memory.limit();
        let broadcast = self.readable_broadcast("broadcast-get", state)?;
        let got = get("broadcast-get", entries, bound, |entry, out| {
            Ok(broadcast.get(state as usize, entry).map(|value| out.push(value)).is_some())
        })?;
        self.read("broadcast-get", got)
    }

    fn broadcast_scan(&mut self, state: u32, start: Option<Vec<u8>>, max_bytes: u32) -> wasmtime::Result<MapPage> {
        let broadcast = self.readable_broadcast("broadcast-scan", state)?;
        let (mut entries, mut values) = (element::Column::new(), element::Column::new());
        let max_bytes = max_bytes.min(PAGE_BYTES) as usize;
        let next = broadcast.scan(state as usize, start.as_deref(), max_bytes, &mut entries, &mut values);
        Ok(MapPage { entries: lowered(entries), values: lowered(values), next })
    }
}

impl HostState {
    /// The keyed state, where this call may read state `state` of key `key`.
    fn readable(&self, call: &str, state: u32, key: u32, kind: StateKind) -> wasmtime::Result<&KeyedState> {
        self.check_phase(call)?;
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

    /// The broadcast state, where this call may read its state `state`.
    fn readable_broadcast(&self, call: &str, state: u32) -> wasmtime::Result<&BroadcastState> {
        self.check_phase(call)?;
        match self.broadcast.as_ref().filter(|broadcast| broadcast.is_declared(state as usize)) {
            Some(broadcast) => Ok(broadcast),
            None => bail!("{call} names state {state}, which is not a broadcast state"),
        }
    }

    /// What the state gave. Where it failed the call of the guest ends, and the failure is kept: it is not the guest's.
    fn read<T>(&mut self, call: &str, read: Result<T, EngineError>) -> wasmtime::Result<T> {
        match read {
            Ok(read) => Ok(read),
            Err(error) => {
                let message = format!("{call}: {error}");
                self.state_failed = Some(error);
                bail!("{message}")
            }
        }
    }

    fn check_phase(&self, call: &str) -> wasmtime::Result<()> {
        if self.phase != Phase::Process {
            bail!("{call} was called in {}; it may be called in process only", self.phase.name());
        }
        Ok(())
    }
}

/// The values of the entries asked for that have one, `bound` bytes of them at most.
fn get(
    call: &str,
    entries: Column,
    bound: u64,
    read: impl Fn(&[u8], &mut element::Column) -> Result<bool, EngineError>,
) -> wasmtime::Result<Result<KeyedColumn, EngineError>> {
    let entries = asked(call, entries)?;
    let (mut keys, mut items) = (Vec::new(), element::Column::new());
    for (index, entry) in entries.iter().enumerate() {
        match read(entry, &mut items) {
            Ok(true) => keys.push(index as u32),
            Ok(false) => {}
            Err(error) => return Ok(Err(error)),
        }
        if items.byte_len() as u64 > bound {
            bail!("{call} asks for more than the {bound} bytes of memory that the plugin has");
        }
    }
    Ok(Ok(KeyedColumn { keys: bytemuck::cast_slice(&keys).to_vec(), items: lowered(items) }))
}

fn asked(call: &str, column: Column) -> wasmtime::Result<element::Column> {
    match crate::columns::column(column) {
        Ok(column) => Ok(column),
        Err(what) => bail!("{call}: {what}"),
    }
}

fn lowered(column: element::Column) -> Column {
    let (data, ends) = column.into_parts();
    Column { data, ends: bytemuck::cast_slice(&ends).to_vec() }
}
