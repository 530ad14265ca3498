//! Kafka's own programs: where the Java client's producer puts a key, weir puts it too, and its consumer reads what weir has published.

use super::{all, bench, passing};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_tests::process::KafkaServer;

/// How many keys there are.
const KEYS: usize = 202;

/// The partition of each key.
fn places(server: &KafkaServer, topic: &str) -> BTreeMap<String, u64> {
    let place = |message: Value| (message["key"].as_str().expect("a key").to_owned(), message["partition"].as_u64().expect("a number"));
    all(server, topic, KEYS).into_iter().map(place).collect()
}

#[test]
fn keys_lie_where_the_java_client_puts_them_and_its_consumer_reads_what_is_committed() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (input, output) = (server.topic(5), server.topic(5));
    let keys: Vec<String> =
        (0..200).map(|number| format!("{}{number}", "key-".repeat(number % 4))).chain(["ä".into(), "日本".into()]).collect();
    let lines: String = keys.iter().map(|key| format!("{key}:of {key}\n")).collect();
    let with_keys = ["--topic", &input, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
    server.java("org.apache.kafka.tools.ConsoleProducer", &with_keys, &lines);
    bench(passing(server, &format!("[\"{input}\"]"), &output, "until = \"end\"")).run("run job.toml").assert(0, &["finished"]);
    let expected = places(server, &input);
    assert_eq!((places(server, &output), expected.len()), (expected, keys.len()));

    let committed =
        ["--topic", &output, "--from-beginning", "--isolation-level", "read_committed", "--max-messages", "202", "--timeout-ms", "30000"];
    let read = server.java("org.apache.kafka.tools.consumer.ConsoleConsumer", &committed, "");
    let mut read: Vec<&str> = read.lines().collect();
    let mut expected: Vec<String> = keys.iter().map(|key| format!("of {key}")).collect();
    read.sort_unstable();
    expected.sort_unstable();
    assert_eq!(read, expected);
}
