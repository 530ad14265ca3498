//! Registries that mean harm: whatever they answer, a pull ends soon, with what was wrong and without a plugin. And those that ask for a password first, which they
//! are given out of Docker's configuration, and which nobody else is.

use crate::WEIR;
use weir_tests::process::{Answering, Bench, OciRegistry, Reply, Request, WordCount, component_manifest, plugin, sha256};

const COMPONENT: &[u8] = b"no component, but as many bytes as are needed";

fn ok(body: impl Into<Vec<u8>>) -> Reply {
    Reply::Whole("200 OK", String::new(), body.into())
}

fn is_manifest(request: &Request) -> bool {
    request.path.contains("/manifests/")
}

/// Pulls from a registry that answers so, and expects this word of it.
#[track_caller]
fn check(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static, expect: &[&str]) {
    let bench = Bench::new(WEIR, WordCount::default());
    let registry = Answering::start(answer);
    let cache = bench.path("cache").display().to_string();
    let pulled = bench.run_with(&format!("plugin pull {}/a:1 -o pulled.wasm", registry.host()), &[("XDG_CACHE_HOME", &cache)]);
    pulled.assert(1, expect).assert(1, &[&format!("pull oci:{}/a:1: ", registry.host())]);
    assert!(!bench.path("pulled.wasm").exists() && !bench.path("cache/weir/plugins").exists(), "nothing is kept of it");
    assert!(!pulled.stderr.contains('\u{1b}'), "{}", pulled.stderr);
}

/// A manifest with this in the place of that, and the layer that it should have.
#[track_caller]
fn check_manifest(was: &str, is: &str, expect: &str) {
    let manifest = component_manifest(COMPONENT, "application/wasm");
    assert!(manifest.contains(was), "{manifest}");
    let manifest = manifest.replace(was, is);
    check(move |request| ok(if is_manifest(request) { manifest.clone().into_bytes() } else { COMPONENT.to_vec() }), &[expect]);
}

/// A good manifest, and a layer that is answered so.
#[track_caller]
fn check_layer(answer: impl Fn() -> Reply + Send + Sync + 'static, expect: &str) {
    let manifest = component_manifest(COMPONENT, "application/wasm");
    check(move |request| if is_manifest(request) { ok(manifest.clone()) } else { answer() }, &[expect]);
}

#[test]
fn a_manifest_that_names_no_component_is_refused() {
    check_manifest("application/wasm", "application/vnd.oci.image.layer.v1.tar+gzip", "a component's is application/wasm");
    check_manifest("\"schemaVersion\"", "\"manifests\":[],\"schemaVersion\"", "an index of several images");
    check_manifest("}]}", "},{\"mediaType\":\"application/wasm\",\"digest\":\"sha256:00\",\"size\":1}]}", "2 layers");
    check_manifest("\"size\":45", "\"size\":33554433", "at most 32 MiB");
    check_manifest("image.manifest.v1", "image.\\u001b[31mred", "its manifest is of the type");
    check(|_| ok("<html>"), &["it is no manifest"]);
}

#[test]
fn a_layer_that_is_not_what_the_manifest_names_is_refused() {
    check_layer(|| ok(COMPONENT.to_ascii_uppercase()), "and the manifest says sha256:");
    check_layer(|| ok(&COMPONENT[1..]), "its layer has 44 bytes, and the manifest says 45");
    check_layer(|| ok([COMPONENT, b"x"].concat()), "longer than 45 bytes");
    check_layer(|| ok(COMPONENT), "its layer is no component");
    check_layer(|| Reply::CutOff("200 OK", COMPONENT.to_vec(), 20), "end of file before message length reached");
    check_layer(|| Reply::Endless("200 OK"), "longer than 45 bytes");
}

#[test]
fn an_answer_that_does_not_end_ends_the_pull_and_not_the_machine() {
    check(|_| Reply::Endless("200 OK"), &["its manifest is longer than 262144 bytes"]);
    check(|_| Reply::Whole("500 Internal Server Error", String::new(), b"\x1b[31mred".repeat(100_000)), &["the registry fails: 500"]);
    let round = |request: &Request| Reply::Whole("302 Found", format!("Location: {}x\r\n", request.path), Vec::new());
    check(round, &["round in a circle"]);
    check(|_| Reply::Whole("429 Too Many Requests", String::new(), Vec::new()), &["too many requests"]);
    check(|_| Reply::Whole("200 OK", "X: \0\r\n".into(), Vec::new()), &["invalid"]);
    // A server of tokens that never ends, and one that has none.
    let challenge = |request: &Request, answer: fn() -> Reply| match request.path.starts_with("/token") {
        true => answer(),
        false => {
            let host = request.header("host").unwrap_or_default().to_owned();
            Reply::Whole("401 Unauthorized", format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"\r\n"), Vec::new())
        }
    };
    check(move |request| challenge(request, || Reply::Endless("200 OK")), &["ask for a token: the registry's answer is longer"]);
    check(move |request| challenge(request, || ok("{}")), &["answers without one"]);
    check(move |request| challenge(request, || ok("{\"token\":\"t\"}")), &["the registry does not let us", "docker login"]);
}

