//! Between checkpoints no transaction is open, nor while output waits for the end of a probation, nor while the job is down: nothing of it can time out, and no reader waits for it.

use super::held_back::status_when;
use super::{bench, passing, values, wait_for};
use serde_json::{Value, json};
use weir_tests::process::{KafkaServer, Signal, plugin, write_variant};

/// Fails where the newest transaction of a sink is open. Kafka's own program tells.
#[track_caller]
fn assert_none_is_open(server: &KafkaServer, sink: &str) {
    let listed = server.java("org.apache.kafka.tools.TransactionsCommand", &["list"], "");
    let is_its =
        |line: &&str| line.split_whitespace().next().is_some_and(|id| id.starts_with("weir-") && id.ends_with(&format!("-{sink}")));
    let line = listed.lines().find(is_its).unwrap_or_else(|| panic!("no transactional id of {sink}: {listed}"));
    assert!(line.split_whitespace().any(|word| ["Empty", "PrepareCommit", "CompleteCommit"].contains(&word)), "{line}");
}

#[test]
fn no_transaction_is_open_between_checkpoints_on_probation_and_while_the_job_is_down() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    let produce = |value: &str| server.produce(&topic, &[json!({ "value": value })]);
    // By the sink's name its transactional id is known among those of others.
    let job = passing(server, &format!("[\"{topic}\"]"), &output, "").replace("[sink.out]", &format!("[sink.{output}]"));
    let bench = bench(job.replace("interval = \"50ms\"", "interval = \"1h\""));
    write_variant(&plugin("pass-through"), &bench.path("v2.wasm"));

    let mut process = bench.start("run job.toml");
    let has_taken = |process: &mut _, records: u64| {
        status_when(&bench, process, "the sink has it", |seen| seen["vertices"][2]["records_in"] == records);
    };
    produce("a");
    has_taken(&mut process, 1);
    bench.run("checkpoint trigger words").assert(0, &[]);
    wait_for(server, &mut process, &output, 1);
    produce("b");
    has_taken(&mut process, 2);
    assert_none_is_open(server, &output);
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    assert_none_is_open(server, &output);

    // On probation checkpoints go on, and what they cover is staged.
    bench.edit_job("interval = \"1h\"", "interval = \"50ms\"");
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("it goes on", || bench.log().completed.len() > 3));
    let mut upgrade = bench.start("upgrade words --operator pass --plugin v2.wasm --probation 1h");
    assert!(upgrade.runs_until("the override in the log", || bench.log().overrides > 0));
    produce("c");
    let waits = |seen: &Value| seen["outboxes"][0]["unpublished_bytes"].as_u64() > Some(0);
    status_when(&bench, &mut process, "output waits", waits);
    assert_none_is_open(server, &output);
    assert!(process.kill());
    upgrade.ended().assert(1, &[]);
    assert_none_is_open(server, &output);
    assert_eq!(values(server, &output, 2), ["a", "b"], "what is on probation is not published");

    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 3);
    process.kill();
    assert_eq!(values(server, &output, 3), ["a", "b", "c"]);
}
