//! When a source subtask tells how far its time is.

use super::*;
use crate::error::EngineError;
use crate::runtime::{SimulationEnd, Simulator};
use crate::source::ReadStatus;
use std::collections::VecDeque;
use std::task::Waker;

/// A reader of one split that is never finished; it is caught up where that is said.
struct Reader {
    is_caught_up: bool,
}

impl SourceReader for Reader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, _max: usize, _out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        Poll::Pending
    }

    fn splits(&self) -> Vec<SplitState> {
        vec![SplitState::unread("s".into(), serde_json::Value::Null)]
    }

    fn is_idle(&self, _split: usize) -> bool {
        self.is_caught_up
    }
}

struct Bench {
    simulator: Simulator,
    subtasks: Vec<SourceTime>,
    readers: Vec<Reader>,
    /// By subtask what it has told while time passed and it waited; `None`: it does not wait.
    waits: Vec<Option<VecDeque<Progress>>>,
}

const IDLE_AFTER: Duration = Duration::from_secs(1);

impl Bench {
    fn with(subtasks: u32, settings: WatermarkSettings) -> Self {
        let (simulator, shared) = (Simulator::new(1), SourceClock::new(settings, subtasks));
        let clock = simulator.runtime().clock;
        let splits = Reader { is_caught_up: false }.splits();
        let of = |subtask| SourceTime::new(&shared, &splits, ("in".into(), subtask), Arc::default(), clock.clone());
        let subtasks = (0..subtasks).map(of).collect::<Vec<_>>();
        let readers = subtasks.iter().map(|_| Reader { is_caught_up: false }).collect();
        let waits = subtasks.iter().map(|_| None).collect();
        Self { simulator, subtasks, readers, waits }
    }

    /// Time passes, and those that wait look now and then.
    fn pass(&mut self, time: Duration) {
        let until = self.simulator.now() + time;
        while self.simulator.now() < until {
            self.stand_still((until - self.simulator.now()).min(IDLE_AFTER / 4));
            for (place, told) in self.waits.iter_mut().enumerate() {
                let Some(told) = told else { continue };
                let poll = self.subtasks[place].poll_waiting(&self.readers[place], &mut Context::from_waker(Waker::noop()));
                told.extend(match poll {
                    Poll::Ready(progress) => Some(progress),
                    Poll::Pending => None,
                });
            }
        }
    }

    /// Time passes, and nobody looks.
    fn stand_still(&self, time: Duration) {
        let until = self.simulator.now() + time;
        assert_eq!(self.simulator.run(Box::pin(self.simulator.clone().sleep_until(until)), 1_000), SimulationEnd::Finished);
    }

    /// A subtask has read a record of this time.
    fn read(&mut self, subtask: usize, timestamp: i64) -> Option<Progress> {
        let mut batch = SplitBatch::new();
        batch.of(0).push(None, b"x", Some(timestamp));
        self.subtasks[subtask].on_read(&batch);
        (self.readers[subtask].is_caught_up, self.waits[subtask]) = (false, None);
        self.subtasks[subtask].look_behind_records(&self.readers[subtask])
    }

    /// Its reader waits for more.
    fn wait(&mut self, subtask: usize) -> Option<Progress> {
        if let Some(told) = self.waits[subtask].get_or_insert_default().pop_front() {
            return Some(told);
        }
        let reader = &self.readers[subtask];
        match self.subtasks[subtask].poll_waiting(reader, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(progress) => Some(progress),
            Poll::Pending => None,
        }
    }

    /// The same, and it is caught up.
    fn caught_up(&mut self, subtask: usize) -> Option<Progress> {
        self.readers[subtask].is_caught_up = true;
        self.wait(subtask)
    }
}

fn at(watermark: i64) -> Option<Progress> {
    Some(Progress::Watermark(Watermark(watermark)))
}

fn settings(advance_when_idle: bool) -> WatermarkSettings {
    WatermarkSettings { idle_after: Some(IDLE_AFTER), advance_when_idle, ..WatermarkSettings::default() }
}

#[test]
fn where_there_is_work_to_do_nothing_becomes_idle_however_long_the_task_stood_still() {
    let mut bench = Bench::with(1, WatermarkSettings { idle_after: Some(IDLE_AFTER), ..WatermarkSettings::default() });
    assert_eq!(bench.read(0, 5), Some(Progress::Watermark(Watermark(4))));
    bench.readers[0].is_caught_up = true;
    assert_eq!(bench.wait(0), None);
    bench.stand_still(3 * IDLE_AFTER);
    assert_eq!(bench.subtasks[0].look_at_records(), None, "records may have come while it stood still");
    assert_eq!(bench.read(0, 7), Some(Progress::Watermark(Watermark(6))));
    bench.readers[0].is_caught_up = true;
    assert_eq!(bench.wait(0), None, "it has just been read");
    bench.pass(IDLE_AFTER);
    assert_eq!((bench.subtasks[0].look_at_records(), bench.wait(0)), (None, Some(Progress::Idle)));
}

