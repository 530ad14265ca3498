//! A broker that is away, and what is seen of it: the sink takes as much as may wait and stops there, the source says why it gets nothing, and both go on.

use super::{bench, counted, counting, counts, messages};
use serde_json::Value;
use weir_tests::process::{Bench, KafkaServer, Running};

const RECORDS: u64 = 20_000;
/// Records a second, so that there is time to see what happens.
const SLOWLY: &str = "rate = 4000";
/// A broker that goes in the middle of a transaction is otherwise waited for as long as that may be open, which is a minute, before it counts as a try; and ten seconds in each that follows.
const GIVEN_UP_SOON: &str = "connect-timeout = \"3s\"\noptions = { \"message.timeout.ms\" = \"3000\" }";

pub(super) fn status<J: weir_tests::process::Job>(bench: &Bench<J>) -> Value {
    bench.run("status words --output json").document()
}

/// The status, once it is like this.
#[track_caller]
pub(super) fn status_when<J: weir_tests::process::Job>(
    bench: &Bench<J>,
    process: &mut Running,
    what: &str,
    is: impl Fn(&Value) -> bool,
) -> Value {
    let mut seen = Value::Null;
    let runs = process.runs_until(what, || {
        seen = status(bench);
        is(&seen)
    });
    assert!(runs, "the job has ended before {what}: {seen}");
    seen
}

#[test]
fn a_sink_whose_broker_is_away_stops_at_its_bound_and_says_so_and_goes_on() {
    let Some(server) = KafkaServer::alone() else { return };
    let (input, output) = (server.topic(4), server.topic(3));
    server.produce(&input, &messages(0..RECORDS));
    let of_sink = format!("max-unpublished = \"2KiB\"\n{GIVEN_UP_SOON}");
    let bench = bench(counting(&server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), &of_sink));
    let mut process = bench.start("run job.toml -q");
    let before = status_when(&bench, &mut process, "something is published", |seen| {
        seen["vertices"][2]["records_in"].as_u64() > Some(0) && seen["last_checkpoint"]["id"].as_u64() > Some(2)
    });
    let lag = &before["vertices"][0]["lag"];
    let partitions = lag["splits"].as_array().expect("its partitions");
    assert_eq!((&lag["unit"], partitions.len()), (&Value::from("records"), 4), "{lag}");
    let sum: u64 = partitions.iter().map(|split| split["lag"].as_u64().expect("a number")).sum();
    assert_eq!(Some(sum), lag["total"].as_u64(), "{lag}");
    assert_eq!(before["vertices"][0].get("trouble"), None, "{before}");

    server.kill();
    let full = status_when(&bench, &mut process, "as much waits as may", |seen| {
        let outbox = &seen["outboxes"][0];
        outbox["is_full"] == true && outbox["retries"].as_u64() > Some(1) && seen["vertices"][0].get("trouble").is_some()
    });
    let outbox = &full["outboxes"][0];
    let message = outbox["last_error"]["message"].as_str().expect("a message");
    assert!(message.contains(&server.brokers()), "{message}");
    assert!(outbox["unpublished_bytes"].as_u64() >= Some(2_048) && outbox["oldest_unpublished_age_s"].as_f64() > Some(0.0), "{outbox}");
    let trouble = full["vertices"][0]["trouble"].as_str().expect("a text");
    assert!(trouble.contains(&server.brokers()), "{trouble}");
    assert!(full["vertices"][2]["trouble"].as_str().is_some_and(|trouble| trouble.contains(&server.brokers())), "{full}");
    let figures = crate::seen::get(&bench.api(&mut process), "/metrics", "").1;
    assert!(crate::seen::sum(&figures, "weir_outbox_retries{") > 1.0, "{figures}");
    assert_eq!(crate::seen::sum(&figures, "weir_connector_troubled{"), 2.0, "{figures}");
    let text = bench.run("status words").stdout;
    assert!(["of output to publish", "as much as may", "tries)", trouble].iter().all(|part| text.contains(part)), "{text}");
    // Each of these looks would see another checkpoint, were one completed.
    let still = status_when(&bench, &mut process, "it is tried again", |seen| {
        seen["outboxes"][0]["retries"].as_u64() > outbox["retries"].as_u64().map(|retries| retries + 2)
    });
    assert_eq!(still["outboxes"][0]["unpublished_bytes"], outbox["unpublished_bytes"], "it stops there");
    assert_eq!(still["last_checkpoint"]["id"], full["last_checkpoint"]["id"]);

    server.begin();
    let after = status_when(&bench, &mut process, "all are reached", |seen| {
        seen["outboxes"][0]["retries"] == 0 && seen["vertices"][0].get("trouble").is_none()
    });
    assert!(after["outboxes"][0]["last_error"]["age_s"].as_f64() > Some(0.0), "it stays to be seen: {after}");
    bench.edit_job(SLOWLY, "");
    process.ended().assert(0, &[]);
    assert_eq!(counted(&server, &output, RECORDS), counts(0..RECORDS));
}

#[test]
fn a_sink_that_writes_at_once_says_why_what_it_has_does_not_arrive() {
    let Some(server) = KafkaServer::alone() else { return };
    let (input, output) = (server.topic(4), server.topic(3));
    server.produce(&input, &messages(0..RECORDS));
    let job = counting(&server, &input, &output, &format!("until = \"end\"\n{SLOWLY}"), "");
    let bench = bench(job.replace(&format!("marker-topic = \"{output}-markers\""), "delivery = \"at-least-once\""));
    let mut process = bench.start("run job.toml -q");
    status_when(&bench, &mut process, "something is written", |seen| {
        seen["vertices"][2]["records_in"].as_u64() > Some(0) && seen["last_checkpoint"]["id"].as_u64() > Some(2)
    });
    server.kill();
    let away = status_when(&bench, &mut process, "it says so", |seen| seen["vertices"][2].get("trouble").is_some());
    assert!(away["vertices"][2]["trouble"].as_str().is_some_and(|trouble| trouble.contains(&server.brokers())), "{away}");
    server.begin();
    status_when(&bench, &mut process, "it is reached", |seen| seen["vertices"][2].get("trouble").is_none());
    process.kill();
}
