//! Sessions of the keys of one call: which ones its records go into, and which of them become one.
//!
//! A record that makes one session of several takes part in no call in which one of these has records already: they are made one in front of the call, and
//! whether that was done before a record or behind it would show. Where a session only begins earlier, nothing is made one, and the unit is just known by
//! another start.

use super::Window;
use super::plan::Planning;
use crate::shown_text::printable_key;
use crate::state::Unwindowed;

/// A session as it is when the call's records have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::state) struct PlannedSession {
    pub window: Window,
    /// What it was when the call began; `None`: the call opens it.
    pub old: Option<Window>,
    /// Other ones that become part of it, which start later than `old`, in order.
    pub more: Vec<Window>,
    /// The record by which they do.
    pub cause: usize,
    /// It has records in the call.
    pub touched: bool,
}

impl PlannedSession {
    /// True where units have to be made one, or be known by another start, in front of the call.
    pub fn moves(&self) -> bool {
        self.touched && (!self.more.is_empty() || self.old.is_some_and(|old| old.start != self.window.start))
    }

    /// True where the unit that it goes on under has another name than before.
    pub fn is_renamed(&self) -> bool {
        self.old.is_none_or(|old| old.start != self.window.start)
    }

    /// What it is made of.
    pub fn olds(&self) -> impl Iterator<Item = Window> {
        self.old.into_iter().chain(self.more.iter().copied())
    }
}

/// What becomes of a record.
pub(in crate::state) enum Added {
    /// It is in a session.
    Row,
    /// It comes too late by so many ms.
    Late(i64),
    /// It has to wait for the next call.
    Waits,
}

/// The sessions of a call's keys that have to do with its records.
#[derive(Default)]
pub(in crate::state) struct PlannedSessions {
    all: Vec<PlannedSession>,
    /// For each key those of its sessions that are planned, in order, by their places in `all`. One that was there is when a record comes near it.
    of_key: Vec<Vec<u32>>,
    /// For each key how many sessions it has, planned or not.
    open: Vec<usize>,
    /// For each row the place of its session.
    rows: Vec<u32>,
}

impl PlannedSessions {
    /// `open`: for each key how many sessions it has.
    pub fn begin(&mut self, open: impl Iterator<Item = usize>) {
        self.all.clear();
        self.rows.clear();
        self.open.clear();
        self.open.extend(open);
        self.of_key.iter_mut().for_each(Vec::clear);
        self.of_key.resize_with(self.open.len(), Vec::new);
    }

    /// Plans those sessions of a key that were there and that `came` meets.
    fn take_in(&mut self, planning: Planning<'_>, (key, name): (u32, &[u8]), (record, came): (usize, Window)) {
        let Self { all, of_key, .. } = self;
        let list = &mut of_key[key as usize];
        let open = planning.index.sessions(name);
        let from = open.partition_point(|open| open.end <= came.start);
        for &window in open[from..].iter().take_while(|open| open.start < came.end) {
            let place = list.partition_point(|&place| all[place as usize].window.end <= window.start);
            // A session is planned only ever to become longer, so one that is planned is where it was.
            if list.get(place).is_some_and(|&there| all[there as usize].window.start <= window.start) {
                continue;
            }
            list.insert(place, all.len() as u32);
            all.push(PlannedSession { window, old: Some(window), more: Vec::new(), cause: record, touched: false });
        }
    }

    /// Puts a record of a key, which alone would be the session `came`, into one.
    pub fn add(&mut self, planning: Planning<'_>, (key, name): (u32, &[u8]), (record, came): (usize, Window)) -> Result<Added, NoWindow> {
        self.take_in(planning, (key, name), (record, came));
        let Self { all, of_key, open, rows } = self;
        let (list, open) = (&mut of_key[key as usize], &mut open[key as usize]);
        let first = list.partition_point(|&place| all[place as usize].window.end <= came.start);
        let behind = list.partition_point(|&place| all[place as usize].window.start < came.end);
        if first >= behind {
            if let Some(late_ms) = planning.late_by(came) {
                return Ok(Added::Late(late_ms));
            }
            if *open >= planning.settings.max_per_key as usize {
                return Err(NoWindow::beyond_limit(name, planning.settings.max_per_key));
            }
            *open += 1;
            list.insert(first, all.len() as u32);
            rows.push(all.len() as u32);
            all.push(PlannedSession { window: came, old: None, more: Vec::new(), cause: record, touched: true });
            return Ok(Added::Row);
        }
        let one = list[first] as usize;
        if behind - first > 1 {
            if list[first..behind].iter().any(|&place| all[place as usize].touched) {
                return Ok(Added::Waits);
            }
            let others: Vec<Window> = list[first + 1..behind].iter().map(|&place| all[place as usize].window).collect();
            let last = others.last().map_or(came, |last| *last);
            all[one].window.end = all[one].window.end.max(last.end);
            all[one].more = others;
            all[one].cause = record;
            list.drain(first + 1..behind);
            *open -= behind - first - 1;
        }
        let session = &mut all[one];
        session.window = Window { start: session.window.start.min(came.start), end: session.window.end.max(came.end) };
        session.touched = true;
        rows.push(one as u32);
        Ok(Added::Row)
    }

    /// The session of a row, and its place.
    pub fn of_row(&self, row: usize) -> &PlannedSession {
        &self.all[self.rows[row] as usize]
    }

    pub fn place_of_row(&self, row: usize) -> u32 {
        self.rows[row]
    }

    /// A session by its place.
    pub fn get(&self, place: u32) -> &PlannedSession {
        &self.all[place as usize]
    }

    /// The sessions that units have to be made one for, with their keys' places.
    pub fn moving(&self) -> impl Iterator<Item = (usize, &PlannedSession)> {
        let of_key = self.of_key.iter().enumerate();
        of_key
            .flat_map(move |(key, list)| list.iter().map(move |&place| (key, &self.all[place as usize])))
            .filter(|(_, session)| session.moves())
    }

    /// The sessions of the key at a place that the call's records change.
    pub fn changed_of(&self, key: usize) -> impl Iterator<Item = &PlannedSession> {
        self.of_key[key].iter().map(|&place| &self.all[place as usize]).filter(|session| session.touched)
    }
}

/// Why a record cannot be put into a window.
pub(in crate::state) struct NoWindow {
    why: String,
    is_beyond_limit: bool,
}

impl NoWindow {
    /// Its key has as many as it may.
    pub fn beyond_limit(key: &[u8], max: u32) -> Self {
        let why = format!("its key {} has {max} open windows, and it would open another (`limits.windows-per-key`)", printable_key(key));
        Self { why, is_beyond_limit: true }
    }

    /// It is the record at this index that this is said of.
    pub fn of(self, record: usize) -> Unwindowed {
        Unwindowed { record, why: self.why, is_beyond_limit: self.is_beyond_limit }
    }
}

impl From<String> for NoWindow {
    /// For any other reason.
    fn from(why: String) -> Self {
        Self { why, is_beyond_limit: false }
    }
}
