use super::*;
use crate::api::body::{ALL_MAX, Bodies, COMPONENT_MAX, JSON_MAX, UPLOADS_MAX};
use crate::api::change::Shape;
use crate::api::guard::Tokens;
use crate::api::server::SAVEPOINT_WITHIN;
use crate::api::shown::{ShownGraph, ShownVertex};
use crate::api::{Ended, RunningParts};
use crate::job_file::{SourceText, parse};
use crate::plugins::Compiler;
use crate::storage::threads;
use crate::terminal::Screen;
use axum::body::{Body, to_bytes};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_engine::job::{JobControl, JobFileCopy, JobInbox, JobStatus};
use weir_engine::metrics::{LagUnit, SourceLag, SplitLag};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::storage::ObjectStorage;

#[test]
fn the_description_names_every_route_and_no_other() {
    let described: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let paths = described["paths"].as_object().expect("paths");
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| methods.as_object().expect("methods").keys().map(|method| (path.clone(), method.clone())))
        .collect();
    let source = include_str!("../routes.rs");
    let routed: BTreeSet<(String, String)> = source
        .split(".route(\"")
        .skip(1)
        .map(|rest| {
            let (path, handler) = rest.split_once("\", ").expect("a path and a handler");
            (path.to_owned(), handler.split('(').next().expect("a method").to_owned())
        })
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn the_description_has_the_bounds_that_hold() {
    let described: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let at = |path: &str| described.pointer(path).and_then(Value::as_u64);
    let rescale = "/paths/~1v1~1rescale/post/requestBody/content/application~1json/schema/properties/parallelism/maximum";
    assert_eq!(at(rescale), Some(weir_engine::state::MAX_PARALLELISM_LIMIT.into()));
    assert_eq!(at("/paths/~1v1~1upgrade/post/parameters/2/schema/maximum").map(Duration::from_millis), Some(PROBATION_MAX));
    let component = "/paths/~1v1~1upgrade/post/requestBody/content/application~1wasm/schema/maxLength";
    assert_eq!(at(component), Some(COMPONENT_MAX as u64));
    let told = described["info"]["description"].as_str().expect("a text");
    for bytes in [JSON_MAX, COMPONENT_MAX, ALL_MAX] {
        assert!(told.contains(&bytes.to_string()), "{bytes}");
    }
    for bound in [format!("{UPLOADS_MAX} components"), format!("{} s to be written", SAVEPOINT_WITHIN.as_secs())] {
        assert!(told.contains(&bound), "{bound}");
    }
}

/// The API of a job that does not run. Whatever its engine would do never comes.
struct Bench {
    threads: ThreadRuntime,
    job: RunningJob,
    status: Arc<JobStatus>,
    _inbox: JobInbox,
}

impl Bench {
    fn new(text: &str) -> Self {
        let threads = threads().expect("threads");
        let source = SourceText { name: "job.toml".into(), text: text.into() };
        let file = parse(source, std::path::Path::new("/jobs"), 1).expect("a fine job");
        let (control, inbox) = JobControl::new();
        let opened = ObjectStorage::open("memory:", std::path::Path::new("/"), "j", threads.control());
        let status = Arc::new(JobStatus::new(1));
        let parts = RunningParts {
            control,
            status: status.clone(),
            store: Arc::new(threads.block_on(opened).expect("memory")),
            runtime: threads.runtime(),
            threads: threads.control().clone(),
            graph: ShownGraph {
                vertices: vec![ShownVertex { id: "in".into(), parallelism: 1, kind: "source", connector: Some("stdin"), plugin: None }],
                edges: Vec::new(),
            },
            shape: Shape {
                file,
                plugins: Default::default(),
                digests: Default::default(),
                parallelism: Default::default(),
                components: Vec::new(),
                upgraded_to: Default::default(),
                compiler: Compiler::new(Screen::of_process(true), false),
            },
            plan: json!({ "job": "j" }),
            storage: "memory:/j".into(),
            job_file: "/jobs/job.toml".into(),
            job_copy: JobFileCopy { text: Default::default(), folder: "/jobs".into(), pinned: Vec::new() },
        };
        Self { job: RunningJob::new(parts), status, threads, _inbox: inbox }
    }

    /// The status, and the answer where it is JSON.
    fn ask(&self, method: &str, path: &str, json: &str) -> (u16, Value) {
        let (status, _, answer) = self.send(method, path, json, Some("t"));
        (status, serde_json::from_str(&answer).unwrap_or_default())
    }

    /// The same of a request without a body, with this token or none.
    fn ask_text(&self, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
        let (status, _, answer) = self.send(method, path, "", token);
        (status, answer)
    }

