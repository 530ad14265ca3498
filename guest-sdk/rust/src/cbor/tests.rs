//! The encoder and decoder against the examples of RFC 8949, appendix A, and against hostile bytes.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: T, expect: &str) {
    assert_eq!(to_vec(&value).map(|encoded| hex(&encoded)), Ok(expect.to_owned()), "{value:?}");
    assert_eq!(decode::<T>(&bytes(expect)), Ok(value));
}

#[track_caller]
fn refused<T: DeserializeOwned + fmt::Debug>(hex: &str, expect: &str) {
    let error = decode::<T>(&bytes(hex)).expect_err(hex).to_string();
    assert!(error.contains(expect), "{hex}: {error}");
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Totals {
    flights: u64,
    total_delay: i64,
    seen: Option<String>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Order {
    Pending,
    Shipped(u32),
    Split(u32, bool),
    Returned { why: String, at: i64 },
}

#[test]
fn integers_are_as_in_the_rfc() {
    let cases: [(u64, &str); 12] = [
        (0, "00"),
        (1, "01"),
        (10, "0a"),
        (23, "17"),
        (24, "1818"),
        (100, "1864"),
        (255, "18ff"),
        (256, "190100"),
        (1000, "1903e8"),
        (1_000_000, "1a000f4240"),
        (1_000_000_000_000, "1b000000e8d4a51000"),
        (u64::MAX, "1bffffffffffffffff"),
    ];
    for (value, expect) in cases {
        check(value, expect);
    }
    for (value, expect) in [(-1i64, "20"), (-10, "29"), (-100, "3863"), (-1000, "3903e7"), (i64::MIN, "3b7fffffffffffffff")] {
        check(value, expect);
    }
}

#[test]
fn floats_are_as_in_the_rfc() {
    let cases = [
        (0.0, "f90000"),
        (-0.0, "f98000"),
        (1.0, "f93c00"),
        (1.1, "fb3ff199999999999a"),
        (1.5, "f93e00"),
        (65504.0, "f97bff"),
        (100_000.0, "fa47c35000"),
        (f64::from(f32::MAX), "fa7f7fffff"),
        (1.0e300, "fb7e37e43c8800759c"),
        (5.960464477539063e-8, "f90001"),
        (0.00006103515625, "f90400"),
        (-4.0, "f9c400"),
        (-4.1, "fbc010666666666666"),
        (f64::INFINITY, "f97c00"),
        (f64::NEG_INFINITY, "f9fc00"),
    ];
    for (value, expect) in cases {
        check(value, expect);
    }
    check(1.5f32, "f93e00");
    assert_eq!(to_vec(&f64::NAN).map(|encoded| hex(&encoded)), Ok("f97e00".to_owned()));
    assert!(decode::<f64>(&bytes("f97e00")).is_ok_and(f64::is_nan));
}

#[test]
fn texts_arrays_and_simple_values_are_as_in_the_rfc() {
    check(false, "f4");
    check(true, "f5");
    check((), "f6");
    check(None::<u8>, "f6");
    check(Some(7u8), "07");
    check(String::new(), "60");
    check("IETF".to_owned(), "6449455446");
    check("\u{fc}".to_owned(), "62c3bc");
    check(Vec::<u8>::new(), "80");
    check(vec![1u8, 2, 3], "83010203");
    check((1u8, (2u8, 3u8), vec![4u8, 5]), "8301820203820405");
    check((1u32..26).collect::<Vec<_>>(), "98190102030405060708090a0b0c0d0e0f101112131415161718181819");
    check(BTreeMap::from([("a".to_owned(), "A".to_owned()), ("b".to_owned(), "B".to_owned())]), "a26161614161626142");
    check('a', "6161");
}

#[test]
fn map_keys_stand_in_the_bytewise_order_of_their_encodings() {
    check(BTreeMap::from([(-1i64, 1u8), (10, 2), (100, 3)]), "a30a021864032001");
}

#[test]
fn structs_are_maps_from_names_in_order() {
    let totals = Totals { flights: 3, total_delay: -5, seen: Some("x".into()) };
    check(totals, "a3647365656e617867666c6967687473036b746f74616c5f64656c617924");
}

#[test]
fn cases_are_names_or_maps_of_one_entry() {
    check(Order::Pending, "6750656e64696e67");
    check(Order::Shipped(5), "a1675368697070656405");
    check(Order::Split(1, true), "a16553706c69748201f5");
    check(Order::Returned { why: "w".into(), at: 1 }, "a16852657475726e6564a262617401637768796177");
}

#[test]
fn a_map_written_with_unknown_length_is_sorted_too() {
    struct Unsorted;
    impl Serialize for Unsorted {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("aa", 1u8), ("z", 2), ("b", 3)].into_iter().filter(|_| true))
        }
    }
    assert_eq!(to_vec(&Unsorted).map(|encoded| hex(&encoded)), Ok("a3616203617a0262616101".to_owned()));
}

