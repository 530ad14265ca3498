//! The model of windows: for each key a list of its windows with all that has come for them, gone through record by record.

use super::Shown;
use crate::element::NO_TIMESTAMP;
use crate::state::{NO_BOUND, TimeDomain, Window, WindowKind, WindowReason, WindowSettings};
use std::collections::BTreeMap;

/// An open window.
#[derive(Clone, Debug)]
pub(super) struct ModelWindow {
    pub window: Window,
    pub items: Vec<String>,
    pub largest: i64,
    pub revision: u32,
    /// Its time has come.
    pub has_come: bool,
    pub touched: bool,
    pub spoken: Vec<Window>,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Taken,
    Late,
    /// It has no time, or its key has too many windows.
    Refused,
}

/// All open windows.
pub(super) struct Model {
    settings: WindowSettings,
    keys: BTreeMap<String, Vec<ModelWindow>>,
}

impl Model {
    pub fn new(settings: WindowSettings) -> Self {
        Self { settings, keys: BTreeMap::new() }
    }

    fn by_clock(&self) -> bool {
        self.settings.time == TimeDomain::Processing
    }

    fn is_closed(&self, window: Window, watermark: i64) -> bool {
        if self.by_clock() {
            return false;
        }
        watermark >= (window.end - 1).saturating_add(self.settings.lateness)
    }

    /// A record comes.
    pub fn add(&mut self, key: &str, value: &str, time: i64, (watermark, now): (i64, i64)) -> Came {
        let time = if self.by_clock() { now } else { time };
        let windows: Vec<Window> = match self.settings.kind {
            _ if time == NO_TIMESTAMP && self.settings.needs_timestamps() => return Came::Refused,
            WindowKind::Tumbling { size, offset } => covering(time, size, size, offset),
            WindowKind::Hopping { size, every, offset } => covering(time, size, every, offset),
            WindowKind::Session { gap } => return self.add_to_session(key, value, Window { start: time, end: time + gap }, watermark),
            WindowKind::Count { .. } | WindowKind::Global => {
                self.put(key, Window { start: NO_BOUND, end: NO_BOUND }, value, time, false);
                return Came::Taken;
            }
        };
        let open: Vec<Window> = windows.into_iter().filter(|window| !self.is_closed(*window, watermark)).collect();
        let there: Vec<Window> = self.keys.get(key).into_iter().flatten().map(|open| open.window).collect();
        let new = open.iter().filter(|window| !there.contains(window)).count();
        if new > 0 && there.len() + new > self.settings.max_per_key as usize {
            return Came::Refused;
        }
        open.iter().for_each(|window| self.put(key, *window, value, time, !self.by_clock() && window.end - 1 <= watermark));
        if open.is_empty() { Came::Late } else { Came::Taken }
    }

    fn put(&mut self, key: &str, window: Window, value: &str, time: i64, has_come: bool) {
        let windows = self.keys.entry(key.to_owned()).or_default();
        let full = |open: &ModelWindow| matches!(self.settings.kind, WindowKind::Count { records } if open.items.len() as u64 == records);
        let place = windows.iter().position(|open| open.window == window && !full(open)).unwrap_or_else(|| {
            let (items, spoken) = (Vec::new(), Vec::new());
            windows.push(ModelWindow { window, items, largest: NO_TIMESTAMP, revision: 0, has_come: false, touched: false, spoken });
            windows.len() - 1
        });
        let open = &mut windows[place];
        open.items.push(value.to_owned());
        open.largest = open.largest.max(time);
        open.touched = true;
        open.has_come |= has_come;
    }

    fn add_to_session(&mut self, key: &str, value: &str, came: Window, watermark: i64) -> Came {
        let by_clock = self.by_clock();
        let windows = self.keys.entry(key.to_owned()).or_default();
        let (mut one, rest): (Vec<ModelWindow>, Vec<ModelWindow>) =
            std::mem::take(windows).into_iter().partition(|open| open.window.start < came.end && came.start < open.window.end);
        *windows = rest;
        let is_full = windows.len() >= self.settings.max_per_key as usize;
        if one.is_empty() && self.is_closed(came, watermark) {
            return Came::Late;
        }
        if one.is_empty() && is_full {
            return Came::Refused;
        }
        one.sort_by_key(|open| open.window.start);
        let start = one.iter().map(|open| open.window.start).min().unwrap_or(came.start).min(came.start);
        let end = one.iter().map(|open| open.window.end).max().unwrap_or(came.end).max(came.end);
        let merged = ModelWindow {
            window: Window { start, end },
            items: one.iter().flat_map(|open| open.items.clone()).chain([value.to_owned()]).collect(),
            largest: NO_TIMESTAMP,
            revision: one.iter().map(|open| open.revision).sum(),
            has_come: !by_clock && end - 1 <= watermark,
            touched: true,
            spoken: one.iter().flat_map(|open| open.spoken.clone()).collect(),
        };
        self.keys.get_mut(key).expect("it is there").push(merged);
        Came::Taken
    }

