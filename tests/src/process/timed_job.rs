//! The job with time that the real binary is tested with: rows are counted by key twice over, in tumbling windows, of which each tells its rows when it is
//! over, and in each minute, which a timer tells of when that is over.
//!
//! Nothing comes later than watermarks wait for, so each window speaks once, with all its rows, and each timer fires once: a row that is lost or worked off twice
//! shows in its window and in its minute, and so does a window or a timer that is open or set in a checkpoint and not behind it.

use super::{Job, Lines, TimedRow, plugin, windows_of};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Different keys of the rows.
const KEYS: u64 = 10;
/// 1970-02-01T00:00:00Z.
const FIRST: i64 = 2_678_400_000;
/// A row comes less than so many seconds late. Rows are a second apart: some three windows of each key are open at any time.
const DISORDER: i64 = 60;
/// The size of windows.
const WINDOW: i64 = 20_000;
const MINUTE: i64 = 60_000;

/// The job's settings, as far as tests vary them.
#[derive(Clone, Debug)]
pub struct TimedJob {
    /// Rows of the input.
    pub rows: u64,
    /// Rows read per second.
    pub rate: u64,
    /// Of every step.
    pub parallelism: u32,
    /// Further lines of `[checkpoints]`.
    pub checkpoints: String,
}

impl Default for TimedJob {
    fn default() -> Self {
        Self { rows: 3_000, rate: 3_000, parallelism: 1, checkpoints: String::new() }
    }
}

impl TimedJob {
    /// A job that runs for a minute where nothing ends it: for whoever stops it, or does several things to it while it runs.
    pub fn long() -> Self {
        Self { rows: 20_000, rate: 300, ..Self::default() }
    }

    /// A job of which a process that is stopped after its first checkpoints has not come to the end, and that ends in 10 s.
    pub fn unhurried() -> Self {
        Self { rows: 6_000, rate: 600, ..Self::default() }
    }

    /// So many of the rows.
    pub(super) fn rows(rows: u64) -> Vec<TimedRow> {
        TimedRow::nearly_in_order(rows, KEYS, (FIRST, DISORDER))
    }

    /// What a source of such rows says of their time.
    pub(super) fn time() -> String {
        format!("timestamp = {{ field = \"at\", format = \"unix-ms\" }}\nwatermark = {{ delay = \"{DISORDER}s\" }}")
    }

    /// The operator `id` with the windows, of this component, with further lines.
    pub(super) fn windows(id: &str, component: &Path, more: &str) -> String {
        let input = "input = { from = \"rows\", by = \"key\" }";
        format!("[operator.{id}]\nplugin = {component:?}\n{input}\nwindow = {{ tumbling = \"{WINDOW}ms\" }}\n{more}")
    }

    /// The operator `minutes` with the timers, of this component.
    pub(super) fn minutes(component: &Path) -> String {
        let input = "input = { from = \"rows\", by = \"key\" }";
        format!("[operator.minutes]\nplugin = {component:?}\n{input}\nconfig = {{ traps-on = [] }}\n")
    }

    /// What the windows of the first so many rows tell.
    pub(super) fn told_by_windows(rows: u64) -> impl Iterator<Item = String> {
        windows_of(&Self::rows(rows), WINDOW).into_iter().map(|((key, start), rows)| {
            let bounds = format!("{start}..{}", start + WINDOW);
            window_line((&key.to_string(), &bounds, "OnTime 0"), &rows, rows.len())
        })
    }

    /// What the timers tell of the minutes of the first so many rows.
    pub(super) fn told_by_timers(rows: u64) -> impl Iterator<Item = String> {
        let mut counts = BTreeMap::<(u64, i64), u64>::new();
        Self::rows(rows).iter().for_each(|row| *counts.entry((row.key, row.time.div_euclid(MINUTE))).or_default() += 1);
        counts.into_iter().map(|((key, minute), count)| format!("{key} {minute} #{count}"))
    }

