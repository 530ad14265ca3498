//! Staleness and builds, with `sh` in place of cargo.

use super::freshness::dep_info;
use super::*;
use crate::job_file::{SourceText, parse};
use std::cell::RefCell;
use std::fs;
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_secs(3600);

/// A job in a folder of its own, whose operator `op` has the given lines.
struct Bench {
    folder: tempfile::TempDir,
    said: RefCell<Vec<String>>,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), said: RefCell::default() }
    }

    /// Writes a file whose last change is that many hours ago.
    fn file(&self, name: &str, hours_ago: u32, content: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, content).expect("a file");
        let epoch = SystemTime::UNIX_EPOCH + HOUR * 400_000;
        fs::File::options().write(true).open(&path).expect("open").set_modified(epoch - HOUR * hours_ago).expect("a time");
    }

    fn job(&self, lines: &str) -> JobFile {
        let text = format!(
            "name = \"j\"\n[source.s]\nconnector = \"stdin\"\n[operator.op]\n{lines}\ninput = \"s\"\n[sink.o]\nconnector = \"stdout\"\ninput = \"op\"\n"
        );
        parse(SourceText { name: "job.toml".into(), text: text.into() }, self.folder.path(), 1).expect("a job file")
    }

    fn build(&self, lines: &str) -> Result<PathBuf, Failure> {
        let say = |line: &str| self.said.borrow_mut().push(line.to_owned());
        ensure_built(&self.job(lines), &BuildEnvironment::default(), &say).map(|artefacts| artefacts["op"].clone())
    }

    fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
}

const BUILD: &str = "plugin = \"p.wasm\"\nbuild = \"echo building && touch p.wasm ran\"";

#[test]
fn a_missing_artefact_is_built() {
    let bench = Bench::new();
    assert_eq!(bench.build(BUILD).expect("built"), bench.folder.path().join("p.wasm"));
    assert_eq!(*bench.said.borrow(), ["op: p.wasm is not built yet; running `echo building && touch p.wasm ran`", "op: built"]);
}

#[test]
fn an_artefact_is_built_again_when_a_source_of_cargos_list_has_changed() {
    let bench = Bench::new();
    bench.file("p.wasm", 5, "");
    bench.file("src/lib file.rs", 6, "");
    bench.file("p.d", 5, "/t/p.wasm: src/lib\\ file.rs\n");
    bench.build(BUILD).expect("fresh");
    assert!(!bench.has("ran"));
    bench.file("src/lib file.rs", 1, "changed");
    bench.build(BUILD).expect("built");
    assert!(bench.has("ran"));
}

#[test]
fn a_source_that_is_gone_counts_as_changed() {
    let bench = Bench::new();
    bench.file("p.wasm", 5, "");
    bench.file("p.d", 5, "/t/p.wasm: gone.rs\n");
    bench.build(BUILD).expect("built");
    assert!(bench.has("ran"));
}

#[test]
fn globs_stand_in_where_cargo_has_left_no_list() {
    let bench = Bench::new();
    let lines = format!("{BUILD}\nsources = [\"src/**/*.c\"]");
    bench.file("p.wasm", 5, "");
    bench.file("src/deep/a.c", 6, "");
    bench.build(&lines).expect("fresh");
    assert!(!bench.has("ran"));
    bench.file("src/deep/b.c", 4, "");
    bench.build(&lines).expect("built");
    assert!(bench.has("ran"));
}

#[test]
fn what_a_project_has_noted_of_its_component_counts_beside_the_globs() {
    let bench = Bench::new();
    let lines = format!("{BUILD}\nsources = [\"*.c\"]");
    bench.file("p.wasm", 5, "");
    bench.file("a.c", 6, "");
    bench.file("inner/head er.h", 6, "");
    bench.file("target/p.d", 5, "operator.o: a.c   inner/head\\ er.h\n");
    bench.build(&lines).expect("fresh");
    assert!(!bench.has("ran"));
    bench.file("inner/head er.h", 4, "changed");
    bench.build(&lines).expect("built");
    assert!(bench.has("ran"));
    let bench = Bench::new();
    bench.file("p.wasm", 5, "");
    bench.file("target/p.d", 5, "operator.o: a.c\n");
    bench.file("a.c", 6, "");
    bench.file("b.c", 4, "");
    bench.build(&lines).expect("built");
    assert!(bench.has("ran"), "a file that has come since");
}

