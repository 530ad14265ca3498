//! Plugins in a registry, which is go-containerregistry's: what is pushed is what is pulled, and what another client finds there; a job that names a plugin by a
//! tag goes on with what the tag meant when it began, whether the registry answers or not.

use crate::WEIR;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use weir_tests::process::{Bench, OciRegistry, WordCount, plugin, sha256, write_variant};

/// A job in a folder, whose counting component is in a registry.
struct Registered {
    bench: Bench,
    registry: Option<OciRegistry>,
    host: String,
}

impl Registered {
    /// `None` where there can be no registry.
    fn new() -> Option<Self> {
        let registry = OciRegistry::start()?;
        let bench = Bench::new(WEIR, WordCount { parallelism: 2, ..WordCount::unhurried() });
        let host = registry.host();
        Some(Self { bench, registry: Some(registry), host })
    }

    /// A counting component of which there is no other.
    fn variant(&self, name: &str) -> PathBuf {
        let path = self.bench.path(name);
        write_variant(&plugin("word-count-count"), &path);
        // So that no cache of an earlier test has it.
        let mut bytes = fs::read(&path).expect("a component");
        let mark = format!("{}-{name}", self.host);
        bytes.extend([0, mark.len() as u8 + 1, mark.len() as u8]);
        bytes.extend(mark.as_bytes());
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// Pushes a new variant to the tag. What was printed.
    fn push(&self, variant: &str, tag: &str) -> Value {
        self.variant(variant);
        let pushed = self.bench.run(&format!("plugin push {variant} {}/team/count:{tag} --output json", self.host));
        pushed.assert(0, &["pushing word-count-count"]);
        pushed.document()
    }

    /// The job names its counting component so.
    fn name_plugin(&self, reference: &str) {
        self.bench.edit_job(&format!("plugin = {:?}", plugin("word-count-count")), &format!("plugin = {reference:?}"));
    }

    /// Runs the job until more is committed, does something to it meanwhile, and stops it. What was said.
    fn run_and_stop(&self, line: &str, meanwhile: impl FnOnce()) -> String {
        let parts = self.bench.parts().len();
        let mut process = self.bench.start(line);
        let runs = process.runs_until("a committed part", || self.bench.parts().len() > parts);
        assert!(runs, "{}", process.said());
        meanwhile();
        self.bench.run("stop words").assert(0, &[]);
        let ended = process.ended();
        ended.assert(0, &[]);
        ended.stderr
    }

    /// The component that the newest checkpoint's counts were made by.
    fn component_that_ran(&self) -> String {
        let path = self.bench.storage().join(&self.bench.log().newest().metadata);
        let metadata: Value = serde_json::from_slice(&fs::read(path).expect("metadata")).expect("JSON");
        metadata["body"]["graph"]["vertices"]["count"]["operator"]["component"].as_str().expect("a digest").to_owned()
    }
}

fn digest(document: &Value) -> &str {
    document["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest")
}

#[test]
fn what_is_pushed_is_pulled_byte_for_byte_and_is_what_another_client_finds() {
    let Some(job) = Registered::new() else { return };
    let (bench, host) = (&job.bench, &job.host);
    let pushed = job.push("count.wasm", "1");
    assert_eq!((pushed["name"].as_str(), pushed["version"].as_str()), (Some("word-count-count"), Some("0.1.0")));
    bench.run(&format!("plugin pull oci:{host}/team/count:1 -o pulled.wasm -q")).assert(0, &[]);
    let pulled = fs::read(bench.path("pulled.wasm")).expect("a file");
    assert_eq!(sha256(&pulled), digest(&pushed), "of a core module the component is pushed");
    let inspected = bench.run("plugin inspect pulled.wasm --output json").document();
    assert_eq!((&inspected["digest"], &inspected["metadata"]["name"]), (&pushed["digest"], &pushed["name"]));
    assert_eq!(inspected["metadata"]["version"], pushed["version"]);

    // A component goes as it is, and to the same manifest.
    let again = bench.run(&format!("plugin push pulled.wasm {host}/team/count:2 --output json")).document();
    assert_eq!((&again["manifest"], &again["digest"]), (&pushed["manifest"], &pushed["digest"]));

    let crane = |arguments: &[&str]| job.registry.as_ref().expect("it runs").crane(arguments);
    let image = format!("{host}/team/count:1");
    assert_eq!(String::from_utf8_lossy(&crane(&["digest", &image])).trim(), pushed["manifest"]);
    let manifest: Value = serde_json::from_slice(&crane(&["manifest", &image])).expect("JSON");
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "0.1.0");
    let layer = manifest["layers"][0]["digest"].as_str().expect("a digest");
    assert_eq!(crane(&["blob", &format!("{host}/team/count@{layer}")]), pulled);
    let config: Value = serde_json::from_slice(&crane(&["config", &image])).expect("JSON");
    assert_eq!((&config["architecture"], &config["os"], &config["layerDigests"][0]), (&"wasm".into(), &"wasip2".into(), &layer.into()));
    assert!(
        config["component"]["exports"].as_array().is_some_and(|all| all.iter().any(|name| name == "weir:operator/guest@0.2.0")),
        "{config}"
    );

