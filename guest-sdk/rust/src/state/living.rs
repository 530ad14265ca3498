//! States with a time to live. The host judges what has expired and never shows it; what a handle does for it is to say which keys' state it has handed out, where the
//! time to live counts from the last read.
//!
//! Invariant: whether a key counts as read follows from what the operator was told of it, own writes of the batch included, and not from where the batch was cut.

use super::{ListState, MapState, Place, ValueState};
use crate::bindings::weir::operator::types::{Effects, TimeDomain, Touch, Ttl};
use crate::columns::push_u32;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// A state that `#[state(ttl = "…")]` can be said of.
///
/// With `refresh = "read"`, what counts as a read of a key's state is a value, an item or an entry that was handed out, or that `contains` says is there. It renews all that
/// is kept of the key in that state: of a list every item, of a map every entry. `len` and `is_empty` do not count.
///
/// What makes no sense does not compile: a duration that is none, a time of what lives for ever, a broadcast state that does not.
///
/// ```
/// # use weir_guest::prelude::*;
/// #[derive(States)]
/// struct Kept { #[state(ttl = "1h 30m", time = "event")] visits: ValueState<u64> }
/// ```
///
/// ```compile_fail
/// # use weir_guest::prelude::*;
/// #[derive(States)]
/// struct Kept { #[state(ttl = "an hour", time = "event")] visits: ValueState<u64> }
/// ```
///
/// ```compile_fail
/// # use weir_guest::prelude::*;
/// #[derive(States)]
/// struct Kept { #[state(time = "event")] visits: ValueState<u64> }
/// ```
///
/// ```compile_fail
/// # use weir_guest::prelude::*;
/// #[derive(States)]
/// struct Kept { #[state(ttl = "1h 30m", time = "event")] visits: BroadcastState<u64, u64> }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot have a time to live",
    note = "`ttl` is for `ValueState`, `ListState` and `MapState`; broadcast state is the same in all subtasks, which are not at one time"
)]
pub trait LivingState {
    /// The handle, which reports reads where they count.
    fn living(self, reads_count: bool) -> Self;
}

impl<T, C> LivingState for ValueState<T, C> {
    fn living(mut self, reads_count: bool) -> Self {
        self.place_mut().watch_reads(reads_count);
        self
    }
}

impl<T, C> LivingState for ListState<T, C> {
    fn living(mut self, reads_count: bool) -> Self {
        self.place_mut().watch_reads(reads_count);
        self
    }
}

impl<K, V, C> LivingState for MapState<K, V, C> {
    fn living(mut self, reads_count: bool) -> Self {
        self.place_mut().watch_reads(reads_count);
        self
    }
}

/// Keys of the batch whose state was handed out.
pub(super) type Reads = RefCell<BTreeSet<u32>>;

impl Place {
    fn watch_reads(&mut self, reads_count: bool) {
        self.reads = reads_count.then(Reads::default);
    }

    /// Something of the shown key's state has been handed out.
    #[inline]
    pub(super) fn note_read(&self) {
        if let Some(reads) = &self.reads {
            reads.borrow_mut().insert(self.key);
        }
    }

    /// The batch ends: adds to `effects` the keys that were read, but for those of `written`, which are renewed by that.
    pub(super) fn report_reads(&mut self, written: &[u32], effects: &mut Effects) {
        let Some(reads) = &mut self.reads else { return };
        let mut keys = std::mem::take(reads.get_mut());
        written.iter().for_each(|key| _ = keys.remove(key));
        if !keys.is_empty() {
            let mut touch = Touch { state: self.number, keys: Vec::with_capacity(4 * keys.len()) };
            keys.into_iter().for_each(|key| push_u32(&mut touch.keys, key));
            effects.touched.push(touch);
        }
    }
}

/// A declaration's time to live.
#[doc(hidden)]
#[must_use]
pub fn ttl(ms: u64, by_event: bool, refresh_on_read: bool) -> Option<Ttl> {
    let domain = if by_event { TimeDomain::Event } else { TimeDomain::Processing };
    Some(Ttl { ms, domain, refresh_on_read })
}
