//! Timers against a plain model: random records and watermarks, a clock that goes on and is put back, and restores at another parallelism between any two calls.
//! Whatever is set and not deleted fires once, when the time of its key has come to it, a key's in the order of their times; what has fired does not fire again.

use super::*;
use crate::checkpoint::WatermarkFloor;
use crate::element::{BatchBuilder, CheckpointId, NO_TIMESTAMP, range_of};
use crate::operator::{Operator, OperatorContext, OperatorDescriptor, OperatorFactory, Subtask, TimerDescriptor};
use crate::runtime::{Clock, Monotonic, Simulator};
use crate::state::MemoryBackendFactory;
use crate::task::SubtaskPlace;
use crate::task::testing::Captured;
use crate::time::WatermarkFloors;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use std::collections::{BTreeSet, btree_map::Entry};
use std::sync::Mutex;
use std::time::Duration;

const GROUPS: u32 = 8;

/// Timers 0 and 1 are of event time, and 2 and 3 of the clock.
const TIMERS: u32 = 4;

/// A timer: key, time, which.
type Timer = (String, i64, u32);

fn is_by_clock(timer: u32) -> bool {
    timer >= 2
}

/// What has fired, with the watermark and the processing time that the call said.
type Fired = Arc<Mutex<Vec<(Timer, [i64; 2])>>>;

/// A clock that is moved by hand.
#[derive(Default)]
struct HandClock {
    /// Passed, ms.
    now: Mutex<i64>,
    /// What the machine says besides.
    wall_offset: Mutex<i64>,
}

impl Clock for HandClock {
    fn now(&self) -> Monotonic {
        Duration::from_millis(*self.now.lock().unwrap() as u64)
    }

    fn wall_ms(&self) -> i64 {
        *self.now.lock().unwrap() + *self.wall_offset.lock().unwrap()
    }

    fn sleep_until(&self, _deadline: Monotonic) -> BoxFuture<'static, ()> {
        pending().boxed()
    }
}

/// Sets and deletes the timers that records name ("+5 0": timer 0 at 5), and some when others fire.
struct Alarms(OperatorDescriptor, Fired);

struct Alarm(Fired);

impl OperatorFactory for Alarms {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Alarm(self.1.clone())))
    }
}

/// What a timer that fires sets in its turn, now and then one by another time; now and then it is due at once.
fn sets(time: i64, timer: u32) -> Option<(i64, u32)> {
    let sets = if time % 5 == 0 { 3 - timer } else { timer + 1 };
    (matches!(timer, 0 | 2) && time % 3 == 0).then_some((time + time.rem_euclid(7) - 2, sets))
}

impl Operator for Alarm {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        state.select(batch, 0..batch.len()).expect("each has a key");
        for record in 0..batch.len() {
            let key = state.key_of()[record] as usize;
            let text = String::from_utf8_lossy(batch.values().get(record)).into_owned();
            let (time, timer) = text[1..].split_once(' ').expect("two numbers");
            let (time, timer) = (time.parse().unwrap(), timer.parse().unwrap());
            match &text[..1] {
                "+" => state.set_timer(key, timer, time)?,
                _ => _ = state.delete_timer(key, timer, time)?,
            }
        }
        Ok(())
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("the call brings keys");
        state.select(fired, 0..fired.len()).expect("each has a key");
        for place in 0..fired.len() {
            let (time, timer) = (fired.due()[place], fired.timers()[place]);
            let key = String::from_utf8_lossy(fired.keys().get(place)).into_owned();
            self.0.lock().unwrap().push(((key, time, timer), [context.watermark, context.processing_time]));
            if let Some((time, timer)) = sets(time, timer) {
                let key = state.key_of()[place] as usize;
                state.set_timer(key, timer as usize, time)?;
            }
        }
        Ok(())
    }
}

/// Some subtasks of the operator, and what should be true of them.
struct Run {
    dice: Simulator,
    subtasks: Vec<OperatorSubtask>,
    fired: Fired,
    /// What is set.
    set: BTreeSet<Timer>,
    /// By group how far its event time has come.
    times: Vec<i64>,
    clock: Arc<HandClock>,
    /// The clock as it was at the restore, by what was told before: it goes on from there.
    restored_clock: Option<(i64, Monotonic)>,
    /// The largest time of the clock that was told.
    told: Option<i64>,
    /// By key, and whether it is by the clock, the time of what fired last, until something earlier is set.
    last: BTreeMap<(String, bool), i64>,
}

