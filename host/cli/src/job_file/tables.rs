//! Every setting of a job file that is not a connector's own, once: its type, its default and what it says. The reader, the show of settings in force and the
//! reference page take them from here; the engine's defaults are those of the engine for who writes no job file, and a test holds the two together.

use super::window::LONGEST;
use std::time::Duration;
use weir_connectors::Fallback::{Found, Nothing, Required, Value};
use weir_connectors::{INPUT, INPUT_ABOUT, INPUTS_ABOUT, Kind, PARALLELISM, SINK_STEP, SOURCE_STEP, Setting, WAS_ABOUT, WATERMARK, Within};

/// Operators that are built in.
pub(crate) const NATIVE_OPERATORS: [&str; 2] = ["keyed-count", "pass-through"];

const HOUR: Duration = Duration::from_secs(3600);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The file itself.
pub(crate) const HEAD: &[Setting] = &[
    Setting::new(
        "name",
        Kind::Text,
        Required("\"my-job\""),
        "Identifies the job in its storage: 1 to 64 of the characters `a-z`, `0-9` and `-`.",
    ),
    Setting::new("max-parallelism", PARALLELISM, Value("128"), "The number of key groups, for good."),
    Setting::new("parallelism", PARALLELISM, Found("the processors"), "How many subtasks each step has that does not say it."),
    Setting::new("checkpoints", Kind::Table(CHECKPOINTS), Nothing, "See below, and [checkpoints](checkpoints.md)."),
    Setting::new("restart", Kind::Table(RESTART), Nothing, "See below."),
    Setting::new("api", Kind::Table(API), Nothing, "See below, and [running jobs](running-jobs.md)."),
    Setting::new("source", Kind::Tables(SOURCE_STEP), Nothing, "The sources, `[source.ID]`."),
    Setting::new("operator", Kind::Tables(OPERATOR), Nothing, "The operators, `[operator.ID]`."),
    Setting::new("sink", Kind::Tables(SINK_STEP), Nothing, "The sinks, `[sink.ID]`."),
];

/// `[checkpoints]`.
pub(crate) const CHECKPOINTS: &[Setting] = &[
    Setting::new(
        "storage",
        Kind::Text,
        Value("file:.weir"),
        "Where the job's objects lie, as a URL: a folder, relative to the job file, or `\"s3://bucket/prefix\"`: [storage](storage.md).",
    ),
    Setting::new(
        "interval",
        Kind::Duration(Within {
            least: MILLISECOND,
            most: Duration::MAX,
            otherwise: "checkpoints are at least 1ms apart",
            names_default: true,
        }),
        Value("1s"),
        "From one trigger to the next.",
    ),
    Setting::new("min-pause", Kind::DURATION, Value("0s"), "From the end of one to the next; with a pause, one is under way at a time."),
    Setting::new(
        "timeout",
        Kind::Duration(Within {
            least: MILLISECOND,
            most: Duration::MAX,
            otherwise: "no checkpoint can be complete in less than 1ms: each would fail",
            names_default: true,
        }),
        Value("10m"),
        "When one is given up.",
    ),
    Setting::new("stop-timeout", Kind::DURATION, Value("10s"), "How long the last checkpoint of a stop waits behind records."),
    Setting::new(
        "tolerate-failures",
        Kind::Whole { least: 0, most: 1_000_000 },
        Value("0"),
        "How many may fail in a row before the job goes back to the last complete one.",
    ),
    Setting::new("max-concurrent", Kind::Whole { least: 1, most: 1_000 }, Value("1"), "How many are under way at a time."),
    Setting::new(
        "max-in-flight-bytes",
        Kind::size(0, u64::MAX, ""),
        Value("256MiB"),
        "How much of what barriers overtook may be kept at a time; a checkpoint that would need more is given up.",
    ),
    Setting::new(
        "mode",
        Kind::Choice(&["exactly-once", "at-least-once"]),
        Value("exactly-once"),
        "Whether a step holds each of its channels back from the barrier until the last has brought it.",
    ),
    Setting::new(
        "unaligned",
        Kind::Other("`\"never\"`, `\"always\"` or duration"),
        Value("never"),
        "Whether a barrier overtakes the records in front of it, or does so after a time.",
    ),
    Setting::new("retain", Kind::Whole { least: 1, most: 10_000 }, Value("3"), "How many complete ones are kept."),
];

/// `[restart]`.
pub(crate) const RESTART: &[Setting] = &[
    Setting::new(
        "strategy",
        Kind::Choice(&["exponential", "fixed", "none"]),
        Value("exponential"),
        "What follows a failure: another attempt after a delay that doubles, or after the same delay, or none.",
    ),
    Setting::new(
        "attempts",
        Kind::Whole { least: 1, most: 1_000_000 },
        Value("5"),
        "How many restarts there are without a completed checkpoint between them before the job fails.",
    ),
    Setting::new("delay", Kind::DURATION, Value("100ms"), "How long the first waits."),
    Setting::new("max-delay", Kind::DURATION, Value("30s"), "How long one waits at most."),
];

