//! Joins the rows of two inputs, whose last column names them, in three ways at once. Emits `interval LEFT RIGHT` for rows whose times are near enough, `inner LEFT RIGHT` for
//! all, and of the left join `left LEFT -` for a left row that is alone, `left LEFT RIGHT` for a pair, and `left LEFT RIGHT !` where the row was alone before.

use std::ops::RangeInclusive;
use weir_guest::joins::{InnerJoin, IntervalJoin, LeftJoin, LeftRow, Rows};
use weir_guest::prelude::*;

const LEFT: Input = Input::new("left").by_key();
const RIGHT: Input = Input::new("right").by_key();
/// A row goes with nothing more that comes.
const PAST: Timer = Timer::event("past");
/// From a minute before a left row up to two behind it.
const WITHIN_MS: RangeInclusive<i64> = -60_000..=120_000;

/// What is kept of a key.
#[derive(States)]
pub struct Kept {
    timed_left: Rows<String>,
    timed_right: Rows<String>,
    #[state(ttl = "365d", time = "event")]
    inner_left: ListState<String>,
    #[state(ttl = "365d", time = "event")]
    inner_right: ListState<String>,
    #[state(ttl = "365d", time = "event")]
    outer_left: ListState<LeftRow<String>>,
    #[state(ttl = "365d", time = "event")]
    outer_right: ListState<String>,
}

/// The operator.
pub struct JoinedRows;

impl Operator for JoinedRows {
    const NAME: &'static str = "joined-rows";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[LEFT, RIGHT];
    const TIMERS: &'static [Timer] = &[PAST];
    type Config = Empty;
    type States = Kept;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(time) = record.timestamp() else { bail!("a row has a time") };
        let row = record.text()?.rsplit(',').next().unwrap_or_default().to_owned();
        let lines = if record.input() == LEFT { left(ctx, time, row)? } else { right(ctx, time, row)? };
        lines.iter().for_each(|line| ctx.emit(line));
        Ok(())
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (kept, timers) = ctx.parts();
        IntervalJoin::new(&mut kept.timed_left, &mut kept.timed_right, timers, PAST, WITHIN_MS).past(fired.time())
    }
}

/// What there is to say of a left row.
fn left(ctx: &mut Context<'_, JoinedRows>, time: i64, row: String) -> Result<Vec<String>> {
    let (kept, timers) = ctx.parts();
    let near = IntervalJoin::new(&mut kept.timed_left, &mut kept.timed_right, timers, PAST, WITHIN_MS).left(time, row.clone())?;
    let all = InnerJoin::new(&mut kept.inner_left, &mut kept.inner_right).left(&row)?;
    let matches = LeftJoin::new(&mut kept.outer_left, &mut kept.outer_right).left(row.clone())?;
    let mut lines: Vec<String> = near.iter().map(|right| format!("interval {row} {right}")).collect();
    lines.extend(all.iter().map(|right| format!("inner {row} {right}")));
    lines.extend(matches.is_empty().then(|| format!("left {row} -")));
    lines.extend(matches.iter().map(|right| format!("left {row} {right}")));
    Ok(lines)
}

/// What there is to say of a right row.
fn right(ctx: &mut Context<'_, JoinedRows>, time: i64, row: String) -> Result<Vec<String>> {
    let (kept, timers) = ctx.parts();
    let near = IntervalJoin::new(&mut kept.timed_left, &mut kept.timed_right, timers, PAST, WITHIN_MS).right(time, row.clone())?;
    let all = InnerJoin::new(&mut kept.inner_left, &mut kept.inner_right).right(&row)?;
    let matches = LeftJoin::new(&mut kept.outer_left, &mut kept.outer_right).right(&row)?;
    let mut lines: Vec<String> = near.iter().map(|left| format!("interval {left} {row}")).collect();
    lines.extend(all.iter().map(|left| format!("inner {left} {row}")));
    lines.extend(matches.iter().map(|of| format!("left {} {row}{}", of.row, if of.was_alone { " !" } else { "" })));
    Ok(lines)
}

weir_guest::export!(JoinedRows);
