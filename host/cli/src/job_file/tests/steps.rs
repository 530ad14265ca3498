//! Sources, operators and sinks, each on its own.

use super::*;

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
fn an_operator_is_recorded_where_the_file_says_so() {
    let plugin = "plugin = \"delays.wasm\"";
    let recorded = |line: &str| parsed(&GOOD.replace(plugin, &format!("{plugin}\n{line}"))).expect("right").operators[0].record;
    assert_eq!(["", "record = false", "record = true"].map(recorded), [false, false, true]);
    check(plugin, &format!("{plugin}\nrecord = \"all\""), "job.toml:10:10: `record` of [operator.delays] is true or false");
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
        "12: unknown key `fuel` in `limits` of [operator.delays] (there are: `state-bytes`, `memory`, `recycle-memory`, `table-elements`, `time-per-batch`, `fuel-per-record`, `output-bytes`, `output-records`, `log-bytes-per-second`, `state-bytes-per-key`, `windows-per-key`, `compile`)",
    );
    with(
        "limits = { fuel-per-record = 0 }",
        "30: `fuel-per-record` of `limits` of [operator.delays] is a whole number from 1 to 1000000000000",
    );
    with("limits = { recycle-memory = \"1KiB\" }", "29: a plugin is replaced beyond a memory between 64KiB and 4GiB");
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
