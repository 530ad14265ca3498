//! Records: those that pass, absent values, headers, and what they may come to together.

use super::tests::{check, checked, column_of, headers_of, right, u32s};
use super::*;
use weir_engine::BatchBuilder;

/// What passes of three records by this bitmap, beside records with these causes.
fn passing(bits: &[u8], cause: &[u32]) -> Result<Passes, String> {
    let output = wit::Output {
        output: 0,
        passes: bits.to_vec(),
        cause: u32s(cause),
        values: column_of(&vec!["v"; cause.len()]),
        valueless: vec![],
        keys: column_of(&[]),
        keyless: vec![],
        headers: None,
        timestamps: vec![],
    };
    let raw = wit::Effects { outputs: vec![output], ..right() };
    checked(raw, Some(2)).map(|mut effects| effects.outputs.remove(0).passes).map_err(|fault| fault.to_string())
}

#[test]
fn a_bitmap_says_which_records_pass() {
    assert_eq!(passing(&[], &[2, 0]), Ok(Passes::None));
    assert_eq!(passing(&[0], &[0]), Ok(Passes::None));
    assert_eq!(passing(&[0b111], &[]), Ok(Passes::All));
    assert_eq!(passing(&[0b101], &[0, 0, 2]), Ok(Passes::Some(vec![0, 2])));
}

#[test]
fn every_set_of_records_is_told_by_its_bitmap() {
    let limits = Limits { output_records: 1 << 20, ..Limits::default() };
    let descriptor = super::tests::descriptor();
    for records in 1..=20_usize {
        let called =
            Called { descriptor: &descriptor, limits: &limits, count: records, given: Given::Records { broadcast: false }, keys: None };
        for set in (0..1_u32 << records).step_by(if records > 12 { 1_021 } else { 1 }) {
            let expect: Vec<u32> = (0..records as u32).filter(|record| set >> record & 1 == 1).collect();
            let mut output = right().outputs.remove(0);
            (output.passes, output.cause) = (set.to_le_bytes()[..records.div_ceil(8)].to_vec(), vec![]);
            (output.values, output.valueless, output.headers) = (column_of(&[]), vec![], None);
            (output.keys, output.keyless, output.timestamps) = (column_of(&[]), vec![], vec![]);
            let passes = called.output(output).unwrap().passes;
            assert_eq!(passes.iter(records).collect::<Vec<_>>(), expect);
            assert_eq!(passes.count(records), expect.len());
            assert_eq!((passes == Passes::None, passes == Passes::All), (expect.is_empty(), expect.len() == records));
        }
    }
}

#[test]
fn passes_with_a_mistake_are_refused() {
    let refused = |bits: &[u8], cause: &[u32], expect: &str| {
        let fault = passing(bits, cause).expect_err(expect);
        assert!(fault.contains(expect), "{expect:?} wanted: {fault}");
    };
    refused(&[1, 0], &[], "output 0: passes has 2 bytes where there have to be 1 for 3 records");
    refused(&[0; 4], &[], "passes has 4 bytes where there have to be 1 for 3 records");
    refused(&[0b1000], &[], "passes names a record behind the last of the 3 there are");
    refused(&[0b1_0001], &[], "passes names a record behind the last of the 3 there are");
    refused(&[1], &[0, 2, 1], "cause decreases at item 2, where records pass");
    refused(&[0], &[1, 0], "cause decreases at item 1, where records pass");
    refused(&[0b111], &[0, 0, 1], "6 records from one call, and 5 are the most");
}

#[test]
fn what_is_due_does_not_pass() {
    let (descriptor, limits) = (super::tests::descriptor(), Limits::default());
    let called = Called { descriptor: &descriptor, limits: &limits, count: 3, given: Given::Timers, keys: Some(2) };
    let mut raw = right();
    assert!(Effects::check(raw.clone(), &called).is_ok());
    raw.outputs[0].passes = vec![0];
    let fault = Effects::check(raw, &called).unwrap_err().to_string();
    assert!(fault.contains("output 1: passes: only records of a batch pass"), "{fault}");
}