    /// What a line of either says. How often rows are in it stands behind a `#`: only that is another where rows are worked off more than once.
    pub(super) fn told(line: &str) -> String {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [key, minute, count] => format!("{key} {minute} #{count}"),
            [key, bounds, reason, revision, rows, "-"] => {
                let rows: Vec<u64> = rows.split(',').map(|row| row.parse().expect("a row's number")).collect();
                window_line((key, bounds, &format!("{reason} {revision}")), &rows.iter().copied().collect(), rows.len())
            }
            _ => panic!("{line}: neither a window nor a minute"),
        }
    }
}

fn window_line((key, bounds, firing): (&str, &str, &str), rows: &BTreeSet<u64>, times: usize) -> String {
    let rows: Vec<_> = rows.iter().map(u64::to_string).collect();
    format!("{key} {bounds} {firing} {}#{times}", rows.join(","))
}

impl Job for TimedJob {
    fn files(&self) -> Vec<(&'static str, String)> {
        vec![("rows.csv", TimedRow::HEADER.to_owned() + &TimedRow::text(&Self::rows(self.rows)))]
    }

    fn job_file(&self) -> String {
        let Self { rate, parallelism, checkpoints, .. } = self;
        let (time, windows) = (Self::time(), Self::windows("windows", &plugin("window-teller"), ""));
        let minutes = Self::minutes(&plugin("trapping-timers"));
        format!(
            "name = \"words\"
parallelism = {parallelism}
[checkpoints]
interval = \"50ms\"
{checkpoints}
[source.rows]
connector = \"file\"
path = \"rows.csv\"
format = \"csv\"
key = \"key\"
{time}
rate = {rate}
{windows}{minutes}[sink.out]
connector = \"file\"
inputs = [\"windows\", \"minutes\"]
path = \"out\"
"
        )
    }

    fn rate(&self) -> u64 {
        self.rate
    }

    fn output(&self) -> Lines {
        Self::told_by_windows(self.rows).chain(Self::told_by_timers(self.rows)).map(|line| (line, 1)).collect()
    }

    fn said(&self, line: &str) -> String {
        Self::told(line)
    }

    fn not_at_least_once(&self, committed: &Lines) -> Option<String> {
        let once = |lines: &Lines| lines.keys().map(|line| (line.split('#').next().unwrap_or(line).to_owned(), 1)).collect();
        super::differences(&once(committed), &once(&self.output()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_as_the_model_has_them_in_whatever_order_rows_came() {
        let lines = |lines: &[String]| lines.iter().map(|line| (TimedJob::told(line), 1)).collect::<Lines>();
        let rows = TimedJob::rows(4);
        let job = TimedJob { rows: 4, ..TimedJob::default() };
        let mut minutes = BTreeMap::<(u64, i64), u64>::new();
        rows.iter().for_each(|row| *minutes.entry((row.key, row.time.div_euclid(MINUTE))).or_default() += 1);
        let window = |((key, start), rows): (&(u64, i64), String)| format!("{key} {start}..{} OnTime 0 {rows} -", start + WINDOW);
        let listed = |rows: &BTreeSet<u64>| rows.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let windows = windows_of(&rows, WINDOW);
        let told: Vec<String> = windows.iter().map(|(of, rows)| window((of, listed(rows)))).collect();
        let told = [told, minutes.iter().map(|((key, minute), count)| format!("{key} {minute} {count}")).collect()].concat();
        assert_eq!(job.not_exactly_once(&lines(&told)), None);
        let (first, of_first) = windows.first_key_value().expect("there are rows");
        let mut twice = told.clone();
        twice[0] = window((first, format!("{0},{0}", listed(of_first))));
        assert!(job.not_exactly_once(&lines(&twice)).is_some() && job.not_at_least_once(&lines(&twice)).is_none());
        assert!(job.not_at_least_once(&lines(&told[1..])).is_some());
        assert_eq!(TimedJob::told("3 0..20 OnTime 0 9,7 -"), TimedJob::told("3 0..20 OnTime 0 7,9 -"));
    }
}