    // By its digest it is had without a tag, and looked at without a file.
    let pinned = format!("oci:{host}/team/count@{}", pushed["manifest"].as_str().expect("a digest"));
    assert_eq!(bench.run(&format!("plugin inspect {pinned} --output json")).document()["digest"], pushed["digest"]);
    bench.run(&format!("plugin check {pinned}")).assert(0, &[]);
    let other = pinned.replace(&digest(&again)[..8], "00000000").replace(&pinned[pinned.len() - 8..], "00000000");
    bench.run(&format!("plugin pull {other}")).assert(1, &["pull oci:", "the registry has no such thing"]);
    bench.run(&format!("plugin push count.wasm {pinned}")).assert(2, &["name a tag"]);
}

#[test]
fn a_tag_means_what_it_meant_when_the_lineage_began_until_an_upgrade() {
    let Some(mut job) = Registered::new() else { return };
    let (first, reference) = (job.push("first.wasm", "1"), format!("oci:{}/team/count:1", job.host));
    job.name_plugin(&reference);
    job.bench.run("check job.toml").assert(0, &[]);
    let said = job.run_and_stop("run job.toml", || {
        let shown = format!("{reference} is component {}, there {}", &digest(&first)[..8], first["manifest"].as_str().expect("a digest"));
        let status = job.bench.run("status words").stdout;
        assert!(status.contains(&shown), "{status}");
    });
    assert!(said.contains(&format!("{reference} is {}", first["manifest"].as_str().expect("a digest"))), "{said}");
    assert_eq!(job.component_that_ran(), digest(&first));

    let inspect = || {
        let newest = job.bench.log().newest().id;
        let inspected = job.bench.run(&format!("checkpoint inspect job.toml {newest} --output json")).document();
        let vertices = inspected["vertices"].as_array().expect("a list").clone();
        vertices.into_iter().find(|vertex| vertex["id"] == "count").expect("it has state")
    };
    let count = inspect();
    assert_eq!((&count["reference"], &count["manifest"]), (&Value::from(&*reference), &first["manifest"]), "{count}");
    assert_eq!(count["component"], digest(&first));

    // The tag moves, and the job stays with what it began with.
    let second = job.push("second.wasm", "1");
    assert_ne!(digest(&first), digest(&second));
    job.bench.run("check job.toml").assert(0, &[&format!("{reference} stays component {}", &digest(&first)[..8])]);
    let said = job.run_and_stop("run job.toml", || {});
    assert!(said.contains(&format!("{reference} stays component {}", &digest(&first)[..8])), "{said}");
    assert_eq!(job.component_that_ran(), digest(&first));

    // An upgrade resolves it anew, and that holds in the next run.
    job.run_and_stop("run job.toml -q", || {
        let upgrade = format!("upgrade words --operator count --plugin {reference} --probation 100ms");
        job.bench.run(&upgrade).assert(0, &[&format!("{reference} is {}", second["manifest"].as_str().expect("a digest"))]);
        let shown = format!("{reference} is component {}, there {}", &digest(&second)[..8], second["manifest"].as_str().expect("a digest"));
        let status = job.bench.run("status words").stdout;
        assert!(status.contains(&shown), "{status}");
        job.bench.run("savepoint create words upgraded").assert(0, &[]);
        let inspected = job.bench.run("savepoint inspect upgraded").stdout;
        let was = format!("{reference} was component {}, there {}", &digest(&second)[..8], second["manifest"].as_str().expect("a digest"));
        assert!(inspected.contains(&was), "{inspected}");
    });
    assert_eq!(job.component_that_ran(), digest(&second));
    let count = inspect();
    assert_eq!((&count["reference"], &count["manifest"]), (&Value::from(&*reference), &second["manifest"]), "of the upgrade: {count}");
    assert_eq!(count["component"].as_str(), Some(digest(&second)), "{count}");

    // Without a registry it goes on, and without the component that the upgrade has replaced; only what begins anew needs one.
    drop(job.registry.take());
    let kept = |digest: &str| job.bench.storage().join(format!("plugins/{digest}.wasm"));
    fs::remove_file(kept(digest(&first))).expect("it is kept");
    job.bench.run("check job.toml").assert(0, &[&format!("count: component {} by an upgrade", &digest(&second)[..8])]);
    let said = job.run_and_stop("run job.toml", || {});
    let upgraded = format!("count: component {} by an upgrade; {reference} was {}", &digest(&second)[..8], &digest(&first)[..8]);
    assert!(said.contains(&upgraded) && !said.contains("stays component"), "{said}");
    assert_eq!(job.component_that_ran(), digest(&second));
    job.bench.run("run job.toml --fresh").assert(1, &["count: pull oci:", "a job that has begun goes on without its registry"]);
    let (place, aside) = (kept(digest(&second)), job.bench.path("aside"));
    fs::rename(&place, &aside).expect("it is kept");
    let gone =
        [&*format!("count: go on with component {} by an upgrade: read", &digest(&second)[..8]), "name the new component in the job file"];
    job.bench.run("run job.toml").assert(1, &gone);
    fs::rename(&aside, &place).expect("it is there");
    job.bench.hasten();
    job.bench.run("run job.toml -q").assert(0, &[]);
    job.bench.assert_exactly_once();
}