    fn send(&self, method: &str, path: &str, json: &str, token: Option<&str>) -> (u16, header::HeaderMap, String) {
        let api = Api { job: self.job.clone(), bodies: Bodies::new(self.job.clock()), streams: Default::default() };
        let router = TowerToHyperService::new(router(api, Guard::Tokens(Tokens { all: "t".into(), metrics: None })));
        let request = axum::http::Request::builder().method(method).uri(path);
        let request = token.into_iter().fold(request, |request, token| request.header("authorization", format!("Bearer {token}")));
        let request = request.header("content-type", "application/json").body(Body::from(json.to_owned())).expect("a request");
        self.threads.block_on(async {
            let answer = router.call(request).await.expect("every request has an answer");
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a short answer");
            (status, headers, String::from_utf8_lossy(&bytes).into_owned())
        })
    }
}

const STANDARD: &str =
    "name = \"j\"\n[source.in]\nconnector = \"stdin\"\nreplay = \"none\"\n[sink.out]\nconnector = \"stdout\"\ninput = \"in\"\n";

#[test]
fn the_status_says_how_far_a_source_lags_behind_what_is_known_of_it() {
    let bench = Bench::new(STANDARD);
    let lag = || bench.ask("GET", "/v1/job", "").1["vertices"][0]["lag"].clone();
    assert_eq!(lag(), Value::Null, "before anything is known of it");
    let set = |sum: SourceLag| bench.status.metrics.vertices[0].lag.set(0, sum);
    set(SourceLag { known: None, unknown_splits: 3 });
    let unknown =
        serde_json::json!({ "unit": null, "total": null, "largest": null, "largest_split": null, "splits": [], "unknown_splits": 3 });
    assert_eq!(lag(), unknown, "that nobody knows is not that there is nothing");
    let mut sum = SourceLag::default();
    for (split, amount) in [("a", Some(7)), ("b", None), ("c", Some(9))] {
        sum.add(split, amount.map(|amount| SplitLag { amount, unit: LagUnit::Records }));
    }
    set(sum);
    let splits = serde_json::json!([{ "split": "c", "lag": 9 }, { "split": "a", "lag": 7 }]);
    let known =
        serde_json::json!({ "unit": "records", "total": 16, "largest": 9, "largest_split": "c", "splits": splits, "unknown_splits": 1 });
    assert_eq!(lag(), known);
}

#[test]
fn the_status_says_how_far_event_time_has_come_where_anything_tells_it() {
    let bench = Bench::new(STANDARD);
    let source = || bench.ask("GET", "/v1/job", "").1["vertices"][0].clone();
    assert_eq!((source().get("watermark"), &source()["ahead"], &source()["skipped"]), (None, &json!(0), &json!(0)));
    let metrics = &bench.status.metrics.vertices[0];
    metrics.watermark.reset(2);
    metrics.watermark.set(0, Some(9));
    assert_eq!(source().get("watermark"), None, "one subtask has said nothing yet");
    metrics.watermark.set(1, Some(-7));
    metrics.ahead.add(3);
    metrics.skipped.add(2);
    metrics.late.add(5);
    assert_eq!((&source()["watermark"], &source()["ahead"], &source()["skipped"]), (&json!(-7), &json!(3), &json!(2)));
    assert_eq!(source()["late"], json!(5));
}

#[test]
fn whatever_is_refused_is_refused_in_json_with_a_hint() {
    let bench = Bench::new(STANDARD);
    for (method, path, body, expect) in [
        ("GET", "/v1/nothing", "", 404),
        ("DELETE", "/v1/job", "", 405),
        ("POST", "/openapi.json", "", 405),
        ("PUT", "/v1/holds/7", "", 405),
        ("POST", "/v1/holds/abc", "", 400),
        ("DELETE", "/v1/holds/-1", "", 400),
        ("POST", "/v1/holds/7", "", 404),
        ("POST", "/v1/upgrade", "", 400),
        ("POST", "/v1/upgrade?operator=a&name=x&probation_ms=soon", "", 400),
        ("POST", "/v1/upgrade?operator=a&name=x&probation_ms=99999999999", "", 422),
        ("POST", "/v1/stop", "{", 400),
        ("POST", "/v1/stop", "{\"drain\":7}", 422),
        ("POST", "/v1/rescale", "{\"parallelism\":7}", 422),
    ] {
        let (status, answer) = bench.ask(method, path, body);
        assert_eq!(status, expect, "{method} {path}: {answer}");
        let said = |field: &str| answer["error"][field].as_str().is_some_and(|text| !text.is_empty());
        assert!(said("message") && said("hint"), "{method} {path}: {answer}");
        let described: Value = serde_json::from_str(OPENAPI).expect("JSON");
        let errors = described.pointer("/components/responses/Error/description").and_then(Value::as_str).expect("a text");
        assert!(errors.contains(&status.to_string()), "{status} is not described");
    }
}

