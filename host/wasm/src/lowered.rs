//! A call as the guest is given it: columns cut to the call's records, without a copy where they begin at the batch's front.

use crate::bindings::weir::operator::types::{Batch, ColumnParam, HeadersParam, KeyedColumnParam, TimerBatch, WindowBatch, Windows};
use crate::columns::lent;
use crate::guest::{CallInput, GuestCall, KeyedValues, TimerCall, WindowCall};
use std::ops::Range;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::state::Window;

/// Room for the parts that have to be counted anew, kept from call to call.
#[derive(Default)]
pub(crate) struct Lowered {
    value_ends: Vec<u32>,
    key_ends: Vec<u32>,
    keyless: Vec<u32>,
    valueless: Vec<u32>,
    header_ends: Vec<u32>,
    header_name_ends: Vec<u32>,
    header_value_ends: Vec<u32>,
    bounds: Bounds,
    reasons: Vec<u8>,
    revisions: Vec<u32>,
    replacing: Vec<u32>,
    replaced: Column,
}

/// Bounds of windows, starts and ends apart.
#[derive(Default)]
struct Bounds {
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Bounds {
    fn fill(&mut self, windows: impl Iterator<Item = Window>) {
        self.starts.clear();
        self.ends.clear();
        windows.for_each(|Window { start, end }| {
            self.starts.push(start);
            self.ends.push(end);
        });
    }

    fn lent(&self) -> Windows<'_> {
        Windows { starts: bytemuck::cast_slice(&self.starts), ends: bytemuck::cast_slice(&self.ends) }
    }
}

impl Lowered {
    /// The call's batch. `states` is what [`lent_states`] makes of the call.
    pub(crate) fn batch<'a>(&'a mut self, call: &GuestCall<'a>, states: &'a [KeyedColumnParam<'a>]) -> Batch<'a> {
        let (records, cut) = (call.records, &call.range);
        // Of most batches every record has a value, and none has headers.
        cut_absent(records.valueless(), cut, &mut self.valueless);
        self.keyless.clear();
        rebase(records.values(), cut, &mut self.value_ends);
        if records.headers().is_some() {
            self.rebase_headers(records, cut);
        }
        let windows = match &call.input {
            CallInput::Keyed(keyed) => keyed.windows,
            CallInput::Broadcast | CallInput::Other => None,
        };
        self.bounds.fill(windows.into_iter().flatten().copied());
        let (keys, key_of) = match &call.input {
            CallInput::Keyed(keyed) => (lent(keyed.keys), keyed.key_of),
            CallInput::Broadcast | CallInput::Other => {
                cut_absent(records.keyless(), cut, &mut self.keyless);
                rebase(records.keys(), cut, &mut self.key_ends);
                (part(records.keys(), cut, &self.key_ends), &[][..])
            }
        };
        Batch {
            keys,
            key_of: bytemuck::cast_slice(key_of),
            keyless: bytemuck::cast_slice(&self.keyless),
            values: part(records.values(), cut, &self.value_ends),
            valueless: bytemuck::cast_slice(&self.valueless),
            headers: self.headers(records, cut),
            timestamps: bytemuck::cast_slice(&records.timestamps()[cut.clone()]),
            states,
            windows: windows.map(|_| self.bounds.lent()),
        }
    }

    /// The windows of a call that is of some.
    pub(crate) fn windows<'a>(&'a mut self, call: &WindowCall<'a>, states: &'a [KeyedColumnParam<'a>]) -> WindowBatch<'a> {
        let (fired, cut) = (call.fired, &call.range);
        let firings = &fired.firings()[cut.clone()];
        rebase(fired.keys(), cut, &mut self.key_ends);
        self.bounds.fill(firings.iter().map(|firing| firing.window));
        self.reasons.clear();
        self.reasons.extend(firings.iter().map(|firing| firing.reason as u8));
        self.revisions.clear();
        self.revisions.extend(firings.iter().map(|firing| firing.revision));
        self.replacing.clear();
        self.replaced.clear();
        let inside = fired.replaces().iter().filter(|(firing, _)| cut.contains(&(*firing as usize)));
        inside.for_each(|(firing, Window { start, end })| {
            self.replacing.push(firing - cut.start as u32);
            self.replaced.push(&[start.to_le_bytes(), end.to_le_bytes()].concat());
        });
        WindowBatch {
            keys: part(fired.keys(), cut, &self.key_ends),
            windows: self.bounds.lent(),
            reasons: &self.reasons,
            revisions: bytemuck::cast_slice(&self.revisions),
            replaces: KeyedColumnParam { keys: bytemuck::cast_slice(&self.replacing), items: lent(&self.replaced) },
            states,
        }
    }

    /// Counts headers from the call's first record on.
    fn rebase_headers(&mut self, records: &RecordBatch, cut: &Range<usize>) {
        let Some(headers) = records.headers() else { return };
        let items = headers.items(cut.clone());
        self.header_ends.clear();
        self.header_ends.extend(headers.ends()[cut.clone()].iter().map(|end| end - items.start as u32));
        rebase(headers.names(), &items, &mut self.header_name_ends);
        rebase(headers.values(), &items, &mut self.header_value_ends);
    }

    fn headers<'a>(&'a self, records: &'a RecordBatch, cut: &Range<usize>) -> HeadersParam<'a> {
        let none = || ColumnParam { data: &[], ends: &[] };
        match records.headers() {
            Some(headers) if !headers.items(cut.clone()).is_empty() => {
                let items = headers.items(cut.clone());
                HeadersParam {
                    ends: bytemuck::cast_slice(&self.header_ends),
                    names: part(headers.names(), &items, &self.header_name_ends),
                    values: part(headers.values(), &items, &self.header_value_ends),
                }
            }
            Some(_) | None => HeadersParam { ends: &[], names: none(), values: none() },
        }
    }
}

/// The timers of a call that is of some. `states` is what [`lent_states`] makes of the call.
pub(crate) fn timer_batch<'a>(call: &TimerCall<'a>, states: &'a [KeyedColumnParam<'a>]) -> TimerBatch<'a> {
    TimerBatch {
        keys: lent(call.keyed.keys),
        key_of: bytemuck::cast_slice(call.keyed.key_of),
        timers: bytemuck::cast_slice(&call.timers[call.range.clone()]),
        times: bytemuck::cast_slice(&call.due.timestamps()[call.range.clone()]),
        states,
    }
}

