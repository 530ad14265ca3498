//! What a source has read of, or is to read, and is not there any more: it is named, and what `on-reset` says is done.

use super::{bench, passing, values, wait_for};
use crate::written::Written;
use serde_json::{Value, json};
use weir_tests::process::{Bench, KafkaServer, Running, Signal};

/// Writes a message of each of these numbers.
fn produce(server: &KafkaServer, topic: &str, numbers: std::ops::Range<u64>) {
    server.produce(topic, &numbers.map(|number| json!({ "value": number.to_string() })).collect::<Vec<_>>());
}

/// Makes a topic anew under its name.
fn make_anew(server: &KafkaServer, topic: &str, partitions: u32) {
    server.client(&json!({ "do": "delete", "topics": [topic] }));
    server.client(&json!({ "do": "create", "topic": topic, "partitions": partitions }));
}

/// Runs a job until so many records are written, and stops it.
#[track_caller]
fn read(server: &KafkaServer, bench: &Bench<Written>, output: &str, count: usize) {
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, output, count);
    stop(process);
}

#[track_caller]
fn stop(process: Running) {
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
}

fn texts(numbers: impl Iterator<Item = u64>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

#[test]
fn what_comes_is_read_where_records_are_gone_and_the_job_file_says_latest() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, "on-reset = \"latest\""));
    produce(server, &topic, 0..8);
    read(server, &bench, &output, 8);
    // Deleted before they were read, though there are some behind them.
    produce(server, &topic, 8..12);
    server.client(&json!({ "do": "delete_records", "topic": topic, "before": 10 }));
    let goes_on = |why: &str, next: u64, count: usize| {
        let mut process = bench.start("run job.toml");
        assert!(process.says(why, &mut 0) && process.says("what comes is read", &mut 0), "{}", process.said());
        produce(server, &topic, next..next + 1);
        wait_for(server, &mut process, &output, count);
        stop(process);
    };
    goes_on("2 have been deleted", 12, 9);
    make_anew(server, &topic, 1);
    produce(server, &topic, 100..120);
    goes_on("was deleted and made anew since it was read", 120, 10);
    assert_eq!(values(server, &output, 10), texts((0..8).chain([12, 120])));
}

/// Librdkafka asks for an offset that is gone by then: its partition has to be asked for, and begun anew.
#[test]
fn records_that_are_deleted_in_front_of_a_job_that_runs_end_it_or_are_passed_over() {
    let Some(server) = KafkaServer::in_use() else { return };
    for on_reset in ["", "on-reset = \"latest\"", "on-reset = \"earliest\""] {
        let (topic, output) = (server.topic(1), server.topic(1));
        // In batches of their own, of which little is fetched ahead.
        (0..20).for_each(|batch| produce(server, &topic, batch * 50..batch * 50 + 50));
        let little = "options = { \"queued.min.messages\" = \"1\", \"fetch.message.max.bytes\" = \"500\" }\nrate = 100";
        let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, &format!("{little}\n{on_reset}")));
        let mut process = bench.start("run job.toml");
        wait_for(server, &mut process, &output, 1);
        server.client(&json!({ "do": "delete_records", "topic": topic, "before": 990 }));
        let (of, ends) = (format!("`{topic}`, partition 0, of the Kafka cluster at"), "any more, only 990 to 1000");
        if on_reset.is_empty() {
            process.ended().assert(1, &[&of, ends, "`on-reset` says what else to do"]);
            continue;
        }
        let behind: Vec<u64> = if on_reset.contains("latest") { vec![1_000] } else { (990..1_001).collect() };
        assert!(process.says(ends, &mut 0) && process.says("it is gone on with at", &mut 0), "{}", process.said());
        produce(server, &topic, 1_000..1_001);
        let is_there = || server.committed(&output).last().is_some_and(|last| last["value"] == "1000");
        assert!(process.runs_until("what comes", is_there));
        process.kill();
        let written: Vec<u64> = values(server, &output, 1).iter().map(|value| value.parse().expect("a number")).collect();
        let before = (written.len() - behind.len()) as u64;
        assert!(before < 990, "{before} had been read");
        assert_eq!(written, (0..before).chain(behind).collect::<Vec<_>>(), "{on_reset}");
    }
}

