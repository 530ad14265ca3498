//! The rows are there once and in order, whatever ends: the process, at random and around each step of the outbox, the server, and both.

use super::{bench, counts, lines};
use std::collections::BTreeMap;
use std::time::Duration;
use weir_tests::process::{PostgresServer, Running, Seed, Signal, plugin};

/// The longest that a process lives before it is killed, once it has come as far as it is let.
const LIFE_MS: u64 = 250;

/// Records of a job that is killed. It reads so few of them in a second that it does not come to its end before the last kill.
const RECORDS: u64 = 40_000;
const SLOWLY: &str = "rate = 800\n";

/// How often a job is killed at random; `WEIR_KILLS` says another number.
fn kills() -> u64 {
    std::env::var("WEIR_KILLS").map_or(10, |kills| kills.parse().expect("WEIR_KILLS is a number"))
}

/// Steps of the outbox, and one of how many passes of each.
const STEPS: [(&str, u64); 5] = [("take-over", 1), ("read-marker", 1), ("publish", 3), ("put state", 3), ("create log-completed", 3)];

/// Two tables of a job that counts by key: one has each key's newest count, the other all of them.
struct Tables {
    newest: String,
    all: String,
}

impl Tables {
    fn new(server: &PostgresServer) -> Self {
        let newest = server.table("word text PRIMARY KEY, count int8 NOT NULL");
        Self { newest, all: server.table("place serial, word text NOT NULL, count int8 NOT NULL") }
    }

    fn job(&self, server: &PostgresServer, of_source: &str) -> String {
        let (url, plugin) = (server.url(), plugin("word-count-count"));
        let Self { newest, all } = self;
        format!(
            "name = \"words\"\nparallelism = 2\n[checkpoints]\ninterval = \"50ms\"\n\
             [source.in]\nconnector = \"file\"\npath = \"input.jsonl\"\nformat = \"jsonl\"\nkey = \"k\"\n{of_source}\n\
             [operator.count]\nplugin = {plugin:?}\ninput = {{ from = \"in\", by = \"key\" }}\n\
             [sink.newest]\nconnector = \"postgres\"\nurl = \"{url}\"\ntable = \"{newest}\"\nmode = \"upsert\"\nmarker-table = \"{all}_markers\"\ninput = \"count\"\n\
             [sink.all]\nconnector = \"postgres\"\nurl = \"{url}\"\ntable = \"{all}\"\nmarker-table = \"{all}_markers\"\ninput = \"count\"\n\
             columns = {{ word = \"word\", count = \"count\" }}\n"
        )
    }

    /// How far each key has been counted. Fails where a count is not the one behind that before it: each is there once and in order.
    #[track_caller]
    fn counted(&self, server: &PostgresServer) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::<String, u64>::new();
        for row in server.psql(&format!("SELECT word, count FROM {} ORDER BY place", self.all)).lines() {
            let (word, count) = row.split_once('|').expect("two columns");
            let before = counts.entry(word.to_owned()).or_default();
            *before += 1;
            assert_eq!(count, before.to_string(), "of {word}");
        }
        counts
    }

    /// The same in the other table.
    #[track_caller]
    fn newest(&self, server: &PostgresServer) -> BTreeMap<String, u64> {
        let rows = server.psql(&format!("SELECT word, count FROM {}", self.newest));
        let row = |row: &str| row.split_once('|').map(|(word, count)| (word.to_owned(), count.parse().expect("a number")));
        rows.lines().map(|line| row(line).expect("two columns")).collect()
    }

    #[track_caller]
    fn assert_complete(&self, server: &PostgresServer, numbers: std::ops::Range<u64>) {
        assert_eq!(self.counted(server), counts(numbers.clone()));
        assert_eq!(self.newest(server), counts(numbers));
    }

    fn rows(&self, server: &PostgresServer) -> usize {
        server.psql(&format!("SELECT count(*) FROM {}", self.all)).trim().parse().expect("a number")
    }

    /// Waits until so many rows are there.
    #[track_caller]
    fn wait_for(&self, server: &PostgresServer, process: &mut Running, count: usize) {
        assert!(process.runs_until(&format!("{count} rows"), || self.rows(server) >= count));
    }
}

