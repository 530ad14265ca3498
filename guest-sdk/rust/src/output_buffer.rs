//! The columns of records on their way out, one set for each output.
//!
//! A record that inherits its cause's key, time and headers costs no more than its value: the columns for keys, times and headers begin with
//! the first record that has its own, and are then filled up for those before it. A record that passes as it came costs a bit.

use crate::bindings::weir::operator::types::{Batch, Column, Headers, Output};
use crate::columns::{empty_column, push_item, push_s64, push_u32, s64_at, u32_at, u32_count};
use crate::context::{NO_TIMESTAMP, headers_of, key_of};
use crate::error::Result;
use serde::Serialize;

/// The columns of one output.
pub(crate) struct OutputBuffer {
    /// A bit for each record of the batch, once one passes.
    passes: Vec<u8>,
    cause: Vec<u8>,
    values: Column,
    valueless: Vec<u8>,
    /// True once a record has a key, a time or headers of its own.
    explicit: bool,
    keys: Option<Keys>,
    timestamps: Option<Vec<u8>>,
    headers: Option<Headers>,
}

struct Keys {
    keys: Column,
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
        let mut buffer = Self {
            passes: Vec::new(),
            cause: Vec::new(),
            values: empty_column(),
            valueless: Vec::new(),
            explicit: false,
            keys: None,
            timestamps: None,
            headers: None,
        };
        let (records, bytes) = room.for_inputs(inputs);
        buffer.cause.reserve_exact(4 * records);
        buffer.values.ends.reserve_exact(4 * records);
        buffer.values.data.reserve_exact(bytes);
        buffer
    }

    #[inline(always)]
    pub(crate) fn pass(&mut self, batch: &Batch, record: u32) {
        if self.passes.is_empty() {
            self.begin_passes(batch);
        }
        self.passes[record as usize / 8] |= 1 << (record % 8);
    }

    #[cold]
    fn begin_passes(&mut self, batch: &Batch) {
        assert!(!batch.values.ends.is_empty(), "only a record passes, and this is called for a timer or a window: emit what it comes to");
        self.passes = vec![0; u32_count(&batch.values.ends).div_ceil(8)];
    }

    #[inline(always)]
    pub(crate) fn push_value(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.values.data.len();
        write(&mut self.values.data);
        let end = self.values.data.len();
        assert!(end >= before, "the writer of a value shortened the values before it");
        push_u32(&mut self.values.ends, end as u32);
    }

    /// The value as JSON; nothing where it has none.
    pub(crate) fn push_json(&mut self, value: &impl Serialize) -> Result<()> {
        let before = self.values.data.len();
        if let Err(error) = serde_json::to_writer(&mut self.values.data, value) {
            self.values.data.truncate(before);
            return Err(error.into());
        }
        self.push_value(|_| {});
        Ok(())
    }

    pub(crate) fn push_absent(&mut self) {
        push_u32(&mut self.valueless, u32_count(&self.values.ends) as u32);
        self.push_value(|_| {});
    }

    /// The record that the value was pushed for comes from this one.
    #[inline(always)]
    pub(crate) fn push_cause(&mut self, record: u32) {
        push_u32(&mut self.cause, record);
    }

    /// Some record has a key, a time or headers of its own, so that every other one needs those of its cause.
    #[inline(always)]
    pub(crate) fn is_explicit(&self) -> bool {
        self.explicit
    }

    #[cold]
    pub(crate) fn inherit_all(&mut self, batch: &Batch, record: u32) {
        self.inherit_key(batch, record);
        self.inherit_timestamp(batch, record);
        self.inherit_headers(batch, record);
    }

    pub(crate) fn inherit_key(&mut self, batch: &Batch, record: u32) {
        if let Some(keys) = &mut self.keys {
            keys.push(key_of(batch, record as usize));
        }
    }

    #[inline]
    pub(crate) fn inherit_timestamp(&mut self, batch: &Batch, record: u32) {
        if let Some(timestamps) = &mut self.timestamps {
            push_s64(timestamps, time_of(batch, record as usize));
        }
    }

    #[inline]
    pub(crate) fn inherit_headers(&mut self, batch: &Batch, record: u32) {
        if let Some(headers) = &mut self.headers {
            push_headers(headers, headers_of(batch, record as usize));
        }
    }

    #[inline]
    pub(crate) fn own_key(&mut self, batch: &Batch, key: Option<&[u8]>) {
        self.keys.get_or_insert_with(|| begin_keys(batch, &self.cause)).push(key);
        self.explicit = true;
    }

    pub(crate) fn own_timestamp(&mut self, batch: &Batch, timestamp: Option<i64>) {
        let timestamps = self.timestamps.get_or_insert_with(|| begin_timestamps(batch, &self.cause));
        push_s64(timestamps, timestamp.unwrap_or(NO_TIMESTAMP));
        self.explicit = true;
    }

    pub(crate) fn own_headers(&mut self, batch: &Batch, own: &[(&[u8], &[u8])]) {
        let headers = self.headers.get_or_insert_with(|| begin_headers(batch, &self.cause));
        push_headers(headers, own.iter().copied());
        self.explicit = true;
    }

    /// The room that a batch like this one of `inputs` records takes.
    pub(crate) fn room(&self, inputs: usize) -> Room {
        let per_input = |count: usize| count.div_ceil(inputs.max(1));
        Room { records_per_input: per_input(u32_count(&self.cause)), bytes_per_input: per_input(self.values.data.len()) }
    }

    /// The columns as output `output`, or `None` where nothing was emitted and nothing passes.
    pub(crate) fn finish(self, output: u32) -> Option<Output> {
        if self.cause.is_empty() && self.passes.is_empty() {
            return None;
        }
        let (keys, keyless) = self.keys.map_or((empty_column(), Vec::new()), |keys| (keys.keys, keys.keyless));
        let Self { passes, cause, values, valueless, headers, timestamps, .. } = self;
        Some(Output { output, passes, cause, values, valueless, keys, keyless, headers, timestamps: timestamps.unwrap_or_default() })
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
        push_s64(&mut timestamps, time_of(batch, u32_at(cause, index) as usize));
    }
    timestamps
}

/// The time that a record of this cause inherits, where others of the output say theirs. Panics for a window without bounds, whose time is known to the host
/// alone.
fn time_of(batch: &Batch, cause: usize) -> i64 {
    let time = s64_at(&batch.timestamps, cause);
    let is_known = time != NO_TIMESTAMP || !batch.values.ends.is_empty();
    assert!(is_known, "of windows without bounds all that an output is sent has a time of its own, or nothing has");
    time
}

/// The headers that the records of `cause` inherited so far.
#[cold]
fn begin_headers(batch: &Batch, cause: &[u8]) -> Headers {
    let mut headers = Headers { ends: Vec::new(), names: empty_column(), values: empty_column() };
    for index in 0..u32_count(cause) {
        push_headers(&mut headers, headers_of(batch, u32_at(cause, index) as usize));
    }
    headers
}

/// Appends the headers of one record.
fn push_headers<'a>(headers: &mut Headers, own: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
    for (name, value) in own {
        push_item(&mut headers.names, name);
        push_item(&mut headers.values, value);
    }
    push_u32(&mut headers.ends, u32_count(&headers.names.ends) as u32);
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
