//! The gate's promises, one line each: what goes in by channel, what comes out.

use super::*;
use crate::element::{BatchBuilder, Watermark};
use crate::exchange::Room;
use std::sync::Mutex;
use std::task::Waker;
use std::time::Duration;

/// How long barriers that are aligned for a time are aligned.
pub(crate) const LIMIT: Duration = Duration::from_millis(200);

/// Stands still until it is told.
#[derive(Default)]
pub(super) struct StoppedClock(Mutex<Duration>);

impl StoppedClock {
    pub fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Monotonic {
        *self.0.lock().unwrap()
    }

    fn wall_ms(&self) -> i64 {
        0
    }

    fn sleep_until(&self, _deadline: Monotonic) -> futures_util::future::BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A gate with its senders, its clock, and what it has delivered so far.
pub(super) struct Bench {
    pub gate: InputGate,
    pub senders: Vec<ChannelSender>,
    pub clock: Arc<StoppedClock>,
    pub out: Vec<String>,
}

pub(super) fn channel(number: usize) -> InputChannel {
    InputChannel { node: 0, input: number as u32, keyed: false, edge: number, sender: 0 }
}

fn letter(channel: InputChannel) -> char {
    (b'A' + channel.edge as u8) as char
}

pub(super) fn batch(text: &str) -> Arc<RecordBatch> {
    let mut builder = BatchBuilder::new();
    builder.push(None, text.as_bytes(), None);
    Arc::new(builder.finish())
}

fn text(batch: &RecordBatch) -> String {
    String::from_utf8_lossy(batch.values().get(0)).into_owned()
}

impl Bench {
    pub fn new(channels: usize, at_least_once: bool, budget: u64) -> Self {
        let clock = Arc::new(StoppedClock::default());
        let budget = InFlightBudget::new(budget);
        let settings = GateSettings { at_least_once, budget, ..GateSettings::of_test(clock.clone()) };
        let (gate, senders) = InputGate::new((0..channels).map(channel).collect(), settings);
        Self { gate, senders, clock, out: Vec::new() }
    }

    pub fn send(&self, channel: usize, word: &str) {
        let barrier = |rest: &str, alignment| {
            let checkpoint_id = CheckpointId(if rest.is_empty() { 1 } else { rest.parse().unwrap() });
            StreamElement::Barrier(Barrier { checkpoint_id, alignment })
        };
        let element = match word.split_at(1) {
            ("|", rest) => barrier(rest, BarrierAlignment::Aligned),
            ("?", rest) => barrier(rest, BarrierAlignment::AlignedFor(LIMIT)),
            ("!", rest) => barrier(rest, BarrierAlignment::Unaligned),
            (".", _) => StreamElement::EndOfInput,
            ("w", "idle") => StreamElement::Progress(Progress::Idle),
            ("w", time) => StreamElement::Progress(Progress::Watermark(Watermark(time.parse().unwrap()))),
            _ => StreamElement::Batch(batch(word)),
        };
        assert_eq!(self.senders[channel].send(element), Ok(Room::Left));
    }

    /// Takes all that there is.
    pub fn drain(&mut self, appetite: Appetite) {
        while let Poll::Ready(event) = self.gate.poll_next(appetite, &mut Context::from_waker(Waker::noop())) {
            let end = matches!(event, GateEvent::End);
            self.out.push(describe(event));
            if end {
                return;
            }
        }
    }

    /// The coordinator begins a checkpoint whose barrier overtakes; `?`: is aligned for a time.
    pub(crate) fn announce(&mut self, id: &str) {
        let alignment = if id.starts_with('?') { BarrierAlignment::AlignedFor(LIMIT) } else { BarrierAlignment::Unaligned };
        let checkpoint_id = CheckpointId(id.trim_start_matches('?').parse().unwrap());
        self.gate.announce(Barrier { checkpoint_id, alignment });
    }

