//! Times to live: what an operator is shown, what it says that it has read, and what its author may not declare.

use crate::prelude::*;
use crate::testing::{TestHost, TestRecord, assert_cuts_agree};
use crate::{Instance, bindings::weir::operator::types};

const LATER: Timer = Timer::event("later");

#[derive(States)]
struct Kept {
    #[state(ttl = "10ms", time = "event")]
    written: ValueState<u64>,
    #[state(ttl = "10ms", time = "event", refresh = "read")]
    read: ValueState<String>,
    #[state(ttl = "10ms", time = "event")]
    list: ListState<String>,
    #[state(ttl = "10ms", time = "event", refresh = "read")]
    entries: MapState<String, String>,
    #[state(ttl = "1h 30m")]
    by_clock: ValueState<u64>,
    ever: ValueState<u64>,
}

/// Does what its records say, and emits what it is shown.
struct Keeper;

impl Keeper {
    fn obey(order: &str, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (word, rest) = order.split_once(' ').unwrap_or((order, ""));
        match word {
            "count" => {
                let count = ctx.written.update(|count| {
                    *count += 1;
                    *count
                })?;
                ctx.emit(count.to_string());
            }
            "set" => ctx.read.set(rest.to_owned())?,
            "get" => {
                let value = ctx.read.get()?.cloned().unwrap_or_default();
                ctx.emit(value);
            }
            "append" => ctx.list.append(&rest.to_owned())?,
            "list" => {
                let items = ctx.list.iter()?.collect::<Result<Vec<_>>>()?.join(",");
                let len = ctx.list.len()?;
                ctx.emit(format!("{len} {items}"));
            }
            "pop" => ctx.list.pop_front(1)?,
            "put" => ctx.entries.put(&rest.to_owned(), &rest.to_owned())?,
            "has" => {
                let has = ctx.entries.contains(&rest.to_owned())?;
                ctx.emit(has.to_string());
            }
            "entries" => {
                let entries = ctx.entries.iter()?.map(|entry| Ok(entry?.0)).collect::<Result<Vec<_>>>()?.join(",");
                ctx.emit(entries);
            }
            "empty" => {
                let empty = ctx.entries.is_empty()?;
                ctx.emit(empty.to_string());
            }
            "clock" => {
                let count = ctx.by_clock.update(|count| {
                    *count += 1;
                    *count
                })?;
                ctx.emit(count.to_string());
            }
            "ever" => ctx.ever.update(|count| *count += 1)?,
            "later" => ctx.timers.set(LATER, rest.parse()?)?,
            _ => bail!("no order: {order}"),
        }
        Ok(())
    }
}

impl Operator for Keeper {
    const NAME: &'static str = "keeper";
    const VERSION: &'static str = "1";
    const TIMERS: &'static [Timer] = &[LATER];
    type Config = Empty;
    type States = Kept;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let order = record.text()?.to_owned();
        Self::obey(&order, ctx)
    }

    /// Counts, and shows the list.
    fn on_timer(&mut self, _fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        Self::obey("list", ctx)?;
        Self::obey("count", ctx)
    }
}

fn host() -> TestHost<Keeper> {
    TestHost::open("{}").expect("opens")
}

/// Gives the orders at a watermark, and looks at what is emitted.
#[track_caller]
fn check(host: &mut TestHost<Keeper>, watermark: i64, orders: &[&str], expect: &[&str]) {
    host.advance_to(watermark).expect("no fault");
    host.take_emitted();
    host.send(&orders.iter().map(|order| TestRecord::new(order).key("a")).collect::<Vec<_>>()).expect("no fault");
    let emitted: Vec<_> = host.take_emitted().into_iter().map(|record| String::from_utf8(record.value).expect("text")).collect();
    assert_eq!(emitted, expect);
}

#[test]
fn states_declare_how_long_what_is_kept_lives() {
    let states = Instance::<Keeper>::describe().states;
    let declared: Vec<_> = states.iter().map(|state| state.ttl.map(|ttl| (ttl.ms, ttl.domain, ttl.refresh_on_read))).collect();
    let (event, clock) = (types::TimeDomain::Event, types::TimeDomain::Processing);
    let (written, read) = (Some((10, event, false)), Some((10, event, true)));
    assert_eq!(declared, [written, read, written, read, Some((5_400_000, clock, false)), None]);
}

#[test]
fn a_value_is_there_until_its_time_is_over_and_writing_it_begins_anew() {
    let mut host = host();
    check(&mut host, 100, &["count", "ever"], &["1"]);
    check(&mut host, 109, &["count"], &["2"]);
    check(&mut host, 118, &["count"], &["3"]);
    assert_eq!(host.value_as::<u64>("written", "a"), Some(3));
    host.advance_to(128).expect("no fault");
    assert_eq!(host.value("written", "a"), None, "the test sees what an operator would");
    check(&mut host, 128, &["count"], &["1"]);
    assert_eq!(host.value_as::<u64>("ever", "a"), Some(1));
}

