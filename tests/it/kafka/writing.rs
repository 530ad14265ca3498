//! What a sink writes: at once, where that will do; to the topic that a record names; and what it says of a message that no topic takes.

use super::{AHEAD, all, any_times, bench, messages, passing, values, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_tests::process::KafkaServer;

/// A job that passes records on at once.
fn at_once(server: &KafkaServer, topic: &str, output: &str, of_source: &str) -> String {
    let job = passing(server, &format!("[\"{topic}\"]"), output, of_source);
    job.replace(&format!("marker-topic = \"{output}-markers\""), "delivery = \"at-least-once\"")
}

/// A job whose sink takes the topic from each record, as `from` says.
fn dealing(server: &KafkaServer, topic: &str, from: &str, more: &str) -> String {
    let job = passing(server, &format!("[\"{topic}\"]"), "nowhere", "until = \"end\"");
    job.replace("topic = \"nowhere\"\nmarker-topic = \"nowhere-markers\"", &format!("topic = {from}\n{more}"))
}

#[track_caller]
fn values_of(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["value"].as_str().expect("a value")).collect()
}

#[test]
fn what_is_written_at_once_is_there_in_order_with_all_that_it_has() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    // A value that is absent, which a compacted topic deletes a key by, stays so, and one that is empty does.
    let value = |number: u64| match number % 100 {
        7 => Value::Null,
        8 => json!(""),
        _ => json!(format!("v{number}")),
    };
    let sent: Vec<Value> = (0..3_000)
        .map(|number| json!({ "key": "k", "value": value(number), "timestamp": 1_000 + number, "headers": [["n", format!("{number}")]], "partition": 0 }))
        .collect();
    server.produce(&topic, &sent);
    bench(at_once(server, &topic, &output, "until = \"end\"")).run("run job.toml").assert(0, &["finished"]);
    assert_eq!(all(server, &output, 3_000), sent);
}

#[test]
fn what_is_written_at_once_is_all_there_behind_kills_of_the_process_and_of_the_broker() {
    let Some(server) = KafkaServer::alone() else { return };
    let (topic, output) = (server.topic(4), server.topic(3));
    server.produce(&topic, &messages(0..6_000));
    let bench = bench(at_once(&server, &topic, &output, "until = \"end\"\nrate = 800"));
    for round in 1..4 {
        let mut process = bench.start("run job.toml -q");
        wait_for(&server, &mut process, &output, round * 300);
        assert!(process.kill());
    }
    let mut process = bench.start("run job.toml");
    let written = server.committed(&output).len();
    wait_for(&server, &mut process, &output, written + 100);
    server.kill();
    server.begin();
    process.ended().assert(0, &["finished"]);
    let there = server.committed(&output);
    let distinct: BTreeSet<&str> = values_of(&there).into_iter().collect();
    assert_eq!(distinct.len(), 6_000, "of {} messages", there.len());
}

#[test]
fn a_record_goes_to_the_topic_that_its_header_or_a_field_of_its_value_names() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, prefix) = (server.topic(1), server.name());
    let (first, second) = (format!("{prefix}-a"), format!("{prefix}-b"));
    for topic in [&first, &second] {
        server.client(&json!({ "do": "create", "topic": topic, "partitions": 1 }));
    }
    let message = |number: u64| {
        let name = if number.is_multiple_of(2) { &first } else { &second };
        json!({ "key": "k", "value": json!({ "to": name, "n": number }).to_string(), "headers": [["to", name]] })
    };
    server.produce(&topic, &(0..6).map(message).collect::<Vec<_>>());
    for (from, more) in [
        (format!("{{ header = \"to\", allow = \"{prefix}-*\" }}"), format!("marker-topic = \"{prefix}-markers\"")),
        ("{ field = \"to\" }".to_owned(), "delivery = \"at-least-once\"".to_owned()),
    ] {
        bench(dealing(server, &topic, &from, &more)).run("run job.toml").assert(0, &["finished"]);
    }
    for (output, rest) in [(&first, 0), (&second, 1)] {
        let expected: Vec<u64> = (0..6).filter(|number| number % 2 == rest).collect();
        let numbers: Vec<u64> = values(server, output, 6)
            .iter()
            .map(|value| serde_json::from_str::<Value>(value).expect("JSON")["n"].as_u64().expect("a number"))
            .collect();
        assert_eq!(numbers, [expected.clone(), expected].concat());
    }
    // What it may not write to, and what is not there.
    let refused = |name: &str, more: &str, parts: &[&str]| {
        let topic = server.topic(1);
        server.produce(&topic, &[json!({ "key": "k", "value": "v", "headers": [["to", name]] })]);
        let from = format!("{{ header = \"to\", allow = \"{prefix}-*\" }}");
        bench(dealing(server, &topic, &from, more)).run("run job.toml").assert(1, parts);
    };
    let exactly = format!("marker-topic = \"{prefix}-markers\"");
    for more in [exactly.as_str(), "delivery = \"at-least-once\""] {
        refused("elsewhere", more, &["with the key `k`", "the header `to` says `elsewhere`, which `allow` of `topic` does not"]);
        let missing = format!("{prefix}-missing");
        refused(&missing, more, &[&format!("look for the topic `{missing}`"), "kafka-topics.sh"]);
    }
    refused(&format!("{prefix}-markers"), &exactly, &["which `allow` of `topic` does not"]);
}

