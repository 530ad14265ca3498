//! Passwords: a wrong one is refused, one that is replaced holds from the next connection on, and none is to be seen.

use super::{bench, lines, passing};
use crate::secrets::holding;
use crate::written::Written;
use std::fs;
use weir_tests::process::{Bench, PostgresServer, Running};

/// Makes a table, and a user with this password who may write there and make the table of its markers. Their names.
fn guarded(server: &PostgresServer, password: &str) -> (String, String) {
    let table = server.table("k text, n int4");
    let user = format!("{table}_user");
    server.psql(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE guarded; GRANT INSERT ON {table} TO {user}; GRANT CREATE ON SCHEMA public TO {user}"
    ));
    (table, user)
}

/// A job whose user's password is the first one, as the file says that it reads, once a row of it is there.
struct Begun {
    bench: Bench<Written>,
    process: Running,
    table: String,
    user: String,
    place: String,
}

impl Begun {
    fn new(server: &PostgresServer) -> Self {
        let (table, user) = guarded(server, "the-first-one");
        let job = passing(&server.url_as(&user), &table, "password = { file = \"${PLACE}/password\" }");
        let bench = bench(job, lines(0..4_000));
        bench.edit_job("key = \"k\"", "key = \"k\"\nrate = 1000");
        let place = bench.path("x").parent().expect("a folder").display().to_string();
        fs::write(bench.path("password"), "the-first-one\n").expect("a file");
        let process = bench.start_with("run job.toml", &[("PLACE", &place)]);
        let mut begun = Self { bench, process, table, user, place };
        let table = begun.table.clone();
        assert!(begun.process.runs_until("a row", || rows(server, &table) != "0|0"));
        begun
    }

    /// The second one holds on the server.
    fn replace_on(&self, server: &PostgresServer) {
        server.psql(&format!("ALTER ROLE {} PASSWORD 'the-second-one'", self.user));
    }

    /// Its connections are ended.
    fn is_put_out_of(&self, server: &PostgresServer) {
        server.psql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", self.user));
    }

    /// The second one stands in the file.
    fn replace_in_file(&self) {
        fs::write(self.bench.path("password"), "the-second-one\n").expect("a file");
    }
}

/// How many rows there are, and how many different ones.
fn rows(server: &PostgresServer, table: &str) -> String {
    server.psql(&format!("SELECT count(*), count(DISTINCT n) FROM {table}")).trim().to_owned()
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
    let mut begun = Begun::new(&server);
    begun.replace_on(&server);
    begun.is_put_out_of(&server);
    let refused = format!("password authentication failed for user \"{}\"", begun.user);
    assert!(begun.process.says(&refused, &mut { 0 }), "it has ended");
    let told = begun.bench.run_with("status words --output json", &[("PLACE", &begun.place)]).document();
    let message = told["outboxes"][0]["last_error"]["message"].as_str().map(str::to_owned);
    assert!(message.is_some_and(|message| message.contains(&refused)), "{told}");
    let shown = crate::secrets::shown(&begun.bench.api(&mut begun.process));
    assert!(shown.contains(&begun.user) && !shown.contains("the-first-one"), "{shown}");
    begun.replace_in_file();
    begun.process.ended().assert(0, &["finished"]);
    assert_eq!(rows(&server, &begun.table), "4000|4000");
}

#[test]
fn a_password_that_is_replaced_holds_from_the_next_connection_on() {
    let Some(server) = PostgresServer::in_use() else { return };
    let begun = Begun::new(&server);
    begun.replace_on(&server);
    begun.replace_in_file();
    begun.is_put_out_of(&server);
    // What it says of why depends on what comes first, the server's word or the end of the connection.
    begun.process.ended().assert(0, &["output could not be published", "finished"]);
    assert_eq!(rows(&server, &begun.table), "4000|4000");
}
