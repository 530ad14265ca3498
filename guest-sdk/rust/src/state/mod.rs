//! State as an author sees it: a struct of handles, each showing the key of the record that is being worked on, or what the subtask keeps
//! as a whole.
//!
//! The values of a batch's keys arrive with the batch; lists, maps and broadcast state are read through host calls. Every handle keeps what
//! was written in the batch over what was read, so that an operator sees its own writes, and hands all of it back at the
//! batch's end. One key's value is decoded and encoded once a batch, however many records it has.

mod broadcast;
mod codec;
mod list;
mod list_change;
mod living;
mod map;
mod merge;
mod overlay;
mod state_type;
mod value;

pub use broadcast::BroadcastState;
pub use codec::{Cbor, Codec, Raw, RawState};
pub use list::{ListIter, ListState};
pub use living::LivingState;
use living::Reads;
#[doc(hidden)]
pub use living::ttl;
pub use map::{MapIter, MapState};
pub use merge::MergingState;
pub use state_type::{Bytes, Cases, Fields, Items, Schema, StateType};
pub use value::ValueState;

use crate::bindings::weir::operator::types::{Effects, KeyedColumn};
use crate::error::{Error, Result};

#[doc(hidden)]
pub use crate::bindings::weir::operator::types::Column;
pub use crate::bindings::weir::operator::types::{StateDecl, StateKind};

/// All states of an operator: a struct of [`ValueState`], [`ListState`], [`MapState`] and [`BroadcastState`] fields with
/// `#[derive(States)]`.
///
/// A field's name is the state's name; `#[state(name = "…")]` gives another and `#[state(version = 2)]` the version of its type.
///
/// `#[state(merge = …)]` says of a value or a map how windows become one, which sessions need: a function or a closure from the value of the window that starts
/// first and that of the other to the value of both, `fn(T, T) -> T`. Of a map it makes one value of entries that both have; the others stay. Lists
/// need none, they stand one behind the other.
///
/// `#[state(ttl = "1h")]` gives what is kept a time to live, written as a job file writes durations. It counts by the clock, or with `time = "event"` by event time, from
/// when it was written, or with `refresh = "read"` from when it was last written or read. See [`LivingState`].
pub trait States: Sized {
    /// True where a state has a time to live.
    const HAS_TTL: bool = false;

    /// The handles, without a batch.
    fn new() -> Self;
    /// What is declared, in the order of the handles.
    fn declarations() -> Vec<StateDecl>;
    /// Visits the handles in order.
    fn for_each(&mut self, visit: &mut dyn FnMut(&mut dyn State));
    /// Shows key `key` of the batch in every handle.
    fn select(&mut self, key: u32);

    /// For each pair of values of state `state` the value of both; `None`: the state does not merge.
    fn merge(state: u32, earlier: &Column, later: &Column) -> Option<Result<Column>> {
        let _ = (state, earlier, later);
        None
    }
}

/// An operator without state.
impl States for () {
    fn new() -> Self {}

    fn declarations() -> Vec<StateDecl> {
        Vec::new()
    }

    fn for_each(&mut self, _visit: &mut dyn FnMut(&mut dyn State)) {}

    #[inline(always)]
    fn select(&mut self, _key: u32) {}
}

/// What a batch's input brings with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchInput {
    /// State by key.
    Keyed {
        /// Number of the batch's keys.
        keys: usize,
    },
    /// Records that every subtask is given.
    Broadcast,
    /// Neither.
    Other,
}

impl BatchInput {
    /// Number of keys that bring state.
    fn keys(self) -> usize {
        match self {
            Self::Keyed { keys } => keys,
            Self::Broadcast | Self::Other => 0,
        }
    }
}

/// A handle as the run of a batch drives it.
pub trait State {
    /// A batch of `input` begins; `values` is what came with it.
    fn begin(&mut self, input: BatchInput, values: KeyedColumn);
    /// From here on the handle shows key `key`.
    fn select(&mut self, key: u32);
    /// The batch ends: adds what was written to `effects`.
    fn finish(&mut self, effects: &mut Effects) -> Result<(), StateFault>;
}

/// A handle as `#[derive(States)]` makes it.
pub trait StateHandle: State + Sized {
    /// The handle of state `number`.
    fn new(number: u32, name: &'static str) -> Self;
    /// Its declaration.
    fn declare(name: &str, version: u32) -> StateDecl;
}

/// What was written for a key cannot be encoded.
#[derive(Debug)]
pub struct StateFault {
    /// The key's index in the batch.
    pub key: u32,
    /// Why.
    pub error: Error,
}

/// What every handle knows of itself.
#[derive(Debug)]
struct Place {
    name: &'static str,
    number: u32,
    /// The key that is shown.
    key: u32,
    /// Which keys' state was handed out. `None`: nobody asks.
    reads: Option<Reads>,
}

impl Place {
    fn new(number: u32, name: &'static str) -> Self {
        Self { name, number, key: 0, reads: None }
    }

    #[cold]
    fn no_key(&self) -> Error {
        Error::new(format_args!("state `{}` needs a key, and this input is not keyed: give it `by = \"key\"` in the job file", self.name))
    }

    #[cold]
    fn no_broadcast(&self) -> Error {
        Error::new(format_args!(
            "state `{}` is changed by records of a broadcast input only: declare the input with `Input::broadcast` and give it `by = \"broadcast\"` in the job file",
            self.name
        ))
    }

    #[cold]
    fn failed(&self, attempt: &str, error: Error) -> Error {
        error.during(format_args!("{attempt} state `{}`", self.name))
    }
}

fn declaration(name: &str, kind: StateKind, schema: String, version: u32) -> StateDecl {
    StateDecl { name: name.to_owned(), kind, schema, version, ttl: None, merges: false }
}
