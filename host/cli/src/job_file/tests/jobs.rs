//! The head of a job file, `[checkpoints]` and `[restart]`.

use super::*;
use crate::job_file::model::Limits;
use std::time::Duration;
use weir_engine::checkpoint::CheckpointMode;
use weir_engine::element::BarrierAlignment;
use weir_engine::job::{RestartPolicy, RestartStrategy};

#[test]
fn defaults_are_those_of_the_reference() {
    let job = parsed(GOOD).expect("the file is right");
    assert_eq!((job.parallelism, job.max_parallelism), (2, 128));
    assert_eq!(job.checkpoints.storage.value, "file:.weir");
    assert_eq!((job.checkpoints.config.interval, job.checkpoints.config.timeout), (Duration::from_secs(1), Duration::from_secs(600)));
    assert_eq!(
        (job.checkpoints.retain, job.checkpoints.config.tolerate_failures, job.checkpoints.config.min_pause),
        (3, 0, Duration::ZERO)
    );
    assert_eq!(job.checkpoints.config.stop_timeout, Duration::from_secs(10));
    let restart = RestartPolicy {
        strategy: RestartStrategy::Exponential,
        attempts: 5,
        delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(30),
    };
    assert_eq!(job.restart, restart);
    let Code::Plugin(code) = &job.operators[0].code else { panic!("a plugin") };
    let compile = weir_wasm::CompileLimits::default();
    assert_eq!(
        code.limits,
        Limits {
            memory: 64 << 20,
            recycle_memory: None,
            table_elements: 100_000,
            time_per_batch: Duration::from_secs(1),
            fuel_per_record: None,
            output_bytes: 16 << 20,
            output_records: 1_000_000,
            log_bytes_per_s: 64 << 10,
            state_bytes_per_key: 16 << 20,
            windows_per_key: 10_000,
            compile
        }
    );
    assert_eq!(job.operators[0].state_bytes, None);
    assert_eq!((code.on_failure, &code.config), (OnFailure::Fail, &serde_json::json!({})));
    assert_eq!(job.sinks[0].settings.values, serde_json::json!({"path": "out"}).as_object().cloned().unwrap());
    assert_eq!(job.resolve("out"), Path::new("/jobs/out"));
}

#[test]
fn settings_of_the_head_are_checked() {
    check(
        "name = \"flights\"",
        "name = \"My Flights\"",
        "job.toml:2:8: `My Flights` is not a job's name (a name has 1 to 64 of the characters a-z, 0-9 and `-`)",
    );
    check("name = \"flights\"", "", "job.toml:1:1: the job file has no `name` (for example `name = \"my-job\"`)");
    check("name = \"flights\"", "name = 7", "job.toml:2:8: `name` of the job file is a text in quotes");
    check(
        "name = \"flights\"",
        "name = \"f\"\nmax-parallelism = 40_000",
        "job.toml:3:19: `max-parallelism` of the job file is a whole number from 1 to 32768",
    );
    check(
        "name = \"flights\"",
        "name = \"f\"\nparallelism = 0",
        "job.toml:3:15: `parallelism` of the job file is a whole number from 1 to 32768",
    );
    check(
        "name = \"flights\"",
        "name = \"f\"\nparalelism = 2",
        "job.toml:3:1: unknown key `paralelism` in the job file (did you mean `parallelism`?)",
    );
    check(
        "name = \"flights\"",
        "name = \"f\"\n[sinks.x]\na = 1",
        "job.toml:3:2: unknown key `sinks` in the job file (did you mean `sink`?)",
    );
}

