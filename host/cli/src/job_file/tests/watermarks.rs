//! `watermark` of a source.

use super::*;
use crate::job_file::model::Watermark;
use std::time::Duration;
use weir_engine::time::WatermarkSettings;

const ROWS: &str = "path = \"data/*.csv\"";

fn watermark(said: &str) -> Option<Watermark> {
    parsed(&GOOD.replacen(ROWS, &format!("{ROWS}\n{said}"), 1))
        .unwrap_or_else(|error| panic!("{said}: {error}"))
        .sources
        .remove(0)
        .watermark
}

#[track_caller]
fn refused(said: &str, expect: &str) {
    check(ROWS, &format!("{ROWS}\n{said}"), expect);
}

#[test]
fn what_a_watermark_says_is_read_and_what_it_does_not_say_has_its_default() {
    let second = Duration::from_secs(1);
    let usual =
        WatermarkSettings { delay: 5 * second, idle_after: Some(30 * second), advance_when_idle: false, max_ahead: None, in_order: false };
    let settings = |said: &str| watermark(said).map(|watermark| watermark.settings);
    assert_eq!(settings(""), None, "a source tells no time unless it is asked to");
    assert_eq!(settings("watermark = {}"), Some(usual.clone()));
    assert_eq!(settings("[source.rows.watermark]"), Some(usual.clone()));
    let all = "watermark = { delay = \"1m\", idle-after = \"1s\", advance-when-idle = true, max-ahead = \"1h\", order = \"name\" }";
    let others = WatermarkSettings {
        delay: 60 * second,
        idle_after: Some(second),
        advance_when_idle: true,
        max_ahead: Some(3_600 * second),
        in_order: true,
    };
    assert_eq!(settings(all), Some(others));
    assert_eq!(settings("watermark = { idle-after = \"never\" }"), Some(WatermarkSettings { idle_after: None, ..usual }));
}

#[test]
fn an_operator_makes_watermarks_of_what_it_emits() {
    let operator = "[operator.delays]\n";
    let with = |said: &str| parsed(&GOOD.replacen(operator, &format!("{operator}{said}\n"), 1));
    let watermark = |said: &str| with(said).expect("right").operators.remove(0).watermark.map(|watermark| watermark.settings.delay);
    assert_eq!([watermark(""), watermark("watermark = { delay = \"3s\" }")], [None, Some(Duration::from_secs(3))]);
    let refused = with("watermark = { order = \"name\" }").err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("`order` is of what a source reads, and an operator emits as it is called (leave `order` out)"), "{refused}");
}

#[test]
fn what_holds_of_a_watermark_is_shown() {
    let shown =
        |said: &str| parsed(&GOOD.replacen(ROWS, &format!("{ROWS}\n{said}"), 1)).expect("right").sources[0].shown["watermark"].clone();
    assert_eq!(shown(""), serde_json::Value::Null);
    let expect = serde_json::json!({
        "delay": "1m 1s", "idle-after": "never", "advance-when-idle": false, "max-ahead": null, "order": null,
    });
    assert_eq!(shown("watermark = { delay = \"61s\", idle-after = \"never\" }"), expect);
}

#[test]
fn what_a_watermark_cannot_say_is_refused_at_its_place() {
    let known = "there are: `delay`, `idle-after`, `advance-when-idle`, `max-ahead`, `order`";
    refused("watermark = \"5s\"", "job.toml:7:13: `watermark` of [source.rows] is a table");
    refused("watermark = { dealy = \"5s\" }", "job.toml:7:15: unknown key `dealy` in `watermark` of [source.rows] (did you mean `delay`?)");
    refused(
        "watermark = { lateness = \"5s\" }",
        &format!("job.toml:7:15: unknown key `lateness` in `watermark` of [source.rows] ({known})"),
    );
    refused(
        "watermark = { delay = 5 }",
        "job.toml:7:23: `delay` of `watermark` of [source.rows] is a duration such as \"200ms\", \"1s\" or \"10m\"",
    );
    refused(
        "watermark = { idle-after = \"soon\" }",
        "job.toml:7:28: `idle-after` of `watermark` of [source.rows] is a duration or `never`, not `soon` (for example `idle-after = \"30s\"`)",
    );
    refused(
        "watermark = { order = \"nmae\" }",
        "job.toml:7:23: `order` of `watermark` of [source.rows] is one of `name` (did you mean `name`?)",
    );
    refused(
        "watermark = { idle-after = \"never\", advance-when-idle = true }",
        "job.toml:7:37: with `idle-after = \"never\"` no split is ever idle, so time never goes on by the clock (say `idle-after`, or leave `advance-when-idle` out)",
    );
}