#[test]
fn a_manifest_that_is_another_than_its_digest_says_is_refused() {
    let bench = Bench::new(WEIR, WordCount::default());
    let manifest = component_manifest(COMPONENT, "application/wasm");
    let registry =
        Answering::start(move |request| ok(if is_manifest(request) { manifest.clone().into_bytes() } else { COMPONENT.to_vec() }));
    let reference = format!("oci:{}/a@sha256:{}", registry.host(), "0".repeat(64));
    bench.run(&format!("plugin pull {reference}")).assert(1, &["the registry answers with the manifest sha256:", "in its place"]);
    // The same in a job file, before anything has begun.
    bench.edit_job(&format!("plugin = {:?}", plugin("word-count-count")), &format!("plugin = {reference:?}"));
    bench.run("run job.toml").assert(1, &[&format!("count: pull {reference}: the registry answers with")]);
    bench.run(&format!("plugin inspect {}/a:1", registry.host())).assert(2, &[&format!("write `oci:{}/a:1`", registry.host())]);
    bench.edit_job(&reference, &format!("{}/a:1", registry.host()));
    bench.run("check job.toml").assert(2, &["it looks like a reference to a registry", "job.toml:"]);
    bench.edit_job(&format!("{}/a:1", registry.host()), "oci:count:1");
    bench.run("check job.toml").assert(2, &["it does not begin with a registry's host", "job.toml:"]);
}

#[test]
fn a_password_comes_out_of_dockers_configuration_and_goes_to_its_registry_alone() {
    let Some(registry) = OciRegistry::start() else { return };
    let bench = Bench::new(WEIR, WordCount::default());
    let behind = registry.host();
    // `me:s3cret`.
    let proxy = Answering::start(move |request| match request.header("authorization") {
        Some("Basic bWU6czNjcmV0") => Reply::Forward(behind.clone()),
        _ => Reply::Whole("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n".into(), Vec::new()),
    });
    let host = proxy.host();
    let home = bench.path("docker").display().to_string();
    std::fs::create_dir(bench.path("docker")).expect("a folder");
    let run = |line: &str| bench.run_with(line, &[("DOCKER_CONFIG", &home), ("REGISTRY_AUTH_FILE", "/no/such")]);
    let push = format!("plugin push {} {host}/count:1 --output json", plugin("word-count-count").display());
    run(&push).assert(1, &["the registry asks for a user and a password", &format!("docker login {host}")]);

    let configured = |auth: &str| format!("{{\"auths\":{{{host:?}:{{\"auth\":\"{auth}\"}}}}}}");
    std::fs::write(bench.path("docker/config.json"), configured("bWU6d3Jvbmc=")).expect("a file");
    let refused = run(&push);
    refused.assert(1, &["the registry does not let us", &format!("those are the credentials of {home}/config.json")]);
    assert!(!refused.stderr.contains("wrong") && !refused.stderr.contains("bWU6"), "{}", refused.stderr);
    std::fs::write(bench.path("docker/config.json"), configured("bWU6czNjcmV0")).expect("a file");
    let pushed = run(&push);
    pushed.assert(0, &[]);
    run(&format!("plugin pull {host}/count:1 -o pulled.wasm")).assert(0, &[]);
    let pulled = std::fs::read(bench.path("pulled.wasm")).expect("a file");
    assert_eq!(format!("sha256:{}", sha256(&pulled)), pushed.document()["digest"]);

    // Another registry, and where the first one leads to, are told nothing.
    let other = Answering::start(|_| Reply::Whole("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n".into(), Vec::new()));
    run(&format!("plugin pull {}/count:1", other.host())).assert(1, &["asks for a user and a password"]);
    assert!(!other.seen().is_empty() && other.seen().iter().all(|request| request.header("authorization").is_none()));
    let elsewhere = Answering::start(|_| Reply::Whole("404 Not Found", String::new(), Vec::new()));
    let address = elsewhere.host();
    let leads = Answering::start(move |request| match request.header("authorization") {
        Some(_) => Reply::Whole("307 Temporary Redirect", format!("Location: http://{address}{}\r\n", request.path), Vec::new()),
        None => Reply::Whole("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n".into(), Vec::new()),
    });
    let text = std::fs::read_to_string(bench.path("docker/config.json")).expect("a file");
    std::fs::write(bench.path("docker/config.json"), text.replace(&host, &leads.host())).expect("a file");
    run(&format!("plugin pull {}/count:1", leads.host())).assert(1, &["the registry has no such thing"]);
    assert!(!elsewhere.seen().is_empty() && elsewhere.seen().iter().all(|request| request.header("authorization").is_none()));
}
