//! Who is told who asks, when a registry wants to know: the registry that asks, by what its user has, once; and nobody else, wherever it leads. And which way
//! there it goes: by a proxy, where that is not told to leave it alone.

use crate::WEIR;
use std::fs;
use std::sync::Mutex;
use weir_tests::process::{Answering, Bench, Ended, Reply, Request, WordCount, plugin, small_registry};

/// `me:s3cret`, as a header has it.
const PASSWORD: &str = "Basic bWU6czNjcmV0";
const BASIC: &str = "WWW-Authenticate: Basic realm=\"r\"\r\n";
/// As much of a component as a pull looks at.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn answer(status: &'static str, headers: impl Into<String>) -> Reply {
    Reply::Whole(status, headers.into(), Vec::new())
}

/// Asks for a token of the server at this host.
fn bearer(host: &str) -> String {
    format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"r\"\r\n")
}

fn told(request: &Request) -> bool {
    request.header("authorization").is_some()
}

/// A user whom Docker's configuration knows in one registry.
struct User {
    bench: Bench,
    host: String,
}

impl User {
    fn of(host: String) -> Self {
        let user = Self { bench: Bench::new(WEIR, WordCount::default()), host };
        fs::create_dir(user.bench.path("docker")).expect("a folder");
        user.configure(&format!("\"auths\":{{{:?}:{{\"auth\":\"bWU6czNjcmV0\"}}}}", user.host));
        user
    }

    fn configure(&self, text: &str) {
        fs::write(self.bench.path("docker/config.json"), format!("{{{text}}}")).expect("a file");
    }

    fn run(&self, line: &str, variables: &[(&str, &str)]) -> Ended {
        let [docker, cache] = ["docker", "cache"].map(|folder| self.bench.path(folder).display().to_string());
        let own = [("DOCKER_CONFIG", &*docker), ("XDG_CACHE_HOME", &*cache), ("REGISTRY_AUTH_FILE", "/no/such")];
        self.bench.run_with(line, &[&own, variables].concat())
    }

    fn pull(&self) -> Ended {
        self.run(&format!("plugin pull {}/a:1 -o pulled.wasm", self.host), &[])
    }

    fn push(&self) -> Ended {
        self.run(&format!("plugin push {} {}/a:1", plugin("word-count-count").display(), self.host), &[])
    }
}

#[test]
fn who_asks_is_not_said_to_where_a_registry_leads_even_where_that_asks() {
    // What it leads to wants a password, or a token of a third one.
    let thief = Answering::start(|_| Reply::Whole("200 OK", String::new(), b"{\"token\":\"t\"}".to_vec()));
    for challenge in [BASIC.to_owned(), bearer(&thief.host())] {
        let elsewhere = Answering::start(move |_| answer("401 Unauthorized", challenge.clone()));
        let address = elsewhere.host();
        let registry = Answering::start(move |request| match (request.method.as_str(), told(request)) {
            (_, false) => answer("401 Unauthorized", BASIC),
            ("GET", true) => answer("307 Temporary Redirect", format!("Location: http://{address}{}\r\n", request.path)),
            ("HEAD", true) => answer("404 Not Found", ""),
            (_, true) => answer("202 Accepted", format!("Location: http://{address}/up\r\n")),
        });
        let user = User::of(registry.host());
        let refused = ["at 127.0.0.1, where the registry leads: the registry does not let us: 401", "credentials go to the registry alone"];
        user.pull().assert(1, &refused);
        user.push().assert(1, &refused);
        assert!(registry.seen().iter().any(|request| request.header("authorization") == Some(PASSWORD)), "{:?}", registry.seen());
        let methods: Vec<_> = elsewhere.seen().iter().map(|request| request.method.clone()).collect();
        assert_eq!(methods, ["GET", "PUT"], "each is asked once");
        assert!(!elsewhere.seen().iter().any(told), "{:?}", elsewhere.seen());
    }
    assert!(thief.seen().is_empty(), "{:?}", thief.seen());
}

#[test]
fn a_registry_that_asks_nobody_and_leads_to_one_that_does_is_not_taken_for_that() {
    let thief = Answering::start(|_| Reply::Whole("200 OK", String::new(), b"{\"token\":\"t\"}".to_vec()));
    let challenge = bearer(&thief.host());
    let elsewhere = Answering::start(move |_| answer("401 Unauthorized", challenge.clone()));
    let address = elsewhere.host();
    let leads = move |request: &Request| answer("307 Temporary Redirect", format!("Location: http://{address}{}\r\n", request.path));
    let registry = Answering::start(leads);
    let user = User::of(registry.host());
    user.pull().assert(1, &["at 127.0.0.1, where the registry leads: the registry does not let us: 401"]);
    user.push().assert(1, &["at 127.0.0.1, where the registry leads: the registry does not let us: 401"]);
    assert!(thief.seen().is_empty(), "{:?}", thief.seen());
    assert!(!registry.seen().iter().chain(&elsewhere.seen()).any(told), "{:?}", registry.seen());
}

#[test]
fn what_is_sent_goes_to_no_address_but_the_one_that_was_named_for_it() {
    let elsewhere = Answering::start(|_| answer("201 Created", ""));
    let address = elsewhere.host();
    let registry = Answering::start(move |request| match request.method.as_str() {
        "HEAD" => answer("404 Not Found", ""),
        "POST" => answer("202 Accepted", "Location: /v2/a/blobs/uploads/1\r\n"),
        _ => answer("307 Temporary Redirect", format!("Location: http://{address}/up\r\n")),
    });
    User::of(registry.host()).push().assert(1, &["the registry leads on what goes to one address: 307 Temporary Redirect"]);
    assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.seen());
}

