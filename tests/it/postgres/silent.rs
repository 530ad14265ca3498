//! A server that is there and says nothing: its connections stand, and nobody is behind them.

use super::{bench, lines, passing};
use weir_tests::process::{PostgresServer, Proxy};

#[test]
fn a_server_that_says_nothing_is_given_up_after_a_time_and_shown_and_gone_on_with() {
    let Some(server) = PostgresServer::in_use() else { return };
    let (proxy, table) = (Proxy::to(server.port()), server.table("k text, n int4"));
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", proxy.port());
    let bench = bench(passing(&url, &table, "answer-timeout = \"400ms\"\nconnect-timeout = \"400ms\""), lines(0..20_000));
    bench.edit_job("key = \"k\"", "key = \"k\"\nrate = 2000");
    let rows = || server.psql(&format!("SELECT count(*), count(DISTINCT n) FROM {table}"));
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a row", || rows().trim() != "0|0"));
    proxy.hold();
    // By the connection that there was, and by those that are made then.
    let mut heard = 0;
    assert!(process.says("no answer within 400ms", &mut heard) && process.says("no answer within 400ms", &mut heard), "it has ended");
    let seen = bench.run("status words --output json").document();
    let outbox = &seen["outboxes"][0];
    let message = outbox["last_error"]["message"].as_str().expect("a message");
    assert!(message.contains("no answer within 400ms") && outbox["retries"].as_u64() > Some(0), "{outbox}");
    proxy.open();
    bench.edit_job("key = \"k\"\nrate = 2000", "key = \"k\"");
    process.ended().assert(0, &["finished"]);
    assert_eq!(rows().trim(), "20000|20000");
}
