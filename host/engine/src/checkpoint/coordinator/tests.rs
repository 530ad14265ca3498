//! The coordinator's rules, one line each.

use super::*;

/// Plays events, one word each, and writes the actions behind each.
///
/// `@500` time passes to 500 ms; `k1.0` task 0 has handled the barrier of checkpoint 1; `a1.0` it acknowledges it; `d1` it is declined, `o1` because too
/// much is in flight; `w` sinks stand still, `W` they go on; `r1` written into the log; `x1` not written; `final`, `check` (requested), `point` (savepoint), `grow` (redeploy) wanted, `stop`, and `vstop` for a savepoint; `qcheck`, `qpoint` and `qgrow` are asked for by somebody who waits.
/// Out: `T1` trigger (`Tf1` final, `Ts1` stop, `Tv1`, `Tc1`, `Tp1`, `Td1`, with a `!` behind it where it overtakes), `R1` record, `C1` complete, `A1` abort, `O1` let it overtake, `F` fail
/// the job, `G` give the stop up, `N` what was asked for is not taken (`Np` …).
pub(crate) fn play(config: CheckpointConfig, tasks: usize, events: &str) -> String {
    let mut coordinator = CheckpointCoordinator::new(config, tasks, CheckpointId(1), Duration::ZERO);
    let mut now = Duration::ZERO;
    let mut out = Vec::new();
    for event in events.split(' ') {
        let id = |text: &str| CheckpointId(text.parse().unwrap());
        let actions = match event.as_bytes()[0] {
            b'@' => {
                now = Duration::from_millis(event[1..].parse().unwrap());
                coordinator.on_time(now)
            }
            b'k' => {
                let (checkpoint, task) = event[1..].split_once('.').unwrap();
                coordinator.on_captured(id(checkpoint), task.parse().unwrap());
                Vec::new()
            }
            b'a' => {
                let (checkpoint, task) = event[1..].split_once('.').unwrap();
                coordinator.on_acknowledged(id(checkpoint), task.parse().unwrap(), Vec::new(), now)
            }
            b'd' => coordinator.on_declined(id(&event[1..]), Decline::Failed("declined".into()), now),
            b'o' => coordinator.on_declined(id(&event[1..]), Decline::OverBudget { limit: 1 }, now),
            b'w' | b'W' => {
                coordinator.set_stalled(event == "w", now);
                Vec::new()
            }
            b'r' => coordinator.on_written(id(&event[1..]), now),
            b'x' => coordinator.on_not_written(id(&event[1..]), "disk full".into(), now),
            b'f' => coordinator.want(Trigger::Final, now),
            b'c' => coordinator.want(Trigger::Requested, now),
            b'p' => coordinator.want(Trigger::Savepoint, now),
            b'g' => coordinator.want(Trigger::Redeploy, now),
            b'q' => match &event[1..] {
                "check" => coordinator.ask(Trigger::Requested, now),
                "point" => coordinator.ask(Trigger::Savepoint, now),
                _ => coordinator.ask(Trigger::Redeploy, now),
            },
            b'v' => coordinator.stop(Trigger::StopSavepoint, now, now),
            _ => coordinator.stop(Trigger::Stop, now, now),
        };
        let words: Vec<_> = actions.iter().map(word).collect();
        out.push(if words.is_empty() { "-".into() } else { words.join("+") });
    }
    out.join(" ")
}

fn word(action: &CoordinatorAction) -> String {
    let kind = |trigger: &Trigger| match trigger {
        Trigger::Periodic => "",
        Trigger::Requested => "c",
        Trigger::Savepoint => "p",
        Trigger::UnalignedSavepoint => "u",
        Trigger::Upgrade => "g",
        Trigger::Redeploy => "d",
        Trigger::StopSavepoint => "v",
        Trigger::Stop => "s",
        Trigger::Final => "f",
    };
    match action {
        CoordinatorAction::Trigger { checkpoint_id, trigger, alignment } => {
            let overtakes = if *alignment == BarrierAlignment::Unaligned { "!" } else { "" };
            format!("T{}{checkpoint_id}{overtakes}", kind(trigger))
        }
        CoordinatorAction::Write { checkpoint_id, .. } => format!("R{checkpoint_id}"),
        CoordinatorAction::NotifyComplete { checkpoint_id, .. } => format!("C{checkpoint_id}"),
        CoordinatorAction::Abort { checkpoint_id, .. } => format!("A{checkpoint_id}"),
        CoordinatorAction::Overtake { checkpoint_id } => format!("O{checkpoint_id}"),
        CoordinatorAction::GiveUpStop { .. } => "G".into(),
        CoordinatorAction::NotTaken { trigger, .. } => format!("N{}", kind(trigger)),
        CoordinatorAction::FailJob { .. } => "F".into(),
    }
}

