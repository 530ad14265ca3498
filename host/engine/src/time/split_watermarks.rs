//! The watermark of one source subtask: the smallest of those of its splits that count.
//!
//! A split is idle once its reader has said for long enough that it is caught up; that it is not asked, or has no room, is no idleness, and neither is time in
//! which nobody could look: [`SplitWatermarks::stood_still`]. One that has not been begun holds time back where it is. Of a split that was idle, records may be
//! older than the watermark: they are late, and the split counts again once it has caught up. Where none counts any more time stays, but that it comes first to the
//! smallest of the idle ones that have one: one without a record held it back until it was idle, and what the others had must not depend on which was idle first.

use super::{Largest, WatermarkSettings};
use crate::checkpoint::SplitState;
use crate::element::{NO_TIMESTAMP, Progress, Watermark};
use crate::runtime::Monotonic;
use std::time::Duration;

/// How often splits that are caught up are looked at until they are idle.
const QUARTERS: u32 = 4;

/// What a reader says of its splits, by their places.
pub(crate) struct OpenSplits<'a> {
    /// True where the split has been read to its end.
    pub is_finished: &'a dyn Fn(usize) -> bool,
    /// True where all that there is of the split has been handed on. `None`: the reader has more to hand on.
    pub is_caught_up: Option<&'a dyn Fn(usize) -> bool>,
}

/// The splits of a subtask, and how far their time is.
pub(crate) struct SplitWatermarks {
    settings: WatermarkSettings,
    /// By their places.
    splits: Vec<SplitTime>,
    watermark: Watermark,
    is_idle: bool,
    /// The largest timestamp of somebody else that counts where none of the splits has had a record.
    others: Option<i64>,
    /// What has been told last.
    told: Option<Progress>,
    /// The last watermark that has been.
    told_watermark: Watermark,
}

#[derive(Clone, Copy, Debug, Default)]
struct SplitTime {
    largest: Option<i64>,
    /// Records that were too far ahead to count.
    ahead: u64,
    is_finished: bool,
    /// Since when it has been caught up.
    caught_up: Option<Monotonic>,
    is_idle: bool,
}

impl SplitWatermarks {
    /// Of a subtask with these splits.
    pub fn new(settings: WatermarkSettings, splits: &[SplitState]) -> Self {
        let none = Watermark(NO_TIMESTAMP);
        let (others, told) = (None, None);
        let mut watermarks = Self { settings, splits: Vec::new(), watermark: none, is_idle: false, others, told, told_watermark: none };
        watermarks.add(splits);
        watermarks
    }

    /// The same, where others had come to this timestamp: it counts where all splits are idle and none of them has had a record.
    pub fn beside(self, others: Option<i64>) -> Self {
        Self { others, ..self }
    }

    /// More splits, behind those that there are.
    pub fn add(&mut self, splits: &[SplitState]) {
        self.splits.extend(splits.iter().map(|split| SplitTime { largest: split.largest_timestamp, ..SplitTime::default() }));
    }

    /// The splits at these places, in ascending order, are there no more; those behind them move up.
    pub fn forget(&mut self, places: &[usize]) {
        places.iter().rev().for_each(|&place| _ = self.splits.remove(place));
    }

    /// Writes down how far the time of each split is: of one without a record how far the others had come, as nobody else may know that any more.
    pub fn note(&self, splits: &mut [SplitState]) {
        splits.iter_mut().zip(&self.splits).for_each(|(split, time)| split.largest_timestamp = time.largest.or(self.others));
    }

    /// Records of a split with these timestamps have been read. How many of them are too far ahead of the clock.
    pub fn on_records(&mut self, split: usize, timestamps: &[i64], wall_ms: i64) -> u64 {
        let Largest { timestamp, ahead } = self.settings.largest(timestamps, wall_ms);
        let split = &mut self.splits[split];
        (split.caught_up, split.is_idle) = (None, false);
        split.largest = split.largest.max(timestamp);
        split.ahead += ahead;
        ahead
    }

    /// Splits of which every record so far was too far ahead of the clock: nothing moves their time.
    pub fn only_ahead(&self) -> impl Iterator<Item = usize> {
        let only = |(place, split): (usize, &SplitTime)| (split.ahead > 0 && split.largest.is_none()).then_some(place);
        self.splits.iter().enumerate().filter_map(only)
    }

