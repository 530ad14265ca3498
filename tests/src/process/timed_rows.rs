//! Rows that have a time, and the windows that they are in: as a plain computation says, and as the plugin `window-teller` has told, where each window speaks once.

use super::Lines;
use std::collections::{BTreeMap, BTreeSet};

/// A row of a number, a key and a time, in ms since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedRow {
    /// No other row has it.
    pub number: u64,
    /// What it is counted under.
    pub key: u64,
    /// When it was.
    pub time: i64,
}

/// The numbers of the rows of each key in each window, by the key and the window's start.
pub type WindowsOfRows = BTreeMap<(u64, i64), BTreeSet<u64>>;

impl TimedRow {
    /// What stands above rows in a file of CSV.
    pub const HEADER: &str = "n,key,at\n";

    /// So many rows from `first` on, a second of event time apart; each comes less than `disorder` seconds late.
    pub fn nearly_in_order(rows: u64, keys: u64, (first, disorder): (i64, i64)) -> Vec<Self> {
        let mut rng = fastrand::Rng::with_seed(41);
        let row = |number: u64| Self { number, key: rng.u64(..keys), time: first + (number as i64 - rng.i64(0..disorder)) * 1_000 };
        (0..rows).map(row).collect()
    }

    /// The lines of these rows.
    pub fn text(rows: &[Self]) -> String {
        rows.iter().map(|Self { number, key, time }| format!("{number},{key},{time}\n")).collect()
    }
}

/// The tumbling windows of `size` ms that rows are in.
pub fn windows_of(rows: &[TimedRow], size: i64) -> WindowsOfRows {
    let mut windows = WindowsOfRows::new();
    for row in rows {
        windows.entry((row.key, row.time - row.time.rem_euclid(size))).or_default().insert(row.number);
    }
    windows
}

/// The windows of `size` ms that lines of `window-teller` tell of. Fails where one has spoken twice, or otherwise than in time.
#[track_caller]
pub fn told_windows(lines: &Lines, size: i64) -> WindowsOfRows {
    let mut windows = WindowsOfRows::new();
    for (line, times) in lines {
        let [key, bounds, "OnTime", "0", rows, "-"] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}: not in time") };
        let (start, end) = bounds.split_once("..").expect("bounds");
        let (start, end): (i64, i64) = (start.parse().expect("a time"), end.parse().expect("a time"));
        let numbers: Vec<u64> = rows.split(',').map(|number| number.parse().expect("a number")).collect();
        let window: BTreeSet<u64> = numbers.iter().copied().collect();
        assert_eq!((end - start, window.len(), *times), (size, numbers.len(), 1), "{line}");
        let key = key.parse().expect("a key");
        assert_eq!(windows.insert((key, start), window), None, "this window has spoken twice: {line}");
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_that_cover_the_times_of_rows_also_before_1970() {
        let rows = [(1, 7, 5), (2, 7, -1), (3, 8, 9), (4, 7, 0)].map(|(number, key, time)| TimedRow { number, key, time });
        let windows = windows_of(&rows, 10);
        assert_eq!(windows, [((7, -10), [2].into()), ((7, 0), [1, 4].into()), ((8, 0), [3].into())].into());
        let lines = ["7 -10..0 OnTime 0 2 -", "7 0..10 OnTime 0 4,1 -", "8 0..10 OnTime 0 3 -"].map(|line| (line.to_owned(), 1));
        assert_eq!(told_windows(&lines.into(), 10), windows);
    }
}
