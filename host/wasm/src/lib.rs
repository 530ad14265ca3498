//! Runs a guest component as an operator of the engine.
//!
//! The way of a file: `compile` has it read, packed, compared with `weir:operator/operator` and compiled, in a process of its own; [`Plugin`] links the
//! code and asks it what it is. The way of a batch: `guest_batch` cuts it and lays the keys' state beside it, [`Guest`] is called with it: `lowered` makes
//! it the guest's, `instance` enters the guest, `effects` checks what came back. Then `emitted` makes records of it and `apply` has it take hold.
//! Timers that are due and windows that fire go the same way (`work`); `merge` makes one of windows that become one.
//! [`WasmOperator`] drives all that for the engine, and where a call fails, `narrow` says what to try next.
//!
//! [`Guest`] is the seam: it knows nothing of the engine's tasks, so that another engine could drive a component with it. What is above it is
//! `guest_batch`, `engine_reads`, `apply`, `state_limits`, `narrow`, `quarantine` and `wasm_operator`.
//!
//! Invariants: a call that ends in any error has no effect, and its instance is never entered again; nothing that a guest returns is
//! used before it has been checked; every entry has a deadline, every instance a memory limit, every answer a size.

mod apply;
mod bindings;
mod collections;
mod columns;
mod compile;
mod descriptor;
pub mod effects;
mod emitted;
mod engine;
mod engine_reads;
mod fault;
mod guest;
mod guest_batch;
mod guest_log;
mod guest_maker;
mod guest_text;
mod host_state;
mod instance;
pub mod kept_files;
mod limits;
mod lowered;
mod merge;
mod metadata;
mod migrate;
mod narrow;
mod pack;
mod plugin;
mod quarantine;
mod reads;
pub mod schema;
mod stand_ins;
mod standard_streams;
mod state_limits;
mod ticker;
mod wasm_operator;
mod work;
mod world;
mod world_version;

pub use compile::{ChildProcess, CompileIn, CompileLimits, CompileStop, compile_child};
pub use engine::{CompileCache, EngineMode, GUEST_STACK_BYTES, WasmEngine};
pub use fault::{GuestFault, Said};
pub use guest::{Answer, CallFailure, CallInput, Guest, GuestCall, KeyedCall, KeyedValues, TimerCall, Usage, WindowCall};
pub use guest_text::printable;
pub use limits::{BATCH_RECORDS, Limits, OnFailure, OperatorSettings, PluginConfig, QuarantineLimit};
pub use metadata::{Interfaces, PluginMetadata};
pub use pack::{PLUGIN_BYTES, Problem, pack};
pub use plugin::{Plugin, PluginInfo, Verdict, check, check_bytes, check_hosted, pack_component, pack_named, read_plugin};
pub use reads::{CollectionReads, ScanFrom, ScanPage};
pub use wasm_operator::{WasmOperator, WasmOperatorFactory};
pub use weir_engine::shown_text::bytes_as_json;
pub use work::{due_records, firing_records};
pub use world_version::hosted_world;
