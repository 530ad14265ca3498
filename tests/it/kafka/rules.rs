//! What topics say that they take: a record that one certainly refuses is set aside without being sent, and batches are as small as a topic has them.

use super::held_back::status_when;
use super::quarantine::{DELIVERIES, aside, setting_aside};
use super::{AHEAD, all, any_times, bench, passing, values, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_tests::process::{Ended, KafkaServer, wait_until};

/// What is said where records have to be tried.
const TRIED: &str = "those at fault are looked for";

/// A topic that takes little: batches of 5,000 bytes, times of the last years and of the next hour, and nothing without a key.
fn strict(server: &KafkaServer) -> String {
    let topic = server.name();
    server.client(&json!({
        "do": "create", "topic": topic, "partitions": 1, "max.message.bytes": "5000", "cleanup.policy": "compact",
        "message.timestamp.after.max.ms": "3600000", "message.timestamp.before.max.ms": "946080000000",
    }));
    topic
}

/// A time that a strict topic takes: in the year 2020.
const FIT: u64 = 1_577_836_800_000;

/// Runs a job that sets records aside, to its end.
#[track_caller]
fn set_aside(server: &KafkaServer, topic: &str, output: &str, delivery: &str, more: &str) -> Ended {
    let job = setting_aside(server, topic, output, &format!("\"{output}\"\n{more}"), delivery);
    let ended = bench(job).run("run job.toml");
    ended.assert(0, &["finished"]);
    ended
}

fn keys(messages: &[Value]) -> BTreeSet<String> {
    messages.iter().map(|message| message["key"].as_str().unwrap_or("none").to_owned()).collect()
}

#[test]
fn what_a_topic_certainly_refuses_is_set_aside_without_being_tried() {
    let Some(server) = KafkaServer::in_use() else { return };
    let topic = any_times(server);
    // Eight in a thousand: with ten it hung on where a chunk ends whether more than one in a hundred are set aside by then.
    let fault = |number: u64| match number % 1_000 {
        50 | 150 | 250 | 350 | 450 => "large",
        750 => "late",
        850 => "early",
        950 => "no key",
        _ => "none",
    };
    let message = |number: u64| {
        let (key, value, time) = (format!("k{number}"), format!("{number}"), FIT + number);
        match fault(number) {
            "large" => json!({ "key": key, "value": "x".repeat(6_000), "timestamp": time }),
            "late" => json!({ "key": key, "value": value, "timestamp": AHEAD }),
            "early" => json!({ "key": key, "value": value, "timestamp": number }),
            "no key" => json!({ "value": value, "timestamp": time }),
            _ => json!({ "key": key, "value": value, "timestamp": time }),
        }
    };
    server.produce(&topic, &(0..20_000).map(message).collect::<Vec<_>>());
    let fit: BTreeSet<String> = (0..20_000).filter(|number| fault(*number) == "none").map(|number| format!("k{number}")).collect();
    for delivery in DELIVERIES {
        let output = strict(server);
        let ended = set_aside(server, &topic, &output, delivery, "");
        assert_eq!(keys(&all(server, &output, fit.len())), fit, "{delivery}");
        let found = all(server, &format!("{output}-aside"), 160);
        assert_eq!(found.len(), 160, "{delivery}");
        for message in found {
            let error = message["headers"].as_array().expect("a list").iter().find(|header| header[0] == "weir.error");
            let error = error.and_then(|header| header[1].as_str()).expect("why");
            let expected = match message["key"].as_str() {
                None => format!("it has no key, and `cleanup.policy` of `{output}` is `compact`"),
                Some(key) => match fault(key[1..].parse().expect("a number")) {
                    "large" => format!("and `max.message.bytes` of `{output}` is 5000"),
                    "late" => format!("and `message.timestamp.after.max.ms` of `{output}` is 3600000"),
                    "early" => format!("and `message.timestamp.before.max.ms` of `{output}` is 946080000000"),
                    other => panic!("{key} is set aside, which has {other}"),
                },
            };
            assert!(error.contains(&expected), "{delivery}: {error}");
        }
        assert!(!ended.stderr.contains(TRIED), "{delivery}: {}", ended.stderr);
    }
}

#[test]
fn a_record_is_as_large_as_the_brokers_find_it() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, asked) = (any_times(server), strict(server));
    // Around the limit, of records whose lengths take one byte, two and three.
    let message = |key: &str, value: usize, header: usize| json!({ "key": format!("{key}{value}"), "value": "x".repeat(value), "timestamp": FIT, "headers": [["h".repeat(header), "1"]] });
    let around = |key: &'static str, key_and_header: usize, header: usize| {
        (5_000 - key_and_header - 90..5_000 - key_and_header - 60).map(move |value| message(key, value, header))
    };
    let messages: Vec<Value> = around("a", 4, 1).chain(around("b", 90, 80)).collect();
    let taken: Vec<bool> = serde_json::from_value(server.client(&json!({ "do": "takes", "topic": asked, "messages": messages }))).unwrap();
    assert!(taken.contains(&true) && taken.contains(&false), "{taken:?}");
    let fit = messages.iter().zip(taken).filter(|(_, is_taken)| *is_taken).map(|(message, _)| message.clone()).collect::<Vec<_>>();
    server.produce(&topic, &messages);
    for delivery in DELIVERIES {
        let output = strict(server);
        let ended = set_aside(server, &topic, &output, delivery, "");
        assert_eq!(keys(&all(server, &output, fit.len())), keys(&fit), "{delivery}");
        assert_eq!(aside(server, &output, messages.len() - fit.len()).len(), messages.len() - fit.len());
        assert!(!ended.stderr.contains(TRIED), "{delivery}: {}", ended.stderr);
    }
}

