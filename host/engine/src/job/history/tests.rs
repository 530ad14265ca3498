//! Logs in one line, what they say, and where a start goes on.

use super::start::StartMode;
use super::*;
use crate::checkpoint::Replaced;
use crate::sink::VisibleOutput;

/// `A1.1` attempt 1 of lineage 1, `A2.2<5` attempt 2 begins lineage 2 from checkpoint 5, `A2.2<s` from a savepoint, `C1.5` attempt 1 completes 5, `O1.5` it is
/// rescaled at 5, `U1.5` upgraded at 5, on probation, `P2.1` attempt 2 of lineage 1 goes on with that, `A2.1!` attempt 2 has a job file that overrules what was changed, `Y2` it is accepted, `N2` rolled back,
/// `F2` attempt 2 finishes.
fn history(log: &str) -> History {
    let entries: Vec<_> = log.split_whitespace().map(entry).collect();
    History::of(&entries)
}

fn entry(word: &str) -> LogEntry {
    let number = |text: &str| text.parse::<u64>().unwrap();
    let (first, rest) = word[1..].split_once('.').unwrap_or((&word[1..], "0"));
    let attempt = AttemptId(number(first));
    let nonce = format!("n{first}");
    match &word[..1] {
        "A" | "P" => {
            let (rest, overruled) = rest.strip_suffix('!').map_or((rest, Vec::new()), |rest| (rest, vec![overruled()]));
            let (lineage, root) = rest.split_once('<').map_or((rest, LineageRoot::Fresh), |(lineage, from)| {
                (lineage, if from == "s" { savepoint() } else { LineageRoot::Checkpoint(CheckpointId(number(from))) })
            });
            let (lineage, probation) = (AttemptId(number(lineage)), word.starts_with('P'));
            LogEntry::Attempt {
                attempt,
                nonce,
                lineage,
                lineage_nonce: None,
                root,
                restored: None,
                probation,
                pinned: pinned(attempt),
                overruled,
                started_ms: 0,
            }
        }
        "C" => LogEntry::complete(attempt, &nonce, CheckpointId(number(rest)), format!("m{rest}"), 0),
        kind @ ("O" | "U") => {
            let probation = kind == "U";
            let component = probation.then(|| Replaced { file: "a".to_owned(), now: format!("b{rest}") });
            let parallelism = (!probation).then(|| Replaced { file: 1, now: number(rest) as u32 });
            let overrides =
                vec![Override { vertex: "op".into(), parallelism, component, named: None, pin: pin(rest).filter(|_| probation) }];
            LogEntry::Override { attempt, nonce, checkpoint_id: CheckpointId(number(rest)), overrides, probation, changed_ms: 0 }
        }
        kind @ ("Y" | "N") => LogEntry::Outcome { attempt, nonce, accepted: kind == "Y", reason: None, decided_ms: 0 },
        _ => LogEntry::Finished { attempt, nonce, finished_ms: 0 },
    }
}

/// The end of whatever was changed.
fn overruled() -> Override {
    let (parallelism, component) = (Some(Replaced { file: 0, now: 2 }), Some(Replaced { file: "a".to_owned(), now: "b2".to_owned() }));
    let changed = Override { vertex: "op".into(), parallelism, component, named: Some("a.wasm".into()), pin: None };
    changed.overruled(true, true).expect("both are at their end")
}

/// What an upgrade was named by.
fn pin(component: &str) -> Option<Pinned> {
    Some(Pinned { vertex: "op".into(), reference: "oci:a/b:2".into(), manifest: Some("m".into()), component: format!("b{component}") })
}

/// Each attempt has pinned something of its own.
fn pinned(attempt: AttemptId) -> Vec<Pinned> {
    vec![Pinned { vertex: "op".into(), reference: "oci:a/b:1".into(), manifest: None, component: attempt.to_string() }]
}

/// `lineage/checkpoint/finished` of a start.
#[track_caller]
fn check(log: &str, mode: StartMode, expect: &str) {
    let start = history(log).start(&mode);
    let text = start.map_or_else(
        |_| "refused".to_owned(),
        |start| {
            let lineage = start.lineage.map_or("new".into(), |id| id.to_string());
            let savepoint = start.savepoint().unwrap_or("none").to_owned();
            let restored = start.restored.map_or(savepoint, |checkpoint| checkpoint.checkpoint_id.to_string());
            format!("{lineage} from {restored}{}", if start.finished { " finished" } else { "" })
        },
    );
    assert_eq!(text, expect, "{log}");
}

