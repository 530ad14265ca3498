//! Savepoints outlive what they were taken of: format 1 is read as it was written, and a savepoint runs without the job's own files.

use crate::WEIR;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use weir_tests::process::{Bench, Job, Lines, TimedJob, WordCount, plugin, write_variant};

/// A job whose counting component is a file of its own, stopped in its midst with the savepoint `stopped`.
fn stopped() -> Bench {
    let bench = Bench::new(WEIR, WordCount { parallelism: 2, ..WordCount::unhurried() });
    fs::copy(plugin("word-count-count"), bench.path("count.wasm")).expect("a copy");
    bench.edit_job(&format!("plugin = {:?}", plugin("word-count-count")), "plugin = \"count.wasm\"");
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    bench.run("stop words --savepoint stopped").assert(0, &[]);
    process.ended().assert(0, &[]);
    bench
}

#[test]
fn a_savepoint_runs_without_the_files_of_the_job() {
    let bench = stopped();
    fs::remove_file(bench.path("job.toml")).expect("it is there");
    fs::remove_file(bench.path("count.wasm")).expect("it is there");
    let ended = bench.run("run --from ./stopped --output json");
    ended.assert(0, &["the job file is the savepoint's", "resuming from the savepoint"]);
    assert_eq!(ended.document()["outcome"], "finished");
    bench.assert_exactly_once();
    bench.run("run --from ./stopped").assert(0, &["has finished already"]);
}

/// The names of states of which the savepoint in `folder` keeps something of some key of the operator.
fn states_kept(bench: &Bench<TimedJob>, folder: &str, operator: &str) -> BTreeSet<String> {
    let scanned = bench.run(&format!("state scan ./{folder} {operator} --format jsonl -q"));
    let row = |row: &str| serde_json::from_str::<Value>(row).expect("a row is JSON")["state"].as_str().expect("a name").to_owned();
    scanned.assert(0, &[]).stdout.lines().map(row).collect()
}

#[test]
fn windows_that_are_open_and_timers_that_are_set_in_a_savepoint_speak_once_at_another_parallelism() {
    let bench = Bench::new(WEIR, TimedJob { parallelism: 2, ..TimedJob::unhurried() });
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    bench.run("stop words --savepoint first").assert(0, &[]);
    process.ended().assert(0, &[]);
    assert_eq!(states_kept(&bench, "first", "windows"), ["count", "rows", "weir:window"].map(String::from).into());
    assert_eq!(states_kept(&bench, "first", "minutes"), ["counts", "weir:timer:over"].map(String::from).into());

    // One that barriers overtook rows on the way to, taken of a job that goes on; a run from it repeats what was committed since.
    bench.edit_job("parallelism = 2", "parallelism = 3");
    let mut process = bench.start("run job.toml --from ./first");
    let parts = bench.parts().len();
    assert!(process.runs_until("a committed part", || bench.parts().len() > parts));
    bench.run("savepoint create words second --unaligned").assert(0, &[]);
    assert!(process.kill());
    let before = bench.committed();
    bench.edit_job("parallelism = 3", "parallelism = 1");
    bench.edit_job("path = \"out\"", "path = \"again\"");
    bench.hasten();
    bench.run("run job.toml --from ./second").assert(0, &["resuming from the savepoint", "finished"]);
    let behind = bench.committed_in("again").into_iter().map(|(line, times)| (bench.job().said(&line), times)).collect::<Lines>();
    assert!(!behind.is_empty() && behind.values().all(|times| *times == 1), "each once");
    let all = before.into_keys().chain(behind.into_keys()).map(|line| (line, 1)).collect();
    assert_eq!(bench.job().not_exactly_once(&all), None);
}

#[test]
fn a_pinned_run_takes_the_components_of_the_checkpoint() {
    let bench = stopped();
    // It fails on every hundredth occurrence of a word.
    fs::copy(plugin("trapping-count"), bench.path("count.wasm")).expect("a copy");
    let shown = |options: &str| bench.run(&format!("check job.toml --from ./stopped{options}")).stdout;
    assert!(shown("").contains("trapping-count 0.1.0") && shown(" --pinned").contains("word-count-count 0.1.0"), "{}", shown(" --pinned"));
    bench.hasten();
    bench.run("run job.toml --from ./stopped --pinned").assert(0, &["resuming from the savepoint"]);
    bench.assert_exactly_once();

    let other = Bench::new(WEIR, WordCount::default());
    other.run("run job.toml --pinned").assert(1, &["the job starts from none", "leave `--pinned` out"]);
    other.run("run job.toml --pinned --fresh").assert(2, &["cannot be used with"]);
    other.run("run --from 3").assert(2, &["`--from` names a checkpoint", "weir run JOB --from ID"]);
    other.run("run").assert(2, &["<JOB>"]);
}