#[test]
fn a_partition_or_a_topic_that_is_gone_is_named_whatever_the_job_file_says_of_records() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(2), server.topic(1));
    let each = [json!({ "value": "v", "partition": 0 }), json!({ "value": "v", "partition": 1 })];
    server.produce(&topic, &each);
    let bench_of = bench(passing(server, &format!("[\"{topic}\"]"), &output, "on-reset = \"earliest\""));
    read(server, &bench_of, &output, 2);
    make_anew(server, &topic, 1);
    bench_of.run("run job.toml").assert(1, &[&format!("`{topic}`, partition 1, of the Kafka cluster"), "is gone", "--fresh"]);

    let (prefix, output) = (server.name(), server.topic(1));
    let [first, second] = ["a", "b"].map(|name| format!("{prefix}-{name}"));
    for topic in [&first, &second] {
        server.client(&json!({ "do": "create", "topic": topic, "partitions": 1 }));
        produce(server, topic, 0..1);
    }
    let job = |topics: &str| passing(server, topics, &output, "discovery-interval = \"100ms\"");
    let bench = bench(job(&format!("{{ pattern = \"{prefix}-*\" }}")));
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 2);
    bench.run("savepoint create words taken").assert(0, &[]);
    stop(process);
    // Not read to its end, so it may not be left out.
    bench.write_job(&job(&format!("[\"{second}\"]")));
    let parts = [&*format!("`{first}`, partition 0, of the Kafka cluster"), "is none of `topics` any more", "add it again"];
    bench.run("run job.toml --from ./taken").assert(1, &parts);

    bench.write_job(&job(&format!("[\"{first}\", \"{second}\"]")));
    let mut process = bench.start("run job.toml");
    produce(server, &first, 1..2);
    wait_for(server, &mut process, &output, 3);
    server.client(&json!({ "do": "delete", "topics": [first] }));
    process.ended().assert(1, &[&format!("`{first}`"), "kafka-topics.sh --list"]);
    bench.write_job(&job(&format!("{{ pattern = \"{prefix}-*\" }}")));
    bench.run("run job.toml").assert(1, &[&format!("`{first}`, partition 0, of the Kafka cluster"), "is gone", "--fresh"]);
}

#[test]
fn an_end_that_a_partition_does_not_have_any_more_is_an_error() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    produce(server, &topic, 0..500);
    let of_source = "until = \"end\"\nrate = 100\non-reset = \"earliest\"";
    let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, of_source));
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 1);
    assert!(process.kill());
    make_anew(server, &topic, 1);
    produce(server, &topic, 0..20);
    let parts = [&*format!("`{topic}`, partition 0,"), "went up to offset 500 when the job began, and ends at 20", "--fresh"];
    bench.run("run job.toml").assert(1, &parts);
}

#[test]
fn another_cluster_at_the_address_is_not_gone_on_with() {
    let (Some(server), Some(other)) = (KafkaServer::in_use(), KafkaServer::alone()) else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    produce(server, &topic, 0..8);
    other.client(&json!({ "do": "create", "topic": topic, "partitions": 1 }));
    produce(&other, &topic, 0..20);
    let job = passing(server, &format!("[\"{topic}\"]"), &output, "on-reset = \"earliest\"");
    let bench = bench(job.clone());
    read(server, &bench, &output, 8);
    // The first who names it is the source.
    bench.write_job(&job.replacen(&server.brokers(), &other.brokers(), 1));
    let at_other = format!("the Kafka cluster at {} is ", other.brokers());
    bench.run("run job.toml").assert(1, &[&at_other, "and what has been read was of", "mend `brokers`"]);
    assert_eq!(server.committed(&output).len(), 8);
    bench.write_job(&job);
    produce(server, &topic, 8..9);
    read(server, &bench, &output, 9);
    let read: Vec<Value> = server.committed(&output).iter().map(|message| message["value"].clone()).collect();
    assert_eq!(read, texts(0..9));
}