fn savepoint() -> LineageRoot {
    LineageRoot::Savepoint("file:/s".into())
}

#[test]
fn a_savepoint_begins_a_lineage_and_is_what_it_starts_from_until_it_has_a_checkpoint() {
    let from = |again| StartMode::FromSavepoint { url: "file:/s".into(), again };
    check("", from(false), "new from file:/s");
    check("A1.1 C1.1", from(false), "new from file:/s");
    check("A1.1 C1.1 A2.2<s", from(false), "2 from file:/s");
    check("A1.1 C1.1 A2.2<s", StartMode::Resume, "2 from file:/s");
    check("A1.1 C1.1 A2.2<s C2.2", from(false), "2 from 2");
    check("A1.1 C1.1 A2.2<s C2.2", from(true), "new from file:/s");
    check("A1.1<s A2.2", from(false), "1 from file:/s");
}

fn from(checkpoint: u64, again: bool) -> StartMode {
    StartMode::From { checkpoint_id: CheckpointId(checkpoint), again }
}

#[test]
fn plain_run_goes_on_with_the_newest_lineage() {
    check("", StartMode::Resume, "new from none");
    check("A1.1", StartMode::Resume, "1 from none");
    check("A1.1 C1.1 C1.2 A2.1 C2.3", StartMode::Resume, "1 from 3");
    check("A1.1 C1.1 A2.2", StartMode::Resume, "2 from none");
    check("A1.1 C1.1 A2.2<1", StartMode::Resume, "2 from 1");
    check("A1.1 C1.1 F1", StartMode::Resume, "1 from 1 finished");
    check("A1.1 C1.1 F1 A2.2", StartMode::Resume, "2 from none");
}

#[test]
fn plain_run_goes_on_with_an_older_lineage_that_ran_last() {
    // Lineage 2 was begun, then 3, and then 2 was gone on with: neither a restart nor the next run falls back to 3.
    check("A1.1 C1.1 A2.2<1 C2.2 A3.3 C3.3 A4.2<1", StartMode::Resume, "2 from 2");
    check("A1.1 C1.1 A2.2<1 C2.2 A3.3 C3.3 A4.2<1 C4.4", StartMode::Resume, "2 from 4");
    let newest = |log| history(log).newest_lineage().map(|lineage| lineage.id.0);
    assert_eq!((newest(""), newest("A1.1 A2.2 A3.1"), newest("A1.1 A2.2 C1.1")), (None, Some(1), Some(2)));
}

#[test]
fn references_are_what_the_newest_attempt_of_a_lineage_says_and_nothing_in_a_new_one() {
    let check = |log: &str, mode: StartMode, expect: Option<&str>| {
        let history = history(log);
        assert_eq!(history.pinned(&mode).first().map(|pinned| pinned.component.as_str()), expect, "{log}");
    };
    check("", StartMode::Resume, None);
    check("A1.1 A2.1", StartMode::Resume, Some("2"));
    check("A1.1 C1.1 A2.2", StartMode::Resume, Some("2"));
    check("A1.1 C1.1 A2.2<1 C2.2 A3.1", StartMode::Resume, Some("3"));
    check("A1.1 C1.1 A2.1", StartMode::Fresh, None);
    check("A1.1 C1.1", from(1, false), None);
    check("A1.1 C1.1 A2.2<1 A3.1", from(1, false), Some("2"));
    check("A1.1 C1.1 A2.2<1 A3.1", from(1, true), None);
}

