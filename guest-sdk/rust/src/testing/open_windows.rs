//! The windows that are open: a plain model of what the engine keeps, a map from a key in a window to what is known of it.

use super::window::{Kind, TestWindow, hops};
use crate::windows::Window;
use std::collections::BTreeMap;

/// A key in one of its windows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unit {
    /// Where its window starts: of a session the earliest start that it has had. Of a count it is the
    /// window's number among those that are open, of a global window 0.
    pub(super) start: i64,
    pub(super) key: Vec<u8>,
}

impl Unit {
    /// The key of its state: in the order of the starts.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [&(self.start ^ i64::MIN).to_be_bytes()[..], &self.key].concat()
    }

    /// The unit that keeps its state under these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (start, key) = bytes.split_first_chunk().expect("a start is in front of the key");
        Self { start: i64::from_be_bytes(*start) ^ i64::MIN, key: key.to_vec() }
    }
}

/// What is known of an open window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// `None`: it has no bounds.
    pub(super) window: Option<Window>,
    /// How often it has fired.
    pub(super) fired: u32,
    /// Windows that have fired and became part of it, since it has fired itself.
    pub(super) replaces: Vec<Window>,
    /// It has fired with these bounds.
    pub(super) has_spoken: bool,
    /// Time had passed its end when it fired, or when a record came.
    pub(super) is_complete: bool,
    /// Since when it has records that no firing has shown, in ms of the clock.
    pub(super) changed_at: Option<i64>,
    pub(super) records: u64,
    /// The largest time of its records.
    pub(super) newest: Option<i64>,
}

impl Open {
    fn new(window: Option<Window>) -> Self {
        Self { window, fired: 0, replaces: Vec::new(), has_spoken: false, is_complete: false, changed_at: None, records: 0, newest: None }
    }
}

/// All that are open.
#[derive(Clone, Debug)]
pub(super) struct OpenWindows {
    pub(super) settings: TestWindow,
    pub(super) open: BTreeMap<Unit, Open>,
}

/// A record on its way into windows.
pub(super) struct Arrival<'a> {
    pub(super) key: &'a [u8],
    pub(super) timestamp: Option<i64>,
    /// What time has passed; `None`: nothing yet.
    pub(super) passed: Option<i64>,
    /// The clock.
    pub(super) clock: i64,
}

/// Where a record goes.
pub(super) enum Place {
    /// Into these.
    In(Vec<Unit>),
    /// Nowhere: this window was gone.
    Late(Window),
}

/// Sessions that a record makes one.
pub(super) struct Merge {
    pub(super) into: Unit,
    /// In the order of their starts.
    pub(super) parts: Vec<Unit>,
}

/// Windows of a key that may be open.
const OPEN_MAX: usize = 10_000;

impl OpenWindows {
    pub(super) fn new(settings: TestWindow) -> Self {
        Self { settings, open: BTreeMap::new() }
    }

    pub(super) fn get(&self, unit: &Unit) -> &Open {
        &self.open[unit]
    }

    /// The open windows of a key, in the order of their starts.
    pub(super) fn of_key(&self, key: &[u8]) -> Vec<Unit> {
        self.open.keys().filter(|unit| unit.key == key).cloned().collect()
    }

    /// The sessions that a record makes one, where it makes one of several or one that starts earlier.
    pub(super) fn merge(&self, of: &Arrival<'_>) -> Option<Merge> {
        let Kind::Session { gap } = self.settings.kind else { return None };
        let time = self.time(of).ok()?;
        let parts: Vec<Unit> = self.of_key(of.key).into_iter().filter(|unit| self.overlaps(unit, time, gap)).collect();
        let into = Unit { start: parts.first()?.start.min(time), key: of.key.to_vec() };
        (parts != [into.clone()]).then_some(Merge { into, parts })
    }

    fn overlaps(&self, unit: &Unit, time: i64, gap: i64) -> bool {
        self.open[unit].window.is_some_and(|window| window.start < time + gap && time < window.end)
    }

