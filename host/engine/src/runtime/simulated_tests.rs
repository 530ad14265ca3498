//! The executor itself: one seed is one run, and processes and calls end when they should.

use super::*;
use crate::runtime::{TaskGroup, yield_now};
use std::time::Duration;

fn interleaving(seed: u64) -> (Vec<u32>, u64) {
    let simulator = Simulator::new(seed);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let runtime = simulator.runtime();
    let group = TaskGroup::new(runtime.spawn.clone(), Arc::new(|_, _| {}));
    for n in 0..4 {
        let (seen, clock) = (seen.clone(), runtime.clock.clone());
        let work = async move {
            for step in 0..5 {
                yield_now().await;
                clock.sleep_until(Duration::from_millis(10 * step)).await;
                lock(&seen).push(n);
            }
        };
        group.spawn(Lane::Data, "test", work.boxed());
    }
    assert_eq!(simulator.run(async move { group.ended().await }.boxed(), 10_000), SimulationEnd::Finished);
    let order = lock(&seen).clone();
    (order, simulator.trace())
}

#[test]
fn one_seed_gives_one_interleaving_and_another_seed_another() {
    assert_eq!(interleaving(1), interleaving(1));
    assert_ne!(interleaving(1).0, interleaving(2).0);
}

#[test]
fn a_group_ends_when_its_tasks_are_aborted_and_tells_of_panics() {
    let simulator = Simulator::new(3);
    let runtime = simulator.runtime();
    let panics = Arc::new(Mutex::new(Vec::new()));
    let seen = panics.clone();
    let group = TaskGroup::new(runtime.spawn.clone(), Arc::new(move |name, message| lock(&seen).push(format!("{name}: {message}"))));
    group.spawn(Lane::Data, "never", std::future::pending::<()>().boxed());
    group.spawn(Lane::Data, "breaks", async { panic!("on purpose") }.boxed());
    let clock = runtime.clock.clone();
    let watch = async move {
        clock.sleep_until(Duration::from_millis(1)).await;
        group.abort();
        group.ended().await;
    };
    assert_eq!(simulator.run(watch.boxed(), 100), SimulationEnd::Finished);
    assert_eq!(*lock(&panics), ["breaks: on purpose"]);
}

#[test]
fn a_stopped_process_is_not_polled_and_finds_the_time_that_it_is_when_it_goes_on() {
    let simulator = Simulator::new(5);
    let (process, seen) = (simulator.process(1), Arc::new(Mutex::new(Vec::new())));
    let (clock, ticks) = (process.runtime().clock, seen.clone());
    let ticking = async move {
        loop {
            lock(&ticks).push(clock.now());
            clock.sleep_until(clock.now() + Duration::from_millis(10)).await;
        }
    };
    process.runtime().spawn.spawn(Lane::Data, "ticks", ticking.boxed());
    let pass = |ms| {
        let clock = simulator.runtime().clock;
        let until = clock.now() + Duration::from_millis(ms);
        assert_eq!(simulator.run(async move { clock.sleep_until(until).await }.boxed(), 10_000), SimulationEnd::Finished);
    };
    pass(25);
    process.stop();
    pass(100);
    process.go_on();
    pass(11);
    let seen: Vec<_> = lock(&seen).iter().map(|at| at.as_millis()).collect();
    assert_eq!(seen, [0, 10, 20, 125, 135]);
}

#[test]
fn a_task_inside_a_long_call_is_gone_when_the_call_is_over() {
    let simulator = Simulator::new(6);
    let runtime = simulator.runtime();
    let group = TaskGroup::new(runtime.spawn.clone(), Arc::new(|_, _| {}));
    let calls = simulator.clone();
    let work = async move {
        calls.call_takes(Duration::from_secs(60));
        std::future::pending::<()>().await
    };
    group.spawn(Lane::Data, "slow-0", work.boxed());
    group.spawn(Lane::Data, "quick-0", std::future::pending::<()>().boxed());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (clock, running) = (runtime.clock.clone(), seen.clone());
    let watch = async move {
        clock.sleep_until(Duration::from_secs(1)).await;
        group.abort();
        clock.sleep_until(Duration::from_secs(59)).await;
        lock(&running).extend(group.running());
        group.ended().await;
    };
    assert_eq!(simulator.run(watch.boxed(), 100), SimulationEnd::Finished);
    assert_eq!((lock(&seen).clone(), simulator.now()), (vec!["slow-0".to_owned()], Duration::from_secs(60)));
}

#[test]
fn a_deadlock_is_reported() {
    assert_eq!(Simulator::new(4).run(std::future::pending().boxed(), 100), SimulationEnd::Deadlock);
}
