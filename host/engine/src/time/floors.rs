//! Below which time the keys of a subtask must not fall: a checkpoint says how far each key group's had come, and after a restore the channels begin anew.
//!
//! A key's time is the larger of its task's watermark and its group's floor. Where a rescale brings groups together that had come to different times, a call
//! is of keys of one time alone. Once the watermark has passed every floor they are forgotten.

use crate::checkpoint::WatermarkFloor;
use crate::element::{END_OF_TIME, KeyGroupRange, NO_TIMESTAMP};

/// The floors of one subtask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatermarkFloors {
    /// Disjoint and ascending.
    floors: Vec<WatermarkFloor>,
    largest: Option<i64>,
}

impl WatermarkFloors {
    /// Of a subtask with these key groups, or with none, whose operator's subtasks had come to `floors` together.
    pub fn restored(floors: impl Iterator<Item = WatermarkFloor>, range: Option<KeyGroupRange>) -> Self {
        let mut own: Vec<_> = match range {
            // Nobody knows which of the old ones' records it would be given: the smallest is safe.
            None => floors.min_by_key(|floor| floor.watermark).into_iter().collect(),
            Some(range) => floors.filter_map(|floor| floor.within(range)).collect(),
        };
        own.sort_unstable_by_key(|floor| floor.from);
        own.retain(|floor| floor.watermark > NO_TIMESTAMP);
        Self { largest: own.iter().map(|floor| floor.watermark).max(), floors: own }
    }

    /// The watermark has come to here: floors that it has passed all are forgotten.
    pub fn on_watermark(&mut self, watermark: i64) {
        if self.largest.is_some_and(|largest| largest <= watermark) {
            *self = Self::default();
        }
    }

    /// Each of them, in the order of their groups.
    pub fn iter(&self) -> impl Iterator<Item = &WatermarkFloor> {
        self.floors.iter()
    }

    /// The largest of them; `None`: there is none.
    #[inline]
    pub fn largest(&self) -> Option<i64> {
        self.largest
    }

    /// The time of keys of a group where the task's watermark is this one.
    pub fn effective(&self, group: u32, watermark: i64) -> i64 {
        let floor = self.floors.iter().find(|floor| (floor.from..floor.to).contains(&group));
        floor.map_or(watermark, |floor| floor.watermark.max(watermark))
    }

    /// The time of calls that are of no key.
    pub fn of_no_key(&self, watermark: i64, range: Option<KeyGroupRange>) -> i64 {
        let groups = range.map_or(1, |range| range.len());
        let covered: usize = self.floors.iter().map(|floor| (floor.to - floor.from) as usize).sum();
        let smallest = self.floors.iter().map(|floor| floor.watermark).min().filter(|_| covered >= groups);
        smallest.map_or(watermark, |smallest| smallest.max(watermark))
    }

    /// What a checkpoint keeps where the task's watermark is this one: the end of time is none to go on from.
    pub fn capture(&self, watermark: i64, range: Option<KeyGroupRange>) -> Vec<WatermarkFloor> {
        let KeyGroupRange { start, end } = range.unwrap_or(KeyGroupRange { start: 0, end: 1 });
        let watermark = if watermark == END_OF_TIME.0 { NO_TIMESTAMP } else { watermark };
        let mut all: Vec<WatermarkFloor> = Vec::new();
        for group in start..end {
            let effective = self.effective(group, watermark);
            match all.last_mut().filter(|last| last.watermark == effective) {
                Some(last) => last.to = group + 1,
                None => all.push(WatermarkFloor { from: group, to: group + 1, watermark: effective }),
            }
        }
        all.retain(|floor| floor.watermark > NO_TIMESTAMP);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors(of: &[(u32, u32, i64)]) -> Vec<WatermarkFloor> {
        of.iter().map(|&(from, to, watermark)| WatermarkFloor { from, to, watermark }).collect()
    }

    fn range(start: u32, end: u32) -> Option<KeyGroupRange> {
        Some(KeyGroupRange { start, end })
    }

    #[test]
    fn a_group_keeps_the_time_that_it_had_come_to_until_the_watermark_passes_it() {
        let mut restored = WatermarkFloors::restored(floors(&[(4, 8, 20), (0, 4, 10)]).into_iter(), range(2, 6));
        assert_eq!(restored.largest(), Some(20));
        assert_eq!([2, 3, 4, 5].map(|group| restored.effective(group, 15)), [15, 15, 20, 20]);
        assert_eq!([restored.of_no_key(NO_TIMESTAMP, range(2, 6)), restored.of_no_key(12, range(2, 6))], [10, 12]);
        assert_eq!(restored.capture(15, range(2, 6)), floors(&[(2, 4, 15), (4, 6, 20)]));
        assert_eq!(restored.capture(i64::MAX, range(2, 6)), floors(&[(2, 4, 10), (4, 6, 20)]), "the end of time is no floor");
        restored.on_watermark(19);
        assert_eq!(restored.effective(5, 19), 20);
        restored.on_watermark(20);
        assert_eq!(restored, WatermarkFloors::default());
    }

    #[test]
    fn groups_without_a_floor_have_the_time_of_their_task() {
        let restored = WatermarkFloors::restored(floors(&[(0, 4, 10)]).into_iter(), range(0, 8));
        assert_eq!([restored.effective(3, 5), restored.effective(4, 5), restored.of_no_key(5, range(0, 8))], [10, 5, 5]);
        assert_eq!(WatermarkFloors::default().capture(NO_TIMESTAMP, range(0, 8)), []);
    }

    #[test]
    fn without_key_groups_a_subtask_has_the_smallest_of_all() {
        let restored = WatermarkFloors::restored(floors(&[(0, 1, 30), (0, 1, 10)]).into_iter(), None);
        assert_eq!((restored.of_no_key(5, None), restored.capture(5, None)), (10, floors(&[(0, 1, 10)])));
        assert_eq!(restored.capture(50, None), floors(&[(0, 1, 50)]));
    }
}
