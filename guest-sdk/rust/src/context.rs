//! What an operator is given with each record: the record, and the context through which it reads state and emits.

use crate::bindings::weir::operator::types::{self, Batch, Headers};
use crate::columns::{has_u32, item, s64_at, u32_at};
use crate::emit::Emitter;
use crate::error::{Error, Result};
use crate::new_record::NewRecord;
use crate::operator::{Input, Operator, Output};
use crate::output_buffer::OutputBuffer;
use crate::timers::Timers;
use crate::windows::Window;
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};

/// How 'no timestamp' crosses the boundary.
pub(crate) const NO_TIMESTAMP: i64 = i64::MIN;

/// One record of the batch.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) index: usize,
    pub(crate) value: &'a [u8],
    pub(crate) input: &'static Input,
}

impl<'a> Record<'a> {
    /// The input that it came from: one of [`Operator::INPUTS`].
    #[inline]
    pub fn input(&self) -> Input {
        *self.input
    }

    /// The value's bytes; none where the value is absent, which [`Self::optional_value`] tells from an empty one.
    #[inline(always)]
    pub fn value(&self) -> &'a [u8] {
        self.value
    }

    /// The value's bytes. `None` is absent (the delete of a keyed stream), which is not the empty value.
    #[inline]
    pub fn optional_value(&self) -> Option<&'a [u8]> {
        let valueless = &self.batch.valueless;
        let absent = !valueless.is_empty() && has_u32(valueless, self.index as u32);
        (!absent).then_some(self.value)
    }

    /// The value as text; an error where it is absent or not UTF-8.
    pub fn text(&self) -> Result<&'a str> {
        std::str::from_utf8(self.present()?).map_err(|error| Error::new(format_args!("the value is not UTF-8: {error}")))
    }

    /// The value as JSON; an error where it is absent or no such JSON.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T> {
        serde_json::from_slice(self.present()?).map_err(|error| Error::new(format_args!("read the value as JSON: {error}")))
    }

    fn present(&self) -> Result<&'a [u8]> {
        self.optional_value().ok_or_else(|| Error::new("the record has no value"))
    }

    /// The headers, names and values, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        headers_of(self.batch, self.index)
    }

    /// The value of the last header of this name.
    pub fn header(&self, name: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        self.headers().filter(|(other, _)| *other == name.as_ref()).last().map(|(_, value)| value)
    }

    /// The key. `None` is absent, which is not the empty key.
    #[inline]
    pub fn key(&self) -> Option<&'a [u8]> {
        key_of(self.batch, self.index)
    }

    /// Event time, ms since the Unix epoch.
    #[inline]
    pub fn timestamp(&self) -> Option<i64> {
        Some(s64_at(&self.batch.timestamps, self.index)).filter(|&timestamp| timestamp != NO_TIMESTAMP)
    }
}

/// The key of a record of `batch`.
#[inline]
pub(crate) fn key_of(batch: &Batch, record: usize) -> Option<&[u8]> {
    if !batch.key_of.is_empty() {
        return Some(item(&batch.keys, u32_at(&batch.key_of, record) as usize));
    }
    if !batch.keyless.is_empty() && has_u32(&batch.keyless, record as u32) {
        return None;
    }
    Some(item(&batch.keys, record))
}

/// The headers of a record of `batch`, names and values.
pub(crate) fn headers_of(batch: &Batch, record: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
    record_headers(&batch.headers, record)
}

/// The headers of record `record`, where any has some.
pub(crate) fn record_headers(headers: &Headers, record: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
    let end = |records: usize| if records == 0 || headers.ends.is_empty() { 0 } else { u32_at(&headers.ends, records - 1) as usize };
    (end(record)..end(record + 1)).map(|index| (item(&headers.names, index), item(&headers.values, index)))
}

/// State, timers and outputs, for the record, the timer or the window that is being worked on. It dereferences to the operator's
/// [`States`](Operator::States): `ctx.count.get()?`.
pub struct Context<'a, O: Operator> {
    /// Sets and deletes timers of the key that is being worked on: `ctx.timers.set(OVERDUE, time)?`.
    pub timers: Timers,
    pub(crate) call: types::Context,
    pub(crate) states: &'a mut O::States,
    pub(crate) batch: &'a Batch,
    pub(crate) record: u32,
    pub(crate) main: OutputBuffer,
    /// Of the outputs after the main one.
    pub(crate) side: Vec<OutputBuffer>,
    pub(crate) metrics: Vec<(&'static str, i64)>,
}

