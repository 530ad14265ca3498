//! What partitions have to do with one another: nothing, unless a key says so. One that is idle holds no time back, records without a key are spread, and a source with an end hears of each partition
//! where it ends, by records or by news alone.

use super::{all, bench, conformance, passing};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_tests::process::{KafkaServer, Signal};

#[test]
fn a_partition_without_records_holds_no_time_back() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(3), server.topic(1));
    let message = |number: u64| json!({ "value": "v", "timestamp": 1_000 * number, "partition": 1 });
    server.produce(&topic, &(1..=10).map(message).collect::<Vec<_>>());
    let of_source = "watermark = { delay = \"2s\", idle-after = \"1s\" }";
    let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, of_source));
    let mut process = bench.start("run job.toml -q");
    let mut shown = Value::Null;
    let came = process.runs_until("time has come to the sink", || {
        // The one with records stays awake: were it to fall asleep beside the others, nobody would have a time to tell.
        server.produce(&topic, &[message(10)]);
        shown = bench.run("status words --output json").document();
        shown["vertices"][2]["watermark"].as_i64().is_some_and(|watermark| watermark >= 7_999)
    });
    assert!(came, "{shown}");
    // Two seconds behind the newest, in milliseconds.
    assert!((7_999..=8_000).contains(&shown["vertices"][2]["watermark"].as_i64().expect("a time")), "{shown}");
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
}

#[test]
fn records_without_a_key_are_spread_over_all_partitions() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(3));
    server.produce(&topic, &vec![json!({ "value": "v" }); 1_500]);
    // Those of one batch go to one partition: a chunk every 50 ms makes some thirty of them.
    let job = passing(server, &format!("[\"{topic}\"]"), &output, "until = \"end\"\nrate = 1000");
    bench(job).run("run job.toml").assert(0, &["finished"]);
    let places: BTreeSet<u64> =
        all(server, &output, 1_500).iter().map(|message| message["partition"].as_u64().expect("a number")).collect();
    assert_eq!(places, BTreeSet::from([0, 1, 2]));
}

#[test]
fn a_source_wakes_for_the_news_that_a_partition_ends_without_a_record() {
    let Some(server) = KafkaServer::in_use() else { return };
    for _ in 0..5 {
        let topic = server.topic(2);
        for end in ["commit", "abort", "abort"] {
            let messages = [json!({ "value": end, "partition": 0 }), json!({ "value": end, "partition": 1 })];
            server.client(&json!({ "do": "transact", "topic": topic, "messages": messages, "end": end }));
        }
        // Whoever reads waits to be woken, and for nothing else.
        assert_eq!(conformance::read_to_the_end(server, &topic), ["commit", "commit"]);
    }
}
