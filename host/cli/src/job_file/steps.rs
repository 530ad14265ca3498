//! The steps of a job: `[source.ID]`, `[operator.ID]`, `[sink.ID]`, each read on its own. How they hang together is [`super::graph`]'s.

use super::model::{Code, ConfigPlaces, Limits, OnFailure, PluginCode, Settings};
use super::problem::{Problem, Span};
use super::section::{Located, Section, json_of};
use super::suggest;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;
use weir_engine::state::MAX_PARALLELISM_LIMIT;
use weir_wasm::{CompileLimits, QuarantineLimit};

/// Operators that are built in.
pub const NATIVE_OPERATORS: [&str; 2] = ["keyed-count", "pass-through"];

const ID_MAX_BYTES: usize = 64;
const MEMORY_DEFAULT: u64 = 64 << 20;
const STATE_PER_KEY_DEFAULT: u64 = 16 << 20;
const MEMORY_BOUNDS: std::ops::RangeInclusive<u64> = (1 << 16)..=(4 << 30);
const COMPILE_MEMORY_BOUNDS: std::ops::RangeInclusive<u64> = (64 << 20)..=(64 << 30);
const COMPILE_TIME_BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// What is the same for all steps.
pub(super) struct StepHead {
    pub id: Located<String>,
    /// Its own parallelism, where it has one.
    pub parallelism: Option<Located<u32>>,
    /// The id that it had before.
    pub was: Option<Located<String>>,
}

/// An input as written, before its reference has been followed.
pub(super) struct RawInput {
    /// `x` or `x.late`.
    pub reference: String,
    /// How records are distributed, where that is said.
    pub by: Option<Located<super::model::Partitioning>>,
    /// The operator's declared input that it feeds, where that is said.
    pub to: Option<Located<String>>,
    pub span: Span,
}

pub(super) struct RawSource {
    pub head: StepHead,
    pub connector: Option<Located<String>>,
    pub rate: Option<f64>,
    pub replay_none: Option<Span>,
    pub settings: Settings,
}

pub(super) struct RawOperator {
    pub head: StepHead,
    pub code: Option<Code>,
    pub inputs: Vec<RawInput>,
    pub record: bool,
    pub state_bytes: Option<u64>,
}

pub(super) struct RawSink {
    pub head: StepHead,
    pub connector: Option<Located<String>>,
    pub inputs: Vec<RawInput>,
    pub settings: Settings,
}

fn read_head(id: Located<String>, section: &Section<'_>) -> StepHead {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=ID_MAX_BYTES).contains(&id.value.len()) || !id.value.bytes().all(fits) {
        let message = format!("`{}` is not an id", id.value);
        section.problem(Problem::new(id.span.clone(), message).hint("an id has 1 to 64 letters, digits, `-` and `_`"));
    }
    let parallelism = section.integer("parallelism", 1..=u64::from(MAX_PARALLELISM_LIMIT));
    let parallelism = parallelism.map(|own| Located { value: own.value as u32, span: own.span });
    StepHead { id, parallelism, was: section.string("was") }
}

/// Reads one source.
pub(super) fn read_source(id: Located<String>, section: Section<'_>) -> RawSource {
    let head = read_head(id, &section);
    let connector = section.required("connector", "\"file\"");
    let rate = section.positive("rate").map(|rate| rate.value);
    let replay_none = section.choice("replay", &[("none", ())]).map(|none| none.span);
    RawSource { head, connector, rate, replay_none, settings: section.rest() }
}

/// Reads one sink.
pub(super) fn read_sink(id: Located<String>, section: Section<'_>) -> RawSink {
    let head = read_head(id, &section);
    let connector = section.required("connector", "\"file\"");
    let inputs = read_inputs(&section);
    RawSink { head, connector, inputs, settings: section.rest() }
}

/// Reads one operator.
pub(super) fn read_operator(id: Located<String>, section: Section<'_>) -> RawOperator {
    let head = read_head(id, &section);
    let limits = section.table("limits");
    let state_bytes = limits.as_ref().and_then(|limits| size_of_state(limits, "state-bytes"));
    let code = read_code(&section, limits);
    let inputs = read_inputs(&section);
    let record = section.boolean("record").is_some_and(|record| record.value);
    section.finish();
    RawOperator { head, code, inputs, record, state_bytes }
}

