//! The SDK as authors meet it: operators of every kind on the host in memory.

use crate::prelude::*;
use crate::testing::{TestHost, TestRecord, assert_cuts_agree};
use crate::{Instance, cbor};

#[derive(Clone, Copy, Default, Debug, PartialEq, Serialize, Deserialize, StateType)]
struct Totals {
    count: u64,
    bytes: i64,
}

#[derive(States)]
struct Ledger {
    totals: ValueState<Totals>,
    #[state(name = "last-value", version = 3)]
    last: ValueState<Vec<u8>, Raw>,
    history: ListState<String>,
    seen: MapState<String, u64>,
}

/// Does what the record's value says, so that each test writes its own script.
struct Scripted;

impl Operator for Scripted {
    const NAME: &'static str = "scripted";
    const VERSION: &'static str = "1";
    const INPUTS: &'static [Input] = &[Input::MAIN, Input::new("other")];
    const OUTPUTS: &'static [Output] = &[Output::MAIN, LATE];
    type Config = Empty;
    type States = Ledger;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        log::info!("opened {}", Self::NAME);
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let text = record.text()?;
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb {
            "count" => {
                let totals = ctx.totals.update(|totals| {
                    totals.count += 1;
                    totals.bytes -= text.len() as i64;
                    *totals
                })?;
                ctx.emit(format!("{}/{}", totals.count, totals.bytes));
            }
            "keep" => {
                let before = ctx.last.get()?.cloned().unwrap_or_default();
                ctx.last.set(rest.as_bytes().to_vec())?;
                ctx.emit(before);
            }
            "forget" => {
                ctx.totals.clear()?;
                ctx.last.clear()?;
                ctx.history.clear()?;
                ctx.seen.clear()?;
            }
            "append" => {
                ctx.history.append(&rest.to_owned())?;
                let list = ctx.history.iter()?.collect::<Result<Vec<_>>>()?;
                let at = ctx.history.len()? / 2;
                let middle = ctx.history.get(at)?.unwrap_or_default();
                ctx.emit(format!("{} [{}] {}", list.join(","), middle, ctx.history.get(list.len() as u64)?.is_none()));
            }
            "put" => {
                let before = ctx.seen.get(&rest.to_owned())?;
                ctx.seen.put(&rest.to_owned(), &before.map_or(1, |before| before + 1))?;
                ctx.metric("puts", 1);
            }
            "remove" => ctx.seen.remove(&rest.to_owned())?,
            "scan" => {
                let entries = ctx.seen.iter()?.map(|entry| entry.map(|(name, n)| format!("{name}{n}"))).collect::<Result<Vec<_>>>()?;
                let (has, empty) = (ctx.seen.contains(&rest.to_owned())?, ctx.seen.is_empty()?);
                ctx.emit(format!("{} {has} {empty}", entries.join(" ")));
            }
            "as" => ctx.emit_with(Some(rest.as_bytes()).filter(|key| !key.is_empty()), Some(99), "own"),
            "for" => ctx.emit_keyed(Some(rest.as_bytes()), "keyed"),
            "late" => ctx.to(LATE).emit(rest),
            "echo" => {
                let input = ctx.input();
                ctx.emit(format!("{input} {rest}"));
            }
            "json" => ctx.emit_json(&Totals { count: 1, bytes: 2 })?,
            _ => bail!("no verb {verb}"),
        }
        Ok(())
    }
}

const LATE: Output = Output::new("late").schema("late", 2);

fn host() -> TestHost<Scripted> {
    TestHost::open("null").expect("opens")
}

/// Sends `key: value` lines as one batch.
#[track_caller]
fn send(host: &mut TestHost<Scripted>, lines: &[&str]) {
    host.send(&lines.iter().map(|line| record(line)).collect::<Vec<_>>()).expect("works the batch off");
}

fn record(line: &str) -> TestRecord {
    let (key, value) = line.split_once(": ").expect("key: value");
    TestRecord::new(value).key(key).at(7)
}

fn values(records: &[TestRecord]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect()
}

#[test]
fn a_key_sees_its_own_value_within_and_across_batches() {
    let mut host = host();
    send(&mut host, &["a: count", "b: count", "a: count"]);
    send(&mut host, &["a: count"]);
    assert_eq!(values(host.emitted()), ["1/-5", "1/-5", "2/-10", "3/-15"]);
    assert_eq!(host.value_as("totals", "a"), Some(Totals { count: 3, bytes: -15 }));
}

#[test]
fn a_cleared_value_is_absent_and_may_be_set_again() {
    let mut host = host();
    send(&mut host, &["a: count", "a: keep x", "b: keep y"]);
    send(&mut host, &["a: forget", "a: keep z", "b: forget"]);
    assert_eq!(values(host.emitted()), ["1/-5", "", "", ""]);
    assert_eq!((host.value("totals", "a"), host.value("last-value", "a")), (None, Some(&b"z"[..])));
    assert_eq!(host.value("last-value", "b"), None);
}

#[test]
fn an_emitted_record_inherits_key_and_time_unless_it_has_its_own() {
    let mut host = host();
    send(&mut host, &["a: echo 1", "a: for k", "a: as z", "b: echo 2", "b: as "]);
    let expect = [
        TestRecord::new("0 1").key("a").at(7),
        TestRecord::new("keyed").key("k").at(7),
        TestRecord::new("own").key("z").at(99),
        TestRecord::new("0 2").key("b").at(7),
        TestRecord { key: None, ..TestRecord::new("own").at(99) },
    ];
    assert_eq!(host.emitted(), expect);
}

