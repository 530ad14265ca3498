//! A transaction that is open when nobody goes on with it, and output that may not wait any longer: a process is held in one, and a table is kept.

use super::{bench, lines, passing};
use weir_tests::process::{Bench, PostgresInUse, PostgresServer, Running, Signal, wait_until};

/// A table into which nothing comes while `gate` has a row: whoever writes waits in the middle of its transaction.
struct Gated<'s> {
    server: &'s PostgresInUse,
    table: String,
    gate: String,
}

impl<'s> Gated<'s> {
    /// Makes it, shut.
    fn shut(server: &'s PostgresInUse) -> Self {
        let (table, gate) = (server.table("k text, n int4"), server.table("shut bool"));
        server.psql(&format!(
            "INSERT INTO {gate} VALUES (true); \
             CREATE FUNCTION {table}_waits() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN WHILE EXISTS (SELECT 1 FROM {gate}) LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN NEW; END'; \
             CREATE TRIGGER waits BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_waits()"
        ));
        Self { server, table, gate }
    }

    fn open(&self) {
        self.server.psql(&format!("DELETE FROM {}", self.gate));
    }

    /// How many sessions that have written to it last are in this state.
    fn sessions(&self, state: &str) -> String {
        let written = format!("query LIKE 'INSERT INTO%{}%'", self.table);
        self.server
            .psql(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {written} AND {state}"))
            .trim()
            .into()
    }

    /// How many rows of the markers nobody else may change now.
    fn locked_markers(&self) -> String {
        let markers = format!("{}_markers", self.table);
        let free = format!("SELECT count(*) FROM (SELECT 1 FROM {markers} FOR UPDATE SKIP LOCKED) free");
        self.server.psql(&format!("SELECT (SELECT count(*) FROM {markers}) - ({free})")).trim().into()
    }

    #[track_caller]
    fn assert_once(&self, count: u32) {
        let rows = self.server.psql(&format!("SELECT count(*), count(DISTINCT n) FROM {}", self.table));
        assert_eq!(rows.trim(), format!("{count}|{count}"));
    }
}

#[test]
fn a_zombie_that_is_held_within_its_transaction_keeps_its_successor_out_for_a_moment_only() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = Gated::shut(&server);
    let bench = bench(passing(&server.url(), &table.table, ""), lines(0..2_000));
    let mut zombie = bench.start("run job.toml -q");
    assert!(zombie.runs_until("a row waits", || table.sessions("wait_event = 'PgSleep'") == "1"));
    zombie.send(Signal::Pause);
    table.open();
    // Its rows are with the server, the row that says who publishes is locked, and nobody commits.
    wait_until("the transaction waits for its client", || table.sessions("state = 'idle in transaction'") == "1");
    assert_eq!(table.locked_markers(), "1");
    bench.run("run job.toml --takeover").assert(0, &["finished"]);
    table.assert_once(2_000);
    zombie.send(Signal::Continue);
    zombie.ended().assert(1, &["job words: another process has taken it over"]);
    table.assert_once(2_000);
}

#[test]
fn a_table_that_takes_nothing_holds_the_job_back_once_as_much_waits_as_may() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = Gated::shut(&server);
    let bench = bench(passing(&server.url(), &table.table, "max-unpublished = \"2KiB\""), lines(0..20_000));
    bench.edit_job("key = \"k\"", "key = \"k\"\nrate = 4000");
    let mut process = bench.start("run job.toml -q");
    let full = seen_full(&bench, &mut process);
    assert!(full["outboxes"][0]["unpublished_bytes"].as_u64() >= Some(2_048), "{full}");
    let figures = crate::seen::get(&bench.api(&mut process), "/metrics", "").1;
    let sum = |name: &str| crate::seen::sum(&figures, &format!("weir_{name}{{"));
    assert_eq!(sum("outbox_full"), 1.0, "{figures}");
    assert!(sum("unpublished_bytes") >= 2_048.0 && sum("unpublished_checkpoints") > 0.0, "{figures}");
    assert!(sum("unpublished_oldest_age_seconds") > 0.0, "{figures}");
    // What was under way when it became full is staged behind that; then nothing more is read, of the hundred records that would come from one look to the next.
    let stand = |seen: &serde_json::Value| (seen["vertices"][0]["records_out"].clone(), seen["outboxes"][0]["unpublished_bytes"].clone());
    let (mut last, mut alike) = (stand(&full), 0);
    assert!(process.runs_until("nothing more is read", || {
        let now = stand(&bench.run("status words --output json").document());
        alike = if now == last { alike + 1 } else { 0 };
        last = now;
        alike == 10
    }));
    assert!(last.0.as_u64() < Some(20_000), "it was read to its end: {last:?}");
    table.open();
    bench.edit_job("key = \"k\"\nrate = 4000", "key = \"k\"");
    process.ended().assert(0, &[]);
    table.assert_once(20_000);
}

/// The status, once as much waits as may.
#[track_caller]
fn seen_full<J: weir_tests::process::Job>(bench: &Bench<J>, process: &mut Running) -> serde_json::Value {
    let mut seen = serde_json::Value::Null;
    let runs = process.runs_until("as much waits as may", || {
        seen = bench.run("status words --output json").document();
        seen["outboxes"][0]["is_full"] == true
    });
    assert!(runs, "it has ended: {seen}");
    seen
}
