//! What a simulated job has committed, set aside and kept, against what its input asks for.

use super::call_logs::{Replayed, Witness, replay};
use super::counter::Counter;
use super::graph::graph;
use super::guest::{Guest, told};
use super::join_inputs::{joined_in_windows, joined_lines};
use super::run::{Barriers, Scenario, wait_for};
use super::scenarios::EVERY;
use super::spoken::{self, Spoken};
use super::state::{check_state, left_open};
use super::timed::windows;
use super::windowed::session_lines;
use super::{Disk, clocked, quarantined};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_engine::replay::RunStart;
use weir_engine::runtime::Simulator;
use weir_engine::storage::Store;

/// The different lines that `scenario` commits; none where these depend on who was faster.
pub fn different_lines(scenario: Scenario) -> BTreeSet<String> {
    match scenario.counter {
        Counter::Join => joined_lines(scenario).collect(),
        Counter::Timed | Counter::Windowed => windows(scenario).collect(),
        Counter::Sessions => session_lines(scenario).collect(),
        Counter::WindowedJoin => joined_in_windows(scenario).collect(),
        // What they say depends on who was faster.
        Counter::Speaking(_) | Counter::Clocked => BTreeSet::new(),
        Counter::Guest(guest) if !guest.counts_keys() => BTreeSet::new(),
        Counter::Native | Counter::Forgetful | Counter::Living | Counter::Guest(_) => expected_lines(scenario).collect(),
    }
}

/// Judges what a job has committed that has finished on this disk and store.
pub fn judge_finished(disk: &Disk, objects: &Arc<dyn Store>, scenario: Scenario) -> Result<(), String> {
    check(&Simulator::new(1), disk, objects, scenario).map(drop)
}

/// What was committed, against what the input asks for.
pub(super) fn check(simulator: &Simulator, disk: &Disk, objects: &Arc<dyn Store>, scenario: Scenario) -> Result<Spoken, String> {
    let store = objects.clone();
    let reports = wait_for(simulator, async move { quarantined(&*store).await })?;
    let poison = if let Counter::Guest(guest) = scenario.counter { guest.set_aside(scenario) } else { Vec::new() };
    same("set aside", poison.into_iter(), &reports.iter().map(told).collect::<Vec<_>>())?;
    match (scenario.counter, scenario.barriers) {
        (Counter::Join, Barriers::Aligned) => same("committed", joined_lines(scenario), &disk.committed()),
        // Rules that are in flight have been seen by some subtasks and not by others: only pairs are sure.
        (Counter::Join, Barriers::Unaligned | Barriers::ExactlyOnce | Barriers::AtLeastOnce) => {
            let is_pair = |line: &String| line.starts_with("pair");
            let committed: Vec<_> = disk.committed().into_iter().filter(is_pair).collect();
            same("committed", joined_lines(scenario).filter(is_pair), &committed)
        }
        (Counter::Speaking(of) | Counter::Guest(Guest::Speaking(of)), _) => {
            let open = left_open(simulator, objects, scenario)?;
            return spoken::judge(scenario, of, scenario.timed_by.punctuality(), &disk.committed(), open.as_deref());
        }
        (Counter::Guest(guest), _) if !guest.counts_keys() => {
            guest.judge(scenario, &disk.committed(), left_open(simulator, objects, scenario)?.as_deref())
        }
        (Counter::Clocked, _) => clocked::judge(scenario, &disk.committed(), left_open(simulator, objects, scenario)?.as_deref()),
        (Counter::Timed | Counter::Windowed | Counter::Sessions, Barriers::AtLeastOnce) => {
            at_least(windows_of(scenario), &disk.committed())
        }
        (Counter::Timed | Counter::Windowed | Counter::Sessions | Counter::WindowedJoin, _) => {
            same("committed", windows_of(scenario), &disk.committed())?;
            match left_open(simulator, objects, scenario)? {
                Some(open) if !open.is_empty() => Err(format!("the input has ended, and there is state of {} keys", open.len())),
                Some(_) | None => Ok(()),
            }
        }
        (_, Barriers::Aligned | Barriers::Unaligned | Barriers::ExactlyOnce) => {
            same("committed", expected_lines(scenario), &disk.committed())?;
            in_order(&disk.published())?;
            check_state(simulator, objects, scenario)
        }
        (_, Barriers::AtLeastOnce) => at_least(expected_lines(scenario), &disk.committed()),
    }?;
    Ok(Spoken::default())
}

