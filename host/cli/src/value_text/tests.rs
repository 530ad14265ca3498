//! Values by their description, one case for each type of the grammar; and what does not fit.

use super::*;

fn state(kind: StateKind, schema: &str) -> StateDescriptor {
    StateDescriptor { name: "s".into(), kind, schema: schema.into(), version: 3, ttl: None }
}

fn bytes(digits: &str) -> Vec<u8> {
    parse_hex(digits).expect("hex digits")
}

/// `digits` are shown as `expect` by a value state of this schema.
#[track_caller]
fn check(schema: &str, digits: &str, expect: &str) {
    let shown = StateText::of(&state(StateKind::Value, schema)).value(3, &bytes(digits));
    assert_eq!((shown.json.as_str(), &shown.problem), (expect, &None), "{schema} {digits}");
    serde_json::from_str::<serde_json::Value>(&shown.json).unwrap_or_else(|error| panic!("{schema} {digits}: {error}"));
}

/// `digits` do not fit the schema, and are shown as they are.
#[track_caller]
fn unfit(schema: &str, digits: &str, why: &str) {
    let shown = StateText::of(&state(StateKind::Value, schema)).value(3, &bytes(digits));
    assert_eq!(shown, Shown { json: format!("\"0x{digits}\""), problem: Some(why.to_owned()) }, "{schema} {digits}");
}

#[test]
fn timers_are_the_times_that_they_are_set_to() {
    let timer = StateText::of(&weir_engine::state::timer_state("due", weir_engine::state::TimeDomain::Event));
    let bytes: Vec<u8> = [i64::MIN, 0, 1_357_034_400_123, i64::MAX].iter().flat_map(|time| time.to_le_bytes()).collect();
    let shown = timer.value(1, &bytes);
    let times = format!("[{},\"1970-01-01T00:00:00.000Z\",\"2013-01-01T10:00:00.123Z\",{}]", i64::MIN, i64::MAX);
    assert_eq!((shown.json, shown.problem), (times, None));
    let problem = Some("it is no list of times".to_owned());
    assert_eq!(timer.value(1, &bytes[..9]), Shown { json: "\"0x000000000000008000\"".into(), problem });
}

#[test]
fn integers_are_numbers_in_their_range() {
    check("u8", "18ff", "255");
    unfit("u8", "190100", "256 is not from 0 to 255");
    check("i8", "387f", "-128");
    unfit("i8", "1880", "128 is not from -128 to 127");
    check("u16", "19ffff", "65535");
    check("i16", "397fff", "-32768");
    check("u32", "1affffffff", "4294967295");
    check("i32", "3a7fffffff", "-2147483648");
    check("u64", "1bffffffffffffffff", "18446744073709551615");
    unfit("u64", "20", "-1 is not from 0 to 18446744073709551615");
    check("i64", "3b7fffffffffffffff", "-9223372036854775808");
    unfit("i64", "3bffffffffffffffff", "-18446744073709551616 is not from -9223372036854775808 to 9223372036854775807");
    unfit("u64", "f93c00", "a float where an integer was expected");
}

#[test]
fn floats_are_numbers_with_as_many_digits_as_they_need() {
    check("f64", "f93e00", "1.5");
    check("f64", "fb3ff199999999999a", "1.1");
    check("f64", "f97e00", "\"NaN\"");
    check("f64", "f9fc00", "\"-Infinity\"");
    check("f32", "fa3dcccccd", "0.1");
    check("f32", "f97c00", "\"Infinity\"");
    unfit("f32", "fb3ff199999999999a", "1.1 has more digits than an f32");
    unfit("f64", "01", "an integer where a float was expected");
}

#[test]
fn other_scalars_are_what_json_has_for_them() {
    check("bool", "f5", "true");
    unfit("bool", "01", "an integer where a bool was expected");
    check("string", "63c3bc22", "\"ü\\\"\"");
    check("string", "647f0a6109", "\"\\u007f\\na\\t\"");
    unfit("string", "4161", "bytes where a text was expected");
    check("bytes", "4301ff00", "\"0x01ff00\"");
    unfit("bytes", "6161", "a text where bytes was expected");
    check("unit", "f6", "null");
    unfit("unit", "f4", "a bool where null was expected");
}

#[test]
fn collections_are_arrays_and_objects() {
    check("list<u8>", "83010203", "[1,2,3]");
    check("list<list<unit>>", "8280 82f6f6".replace(' ', "").as_str(), "[[],[null,null]]");
    check("tuple<u8,string,bool>", "83016161f4", "[1,\"a\",false]");
    unfit("tuple<u8,u8>", "8101", "an array of 1 items where 2 were expected");
    check("map<string,u8>", "a2616101616202", "{\"a\":1,\"b\":2}");
    check("map<i8,u8>", "a201022003", "{\"1\":2,\"-1\":3}");
    check("map<tuple<u8,u8>,u8>", "a182010203", "[[[1,2],3]]");
    unfit("map<string,u8>", "a2616201616102", "the keys of a map are not in order, or one stands twice");
    unfit("map<string,u8>", "a2616101616102", "the keys of a map are not in order, or one stands twice");
    check("option<u8>", "f6", "null");
    check("option<u8>", "07", "7");
}