#[test]
fn side_outputs_are_reached_by_their_handle() {
    let mut host = host();
    send(&mut host, &["a: late 1", "a: echo x", "a: late 2", "a: json"]);
    assert_eq!(values(host.emitted_to(LATE)), ["1", "2"]);
    assert_eq!(values(host.emitted()), ["0 x", r#"{"count":1,"bytes":2}"#]);
}

#[test]
fn a_list_shows_what_was_stored_and_then_what_the_batch_appended() {
    let mut host = host();
    send(&mut host, &["a: append 1", "a: append 2"]);
    send(&mut host, &["a: append 3", "b: append x", "a: forget", "a: append 4"]);
    assert_eq!(values(host.emitted()), ["1 [1] true", "1,2 [2] true", "1,2,3 [2] true", "x [x] true", "4 [4] true"]);
    assert_eq!(host.list("history", "a"), [cbor::to_vec("4").expect("encodes")]);
}

#[test]
fn long_lists_and_maps_are_read_page_by_page() {
    let mut host = host();
    let long = "x".repeat(50_000);
    for n in 10..15 {
        send(&mut host, &[&format!("a: append {n}{long}"), &format!("a: put {n}{long}")]);
    }
    host.take_emitted();
    send(&mut host, &["a: append last", "a: scan 11", &format!("a: remove 12{long}"), "a: put 13", "a: scan"]);
    let emitted: Vec<String> = values(host.emitted()).iter().map(|value| value.replace(&long, "")).collect();
    assert_eq!(emitted, ["10,11,12,13,14,last [13] true", "101 111 121 131 141 false false", "131 101 111 131 141 false false"]);
}

#[test]
fn a_map_is_scanned_in_key_order_under_its_own_writes() {
    let mut host = host();
    send(&mut host, &["a: put b", "a: put d", "a: put aa", "a: scan b"]);
    send(&mut host, &["a: put c", "a: put b", "a: remove d", "a: scan d", "a: put d", "a: scan d", "a: remove b"]);
    send(&mut host, &["a: scan b", "a: forget", "a: scan c", "a: put z", "a: scan z"]);
    let expect = ["b1 d1 aa1 true false", "b2 c1 aa1 false false", "b2 c1 d1 aa1 true false"];
    assert_eq!(values(host.emitted())[..3], expect);
    assert_eq!(values(host.emitted())[3..], ["c1 d1 aa1 false false", " false true", "z1 true false"]);
    assert_eq!(host.map("seen", "a").len(), 1);
    assert_eq!(host.metric("puts"), 7);
}

#[test]
fn an_error_names_its_record_and_leaves_no_effect() {
    let mut host = host();
    let failure = host.send(&[record("a: count"), record("a: nonsense"), record("a: count")]).expect_err("the second fails");
    assert_eq!((failure.record, failure.message.as_str()), (Some(1), "no verb nonsense"));
    assert!(host.emitted().is_empty() && host.value("totals", "a").is_none());
    send(&mut host, &["a: count"]);
    assert_eq!(values(host.emitted()), ["1/-5"]);
}

#[test]
fn state_on_an_input_that_is_not_keyed_is_an_error_with_a_hint() {
    let mut host = host();
    host.set_keyed(1, false);
    let failure = host.send_to(1, &[TestRecord::new("count")]).expect_err("no key");
    assert_eq!(failure.record, Some(0));
    assert!(failure.message.contains("state `totals` needs a key") && failure.message.contains("by = \"key\""));
    host.send_to(1, &[TestRecord::new("echo x"), TestRecord::new("echo y").key("")]).expect("needs no state");
    assert_eq!(host.emitted(), [TestRecord::new("1 x"), TestRecord::new("1 y").key("")]);
}

#[test]
fn the_descriptor_lists_states_by_number_with_their_types() {
    let descriptor = Instance::<Scripted>::describe();
    let states: Vec<_> = descriptor.states.iter().map(|state| (state.name.as_str(), state.schema.as_str(), state.version)).collect();
    let expect =
        [("totals", "Totals{count:u64,bytes:i64}", 1), ("last-value", "raw", 3), ("history", "string", 1), ("seen", "map<string,u64>", 1)];
    assert_eq!(states, expect);
    assert_eq!(descriptor.outputs[1].schema.as_ref().map(|schema| schema.version), Some(2));
}

#[test]
fn lines_are_logged_and_config_errors_say_what_was_read() {
    assert_eq!(host().logs()[0].1, "opened scripted");
    let error = TestHost::<Scripted>::open("{").err().expect("no JSON");
    assert!(error.starts_with("read the config of scripted: "), "{error}");
}

#[test]
fn a_version_without_a_migration_is_refused_by_name() {
    let values = crate::columns::empty_column();
    assert!(Instance::<Scripted>::migrate(0, 1, &values).is_ok(), "no value, nothing to migrate");
    let mut one = values;
    crate::columns::push_item(&mut one, b"x");
    assert_eq!(Instance::<Scripted>::migrate(1, 2, &one).unwrap_err(), "scripted cannot migrate state `last-value` from version 2");
    assert_eq!(Instance::<Scripted>::migrate(9, 1, &one).unwrap_err(), "scripted has no state 9");
}

#[test]
fn cutting_anywhere_gives_the_same_effects_in_the_same_order() {
    let mut random = fastrand::Rng::with_seed(1);
    let verbs = ["count", "keep", "append", "put", "put", "remove", "scan", "as", "for", "late", "echo", "forget"];
    let records: Vec<(u32, TestRecord)> = (0..400)
        .map(|n| {
            let verb = verbs[random.usize(..verbs.len())];
            let value = format!("{verb} {}", random.u32(0..6));
            (u32::from(n % 90 > 60), TestRecord::new(value).key(random.u8(b'a'..b'f').to_string()).at(n))
        })
        .collect();
    assert_cuts_agree::<Scripted>("{}", &Setup::default(), &records, 100);
}
