//! Where a source begins, where it ends and goes on, and what its records have.

use super::{all, bench, counted, counting, counts, messages, passing, values, wait_for};
use serde_json::{Value, json};
use weir_tests::process::{KafkaServer, Signal};

/// Eight messages in one partition, of which number n has the time 1000 (n + 1).
fn timed(server: &KafkaServer) -> String {
    let topic = server.topic(1);
    let message = |number: u64| json!({ "value": format!("v{number}"), "timestamp": (number + 1) * 1_000 });
    server.produce(&topic, &(0..8).map(message).collect::<Vec<_>>());
    topic
}

/// What a bounded job that begins with `of_source` passes on of [`timed`].
#[track_caller]
fn begins(server: &KafkaServer, topic: &str, of_source: &str, expect: std::ops::Range<u64>) {
    let output = server.topic(1);
    let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, &format!("until = \"end\"\n{of_source}")));
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(
        values(server, &output, expect.clone().count()),
        expect.map(|number| format!("v{number}")).collect::<Vec<_>>(),
        "{of_source}"
    );
}

#[test]
fn a_job_begins_where_its_job_file_says() {
    let Some(server) = KafkaServer::in_use() else { return };
    let topic = timed(server);
    begins(server, &topic, "start = \"earliest\"", 0..8);
    begins(server, &topic, "start = \"latest\"", 8..8);
    begins(server, &topic, "start = { timestamp = 3500 }", 3..8);
    begins(server, &topic, "start = { timestamp = 99000 }", 8..8);
    let group = server.name();
    begins(server, &topic, &format!("start = \"group\"\ngroup = \"{group}\""), 0..8);
    server.client(&json!({ "do": "commit", "group": group, "topic": topic, "offsets": [5] }));
    begins(server, &topic, &format!("start = \"group\"\ngroup = \"{group}\""), 5..8);
}

#[test]
fn a_group_is_told_how_far_completed_checkpoints_have_come() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output, group) = (timed(server), server.topic(1), server.name());
    let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, &format!("group = \"{group}\"")));
    let mut process = bench.start("run job.toml");
    let offsets = || server.client(&json!({ "do": "offsets", "group": group, "topic": topic }));
    assert!(process.runs_until("the group's offset", || offsets() == json!([8])));
    server.produce(&topic, &[json!({ "value": "v8" })]);
    assert!(process.runs_until("the group's next offset", || offsets() == json!([9])));
    process.send(Signal::Terminate);
    process.ended().assert(0, &["stopping after a last checkpoint"]);
    // It goes on by its own positions, whatever the group says.
    server.client(&json!({ "do": "commit", "group": group, "topic": topic, "offsets": [0] }));
    server.produce(&topic, &[json!({ "value": "v9" })]);
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 10);
    assert_eq!(values(server, &output, 10), (0..10).map(|number| format!("v{number}")).collect::<Vec<_>>());
}

#[test]
fn a_record_has_what_its_message_has_and_where_it_lay() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    let message = |key: Value, value: Value, timestamp: u64, headers: Value| json!({ "key": key, "value": value, "timestamp": timestamp, "headers": headers });
    let none = || json!([]);
    let sent = [
        message(json!("k"), json!("v"), 5, json!([["name", "text"], ["name", "again"]])),
        message(json!("k"), Value::Null, 6, none()),
        message(Value::Null, json!(""), 7, none()),
        message(json!(""), json!("w"), 8, json!([["empty", ""]])),
    ];
    server.produce(&topic, &sent);
    let bench_of = |of_source: &str| bench(passing(server, &format!("[\"{topic}\"]"), &output, &format!("until = \"end\"\n{of_source}")));
    bench_of("").run("run job.toml").assert(0, &["finished"]);
    let with_partition = |message: &Value| {
        let mut message = message.clone();
        message["partition"] = json!(0);
        message
    };
    assert_eq!(all(server, &output, 4), sent.iter().map(with_partition).collect::<Vec<_>>());

    bench_of("metadata = true").run("run job.toml").assert(0, &["finished"]);
    let headers: Vec<Value> = all(server, &output, 8)[4..].iter().map(|message| message["headers"].clone()).collect();
    let place = |offset: &str| [json!(["kafka.topic", topic]), json!(["kafka.partition", "0"]), json!(["kafka.offset", offset])];
    let with = |own: Value, offset: &str| json!([own.as_array().expect("a list").clone(), place(offset).to_vec()].concat());
    assert_eq!(
        headers,
        [with(sent[0]["headers"].clone(), "0"), with(none(), "1"), with(none(), "2"), with(sent[3]["headers"].clone(), "3")]
    );
}

#[test]
fn what_was_aborted_is_not_read_and_the_ends_of_transactions_are_no_records() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    let transact = |value: &str, end: &str| {
        server.client(&json!({ "do": "transact", "topic": topic, "messages": [{ "value": value }], "end": end }));
    };
    transact("a", "commit");
    transact("b", "abort");
    transact("c", "commit");
    transact("d", "abort");
    transact("e", "open");
    let job = passing(server, &format!("[\"{topic}\"]"), &output, "until = \"end\"");
    bench(job).run("run job.toml").assert(0, &["finished"]);
    assert_eq!(values(server, &output, 2), ["a", "c"]);
}

