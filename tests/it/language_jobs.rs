//! `plugins/word-count` and `plugins/flight-delays` in every language, as they stand in a clone: their job files build them and run, their tests pass, and what
//! comes out is what the components in Rust make of the same jobs.

use crate::WEIR;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_tests::process::{
    Bench, Lines, WordCount, check_out, differences, flight_delays_in, has_clang, has_toolchain, path_with, plugin, python_with,
    word_count_in,
};

/// A clone that has what a plugin in one language needs.
struct Clone {
    bench: Bench,
    language: &'static str,
    /// The plugin's folder.
    folder: String,
    path: OsString,
}

impl Clone {
    /// Of `plugins/NAME`, whose tests are those of C.
    fn of(name: &str, (language, short): (&'static str, &str), programs: &[PathBuf]) -> Self {
        let bench = Bench::new(WEIR, WordCount::default());
        let (data, c) = (format!("plugins/{name}/data"), format!("plugins/{name}/c"));
        let folder = format!("plugins/{name}/{short}");
        let mut parts = vec![data.as_str(), c.as_str(), folder.as_str()];
        // In Python the wheel stands in for the folder.
        let sdk = format!("guest-sdk/{short}");
        parts.extend((language != "python").then_some(sdk.as_str()));
        check_out(&parts, &bench.path(""));
        let own = bench.path("programs");
        fs::create_dir(&own).and_then(|()| symlink(WEIR, own.join("weir"))).expect("a link");
        let path = path_with(&own);
        let all = std::env::split_paths(&path).take(1).chain(programs.iter().cloned()).chain(std::env::split_paths(&path).skip(1));
        let path = std::env::join_paths(all).expect("a path");
        Self { bench, language, folder, path }
    }

    fn weir(&self, line: &str) {
        // The folder that cargo builds in would move what the job files name below `target`.
        let variables = [("PATH", self.path.to_str().expect("text")), ("CARGO_TARGET_DIR", "")];
        let ended = self.bench.run_patiently(line, &variables);
        assert!(ended.code == Some(0), "{}: {}\n{}{}", self.language, ended.line, ended.stdout, ended.stderr);
    }

    /// What the job file gives as it stands, and what it gives with these plugins in place of its own, in their order.
    fn assert_as_in_rust(&self, plugins: &[PathBuf]) {
        let job = fs::read_to_string(self.bench.path(&format!("{}/job.toml", self.folder))).expect("a job file");
        let name = self.folder.rsplit('/').next().expect("a folder");
        let named = format!("-{name}\"\nparallelism = ");
        assert!(job.contains(&named), "the job is named after its language: {job}");
        self.weir(&format!("run {}/job.toml -q", self.folder));
        let (mut rust, mut next) = (String::new(), plugins.iter());
        for line in job.lines() {
            match line.split_once(" = ").map_or("", |(setting, _)| setting) {
                "build" | "sources" => {}
                "plugin" => rust += &format!("plugin = {:?}\n", next.next().expect("as many as the job has")),
                "path" => rust += &format!("{}\n", line.replace("\"out\"", "\"out-in-rust\"")),
                _ => rust += &format!("{line}\n"),
            }
        }
        assert!(next.next().is_none(), "as many as the job has");
        fs::write(self.bench.path(&format!("{}/in-rust.toml", self.folder)), rust.replace(&named, "-in-rust\"\nparallelism = "))
            .expect("a file");
        self.weir(&format!("run {}/in-rust.toml -q", self.folder));
        let lines = |folder: &str| -> Lines { self.bench.committed_in(&format!("{}/{folder}", self.folder)) };
        let expected = lines("out-in-rust");
        assert!(expected.len() > 100, "{} lines", expected.len());
        let differs = differences(&lines("out"), &expected);
        assert!(differs.is_none(), "{}: {differs:?}", self.language);
    }

    /// C's tests of an operator, with the component that the job file has built.
    fn passes(&self, script: &str, operator: &str) {
        let job = fs::read_to_string(self.bench.path(&format!("{}/job.toml", self.folder))).expect("a job file");
        let (_, of_operator) = job.split_once(&format!("[operator.{operator}]\nplugin = \"")).expect("the operator");
        let (component, _) = of_operator.split_once('"').expect("a text");
        self.weir(&format!("plugin test {script} --plugin {}/{component} --resplit 3 --forgetful", self.folder));
        if self.language == "c" {
            self.weir(&format!("plugin test {script}"));
        }
    }

    /// What Go's own tests of a module say.
    fn go_tests_pass(&self) {
        let run = Command::new("sh").args(["-c", "go vet ./... && go test ./..."]).current_dir(self.bench.path(&self.folder)).output();
        let run = run.expect("a shell");
        assert!(run.status.success(), "{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    }
}

/// Both plugins in a language. `built` is called before their jobs are run.
fn as_they_stand(language: (&'static str, &str), programs: &[PathBuf], built: impl Fn(&Clone)) {
    let words = Clone::of("word-count", language, programs);
    built(&words);
    words.assert_as_in_rust(&[plugin("word-count-split"), plugin("word-count-count")]);
    words.passes("plugins/word-count/c/split.test.toml", "split");
    words.passes("plugins/word-count/c/count.test.toml", "count");
    let delays = Clone::of("flight-delays", language, programs);
    built(&delays);
    delays.assert_as_in_rust(&[plugin("flight-delays")]);
    delays.passes("plugins/flight-delays/c/delays.test.toml", "delays");
    if language.0 == "go" {
        words.go_tests_pass();
        delays.go_tests_pass();
    }
}

#[test]
fn the_plugins_in_c_are_built_and_run_as_they_stand() {
    if has_clang() {
        as_they_stand(("c", "c"), &[], |_| {});
    }
}

#[test]
fn the_plugins_in_go_are_built_and_run_as_they_stand() {
    if has_toolchain("go") {
        as_they_stand(("go", "go"), &[], |_| {});
    }
}

#[test]
fn the_plugins_in_javascript_are_built_and_run_as_they_stand() {
    if has_toolchain("javascript") {
        as_they_stand(("javascript", "js"), &[], |_| {});
    }
}

/// The folder of the programs of an environment that has the SDK's wheel, as `pip install "weir-guest[build]"` puts it there.
fn environment_with_the_wheel() -> PathBuf {
    // It is asked for by version in the SDK, and is in the environment by then.
    let python = python_with("python-wheel", "componentize-py==0.25.1").expect("componentize-py is to be had");
    let folder = tempfile::tempdir().expect("a folder");
    check_out(&["guest-sdk/python"], folder.path());
    let run = |arguments: &[&str]| {
        let output = Command::new(&python).args(["-m", "pip"]).args(arguments).current_dir(folder.path()).output().expect("Python");
        assert!(output.status.success(), "pip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["wheel", "--quiet", "--retries", "10", "--no-deps", "--wheel-dir", "wheels", "./guest-sdk/python"]);
    let wheel = fs::read_dir(folder.path().join("wheels")).expect("wheels").next().expect("a wheel").expect("an entry").path();
    run(&["uninstall", "--quiet", "--yes", "weir-guest"]);
    run(&["install", "--quiet", "--no-index", &format!("{}[build]", wheel.display())]);
    python.parent().expect("a folder").to_owned()
}

#[test]
fn the_plugins_in_python_are_built_and_run_as_they_stand_by_the_wheel() {
    if !has_toolchain("python") {
        return;
    }
    let programs = environment_with_the_wheel();
    let help = Command::new(programs.join("weir-guest-build")).arg("--help").output().expect("the wheel has the command");
    assert!(help.status.success());
    // A component takes half a minute to build: those that another test has built are there already, and `split` is the one that the job file builds.
    let place = |from: PathBuf, to: PathBuf| _ = fs::copy(from, to).expect("a component can be copied");
    as_they_stand(("python", "python"), &[programs], |clone| match Path::new(&clone.folder).starts_with("plugins/word-count") {
        true => place(word_count_in("python", WEIR), clone.bench.path("plugins/word-count/python/count.wasm")),
        false => place(flight_delays_in("python", WEIR), clone.bench.path("plugins/flight-delays/python/delays.wasm")),
    });
}
