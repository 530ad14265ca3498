//! The trial, case by case, and against a plain model over random sequences.

use super::*;

const PROBATION: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Monotonic {
    Monotonic::default() + Duration::from_secs(seconds)
}

fn id(number: u64) -> CheckpointId {
    CheckpointId(number)
}

/// On probation behind checkpoint 5 from second 3 on.
fn on_probation() -> Trial {
    let mut trial = Trial::new(PROBATION);
    trial.on_barrier(id(5));
    assert!(trial.on_working(at(3), None).is_some());
    trial
}

#[test]
fn the_longest_change_over_is_told_and_what_a_deployment_took_instead_of_it() {
    let mut trial = Trial::new(PROBATION);
    assert_eq!(trial.since(), None);
    trial.on_barrier(id(5));
    [2, 9, 4].into_iter().for_each(|ms| trial.on_swapped(Duration::from_millis(ms)));
    assert_eq!(trial.on_working(at(3), None), Some(Switched { since: id(5), pause: Duration::from_millis(9) }));
    assert_eq!(trial.on_working(at(4), None), None, "it works already");
    let mut deployed = Trial::new(PROBATION);
    assert_eq!((deployed.on_working(at(2), None), deployed.since()), (None, None), "nothing has changed over");
    deployed.on_redeployment(id(7));
    deployed.on_swapped(Duration::from_millis(9));
    let mut untold = deployed.clone();
    assert_eq!(untold.on_working(at(3), None), Some(Switched { since: id(7), pause: Duration::ZERO }), "no task changes over");
    let pause = Duration::from_millis(300);
    assert_eq!(deployed.on_working(at(3), Some(pause)), Some(Switched { since: id(7), pause }));
}

#[test]
fn what_lies_behind_the_upgrade_is_provisional_until_it_is_proven() {
    let mut trial = Trial::new(PROBATION);
    assert_eq!(trial.on_completed(id(4), Trigger::Periodic, at(0)), Completed::ForGood, "asked for, and no more");
    trial.on_barrier(id(5));
    assert_eq!(trial.on_completed(id(4), Trigger::Periodic, at(1)), Completed::ForGood);
    assert_eq!(trial.on_completed(id(5), Trigger::Upgrade, at(1)), Completed::ForGood, "it is the old operator's");
    assert_eq!(trial.on_completed(id(6), Trigger::Periodic, at(1)), Completed::Provisionally, "it has overtaken the log's answer");
    let mut trial = on_probation();
    assert_eq!(trial.on_completed(id(6), Trigger::Periodic, at(12)), Completed::Provisionally);
    assert_eq!(trial.on_completed(id(7), Trigger::Periodic, at(13)), Completed::AsProof);
    assert_eq!(trial.on_completed(id(8), Trigger::Periodic, at(14)), Completed::Provisionally, "the verdict is asked for once");
    assert_eq!(trial.on_accepted(), Some(id(8)), "it holds with all in front of it");
}

#[test]
fn the_first_checkpoint_is_the_proof_where_that_is_to_do_and_the_time_asks_for_one() {
    let mut trial = Trial::new(PROBATION).or_until_checkpoint(true);
    trial.on_barrier(id(5));
    assert_eq!(trial.on_completed(id(5), Trigger::Upgrade, at(1)), Completed::ForGood, "it is the old operator's");
    assert_eq!(trial.on_completed(id(6), Trigger::Periodic, at(1)), Completed::Provisionally, "nobody has said that it works");
    assert!(trial.on_working(at(3), None).is_some());
    let mut slow = trial.clone();
    assert_eq!(trial.on_completed(id(7), Trigger::Periodic, at(3)), Completed::AsProof);
    assert_eq!(trial.on_accepted(), Some(id(7)));
    assert_eq!((slow.on_time(at(12)), slow.on_time(at(13))), (false, true), "no checkpoint has come by itself");
}