#[test]
fn partitions_and_topics_that_come_are_read_from_their_first_record_on() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (prefix, output) = (server.name(), server.topic(1));
    let create = |topic: &str| server.client(&json!({ "do": "create", "topic": topic, "partitions": 1 }));
    let (first, second) = (format!("{prefix}-a"), format!("{prefix}-b"));
    create(&first);
    server.produce(&first, &messages(0..70));
    let of_source = "start = \"latest\"\ndiscovery-interval = \"100ms\"";
    let topics = format!("{{ pattern = \"{prefix}-*\" }}");
    let bench = bench(counting(server, "x", &output, of_source, "").replace("topics = [\"x\"]", &format!("topics = {topics}")));
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a checkpoint", || !bench.log().completed.is_empty()));
    server.client(&json!({ "do": "add_partitions", "topic": first, "partitions": 2 }));
    let into = |partition: u64| {
        messages(0..70).into_iter().map(move |mut message| {
            message["partition"] = json!(partition);
            message
        })
    };
    server.produce(&first, &into(1).collect::<Vec<_>>());
    create(&second);
    server.produce(&second, &messages(0..70));
    wait_for(server, &mut process, &output, 140);
    assert!(process.kill());
    server.produce(&first, &into(0).collect::<Vec<_>>());
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 210);
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    assert_eq!(counted(server, &output, 210), counts(0..210));
}

#[test]
fn records_that_were_deleted_before_they_were_read_are_an_error_or_passed_over() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (timed(server), server.topic(1));
    let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, ""));
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 8);
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    let message = |number: u64| json!({ "value": format!("v{number}") });
    server.produce(&topic, &(8..12).map(message).collect::<Vec<_>>());
    server.client(&json!({ "do": "delete_records", "topic": topic, "before": 10 }));
    bench.run("run job.toml").assert(
        1,
        &["is to be read from offset 8 on, and its oldest record has offset 10: 2 have been deleted", "`on-reset = \"earliest\"`"],
    );
    bench.edit_job("topics =", "on-reset = \"earliest\"\ntopics =");
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 10);
    assert!(process.kill());
    assert_eq!(values(server, &output, 10), [0, 1, 2, 3, 4, 5, 6, 7, 10, 11].map(|number| format!("v{number}")));
}

#[test]
fn a_topic_that_was_made_anew_is_another_one_even_where_its_offsets_go_on() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (timed(server), server.topic(1));
    let anew = |round: u64| {
        server.client(&json!({ "do": "delete", "topics": [topic] }));
        server.client(&json!({ "do": "create", "topic": topic, "partitions": 1 }));
        let message = |number: u64| json!({ "value": format!("round {round} of {number}") });
        server.produce(&topic, &(0..10).map(message).collect::<Vec<_>>());
    };
    // A topic that a pattern matches may be gone for a while.
    let topics = format!("{{ pattern = \"{topic}*\" }}");
    let bench = bench(passing(server, &topics, &output, "discovery-interval = \"100ms\""));
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 8);
    anew(1);
    process.ended().assert(1, &[&format!("`{topic}`, partition 0"), "made anew", "`on-reset = \"earliest\"`"]);
    bench.run("run job.toml").assert(1, &["was deleted and made anew since it was read", "`on-reset = \"earliest\"`"]);
    bench.edit_job("topics =", "on-reset = \"earliest\"\ntopics =");
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 18);
    anew(2);
    wait_for(server, &mut process, &output, 28);
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    let rounds = |round: u64| (0..10).map(move |number| format!("round {round} of {number}"));
    let expected: Vec<String> = (0..8).map(|number| format!("v{number}")).chain(rounds(1)).chain(rounds(2)).collect();
    assert_eq!(values(server, &output, 28), expected);
    // What is kept of it is the new topic.
    let (before, mut process) = (bench.log().completed.len(), bench.start("run job.toml"));
    assert!(process.runs_until("a checkpoint", || bench.log().completed.len() > before));
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    assert_eq!(values(server, &output, 28), expected);
}

#[test]
fn key_and_time_are_fields_of_values_where_the_job_file_says_so() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    let sent = |value: Value| json!({ "key": "own", "value": value, "timestamp": 5 });
    server.produce(&topic, &[sent(json!(r#"{"k":"a","t":7}"#)), sent(Value::Null), sent(json!("{}"))]);
    let of_source = "until = \"end\"\nformat = \"jsonl\"\nkey = \"k\"\ntimestamp = { field = \"t\", format = \"unix-s\" }";
    bench(passing(server, &format!("[\"{topic}\"]"), &output, of_source)).run("run job.toml").assert(0, &["finished"]);
    let keys_and_values: Vec<(Value, Value)> =
        all(server, &output, 3).into_iter().map(|mut message| (message["key"].take(), message["value"].take())).collect();
    let expected = [(json!("a"), json!(r#"{"k":"a","t":7}"#)), (json!("own"), Value::Null), (Value::Null, json!("{}"))];
    assert_eq!(keys_and_values, expected);
    assert_eq!(all(server, &output, 3)[0]["timestamp"], json!(7_000));
    server.produce(&topic, &[sent(json!("{"))]);
    let ended = bench(passing(server, &format!("[\"{topic}\"]"), &output, of_source)).run("run job.toml");
    ended.assert(1, &[&format!("read `{topic}`, partition 0, offset 3: column 1: it is no JSON object"), "hint: `format = \"jsonl\"`"]);
    let topic = server.topic(1);
    server.produce(&topic, &[sent(json!(r#"{"k":"a","t":"yesterday"}"#))]);
    let ended = bench(passing(server, &format!("[\"{topic}\"]"), &output, of_source)).run("run job.toml");
    ended.assert(1, &[&format!("read `{topic}`, partition 0, offset 0"), "hint: `timestamp = { field, format, zone }`"]);
}
