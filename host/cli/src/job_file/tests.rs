//! What is said about job files that are wrong: one line of the file changed, one problem.

use super::model::Limits;
use super::*;
use std::time::Duration;
use weir_engine::checkpoint::CheckpointMode;
use weir_engine::element::BarrierAlignment;
use weir_engine::job::{RestartPolicy, RestartStrategy};

const GOOD: &str = r#"
name = "flights"

[source.rows]
connector = "file"
path = "data/*.csv"

[operator.delays]
plugin = "delays.wasm"
input = { from = "rows", by = "key" }

[sink.out]
connector = "file"
input = "delays"
path = "out"
"#;

fn parsed(text: &str) -> Result<JobFile, JobFileError> {
    parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/jobs"), 2)
}

/// GOOD with `from` replaced by `to`, which must be wrong in the way `expect` says.
#[track_caller]
fn check(from: &str, to: &str, expect: &str) {
    assert!(GOOD.contains(from), "the template has {from:?}");
    let error = parsed(&GOOD.replacen(from, to, 1)).expect_err("the file is wrong");
    assert_eq!(error.to_string(), expect);
}

/// GOOD with `lines` added at the end, which must be wrong in the way `expect` says.
#[track_caller]
fn check_with(lines: &str, expect: &str) {
    let error = parsed(&format!("{GOOD}{lines}")).expect_err("the file is wrong");
    assert_eq!(error.to_string(), expect);
}

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
    assert_eq!(code.limits, Limits { memory: 64 << 20, time_per_batch: Duration::from_secs(1), state_bytes_per_key: 16 << 20, compile });
    assert_eq!(job.operators[0].state_bytes, None);
    assert_eq!((code.on_failure, &code.config), (OnFailure::Fail, &serde_json::json!({})));
    assert_eq!(job.sinks[0].settings.values, serde_json::json!({"path": "out"}).as_object().cloned().unwrap());
    assert_eq!(job.resolve("out"), Path::new("/jobs/out"));
}

#[test]
fn the_default_parallelism_does_not_pass_the_number_of_key_groups() {
    assert_eq!(parsed(&GOOD.replace("name =", "max-parallelism = 1\nname =")).expect("right").parallelism, 1);
}

#[test]
fn standard_output_is_written_by_one_subtask_unless_the_file_says_more() {
    let sink = |more: &str| {
        let text = format!(
            "name = \"j\"\nparallelism = 4\n[source.in]\nconnector = \"stdin\"\nreplay = \"none\"\n\
            [sink.out]\nconnector = \"stdout\"\ninput = \"in\"\n{more}"
        );
        let job = parsed(&text).expect("right");
        (job.sinks[0].parallelism, job.sinks[0].inputs[0].by, job.follows_job("in"), job.follows_job("out"))
    };
    assert_eq!(sink(""), (1, Partitioning::Forward, false, false));
    assert_eq!(sink("parallelism = 3"), (3, Partitioning::Rebalance, false, false));
    assert!(parsed(GOOD).expect("right").follows_job("out"), "it is not standard output");
}

