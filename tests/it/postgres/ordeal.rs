//! Everything that may happen to a job and its database: the rows are there once and in order.

use super::once::Tables;
use super::{bench, lines};
use crate::ordeal::{Ordeal, SLOWLY, Target, blows_and_records};
use std::collections::BTreeMap;
use std::time::Duration;
use weir_tests::process::{PostgresAlone, PostgresServer, Proxy};

/// The database, and the tables that are filled.
struct Database<'s> {
    server: &'s PostgresAlone,
    tables: Tables,
}

impl Target for Database<'_> {
    fn kill(&self) {
        self.server.kill();
    }

    fn stop(&self) {
        self.server.stop();
    }

    fn begin(&self) {
        self.server.begin();
    }

    fn counted(&self) -> BTreeMap<String, u64> {
        self.tables.counted(self.server)
    }

    fn transaction_timeout(&self) -> Option<Duration> {
        None
    }
}

#[test]
fn an_ordeal_of_kills_servers_that_go_cut_connections_and_changes_loses_no_row_and_doubles_none() {
    let Some(server) = PostgresServer::alone() else { return };
    let (blows, records) = blows_and_records(40, 6);
    let (proxy, database) = (Proxy::to(server.port()), Database { server: &server, tables: Tables::new(&server) });
    let url = server.url().replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    let bench = bench(database.tables.job_at(&url, SLOWLY), lines(0..records));
    Ordeal::new(&database, &proxy, bench).undergo(blows);
    database.tables.assert_complete(&server, 0..records);
}