#[test]
fn an_artefact_without_known_sources_is_left_alone() {
    let bench = Bench::new();
    bench.file("p.wasm", 5, "");
    bench.build(BUILD).expect("fresh");
    assert!(!bench.has("ran"));
}

#[test]
fn the_output_of_a_failed_build_is_shown() {
    let bench = Bench::new();
    let failure = bench.build("plugin = \"p.wasm\"\nbuild = \"echo one; echo two >&2; exit 3\"").expect_err("it fails");
    assert!(failure.text().ends_with("it failed\none\ntwo"), "{}", failure.text());
    assert_eq!(failure.exit_code(), 1);
}

#[test]
fn a_build_that_makes_something_else_is_named() {
    let failure = Bench::new().build("plugin = \"p.wasm\"\nbuild = \"touch q.wasm\"").expect_err("no artefact");
    assert!(failure.text().contains("it succeeded, but there is no "), "{}", failure.text());
    assert_eq!(failure.hint(), Some("`plugin` has to name the file that `build` makes"));
}

#[test]
fn a_cargo_that_makes_no_plugin_is_told_what_its_crate_has_to_say() {
    let failure = Bench::new().build("plugin = \"p.wasm\"\nbuild = \"cargo --version\"").expect_err("no artefact");
    assert!(
        failure
            .hint()
            .is_some_and(|hint| hint.contains("CARGO_TARGET_DIR moves it") && hint.contains("`crate-type = [\"cdylib\"]` below `[lib]`")),
        "{:?}",
        failure.hint()
    );
}

#[test]
fn a_missing_plugin_without_a_build_line_is_a_problem_of_the_job_file() {
    let failure = Bench::new().build("plugin = \"p.wasm\"").expect_err("no file");
    assert_eq!(failure.exit_code(), 2);
    assert!(failure.text().starts_with("job.toml:5:10: there is no file "), "{}", failure.text());
}

#[test]
fn cargo_target_dir_stands_for_the_target_folder_of_what_is_built() {
    let bench = Bench::new();
    let environment = BuildEnvironment { target_dir: Some("/elsewhere".into()) };
    let artefact = |lines: &str| {
        let job = bench.job(lines);
        let Code::Plugin(code) = &job.operators[0].code else { panic!("a plugin") };
        environment.artefact(&job, code)
    };
    let path = "plugin = \"../../target/wasm32-unknown-unknown/release/p.wasm\"";
    assert_eq!(artefact(&format!("{path}\nbuild = \"cargo build\"")), Path::new("/elsewhere/wasm32-unknown-unknown/release/p.wasm"));
    assert_eq!(artefact(path), bench.folder.path().join("../../target/wasm32-unknown-unknown/release/p.wasm"));
    assert_eq!(artefact("plugin = \"out/p.wasm\"\nbuild = \"make\""), bench.folder.path().join("out/p.wasm"));
}

#[test]
fn a_build_line_is_handed_the_target_folder() {
    let bench = Bench::new();
    let job = bench.job("plugin = \"target/p.wasm\"\nbuild = 'touch \"$CARGO_TARGET_DIR/p.wasm\"'");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let environment = BuildEnvironment { target_dir: Some(elsewhere.path().into()) };
    let artefacts = ensure_built(&job, &environment, &|_| {}).expect("built");
    assert_eq!(artefacts["op"], elsewhere.path().join("p.wasm"));
}

#[test]
fn dep_info_is_read_as_cargo_writes_it() {
    assert_eq!(dep_info("/a/x.wasm: /a/src/lib.rs /b/with\\ blank.rs\n\n# env-dep:X=1\n"), ["/a/src/lib.rs", "/b/with blank.rs"]);
    assert_eq!(dep_info("/a/x.wasm:\n"), Vec::<String>::new());
}