#[test]
fn kills_at_random_and_around_each_step_of_the_outbox_lose_no_row_and_double_none() {
    let Some(server) = PostgresServer::in_use() else { return };
    let (tables, mut seed) = (Tables::new(&server), Seed::of_run());
    let bench = bench(tables.job(&server, SLOWLY), lines(0..RECORDS));
    // The first one is killed before the marker is there; the others find one.
    let set_marker = ["before", "after"].map(|side| format!("set-marker {side} 1"));
    let steps = STEPS.iter().flat_map(|(step, passes)| ["before", "after"].map(|side| format!("{step} {side} {}", seed.draw(1..=*passes))));
    let points: Vec<String> = set_marker.into_iter().chain(steps).collect();
    for point in &points {
        let ended = bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", point)]);
        assert_eq!(ended.code, None, "`{point}` is not passed: {ended:?}");
    }
    for kill in 0..kills() {
        let before = bench.log().completed.len();
        let mut process = bench.start("run job.toml -q");
        // One half falls anywhere, also into start and takeover.
        let runs = !seed.coin() || process.runs_until("a checkpoint", || bench.log().completed.len() > before);
        let runs = runs && process.runs_for(Duration::from_millis(seed.draw(..LIFE_MS)));
        assert!(runs, "the process ended before kill {kill}: {:?}", process.ended());
        assert!(process.kill(), "kill {kill} was not what ended the process");
        let (was, is) = if kill % 2 == 0 { (2, 3) } else { (3, 2) };
        bench.edit_job(&format!("parallelism = {was}"), &format!("parallelism = {is}"));
    }
    bench.edit_job(SLOWLY, "");
    bench.run("run job.toml").assert(0, &["resuming from checkpoint", "finished"]);
    tables.assert_complete(&server, 0..RECORDS);
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_waited_for_and_nothing_is_lost_or_doubled() {
    let Some(server) = PostgresServer::alone() else { return };
    let tables = Tables::new(&server);
    let bench = bench(tables.job(&server, SLOWLY), lines(0..RECORDS));
    let mut process = bench.start("run job.toml");
    tables.wait_for(&server, &mut process, 1);
    server.kill();
    let before = bench.log().completed.len();
    assert!(process.runs_until("a checkpoint without a server", || bench.log().completed.len() > before));
    server.begin();
    let published = tables.rows(&server);
    tables.wait_for(&server, &mut process, published + 1);
    // Now both.
    server.kill();
    assert!(process.kill());
    server.begin();
    bench.edit_job(SLOWLY, "");
    bench.run("run job.toml").assert(0, &["resuming from checkpoint", "finished"]);
    tables.assert_complete(&server, 0..RECORDS);
}

#[test]
fn a_zombie_that_wakes_behind_its_successor_publishes_nothing() {
    let Some(server) = PostgresServer::in_use() else { return };
    let tables = Tables::new(&server);
    let bench = bench(tables.job(&server, SLOWLY), lines(0..6_000));
    let mut zombie = bench.start("run job.toml -q");
    tables.wait_for(&server, &mut zombie, 1);
    zombie.send(Signal::Pause);
    bench.edit_job(SLOWLY, "");
    bench.run("run job.toml --takeover").assert(0, &["finished"]);
    zombie.send(Signal::Continue);
    zombie.ended().assert(1, &["job words: another process has taken it over"]);
    tables.assert_complete(&server, 0..6_000);
}

#[test]
fn a_database_that_was_reset_is_for_the_user_to_decide() {
    let Some(server) = PostgresServer::in_use() else { return };
    for (decision, published) in [("--republish", true), ("--assume-published", false)] {
        let tables = Tables::new(&server);
        let bench = bench(tables.job(&server, SLOWLY), lines(0..4_000));
        // Killed in front of a chunk: some are published, and another waits.
        let killed = bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", "publish before 4")]);
        assert_eq!(killed.code, None, "{killed:?}");
        let lost = tables.rows(&server);
        assert!(lost > 0, "a chunk was published");
        let Tables { newest, all } = &tables;
        server.psql(&format!("TRUNCATE {newest}; TRUNCATE {all}; DROP TABLE {all}_markers"));
        bench.edit_job(SLOWLY, "");
        let refused = bench.run("run job.toml -q");
        refused.assert(1, &["its target has no marker", "it was reset, or it is another", "--republish", "--assume-published"]);
        assert_eq!(tables.rows(&server), 0, "nothing is published meanwhile");
        bench.run(&format!("run job.toml {decision}")).assert(0, &["finished"]);
        let there = tables.rows(&server);
        assert_eq!(there >= 4_000 - lost, published, "{decision}: {lost} of 4000 were lost, {there} are there");
    }
}
