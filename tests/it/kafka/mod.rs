//! Kafka in and out, with Apache's own broker and a client that has nothing to do with weir. `apart`: what partitions
//! have to do with one another; `conformance`: what every source and every target promises; `group`: what a group is told, and when;
//! `held_back`: a broker that is away and what is seen of it; `lost`: what is lost beneath a job that runs; `made`: which topics are made; `marked`: markers in a topic of several; `once`: brokers that go, zombies and copies, and the output is there once and in order;
//! `open`: no transaction is, between checkpoints; `ordeal`: kills amid all that at once; `peers`: Kafka's own programs; `quarantine`: what no topic takes, set aside; `reading`: where a source begins, ends and goes on, and what records have; `refused`: what is an error, and
//! what it says; `reset`: what a source has read of and is not there any more; `rights`: what a cluster does not let somebody do; `rules`: what topics say that they take; `secured`: who may come in; `silent`: a broker that is there and says nothing; `writing`: what a sink writes.

mod apart;
mod conformance;
mod group;
mod held_back;
mod lost;
mod made;
mod marked;
mod once;
mod open;
mod ordeal;
mod peers;
mod quarantine;
mod reading;
mod refused;
mod reset;
mod rights;
mod rules;
mod secured;
mod silent;
mod writing;

use crate::written::Written;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_tests::process::{Bench, KafkaServer, Running, plugin, wait_until};

/// A time that lies further ahead than topics take that say nothing of it, in milliseconds since 1970: in the year 2100.
const AHEAD: u64 = 4_102_444_800_000;

/// Makes a topic that takes messages of any time.
#[track_caller]
fn any_times(server: &KafkaServer) -> String {
    let topic = server.name();
    server.client(&json!({ "do": "create", "topic": topic, "partitions": 1, "message.timestamp.after.max.ms": i64::MAX.to_string() }));
    topic
}

/// A bench with this job file.
fn bench(job: String) -> Bench<Written> {
    Written::bench(job)
}

/// A job that counts by key, from one topic into another. `of_source`, `of_sink`: further lines of theirs.
fn counting(server: &KafkaServer, input: &str, output: &str, of_source: &str, of_sink: &str) -> String {
    let (brokers, plugin) = (server.brokers(), plugin("word-count-count"));
    format!(
        "name = \"words\"\nparallelism = 2\n[checkpoints]\ninterval = \"50ms\"\n\
         [source.in]\nconnector = \"kafka\"\nbrokers = \"{brokers}\"\ntopics = [\"{input}\"]\n{of_source}\n\
         [operator.count]\nplugin = {plugin:?}\ninput = {{ from = \"in\", by = \"key\" }}\n\
         [sink.out]\nconnector = \"kafka\"\nbrokers = \"{brokers}\"\ntopic = \"{output}\"\nmarker-topic = \"{output}-markers\"\ninput = \"count\"\n{of_sink}\n"
    )
}

/// A job that passes records on as they are.
fn passing(server: &KafkaServer, topics: &str, output: &str, of_source: &str) -> String {
    let (brokers, plugin) = (server.brokers(), plugin("pass-through"));
    format!(
        "name = \"words\"\n[checkpoints]\ninterval = \"50ms\"\n\
         [source.in]\nconnector = \"kafka\"\nbrokers = \"{brokers}\"\ntopics = {topics}\n{of_source}\n\
         [operator.pass]\nplugin = {plugin:?}\ninput = \"in\"\n\
         [sink.out]\nconnector = \"kafka\"\nbrokers = \"{brokers}\"\ntopic = \"{output}\"\nmarker-topic = \"{output}-markers\"\ninput = \"pass\"\n"
    )
}

/// Messages of a few keys.
fn messages(numbers: std::ops::Range<u64>) -> Vec<Value> {
    numbers.map(|number| json!({ "key": format!("k{}", number % 7), "value": format!("{number}") })).collect()
}

/// How often each key is in [`messages`].
fn counts(numbers: std::ops::Range<u64>) -> BTreeMap<String, u64> {
    numbers.fold(BTreeMap::new(), |mut counts, number| {
        *counts.entry(format!("k{}", number % 7)).or_default() += 1;
        counts
    })
}

/// The committed messages of a topic, once there are so many: what is committed is seen a moment later.
#[track_caller]
fn all(server: &KafkaServer, topic: &str, count: usize) -> Vec<Value> {
    let mut messages = Vec::new();
    wait_until(&format!("{count} messages in {topic}"), || {
        messages = server.committed(topic);
        messages.len() >= count
    });
    messages
}

/// How far each key has been counted in a topic of so many messages. Fails where a count is not the one behind that before it: each is there once, in order and in one partition.
#[track_caller]
fn counted(server: &KafkaServer, topic: &str, count: u64) -> BTreeMap<String, u64> {
    let (mut counts, mut places) = (BTreeMap::<String, u64>::new(), BTreeMap::new());
    for message in all(server, topic, count as usize) {
        let text = |name: &str| message[name].as_str().unwrap_or_else(|| panic!("no {name}: {message}")).to_owned();
        let value: Value = serde_json::from_str(&text("value")).expect("JSON");
        let count = counts.entry(text("key")).or_default();
        *count += 1;
        assert_eq!((&value["word"], &value["count"]), (&message["key"], &json!(*count)), "{message}");
        let place = places.entry(text("key")).or_insert_with(|| message["partition"].clone());
        assert_eq!(*place, message["partition"], "a key is in two partitions: {message}");
    }
    counts
}

/// The values of a topic of so many messages, in order where it has one partition.
#[track_caller]
fn values(server: &KafkaServer, topic: &str, count: usize) -> Vec<String> {
    all(server, topic, count).iter().map(|message| message["value"].as_str().unwrap_or("none").to_owned()).collect()
}

/// Waits until so many records have been written to `topic`.
#[track_caller]
fn wait_for(server: &KafkaServer, process: &mut Running, topic: &str, count: usize) {
    assert!(process.runs_until(&format!("{count} records in {topic}"), || server.committed(topic).len() >= count));
}