    /// A window fires, and shows what is kept of it.
    pub fn fire(&mut self, shown: &Shown, now: i64) {
        let (settings, by_clock) = (&self.settings, self.by_clock());
        let windows = self.keys.get_mut(&shown.key).unwrap_or_else(|| panic!("{shown:?}: the key has no window"));
        let is_full = |open: &ModelWindow| matches!(settings.kind, WindowKind::Count { records } if open.items.len() as u64 == records);
        let is_count = matches!(settings.kind, WindowKind::Count { .. });
        let early = shown.reason == WindowReason::Early;
        let place = windows.iter().position(|open| open.window == shown.window && (!is_count || is_full(open) != early));
        let place = place.unwrap_or_else(|| panic!("{shown:?} is not open: {windows:?}"));
        let open = &mut windows[place];
        assert_eq!((&shown.items, shown.revision), (&open.items, open.revision), "{shown:?}");
        assert_eq!(shown.sum, open.items.len() as u64, "{shown:?}");
        let mut counts = BTreeMap::new();
        open.items.iter().for_each(|item| *counts.entry(item.clone()).or_default() += 1);
        assert_eq!(shown.counts, counts, "{shown:?}");
        let expect: Vec<Window> = open.spoken.iter().copied().filter(|spoken| *spoken != open.window).collect();
        assert_eq!(shown.replaces, expect, "{shown:?}");
        assert_eq!(shown.timestamp, if open.window.end == NO_BOUND { open.largest } else { open.window.end - 1 }, "{shown:?}");
        match shown.reason {
            WindowReason::OnTime if open.window.end == NO_BOUND => {}
            WindowReason::OnTime if by_clock => assert!(open.window.end <= now, "{shown:?}: {open:?}, and it is {now}"),
            WindowReason::OnTime => assert!(!open.has_come && open.window.end - 1 <= shown.watermark, "{shown:?}: {open:?}"),
            WindowReason::Correction => assert!(open.has_come && open.touched, "{shown:?}: {open:?}"),
            WindowReason::Early => assert!(settings.emit_every.is_some() && open.touched && !open.has_come, "{shown:?}: {open:?}"),
        }
        if shown.reason == WindowReason::OnTime && settings.lateness == 0 {
            windows.remove(place);
            return;
        }
        (open.has_come, open.touched, open.revision) = (open.has_come || !early, false, open.revision + 1);
        if settings.kind.merges() {
            open.spoken = vec![open.window];
        }
    }

    /// All that is due has fired: nothing waits whose time has come, and windows of which that is true for good are gone.
    pub fn close(&mut self, time_of: impl Fn(&str) -> i64, clock: i64) {
        let (lateness, by_clock) = (self.settings.lateness, self.by_clock());
        for (key, windows) in &mut self.keys {
            // By the clock a window is over when its end has come, not its last ms.
            let now = if by_clock { clock - 1 } else { time_of(key) };
            for open in windows.iter().filter(|open| open.window.end != NO_BOUND) {
                assert!(open.has_come || open.window.end - 1 > now, "{key}: {open:?} is due, and {now} has come");
            }
            windows.retain(|open| {
                let is_closed = open.window.end != NO_BOUND && open.window.end - 1 + lateness <= now;
                assert!(!(is_closed && open.touched), "{key}: {open:?} is closed at {now} and was not corrected");
                !is_closed
            });
        }
        self.keys.retain(|_, windows| !windows.is_empty());
    }

    /// How many windows are open.
    pub fn open(&self) -> u64 {
        self.keys.values().map(|windows| windows.len() as u64).sum()
    }

    /// Whatever had something to say has said it.
    pub fn check_spoken(&self) {
        let emits = self.settings.emit_every.is_some();
        for (key, open) in self.keys.iter().flat_map(|(key, windows)| windows.iter().map(move |open| (key, open))) {
            assert!(!open.touched || !(open.has_come || emits), "{key}: {open:?} has waited for long");
        }
    }

    /// Number of open windows, but for counts that are not full.
    pub fn left(&self) -> u64 {
        if matches!(self.settings.kind, WindowKind::Count { .. }) { 0 } else { self.keys.values().map(|open| open.len() as u64).sum() }
    }

    /// Number of counts that are not full.
    pub fn partial(&self) -> u64 {
        self.keys.values().map(|open| open.len() as u64).sum()
    }
}

/// All windows that cover a time, first to last, found by trying.
fn covering(time: i64, size: i64, every: i64, offset: i64) -> Vec<Window> {
    let starts = (time - size..=time).filter(|start| (start - offset).rem_euclid(every) == 0);
    starts.filter(|start| (*start..start + size).contains(&time)).map(|start| Window { start, end: start + size }).collect()
}