pub fn config() -> CheckpointConfig {
    CheckpointConfig {
        interval: Duration::from_millis(100),
        timeout: Duration::from_millis(1_000),
        tolerate_failures: 1,
        ..Default::default()
    }
}

#[track_caller]
pub fn check(config: CheckpointConfig, events: &str, expect: &str) {
    assert_eq!(play(config, 2, events), expect, "{events}");
}

#[test]
fn it_completes_when_every_task_has_acknowledged_and_the_log_agrees() {
    check(config(), "@99 @100 a1.0 a1.0 a1.1 r1", "- T1 - - R1 C1");
    check(config(), "@100 a7.0 a1.1 a1.0 a1.0 r1", "T1 - - R1 - C1");
}

#[test]
fn triggers_that_could_not_be_kept_are_skipped() {
    check(config(), "@100 @200 @450 a1.0 a1.1 r1 @460 @550", "T1 - - - R1 C1+T2 - -");
}

#[test]
fn min_pause_counts_from_the_end_of_the_last() {
    let config = CheckpointConfig { min_pause: Duration::from_millis(80), ..config() };
    check(config, "@100 a1.0 a1.1 @190 r1 @200 @269 @270", "T1 - R1 - C1 - - T2");
    // Also where that was given up,
    check(config, "@100 @190 o1 @269 @290", "T1 - A1 - T2");
    // and an attempt begins behind the end of what the one before had under way.
    check(CheckpointConfig { min_pause: Duration::from_millis(250), ..config }, "@100 @249 @250", "- - T1");
}

#[test]
fn min_pause_keeps_others_from_being_under_way_beside_one() {
    let config = CheckpointConfig { min_pause: Duration::from_millis(80), max_concurrent: 3, ..config() };
    check(config, "@100 @200 @300 a1.0 a1.1 @310 r1 @389 @390 @500", "T1 - - - R1 - C1 - T2 -");
}

#[test]
fn several_may_be_under_way_and_complete_in_the_order_of_their_ids() {
    let config = CheckpointConfig { max_concurrent: 2, ..config() };
    check(config, "@100 @200 @300 a1.0 a1.1 a2.0 a2.1 r1 r2", "T1 T2 - - R1 - R2 C1+T3 C2");
    // One that is overtaken by a newer one may not become complete behind it: what it holds is subsumed, and may be deleted.
    check(config, "@100 @200 @300 a1.0 a2.0 a2.1 a1.1 r2", "T1 T2 - - - A1+R2 - C2+T3");
    check(config, "@100 @200 a2.0 a2.1 x2 @300", "T1 T2 - A1+R2 A2 T3");
}

#[test]
fn a_timeout_aborts_but_never_one_that_is_being_written() {
    check(config(), "@100 a1.0 @1099 @1100", "T1 - - A1+T2");
    check(config(), "@100 a1.0 a1.1 @5000 d1 r1", "T1 - R1 - - C1+T2");
}

#[test]
fn a_checkpoint_that_is_pending_while_sinks_stand_still_has_its_whole_time_from_when_they_go_on() {
    check(config(), "@100 w @1100 @9000 W @9999 @10000", "T1 - - - - - A1+T2");
    check(config(), "@100 w @9000 a1.0 a1.1 r1", "T1 - - - R1 C1+T2");
}

#[test]
fn sinks_that_stand_still_again_and_again_give_a_checkpoint_its_whole_time_once() {
    // From 500 on it has its time; the next four seconds do not count, and 500 ms are left of it behind them.
    check(config(), "@100 w @500 W @1000 w @5000 W @5499 @5500", "T1 - - - - - - - - A1+T2");
    // Triggered while they stand still: it has its whole time from when they go on, and once.
    check(config(), "w @100 @400 W @1300 w @9000 W @9099 @9100", "- T1 - - - - - - - A1+T2");
}

#[test]
fn what_is_asked_for_while_sinks_stand_still_is_taken_when_they_go_on_or_given_up_when_its_time_is_over() {
    check(config(), "w qpoint @500 W @501 a1.0 a1.1 r1", "- - - - Tp1 - R1 C1");
    check(config(), "w qpoint @999 @1000 W @1100", "- - - Np+T1 - -");
    check(config(), "w qgrow @999 @1000", "- - - Nd+T1");
    check(config(), "w qcheck qpoint @1000", "- - - Nc+Np+T1");
    // The time runs from the request on, also where sinks stood still only for the last of it, and something else was in front.
    check(config(), "@100 qpoint a1.0 a1.1 w r1 @1099 @1100", "T1 - - R1 - C1 - Np+T2");
    // What nobody waits for is triggered, and waits itself.
    check(config(), "w check @5000 W @5999 @6000", "- Tc1 - - - A1+T2");
    check(config(), "w final @5000 a1.0 a1.1 r1", "- Tf1 - - R1 C1");
}

