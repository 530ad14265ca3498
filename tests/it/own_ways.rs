//! What becomes of a language's own ways on a real component: what it prints becomes lines of the log, and what nobody catches reaches the error with its text and
//! where it happened.

use crate::WEIR;
use std::path::{Path, PathBuf};
use weir_tests::process::{Bench, WordCount, has_toolchain, plugin_in};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// The operator of `tests/own-ways` in a language, in a bench that has the job that it is run in.
struct Talks {
    bench: Bench,
    component: PathBuf,
}

impl Talks {
    /// `None` where its compiler is not there.
    fn of(language: &str, source: &str) -> Option<Self> {
        has_toolchain(language).then(|| Self {
            bench: Bench::new(WEIR, WordCount::default()),
            component: plugin_in(language, WEIR, &format!("tests/own-ways/{language}"), source),
        })
    }

    /// The test of all languages passes, and what the operator has printed shows as these lines of the log, in this order.
    #[track_caller]
    fn logs(&self, lines: &[&str]) {
        let script = workspace().join("tests/own-ways/talks.test.toml");
        let line = format!("plugin test {} --plugin {} --forgetful", script.display(), self.component.display());
        let tested = self.bench.run_patiently(&line, &[]);
        assert!(tested.code == Some(0) && tested.stdout.ends_with("2 passed, 0 failed\n"), "{}{}", tested.stdout, tested.stderr);
        assert_in_order(&tested.stderr, lines);
    }

    /// A job that throws says all of this, in this order.
    #[track_caller]
    fn fails_with(&self, parts: &[&str]) {
        std::fs::write(self.bench.path("commands.txt"), "prints\nthrows\n").expect("a file");
        let job = std::fs::read_to_string(workspace().join("tests/own-ways/job.toml")).expect("a job file");
        self.bench.write_job(&job.replace("\"talks.wasm\"", &format!("{:?}", self.component)));
        let ended = self.bench.run("run job.toml -q");
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let error = ended.stderr.split_once("error: ").map(|(_, error)| error).expect("an error");
        assert_in_order(error, parts);
    }
}

#[track_caller]
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let found = rest.split_once(part);
        rest = found.unwrap_or_else(|| panic!("`{part}` is not in, or not behind the one before, of\n{text}")).1;
    }
}

#[test]
fn what_javascript_prints_is_logged_and_what_it_throws_is_told_with_its_stack() {
    let Some(talks) = Talks::of("javascript", "talks.ts") else { return };
    talks.logs(&["INFO talks[0] one { two: 2 } [ 3n ]", "WARN talks[0] é🦀\\nin two lines", "ERROR talks[0] only shown"]);
    talks.fails_with(&[
        "the plugin failed on record",
        "RangeError: no such number: 7",
        "at reciprocal (talks.ts:13)",
        "at process (talks.ts:",
    ]);
}

#[test]
fn what_go_prints_is_logged_and_where_it_panics_is_told() {
    let Some(talks) = Talks::of("go", ".") else { return };
    talks.logs(&["one map[two:2] [3]", "é🦀", "in two lines", "by log", "WARN talks[0] by slog", "without an end"]);
    talks.fails_with(&[
        "the plugin failed on record",
        "panic: no such number: 7",
        "main.reciprocal (main.go:32)",
        "(*Talks).Process (main.go:",
    ]);
}

#[test]
fn what_python_does_elsewhere_comes_to_what_the_sandbox_has() {
    if !has_toolchain("python") {
        return;
    }
    let bench = Bench::new(WEIR, WordCount::default());
    let folder = "guest-sdk/python/tests/component";
    let component = plugin_in("python", WEIR, folder, "sandbox.py");
    let script = workspace().join(folder).join("sandbox.test.toml");
    let tested = bench.run_patiently(&format!("plugin test {} --plugin {}", script.display(), component.display()), &[]);
    assert!(tested.code == Some(0) && tested.stdout.contains(", 0 failed"), "{}{}", tested.stdout, tested.stderr);
    let printed = [
        "opened",
        "one",
        "two and the rest é🦀",
        "without an end",
        "a warning",
        "info 7",
        "warn",
        "caught",
        "ZeroDivisionError",
        "in reciprocal",
    ];
    // The order of what is warned of and printed is that of the calls; the tests come one behind the other.
    printed.iter().for_each(|part| assert!(tested.stderr.contains(part), "`{part}` is not in\n{}", tested.stderr));
}
