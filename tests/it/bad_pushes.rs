//! Pushes to registries that mean harm, or do what the specification allows and few do: what they answer is read within bounds, where they lead gets no
//! credentials, and what is pushed arrives.

use crate::WEIR;
use weir_tests::process::{Answering, Bench, Ended, Reply, Request, WordCount, plugin, sha256};

/// `me:s3cret`, as a header has it.
const PASSWORD: &str = "Basic bWU6czNjcmV0";

fn answer(status: &'static str, headers: impl Into<String>) -> Reply {
    Reply::Whole(status, headers.into(), Vec::new())
}

/// What a registry does that takes everything, and has it from then on.
fn taken(request: &Request) -> Reply {
    match request.method.as_str() {
        "HEAD" => answer("404 Not Found", ""),
        "POST" => answer("202 Accepted", "Location: /v2/a/blobs/uploads/1?state=x%2Fy\r\n"),
        _ => answer("201 Created", ""),
    }
}

/// Which of the requests of a push this is.
fn stage(request: &Request) -> &'static str {
    match (request.method.as_str(), request.path.contains("/manifests/")) {
        ("HEAD", _) => "has",
        ("POST", _) => "begin",
        (_, false) => "put",
        (_, true) => "name",
    }
}

/// Somebody who pushes, and whom Docker's configuration knows as `me` in the registry of `host`.
struct Pusher {
    bench: Bench,
    host: String,
}

impl Pusher {
    fn new(host: String) -> Self {
        let bench = Bench::new(WEIR, WordCount::default());
        std::fs::create_dir(bench.path("docker")).expect("a folder");
        let pusher = Self { bench, host };
        pusher.configure("\"auth\":\"bWU6czNjcmV0\"");
        pusher
    }

    fn configure(&self, entry: &str) {
        let configured = format!("{{\"auths\":{{{:?}:{{{entry}}}}}}}", self.host);
        std::fs::write(self.bench.path("docker/config.json"), configured).expect("a file");
    }

    fn push_with(&self, variables: &[(&str, &str)]) -> Ended {
        let home = self.bench.path("docker").display().to_string();
        let variables = [&[("DOCKER_CONFIG", &*home), ("REGISTRY_AUTH_FILE", "/no/such")], variables].concat();
        self.bench.run_with(&format!("plugin push {} {}/a:1 --output json", plugin("word-count-count").display(), self.host), &variables)
    }

    fn push(&self) -> Ended {
        self.push_with(&[])
    }
}

