//! What is lost beneath a job that runs: the log of a partition, whose leader has others than the records that were read, and the topics of a sink.

use super::{bench, passing, values, wait_for};
use serde_json::json;
use weir_tests::process::{KafkaServer, Signal};

#[test]
fn a_log_that_was_cut_off_and_has_grown_again_is_not_gone_on_with() {
    let Some(server) = KafkaServer::alone() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    let produce = |round: &str, count: usize| {
        let message = |number: usize| json!({ "value": format!("{round} {number}") });
        server.produce(&topic, &(0..count).map(message).collect::<Vec<_>>());
    };
    produce("first", 8);
    let bench = bench(passing(&server, &format!("[\"{topic}\"]"), &output, ""));
    let mut process = bench.start("run job.toml");
    wait_for(&server, &mut process, &output, 8);
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    // As where a broker comes to lead it that has none of it: the next records have the same offsets, and there are more.
    server.kill();
    server.empty(&topic);
    server.begin();
    let parts = [&*format!("`{topic}`, partition 0"), "has been read up to offset 8, and ends at 0", "`on-reset = \"earliest\"`"];
    bench.run("run job.toml").assert(1, &parts);
    produce("second", 20);
    bench.run("run job.toml").assert(1, &[&format!("`{topic}`, partition 0"), "has been cut off in front of offset 8", "`on-reset` says"]);
    bench.edit_job("topics =", "on-reset = \"earliest\"\ntopics =");
    let mut process = bench.start("run job.toml");
    wait_for(&server, &mut process, &output, 28);
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    let of = |round: &'static str, count: usize| (0..count).map(move |number| format!("{round} {number}"));
    assert_eq!(values(&server, &output, 28), of("first", 8).chain(of("second", 20)).collect::<Vec<_>>());
}

#[test]
fn a_topic_of_a_sink_that_is_made_anew_beneath_a_job_ends_it() {
    let Some(server) = KafkaServer::in_use() else { return };
    for (is_of_markers, said) in [(true, "--republish"), (false, "what was published to it is gone")] {
        let (topic, output) = (server.topic(1), server.topic(1));
        let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, ""));
        server.produce(&topic, &[json!({ "value": "v" })]);
        let mut process = bench.start("run job.toml");
        wait_for(server, &mut process, &output, 1);
        let (name, policy) = if is_of_markers { (format!("{output}-markers"), "compact") } else { (output, "delete") };
        server.client(&json!({ "do": "delete", "topics": [name] }));
        server.client(&json!({ "do": "create", "topic": name, "partitions": 1, "cleanup.policy": policy }));
        // Each of these brings a chunk, and it is looked at no more than once a second.
        let runs = process.runs_until("its end", || {
            server.produce(&topic, &[json!({ "value": "v" })]);
            false
        });
        assert!(!runs);
        process.ended().assert(1, &[&format!("`{name}`"), said]);
    }
}
