//! Whether the first times of a source are what its rows say. A number of seconds that is read as milliseconds is a time as well, in January 1970, and nothing
//! would fail: every window would be of that month.
//!
//! A time is doubted where it lies far from the present and its number, counted in another unit, would not. So a date of long ago that is written as one is
//! taken as it is.

use super::Notation;
use super::unix::{self, Unit};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// From 1971 to the end of 2199, in ms: what most people have records of. The next larger unit of such a time is never one of these.
const LIKELY: Range<i64> = 31_536_000_000..7_258_118_400_000;
/// Times that are looked at.
const LOOKED_AT: u32 = 1_000;

/// What the first times of a source look like, whichever of its readers have read them.
#[derive(Debug)]
pub(super) struct FirstTimes {
    /// So many more are looked at: none once there was a likely one, or a doubt.
    left: AtomicU32,
    doubt: OnceLock<String>,
    /// There is a doubt that nobody has been told of.
    is_untold: AtomicBool,
}

impl Default for FirstTimes {
    fn default() -> Self {
        Self { left: AtomicU32::new(LOOKED_AT), doubt: OnceLock::new(), is_untold: AtomicBool::new(false) }
    }
}

impl FirstTimes {
    /// Looks at the time that a text was read as.
    #[inline]
    pub(super) fn look(&self, field: &str, notation: &Notation, text: &[u8], time: i64) {
        if self.left.load(Ordering::Relaxed) > 0 {
            self.look_closely(field, notation, text, time);
        }
    }

    #[cold]
    fn look_closely(&self, field: &str, notation: &Notation, text: &[u8], time: i64) {
        let left = if LIKELY.contains(&time) { 0 } else { self.left.load(Ordering::Relaxed).saturating_sub(1) };
        self.left.store(left, Ordering::Relaxed);
        if left > 0
            && let Some((likely, unit)) = likelier(notation, text)
        {
            self.left.store(0, Ordering::Relaxed);
            let first = self.doubt.set(in_words(field, notation, text, (time, likely), unit)).is_ok();
            self.is_untold.fetch_or(first, Ordering::Release);
        }
    }

    /// What is doubtful, in words.
    pub(super) fn doubt(&self) -> Option<&str> {
        self.doubt.get().map(String::as_str)
    }

    /// The same, the first time that it is asked for.
    pub(super) fn take_doubt(&self) -> Option<&str> {
        let is_untold = self.is_untold.load(Ordering::Acquire) && self.is_untold.swap(false, Ordering::Acquire);
        is_untold.then(|| self.doubt()).flatten()
    }
}

/// The likely time that a number would be in another unit than it was read in.
fn likelier(notation: &Notation, text: &[u8]) -> Option<(i64, Unit)> {
    let own = match notation {
        Notation::Either => Unit::Milliseconds,
        Notation::Unix(unit) => *unit,
        Notation::Rfc3339 | Notation::Pattern(_) => return None,
    };
    let others = Unit::ALL.into_iter().filter(|unit| *unit != own);
    let mut times = others.filter_map(|unit| unix::parse(text, unit).map(|time| (time, unit)));
    times.find(|(time, _)| LIKELY.contains(time))
}

fn in_words(field: &str, notation: &Notation, text: &[u8], (time, likely): (i64, i64), unit: Unit) -> String {
    let (number, time, likely, was, unit) = (text.escape_ascii(), shown(time), shown(likely), notation.text(), unit.word());
    format!(
        "{number} in `{field}`, read as {was}, is {time}; `timestamp = {{ field = \"{field}\", format = \"{unit}\" }}` would read it as {likely}"
    )
}

fn shown(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms from 1970"), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is doubted of these texts, which are read as `notation` says.
    fn doubt(notation: &Notation, texts: &[&str]) -> Option<String> {
        let times = FirstTimes::default();
        for text in texts {
            let unit = if let Notation::Unix(unit) = notation { *unit } else { Unit::Milliseconds };
            times.look("ts", notation, text.as_bytes(), unix::parse(text.as_bytes(), unit).unwrap_or(-5_000_000_000));
        }
        times.doubt().map(str::to_owned)
    }

    #[test]
    fn a_number_that_is_likelier_in_another_unit_is_doubted_with_what_it_would_be() {
        let expect = "1357034400 in `ts`, read as RFC 3339 or integer milliseconds, is 1970-01-16T16:57:14.4Z; `timestamp = { field = \"ts\", format = \"unix-s\" }` would read it as 2013-01-01T10:00:00Z";
        assert_eq!(doubt(&Notation::Either, &["1357034400", "5"]).as_deref(), Some(expect));
        let [s, ms, us, ns] =
            [("unix-s", "1357034400"), ("unix-ms", "1357034400250"), ("unix-us", "1357034400250000"), ("unix-ns", "1357034400250000000")];
        for unit in Unit::ALL {
            for (word, text) in [s, ms, us, ns] {
                let doubt = doubt(&Notation::Unix(unit), &[text]);
                let meant = doubt.as_ref().map_or(unit.word(), |_| word);
                assert_eq!(meant, word, "{text} as {unit:?}: {doubt:?}");
                assert!(doubt.is_none_or(|doubt| doubt.contains(&format!("format = \"{word}\" }}` would read it as 2013-01-01T10:00:00"))));
            }
        }
        let far = doubt(&Notation::Unix(Unit::Seconds), &["1357034400250"]).expect("it is doubted");
        assert!(far.contains("is 1357034400250000 ms from 1970;"), "{far}");
    }

    #[test]
    fn what_has_no_likelier_reading_is_passed_over_and_what_is_likely_ends_the_look() {
        assert_eq!(doubt(&Notation::Either, &["0", "5", "-1357034400", "1961-04-12T06:07:00Z"]), None);
        assert_eq!(doubt(&Notation::Rfc3339, &["1357034400"]), None);
        assert!(doubt(&Notation::Either, &["0", "1357034400"]).is_some());
        assert_eq!(doubt(&Notation::Either, &["1357034400250", "1357034400"]), None);
        let mut many = vec!["0"; LOOKED_AT as usize];
        many.push("1357034400");
        assert_eq!(doubt(&Notation::Either, &many), None);
    }

    #[test]
    fn a_doubt_is_told_once_however_many_readers_there_are() {
        let times = FirstTimes::default();
        assert_eq!(times.take_doubt(), None);
        (0..2).for_each(|_| times.look_closely("ts", &Notation::Either, b"1357034400", 1_357_034_400));
        let told = [times.take_doubt().is_some(), times.take_doubt().is_some()];
        assert_eq!((told, times.doubt().is_some()), ([true, false], true));
    }
}
