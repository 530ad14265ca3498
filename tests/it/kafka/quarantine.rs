//! Records that no topic takes, set aside in a topic of their own: once, with all that they have and why.

use super::{AHEAD, all, any_times, bench, passing, values};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_tests::process::KafkaServer;

/// What a sink has to say for each delivery.
pub(super) const DELIVERIES: [&str; 2] = ["exactly-once", "at-least-once"];

/// A job that passes records on and sets aside in `OUTPUT-aside` what is not taken. `to`: what `topic` says.
pub(super) fn setting_aside(server: &KafkaServer, topic: &str, output: &str, to: &str, delivery: &str) -> String {
    let markers = format!("marker-topic = \"{output}-markers\"");
    let more = match delivery {
        "exactly-once" => markers.clone(),
        _ => format!("delivery = \"{delivery}\""),
    };
    let job = passing(server, &format!("[\"{topic}\"]"), output, "until = \"end\"");
    job.replace(&format!("topic = \"{output}\""), &format!("topic = {to}"))
        .replace(&markers, &format!("{more}\non-error = \"quarantine\"\nquarantine-topic = \"{output}-aside\""))
}

/// A topic that takes batches of at most 100,000 bytes, whose times are not far ahead.
fn particular(server: &KafkaServer, topic: &str) {
    let settings = json!({ "do": "create", "topic": topic, "partitions": 1, "max.message.bytes": "100000", "message.timestamp.after.max.ms": "3600000" });
    server.client(&settings);
}

/// The messages that are set aside, by their keys: the value, and the headers by their names.
#[track_caller]
pub(super) fn aside(server: &KafkaServer, output: &str, count: usize) -> BTreeMap<String, (Value, BTreeMap<String, String>)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let headers = |message: &Value| {
        let all = message["headers"].as_array().expect("a list");
        all.iter().map(|header| (text(&header[0]), text(&header[1]))).collect::<BTreeMap<_, _>>()
    };
    let found = all(server, &format!("{output}-aside"), count);
    assert_eq!(found.len(), count, "{found:?}");
    found.iter().map(|message| (text(&message["key"]), (message["value"].clone(), headers(message)))).collect()
}

#[test]
fn a_record_that_no_topic_takes_is_set_aside_with_what_it_has_and_why() {
    let Some(server) = KafkaServer::in_use() else { return };
    for delivery in DELIVERIES {
        let (topic, output) = (any_times(server), server.name());
        particular(server, &output);
        let to = |key: &str, to: &str, value: String, time: u64| json!({ "key": key, "value": value, "timestamp": time, "headers": [["to", to]] });
        let good = |number: u64| to("good", &output, format!("v{number}"), 1_000 + number);
        let bad = [
            to("large", &output, "x".repeat(150_000), 7),
            to("larger", &output, "x".repeat(999_900), 7),
            to("late", &output, "v".into(), AHEAD),
            json!({ "key": "nowhere", "value": "v", "timestamp": 7 }),
            to("forbidden", "elsewhere", "v".into(), 7),
            to("missing", &format!("{output}-missing"), "v".into(), 7),
        ];
        let mixed = bad.iter().cloned().enumerate().flat_map(|(number, bad)| [good(2 * number as u64), bad, good(2 * number as u64 + 1)]);
        server.produce(&topic, &mixed.collect::<Vec<_>>());
        let from = format!("{{ header = \"to\", allow = \"{output}*\" }}");
        bench(setting_aside(server, &topic, &output, &from, delivery)).run("run job.toml").assert(0, &["finished"]);

        let mut written = values(server, &output, 12);
        if delivery == "at-least-once" {
            // What was refused along with another one is written again, behind others.
            written.sort_by_key(|value| value[1..].parse::<u64>().expect("a number"));
        }
        assert_eq!(written, (0..12).map(|number| format!("v{number}")).collect::<Vec<_>>(), "{delivery}");
        let found = aside(server, &output, bad.len());
        for (key, why, value, named) in [
            ("large", "Message size too large", json!("x".repeat(150_000)), Some(output.clone())),
            ("larger", "Message size too large", Value::Null, Some(output.clone())),
            ("late", "timestamp", json!("v"), Some(output.clone())),
            ("nowhere", "the header `to` is not there", json!("v"), None),
            ("forbidden", "says `elsewhere`, which `allow` of `topic` does not", json!("v"), None),
            ("missing", "-missing` is not there", json!("v"), Some(format!("{output}-missing"))),
        ] {
            let (found, headers) = &found[key];
            assert!(headers["weir.error"].contains(why) && *found == value, "{delivery}, {key}: {headers:?}");
            assert_eq!(headers.get("weir.topic"), named.as_ref(), "{delivery}, {key}");
            let time = if key == "late" { AHEAD } else { 7 };
            assert_eq!(headers["weir.time"], time.to_string());
            assert_eq!(headers.contains_key("weir.checkpoint") && headers.contains_key("weir.record"), delivery == "exactly-once");
        }
        assert_eq!(found["larger"].1["weir.value-bytes"], "999900");
        assert_eq!(found["late"].1["to"], output, "its own headers stay");
    }
}

