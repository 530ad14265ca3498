//! The derived descriptions beside the bytes that they describe.

use crate::prelude::*;
use crate::state::Schema;
use crate::{Instance, cbor};
use std::collections::BTreeMap;

#[track_caller]
fn check<T: StateType>(expect: &str) {
    assert_eq!(Schema::of::<T>(), expect);
}

#[derive(Default, Serialize, Deserialize, StateType)]
struct Id(u64);

#[derive(Serialize, Deserialize, StateType)]
struct Point(f32, f32);

#[derive(Serialize, Deserialize, StateType)]
struct Nothing;

#[derive(Serialize, Deserialize, StateType)]
#[serde(deny_unknown_fields)]
struct Page<T> {
    #[serde(rename = "page-id", default)]
    id: Id,
    r#type: Option<T>,
    marks: BTreeMap<String, Vec<Point>>,
}

#[derive(Serialize, Deserialize, StateType)]
enum Order {
    Pending,
    #[serde(rename = "shipped")]
    Shipped(Id),
    Split(u32, Nothing),
    Returned {
        why: String,
    },
}

#[test]
fn structs_are_described_as_serde_lays_them_out() {
    check::<Id>("u64");
    check::<Nothing>("unit");
    check::<Point>("tuple<f32,f32>");
    check::<Page<Bytes>>("Page{page-id:u64,type:option<bytes>,marks:map<string,list<tuple<f32,f32>>>}");
}

#[test]
fn enums_are_described_case_by_case() {
    check::<Order>("Order[Pending,shipped(u64),Split(tuple<u32,unit>),Returned(Returned{why:string})]");
    check::<Option<Order>>("option<Order[Pending,shipped(u64),Split(tuple<u32,unit>),Returned(Returned{why:string})]>");
}

#[test]
fn names_in_the_bytes_are_those_of_the_description() {
    let page = Page::<u8> { id: Id(1), r#type: None, marks: BTreeMap::new() };
    let bytes = cbor::to_vec(&page).expect("encodes");
    let fields: BTreeMap<String, serde::de::IgnoredAny> = cbor::decode(&bytes).expect("a map");
    assert_eq!(fields.into_keys().collect::<Vec<_>>(), ["marks", "page-id", "type"]);
    assert_eq!(cbor::to_vec(&Order::Shipped(Id(3))).expect("encodes"), b"\xa1\x67shipped\x03");
}

/// A value that serde cannot write when it is odd.
#[derive(Default, Deserialize)]
struct Even(u64);

impl Serialize for Even {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(2) { serializer.serialize_u64(self.0) } else { Err(serde::ser::Error::custom("odd")) }
    }
}

impl StateType for Even {
    fn describe(to: &mut Schema) {
        to.scalar("u64");
    }
}

#[derive(States)]
struct Counts {
    even: ValueState<Even>,
}

struct CountEven;

impl Operator for CountEven {
    const NAME: &'static str = "count-even";
    const VERSION: &'static str = "1";
    type Config = Empty;
    type States = Counts;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        ctx.even.update(|even| even.0 += 1)
    }
}

#[test]
fn state_that_cannot_be_encoded_names_the_last_record_of_its_key() {
    use crate::testing::{TestHost, TestRecord};
    let mut host = TestHost::<CountEven>::open("").expect("no config reads as an empty one");
    let records = ["a", "b", "a", "b", "b", "a", "a"].map(|key| TestRecord::new("").key(key));
    let failure = host.send(&records).expect_err("b is counted three times");
    assert_eq!((failure.record, failure.message.as_str()), (Some(4), "encode state `even`: odd"));
    assert_eq!(Instance::<CountEven>::describe().states[0].schema, "u64");
}
