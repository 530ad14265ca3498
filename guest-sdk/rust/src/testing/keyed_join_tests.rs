//! Joins of what is kept for a time to live, beside a plain look at all rows that came before and are not too old.

use crate::joins::{InnerJoin, LeftJoin, LeftRow};
use crate::prelude::*;
use crate::testing::{TestHost, TestRecord, assert_cuts_agree};

const LEFT: Input = Input::new("left").by_key();
const RIGHT: Input = Input::new("right").by_key();
/// How long rows of either side live, ms.
const LEFT_TTL: i64 = 20;
const RIGHT_TTL: i64 = 7;

#[derive(States)]
struct Sides {
    #[state(ttl = "20ms", time = "event")]
    left: ListState<String>,
    #[state(ttl = "7ms", time = "event")]
    right: ListState<String>,
}

struct Inner;

impl Operator for Inner {
    const NAME: &'static str = "inner";
    const VERSION: &'static str = "1";
    const INPUTS: &'static [Input] = &[LEFT, RIGHT];
    type Config = Empty;
    type States = Sides;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let row = record.text()?.to_owned();
        let Sides { left, right } = ctx.parts().0;
        let mut join = InnerJoin::new(left, right);
        let pairs: Vec<_> = match record.input() {
            LEFT => join.left(&row)?.iter().map(|right| format!("{row} {right}")).collect(),
            _ => join.right(&row)?.iter().map(|left| format!("{left} {row}")).collect(),
        };
        pairs.iter().for_each(|pair| ctx.emit(pair));
        Ok(())
    }
}

#[derive(States)]
struct OuterSides {
    #[state(ttl = "20ms", time = "event")]
    left: ListState<LeftRow<String>>,
    #[state(ttl = "7ms", time = "event")]
    right: ListState<String>,
}

/// Emits `l none` for a row that is alone, and `not l none` when it is no more.
struct Outer;

impl Operator for Outer {
    const NAME: &'static str = "outer";
    const VERSION: &'static str = "1";
    const INPUTS: &'static [Input] = &[LEFT, RIGHT];
    type Config = Empty;
    type States = OuterSides;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let row = record.text()?.to_owned();
        let OuterSides { left, right } = ctx.parts().0;
        let mut join = LeftJoin::new(left, right);
        let mut lines = Vec::new();
        match record.input() {
            LEFT => {
                let matches = join.left(row.clone())?;
                lines.extend(matches.is_empty().then(|| format!("{row} none")));
                lines.extend(matches.iter().map(|right| format!("{row} {right}")));
            }
            _ => {
                for matched in join.right(&row)? {
                    lines.extend(matched.was_alone.then(|| format!("not {} none", matched.row)));
                    lines.push(format!("{} {row}", matched.row));
                }
            }
        }
        lines.iter().for_each(|line| ctx.emit(line));
        Ok(())
    }
}

/// A row, and the time at which it comes.
struct Coming {
    at: i64,
    input: u32,
    record: TestRecord,
}

fn rows(random: &mut fastrand::Rng) -> Vec<Coming> {
    let mut at = 0;
    let row = |number| {
        let input = random.u32(0..2);
        at += random.i64(0..4);
        Coming { at, input, record: TestRecord::new(format!("{}{number}", ["l", "r"][input as usize])).key(["a", "b"][random.usize(..2)]) }
    };
    (0..150).map(row).collect()
}

fn text(record: &TestRecord) -> String {
    String::from_utf8(record.value.clone()).expect("text")
}

/// What is emitted, the instance being replaced now and then.
fn emitted<O: Operator>(rows: &[Coming], random: &mut fastrand::Rng) -> Vec<String> {
    let mut host = TestHost::<O>::open("{}").expect("opens");
    for Coming { at, input, record } in rows {
        host.advance_to(*at).expect("no fault");
        host.send_to(*input, std::slice::from_ref(record)).expect("no fault");
        if random.u8(0..4) == 0 {
            host.replace_instance().expect("opens");
        }
    }
    host.emitted().iter().map(text).collect()
}

/// The rows of the other side that a row finds: of its key, before it, and not too old.
fn found(rows: &[Coming], of: usize) -> impl Iterator<Item = &Coming> {
    let Coming { at, input, record } = &rows[of];
    let ttl = if *input == 0 { RIGHT_TTL } else { LEFT_TTL };
    rows[..of].iter().filter(move |other| other.input != *input && other.record.key == record.key && at - other.at < ttl)
}

#[test]
fn an_inner_join_gives_each_pair_of_rows_that_are_both_kept() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let rows = rows(&mut random);
        let pair = |of: usize, other: &Coming| match rows[of].input {
            0 => format!("{} {}", text(&rows[of].record), text(&other.record)),
            _ => format!("{} {}", text(&other.record), text(&rows[of].record)),
        };
        let expect: Vec<_> = (0..rows.len()).flat_map(|of| found(&rows, of).map(move |other| (of, other))).collect();
        let expect: Vec<_> = expect.into_iter().map(|(of, other)| pair(of, other)).collect();
        assert!(expect.len() > 100, "seed {seed}: {} pairs", expect.len());
        assert_eq!(emitted::<Inner>(&rows, &mut random), expect, "seed {seed}");
    }
}

/// A left row as a plain model has it.
struct Left {
    row: String,
    /// When it came, or found its first partner.
    since: i64,
    alone: bool,
}

#[test]
fn a_left_join_tells_of_rows_that_are_alone_and_takes_it_back() {
    let mut taken_back = 0;
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let rows = rows(&mut random);
        let mut lefts: Vec<(Option<Vec<u8>>, Left)> = Vec::new();
        let mut expect = Vec::new();
        for (of, Coming { at, input, record }) in rows.iter().enumerate() {
            lefts.retain(|(_, left)| at - left.since < LEFT_TTL);
            if *input == 0 {
                let rights: Vec<_> = found(&rows, of).map(|right| text(&right.record)).collect();
                expect.extend(rights.is_empty().then(|| format!("{} none", text(record))));
                expect.extend(rights.iter().map(|right| format!("{} {right}", text(record))));
                lefts.push((record.key.clone(), Left { row: text(record), since: *at, alone: rights.is_empty() }));
                continue;
            }
            for (_, left) in lefts.iter_mut().filter(|(key, _)| *key == record.key) {
                if std::mem::take(&mut left.alone) {
                    expect.push(format!("not {} none", left.row));
                    left.since = *at;
                    taken_back += 1;
                }
                expect.push(format!("{} {}", left.row, text(record)));
            }
        }
        assert_eq!(emitted::<Outer>(&rows, &mut random), expect, "seed {seed}");
    }
    assert!(taken_back > 1_000, "{taken_back}");
}

#[test]
fn cutting_anywhere_joins_the_same() {
    let rows: Vec<_> = rows(&mut fastrand::Rng::with_seed(4)).into_iter().map(|row| (row.input, row.record)).collect();
    assert_cuts_agree::<Inner>("{}", &Setup::default(), &rows, 1);
    assert_cuts_agree::<Outer>("{}", &Setup::default(), &rows, 1);
}
