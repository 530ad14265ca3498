//! A process that wakes while its successor publishes: whatever of it arrives between two of the successor's steps, nothing is there twice or in another order.

use super::TargetUnderTest;
use super::steps::{Steps, Wrong};
use super::world::{Process, World, idle};
use crate::error::ErrorKind;
use crate::runtime::ConnectorIo;
use futures_util::future::{Either, select};
use std::pin::pin;
use std::sync::atomic::Ordering;

/// From one step that is tried to the next, of the one that sleeps and of its successor.
const STRIDES: (usize, usize) = (3, 4);

/// One falls asleep in front of a step, another takes its place and is interrupted in front of one of its own: every third of the first's, and with each
/// every fourth of the other's.
pub(super) async fn whoever_wakes_in_the_middle_changes_nothing(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let mut sleeps_at = 0;
    loop {
        let (mut wakes_at, mut is_reached) = (0, true);
        while is_reached {
            match one_wakes(under_test, io, sleeps_at, wakes_at).await {
                None => return,
                Some(reached) => is_reached = reached,
            }
            wakes_at += STRIDES.1;
        }
        assert!(wakes_at > 10, "a successor makes more than {wakes_at} steps");
        sleeps_at += STRIDES.0;
    }
}

/// A process sleeps in front of its step `sleeps_at` until its successor has come to its step `wakes_at`, which goes on when the first has ended. False where
/// the successor makes fewer steps; `None` where the first does.
async fn one_wakes(under_test: &dyn TargetUnderTest, io: &ConnectorIo, sleeps_at: usize, wakes_at: usize) -> Option<bool> {
    let world = World::new(under_test, io, format!("wakes-{sleeps_at}-{wakes_at}"));
    let outputs = [world.stage(1, 0, &[5]).await, world.stage(3, 5, &[3, 4]).await, world.stage(4, 12, &[2]).await];
    let steps = [(sleeps_at, Wrong::Sleeps), (wakes_at, Wrong::Sleeps)].map(|wrong| Steps::new(Some(wrong)));
    let first = Process { steps: steps[0].clone(), ..Process::new(1, world.ledger(&outputs), 3) };
    let log = world.begin(1).await;
    let (task, told) = world.publisher(first, log);
    let outbox = task.outbox.clone();
    let mut sleeper = Box::pin(idle(task, &outbox, told));
    if let Either::Left((done, _)) = select(&mut sleeper, pin!(steps[0].reached.notified())).await {
        done.expect("nothing is in its way");
        return None;
    }
    let second = Process { steps: steps[1].clone(), ..Process::new(2, world.ledger(&outputs), 1) };
    let mut successor = Box::pin(world.publish(second));
    let is_reached = match select(&mut successor, pin!(steps[1].reached.notified())).await {
        Either::Left((done, _)) => {
            done.expect("the successor publishes what is left");
            false
        }
        Either::Right(((), _)) => true,
    };
    steps[0].wakes.notify_one();
    if let Err(error) = sleeper.await {
        assert_eq!(error.kind(), ErrorKind::Fenced, "{}: the sleeper ended with {error}", world.name);
    }
    if is_reached {
        steps[1].wakes.notify_one();
        successor.await.expect("the successor publishes what is left");
    }
    world.check("behind both", 0..14).await;
    Some(wakes_at < steps[1].made.load(Ordering::Relaxed))
}