/// A bound on state.
fn size_of_state(limits: &Section<'_>, key: &'static str) -> Option<u64> {
    let size = limits.size(key)?;
    if size.value == 0 {
        limits.problem(Problem::new(size.span, format!("`{key}` is one byte at least")));
    }
    Some(size.value)
}

/// Settings that mean something for a plugin only,
const PLUGIN_SETTINGS: [&str; 4] = ["build", "sources", "config", "on-failure"];
/// and those of its `limits`: of a built-in operator only the state is bounded.
const PLUGIN_LIMITS: [&str; 3] = ["memory", "time-per-batch", "state-bytes-per-key"];

fn read_code(section: &Section<'_>, limits: Option<Section<'_>>) -> Option<Code> {
    let Some(native) = section.place("native") else { return read_plugin(section, limits).map(Box::new).map(Code::Plugin) };
    match limits.filter(|limits| limits.place("state-bytes").is_some()) {
        Some(limits) => {
            for key in PLUGIN_LIMITS {
                if let Some(span) = limits.place(key) {
                    section.problem(Problem::new(span, format!("`{key}` does not go with `native` in {}", section.name)));
                }
            }
            limits.finish();
        }
        None => refuse_plugin_setting(section, "limits"),
    }
    PLUGIN_SETTINGS.into_iter().chain(["plugin"]).for_each(|key| refuse_plugin_setting(section, key));
    let code = section.string("native")?;
    if !NATIVE_OPERATORS.contains(&&*code.value) {
        let message = format!("there is no built-in operator `{}`", code.value);
        section.problem(Problem::new(native, message).hint(suggest::hint(&code.value, NATIVE_OPERATORS)));
        return None;
    }
    Some(Code::Native(code))
}

fn refuse_plugin_setting(section: &Section<'_>, key: &'static str) {
    if let Some(span) = section.place(key) {
        section.problem(Problem::new(span, format!("`{key}` does not go with `native` in {}", section.name)));
    }
}

fn read_plugin(section: &Section<'_>, limits: Option<Section<'_>>) -> Option<PluginCode> {
    let path = section.required("plugin", "\"target/wasm32-unknown-unknown/release/my_plugin.wasm\"");
    let (config, config_places) = read_config(section);
    let on_failure = section.choice("on-failure", &[OnFailure::Fail, OnFailure::Quarantine].map(|policy| (policy.name(), policy)));
    let code = PluginCode {
        build: section.string("build"),
        sources: section.strings("sources").map(|sources| sources.value).unwrap_or_default(),
        config,
        config_places,
        on_failure: on_failure.map_or(OnFailure::Fail, |policy| policy.value),
        quarantine: QuarantineLimit::default(),
        limits: read_limits(limits),
        path: path?,
    };
    Some(code)
}

/// What is handed to the plugin, and where it stands.
fn read_config(section: &Section<'_>) -> (serde_json::Value, ConfigPlaces) {
    let nothing = serde_json::json!({});
    let Some(value) = section.get("config") else { return (nothing, ConfigPlaces::default()) };
    let keys = value.get_ref().as_table().into_iter().flatten();
    let keys = keys.map(|(key, value)| (key.get_ref().to_string(), key.span().start..value.span().end)).collect();
    let places = ConfigPlaces { whole: section.place("config"), keys };
    let config = json_of(value).unwrap_or_else(|problem| {
        section.problem(problem);
        nothing
    });
    (config, places)
}

fn read_limits(section: Option<Section<'_>>) -> Limits {
    let mut limits = Limits {
        memory: MEMORY_DEFAULT,
        time_per_batch: Duration::from_secs(1),
        state_bytes_per_key: STATE_PER_KEY_DEFAULT,
        compile: CompileLimits::default(),
    };
    let Some(section) = section else { return limits };
    if let Some(memory) = section.size("memory") {
        if !MEMORY_BOUNDS.contains(&memory.value) {
            section.problem(Problem::new(memory.span, "a plugin's memory is between 64KiB and 4GiB"));
        }
        limits.memory = memory.value;
    }
    if let Some(time) = section.duration("time-per-batch") {
        if !(Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&time.value) {
            section.problem(Problem::new(time.span, "a plugin's time for one batch is between 1ms and 1h"));
        }
        limits.time_per_batch = time.value;
    }
    limits.state_bytes_per_key = size_of_state(&section, "state-bytes-per-key").unwrap_or(limits.state_bytes_per_key);
    limits.compile = read_compile_limits(&section);
    section.finish();
    limits
}