impl<O: Operator> Context<'_, O> {
    /// The number of the input that the record came from: an index into [`Operator::INPUTS`].
    #[inline]
    pub fn input(&self) -> u32 {
        self.call.input
    }

    /// Event time up to which the input is complete, ms since the Unix epoch. The same for all records of a batch, and
    /// batches may be cut anywhere: what is emitted must not depend on it. `None`: there is none yet; the largest there is: the input has ended.
    pub fn watermark(&self) -> Option<i64> {
        self.timers.watermark()
    }

    /// The states and the timers, each to be changed while the other is: what a [join](crate::joins) works with.
    pub fn parts(&mut self) -> (&mut O::States, &mut Timers) {
        (self.states, &mut self.timers)
    }

    /// The window of the record that is being worked on, or the one that fires. `None`: the operator is not windowed, the window has no bounds (a count,
    /// a global one), or they are not known before it fires (a session).
    pub fn window(&self) -> Option<Window> {
        let (windows, key_of) = (self.batch.windows.as_ref()?, &self.batch.key_of);
        if key_of.is_empty() { None } else { Window::at(windows, u32_at(key_of, self.record as usize) as usize) }
    }

    /// Milliseconds since the Unix epoch, the same for all records of a batch.
    pub fn processing_time(&self) -> i64 {
        self.call.processing_time
    }

    /// The way to an output: `ctx.to(LATE).emit(…)`. Panics where the operator does not declare it in [`Operator::OUTPUTS`].
    #[inline]
    pub fn to(&mut self, output: Output) -> Emitter<'_> {
        let index = O::OUTPUTS.iter().position(|declared| declared.name == output.name);
        let buffer = match index {
            Some(0) => &mut self.main,
            Some(index) => &mut self.side[index - 1],
            None => panic!("{} emits to `{}`, which is not in its OUTPUTS", O::NAME, output.name),
        };
        Emitter { buffer, batch: self.batch, record: self.record }
    }

    /// Lets the record go to the main output as it came; see [`Emitter::pass`].
    #[inline(always)]
    pub fn pass(&mut self) {
        self.main().pass();
    }

    /// Lets the record go to an output as it came; see [`Emitter::pass`]. Panics where the operator does not declare it.
    #[inline]
    pub fn pass_to(&mut self, output: Output) {
        self.to(output).pass();
    }

    /// The way to the main output.
    #[inline(always)]
    fn main(&mut self) -> Emitter<'_> {
        Emitter { buffer: &mut self.main, batch: self.batch, record: self.record }
    }

    /// Emits a value to the main output; see [`Emitter::emit`].
    #[inline(always)]
    pub fn emit(&mut self, value: impl AsRef<[u8]>) {
        self.main().emit(value);
    }

    /// Emits what `write` adds to the values; see [`Emitter::emit_into`].
    #[inline(always)]
    pub fn emit_into(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.main().emit_into(write);
    }

    /// Emits `value` as JSON; see [`Emitter::emit_json`].
    pub fn emit_json(&mut self, value: &impl Serialize) -> Result<()> {
        self.main().emit_json(value)
    }

    /// Emits a value under a key of its own; see [`Emitter::emit_keyed`].
    #[inline]
    pub fn emit_keyed(&mut self, key: Option<&[u8]>, value: impl AsRef<[u8]>) {
        self.main().emit_keyed(key, value);
    }

    /// Emits a value under a key and at a time of its own; see [`Emitter::emit_with`].
    pub fn emit_with(&mut self, key: Option<&[u8]>, timestamp: Option<i64>, value: impl AsRef<[u8]>) {
        self.main().emit_with(key, timestamp, value);
    }

    /// Emits a record without a value; see [`Emitter::emit_absent`].
    pub fn emit_absent(&mut self) {
        self.main().emit_absent();
    }

    /// Emits a record that says for itself what it has; see [`Emitter::emit_record`].
    pub fn emit_record(&mut self, record: &NewRecord<'_>) {
        self.main().emit_record(record);
    }

    /// Adds `delta` to the operator's counter `name`: letters, digits, `_`, `-` and `.`, 64 at most.
    pub fn metric(&mut self, name: &'static str, delta: i64) {
        match self.metrics.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.wrapping_add(delta),
            None => self.metrics.push((name, delta)),
        }
    }
}

impl<O: Operator> Deref for Context<'_, O> {
    type Target = O::States;

    #[inline(always)]
    fn deref(&self) -> &O::States {
        self.states
    }
}

impl<O: Operator> DerefMut for Context<'_, O> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut O::States {
        self.states
    }
}
