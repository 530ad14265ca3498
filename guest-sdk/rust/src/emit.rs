//! The way to an output: what [`Context::to`](crate::Context::to) returns.

use crate::bindings::weir::operator::types::Batch;
use crate::columns::append;
use crate::error::Result;
use crate::new_record::NewRecord;
use crate::output_buffer::OutputBuffer;
use serde::Serialize;

/// Sends records to one output; what [`Context::to`](crate::Context::to) returns.
pub struct Emitter<'a> {
    pub(crate) buffer: &'a mut OutputBuffer,
    pub(crate) batch: &'a Batch,
    pub(crate) record: u32,
}

impl Emitter<'_> {
    /// Lets the record that is being worked on go to this output as it came: key, value, time and headers. Nothing is copied for it. It stands
    /// before whatever else the record emits to this output, and goes there once, however often this is called.
    #[inline(always)]
    pub fn pass(&mut self) {
        self.buffer.pass(self.batch, self.record);
    }

    /// Emits a value under the key, timestamp and headers of the record that is being worked on.
    #[inline]
    pub fn emit(&mut self, value: impl AsRef<[u8]>) {
        self.emit_into(|out| append(out, value.as_ref()));
    }

    /// Emits the value that `write` adds to the end of the vector it is given, which holds the values before it.
    #[inline]
    pub fn emit_into(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.push_value(write);
        self.inherit();
    }

    /// Emits a record without a value (the delete of a keyed stream), under the key, timestamp and headers of the record that is being worked on.
    pub fn emit_absent(&mut self) {
        self.buffer.push_absent();
        self.inherit();
    }

    /// Emits `value` as JSON, as [`Self::emit`] does.
    pub fn emit_json(&mut self, value: &impl Serialize) -> Result<()> {
        self.buffer.push_json(value)?;
        self.inherit();
        Ok(())
    }

    /// Emits a value under a key of its own (`None`: without a key) and the timestamp of the record that is being worked on.
    #[inline]
    pub fn emit_keyed(&mut self, key: Option<&[u8]>, value: impl AsRef<[u8]>) {
        self.buffer.push_value(|out| append(out, value.as_ref()));
        self.buffer.own_key(self.batch, key);
        self.buffer.inherit_timestamp(self.batch, self.record);
        self.buffer.inherit_headers(self.batch, self.record);
        self.buffer.push_cause(self.record);
    }

    /// Emits a value under a key of its own (`None`: without a key) at a time of its own, ms since the Unix epoch (`None`: no time).
    pub fn emit_with(&mut self, key: Option<&[u8]>, timestamp: Option<i64>, value: impl AsRef<[u8]>) {
        self.buffer.push_value(|out| append(out, value.as_ref()));
        self.buffer.own_key(self.batch, key);
        self.buffer.own_timestamp(self.batch, timestamp);
        self.buffer.inherit_headers(self.batch, self.record);
        self.buffer.push_cause(self.record);
    }

    /// Emits a record that says for itself which of value, key, time and headers it has.
    pub fn emit_record(&mut self, record: &NewRecord<'_>) {
        match record.value {
            Some(value) => self.buffer.push_value(|out| append(out, value)),
            None => self.buffer.push_absent(),
        }
        match record.key {
            Some(key) => self.buffer.own_key(self.batch, key),
            None => self.buffer.inherit_key(self.batch, self.record),
        }
        match record.timestamp {
            Some(timestamp) => self.buffer.own_timestamp(self.batch, timestamp),
            None => self.buffer.inherit_timestamp(self.batch, self.record),
        }
        match record.headers {
            Some(headers) => self.buffer.own_headers(self.batch, headers),
            None => self.buffer.inherit_headers(self.batch, self.record),
        }
        self.buffer.push_cause(self.record);
    }

    /// The record has everything but its value from its cause.
    #[inline(always)]
    fn inherit(&mut self) {
        if self.buffer.is_explicit() {
            self.buffer.inherit_all(self.batch, self.record);
        }
        self.buffer.push_cause(self.record);
    }
}
