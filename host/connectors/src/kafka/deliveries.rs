//! What has been handed to librdkafka and is not acknowledged yet, barrier by barrier: when there is room for more, and when all in front of a barrier is written.

use super::refusals::Weight;
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use weir_engine::EngineError;

/// A writer is given nothing more while so many messages are not acknowledged. What it is given by then it takes.
const MESSAGES_MAX: usize = 100_000;
/// The same of their bytes.
const BYTES_MAX: usize = 64 << 20;

/// Of one writer.
#[derive(Default)]
pub(super) struct Deliveries {
    /// How many messages are not acknowledged, by the number of barriers that came in front of them.
    left: BTreeMap<usize, usize>,
    messages: usize,
    bytes: usize,
    /// What has gone wrong, how much that says of why, and how likely the message is at fault that it went wrong with.
    failed: Option<((Weight, u64), EngineError)>,
    /// It may be told.
    is_told: bool,
    /// Something is handed over that has not been sent yet: nobody knows whether its topic is there.
    is_parked: bool,
    /// How many messages there have been.
    total: u64,
    /// Whoever waits.
    wakers: Vec<Waker>,
}

impl Deliveries {
    /// A message of so many bytes is handed over, behind so many barriers.
    pub(super) fn hand_over(&mut self, barriers: usize, bytes: usize) {
        *self.left.entry(barriers).or_default() += 1;
        self.messages += 1;
        self.bytes += bytes;
        self.total += 1;
    }

    /// How many messages have been handed over altogether.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether something is handed over that has not been sent yet. Nothing more is taken until it has been.
    pub(super) fn park(&mut self, is_parked: bool) {
        self.is_parked = is_parked;
        if !is_parked {
            self.wake();
        }
    }

    /// Such a message is not waited for any more: it is written, or will never be.
    pub(super) fn settle(&mut self, barriers: usize, bytes: usize) {
        let left = self.left.get_mut(&barriers).expect("it was handed over");
        *left -= 1;
        let is_last = *left == 0;
        let had_room = self.has_room();
        self.messages -= 1;
        self.bytes -= bytes;
        if is_last {
            self.left.remove(&barriers);
        }
        if is_last || !had_room && self.has_room() {
            self.wake();
        }
    }

    /// Nothing more comes of it. Of several errors the one with the most weight counts, and of those the one whose message is the likeliest to be at fault: of messages that are refused
    /// together one after the other is heard. So nobody is told before `tell`.
    pub(super) fn fail(&mut self, weight_and_suspicion: (Weight, u64), error: impl FnOnce() -> EngineError) {
        if self.failed.as_ref().is_none_or(|(other, _)| weight_and_suspicion > *other) {
            self.failed = Some((weight_and_suspicion, error()));
        }
    }

    /// All has been heard that there was to hear: whoever waits is told what has gone wrong, if anything has.
    pub(super) fn tell(&mut self) {
        if self.failed.is_some() && !self.is_told {
            self.is_told = true;
            self.wake();
        }
    }

    /// What has gone wrong.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        self.failed.as_ref().filter(|_| self.is_told).map_or(Ok(()), |(_, error)| Err(error.clone()))
    }

    /// Ready where more may be handed over, also where that will say what has gone wrong.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.has_room() || self.is_told {
            true => Poll::Ready(()),
            false => self.wait(cx),
        }
    }

    /// Ready when all is written that came behind at most so many barriers.
    pub(super) fn poll_written(&mut self, barriers: usize, cx: &mut Context<'_>) -> Poll<Result<(), EngineError>> {
        if let Err(error) = self.check() {
            return Poll::Ready(Err(error));
        }
        match self.left.range(..=barriers).next() {
            None if self.failed.is_none() => Poll::Ready(Ok(())),
            _ => self.wait(cx),
        }
    }

    fn has_room(&self) -> bool {
        !self.is_parked && self.messages < MESSAGES_MAX && self.bytes < BYTES_MAX
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::ErrorKind;

    fn written(deliveries: &mut Deliveries, barriers: usize) -> bool {
        deliveries.poll_written(barriers, &mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_barrier_waits_for_what_came_in_front_of_it_and_for_nothing_behind() {
        let mut deliveries = Deliveries::default();
        deliveries.hand_over(0, 1);
        deliveries.hand_over(1, 1);
        deliveries.hand_over(2, 1);
        deliveries.settle(1, 1);
        assert!(!written(&mut deliveries, 0) && !written(&mut deliveries, 1), "the first one is not written");
        deliveries.settle(0, 1);
        assert!(written(&mut deliveries, 0) && written(&mut deliveries, 1) && !written(&mut deliveries, 2));
    }

    #[test]
    fn there_is_room_up_to_a_number_of_messages_and_of_bytes() {
        for (messages, bytes) in [(MESSAGES_MAX, 1), (1, BYTES_MAX)] {
            let mut deliveries = Deliveries::default();
            let room = |deliveries: &mut Deliveries| deliveries.poll_room(&mut Context::from_waker(Waker::noop())).is_ready();
            (0..messages).for_each(|_| {
                assert!(room(&mut deliveries));
                deliveries.hand_over(0, bytes);
            });
            assert!(!room(&mut deliveries));
            deliveries.settle(0, bytes);
            assert!(room(&mut deliveries));
        }
    }

    #[test]
    fn there_is_no_room_while_something_is_parked() {
        let mut deliveries = Deliveries::default();
        let room = |deliveries: &mut Deliveries| deliveries.poll_room(&mut Context::from_waker(Waker::noop())).is_ready();
        deliveries.park(true);
        assert!(!room(&mut deliveries));
        deliveries.park(false);
        assert!(room(&mut deliveries));
    }

    #[test]
    fn what_goes_wrong_is_told_to_whoever_waits() {
        let mut deliveries = Deliveries::default();
        deliveries.hand_over(0, BYTES_MAX);
        let fail = |deliveries: &mut Deliveries, weight, bytes, said: &str| {
            deliveries.fail((weight, bytes), || EngineError::new(ErrorKind::FixInput, said));
        };
        fail(&mut deliveries, Weight::AtFault, 1, "small");
        deliveries.settle(0, BYTES_MAX);
        assert!(deliveries.check().is_ok() && !written(&mut deliveries, 0), "a larger one may be at fault, and it is not written");
        fail(&mut deliveries, Weight::AtFault, 9, "large");
        fail(&mut deliveries, Weight::AtFault, 9, "another");
        fail(&mut deliveries, Weight::Beside, 99, "a consequence");
        deliveries.tell();
        assert!(deliveries.poll_room(&mut Context::from_waker(Waker::noop())).is_ready() && written(&mut deliveries, 0));
        assert_eq!(deliveries.check().unwrap_err().to_string(), "large");
    }
}
