//! Passwords: a wrong one is refused, one that is replaced holds from the next connection on, and none is to be seen.

use super::{bench, lines, passing};
use crate::secrets::holding;
use std::fs;
use weir_tests::process::PostgresServer;

/// Makes a table, and a user with this password who may write there and make the table of its markers. Their names.
fn guarded(server: &PostgresServer, password: &str) -> (String, String) {
    let table = server.table("k text, n int4");
    let user = format!("{table}_user");
    server.psql(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE guarded; GRANT INSERT ON {table} TO {user}; GRANT CREATE ON SCHEMA public TO {user}"
    ));
    (table, user)
}

#[test]
fn a_wrong_password_is_refused_and_none_is_shown() {
    let Some(server) = PostgresServer::in_use() else { return };
    let (wrong, right) = ("wrong-password", "right@/password");
    let (table, user) = guarded(&server, right);
    let job = passing(&server.url_as(&user), &table, "password = \"${THE_PASSWORD}\"");
    let bench = bench(job, "{\"k\":\"a\",\"n\":1}\n".into());
    let ended = bench.run_with("run job.toml", &[("THE_PASSWORD", wrong)]);
    ended.assert(1, &[&format!("password authentication failed for user \"{user}\""), "pg_hba.conf"]);
    assert!(!format!("{ended:?}").contains(wrong), "{ended:?}");
    let checked = bench.run_with("check job.toml --output json", &[("THE_PASSWORD", right)]);
    checked.assert(0, &[]);
    let ended = bench.run_with("run job.toml", &[("THE_PASSWORD", right)]);
    ended.assert(0, &["finished"]);
    assert!(!format!("{checked:?}{ended:?}").contains(right), "{checked:?} {ended:?}");
    assert_eq!(server.psql(&format!("SELECT * FROM {table}")).trim(), "a|1");
    assert_eq!([wrong, right].map(|password| holding(&bench.path(""), password)), [const { Vec::<String>::new() }; 2]);
}

/// Whoever replaces a password does so on one side first.
#[test]
fn a_password_that_is_replaced_on_the_server_first_is_waited_for_and_shown() {
    let Some(server) = PostgresServer::in_use() else { return };
    let (table, user) = guarded(&server, "the-first-one");
    let job = passing(&server.url_as(&user), &table, "password = { file = \"${PLACE}/password\" }");
    let bench = bench(job, lines(0..4_000));
    bench.edit_job("key = \"k\"", "key = \"k\"\nrate = 1000");
    let place = bench.path("x").parent().expect("a folder").display().to_string();
    fs::write(bench.path("password"), "the-first-one\n").expect("a file");
    let rows = || server.psql(&format!("SELECT count(*), count(DISTINCT n) FROM {table}"));
    let mut process = bench.start_with("run job.toml", &[("PLACE", &place)]);
    assert!(process.runs_until("a row", || rows().trim() != "0|0"));
    server.psql(&format!("ALTER ROLE {user} PASSWORD 'the-second-one'"));
    server.psql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"));
    let refused = format!("password authentication failed for user \"{user}\"");
    assert!(process.says(&refused, &mut { 0 }), "it has ended");
    let told = bench.run_with("status words --output json", &[("PLACE", &place)]).document();
    let message = told["outboxes"][0]["last_error"]["message"].as_str().map(str::to_owned);
    assert!(message.is_some_and(|message| message.contains(&refused)), "{told}");
    fs::write(bench.path("password"), "the-second-one\n").expect("a file");
    process.ended().assert(0, &["finished"]);
    assert_eq!(rows().trim(), "4000|4000");
}

#[test]
fn a_password_that_is_replaced_holds_from_the_next_connection_on() {
    let Some(server) = PostgresServer::in_use() else { return };
    let (table, user) = guarded(&server, "the-first-one");
    let job = passing(&server.url_as(&user), &table, "password = { file = \"${PLACE}/password\" }");
    let bench = bench(job, lines(0..4_000));
    bench.edit_job("key = \"k\"", "key = \"k\"\nrate = 1000");
    let place = bench.path("x").parent().expect("a folder").display().to_string();
    fs::write(bench.path("password"), "the-first-one\n").expect("a file");
    let rows = || server.psql(&format!("SELECT count(*), count(DISTINCT n) FROM {table}"));
    let mut process = bench.start_with("run job.toml", &[("PLACE", &place)]);
    assert!(process.runs_until("a row", || rows().trim() != "0|0"));
    server.psql(&format!("ALTER ROLE {user} PASSWORD 'the-second-one'"));
    fs::write(bench.path("password"), "the-second-one\n").expect("a file");
    server.psql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"));
    // What it says of why depends on what comes first, the server's word or the end of the connection.
    process.ended().assert(0, &["output could not be published", "finished"]);
    assert_eq!(rows().trim(), "4000|4000");
}
