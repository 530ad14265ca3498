//! Operators that go on with the state of an older version, natively.

use crate::prelude::*;
use crate::testing::{TestHost, TestRecord};
use crate::{Instance, cbor};

/// The first version, as it was.
#[derive(Serialize, Deserialize)]
struct VisitsV1 {
    count: u64,
}

#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize, StateType)]
struct Visits {
    count: u64,
    last: Option<String>,
}

#[derive(States)]
struct Pages {
    #[state(version = 3)]
    visits: ValueState<Visits>,
    #[state(version = 2)]
    history: ListState<String>,
    #[state(version = 2)]
    by_country: MapState<String, u64>,
    #[state(version = 2)]
    rules: BroadcastState<String, u64>,
    #[state(version = 2)]
    sum: ValueState<u64, Raw>,
}

struct Count;

impl Operator for Count {
    const NAME: &'static str = "count";
    const VERSION: &'static str = "2";
    const INPUTS: &'static [Input] = &[Input::MAIN];
    type Config = Empty;
    type States = Pages;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let country = record.text()?.to_owned();
        let visits = ctx.visits.update(|visits| {
            visits.count += 1;
            visits.last.replace(country.clone())
        })?;
        let history = ctx.history.iter()?.collect::<Result<Vec<_>>>()?.join(",");
        let (before, rule, sum) = (ctx.by_country.get(&country)?, ctx.rules.get(&country)?, ctx.sum.get()?.copied());
        ctx.emit(format!("{visits:?} {history} {before:?} {rule:?} {sum:?}"));
        Ok(())
    }

    fn migrate(state: &str, from_version: u32, value: OldValue<'_>) -> Result<Vec<u8>> {
        match (state, from_version) {
            ("visits", 1) => value.map(|old: VisitsV1| Visits { count: old.count, last: None }),
            ("visits", 2) => value.recode::<Raw, Cbor, _, _>(|count: u64| Visits { count, last: Some("?".into()) }),
            ("history", 1) => value.map(|old: u64| old.to_string()),
            ("by_country" | "rules", 1) => value.map(|old: u32| u64::from(old) * 10),
            ("sum", 1) => value.map_raw(|old: i64| old.unsigned_abs()),
            _ => value.unknown(),
        }
    }
}

fn cbor<T: Serialize>(value: &T) -> Vec<u8> {
    cbor::to_vec(value).expect("encodes")
}

#[test]
fn every_kind_of_state_goes_on_where_an_older_version_left_off() {
    let mut host = TestHost::<Count>::open("").expect("opens");
    host.restore_value("visits", 1, "/", &cbor(&VisitsV1 { count: 7 })).expect("migrates");
    host.restore_value("visits", 2, "/b", &5_u64.to_le_bytes()).expect("migrates");
    host.restore_item("history", 1, "/", &cbor(&1_u64)).expect("migrates");
    host.restore_item("history", 2, "/", &cbor(&"two")).expect("is of this version");
    host.restore_entry("by_country", 1, "/", &cbor(&"NZ"), &cbor(&4_u32)).expect("migrates");
    host.restore_broadcast("rules", 1, &cbor(&"NZ"), &cbor(&2_u32)).expect("migrates");
    host.restore_value("sum", 1, "/", &(-3_i64).to_le_bytes()).expect("migrates");
    host.send(&[TestRecord::new("NZ").key("/"), TestRecord::new("NZ").key("/b")]).expect("works");
    let lines: Vec<_> = host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect();
    assert_eq!(lines, ["None 1,two Some(40) Some(20) Some(3)", "Some(\"?\")  None Some(20) None"]);
    assert_eq!(host.value_as::<Visits>("visits", "/"), Some(Visits { count: 8, last: Some("NZ".into()) }));
}

#[test]
fn what_cannot_be_migrated_says_which_state_from_which_version() {
    let mut host = TestHost::<Count>::open("").expect("opens");
    let mut refused = |state: &str, from, value: &[u8]| host.restore_value(state, from, "/", value).expect_err("refused");
    assert_eq!(refused("sum", 0, b""), "count cannot migrate state `sum` from version 0");
    assert_eq!(refused("sum", 1, b"short"), "decode state `sum` of version 1: 5 bytes are no i64");
    assert!(refused("visits", 1, b"\xff").starts_with("decode state `visits` of version 1: "));
    assert_eq!(refused("visits", 4, b""), "state `visits` is of version 3, and version 4 is newer");
    assert_eq!(Instance::<Count>::describe().states[0].version, 3);
}

#[derive(States)]
struct Chatty {
    #[state(version = 2)]
    value: ValueState<u64>,
}

struct Talks;

impl Operator for Talks {
    const NAME: &'static str = "talks";
    const VERSION: &'static str = "2";
    type Config = Empty;
    type States = Chatty;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        ctx.value.set(1)
    }

    fn migrate(_state: &str, _from_version: u32, value: OldValue<'_>) -> Result<Vec<u8>> {
        log::info!("migrating");
        Ok(value.bytes().to_vec())
    }
}

#[test]
#[should_panic(expected = "migrate may call nothing of the host, and it logged: migrating")]
fn migrate_calls_nothing_of_the_host() {
    let mut host = TestHost::<Talks>::open("").expect("opens");
    _ = host.restore_value("value", 1, "k", b"\x01");
}