#[test]
fn another_reference_in_the_job_file_wins_and_what_is_not_kept_is_asked_for_by_its_digest() {
    let Some(job) = Registered::new() else { return };
    let (first, second) = (job.push("first.wasm", "1"), job.push("second.wasm", "2"));
    let reference = |tag: &str| format!("oci:{}/team/count:{tag}", job.host);
    job.name_plugin(&reference("1"));
    job.run_and_stop("run job.toml -q", || {});
    assert_eq!(job.component_that_ran(), digest(&first));
    // An upgrade of a job that does not run says how it is done then.
    let upgrade = format!("upgrade job.toml --operator count --plugin {}", reference("2"));
    let instead =
        format!("name it in the job file, as `plugin = \"{}\"` of `[operator.count]`: `weir run job.toml` then goes on", reference("2"));
    job.bench.run(&upgrade).assert(1, &["no job `job.toml` runs here", &instead]);
    job.bench.edit_job(&reference("1"), &reference("2"));
    job.run_and_stop("run job.toml -q", || {});
    assert_eq!(job.component_that_ran(), digest(&second));

    // A process may die between its place in the log and the component's in the storage; by then the tag may have moved on.
    job.push("third.wasm", "2");
    fs::remove_file(job.bench.storage().join(format!("plugins/{}.wasm", digest(&second)))).expect("it is kept");
    job.run_and_stop("run job.toml -q", || {});
    assert_eq!(job.component_that_ran(), digest(&second));
    // What is kept is compared with what was noted, and mended where that is to be had.
    let kept = job.bench.storage().join(format!("plugins/{}.wasm", digest(&second)));
    fs::write(&kept, "another").expect("written");
    let said = job.run_and_stop("run job.toml", || {});
    assert!(said.contains("its content does not have the SHA-256 that it is named by; it is fetched again"), "{said}");
    assert_eq!(sha256(&fs::read(&kept).expect("it is kept")), digest(&second));
    fs::write(&kept, "another").expect("written");
    drop(job.registry);
    job.bench
        .run_with("run job.toml", &[("XDG_CACHE_HOME", "/no/such")])
        .assert(1, &["its content does not have the SHA-256 that it is named by"]);
}

