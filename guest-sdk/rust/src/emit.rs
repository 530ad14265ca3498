//! Records on their way out, one set of columns for each output.
//!
//! A record that inherits its cause's key and time costs no more than its value: the columns for keys and times begin with the first
//! record that has its own, and are then filled up for those before it.

use crate::bindings::weir::operator::types::{Batch, Output};
use crate::columns::{append, empty_column, push_item, push_s64, push_u32, s64_at, u32_at, u32_count};
use crate::context::{NO_TIMESTAMP, key_of};
use crate::error::Result;
use serde::Serialize;

/// Sends records to one output; what [`Context::to`](crate::Context::to) returns.
pub struct Emitter<'a> {
    pub(crate) buffer: &'a mut OutputBuffer,
    pub(crate) batch: &'a Batch,
    pub(crate) record: u32,
}

impl Emitter<'_> {
    /// Emits a value under the key and timestamp of the record that is being worked on.
    #[inline]
    pub fn emit(&mut self, value: impl AsRef<[u8]>) {
        self.emit_into(|out| append(out, value.as_ref()));
    }

    /// Emits the value that `write` adds to the end of the vector it is given, which holds the values before it.
    #[inline]
    pub fn emit_into(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.push_value(write);
        if self.buffer.explicit {
            self.buffer.inherit(self.batch, self.record);
        }
        push_u32(&mut self.buffer.cause, self.record);
    }

    /// Emits `value` as JSON, as [`Self::emit`] does.
    pub fn emit_json(&mut self, value: &impl Serialize) -> Result<()> {
        let before = self.buffer.values.data.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer.values.data, value) {
            self.buffer.values.data.truncate(before);
            return Err(error.into());
        }
        self.emit_into(|_| {});
        Ok(())
    }

    /// Emits a value under a key of its own (`None`: without a key) and the timestamp of the record that is being worked on.
    #[inline]
    pub fn emit_keyed(&mut self, key: Option<&[u8]>, value: impl AsRef<[u8]>) {
        self.buffer.push_value(|out| append(out, value.as_ref()));
        self.buffer.own_key(self.batch, key);
        if self.buffer.timestamps.is_some() {
            self.buffer.inherit_timestamp(self.batch, self.record);
        }
        push_u32(&mut self.buffer.cause, self.record);
    }

    /// Emits a value under a key of its own (`None`: without a key) at a time of its own, ms since the Unix epoch (`None`: no time).
    pub fn emit_with(&mut self, key: Option<&[u8]>, timestamp: Option<i64>, value: impl AsRef<[u8]>) {
        self.buffer.push_value(|out| append(out, value.as_ref()));
        self.buffer.own_key(self.batch, key);
        self.buffer.own_timestamp(self.batch, timestamp);
        push_u32(&mut self.buffer.cause, self.record);
    }
}

/// The columns of one output.
pub(crate) struct OutputBuffer {
    cause: Vec<u8>,
    values: crate::bindings::weir::operator::types::Column,
    /// True once a record has a key or a time of its own.
    explicit: bool,
    keys: Option<Keys>,
    timestamps: Option<Vec<u8>>,
}

struct Keys {
    keys: crate::bindings::weir::operator::types::Column,
    keyless: Vec<u8>,
}

impl Keys {
    fn push(&mut self, key: Option<&[u8]>) {
        if key.is_none() {
            push_u32(&mut self.keyless, u32_count(&self.keys.ends) as u32);
        }
        push_item(&mut self.keys, key.unwrap_or_default());
    }
}

impl OutputBuffer {
    pub(crate) fn with_room(room: Room, inputs: usize) -> Self {
        let mut buffer = Self { cause: Vec::new(), values: empty_column(), explicit: false, keys: None, timestamps: None };
        let (records, bytes) = room.for_inputs(inputs);
        buffer.cause.reserve_exact(4 * records);
        buffer.values.ends.reserve_exact(4 * records);
        buffer.values.data.reserve_exact(bytes);
        buffer
    }

    #[inline(always)]
    fn push_value(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.values.data.len();
        write(&mut self.values.data);
        let end = self.values.data.len();
        assert!(end >= before, "the writer of a value shortened the values before it");
        push_u32(&mut self.values.ends, end as u32);
    }

    #[cold]
    fn inherit(&mut self, batch: &Batch, record: u32) {
        if let Some(keys) = &mut self.keys {
            keys.push(key_of(batch, record as usize));
        }
        self.inherit_timestamp(batch, record);
    }

    fn inherit_timestamp(&mut self, batch: &Batch, record: u32) {
        if let Some(timestamps) = &mut self.timestamps {
            push_s64(timestamps, s64_at(&batch.timestamps, record as usize));
        }
    }

    #[inline]
    fn own_key(&mut self, batch: &Batch, key: Option<&[u8]>) {
        self.keys.get_or_insert_with(|| begin_keys(batch, &self.cause)).push(key);
        self.explicit = true;
    }

    fn own_timestamp(&mut self, batch: &Batch, timestamp: Option<i64>) {
        let timestamps = self.timestamps.get_or_insert_with(|| begin_timestamps(batch, &self.cause));
        push_s64(timestamps, timestamp.unwrap_or(NO_TIMESTAMP));
        self.explicit = true;
    }

    /// The room that a batch like this one of `inputs` records takes.
    pub(crate) fn room(&self, inputs: usize) -> Room {
        let per_input = |count: usize| count.div_ceil(inputs.max(1));
        Room { records_per_input: per_input(u32_count(&self.cause)), bytes_per_input: per_input(self.values.data.len()) }
    }

    /// The columns as output `output`, or `None` where nothing was emitted.
    pub(crate) fn finish(self, output: u32) -> Option<Output> {
        if self.cause.is_empty() {
            return None;
        }
        let (keys, keyless) = self.keys.map_or((empty_column(), Vec::new()), |keys| (keys.keys, keys.keyless));
        let timestamps = self.timestamps.unwrap_or_default();
        Some(Output { output, cause: self.cause, values: self.values, keys, keyless, timestamps })
    }
}

/// The keys that the records of `cause` inherited so far.
#[cold]
fn begin_keys(batch: &Batch, cause: &[u8]) -> Keys {
    let mut keys = Keys { keys: empty_column(), keyless: Vec::new() };
    for index in 0..u32_count(cause) {
        keys.push(key_of(batch, u32_at(cause, index) as usize));
    }
    keys
}

/// The times that the records of `cause` inherited so far.
#[cold]
fn begin_timestamps(batch: &Batch, cause: &[u8]) -> Vec<u8> {
    let mut timestamps = Vec::with_capacity(2 * cause.len());
    for index in 0..u32_count(cause) {
        push_s64(&mut timestamps, s64_at(&batch.timestamps, u32_at(cause, index) as usize));
    }
    timestamps
}

/// How much an operator emitted last time: what it is given room for the next time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    records_per_input: usize,
    bytes_per_input: usize,
}

impl Room {
    /// No room is made in advance for more than this.
    const BYTES_MAX: usize = 1 << 20;

    fn for_inputs(self, inputs: usize) -> (usize, usize) {
        let records = (self.records_per_input * inputs).min(Self::BYTES_MAX / 8);
        (records, (self.bytes_per_input * inputs).min(Self::BYTES_MAX))
    }
}