#[test]
fn the_end_of_the_input_is_proof_enough() {
    let mut trial = on_probation();
    // What a user asks for, or a stop, says nothing of the new operator.
    for trigger in [
        Trigger::Periodic,
        Trigger::Requested,
        Trigger::Savepoint,
        Trigger::UnalignedSavepoint,
        Trigger::Upgrade,
        Trigger::Redeploy,
        Trigger::StopSavepoint,
        Trigger::Stop,
    ] {
        assert_eq!(trial.on_completed(id(6), trigger, at(4)), Completed::Provisionally, "{trigger:?}");
    }
    assert_eq!(trial.on_completed(id(6), Trigger::Final, at(4)), Completed::AsProof);
}

#[test]
fn a_checkpoint_that_proves_it_is_asked_for_once() {
    let mut trial = on_probation();
    assert_eq!(trial.deadline(), Some(at(13)));
    assert!(!trial.on_time(at(12)));
    assert!(trial.on_time(at(13)));
    assert!(!trial.on_time(at(14)));
    assert_eq!(trial.deadline(), None);
}

#[test]
fn a_failure_goes_back_unless_the_log_had_accepted_it() {
    let trial = on_probation();
    assert_eq!(trial.verdict(Some(false)), Verdict::GoBack { log_has_it: true });
    assert_eq!(trial.verdict(None), Verdict::GoBack { log_has_it: false });
    assert_eq!(trial.verdict(Some(true)), Verdict::Accepted);
}

#[test]
fn a_job_that_ends_while_the_log_decides_does_not_say_that_the_upgrade_is_gone() {
    let mut trial = on_probation();
    assert!(trial.is_undecided());
    _ = trial.on_completed(id(6), Trigger::Final, at(4));
    assert!(!trial.is_undecided());
}

/// Whatever comes in whatever order: nothing behind `since` holds before the log has said so, the proof comes once and not before its time, and
/// acceptance lets the newest checkpoint hold.
#[test]
fn random_sequences_keep_what_is_provisional_provisional() {
    for seed in 0..5_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let until_checkpoint = random.bool();
        let mut trial = Trial::new(PROBATION).or_until_checkpoint(until_checkpoint);
        let (mut now, mut next, mut since, mut ends) = (0, 1, None, None);
        let (mut newest, mut proven) = (None, false);
        for _ in 0..random.u32(1..40) {
            now += random.u64(0..4);
            match random.u32(0..6) {
                0 if since.is_none() => {
                    (since, next) = (Some(next), next + 1);
                    if random.bool() { trial.on_barrier(id(next - 1)) } else { trial.on_redeployment(id(next - 1)) }
                }
                1 if since.is_some() => {
                    let began = trial.on_working(at(now), None).is_some();
                    assert_eq!(began, ends.is_none() && !proven, "seed {seed}");
                    ends = ends.or(Some(now + PROBATION.as_secs()));
                }
                2 => {
                    let due = ends.is_some_and(|ends| now >= ends) && !proven;
                    assert!(!trial.on_time(at(now)) || due, "seed {seed}");
                }
                _ => {
                    let trigger = if random.u32(0..9) == 0 { Trigger::Final } else { Trigger::Periodic };
                    let is_over = ends.is_some_and(|ends| until_checkpoint || now >= ends) || trigger == Trigger::Final;
                    let is_proof = since.is_some() && !proven && is_over;
                    let expect = match (since, is_proof) {
                        (None, _) => Completed::ForGood,
                        (Some(_), true) => Completed::AsProof,
                        (Some(_), false) => Completed::Provisionally,
                    };
                    assert_eq!(trial.on_completed(id(next), trigger, at(now)), expect, "seed {seed}");
                    proven |= is_proof;
                    newest = Some(next);
                    next += 1;
                }
            }
        }
        assert_eq!(trial.is_undecided(), !proven, "seed {seed}");
        assert_eq!(trial.on_accepted().map(|id| id.0), newest.filter(|_| proven), "seed {seed}");
    }
}