#[test]
fn a_message_that_is_larger_than_the_topic_takes_is_an_error_that_names_its_size_its_key_and_the_topic() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.name());
    server.client(&json!({ "do": "create", "topic": output, "partitions": 1, "max.message.bytes": "1000" }));
    server.produce(&topic, &[json!({ "key": "small", "value": "x" }), json!({ "key": "k", "value": "x".repeat(5_000) })]);
    let said = format!("write a message of 5001 bytes with the key `k` to `{output}`");
    let parts = [said.as_str(), "`max.message.bytes` of the topic"];
    bench(passing(server, &format!("[\"{topic}\"]"), &output, "until = \"end\"")).run("run job.toml").assert(1, &parts);
    bench(at_once(server, &topic, &output, "until = \"end\"")).run("run job.toml").assert(1, &parts);
}

#[test]
fn a_message_whose_time_no_topic_takes_is_an_error_that_names_it_and_holds_up_no_reader() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (any_times(server), server.name());
    let create = json!({ "do": "create", "topic": output, "partitions": 1, "message.timestamp.after.max.ms": "3600000" });
    server.client(&create);
    // The larger ones in its batch are refused along with it, and what lies behind is given up; what was written before is in the transaction.
    let beside = |number: u64| json!({ "key": format!("k{number}"), "value": "x".repeat(500), "timestamp": 1_000 });
    let late = json!({ "key": "late", "value": "v", "timestamp": AHEAD });
    server.produce(&topic, &(0..995).map(beside).chain([late]).chain((995..3_000).map(beside)).collect::<Vec<_>>());
    let said = format!("write a message of 5 bytes with the key `late` and the time {AHEAD} to `{output}`");
    let parts = [said.as_str(), "`message.timestamp.after.max.ms`"];
    let job = passing(server, &format!("[\"{topic}\"]"), &output, "until = \"end\"");
    let small = format!("options = {{ \"batch.num.messages\" = 10 }}\nmarker-topic = \"{output}-markers\"");
    bench(job.replace(&format!("marker-topic = \"{output}-markers\""), &small)).run("run job.toml").assert(1, &parts);
    // The transaction was ended: what is committed is read at once, and nothing of the job is.
    assert_eq!(server.committed(&output), [] as [Value; 0]);
    bench(at_once(server, &topic, &output, "until = \"end\"")).run("run job.toml").assert(1, &parts);
}

#[test]
fn a_topic_that_only_brokers_write_to_is_refused() {
    let Some(server) = KafkaServer::in_use() else { return };
    let topic = server.topic(1);
    server.produce(&topic, &[json!({ "value": "v" })]);
    let job = passing(server, &format!("[\"{topic}\"]"), "__consumer_offsets", "until = \"end\"");
    bench(job.replace("__consumer_offsets-markers", "m")).run("check job.toml").assert(2, &["only the brokers themselves write to"]);
    // What lies on the brokers' disks decides about the rest: a compacted topic takes nothing without a key.
    let output = server.name();
    server.client(&json!({ "do": "create", "topic": output, "partitions": 1, "cleanup.policy": "compact" }));
    let parts = ["write a message of 1 bytes without a key", "a compacted topic takes no message without a key"];
    bench(passing(server, &format!("[\"{topic}\"]"), &output, "until = \"end\"")).run("run job.toml").assert(1, &parts);
}

#[test]
fn a_record_without_a_topic_ends_the_job_in_front_of_its_checkpoint_and_a_mended_job_file_goes_on() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    let message = |number: u64| json!({ "key": format!("k{number}"), "value": format!("v{number}") });
    server.produce(&topic, &(0..3).map(message).collect::<Vec<_>>());
    let from = "{ header = \"to\" }";
    let bench = bench(dealing(server, &topic, from, &format!("marker-topic = \"{output}-markers\"")));
    for _ in 0..2 {
        bench.run("run job.toml").assert(1, &["out: find the topic of a record with the key `k0`: the header `to` is not there"]);
    }
    // Another target: it is refused where output waits for the one before.
    bench.edit_job(from, &format!("\"{output}\""));
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(values(server, &output, 3), ["v0", "v1", "v2"]);
}
