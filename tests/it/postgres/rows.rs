//! What becomes of a record: type by type, and key by key.

use super::{bench, passing};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::path::Path;
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::element::{AttemptId, BatchBuilder, CheckpointId};
use weir_engine::outbox::OutboxOwner;
use weir_engine::runtime::{ConnectorIo, ThreadRuntime};
use weir_tests::process::PostgresServer;

#[test]
fn each_type_is_written_as_the_server_reads_it() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table(
        "small int2, big int8, f float8, amount numeric, yes bool, word text, code varchar(3), at timestamptz, local timestamp, day date, bytes bytea, \
         doc jsonb, plain json, id uuid, made timestamptz DEFAULT '2001-01-01', place serial",
    );
    let line = json!({
        "small": -5, "big": "9007199254740993", "f": 0.1, "yes": true, "word": "a\tb\\c\nd", "code": "abc", "at": "2026-01-31T12:00:00+02:00",
        "local": "2026-01-31T12:00:00", "day": "2026-01-31", "bytes": "AP8=", "doc": { "a": ["x\n"] }, "plain": "text",
        "id": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "k": "k",
    });
    let mut line = line.to_string();
    line.insert_str(1, "\"amount\":1.000000000000000000001,");
    bench(passing(&server.url(), &table, ""), format!("{line}\n")).run("run job.toml").assert(0, &["finished"]);
    let row = server.psql(&format!("SET timezone = 'UTC'; SELECT to_json(t) FROM {table} t"));
    let row: Value = serde_json::from_str(&row).expect("JSON");
    let expect = json!({
        "small": -5, "big": 9_007_199_254_740_993_i64, "f": 0.1, "yes": true, "word": "a\tb\\c\nd", "code": "abc", "at": "2026-01-31T10:00:00+00:00",
        "local": "2026-01-31T12:00:00", "day": "2026-01-31", "bytes": "\\x00ff", "doc": { "a": ["x\n"] }, "plain": "text",
        "id": "6f9619ff-8b86-d011-b42d-00c04fc964ff", "made": "2001-01-01T00:00:00+00:00", "place": 1,
    });
    for (column, value) in expect.as_object().expect("an object") {
        assert_eq!(&row[column], value, "{column}");
    }
    assert_eq!(server.psql(&format!("SELECT amount FROM {table}")).trim(), "1.000000000000000000001");
}

#[test]
fn the_cells_of_a_row_become_columns_and_an_empty_one_the_default() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("word text, n int4 DEFAULT 7, yes bool, doc jsonb, key text");
    let columns = "columns = { word = { cell = 3 }, n = { cell = 1 }, yes = { cell = 2 }, doc = { cell = 4 }, key = { record = \"key\" } }";
    let read = |rows: &str| {
        let job = passing(&server.url(), &table, columns).replace("format = \"jsonl\"\nkey = \"k\"", "format = \"csv\"\nkey = \"word\"");
        bench(job, format!("n,yes,word,doc\n{rows}")).run("run job.toml")
    };
    read("-5,t,\"a, \"\"b\"\"\",\"{\"\"x\"\": 1}\"\n,f,c,\n").assert(0, &["finished"]);
    let rows = server.psql(&format!("SELECT n, yes, word, doc, key FROM {table} ORDER BY n"));
    assert_eq!(rows, "-5|t|a, \"b\"|{\"x\": 1}|a, \"b\"\n7|f|c||c\n");
    read("many,t,c,\n").assert(1, &["the column `n`", "many"]);
}

/// Publishes one chunk: a key, and a value or none.
pub(super) fn publish(said: &Value, records: &[(&str, Option<&str>)]) {
    let sink = weir_connectors::sink("postgres", said.as_object().expect("an object"), Path::new(".")).expect("a sink");
    let threads = ThreadRuntime::new(1).expect("threads");
    let io = ConnectorIo::of(&threads.runtime());
    let owner = OutboxOwner { log: "log".into(), sink: "out".into(), attempt: AttemptId(1), over_newer: false };
    let mut builder = BatchBuilder::new();
    for (key, value) in records {
        match value {
            Some(value) => builder.push(Some(key.as_bytes()), value.as_bytes(), None),
            None => builder.push_valueless(Some(key.as_bytes()), None),
        }
    }
    let target = sink.outbox().expect("an outbox");
    let key = MarkerKey { log: "log".into(), lineage: "1".into(), sink: "out".into() };
    let marker = Marker { checkpoint_id: CheckpointId(1), attempt_nonce: "a".into(), records: records.len() as u64 };
    let publish = async {
        let mut session = target.take_over(&owner, &io).await.expect("it takes over");
        session.publish(&key, &builder.finish(), &marker).await.expect("it is published");
        assert_eq!(session.marker(&key).await.expect("it is read"), Some(marker.clone()));
    };
    threads.block_on(publish.boxed());
    threads.shutdown();
}

#[test]
fn of_a_keys_records_in_a_chunk_the_last_one_decides_and_a_delete_leaves_nothing_behind() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k text PRIMARY KEY, n int4, note text DEFAULT 'new'");
    let said = json!({
        "url": server.url(), "table": table, "mode": "upsert", "columns": { "n": "n", "k": { "record": "key" } }, "marker-table": format!("{table}_markers"),
    });
    let rows = || server.psql(&format!("SELECT k, n, note FROM {table} ORDER BY k"));
    let number = |n: u32| format!("{{\"n\":{n}}}");
    let [one, two, three] = [1, 2, 3].map(number);
    publish(&said, &[("a", Some(&one)), ("b", Some(&one)), ("a", Some(&two)), ("c", Some(&one)), ("c", None), ("d", None)]);
    assert_eq!(rows(), "a|2|new\nb|1|new\n");
    server.psql(&format!("UPDATE {table} SET note = 'mine'"));
    // What others have put into the row stays where it is replaced, and goes where it is deleted in between.
    publish(&said, &[("a", Some(&three)), ("b", None), ("b", Some(&two)), ("b", Some(&three)), ("e", None), ("e", Some(&one))]);
    assert_eq!(rows(), "a|3|mine\nb|3|new\ne|1|new\n");
    publish(&said, &[("a", None), ("b", None), ("e", None), ("e", None)]);
    assert_eq!(rows(), "");
}

#[test]
fn a_key_of_several_columns_deletes_by_all_of_them() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("a int4, n int4, b text, PRIMARY KEY (b, a)");
    let said =
        json!({ "url": server.url(), "table": table, "mode": "upsert", "key": ["a", "b"], "marker-table": format!("{table}_markers") });
    let row = |a: u32, b: &str, n: u32| format!("{{\"a\":{a},\"b\":\"{b}\",\"n\":{n}}}");
    let [first, second, third] = [row(1, "x", 1), row(1, "y", 2), row(2, "x", 3)];
    publish(&said, &[("", Some(&first)), ("", Some(&second)), ("", Some(&third))]);
    publish(&said, &[("[1,\"y\"]", None), ("{\"b\":\"x\",\"a\":2}", None)]);
    assert_eq!(server.psql(&format!("SELECT a, b, n FROM {table}")), "1|x|1\n");
}