#[test]
fn records_are_not_refused_for_lying_together_where_a_topic_takes_small_batches() {
    let Some(server) = KafkaServer::in_use() else { return };
    let topic = server.topic(1);
    server.produce(&topic, &(0..3_000).map(|number| json!({ "key": "k", "value": format!("{number}") })).collect::<Vec<_>>());
    for more in ["marker-topic", "delivery = \"at-least-once\" #"] {
        let output = server.name();
        server.client(&json!({ "do": "create", "topic": output, "partitions": 1, "max.message.bytes": "500" }));
        let job = passing(server, &format!("[\"{topic}\"]"), &output, "until = \"end\"").replace("marker-topic", more);
        bench(job).run("run job.toml").assert(0, &["finished"]);
        assert_eq!(values(server, &output, 3_000), (0..3_000).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn what_fits_once_it_is_compressed_is_written_and_what_does_not_is_set_aside() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (any_times(server), strict(server));
    let noise = |seed: u64| {
        let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        std::iter::successors(Some(seed), next).skip(5).take(20_000).map(|state| format!("{:x}", state >> 60)).collect::<String>()
    };
    let message = |number: u64| match number % 20 {
        5 => json!({ "key": format!("plain{number}"), "value": "x".repeat(50_000), "timestamp": FIT }),
        15 => json!({ "key": format!("noise{number}"), "value": noise(number), "timestamp": FIT }),
        _ => json!({ "key": format!("small{number}"), "value": "v", "timestamp": FIT }),
    };
    let messages: Vec<Value> = (0..100).map(message).collect();
    server.produce(&topic, &messages);
    let (noisy, fit): (Vec<Value>, Vec<Value>) =
        messages.into_iter().partition(|message| message["key"].as_str().is_some_and(|key| key.starts_with("noise")));
    set_aside(server, &topic, &output, "exactly-once", "options = { \"compression.type\" = \"gzip\" }");
    assert_eq!(keys(&all(server, &output, fit.len())), keys(&fit));
    assert_eq!(aside(server, &output, noisy.len()).into_keys().collect::<BTreeSet<_>>(), keys(&noisy));
}

#[test]
fn a_limit_that_is_raised_is_heard_of_by_a_job_that_runs() {
    let Some(server) = KafkaServer::in_use() else { return };
    for delivery in DELIVERIES {
        let (topic, output) = (any_times(server), strict(server));
        let job = setting_aside(server, &topic, &output, &format!("\"{output}\""), delivery).replace("until = \"end\"", "");
        let large = |key: &str| json!({ "key": key, "value": "x".repeat(6_000), "timestamp": FIT });
        server.produce(&topic, &[large("first")]);
        let bench = bench(job);
        let mut process = bench.start("run job.toml");
        assert!(process.runs_until("it is set aside", || server.committed(&format!("{output}-aside")).len() == 1));
        server.client(&json!({ "do": "alter", "topic": output, "max.message.bytes": "7000" }));
        let heard = process.runs_until("one is written", || {
            server.produce(&topic, &[large("later")]);
            !server.committed(&output).is_empty()
        });
        assert!(heard, "{delivery}");
        process.kill();
    }
}

/// Has a topic take less, and waits until its broker goes by that. What is written to see it has the key `asked`.
fn lower(server: &KafkaServer, topic: &str, bytes: usize) {
    server.client(&json!({ "do": "alter", "topic": topic, "max.message.bytes": bytes.to_string() }));
    let asked = json!({ "key": "asked", "value": "x".repeat(bytes), "timestamp": FIT });
    wait_until("the limit holds", || server.client(&json!({ "do": "takes", "topic": topic, "messages": [asked] })) == json!([false]));
}

#[test]
fn a_limit_that_is_lowered_under_a_job_that_runs_sets_aside_what_is_too_large_and_loses_nothing() {
    let Some(server) = KafkaServer::in_use() else { return };
    for delivery in DELIVERIES {
        let (topic, output) = (any_times(server), strict(server));
        let is_large = |number: u64| number % 10 == 5;
        let message = |number: u64| {
            let bytes = if is_large(number) { 3_000 } else { 100 };
            json!({ "key": format!("k{number}"), "value": "x".repeat(bytes), "timestamp": FIT })
        };
        let produce = |numbers: std::ops::Range<u64>| server.produce(&topic, &numbers.map(message).collect::<Vec<_>>());
        let bench = bench(setting_aside(server, &topic, &output, &format!("\"{output}\""), delivery).replace("until = \"end\"", ""));
        produce(0..300);
        let mut process = bench.start("run job.toml");
        wait_for(server, &mut process, &output, 300);
        lower(server, &output, 2_000);
        produce(300..600);
        let (mut written, mut found) = (Vec::new(), Vec::new());
        let key = |message: &Value| message["key"].as_str().expect("a key").to_owned();
        let all_are_there = process.runs_until("all are there", || {
            written = server.committed(&output).iter().map(key).filter(|key| key != "asked").collect();
            found = server.committed(&format!("{output}-aside")).iter().map(key).collect();
            written.len() + found.len() >= 600
        });
        assert!(all_are_there, "{delivery}: {}", process.said());
        process.kill();
        let keys = |is_aside: bool| {
            (0..600).filter(move |number| (*number > 300 && is_large(*number)) == is_aside).map(|number| format!("k{number}"))
        };
        if delivery == "exactly-once" {
            assert_eq!((written, found), (keys(false).collect(), keys(true).collect()));
        } else {
            let set = |keys: Vec<String>| keys.into_iter().collect::<BTreeSet<_>>();
            assert_eq!((set(written), set(found)), (keys(false).collect(), keys(true).collect()));
        }
    }
}

/// Two writers side by side, and publishers one behind the other: where topics take smaller batches than before, another one makes them.
#[test]
fn what_is_set_aside_is_counted_over_all_that_write_for_a_sink() {
    let Some(server) = KafkaServer::in_use() else { return };
    let without_key = |partition: u64| json!({ "value": "v", "timestamp": FIT, "partition": partition });
    let too_many = ["set records aside in", "records are taken by no topic", "are no exceptions"];
    let (topic, output) = (server.topic(2), strict(server));
    server.produce(&topic, &(0..1_200).map(|number| without_key(number % 2)).collect::<Vec<_>>());
    let job = setting_aside(server, &topic, &output, &format!("\"{output}\""), "at-least-once");
    // A writer counts what it has set aside when that is written: it is so in small parts.
    bench(job.replace("until = \"end\"", "until = \"end\"\nrate = 600").replace("[checkpoints]", "parallelism = 2\n[checkpoints]"))
        .run("run job.toml")
        .assert(1, &too_many);

    let (topic, output) = (server.topic(1), strict(server));
    let job = setting_aside(server, &topic, &output, &format!("\"{output}\""), "exactly-once");
    let bench = bench(job.replace("until = \"end\"", ""));
    let mut process = bench.start("run job.toml");
    server.produce(&topic, &vec![without_key(0); 600]);
    assert!(process.runs_until("they are set aside", || server.committed(&format!("{output}-aside")).len() == 600));
    lower(server, &output, 2_000);
    let large = json!({ "key": "large", "value": "x".repeat(3_000), "timestamp": FIT });
    let smaller = |seen: &Value| seen["outboxes"][0]["last_error"].to_string().contains("smaller batches are made from now on");
    status_when(&bench, &mut process, "another publisher", |seen| {
        server.produce(&topic, std::slice::from_ref(&large));
        smaller(seen)
    });
    server.produce(&topic, &vec![without_key(0); 401]);
    process.ended().assert(1, &too_many);
}