/// Pushes to a registry that answers so; what it was asked.
#[track_caller]
fn check_pushed(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Vec<Request> {
    let registry = Answering::start(answer);
    Pusher::new(registry.host()).push().assert(0, &[]);
    registry.seen()
}

#[test]
fn an_answer_to_a_push_that_does_not_end_is_read_no_further_than_its_status() {
    for (bad, status) in [("begin", "400 Bad Request"), ("put", "502 Bad Gateway"), ("name", "400 Bad Request"), ("has", "200 OK")] {
        let registry = Answering::start(move |request| if stage(request) == bad { Reply::Endless(status) } else { taken(request) });
        let pushed = Pusher::new(registry.host()).push();
        if bad == "has" {
            pushed.assert(0, &[]);
            continue;
        }
        pushed.assert(1, &[&format!("push oci:{}/a:1: the registry ", registry.host()), status]);
        assert!(!pushed.stderr.contains("it says"), "{}", pushed.stderr);
    }
}

#[test]
fn a_blob_is_put_where_the_registry_says_in_one_piece_with_its_digest() {
    let seen = check_pushed(taken);
    let stages: Vec<_> = seen.iter().map(stage).collect();
    assert_eq!(stages, ["has", "begin", "put", "has", "begin", "put", "name"]);
    for put in seen.iter().filter(|request| stage(request) == "put") {
        assert_eq!(put.path, format!("/v2/a/blobs/uploads/1?state=x%2Fy&digest=sha256%3A{}", sha256(&put.body)));
        assert_eq!(put.header("content-type"), Some("application/octet-stream"));
    }
    assert_eq!((&*seen[6].path, seen[6].header("content-type")), ("/v2/a/manifests/1", Some("application/vnd.oci.image.manifest.v1+json")));
    assert_eq!((seen[1].path.as_str(), seen[1].header("content-length")), ("/v2/a/blobs/uploads/", Some("0")));
}

#[test]
fn what_passes_is_tried_again_from_the_beginning_of_the_upload() {
    let failed = std::sync::Mutex::new(vec!["put", "begin", "name"]);
    let seen = check_pushed(move |request| {
        let mut left = failed.lock().expect("no test panics there");
        match left.iter().position(|bad| *bad == stage(request)) {
            Some(at) => answer(["503 Service Unavailable", "429 Too Many Requests"][left.swap_remove(at).len() % 2], ""),
            None => taken(request),
        }
    });
    let stages: Vec<_> = seen.iter().map(stage).collect();
    let expect = ["has", "begin", "has", "begin", "put", "has", "begin", "put", "has", "begin", "put", "name", "name"];
    assert_eq!(stages, expect);
}

#[test]
fn a_registry_that_has_a_blob_need_not_say_where() {
    let begun = std::sync::Mutex::new(false);
    let seen = check_pushed(move |request| {
        let mut begun = begun.lock().expect("no test panics there");
        *begun |= stage(request) == "begin";
        match stage(request) {
            "has" if *begun => answer("200 OK", ""),
            "begin" => answer("201 Created", ""),
            _ => taken(request),
        }
    });
    assert!(seen.iter().all(|request| stage(request) != "put"), "{seen:?}");
    // One that says so and does not have it, and one that keeps another manifest than was pushed.
    let lies = Answering::start(|request| if stage(request) == "begin" { answer("201 Created", "") } else { taken(request) });
    Pusher::new(lies.host()).push().assert(1, &["it answers 201 Created and does not have it"]);
    let other = format!("Docker-Content-Digest: sha256:{}\r\n", "0".repeat(64));
    let another = move |request: &Request| if stage(request) == "name" { answer("201 Created", other.clone()) } else { taken(request) };
    Pusher::new(Answering::start(another).host()).push().assert(1, &["keeps another manifest than was pushed: sha256:0000"]);
}

#[test]
fn who_pushes_is_said_where_it_is_asked_and_to_the_registry_alone() {
    // What everybody may read, and some may write.
    let elsewhere = Answering::start(taken);
    let address = elsewhere.host();
    let registry = Answering::start(move |request| match (stage(request), request.header("authorization")) {
        ("begin" | "name", None) => answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n"),
        ("begin", Some(_)) => answer("202 Accepted", format!("Location: http://{address}/up?x=1\r\n")),
        _ => taken(request),
    });
    let pusher = Pusher::new(registry.host());
    // A proxy would be told the password, and looks for this machine elsewhere.
    let proxy = Answering::start(|_| answer("502 Bad Gateway", ""));
    let through = format!("http://{}", proxy.host());
    pusher.push_with(&[("HTTP_PROXY", &through), ("http_proxy", &through), ("ALL_PROXY", &through), ("NO_PROXY", "")]).assert(0, &[]);
    assert!(proxy.seen().is_empty(), "{:?}", proxy.seen());
    let seen = registry.seen();
    let told = |request: &&Request| request.header("authorization") == Some(PASSWORD);
    assert_eq!((seen.iter().filter(told).count(), seen[0].header("authorization")), (4, None), "{seen:?}");
    let put = elsewhere.seen();
    assert_eq!((put.len(), put[0].path.starts_with("/up?x=1&digest=sha256%3A")), (2, true), "{put:?}");
    assert!(put.iter().all(|request| request.header("authorization").is_none()), "{put:?}");
}

#[test]
fn an_identity_token_goes_to_no_server_but_the_one_that_is_named() {
    let elsewhere = Answering::start(|_| Reply::Whole("200 OK", String::new(), b"{\"token\":\"t\"}".to_vec()));
    let address = elsewhere.host();
    let registry = Answering::start(move |request| match request.path.starts_with("/token") {
        true => answer("307 Temporary Redirect", format!("Location: http://{address}/token\r\n")),
        false => {
            let host = request.header("host").unwrap_or_default();
            answer("401 Unauthorized", format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"\r\n"))
        }
    });
    let pusher = Pusher::new(registry.host());
    pusher.configure("\"identitytoken\":\"s3cret\"");
    let refused = pusher.push();
    refused.assert(1, &["ask for a token: the server of tokens leads to another one, 307", "an identity token does not go"]);
    assert!(elsewhere.seen().is_empty() && !refused.stderr.contains("s3cret"), "{:?}", elsewhere.seen());
    let asked = registry.seen().into_iter().find(|request| request.path == "/token").expect("it is asked");
    assert!(String::from_utf8_lossy(&asked.body).contains("refresh_token=s3cret"), "{asked:?}");
}
