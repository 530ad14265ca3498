//! Records that fit no row, set aside: each is there once, with why, and the others are rows.

use super::rows::publish;
use super::{bench, passing};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_tests::process::PostgresServer;

/// Runs a job that writes these lines to `table` and sets aside what does not fit; what it has set aside: place, value and why.
#[track_caller]
fn set_aside(server: &PostgresServer, table: &str, of_sink: &str, lines: &str) -> String {
    let of_sink = format!("on-error = \"quarantine\"\nquarantine-table = \"{table}_aside\"\n{of_sink}");
    bench(passing(&server.url(), table, &of_sink), lines.into()).run("run job.toml").assert(0, &["finished"]);
    server.psql(&format!("SELECT record, convert_from(value, 'UTF8'), error FROM {table}_aside ORDER BY checkpoint_id, record"))
}

#[test]
fn what_weir_and_what_the_server_finds_not_to_fit_is_set_aside_and_the_rest_is_there() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k text, n int2, code varchar(3), CHECK (n <> 13)");
    let lines = [
        r#"{"k":"a","n":1}"#,
        r#"{"k":"b","n":70000}"#,
        r#"{"k":"c","code":"long"}"#,
        r#"{"k":"d","n":13}"#,
        r#"{"k":"e","code":"longer"}"#,
        r#"{"k":"f","n":2}"#,
    ];
    let aside = set_aside(&server, &table, "", &format!("{}\n", lines.join("\n")));
    assert_eq!(server.psql(&format!("SELECT k FROM {table} ORDER BY n")), "a\nf\n");
    let aside: Vec<&str> = aside.lines().collect();
    let whys =
        ["column `n` (smallint): ", "column `code` (character varying(3)): value too long", "violates check constraint", "value too long"];
    assert_eq!(aside.len(), whys.len(), "{aside:?}");
    for ((row, line), why) in aside.iter().zip(&lines[1..5]).zip(whys) {
        assert!(row.contains(&format!("|{line}|")) && row.contains(why), "{row}");
    }
}

#[test]
fn where_a_value_has_lines_of_its_own_the_record_at_fault_is_found() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k int2, j jsonb");
    let bad = r#"{"k":6,"j":{"a":1,"b":"\u0000"}}"#;
    let lines: String = (1..=9).map(|k| if k == 6 { format!("{bad}\n") } else { format!("{{\"k\":{k},\"j\":[{k}]}}\n") }).collect();
    let aside = set_aside(&server, &table, "", &lines);
    assert_eq!(server.psql(&format!("SELECT string_agg(k::text, '' ORDER BY k) FROM {table}")).trim(), "12345789");
    assert_eq!(aside.lines().count(), 1, "{aside}");
    assert!(aside.starts_with(&format!("6|{bad}|column `j` (jsonb): ")), "{aside}");
}

#[test]
fn of_a_keys_records_the_last_one_that_fits_decides() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k text PRIMARY KEY, n int2, CHECK (n <> 13)");
    let line = |(k, n): &(&str, u32)| format!("{{\"k\":\"{k}\",\"n\":{n}}}\n");
    let lines: String = [("a", 1), ("a", 13), ("b", 1), ("b", 13), ("c", 13), ("b", 2), ("c", 3), ("d", 13)].iter().map(line).collect();
    let aside = set_aside(&server, &table, "mode = \"upsert\"", &lines);
    assert_eq!(server.psql(&format!("SELECT k, n FROM {table} ORDER BY k")), "a|1\nb|2\nc|3\n");
    let places: Vec<&str> = aside.lines().filter_map(|row| row.split('|').next()).collect();
    assert_eq!(places, ["2", "4", "5", "8"], "{aside}");
}

/// The sink of a table that records replace rows of, and that sets aside.
fn upserting(server: &PostgresServer, table: &str, columns: &Value) -> Value {
    json!({
        "url": server.url(), "table": table, "mode": "upsert", "columns": columns, "marker-table": format!("{table}_markers"),
        "on-error": "quarantine", "quarantine-table": format!("{table}_aside"),
    })
}

