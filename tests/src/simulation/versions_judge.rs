//! What a job has committed whose versions changed: each record counts once, and by a version that held.

use super::change::{ChangeReport, FILE, Shape};
use super::join_inputs::joined_in_windows;
use super::judge::same;
use super::timed::windows;
use super::windowed::burst_lines;
use super::{Counter, Scenario, Speaking, clocked, spoken};
use std::collections::BTreeSet;
use weir_engine::checkpoint::LogEntry;

/// Versions that held, by the log.
pub(super) fn accepted_versions(entries: &[LogEntry], report: &mut ChangeReport) -> BTreeSet<u64> {
    let (mut accepted, mut tried) = (BTreeSet::from([FILE.version]), None);
    for entry in entries {
        match entry {
            LogEntry::Override { overrides, probation: true, .. } => tried = Shape::of(overrides).version.into(),
            LogEntry::Outcome { accepted: true, .. } => {
                accepted.extend(tried.take());
                report.accepted += 1;
            }
            LogEntry::Outcome { accepted: false, .. } => report.rolled_back += 1,
            _ => {}
        }
    }
    accepted
}

/// What has been committed, and what it has left open: it is what the counter comes to, and every line was told by a version that held, never by an older one
/// than a line that came before it.
pub(super) fn judge(scenario: Scenario, accepted: &BTreeSet<u64>, lines: &[String], open: Option<&[Vec<u64>]>) -> Result<(), String> {
    let unchanged = Scenario { counted_keys: u64::MAX, ..scenario };
    let told: Vec<Told> = lines.iter().map(|line| Told::of(scenario, line)).collect::<Result<_, _>>()?;
    let plain: Vec<String> = told.iter().map(|told| told.line.clone()).collect();
    match scenario.counter {
        Counter::Speaking(of) => spoken::judge(unchanged, of, scenario.timed_by.punctuality(), &plain, open).map(drop),
        Counter::Clocked => clocked::judge(unchanged, &plain, open),
        Counter::Sessions => same("committed", burst_lines(unchanged), &plain),
        Counter::WindowedJoin => same("committed", joined_in_windows(unchanged), &plain),
        Counter::Timed | Counter::Windowed => same("committed", windows(unchanged), &plain),
        _ => same("committed", counts(unchanged), &plain),
    }?;
    judge_versions(accepted, told)
}

/// Each key's counts must be 1, 2, 3 … up to the number of its records.
pub(super) fn counts(scenario: Scenario) -> impl Iterator<Item = String> {
    (0..scenario.records).map(move |number| format!("{} {}", number % scenario.keys, number / scenario.keys + 1))
}

/// A line, and the version that told it.
struct Told {
    line: String,
    /// `None`: the engine did.
    version: Option<u64>,
    /// Whose lines come one after the other.
    of: String,
    /// Its place among those.
    place: i64,
}

impl Told {
    fn of(scenario: Scenario, line: &str) -> Result<Self, String> {
        if line.starts_with('{') {
            return Ok(Self { line: line.into(), version: None, of: String::new(), place: 0 });
        }
        let what = || format!("`{line}` is not signed by a version");
        let (plain, version) = line.rsplit_once(' ').ok_or_else(what)?;
        let parts: Vec<&str> = plain.split(' ').collect();
        let (of, place) = match (scenario.counter, &parts[..]) {
            // Counts of a key are all of one unit, and all are the first of it.
            (Counter::Speaking(Speaking::Counts), _) => (plain.to_owned(), "0"),
            (Counter::Speaking(_), [key, bounds, _, revision, _, _]) => (format!("{key} {bounds}"), *revision),
            (Counter::WindowedJoin, [_, left, _]) => {
                let number: u64 = left.parse().map_err(|_| what())?;
                ((number % scenario.keys).to_string(), *left)
            }
            (_, [key, place, ..]) => ((*key).to_owned(), *place),
            _ => return Err(what()),
        };
        let version = Some(version.parse().map_err(|_| what())?);
        Ok(Self { line: plain.into(), version, of, place: place.parse().map_err(|_| what())? })
    }
}

fn judge_versions(accepted: &BTreeSet<u64>, mut told: Vec<Told>) -> Result<(), String> {
    told.sort_by(|one, other| (&one.of, one.place).cmp(&(&other.of, other.place)));
    if let Some(Told { line, version, .. }) = told.iter().find(|told| told.version.is_some_and(|version| !accepted.contains(&version))) {
        return Err(format!("`{line}` was told by version {version:?}, which did not hold: {accepted:?}"));
    }
    match told.windows(2).find(|pair| pair[0].of == pair[1].of && pair[0].version > pair[1].version) {
        Some([before, Told { line, version, .. }]) => {
            Err(format!("`{line}` goes back to version {version:?} behind `{}` of {:?}", before.line, before.version))
        }
        _ => Ok(()),
    }
}
