//! A broker that is there and says nothing: its connections stand, and nobody answers. And what is said of one that has been away.

use super::held_back::status_when;
use super::{bench, counted, counting, counts, messages, passing, wait_for};
use serde_json::{Value, json};
use weir_tests::process::{KafkaServer, Signal};

const RECORDS: u64 = 20_000;
/// How long an answer is waited for.
const SOON: &str = "options = { \"socket.timeout.ms\" = \"1000\" }";
const SOON_AND_GIVEN_UP: &str =
    "connect-timeout = \"1s\"\noptions = { \"socket.timeout.ms\" = \"1000\", \"message.timeout.ms\" = \"2000\" }";

#[test]
fn a_broker_that_says_nothing_is_waited_for_and_shown_and_nothing_is_lost_or_doubled() {
    let Some(server) = KafkaServer::alone() else { return };
    let (input, output) = (server.topic(4), server.topic(3));
    server.produce(&input, &messages(0..RECORDS));
    let bench = bench(counting(&server, &input, &output, &format!("rate = 4000\n{SOON}"), SOON_AND_GIVEN_UP));
    let mut process = bench.start("run job.toml");
    wait_for(&server, &mut process, &output, 1);
    server.hold();
    let seen = status_when(&bench, &mut process, "both ends say so", |seen| {
        let troubled = |vertex: usize| seen["vertices"][vertex].get("trouble").is_some();
        troubled(0) && troubled(2) && seen["outboxes"][0]["retries"].as_u64() > Some(1)
    });
    let told = [&seen["vertices"][0]["trouble"], &seen["vertices"][2]["trouble"], &seen["outboxes"][0]["last_error"]["message"]];
    assert!(told.iter().all(|told| told.as_str().is_some_and(|told| told.contains(&server.brokers()))), "{told:?}");
    server.release();
    let after = status_when(&bench, &mut process, "both are reached", |seen| {
        seen["outboxes"][0]["retries"] == 0 && seen["vertices"][0].get("trouble").is_none()
    });
    assert_ne!(after["outboxes"][0]["last_error"], Value::Null, "it stays to be seen");
    let all = RECORDS + 700;
    server.produce(&input, &messages(RECORDS..all));
    wait_for(&server, &mut process, &output, all as usize);
    process.send(Signal::Terminate);
    process.ended().assert(0, &["stopping after a last checkpoint", " 0 restarts"]);
    assert_eq!(counted(&server, &output, all), counts(0..all));
}

#[test]
fn what_was_wrong_before_is_not_said_of_an_error_that_comes_later() {
    let Some(server) = KafkaServer::alone() else { return };
    let (topic, output) = (server.topic(1), server.name());
    server.client(&json!({ "do": "create", "topic": output, "partitions": 1, "max.message.bytes": "1000" }));
    let produce = |bytes: usize| server.produce(&topic, &[json!({ "key": "k", "value": "x".repeat(bytes) })]);
    let bench = bench(passing(&server, &format!("[\"{topic}\"]"), &output, ""));
    let mut process = bench.start("run job.toml");
    produce(1);
    wait_for(&server, &mut process, &output, 1);
    // Nothing is under way meanwhile: the publisher goes on with the client that it has.
    server.kill();
    server.begin();
    produce(2);
    wait_for(&server, &mut process, &output, 2);
    produce(5_000);
    let ended = process.ended();
    ended.assert(1, &["write a message of 5001 bytes"]);
    let error = ended.stderr.lines().find(|line| line.starts_with("error: ")).expect("an error");
    let over = ["refused)", "isconnected", "brokers are down"];
    assert!(!ended.stderr.contains("could not be published") && !over.iter().any(|over| error.contains(over)), "{}", ended.stderr);
}