#[test]
fn settings_of_checkpoints_and_restart_are_checked() {
    check_with(
        "[checkpoints]\ninterval = \"1 parsec\"\n",
        "job.toml:17:12: `interval` of [checkpoints] is a duration such as \"200ms\", \"1s\" or \"10m\"",
    );
    check_with(
        "[checkpoints]\ninterval = 5\n",
        "job.toml:17:12: `interval` of [checkpoints] is a duration such as \"200ms\", \"1s\" or \"10m\"",
    );
    check_with(
        "[checkpoints]\ninterval = \"0s\"\n",
        "job.toml:17:12: checkpoints are at least 1ms apart (the default is `interval = \"1s\"`)",
    );
    check_with(
        "[checkpoints]\ntimeout = \"0s\"\n",
        "job.toml:17:11: no checkpoint can be complete in less than 1ms: each would fail (the default is `timeout = \"10m\"`)",
    );
    check_with("[checkpoints]\nretain = 0\n", "job.toml:17:10: `retain` of [checkpoints] is a whole number from 1 to 10000");
    check_with("[checkpoints]\nstorage = \".weir\"\n", "job.toml:17:11: the storage is not a URL (did you mean `file:.weir`?)");
    check_with(
        "[checkpoints]\nstorage = \"gs://bucket\"\n",
        "job.toml:17:11: storage on `gs:` is not built yet (use a folder, `storage = \"file:.weir\"`, or a bucket, `storage = \"s3://bucket/prefix\"`)",
    );
    check_with(
        "[checkpoints]\nstorage = \"s3:bucket\"\n",
        "job.toml:17:11: the storage's URL names no bucket (for example `storage = \"s3://bucket/prefix\"`)",
    );
    check_with("[checkpoints]\nintervall = \"1s\"\n", "job.toml:17:1: unknown key `intervall` in [checkpoints] (did you mean `interval`?)");
    check_with(
        "[restart]\nstrategy = \"expotential\"\n",
        "job.toml:17:12: `strategy` of [restart] is one of `exponential`, `fixed`, `none` (did you mean `exponential`?)",
    );
    check("name = \"flights\"", "name = \"f\"\nrestart = 3", "job.toml:3:11: `restart` of the job file is a table");
}

#[test]
fn a_token_is_named_and_not_written() {
    check_with(
        "[api]\ntoken = \"sesame\"\n",
        "job.toml:17:9: `token` of [api] stands in the job file, which goes into savepoints and is shown (name a variable, `\"${NAME}\"`, or a file, `{ file = \"/run/secrets/…\" }`)",
    );
    check_with(
        "[api]\nmetrics-token = \"${PATH}\"\n",
        "job.toml:17:17: `metrics-token` of [api] stands beside no `token`, so everybody who may read the figures may do everything else as well (say `token` too)",
    );
    let api = parsed(&format!("{GOOD}[api]\nlisten = \"0.0.0.0:7070\"\ntoken = {{ file = \"/nowhere\" }}\n")).expect("right").api;
    assert_eq!((api.listen.value.as_str(), api.token.is_some()), ("0.0.0.0:7070", true), "it is read when the job is started");
    assert_eq!(api.shown["token"], serde_json::json!({ "file": "/nowhere" }));
}

#[test]
fn barriers_are_aligned_overtake_or_hold_nothing_back() {
    let parsed_with = |lines: &str| parsed(&format!("{GOOD}[checkpoints]\n{lines}\n")).unwrap().checkpoints.config;
    assert_eq!(parsed_with("").alignment, BarrierAlignment::Aligned);
    assert_eq!(parsed_with("unaligned = \"always\"").alignment, BarrierAlignment::Unaligned);
    assert_eq!(parsed_with("unaligned = \"200ms\"").alignment, BarrierAlignment::AlignedFor(Duration::from_millis(200)));
    assert_eq!(parsed_with("mode = \"at-least-once\"\nunaligned = \"never\"").mode, CheckpointMode::AtLeastOnce);
    let several = parsed_with("max-concurrent = 2\nmax-in-flight-bytes = \"1MiB\"");
    assert_eq!((several.max_concurrent, several.max_in_flight_bytes), (2, 1 << 20));
    check_with(
        "[checkpoints]\nunaligned = \"sometimes\"\n",
        "job.toml:17:13: `unaligned` of [checkpoints] is `never`, `always` or a duration, not `sometimes` (`\"200ms\"`: aligned at first, unaligned where that takes longer)",
    );
    check_with(
        "[checkpoints]\nmode = \"at-least-once\"\nunaligned = \"1s\"\n",
        "job.toml:18:13: at-least-once checkpoints hold no channel back, so there is nothing for a barrier to overtake (leave `unaligned` out, or write `mode = \"exactly-once\"`)",
    );
}

#[test]
fn what_holds_anyway_may_be_said() {
    let text = format!(
        "{GOOD}[checkpoints]\nmode = \"exactly-once\"\nunaligned = \"never\"\nmax-concurrent = 1\nmax-in-flight-bytes = \"256MiB\"\n"
    );
    assert!(parsed(&text).is_ok());
}