#[test]
fn reading_renews_only_where_the_state_says_so() {
    let mut host = host();
    check(&mut host, 100, &["set x", "append x", "put x", "put y"], &[]);
    check(&mut host, 109, &["get", "list", "has y", "has z"], &["x", "1 x", "true", "false"]);
    check(&mut host, 118, &["get", "list", "entries"], &["x", "0 ", "x,y"]);
    check(&mut host, 127, &["get", "empty"], &["x", "false"]);
    // To ask whether it is empty is not to read it.
    check(&mut host, 128, &["entries"], &[""]);
    check(&mut host, 137, &["get"], &[""]);
}

#[test]
fn items_and_entries_go_one_by_one() {
    let mut host = host();
    check(&mut host, 100, &["append a", "put a"], &[]);
    check(&mut host, 105, &["append b", "append c", "put b"], &[]);
    check(&mut host, 110, &["list", "append d", "list", "pop", "list"], &["2 b,c", "3 b,c,d", "2 c,d"]);
    assert_eq!((host.list("list", "a").len(), host.map("entries", "a").len()), (2, 1));
    check(&mut host, 115, &["list", "entries"], &["1 d", ""]);
}

#[test]
fn what_was_written_before_there_was_any_time_is_as_old_as_the_first_time() {
    let mut host = host();
    host.send(&["count", "append x", "put x"].map(|order| TestRecord::new(order).key("a"))).expect("no fault");
    check(&mut host, 1_000, &["list"], &["1 x"]);
    check(&mut host, 1_009, &["list", "count"], &["1 x", "2"]);
    check(&mut host, 1_010, &["list", "entries", "count"], &["0 ", "", "3"]);
}

#[test]
fn a_timer_judges_and_stamps_by_its_own_time() {
    let mut host = host();
    check(&mut host, 100, &["count", "append x", "later 105", "later 109", "later 125"], &["1"]);
    host.advance_to(1_000).expect("no fault");
    let emitted: Vec<_> = host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect();
    assert_eq!(emitted, ["1 x", "2", "1 x", "3", "0 ", "1"]);
}

#[test]
fn by_the_clock_the_watermark_does_not_matter_and_at_the_end_of_the_input_nothing_expires() {
    let mut host = host();
    check(&mut host, 100, &["clock", "count"], &["1", "1"]);
    check(&mut host, 1_000_000_000, &["clock"], &["2"]);
    host.advance_clock(5_399_999).expect("no fault");
    check(&mut host, 0, &["clock", "count"], &["3", "1"]);
    host.end_input().expect("no fault");
    check(&mut host, 0, &["clock", "count"], &["4", "2"]);
    host.advance_clock(5_400_000).expect("no fault");
    check(&mut host, 0, &["clock"], &["1"]);
}

/// What a call says that it has read.
#[track_caller]
fn touched(orders: &[&str], expect: &[(u32, &[u32])]) {
    use crate::testing::imports::{Call, during};
    let mut instance = Instance::<Keeper>::open("{}", vec![None], types::Subtask { index: 0, parallelism: 1, seed: 0 }).expect("opens");
    let records: Vec<_> = orders.iter().map(|order| order.split_once(": ").expect("a key")).collect();
    let records: Vec<_> = records.into_iter().map(|(key, order)| TestRecord::new(order).key(key)).collect();
    let batch = super::record::batch_of(&records, true);
    let keys = super::record::vecs(&batch.keys);
    let context = types::Context { input: 0, watermark: 100, processing_time: 0 };
    let behind = Call { keys, ..Call::default() };
    let effects = during(behind, || instance.process(context, batch)).1.expect("no fault");
    let keys = |touch: &types::Touch| crate::columns::u32s(&touch.keys).collect::<Vec<_>>();
    let touched: Vec<_> = effects.touched.iter().map(|touch| (touch.state, keys(touch))).collect();
    assert_eq!(touched, expect.iter().map(|(state, keys)| (*state, keys.to_vec())).collect::<Vec<_>>());
}

#[test]
fn keys_are_touched_whose_state_was_handed_out_and_not_written() {
    touched(&["a: set x", "a: get", "b: get"], &[]);
    touched(&["a: put x", "b: entries", "b: has x"], &[]);
    // What is kept beside the entry that was put has been read as well: so it would be had the batch been cut.
    touched(&["a: put x", "b: put y", "b: has y", "a: has z"], &[(3, &[1])]);
    touched(&["a: put x", "b: put y", "b: entries", "a: empty"], &[(3, &[1])]);
    touched(&["a: append x", "a: list", "a: count"], &[]);
}

#[test]
fn cutting_anywhere_keeps_the_same() {
    let mut random = fastrand::Rng::with_seed(3);
    let orders = ["count", "set x", "get", "append x", "list", "pop", "put x", "put y", "has x", "entries", "clock"];
    let records: Vec<_> =
        (0..300).map(|_| (0, TestRecord::new(orders[random.usize(..orders.len())]).key(["a", "b", "c"][random.usize(..3)]))).collect();
    assert_cuts_agree::<Keeper>("{}", &Setup::default(), &records, 1);
}
