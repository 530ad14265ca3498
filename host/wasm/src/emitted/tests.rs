//! What goes downstream, against records that are put together one by one.

use super::*;

/// Records of every make, with their keys' hashes where `hashed`.
fn batch(hashed: bool) -> Arc<RecordBatch> {
    let mut builder = BatchBuilder::new();
    for record in 0..10_u8 {
        let key = (hashed || record % 3 != 0).then_some([record]);
        match (hashed, record % 4) {
            (true, _) => builder.push_hashed(&[record], u64::from(record), &[record; 3], i64::from(record)),
            (false, 0) => builder.push_valueless(key.as_ref().map(|key| &key[..]), Some(i64::from(record))),
            (false, _) => builder.push(key.as_ref().map(|key| &key[..]), &[record; 3], Some(i64::from(record))),
        }
        (0..record % 3).for_each(|header| builder.push_header(&[record], &[header]));
    }
    Arc::new(builder.finish())
}

fn column(items: &[&[u8]]) -> Column {
    let mut column = Column::new();
    items.iter().for_each(|item| column.push(item));
    column
}

/// Made records with these causes, all else inherited.
fn output(passes: Passes, cause: &[u32]) -> Output {
    Output { passes, cause: cause.to_vec(), values: column(&vec![&b"made"[..]; cause.len()]), ..Output::default() }
}

#[test]
fn a_batch_that_passes_whole_is_the_batch_itself() {
    let batch = batch(false);
    let emitted = output(Passes::All, &[]).emitted(&batch, &(0..10));
    assert!(Arc::ptr_eq(emitted.batch(), &batch) && emitted.records().is_none());
}

#[test]
fn records_that_pass_alone_are_selected_of_the_shared_batch() {
    let batch = batch(false);
    let emitted = output(Passes::Some(vec![0, 3]), &[]).emitted(&batch, &(4..8));
    assert!(Arc::ptr_eq(emitted.batch(), &batch));
    assert_eq!(emitted.records(), Some(&[4, 7][..]));
    let part = output(Passes::All, &[]).emitted(&batch, &(4..8));
    assert!(Arc::ptr_eq(part.batch(), &batch));
    assert_eq!(part.records(), Some(&[4, 5, 6, 7][..]));
    assert!(output(Passes::None, &[]).emitted(&batch, &(4..8)).is_empty());
}

#[test]
fn records_that_are_caused_one_by_one_share_what_they_inherit() {
    let batch = batch(false);
    let cause: Vec<u32> = (0..10).collect();
    let emitted = output(Passes::None, &cause).emitted(&batch, &(0..10)).compact();
    assert!(std::ptr::eq(emitted.keys(), batch.keys()) && emitted.valueless().is_empty());
}

/// The output's records one by one: those of each cause, the one that passes first.
fn one_by_one(output: &Output, batch: &RecordBatch, range: &Range<usize>) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    let hashed = output.keys.is_none();
    let passing: Vec<u32> = output.passes.iter(range.len()).collect();
    for record in 0..range.len() as u32 {
        let from = range.start + record as usize;
        if passing.contains(&record) {
            if hashed { builder.push_from(batch, from) } else { builder.push_unhashed_from(batch, from) }
        }
        for index in (0..output.cause.len()).filter(|&index| output.cause[index] == record) {
            let key = match &output.keys {
                Some(own) if own.keyless.contains(&(index as u32)) => None,
                Some(own) => Some(own.keys.get(index)),
                None => batch.key(from),
            };
            let time = output.timestamps.as_ref().map_or(batch.timestamps()[from], |times| times[index]);
            let absent = output.valueless.contains(&(index as u32));
            match (batch.hashes().get(from).filter(|_| hashed), absent) {
                (Some(&hash), _) => builder.push_hashed(key.unwrap(), hash, output.values.get(index), time),
                (None, true) => builder.push_valueless(key, Some(time)),
                (None, false) => builder.push(key, output.values.get(index), Some(time)),
            }
            match &output.headers {
                Some(own) => own.of(index).for_each(|(name, value)| builder.push_header(name, value)),
                None => batch.headers_of(from).for_each(|(name, value)| builder.push_header(name, value)),
            }
        }
    }
    builder.finish()
}

#[test]
fn records_that_pass_and_records_that_are_made_stand_in_the_order_of_their_causes() {
    for case in 0..16 {
        let [hashed, own_keys, own_headers] = [1, 2, 4].map(|bit| case & bit == 0);
        let range = if case & 8 == 0 { 0..10 } else { 3..9 };
        for passes in [Passes::None, Passes::All, Passes::Some(vec![0, 2, 5])] {
            for cause in [&[0, 1, 2, 3, 4, 5][..], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9][..range.len()], &[1, 1, 2, 5], &[0, 0, 5, 5], &[4]] {
                let mut output = output(passes.clone(), cause);
                if !hashed {
                    output.values = column(&(0..cause.len()).map(|at| if at == 0 { &b""[..] } else { b"made" }).collect::<Vec<_>>());
                    output.valueless = vec![0];
                }
                if own_keys {
                    let keys = column(&(0..cause.len()).map(|at| if at == 0 { &b""[..] } else { b"own" }).collect::<Vec<_>>());
                    output.keys = Some(OwnKeys { keys, keyless: vec![0] });
                    output.timestamps = Some((0..cause.len() as i64).collect());
                }
                if own_headers {
                    let ends = (1..=cause.len() as u32).collect();
                    let of_each = |item: &[u8]| column(&vec![item; cause.len()]);
                    output.headers = Some(Headers::from_parts(ends, of_each(b"n"), of_each(b"v")).unwrap());
                }
                let expect = one_by_one(&output, &batch(hashed), &range);
                let named = format!("{output:?}");
                assert_eq!(*output.emitted(&batch(hashed), &range).compact(), expect, "{named}");
            }
        }
    }
}
