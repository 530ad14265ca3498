//! `weir state`: what a job that counts has in its checkpoints.

use super::{Bench, COUNT, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Stdio;

/// A folder in which the counting job has run to its end.
fn counted() -> Bench {
    let bench = Bench::new(COUNT);
    assert!(bench.weir("run job.toml -q").status.success());
    bench
}

/// What a command that succeeds writes, by lines.
#[track_caller]
fn lines(bench: &Bench, line: &str) -> Vec<String> {
    let output = bench.weir(line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

/// The rows that a command writes as JSON lines.
#[track_caller]
fn rows(bench: &Bench, line: &str) -> Vec<Value> {
    lines(bench, &format!("{line} --format jsonl")).iter().map(|row| serde_json::from_str(row).expect("a row is JSON")).collect()
}

/// The command ends with this code, says all this on standard error, and writes nothing else.
#[track_caller]
fn refused(bench: &Bench, line: &str, code: i32, parts: &[&str]) {
    let output = bench.weir(line);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), ""), "{line}: {said}");
    parts.iter().for_each(|part| assert!(said.contains(part), "{line}: {part:?} is not in\n{said}"));
}

/// The count in a row's value: the first eight bytes, little-endian.
fn count(row: &Value) -> u64 {
    let digits = row["value"].as_str().and_then(|value| value.strip_prefix("0x")).expect("hex digits");
    assert_eq!(digits.len(), 32, "{row}");
    (0..8).rev().fold(0, |number, byte| number << 8 | u64::from_str_radix(&digits[2 * byte..2 * byte + 2], 16).expect("hex digits"))
}

#[test]
fn a_list_tells_how_much_each_state_holds() {
    let bench = counted();
    let document = bench.document("state list job.toml --output json");
    let newest = bench.document("checkpoint list job.toml --output json")["checkpoints"][0]["id"].clone();
    assert_eq!((&document["schema"], &document["job"], &document["checkpoint"]), (&1.into(), &"count".into(), &newest));
    let state = serde_json::json!({
        "name": "totals", "kind": "value", "schema": "raw", "version": 1, "keys": 100, "entries": 100, "bytes": 1_600,
    });
    assert_eq!(document["operators"], serde_json::json!([{ "id": "count", "states": [state] }]), "{document}");
    let shown = lines(&bench, "state list job.toml count");
    assert_eq!(shown[1..], ["  count", "    totals  value      100 keys, 1.6 KiB  raw (version 1)"]);
}

#[test]
fn a_scan_writes_every_key_once_in_a_stable_order() {
    let bench = counted();
    let all = rows(&bench, "state scan job.toml count");
    let keys: BTreeSet<&str> = all.iter().filter_map(|row| row["key"].as_str()).collect();
    assert_eq!((all.len(), keys.len(), all.iter().map(count).sum::<u64>()), (100, 100, 20_000));
    assert_eq!(rows(&bench, "state scan job.toml count --state totals"), all);

    let document = bench.document("state scan job.toml count --output json");
    assert_eq!((document["rows"].as_array(), &document["more"], &document["error"]), (Some(&all), &false.into(), &Value::Null));
    let first = bench.document("state scan job.toml count --limit 3 --output json");
    assert_eq!((first["rows"].as_array().map(Vec::as_slice), &first["more"]), (Some(&all[..3]), &true.into()));

    let csv = lines(&bench, "state scan job.toml count --format csv -q");
    let expect = |row: &Value| format!("{},,totals,,{},", row["key"].as_str().expect("a key"), row["value"].as_str().expect("a value"));
    assert_eq!((csv[0].as_str(), csv[1..].to_vec()), ("key,window,state,entry,value,problem", all.iter().map(expect).collect()));

    let prefix = "key-00000000001";
    let some = rows(&bench, &format!("state scan job.toml count --prefix {prefix}"));
    let begins = |row: &&Value| row["key"].as_str().is_some_and(|key| key.starts_with(prefix));
    assert_eq!(some, all.iter().filter(begins).cloned().collect::<Vec<_>>());
    assert!(!some.is_empty() && some.len() < 100, "{} keys begin with {prefix}", some.len());
}

#[test]
fn a_table_has_a_line_for_each_row_and_says_what_it_shows_beside_it() {
    let bench = counted();
    let output = bench.weir("state scan job.toml count --limit 2");
    let table: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!((table.len(), table[0].split_whitespace().collect::<Vec<_>>()), (3, vec!["KEY", "STATE", "VALUE"]));
    let said = text(&output.stderr);
    assert!(said.contains("count of count in checkpoint ") && said.contains("there is more than the first 2"), "{said}");
}