    /// Looks at the splits as of now.
    pub fn look(&mut self, open: &OpenSplits<'_>, now: Monotonic) {
        let idle_after = self.settings.idle_after;
        for (place, split) in self.splits.iter_mut().enumerate().filter(|(_, split)| !split.is_finished) {
            split.is_finished = (open.is_finished)(place);
            if let Some(is_caught_up) = open.is_caught_up {
                split.caught_up = is_caught_up(place).then(|| split.caught_up.unwrap_or(now));
            }
            let idle = |since: Monotonic| idle_after.is_some_and(|idle_after| now.saturating_sub(since) >= idle_after);
            split.is_idle = split.caught_up.is_some_and(idle);
        }
        self.merge();
    }

    /// Looks at what records have brought alone: which splits are idle stays.
    pub fn look_at_records(&mut self) {
        self.merge();
    }

    /// What there is to tell that has not been told yet; there may be more behind it.
    pub fn news(&mut self) -> Option<Progress> {
        let progress = self.next_news()?;
        self.told = Some(progress);
        if let Progress::Watermark(watermark) = progress {
            self.told_watermark = watermark;
        }
        Some(progress)
    }

    /// True where there is something that has not been told.
    pub fn has_news(&self) -> bool {
        self.next_news().is_some()
    }

    fn next_news(&self) -> Option<Progress> {
        // How far time was when the last of them became idle is told first.
        let rests = self.is_idle && self.watermark <= self.told_watermark;
        let progress = if rests { Progress::Idle } else { Progress::Watermark(self.watermark) };
        (self.told.unwrap_or(Progress::Watermark(Watermark(NO_TIMESTAMP))) != progress).then_some(progress)
    }

    /// When to look again at splits that are caught up and not idle yet: at each quarter of the time that this takes.
    pub fn next_look(&self, now: Monotonic) -> Option<Monotonic> {
        let idle_after = self.settings.idle_after?;
        let quarter = idle_after / QUARTERS;
        let next = |since: Monotonic| {
            let passed = now.saturating_sub(since);
            let mut quarters = (1..QUARTERS).map(|quarters| quarter * quarters);
            since.saturating_add(quarters.find(|quarters| *quarters > passed).unwrap_or(idle_after))
        };
        let waiting = self.splits.iter().filter(|split| !split.is_finished && !split.is_idle);
        waiting.filter_map(|split| split.caught_up).map(next).min()
    }

    /// Nobody could look for so long until now. That is no time that splits have been caught up for, and those that are not idle yet are so in a quarter of what it
    /// takes at the earliest: what hands records on may have stood still as long.
    pub fn stood_still(&mut self, time: Duration, now: Monotonic) {
        let Some(idle_after) = self.settings.idle_after else { return };
        let latest = now.saturating_sub(idle_after - idle_after / QUARTERS);
        let waiting = self.splits.iter_mut().filter(|split| !split.is_idle);
        waiting.filter_map(|split| split.caught_up.as_mut()).for_each(|since| *since = since.saturating_add(time).max(latest));
    }

    /// Time has come to `watermark` without any record. Records that are older are late.
    pub fn advance(&mut self, watermark: Watermark) {
        self.watermark = self.watermark.max(watermark);
        self.told_watermark = self.told_watermark.max(self.watermark);
    }

    fn merge(&mut self) {
        let Self { settings, splits, watermark, .. } = self;
        let active = || splits.iter().filter(|split| !split.is_finished && !split.is_idle);
        let counting = active().filter_map(|split| match split.largest {
            None => (!settings.in_order).then_some(*watermark),
            Some(largest) => Some(settings.watermark_of(largest)).filter(|own| *own >= *watermark),
        });
        let (counting, rests) = (counting.min(), active().next().is_none());
        self.watermark = match counting {
            Some(counting) => counting,
            None if rests => self.watermark.max(self.of_those_that_rest()),
            None => self.watermark,
        };
        self.is_idle = rests;
    }