#[test]
fn a_pinned_run_goes_on_from_the_newest_checkpoint() {
    let bench = stopped();
    fs::copy(plugin("trapping-count"), bench.path("count.wasm")).expect("a copy");
    bench.hasten();
    bench.run("run job.toml --pinned").assert(0, &["resuming from checkpoint"]);
    bench.assert_exactly_once();
}

#[test]
fn an_upgrade_of_a_pinned_run_is_kept_by_the_runs_behind_it() {
    let bench = Bench::new(WEIR, WordCount::long());
    write_variant(&plugin("word-count-count"), &bench.path("2.wasm"));
    write_variant(&bench.path("2.wasm"), &bench.path("3.wasm"));
    for (run, component) in [("run job.toml", "2.wasm"), ("run job.toml --pinned", "3.wasm")] {
        let mut process = bench.start(run);
        let parts = bench.parts().len();
        assert!(process.runs_until("a committed part", || bench.parts().len() > parts));
        bench
            .run(&format!("upgrade words --operator count --plugin {component} --probation 100ms"))
            .assert(0, &["compiling the new component"]);
        bench.run("stop words").assert(0, &[]);
        process.ended().assert(0, &[]);
    }
    let digest = bench.run("plugin inspect 3.wasm --output json").document()["digest"].as_str().expect("a digest").to_owned();
    let short = &digest.strip_prefix("sha256:").expect("a digest")[..8];
    bench.hasten();
    bench.run("run job.toml").assert(0, &[&format!("count: component {short} by an upgrade")]);
    bench.assert_exactly_once();
}

/// Puts another component in the place of the one with this digest.
#[track_caller]
fn exchange(folder: &Path, digest: &str) {
    let stored = folder.join(format!("plugins/{digest}.wasm"));
    assert!(stored.is_file(), "{}", stored.display());
    fs::copy(plugin("trapping-count"), stored).expect("a copy");
}

#[test]
fn a_component_that_was_exchanged_is_refused_by_its_digest() {
    let digest_of = |bench: &Bench, file: &str| {
        let inspected = bench.run(&format!("plugin inspect {file} --output json")).document();
        inspected["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest").to_owned()
    };
    let bench = stopped();
    let digest = digest_of(&bench, "count.wasm");
    exchange(&bench.path("stopped"), &digest);
    bench.run("run --from ./stopped").assert(1, &["its content does not have the SHA-256 that it is named by", &digest]);
    exchange(&bench.storage(), &digest);
    let newest = bench.log().newest().id;
    for line in ["run job.toml --pinned".to_owned(), format!("check job.toml --from {newest} --pinned")] {
        let refused = bench.run(&line);
        refused.assert(
            1,
            &["count: run the component that is kept there: ", "its content does not have the SHA-256 that it is named by", &digest],
        );
    }

    // So is that of an upgrade, which the job goes on with by itself.
    bench.edit_job("rate = 600", "rate = 100");
    let mut process = bench.start("run job.toml");
    let parts = bench.parts().len();
    assert!(process.runs_until("a committed part", || bench.parts().len() > parts));
    write_variant(&bench.path("count.wasm"), &bench.path("2.wasm"));
    bench.run("upgrade words --operator count --plugin 2.wasm --probation 50ms").assert(0, &[]);
    bench.run("stop words").assert(0, &[]);
    process.ended().assert(0, &[]);
    exchange(&bench.storage(), &digest_of(&bench, "2.wasm"));
    bench.run("run job.toml").assert(1, &["the component is not the one with digest"]);
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("readable").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &to) } else { _ = fs::copy(&path, &to).expect("a copy") }
    }
}

/// 20,000 records of 50 keys, counted by the native `keyed-count`; stopped at parallelism 2 somewhere in their midst.
#[test]
fn a_savepoint_of_format_1_is_inspected_verified_and_gone_on_from() {
    let bench = Bench::new(WEIR, WordCount::default());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/savepoint-v1");
    copy(&golden, &bench.path("golden"));
    bench.run("savepoint verify golden").assert(0, &[]);
    let inspected = bench.run("savepoint inspect golden --output json").document();
    assert_eq!((&inspected["job"], &inspected["checkpoint"]), (&"golden".into(), &3.into()));
    let operator = &inspected["operators"][0];
    assert_eq!((&operator["id"], &operator["parallelism"], &operator["keys"]), (&"count".into(), &2.into(), &50.into()));
    assert_eq!(operator["states"][0]["name"], "totals");

    // The folder that it was taken in is no more, so the paths of its job file begin here.
    fs::write(bench.path("job.toml"), fs::read(golden.join("job.toml")).expect("a job file")).expect("written");
    bench.edit_job("parallelism = 2", "parallelism = 3");
    let ended = bench.run("run job.toml --from ./golden --output json");
    ended.assert(0, &["resuming from the savepoint"]);
    let read = ended.document()["vertices"][0]["records_out"].as_u64().expect("a number");
    assert!((1..20_000).contains(&read), "it goes on with what the savepoint had not read: {read}");

    let scan = bench.run("state scan job.toml count --format jsonl -q");
    let counts = scan.stdout.lines().map(|line| {
        let row: Value = serde_json::from_str(line).expect("a row");
        let hex = row["value"].as_str().and_then(|hex| hex.strip_prefix("0x")).expect("raw bytes").to_owned();
        u64::from_str_radix(&hex[..16], 16).expect("hex digits").swap_bytes()
    });
    let counts: Vec<u64> = counts.collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (50, 20_000), "before the savepoint and after it, each record once");
}

