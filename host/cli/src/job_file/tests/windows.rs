//! `window` of an operator.

use super::*;
use weir_engine::state::{TimeDomain, WindowKind, WindowSettings};

const PLUGIN: &str = "plugin = \"delays.wasm\"";
const HOUR: i64 = 3_600_000;

fn with(said: &str) -> Result<JobFile, JobFileError> {
    parsed(&GOOD.replacen(PLUGIN, &format!("{PLUGIN}\n{said}"), 1))
}

fn settings(said: &str) -> Option<WindowSettings> {
    let job = with(said).unwrap_or_else(|error| panic!("{said}: {error}"));
    job.operators[0].window.clone().map(|window| window.settings)
}

fn kind(said: &str) -> WindowKind {
    settings(&format!("window = {said}")).expect("a window").kind
}

#[track_caller]
fn refused(said: &str, expect: &str) {
    check(PLUGIN, &format!("{PLUGIN}\nwindow = {said}"), expect);
}

#[test]
fn windows_of_every_kind_are_read() {
    assert_eq!(settings(""), None);
    assert_eq!(kind("{ tumbling = \"1h\" }"), WindowKind::Tumbling { size: HOUR, offset: 0 });
    assert_eq!(kind("{ hopping = \"1h\", every = \"10m\" }"), WindowKind::Hopping { size: HOUR, every: HOUR / 6, offset: 0 });
    assert_eq!(kind("{ session = \"1500ms\" }"), WindowKind::Session { gap: 1_500 });
    assert_eq!(kind("{ count = 100 }"), WindowKind::Count { records: 100 });
    assert_eq!(kind("{ global = true }"), WindowKind::Global);
    assert_eq!(kind("{ count = 100, global = false }"), WindowKind::Count { records: 100 });
}

#[test]
fn what_a_window_does_not_say_has_its_default_and_the_rest_holds() {
    let hourly = WindowSettings::new(WindowKind::Tumbling { size: HOUR, offset: 0 });
    let job = parsed(&format!("{GOOD}[operator.delays.window]\ntumbling = \"1h\"\n")).expect("right");
    assert_eq!(job.operators[0].window.clone().map(|window| window.settings), Some(hourly.clone()));
    let said = "window = { tumbling = \"1h\", lateness = \"2h\", emit = { every = \"1m\" } }\nlimits = { windows-per-key = 7 }";
    assert_eq!(settings(said), Some(WindowSettings { lateness: 2 * HOUR, emit_every: Some(60_000), max_per_key: 7, ..hourly }));
    let by_the_clock = settings("window = { session = \"1s\", time = \"processing\", emit = \"close\" }").expect("a window");
    assert_eq!((by_the_clock.time, by_the_clock.emit_every), (TimeDomain::Processing, None));
    assert_eq!(settings("window = { count = 3, emit = { every = \"1s\" } }").expect("a window").emit_every, Some(1_000));
}

#[test]
fn an_offset_is_taken_within_the_step_and_may_be_negative() {
    let tumbling = |offset: &str| kind(&format!("{{ tumbling = \"1h\", offset = \"{offset}\" }}"));
    for (said, offset) in [("15m", 15), ("-15m", 45), ("1h 15m", 15), ("-2h", 0), ("0s", 0)] {
        assert_eq!(tumbling(said), WindowKind::Tumbling { size: HOUR, offset: offset * 60_000 }, "{said}");
    }
    let hopping = kind("{ hopping = \"1h\", every = \"10m\", offset = \"-1m\" }");
    assert_eq!(hopping, WindowKind::Hopping { size: HOUR, every: HOUR / 6, offset: 9 * 60_000 });
    for said in ["--1m", "soon", "-", "200years"] {
        let message = "`offset` of `window` of [operator.delays] is a duration, with a `-` in front of it where it is negative";
        refused(
            &format!("{{ tumbling = \"1h\", offset = \"{said}\" }}"),
            &format!("job.toml:10:38: {message} (for example `offset = \"-15m\"`)"),
        );
    }
}