    pub(crate) fn step(&mut self, step: &str) {
        let mut appetite = Appetite::Everything;
        let mut channel = 0;
        for word in step.split_whitespace() {
            match word.split_at(1) {
                ("~", "") => appetite = Appetite::Barriers,
                ("t", "") => {
                    self.clock.pass(LIMIT);
                    self.gate.on_time();
                }
                ("^", id) => self.announce(id),
                ("o", id) => self.gate.overtake(CheckpointId(id.parse().unwrap())),
                ("x", id) => {
                    self.gate.abort(CheckpointId(id.parse().unwrap()));
                    self.out.push("x".into());
                }
                ("R", ":") => channel = usize::MAX,
                (letter, ":") => channel = (letter.as_bytes()[0] - b'A') as usize,
                _ if channel == usize::MAX => self.gate.restore([(self::channel(17), batch(word))]),
                _ => self.send(channel, word),
            }
        }
        self.drain(appetite);
    }
}

fn describe(event: GateEvent) -> String {
    match event {
        GateEvent::Batch { batch, .. } => text(&batch),
        GateEvent::Progress(Progress::Watermark(watermark)) => format!("w{}", watermark.0),
        GateEvent::Progress(Progress::Idle) => "widle".into(),
        GateEvent::Barrier(Barrier { checkpoint_id, alignment }) => {
            let sign = match alignment {
                BarrierAlignment::Aligned => "|",
                BarrierAlignment::AlignedFor(_) => "?",
                BarrierAlignment::Unaligned => "!",
            };
            if checkpoint_id.0 == 1 { sign.to_owned() } else { format!("{sign}{checkpoint_id}") }
        }
        GateEvent::InFlight(checkpoint_id, records) => {
            let channel = |records: &crate::exchange::in_flight_records::ChannelRecords| {
                let batches: Vec<_> = records.batches.iter().map(|batch| text(batch)).collect();
                format!("{}:{}", letter(records.from), batches.join(","))
            };
            format!(
                "[{}]",
                [checkpoint_id.to_string()].into_iter().chain(records.channels().iter().map(channel)).collect::<Vec<_>>().join(" ")
            )
        }
        GateEvent::Declined(checkpoint_id, _) => format!("declined{checkpoint_id}"),
        GateEvent::End => ".".into(),
    }
}

/// Plays `input` and compares what comes out. Steps are divided by `/`; in each, elements are sent and then the gate is asked until nothing more
/// comes. `A: r1 | r2  B: r3 |`: letters are channels (`R` what was restored), `|` and `|2` the aligned barriers of checkpoints 1 and 2, `!` one
/// that overtakes, `?` one that is aligned for a time, `.` the end of the input, `w5` a watermark. `t` lets that time pass, `x1` is the
/// coordinator's abort of checkpoint 1, `o1` its word that the barriers of it overtake from now on, `^1` its announcement of one that overtakes, `^?1` of one that is aligned for a time, `~` in a step: the task waits for room downstream. `[1 A:r1,r2]` in the output is what
/// checkpoint 1 has overtaken.
#[track_caller]
fn check_with(at_least_once: bool, budget: u64, input: &str, expect: &str) {
    let letters = input.split_whitespace().filter(|word| word.len() == 2 && word.ends_with(':') && *word != "R:");
    let channels = letters.map(|word| (word.as_bytes()[0] - b'A') as usize + 1).max().unwrap();
    let mut bench = Bench::new(channels, at_least_once, budget);
    input.split('/').for_each(|step| bench.step(step));
    assert_eq!(bench.out.join(" "), expect, "{input}");
}

#[track_caller]
fn check(input: &str, expect: &str) {
    check_with(false, 1 << 20, input, expect);
}

#[track_caller]
fn check_at_least_once(input: &str, expect: &str) {
    check_with(true, 1 << 20, input, expect);
}

#[test]
fn one_channel_is_aligned_at_once() {
    check("A: r1 | r2 |2 r3", "r1 | r2 |2 r3");
}

#[test]
fn no_record_behind_a_barrier_is_delivered_before_the_last_barrier() {
    check("A: r1 | r2   B: r3 |", "r1 r3 | r2");
    check("A: | r1 r2   B: r3 r4 |", "r3 r4 | r1 r2");
    check("A: | a   B: | b   C: c1 c2 |", "c1 c2 | a b");
    check("A: | r1   B: r2", "r2");
}

#[test]
fn second_barrier_from_a_blocked_channel_waits_for_the_first() {
    check("A: | a1 |2 a2   B: b1 | b2 |2 b3", "b1 | a1 b2 |2 a2 b3");
}

#[test]
fn the_end_of_a_channel_counts_as_its_barrier() {
    check("A: r1 .   B: r2 | r3", "r1 r2 | r3");
    check("A: | r1   B: r2 .", "r2 | r1");
    check("A: | r1 .   B: | r2 .", "| r1 r2 .");
    check("A: .   B: .", ".");
    check("A: .   B: | r1 |2 r2 .", "| r1 |2 r2 .");
}

#[test]
fn a_newer_barrier_on_an_open_channel_gives_the_older_alignment_up() {
    check("A: | a |2 a2   B: |2 b", "declined1 a |2 b a2");
    check("A: |2 a   B: | b |2 c", "b |2 a c");
}

#[test]
fn an_aborted_checkpoint_lets_its_channels_go_on() {
    check("A: | a   B: b / x1", "b x a");
    check("A: | a |2 c   B: b |2 d / x1", "b declined1 a |2 d c x");
    check("A: | a   B: b / x2", "b x");
}

#[test]
fn a_late_barrier_of_an_aborted_checkpoint_is_ignored() {
    check("A: B: / x1 / A: | r1", "x r1");
    check("A: | a   B: b / x2 / A: |2 c   B: | d |2 e", "b x | a d c e");
    check("A: B: / x1 / A: ! r1 B: r2", "x r1 r2");
    check("A: B: / x1 x2 x3 / A: | |2 r1 |3 |4 B: r2 |4", "x x x r2 r1 |4");
    check("~ A: a1 | a2 |2   B: / x1 / A:   B: |2", "x a1 a2 |2");
}

#[test]
fn watermarks_pass_as_the_smallest_of_all_channels() {
    check("A: w5 r1   B: w3 w9", "w3 r1 w5");
    check("A: w5 .   B: w3 w9", "w3 w9");
    check("A: w5 widle   B: w3 w9 widle", "w3 w9 widle");
    check("A: w5 widle / B: .", "w5 widle");
}

#[test]
fn an_unaligned_barrier_overtakes_what_waits_in_its_channel() {
    check("A: r1 r2 ! r3", "! [1 A:r1,r2] r1 r2 r3");
    check("A: ! r1", "! [1] r1");
    check("~ A: r1 ! r2 / A: r3", "! [1 A:r1] r1 r2 r3");
    check("A: r1 w4 r2 ! .", "! [1 A:r1,r2] r1 w4 r2 .");
}

#[test]
fn channels_are_recorded_until_their_own_barrier() {
    check("A: a1 ! a2   B: b1 b2 / B: b3 ! b4", "! a1 b1 a2 b2 [1 A:a1 B:b1,b2,b3] b3 b4");
    check("A: a1 ! a2   B: b1 ! b2", "! [1 A:a1 B:b1] a1 b1 a2 b2");
    check("~ A: a1 !   B: b1 / ~ B: b2 ! / A: a2", "! [1 A:a1 B:b1,b2] a1 b1 a2 b2");
    check("~ A: !   B: b1   C: c1 / ~ C: c2 ! / B: b2 !", "! [1 C:c1,c2 B:b1,b2] b1 c1 b2 c2");
}

#[test]
fn the_end_of_a_channel_ends_its_recording() {
    check("~ A: !   B: b1 b2 .", "! [1 B:b1,b2]");
    check("~ A: !   B: b1 / ~ B: b2 . / B:", "! [1 B:b1,b2] b1 b2");
    check("A: a1 . / B: b1 ! b2", "a1 ! [1 B:b1] b1 b2");
    check("A: .   B: b1 !   C: c1 / C: .", "! b1 c1 [1 B:b1 C:c1]");
}

#[test]
fn where_every_channel_has_ended_the_announcement_is_the_barrier() {
    check("~ A: a1 a2 .   B: b1 . / ~ ^1 / A:", "! [1 A:a1,a2 B:b1] a1 b1 a2 .");
    check("~ R: r1 A: a1 . / ~ ^1 / A:", "! [1 R:r1 A:a1] r1 a1 .");
    check("~ A: a1 . / ~ ^1 ^2 / A:", "! [1 A:a1] !2 [2 A:a1] a1 .");
    // One that has delivered everything has nothing in flight.
    check("A: a1 .   B: / ~ B: b1 . / ~ ^1 / A:", "a1 ! [1 B:b1] b1 .");
    // Before the last channel has ended, its barrier may still come.
    check("~ A: a1 .   B: b1 / ~ ^1 / ~ B: b2 . / A:", "! [1 A:a1 B:b1,b2] a1 b1 b2 .");
    check("~ A: a1 .   B: b1 / ~ ^1 / ~ B: b2 ! b3 .", "! [1 B:b1,b2 A:a1]");
    check("~ A: a1 ! .   B: b1 . / ~ ^1 / A:", "! [1 A:a1 B:b1] a1 b1 .");
}

#[test]
fn an_announced_checkpoint_waits_and_is_given_up_like_any_other() {
    check("~ A: a1 . / ~ ^?1 / A:", "a1 .");
    check("~ A: a1 . / ~ ^?1 / ~ t / A:", "! [1 A:a1] a1 .");
    check("~ A: a1 . / ~ ^1 x1 / A:", "x a1 .");
    check("~ A: a1 . / ~ x1 ^1 / A:", "x a1 .");
    check("~ A: a1 | a2 .   B: b1 . / ~ ^2 / A:", "! [1 A:a1 B:b1] !2 [2 A:a1,a2 B:b1] a1 b1 a2 .");
    check("A: | a1 .   B: b1 b2 / ~ ^2 / ~ B: . / A:", "b1 b2 ! !2 [1] [2 A:a1] a1 .");
    check_with(false, 1, "~ A: a1 . / ~ ^1 / A:", "! declined1 a1 .");
    check_at_least_once("~ A: a1 . / ~ ^1 / A:", "a1 .");
}

#[test]
fn a_barrier_that_waits_aligned_is_overtaken_with() {
    // On B the same barrier still waits behind records: what is in front of it is captured.
    check("~ A: a1 !   B: b1 | b2", "! [1 A:a1 B:b1]");
    // A is blocked: nothing of it is in flight.
    check("~ A: | a1   B: b1 / ~ B: b2 ! / A:", "! [1 B:b1,b2] b1 a1 b2");
    check("A: a0 | a1   B: / ~ B: b1 ! / A:", "a0 ! [1 B:b1] b1 a1");
}

#[test]
fn barriers_never_overtake_barriers() {
    check("~ A: a1 | a2 !2 a3", "! [1 A:a1] !2 [2 A:a1,a2]");
    check("~ A: | a1   B: b1 / ~ A: !2   B: b2 | b3", "! !2 [1 B:b1,b2]");
    check("~ A: | a1   B: b1 / ~ A: !2 B: | / ~ B: b2 !2", "! !2 [1 B:b1] [2 A:a1 B:b1,b2]");
}

#[test]
fn several_checkpoints_record_for_themselves() {
    check("~ A: a1 !   B: b1 / ~ A: a2 !2   B: b2 / ~ B: ! b3 / ~ B: !2", "! !2 [1 A:a1 B:b1,b2] [2 A:a1,a2 B:b1,b2,b3]");
}

#[test]
fn a_newer_barrier_gives_up_what_waits_for_an_older_one() {
    check("~ A: !   B: b1 / ~ B: b2 !2 / ~ A: !2", "! declined1 !2 [2 B:b1,b2]");
    check("~ A: | / ~ B: b1 !2 / ~ A: !2", "declined1 !2 [2 B:b1]");
}

#[test]
fn an_aborted_checkpoint_records_no_more() {
    check("~ A: !   B: b1 / ~ x1 B: ! b2 / A: a1", "! x a1 b1 b2");
    check("~ A: ! !2   B: b1 / ~ x1 / ~ B: !2", "! !2 x [2 B:b1]");
}

#[test]
fn an_alignment_that_lasts_too_long_becomes_unaligned() {
    check("A: a1 ? a2   B: b1 / t / B: b2 ? b3", "a1 b1 ! a2 [1 B:b2] b2 b3");
    check("~ A: a1 ? a2 / ~ t", "! [1 A:a1]");
    check("~ A: ?   B: b1 / ~ B: ? / ~ t", "! [1 B:b1]");
    check("A: a1 ?   B: b1 ? / t", "a1 b1 ?");
    check("~ A: a1 ? a2   B: b1 / ~ t / ~ B: b2 ?", "! [1 A:a1 B:b1,b2]");
    check("~ A: a1 ?   B: b1 / x1 / ~ t / A: a2", "x a1 b1 a2");
    check("~ A: a1 ? a2 ?2 / ~ t", "! [1 A:a1] !2 [2 A:a1,a2]");
}

#[test]
fn restored_records_come_first_and_are_recorded_while_they_wait() {
    check("R: r1 r2 A: a1 | a2", "r1 r2 a1 | a2");
    check("~ R: r1 r2 A: a1 ! a2 / A:", "! [1 R:r1,r2 A:a1] r1 r2 a1 a2");
    check("~ R: r1 A: | / A:", "r1 |");
}

#[test]
fn the_newest_checkpoint_is_given_up_where_too_much_is_in_flight() {
    let bytes = batch("a1").byte_len() as u64;
    check_with(false, 2 * bytes, "~ A: a1 a2 ! / A: a3", "! [1 A:a1,a2] a1 a2 a3");
    check_with(false, 2 * bytes, "~ A: a1 a2 a3 ! / A: a4", "! declined1 a1 a2 a3 a4");
    check_with(false, 3 * bytes, "~ A: a1 !   B: b1 / ~ A: a2 !2 / ~ B: ! / ~ B: !2", "! !2 declined2 [1 A:a1 B:b1]");
    check_with(false, 4 * bytes, "A: !   B: b1 / B: b2 b3 b4 b5 / B: !", "! b1 b2 b3 b4 b5 declined1");
}

#[test]
fn at_least_once_holds_no_channel_back() {
    check_at_least_once("A: r1 | r2   B: r3 |", "r1 r3 | r2");
    check_at_least_once("A: | r1 r2   B: r3 r4 |", "r3 r1 r4 r2 |");
    check_at_least_once("A: | a |2 a2   B: b1 b2 | |2", "b1 a b2 | a2 |2");
    check_at_least_once("A: a .   B: b |", "a b |");
    check_at_least_once("A: | |2   B: |2", "declined1 |2");
    check_at_least_once("A: | a   B: b / x1 / B: |", "b a x");
    check_at_least_once("A: a | b |2 c", "a | b |2 c");
}

#[test]
fn at_least_once_takes_no_checkpoint_behind_its_abort() {
    check_at_least_once("A: |2   B: b / x2 / B: |2 |3   A: |3", "b x |3");
    check_at_least_once("A: |2   B: b / x2 / B: |2   A: .", "b x");
    check_at_least_once("A: / x1 / A: | a", "x a");
    check_at_least_once("A: / x1 x2 x3 / A: | a |2 |3 |4", "x x x a |4");
    check_at_least_once("A: |   B: |2 / x1 x2 / A: |2   B: |3 / A: |3", "x x |3");
}

#[test]
fn at_least_once_nothing_overtakes_however_its_barrier_came() {
    check_at_least_once("A: r1 ! r2   B: r3 !", "r1 r3 | r2");
    check_at_least_once("A: r1 ?   B: r3 ? / t", "r1 r3 |");
    check_at_least_once("~ A: r1 | / ~ o1 / A:", "r1 |");
}

#[test]
fn a_barrier_overtakes_once_the_coordinator_says_so() {
    check("~ A: a1 | a2 / ~ o1 / A:", "! [1 A:a1] a1 a2");
    check("~ A: |   B: b1 / ~ o1 / ~ B: b2 |", "! [1 B:b1,b2]");
    // It may be said before the barrier comes,
    check("~ A: a1 / ~ o1 / ~ A: | / A:", "! [1 A:a1] a1");
    // and where the ends of all channels have been sent, the announcement is the barrier.
    check("~ A: a1 . / ~ ^?1 / ~ o1 / A:", "! [1 A:a1] a1 .");
    check("~ A: a1 | a2 / ~ o1 x1 / A:", "x a1 a2");
    check_with(false, 1, "~ A: a1 | / ~ o1 / A:", "! declined1 a1");
}