    /// Makes one window of several. Nothing is lost of what has fired: it is replaced.
    pub(super) fn join(&mut self, merge: &Merge) {
        let mut joined: Option<Open> = None;
        for unit in &merge.parts {
            let Some(mut part) = self.open.remove(unit) else { continue };
            part.replaces.extend(part.window.filter(|_| part.has_spoken));
            part.has_spoken = false;
            joined = Some(match joined {
                None => part,
                Some(before) => Open {
                    window: before.window.zip(part.window).map(|(a, b)| Window { start: a.start.min(b.start), end: a.end.max(b.end) }),
                    fired: before.fired + part.fired,
                    replaces: [before.replaces, part.replaces].concat(),
                    has_spoken: false,
                    is_complete: before.is_complete && part.is_complete,
                    changed_at: before.changed_at.into_iter().chain(part.changed_at).min(),
                    records: before.records + part.records,
                    newest: before.newest.max(part.newest),
                },
            });
        }
        self.open.extend(joined.map(|open| (merge.into.clone(), open)));
    }

    /// Puts a record into its windows; sessions that it makes one have been joined before. An error: it cannot be put into any.
    pub(super) fn place(&mut self, record: &Arrival<'_>) -> Result<Place, String> {
        let unit = |start: i64| Unit { start, key: record.key.to_vec() };
        let bounded = |window: Window| (unit(window.start), Some(window));
        let placed = match self.settings.kind {
            Kind::Hopping { size, every } => hops(size, every, self.settings.offset, self.time(record)?).into_iter().map(bounded).collect(),
            Kind::Session { gap } => {
                let time = self.time(record)?;
                let of = self.of_key(record.key).into_iter().find(|unit| self.overlaps(unit, time, gap));
                let new = Window { start: time, end: time + gap };
                let before = of.and_then(|unit| self.open[&unit].window);
                vec![bounded(before.map_or(new, |before| Window { start: before.start.min(time), end: before.end.max(new.end) }))]
            }
            Kind::Count { records } => {
                let newest = self.of_key(record.key).pop();
                let number = newest.map_or(0, |unit| unit.start + i64::from(self.open[&unit].records == records));
                vec![(unit(number), None)]
            }
            Kind::Global => vec![(unit(0), None)],
        };
        let is_gone = |window: &Window| record.passed.is_some_and(|passed| self.gone_at(*window) <= passed);
        if let Some((_, Some(last))) = placed.last().filter(|_| placed.iter().all(|(_, window)| window.as_ref().is_some_and(is_gone))) {
            return Ok(Place::Late(*last));
        }
        let units: Vec<(Unit, Option<Window>)> = placed.into_iter().filter(|(_, window)| !window.as_ref().is_some_and(is_gone)).collect();
        for (unit, window) in &units {
            self.touch(unit, *window, record);
        }
        let open = self.of_key(record.key).len();
        if open > OPEN_MAX {
            return Err(format!("the key {} has {open} open windows, and {OPEN_MAX} is the most", record.key.escape_ascii()));
        }
        Ok(Place::In(units.into_iter().map(|(unit, _)| unit).collect()))
    }

    fn touch(&mut self, unit: &Unit, window: Option<Window>, record: &Arrival<'_>) {
        let open = self.open.entry(unit.clone()).or_insert_with(|| Open::new(window));
        if open.window != window {
            // A session that has grown: what it said of its old bounds holds no more.
            open.replaces.extend(open.window.filter(|_| open.has_spoken));
            (open.window, open.has_spoken) = (window, false);
        }
        open.is_complete = window.zip(record.passed).is_some_and(|(window, passed)| window.last_ms() <= passed);
        open.changed_at.get_or_insert(record.clock);
        open.records += 1;
        open.newest = open.newest.max(record.timestamp);
    }

    /// The time by which a record is put into windows.
    fn time(&self, record: &Arrival<'_>) -> Result<i64, String> {
        match self.settings.by_clock {
            true => Ok(record.clock),
            false => record.timestamp.ok_or_else(|| "it has no time, and its operator has windows of event time".to_owned()),
        }
    }
}
