//! Several inputs and broadcast state on the host in memory.

use crate::prelude::*;
use crate::state::StateKind;
use crate::testing::{TestHost, TestRecord, assert_cuts_agree};
use crate::{Instance, cbor};

const WORDS: Input = Input::new("words");
const RULES: Input = Input::new("rules").broadcast();
const OTHERS: Input = Input::new("others");

#[derive(States)]
struct Rules {
    seen: ValueState<u64>,
    rules: BroadcastState<String, u64>,
    raw: BroadcastState<u64, Vec<u8>, Raw>,
}

/// Obeys the record's value on any input, so that each test writes its own script.
struct Ruled;

impl Operator for Ruled {
    const NAME: &'static str = "ruled";
    const VERSION: &'static str = "1";
    const INPUTS: &'static [Input] = &[WORDS, RULES, OTHERS];
    type Config = Empty;
    type States = Rules;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let text = record.text()?;
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rule = rest.to_owned();
        match (verb, record.input()) {
            ("from", WORDS) => ctx.emit("a word"),
            ("from", RULES) => ctx.emit("a rule"),
            ("from", other) => ctx.emit(format!("{}", other == OTHERS)),
            ("put", _) => {
                let before = ctx.rules.get(&rule)?.unwrap_or(0);
                ctx.rules.put(&rule, &(before + 1))?;
                ctx.raw.put(&(rule.len() as u64), &rule.into_bytes())?;
            }
            ("remove", _) => ctx.rules.remove(&rule)?,
            ("clear", _) => ctx.rules.clear()?,
            ("scan", _) => {
                let rules = ctx.rules.iter().map(|entry| entry.map(|(rule, n)| format!("{rule}{n}"))).collect::<Result<Vec<_>>>()?;
                let (has, empty) = (ctx.rules.contains(&rule)?, ctx.rules.is_empty());
                let raw = ctx.raw.get(&(rule.len() as u64))?.unwrap_or_default();
                ctx.emit(format!("{} {has} {empty} {}", rules.join(" "), String::from_utf8_lossy(&raw)));
            }
            ("count", _) => {
                let seen = ctx.seen.update(|seen| {
                    *seen += 1;
                    *seen
                })?;
                ctx.emit(seen.to_string());
            }
            _ => bail!("no verb {verb}"),
        }
        Ok(())
    }
}

fn host() -> TestHost<Ruled> {
    TestHost::open("").expect("opens")
}

/// Sends values on one input, under one key where the input is keyed.
fn send(host: &mut TestHost<Ruled>, input: u32, values: &[&str]) {
    host.send_to(input, &values.iter().map(|value| TestRecord::new(value).key("k")).collect::<Vec<_>>()).expect("works the batch off");
}

fn emitted(host: &mut TestHost<Ruled>) -> Vec<String> {
    host.take_emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect()
}

#[test]
fn a_record_knows_its_input_by_the_handle() {
    let mut host = host();
    (0..3).for_each(|input| send(&mut host, input, &["from"]));
    assert_eq!(emitted(&mut host), ["a word", "a rule", "true"]);
}

#[test]
fn all_keyed_inputs_share_the_state_of_a_key() {
    let mut host = host();
    send(&mut host, 0, &["count"]);
    send(&mut host, 2, &["count", "count"]);
    assert_eq!(emitted(&mut host), ["1", "2", "3"]);
    let failure = host.send_to(1, &[TestRecord::new("count").key("k")]).expect_err("a broadcast brings no key's state");
    assert!(failure.message.contains("state `seen` needs a key"), "{}", failure.message);
}

#[test]
fn broadcasts_change_what_every_record_reads() {
    let mut host = host();
    send(&mut host, 1, &["put b", "put d", "put aa", "put b", "scan b"]);
    send(&mut host, 0, &["scan d", "scan zz"]);
    assert_eq!(emitted(&mut host), ["b2 d1 aa1 true false b", "b2 d1 aa1 true false b", "b2 d1 aa1 false false aa"]);
    send(&mut host, 1, &["remove d", "put c", "scan d", "put d", "scan d"]);
    assert_eq!(emitted(&mut host), ["b2 c1 aa1 false false c", "b2 c1 d1 aa1 true false d"]);
    send(&mut host, 1, &["put x", "clear", "scan x", "remove b", "put z"]);
    send(&mut host, 2, &["scan z"]);
    assert_eq!(emitted(&mut host), [" false true x", "z1 true false z"]);
    assert_eq!(host.broadcast("rules"), [(cbor::to_vec("z").expect("encodes"), cbor::to_vec(&1_u64).expect("encodes"))]);
}

#[test]
fn a_large_broadcast_state_is_scanned_page_by_page_under_the_batchs_own_changes() {
    let mut host = host();
    let long = "x".repeat(50_000);
    (10..15).for_each(|n| send(&mut host, 1, &[&format!("put {n}{long}")]));
    send(&mut host, 1, &[&format!("remove 12{long}"), "put 13", "scan"]);
    let emitted: Vec<String> = emitted(&mut host).iter().map(|line| line.replace(&long, "")).collect();
    assert_eq!(emitted, ["131 101 111 131 141 false false "]);
}

#[test]
fn a_change_outside_of_a_broadcast_is_an_error_with_a_hint_and_has_no_effect() {
    let mut host = host();
    for change in ["put a", "remove a", "clear"] {
        for input in [0, 2] {
            let failure = host.send_to(input, &[TestRecord::new("count").key("k"), TestRecord::new(change).key("k")]).expect_err(change);
            assert_eq!(failure.record, Some(1));
            let hint = "state `rules` is changed by records of a broadcast input only: declare the input with `Input::broadcast`";
            assert!(failure.message.starts_with(hint), "{}", failure.message);
        }
    }
    host.set_keyed(1, true);
    assert!(host.send_to(1, &[TestRecord::new("put a").key("k")]).is_err(), "fed by key, it is no broadcast");
    assert_eq!((host.broadcast("rules").len(), host.value("seen", "k")), (0, None));
}

#[test]
fn it_is_declared_like_a_map() {
    let states = Instance::<Ruled>::describe().states;
    let declared: Vec<_> = states.iter().map(|state| (state.kind, state.schema.as_str())).collect();
    assert_eq!(declared, [(StateKind::Value, "u64"), (StateKind::Broadcast, "map<string,u64>"), (StateKind::Broadcast, "raw")]);
}

#[test]
fn cutting_anywhere_gives_the_same_effects_in_the_same_order() {
    let mut random = fastrand::Rng::with_seed(1);
    let records: Vec<(u32, TestRecord)> = (0..400)
        .map(|n| {
            let input = u32::from(n % 50 >= 25);
            let verbs: &[&str] =
                if input == 1 { &["put", "put", "put", "remove", "scan", "clear", "from"] } else { &["scan", "count", "from"] };
            let value = format!("{} {}", verbs[random.usize(..verbs.len())], "r".repeat(random.usize(1..5)));
            (input, TestRecord::new(value).key(random.u8(b'a'..b'f').to_string()).at(n))
        })
        .collect();
    assert_cuts_agree::<Ruled>("{}", &Setup::default(), &records, 100);
}
