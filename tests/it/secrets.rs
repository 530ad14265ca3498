//! Secrets of a job file: what stands for a variable or for a file goes to whoever needs it, and is nowhere to be seen.

use crate::WEIR;
use std::fs;
use std::path::Path;
use weir_tests::process::{Bench, Ended, WordCount, plugin};

/// A value that is nowhere by chance.
const TOKEN: &str = "s3cr3t-of-nobody-else";

/// A job whose only operator is a plugin with this config.
fn job(config: &str) -> Bench<WordCount> {
    let bench = Bench::new(WEIR, WordCount::default());
    let rows: Vec<String> = (0..2_000).map(|row| format!("word-{row}")).collect();
    fs::write(bench.path("words.csv"), format!("word\n{}\n", rows.join("\n"))).expect("an input");
    bench.write_job(&format!(
        "name = \"words\"
[checkpoints]
interval = \"50ms\"
[source.words]
connector = \"file\"
path = \"${{PLACE}}/words.csv\"
format = \"csv\"
key = \"word\"
rate = 1000
[operator.faulty]
plugin = {:?}
input = {{ from = \"words\", by = \"key\" }}
config = {config}
[sink.out]
connector = \"file\"
input = \"faulty\"
path = \"out\"
",
        plugin("faulty")
    ));
    bench
}

/// Every file below a folder that holds `text`.
pub(crate) fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(holding(&entry, text));
        } else if fs::read(&entry).expect("a file").windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(entry.display().to_string());
        }
    }
    found
}

/// All that a running job's API shows.
#[track_caller]
pub(crate) fn shown(api: &str) -> String {
    let answer = |path: &str| {
        let (status, text) = crate::seen::get(api, path, "");
        assert_eq!(status, 200, "{path}: {text}");
        text
    };
    ["/v1/job", "/v1/config", "/v1/failures", "/v1/checkpoints", "/metrics"].map(answer).concat()
}

