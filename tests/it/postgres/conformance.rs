//! What every target of an outbox promises, on the real server.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all, ready};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use weir_engine::element::AttemptId;
use weir_engine::outbox::conformance::{InChunks, TargetUnderTest, target_suite};
use weir_engine::outbox::{ChunkBounds, OutboxOwner, OutboxTarget};
use weir_engine::runtime::{ConnectorIo, ThreadRuntime};
use weir_tests::process::PostgresServer;

/// A table whose rows have numbers in the order in which they came, and the table of its markers.
struct Table<'a> {
    server: &'a PostgresServer,
    table: String,
}

impl TargetUnderTest for Table<'_> {
    fn client(&self, bounds: ChunkBounds) -> Arc<dyn OutboxTarget> {
        let said = json!({
            "url": self.server.url(), "table": self.table, "marker-table": format!("{}_markers", self.table),
            "columns": { "value": { "record": "value" } },
        });
        let sink = weir_connectors::sink("postgres", said.as_object().expect("an object"), Path::new(".")).expect("a sink");
        Arc::new(InChunks(sink.outbox().expect("an outbox"), bounds))
    }

    fn seen(&self) -> BoxFuture<'_, Vec<Vec<u8>>> {
        let rows = self.server.psql(&format!("SELECT value FROM {} ORDER BY place", self.table));
        ready(rows.lines().map(|value| value.as_bytes().to_vec()).collect()).boxed()
    }

    fn reset(&self) -> BoxFuture<'_, ()> {
        self.server.psql(&format!("TRUNCATE {table}; DROP TABLE {table}_markers", table = self.table));
        ready(()).boxed()
    }
}

#[test]
fn a_table_is_published_to_as_a_target_promises() {
    let Some(server) = PostgresServer::in_use() else { return };
    let threads = ThreadRuntime::new(1).expect("threads");
    let io = ConnectorIo::of(&threads.runtime());
    let table = Table { server: &server, table: server.table("place serial, value text NOT NULL") };
    threads.block_on(target_suite(&table, io));
    threads.shutdown();
}

#[test]
fn sinks_that_begin_together_make_the_table_of_their_markers_once() {
    let Some(server) = PostgresServer::in_use() else { return };
    let threads = ThreadRuntime::new(1).expect("threads");
    let io = ConnectorIo::of(&threads.runtime());
    for _ in 0..10 {
        let table = Table { server: &server, table: server.table("place serial, value text NOT NULL") };
        let owners =
            (0..8).map(|sink| OutboxOwner { log: "log".into(), sink: format!("out-{sink}"), attempt: AttemptId(1), over_newer: false });
        let owners: Vec<OutboxOwner> = owners.collect();
        let target = table.client(ChunkBounds::default());
        let begun = threads.block_on(join_all(owners.iter().map(|owner| target.take_over(owner, &io))).boxed());
        for session in begun {
            session.map(drop).expect("it takes over");
        }
    }
    threads.shutdown();
}
