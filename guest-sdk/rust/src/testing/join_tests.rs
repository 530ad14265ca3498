//! Joins beside a plain look at all pairs, in whatever order rows come, as long as none is late; and what becomes of late ones.

use crate::joins::{IntervalJoin, Rows, TemporalJoin, WithVersion};
use crate::prelude::*;
use crate::testing::{TestHost, TestRecord, assert_cuts_agree};

const LEFT: Input = Input::new("left").by_key();
const RIGHT: Input = Input::new("right").by_key();
const DUE: Timer = Timer::event("due");
const FROM: i64 = -3;
const TO: i64 = 5;

#[derive(States)]
struct Sides {
    left: Rows<String>,
    right: Rows<String>,
}

struct Intervals;

/// The join of the key that is being worked on.
fn interval<'a>(ctx: &'a mut Context<'_, Intervals>) -> IntervalJoin<'a, String, String> {
    let (Sides { left, right }, timers) = ctx.parts();
    IntervalJoin::new(left, right, timers, DUE, FROM..=TO)
}

impl Operator for Intervals {
    const NAME: &'static str = "intervals";
    const VERSION: &'static str = "1";
    const INPUTS: &'static [Input] = &[LEFT, RIGHT];
    const TIMERS: &'static [Timer] = &[DUE];
    type Config = Empty;
    type States = Sides;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (row, time) = (record.text()?.to_owned(), record.timestamp().unwrap_or_default());
        // Those of the right begin with an r, whichever input they come by.
        let pairs: Vec<String> = match row.starts_with('r') {
            false => interval(ctx).left(time, row.clone())?.iter().map(|right| format!("{row} {right}")).collect(),
            true => interval(ctx).right(time, row.clone())?.iter().map(|left| format!("{left} {row}")).collect(),
        };
        pairs.iter().for_each(|pair| ctx.emit(pair));
        Ok(())
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        interval(ctx).past(fired.time())
    }
}

#[derive(States)]
struct Versioned {
    rows: Rows<String>,
    versions: MapState<i64, String>,
}

struct Versions;

fn temporal<'a>(ctx: &'a mut Context<'_, Versions>) -> TemporalJoin<'a, String, String> {
    let (Versioned { rows, versions }, timers) = ctx.parts();
    TemporalJoin::new(rows, versions, timers, DUE)
}

fn emit(joined: impl IntoIterator<Item = WithVersion<String, String>>, ctx: &mut Context<'_, Versions>) {
    for WithVersion { row, version } in joined {
        ctx.emit(format!("{row} {}", version.as_deref().unwrap_or("none")));
    }
}

impl Operator for Versions {
    const NAME: &'static str = "versions";
    const VERSION: &'static str = "1";
    const INPUTS: &'static [Input] = &[LEFT, RIGHT];
    const TIMERS: &'static [Timer] = &[DUE];
    type Config = Empty;
    type States = Versioned;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (row, time) = (record.text()?.to_owned(), record.timestamp().unwrap_or_default());
        match record.input() {
            LEFT => {
                let joined = temporal(ctx).row(time, row)?;
                emit(joined, ctx);
                Ok(())
            }
            _ => temporal(ctx).version(time, &row),
        }
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let joined = temporal(ctx).due(fired.time())?;
        emit(joined, ctx);
        Ok(())
    }
}

/// Rows of either input, in an order that is up to `disorder` behind that of their times.
fn rows(random: &mut fastrand::Rng, disorder: i64) -> Vec<(u32, TestRecord)> {
    let mut rows: Vec<(i64, u32, TestRecord)> = (0..120)
        .map(|number| {
            let (time, input) = (random.i64(-50..50), random.u32(0..2));
            let row = TestRecord::new(format!("{}{number}", ["l", "r"][input as usize])).key(["a", "b"][random.usize(..2)]).at(time);
            (time + random.i64(0..=disorder), input, row)
        })
        .collect();
    rows.sort_by_key(|(place, ..)| *place);
    rows.into_iter().map(|(_, input, row)| (input, row)).collect()
}

/// What is emitted when time goes on at random, so that no row is late.
fn emitted<O: Operator>(rows: &[(u32, TestRecord)], random: &mut fastrand::Rng, disorder: i64) -> Vec<String> {
    let mut host = TestHost::<O>::open("{}").expect("opens");
    let mut newest = i64::MIN;
    for (input, row) in rows {
        host.send_to(*input, std::slice::from_ref(row)).expect("no fault");
        newest = newest.max(row.timestamp.expect("a time"));
        if random.bool() {
            host.advance_to(newest - disorder - 1).expect("no fault");
            host.replace_instance().expect("opens");
        }
    }
    host.end_input().expect("no fault");
    let states = O::States::declarations();
    let kept: usize = states.iter().flat_map(|state| ["a", "b"].map(|key| host.map(&state.name, key).len())).sum();
    assert!(kept <= 2, "{kept} entries are left, and of a key its newest version may");
    let mut emitted: Vec<_> = host.take_emitted().into_iter().map(|row| String::from_utf8(row.value).expect("text")).collect();
    emitted.sort();
    emitted
}