#[test]
fn probes_need_no_token_and_the_figures_do() {
    let bench = Bench::new(STANDARD);
    let ask = |path: &str, token: Option<&str>| bench.ask_text("GET", path, token).0;
    assert_eq!((ask("/healthz", None), ask("/readyz", None), ask("/metrics", None)), (200, 503, 401), "no subtask runs yet");
    let (status, text) = bench.ask_text("GET", "/metrics", Some("t"));
    assert!(status == 200 && text.contains("weir_job_running{job_name=\"j\"} 0.0\n"), "{text}");
    let said = ["/healthz", "/readyz"].map(|path| bench.ask_text("GET", path, None).1);
    assert_eq!(said, ["the process answers\n", "not all subtasks run\n"], "and nothing of the job");
}

#[test]
fn the_page_needs_no_token_and_loads_nothing_of_others() {
    let bench = Bench::new(STANDARD);
    for (path, kind) in [("/", "text/html"), ("/app.js", "text/javascript"), ("/app.css", "text/css")] {
        let (status, headers, text) = bench.send("GET", path, "", None);
        let has = |name: &str, value: &str| headers.get(name).is_some_and(|has| has.to_str().is_ok_and(|has| has.contains(value)));
        assert!(status == 200 && !text.is_empty() && has("content-type", kind), "{path}: {headers:?}");
        for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'"] {
            assert!(has("content-security-policy", rule), "{path}: {headers:?}");
        }
        assert!(has("x-content-type-options", "nosniff") && has("referrer-policy", "no-referrer"), "{path}: {headers:?}");
    }
    let (_, _, page) = bench.send("GET", "/", "", None);
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("<script>"), "the policy lets none of these in");
}

#[test]
fn what_the_page_asks_for_is_told_to_who_has_the_token() {
    let bench = Bench::new(STANDARD);
    for path in ["/v1/checkpoints", "/v1/failures", "/v1/config", "/v1/events"] {
        assert_eq!(bench.ask_text("GET", path, None).0, 401, "{path}");
    }
    assert_eq!(bench.ask("GET", "/v1/checkpoints", "").1["checkpoints"], json!([]));
    assert_eq!(bench.ask("GET", "/v1/failures", "").1["failures"], json!([]));
    assert_eq!(bench.ask("GET", "/v1/config", "").1, json!({ "job": "j" }));
    // A stream that ends with the job: first how it is, then how it ended.
    bench.job.end(Ended { outcome: "finished".into(), error: None, hint: None });
    let (status, events) = bench.ask_text("GET", "/v1/events", Some("t"));
    let events: Vec<&str> = events.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((status, events), (200, vec!["job", "ended"]));
}

#[test]
fn a_rescale_that_no_step_follows_is_refused_and_says_why() {
    let (status, answer) = Bench::new(STANDARD).ask("POST", "/v1/rescale", "{\"parallelism\":7}");
    assert_eq!(status, 422);
    assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("`in` reads standard input")), "{answer}");
}

#[test]
fn the_name_of_an_upload_is_fit_to_be_shown() {
    let bench = Bench::new(STANDARD);
    let request = |name: &str| UpgradeRequest {
        operator: "a".into(),
        name: name.into(),
        reference: Some(name.into()),
        manifest: Some(name.into()),
        probation_ms: 1,
        until_checkpoint: false,
        allow_repeat: false,
    };
    let shown = |name: &str| {
        let UpgradeRequest { name, reference, manifest, .. } = may_upgrade(&bench.job, request(name)).expect("nothing is under way");
        assert_eq!((reference.as_deref(), manifest.as_deref()), (Some(&*name), Some(&*name)));
        name
    };
    assert_eq!(shown("\nweir: all done\u{1b}[31m"), "\\nweir: all done\\u{1b}[31m");
    assert_eq!(shown("plugins/new.wasm"), "plugins/new.wasm");
    assert!(shown(&"x".repeat(10_000)).len() < 300);
}

#[test]
fn a_stop_whose_savepoint_cannot_be_made_says_that_the_job_goes_on() {
    let (bench, folder) = (Bench::new(STANDARD), tempfile::tempdir().expect("a folder"));
    std::fs::write(folder.path().join("mine"), "x").expect("written");
    for url in [format!("file:{}", folder.path().display()), "gs://x/y".to_owned()] {
        let (status, answer) = bench.ask("POST", "/v1/stop", &json!({ "savepoint": url }).to_string());
        assert_eq!(status, 422, "{answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|text| text.ends_with("; the job goes on")), "{answer}");
    }
}

#[test]
fn who_waits_for_the_end_of_a_job_that_fails_is_told_what_to_do() {
    let bench = Bench::new(STANDARD);
    let (error, hint) = (Some("it is given up".to_owned()), Some("give it more time".to_owned()));
    bench.job.end(Ended { outcome: "failed".into(), error, hint });
    for path in ["/v1/stop", "/v1/cancel"] {
        let (status, answer) = bench.ask("POST", path, "{}");
        assert_eq!(
            (status, answer["outcome"].as_str(), answer["hint"].as_str()),
            (200, Some("failed"), Some("give it more time")),
            "{path}"
        );
    }
}
