//! Plugins in every language: each does what the operators of `tests/conformance` do, to the byte, and goes on with what another has kept.

use crate::WEIR;
use std::path::{Path, PathBuf};
use weir_tests::process::{
    Bench, Lines, Signal, WordCount, counting_with, differences, flight_delays_in, has_clang, has_toolchain, plugin_in, word_count_in,
};

/// The languages whose compilers are here.
fn languages() -> impl Iterator<Item = &'static str> {
    ["c", "go", "javascript", "python"].into_iter().filter(|language| has_toolchain(language))
}

/// The folder of a language's conformance operators, and how `name` is called there.
fn conformance(language: &str, name: &str) -> PathBuf {
    let (folder, source) = match language {
        "c" => ("c", format!("{name}.c")),
        "go" => ("go", name.to_owned()),
        "javascript" => ("js", format!("{name}.js")),
        "python" => ("python", format!("{name}.py")),
        other => panic!("no language `{other}`"),
    };
    plugin_in(language, WEIR, &format!("tests/conformance/{folder}"), &source)
}

#[track_caller]
fn conforms(name: &str) {
    let bench = Bench::new(WEIR, WordCount::default());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("conformance/{name}.test.toml"));
    for language in languages() {
        let component = conformance(language, name);
        let ended = bench.run(&format!("plugin test {} --plugin {} --resplit --forgetful", script.display(), component.display()));
        assert!(ended.code == Some(0) && ended.stdout.contains(", 0 failed"), "{language}: {}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn keyed_operators_do_the_same_in_every_language() {
    conforms("keyed");
}

#[test]
fn windowed_operators_do_the_same_in_every_language() {
    conforms("windowed");
}

/// Rust, and every other language between it and itself.
fn in_turns() -> impl Iterator<Item = &'static str> {
    languages().flat_map(|language| ["rust", language]).chain(["rust"])
}

/// Runs a job with each plugin until a checkpoint, takes a savepoint and goes on from there with the next; with the last to the end of its input.
#[track_caller]
fn handed_on(bench: &Bench, plugins: &[PathBuf]) {
    let mut more = String::new();
    for (number, plugins) in plugins.windows(2).enumerate() {
        let [is, next] = plugins else { unreachable!("two of them") };
        let mut process = bench.start(&format!("run job.toml{more}"));
        let before = bench.log().completed.len();
        assert!(process.runs_until("a checkpoint", || bench.log().completed.len() > before + 1), "{is:?}: {}", process.said());
        bench.run(&format!("stop words --savepoint ./savepoint-{number}")).assert(0, &[]);
        process.ended().assert(0, &[]);
        bench.edit_job(&format!("{is:?}"), &format!("{next:?}"));
        more = format!(" --from ./savepoint-{number}");
    }
    bench.hasten();
    bench.run(&format!("run job.toml -q{more}")).assert(0, &[]);
}

#[test]
fn a_savepoint_of_one_language_is_gone_on_from_in_the_next() {
    let plugins: Vec<_> = in_turns().map(|language| word_count_in(language, WEIR)).collect();
    let bench = counting_with(WEIR, WordCount { lines: 4_000, rate: 300, ..WordCount::default() }, &plugins[0]);
    handed_on(&bench, &plugins);
    bench.assert_exactly_once();
}

#[test]
fn a_running_job_goes_from_language_to_language_under_load() {
    let bench = counting_with(WEIR, WordCount { parallelism: 2, ..WordCount::long() }, &word_count_in("rust", WEIR));
    let next: Vec<_> = languages().chain(["rust"]).map(|language| word_count_in(language, WEIR)).collect();
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("a checkpoint", || !bench.log().completed.is_empty()));
    for plugin in next {
        bench.run(&format!("upgrade words --operator count --plugin {} --probation 1s", plugin.display())).assert(0, &[]);
    }
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    bench.hasten();
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

/// A job that writes the delays of a month with a component of flight-delays, reading so many rows in a second.
fn delays_with(component: &Path, rate: u64) -> Bench {
    let bench = Bench::new(WEIR, WordCount { rate, ..WordCount::default() });
    let flights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/flight-delays/data/flights-2013-01.csv.gz");
    bench.write_job(&format!(
        "name = \"words\"\nparallelism = 1\n[checkpoints]\ninterval = \"50ms\"\n[source.flights]\nconnector = \"file\"\npath = {flights:?}\nformat = \"csv\"\n\
         key = \"tailnum\"\nrate = {rate}\n[operator.delays]\nplugin = {component:?}\ninput = {{ from = \"flights\", by = \"key\" }}\n\
         [sink.out]\nconnector = \"file\"\ninput = \"delays\"\npath = \"out\"\n"
    ));
    bench
}

/// The delays of a month, as a component of them has it.
fn delays_of(component: &Path) -> Lines {
    let bench = delays_with(component, 1_000_000);
    bench.run("run job.toml -q").assert(0, &[]);
    bench.committed_in("out")
}

#[test]
fn a_month_of_flights_has_the_same_delays_in_every_language() {
    let expected = delays_of(&flight_delays_in("rust", WEIR));
    assert!(expected.len() > 10_000, "{} lines", expected.len());
    for language in languages() {
        let differs = differences(&delays_of(&flight_delays_in(language, WEIR)), &expected);
        assert!(differs.is_none(), "{language}: {differs:?}");
    }
}

#[test]
fn delays_of_one_language_are_gone_on_with_in_the_next() {
    let plugins: Vec<_> = in_turns().map(|language| flight_delays_in(language, WEIR)).collect();
    let bench = delays_with(&plugins[0], 300);
    handed_on(&bench, &plugins);
    let differs = differences(&bench.committed_in("out"), &delays_of(&plugins[0]));
    assert!(differs.is_none(), "{differs:?}");
}

#[test]
fn the_worlds_that_sdks_carry_are_the_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    for copy in ["guest-sdk/js/wit/operator.wit", "guest-sdk/python/weir_guest/wit/operator.wit"] {
        assert_eq!(read(copy), read("wit/operator.wit"), "{copy}");
    }
}

#[test]
fn the_sdks_own_tests_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk");
    for language in languages().filter(|language| *language != "c" || has_clang()) {
        let (folder, line) = match language {
            // What it makes stays out of the folder that the binary carries.
            "c" => ("c", concat!("make check BUILD=", env!("CARGO_TARGET_TMPDIR"), "/sdk-c")),
            "go" => ("go", "go vet ./... && go test ./..."),
            "javascript" => ("js", "node --test && npm run --silent check-types"),
            "python" => ("python", "python3 -B -m unittest -q"),
            other => panic!("no language `{other}`"),
        };
        let run = std::process::Command::new("sh").args(["-c", line]).current_dir(root.join(folder)).output().expect("a shell");
        assert!(run.status.success(), "{folder}: {line}\n{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    }
}