/// What windows say that each speak once.
fn windows_of(scenario: Scenario) -> Box<dyn Iterator<Item = String>> {
    match scenario.counter {
        Counter::Sessions => Box::new(session_lines(scenario)),
        Counter::WindowedJoin => Box::new(joined_in_windows(scenario)),
        _ => Box::new(windows(scenario)),
    }
}

/// What is replayed is what was done; and where every checkpoint and call is kept, it is all that was committed.
pub(super) fn check_replay(
    simulator: &Simulator,
    disk: &Disk,
    objects: &Arc<dyn Store>,
    scenario: Scenario,
    witness: &Witness,
) -> Result<Replayed, String> {
    let replayed = |start| {
        let graph = graph(simulator, disk, Scenario { failures: None, ..scenario });
        replay(simulator, objects, witness, graph, start)
    };
    let newest = replayed(RunStart::Newest)?;
    if scenario.retain < EVERY {
        return Ok(newest);
    }
    let all = replayed(RunStart::Beginning)?;
    if scenario.max_call_log_bytes == u64::MAX {
        same("replayed", disk.committed().into_iter(), &all.emitted)?;
    }
    Ok(all)
}

/// Every record has been counted and its line committed, once or more: of each key there are as many lines as records at least, and
/// none of a key that was never there.
fn at_least(expected: impl Iterator<Item = String>, found: &[String]) -> Result<(), String> {
    let mut missing: BTreeMap<String, i64> = BTreeMap::new();
    let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    expected.for_each(|line| *missing.entry(key(&line)).or_default() += 1);
    for line in found {
        *missing.get_mut(&key(line)).ok_or_else(|| format!("`{line}` is of no key of the input"))? -= 1;
    }
    match missing.into_iter().find(|(_, missing)| *missing > 0) {
        None => Ok(()),
        Some((key, missing)) => Err(format!("{missing} lines of the key {key} are missing")),
    }
}

/// Each key's counts must be 1, 2, 3 … up to the number of its records, each once.
fn expected_lines(scenario: Scenario) -> impl Iterator<Item = String> {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    let good = (0..scenario.records).filter(move |&number| scenario.counter.value(number).parse::<u64>().is_ok());
    good.map(move |number| {
        let key = number % scenario.keys % scenario.counted_keys;
        let count = counts.entry(key).or_default();
        *count += 1;
        format!("{key} {}", (*count - 1) % scenario.counter.up_to() + 1)
    })
}

/// Each key's counts rise: its records come over one path to the sink, whatever the parallelism was meanwhile.
fn in_order(published: &[String]) -> Result<(), String> {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for line in published {
        let (key, count) = line.split_once(' ').ok_or_else(|| format!("`{line}` is no count"))?;
        let count = count.parse().map_err(|_| format!("`{line}` is no count"))?;
        let before = last.insert(key, count);
        if before >= Some(count) {
            return Err(format!("`{line}` is published behind count {}", before.unwrap_or_default()));
        }
    }
    Ok(())
}

/// Compares two multisets of lines.
pub(super) fn same(what: &str, expected: impl Iterator<Item = String>, found: &[String]) -> Result<(), String> {
    let mut missing: BTreeMap<String, i64> = BTreeMap::new();
    expected.for_each(|line| *missing.entry(line).or_default() += 1);
    found.iter().for_each(|line| *missing.entry(line.clone()).or_default() -= 1);
    let other = missing.iter().find(|(_, missing)| **missing < 0).map_or(String::new(), |(line, _)| format!(", and `{line}` is there"));
    match missing.iter().find(|(_, missing)| **missing != 0) {
        None => Ok(()),
        Some((line, missing)) if *missing > 0 => Err(format!("{what}: `{line}` is missing{other}")),
        Some((line, missing)) => Err(format!("{what}: `{line}` is there {} times too often", -missing)),
    }
}