#[test]
fn a_savepoint_says_what_its_tag_was_and_a_run_from_it_what_the_tag_is() {
    let Some(mut job) = Registered::new() else { return };
    let (first, reference) = (job.push("first.wasm", "1"), format!("oci:{}/team/count:1", job.host));
    job.name_plugin(&reference);
    job.run_and_stop("run job.toml -q", || _ = job.bench.run("savepoint create words taken").assert(0, &[]));
    let inspected = job.bench.run("savepoint inspect taken --output json").document();
    let count =
        inspected["plugins"].as_array().expect("a list").iter().find(|plugin| plugin["id"] == "count").expect("it has state").clone();
    assert_eq!((&count["reference"], &count["manifest"]), (&Value::from(&*reference), &first["manifest"]), "{count}");
    assert_eq!(count["digest"], digest(&first));
    let was = format!("{reference} was component {}, there {}", &digest(&first)[..8], first["manifest"].as_str().expect("a digest"));
    let text = job.bench.run("savepoint inspect taken").stdout;
    assert!(text.contains(&was) && text.contains("with `--pinned` it runs the components"), "{text}");

    // A lineage begins there, in which the tag is what it is now.
    let second = job.push("second.wasm", "1");
    let [before, now] = [&first, &second].map(|pushed| digest(pushed)[..8].to_owned());
    let moved = format!("count: {reference} is component {now} now, and {before} ran where this begins from; `--pinned` runs that one");
    job.bench.run("check job.toml --from ./taken").assert(0, &[&moved]);
    let said = job.run_and_stop("run job.toml --from ./taken", || {});
    assert!(said.contains(&moved), "{said}");
    assert_eq!(job.component_that_ran(), digest(&second));
    // It has begun by now, and says what it goes on with.
    let said = job.run_and_stop("run job.toml --from ./taken", || {});
    assert!(said.contains(&format!("{reference} stays component {now}")) && !said.contains("ran where"), "{said}");

    // What is kept in the savepoint needs no registry, and is known by the reference that it came by.
    drop(job.registry.take());
    job.run_and_stop("run job.toml --from ./taken --pinned --again -q", || {});
    assert_eq!(job.component_that_ran(), digest(&first));
    let newest = job.bench.log().newest().id;
    let inspected = job.bench.run(&format!("checkpoint inspect job.toml {newest} --output json")).document();
    let count = inspected["vertices"].as_array().expect("a list").iter().find(|vertex| vertex["id"] == "count").expect("it has state");
    assert_eq!((&count["reference"], &count["manifest"]), (&Value::from(&*reference), &first["manifest"]), "{count}");

    // A reference that came into the file meanwhile means nothing by that: it is resolved when the file counts again.
    let other = reference.replace("count:1", "count:other");
    job.bench.edit_job(&reference, &other);
    job.run_and_stop("run job.toml --pinned -q", || {});
    assert_eq!(job.component_that_ran(), digest(&first));
    job.bench.run("run job.toml").assert(1, &[&format!("count: pull {other}")]);
}

#[test]
fn a_component_that_was_pulled_is_named_by_its_digest() {
    let Some(job) = Registered::new() else { return };
    let pushed = job.push("count.wasm", "1");
    let cache = job.bench.path("cache").display().to_string();
    let run = |line: &str| job.bench.run_with(line, &[("XDG_CACHE_HOME", &cache)]);
    let named = pushed["digest"].as_str().expect("a digest").to_owned();
    job.name_plugin(&named);
    run("check job.toml").assert(2, &["there is no component sha256:", "`weir plugin pull"]);
    let pull = format!("plugin pull {}/team/count:1", job.host);
    // Where nothing can be kept and no file is named, nothing has been pulled.
    let nowhere = [("XDG_CACHE_HOME", "/dev/null")];
    job.bench.run_with(&pull, &nowhere).assert(1, &["keep what oci:", "`-o FILE`"]);
    job.bench.run_with(&format!("{pull} -o pulled.wasm"), &nowhere).assert(0, &[]);
    run(&pull).assert(0, &[]);
    drop(job.registry);
    run("check job.toml").assert(0, &[]);
    job.bench.hasten();
    run("run job.toml -q").assert(0, &[]);
    assert_eq!(sha256(&fs::read(job.bench.path(&format!("cache/weir/plugins/{}.wasm", &named[7..]))).expect("it is kept")), named[7..]);
    job.bench.assert_exactly_once();
}
