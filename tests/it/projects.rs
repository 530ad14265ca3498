//! `weir plugin new`: from nothing to a first output, outside the repository, with the binary alone.

use crate::WEIR;
use std::path::Path;
use weir_tests::process::{Bench, WordCount, has_toolchain};

/// A new project in the bench's folder, tested and run.
fn goes_from_nothing_to_its_first_output(language: &str) {
    let bench = Bench::new(WEIR, WordCount::default());
    bench.run(&format!("plugin new count-visits --language {language}")).assert(0, &[]);
    // What is compiled once of what the SDK is built on serves every run of this test.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects");
    let variables = [("CARGO_TARGET_DIR", target.to_str().expect("a path that is text")), ("CARGO_NET_OFFLINE", "true")];
    let tested = bench.run_with("plugin test count-visits/count.test.toml --resplit --forgetful", &variables);
    tested.assert(0, &["running `weir plugin build`"]);
    assert!(tested.stdout.ends_with("2 passed, 0 failed\n"), "{}", tested.stdout);
    let ran = bench.run_with("run count-visits/job.toml", &variables);
    ran.assert(0, &[]);
    assert_eq!(ran.stdout.lines().last(), Some(r#"{"page":"/prices","visits":2,"before":"ben"}"#));
    assert_eq!(ran.stdout.lines().count(), 5);
}

#[test]
fn a_project_in_rust_goes_from_nothing_to_its_first_output() {
    goes_from_nothing_to_its_first_output("rust");
}

#[test]
fn a_project_in_c_goes_from_nothing_to_its_first_output() {
    if has_toolchain("c") {
        goes_from_nothing_to_its_first_output("c");
    }
}

#[test]
fn a_project_in_go_goes_from_nothing_to_its_first_output() {
    if has_toolchain("go") {
        goes_from_nothing_to_its_first_output("go");
    }
}

#[test]
fn a_project_in_javascript_goes_from_nothing_to_its_first_output() {
    if has_toolchain("javascript") {
        goes_from_nothing_to_its_first_output("javascript");
    }
}

#[test]
fn a_project_in_python_goes_from_nothing_to_its_first_output() {
    if has_toolchain("python") {
        goes_from_nothing_to_its_first_output("python");
    }
}

#[test]
fn what_stands_in_the_way_of_a_project_is_said() {
    let bench = Bench::new(WEIR, WordCount::default());
    bench.run("plugin new Count --language rust").assert(2, &["`Count` is no name of a plugin"]);
    bench.run("plugin build").assert(2, &["weir.toml", "`weir plugin new NAME --language LANGUAGE` makes a project"]);
    bench.run("plugin new count-visits --language rust -q").assert(0, &[]);
    bench.run("plugin new count-visits --language rust").assert(2, &["is there already"]);
    let manifest = bench.path("count-visits/weir.toml");
    std::fs::write(&manifest, "[plugin]\nname = \"a\"\nlanguage = \"cobol\"\n").expect("a file");
    bench.run("plugin build count-visits").assert(2, &["weir has no SDK for `cobol`", "it has one for `rust`"]);
    std::fs::write(&manifest, "[plugin]\nname = \"count-visits\"\nlanguage = \"rust\"\n").expect("a file");
    let without = bench.run_with("plugin build count-visits", &[("PATH", "")]);
    without.assert(1, &["there is no `cargo` here, which builds this plugin", "https://rustup.rs"]);
}
