//! Timers in the order of their times, for one subtask: which key is next. What is true of a key's timers is in its state; the queue may name timers that
//! were deleted since, or one twice, and whoever takes one out looks it up. So nothing is ever searched for in here.
//!
//! Timers that are far off lie packed, by stretches of time, unordered, and take some thirty bytes each with their keys. The stretch that is next is dealt out to
//! shorter ones until few are left in each, and a piece of work is bounded: however many timers are due at once, nobody waits long for the next.

use super::small_bytes::SmallBytes;
use super::varint::{put_bytes, put_number, take_bytes, take_number};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// A stretch is 2^14 ms, some 16 seconds.
const STRETCH_BITS: u32 = 14;
/// One that is dealt out becomes 2^7 shorter ones.
const DEALT_BITS: u32 = 7;
/// Packed timers of so many bytes are ordered at once.
const SMALL_BYTES: usize = 64 << 10;
/// So many timers are looked at in one piece of work.
const PIECE: usize = 4_096;

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

    /// The first of `packed`, whose times count from `start`.
    fn unpack(packed: &mut &[u8], start: i64) -> Self {
        let mut number = || take_number(packed).expect("it was packed here");
        let (behind, timer) = (number(), number());
        let key = TimerKey::new(take_bytes(packed).expect("it was packed here"));
        Self { time: start.wrapping_add(behind as i64), key, timer: timer as u32 }
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

/// Packed timers, whose times count from the beginning of their stretch.
#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    /// Those in front of it have been looked at.
    from: usize,
}

impl Packed {
    fn push(&mut self, behind: i64, key: &[u8], timer: u32) {
        put_number(&mut self.bytes, behind as u64);
        put_number(&mut self.bytes, u64::from(timer));
        put_bytes(&mut self.bytes, key);
    }

    fn is_empty(&self) -> bool {
        self.from == self.bytes.len()
    }

    /// Takes the next one out.
    fn take(&mut self, start: i64) -> Option<QueuedTimer> {
        let mut rest = &self.bytes[self.from..];
        let left = rest.len();
        (left > 0).then(|| {
            let timer = QueuedTimer::unpack(&mut rest, start);
            self.from += left - rest.len();
            timer
        })
    }
}

/// A stretch that is being worked off: dealt out to shorter ones, first to last.
struct Open {
    /// What has not been dealt out.
    rest: Packed,
    /// Where it begins.
    start: i64,
    /// How long a shorter one is: 2 to the power of this, in ms.
    bits: u32,
    /// Those that are left, the first of which begins at `at`.
    shorter: VecDeque<Packed>,
    at: i64,
}

impl Open {
    fn new(rest: Packed, start: i64, bits: u32) -> Self {
        let bits = bits - DEALT_BITS;
        Self { rest, start, bits, shorter: (0..1 << DEALT_BITS).map(|_| Packed::default()).collect(), at: start }
    }

    fn deal(&mut self) {
        for _ in 0..PIECE {
            let Some(timer) = self.rest.take(self.start) else { break };
            let behind = timer.time.wrapping_sub(self.start);
            let place = behind >> self.bits;
            self.shorter[place as usize].push(behind - (place << self.bits), timer.key(), timer.timer);
        }
        if self.rest.is_empty() {
            self.rest = Packed::default();
        }
    }

    /// The next shorter one that has timers, with its beginning.
    fn next(&mut self) -> Option<(Packed, i64)> {
        loop {
            let packed = self.shorter.pop_front()?;
            let at = self.at;
            self.at = at.saturating_add(1 << self.bits);
            if !packed.is_empty() {
                return Some((packed, at));
            }
        }
    }

    /// What is left of the one that was next.
    fn put_back(&mut self, packed: Packed, at: i64) {
        self.shorter.push_front(packed);
        self.at = at;
    }
}

/// Where the next timer is.
#[derive(Clone, Copy)]
enum Place {
    Near,
    Late,
}

/// Timers by time.
#[derive(Default)]
pub(super) struct TimerQueue {
    /// The next of those that were far off, the first one last.
    near: Vec<QueuedTimer>,
    /// Timers that were added in front of `horizon`.
    late: BinaryHeap<Reverse<QueuedTimer>>,
    /// What is being worked off behind `near`; each is a part of the one before.
    open: Vec<Open>,
    /// The end of the stretches that have been opened; `None`: none has.
    horizon: Option<i64>,
    /// The others, by stretch.
    far: BTreeMap<i64, Packed>,
}

impl TimerQueue {
    /// Adds a timer.
    pub fn push(&mut self, time: i64, key: &[u8], timer: u32) {
        if self.horizon.is_some_and(|horizon| time < horizon) {
            return self.late.push(Reverse(QueuedTimer { time, key: TimerKey::new(key), timer }));
        }
        let stretch = time >> STRETCH_BITS;
        self.far.entry(stretch).or_default().push(time.wrapping_sub(stretch << STRETCH_BITS), key, timer);
    }

    /// Before this time none is due; `None`: there is none. It may be earlier than the next one, until that has been asked for.
    pub fn not_before(&self) -> Option<i64> {
        let near = self.near.last().map(|next| next.time).or_else(|| self.unknown_from());
        let late = self.late.peek().map(|Reverse(next)| next.time);
        [near, late].into_iter().flatten().min()
    }

