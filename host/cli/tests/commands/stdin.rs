//! Standard input with a format, keys and a rate.

use super::{Bench, text};
use std::io::Write;
use std::process::{Output, Stdio};

fn job(source: &str) -> Bench {
    Bench::new(&format!(
        "name = \"rows\"\n[source.in]\nconnector = \"stdin\"\nreplay = \"none\"\n{source}\n\
         [operator.count]\nnative = \"pass-through\"\ninput = {{ from = \"in\", by = \"key\" }}\n\
         [sink.out]\nconnector = \"file\"\nformat = \"jsonl\"\ninput = \"count\"\npath = \"out\"\nparallelism = 1\n"
    ))
}

fn fed(bench: &Bench, rows: &str) -> Output {
    let mut weir = bench
        .command("run job.toml -q --output json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("weir runs");
    // A job that refuses its input may be gone before it has all of it.
    _ = weir.stdin.take().expect("a pipe").write_all(rows.as_bytes());
    weir.wait_with_output().expect("it was started")
}

fn committed(bench: &Bench) -> Vec<String> {
    let parts = std::fs::read_dir(bench.0.path().join("out")).expect("a folder").map(|entry| entry.expect("readable").path());
    let mut lines: Vec<_> = parts
        .filter(|path| path.is_file())
        .flat_map(|path| text(&std::fs::read(path).expect("a part")).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines.sort();
    lines
}

#[test]
fn rows_of_standard_input_have_keys_and_timestamps() {
    let bench = job("format = \"csv\"\nkey = \"k\"\ntimestamp = \"t\"\non-error = \"skip\"");
    let ended = fed(&bench, "k,t\na,5\nbad\n\"b\",6\n");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let expected = [r#"{"key":"a","value":"a,5","timestamp":5}"#, r#"{"key":"b","value":"\"b\",6","timestamp":6}"#];
    assert_eq!(committed(&bench), expected);

    let bench = job("format = \"jsonl\"\nkey = \"k\"");
    let ended = fed(&bench, "{\"k\":1}\n{]\n");
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(&ended.stderr).contains("read standard input, line 2, column 2: "), "{ended:?}");
}

#[test]
fn a_rate_holds_for_standard_input_too() {
    let bench = job("format = \"csv\"\nkey = \"k\"\nrate = 100");
    let rows: String = (0..100).map(|n| format!("{n}\n")).collect();
    let ended = fed(&bench, &format!("k\n{rows}"));
    assert_eq!((ended.status.code(), committed(&bench).len()), (Some(0), 100), "{ended:?}");
    // All but the last wait for their place, and a tenth of a second may be caught up.
    let document: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("a document");
    assert!(document["wall_s"].as_f64() > Some(0.85), "{document}");
}
