//! `weir plugin test`: the files of tests of our own plugins pass, what comes otherwise is shown as it would be written, and what is wrong with a file is said.

use crate::WEIR;
use serde_json::Value;
use std::path::{Path, PathBuf};
use weir_tests::process::{Bench, WordCount, examples, plugin};

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}

/// A file of tests of word-count's `count`, with these behind its head.
fn scripted(bench: &Bench, tests: &str) {
    let job = plugins().join("word-count/job.toml");
    std::fs::write(bench.path("count.test.toml"), format!("job = {:?}\noperator = \"count\"\n{tests}", job.display().to_string()))
        .expect("a file");
}

fn run(bench: &Bench, rest: &str) -> weir_tests::process::Ended {
    let plugin = plugin("word-count-count");
    bench.run(format!("plugin test --plugin {} {rest}", plugin.display()).trim_end())
}

#[test]
fn the_tests_of_our_plugins_pass_however_their_batches_are_cut_and_with_instances_that_remember_nothing() {
    let bench = Bench::new(WEIR, WordCount::default());
    for (package, file) in [
        ("word-count-count", "word-count/count.test.toml"),
        ("alert", "alert/alert.test.toml"),
        ("hourly-traffic", "hourly-traffic/traffic.test.toml"),
    ] {
        let (component, file) = (plugin(package), plugins().join(file));
        let ended =
            bench.run(&format!("plugin test {} --plugin {} --resplit --forgetful --output json", file.display(), component.display()));
        ended.assert(0, &[]);
        let tests = &ended.document()["tests"];
        assert!(tests.as_array().is_some_and(|tests| !tests.is_empty() && tests.iter().all(|test| test["passed"] == true)), "{tests}");
    }
}

#[test]
fn what_comes_otherwise_is_shown_as_it_would_be_written() {
    let bench = Bench::new(WEIR, WordCount::default());
    scripted(
        &bench,
        "[[test]]\nname = \"another count\"\n[[test.step]]\nsend = [{ key = \"a\", time = 5 }]\nexpect = [{ value = \"2\" }]\n\
         [[test]]\nname = \"another state\"\n[[test.step]]\nsend = [{ key = \"a\" }]\nexpect = [{ key = \"a\" }]\n\
         state = [{ state = \"occurrences\", key = \"a\", value = { count = 2 } }]\n\
         [[test]]\nname = \"another order\"\n[[test.step]]\nsend = [{ key = \"a\" }, { key = \"b\" }]\nexpect = [{ key = \"b\" }, { key = \"a\" }]\n\
         [[test]]\nname = \"no failure\"\n[[test.step]]\nsend = []\nfails = \"x\"\n\
         [[test]]\nname = \"failure\"\n[[test.step]]\nsend = [{ value = \"no key\" }]\nfails = \"other words\"\n\
         [[test]]\nname = \"right\"\n[[test.step]]\nsend = [{ key = \"a\" }]\nexpect = [{ json = { word = \"a\", count = 1 } }]\n",
    );
    let ended = run(&bench, "--output json");
    ended.assert(1, &[]);
    let document = ended.document();
    let failed = |number: usize| &document["tests"][number]["failed"];
    assert_eq!(failed(0)["missing"], serde_json::json!(["{ value = \"2\" }"]));
    assert_eq!(failed(0)["surplus"], serde_json::json!([r#"{ value = '{"word":"a","count":1}', key = "a", time = 5 }"#]));
    assert_eq!(failed(1)["missing"], serde_json::json!([r#"{ state = "occurrences", key = "a", value = { count = 2 } }"#]));
    assert_eq!(failed(1)["surplus"], serde_json::json!([r#"{ state = "occurrences", key = "a", value = { count = 1 } }"#]));
    assert_eq!(failed(2)["message"], "it emitted the same in another order");
    assert_eq!(failed(3)["message"], "it did not fail with `x`");
    assert!(failed(4)["message"].as_str().is_some_and(|said| said.contains("but not with `other words`")), "{document}");
    assert_eq!((&document["tests"][5]["passed"], failed(5)), (&Value::Bool(true), &Value::Null));
    let text = run(&bench, "--only another");
    text.assert(1, &[]);
    assert!(text.stdout.contains("FAILED  another state") && text.stdout.ends_with("0 passed, 3 failed\n"), "{}", text.stdout);
}

#[test]
fn of_a_cut_that_fails_what_the_plugin_says_is_heard() {
    let bench = Bench::new(WEIR, WordCount::default());
    scripted(
        &bench,
        "[[test]]\nname = \"cut\"\nconfig = { record = \"log:1\", trap = { call = 2 } }\n[[test.step]]\nsend = [{ key = \"a\" }, { key = \"a\" }]\n\
         expect = [{ value = \"\" }, { value = \"\" }]\n",
    );
    let run = |rest: &str| bench.run(format!("plugin test --plugin {} {rest}", plugin("faulty").display()).trim_end());
    run("").assert(0, &["line 0"]);
    let cut = run("--resplit");
    cut.assert(1, &["cut: what the plugin says where it fails"]);
    let (_, behind) = cut.stderr.split_once("where it fails").expect("it is said");
    assert!(behind.contains("line 0"), "{}", cut.stderr);
    assert!(cut.stdout.contains("cut into batches of 1 + 1"), "{}", cut.stdout);
}

#[test]
fn what_is_wrong_with_a_file_of_tests_is_said() {
    let bench = Bench::new(WEIR, WordCount::default());
    for (tests, said) in [
        ("", "has no tests"),
        ("[[test]]\nname = \"x\"\n[[test.step]]\nsnd = []\n", "unknown field `snd`"),
        ("[[test]]\nname = \"x\"\noperator = \"cont\"\n", "has no operator `cont`"),
        ("[[test]]\nname = \"x\"\nschemas = { other = \"a,b\" }\n", "`schemas` names `other`, which is no input"),
    ] {
        scripted(&bench, tests);
        run(&bench, "").assert(2, &[said]);
    }
    for (step, said) in [
        ("watermark = 5\nend = true", "a step is one of"),
        ("send = [{ value = \"a\", hex = \"00\" }]", "a value is written once"),
        ("send = []\ninput = \"other\"", "it has no input `other`"),
        ("watermark = \"yesterday\"", "is no moment"),
    ] {
        scripted(&bench, &format!("[[test]]\nname = \"x\"\n[[test.step]]\n{step}\n"));
        let ended = run(&bench, "");
        ended.assert(1, &[]);
        assert!(ended.stdout.contains(said), "{}", ended.stdout);
    }
    std::fs::remove_file(bench.path("count.test.toml")).expect("it was there");
    run(&bench, "").assert(2, &["there is no file of tests here"]);
}

#[test]
fn the_rust_sdk_does_what_every_sdk_has_to() {
    let bench = Bench::new(WEIR, WordCount::default());
    let (folder, scripts) = (examples("conformance"), Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance"));
    for name in ["keyed", "windowed"] {
        let (script, component) = (scripts.join(format!("{name}.test.toml")), folder.join(format!("conformance_{name}.wasm")));
        let ended = bench.run(&format!("plugin test {} --plugin {} --resplit --forgetful", script.display(), component.display()));
        ended.assert(0, &[]);
        assert!(ended.stdout.contains(", 0 failed"), "{}", ended.stdout);
    }
}
