//! What whoever watches a running job sees of it: figures for Prometheus, probes, the stream of a page, checkpoints with where their time went; and who may see that.

use crate::WEIR;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::time::Duration;
use weir_tests::process::{Bench, Running, Signal, WordCount};

const TOKEN: &str = "t0ken-of-the-job";
const OF_METRICS: &str = "t0ken-of-the-metrics";

/// A job that runs for more than a minute, whose file says which tokens its API wants.
fn started() -> (Bench, Running, String) {
    let bench = Bench::new(WEIR, WordCount::long());
    std::fs::write(bench.path("token"), TOKEN).expect("a file");
    std::fs::write(bench.path("metrics"), OF_METRICS).expect("a file");
    let file = |name: &str| format!("{{ file = {:?} }}", bench.path(name));
    let job = std::fs::read_to_string(bench.path("job.toml")).expect("the job");
    bench.write_job(&format!("{job}\n[api]\ntoken = {}\nmetrics-token = {}\n", file("token"), file("metrics")));
    let mut process = bench.start("run job.toml --output json");
    let api = bench.api(&mut process);
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    (bench, process, api)
}

/// The status and the answer, for this token.
pub(crate) fn get(api: &str, path: &str, token: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let answer = agent.get(format!("http://{api}{path}")).header("authorization", format!("Bearer {token}")).call();
    let mut answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("a text"))
}

/// The sum of a figure over all its labels that begin so.
pub(crate) fn sum(figures: &str, name: &str) -> f64 {
    let values = figures.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}

#[test]
fn a_running_job_tells_its_figures_and_its_checkpoints_to_who_may_see_them() {
    let (bench, mut process, api) = started();
    for (path, token, status) in [
        ("/healthz", "", 200),
        ("/readyz", "", 200),
        ("/", "", 200),
        ("/metrics", OF_METRICS, 200),
        ("/metrics", TOKEN, 200),
        ("/metrics", "", 401),
        ("/v1/job", TOKEN, 200),
        ("/v1/job", OF_METRICS, 401),
        ("/v1/config", OF_METRICS, 401),
        ("/v1/events", "", 401),
    ] {
        assert_eq!(get(&api, path, token).0, status, "{path} for `{token}`");
    }
    // The commands find the token where the job file says that it is.
    let job = bench.run("status job.toml --output json").document();
    let figures = get(&api, "/metrics", OF_METRICS).1;
    assert_eq!(sum(&figures, "weir_job_running{"), 1.0, "{figures}");
    let sources = job["vertices"][0]["id"].as_str().expect("an id");
    let read =
        sum(&figures, &format!("weir_records_out_total{{job_name=\"{}\",vertex=\"{sources}\"", job["job"].as_str().expect("a name")));
    assert!(read >= job["vertices"][0]["records_out"].as_f64().expect("a number") && read > 0.0, "{read}");
    let spent: Vec<f64> =
        ["busy", "idle", "backpressured"].iter().map(|at| sum(&figures, &format!("weir_task_{at}_seconds_total{{"))).collect();
    let tasks = figures.lines().filter(|line| line.starts_with("weir_task_busy_seconds_total{")).count() as f64;
    let (all, up) = (spent.iter().sum::<f64>(), sum(&figures, "weir_job_uptime_seconds{"));
    assert!(spent[0] > 0.0 && all > up / 2.0 && all <= tasks * up, "{spent:?} of {up} s of {tasks} tasks");

    assert!(process.runs_until("a checkpoint has its times", || {
        let told: Value = serde_json::from_str(&get(&api, "/v1/checkpoints", TOKEN).1).expect("JSON");
        let complete = |one: &&Value| one["state"] == "completed";
        told["checkpoints"].as_array().expect("a list").iter().find(complete).is_some_and(|one| {
            let tasks = one["tasks"].as_array().expect("a list");
            let whole = |task: &Value| ["alignment_ms", "capture_ms", "upload_ms"].iter().all(|time| task[*time].is_number());
            !tasks.is_empty() && tasks.iter().all(whole) && one["trigger"] == "periodic"
        })
    }));
    process.send(Signal::Terminate);
    let ended = process.ended();
    ended.assert(0, &[]);
    for secret in [TOKEN, OF_METRICS] {
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(secret));
    }
}

#[test]
fn a_stream_tells_how_a_job_goes_until_it_has_ended() {
    let (_bench, process, api) = started();
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).proxy(None).build().into();
    let asked = agent.get(format!("http://{api}/v1/events")).header("authorization", format!("Bearer {TOKEN}"));
    let stream = BufReader::new(asked.call().expect("an answer").into_body().into_reader());
    let (mut events, mut process) = (Vec::new(), Some(process));
    for line in stream.lines().map_while(Result::ok) {
        events.extend(line.strip_prefix("event: ").map(str::to_owned));
        if events.len() == 2 {
            // Two have come: the job goes on, and is asked to stop.
            process.iter().for_each(|process| process.send(Signal::Terminate));
        }
    }
    process.take().expect("it was started").ended().assert(0, &[]);
    let (last, before) = events.split_last().expect("there are some");
    assert!(last == "ended" && before.len() >= 2 && before.iter().all(|event| event == "job"), "{events:?}");
}

/// The next event of a stream; `None`: it has ended.
fn next_event(stream: &mut impl BufRead) -> Option<String> {
    stream.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("event: ").map(str::to_owned))
}

#[test]
fn pages_that_nobody_looks_at_keep_nobody_out() {
    let (bench, process, api) = started();
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).proxy(None).build().into();
    let open = || {
        let asked = agent.get(format!("http://{api}/v1/events")).header("authorization", format!("Bearer {TOKEN}"));
        BufReader::new(asked.call().expect("an answer").into_body().into_reader())
    };
    let mut streams: Vec<_> = (0..16).map(|_| open()).collect();
    assert!(streams.iter_mut().all(|stream| next_event(stream).is_some_and(|event| event == "job")), "each is told how the job is doing");
    // More than the API has connections: each ends the oldest.
    streams.extend((0..64).map(|_| open()));
    assert!(streams[..64].iter_mut().all(|stream| std::iter::from_fn(|| next_event(stream)).all(|event| event == "job")));
    assert!(streams[64..].iter_mut().all(|stream| next_event(stream).is_some_and(|event| event == "job")));
    bench.run("stop job.toml").assert(0, &[]);
    assert!(streams[64..].iter_mut().all(|stream| std::iter::from_fn(|| next_event(stream)).last().is_some_and(|event| event == "ended")));
    process.ended().assert(0, &[]);
}
