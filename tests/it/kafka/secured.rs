//! Who may come in: by name and password, over encrypted connections, by certificate; what is said where somebody may not; and that no password is seen anywhere.

use super::held_back::status_when;
use super::{bench, passing, values, wait_for};
use crate::secrets::holding;
use serde_json::json;
use weir_tests::process::{KafkaServer, PLAIN_USER, Running, Signal};

/// What the job file says instead of `brokers` alone.
pub(super) fn at(server: &KafkaServer, job: &str, address: &str, more: &str) -> String {
    job.replace(&format!("brokers = \"{}\"", server.brokers()), &format!("brokers = \"{address}\"\n{more}"))
}

/// A topic of three messages.
fn three(server: &KafkaServer) -> String {
    let topic = server.topic(1);
    server.produce(&topic, &[json!({ "value": "a" }), json!({ "value": "b" }), json!({ "value": "c" })]);
    topic
}

/// A job that passes three messages on, and comes in at `address` with what `more` says.
fn passing_at(server: &KafkaServer, address: &str, more: &str) -> (String, String) {
    let (topic, output) = (three(server), server.topic(1));
    let of_source = "until = \"end\"\nconnect-timeout = \"3s\"";
    (at(server, &passing(server, &format!("[\"{topic}\"]"), &output, of_source), address, more), output)
}

pub(super) fn sasl(mechanism: &str, user: &str, password: &str) -> String {
    format!("sasl = {{ mechanism = \"{mechanism}\", username = \"{user}\", password = {password} }}\n")
}

/// `tls` with these files of the harness.
fn tls(server: &KafkaServer, files: &[(&str, &str)]) -> String {
    let file = |(name, file): &(&str, &str)| format!("{name} = {:?}", server.listeners().certificate(file));
    format!("tls = {{ {} }}\n", files.iter().map(file).collect::<Vec<_>>().join(", "))
}

/// Gives a user that nobody else has a password.
pub(super) fn user(server: &KafkaServer, mechanism: &str, password: &str) -> String {
    let user = format!("user-of-{}", server.name());
    server.client(&json!({ "do": "scram", "user": user, "mechanism": mechanism, "password": password }));
    user
}

#[track_caller]
fn passes(server: &KafkaServer, address: &str, more: &str) {
    let (job, output) = passing_at(server, address, more);
    bench(job).run("run job.toml").assert(0, &["finished"]);
    assert_eq!(values(server, &output, 3), ["a", "b", "c"], "{more}");
}

#[test]
fn each_mechanism_reads_and_writes_encrypted_and_not() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (listeners, own_ca) = (server.listeners(), tls(server, &[("ca", "ca.pem")]));
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let user = user(server, mechanism, "s3cr3t");
        let sasl = sasl(mechanism, &user, "\"s3cr3t\"");
        passes(server, &listeners.sasl(), &sasl);
        passes(server, &listeners.sasl_ssl(), &format!("{sasl}{own_ca}"));
    }
    let plain = sasl("PLAIN", PLAIN_USER.0, &format!("\"{}\"", PLAIN_USER.1));
    passes(server, &listeners.sasl(), &plain);
    passes(server, &listeners.sasl_ssl(), &format!("{plain}{own_ca}"));
}

/// A process that ends while librdkafka still speaks TLS ends as it was to: of fifty that let OpenSSL clear up beneath its threads about two crashed.
#[test]
fn a_process_that_ends_while_brokers_are_greeted_does_not_crash() {
    let Some(server) = KafkaServer::in_use() else { return };
    let known = user(server, "SCRAM-SHA-512", "s3cr3t");
    let more = format!("{}{}", sasl("SCRAM-SHA-512", &known, "\"s3cr3t\""), tls(server, &[("ca", "ca.pem")]));
    let bench = bench(passing_at(server, &server.listeners().sasl_ssl(), &more).0);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| (0..5).for_each(|_| _ = bench.run("check job.toml").assert(0, &[])));
        }
    });
}

#[test]
fn a_client_s_certificate_lets_it_in() {
    let Some(server) = KafkaServer::in_use() else { return };
    let of_files = tls(server, &[("ca", "ca.pem"), ("certificate", "client.pem"), ("key", "client.key")]);
    passes(server, &server.listeners().ssl(), &of_files);
    let pem = |name: &str| std::fs::read_to_string(server.listeners().certificate(name)).expect("PEM");
    let written =
        format!("tls = {{ ca = '''{}''', certificate = '''{}''', key = '''{}''' }}", pem("ca.pem"), pem("client.pem"), pem("client.key"));
    passes(server, &server.listeners().ssl(), &written);
}

