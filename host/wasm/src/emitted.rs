//! From the checked records of one output to what goes downstream: the batch itself, some of its records, or a batch of new ones.

use crate::effects::{Output, OwnKeys, Passes};
use std::ops::Range;
use std::sync::Arc;
use weir_engine::element::{BatchBuilder, Column, Headers, RecordBatch, Selection};

impl Output {
    /// The output's records. `range` is where the call's records stand in `batch`. Where records pass and nothing else goes out, they are the
    /// batch's own and nothing is copied; else all of them are put side by side, in the order of their causes.
    pub fn emitted(self, batch: &Arc<RecordBatch>, range: &Range<usize>) -> Selection {
        if self.cause.is_empty() {
            return selected(&self.passes, batch, range);
        }
        match self.passes {
            Passes::None => made(self, batch, range).into(),
            Passes::All | Passes::Some(_) => merged(self, batch, range).into(),
        }
    }
}

impl Output {
    /// Made records have everything but their value from their causes.
    fn inherits_all(&self) -> bool {
        self.keys.is_none() && self.timestamps.is_none() && self.headers.is_none()
    }
}

fn selected(passes: &Passes, batch: &Arc<RecordBatch>, range: &Range<usize>) -> Selection {
    if *passes == Passes::All && range.len() == batch.len() {
        return Selection::all(batch.clone());
    }
    let records: Arc<[u32]> = passes.iter(range.len()).map(|record| record + range.start as u32).collect();
    Selection::some(batch.clone(), records)
}

/// Records that pass, and those that are made, by their causes; of one cause the one that passes first.
fn merged(output: Output, batch: &Arc<RecordBatch>, range: &Range<usize>) -> RecordBatch {
    let mut passing = output.passes.iter(range.len()).collect::<Vec<_>>().into_iter().peekable();
    let cause = output.cause.clone();
    // The hashes of its keys are those of the batch, as long as all keys are.
    let hashed = output.keys.is_none();
    let made = made(Output { passes: Passes::None, ..output }, batch, range);
    let mut builder = BatchBuilder::with_capacity(cause.len() + passing.len(), made.keys().data().len(), made.values().data().len());
    let pass = |builder: &mut BatchBuilder, record: u32| builder.select(batch, &[record + range.start as u32], hashed);
    for (index, &cause) in cause.iter().enumerate() {
        while let Some(record) = passing.next_if(|&record| record <= cause) {
            pass(&mut builder, record);
        }
        builder.append(&made, index..index + 1, hashed);
    }
    passing.for_each(|record| pass(&mut builder, record));
    builder.finish()
}

/// The made records, with what they inherit from their causes.
fn made(output: Output, batch: &RecordBatch, range: &Range<usize>) -> RecordBatch {
    let cause = Cause { records: &output.cause, batch, range, one_each: one_each(&output.cause, range.len()) };
    if cause.one_each && range.len() == batch.len() && output.inherits_all() {
        let records = batch.with_values(output.values);
        return if output.valueless.is_empty() { records } else { records.with_valueless(output.valueless) };
    }
    let timestamps = output.timestamps.unwrap_or_else(|| cause.timestamps());
    let headers = output.headers.or_else(|| cause.headers());
    let mut records = match output.keys {
        Some(OwnKeys { keys, keyless }) => RecordBatch::from_parts(keys, keyless, output.values, timestamps),
        None => {
            let mut records = RecordBatch::from_parts(cause.keys(), cause.keyless(), output.values, timestamps);
            if !batch.hashes().is_empty() {
                records.set_hashes(cause.hashes());
            }
            records
        }
    };
    if !output.valueless.is_empty() {
        records = records.with_valueless(output.valueless);
    }
    match headers {
        Some(headers) => records.with_headers(headers),
        None => records,
    }
}

/// True where each record of the call has caused one, in order: then columns are copied whole.
fn one_each(cause: &[u32], records: usize) -> bool {
    cause.len() == records && cause.iter().enumerate().all(|(index, &record)| record as usize == index)
}

/// Where the records of an output come from.
struct Cause<'a> {
    records: &'a [u32],
    batch: &'a RecordBatch,
    range: &'a Range<usize>,
    one_each: bool,
}

impl Cause<'_> {
    fn gather<T: Copy>(&self, from: &[T]) -> Vec<T> {
        let from = &from[self.range.clone()];
        if self.one_each { from.to_vec() } else { self.records.iter().map(|&record| from[record as usize]).collect() }
    }

    fn timestamps(&self) -> Vec<i64> {
        self.gather(self.batch.timestamps())
    }

    fn hashes(&self) -> Vec<u64> {
        self.gather(self.batch.hashes())
    }

    fn keys(&self) -> Column {
        let keys = self.batch.keys();
        if self.one_each {
            return slice(keys, self.range);
        }
        let bytes = keys.data().len() / keys.len().max(1) * self.records.len();
        let mut gathered = Column::with_capacity(self.records.len(), bytes);
        for &record in self.records {
            gathered.push(keys.get(self.range.start + record as usize));
        }
        gathered
    }

    fn keyless(&self) -> Vec<u32> {
        if self.batch.keyless().is_empty() {
            return Vec::new();
        }
        let inherits = |record: u32| self.batch.key(self.range.start + record as usize).is_none();
        (0..self.records.len() as u32).filter(|&index| inherits(self.records[index as usize])).collect()
    }

    fn headers(&self) -> Option<Headers> {
        let headers = self.batch.headers()?;
        let (mut ends, mut names, mut values) = (Vec::with_capacity(self.records.len()), Column::new(), Column::new());
        for &record in self.records {
            let record = self.range.start + record as usize;
            let items = headers.items(record..record + 1);
            names.extend_from(headers.names(), items.clone());
            values.extend_from(headers.values(), items);
            ends.push(names.len() as u32);
        }
        Some(Headers::from_parts(ends, names, values).expect("headers put together from headers fit"))
    }
}

/// Items `range` of a column.
fn slice(column: &Column, range: &Range<usize>) -> Column {
    if range.len() == column.len() {
        return column.clone();
    }
    let mut part = Column::new();
    part.extend_from(column, range.clone());
    part
}

#[cfg(test)]
mod tests;
