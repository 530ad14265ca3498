//! The output is there once and in order, whatever ends: the process, at random and around each step of the outbox, the broker, and both.

use super::{all, bench, counted, counting, counts, messages, wait_for};
use serde_json::json;
use std::time::Duration;
use weir_tests::process::{KafkaServer, Seed, Signal};

/// The longest that a process lives before it is killed, once it has come as far as it is let.
const LIFE_MS: u64 = 250;

/// Records of a job that is killed. It reads so few of them in a second that it does not come to its end before the last kill.
const RECORDS: u64 = 40_000;
const SLOWLY: &str = "rate = 800\n";

/// How often a job is killed at random; `WEIR_KILLS` says another number.
fn kills() -> u64 {
    std::env::var("WEIR_KILLS").map_or(10, |kills| kills.parse().expect("WEIR_KILLS is a number"))
}

/// Steps of the outbox, and one of how many passes of each.
const STEPS: [(&str, u64); 5] = [("take-over", 1), ("read-marker", 1), ("publish", 3), ("put state", 3), ("create log-completed", 3)];

#[test]
fn a_bounded_job_reads_what_there_is_and_publishes_it_once() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (input, output) = (server.topic(4), server.topic(3));
    server.produce(&input, &messages(0..5_000));
    let bench = bench(counting(&server, &input, &output, "until = \"end\"", ""));
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(counted(&server, &output, 5_000), counts(0..5_000));
    // What comes behind the end is another job's.
    server.produce(&input, &messages(0..7));
    bench.run("run job.toml").assert(0, &[]);
    assert_eq!(counted(&server, &output, 5_000), counts(0..5_000));
}

#[test]
fn kills_at_random_and_around_each_step_of_the_outbox_lose_no_record_and_double_none() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (input, output, mut seed) = (server.topic(4), server.topic(3), Seed::of_run());
    server.produce(&input, &messages(0..RECORDS));
    let bench = bench(counting(&server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), ""));
    // The first one is killed before the marker is there; the others find one.
    let set_marker = ["before", "after"].map(|side| format!("set-marker {side} 1"));
    let steps = STEPS.iter().flat_map(|(step, passes)| ["before", "after"].map(|side| format!("{step} {side} {}", seed.draw(1..=*passes))));
    let points: Vec<String> = set_marker.into_iter().chain(steps).collect();
    for point in &points {
        let ended = bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", point)]);
        assert_eq!(ended.code, None, "`{point}` is not passed: {ended:?}");
    }
    for kill in 0..kills() {
        let before = bench.log().completed.len();
        let mut process = bench.start("run job.toml -q");
        // One half falls anywhere, also into start and takeover.
        let runs = !seed.coin() || process.runs_until("a checkpoint", || bench.log().completed.len() > before);
        assert!(
            runs && process.runs_for(Duration::from_millis(seed.draw(..LIFE_MS))),
            "the process ended before kill {kill}: {:?}",
            process.ended()
        );
        assert!(process.kill(), "kill {kill} was not what ended the process");
        bench.edit_job(
            if kill % 2 == 0 { "parallelism = 2" } else { "parallelism = 3" },
            if kill % 2 == 0 { "parallelism = 3" } else { "parallelism = 2" },
        );
    }
    bench.edit_job(SLOWLY, "");
    bench.run("run job.toml").assert(0, &["resuming from checkpoint", "finished"]);
    assert_eq!(counted(&server, &output, RECORDS), counts(0..RECORDS));
}

#[test]
fn a_broker_that_is_killed_and_comes_back_is_waited_for_and_nothing_is_lost_or_doubled() {
    let Some(server) = KafkaServer::alone() else { return };
    let (input, output) = (server.topic(4), server.topic(3));
    server.produce(&input, &messages(0..RECORDS));
    let bench = bench(counting(&server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), ""));
    let mut process = bench.start("run job.toml");
    wait_for(&server, &mut process, &output, 1);
    server.kill();
    let before = bench.log().completed.len();
    // What was fetched is still worked off, and what comes of it staged.
    assert!(process.runs_until("a checkpoint without a broker", || bench.log().completed.len() > before));
    server.begin();
    let published = server.committed(&output).len();
    wait_for(&server, &mut process, &output, published + 1);
    // Now both.
    server.kill();
    assert!(process.kill());
    server.begin();
    bench.edit_job(SLOWLY, "");
    bench.run("run job.toml").assert(0, &["resuming from checkpoint", "finished"]);
    assert_eq!(counted(&server, &output, RECORDS), counts(0..RECORDS));
}

#[test]
fn a_zombie_that_wakes_behind_its_successor_publishes_nothing() {
    let Some(server) = KafkaServer::in_use() else { return };
    // It has looked whether it is the newest, and wakes in front of a chunk: nobody but the cluster can keep it out any more.
    for point in ["publish before 3", "set-marker before 1"] {
        let (input, output) = (server.topic(4), server.topic(3));
        server.produce(&input, &messages(0..6_000));
        let bench = bench(counting(&server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), ""));
        let mut zombie = bench.start_with("run job.toml -q", &[("WEIR_SLEEP_AT", point)]);
        let status = format!("/proc/{}/status", zombie.id());
        let sleeps = || std::fs::read_to_string(&status).is_ok_and(|status| status.contains("State:\tT"));
        assert!(zombie.runs_until("it sleeps", sleeps), "{point}");
        bench.edit_job(SLOWLY, "");
        bench.run("run job.toml --takeover").assert(0, &["finished"]);
        assert_eq!(counted(&server, &output, 6_000), counts(0..6_000), "{point}");
        zombie.send(Signal::Continue);
        zombie.ended().assert(1, &["job words: another process has taken it over"]);
        assert_eq!(counted(&server, &output, 6_000), counts(0..6_000), "{point}");
    }
}

#[test]
fn a_target_that_was_reset_is_for_the_user_to_decide() {
    let Some(server) = KafkaServer::in_use() else { return };
    for (decision, published) in [("--republish", true), ("--assume-published", false)] {
        let (input, output) = (server.topic(4), server.topic(1));
        server.produce(&input, &messages(0..4_000));
        let bench = bench(counting(&server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), ""));
        // Killed in front of a chunk: one is published, and another waits.
        let killed = bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", "publish before 2")]);
        assert_eq!(killed.code, None, "{killed:?}");
        let lost = server.committed(&output).len();
        assert!(lost > 0, "a chunk was published");
        server.client(&json!({ "do": "delete", "topics": [output, format!("{output}-markers")] }));
        server.client(&json!({ "do": "create", "topic": output, "partitions": 1 }));
        bench.edit_job(SLOWLY, "");
        let refused = bench.run("run job.toml -q");
        refused.assert(1, &["its target has no marker", "it was reset, or it is another", "--republish", "--assume-published"]);
        assert_eq!(server.committed(&output).len(), 0, "nothing is published meanwhile");
        bench.run(&format!("run job.toml {decision}")).assert(0, &["finished"]);
        let there = all(&server, &output, if published { 4_000 - lost } else { 0 }).len();
        assert_eq!(there >= 4_000 - lost, published, "{decision}: {lost} of 4000 were lost, {there} are there");
    }
}