/// What is not said follows from the size of the plugin's file.
fn read_compile_limits(section: &Section<'_>) -> CompileLimits {
    let mut limits = CompileLimits::default();
    let Some(section) = section.table("compile") else { return limits };
    if let Some(time) = section.duration("time") {
        if !COMPILE_TIME_BOUNDS.contains(&time.value) {
            section.problem(Problem::new(time.span, "the time to compile a plugin is between 1s and 1h"));
        }
        limits.time = Some(time.value);
    }
    if let Some(memory) = section.size("memory") {
        if !COMPILE_MEMORY_BOUNDS.contains(&memory.value) {
            section.problem(Problem::new(memory.span, "the memory to compile a plugin in is between 64MiB and 64GiB"));
        }
        limits.memory = Some(memory.value);
    }
    section.finish();
    limits
}

fn read_inputs(section: &Section<'_>) -> Vec<RawInput> {
    let (one, several) = (section.get("input"), section.get("inputs"));
    let found: Vec<&Spanned<DeValue<'_>>> = match (one, several) {
        (None, None) => {
            let problem = Problem::new(section.span.clone(), format!("{} has no `input`", section.name));
            section.problem(problem.hint("for example `input = \"some-source\"`"));
            Vec::new()
        }
        (Some(_), Some(both)) => {
            section.problem(
                Problem::new(both.span(), format!("{} has both `input` and `inputs`", section.name)).hint("put all of them into `inputs`"),
            );
            Vec::new()
        }
        (Some(one), None) => vec![one],
        (None, Some(several)) => match several.get_ref().as_array() {
            Some(items) if !items.is_empty() => items.iter().collect(),
            Some(_) | None => {
                section.problem(
                    Problem::new(several.span(), format!("`inputs` of {} is a list of inputs", section.name))
                        .hint("for example `inputs = [\"a\", { from = \"b\", by = \"key\" }]`"),
                );
                Vec::new()
            }
        },
    };
    found.into_iter().filter_map(|input| read_input(section, input)).collect()
}

fn read_input(section: &Section<'_>, input: &Spanned<DeValue<'_>>) -> Option<RawInput> {
    use super::model::Partitioning::{Broadcast, Forward, Key, Rebalance};
    let span = input.span();
    if let Some(reference) = input.get_ref().as_str() {
        return Some(RawInput { reference: reference.to_owned(), by: None, to: None, span });
    }
    let Some(table) = input.get_ref().as_table() else {
        let problem = Problem::new(span, format!("an input of {} is a text or a table", section.name));
        section.problem(problem.hint("for example `\"x\"` or `{ from = \"x\", by = \"key\" }`"));
        return None;
    };
    let input = section.inner("an input", span.clone(), table);
    let from = input.required("from", "\"x\"");
    let choices = [Key, Forward, Rebalance, Broadcast].map(|by| (by.name(), by));
    let by = input.choice_or("by", &choices, |word| Some(keys_come_from_the_source(word)));
    let to = input.string("to");
    let step = || from.as_ref().map_or("op", |from| from.value.as_str());
    input.misplaced("key", |column| keys_come_from_the_source(column.as_str().unwrap_or("COLUMN")));
    input.misplaced("output", |name| {
        format!("a side output is named with its step: `from = \"{}.{}\"`", step(), name.as_str().unwrap_or("NAME"))
    });
    input.finish();
    Some(RawInput { reference: from?.value, by, to, span })
}

/// What is said to whoever names a column where records are distributed.
fn keys_come_from_the_source(column: &str) -> String {
    format!("`by = \"key\"` distributes records by the key that they have; which column that is, their source says: `key = \"{column}\"`")
}
