//! What windows have said that speak more than once, and which records came too late: judged by what holds of any run, whatever was faster, failed or was restored.
//!
//! * Each firing is there once, with the number of those before it; it says all that the one before said, and more, unless it is the one on time, which is there once.
//! * What a session replaces has spoken, and says nothing any more.
//! * In the end each record is in the last word of as many windows as it belongs to, or was late; a record that was in order never is.
//! * What is still open, of windows that no end of input closes, has the rest.

use super::speaking::{COUNT, GAP, HOPS, LATENESS, Speaking, is_in_order, now_and_then_late};
use super::{Barriers, Scenario};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use weir_engine::state::NO_BOUND;

/// Bounds of a window.
type Bounds = (i64, i64);

/// One firing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Firing {
    key: u64,
    bounds: Bounds,
    reason: String,
    revision: usize,
    numbers: BTreeSet<u64>,
    replaces: Vec<Bounds>,
    has_doubles: bool,
    line: String,
}

/// How often windows have spoken otherwise than once and in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Firings of windows that went on.
    pub early: u64,
    /// Firings of windows that had spoken already.
    pub corrections: u64,
    /// Records that came too late.
    pub late: u64,
}

/// Which records may be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Punctuality {
    /// Those that are older than one that came before.
    InOrderIsInTime,
    /// Any: time goes on without them.
    AnyIsLate,
}

impl Punctuality {
    fn is_in_time(self, number: u64) -> bool {
        self == Self::InOrderIsInTime && is_in_order(number)
    }
}

/// What a line of a sink says.
enum Line {
    Fired(Firing),
    Late { key: u64, number: u64 },
}

fn read(line: &str) -> Result<Line, String> {
    let what = || format!("`{line}` is no firing and no late record");
    if line.starts_with('{') {
        let late: Value = serde_json::from_str(line).map_err(|_| what())?;
        // Of a row the first column counts.
        let first = |text: &str| text.split(',').next().and_then(|number| number.parse().ok());
        let field = |name: &str| late[name].as_str().and_then(first).ok_or_else(what);
        let bounds = [&late["window"]["start"], &late["window"]["end"], &late["late_ms"], &late["timestamp"]].map(Value::as_i64);
        let [Some(start), Some(end), Some(late_ms), Some(timestamp)] = bounds else { return Err(what()) };
        if late_ms <= 0 || !(start..end).contains(&timestamp) {
            return Err(format!("`{line}` is not late"));
        }
        return Ok(Line::Late { key: field("key")?, number: field("value")? });
    }
    let parts: Vec<&str> = line.split(' ').collect();
    let [key, bounds, reason, revision, numbers, replaces] = parts[..] else { return Err(what()) };
    let pair = |text: &str| match text.split_once("..") {
        Some((start, end)) => Some((start.parse().ok()?, end.parse().ok()?)),
        None => (text == "none").then_some((NO_BOUND, NO_BOUND)),
    };
    let pair = |text: &str| pair(text).ok_or_else(what);
    let listed: Vec<u64> = numbers.split(',').map(|number| number.parse().map_err(|_| what())).collect::<Result<_, _>>()?;
    let numbers: BTreeSet<u64> = listed.iter().copied().collect();
    let has_doubles = numbers.len() != listed.len();
    let replaces = replaces.split(',').filter(|text| *text != "-").map(pair).collect::<Result<_, _>>()?;
    Ok(Line::Fired(Firing {
        key: key.parse().map_err(|_| what())?,
        bounds: pair(bounds)?,
        reason: reason.to_owned(),
        revision: revision.parse().map_err(|_| what())?,
        numbers,
        replaces,
        has_doubles,
        line: line.to_owned(),
    }))
}

/// Numbers of the records that firings or late records speak of.
pub(super) fn spoken_of(lines: &[String]) -> BTreeSet<u64> {
    let numbers = |line: &String| match read(line) {
        Ok(Line::Fired(firing)) => firing.numbers.into_iter().collect(),
        Ok(Line::Late { number, .. }) => vec![number],
        Err(what) => panic!("{what}"),
    };
    lines.iter().flat_map(numbers).collect()
}