#[test]
fn what_the_table_refuses_is_set_aside_also_where_a_later_record_of_its_key_replaces_or_deletes_it() {
    let Some(server) = PostgresServer::in_use() else { return };
    let small = server.name();
    server.psql(&format!("CREATE DOMAIN {small} AS int4 CHECK (VALUE < 18)"));
    let table = server.table(&format!("k text PRIMARY KEY, n {small}, CHECK (n <> 13)"));
    server.psql(&format!(
        "CREATE FUNCTION {table}_odd() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF NEW.n = 7 THEN RAISE ''seven is odd'' USING ERRCODE = ''U0001''; END IF; RETURN NEW; END'; \
         CREATE TRIGGER odd BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_odd()"
    ));
    let why = |n: usize| match n {
        7 => Some("seven is odd"),
        13 => Some("violates check constraint"),
        18.. => Some("value for domain"),
        _ => None,
    };
    // Each fifth record is of the same key, and some delete.
    let records: Vec<(String, Option<usize>)> =
        (0..400).map(|at| (format!("k{}", at % 5), (at % 41 != 40).then_some(at * 3 % 20))).collect();
    let values: Vec<Option<String>> = records.iter().map(|(_, n)| n.map(|n| format!("{{\"n\":{n}}}"))).collect();
    let sent: Vec<(&str, Option<&str>)> = records.iter().zip(&values).map(|((key, _), value)| (key.as_str(), value.as_deref())).collect();
    publish(&upserting(&server, &table, &json!({ "n": "n", "k": { "record": "key" } })), &sent);

    let aside = server.psql(&format!("SELECT record, error FROM {table}_aside"));
    let seen: BTreeSet<(usize, &str)> =
        aside.lines().filter_map(|row| row.split_once('|')).map(|(place, error)| (place.parse().expect("a number"), error)).collect();
    let expect = |(at, (_, n)): (usize, &(String, Option<usize>))| n.and_then(why).map(|why| (at + 1, why));
    let expect: BTreeMap<usize, &str> = records.iter().enumerate().filter_map(expect).collect();
    assert_eq!(aside.lines().count(), expect.len(), "each is there once");
    assert_eq!(seen.iter().map(|(place, _)| *place).collect::<Vec<_>>(), expect.keys().copied().collect::<Vec<_>>());
    assert!(seen.iter().all(|(place, error)| error.contains(expect[place])), "{seen:?}");

    let mut rows = BTreeMap::new();
    for (key, n) in &records {
        match n {
            Some(n) if why(*n).is_none() => _ = rows.insert(key, *n),
            Some(_) => {}
            None => _ = rows.remove(key),
        }
    }
    let rows: String = rows.iter().map(|(key, n)| format!("{key}|{n}\n")).collect();
    assert_eq!(server.psql(&format!("SELECT k, n FROM {table} ORDER BY k")), rows);
}

/// A replaced record is no row, and other rows that the chunk has are not there yet when it is looked at: what they have is no reason to refuse it.
#[test]
fn a_replaced_record_is_not_compared_with_rows_that_come_with_it() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.name();
    server.psql(&format!("CREATE TABLE {table} (k text PRIMARY KEY, parent text REFERENCES {table}, mail text UNIQUE)"));
    let said = upserting(&server, &table, &json!({ "k": { "record": "key" }, "parent": "parent", "mail": "mail" }));
    let mail = |mail: &str| format!("{{\"mail\":{mail:?}}}");
    let [first, second, third] = ["a", "b", "c"].map(mail);
    let child = "{\"parent\":\"root\"}";
    let sent = [
        ("x", Some(&*first)),
        ("x", Some(&*second)),
        ("y", Some(&*first)),
        ("y", Some(&*third)),
        ("leaf", Some(child)),
        ("leaf", Some(child)),
        ("root", Some("{}")),
    ];
    publish(&said, &sent);
    assert_eq!(server.psql(&format!("SELECT * FROM {table} ORDER BY k")), "leaf|root|\nroot||\nx||b\ny||c\n");
    assert_eq!(server.psql(&format!("SELECT count(*) FROM {table}_aside")).trim(), "0");
}

