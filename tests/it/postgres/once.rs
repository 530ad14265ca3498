//! The rows are there once and in order, whatever ends: the server, the process with it, one that was held; and where the database is another one than it was, or
//! there are two of a job, nothing goes on in silence.

use super::{bench, counts, lines};
use crate::ordeal::{COPIED, copied, one_goes_on, one_is_refused};
use std::collections::BTreeMap;
use weir_tests::process::{PostgresServer, Running, Signal, plugin};

/// Records of a job that is killed. It reads so few of them in a second that it does not come to its end before the last kill.
const RECORDS: u64 = 40_000;
const SLOWLY: &str = "rate = 800\n";

/// Two tables of a job that counts by key: one has each key's newest count, the other all of them.
pub(super) struct Tables {
    newest: String,
    all: String,
}

impl Tables {
    /// Makes them.
    pub(super) fn new(server: &PostgresServer) -> Self {
        let newest = server.table("word text PRIMARY KEY, count int8 NOT NULL");
        Self { newest, all: server.table("place serial, word text NOT NULL, count int8 NOT NULL") }
    }

    fn job(&self, server: &PostgresServer, of_source: &str) -> String {
        self.job_at(&server.url(), of_source)
    }

    /// The job that fills them, which finds the server at `url`. `of_source`: further lines of its source.
    pub(super) fn job_at(&self, url: &str, of_source: &str) -> String {
        let plugin = plugin("word-count-count");
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
    pub(super) fn counted(&self, server: &PostgresServer) -> BTreeMap<String, u64> {
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

    /// Fails unless all of these lines are counted, each once and in order.
    #[track_caller]
    pub(super) fn assert_complete(&self, server: &PostgresServer, numbers: std::ops::Range<u64>) {
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
    // A job with a past goes on without its server: what it has waits.
    let before = bench.log().completed.len();
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("a checkpoint of a run that has not seen the server", || bench.log().completed.len() > before));
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

#[test]
fn a_database_that_is_reset_under_a_running_job_ends_it_with_what_can_be_decided() {
    let Some(server) = PostgresServer::in_use() else { return };
    let tables = Tables::new(&server);
    let bench = bench(tables.job(&server, SLOWLY), lines(0..RECORDS));
    let mut process = bench.start("run job.toml");
    tables.wait_for(&server, &mut process, 1);
    let Tables { newest, all } = &tables;
    server.psql(&format!("TRUNCATE {newest}; TRUNCATE {all}; TRUNCATE {all}_markers"));
    process.ended().assert(1, &["its target has no marker", "--republish", "--assume-published"]);
    assert_eq!(tables.rows(&server), 0, "nothing is published behind that");
}

#[test]
fn a_storage_that_is_copied_and_run_twice_is_published_from_by_one_of_them_alone() {
    let Some(server) = PostgresServer::in_use() else { return };
    let tables = Tables::new(&server);
    let [first, second] = copied(bench(tables.job(&server, SLOWLY), lines(0..4_000)), 4);
    [&first, &second].into_iter().for_each(|bench| bench.edit_job(SLOWLY, ""));
    first.run("run job.toml").assert(0, &["finished"]);
    tables.assert_complete(&server, 0..4_000);
    second.run("run job.toml").assert(1, &COPIED);
    tables.assert_complete(&server, 0..4_000);
}

#[test]
fn a_storage_that_is_copied_and_run_at_once_is_published_from_by_one_of_them_alone() {
    let Some(server) = PostgresServer::in_use() else { return };
    let tables = Tables::new(&server);
    let [first, second] = copied(bench(tables.job(&server, SLOWLY), lines(0..4_000)), 4);
    one_goes_on(first.start("run job.toml"), second.start("run job.toml"));
    [&first, &second].into_iter().for_each(|bench| bench.edit_job(SLOWLY, ""));
    one_is_refused(&first, &second);
    tables.assert_complete(&server, 0..4_000);
}