#[test]
fn what_lies_behind_an_upgrade_counts_once_it_is_accepted() {
    check("A1.1 C1.1 U1.1 C1.2", StartMode::Resume, "1 from 1");
    check("A1.1 C1.1 U1.1 C1.2 Y1", StartMode::Resume, "1 from 2");
    check("A1.1 C1.1 U1.1 C1.2 Y1 C1.3", StartMode::Resume, "1 from 3");
    check("A1.1 C1.1 U1.1 C1.2 N1", StartMode::Resume, "1 from 1");
    check("A1.1 C1.1 U1.1 C1.2 N1 A2.1 C2.3", StartMode::Resume, "1 from 3");
    // Killed on probation: the next attempt gives it up, unless it goes on with it.
    check("A1.1 C1.1 U1.1 C1.2 A2.1 C2.3", StartMode::Resume, "1 from 3");
    check("A1.1 C1.1 U1.1 C1.2 A2.1 Y2", StartMode::Resume, "1 from 1");
    check("A1.1 C1.1 U1.1 P2.1 C2.2", StartMode::Resume, "1 from 1");
    check("A1.1 C1.1 U1.1 P2.1 C2.2 Y2", StartMode::Resume, "1 from 2");
}

#[test]
fn what_was_changed_by_hand_holds_in_its_lineage() {
    let overrides = |log| {
        let (overrides, probation) = (history(log).overrides(&StartMode::Resume).0, history(log).overrides(&StartMode::Resume).1.is_some());
        let one = |change: &Override| {
            let parallelism = change.parallelism.as_ref().map(|is| format!("{}→{}", is.file, is.now));
            let component = change.component.as_ref().map(|is| format!("{}→{}", is.file, is.now));
            [parallelism, component].into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        (overrides.iter().map(one).collect::<String>(), probation)
    };
    assert_eq!(overrides("A1.1 C1.2 O1.2"), ("1→2".into(), false));
    assert_eq!(overrides("A1.1 C1.2 O1.2 A2.1 C2.3 O2.3"), ("1→3".into(), false));
    assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 U1.3"), ("1→2".into(), true));
    assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 U1.3 Y1"), ("1→2 a→b3".into(), false));
    assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 U1.3 N1"), ("1→2".into(), false));
    assert_eq!(overrides("A1.1 C1.2 O1.2 A2.2"), (String::new(), false));
    // A lineage that begins at a checkpoint goes on with what held there, and with no later change.
    assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 A2.2<3"), ("1→2".into(), false));
    assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 A2.2<2"), (String::new(), false));
    assert_eq!(overrides("A1.1 C1.2 U1.2 C1.3 Y1 C1.4 A2.2<4 C2.5 A3.2"), ("a→b2".into(), false));
    assert_eq!(overrides("A1.1 C1.2 O1.2 C1.3 O1.3 C1.4 A2.2<3 C2.5 A3.3<5"), ("1→2".into(), false));
}

#[test]
fn what_a_job_file_has_overruled_does_not_come_back_with_what_it_says_later() {
    let holding = |log: &str| {
        let overrides = history(log).overrides(&StartMode::Resume).0;
        let replaced = |change: &Override| {
            let (parallelism, component) = (change.parallelism.as_ref(), change.component.as_ref());
            [parallelism.is_some_and(Replaced::replaces), component.is_some_and(Replaced::replaces)]
        };
        overrides.iter().map(replaced).collect::<Vec<_>>()
    };
    assert_eq!(holding("A1.1 C1.2 O1.2 C1.3 U1.3 Y1"), [[true, true]]);
    assert_eq!(holding("A1.1 C1.2 O1.2 C1.3 U1.3 Y1 A2.1!"), [[false, false]]);
    assert_eq!(holding("A1.1 C1.2 O1.2 C1.3 U1.3 Y1 A2.1! C2.4 A3.1"), [[false, false]], "for good");
    assert_eq!(holding("A1.1 C1.2 O1.2 A2.1! C2.3 U2.3 Y2 A3.1"), [[false, true]], "what is changed later holds");
    // Of a lineage that begins at a checkpoint it counts what held when that was taken.
    assert_eq!(holding("A1.1 C1.2 U1.2 Y1 C1.3 A2.1! C2.4 A3.3<3"), [[false, true]]);
    assert_eq!(holding("A1.1 C1.2 U1.2 Y1 C1.3 A2.1! C2.4 A3.3<4"), [[false, false]]);
    assert_eq!(holding("A1.1 C1.2 U1.2 Y1 C1.3 A2.2<3 A3.2!"), [[false, false]], "before its first checkpoint too");
}

#[test]
fn a_component_comes_from_what_the_attempt_or_an_upgrade_of_its_lineage_was_told() {
    let pins = |log: &str, attempt| {
        let pins = history(log).pins_of(AttemptId(attempt));
        pins.iter().map(|pin| format!("{} {}", pin.reference, pin.component)).collect::<Vec<_>>()
    };
    assert_eq!(pins("A1.1 C1.2 U1.2 Y1 A2.1 A3.3", 2), ["oci:a/b:1 2", "oci:a/b:2 b2"]);
    assert_eq!(pins("A1.1 C1.2 U1.2", 1), ["oci:a/b:1 1", "oci:a/b:2 b2"], "on probation");
    assert_eq!(pins("A1.1 C1.2 U1.2 Y1 A2.1 A3.3", 3), ["oci:a/b:1 3"], "another lineage");
    assert_eq!(pins("A1.1", 7), [""; 0]);
    let held = history("A1.1 C1.2 U1.2 Y1 C1.3 O1.3 A2.1").overrides(&StartMode::Resume).0;
    assert_eq!(held[0].pin, pin("2"), "it stays with its component");
}

#[test]
fn a_start_from_a_checkpoint_goes_on_with_what_held_there() {
    let held = |log: &str, id: u64| {
        let (overrides, probation) = (history(log), StartMode::From { checkpoint_id: CheckpointId(id), again: true });
        let (overrides, given_up) = overrides.overrides(&probation);
        assert_eq!(given_up, None);
        overrides.iter().filter_map(|change| change.parallelism.as_ref().map(|is| is.now)).collect::<Vec<_>>()
    };
    let log = "A1.1 C1.2 O1.2 C1.3 O1.3 C1.4";
    assert_eq!((held(log, 2), held(log, 3), held(log, 4)), (vec![], vec![2], vec![3]));
    assert_eq!(held(log, 9), [0_u32; 0], "there is no such checkpoint");
}

#[test]
fn a_change_overrides_what_the_job_file_says_by_then() {
    let rescale = |file, now| Override { vertex: "op".into(), parallelism: Some(Replaced { file, now }), ..Override::default() };
    let mut lineage = Lineage::new(AttemptId(1), "n1".into(), LineageRoot::Fresh);
    // The file has been edited to 4 since, and the job is rescaled again.
    lineage.changes = vec![(None, vec![rescale(2, 3)]), (Some(CheckpointId(1)), vec![rescale(4, 5)])];
    assert_eq!(lineage.overrides()["op"], rescale(4, 5));
}

#[test]
fn fresh_begins_a_new_lineage() {
    check("A1.1 C1.1 F1", StartMode::Fresh, "new from none");
}

#[test]
fn from_given_again_resumes_the_lineage_that_it_began() {
    check("A1.1 C1.1 C1.2", from(1, false), "new from 1");
    check("A1.1 C1.1 C1.2 A2.2<1 C2.3", from(1, false), "2 from 3");
    check("A1.1 C1.1 C1.2 A2.2<1 C2.3", from(1, true), "new from 1");
    check("A1.1 C1.1", from(7, false), "refused");
}

#[test]
fn a_checkpoint_falls_back_within_its_lineage_and_to_its_root() {
    let before = |log, id| history(log).before(CheckpointId(id)).map(|older| older.checkpoint_id.0);
    assert_eq!(before("A1.1 C1.1 A2.1 C2.2 C2.4", 4), Some(2));
    assert_eq!(before("A1.1 C1.1 C1.2 A2.2 C2.3", 3), None);
    assert_eq!(before("A1.1 C1.1 C1.2 A2.2<1 C2.3", 3), Some(1));
    assert_eq!(before("A1.1 C1.1", 7), None);
}

#[test]
fn a_late_completion_counts_for_its_own_attempt() {
    check("A1.1 A2.2 C1.1 C2.2", StartMode::Resume, "2 from 2");
}

#[test]
fn what_went_on_from_a_checkpoint_is_of_the_newest_lineage_that_did() {
    let went_on = |log: &str, start: LineageRoot| {
        let history = history(log);
        let ids: Vec<_> = history.went_on_from(&start).iter().map(|completed| completed.checkpoint_id.0).collect();
        ids
    };
    let checkpoint = |id| LineageRoot::Checkpoint(CheckpointId(id));
    let log = "A1.1 C1.1 C1.2 A2.1 C2.4 A3.3<2 C3.5 A4.4<s C4.6 A5.5<1";
    assert_eq!(went_on(log, LineageRoot::Fresh), [1, 2, 4]);
    assert_eq!(went_on(log, checkpoint(1)), [2, 4], "the newest lineage that began there has no checkpoint");
    assert_eq!(went_on(log, checkpoint(2)), [5]);
    assert_eq!(went_on(log, savepoint()), [6]);
    assert_eq!(went_on(log, checkpoint(4)), [0; 0]);
    assert_eq!(went_on("A1.1 C1.1 A2.2 C2.2", LineageRoot::Fresh), [2]);
}

#[test]
fn output_behind_what_a_new_lineage_starts_from_may_be_committed_already() {
    let of = (AttemptId(1), CheckpointId(2));
    let behind = |log: &str, again, of| {
        let history = history(log);
        let start = history.start(&StartMode::FromSavepoint { url: "file:/s".into(), again }).expect("a start");
        history.behind_savepoint(&start, of).map(|(first, last)| (first.0, last.0))
    };
    // A savepoint of this job counts as the checkpoint that it is a copy of,
    assert_eq!(behind("A1.1 C1.1 C1.2 C1.3 C1.4", false, of), Some((3, 4)));
    assert_eq!(behind("A1.1 C1.1 C1.2 C1.3 A2.2<s C2.4", true, of), Some((3, 4)));
    assert_eq!(behind("A1.1 C1.1 C1.2", false, of), None);
    // and one of another what has gone on from it here.
    let others = (AttemptId(7), CheckpointId(90));
    assert_eq!(behind("A1.1<s C1.1 C1.2", true, others), Some((1, 2)));
    assert_eq!(behind("A1.1 C1.1 A2.2<s C2.2 A3.3<s C3.3", true, others), Some((2, 3)));
    assert_eq!(behind("A1.1 C1.1", false, others), None);
    // A lineage that goes on repeats nothing.
    assert_eq!(behind("A1.1<s C1.1 C1.2", false, others), None);

    let behind = |id| history("A1.1 C1.1 C1.2 C1.5").behind(CheckpointId(id)).map(|(first, last)| (first.0, last.0));
    assert_eq!((behind(2), behind(5)), (Some((3, 5)), None));
}

#[test]
fn output_is_accounted_for_where_its_checkpoint_counts_as_one_of_its_attempt() {
    let accounts =
        |log: &str, nonce: &str, id| history(log).accounts_for(&VisibleOutput { nonce: nonce.into(), checkpoint_id: CheckpointId(id) });
    assert!(accounts("A1.1 C1.1 C1.2", "n1", 2) && accounts("A1.1 C1.1 A2.2 C2.2", "n1", 1), "of any lineage");
    assert!(accounts("A1.1 C1.1 C1.3", "n1", 2), "its own has failed, and the one behind it committed what it had prepared");
    assert!(!accounts("A1.1 C1.1", "n1", 2), "its entry is lost");
    assert!(!accounts("A1.1 C1.1 A2.1 C2.2", "n1", 2), "an attempt behind the loss has used the number again");
    assert!(!accounts("A1.1 C1.1", "n2", 1), "its attempt is lost");
    assert!(!accounts("A1.1 C1.1 U1.1 C1.2", "n1", 2) && accounts("A1.1 C1.1 U1.1 C1.2 Y1", "n1", 2), "on trial nothing is visible");
}

#[test]
fn a_lineage_has_a_nonce_and_knows_the_owners_of_its_attempts() {
    let log = history("A1.1 C1.1 A2.1 A3.3");
    let of = |lineage: &Lineage| (lineage.nonce.clone(), lineage.attempts.join(" "));
    assert_eq!(
        log.lineages.iter().map(of).collect::<Vec<_>>(),
        [("n1".to_owned(), "n1 n2".to_owned()), ("n3".to_owned(), "n3".to_owned())]
    );
}