/// `[api]`.
pub(crate) const API: &[Setting] = &[
    Setting::new(
        "listen",
        Kind::Text,
        Value("127.0.0.1:0"),
        "Where the job can be spoken to while it runs; port 0 picks one. An address that others can reach needs `token`. `--api` takes its place.",
    ),
    Setting::new(
        "token",
        Kind::Other("`\"${NAME}\"` or `{ file = \"…\" }`"),
        Nothing,
        "What each request has to show, as `Authorization: Bearer …`. It is read when the job is started, and by whoever speaks to it with `weir`. `WEIR_API_TOKEN` takes its place.",
    ),
    Setting::new(
        "metrics-token",
        Kind::Other("`\"${NAME}\"` or `{ file = \"…\" }`"),
        Nothing,
        "What is enough for [`/metrics`](metrics.md), and for nothing else. `WEIR_METRICS_TOKEN` takes its place.",
    ),
];

/// `[operator.ID]`.
pub(crate) const OPERATOR: &[Setting] = &[
    Setting::new("parallelism", PARALLELISM, Found("the job's"), "How many subtasks the operator has."),
    Setting::new("was", Kind::Text, Nothing, WAS_ABOUT),
    Setting::new("limits", Kind::Table(LIMITS), Nothing, "Bounds of what it may take, see below."),
    Setting::new(
        "native",
        Kind::Choice(&NATIVE_OPERATORS),
        Nothing,
        "An operator that is built in, in place of `plugin`: of the settings for plugins it takes `limits.state-bytes` alone.",
    ),
    Setting::new(
        "plugin",
        Kind::Path,
        Required("\"target/wasm32-unknown-unknown/release/my_plugin.wasm\""),
        "The plugin: a file with a component, or with a core module that carries its type; `oci:REGISTRY/NAME:TAG` or `oci:REGISTRY/NAME@sha256:…` in a registry; or `sha256:…`, a component that was pulled before.",
    ),
    Setting::new("config", Kind::Other("any value"), Value("{}"), "What the plugin is configured with, as it reads it."),
    Setting::new(
        "on-failure",
        Kind::Choice(&["fail", "quarantine"]),
        Value("fail"),
        "What follows a record that fails: the job goes back to its last checkpoint, or the record is set aside in the output `ID.quarantine`.",
    ),
    Setting::new(
        "build",
        Kind::Text,
        Nothing,
        "The command that makes the plugin, run where its file is missing or older than its sources.",
    ),
    Setting::new(
        "sources",
        Kind::Texts,
        Value("[]"),
        "Patterns of the files that it is made from, where cargo does not say; headers in C that `weir plugin build` has read need none.",
    ),
    Setting::new("input", INPUT, Found("to be said, or `inputs`"), INPUT_ABOUT),
    Setting::new("inputs", Kind::Other("list of inputs"), Found("to be said, or `input`"), INPUTS_ABOUT),
    Setting::new(
        "watermark",
        Kind::Table(WATERMARK),
        Nothing,
        "How event time is told from the times of the records that it emits, in place of what comes in: the settings of a source's `watermark`, but for `order`; see [time](time.md).",
    ),
    Setting::new(
        "window",
        Kind::Table(WINDOW),
        Nothing,
        "Which windows its records are put into, for a plugin that keeps what it keeps by windows; see below and [windows](windows.md).",
    ),
    Setting::new(
        "record",
        Kind::Flag,
        Value("false"),
        "Whether every call is kept with the checkpoint behind it, for [replay](replay.md).",
    ),
];

/// `window` of `[operator.ID]`: one kind, and what goes with it.
pub(crate) const WINDOW: &[Setting] = &[
    Setting::new(
        "tumbling",
        Kind::duration(MILLISECOND, LONGEST, "a window is between 1ms and 100 years long"),
        Nothing,
        "One window behind the other, of this size.",
    ),
    Setting::new(
        "hopping",
        Kind::duration(MILLISECOND, LONGEST, "a window is between 1ms and 100 years long"),
        Nothing,
        "Windows of this size, a new one at each step of `every`: a record is in all that cover its time, 1,000 at most.",
    ),
    Setting::new(
        "every",
        Kind::duration(MILLISECOND, LONGEST, "hopping windows begin between 1ms and 100 years apart"),
        Nothing,
        "How far one hopping window begins behind the other.",
    ),
    Setting::new(
        "session",
        Kind::duration(MILLISECOND, LONGEST, "the pause that ends a session is between 1ms and 100 years long"),
        Nothing,
        "As long as a key's records come without a pause of this length.",
    ),
    Setting::new("count", Kind::Whole { least: 1, most: 1_000_000_000 }, Nothing, "So many records of a key."),
    Setting::new("global", Kind::Flag, Value("false"), "`true`: one window for all records of a key."),
    Setting::new(
        "offset",
        Kind::Other("duration, with a `-` where it is negative"),
        Value("0s"),
        "Where tumbling and hopping windows begin, from midnight UTC of 1970 on: `\"-2h\"` for days of a zone that is two hours ahead.",
    ),
    Setting::new(
        "lateness",
        Kind::duration(Duration::ZERO, LONGEST, "windows take late records for 100 years at most"),
        Value("0s"),
        "How long behind its end a window takes records, and speaks again for them; what comes later is in the output `ID.late`.",
    ),
    Setting::new(
        "emit",
        Kind::Other("`\"close\"` or `{ every = duration }`"),
        Value("close"),
        "When a window speaks: once it is complete, or besides, as it then is, whenever so much time has passed by the clock and records have come for it.",
    ),
    Setting::new(
        "time",
        Kind::Choice(&["event", "processing"]),
        Value("event"),
        "Whether windows go by the times of records and the watermark, or by the clock.",
    ),
];