#[test]
fn time_in_which_the_whole_process_stood_still_is_no_idleness_and_what_is_on_its_way_has_time_to_come() {
    let (quarter, ms) = (IDLE_AFTER / 4, Duration::from_millis(1));
    // It would have looked again a quarter later.
    for (looked, left) in [(Duration::ZERO, 3 * quarter), (quarter, 2 * quarter), (IDLE_AFTER - ms, quarter)] {
        let mut bench = Bench::with(1, settings(false));
        assert_eq!([bench.read(0, 5), bench.caught_up(0)], [at(4), None]);
        bench.pass(looked);
        bench.stand_still(9 * IDLE_AFTER);
        assert_eq!(bench.wait(0), None, "what hands records to it stood still as long");
        bench.pass(left - ms);
        assert_eq!(bench.wait(0), None, "{looked:?}");
        bench.pass(ms);
        assert_eq!(bench.wait(0), Some(Progress::Idle), "{looked:?}");
    }
}

#[test]
fn a_task_that_is_woken_late_all_the_time_becomes_idle() {
    let mut bench = Bench::with(1, settings(false));
    assert_eq!([bench.read(0, 5), bench.caught_up(0)], [at(4), None]);
    let waits = |bench: &mut Bench| {
        bench.stand_still(IDLE_AFTER);
        bench.wait(0)
    };
    assert_eq!([waits(&mut bench), waits(&mut bench)], [None, Some(Progress::Idle)], "others keep its thread busy");
}

#[test]
fn the_time_of_a_source_does_not_go_on_by_the_clock_while_the_process_stands_still() {
    let mut bench = Bench::with(2, settings(true));
    assert_eq!([bench.read(0, 100), bench.read(1, 50), bench.caught_up(0), bench.caught_up(1)], [at(99), at(49), None, None]);
    bench.pass(IDLE_AFTER);
    assert_eq!([bench.wait(0), bench.wait(1)], [Some(Progress::Idle), at(49)]);
    bench.pass(IDLE_TICK);
    assert_eq!([bench.wait(0), bench.wait(1)], [at(149), at(149)]);
    assert_eq!([bench.wait(0), bench.wait(1)], [None, None]);
    bench.stand_still(9 * IDLE_AFTER);
    assert_eq!([bench.wait(0), bench.wait(1)], [at(249), at(249)], "until it should have been woken");
}

#[test]
fn a_watermark_is_told_behind_its_records_and_not_with_every_batch() {
    let mut bench = Bench::with(1, settings(false));
    assert_eq!([bench.read(0, 10), bench.read(0, 20), bench.wait(0)], [at(9), None, None]);
    bench.pass(TELL_AGAIN);
    assert_eq!([bench.wait(0), bench.wait(0)], [at(19), None], "what was read last counts although nothing more is read");
    bench.pass(TELL_AGAIN);
    assert_eq!([bench.read(0, 15), bench.read(0, 30)], [None, at(29)], "what is late moves nothing");
}

#[test]
fn a_subtask_whose_splits_are_quiet_says_that_it_is_idle_and_comes_back_with_its_next_record() {
    let mut bench = Bench::with(1, settings(false));
    assert_eq!([bench.read(0, 10), bench.caught_up(0)], [at(9), None]);
    bench.pass(IDLE_AFTER - Duration::from_millis(1));
    assert_eq!(bench.wait(0), None);
    bench.pass(Duration::from_millis(1));
    assert_eq!([bench.wait(0), bench.wait(0)], [Some(Progress::Idle), None]);
    bench.pass(IDLE_AFTER * 9);
    assert_eq!([bench.wait(0), bench.read(0, 10)], [None, at(9)]);
}

#[test]
fn a_reader_that_waits_for_something_else_is_not_idle() {
    let mut bench = Bench::with(1, settings(false));
    assert_eq!(bench.read(0, 10), at(9));
    for _ in 0..3 {
        bench.pass(IDLE_AFTER);
        assert_eq!(bench.wait(0), None);
    }
}

#[test]
fn the_time_of_a_source_goes_on_by_the_clock_only_while_all_of_it_is_idle() {
    let mut bench = Bench::with(2, settings(true));
    assert_eq!([bench.read(0, 100), bench.read(1, 50), bench.caught_up(0)], [at(99), at(49), None]);
    bench.pass(IDLE_AFTER);
    assert_eq!([bench.wait(0), bench.caught_up(1)], [Some(Progress::Idle), None], "the other one reads");
    bench.pass(IDLE_AFTER);
    assert_eq!(bench.wait(1), at(49), "the last one's is the time that those behind have");
    bench.pass(IDLE_TICK);
    assert_eq!([bench.wait(0), bench.wait(1)], [at(149), at(149)]);
    bench.stand_still(IDLE_TICK);
    // A record ends it, and the other one is idle as it was. It is late for what has passed by the clock, and time stays.
    assert_eq!([bench.read(1, 60), bench.wait(0)], [at(149), Some(Progress::Idle)]);
    bench.pass(TELL_AGAIN);
    assert_eq!(bench.read(1, 500), at(499));
}