fn group_of(key: &str) -> u32 {
    key_group_of(key_hash(key.as_bytes()), GROUPS)
}

impl Run {
    fn new(seed: u64) -> Self {
        let dice = Simulator::new(seed);
        let mut run = Self {
            dice,
            subtasks: Vec::new(),
            fired: Fired::default(),
            set: BTreeSet::new(),
            times: vec![NO_TIMESTAMP; GROUPS as usize],
            clock: Arc::default(),
            restored_clock: None,
            told: None,
            last: BTreeMap::new(),
        };
        run.subtasks = run.deployed(1);
        run
    }

    fn deployed(&self, parallelism: u32) -> Vec<OperatorSubtask> {
        let timer = |name: &str, event_time| TimerDescriptor { name: name.into(), event_time };
        let timers = ["a", "b", "c", "d"].into_iter().zip(0..TIMERS).map(|(name, number)| timer(name, !is_by_clock(number))).collect();
        let descriptor = OperatorDescriptor { timers, ..OperatorDescriptor::default() };
        let of = |index| {
            let place = SubtaskPlace {
                subtask: Subtask { vertex: "alarm".into(), index, parallelism },
                factory: Arc::new(Alarms(descriptor.clone(), self.fired.clone())),
                schemas: vec![None],
                broadcast_inputs: BTreeSet::new(),
                window: None,
                key_groups: Some(range_of(index, parallelism, GROUPS)),
                max_parallelism: GROUPS,
            };
            OperatorSubtask::new(place, &MemoryBackendFactory::new(1), Arc::default(), self.clock.clone()).unwrap()
        };
        (0..parallelism).map(of).collect()
    }

    /// The clock as a subtask is told it that was told of nothing later since the restore.
    fn processing_time(&self) -> i64 {
        let goes_on = self.restored_clock.map(|(at, since)| at + (self.clock.now() - since).as_millis() as i64);
        self.clock.wall_ms().max(goes_on.unwrap_or(i64::MIN))
    }

    /// A restore at another parallelism from a checkpoint of what is now, on a machine whose clock may be another.
    fn restart(&mut self) {
        let captured = Captured::of(&mut self.subtasks);
        // A checkpoint has the clock of its barrier.
        self.told = self.told.max(Some(self.processing_time()));
        *self.clock.wall_offset.lock().unwrap() = self.dice.draw(30) as i64 - 15;
        self.restored_clock = self.told.map(|told| (told, self.clock.now()));
        self.subtasks = self.deployed(1 + self.dice.draw(3) as u32);
        self.subtasks.iter_mut().for_each(|subtask| captured.restore(subtask, |state| state.queue_restored_timers().unwrap()));
    }

