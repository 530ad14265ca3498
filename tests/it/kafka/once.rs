//! The output is there once and in order, whatever ends: the broker, the process with it, one that was held; and where the topic is another one than it was, or there
//! are two of a job, nothing goes on in silence.

use super::{all, bench, counted, counting, counts, messages, wait_for};
use crate::ordeal::{COPIED, copied, one_goes_on, one_is_refused};
use serde_json::json;
use weir_tests::process::{KafkaServer, Signal};

/// Records of a job that is killed. It reads so few of them in a second that it does not come to its end before the last kill.
const RECORDS: u64 = 40_000;
const SLOWLY: &str = "rate = 800\n";

#[test]
fn a_bounded_job_reads_what_there_is_and_publishes_it_once() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (input, output) = (server.topic(4), server.topic(3));
    server.produce(&input, &messages(0..5_000));
    let bench = bench(counting(server, &input, &output, "until = \"end\"", ""));
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(counted(server, &output, 5_000), counts(0..5_000));
    // What comes behind the end is another job's.
    server.produce(&input, &messages(0..7));
    bench.run("run job.toml").assert(0, &[]);
    assert_eq!(counted(server, &output, 5_000), counts(0..5_000));
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
    // What has come since lies behind the end that the first run has kept.
    server.produce(&input, &messages(0..7));
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
        let bench = bench(counting(server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), ""));
        let mut zombie = bench.start_with("run job.toml -q", &[("WEIR_SLEEP_AT", point)]);
        let status = format!("/proc/{}/status", zombie.id());
        let sleeps = || std::fs::read_to_string(&status).is_ok_and(|status| status.contains("State:\tT"));
        assert!(zombie.runs_until("it sleeps", sleeps), "{point}");
        bench.edit_job(SLOWLY, "");
        bench.run("run job.toml --takeover").assert(0, &["finished"]);
        assert_eq!(counted(server, &output, 6_000), counts(0..6_000), "{point}");
        zombie.send(Signal::Continue);
        zombie.ended().assert(1, &["job words: another process has taken it over"]);
        assert_eq!(counted(server, &output, 6_000), counts(0..6_000), "{point}");
    }
}

#[test]
fn a_target_that_was_reset_is_for_the_user_to_decide() {
    let Some(server) = KafkaServer::in_use() else { return };
    for (decision, published) in [("--republish", true), ("--assume-published", false)] {
        let (input, output) = (server.topic(4), server.topic(1));
        server.produce(&input, &messages(0..4_000));
        let bench = bench(counting(server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), ""));
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
        let there = all(server, &output, if published { 4_000 - lost } else { 0 }).len();
        assert_eq!(there >= 4_000 - lost, published, "{decision}: {lost} of 4000 were lost, {there} are there");
    }
}

#[test]
fn a_storage_that_is_copied_and_run_twice_is_published_from_by_one_of_them_alone() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (input, output) = (server.topic(4), server.topic(1));
    server.produce(&input, &messages(0..4_000));
    let [first, second] = copied(bench(counting(server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), "")), 2);
    [&first, &second].into_iter().for_each(|bench| bench.edit_job(SLOWLY, ""));
    first.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(counted(server, &output, 4_000), counts(0..4_000));
    second.run("run job.toml").assert(1, &COPIED);
    assert_eq!(counted(server, &output, 4_000), counts(0..4_000));
}

#[test]
fn a_storage_that_is_copied_and_run_at_once_is_published_from_by_one_of_them_alone() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (input, output) = (server.topic(4), server.topic(1));
    server.produce(&input, &messages(0..4_000));
    let [first, second] = copied(bench(counting(server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), "")), 2);
    one_goes_on(first.start("run job.toml"), second.start("run job.toml"));
    [&first, &second].into_iter().for_each(|bench| bench.edit_job(SLOWLY, ""));
    one_is_refused(&first, &second);
    assert_eq!(counted(server, &output, 4_000), counts(0..4_000));
}