#[test]
fn a_question_is_answered_once_and_a_token_that_has_grown_old_is_renewed() {
    let refuses = Answering::start(|_| answer("401 Unauthorized", BASIC));
    User::of(refuses.host()).pull().assert(1, &["the registry does not let us: 401"]);
    assert_eq!(refuses.seen().iter().map(|request| request.header("authorization").is_some()).collect::<Vec<_>>(), [false, true]);

    // Each token is good for two requests, and who asks for one says so.
    let tokens = Mutex::new(0);
    let registry = Answering::start(move |request| {
        let mut uses = tokens.lock().expect("no test panics there");
        if request.path.starts_with("/token") {
            *uses = (*uses / 10 + 1) * 10;
            return Reply::Whole("200 OK", String::new(), format!("{{\"token\":\"t{}\"}}", *uses / 10).into_bytes());
        }
        if *uses % 10 == 2 || request.header("authorization") != Some(&format!("Bearer t{}", *uses / 10)) {
            return answer("401 Unauthorized", bearer(request.header("host").unwrap_or_default()));
        }
        *uses += 1;
        match request.method.as_str() {
            "HEAD" => answer("404 Not Found", ""),
            "POST" => answer("202 Accepted", "Location: /v2/a/blobs/uploads/1\r\n"),
            _ => answer("201 Created", ""),
        }
    });
    User::of(registry.host()).push().assert(0, &[]);
    let seen = registry.seen();
    let asked: Vec<_> = seen.iter().filter(|request| request.path.starts_with("/token")).collect();
    // Two blobs of three requests each, and the manifest.
    assert_eq!(asked.len(), 4, "{seen:?}");
    assert!(asked.iter().all(|request| request.header("authorization") == Some(PASSWORD)), "{seen:?}");
    assert!(asked.iter().all(|request| request.path.contains("scope=repository%3Aa%3Apull%2Cpush")), "{seen:?}");
}

#[cfg(unix)]
#[test]
fn a_helper_of_docker_is_asked_for_the_registry_and_for_no_other() {
    use std::os::unix::fs::PermissionsExt;
    let behind = small_registry(COMPONENT.to_vec());
    let address = behind.host();
    let registry = Answering::start(move |request| match request.header("authorization") {
        Some(PASSWORD) => Reply::Forward(address.clone()),
        _ => answer("401 Unauthorized", BASIC),
    });
    let user = User::of(registry.host());
    let helper = user.bench.path("docker-credential-ours");
    let write = |script: &str| {
        fs::write(&helper, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&helper, PermissionsExt::from_mode(0o755)).expect("it is ours");
    };
    let path = format!("{}:{}", user.bench.path("").display(), std::env::var("PATH").unwrap_or_default());
    let pull = |host: &str| user.run(&format!("plugin pull {host}/a:1 -o pulled.wasm"), &[("PATH", &path)]);
    user.configure(&format!("\"credHelpers\":{{{:?}:\"ours\"}}", registry.host()));
    let asked = user.bench.path("asked");
    let told = "'{\"Username\":\"me\",\"Secret\":\"s3cret\"}'";
    write(&format!("echo \"$1 $(cat)\" >> {}; echo {told}", asked.display()));
    pull(&registry.host()).assert(0, &[]);
    assert_eq!(fs::read_to_string(&asked).expect("it was asked"), format!("get {}\n", registry.host()));
    let other = Answering::start(|_| answer("401 Unauthorized", BASIC));
    pull(&other.host()).assert(1, &["asks for a user and a password"]);
    assert_eq!(fs::read_to_string(&asked).expect("it was asked").lines().count(), 1);
    // What it says beyond its bounds, and what it complains of, ends the pull.
    write("exec yes");
    pull(&registry.host()).assert(1, &["its helper docker-credential-ours answers with more than 64 KiB"]);
    write("echo 'the keychain is locked' >&2; exit 1");
    pull(&registry.host()).assert(1, &["docker/config.json: its helper docker-credential-ours fails: the keychain is locked"]);
}

#[test]
fn a_proxy_stands_before_every_registry_but_one_of_this_machine_or_one_that_it_leaves_alone() {
    let registry = small_registry(COMPONENT.to_vec());
    let address = registry.host();
    let proxy = Answering::start(move |_| Reply::Forward(address.clone()));
    let through = format!("http://{}", proxy.host());
    // The same machine, by an address that does not say so.
    let elsewhere = registry.host().replace("127.0.0.1", "0.0.0.0");
    let user = User::of(registry.host());
    let pull = |host: &str, none: &str| {
        let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, &*through));
        let others = [("NO_PROXY", none), ("no_proxy", none), ("WEIR_INSECURE_REGISTRIES", &*elsewhere)];
        // Without a cache each of them asks for all.
        fs::remove_dir_all(user.bench.path("cache")).ok();
        user.run(&format!("plugin pull {host}/a:1 -o pulled.wasm"), &[&names[..], &others].concat()).assert(0, &[]);
        (registry.seen().len(), proxy.seen().len())
    };
    assert_eq!(pull(&elsewhere, ""), (2, 2), "all by the proxy");
    assert_eq!(pull(&elsewhere, "other.example,0.0.0.0"), (4, 2), "none by it");
    assert_eq!(pull(&registry.host(), ""), (6, 2), "none by it");
}