#[test]
fn more_than_may_be_an_exception_ends_the_job() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k text, n int2, CHECK (n <> 13)");
    for line in [r#"{"k":"a","n":13}"#, r#"{"k":"a","n":70000}"#] {
        let job = passing(&server.url(), &table, "on-error = \"quarantine\"");
        let ended = bench(job, format!("{line}\n").repeat(1_100)).run("run job.toml");
        ended.assert(1, &["set records aside in `weir_quarantine`: ", "do not fit the table", "are no exceptions"]);
    }
    assert_eq!(server.psql(&format!("SELECT count(*) FROM {table}")).trim(), "0");
}

/// What is too large for an index, or what a trigger raises with a code of its own.
#[test]
fn limits_and_codes_of_a_trigger_are_the_records_fault() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k text, t text");
    server.psql(&format!(
        "CREATE INDEX ON {table} (t); CREATE FUNCTION {table}_odd() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF NEW.k = ''odd'' THEN RAISE ''odd it is'' USING ERRCODE = ''U0001''; END IF; RETURN NEW; END'; \
         CREATE TRIGGER odd BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_odd()"
    ));
    // Nothing in it comes again, so it cannot be made smaller.
    let next = |last: &u64| Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    let large: String = std::iter::successors(Some(1), next).map(|n| char::from(b'a' + (n >> 33) as u8 % 26)).take(9_000).collect();
    let lines = format!(
        "{{\"k\":\"a\",\"t\":\"x\"}}\n{{\"k\":\"b\",\"t\":\"{large}\"}}\n{{\"k\":\"odd\",\"t\":\"y\"}}\n{{\"k\":\"c\",\"t\":\"z\"}}\n"
    );
    let failed = bench(passing(&server.url(), &table, ""), lines.clone()).run("run job.toml");
    failed.assert(1, &["record 2 of checkpoint", "(key \"b\")", "index row"]);
    let aside = set_aside(&server, &table, "", &lines);
    assert_eq!(server.psql(&format!("SELECT k FROM {table} ORDER BY k")), "a\nc\n");
    let aside: Vec<&str> = aside.lines().collect();
    assert!(matches!(&aside[..], [large, odd] if large.contains("index row") && odd.ends_with("|odd it is")), "{aside:?}");
}

#[test]
fn a_record_whose_time_no_server_has_a_place_for_is_set_aside_with_the_nearest() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k text, n int2, at timestamptz");
    let lines = "{\"k\":\"a\",\"n\":1,\"t\":5}\n{\"k\":\"b\",\"n\":2,\"t\":9223372036854775000}\n";
    let of_sink = format!(
        "on-error = \"quarantine\"\nquarantine-table = \"{table}_aside\"\ncolumns = {{ k = \"k\", n = \"n\", at = {{ record = \"timestamp\" }} }}"
    );
    let bench = bench(passing(&server.url(), &table, &of_sink), lines.into());
    bench.edit_job("key = \"k\"", "key = \"k\"\ntimestamp = \"t\"");
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(server.psql(&format!("SELECT k FROM {table}")), "a\n");
    let aside = server.psql(&format!("SELECT extract(year FROM record_time AT TIME ZONE 'UTC'), error FROM {table}_aside"));
    assert!(aside.starts_with("294276|") && aside.contains("its time is 9223372036854775000 ms since 1970"), "{aside}");
}

#[test]
fn many_refusals_in_a_row_are_answers_and_no_silence() {
    let Some(server) = PostgresServer::in_use() else { return };
    let table = server.table("k text, n int4");
    // Each part that is tried takes a hundredth of a second: all of them longer than twice what one answer may.
    server.psql(&format!(
        "CREATE FUNCTION {table}_slow() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF NEW.n < 0 THEN PERFORM pg_sleep(0.01); RAISE ''below zero'' USING ERRCODE = ''23514''; END IF; RETURN NEW; END'; \
         CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_slow()"
    ));
    let bad: String = (1..=200).map(|n| format!("{{\"k\":\"bad\",\"n\":-{n}}}\n")).collect();
    let aside = set_aside(&server, &table, "answer-timeout = \"1s\"", &format!("{bad}{{\"k\":\"good\",\"n\":1}}\n"));
    assert_eq!(server.psql(&format!("SELECT k FROM {table}")), "good\n");
    assert_eq!(aside.lines().count(), 200);
}