/// The states of the call's keys, in the order of declaration; none where its input is not keyed.
pub(crate) fn lent_states<'a>(input: &CallInput<'a>) -> Vec<KeyedColumnParam<'a>> {
    match input {
        CallInput::Keyed(keyed) => lent_values(keyed.states),
        CallInput::Broadcast | CallInput::Other => Vec::new(),
    }
}

/// The values of each declared state.
pub(crate) fn lent_values<'a>(states: &'a [KeyedValues]) -> Vec<KeyedColumnParam<'a>> {
    let state = |values: &'a KeyedValues| KeyedColumnParam { keys: bytemuck::cast_slice(&values.keys), items: lent(&values.values) };
    states.iter().map(state).collect()
}

/// Those of the absent ones that lie in the cut, counted from its front.
fn cut_absent(absent: &[u32], cut: &Range<usize>, into: &mut Vec<u32>) {
    into.clear();
    let inside = absent.iter().filter(|&&record| cut.contains(&(record as usize)));
    into.extend(inside.map(|record| record - cut.start as u32));
}

/// Where the first `items` items of a column end.
pub(crate) fn end(column: &Column, items: usize) -> u32 {
    if items == 0 { 0 } else { column.ends()[items - 1] }
}

/// Ends counted from the cut's front, where that is not the column's.
pub(crate) fn rebase(column: &Column, cut: &Range<usize>, ends: &mut Vec<u32>) {
    ends.clear();
    if cut.start > 0 {
        let start = end(column, cut.start);
        ends.extend(column.ends()[cut.clone()].iter().map(|end| end - start));
    }
}

/// The items `cut` of a column, with `rebased` for ends where they do not begin at its front.
pub(crate) fn part<'a>(column: &'a Column, cut: &Range<usize>, rebased: &'a [u32]) -> ColumnParam<'a> {
    let data = &column.data()[end(column, cut.start) as usize..end(column, cut.end) as usize];
    let ends = if cut.start == 0 { &column.ends()[..cut.end] } else { rebased };
    ColumnParam { data, ends: bytemuck::cast_slice(ends) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use weir_engine::element::BatchBuilder;

    fn u32s(bytes: &[u8]) -> Vec<u32> {
        crate::columns::integers(bytes).unwrap()
    }

    fn items(column: &ColumnParam<'_>) -> Vec<Vec<u8>> {
        let column = Column::from_parts(column.data.to_vec(), u32s(column.ends)).unwrap();
        column.iter().map(<[u8]>::to_vec).collect()
    }

    /// Records that have every third no key, every fourth no value, and so many headers as their number modulo three.
    fn records() -> RecordBatch {
        let mut builder = BatchBuilder::new();
        for record in 0..12_u8 {
            let name = [record];
            let key = (record % 3 != 0).then_some(&name[..]);
            match record % 4 {
                0 => builder.push_valueless(key, None),
                _ => builder.push(key, &[record, record], Some(i64::from(record))),
            }
            (0..record % 3).for_each(|header| builder.push_header(&[record], &[header; 2]));
        }
        builder.finish()
    }

    #[test]
    fn a_cut_anywhere_shows_the_records_that_lie_in_it() {
        let (records, mut lowered) = (records(), Lowered::default());
        for (start, end) in (0..12).flat_map(|start| (start + 1..=12).map(move |end| (start, end))) {
            let call = GuestCall {
                input_number: 0,
                input: CallInput::Other,
                records: &records,
                range: start..end,
                watermark: 0,
                processing_time: 0,
                deadline: Duration::ZERO,
                fuel_for: end - start,
                attempt: 0,
            };
            let batch = lowered.batch(&call, &[]);
            let places = |absent: &[u32]| {
                absent.iter().map(|&record| record as usize).filter(|record| call.range.contains(record)).collect::<Vec<_>>()
            };
            let shown = |bytes: &[u8]| u32s(bytes).into_iter().map(|record| record as usize + start).collect::<Vec<_>>();
            assert_eq!((shown(batch.keyless), shown(batch.valueless)), (places(records.keyless()), places(records.valueless())));
            assert_eq!(items(&batch.values), (start..end).map(|record| records.values().get(record).to_vec()).collect::<Vec<_>>());
            assert_eq!(items(&batch.keys), (start..end).map(|record| records.keys().get(record).to_vec()).collect::<Vec<_>>());
            let (names, values) = (items(&batch.headers.names), items(&batch.headers.values));
            let expect: Vec<_> =
                (start..end).flat_map(|record| records.headers_of(record)).map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
            assert_eq!(names.into_iter().zip(values).collect::<Vec<_>>(), expect);
            let mut count = 0;
            let ends: Vec<u32> = (start..end)
                .map(|record| {
                    count += record as u32 % 3;
                    count
                })
                .collect();
            assert_eq!(u32s(batch.headers.ends), if count == 0 { vec![] } else { ends });
        }
    }
}
