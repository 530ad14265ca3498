//! Guests that count in simulated jobs: without time, in windows and until timers, and ones that trap on a record, a window or a timer, which is set aside. What they come
//! to is what native operators do that count so, and is judged as theirs.
//!
//! * `window-teller` says what its windows have been given, in the words of [`super::speaking`].
//! * `trapping-timers` counts by minutes: its records are further apart, so that there are as many of them in one as in a window of [`super::timed`].
//!
//! What traps is of some keys. Each of their windows is set aside once, and nothing is kept of it; each timer at the end of an even minute is, and what it took away
//! before it trapped is there again.

use super::judge::same;
use super::source::in_order;
use super::speaking::{Speaking, now_and_then_late};
use super::timed::{WINDOW, counts_in_windows};
use super::{Scenario, windowed};
use crate::sandbox::{faulty, keyed_count, trapping_timers, window_teller};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::OperatorFactory;
use weir_engine::runtime::Simulator;
use weir_engine::state::WindowSettings;
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin, QuarantineLimit, WasmOperatorFactory};

/// What a guest does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// `keyed-count`: it counts the records of each key.
    Count,
    /// `faulty`: it does, and there is poison among the records.
    Poisoned,
    /// `window-teller`: it says what its windows have been given, each time that they fire.
    Speaking(Speaking),
    /// `window-teller` that traps on every window of some keys.
    PoisonedWindows,
    /// `trapping-timers`: it counts the records of each key in each minute until a timer.
    Timed,
    /// `trapping-timers` that traps, of some keys, at the end of every even minute.
    PoisonedTimers,
}

/// Windows and timers of these keys trap.
const POISON: [u64; 2] = [3, 5];
const MINUTE_MS: i64 = 60_000;
/// From one record to the next, where minutes are counted.
const APART_MS: i64 = MINUTE_MS / WINDOW;

fn in_minutes(number: u64) -> i64 {
    number as i64 * APART_MS
}

impl Guest {
    /// The time of record n.
    pub(super) fn time(self) -> fn(u64) -> i64 {
        match self {
            Self::Speaking(_) => now_and_then_late,
            Self::Timed | Self::PoisonedTimers => in_minutes,
            Self::Count | Self::Poisoned | Self::PoisonedWindows => in_order,
        }
    }

    pub(super) fn goes_by_time(self) -> bool {
        !self.counts_keys()
    }

    /// See [`super::Counter::counts_keys`].
    pub(super) fn counts_keys(self) -> bool {
        match self {
            Self::Count | Self::Poisoned => true,
            Self::Speaking(_) | Self::PoisonedWindows | Self::Timed | Self::PoisonedTimers => false,
        }
    }

    /// True where some of what it is given is set aside.
    pub(super) fn is_poisoned(self) -> bool {
        match self {
            Self::Poisoned | Self::PoisonedWindows | Self::PoisonedTimers => true,
            Self::Count | Self::Speaking(_) | Self::Timed => false,
        }
    }

    /// The windows that the job puts records into.
    pub(super) fn windows(self, simulator: &Simulator) -> Option<WindowSettings> {
        match self {
            Self::Speaking(of) => Some(of.settings(simulator)),
            Self::PoisonedWindows => Some(windowed::tumbling()),
            Self::Count | Self::Poisoned | Self::Timed | Self::PoisonedTimers => None,
        }
    }

    pub(super) fn factory(self) -> Arc<dyn OperatorFactory> {
        let traps_on = |keys: &[u64]| serde_json::json!({ "traps-on": keys.iter().map(u64::to_string).collect::<Vec<_>>() }).to_string();
        let (plugin, config): (fn(EngineMode) -> Plugin, String) = match self {
            Self::Count => (keyed_count, "{}".into()),
            Self::Poisoned => (faulty, "{}".into()),
            Self::Speaking(_) => (window_teller, traps_on(&[])),
            Self::PoisonedWindows => (window_teller, traps_on(&POISON)),
            Self::Timed => (trapping_timers, traps_on(&[])),
            Self::PoisonedTimers => (trapping_timers, traps_on(&POISON)),
        };
        let on_failure = if self.is_poisoned() { OnFailure::Quarantine { limit: QuarantineLimit::default() } } else { OnFailure::Fail };
        let settings = OperatorSettings { operator: "count".into(), config: config.as_str().into(), limits: Limits::default(), on_failure };
        Arc::new(WasmOperatorFactory::new(plugin(EngineMode::Fuel), settings).expect("no fuel is asked for"))
    }

