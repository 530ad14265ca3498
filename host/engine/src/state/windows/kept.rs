//! What the host keeps of an open window: the value of the state [`super::WINDOW_STATE`] of its unit.
//!
//! ```text
//! value   = marks *part                      ; marks: LEB128, 4 * revision + 2 * (its time has come) + (records have come since it fired last)
//! part    = largest records                  ; counts: LEB128 number of records
//!         | largest                          ; a global window
//!         | end *(start end)                 ; sessions: the end, and windows that have spoken and that no firing has replaced yet
//!         |                                  ; tumbling and hopping windows
//! largest = the largest time of its records, or the smallest there is
//! ```
//!
//! Times are 8 bytes, little-endian.

use super::{Window, WindowKind};
use crate::element::NO_TIMESTAMP;
use crate::error::{EngineError, ErrorKind};
use crate::state::varint::{put_number, take_number};

/// What is kept of an open window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::state) struct Kept {
    /// How often it has fired.
    pub revision: u32,
    /// Its time has come: it has fired for that, or would have.
    pub has_come: bool,
    /// Records have come since it fired last. Of a tumbling or hopping window without `emit` and lateness this is true from its first record on and nobody asks: it fires
    /// once, and is gone. One that has fired early in a run with `emit`, and goes on in one without, is not noted as touched there ([`super::Windows::reads_kept`]): with
    /// `emit` again, it fires early behind its next record; on time it fires in any case, with all that it has.
    pub touched: bool,
    /// The largest time of its records; kept of counts and global windows.
    pub largest: i64,
    /// Number of records; kept of counts.
    pub records: u64,
    /// Where it ends; kept of sessions.
    pub end: i64,
    /// Windows that have spoken and that no firing has replaced; kept of sessions.
    pub spoken: Vec<Window>,
}

impl Kept {
    /// Of a window that has just been opened.
    pub fn new() -> Self {
        Self { revision: 0, has_come: false, touched: true, largest: NO_TIMESTAMP, records: 0, end: NO_TIMESTAMP, spoken: Vec::new() }
    }

    /// Of a window that this one and another have become. It has spoken as often as both together.
    pub fn made_one_with(mut self, later: Self) -> Self {
        self.revision = self.revision.saturating_add(later.revision);
        self.has_come |= later.has_come;
        self.touched |= later.touched;
        self.largest = self.largest.max(later.largest);
        self.end = self.end.max(later.end);
        self.spoken.extend(later.spoken);
        self
    }

    /// As it is stored.
    pub fn encode(&self, kind: &WindowKind, into: &mut Vec<u8>) {
        put_number(into, u64::from(self.revision) << 2 | u64::from(self.has_come) << 1 | u64::from(self.touched));
        match kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => {}
            WindowKind::Global => put_time(into, self.largest),
            WindowKind::Count { .. } => {
                put_time(into, self.largest);
                put_number(into, self.records);
            }
            WindowKind::Session { .. } => {
                put_time(into, self.end);
                for Window { start, end } in &self.spoken {
                    put_time(into, *start);
                    put_time(into, *end);
                }
            }
        }
    }

    /// What was stored under `unit`.
    pub fn decode(kind: &WindowKind, unit: &[u8], stored: &[u8]) -> Result<Self, EngineError> {
        Self::read(kind, stored).ok_or_else(|| {
            let message = format!("what is kept of the window of {} is damaged: {}", unit.escape_ascii(), stored.escape_ascii());
            EngineError::new(ErrorKind::Corrupt, message)
        })
    }

    pub(super) fn read(kind: &WindowKind, mut rest: &[u8]) -> Option<Self> {
        let rest = &mut rest;
        let marks = take_number(rest).ok()?;
        let mut kept = Self::new();
        kept.revision = u32::try_from(marks >> 2).ok()?;
        (kept.has_come, kept.touched) = (marks & 2 != 0, marks & 1 != 0);
        match kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => {}
            WindowKind::Global => kept.largest = take_time(rest)?,
            WindowKind::Count { .. } => {
                kept.largest = take_time(rest)?;
                kept.records = take_number(rest).ok()?;
            }
            WindowKind::Session { .. } => {
                kept.end = take_time(rest)?;
                while !rest.is_empty() {
                    kept.spoken.push(Window { start: take_time(rest)?, end: take_time(rest)? });
                }
            }
        }
        rest.is_empty().then_some(kept)
    }
}

fn put_time(into: &mut Vec<u8>, time: i64) {
    into.extend_from_slice(&time.to_le_bytes());
}

fn take_time(rest: &mut &[u8]) -> Option<i64> {
    let (time, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(i64::from_le_bytes(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_written_byte_for_byte_as_ever() {
        let written = |kind, kept: Kept| {
            let mut stored = Vec::new();
            kept.encode(&kind, &mut stored);
            stored
        };
        let base = || Kept { revision: 70, has_come: true, touched: false, ..Kept::new() };
        let time = |time: i64| time.to_le_bytes().to_vec();
        assert_eq!(written(WindowKind::Tumbling { size: 5, offset: 0 }, Kept::new()), [1]);
        assert_eq!(written(WindowKind::Hopping { size: 5, every: 1, offset: 0 }, base()), [0x9a, 0x02]);
        let spoken = vec![Window { start: -1, end: 2 }];
        let expect = [vec![0x9a, 0x02], time(9), time(-1), time(2)].concat();
        assert_eq!(written(WindowKind::Session { gap: 5 }, Kept { end: 9, spoken, ..base() }), expect);
        let expect = [vec![0x9a, 0x02], time(-3), vec![0xac, 0x02]].concat();
        assert_eq!(written(WindowKind::Count { records: 500 }, Kept { largest: -3, records: 300, ..base() }), expect);
        assert_eq!(written(WindowKind::Global, Kept { largest: 4, ..base() }), [vec![0x9a, 0x02], time(4)].concat());
    }

    #[test]
    fn what_is_kept_reads_back_and_nothing_shorter_or_longer_does() {
        let kinds = [
            WindowKind::Tumbling { size: 5, offset: 0 },
            WindowKind::Hopping { size: 5, every: 1, offset: 0 },
            WindowKind::Session { gap: 5 },
            WindowKind::Count { records: 300 },
            WindowKind::Global,
        ];
        for (kind, spoken) in kinds.into_iter().flat_map(|kind| [(kind, 0), (kind, 2)]) {
            let mut kept = Kept { revision: 70_000, has_come: true, touched: false, ..Kept::new() };
            match kind {
                WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => {}
                WindowKind::Session { .. } => {
                    kept.end = -7;
                    kept.spoken = (0..spoken).map(|start| Window { start, end: i64::MAX }).collect();
                }
                WindowKind::Count { .. } => (kept.largest, kept.records) = (i64::MAX, 299),
                WindowKind::Global => kept.largest = 9,
            }
            let mut stored = Vec::new();
            kept.encode(&kind, &mut stored);
            assert_eq!(Kept::decode(&kind, b"u", &stored).unwrap(), kept, "{kind:?}");
            let whole = |len: usize| kind.merges() && len >= 11 && (len - 11).is_multiple_of(16);
            for len in (0..stored.len()).filter(|&len| !whole(len)) {
                let error = Kept::decode(&kind, b"u", &stored[..len]).unwrap_err();
                assert!(error.to_string().contains("what is kept of the window of u is damaged"), "{kind:?} {len}");
            }
            stored.push(7);
            assert!(Kept::decode(&kind, b"u", &stored).is_err(), "{kind:?}");
        }
    }
}