    /// How far time is where no split counts.
    fn of_those_that_rest(&self) -> Watermark {
        let of = |finished: bool| {
            let rest = self.splits.iter().filter(move |split| split.is_finished == finished);
            rest.filter_map(|split| split.largest).map(|largest| self.settings.watermark_of(largest))
        };
        let others = || self.others.map(|largest| self.settings.watermark_of(largest));
        of(false).min().or(of(true).max()).or_else(others).unwrap_or(Watermark(NO_TIMESTAMP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs events and tells what comes out behind each. `A5`: a record of split A at 5 s; `A~`: all looks from here on find it caught up, until its next record;
    /// `A|`: it is finished; `+`: another split is found; `x`: the first is forgotten; `t9`: the clock is at 9 s; `s9`: the same, and nobody could look until then.
    #[track_caller]
    fn check(settings: WatermarkSettings, splits: usize, events: &str, expect: &str) {
        let split = |place: usize| SplitState::unread(place.to_string(), serde_json::Value::Null);
        let mut watermarks = SplitWatermarks::new(settings, &(0..splits).map(split).collect::<Vec<_>>());
        let (mut finished, mut caught_up, mut now) = (vec![false; 9], vec![false; 9], Duration::ZERO);
        let mut told = Vec::new();
        for event in events.split_whitespace() {
            let place = (event.as_bytes()[0].saturating_sub(b'A')) as usize;
            match event.split_at(1) {
                ("t", seconds) => now = Duration::from_secs(seconds.parse().unwrap()),
                ("s", seconds) => {
                    let until = Duration::from_secs(seconds.parse().unwrap());
                    watermarks.stood_still(until - now, until);
                    now = until;
                }
                ("+", _) => watermarks.add(&[split(9)]),
                ("x", _) => {
                    watermarks.forget(&[0]);
                    finished.remove(0);
                    caught_up.remove(0);
                }
                (_, "~") => caught_up[place] = true,
                (_, "|") => finished[place] = true,
                (_, seconds) => {
                    caught_up[place] = false;
                    watermarks.on_records(place, &[seconds.parse::<i64>().unwrap() * 1_000], 0);
                }
            }
            let is_caught_up = |place: usize| caught_up[place];
            let open = OpenSplits { is_finished: &|place| finished[place], is_caught_up: Some(&is_caught_up) };
            watermarks.look(&open, now);
            let mut news = String::new();
            while let Some(progress) = watermarks.news() {
                news += &match progress {
                    Progress::Idle => "~".into(),
                    Progress::Watermark(watermark) => format!("{}", (watermark.0 + 1) / 1_000),
                };
            }
            told.push(if news.is_empty() { "-".into() } else { news });
        }
        assert_eq!(told.join(" "), expect, "{events}");
    }

    const PLAIN: WatermarkSettings =
        WatermarkSettings { delay: Duration::ZERO, idle_after: None, advance_when_idle: false, max_ahead: None, in_order: false };

    fn idle_after(seconds: u64) -> WatermarkSettings {
        WatermarkSettings { idle_after: Some(Duration::from_secs(seconds)), ..PLAIN }
    }

    #[test]
    fn the_slowest_split_decides_and_one_that_is_not_begun_holds_back() {
        check(PLAIN, 1, "A5 A7 A6 A9", "5 7 - 9");
        check(PLAIN, 2, "A5 B3 B9 A7", "- 3 5 7");
        check(WatermarkSettings { delay: Duration::from_secs(2), ..PLAIN }, 1, "A5 A7", "3 5");
    }

    #[test]
    fn a_finished_split_counts_no_more() {
        check(PLAIN, 2, "A5 A| B3 B8", "- - 3 8");
        check(PLAIN, 2, "A5 B3 B|", "- 3 5");
    }

    #[test]
    fn splits_that_are_read_in_order_hold_nothing_back_until_they_are_begun() {
        let in_order = WatermarkSettings { in_order: true, ..PLAIN };
        check(in_order, 3, "A5 A| B7 B| C9", "5 - 7 - 9");
    }

    #[test]
    fn a_split_is_idle_once_it_has_been_caught_up_for_long_enough() {
        check(idle_after(10), 2, "A5 B3 B~ t9 A8 t10 A9", "- 3 - - - 8 9");
        check(PLAIN, 2, "A5 B3 B~ t900 A8", "- 3 - - -");
        // A record in between begins it anew.
        check(idle_after(10), 2, "A9 B3 B~ t9 B4 B~ t10 t18 t19", "- 3 - - 4 - - - 9");
    }

    #[test]
    fn time_in_which_nobody_could_look_is_no_idleness_and_a_quarter_of_it_follows() {
        check(idle_after(8), 2, "A5 B3 B~ t3 s90 A8 t94 t95", "- 3 - - - - - 8");
        check(idle_after(8), 2, "A5 B3 B~ t7 s90 A8 t91 t92", "- 3 - - - - - 8");
        check(idle_after(8), 2, "A5 B3 B~ t8 s90 A8", "- 3 - 5 - 8");
        check(PLAIN, 2, "A5 B3 B~ s900 A8", "- 3 - - -");
    }

    #[test]
    fn one_that_waits_to_be_idle_is_looked_at_at_each_quarter_of_the_time() {
        let seconds = Duration::from_secs;
        let mut watermarks = SplitWatermarks::new(idle_after(8), &[SplitState::unread("a".into(), serde_json::Value::Null)]);
        assert_eq!(watermarks.next_look(seconds(1)), None);
        watermarks.look(&OpenSplits { is_finished: &|_| false, is_caught_up: Some(&|_| true) }, seconds(1));
        let looks = [1, 2, 3, 5, 7, 8, 99].map(|now| watermarks.next_look(seconds(now)).unwrap().as_secs());
        assert_eq!(looks, [3, 3, 5, 7, 9, 9, 9]);
    }

    #[test]
    fn one_that_comes_back_counts_once_it_has_caught_up() {
        check(idle_after(10), 2, "A5 B3 B~ t10 A8 B4 A9 B6 B8 A10", "- 3 - 5 8 - 9 - - 10");
        check(idle_after(10), 2, "A5 B3 B~ t10 A8 B9 A12", "- 3 - 5 8 - 9");
    }

    #[test]
    fn where_all_are_idle_or_there_is_none_the_subtask_is() {
        check(idle_after(10), 1, "A5 A~ t10 A5 A6", "5 - ~ 5 6");
        check(PLAIN, 1, "A5 A|", "5 ~");
        check(PLAIN, 0, "t1 + A5", "~ -9223372036854775 5");
    }

    #[test]
    fn one_without_a_record_takes_no_time_from_the_others_whichever_is_idle_first() {
        check(idle_after(10), 2, "A5 A~ B~ t10", "- - - 5~");
        check(idle_after(10), 2, "A5 B~ t5 A~ t10 t15", "- - - - 5 ~");
        check(idle_after(10), 2, "A5 A~ t5 B~ t10 t15", "- - - - - 5~");
        check(idle_after(10), 3, "A5 B9 A~ B~ C~ t10", "- - - - - 5~");
        check(idle_after(10), 2, "A5 A| B~ t10", "- - - 5~");
        check(idle_after(10), 2, "A5 A~ B~ t10 B7 A6", "- - - 5~ 7 -");
    }

    #[test]
    fn a_split_that_had_nothing_before_a_restore_goes_on_from_the_others_once_it_is_idle() {
        let split = [SplitState::unread("a".into(), serde_json::Value::Null)];
        let mut watermarks = SplitWatermarks::new(idle_after(8), &split).beside(Some(7_000));
        let mut noted = split.clone();
        watermarks.note(&mut noted);
        assert_eq!(noted[0].largest_timestamp, Some(7_000), "nobody else knows any more how far they had come");
        let open = OpenSplits { is_finished: &|_| false, is_caught_up: Some(&|_| true) };
        let mut told = |seconds| {
            watermarks.look(&open, Duration::from_secs(seconds));
            [watermarks.news(), watermarks.news()]
        };
        assert_eq!(told(1), [None, None]);
        assert_eq!(told(9), [Some(Progress::Watermark(Watermark(6_999))), Some(Progress::Idle)]);
    }

    #[test]
    fn a_found_split_holds_time_where_it_is_until_its_first_record_or_its_idleness() {
        check(idle_after(10), 1, "A5 + A9 B7 A9", "5 - - 7 -");
        check(idle_after(10), 1, "A5 + A9 B~ t10", "5 - - - 9");
        // What it has is older than what is over: it is late.
        check(idle_after(10), 1, "A5 + A9 B1 A10 B12", "5 - - 9 10 -");
    }

    #[test]
    fn places_move_up_behind_one_that_is_forgotten() {
        check(PLAIN, 2, "A5 B3 A| x A9", "- 3 - - 9");
    }

    #[test]
    fn a_checkpoint_keeps_how_far_each_split_is() {
        let mut splits = ["a", "b"].map(|id| SplitState::unread(id.into(), serde_json::Value::Null));
        let mut watermarks = SplitWatermarks::new(PLAIN, &splits);
        watermarks.on_records(1, &[7, 9, 8], 0);
        watermarks.note(&mut splits);
        assert_eq!(splits.clone().map(|split| split.largest_timestamp), [None, Some(9)]);
        let mut restored = SplitWatermarks::new(PLAIN, &splits[1..]);
        let open = OpenSplits { is_finished: &|_| false, is_caught_up: None };
        restored.look(&open, Duration::ZERO);
        assert_eq!(restored.news(), Some(Progress::Watermark(Watermark(8))));
    }
}