#[test]
fn a_stop_takes_the_place_of_a_change_that_is_held_back() {
    // Whoever asked for the change is told at once: the end may take long.
    check(config(), "w qgrow stop", "- - Nd+Ts1");
    check(config(), "w qgrow final", "- - Nd+Tf1");
}

#[test]
fn while_sinks_stand_still_the_next_deadline_is_that_of_whoever_waits() {
    let mut coordinator = CheckpointCoordinator::new(config(), 1, CheckpointId(1), Duration::ZERO);
    coordinator.set_stalled(true, Duration::ZERO);
    coordinator.ask(Trigger::Savepoint, Duration::from_millis(20));
    assert_eq!(coordinator.next_deadline(), Some(Duration::from_millis(1_020)));
    coordinator.set_stalled(false, Duration::from_millis(30));
    assert_eq!(coordinator.next_deadline(), Some(Duration::ZERO), "it is triggered at once");
}

#[test]
fn failures_in_a_row_beyond_the_tolerated_fail_the_job() {
    check(config(), "@100 d1 @200 d2", "T1 A1 T2 A2+F");
    check(config(), "@100 d1 @200 a2.0 a2.1 r2 @300 a3.0 a3.1 x3", "T1 A1 T2 - R2 C2 T3 - R3 A3");
    check(CheckpointConfig { tolerate_failures: 0, ..config() }, "@100 d1", "T1 A1+F");
    // A restart would find as much in flight.
    check(CheckpointConfig { tolerate_failures: 0, ..config() }, "@100 o1 @150 @200 o2", "T1 A1 - T2 A2");
    check(CheckpointConfig { tolerate_failures: 0, ..config() }, "stop o1 @100", "Ts1 A1+F Ts2");
}

#[test]
fn the_final_checkpoint_waits_for_the_one_under_way_and_is_the_last() {
    check(config(), "final a1.0 a1.1 r1 @5000", "Tf1 - R1 C1 -");
    check(config(), "@100 final @200 a1.0 a1.1 r1 a2.0 a2.1 r2 @900", "T1 - - - R1 C1+Tf2 - R2 C2 -");
}

#[test]
fn a_failed_final_checkpoint_is_tried_again_while_failures_are_tolerated() {
    check(config(), "final d1 @99 @100 a2.0 a2.1 r2", "Tf1 A1 - Tf2 - R2 C2");
    check(config(), "stop d1 @100 d2", "Ts1 A1 Ts2 A2+F");
}

#[test]
fn further_tries_of_a_last_checkpoint_keep_the_interval_and_the_pause() {
    let lasting = CheckpointConfig { timeout: Duration::from_millis(2), tolerate_failures: 1_000, ..config() };
    check(lasting, "final @2 @3 @99 @100 @102 @199 @200", "Tf1 A1 - - Tf2 A2 - Tf3");
    let paused = CheckpointConfig { min_pause: Duration::from_millis(500), ..lasting };
    check(paused, "@450 final @452 @550 @951 @952", "- Tf1 A1 - - Tf2");
    // Somebody who asks meanwhile does not wait.
    check(paused, "final @2 check a2.0 a2.1 r2 @501 @502", "Tf1 A1 Tc2 - R2 C2 - Tf3");

    let mut coordinator = CheckpointCoordinator::new(paused, 1, CheckpointId(1), Duration::ZERO);
    coordinator.want(Trigger::Final, Duration::ZERO);
    coordinator.on_time(Duration::from_millis(2));
    assert_eq!(coordinator.next_deadline(), Some(Duration::from_millis(502)), "nobody looks before it is due");
}

#[test]
fn while_the_sources_stand_still_a_further_try_waits_for_a_second_at_most() {
    let slow = CheckpointConfig { interval: Duration::from_secs(600), min_pause: Duration::from_secs(60), ..config() };
    check(slow, "grow d1 @999 @1000 a2.0 a2.1 r2", "Td1 A1 - Td2 - R2 C2");
    check(slow, "stop d1 @999 @1000 a2.0 a2.1 r2", "Ts1 A1 - Ts2 - R2 C2");
    check(slow, "final d1 @1000 @599999 @600000", "Tf1 A1 - - Tf2");
    // A stop that is asked for waits for no failure of what came by itself.
    check(slow, "final d1 @10 stop a2.0 a2.1 r2", "Tf1 A1 - Tf2 - R2 C2");
}