/// Numbers of the records of windows that have fired on time.
pub(super) fn spoken_on_time(lines: &[String]) -> BTreeSet<u64> {
    let numbers = |line: &String| match read(line) {
        Ok(Line::Fired(firing)) if firing.reason == "OnTime" => firing.numbers,
        Ok(Line::Fired(_) | Line::Late { .. }) => BTreeSet::new(),
        Err(what) => panic!("{what}"),
    };
    lines.iter().flat_map(numbers).collect()
}

/// Judges the lines that a job has committed which is no simulated one: its records are those of this scenario, by their numbers, keys and times. `open`: what it has
/// left open, where that is known.
pub fn judge_told(scenario: Scenario, of: Speaking, lines: &[String], open: Option<&[Vec<u64>]>) -> Result<Spoken, String> {
    judge(scenario, of, Punctuality::InOrderIsInTime, lines, open)
}

/// Judges the lines that a job has committed, and what it has left open: for each unit the numbers of its records. `None`: nobody knows.
pub(super) fn judge(
    scenario: Scenario,
    of: Speaking,
    punctuality: Punctuality,
    lines: &[String],
    open: Option<&[Vec<u64>]>,
) -> Result<Spoken, String> {
    let key_of = |number: u64| number % scenario.keys % scenario.counted_keys;
    let (mut firings, mut late) = (Vec::new(), BTreeSet::new());
    for line in lines {
        match read(line)? {
            Line::Late { key, number } if key_of(number) != key || punctuality.is_in_time(number) => {
                return Err(format!("`{line}`: it is not late"));
            }
            Line::Late { number, .. } if !late.insert(number) && scenario.barriers != Barriers::AtLeastOnce => {
                return Err(format!("record {number} was late twice"));
            }
            Line::Late { .. } => {}
            Line::Fired(firing) => {
                match firing.numbers.iter().find(|&&number| key_of(number) != firing.key || number >= scenario.records) {
                    Some(number) => return Err(format!("`{}` has record {number}, which is not of it", firing.line)),
                    None => firings.push(firing),
                }
            }
        }
    }
    let of_reason = |reason: &str| firings.iter().filter(|firing| firing.reason == reason).count() as u64;
    let spoken = Spoken { early: of_reason("Early"), corrections: of_reason("Correction"), late: late.len() as u64 };
    let open_numbers = || open.unwrap_or_default().iter().flatten();
    if scenario.barriers == Barriers::AtLeastOnce {
        let heard: BTreeSet<u64> = firings.iter().flat_map(|firing| &firing.numbers).chain(&late).chain(open_numbers()).copied().collect();
        let lost = (0..scenario.records).find(|number| !heard.contains(number));
        return lost.filter(|_| open.is_some()).map_or(Ok(spoken), |lost| Err(format!("record {lost} is lost")));
    }
    if let Some(firing) = firings.iter().find(|firing| firing.has_doubles) {
        return Err(format!("`{}` has a record twice", firing.line));
    }
    let mut times = BTreeMap::new();
    last_words(of, firings)?.iter().flatten().chain(open_numbers()).for_each(|number| *times.entry(*number).or_default() += 1);
    if of.is_closed_at_the_end() && open.is_some_and(|open| !open.is_empty()) {
        return Err(format!("the input has ended, and these windows are open: {open:?}"));
    }
    for number in 0..scenario.records {
        let found: usize = times.get(&number).copied().unwrap_or(0);
        let is_right = match (late.contains(&number), punctuality.is_in_time(number), of) {
            (true, _, _) => found == 0,
            (false, false, Speaking::Hopping) => (1..=HOPS).contains(&found),
            (false, true, Speaking::Hopping) => found == HOPS,
            (false, _, _) if open.is_none() && !of.is_closed_at_the_end() => found <= 1,
            (false, _, _) => found == 1,
        };
        if !is_right {
            return Err(format!("record {number} is in the last word of {found} windows, and late: {}", late.contains(&number)));
        }
    }
    Ok(spoken)
}