#[test]
fn the_state_of_one_key_is_found_by_its_text_and_by_its_bytes() {
    let bench = counted();
    let all = rows(&bench, "state scan job.toml count");
    for wanted in all.iter().step_by(9) {
        let key = wanted["key"].as_str().expect("a key");
        let digits: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
        for by in [format!("--key {key}"), format!("--key 0x{digits}"), format!("--key-hex {digits}")] {
            assert_eq!(rows(&bench, &format!("state get job.toml count {by}")), std::slice::from_ref(wanted), "{by}");
        }
        let document = bench.document(&format!("state get job.toml count --key {key} --output json"));
        assert_eq!(document["rows"], Value::Array(vec![wanted.clone()]));
        assert!(document["key_group"].as_u64() < Some(128) && document["subtask"].as_u64() < Some(2), "{document}");
    }
    refused(
        &bench,
        "state get job.toml count --key nobody -q",
        1,
        &["the key `nobody` has no state in count in checkpoint ", "`weir state scan job.toml count --limit 20` shows"],
    );
    let missing = bench.document("state get job.toml count --key nobody --output json -q");
    assert!(missing["error"].as_str().is_some_and(|error| error.contains("`nobody`")), "{missing}");
}

#[test]
fn a_diff_counts_what_came_and_changed() {
    let bench = counted();
    let list = bench.document("checkpoint list job.toml --output json");
    let kept: Vec<u64> = list["checkpoints"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["retained"] == true)
        .filter_map(|one| one["id"].as_u64())
        .collect();
    let (newest, oldest) = (kept[0], kept[kept.len() - 1]);
    let document = bench.document(&format!("state diff job.toml@{oldest} job.toml@{newest} --output json"));
    let state = &document["operators"][0]["states"][0];
    let counts = |state: &Value| ["added", "removed", "changed", "unchanged"].map(|count| state[count].as_u64().expect("a count"));
    let [added, removed, changed, unchanged] = counts(state);
    assert_eq!((removed, added + changed + unchanged), (0, 100), "{document}");
    let differences = rows(&bench, &format!("state diff job.toml@{oldest} job.toml@{newest} count"));
    assert_eq!(differences.len() as u64, added + changed);
    assert_eq!(state["examples"].as_array().map(Vec::as_slice), Some(&differences[..differences.len().min(5)]));

    // Each difference is what the two scans say of the key.
    let at = |id: u64| rows(&bench, &format!("state scan job.toml count --at {id}"));
    let (was, is) = (at(oldest), at(newest));
    let value = |rows: &[Value], key: &Value| rows.iter().find(|row| row["key"] == *key).map_or(Value::Null, |row| row["value"].clone());
    for row in &differences {
        assert_eq!((&row["before"], &row["after"]), (&value(&was, &row["key"]), &value(&is, &row["key"])), "{row}");
    }
    let back = bench.document(&format!("state diff job.toml@{newest} job.toml@{oldest} --output json"));
    assert_eq!(counts(&back["operators"][0]["states"][0]), [0, added, changed, unchanged]);
    let same = lines(&bench, &format!("state diff job.toml@{newest} job.toml@{newest}"));
    assert_eq!(same[1..], ["  count", "    totals: 0 added, 0 removed, 0 changed, 100 unchanged"]);
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let bench = counted();
    refused(&bench, "state scan job.toml cuont -q", 2, &["no operator `cuont` in checkpoint ", "did you mean `count`?"]);
    refused(
        &bench,
        "state diff job.toml@9998 job.toml@9999 -q",
        1,
        &["look into checkpoint 9998: the job has none with that id", "there are: "],
    );
    refused(&bench, "state list job.toml in", 2, &["no operator `in` in checkpoint ", "there are: `count`"]);
    refused(&bench, "state get job.toml count --state total --key a -q", 2, &["the operator `count` has no state `total`", "`totals`"]);
    refused(&bench, "state list job.toml --at 1", 1, &["look into checkpoint 1: it has been deleted since", "there are: "]);
    refused(&bench, "state get job.toml count --key 0xzz", 2, &["`0xzz` begins with 0x"]);
    refused(&bench, "state get job.toml count --key-hex 0", 2, &["`0` is not made of pairs of hex digits"]);
    let output = bench.weir("state scan job.toml count --format csv --output json");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let fresh = Bench::new(COUNT);
    refused(&fresh, "state list job.toml", 1, &["the job has no completed one yet"]);
}

#[cfg(target_os = "linux")]
#[test]
fn rows_that_cannot_be_written_are_a_failure() {
    let bench = counted();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let output =
        bench.command("state scan job.toml count --format csv -q").stdout(full).stderr(Stdio::piped()).output().expect("weir runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("write to standard output: "), "{}", text(&output.stderr));
}