#[test]
fn what_lies_in_a_batch_with_a_bad_record_is_written_in_order_and_once() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (any_times(server), server.name());
    particular(server, &output);
    let message = |number: u64| match number {
        1_500 => json!({ "key": "late", "value": "v", "timestamp": AHEAD }),
        2_000 => json!({ "key": "large", "value": "x".repeat(150_000), "timestamp": 1_000 }),
        _ => json!({ "key": "good", "value": format!("v{number}"), "timestamp": 1_000 + number }),
    };
    server.produce(&topic, &(0..3_000).map(message).collect::<Vec<_>>());
    let job = setting_aside(server, &topic, &output, &format!("\"{output}\""), "exactly-once");
    bench(job).run("run job.toml").assert(0, &["finished"]);
    let expected: Vec<String> = (0..3_000).filter(|number| ![1_500, 2_000].contains(number)).map(|number| format!("v{number}")).collect();
    assert_eq!(values(server, &output, 2_998), expected);
    assert_eq!(aside(server, &output, 2).keys().collect::<Vec<_>>(), ["large", "late"]);
}

#[test]
fn a_job_that_a_record_has_ended_goes_on_when_such_are_set_aside_and_many_end_it_all_the_same() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.name());
    particular(server, &output);
    server.produce(&topic, &[json!({ "key": "k", "value": "v" }), json!({ "key": "large", "value": "x".repeat(150_000) })]);
    let set_aside = format!("on-error = \"quarantine\"\nquarantine-topic = \"{output}-aside\"");
    let job = setting_aside(server, &topic, &output, &format!("\"{output}\""), "exactly-once");
    let bench_of = bench(job.replace(&set_aside, "# set aside"));
    bench_of.run("run job.toml").assert(1, &["with the key `large`"]);
    bench_of.edit_job("# set aside", &set_aside);
    bench_of.run("run job.toml").assert(0, &["finished"]);
    assert_eq!((values(server, &output, 1), aside(server, &output, 1).len()), (vec!["v".to_owned()], 1));

    for delivery in DELIVERIES {
        let topic = server.topic(1);
        server.produce(&topic, &vec![json!({ "key": "k", "value": "v" }); 1_001]);
        let job = setting_aside(server, &topic, &server.topic(1), "{ header = \"to\" }", delivery);
        bench(job).run("run job.toml").assert(1, &["set records aside in", "of 1001 records are taken by no topic", "are no exceptions"]);
    }
}

#[test]
fn a_topic_for_what_is_set_aside_is_none_of_the_others() {
    let job = |of_sink: &str| {
        bench(format!(
            "name = \"words\"\n[source.in]\nconnector = \"kafka\"\nbrokers = \"127.0.0.1:9\"\ntopics = [\"a\"]\n\
             [sink.out]\nconnector = \"kafka\"\nbrokers = \"127.0.0.1:9\"\ntopic = \"b\"\ninput = \"in\"\non-error = \"quarantine\"\n{of_sink}\n"
        ))
    };
    for other in ["b", "weir-markers"] {
        let said = format!("quarantine-topic = \"{other}\"");
        job(&said).run("check job.toml").assert(2, &[&format!("`{other}` cannot have what the sink `kafka` sets aside as well")]);
    }
}

#[test]
fn a_topic_that_would_not_keep_what_is_set_aside_is_refused() {
    let Some(server) = KafkaServer::in_use() else { return };
    for delivery in DELIVERIES {
        let (topic, output) = (server.topic(1), server.topic(1));
        server.produce(&topic, &[json!({ "key": "k", "value": "v" })]);
        server.client(&json!({ "do": "create", "topic": format!("{output}-aside"), "partitions": 1, "cleanup.policy": "compact" }));
        let bench = bench(setting_aside(server, &topic, &output, &format!("\"{output}\""), delivery));
        let parts = [&*format!("the quarantine topic `{output}-aside`"), "is compacted", "set its `cleanup.policy` to `delete`"];
        bench.run("check job.toml").assert(2, &parts);
        bench.run("run job.toml").assert(1, &parts);
    }
}

/// Of a batch with several bad messages the broker says which they are, of one with a single one it says the same of all: where both are refused together, nobody is set
/// aside for what is said of another batch.
#[test]
fn good_records_in_batches_that_are_refused_are_written_and_not_set_aside() {
    let Some(server) = KafkaServer::in_use() else { return };
    for delivery in DELIVERIES {
        let (topic, output) = (any_times(server), server.name());
        server.client(&json!({ "do": "create", "topic": output, "partitions": 2, "message.timestamp.after.max.ms": "3600000" }));
        let is_bad = |number: &u64| [300, 500, 501, 700].contains(number);
        let time = |number: u64| if is_bad(&number) { AHEAD } else { 1_000 + number };
        let message = |number: u64| json!({ "key": number.to_string(), "value": number.to_string(), "timestamp": time(number) });
        server.produce(&topic, &(0..1_000).map(message).collect::<Vec<_>>());
        bench(setting_aside(server, &topic, &output, &format!("\"{output}\""), delivery)).run("run job.toml").assert(0, &["finished"]);
        let mut written: Vec<u64> = values(server, &output, 996).iter().map(|value| value.parse().expect("a number")).collect();
        written.sort_unstable();
        assert_eq!(written, (0..1_000).filter(|number| !is_bad(number)).collect::<Vec<_>>(), "{delivery}");
        assert_eq!(aside(server, &output, 4).into_keys().collect::<Vec<_>>(), ["300", "500", "501", "700"], "{delivery}");
    }
}