#[test]
fn who_may_not_come_in_is_told_why() {
    let Some(server) = KafkaServer::in_use() else { return };
    let listeners = server.listeners();
    let refused = |address: &str, more: &str, parts: &[&str]| {
        let ended = bench(passing_at(server, address, more).0).run("run job.toml");
        ended.assert(1, parts).assert(1, &[&format!("of the Kafka cluster at {address}")]);
    };
    let known = user(server, "SCRAM-SHA-512", "s3cr3t");
    let who = format!("SCRAM-SHA-512 as the user `{known}`");
    let of_password = "hint: is `password` of `sasl` the one that the cluster has for this user";
    refused(&listeners.sasl(), &sasl("SCRAM-SHA-512", &known, "\"another\""), &[&who, of_password]);
    refused(&listeners.sasl(), &sasl("SCRAM-SHA-256", &known, "\"s3cr3t\""), &["SCRAM-SHA-256 as the user", of_password]);
    refused(&listeners.sasl(), &sasl("PLAIN", PLAIN_USER.0, "\"another\""), &["PLAIN as the user `plain-user`", of_password]);
    refused(&listeners.sasl(), "", &["`tls` or `sasl`"]);
    refused(&listeners.sasl_ssl(), &sasl("SCRAM-SHA-512", &known, "\"s3cr3t\""), &["`tls` or `sasl`"]);

    let of_ca = "hint: does `ca` of `tls` say who has signed the broker's certificate";
    refused(&listeners.ssl(), &tls(server, &[("ca", "other.pem")]), &["certificate verify failed", of_ca]);
    refused(&listeners.ssl(), "tls = true\n", &["certificate verify failed", "hint: `tls = { ca = … }` says who has signed"]);
    let of_client = "hint: the broker may ask for a certificate of the client";
    refused(&listeners.ssl(), &tls(server, &[("ca", "ca.pem")]), &[of_client]);
    let foreign = tls(server, &[("ca", "ca.pem"), ("certificate", "other.pem"), ("key", "other.key")]);
    refused(&listeners.ssl(), &foreign, &["hint: does the cluster trust who has signed `certificate`"]);
    // It is signed by whom it is to be, for a host of another name.
    let by_name = listeners.ssl().replace("127.0.0.1", "localhost");
    let fine = tls(server, &[("ca", "ca.pem"), ("certificate", "client.pem"), ("key", "client.key")]);
    refused(&by_name, &fine, &["certificate verify failed", of_ca]);
    let other_key = tls(server, &[("ca", "ca.pem"), ("certificate", "client.pem"), ("key", "other.key")]);
    refused(&listeners.ssl(), &other_key, &["see `tls`"]);
}

#[test]
fn a_sink_that_may_not_come_in_ends_the_job() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output) = (three(server), server.topic(1));
    let job = passing(server, &format!("[\"{topic}\"]"), &output, "until = \"end\"");
    let (source, sink) = job.split_once("[sink.out]").expect("a sink");
    let known = user(server, "SCRAM-SHA-256", "s3cr3t");
    let more = format!("connect-timeout = \"3s\"\n{}", sasl("SCRAM-SHA-256", &known, "\"another\""));
    let job = format!("{source}[sink.out]{}", at(server, sink, &server.listeners().sasl(), &more));
    bench(job).run("run job.toml").assert(1, &["out: ", &format!("SCRAM-SHA-256 as the user `{known}`"), "hint: is `password` of `sasl`"]);
}

#[test]
fn what_does_not_go_together_is_refused_by_check() {
    let Some(server) = KafkaServer::in_use() else { return };
    let refused = |more: &str, parts: &[&str]| {
        bench(passing_at(server, &server.listeners().sasl_ssl(), more).0).run("check job.toml").assert(2, parts);
    };
    refused("sasl = \"PLAIN\"", &["`sasl`", "a table with `mechanism`"]);
    refused(&sasl("GSSAPI", "u", "\"p\""), &["one of \"PLAIN\", \"SCRAM-SHA-256\", \"SCRAM-SHA-512\", not \"GSSAPI\""]);
    refused("sasl = { mechanism = \"PLAIN\", username = \"u\" }", &["needs `password`"]);
    refused(&sasl("PLAIN", "u", "\"${WEIR_NOT_SET_ANYWHERE}\""), &["the variable `WEIR_NOT_SET_ANYWHERE` is not set", "job.toml:"]);
    refused(&sasl("PLAIN", "u", "{ file = \"/nowhere\" }"), &["/nowhere: No such file"]);
    refused("tls = \"yes\"", &["`tls`", "must be true, false or a table"]);
    refused("tls = { ca = \"nowhere.pem\" }", &["`tls.ca`", "nowhere.pem: No such file"]);
    refused("tls = { ca = \"job.toml\" }", &["there is no certificate in it"]);
    refused(&tls(server, &[("certificate", "client.pem")]), &["`tls.certificate` needs its `key`"]);
    refused("options = { \"sasl.password\" = \"p\" }", &["may not have `sasl.password`", "`sasl` says it"]);
    refused("options = { \"enable.ssl.certificate.verification\" = false }", &["always verified"]);
}

