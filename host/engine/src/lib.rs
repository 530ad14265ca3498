//! The dataflow engine: moves records through a partitioned graph and takes consistent checkpoints of it.
//!
//! It knows neither Wasm nor any connector: operators, sources and sinks come in through the ports
//! ([`Operator`], [`Source`], [`Sink`]), time and threads through the [`runtime`] traits, what is kept through [`storage`].

/// The channels between tasks. Outside of the engine it is seen with the feature `testing` alone.
#[cfg(feature = "testing")]
pub mod exchange;
#[cfg(not(feature = "testing"))]
mod exchange;

/// Subtasks as they run. Outside of the engine it is seen with the feature `testing` alone.
#[cfg(feature = "testing")]
pub mod task;
#[cfg(not(feature = "testing"))]
mod task;

pub mod checkpoint;
pub mod element;
pub mod error;
pub mod inspect;
pub mod job;
pub mod metrics;
pub mod operator;
pub mod outbox;
pub mod replay;
pub mod runtime;
pub mod shown_text;
pub mod sink;
pub mod source;
pub mod state;
pub mod storage;
pub mod time;

pub use element::{BatchBuilder, Column, RecordBatch};
pub use error::{EngineError, ErrorKind};
pub use operator::{Operator, OperatorContext, OperatorFactory};
pub use sink::{Committable, Committer, Sink, SinkWriter};
pub use source::{ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitProgress, SplitState};
