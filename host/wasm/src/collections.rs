//! Reads of list, map and broadcast state out of a running call: by key index, by page, as of the start of the call.
//!
//! What the guest asks for is checked here; what answers is the driver's [`CollectionReads`].

use crate::bindings::weir::operator::collections::{Column, Host, KeyedColumn, ListPage, MapPage};
use crate::host_state::{HostState, Lent, Phase};
use crate::reads::{CollectionReads, ScanFrom, ScanPage};
use wasmtime::{Result, bail};
use weir_engine::state::StateKind;
use weir_engine::{EngineError, element};

/// Bytes of one page, whatever the guest asks for.
const PAGE_BYTES: u32 = 1 << 20;

impl Host for HostState {
    fn list_length(&mut self, state: u32, key: u32) -> Result<u64> {
        let at = self.readable("list-length", state, key, StateKind::List)?;
        let length = at.reads.list_len(key as usize, state as usize);
        self.read("list-length", length)
    }

    fn list_read(&mut self, state: u32, key: u32, start: u64, max_bytes: u32) -> Result<ListPage> {
        let at = self.readable("list-read", state, key, StateKind::List)?;
        let mut items = element::Column::new();
        let next = at.reads.list_read(key as usize, state as usize, start, page(max_bytes), &mut items);
        Ok(ListPage { next: self.read("list-read", next)?, items: lowered(items) })
    }

    fn map_get(&mut self, state: u32, key: u32, entries: Column) -> Result<KeyedColumn> {
        let bound = self.memory.limit();
        let at = self.readable("map-get", state, key, StateKind::Map)?;
        let got = get("map-get", entries, bound, |entry, values| at.reads.map_get(key as usize, state as usize, entry, values))?;
        self.read("map-get", got)
    }

    fn map_scan(&mut self, state: u32, key: u32, start: Option<Vec<u8>>, max_bytes: u32) -> Result<MapPage> {
        let at = self.readable("map-scan", state, key, StateKind::Map)?;
        let (from, mut scanned) = (ScanFrom { start: start.as_deref(), max_bytes: page(max_bytes) }, ScanPage::default());
        let next = at.reads.map_scan(key as usize, state as usize, from, &mut scanned);
        Ok(map_page(scanned, self.read("map-scan", next)?))
    }

    fn broadcast_get(&mut self, state: u32, entries: Column) -> Result<KeyedColumn> {
        let bound = self.memory.limit();
        let reads = self.readable_broadcast("broadcast-get", state)?;
        let got = get("broadcast-get", entries, bound, |entry, values| reads.broadcast_get(state as usize, entry, values))?;
        self.read("broadcast-get", got)
    }

    fn broadcast_scan(&mut self, state: u32, start: Option<Vec<u8>>, max_bytes: u32) -> Result<MapPage> {
        let reads = self.readable_broadcast("broadcast-scan", state)?;
        let (from, mut scanned) = (ScanFrom { start: start.as_deref(), max_bytes: page(max_bytes) }, ScanPage::default());
        let next = reads.broadcast_scan(state as usize, from, &mut scanned);
        Ok(map_page(scanned, self.read("broadcast-scan", next)?))
    }
}

impl HostState {
    /// What this call may read, where state `state` of key `key` is in it.
    fn readable(&mut self, call: &str, state: u32, key: u32, kind: StateKind) -> Result<&mut Lent> {
        self.check_phase(call)?;
        let keyed = self.lent.as_mut().and_then(|lent| Some((lent.keys?, lent)));
        let Some((keys, lent)) = keyed else {
            bail!("{call} was called, but this batch's input is not keyed or the plugin declares no list or map");
        };
        let Some(declared) = lent.states.get(state as usize) else {
            bail!("{call} names state {state}, but {} are declared", lent.states.len());
        };
        if declared.kind != kind {
            bail!("{call} names state {state}, \"{}\", whose kind is {:?}", declared.name, declared.kind);
        }
        if key as usize >= keys {
            bail!("{call} names key {key}, but the batch has {keys}");
        }
        Ok(lent)
    }

    /// What this call may read, where broadcast state `state` is in it.
    fn readable_broadcast(&mut self, call: &str, state: u32) -> Result<&mut dyn CollectionReads> {
        self.check_phase(call)?;
        let is_broadcast = |lent: &&mut Lent| lent.states.get(state as usize).is_some_and(|declared| declared.kind == StateKind::Broadcast);
        match self.lent.as_mut().filter(is_broadcast) {
            Some(lent) => Ok(&mut *lent.reads),
            None => bail!("{call} names state {state}, which is not a broadcast state"),
        }
    }

    /// What was read. Where it could not be, the call ends, and its owner is told why: it is no fault of the guest's.
    fn read<T>(&mut self, call: &str, read: std::result::Result<T, EngineError>) -> Result<T> {
        match read {
            Ok(read) => Ok(read),
            Err(error) => {
                self.unreadable = Some(error);
                bail!("{call}: the state cannot be read")
            }
        }
    }

    fn check_phase(&self, call: &str) -> Result<()> {
        match self.phase {
            Phase::Process | Phase::OnTimers | Phase::OnWindows => Ok(()),
            Phase::Instantiate | Phase::Describe | Phase::Open | Phase::Merge | Phase::Migrate => {
                bail!("{call} was called in {}; it may be called in process, on-timers and on-windows only", self.phase.name())
            }
        }
    }
}

fn page(max_bytes: u32) -> usize {
    max_bytes.min(PAGE_BYTES) as usize
}

/// The values of the entries asked for that have one, `bound` bytes of them at most.
fn get(
    call: &str,
    entries: Column,
    bound: u64,
    mut push_value: impl FnMut(&[u8], &mut element::Column) -> std::result::Result<bool, EngineError>,
) -> Result<std::result::Result<KeyedColumn, EngineError>> {
    let entries = asked(call, entries)?;
    let (mut keys, mut items) = (Vec::new(), element::Column::new());
    for (index, entry) in entries.iter().enumerate() {
        match push_value(entry, &mut items) {
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

fn asked(call: &str, column: Column) -> Result<element::Column> {
    match crate::columns::column(column) {
        Ok(column) => Ok(column),
        Err(what) => bail!("{call}: {what}"),
    }
}

fn map_page(scanned: ScanPage, next: Option<Vec<u8>>) -> MapPage {
    MapPage { entries: lowered(scanned.entries), values: lowered(scanned.values), next }
}

fn lowered(column: element::Column) -> Column {
    let (data, ends) = column.into_parts();
    Column { data, ends: bytemuck::cast_slice(&ends).to_vec() }
}