#[track_caller]
fn hides(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[test]
fn a_secret_reaches_the_plugin_and_is_in_nothing_that_is_shown_or_kept() {
    let bench = job("{ record = \"${TOKEN}\" }");
    let place = bench.path("x").parent().expect("a folder").display().to_string();
    let variables = [("TOKEN", TOKEN), ("PLACE", &place)];
    let checked = bench.run_with("check job.toml --output json", &variables);
    checked.assert(0, &[]);
    hides(&checked);
    assert!(
        checked.stdout.contains("\"record\": \"${TOKEN}\"") || checked.stdout.contains("\"record\":\"${TOKEN}\""),
        "{}",
        checked.stdout
    );
    assert!(checked.stdout.contains("${PLACE}/words.csv"), "{}", checked.stdout);

    let mut process = bench.start_with("run job.toml --output json", &variables);
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    let shown = shown(&bench.api(&mut process));
    assert!(shown.contains("${PLACE}/words.csv") && !shown.contains(TOKEN), "{shown}");
    for line in ["status words", "status words --output json", "savepoint create words taken", "checkpoint list words --output json"] {
        let ended = bench.run(line);
        ended.assert(0, &[]);
        hides(&ended);
    }
    bench.run("savepoint inspect taken").assert(0, &[]);
    bench.run("stop words").assert(0, &[]);
    let ended = process.ended();
    ended.assert(0, &[]);
    hides(&ended);
    assert_eq!(holding(&bench.path(""), TOKEN), Vec::<String>::new());
    assert_ne!(holding(&bench.path("taken"), "${TOKEN}"), Vec::<String>::new(), "the savepoint's job file has what was written");
    // A savepoint's job runs where the variables are.
    let ended = bench.run_with("run --from ./taken", &variables);
    ended.assert(0, &["finished"]);
    hides(&ended);
}

/// Calls that are kept, records that are set aside with what their plugin says, and savepoints.
#[test]
fn a_secret_is_in_no_call_log_no_quarantine_and_no_savepoint() {
    let bench = job("{ record = \"say:${TOKEN}\" }");
    let rows: String = (0..600).map(|row| format!("word-{row}\n")).collect();
    fs::write(bench.path("words.csv"), format!("word\n{rows}")).expect("an input");
    bench.edit_job("rate = 1000", "rate = 300");
    bench.edit_job("config = ", "on-failure = \"quarantine\"\nrecord = true\nconfig = ");
    let place = bench.path("x").parent().expect("a folder").display().to_string();
    let variables = [("TOKEN", TOKEN), ("PLACE", &place)];
    let mut process = bench.start_with("run job.toml", &variables);
    let aside = bench.storage().join("quarantine/faulty");
    assert!(process.runs_until("a record is set aside", || aside.exists() && !holding(&aside, "word-").is_empty()));
    bench.run("savepoint create words taken").assert(0, &[]);
    let ended = process.ended();
    ended.assert(0, &["finished"]);
    hides(&ended);
    let replayed = bench.run_with("replay job.toml --operator faulty", &variables);
    replayed.assert(0, &[]);
    hides(&replayed);
    // Each of them has what it is to have, so that it would be found there.
    let calls: Vec<String> = holding(&bench.storage(), "word-").into_iter().filter(|path| path.ends_with(".recording")).collect();
    assert!(!calls.is_empty() && !holding(&aside, "${TOKEN}").is_empty(), "{calls:?}");
    for (file, text) in [("job.toml", "say:${TOKEN}"), ("metadata.json", "faulty"), ("savepoint.json", "words")] {
        let path = bench.path("taken").join(file);
        assert!(fs::read_to_string(&path).expect("a file of the savepoint").contains(text), "{}", path.display());
    }
    assert_eq!(holding(&bench.path(""), TOKEN), Vec::<String>::new());
}

#[test]
fn what_a_plugin_says_of_a_secret_is_not_said_on() {
    // The author's message of a config that does not fit quotes it.
    let bench = job("{ trap = \"${TOKEN}\" }");
    let place = bench.path("x").parent().expect("a folder").display().to_string();
    for line in ["check job.toml", "run job.toml", "run job.toml --output json"] {
        let ended = bench.run_with(line, &[("TOKEN", TOKEN), ("PLACE", &place)]);
        assert_ne!(ended.code, Some(0), "{ended:?}");
        hides(&ended);
        assert!(ended.stderr.contains("variant `${TOKEN}`"), "{}", ended.stderr);
    }
    assert_eq!(holding(&bench.path(""), TOKEN), Vec::<String>::new());
}

#[test]
fn a_secret_in_a_file_is_read_when_an_instance_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("fault");
    let bench = job(&format!("{{ open = {{ file = {:?} }} }}", file.display().to_string()));
    let place = bench.path("x").parent().expect("a folder").display().to_string();
    let run = |line: &str| bench.run_with(line, &[("PLACE", &place)]);
    run("check job.toml").assert(2, &["`config` in [operator.faulty]: ", "No such file", "an absolute path"]);
    fs::write(&file, "fail:as-it-is-told\n").expect("a file");
    let failed = run("run job.toml");
    assert!(failed.code != Some(0) && failed.stderr.contains("failed as requested"), "{failed:?}");
    fs::write(&file, "nothing\n").expect("a file");
    run("run job.toml").assert(0, &["finished"]);
}

#[test]
fn what_is_not_set_or_misspelt_is_an_error_of_its_line() {
    let bench = job("{ record = \"${TOKEN}\", open = \"a${b\" }");
    let checked = bench.run_with("check job.toml", &[("PLACE", "/")]);
    checked.assert(2, &["the variable `TOKEN` is not set", "`${b` does not name a variable", "job.toml:13:", "`$$`"]);
    let checked = bench.run_with("check job.toml", &[("TOKEN", "x")]);
    checked.assert(2, &["does not name a variable"]);
    bench.edit_job("a${b", "$$ {b");
    let checked = bench.run_with("check job.toml", &[("TOKEN", "x")]);
    checked.assert(2, &["`path` of the source `file`: the variable `PLACE` is not set", "job.toml:6:"]);
}