#[test]
fn one_key_twice_is_refused_both_ways() {
    struct Twice;
    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(1u8, 1u8), (1, 2)])
        }
    }
    assert_eq!(to_vec(&Twice), Err(CborError::new("a map has one key twice")));
    refused::<BTreeMap<u8, u8>>("a201010102", "stands twice");
}

#[test]
fn what_is_not_deterministic_is_refused() {
    refused::<u64>("1817", "shortest form");
    refused::<u64>("1900ff", "shortest form");
    refused::<f64>("fa3fc00000", "shortest form");
    refused::<f64>("f97e01", "shortest form");
    refused::<String>("7801", "shortest form");
    refused::<Vec<u8>>("9f01ff", "indefinite length");
    refused::<BTreeMap<u8, u8>>("a202010101", "not in order");
    refused::<u64>("c000", "a tag");
    refused::<u64>("0000", "1 bytes follow");
}

#[test]
fn hostile_bytes_are_errors_and_allocate_no_more_than_they_are() {
    refused::<u64>("", "0 left");
    refused::<String>("7bffffffffffffffff", "with 0 left");
    refused::<Vec<u64>>("9bffffffffffffffff", "items in 0 bytes");
    refused::<BTreeMap<u8, u8>>("bbffffffffffffffff", "items in 0 bytes");
    refused::<String>("61ff", "not UTF-8");
    refused::<i64>("3bffffffffffffffff", "below the 64-bit integers");
    refused::<u8>("190100", "invalid value");
    refused::<u64>("1c", "begins no item");
    refused::<Order>("a2", "where a case was expected");
    refused::<Order>("a16750656e64696e67f6", "stands as its name alone");
    refused::<serde::de::IgnoredAny>(&"81".repeat(100_000), "nested deeper than 64");
}

#[test]
fn random_bytes_never_panic_and_what_decodes_encodes_to_the_same_bytes() {
    let mut random = fastrand::Rng::with_seed(8949);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random.usize(0..12)).map(|_| random.u8(..)).collect();
        if let Ok(value) = decode::<Vec<BTreeMap<String, Option<f64>>>>(&bytes) {
            assert_eq!(to_vec(&value), Ok(bytes.clone()));
        }
        if let Ok(value) = decode::<Totals>(&bytes) {
            assert_eq!(to_vec(&value), Ok(bytes.clone()));
        }
        if let Ok(value) = decode::<f64>(&bytes) {
            let again = to_vec(&value).expect("a float encodes");
            assert!(again == bytes || bytes[0] < 0xe0, "{bytes:?} {value}");
        }
    }
}

#[test]
fn nesting_is_bounded_alike_in_both_directions() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum Deep {
        End,
        More(Box<Deep>),
        Pair(u8, Box<Deep>),
    }
    for step in [|deep| Deep::More(Box::new(deep)), |deep| Deep::Pair(0, Box::new(deep))] {
        let mut deep = Deep::End;
        let mut encoded = to_vec(&deep).expect("a name");
        loop {
            assert_eq!(decode::<Deep>(&encoded).as_ref(), Ok(&deep));
            deep = step(deep);
            match to_vec(&deep) {
                Ok(next) => encoded = next,
                Err(error) => break assert!(error.to_string().contains("deeper than 64")),
            }
        }
    }
}