impl Speaking {
    fn is_closed_at_the_end(self) -> bool {
        match self {
            Self::Tumbling | Self::Hopping | Self::Sessions | Self::Global => true,
            Self::Counts | Self::ByClock => false,
        }
    }
}

/// What the windows said last that no other has replaced, gone through in the order in which they must have spoken.
fn last_words(of: Speaking, mut firings: Vec<Firing>) -> Result<Vec<BTreeSet<u64>>, String> {
    firings.sort_by_key(|firing| (firing.numbers.len(), firing.revision));
    if of == Speaking::Counts {
        let full = |firing: &Firing| firing.numbers.len() == COUNT && firing.revision == 0 && firing.reason == "OnTime";
        let other = firings.iter().find(|firing| !full(firing));
        return other.map_or_else(
            || Ok(firings.iter().map(|firing| firing.numbers.clone()).collect()),
            |other| Err(format!("`{}` is no count that is full", other.line)),
        );
    }
    let mut last: BTreeMap<(u64, Bounds), (Firing, usize)> = BTreeMap::new();
    for firing in firings {
        check_bounds(of, &firing)?;
        let mut before = Vec::new();
        for bounds in &firing.replaces {
            let replaced = last.remove(&(firing.key, *bounds));
            before.push(replaced.ok_or_else(|| format!("`{}` replaces what has not spoken, or is replaced", firing.line))?);
        }
        before.extend(last.remove(&(firing.key, firing.bounds)));
        let fired: usize = before.iter().map(|(_, fired)| fired).sum();
        if firing.revision != fired {
            return Err(format!("`{}` has fired {fired} times before", firing.line));
        }
        for (earlier, _) in &before {
            check_order(&firing, earlier)?;
        }
        last.insert((firing.key, firing.bounds), (firing, fired + 1));
    }
    // One that goes on is still open.
    let is_last = |firing: &Firing| of.is_closed_at_the_end() || firing.reason != "Early";
    Ok(last.into_values().filter(|(firing, _)| is_last(firing)).map(|(firing, _)| firing.numbers).collect())
}

/// A window has spoken before: it has all that it had, and something new or its time.
fn check_order(firing: &Firing, earlier: &Firing) -> Result<(), String> {
    let (line, before) = (&firing.line, &earlier.line);
    if !earlier.numbers.is_subset(&firing.numbers) {
        return Err(format!("`{line}` has lost some of `{before}`"));
    }
    let has_come = |firing: &Firing| firing.reason != "Early";
    let is_news = firing.numbers.len() > earlier.numbers.len() || (firing.reason == "OnTime" && !has_come(earlier));
    let is_late_session = firing.bounds != earlier.bounds;
    let is_in_turn = is_late_session || !has_come(earlier) || firing.reason == "Correction";
    if is_news && is_in_turn { Ok(()) } else { Err(format!("`{line}` speaks behind `{before}`")) }
}

/// A window has what belongs into it.
fn check_bounds(of: Speaking, firing: &Firing) -> Result<(), String> {
    let (start, end) = firing.bounds;
    let mut times: Vec<i64> = firing.numbers.iter().map(|number| now_and_then_late(*number)).collect();
    times.sort_unstable();
    let is_right = match of {
        Speaking::Tumbling | Speaking::Hopping => times.iter().all(|time| (start..end).contains(time)),
        Speaking::Sessions => {
            let (Some(first), Some(last)) = (times.first(), times.last()) else { return Err(format!("`{}` is empty", firing.line)) };
            (*first, *last + GAP) == (start, end) && times.is_sorted_by(|one, next| next - one < GAP)
        }
        Speaking::Global | Speaking::Counts => firing.bounds == (NO_BOUND, NO_BOUND),
        Speaking::ByClock => start < end,
    };
    if is_right { Ok(()) } else { Err(format!("`{}` has what does not belong into it: {times:?}, lateness {LATENESS}", firing.line)) }
}
