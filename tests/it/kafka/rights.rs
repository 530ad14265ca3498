//! What a cluster does not let somebody do: the right that is missing is named with its resource and how it is given, ends a start, and is waited for by a job that has had it.

use super::secured::{at, sasl, user};
use super::{bench, passing, wait_for};
use crate::written::Written;
use serde_json::{Value, json};
use weir_tests::process::{Bench, KafkaServer, Running};

/// A user, and a job of theirs from one topic to another whose resources nothing is said of yet, so they may do all with them.
struct Theirs {
    user: String,
    topic: String,
    output: String,
    job: String,
}

impl Theirs {
    fn new(server: &KafkaServer, of_source: &str, delivery: &str) -> Self {
        let (user, topic, output) = (user(server, "SCRAM-SHA-256", "s3cr3t"), server.topic(1), server.topic(1));
        server.produce(&topic, &[json!({ "key": "k", "value": "v" })]);
        let job = passing(server, &format!("[\"{topic}\"]"), &output, of_source);
        let more = format!("connect-timeout = \"5s\"\n{}", sasl("SCRAM-SHA-256", &user, "\"s3cr3t\""));
        let job = at(server, &job, &server.listeners().sasl(), &more);
        let job = match delivery {
            "exactly-once" => job,
            _ => job.replace(&format!("marker-topic = \"{output}-markers\""), &format!("delivery = \"{delivery}\"")),
        };
        Self { user, topic, output, job }
    }

    /// They may do this there, and nothing else.
    fn may(&self, server: &KafkaServer, resource: &str, name: &str, operations: &[&str]) {
        server.client(&json!({ "do": "acl", "user": self.user, "resource": resource, "name": name, "operations": operations }));
    }

    /// They may not do this any more.
    fn may_not(&self, server: &KafkaServer, resource: &str, name: &str, operations: &[&str]) {
        server.client(
            &json!({ "do": "acl", "user": self.user, "resource": resource, "name": name, "operations": operations, "permission": "DENY" }),
        );
    }

    #[track_caller]
    fn refused(&self, right: &str, resource: &str, option: &str) {
        let lacks = format!("SCRAM-SHA-256 as the user `{}` has no right to {right} on {resource}", self.user);
        let hint = format!("`kafka-acls --add --allow-principal User:{} --operation {right} {option}` gives it", self.user);
        bench(self.job.clone()).run("run job.toml").assert(1, &[&lacks, &hint]);
    }
}

const DELIVERIES: [&str; 2] = ["exactly-once", "at-least-once"];

#[test]
fn a_right_that_is_missing_ends_a_start_and_is_named_with_how_it_is_given() {
    let Some(server) = KafkaServer::in_use() else { return };
    for delivery in DELIVERIES {
        let of_output = Theirs::new(server, "until = \"end\"", delivery);
        let output = &of_output.output;
        of_output.may(server, "TOPIC", output, &["DESCRIBE", "DESCRIBE_CONFIGS"]);
        of_output.refused("Write", &format!("the topic `{output}`"), &format!("--topic {output}"));
        let checked = bench(of_output.job.clone()).run("check job.toml");
        checked.assert(2, &["job.toml:", "has no right to Write on the topic", "kafka-acls"]);
        of_output.may_not(server, "TOPIC", output, &["DESCRIBE"]);
        of_output.refused("Write", &format!("the topic `{output}`"), &format!("--topic {output}"));
    }
    let of_source = Theirs::new(server, "until = \"end\"", "exactly-once");
    let topic = &of_source.topic;
    of_source.may(server, "TOPIC", topic, &["DESCRIBE"]);
    of_source.refused("Read", &format!("the topic `{topic}`"), &format!("--topic {topic}"));
    of_source.may_not(server, "TOPIC", topic, &["DESCRIBE"]);
    of_source.refused("Describe", &format!("the topic `{topic}`"), &format!("--topic {topic}"));

    let of_markers = Theirs::new(server, "until = \"end\"", "exactly-once");
    let markers = format!("{}-markers", of_markers.output);
    server.client(&json!({ "do": "create", "topic": markers, "partitions": 1, "cleanup.policy": "compact" }));
    of_markers.may(server, "TOPIC", &markers, &["DESCRIBE", "DESCRIBE_CONFIGS", "READ"]);
    of_markers.refused("Write", &format!("the topic `{markers}`"), &format!("--topic {markers}"));
    server.client(&json!({ "do": "no_acl", "resource": "TOPIC", "name": markers }));
    of_markers.may(server, "TOPIC", &markers, &["DESCRIBE", "READ", "WRITE"]);
    of_markers.refused("DescribeConfigs", &format!("the topic `{markers}`"), &format!("--topic {markers}"));

    let of_group = Theirs::new(server, "until = \"end\"\nstart = \"group\"\ngroup = \"GROUP\"", "exactly-once");
    let group = server.name();
    of_group.may_not(server, "GROUP", &group, &["DESCRIBE", "READ"]);
    let of_group = Theirs { job: of_group.job.replace("GROUP", &group), ..of_group };
    of_group.refused("Describe", &format!("the group `{group}`"), &format!("--group {group}"));
}

