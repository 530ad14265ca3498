//! Windows as a test gives them to an operator, in the place of the job file's `[operator.ID] window`.

use super::record::TestRecord;
use crate::windows::Window;

/// Windows of an operator, times in ms: `TestWindow::hopping(60_000, 10_000).lateness(5_000)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestWindow {
    pub(super) kind: Kind,
    pub(super) offset: i64,
    pub(super) lateness: i64,
    /// They go by the clock and not by event time.
    pub(super) by_clock: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A tumbling window is one whose size is its step.
    Hopping {
        size: i64,
        every: i64,
    },
    Session {
        gap: i64,
    },
    Count {
        records: u64,
    },
    Global,
}

/// A record is put into so many windows at most.
const HOPS_MAX: i64 = 1_000;

impl TestWindow {
    /// `{ tumbling = … }`
    pub fn tumbling(size: i64) -> Self {
        Self::hopping(size, size)
    }

    /// `{ hopping = …, every = … }`
    pub fn hopping(size: i64, every: i64) -> Self {
        assert!(0 < every && every <= size && (size - 1) / every < HOPS_MAX, "a hopping window of {size} ms every {every} ms");
        Self::of(Kind::Hopping { size, every })
    }

    /// `{ session = … }`
    pub fn session(gap: i64) -> Self {
        assert!(gap > 0, "a session ends after a pause");
        Self::of(Kind::Session { gap })
    }

    /// `{ count = … }`
    pub fn count(records: u64) -> Self {
        assert!(records > 0, "a window of no records is never full");
        Self::of(Kind::Count { records })
    }

    /// `{ global = true }`
    pub fn global() -> Self {
        Self::of(Kind::Global)
    }

    fn of(kind: Kind) -> Self {
        Self { kind, offset: 0, lateness: 0, by_clock: false }
    }

    /// The same, which begin so much later.
    pub fn offset(self, offset: i64) -> Self {
        Self { offset, ..self }
    }

    /// The same, which take records so long behind their end.
    pub fn lateness(self, lateness: i64) -> Self {
        Self { lateness, ..self }
    }

    /// The same by the clock, `time = "processing"`.
    pub fn by_clock(self) -> Self {
        Self { by_clock: true, ..self }
    }

    /// The bounds of the windows of a time are known when a record comes.
    pub(super) fn has_known_bounds(self) -> bool {
        match self.kind {
            Kind::Hopping { .. } => true,
            Kind::Session { .. } | Kind::Count { .. } | Kind::Global => false,
        }
    }
}

/// The windows of `size` that begin every `every` and hold `time`, first to last.
pub(super) fn hops(size: i64, every: i64, offset: i64, time: i64) -> Vec<Window> {
    let last = time - (time - offset).rem_euclid(every);
    let mut windows: Vec<Window> = Vec::new();
    let mut start = last;
    while start + size > time {
        windows.insert(0, Window { start, end: start + size });
        start -= every;
    }
    windows
}

/// A record that came when its window was gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRecord {
    /// The record.
    pub record: TestRecord,
    /// Its window; of several the last.
    pub window: Window,
    /// With so many ms more of lateness it would have been in time; 1 at least.
    pub late_ms: i64,
}