/// What a job of a user says while it runs, and keeps, has the password nowhere.
#[test]
fn a_password_that_is_replaced_gets_through_and_none_is_to_be_seen() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (first, second) = ("s3cr3t-of-the-first-day", "s3cr3t-of-the-second-day");
    let (topic, output, known) = (three(server), server.topic(1), user(server, "SCRAM-SHA-512", first));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    let write = |password: &str| std::fs::write(&file, format!("{password}\n")).expect("a file");
    write(first);
    let more = format!("{}{}", sasl("SCRAM-SHA-512", &known, &format!("{{ file = {file:?} }}")), tls(server, &[("ca", "ca.pem")]));
    let bench = bench(at(server, &passing(server, &format!("[\"{topic}\"]"), &output, ""), &server.listeners().sasl_ssl(), &more));
    let start = || bench.start_with("run job.toml", &[("WEIR_LOG", "debug")]);
    let mut process = start();
    wait_for(server, &mut process, &output, 3);
    // The broker asks again every few seconds who it is: the one in front of the file's, so that it is refused in between.
    server.client(&json!({ "do": "scram", "user": known, "mechanism": "SCRAM-SHA-512", "password": second }));
    assert!(process.says("it is tried again", &mut 0));
    write(second);
    assert!(process.says("with new credentials", &mut 0));
    server.produce(&topic, &[json!({ "value": "d" }), json!({ "value": "e" })]);
    wait_for(server, &mut process, &output, 5);
    let hides = |text: &str| assert!(!text.contains(first) && !text.contains(second), "{text}");
    let shown = crate::secrets::shown(&bench.api(&mut process));
    assert!(shown.contains(&known), "{shown}");
    hides(&shown);
    bench.run("savepoint create words taken").assert(0, &[]);
    for line in ["status words --output json", "check job.toml --output json", "checkpoint list words --output json"] {
        let ended = bench.run(line);
        ended.assert(0, &[]);
        hides(&format!("{}{}", ended.stdout, ended.stderr));
    }
    let said = ends(process);
    hides(&said);
    assert_eq!(values(server, &output, 5), ["a", "b", "c", "d", "e"]);
    for password in [first, second] {
        assert_eq!(holding(&bench.path(""), password), Vec::<String>::new());
    }
    // The file was right, and is wrong by now.
    write("another-one");
    let refused = bench.run("run job.toml");
    refused.assert(1, &[&format!("SCRAM-SHA-512 as the user `{known}`")]);
    assert!(!refused.stderr.contains("another-one"), "{}", refused.stderr);
}

/// The job has one restart, for the new password: what a writer is refused for before that is waited for.
#[test]
fn a_sink_that_writes_at_once_waits_for_a_password_that_is_replaced() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (topic, output, known) = (three(server), server.topic(1), user(server, "SCRAM-SHA-512", "s3cr3t"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "s3cr3t").expect("a file");
    let job = passing(server, &format!("[\"{topic}\"]"), &output, "");
    let job = job.replace(&format!("marker-topic = \"{output}-markers\""), "delivery = \"at-least-once\"");
    let more = format!("{}{}", sasl("SCRAM-SHA-512", &known, &format!("{{ file = {file:?} }}")), tls(server, &[("ca", "ca.pem")]));
    let bench = bench(at(server, &job, &server.listeners().sasl_ssl(), &more) + "[restart]\nattempts = 1\n");
    let mut process = bench.start("run job.toml");
    wait_for(server, &mut process, &output, 3);
    // Who is connected is refused because this listener asks again every few seconds who it is.
    server.client(&json!({ "do": "scram", "user": known, "mechanism": "SCRAM-SHA-512", "password": "an0ther" }));
    let refused = status_when(&bench, &mut process, "its sink is refused", |seen| seen["vertices"][2].get("trouble").is_some());
    assert_eq!(refused["restarts"], 0, "{refused}");
    server.produce(&topic, &[json!({ "value": "d" })]);
    std::fs::write(&file, "an0ther").expect("a file");
    wait_for(server, &mut process, &output, 4);
    ends(process);
    assert_eq!(values(server, &output, 4), ["a", "b", "c", "d"]);
}

/// Stops a process; what it said.
fn ends(process: Running) -> String {
    process.send(Signal::Terminate);
    let ended = process.ended();
    ended.assert(0, &[]);
    format!("{}{}", ended.stdout, ended.stderr)
}

#[test]
fn who_says_who_it_is_where_nobody_asks_is_told_so_and_not_to_look_at_the_password() {
    let Some(server) = KafkaServer::in_use() else { return };
    let (job, _) = passing_at(server, &server.brokers(), &sasl("PLAIN", PLAIN_USER.0, "\"s3cr3t\""));
    let ended = bench(job).run("run job.toml");
    ended.assert(1, &["hint: the broker asks nobody at this address who it is: leave `sasl` out"]);
}
