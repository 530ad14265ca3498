//! The SDK for operators in Rust: implement [`Operator`], name it in [`export!`], build for `wasm32-unknown-unknown`.
//!
//! An operator is a function from a batch of records, of timers that are due or of windows that fire, and the state of their keys to effects: records out,
//! state updates and timers. The SDK shows it as one call per record, timer or window with typed handles on the state of that record's key, and keeps the columns of
//! `wit/operator.wit` to itself. [`testing`] runs an operator natively, without Wasm, against a host in memory.
//!
//! Invariant: a batch may be cut anywhere and the instance replaced between any two batches; the effects are the same, in the same
//! order.

// The derives and macros name this crate as authors do.
extern crate self as weir_guest;

#[doc(hidden)]
pub mod bindings;
pub mod cbor;
mod columns;
mod context;
pub mod csv;
mod emit;
mod error;
mod export;
mod host;
mod instance;
pub mod joins;
pub mod log;
mod migrate;
mod new_record;
mod operator;
mod output_buffer;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod time;
mod timers;
mod windows;

pub use columns::append;
pub use context::{Context, Record};
pub use emit::Emitter;
pub use error::{Error, Result};
#[doc(hidden)]
pub use instance::Instance;
pub use migrate::OldValue;
pub use new_record::NewRecord;
pub use operator::{Empty, Input, Operator, Output, RecordSchema, Setup, Subtask};
pub use state::{BroadcastState, Bytes, Cbor, ListState, MapState, Raw, RawState, StateType, States, ValueState};
pub use timers::{FiredTimer, Timer, Timers};
pub use weir_guest_derive::{StateType, States};
pub use windows::{FiredWindow, Window, WindowReason};

/// What most operators need: `use weir_guest::prelude::*;`
pub mod prelude {
    pub use crate::{
        BroadcastState, Bytes, Cbor, Context, Empty, Error, FiredTimer, FiredWindow, Input, ListState, MapState, NewRecord, OldValue,
        Operator, Output, Raw, RawState, Record, Result, Setup,
    };
    pub use crate::{StateType, States, Timer, ValueState, Window, WindowReason, bail, log};
    pub use serde::{Deserialize, Serialize};
}

/// The page for authors: its examples are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The project's front page, with the operator that it shows.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct FrontPage;
