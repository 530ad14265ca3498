//! What was changed while a job ran holds until the job file is changed there, and then it is over, whatever the file says later.

use crate::WEIR;
use serde_json::Value;
use std::fs;
use std::path::Path;
use weir_tests::process::{Bench, Running, WordCount, plugin, sha256, write_variant};

/// A job whose file names its counting component `a.wasm`; beside it lie `b.wasm` and `c.wasm`, which do the same.
struct Upgraded(Bench);

impl Upgraded {
    fn new() -> Self {
        let bench = Bench::new(WEIR, WordCount { parallelism: 1, ..WordCount::unhurried() });
        let own = plugin("word-count-count");
        for (from, to) in [(&*own, "a.wasm"), (&bench.path("a.wasm"), "b.wasm"), (&bench.path("b.wasm"), "c.wasm")] {
            write_variant(from, &bench.path(to));
        }
        bench.edit_job(&format!("plugin = {own:?}"), "plugin = \"a.wasm\"");
        bench.edit_job("[checkpoints]", "[checkpoints]\nretain = 1000");
        Self(bench)
    }

    fn started(&self) -> Running {
        let parts = self.0.parts().len();
        let mut process = self.0.start("run job.toml");
        let runs = process.runs_until("a committed part", || self.0.parts().len() > parts);
        assert!(runs, "{}", process.said());
        process
    }

    fn stopped(&self, process: Running) -> String {
        self.0.run("stop words").assert(0, &[]);
        let ended = process.ended();
        ended.assert(0, &[]);
        ended.stderr
    }

    /// Runs the job while `line` is run.
    fn while_it_runs(&self, line: &str) {
        let process = self.started();
        self.0.run(line).assert(0, &[]);
        self.stopped(process);
    }

    fn names(&self, was: &str, is: &str) {
        self.0.edit_job(&format!("plugin = {was:?}"), &format!("plugin = {is:?}"));
    }

    /// Checks and runs the job, which is `component`; both say `said`, or nothing of an upgrade. Neither is told anything else.
    #[track_caller]
    fn goes_on_with(&self, component: &str, said: Option<&str>) {
        let checked = self.0.run("check job.toml --output json");
        checked.assert(0, &[]);
        let ran = self.stopped(self.started());
        for (what, text) in [("check", &checked.stderr), ("run", &ran)] {
            assert!(text.contains(said.unwrap_or_default()) && text.contains("upgrade") == said.is_some(), "{what}: {text}");
        }
        let digest = |path: &Path| self.0.run(&format!("plugin inspect {} --output json", path.display())).document()["digest"].clone();
        let metadata: Value = serde_json::from_slice(&fs::read(self.metadata()).expect("metadata")).expect("JSON");
        let operator = &metadata["body"]["graph"]["vertices"]["count"]["operator"];
        let ran = format!("sha256:{}", operator["component"].as_str().expect("a digest"));
        assert_eq!(Value::from(ran), digest(&self.0.path(component)));
    }

    fn metadata(&self) -> std::path::PathBuf {
        self.0.storage().join(&self.0.log().newest().metadata)
    }
}

const BY_UPGRADE: Option<&str> = Some("count: component ");
const NO_MORE: Option<&str> = Some("count: the job file names its component anew by now; the upgrade does not count any more");

#[test]
fn an_upgrade_that_the_job_file_has_taken_over_does_not_come_back_with_the_component_of_before() {
    let job = Upgraded::new();
    job.while_it_runs("upgrade words --operator count --plugin b.wasm --probation 100ms");
    job.goes_on_with("b.wasm", BY_UPGRADE);
    job.names("a.wasm", "b.wasm");
    job.goes_on_with("b.wasm", None);
    job.names("b.wasm", "a.wasm");
    job.goes_on_with("a.wasm", None);
    // What is changed after that holds as ever.
    job.while_it_runs("upgrade words --operator count --plugin c.wasm --probation 100ms");
    job.goes_on_with("c.wasm", BY_UPGRADE);
    job.0.hasten();
    job.0.run("run job.toml -q").assert(0, &[]);
    job.0.assert_exactly_once();
}

#[test]
fn an_upgrade_is_over_where_the_job_file_names_a_third_component_or_the_first_by_another_name() {
    let job = Upgraded::new();
    job.while_it_runs("upgrade words --operator count --plugin b.wasm --probation 100ms");
    job.names("a.wasm", "c.wasm");
    job.goes_on_with("c.wasm", NO_MORE);
    job.names("c.wasm", "a.wasm");
    job.goes_on_with("a.wasm", None);
    job.while_it_runs("upgrade words --operator count --plugin b.wasm --probation 100ms");
    fs::copy(job.0.path("a.wasm"), job.0.path("first.wasm")).expect("a file");
    assert_ne!(sha256(&fs::read(job.0.path("b.wasm")).expect("a file")), sha256(&fs::read(job.0.path("first.wasm")).expect("a file")));
    job.names("a.wasm", "first.wasm");
    job.goes_on_with("first.wasm", NO_MORE);
    job.names("first.wasm", "a.wasm");
    job.goes_on_with("a.wasm", None);
    // A start from where the upgrade held goes on with it.
    let upgraded = job.0.log().newest().id;
    job.while_it_runs("upgrade words --operator count --plugin b.wasm --probation 100ms");
    let behind = job.0.log().newest().id;
    job.names("a.wasm", "c.wasm");
    job.goes_on_with("c.wasm", NO_MORE);
    job.names("c.wasm", "a.wasm");
    let from = |id: u64| job.0.run(&format!("check job.toml --from {id}")).stderr.contains("by an upgrade");
    assert_eq!((from(behind), from(upgraded)), (true, false));
    // Once a run has begun there, the next one goes on with that.
    let begun = "a run from there has begun before";
    let check = || job.0.run(&format!("check job.toml --from {upgraded}")).stderr;
    assert!(!check().contains(begun), "{}", check());
    let parts = job.0.parts().len();
    let mut process = job.0.start(&format!("run job.toml --from {upgraded}"));
    assert!(process.runs_until("a committed part", || job.0.parts().len() > parts), "{}", process.said());
    job.stopped(process);
    assert!(check().contains(begun), "{}", check());
}

#[test]
fn a_rescale_is_over_where_the_job_file_has_said_something_else() {
    let job = Upgraded::new();
    job.while_it_runs("rescale words --parallelism 2 --operator count");
    let checked = || {
        let checked = job.0.run("check job.toml --output json");
        let vertices = checked.document()["vertices"].as_array().expect("vertices").clone();
        let count = vertices.into_iter().find(|vertex| vertex["id"] == "count").expect("count");
        (count["parallelism"].as_u64().expect("a number"), checked.stderr)
    };
    let (now, said) = checked();
    assert!(now == 2 && said.contains("count: parallelism 2 by a rescale; the job file says 1"), "{now} {said}");
    let pinned = job.0.run(&format!("check job.toml --from {} --pinned", job.0.log().newest().id));
    pinned.assert(0, &["count: parallelism 2 by a rescale"]);
    job.0.edit_job("[operator.count]", "[operator.count]\nparallelism = 3");
    let (now, said) = checked();
    assert!(
        now == 3 && said.contains("count: the job file says parallelism 3 by now; the rescale to 2 does not count any more"),
        "{now} {said}"
    );
    let said = job.stopped(job.started());
    assert!(said.contains("the rescale to 2 does not count any more"), "{said}");
    job.0.edit_job("[operator.count]\nparallelism = 3", "[operator.count]");
    let (now, said) = checked();
    assert!(now == 1 && !said.contains("rescale"), "{now} {said}");
}