#[test]
fn what_holds_of_windows_is_shown_as_far_as_it_says_anything_of_their_kind() {
    let shown = |said: &str| with(said).expect("right").operators[0].shown["window"].clone();
    assert_eq!(shown(""), serde_json::Value::Null);
    let expect =
        serde_json::json!({ "tumbling": "1h 30m", "offset": "-15m", "lateness": "0s", "emit": { "every": "1m" }, "time": "event" });
    assert_eq!(shown("window = { tumbling = \"90m\", offset = \"-900s\", emit = { every = \"60s\" } }"), expect);
    assert_eq!(shown("window = { count = 5 }"), serde_json::json!({ "count": 5, "emit": "close" }));
    let expect = serde_json::json!({ "session": "1s", "lateness": "0s", "emit": "close", "time": "event" });
    assert_eq!(shown("window = { session = \"1s\" }"), expect);
    assert_eq!(shown("window = { global = true }"), serde_json::json!({ "global": true, "emit": "close" }));
    let limits = |said: &str| with(said).expect("right").operators[0].shown["limits"]["windows-per-key"].clone();
    assert_eq!(limits("window = { count = 5 }"), 10_000);
}

#[test]
fn a_key_may_have_all_the_windows_that_a_record_falls_into() {
    let hopping = |most: u32| format!("{PLUGIN}\nwindow = {{ hopping = \"1h\", every = \"7m\" }}\nlimits = {{ windows-per-key = {most} }}");
    assert!(parsed(&GOOD.replacen(PLUGIN, &hopping(9), 1)).is_ok());
    let message = "a record falls into 9 windows, and a key may have 8 of them (`windows-per-key` is 9 at least, and more for what comes out of order)";
    check(PLUGIN, &hopping(8), &format!("job.toml:11:12: {message}"));
    let tumbling = format!("{PLUGIN}\nwindow = {{ tumbling = \"1h\" }}\nlimits = {{ windows-per-key = 1 }}");
    assert!(parsed(&GOOD.replacen(PLUGIN, &tumbling, 1)).is_ok());
}

#[test]
fn windows_are_of_one_kind() {
    let kinds =
        "one of `tumbling = \"1h\"`, `hopping = \"1h\"` with `every = \"10m\"`, `session = \"30m\"`, `count = 100` and `global = true`";
    let none = format!("`window` of [operator.delays] names no kind of windows ({kinds})");
    refused("{}", &format!("job.toml:10:10: {none}"));
    refused("{ lateness = \"1m\" }", &format!("job.toml:10:10: {none}"));
    refused("{ global = false }", &format!("job.toml:10:10: {none}"));
    refused(
        "{ tumbling = \"1h\", count = 5 }",
        "job.toml:10:29: `window` of [operator.delays] says `tumbling` and `count` (the windows of an operator are of one kind)",
    );
    refused("\"1h\"", &format!("job.toml:10:10: `window` of [operator.delays] is a table that names a kind of windows ({kinds})"));
    refused("5", "job.toml:10:10: `window` of [operator.delays] is a table");
    let elsewhere =
        |said: &str, here: &str| refused(said, &format!("job.toml:10:12: `window` of [operator.delays] has no {here}; {kinds})"));
    elsewhere("{ sliding = \"1h\", every = \"10m\" }", "`sliding` (windows that overlap are `hopping`");
    elsewhere("{ size = \"1h\" }", "`size` (how long a window is stands behind its kind");
    refused("{ tumblin = \"1h\" }", "job.toml:10:12: unknown key `tumblin` in `window` of [operator.delays] (did you mean `tumbling`?)");
}

#[test]
fn sizes_are_above_zero_and_whole_milliseconds() {
    let long = |what: &str| format!("job.toml:10:23: {what} between 1ms and 100 years long");
    refused("{ tumbling = \"0s\" }", &long("a window is"));
    refused("{ tumbling = \"101years\" }", &long("a window is"));
    refused("{ session = \"0ms\" }", "job.toml:10:22: the pause that ends a session is between 1ms and 100 years long");
    refused("{ count = 0 }", "job.toml:10:20: `count` of `window` of [operator.delays] is a whole number from 1 to 1000000000");
    refused("{ tumbling = \"1ms 1us\" }", "job.toml:10:12: `tumbling` of `window` of [operator.delays] is a whole number of milliseconds");
    refused(
        "{ tumbling = 5 }",
        "job.toml:10:23: `tumbling` of `window` of [operator.delays] is a duration such as \"200ms\", \"1s\" or \"10m\"",
    );
    refused("{ global = 1 }", "job.toml:10:21: `global` of `window` of [operator.delays] is true or false");
}