    fn records(&mut self) {
        let subtask = self.dice.draw(self.subtasks.len() as u64) as usize;
        let range = self.subtasks[subtask].place.key_groups.unwrap();
        let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).filter(|key| range.contains(group_of(key))).collect();
        let mut builder = BatchBuilder::new();
        for _ in 0..self.dice.draw(4) {
            let key = &keys[self.dice.draw(keys.len() as u64) as usize];
            let (time, timer) = (self.dice.draw(60) as i64, self.dice.draw(u64::from(TIMERS)) as u32);
            let timer_of_key = (key.clone(), time, timer);
            let sign = if self.dice.draw(4) == 0 { '-' } else { '+' };
            builder.push(Some(key.as_bytes()), format!("{sign}{time} {timer}").as_bytes(), None);
            if sign == '+' {
                self.has_set(timer_of_key);
            } else {
                self.set.remove(&timer_of_key);
            }
        }
        let batch = Arc::new(builder.finish());
        // That tells the clock, also where there is no record.
        self.told = self.told.max(Some(self.processing_time()));
        for call in self.subtasks[subtask].calls_of(0, true, batch) {
            self.check_time(&call);
            self.subtasks[subtask].call(&call).now_or_never().expect("nothing waits").unwrap();
        }
    }

    fn has_set(&mut self, timer: Timer) {
        let (key, time, number) = timer.clone();
        self.set.insert(timer);
        self.last.entry((key, is_by_clock(number))).and_modify(|last| *last = time.min(*last) - 1);
    }

    /// A call is of keys whose time is what it says.
    fn check_time(&self, call: &OperatorCall) {
        assert_eq!(call.processing_time, self.processing_time());
        for key in call.keys().expect("it is of keys").iter() {
            let key = String::from_utf8_lossy(key.expect("it has one")).into_owned();
            assert_eq!(call.watermark, self.times[group_of(&key) as usize], "the time of {key}");
        }
    }

    fn clock(&mut self) {
        *self.clock.now.lock().unwrap() += self.dice.draw(12) as i64;
    }

    fn watermark(&mut self) {
        let subtask = self.dice.draw(self.subtasks.len() as u64) as usize;
        let watermark = self.subtasks[subtask].watermark.max(self.dice.draw(70) as i64);
        self.subtasks[subtask].set_watermark(watermark);
        let range = self.subtasks[subtask].place.key_groups.unwrap();
        for group in range.start..range.end {
            let time = &mut self.times[group as usize];
            *time = watermark.max(*time);
        }
    }

    /// Fires once, where something is due.
    fn fire(&mut self) -> bool {
        let Some(subtask) = (0..self.subtasks.len()).find(|&place| self.subtasks[place].is_due()) else { return false };
        self.subtasks[subtask].fire().now_or_never().expect("nothing waits").unwrap();
        let fired = std::mem::take(&mut *self.fired.lock().unwrap());
        let mut of_call: BTreeMap<String, i64> = BTreeMap::new();
        // A call tells the clock, also where all its timers have been deleted.
        let now = self.processing_time();
        self.told = self.told.max(Some(now));
        for ((key, time, timer), [watermark, processing_time]) in fired.clone() {
            assert_eq!([watermark, processing_time], [self.times[group_of(&key) as usize], now], "the time of {key}");
            let has_come = if is_by_clock(timer) { processing_time } else { watermark };
            assert!(time <= has_come, "{key} fires at {has_come} what is due at {time}");
            assert!(self.set.remove(&(key.clone(), time, timer)), "{key} fires what is not set: timer {timer} at {time}");
            match of_call.entry(key.clone()) {
                Entry::Occupied(other) => assert_eq!(*other.get(), time, "a call is of one time of {key}"),
                Entry::Vacant(first) => _ = first.insert(time),
            }
            let last = self.last.insert((key.clone(), is_by_clock(timer)), time);
            assert!(last.is_none_or(|last| last <= time), "{key} fires {time} behind {last:?}");
        }
        // A call's timers have fired, all of them, when one of them sets another.
        for ((key, time, timer), _) in fired {
            if let Some((time, timer)) = sets(time, timer) {
                self.has_set((key, time, timer));
            }
        }
        true
    }

    /// Nothing is due: all that is left is ahead of the time of its key.
    fn check_left(&self) {
        for (key, time, timer) in &self.set {
            let now = if is_by_clock(*timer) { self.processing_time() } else { self.times[group_of(key) as usize] };
            assert!(*time > now, "timer {timer} of {key} is due at {time}, and {now} has come");
        }
    }
}

#[test]
fn whatever_is_set_fires_once_in_order_and_when_its_time_has_come() {
    for seed in 0..400 {
        let mut run = Run::new(seed);
        for _ in 0..60 {
            match run.dice.draw(9) {
                0 => run.restart(),
                1 | 2 => run.watermark(),
                8 => run.clock(),
                3..=5 => {
                    // What is due fires in front of what comes next.
                    while run.fire() {
                        // A barrier may pass, and the attempt end, between two calls.
                        if run.dice.draw(10) == 0 {
                            run.restart();
                        }
                    }
                    run.check_left();
                    run.records();
                }
                _ => _ = run.fire(),
            }
        }
        while run.fire() {}
        run.check_left();
    }
}

