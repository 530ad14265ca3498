//! Files as a source reads them: the order of a key's records, over a kill too, what `check` says of it, and sources that are refused because they
//! would read what their own job writes.

use crate::WEIR;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use weir_tests::process::{Bench, WordCount};

const ROWS: u64 = 30_000;
const KEYS: u64 = 50;

/// One file of numbered rows, and a job that hands them on by key.
fn bench(source_settings: &str) -> Bench {
    // Of the job that a bench comes with, its name is kept: by that the storage is found.
    let bench = Bench::new(WEIR, WordCount::default());
    let mut rows = "k,n,filler\n".to_owned();
    (0..ROWS).for_each(|n| writeln!(rows, "k{},{n},{}", n % KEYS, "x".repeat(20)).expect("a text"));
    fs::write(bench.path("rows.csv"), rows).expect("an input");
    bench.write_job(&format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.rows]
connector = \"file\"
path = \"rows.csv\"
format = \"csv\"
key = \"k\"
rate = 20_000
{source_settings}
[operator.pass]
native = \"pass-through\"
input = {{ from = \"rows\", by = \"key\" }}
[sink.out]
connector = \"file\"
input = \"pass\"
path = \"out\"
"
    ));
    bench
}

/// The numbers of each key's rows in the order in which they were committed: subtask by subtask, checkpoint by checkpoint.
fn committed(bench: &Bench) -> BTreeMap<String, Vec<u64>> {
    let mut parts: Vec<_> = bench.parts();
    let place = |path: &std::path::Path| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let numbers: Vec<u64> = name.split('-').skip(2).take(2).map(|number| number.parse().expect("a number")).collect();
        numbers
    };
    parts.sort_by_key(|part| place(part));
    let mut by_key = BTreeMap::<String, Vec<u64>>::new();
    for part in parts {
        for line in fs::read_to_string(part).expect("a part file").lines() {
            let cells: Vec<&str> = line.split(',').collect();
            by_key.entry(cells[0].to_owned()).or_default().push(cells[1].parse().expect("a number"));
        }
    }
    by_key
}

#[test]
fn a_keys_records_keep_the_order_of_their_file_over_a_kill() {
    let bench = bench("");
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("output of some checkpoints", || bench.parts().len() >= 4));
    assert!(process.kill());
    bench.run("run job.toml -q").assert(0, &[]);
    let by_key = committed(&bench);
    assert_eq!(by_key.len() as u64, KEYS);
    for (key, numbers) in by_key {
        assert!(numbers.is_sorted(), "{key} comes in another order");
        assert_eq!(numbers.len() as u64, ROWS / KEYS, "{key}");
    }
    let checked = bench.run("check job.toml");
    checked.assert(0, &[]);
    assert!(checked.stdout.contains("rows → pass: as in the source; `rows` is read from front to back"), "{checked:?}");
}

#[test]
fn a_file_that_is_to_be_cut_is_read_by_all_subtasks_and_check_says_what_it_costs() {
    let bench = bench("split = \"64KiB\"");
    let checked = bench.run("check job.toml");
    checked.assert(0, &[]);
    assert!(checked.stdout.contains("rows → pass: not kept; of `rows`, `split` cuts a file into ranges"), "{checked:?}");
    bench.edit_job("rate = 20_000", "rate = 1_000_000");
    let ended = bench.run("run job.toml --output json -q");
    ended.assert(0, &[]);
    let mut numbers: Vec<u64> = committed(&bench).into_values().flatten().collect();
    numbers.sort_unstable();
    assert!(numbers == (0..ROWS).collect::<Vec<_>>());
    let shown = bench.run("checkpoint list job.toml --output json").document();
    let newest = shown["checkpoints"][0]["id"].as_u64().expect("a checkpoint");
    let inspected = bench.run(&format!("checkpoint inspect job.toml {newest} --output json")).document();
    let positions = |subtask: usize| inspected["vertices"][0]["subtasks"][subtask]["positions"].as_array().map_or(0, Vec::len);
    assert!(positions(0) > 4 && positions(1) > 4, "{inspected}");
}

#[test]
fn check_and_run_refuse_in_the_same_words_a_source_that_reads_its_own_jobs_output() {
    let bench = bench("");
    std::os::unix::fs::symlink(".", bench.path("here")).expect("a link");
    bench.edit_job("path = \"rows.csv\"", "path = \"here/*/part-*\"");
    let message = ["`rows` would read what the sink `out` writes into"];
    bench.run("check job.toml").assert(2, &message);
    bench.run("run job.toml").assert(2, &message);
    assert!(!bench.path("out").exists(), "nothing was begun");
}

#[test]
fn what_cannot_be_looked_at_or_is_read_once_is_said_by_check_and_run() {
    let bench = bench("");
    fs::create_dir(bench.path("in")).expect("a folder");
    fs::write(bench.path("in/a.csv"), "k,n,filler\n1,2,3\n").expect("a file");
    fs::hard_link(bench.path("in/a.csv"), bench.path("in/b.csv")).expect("a second name");
    std::os::unix::fs::symlink("..", bench.path("in/up")).expect("a link");
    bench.edit_job("path = \"rows.csv\"", "path = \"in/**/?.csv\"");
    let said = [
        "rows: in/b.csv is in/a.csv under another name, and is read once",
        "rows: in/up/in leads back up to in, and is not followed again",
    ];
    let checked = bench.run("check job.toml");
    checked.assert(0, &[]);
    assert!(said.iter().all(|line| checked.stdout.contains(line)), "{checked:?}");
    bench.run("run job.toml").assert(0, &said);
    assert_eq!(bench.committed().into_keys().collect::<Vec<_>>(), ["1,2,3"]);

    std::os::unix::fs::symlink("gone", bench.path("in/c.csv")).expect("a link");
    let refused = ["in/c.csv: it is a link to \"gone\", and nothing is there"];
    bench.run("check job.toml").assert(2, &refused);
    bench.run("run job.toml --fresh").assert(2, &refused);
}
