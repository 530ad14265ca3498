//! TLS: who the server is, and who weir is, with certificates of an authority that only these tests know.

use super::{bench, passing};
use weir_tests::process::{Authority, Ended, PostgresServer, TlsFront};

const LINE: &str = "{\"k\":\"a\",\"n\":1}\n";

/// Runs a job that writes a line to the server behind `port`, which it finds at `host`. `files`: what lies beside its file; `of_sink`: what its sink says.
fn run(server: &PostgresServer, port: u16, host: &str, files: &[(&str, &str)], of_sink: &str) -> Ended {
    let table = server.table("k text, n int4");
    let bench = bench(passing(&format!("postgres://postgres@{host}:{port}/postgres"), &table, of_sink), LINE.into());
    files.iter().for_each(|(name, text)| std::fs::write(bench.path(name), text).expect("a file"));
    let ended = bench.run("run job.toml");
    let rows = server.psql(&format!("SELECT count(*) FROM {table}"));
    assert_eq!(rows.trim() == "1", ended.code == Some(0), "{rows} {ended:?}");
    ended
}

#[test]
fn a_server_is_believed_whom_the_ca_vouches_for_and_no_other() {
    let Some(server) = PostgresServer::in_use() else { return };
    let (authority, other) = (Authority::new("weir's tests"), Authority::new("somebody else"));
    let front = TlsFront::to(server.port(), &authority.server(&["localhost", "127.0.0.1"]), None);
    let files = [("ca.pem", authority.certificate()), ("other.pem", other.certificate())];
    let run = |host: &str, of_sink: &str| run(&server, front.port(), host, &files, of_sink);
    for (host, of_sink) in [
        ("localhost", "tls = { ca = \"ca.pem\" }".to_owned()),
        ("127.0.0.1", format!("tls = {{ ca = '''{}''' }}", authority.certificate())),
    ] {
        run(host, &of_sink).assert(0, &["finished"]);
    }
    let refused = run("localhost", "tls = { ca = \"other.pem\" }");
    refused.assert(1, &["invalid peer certificate: UnknownIssuer", "the PostgreSQL database", "name its CA as `tls = { ca"]);
    run("localhost", "tls = true").assert(1, &["UnknownIssuer", "name its CA"]);
}

#[test]
fn a_certificate_of_another_name_is_refused_unless_the_user_does_not_look_at_names() {
    let Some(server) = PostgresServer::in_use() else { return };
    let (authority, other) = (Authority::new("weir's tests"), Authority::new("somebody else"));
    let front = TlsFront::to(server.port(), &authority.server(&["db.example"]), None);
    let files = [("ca.pem", authority.certificate()), ("other.pem", other.certificate())];
    let run = |of_sink: &str, mode: &str| {
        let table = server.table("k text, n int4");
        let url = format!("postgres://postgres@localhost:{}/postgres{mode}", front.port());
        let bench = bench(passing(&url, &table, of_sink), LINE.into());
        files.iter().for_each(|(name, text)| std::fs::write(bench.path(name), text).expect("a file"));
        bench.run("run job.toml")
    };
    let ca = "tls = { ca = \"ca.pem\" }";
    run(ca, "").assert(1, &["not valid for name \"localhost\"", "db.example", "`sslmode=verify-ca` does not look at names"]);
    run(ca, "?sslmode=verify-full").assert(1, &["not valid for name"]);
    run(ca, "?sslmode=verify-ca").assert(0, &["finished"]);
    run("tls = { ca = \"other.pem\" }", "?sslmode=verify-ca").assert(1, &["UnknownIssuer"]);
    // As with libpq: nothing is looked at, unless a CA is named.
    run("", "?sslmode=require").assert(0, &["finished"]);
    run("tls = { ca = \"other.pem\" }", "?sslmode=require").assert(1, &["UnknownIssuer"]);
    run(ca, "?sslmode=disable").assert(2, &["`sslmode=disable` and `tls` contradict each other"]);
    run("", "?sslmode=prefer").assert(2, &["`sslmode=prefer` does without TLS"]);
}

#[test]
fn a_server_that_asks_who_weir_is_is_shown_a_certificate() {
    let Some(server) = PostgresServer::in_use() else { return };
    let (authority, other) = (Authority::new("weir's tests"), Authority::new("somebody else"));
    let front = TlsFront::to(server.port(), &authority.server(&["localhost"]), Some(&authority));
    let (own, others) = (authority.client("weir"), other.client("weir"));
    let files = [
        ("ca.pem", authority.certificate()),
        ("own.pem", &own.certificate),
        ("own-key.pem", &own.key),
        ("others.pem", &others.certificate),
        ("others-key.pem", &others.key),
    ];
    let run = |of_client: &str| run(&server, front.port(), "localhost", &files, &format!("tls = {{ ca = \"ca.pem\"{of_client} }}"));
    run(", certificate = \"own.pem\", key = \"own-key.pem\"").assert(0, &["finished"]);
    for of_client in ["", ", certificate = \"others.pem\", key = \"others-key.pem\""] {
        run(of_client).assert(1, &["the server refuses this client", "`tls = { certificate = "]);
    }
    run(", certificate = \"own.pem\", key = \"others-key.pem\"").assert(2, &["`tls.certificate` and `tls.key`"]);
}

#[test]
fn a_server_without_tls_is_told_from_one_that_is_not_there() {
    let Some(server) = PostgresServer::in_use() else { return };
    run(&server, server.port(), "localhost", &[], "tls = true")
        .assert(1, &["server does not support TLS", "`ssl = on` in postgresql.conf"]);
}