/// `emit` of `window`, where it is a table.
pub(crate) const EMIT: &[Setting] = &[Setting::new(
    "every",
    Kind::duration(MILLISECOND, LONGEST, "windows speak between every 1ms and every 100 years"),
    Required("\"1m\""),
    "How often windows fire that records have come for.",
)];

/// `limits` of `[operator.ID]`.
pub(crate) const LIMITS: &[Setting] = &[
    Setting::new(
        "state-bytes",
        Kind::size(1, u64::MAX, "`state-bytes` is one byte at least"),
        Found("half of the memory, shared"),
        "How much state each subtask may keep; what would pass it fails the job.",
    ),
    Setting::new(
        "memory",
        Kind::size(1 << 16, 4 << 30, "a plugin's memory is between 64KiB and 4GiB"),
        Value("64MiB"),
        "How much memory a subtask's plugin may have.",
    ),
    Setting::new(
        "recycle-memory",
        Kind::size(1 << 16, 4 << 30, "a plugin is replaced beyond a memory between 64KiB and 4GiB"),
        Found("three quarters of `memory`"),
        "Beyond how much memory the plugin's instance is replaced by a new one between two calls; as much as `memory`: never.",
    ),
    Setting::new(
        "table-elements",
        Kind::Whole { least: 0, most: 10_000_000 },
        Value("100000"),
        "How many elements the plugin's tables may have, which are functions that it may call through pointers: of Go all of them.",
    ),
    Setting::new(
        "time-per-batch",
        Kind::duration(MILLISECOND, HOUR, "a plugin's time for one batch is between 1ms and 1h"),
        Value("1s"),
        "How long one call may take.",
    ),
    Setting::new(
        "fuel-per-record",
        Kind::Whole { least: 1, most: 1_000_000_000_000 },
        Nothing,
        "How much fuel, which is about one for each instruction, a call may use for each record that it is given; with it fuel is counted, and shown.",
    ),
    Setting::new(
        "output-bytes",
        Kind::size(1, 4 << 30, "what a call returns has between one byte and 4GiB"),
        Value("16MiB"),
        "How much one call may return.",
    ),
    Setting::new(
        "output-records",
        Kind::Whole { least: 1, most: 1_000_000_000 },
        Value("1000000"),
        "How many records one call may return, over all outputs.",
    ),
    Setting::new(
        "log-bytes-per-second",
        Kind::size(0, u64::MAX, ""),
        Value("64KiB"),
        "How much of what a subtask's plugin logs is kept, each line with 128 bytes more than it has; other lines are dropped and counted.",
    ),
    Setting::new(
        "state-bytes-per-key",
        Kind::size(1, u64::MAX, "`state-bytes-per-key` is one byte at least"),
        Value("16MiB"),
        "How much the states of one key may come to. The record that would pass it is at fault.",
    ),
    Setting::new(
        "windows-per-key",
        Kind::Whole { least: 1, most: 1_000_000_000 },
        Value("10000"),
        "How many windows of one key may be open, where it has a `window`. The record that would open one more is at fault.",
    ),
    Setting::new("compile", Kind::Table(COMPILE), Nothing, "What reading and compiling the plugin may take, see below."),
];

/// `compile` of `limits` of `[operator.ID]`.
pub(crate) const COMPILE: &[Setting] = &[
    Setting::new(
        "time",
        Kind::duration(Duration::from_secs(1), HOUR, "the time to compile a plugin is between 1s and 1h"),
        Found("5 s, and 5 s for each MB of the file"),
        "How much processor time.",
    ),
    Setting::new(
        "memory",
        Kind::size(64 << 20, 64 << 30, "the memory to compile a plugin in is between 64MiB and 64GiB"),
        Found("512 MiB, and 64 MiB for each MB of the file"),
        "How much memory.",
    ),
];

/// An input that is a table.
pub(crate) const INPUT_TABLE: &[Setting] = &[
    Setting::new("from", Kind::Text, Required("\"x\""), "The step, or `step.output`."),
    Setting::new(
        "by",
        Kind::Choice(&["key", "forward", "rebalance", "broadcast"]),
        Found("`\"forward\"` between steps of one parallelism, else `\"rebalance\"`"),
        "How records are dealt out to the subtasks: by their key, each to the subtask of the same number, in turn, or all to every one.",
    ),
    Setting::new("to", Kind::Text, Nothing, "Which of the inputs that the operator declares it feeds."),
];