#[test]
fn absent_values_and_headers_with_a_mistake_are_refused() {
    let effects = checked(right(), Some(2)).unwrap();
    let output = &effects.outputs[0];
    assert_eq!((&output.valueless, output.headers.as_ref().map(Headers::ends)), (&vec![1], Some(&[0, 2][..])));
    check(|e| e.outputs[0].valueless = u32s(&[0]), "record 0 is valueless, but its item in values is not empty");
    check(|e| e.outputs[0].valueless = u32s(&[1, 1]), "valueless does not ascend");
    check(|e| e.outputs[0].valueless = u32s(&[2]), "valueless names record 2, but values has 2 items");
    check(|e| e.outputs[0].valueless = vec![0; 3], "valueless: 3 bytes are no multiple of 4");
    let headers = |ends: &[u32], names: &[&str], values: &[&str]| Some(headers_of(ends, names, values));
    check(|e| e.outputs[0].headers = headers(&[1], &["h"], &["1"]), "headers has 1 items where there have to be 2");
    check(|e| e.outputs[0].headers = headers(&[], &["h"], &["1"]), "headers has 0 items where there have to be 2");
    check(|e| e.outputs[0].headers = headers(&[1, 0], &["h"], &["1"]), "headers: the end of record 1 is smaller");
    check(|e| e.outputs[0].headers = headers(&[0, 2], &["h"], &["1"]), "headers: the last end is 2 but there are 1 headers");
    check(|e| e.outputs[0].headers = headers(&[0, 1], &["h"], &[]), "headers: 1 names and 0 values");
    check(|e| e.outputs[0].headers.as_mut().unwrap().names.data.clear(), "headers: names: the last end is 2 but there are 0 bytes");
}

#[test]
fn headers_without_ends_are_none_of_their_own() {
    let mut raw = right();
    raw.outputs[0].headers = Some(headers_of(&[], &[], &[]));
    let effects = checked(raw, Some(2)).unwrap();
    assert_eq!(effects.outputs[0].headers.as_ref().map(|headers| (headers.records(), headers.is_empty())), Some((2, true)));
}

#[test]
fn keys_that_records_inherit_count_against_the_output_limit() {
    let mut builder = weir_engine::BatchBuilder::new();
    builder.push(Some(b"k"), b"", None);
    builder.push(Some(&[b'x'; 1_000]), b"", None);
    let batch = builder.finish();
    let limits = Limits { output_bytes: 10_000, ..Limits::default() };
    let output = |cause: Vec<u32>| {
        let values = Column::default();
        Effects { outputs: vec![Output { cause, values, ..Output::default() }], ..Effects::default() }
    };
    assert!(output(vec![0; 9_000]).within(&batch, &(0..2), &limits).is_ok());
    assert!(output(vec![1; 10]).within(&batch, &(0..2), &limits).is_ok());
    let refused = output(vec![1; 11]).within(&batch, &(0..2), &limits);
    assert!(
        matches!(refused, Err(GuestFault::OutputLimit { ref what, setting: "output-bytes" }) if what.contains("11000 bytes of keys")),
        "{refused:?}"
    );
    // The call was given the second record only.
    assert!(output(vec![0; 11]).within(&batch, &(1..2), &limits).is_err());
}

#[test]
fn headers_that_records_inherit_and_records_that_pass_among_others_count_too() {
    let mut builder = BatchBuilder::new();
    builder.push(Some(b"k"), &[b'v'; 500], None);
    builder.push_header(b"h", &[b'x'; 991]);
    let batch = builder.finish();
    let limits = Limits { output_bytes: 10_000, ..Limits::default() };
    let within = |outputs: Vec<Output>| Effects { outputs, ..Effects::default() }.within(&batch, &(0..1), &limits).map(drop);
    let made = |cause: Vec<u32>, headers: Option<Headers>| Output { cause, headers, ..Output::default() };
    assert!(within(vec![made(vec![0; 9], None)]).is_ok());
    let refused = within(vec![made(vec![0; 10], None)]).unwrap_err().to_string();
    assert!(refused.contains("10010 bytes of keys, headers and passing values"), "{refused}");
    assert!(within(vec![made(vec![0; 10], Some(Headers::of_records(10)))]).is_ok());
    let passing =
        |cause: Vec<u32>| Output { passes: Passes::All, headers: Some(Headers::of_records(cause.len())), cause, ..Output::default() };
    // 1,501 bytes each, where it has to be copied.
    assert!(within((0..64).map(|_| passing(vec![])).collect()).is_ok());
    assert!(within((0..6).map(|_| passing(vec![0])).collect()).is_ok());
    assert!(within((0..7).map(|_| passing(vec![0])).collect()).is_err());
}
