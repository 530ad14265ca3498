//! Timers on the host in memory: what is set, in which order it fires, and what comes of it.

use crate::prelude::*;
use crate::testing::{TestHost, TestRecord};

const DUE: Timer = Timer::event("due");
const TICK: Timer = Timer::processing("tick");

#[derive(States)]
struct Log {
    fired: ListState<String>,
    again: ValueState<u64>,
}

/// A record sets and deletes timers: `set 5`, `delete 5`, `tick 5`, `again 3` (which sets itself three times), several with `;` between them.
struct Alarm;

impl Operator for Alarm {
    const NAME: &'static str = "alarm";
    const VERSION: &'static str = "1";
    const TIMERS: &'static [Timer] = &[DUE, TICK];
    type Config = Empty;
    type States = Log;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        for command in record.text()?.split(';') {
            let (verb, time) = command.split_once(' ').unwrap_or((command, "0"));
            let time: i64 = time.parse().map_err(|_| Error::new(format_args!("no time: {time}")))?;
            match verb {
                "set" => ctx.timers.set(DUE, time)?,
                "delete" => ctx.timers.delete(DUE, time)?,
                "tick" => ctx.timers.set(TICK, time)?,
                "again" => {
                    ctx.again.set(time as u64)?;
                    ctx.timers.set(DUE, 0)?;
                }
                _ => ctx.emit(command),
            }
        }
        Ok(())
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let left = ctx.again.get()?.copied().unwrap_or(0);
        if left > 0 {
            ctx.again.set(left - 1)?;
            ctx.timers.set(DUE, fired.time())?;
        }
        if fired.time() == 13 {
            bail!("unlucky");
        }
        if fired.time() == 7 {
            ctx.timers.delete(DUE, 8)?;
        }
        let text = format!("{} {} at {} of {:?}", fired.timer().name(), fired.key().escape_ascii(), fired.time(), ctx.watermark());
        ctx.fired.append(&text)?;
        ctx.emit(text);
        Ok(())
    }
}

fn host(commands: &[(&str, &str)]) -> TestHost<Alarm> {
    let mut host = TestHost::<Alarm>::open("{}").expect("opens");
    let records: Vec<_> = commands.iter().map(|(key, command)| TestRecord::new(command).key(key).at(1)).collect();
    host.send(&records).expect("no fault");
    host
}

fn emitted(host: &mut TestHost<Alarm>) -> Vec<String> {
    host.take_emitted().into_iter().map(|record| String::from_utf8(record.value).expect("text")).collect()
}

#[test]
fn timers_fire_in_the_order_of_their_times_as_far_as_time_has_come() {
    let mut host = host(&[("b", "set 20"), ("a", "set 10;set 30"), ("c", "set 10")]);
    host.advance_to(9).expect("no fault");
    assert_eq!(emitted(&mut host), Vec::<String>::new());
    host.advance_to(25).expect("no fault");
    assert_eq!(host.emitted()[0], TestRecord::new("due a at 10 of Some(25)").key("a").at(10));
    assert_eq!(emitted(&mut host), ["due a at 10 of Some(25)", "due c at 10 of Some(25)", "due b at 20 of Some(25)"]);
    assert_eq!((host.timers(DUE, "a"), host.timers(DUE, "b")), (vec![30], vec![]));
    assert_eq!(host.list("fired", "a").len(), 1);
    host.advance_to(5).expect("no fault");
    host.advance_to(30).expect("no fault");
    assert_eq!(emitted(&mut host), ["due a at 30 of Some(30)"]);
}

#[test]
fn of_one_timer_the_last_word_of_a_call_counts() {
    let host = host(&[("a", "set 5;delete 5;set 5"), ("a", "set 6"), ("b", "set 6"), ("a", "delete 6"), ("a", "set 7;set 7")]);
    assert_eq!((host.timers(DUE, "a"), host.timers(DUE, "b")), (vec![5, 7], vec![6]));
}

#[test]
fn what_an_earlier_timer_of_a_key_deletes_does_not_fire() {
    let mut host = host(&[("a", "set 7;set 8;set 9")]);
    host.advance_to(100).expect("no fault");
    assert_eq!(emitted(&mut host), ["due a at 7 of Some(100)", "due a at 9 of Some(100)"]);
}

#[test]
fn a_timer_may_set_itself_anew_and_not_for_ever() {
    let mut once = host(&[("a", "again 3")]);
    once.advance_to(0).expect("no fault");
    assert_eq!((emitted(&mut once).len(), once.timers(DUE, "a")), (4, vec![]));
    let mut endless = host(&[("a", "again 1000000")]);
    let message = endless.advance_to(0).expect_err("for ever").message;
    assert_eq!(message, "more than 10000 timers of the key a were due when they were set, one behind the other");
}

#[test]
fn however_many_timers_of_a_key_fire_that_had_time() {
    let mut host = host(&[]);
    let commands: Vec<_> = (0..20_000).map(|time| TestRecord::new(format!("set {}", 100 + time)).key("a")).collect();
    host.send(&commands).expect("no fault");
    host.advance_to(100_000).expect("no fault");
    assert_eq!(emitted(&mut host).len(), 20_000);
}

#[test]
fn processing_timers_go_by_the_clock_alone() {
    let mut host = host(&[("a", "tick 50;set 50")]);
    host.advance_clock(49).expect("no fault");
    assert_eq!(emitted(&mut host), Vec::<String>::new());
    host.advance_clock(1).expect("no fault");
    assert_eq!(emitted(&mut host), ["tick a at 50 of None"]);
    host.advance_to(50).expect("no fault");
    assert_eq!(emitted(&mut host), ["due a at 50 of Some(50)"]);
}

#[test]
fn a_timer_of_a_time_that_has_passed_fires_next() {
    let mut host = host(&[]);
    host.advance_to(100).expect("no fault");
    host.send(&[TestRecord::new("set 40").key("a"), TestRecord::new("behind").key("a")]).expect("no fault");
    assert_eq!(emitted(&mut host), ["behind", "due a at 40 of Some(100)"]);
}

#[test]
fn at_the_end_of_the_input_those_that_are_there_fire_and_those_that_they_set_stay() {
    let mut host = host(&[("a", "again 3"), ("b", "set 500;tick 900")]);
    host.end_input().expect("no fault");
    let end = i64::MAX;
    assert_eq!(emitted(&mut host), [format!("due a at 0 of Some({end})"), format!("due b at 500 of Some({end})")]);
    assert_eq!((host.timers(DUE, "a"), host.timers(TICK, "b")), (vec![0], vec![900]));
}

#[test]
fn a_failed_timer_is_named_and_its_call_had_no_effect() {
    let mut host = host(&[("a", "set 12"), ("b", "set 13")]);
    let failure = host.advance_to(20).expect_err("unlucky");
    assert_eq!((failure.record, failure.message.as_str()), (Some(1), "unlucky"));
    assert_eq!((emitted(&mut host).len(), host.timers(DUE, "a"), host.list("fired", "a").len()), (0, vec![12], 0));
}

#[test]
fn a_timer_needs_a_key() {
    let mut host = TestHost::<Alarm>::open("{}").expect("opens");
    host.set_keyed(0, false);
    let message = host.send(&[TestRecord::new("set 5")]).expect_err("no key").message;
    assert!(message.starts_with("timer `due` needs a key, and this input is not keyed"), "{message}");
}
