//! Timers in the order of their times, for one subtask: which key is next. What is true of a key's timers is in its state; the queue may name timers that
//! were deleted since, or one twice, and whoever takes one out looks it up. So nothing is ever searched for in here.
//!
//! Timers that are far off lie packed, by stretches of time, unordered; the stretch that is next is taken apart into a heap when it is asked for. Millions of
//! timers take some thirty bytes each with their keys, and adding one costs the same however many there are.

use super::small_bytes::SmallBytes;
use super::varint::{put_bytes, put_number, take_bytes, take_number};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A stretch of packed timers is 2^14 ms, some 16 seconds.
const STRETCH_BITS: u32 = 14;

/// A timer's key: most are short.
type TimerKey = SmallBytes<22>;

/// A timer as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueuedTimer {
    /// When it is due, ms.
    pub time: i64,
    key: TimerKey,
    /// Which declared one.
    pub timer: u32,
}

impl QueuedTimer {
    /// The key that it is of.
    pub fn key(&self) -> &[u8] {
        self.key.as_slice()
    }

    fn place(&self) -> (i64, &[u8], u32) {
        (self.time, self.key.as_slice(), self.timer)
    }
}

impl Ord for QueuedTimer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for QueuedTimer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Timers by time.
#[derive(Default)]
pub(super) struct TimerQueue {
    /// Those before `horizon`.
    near: BinaryHeap<Reverse<QueuedTimer>>,
    /// The end of the stretches that have been taken apart; `None`: none has.
    horizon: Option<i64>,
    /// The others, packed, by stretch.
    far: BTreeMap<i64, Vec<u8>>,
}

impl TimerQueue {
    /// Adds a timer.
    pub fn push(&mut self, time: i64, key: &[u8], timer: u32) {
        if self.horizon.is_some_and(|horizon| time < horizon) {
            return self.near.push(Reverse(QueuedTimer { time, key: TimerKey::new(key), timer }));
        }
        let stretch = time >> STRETCH_BITS;
        let packed = self.far.entry(stretch).or_default();
        put_number(packed, time.wrapping_sub(stretch << STRETCH_BITS) as u64);
        put_number(packed, u64::from(timer));
        put_bytes(packed, key);
    }

    /// The time of the next one.
    pub fn next_time(&mut self) -> Option<i64> {
        self.next().map(|next| next.time)
    }

    /// The next one.
    pub fn next(&mut self) -> Option<&QueuedTimer> {
        if self.near.is_empty() {
            self.take_apart();
        }
        self.near.peek().map(|Reverse(next)| next)
    }

    /// Takes the next one out.
    pub fn pop(&mut self) -> Option<QueuedTimer> {
        self.next()?;
        self.near.pop().map(|Reverse(next)| next)
    }

    fn take_apart(&mut self) {
        let Some((stretch, packed)) = self.far.pop_first() else {
            // An empty heap need not keep the room that a full one had.
            self.near = BinaryHeap::new();
            return;
        };
        let start = stretch << STRETCH_BITS;
        self.horizon = Some(start.saturating_add(1 << STRETCH_BITS));
        let mut rest = packed.as_slice();
        let mut near = std::mem::take(&mut self.near).into_vec();
        while !rest.is_empty() {
            let mut number = || take_number(&mut rest).expect("it was packed here");
            let (behind, timer) = (number(), number());
            let key = take_bytes(&mut rest).expect("it was packed here");
            near.push(Reverse(QueuedTimer { time: start + behind as i64, key: TimerKey::new(key), timer: timer as u32 }));
        }
        self.near = near.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn timers_come_in_the_order_of_their_times_whenever_they_were_added() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut queue, mut model) = (TimerQueue::default(), BTreeMap::<(i64, Vec<u8>, u32), u32>::new());
            let spread = [10, 100_000, 1 << 40][rng.usize(0..3)];
            for _ in 0..400 {
                if rng.bool() {
                    let (time, key, timer) = (rng.i64(-spread..spread), vec![b'k'; rng.usize(0..40)], rng.u32(0..3));
                    queue.push(time, &key, timer);
                    *model.entry((time, key, timer)).or_default() += 1;
                } else {
                    assert_eq!(queue.next_time(), model.first_key_value().map(|((time, ..), _)| *time));
                    let next = model.first_entry().map(|mut first| {
                        let place = first.key().clone();
                        *first.get_mut() -= 1;
                        if *first.get() == 0 {
                            first.remove();
                        }
                        place
                    });
                    assert_eq!(queue.pop().map(|next| (next.time, next.key().to_vec(), next.timer)), next);
                }
            }
        }
    }

    #[test]
    fn the_first_and_the_last_time_that_there_is_are_times() {
        let mut queue = TimerQueue::default();
        [i64::MAX, i64::MIN, 0, i64::MAX - 1].into_iter().for_each(|time| queue.push(time, b"k", 0));
        let popped: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|next| next.time).collect();
        assert_eq!(popped, [i64::MIN, 0, i64::MAX - 1, i64::MAX]);
    }
}