#[test]
fn records_have_their_fields_in_the_order_of_the_description() {
    check("Totals{flights:u64,at:i64}", "a26261740167666c696768747302", "{\"flights\":2,\"at\":1}");
    check("Nothing{}", "a0", "{}");
    unfit("Totals{flights:u64,at:i64}", "a162617401", "the field `flights` is missing");
    unfit("Totals{at:i64}", "a1626f6e01", "there is no field `on`");
    unfit("Totals{at:i64}", "a1626174f5", "at: a bool where an integer was expected");
    unfit("Totals{at:i64,on:i64}", "a2626f6e0162617402", "the keys of a map are not in order, or one stands twice");
}

#[test]
fn cases_are_their_names_or_objects_of_one_field() {
    let order = "Order[pending,shipped(tuple<u32,string>)]";
    check(order, "6770656e64696e67", "\"pending\"");
    check(order, "a167736869707065648207616a", "{\"shipped\":[7,\"j\"]}");
    unfit(order, "6773686970706564", "the case `shipped` is without its value");
    unfit(order, "a16770656e64696e67f6", "the case `pending` has no value, and one is there");
    unfit(order, "646c6f7374", "there is no case `lost`");
    unfit(order, "a2", "2 items are said to be in 0 bytes");
    unfit(order, "a20000 0000".replace(' ', "").as_str(), "a map where a case was expected");
}

#[test]
fn what_follows_or_is_missing_does_not_fit() {
    unfit("u8", "0101", "1 bytes follow the value");
    unfit("list<u8>", "8201", "2 items are said to be in 1 bytes");
    unfit("list<tuple<u8,u8>>", "818201", "2 items are said to be in 1 bytes");
    unfit("u8", "", "1 bytes are missing of which 0 are there");
}

#[test]
fn random_bytes_never_panic_and_what_is_shown_is_json() {
    let schemas =
        ["A{a:option<f32>,b:list<map<u8,string>>}", "list<E[a,b(tuple<bytes,unit>)]>", "map<option<bool>,f64>", "tuple<i16,string>"];
    let texts = schemas.map(|schema| StateText::of(&state(StateKind::Value, schema)));
    // A linear congruential generator: the same bytes in every run.
    let mut random = 8949u64;
    let mut byte = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 56) as u8
    };
    for _ in 0..50_000 {
        let bytes: Vec<u8> = (0..byte() % 14).map(|_| byte()).collect();
        for text in &texts {
            let shown = text.value(3, &bytes);
            assert!(serde_json::from_str::<serde_json::Value>(&shown.json).is_ok(), "{bytes:?}: {}", shown.json);
        }
    }
}

#[test]
fn nesting_ends_with_the_type() {
    let shown = StateText::of(&state(StateKind::Value, &format!("{}u8{}", "list<".repeat(100), ">".repeat(100))));
    assert_eq!(shown.value(3, &[0x81; 100_000]).problem.as_deref(), Some("an array where an integer was expected"));
}

#[test]
fn raw_values_are_hex_digits_without_a_reason() {
    let shown = StateText::of(&state(StateKind::Value, "raw")).value(3, b"\x00\xff");
    assert_eq!(shown, Shown { json: "\"0x00ff\"".into(), problem: None });
}

#[test]
fn what_was_written_under_another_version_or_is_not_described_is_hex_digits_with_the_reason() {
    let of = |schema, kind, version| StateText::of(&state(kind, schema)).value(version, &[7]).problem.unwrap_or_default();
    assert_eq!(of("u8", StateKind::Value, 2), "it was written under version 2, and version 3 is described");
    assert_eq!(of("u7", StateKind::Value, 3), "its description cannot be understood: at byte 2: `u7` is no type");
    assert_eq!(of("u8", StateKind::Map, 3), "its description is not that of a map");
}

#[test]
fn entries_and_payloads_are_shown_as_a_whole() {
    let list = StateText::of(&state(StateKind::List, "u8"));
    assert_eq!(list.payload(3, &Payload::List(vec![&[1], &[2]])), Shown { json: "[1,2]".into(), problem: None });
    let map = StateText::of(&state(StateKind::Map, "map<string,u8>"));
    let entries: Vec<(&[u8], &[u8])> = vec![(b"\x61a", &[1]), (b"\x61b", &[2])];
    assert_eq!((map.entry(3, b"\x61a").json.as_str(), map.value(3, &[1]).json.as_str()), ("\"a\"", "1"));
    assert_eq!(map.payload(3, &Payload::Map(entries)), Shown { json: "{\"a\":1,\"b\":2}".into(), problem: None });
    let damaged = map.payload(3, &Payload::Map(vec![(b"\x61a", &[0xf5])]));
    let expect = Shown { json: "[[\"a\",\"0xf5\"]]".into(), problem: Some("a bool where an integer was expected".into()) };
    assert_eq!(damaged, expect);
}

#[test]
fn keys_come_back_from_their_text() {
    for (key, text) in [
        (&b"N14228"[..], "N14228"),
        ("ü b".as_bytes(), "ü b"),
        (b"", "0x"),
        (b"\xff\x00", "0xff00"),
        (b"0xff", "0x30786666"),
        (b"a\nb", "0x610a62"),
    ] {
        assert_eq!((key_text(key).as_str(), parse_key(text).as_deref()), (text, Some(key)));
    }
    assert_eq!((parse_key("0xf"), parse_key("0xg0"), parse_key("")), (None, None, Some(Vec::new())));
}
