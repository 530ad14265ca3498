//! What a job has committed whose versions changed: each record counts once, and by a version that held.

use super::change::{ChangeReport, FILE, Shape};
use super::judge::same;
use super::timed::windows;
use super::windowed::burst_lines;
use super::{Counter, Scenario};
use std::collections::{BTreeMap, BTreeSet};
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

/// Each key's counts are 1, 2, 3 … once each, and their versions rise and held.
pub(super) fn judge(scenario: Scenario, accepted: &BTreeSet<u64>, lines: &[String]) -> Result<(), String> {
    if !scenario.counter.counts_keys() {
        return judge_windows(scenario, accepted, lines);
    }
    let mut by_key: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for line in lines {
        let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().expect("a number")).collect();
        by_key.entry(numbers[0]).or_default().push((numbers[1], numbers[2]));
    }
    for key in 0..scenario.keys {
        let records = (0..scenario.records).filter(|number| number % scenario.keys == key).count() as u64;
        let mut counts = by_key.remove(&key).unwrap_or_default();
        counts.sort_unstable();
        if !counts.iter().map(|(count, _)| *count).eq(1..=records) {
            return Err(format!("key {key} has {records} records, and these counts: {counts:?}"));
        }
        if !counts.is_sorted_by_key(|(_, version)| *version) {
            return Err(format!("key {key} goes back to an older version: {counts:?}"));
        }
        if let Some((count, version)) = counts.iter().find(|(_, version)| !accepted.contains(version)) {
            return Err(format!("key {key}: {count} was counted by version {version}, which did not hold: {accepted:?}"));
        }
    }
    match by_key.first_key_value() {
        None => Ok(()),
        Some((key, _)) => Err(format!("key {key} is not in the input")),
    }
}

/// Each window of a key is there once, with all its records, and versions rise with time and held.
fn judge_windows(scenario: Scenario, accepted: &BTreeSet<u64>, lines: &[String]) -> Result<(), String> {
    let unchanged = Scenario { counted_keys: u64::MAX, ..scenario };
    let (mut versions, mut told) = (BTreeMap::new(), Vec::new());
    for line in lines {
        let parts: Vec<&str> = line.split(' ').collect();
        let [key, start, count, version] = parts[..] else { return Err(format!("`{line}` is no window")) };
        let (start, version): (i64, u64) = (start.parse().expect("a start"), version.parse().expect("a version"));
        versions.insert((key, start), version);
        told.push(format!("{key} {start} {count}"));
    }
    match scenario.counter {
        Counter::Sessions => same("committed", burst_lines(unchanged), &told)?,
        _ => same("committed", windows(unchanged), &told)?,
    }
    let mut before = None;
    for ((key, start), version) in &versions {
        if !accepted.contains(version) {
            return Err(format!("the window {start} of {key} was counted by version {version}, which did not hold: {accepted:?}"));
        }
        if before.is_some_and(|(of, earlier)| of == key && earlier > version) {
            return Err(format!("the window {start} of {key} goes back to version {version}: {versions:?}"));
        }
        before = Some((key, version));
    }
    Ok(())
}