#[test]
fn timers_ahead_of_their_groups_time_are_not_looked_at_again_with_every_watermark() {
    let mut run = Run::new(1);
    let subtask = &mut run.subtasks[0];
    // Half of the groups have come to 100 before a restore.
    let ahead = WatermarkFloor { from: 0, to: GROUPS / 2, watermark: 100 };
    subtask.floors = WatermarkFloors::restored([ahead].into_iter(), subtask.place.key_groups);
    let keys: Vec<String> = (0..).map(|number| format!("k{number}")).filter(|key| group_of(key) >= GROUPS / 2).take(3 * HELD_MAX).collect();
    let mut builder = BatchBuilder::new();
    keys.iter().for_each(|key| builder.push(Some(key.as_bytes()), b"+50 1", None));
    for call in subtask.calls_of(0, true, Arc::new(builder.finish())) {
        subtask.call(&call).now_or_never().unwrap().unwrap();
    }
    let steps = |subtask: &mut OperatorSubtask, watermark: i64| {
        subtask.set_watermark(watermark);
        let mut steps = 0;
        while subtask.is_due() {
            subtask.fire().now_or_never().unwrap().unwrap();
            steps += 1;
        }
        (steps, std::mem::take(&mut *run.fired.lock().unwrap()).len())
    };
    let (held_in, fired) = steps(subtask, 10);
    assert!(held_in > 2 && fired == 0, "a step is {HELD_MAX} of them at most: {held_in} steps");
    assert_eq!(steps(subtask, 49), (0, 0));
    let (back_in, fired) = steps(subtask, 50);
    assert_eq!(fired, keys.len());
    assert!(back_in > 2 + keys.len() / 1_024, "they come back in pieces, too: {back_in} steps");
}

#[test]
fn at_the_end_of_time_all_that_is_set_fires_and_what_that_sets_stays() {
    let mut run = Run::new(3);
    let mut builder = BatchBuilder::new();
    // The one at 9 sets another at 9, and that at 12 one at 15.
    ["+9 0", "+12 0", "+40 1"].iter().for_each(|text| builder.push(Some(b"k"), text.as_bytes(), None));
    for call in run.subtasks[0].calls_of(0, true, Arc::new(builder.finish())) {
        run.subtasks[0].call(&call).now_or_never().unwrap().unwrap();
    }
    let subtask = &mut run.subtasks[0];
    subtask.set_watermark(5);
    // Which is next is not known until it has been asked for.
    while subtask.is_due() {
        let emitted = subtask.fire().now_or_never().unwrap().unwrap();
        assert!(emitted.is_none_or(|emitted| emitted.is_empty()));
    }
    assert_eq!(*run.fired.lock().unwrap(), []);
    subtask.set_watermark(END_OF_TIME.0);
    while subtask.is_due() {
        subtask.fire().now_or_never().unwrap().unwrap();
    }
    let fired: Vec<_> = std::mem::take(&mut *run.fired.lock().unwrap()).into_iter().map(|((_, time, timer), _)| (time, timer)).collect();
    assert_eq!(fired, [(9, 0), (12, 0), (40, 1)]);
    let capture = run.subtasks[0].capture(CheckpointId(1), None, None).unwrap();
    assert_eq!(capture.floors, [WatermarkFloor { from: 0, to: GROUPS, watermark: 5 }], "the end of time is no floor");
    assert_eq!(capture.keyed.map(|keyed| keyed.keys()), Some(1), "what they set is in the checkpoint");
}

#[test]
fn a_key_whose_timers_are_due_when_they_are_set_again_and_again_is_a_fault_that_names_it() {
    let mut run = Run::new(3);
    let subtask = &mut run.subtasks[0];
    subtask.set_watermark(5);
    let mut failed = None;
    for firing in 0..OVERDUE_MAX + 3 {
        let state = subtask.state.as_deref_mut().unwrap();
        let mut builder = BatchBuilder::new();
        builder.push(Some(b"k"), b"", None);
        let batch = builder.finish();
        state.select(&batch, 0..1).unwrap();
        // The next one is set before this one fires: something is always due.
        state.set_timer(0, 1, i64::from(firing % 5)).unwrap();
        state.set_timer(0, 1, i64::from((firing + 1) % 5)).unwrap();
        if let Err(error) = subtask.fire().now_or_never().unwrap() {
            failed = Some(error.to_string());
            break;
        }
        assert!(subtask.is_due());
    }
    let failed = failed.expect("it comes to an end");
    assert!(failed.starts_with("alarm: more than 10000 timers of the key k were due when they were set"), "{failed}");
}
