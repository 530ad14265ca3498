//! What is looked at before a job begins from nothing, and by `weir check`: that there is a server, that it lets weir in, and that the table takes what the job has.

use super::{bench, lines, passing};
use std::net::TcpListener;
use weir_tests::process::{PostgresServer, Signal};

#[test]
fn a_server_that_is_not_there_ends_a_job_that_begins_and_is_told_by_check() {
    let job = passing("postgres://u@127.0.0.1:9/d", "t", "connect-timeout = \"500ms\"");
    let bench = bench(job, "{\"k\":\"a\"}\n".into());
    let parts =
        ["connect: the PostgreSQL database `d` at 127.0.0.1:9 as `u`", "Connection refused", "is PostgreSQL running at 127.0.0.1:9"];
    bench.run("run job.toml").assert(1, &parts).assert(1, &["error: out: connect"]);
    bench.run("check job.toml").assert(2, &parts).assert(2, &["job.toml:", "`out`: connect"]);
}

#[test]
fn a_server_that_does_not_answer_is_said_once_its_time_is_over_and_a_stop_does_not_wait_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let url = format!("postgres://u@127.0.0.1:{port}/d");
    let bench = bench(passing(&url, "t", "connect-timeout = \"300ms\""), "{\"k\":\"a\"}\n".into());
    bench.run("run job.toml").assert(1, &["out: connect: ", &format!("127.0.0.1:{port}"), "no answer within 300ms"]);
    drop(listener.accept().expect("the one that was given up"));
    bench.edit_job("300ms", "1h");
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let mut process = bench.start("run job.toml");
        let held = listener.accept().expect("it connects");
        assert!(process.hears_signals());
        process.send(signal);
        process.ended().assert(0, &["stopped"]);
        drop(held);
    }
}

#[test]
fn check_looks_at_the_table() {
    let Some(server) = PostgresServer::in_use() else { return };
    let check = |url: &str, table: &str, of_sink: &str, code: i32, parts: &[&str]| {
        bench(passing(url, table, of_sink), "{\"k\":\"a\",\"n\":1}\n".into()).run("check job.toml").assert(code, parts);
    };
    let (url, table) = (server.url(), server.table("k text, n int4"));
    check(&url, &table, "", 0, &[]);
    check(&url, "no_such_table", "", 2, &["job.toml:", "`out`: there is no table `no_such_table`"]);
    check(&url, &table, "columns = { k = \"k\", m = \"n\" }", 2, &["there is no column `m`"]);
    check(&url, &table, "mode = \"upsert\"", 2, &["there is no primary key"]);
    let tags = server.table("k text, tags text[]");
    check(&url, &tags, "", 2, &["the column `tags` is of the type text[]"]);
    check(&server.url_as("nobody_at_all"), &table, "", 2, &["role \"nobody_at_all\"", "pg_hba.conf"]);
    assert_eq!(server.psql(&format!("SELECT to_regclass('{table}_markers') IS NULL")).trim(), "t", "a look makes nothing");
}

/// A run that goes on waits for a server that is down, and not for one that does not let it in any more.
#[test]
fn a_run_that_goes_on_ends_where_it_is_not_let_in_at_its_first_takeover() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k text, n int4");
    let user = format!("{table}_user");
    server.psql(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'first' IN ROLE guarded; GRANT INSERT ON {table} TO {user}; GRANT CREATE ON SCHEMA public TO {user}"
    ));
    let bench = bench(passing(&server.url_as(&user), &table, "password = \"${THE_PASSWORD}\""), lines(0..3_000));
    bench.edit_job("key = \"k\"", "key = \"k\"\nrate = 1000");
    let rows = || server.psql(&format!("SELECT count(*), count(DISTINCT n) FROM {table}"));
    let mut process = bench.start_with("run job.toml", &[("THE_PASSWORD", "first")]);
    assert!(process.runs_until("a row", || rows().trim() != "0|0"));
    process.kill();
    let refused = format!("password authentication failed for user \"{user}\"");
    bench.run_with("run job.toml", &[("THE_PASSWORD", "another")]).assert(1, &["out: take over", &refused, " 0 restarts"]);
    bench.edit_job("password = \"${THE_PASSWORD}\"", "");
    bench.run("run job.toml").assert(1, &["out: take over", "password missing", "`password` says it"]);
    bench.edit_job("key = \"k\"\nrate = 1000", "key = \"k\"");
    bench.edit_job("input = \"pass\"\n", "input = \"pass\"\npassword = \"first\"\n");
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(rows().trim(), "3000|3000");
}