#[test]
fn hopping_windows_leave_nothing_out_and_put_no_record_into_more_than_a_thousand() {
    refused(
        "{ hopping = \"1h\" }",
        "job.toml:10:12: `window` of [operator.delays] has no `every` (how far one window begins behind the other: for example `every = \"10m\"`)",
    );
    refused(
        "{ hopping = \"1h\", every = \"61m\" }",
        "job.toml:10:28: windows that begin further apart than they are long leave records out (`every` is at most what `hopping` says)",
    );
    refused(
        "{ hopping = \"1001s\", every = \"1s\" }",
        "job.toml:10:31: a record would be in more than 1000 windows (`every` is a 1000th of what `hopping` says at least)",
    );
    assert_eq!(kind("{ hopping = \"1000s\", every = \"1s\" }"), WindowKind::Hopping { size: 1_000_000, every: 1_000, offset: 0 });
    assert_eq!(kind("{ hopping = \"1s\", every = \"1s\" }"), WindowKind::Hopping { size: 1_000, every: 1_000, offset: 0 });
}

#[test]
fn what_does_not_go_with_a_kind_is_refused() {
    let leave = |key: &str, kind: &str, kinds: &str| {
        format!("`{key}` does not go with `{kind}` in `window` of [operator.delays] (leave it out: it goes with {kinds})")
    };
    let timed = "`tumbling`, `hopping`, `session`";
    refused("{ count = 5, lateness = \"1m\" }", &format!("job.toml:10:23: {}", leave("lateness", "count", timed)));
    refused("{ global = true, lateness = \"1m\" }", &format!("job.toml:10:27: {}", leave("lateness", "global", timed)));
    refused("{ count = 5, time = \"processing\" }", &format!("job.toml:10:23: {}", leave("time", "count", timed)));
    refused("{ session = \"1s\", offset = \"1s\" }", &format!("job.toml:10:28: {}", leave("offset", "session", "`tumbling`, `hopping`")));
    refused("{ tumbling = \"1s\", every = \"1s\" }", &format!("job.toml:10:29: {}", leave("every", "tumbling", "`hopping`")));
    refused(
        "{ tumbling = \"1s\", time = \"processing\", lateness = \"1m\" }",
        "job.toml:10:50: with `time = \"processing\"` no record is late, so there is no `lateness` (leave one of the two out)",
    );
    check(
        PLUGIN,
        &format!("{PLUGIN}\nlimits = {{ windows-per-key = 5 }}"),
        "job.toml:10:12: [operator.delays] has no `window`, so no key has windows (leave `windows-per-key` out)",
    );
}

#[test]
fn how_often_windows_speak_is_said_in_one_way() {
    let emit = "`emit` of `window` of [operator.delays]";
    let said = |emit: &str| format!("{{ count = 5, emit = {emit} }}");
    let other = format!("{emit} is `\"close\"` or `{{ every = \"1m\" }}` (with `every` windows fire before they are complete, too)");
    refused(&said("\"often\""), &format!("job.toml:10:30: {other}"));
    refused(&said("5"), &format!("job.toml:10:30: {other}"));
    refused(&said("{}"), &format!("job.toml:10:30: {emit} has no `every` (for example `every = \"1m\"`)"));
    refused(&said("{ evry = \"1m\" }"), &format!("job.toml:10:32: unknown key `evry` in {emit} (did you mean `every`?)"));
    refused(&said("{ every = \"0s\" }"), "job.toml:10:40: windows speak between every 1ms and every 100 years");
    refused(&said("{ every = 1 }"), &format!("job.toml:10:40: `every` of {emit} is a duration such as \"200ms\", \"1s\" or \"10m\""));
}
