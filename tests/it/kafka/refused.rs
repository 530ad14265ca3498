//! What is an error, and what it says.

use super::{bench, passing};
use serde_json::json;
use weir_tests::process::KafkaServer;

/// A job that reads and writes where nobody is, and of which nothing is asked but what it says.
fn nowhere(of_source: &str, of_sink: &str) -> String {
    format!(
        "name = \"words\"\n[source.in]\nconnector = \"kafka\"\nbrokers = \"127.0.0.1:9\"\ntopics = [\"a\"]\n{of_source}\n\
         [sink.out]\nconnector = \"kafka\"\nbrokers = \"127.0.0.1:9\"\ntopic = \"b\"\ninput = \"in\"\n{of_sink}\n"
    )
}

#[track_caller]
fn refused(of_source: &str, of_sink: &str, parts: &[&str]) {
    bench(nowhere(of_source, of_sink)).run("check job.toml").assert(2, parts);
}

#[test]
fn options_that_are_not_librdkafkas_or_that_weir_owns_are_refused_by_check() {
    refused(
        "options = { \"fetch.min.byte\" = 1 }",
        "",
        &["`fetch.min.byte` is no option of librdkafka", "job.toml:", "did you mean `fetch.min.bytes`?"],
    );
    refused("options = { \"nonsense\" = 1 }", "", &["`nonsense` is no option of librdkafka", "CONFIGURATION.md"]);
    refused("options = { \"fetch.min.bytes\" = \"few\" }", "", &["`fetch.min.bytes` in `options` of `kafka` cannot be \"few\""]);
    refused("options = { \"isolation.level\" = \"read_uncommitted\" }", "", &["may not have `isolation.level`", "never read"]);
    refused("options = { \"group.id\" = \"g\" }", "", &["may not have `group.id`", "`group` says it"]);
    refused("", "options = { \"transactional.id\" = \"x\" }", &["may not have `transactional.id`", "weir sets it"]);
    refused("", "options = { \"security.protocol\" = \"ssl\" }", &["may not have `security.protocol`", "`tls` and `sasl` say it"]);
    // Each is right, and they do not go together in a client as weir makes it.
    for delivery in ["exactly-once", "at-least-once"] {
        let sink = |options: &str| format!("delivery = \"{delivery}\"\noptions = {{ \"linger.ms\" = 7, {options} }}");
        refused("", &sink("acks = 1"), &["`acks` must be set to `all`", "job.toml:13"]);
        refused("", &sink("\"max.in.flight\" = 6"), &["`max.in.flight` must be set <= 5", "job.toml:13"]);
    }
    refused(
        "options = { \"fetch.max.bytes\" = 2000000, \"receive.message.max.bytes\" = 1000000 }",
        "",
        &["`receive.message.max.bytes` must be", "job.toml:6"],
    );
    let Some(server) = KafkaServer::in_use() else { return };
    let topic = format!("[\"{}\"]", server.topic(1));
    bench(passing(server, &topic, &server.topic(1), "options = { \"fetch.min.bytes\" = 65536 }")).run("check job.toml").assert(0, &[]);
}

#[test]
fn settings_that_do_not_fit_are_refused_by_check() {
    refused("start = \"group\"", "", &["names none", "add `group = "]);
    let mistyped = nowhere("", "").replace("topics = [", "topcs = [");
    bench(mistyped).run("check job.toml").assert(2, &["has no setting `topcs`, and needs `topics`", "did you mean `topics`?"]);
    let pattern = nowhere("", "").replace("topics = [\"a\"]", "topics = { pattern = \"a[\" }");
    bench(pattern).run("check job.toml").assert(2, &["`pattern` of `topics`", "which no topic matches"]);
    refused("start = \"newest\"", "", &["`start`", "\"earliest\""]);
    refused("", "delivery = \"at-most-once\"", &["delivery"]);
    refused("", "delivery = \"at-least-once\"\nmarker-topic = \"m\"", &["`marker-topic` has no meaning"]);
    refused("key = \"k\"", "", &["`key`", "add `format = \"jsonl\"`"]);
    refused("", "marker-topic = \"b\"", &["writes to `b`, which cannot have its markers as well"]);
    refused("", "marker-topic = \"no topic\"", &["which no topic can be called"]);
    refused("connect-timeout = \"1ms\"", "", &["`connect-timeout`", "100ms"]);
    let with_password = nowhere("", "").replacen("127.0.0.1:9", "weir:s3cr3t@127.0.0.1:9", 1);
    let ended = bench(with_password).run("check job.toml");
    ended.assert(2, &["`brokers` of `kafka` has an entry with `@`", "`sasl = { mechanism"]);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("s3cr3t"), "{}", ended.stderr);
}

#[test]
fn a_cluster_that_is_not_there_is_an_error_within_the_time_to_connect() {
    let (waits, parts) =
        ("connect-timeout = \"500ms\"", ["the Kafka cluster at 127.0.0.1:9", "Connection refused", "hint: is a broker running there"]);
    bench(nowhere("", waits)).run("run job.toml").assert(1, &parts).assert(1, &["error: out: look for the topic `b`"]);
    let both = nowhere(waits, "");
    let (reading, _) = both.split_once("[sink.out]").expect("a sink");
    let ended = bench(format!("{reading}[sink.out]\nconnector = \"blackhole\"\ninput = \"in\"\n")).run("run job.toml");
    ended.assert(1, &parts).assert(1, &["in: ", " 0 restarts"]);
}

/// Somebody takes the connection and says nothing: that is no broker, or one that hangs.
#[test]
fn a_cluster_that_says_nothing_is_an_error_with_its_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let waits = "connect-timeout = \"500ms\"";
    let job = nowhere(waits, waits).replace("127.0.0.1:9", &address);
    bench(job).run("run job.toml").assert(1, &[&format!("the Kafka cluster at {address}"), "hint: "]);
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, missing) = (server.topic(1), server.name());
    let reading = |topics: &str, output: &str| bench(passing(server, topics, output, "until = \"end\"")).run("run job.toml");
    reading(&format!("[\"{missing}\"]"), &topic).assert(1, &[&format!("look for the topic `{missing}`"), "kafka-topics.sh"]);
    reading(&format!("{{ pattern = \"{missing}*\" }}"), &topic).assert(1, &[&format!("matches {missing}*")]);
    server.produce(&topic, &[json!({ "value": "v" })]);
    reading(&format!("[\"{topic}\"]"), &missing).assert(1, &[&format!("out: look for the topic `{missing}`")]);
    let checked = bench(passing(server, &format!("[\"{topic}\"]"), &missing, "")).run("check job.toml");
    checked.assert(2, &["job.toml:", &format!("`out`: look for the topic `{missing}`"), "kafka-topics.sh"]);
}

#[test]
fn a_marker_topic_that_would_lose_markers_is_refused() {
    let Some(server) = KafkaServer::in_use() else { return };
    let topic = server.topic(1);
    server.produce(&topic, &[json!({ "value": "v" })]);
    for (partitions, policy, why) in [(2, "compact", "has 2 partitions"), (1, "delete", "has cleanup.policy=delete")] {
        let output = server.topic(1);
        let markers = format!("{output}-markers");
        server.client(&json!({ "do": "create", "topic": markers, "partitions": partitions, "cleanup.policy": policy }));
        let ended = bench(passing(server, &format!("[\"{topic}\"]"), &output, "until = \"end\"")).run("run job.toml");
        ended.assert(1, &[&format!("the marker topic `{markers}`"), why, "`marker-topic`"]);
    }
}