    /// What is set aside of a job of `scenario`, as [`told`] tells.
    pub(super) fn set_aside(self, scenario: Scenario) -> Vec<String> {
        let values = (0..scenario.records).map(|number| scenario.counter.value(number));
        match self {
            Self::Count | Self::Speaking(_) | Self::Timed => Vec::new(),
            Self::Poisoned => values.filter(|value| value.parse::<u64>().is_err()).collect(),
            Self::PoisonedWindows => {
                let poison = counts_in_windows(scenario).into_keys().filter(|(key, _)| POISON.contains(key));
                poison.map(|(key, start)| format!("{key} {start}..{} on-time 0", start + WINDOW)).collect()
            }
            Self::PoisonedTimers => {
                let poison = minutes(scenario).into_keys().filter(|&of| self.traps_at(of));
                poison.map(|(key, minute)| format!("{key} over {}", (minute + 1) * MINUTE_MS)).collect()
            }
        }
    }

    fn traps_at(self, (key, minute): (u64, i64)) -> bool {
        self == Self::PoisonedTimers && POISON.contains(&key) && minute % 2 == 0
    }

    /// Judges what has been committed in windows or until timers that speak once, and what is left of it; `None`: nobody knows.
    pub(super) fn judge(self, scenario: Scenario, lines: &[String], open: Option<&[Vec<u64>]>) -> Result<(), String> {
        let mut expected: Vec<String> = Vec::new();
        let mut kept: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        if self == Self::PoisonedWindows {
            expected.extend(good_windows(scenario));
        } else {
            for ((key, minute), count) in minutes(scenario) {
                match self.traps_at((key, minute)) {
                    true => kept.entry(key).or_default().push(minute as u64),
                    false => expected.push(format!("{key} {minute} {count}")),
                }
            }
        }
        same("committed", expected.into_iter(), &lines.iter().map(|line| in_order_of_numbers(line)).collect::<Vec<_>>())?;
        let Some(open) = open else { return Ok(()) };
        let lines_of = |open: &mut dyn Iterator<Item = &Vec<u64>>| open.map(|of| format!("{of:?}")).collect::<Vec<_>>();
        same("kept", lines_of(&mut kept.values()).into_iter(), &lines_of(&mut open.iter()))
    }
}

/// How many records of a key there are in each minute.
fn minutes(scenario: Scenario) -> BTreeMap<(u64, i64), u64> {
    counts_in_windows(scenario).into_iter().map(|((key, start), count)| ((key, start / WINDOW), count)).collect()
}

/// What the windows say that trap on nothing.
fn good_windows(scenario: Scenario) -> impl Iterator<Item = String> {
    let mut windows: BTreeMap<(u64, i64), Vec<String>> = BTreeMap::new();
    for number in 0..scenario.records {
        let (key, time) = (number % scenario.keys % scenario.counted_keys, in_order(number));
        windows.entry((key, time - time.rem_euclid(WINDOW))).or_default().push(number.to_string());
    }
    let good = windows.into_iter().filter(|((key, _), _)| !POISON.contains(key));
    good.map(|((key, start), numbers)| format!("{key} {start}..{} OnTime 0 {} -", start + WINDOW, numbers.join(",")))
}

/// A line of a window in which its numbers stand in order: which came first is nobody's business.
fn in_order_of_numbers(line: &str) -> String {
    let mut parts: Vec<&str> = line.split(' ').collect();
    let Some(numbers) = parts.get(4) else { return line.to_owned() };
    let mut numbers: Vec<&str> = numbers.split(',').collect();
    numbers.sort_by_key(|number| number.parse::<u64>().ok());
    let numbers = numbers.join(",");
    parts[4] = &numbers;
    parts.join(" ")
}

/// What a report of something that was set aside tells of: the value of a record, `KEY START..END REASON REVISION` of a window, `KEY NAME DUE` of a timer.
pub(super) fn told(report: &Value) -> String {
    let text = |name: &str| report[name].as_str().unwrap_or("?").to_owned();
    if let Some(window) = report.get("window") {
        return format!("{} {}..{} {} {}", text("key"), window["start"], window["end"], text("reason"), report["revision"]);
    }
    match report["timer"].as_str() {
        Some(timer) => format!("{} {timer} {}", text("key"), report["timestamp"]),
        None => text("value"),
    }
}

/// The number that something which is kept stands for: text as it is, or in CBOR a text or a small number.
pub(super) fn number_of(item: &[u8]) -> Option<u64> {
    let parsed = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
    let of_cbor = match item {
        [small @ 0..=23] => Some(u64::from(*small)),
        [24, byte] => Some(u64::from(*byte)),
        [head @ 0x61..=0x77, text @ ..] if text.len() == usize::from(head - 0x60) => parsed(text),
        _ => None,
    };
    parsed(item).or(of_cbor)
}
