//! What is kept of an open window, for whoever looks into state without the operator.

use super::kept::Kept;
use super::{WindowKind, WindowSettings};

/// What is kept of an open window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWindow {
    /// How often it has fired.
    pub revision: u32,
    /// Its time has come, and it is kept for what comes late.
    pub is_complete: bool,
    /// Where it ends; of sessions, as the others' ends follow from their starts.
    pub end: Option<i64>,
    /// How many records it has; of counts.
    pub records: Option<u64>,
}

impl OpenWindow {
    /// What `stored` says of a window of this kind; `None`: it says nothing that can be understood.
    pub fn read(kind: &WindowKind, stored: &[u8]) -> Option<Self> {
        let Kept { revision, has_come, end, records, .. } = Kept::read(kind, stored)?;
        let end = matches!(kind, WindowKind::Session { .. }).then_some(end);
        let records = matches!(kind, WindowKind::Count { .. }).then_some(records);
        Some(Self { revision, is_complete: has_come, end, records })
    }
}

impl WindowKind {
    /// The kind of the windows that [`WindowSettings::described`] describes so.
    pub fn of_described(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split([' ', ',']).collect();
        let number = |place: usize| words.get(place)?.parse::<i64>().ok();
        let kind = match *words.first()? {
            "tumbling" => Self::Tumbling { size: number(1)?, offset: number(4)? },
            "hopping" => Self::Hopping { size: number(1)?, every: number(4)?, offset: number(7)? },
            "session" => Self::Session { gap: number(1)? },
            "count" => Self::Count { records: number(1)?.unsigned_abs() },
            "global" => Self::Global,
            _ => return None,
        };
        // Nothing else describes windows.
        [super::super::TimeDomain::Event, super::super::TimeDomain::Processing]
            .into_iter()
            .any(|time| WindowSettings { time, ..WindowSettings::new(kind) }.described() == text)
            .then_some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::TimeDomain;

    fn kinds() -> [WindowKind; 5] {
        [
            WindowKind::Tumbling { size: 10, offset: 3 },
            WindowKind::Hopping { size: 10, every: 5, offset: 4 },
            WindowKind::Session { gap: 7 },
            WindowKind::Count { records: 100 },
            WindowKind::Global,
        ]
    }

    #[test]
    fn what_describes_windows_tells_their_kind_and_nothing_else_does() {
        for kind in kinds() {
            for time in [TimeDomain::Event, TimeDomain::Processing] {
                let described = WindowSettings { time, ..WindowSettings::new(kind) }.described();
                assert_eq!(WindowKind::of_described(&described), Some(kind), "{described}");
            }
        }
        for text in ["", "raw", "tumbling", "tumbling 10 ms", "count 5 or so", "session 7 ms"] {
            assert_eq!(WindowKind::of_described(text), None, "{text}");
        }
    }

    #[test]
    fn of_what_is_kept_that_is_told_which_a_kind_has() {
        let kept = Kept { revision: 3, has_come: true, end: -7, records: 9, ..Kept::new() };
        let told = kinds().map(|kind| {
            let mut stored = Vec::new();
            kept.encode(&kind, &mut stored);
            let open = OpenWindow::read(&kind, &stored).expect("it was stored");
            assert_eq!((open.revision, open.is_complete, OpenWindow::read(&kind, b"")), (3, true, None));
            (open.end, open.records)
        });
        assert_eq!(told, [(None, None), (None, None), (Some(-7), None), (None, Some(9)), (None, None)]);
    }
}
