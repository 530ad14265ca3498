//! A group is told what completed checkpoints cover, and nothing before that.

use super::held_back::status_when;
use super::{bench, passing};
use serde_json::{Value, json};
use weir_tests::process::{KafkaServer, Signal};

#[test]
fn a_group_hears_of_nothing_that_no_completed_checkpoint_covers() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output, group) = (server.topic(1), server.topic(1), server.name());
    let produce = |numbers: std::ops::Range<u64>| {
        server.produce(&topic, &numbers.map(|number| json!({ "value": format!("v{number}") })).collect::<Vec<_>>());
    };
    let offsets = || server.client(&json!({ "do": "offsets", "group": group, "topic": topic }))[0].as_i64().expect("a number");
    produce(0..8);
    let job = passing(server, &format!("[\"{topic}\"]"), &output, &format!("group = \"{group}\""));
    let at_once = job.replace(&format!("marker-topic = \"{output}-markers\""), "delivery = \"at-least-once\"");
    let bench = bench(at_once.replace("interval = \"50ms\"", "interval = \"1h\""));
    let mut process = bench.start("run job.toml");
    let written = |process: &mut _, count: u64| {
        let is_written = |seen: &Value| seen["vertices"][2]["records_in"] == count && server.committed(&output).len() as u64 == count;
        status_when(&bench, process, &format!("{count} records are written"), is_written);
    };
    written(&mut process, 8);
    assert!(offsets() < 0, "no checkpoint is complete, and the group has heard of {}", offsets());
    bench.run("savepoint create words ./taken").assert(0, &[]);
    assert!(process.runs_until("it is told", || offsets() == 8));
    produce(8..13);
    written(&mut process, 13);
    assert_eq!(offsets(), 8, "what came behind the checkpoint is not told of");
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    assert_eq!(offsets(), 13, "the last checkpoint covers it");
}