    /// From when on there are timers that are not in `near` and not late.
    fn unknown_from(&self) -> Option<i64> {
        let open = self.open.last().map(|open| if open.rest.is_empty() { open.at } else { open.start });
        open.or_else(|| self.far.first_key_value().map(|(stretch, _)| stretch << STRETCH_BITS))
    }

    /// The next one. `None`: there is none; or it is not known yet, and a piece of the work has been done that makes it known.
    pub fn next(&mut self) -> Option<&QueuedTimer> {
        match self.place()? {
            Place::Near => self.near.last(),
            Place::Late => self.late.peek().map(|Reverse(late)| late),
        }
    }

    /// Takes the next one out.
    pub fn pop(&mut self) -> Option<QueuedTimer> {
        match self.place()? {
            Place::Near => self.near.pop(),
            Place::Late => self.late.pop().map(|Reverse(late)| late),
        }
    }

    fn place(&mut self) -> Option<Place> {
        if self.near.is_empty() {
            self.refill();
        }
        match (self.near.last(), self.late.peek()) {
            (Some(near), Some(Reverse(late))) => Some(if late.time < near.time { Place::Late } else { Place::Near }),
            (Some(_), None) => Some(Place::Near),
            (None, Some(Reverse(late))) => self.unknown_from().is_none_or(|from| late.time <= from).then_some(Place::Late),
            (None, None) => None,
        }
    }

    /// Does a piece of the work that makes the next ones known.
    fn refill(&mut self) {
        loop {
            let Some(open) = self.open.last_mut() else {
                let Some((stretch, packed)) = self.far.pop_first() else { return };
                let start = stretch << STRETCH_BITS;
                self.horizon = Some(start.saturating_add(1 << STRETCH_BITS));
                if self.begin(packed, start, STRETCH_BITS) {
                    return;
                }
                continue;
            };
            if !open.rest.is_empty() {
                return open.deal();
            }
            let bits = open.bits;
            match open.next() {
                None => _ = self.open.pop(),
                Some((packed, at)) => {
                    if self.begin(packed, at, bits) {
                        return;
                    }
                }
            }
        }
    }

    /// Begins with timers whose stretch is this long. False where they are to be dealt out first.
    fn begin(&mut self, mut packed: Packed, start: i64, bits: u32) -> bool {
        if packed.bytes.len() > SMALL_BYTES && bits > 0 {
            self.open.push(Open::new(packed, start, bits));
            return false;
        }
        let most = if bits > 0 { usize::MAX } else { PIECE };
        self.near.extend(std::iter::from_fn(|| packed.take(start)).take(most));
        self.near.reverse();
        if bits > 0 {
            self.near.sort_by_key(|timer| Reverse(timer.time));
        }
        if let Some(open) = self.open.last_mut().filter(|_| !packed.is_empty()) {
            open.put_back(packed, start);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The next one, whatever work that takes.
    fn next(queue: &mut TimerQueue) -> Option<i64> {
        loop {
            let not_before = queue.not_before();
            match queue.next() {
                Some(next) => {
                    assert!(not_before.is_some_and(|not_before| not_before <= next.time));
                    return Some(next.time);
                }
                None if not_before.is_none() => return None,
                None => {}
            }
        }
    }

    fn check(seed: u64, steps: usize, spread: i64) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut queue, mut model) = (TimerQueue::default(), BTreeMap::<i64, Vec<(Vec<u8>, u32)>>::new());
        for _ in 0..steps {
            if rng.u32(0..5) < 3 {
                let (time, key, timer) = (rng.i64(-spread..spread), vec![b'k'; rng.usize(0..40)], rng.u32(0..3));
                queue.push(time, &key, timer);
                model.entry(time).or_default().push((key, timer));
            } else {
                assert_eq!(next(&mut queue), model.first_key_value().map(|(time, _)| *time));
                let Some(mut first) = model.first_entry() else { continue };
                let popped = queue.pop().expect("it has just been seen");
                let place = first.get().iter().position(|(key, timer)| (&key[..], *timer) == (popped.key(), popped.timer));
                first.get_mut().remove(place.expect("it was added"));
                if first.get().is_empty() {
                    first.remove();
                }
            }
        }
        while let Some(time) = next(&mut queue) {
            let mut first = model.first_entry().expect("there are as many");
            assert_eq!((queue.pop().map(|popped| popped.time), *first.key()), (Some(time), time));
            first.get_mut().pop();
            if first.get().is_empty() {
                first.remove();
            }
        }
        assert!(model.is_empty());
    }

    #[test]
    fn timers_come_in_the_order_of_their_times_whenever_they_were_added() {
        for seed in 0..200 {
            check(seed, 400, [10, 100_000, 1 << 40][seed as usize % 3]);
        }
    }

    #[test]
    fn many_timers_of_few_times_come_in_order_too() {
        check(1, 60_000, 1);
        check(2, 60_000, 300);
        check(3, 60_000, 20_000);
    }

    #[test]
    fn the_first_and_the_last_time_that_there_is_are_times() {
        let mut queue = TimerQueue::default();
        [i64::MAX, i64::MIN, 0, i64::MAX - 1].into_iter().for_each(|time| queue.push(time, b"k", 0));
        for time in [i64::MIN, 0, i64::MAX - 1, i64::MAX] {
            assert_eq!((next(&mut queue), queue.pop().map(|popped| popped.time)), (Some(time), Some(time)));
        }
        assert_eq!(next(&mut queue), None);
    }
}