#[test]
fn what_repeats_behind_a_savepoint_is_named_and_the_savepoint_itself_holds_no_output() {
    let bench = Bench::new(WEIR, WordCount::unhurried());
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    let taken = bench.run("savepoint create words taken --output json");
    let id = taken.assert(0, &[]).document()["checkpoint"].as_u64().expect("an id");
    let metadata: Value = serde_json::from_slice(&fs::read(bench.path("taken/metadata.json")).expect("metadata")).expect("JSON");
    let vertices = metadata["body"]["vertices"].as_array().expect("vertices");
    let subtasks: Vec<_> = vertices.iter().flat_map(|vertex| vertex["subtasks"].as_array().expect("subtasks")).collect();
    assert!(subtasks.iter().all(|subtask| subtask["committables"] == serde_json::json!([])), "{metadata}");
    process.ended().assert(0, &[]);
    bench.assert_exactly_once();

    bench.hasten();
    let newest = bench.log().newest().id;
    let repeats = format!("output of checkpoints {} to {newest} may be committed already; it repeats in: out", id + 1);
    bench.run("run job.toml --from ./taken").assert(0, &["resuming from the savepoint", &repeats]);
    let again = bench.log().newest().id;
    let repeats = format!("output of checkpoints {} to {again} may be committed already; it repeats in: out", id + 1);
    bench.run("run job.toml --from ./taken --again").assert(0, &["resuming from the savepoint", &repeats]);
    let same = bench.run("run job.toml --from ./taken");
    same.assert(0, &["has finished already"]);
    assert!(!same.stderr.contains("repeats"), "{}", same.stderr);
}

/// Makes the savepoint in `folder` what versions wrote whose savepoints held output: the metadata is the newest checkpoint's byte for byte.
fn with_its_output(bench: &Bench, folder: &str) {
    let metadata = fs::read(bench.storage().join(&bench.log().newest().metadata)).expect("metadata");
    fs::write(bench.path(folder).join("metadata.json"), &metadata).expect("written");
    let manifest = bench.path(folder).join("savepoint.json");
    let mut body = serde_json::from_slice::<Value>(&fs::read(&manifest).expect("a manifest")).expect("JSON")["body"].take();
    (body["metadata"]["bytes"], body["metadata"]["checksum"]) = (metadata.len().into(), crc32c::crc32c(&metadata).into());
    let (body, checksum) = (body.to_string(), crc32c::crc32c(body.to_string().as_bytes()));
    let sealed = format!("{{\"magic\":\"weir-savepoint\",\"format\":1,\"checksum\":\"{checksum:08x}\",\"body\":{body}}}\n");
    fs::write(manifest, sealed).expect("written");
}

#[test]
fn a_savepoint_that_holds_output_is_committed_again_and_says_what_is_gone() {
    let bench = stopped();
    with_its_output(&bench, "stopped");
    bench.run("savepoint verify stopped").assert(0, &[]);
    let part = bench.parts_of_newest_checkpoint().into_iter().find(|part| part.exists()).expect("a part");
    let lost = fs::read_to_string(&part).expect("a part");
    fs::remove_file(&part).expect("it is there");
    bench.hasten();
    bench.run("run job.toml --from ./stopped").assert(0, &["resuming from the savepoint", "output given up", &part.display().to_string()]);
    let mut expected = bench.job().output();
    lost.lines().for_each(|line| _ = expected.remove(line));
    assert_eq!(bench.committed(), expected, "all but what was taken away, once");
}

#[test]
fn an_at_least_once_job_refuses_an_unaligned_savepoint_and_goes_on() {
    let bench = Bench::new(WEIR, WordCount { parallelism: 2, ..WordCount::long() });
    bench.edit_job("[checkpoints]\n", "[checkpoints]\nmode = \"at-least-once\"\n");
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    bench.run("savepoint create words taken --unaligned").assert(1, &["the job is at-least-once", "leave `--unaligned` out"]);
    assert!(!bench.path("taken").exists());
    bench.run("savepoint create words taken").assert(0, &[]);
    bench.run("stop words").assert(0, &[]);
    process.ended().assert(0, &[]);
}