#[test]
fn partitioning_follows_the_parallelism_where_it_is_not_said() {
    let job = parsed(&GOOD.replace("path = \"out\"", "path = \"out\"\nparallelism = 1")).expect("right");
    assert_eq!(job.sinks[0].inputs[0].by, Partitioning::Rebalance);
    assert_eq!(parsed(GOOD).expect("right").sinks[0].inputs[0].by, Partitioning::Forward);
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
fn an_operator_is_recorded_where_the_file_says_so() {
    let plugin = "plugin = \"delays.wasm\"";
    let recorded = |line: &str| parsed(&GOOD.replace(plugin, &format!("{plugin}\n{line}"))).expect("right").operators[0].record;
    assert_eq!(["", "record = false", "record = true"].map(recorded), [false, false, true]);
    check(plugin, &format!("{plugin}\nrecord = \"all\""), "job.toml:10:10: `record` of [operator.delays] is true or false");
}

#[test]
fn steps_of_every_kind_may_have_had_another_id() {
    let renamed = GOOD.replace("path = \"data/*.csv\"", "path = \"data/*.csv\"\nwas = \"lines\"");
    let renamed = renamed.replace("plugin = ", "was = \"sums\"\nplugin = ").replace("path = \"out\"", "path = \"out\"\nwas = \"files\"");
    let renames = parsed(&renamed).expect("right").renames();
    assert_eq!(renames.into_iter().map(|(id, was)| format!("{was} {id}")).collect::<Vec<_>>(), ["sums delays", "files out", "lines rows"]);
    assert!(parsed(GOOD).expect("right").renames().is_empty());
    check(
        "path = \"out\"",
        "path = \"out\"\nwas = \"rows\"",
        "job.toml:16:7: `rows` is a step of this job, so `out` was not it (take `was` out; it renames a step, once)",
    );
    let twice = GOOD.replace("path = \"", "was = \"old\"\npath = \"");
    assert_eq!(
        parsed(&twice).expect_err("twice").to_string(),
        "job.toml:16:7: `rows` says already that it was `old` (only one step goes on with the state of another)"
    );
}

#[test]
fn what_holds_anyway_may_be_said() {
    let text = format!(
        "{GOOD}[checkpoints]\nmode = \"exactly-once\"\nunaligned = \"never\"\nmax-concurrent = 1\nmax-in-flight-bytes = \"256MiB\"\n"
    );
    assert!(parsed(&text).is_ok());
}

#[test]
fn what_belongs_to_the_source_or_into_a_name_is_said() {
    let input = "input = { from = \"rows\", by = \"key\" }";
    let source_says = |column: &str| {
        format!(
            "`by = \"key\"` distributes records by the key that they have; which column that is, their source says: `key = \"{column}\"`"
        )
    };
    let by = "`by` of an input of [operator.delays] is one of `key`, `forward`, `rebalance`, `broadcast`";
    check(input, "input = { from = \"rows\", by = \"card\" }", &format!("job.toml:10:31: {by} ({})", source_says("card")));
    check(input, "input = { from = \"rows\", by = \"kay\" }", &format!("job.toml:10:31: {by} (did you mean `key`?)"));
    check(
        input,
        "input = { from = \"rows\", by = \"key\", key = \"card\" }",
        &format!("job.toml:10:38: an input of [operator.delays] has no `key` ({})", source_says("card")),
    );
    check(
        "input = \"delays\"",
        "input = { from = \"delays\", output = \"late\" }",
        "job.toml:14:28: an input of [sink.out] has no `output` (a side output is named with its step: `from = \"delays.late\"`)",
    );
}

#[test]
fn references_lead_somewhere() {
    check("input = \"delays\"", "input = \"delay\"", "job.toml:14:9: no source or operator `delay` (did you mean `delays`?)");
    check("input = \"delays\"", "input = \"planes\"", "job.toml:14:9: no source or operator `planes` (there are: `delays`, `rows`)");
    check("from = \"rows\"", "from = \"out\"", "job.toml:10:9: `out` is a sink: nothing comes out of it");
    check("from = \"rows\"", "from = \"rows.late\"", "job.toml:10:9: the source `rows` has no output `late` (write `rows`)");
    check(
        "from = \"rows\"",
        "from = \"delays\"",
        "job.toml:10:9: the steps go in a circle: `delays` → `delays` (records flow from sources to sinks only)",
    );
    check("input = \"delays\"", "inputs = [\"delays\", \"delays\"]", "job.toml:14:21: `delays` is an input of this step already");
    check(
        "input = \"delays\"",
        "input = \"delays.quarantine\"",
        "job.toml:14:9: `delays` puts no record into quarantine (`on-failure = \"quarantine\"` in [operator.delays] does)",
    );
    check(
        "input = \"delays\"",
        "input = \"rows.quarantine\"",
        "job.toml:14:9: `rows` puts no record into quarantine (`on-error = \"quarantine\"` in [source.rows] does)",
    );
}

#[test]
fn a_circle_is_shown_in_the_direction_of_the_records() {
    let second = "[operator.again]\nnative = \"pass-through\"\ninput = \"delays\"\n";
    let text = format!(
        "{}{second}",
        GOOD.replace("{ from = \"rows\", by = \"key\" }", "[\"rows\", \"again\"]").replace("input = [", "inputs = [")
    );
    let error = parsed(&text).expect_err("a circle");
    assert_eq!(
        error.to_string(),
        "job.toml:18:9: the steps go in a circle: `delays` → `again` → `delays` (records flow from sources to sinks only)"
    );
}

#[test]
fn ids_are_unique_over_all_steps() {
    check(
        "[sink.out]",
        "[sink.rows]",
        "job.toml:12:7: there is another step with the id `rows` (ids are unique over sources, operators and sinks)",
    );
    check("[sink.out]", "[sink.\"a b\"]", "job.toml:12:7: `a b` is not an id (an id has 1 to 64 letters, digits, `-` and `_`)");
}

#[test]
fn inputs_are_checked() {
    check("input = \"delays\"", "", "job.toml:12:7: [sink.out] has no `input` (for example `input = \"some-source\"`)");
    check(
        "input = \"delays\"",
        "inputs = []",
        "job.toml:14:10: `inputs` of [sink.out] is a list of inputs (for example `inputs = [\"a\", { from = \"b\", by = \"key\" }]`)",
    );
    check(
        "by = \"key\"",
        "by = \"keys\"",
        "job.toml:10:31: `by` of an input of [operator.delays] is one of `key`, `forward`, `rebalance`, `broadcast` (did you mean `key`?)",
    );
    check(
        "by = \"key\"",
        "on = \"key\"",
        "job.toml:10:26: unknown key `on` in an input of [operator.delays] (there are: `from`, `by`, `to`)",
    );
    check(
        "input = \"delays\"",
        "input = 3",
        "job.toml:14:9: an input of [sink.out] is a text or a table (for example `\"x\"` or `{ from = \"x\", by = \"key\" }`)",
    );
}

#[test]
fn partitioning_fits_the_parallelism() {
    check(
        "input = \"delays\"",
        "parallelism = 1\ninput = { from = \"delays\", by = \"forward\" }",
        "job.toml:15:33: `delays` has parallelism 2 and this step 1: `forward` needs the same (`by = \"rebalance\"` distributes the records in turn)",
    );
    check(
        "plugin = \"delays.wasm\"",
        "plugin = \"delays.wasm\"\nparallelism = 200",
        "job.toml:10:15: `delays` has parallelism 200, but there are 128 key groups (`max-parallelism` is the number of key groups)",
    );
}

#[test]
fn bounds_on_state_are_read_for_plugins_and_built_in_operators() {
    let with = |code: &str, limits: &str| {
        let text = format!("name = \"j\"\n[source.s]\nconnector = \"generator\"\n[operator.o]\n{code}\ninput = \"s\"\nlimits = {limits}\n");
        let text = format!("{text}[sink.out]\nconnector = \"blackhole\"\ninput = \"o\"\n");
        let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/jobs"), 1);
        job.unwrap_or_else(|error| panic!("{error}")).operators.remove(0)
    };
    assert_eq!(with("native = \"keyed-count\"", "{ state-bytes = \"1GiB\" }").state_bytes, Some(1 << 30));
    let plugin = with("plugin = \"p.wasm\"", "{ state-bytes = \"2KiB\", state-bytes-per-key = \"1KiB\" }");
    let Code::Plugin(code) = &plugin.code else { panic!("a plugin") };
    assert_eq!((plugin.state_bytes, code.limits.state_bytes_per_key), (Some(2 << 10), 1 << 10));
}

#[test]
fn what_an_operator_runs_is_checked() {
    let plugin = "plugin = \"delays.wasm\"";
    check(plugin, "native = \"keyed-cuont\"", "job.toml:9:1: there is no built-in operator `keyed-cuont` (did you mean `keyed-count`?)");
    check(plugin, "native = \"keyed-count\"\nlimits = {}", "job.toml:10:1: `limits` does not go with `native` in [operator.delays]");
    check(
        plugin,
        "",
        "job.toml:8:11: [operator.delays] has no `plugin` (for example `plugin = \"target/wasm32-unknown-unknown/release/my_plugin.wasm\"`)",
    );
    let with = |line: &str, expect: &str| check(plugin, &format!("{plugin}\n{line}"), &format!("job.toml:10:{expect}"));
    with("limits = { memory = \"64 elephants\" }", "21: `memory` of `limits` of [operator.delays] is a size such as \"64MiB\"");
    with("limits = { memory = \"1KiB\" }", "21: a plugin's memory is between 64KiB and 4GiB");
    with(
        "limits = { fuel = 3 }",
        "12: unknown key `fuel` in `limits` of [operator.delays] (there are: `state-bytes`, `memory`, `time-per-batch`, `state-bytes-per-key`, `compile`)",
    );
    with("limits = { state-bytes-per-key = \"0B\" }", "34: `state-bytes-per-key` is one byte at least");
    let native = "native = \"keyed-count\"";
    let memory = "34: `memory` does not go with `native` in [operator.delays]";
    check(plugin, &format!("{native}\nlimits = {{ state-bytes = \"1MiB\", memory = \"1MiB\" }}"), &format!("job.toml:10:{memory}"));
    with("limits.compile = { time = \"10ms\" }", "27: the time to compile a plugin is between 1s and 1h");
    with("limits.compile = { memory = \"1MiB\" }", "29: the memory to compile a plugin in is between 64MiB and 64GiB");
    with(
        "limits.compile = { wall = \"1s\" }",
        "20: unknown key `wall` in `compile` of `limits` of [operator.delays] (there are: `time`, `memory`)",
    );
    with("config = { rate = inf }", "19: this number cannot be written as JSON");
    with("on-failure = \"ignore\"", "14: `on-failure` of [operator.delays] is one of `fail`, `quarantine`");
}

#[test]
fn standard_input_has_one_reader() {
    let job = parsed(&GOOD.replacen("connector = \"file\"", "connector = \"stdin\"\nreplay = \"none\"", 1)).expect("right");
    assert_eq!((job.sources[0].parallelism, job.sources[0].replay_none.is_some()), (1, true));
    check(
        "connector = \"file\"\npath = \"data/*.csv\"",
        "connector = \"stdin\"\nparallelism = 2",
        "job.toml:6:15: standard input is read by one subtask (leave `parallelism` out)",
    );
    check("path = \"data/*.csv\"", "path = \"x\"\nrate = 0", "job.toml:7:8: `rate` of [source.rows] is a number above 0");
}

#[test]
fn all_problems_of_a_file_come_at_once() {
    let text =
        GOOD.replace("name = ", "nmae = ").replace("input = \"delays\"", "input = \"x\"").replace("connector = \"file\"\npath", "path");
    let error = parsed(&text).expect_err("wrong");
    let messages: Vec<_> = error.problems.iter().map(|problem| problem.message.as_str()).collect();
    let expect = [
        "the job file has no `name`",
        "unknown key `nmae` in the job file",
        "[source.rows] has no `connector`",
        "no source or operator `x`",
    ];
    assert_eq!(messages, expect);
}

#[test]
fn what_is_not_toml_is_shown_where_it_breaks() {
    let error = parsed("name = \"a\nparallelism = = 2\n").expect_err("not TOML");
    assert!(error.problems.len() >= 2, "{error}");
    assert!(error.problems.iter().all(|problem| problem.message.starts_with("this is not TOML: ")), "{error}");
    let twice = parsed("name = \"a\"\nname = \"b\"\n").expect_err("a key twice");
    assert_eq!(twice.to_string(), "job.toml:2:1: this is not TOML: duplicate key");
}

#[test]
fn a_job_without_ends_is_refused() {
    let error = parsed("name = \"a\"\n").expect_err("nothing in it");
    assert_eq!(
        error.to_string(),
        "job.toml:1:11: the job has no source (for example `[source.lines]` with `connector = \"stdin\"`)\n\
         job.toml:1:11: the job has no sink (for example `[sink.out]` with `connector = \"stdout\"`)"
    );
}

#[test]
fn a_report_shows_file_line_excerpt_and_hint() {
    let error = parsed(&GOOD.replacen("input = \"delays\"", "input = \"delay\"", 1)).expect_err("dangling");
    let expect = "  × no source or operator `delay`
    ╭─[job.toml:14:9]
 13 │ connector = \"file\"
 14 │ input = \"delay\"
    ·         ───┬───
    ·            ╰── nothing comes from here
 15 │ path = \"out\"
    ╰────
  help: did you mean `delays`?
";
    assert_eq!(error.render(false), expect);
}

#[test]
fn no_cut_of_a_good_file_panics() {
    for end in (0..GOOD.len()).filter(|&end| GOOD.is_char_boundary(end)) {
        if let Err(error) = parsed(&GOOD[..end]) {
            assert!(!error.problems.is_empty() && !error.render(false).is_empty());
        }
    }
}

#[test]
fn one_key_group_is_one_and_a_known_key_is_listed_once() {
    let one = GOOD.replacen("name = \"flights\"", "name = \"flights\"\nmax-parallelism = 1\nparallelism = 1", 1);
    let two = one.replacen("plugin = ", "parallelism = 2\nplugin = ", 1);
    assert!(parsed(&two).expect_err("too many").to_string().contains("but there is 1 key group "));
    let error = parsed(&GOOD.replacen("plugin = ", "zzzzzzzz = 1\nplugin = ", 1)).expect_err("unknown").to_string();
    assert_eq!(error.matches("`native`").count(), 1, "{error}");
}