/// What a user may do in the cluster counts for topics that are to be made, and for writing in order and once.
#[test]
fn a_right_to_the_cluster_that_is_missing_is_named() {
    let Some(server) = KafkaServer::in_use() else { return };
    let of_cluster = |user: &str, permission: &str, operation: &str| {
        let of = json!({ "do": "acl", "user": user, "resource": "BROKER", "name": "kafka-cluster", "permission": permission, "operations": [operation] });
        server.client(&of);
    };
    // Others go on with theirs meanwhile.
    of_cluster("*", "ALLOW", "ALL");
    let but_create = ["DESCRIBE", "DESCRIBE_CONFIGS", "READ", "WRITE"];
    for (delivery, made) in [("exactly-once", "markers"), ("exactly-once", "aside"), ("at-least-once", "aside")] {
        let mut theirs = Theirs::new(server, "until = \"end\"", delivery);
        let made = format!("{}-{made}", theirs.output);
        of_cluster(&theirs.user, "DENY", "CREATE");
        theirs.may(server, "TOPIC", &made, &but_create);
        if made.ends_with("aside") {
            theirs.job += &format!("on-error = \"quarantine\"\nquarantine-topic = \"{made}\"\n");
            server.client(
                &json!({ "do": "create", "topic": format!("{}-markers", theirs.output), "partitions": 1, "cleanup.policy": "compact" }),
            );
        }
        theirs.refused("Create", &format!("the topic `{made}`"), &format!("--topic {made}"));
    }
    // Brokers let a client write so that may write to any topic, and look first whether it may to one that they call so.
    let of_writer = Theirs::new(server, "until = \"end\"", "at-least-once");
    of_cluster(&of_writer.user, "DENY", "IDEMPOTENT_WRITE");
    of_writer.may(server, "TOPIC", "hardcode", &["DESCRIBE"]);
    of_writer.refused("IdempotentWrite", "the cluster", "--cluster");
    for (resource, name) in [("BROKER", "kafka-cluster"), ("TOPIC", "hardcode")] {
        server.client(&json!({ "do": "no_acl", "resource": resource, "name": name }));
    }
}

#[test]
fn who_may_not_ask_what_a_topic_takes_has_records_tried() {
    let Some(server) = KafkaServer::in_use() else { return };
    for delivery in DELIVERIES {
        let theirs = Theirs::new(server, "until = \"end\"", delivery);
        let output = &theirs.output;
        server.client(&json!({ "do": "alter", "topic": output, "max.message.bytes": "5000" }));
        server.produce(&theirs.topic, &[json!({ "key": "large", "value": "x".repeat(6_000) }), json!({ "key": "k", "value": "v" })]);
        theirs.may(server, "TOPIC", output, &["DESCRIBE", "WRITE"]);
        let aside = format!("topic = \"{output}\"\non-error = \"quarantine\"\nquarantine-topic = \"{output}-aside\"\n");
        let ended = bench(theirs.job.replace(&format!("topic = \"{output}\"\n"), &aside)).run("run job.toml");
        ended.assert(0, &["finished"]);
        assert!(ended.stderr.contains("those at fault are looked for"), "{delivery}: {}", ended.stderr);
        let aside = server.committed(&format!("{output}-aside"));
        assert_eq!((server.committed(output).len(), aside.len()), (2, 1), "{aside:?}");
        assert_eq!(aside[0]["key"], "large");
    }
}

