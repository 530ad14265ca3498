//! Markers in a topic that others write to as well: they are read to its end, past what somebody else has not committed yet, and those of one sink are none of another's.

use super::{bench, passing, values, wait_for};
use serde_json::json;
use weir_tests::process::KafkaServer;

/// Whoever read committed markers to where they end for a reader would miss those behind the open transaction, and publish again what they cover.
#[test]
fn markers_behind_a_transaction_of_somebody_else_are_waited_for() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (server.topic(1), server.topic(1));
    let produce = |value: &str| server.produce(&topic, &[json!({ "value": value })]);
    produce("a");
    let bench = bench(passing(server, &format!("[\"{topic}\"]"), &output, ""));
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 1);
    let of_other = json!([{ "key": "of another job", "value": "which never commits it" }]);
    let open = server.client(&json!({ "do": "transact", "topic": format!("{output}-markers"), "messages": of_other, "end": "open" }));
    produce("b");
    wait_for(server, &mut process, &output, 2);
    assert!(process.kill());

    produce("c");
    let mut process = bench.start("run job.toml");
    let mut heard = 0;
    assert!(process.says("resuming from checkpoint", &mut heard));
    let completed = bench.log().completed.len();
    assert!(process.runs_until("it goes on staging", || bench.log().completed.len() > completed + 3));
    assert_eq!(values(server, &output, 2), ["a", "b"], "nobody knows yet how far it is");
    server.client(&json!({ "do": "abort", "number": open }));
    wait_for(server, &mut process, &output, 3);
    assert!(process.kill());
    assert_eq!(values(server, &output, 3), ["a", "b", "c"]);
}

#[test]
fn two_sinks_of_a_job_keep_their_markers_in_one_topic() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, first, second) = (server.topic(1), server.topic(1), server.topic(1));
    let numbers: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    server.produce(&topic, &numbers.iter().map(|number| json!({ "value": number })).collect::<Vec<_>>());
    let job = passing(server, &format!("[\"{topic}\"]"), &first, "until = \"end\"\nrate = 200\n");
    let brokers = server.brokers();
    let beside = format!(
        "[sink.beside]\nconnector = \"kafka\"\nbrokers = \"{brokers}\"\ntopic = \"{second}\"\nmarker-topic = \"{first}-markers\"\ninput = \"pass\"\n"
    );
    let bench = bench(job + &beside);
    for published in [40, 120] {
        let mut process = bench.start("run job.toml");
        wait_for(server, &mut process, &second, published);
        assert!(process.kill());
    }
    bench.run("run job.toml").assert(0, &["finished"]);
    for output in [&first, &second] {
        assert_eq!(values(server, output, 400), numbers);
    }
}