/// Each left row with each right row of its key.
fn pairs(rows: &[(u32, TestRecord)]) -> impl Iterator<Item = (&TestRecord, &TestRecord)> {
    let of = |input| rows.iter().filter(move |(of, _)| *of == input).map(|(_, row)| row);
    of(0).flat_map(move |left| of(1).filter(|right| right.key == left.key).map(move |right| (left, right)))
}

fn text(row: &TestRecord) -> &str {
    std::str::from_utf8(&row.value).expect("text")
}

#[test]
fn an_interval_join_gives_each_pair_within_the_bounds_once() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let rows = rows(&mut random, 12);
        let is_within = |(left, right): &(&TestRecord, &TestRecord)| {
            let apart = right.timestamp.expect("a time") - left.timestamp.expect("a time");
            (FROM..=TO).contains(&apart)
        };
        let mut expect: Vec<_> = pairs(&rows).filter(is_within).map(|(left, right)| format!("{} {}", text(left), text(right))).collect();
        expect.sort();
        assert_eq!(emitted::<Intervals>(&rows, &mut random, 12), expect, "seed {seed}");
    }
}

#[test]
fn a_temporal_join_gives_each_row_the_version_of_its_time() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let rows = rows(&mut random, 12);
        let version_of = |left: &TestRecord| {
            let until = rows.iter().filter(|(input, row)| *input == 1 && row.key == left.key && row.timestamp <= left.timestamp);
            // Of equal ones the last.
            until.max_by_key(|(_, row)| row.timestamp).map_or("none", |(_, row)| text(row))
        };
        let lefts = rows.iter().filter(|(input, _)| *input == 0);
        let mut expect: Vec<_> = lefts.map(|(_, left)| format!("{} {}", text(left), version_of(left))).collect();
        expect.sort();
        assert_eq!(emitted::<Versions>(&rows, &mut random, 12), expect, "seed {seed}");
    }
}

#[test]
fn rows_are_kept_as_long_as_another_may_come_for_them() {
    let mut host = TestHost::<Intervals>::open("{}").expect("opens");
    let row = |text: &str, time: i64| [TestRecord::new(text).key("a").at(time)];
    host.send_to(0, &row("l", 10)).expect("no fault");
    host.send_to(1, &row("r", 20)).expect("no fault");
    assert_eq!((host.timers(DUE, "a"), host.emitted().len()), (vec![15, 23], 0));
    host.advance_to(14).expect("no fault");
    assert_eq!(host.map("left", "a").len(), 1);
    host.advance_to(15).expect("no fault");
    assert_eq!((host.map("left", "a").len(), host.map("right", "a").len()), (0, 1));
    host.advance_to(22).expect("no fault");
    host.send(&[row("late", 16), row("r-later", 18)].concat()).expect("no fault");
    let emitted: Vec<_> = host.emitted().iter().map(|row| text(row).to_owned()).collect();
    assert_eq!(emitted, ["late r"], "it is joined with what is there, and nothing that comes behind it is joined with it");
    assert_eq!(host.map("left", "a").len(), 0);
}

#[test]
fn versions_are_kept_until_a_newer_one_holds_and_late_rows_have_what_is_known() {
    let mut host = TestHost::<Versions>::open("{}").expect("opens");
    let row = |text: &str, time: i64| [TestRecord::new(text).key("a").at(time)];
    for (version, time) in [("one", 10), ("three", 30), ("two", 20)] {
        host.send_to(1, &row(version, time)).expect("no fault");
    }
    host.send_to(0, &row("waits", 35)).expect("no fault");
    host.advance_to(25).expect("no fault");
    assert_eq!((host.map("versions", "a").len(), host.emitted().len()), (2, 0));
    host.send_to(0, &row("late", 22)).expect("no fault");
    host.send_to(0, &row("too-late", 15)).expect("no fault");
    host.send_to(1, &row("one-and-a-half", 15)).expect("no fault");
    assert_eq!(host.map("versions", "a").len(), 2, "a newer one holds");
    host.advance_to(35).expect("no fault");
    let emitted: Vec<_> = host.emitted().iter().map(|row| text(row).to_owned()).collect();
    assert_eq!(emitted, ["late two", "too-late none", "waits three"]);
    assert_eq!((host.map("versions", "a").len(), host.map("rows", "a").len()), (1, 0));
}

#[test]
fn cutting_anywhere_joins_the_same() {
    let rows = rows(&mut fastrand::Rng::with_seed(9), 12);
    assert_cuts_agree::<Intervals>("{}", &Setup::default(), &rows, 1);
    assert_cuts_agree::<Versions>("{}", &Setup::default(), &rows, 1);
}