#[test]
fn a_transactional_id_that_somebody_may_not_use_is_named() {
    let Some(server) = KafkaServer::in_use() else { return };
    let theirs = Theirs::new(server, "until = \"end\"", "exactly-once");
    // Others go on with theirs meanwhile.
    let acl = |user: &str, permission: &str| {
        let of = json!({ "do": "acl", "user": user, "resource": "TRANSACTIONAL_ID", "name": "weir-", "pattern": "PREFIXED", "permission": permission, "operations": ["WRITE", "DESCRIBE"] });
        server.client(&of);
    };
    acl("*", "ALLOW");
    acl(&theirs.user, "DENY");
    let ended = bench(theirs.job.clone()).run("run job.toml");
    let parts = ["out: ", "has no right to Write on the transactional id `weir-", "--operation Write --transactional-id weir-"];
    ended.assert(1, &parts);
    server.client(&json!({ "do": "no_acl", "resource": "TRANSACTIONAL_ID", "name": "weir-", "pattern": "PREFIXED" }));
}

fn status(bench: &Bench<Written>) -> Value {
    bench.run("status words --output json").document()
}

#[track_caller]
fn shows(bench: &Bench<Written>, process: &mut Running, what: &str, part: &str) {
    assert!(process.runs_until(what, || status(bench).to_string().contains(part)));
}

#[test]
fn a_right_that_is_taken_away_from_a_job_that_runs_is_shown_and_waited_for() {
    let Some(server) = KafkaServer::in_use() else { return };
    for of_sink in [true, false] {
        let theirs = Theirs::new(server, "", "exactly-once");
        let bench = bench(theirs.job.clone());
        let mut process = bench.start("run job.toml");
        wait_for(server, &mut process, &theirs.output, 1);
        let (right, topic) = if of_sink { ("Write", &theirs.output) } else { ("Read", &theirs.topic) };
        theirs.may_not(server, "TOPIC", topic, &[&right.to_uppercase()]);
        server.produce(&theirs.topic, &[json!({ "key": "k", "value": "later" })]);
        shows(&bench, &mut process, right, &format!("has no right to {right} on the topic `{topic}`"));
        server.client(&json!({ "do": "no_acl", "resource": "TOPIC", "name": topic }));
        wait_for(server, &mut process, &theirs.output, 2);
        process.kill();
    }
}

#[test]
fn a_group_that_may_not_be_told_is_trouble_of_the_source() {
    let Some(server) = KafkaServer::in_use() else { return };
    let group = server.name();
    let theirs = Theirs::new(server, &format!("group = \"{group}\""), "exactly-once");
    theirs.may_not(server, "GROUP", &group, &["READ"]);
    let bench = bench(theirs.job.clone());
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &theirs.output, 1);
    let said = |seen: &Value| {
        seen["vertices"][0]["trouble"].as_str().is_some_and(|trouble| trouble.contains("the group is not told how far the job has come"))
    };
    assert!(process.runs_until("it is shown", || said(&status(&bench))));
    process.kill();
}

#[test]
fn a_record_that_names_a_topic_which_may_not_be_written_to_is_set_aside_or_ends_the_job() {
    let Some(server) = KafkaServer::in_use() else { return };
    for delivery in DELIVERIES {
        let theirs = Theirs::new(server, "until = \"end\"", delivery);
        let (forbidden, output) = (server.topic(1), &theirs.output);
        theirs.may(server, "TOPIC", &forbidden, &["DESCRIBE"]);
        let to = |topic: &str| json!({ "key": topic, "value": "v", "headers": [["to", topic]] });
        let input = server.topic(1);
        server.produce(&input, &[to(output), to(&forbidden), to(output), to(&forbidden)]);
        let job = theirs.job.replace(&format!("[\"{}\"]", theirs.topic), &format!("[\"{input}\"]"));
        let job = job.replace(&format!("topic = \"{output}\""), "topic = { header = \"to\" }");
        let parts = [&format!("has no right to Write on the topic `{forbidden}`"), "kafka-acls"];
        bench(job.clone()).run("run job.toml").assert(1, &parts);
        let aside = format!("on-error = \"quarantine\"\nquarantine-topic = \"{output}-aside\"\n");
        bench(job.replace("topic = { header", &format!("{aside}topic = {{ header"))).run("run job.toml").assert(0, &["finished"]);
        let found = server.committed(&format!("{output}-aside"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|message| message.to_string().contains("the right to Write")), "{found:?}");
    }
}
