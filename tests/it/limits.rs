//! What whoever speaks to a running job can cost it: connections, bytes and descriptors are bounded, nobody is waited for, and no request brings the job down.

use crate::WEIR;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use weir::process::raise_descriptor_limit;
use weir_tests::process::{Bench, Running, Signal, WordCount, plugin};

/// Far longer than any answer takes; far less than a job would have been held up for.
const PATIENCE: Duration = Duration::from_secs(30);
/// What an end may take that gives requests which never come whole two seconds.
const SOON: Duration = Duration::from_secs(10);

/// A job that runs for more than a minute where nobody stops it.
struct Started {
    bench: Bench,
    process: Running,
    /// Its API's address.
    api: String,
}

fn started(descriptors: u32) -> Started {
    let bench = Bench::new(WEIR, WordCount::long());
    let mut process = bench.start_limited("run job.toml --output json", &format!("-n {descriptors}"));
    let api = bench.api(&mut process);
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    Started { bench, process, api }
}

/// Sends `text` and nothing more.
fn sent(api: &str, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(api).expect("the API listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(text.as_bytes()).expect("room for a few bytes");
    stream
}

fn head(api: &str, path: &str, bytes: u64, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: {api}\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n{more}\r\n")
}

/// The status of the answer, and what it says.
fn answer(mut stream: TcpStream) -> (u16, String) {
    let (mut text, mut part) = (String::new(), [0; 4096]);
    while !(text.contains("\r\n\r\n") && text.ends_with('}')) {
        let read = stream.read(&mut part).expect("an answer");
        if read == 0 {
            break;
        }
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in `{text}`"));
    (status, text)
}

fn ask(api: &str, path: &str, body: &str) -> (u16, String) {
    answer(sent(api, &format!("{}{body}", head(api, path, body.len() as u64, ""))))
}

#[test]
fn a_thousand_idle_connections_cost_the_job_nothing_and_it_still_answers() {
    raise_descriptor_limit();
    let Started { bench, mut process, api } = started(1_024);
    let idle: Vec<TcpStream> = (0..1_000).map(|_| TcpStream::connect(&api).expect("the API listens")).collect();
    assert_eq!(bench.run("status words --output json").assert(0, &[]).document()["state"], "running");
    let before = bench.log().completed.len();
    assert!(process.runs_until("checkpoints go on", || bench.log().completed.len() > before + 3));
    bench.run("stop words").assert(0, &[]);
    let document = process.ended().assert(0, &[]).document();
    assert_eq!((&document["outcome"], &document["restarts"]), (&"stopped".into(), &0.into()), "{document}");
    drop(idle);
}

/// The soft and the hard limit on the descriptors of the process `pid`.
#[cfg(target_os = "linux")]
fn descriptor_limits(pid: u32) -> (u64, u64) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("the process runs");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_else(|| panic!("no descriptors in {limits}"));
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [soft, hard] = numbers[..] else { panic!("two numbers are in {line}") };
    (soft, hard)
}

#[cfg(target_os = "linux")]
#[test]
fn the_soft_limit_on_descriptors_is_raised_at_the_start() {
    let bench = Bench::new(WEIR, WordCount::long());
    let mut process = bench.start_limited("run job.toml", "-Sn 256 && ulimit -Hn 1000");
    bench.api(&mut process);
    assert_eq!(descriptor_limits(process.id()), (1_000, 1_000));
}

#[test]
fn few_descriptors_are_left_to_the_dataflow() {
    let Started { bench, process, api } = started(48);
    let _idle: Vec<TcpStream> = (0..100).filter_map(|_| TcpStream::connect(&api).ok()).collect();
    bench.run("stop words").assert(0, &[]);
    let document = process.ended().assert(0, &[]).document();
    assert_eq!((&document["outcome"], &document["restarts"]), (&"stopped".into(), &0.into()), "{document}");
}

#[test]
fn requests_that_never_come_whole_hold_up_no_end() {
    let Started { bench, process, api } = started(1_024);
    let _half = [
        sent(&api, ""),
        sent(&api, "POST /v1/sto"),
        sent(&api, &format!("{}{{\"dra", head(&api, "/v1/stop", 100, ""))),
        sent(&api, &format!("{}some", head(&api, "/v1/upgrade?operator=count&name=x&probation_ms=1", 1_000_000, ""))),
    ];
    let threads = weir_engine::runtime::ThreadRuntime::new(1).expect("threads");
    let clock = threads.runtime().clock;
    let began = clock.now();
    bench.run("stop words").assert(0, &[]);
    process.ended().assert(0, &[]);
    let took = clock.now() - began;
    threads.shutdown();
    assert!(took < SOON, "{took:?}");
}

#[test]
fn bodies_are_bounded_by_route_and_refused_before_they_are_read() {
    let Started { bench, process, api } = started(1_024);
    let json = answer(sent(&api, &head(&api, "/v1/rescale", 1_000_000, "")));
    assert_eq!(json.0, 413, "{json:?}");
    let upgrade = "/v1/upgrade?operator=count&name=x&probation_ms=1";
    let component = answer(sent(&api, &head(&api, upgrade, (32 << 20) + 1, "")));
    assert_eq!(component.0, 413, "{component:?}");
    let unread = answer(sent(&api, &head(&api, &format!("{upgrade}000000000"), 1_000_000, "")));
    assert!(unread.0 == 422 && unread.1.contains("a probation lasts for 24 hours at most"), "{unread:?}");
    let page = answer(sent(&api, &head(&api, upgrade, 1_000_000, "origin: http://evil.example\r\n")));
    assert_eq!(page.0, 403, "{page:?}");
    let stalled = answer(sent(&api, &format!("{}some", head(&api, upgrade, 1_000_000, ""))));
    assert!(stalled.0 == 408 && stalled.1.contains("4 bytes of it did"), "{stalled:?}");
    bench.run("stop words").assert(0, &[]);
    process.ended().assert(0, &[]);
}

#[test]
fn a_parallelism_that_no_job_file_may_have_is_refused_and_changes_nothing() {
    let bench = Bench::new(WEIR, WordCount::long());
    // Without keys there are no key groups that would bound it.
    bench.edit_job(&format!("plugin = {:?}", plugin("word-count-count")), "native = \"pass-through\"");
    bench.edit_job("input = { from = \"split\", by = \"key\" }", "input = \"split\"");
    let mut process = bench.start("run job.toml --output json");
    let api = bench.api(&mut process);
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    for parallelism in [0, 32_769, 1_000_000, u32::MAX] {
        let refused = ask(&api, "/v1/rescale", &format!("{{\"parallelism\":{parallelism}}}"));
        assert!(refused.0 == 422 && refused.1.contains("it is from 1 to 32768"), "{refused:?}");
        bench.run(&format!("rescale words --parallelism {parallelism}")).assert(2, &["1..=32768"]);
    }
    assert_eq!(bench.log().overrides, 0);
    bench.run("stop words").assert(0, &[]);
    process.ended().assert(0, &[]);
}

#[test]
fn a_rescale_that_cannot_be_deployed_is_undone_by_itself() {
    let bench = Bench::new(WEIR, WordCount::long());
    // Each guest has addresses of its own, some GiB of them: there is room for two, and none for sixty.
    let mut process = bench.start_limited("run job.toml --output json", "-v 60000000");
    bench.api(&mut process);
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    bench
        .run("rescale words --parallelism 30")
        .assert(1, &["the job cannot be deployed with this parallelism, and goes on as it was", "Cannot allocate memory"]);
    let status = bench.run("status words --output json").document();
    assert_eq!((&status["state"], &status["vertices"][3]["parallelism"]), (&"running".into(), &1.into()), "{status}");
    assert_eq!(bench.log().overrides, 0, "what was never deployed is not in the log");
    bench.run("rescale words --parallelism 2 --operator out").assert(0, &[]);
    assert_eq!(bench.log().overrides, 1);
    bench.run("stop words").assert(0, &[]);
    process.ended().assert(0, &["the rescale is undone: ", "rescaled behind checkpoint "]);
    bench.hasten();
    bench.run("run job.toml").assert(0, &["out: parallelism 2 by a rescale; the job file says 1"]);
    bench.assert_exactly_once();
}

#[test]
fn a_rescale_with_which_the_job_gets_nowhere_is_undone_before_it_is_given_up() {
    let bench = Bench::new(WEIR, WordCount::default());
    // Each sink opens a file of its own with its first record: within the first checkpoint they are more than there may be.
    bench.write_job(
        "name = \"words\"
parallelism = 2
max-parallelism = 1000
[checkpoints]
interval = \"1s\"
[source.in]
connector = \"generator\"
rate = 20000
[operator.count]
native = \"keyed-count\"
input = { from = \"in\", by = \"key\" }
[sink.out]
connector = \"file\"
input = \"count\"
path = \"out\"
format = \"jsonl\"
",
    );
    let mut process = bench.start_limited("run job.toml", "-n 150");
    bench.api(&mut process);
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    // The first may be opened before the log has the rescale, or behind that.
    let asked = bench.run("rescale words --parallelism 300");
    assert!(matches!(asked.code, Some(0 | 1)), "{asked:?}");
    let parallelism = || bench.run("status words --output json").document()["vertices"][2]["parallelism"].as_u64();
    assert!(process.runs_until("the old shape", || parallelism() == Some(2)), "{:?}", process.ended());
    let before = bench.log().completed.len();
    assert!(process.runs_until("checkpoints go on", || bench.log().completed.len() > before + 1), "{:?}", process.ended());
    process.send(Signal::Terminate);
    process.ended().assert(0, &["the rescale is undone", "Too many open files"]);
    let mut resumed = bench.start("run job.toml");
    let parts = bench.parts().len();
    assert!(resumed.runs_until("a committed part", || bench.parts().len() > parts));
    resumed.send(Signal::Terminate);
    let resumed = resumed.ended();
    resumed.assert(0, &[]);
    assert!(!resumed.stderr.contains("by a rescale"), "{}", resumed.stderr);
}
