//! Sessions of the keys of one call: which ones its records go into, and which of them become one.
//!
//! A record that makes one session of several takes part in no call in which one of these has records already: they are made one in front of the call, and
//! whether that was done before a record or behind it would show. Where a session only begins earlier, nothing is made one, and the unit is just known by
//! another start.

use super::Window;
use super::plan::Planning;
use crate::shown_text::printable_key;

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

/// The sessions of a call's keys.
#[derive(Default)]
pub(in crate::state) struct PlannedSessions {
    all: Vec<PlannedSession>,
    /// For each key its sessions in order, by their places in `all`; those that were there are looked up with its first record.
    of_key: Vec<Vec<u32>>,
    is_known: Vec<bool>,
    /// For each row the place of its session.
    rows: Vec<u32>,
}

impl PlannedSessions {
    pub fn begin(&mut self, keys: usize) {
        self.all.clear();
        self.rows.clear();
        self.of_key.iter_mut().for_each(Vec::clear);
        self.of_key.resize_with(keys, Vec::new);
        self.is_known.clear();
        self.is_known.resize(keys, false);
    }

    /// Puts a record of a key, which alone would be the session `came`, into one.
    pub fn add(&mut self, planning: Planning<'_>, (key, name): (u32, &[u8]), (record, came): (usize, Window)) -> Result<Added, String> {
        let Self { all, of_key, is_known, rows } = self;
        let list = &mut of_key[key as usize];
        if !is_known[key as usize] {
            is_known[key as usize] = true;
            for &window in planning.index.sessions(name) {
                list.push(all.len() as u32);
                all.push(PlannedSession { window, old: Some(window), more: Vec::new(), cause: record, touched: false });
            }
        }
        let first = list.partition_point(|&place| all[place as usize].window.end <= came.start);
        let behind = list.partition_point(|&place| all[place as usize].window.start < came.end);
        if first >= behind {
            if let Some(late_ms) = planning.late_by(came) {
                return Ok(Added::Late(late_ms));
            }
            if list.len() >= planning.settings.max_per_key as usize {
                return Err(too_many(name, planning.settings.max_per_key));
            }
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

    /// The sessions of the key at a place, in order.
    pub fn windows_of(&self, key: usize) -> Vec<Window> {
        self.of_key[key].iter().map(|&place| self.all[place as usize].window).collect()
    }

    /// True where records of the key at a place have been looked at.
    pub fn is_of(&self, key: usize) -> bool {
        self.is_known[key]
    }
}

/// Why a record opens no window.
pub(in crate::state) fn too_many(key: &[u8], max: u32) -> String {
    format!("its key {} has {max} open windows, and it would open another (`limits.windows-per-key`)", printable_key(key))
}