#[test]
fn the_end_of_the_input_outranks_a_stop() {
    check(config(), "@100 final stop a1.0 a1.1 r1", "T1 - - - R1 C1+Tf2");
    check(config(), "@100 stop final a1.0 a1.1 r1", "T1 - - - R1 C1+Tf2");
}

#[test]
fn one_that_is_asked_for_is_taken_alone_and_periodic_ones_go_on_behind_it() {
    check(config(), "check a1.0 a1.1 r1 @99 @100", "Tc1 - R1 C1 - T2");
    check(config(), "@100 point @150 @210 a1.0 a1.1 r1 @310 a2.0 a2.1 r2", "T1 - - - - R1 C1+Tp2 - - R2 C2+T3");
    // Two are two, and the last one comes last, whichever was asked for first.
    check(config(), "check stop point a1.0 a1.1 r1 a2.0 a2.1 r2", "Tc1 - - - R1 C1+Tp2 - R2 C2+Ts3");
    let config = CheckpointConfig { max_concurrent: 3, ..config() };
    check(config, "@100 point @200 a1.0 a1.1 r1 @300", "T1 - - - R1 C1+Tp2 -");
}

#[test]
fn nothing_is_triggered_behind_the_last_one_unless_that_fails() {
    check(config(), "final check a1.0 a1.1 r1 @900", "Tf1 - - R1 C1 -");
    check(config(), "stop point a1.0 a1.1 r1", "Ts1 - - R1 C1");
    check(config(), "final check d1 a2.0 a2.1 r2 @100 a3.0 a3.1 r3", "Tf1 - A1+Tc2 - R2 C2 Tf3 - R3 C3");
}

#[test]
fn while_one_is_taken_alone_no_deadline_but_its_own_passes() {
    let config = CheckpointConfig { max_concurrent: 3, ..config() };
    let mut coordinator = CheckpointCoordinator::new(config, 1, CheckpointId(1), Duration::ZERO);
    coordinator.want(Trigger::Savepoint, Duration::ZERO);
    assert_eq!(coordinator.next_deadline(), Some(config.timeout));
}

#[test]
fn one_that_is_asked_for_and_fails_is_not_tried_again() {
    check(config(), "point d1 @99 @100", "Tp1 A1 - T2");
    check(config(), "point o1 point o2 point o3", "Tp1 A1 Tp2 A2 Tp3 A3");
}

#[test]
fn a_savepoint_is_aligned_in_a_job_whose_checkpoints_are_not() {
    let unaligned = CheckpointConfig { alignment: BarrierAlignment::Unaligned, ..config() };
    for (trigger, usual, expect) in [
        (Trigger::Requested, unaligned, BarrierAlignment::Unaligned),
        (Trigger::Savepoint, unaligned, BarrierAlignment::Aligned),
        (Trigger::UnalignedSavepoint, config(), BarrierAlignment::Unaligned),
        (Trigger::Stop, unaligned, BarrierAlignment::Unaligned),
        (Trigger::StopSavepoint, unaligned, BarrierAlignment::Aligned),
    ] {
        let mut coordinator = CheckpointCoordinator::new(usual, 1, CheckpointId(1), Duration::ZERO);
        let actions = coordinator.want(trigger, Duration::ZERO);
        assert_eq!(actions, [CoordinatorAction::Trigger { checkpoint_id: CheckpointId(1), trigger, alignment: expect }]);
    }
}

#[test]
fn nothing_overtakes_in_a_job_that_holds_no_channel_back() {
    let at_least_once = CheckpointConfig { mode: CheckpointMode::AtLeastOnce, alignment: BarrierAlignment::Unaligned, ..config() };
    for trigger in [
        Trigger::Periodic,
        Trigger::Requested,
        Trigger::Savepoint,
        Trigger::UnalignedSavepoint,
        Trigger::Upgrade,
        Trigger::Redeploy,
        Trigger::StopSavepoint,
        Trigger::Stop,
        Trigger::Final,
    ] {
        let mut coordinator = CheckpointCoordinator::new(at_least_once, 1, CheckpointId(1), Duration::ZERO);
        let actions = coordinator.want(trigger, Duration::ZERO);
        let expect = CoordinatorAction::Trigger { checkpoint_id: CheckpointId(1), trigger, alignment: BarrierAlignment::Aligned };
        assert_eq!(actions, [expect]);
    }
}
