//! What waits of many checkpoints is published together, in its order, and its error says of which ones it is.

use super::staged;
use std::time::Duration;
use weir_tests::simulation::{OutboxProcess, OutboxWorld, Until};

/// A publisher is handed the output of 64 checkpoints at once at most.
const AT_ONCE: usize = 64;

#[test]
fn what_waits_of_more_checkpoints_than_are_published_at_once_comes_once_and_in_order() {
    for chunk_records in [7, 1_000, 1_000_000] {
        let mut world = OutboxWorld::new(30, 10_000);
        world.chunk_records = chunk_records;
        world.run(&OutboxProcess { until: Until::Killed(2), ..OutboxProcess::default() });
        world.target.set_down(true);
        let end = world.run(&OutboxProcess { until: Until::Killed(2 * AT_ONCE as u64 + 10), ..OutboxProcess::default() });
        assert!(end.shown[0].unpublished.len() > 2 * AT_ONCE, "{} checkpoints wait", end.shown[0].unpublished.len());
        let before = world.published().len();
        world.target.set_down(false);
        // What is published of it by a process that is killed soon is left out by the next one.
        let end = world.run(&OutboxProcess { until: Until::Killed(1), ..OutboxProcess::default() });
        assert!(world.published().len() > before && end.outcome.is_none(), "{end:?}");
        assert!(world.run(&OutboxProcess::default()).is_finished() && world.is_complete(), "chunks of {chunk_records}");
    }
}

#[test]
fn the_error_of_a_chunk_names_all_the_checkpoints_that_it_reaches_over() {
    for (chunk_records, spans) in [(1_000_000, true), (1, false)] {
        let mut world = staged(31, 4);
        world.chunk_records = chunk_records;
        world.target.set_down(false);
        world.target.set_full(true);
        let end = world.run(&OutboxProcess { until: Until::KilledAfter(Duration::from_millis(200)), ..OutboxProcess::default() });
        let message = end.shown[0].last_error.clone().expect("it is shown").message;
        let waiting: Vec<_> = end.shown[0].unpublished.iter().collect();
        let first = waiting[0];
        let expect = if spans { format!("out: publish checkpoints {first} to ") } else { format!("out: publish checkpoint {first}: ") };
        assert!(message.contains(&expect) && message.contains("it is full"), "{message}");
        world.target.set_full(false);
        assert!(world.run(&OutboxProcess::default()).is_finished() && world.is_complete());
    }
}
