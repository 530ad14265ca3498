//! The host's side of the world as the rest of the crate calls it: the imports in a guest, the in-memory host natively.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::weir::operator::collections::{broadcast_get, broadcast_scan, list_length, list_read, map_get, map_scan};
#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::weir::operator::logging::log;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::imports::{broadcast_get, broadcast_scan, list_length, list_read, log, map_get, map_scan};

/// What one page of a list or map may hold: large enough that the call's cost is spread, small against a guest's memory.
pub(crate) const PAGE_BYTES: u32 = 64 * 1024;
