//! Lists that are shortened at either end, against a list of the language's own.

use crate::cbor;
use crate::prelude::*;
use crate::testing::{TestHost, TestRecord, assert_cuts_agree};

#[derive(States)]
struct Queue {
    items: ListState<String>,
}

/// Does what the record's value says with the list of its key, and emits what the list is then, read in each way that there is.
struct Queued;

impl Operator for Queued {
    const NAME: &'static str = "queued";
    const VERSION: &'static str = "1";
    type Config = Empty;
    type States = Queue;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (verb, rest) = record.text()?.split_once(' ').unwrap_or((record.text()?, ""));
        let number = || rest.parse().map_err(Error::from);
        match verb {
            "append" => ctx.items.append(&rest.to_owned())?,
            "pop" => ctx.items.pop_front(number()?)?,
            "truncate" => ctx.items.truncate(number()?)?,
            "clear" => ctx.items.clear()?,
            other => bail!("no verb {other}"),
        }
        let scanned = ctx.items.iter()?.collect::<Result<Vec<_>>>()?;
        let len = ctx.items.len()?;
        let got = (0..len).map(|index| ctx.items.get(index)).collect::<Result<Option<Vec<_>>>>()?;
        if got.as_ref() != Some(&scanned) || ctx.items.get(len)?.is_some() || ctx.items.is_empty()? != scanned.is_empty() {
            bail!("the list is {scanned:?} and {got:?}");
        }
        ctx.emit(scanned.join(","));
        Ok(())
    }
}

fn values(host: &TestHost<Queued>) -> Vec<String> {
    host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect()
}

#[track_caller]
fn send(host: &mut TestHost<Queued>, verbs: &[&str]) {
    host.send(&verbs.iter().map(|verb| TestRecord::new(verb).key("k")).collect::<Vec<_>>()).expect("works the batch off");
}

#[test]
fn items_are_taken_off_at_either_end_of_what_is_stored_and_of_what_the_batch_appended() {
    let mut host = TestHost::<Queued>::open("{}").expect("opens");
    send(&mut host, &["append a", "append b", "append c", "append d"]);
    send(&mut host, &["pop 1", "truncate 2", "append e", "truncate 3", "pop 2", "append f", "pop 1", "truncate 9"]);
    assert_eq!(values(&host)[4..], ["b,c,d", "b,c", "b,c,e", "b,c,e", "e", "e,f", "f", "f"]);
    assert_eq!(host.list("items", "k"), [cbor::to_vec("f").expect("encodes")]);
    send(&mut host, &["truncate 0", "append g", "pop 99", "append h"]);
    send(&mut host, &["clear", "append i", "pop 1", "append j", "truncate 1"]);
    assert_eq!(values(&host)[12..], ["", "g", "", "h", "", "i", "", "j", "j"]);
}

#[test]
fn any_order_of_changes_is_what_a_list_makes_of_it_wherever_it_is_cut() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut model, mut expect, mut records) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..120 {
            let verb = match random.u8(0..9) {
                0..=3 => {
                    model.push(n.to_string());
                    format!("append {n}")
                }
                4..=5 => {
                    let count = random.usize(0..4);
                    model.drain(..count.min(model.len()));
                    format!("pop {count}")
                }
                6..=7 => {
                    let len = model.len().saturating_sub(random.usize(0..3));
                    model.truncate(len);
                    format!("truncate {len}")
                }
                _ if random.bool() => {
                    model.clear();
                    "clear".to_owned()
                }
                _ => "truncate 1000".to_owned(),
            };
            expect.push(model.join(","));
            records.push((0, TestRecord::new(verb).key("k")));
        }
        let mut host = TestHost::<Queued>::open("{}").expect("opens");
        host.send(&records.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>()).expect("works the batch off");
        assert_eq!(values(&host), expect, "seed {seed}");
        assert_cuts_agree::<Queued>("{}", &Setup::default(), &records, seed);
    }
}
