//! `weir plugin new`: from nothing to a first output, outside the repository, with the binary alone.

use crate::WEIR;
use std::path::Path;
use weir_tests::process::{Bench, WordCount, has_toolchain, write_program};

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
}

#[test]
fn a_compiler_that_is_missing_is_named_with_how_to_get_it() {
    let bench = Bench::new(WEIR, WordCount::default());
    let languages = [
        ("rust", "cargo", "install Rust: https://rustup.rs"),
        ("c", "clang", "Debian: `apt-get install clang lld`"),
        ("go", "go", "install Go 1.24 or later: https://go.dev/dl"),
        ("javascript", "npm", "install Node.js 20 or later with npm: https://nodejs.org"),
        ("python", "python3", "Debian: `apt-get install python3-venv`"),
    ];
    for (language, program, get) in languages {
        bench.run(&format!("plugin new in-{language} --language {language} -q")).assert(0, &[]);
        let without = bench.run_with(&format!("plugin build in-{language}"), &[("PATH", "")]);
        without.assert(1, &[&format!("there is no `{program}` here, which builds this plugin"), get]);
    }
}

#[test]
fn a_compiler_that_is_not_whole_says_how_to_get_the_rest() {
    let bench = Bench::new(WEIR, WordCount::default());
    let with = |program: &str, says: &str| {
        let folder = bench.path(program);
        std::fs::create_dir(&folder).expect("a folder");
        write_program(&folder.join(program), &format!("#!/bin/sh\necho '{says}' >&2\nexit 1\n"));
        folder.display().to_string()
    };
    bench.run("plugin new in-c --language c -q").assert(0, &[]);
    let path = with("clang", "clang: error: unable to execute command: Executable \"wasm-ld-14\" doesn\u{2019}t exist!");
    bench.run_with("plugin build in-c", &[("PATH", &path)]).assert(1, &["wasm-ld-14", "hint: install clang and lld (Debian:"]);
    bench.run("plugin new in-python --language python -q").assert(0, &[]);
    let path = with("python3", "The virtual environment was not created successfully because ensurepip is not available.");
    bench.run_with("plugin build in-python", &[("PATH", &path)]).assert(1, &["hint: install Python 3.11", "apt-get install python3-venv"]);
}
