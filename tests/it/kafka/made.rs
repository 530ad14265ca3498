//! Where brokers make topics that somebody asks about, none is made but weir's own, and these with what they need.

use super::{bench, passing};
use serde_json::{Value, json};
use weir_tests::process::{KafkaAlone, KafkaServer};

fn is_there(server: &KafkaAlone, topic: &str) -> bool {
    server.client(&json!({ "do": "topics" })).as_array().expect("a list").iter().any(|name| name == topic)
}

#[test]
fn no_topic_is_made_but_those_of_markers_and_of_what_is_set_aside() {
    let Some(server) = KafkaServer::alone() else { return };
    let (topic, output, missing, made) = (server.topic(1), server.topic(1), server.name(), server.name());
    server.produce(&topic, &[json!({ "key": "k", "value": "v", "headers": [["to", missing]] })]);
    server.stop();
    server.begin_making_topics();
    server.produce(&made, &[json!({ "value": "v" })]);
    assert!(is_there(&server, &made), "a producer that does not ask before makes one there");

    let own = format!("marker-topic = \"{output}-markers\"");
    let exactly = passing(&server, &format!("[\"{topic}\"]"), &output, "until = \"end\"");
    let at_once = exactly.replace(&own, "delivery = \"at-least-once\"");
    let to_missing = |job: &str| job.replace(&format!("topic = \"{output}\""), &format!("topic = \"{missing}\""));
    let by_header = |job: &str| job.replace(&format!("topic = \"{output}\""), "topic = { header = \"to\" }");
    let set_aside = format!("on-error = \"quarantine\"\nquarantine-topic = \"{output}-aside\"\n");
    let look = format!("look for the topic `{missing}`");
    for job in [&exactly, &at_once] {
        bench(to_missing(job)).run("check job.toml").assert(2, &[&look]);
        bench(to_missing(job)).run("run job.toml").assert(1, &[&look]);
        bench(by_header(job)).run("run job.toml").assert(1, &[&look]);
        bench(format!("{}{set_aside}", by_header(job))).run("run job.toml").assert(0, &["finished"]);
        bench(job.replace(&format!("topics = [\"{topic}\"]"), &format!("topics = [\"{missing}\"]")))
            .run("run job.toml")
            .assert(1, &[&look]);
        assert!(!is_there(&server, &missing), "{job}");
    }
    let settings = |topic: String| server.client(&json!({ "do": "settings", "topic": topic }));
    let of_markers = settings(format!("{output}-markers"));
    assert_eq!((&of_markers["cleanup.policy"], &of_markers["segment.ms"]), (&json!("compact"), &json!("600000")));
    assert_eq!(settings(format!("{output}-aside"))["retention.ms"], json!("-1"));
    assert_eq!(
        server.committed(&format!("{output}-aside")).iter().map(|message| message["key"].clone()).collect::<Vec<Value>>(),
        ["k", "k"]
    );
    server.stop();
    server.begin();
}
