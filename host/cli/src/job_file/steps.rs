//! The steps of a job: `[source.ID]`, `[operator.ID]`, `[sink.ID]`, each read on its own. How they hang together is [`super::graph`]'s.

use super::model::{Code, ConfigPlaces, Limits, OnFailure, PluginCode, Settings, Watermark, Window};
use super::plugin_place::{BadPlace, PluginPlace};
use super::problem::{Problem, Span};
use super::section::{Located, Section};
use super::suggest;
use super::tables::{INPUT_TABLE, NATIVE_OPERATORS};
use super::values::json_of;
use super::{watermark, window};
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use weir_engine::state::{WindowKind, WindowSettings};
use weir_wasm::{CompileLimits, QuarantineLimit};

const ID_MAX_BYTES: usize = 64;

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
    pub watermark: Option<Watermark>,
    pub settings: Settings,
    /// The settings that are not the connector's, as they hold.
    pub shown: Map<String, Value>,
}

pub(super) struct RawOperator {
    pub head: StepHead,
    pub code: Option<Code>,
    pub inputs: Vec<RawInput>,
    pub record: bool,
    pub watermark: Option<Watermark>,
    pub window: Option<Window>,
    pub state_bytes: Option<u64>,
    pub shown: Map<String, Value>,
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
    let parallelism = section.whole("parallelism");
    let parallelism = parallelism.map(|own| Located { value: own.value as u32, span: own.span });
    StepHead { id, parallelism, was: section.string("was") }
}

/// Reads one source.
pub(super) fn read_source(id: Located<String>, section: Section<'_>) -> RawSource {
    let head = read_head(id, &section);
    let connector = section.required("connector");
    let rate = section.above_zero("rate");
    let replay_none = section.choice_or("replay", &[("none", ())], |_| None).map(|(_, none)| none.span);
    let watermark = watermark::read(&section);
    let settings = section.rest();
    RawSource { head, connector, rate, replay_none, watermark, settings, shown: section.shown() }
}

/// Reads one sink.
pub(super) fn read_sink(id: Located<String>, section: Section<'_>) -> RawSink {
    let head = read_head(id, &section);
    let connector = section.required("connector");
    let inputs = read_inputs(&section);
    RawSink { head, connector, inputs, settings: section.rest() }
}

/// Reads one operator.
pub(super) fn read_operator(id: Located<String>, section: Section<'_>) -> RawOperator {
    let head = read_head(id, &section);
    let is_native = section.place("native").is_some();
    let empty = DeTable::new();
    let limits = if is_native { section.table("limits") } else { Some(section.table_or_empty("limits", &empty)) };
    let state_bytes = limits.as_ref().and_then(|limits| limits.size("state-bytes"));
    let mut window = window::read(&section);
    let max_per_key = limits.as_ref().and_then(|limits| limits.place("windows-per-key"));
    if let Some(span) = max_per_key.clone().filter(|_| section.place("window").is_none()) {
        let message = format!("{} has no `window`, so no key has windows", section.name);
        section.problem(Problem::new(span, message).hint("leave `windows-per-key` out"));
    }
    let code = if is_native { read_native(&section, limits) } else { read_plugin(&section, limits).map(Box::new).map(Code::Plugin) };
    if let (Some(window), Some(Code::Plugin(code))) = (&mut window, &code) {
        window.settings.max_per_key = code.limits.windows_per_key;
        if let Some(span) = max_per_key {
            refuse_too_few(&section, &window.settings, span);
        }
    }
    let inputs = read_inputs(&section);
    let record = section.flag("record");
    let watermark = watermark::read(&section);
    if let Some(order) = watermark.as_ref().and_then(|watermark| watermark.order.clone()) {
        let message = "`order` is of what a source reads, and an operator emits as it is called".to_owned();
        section.problem(Problem::new(order, message).hint("leave `order` out"));
    }
    let shown = section.finish();
    RawOperator { head, code, inputs, record, watermark, window, state_bytes, shown }
}

/// Hopping windows that a record falls into are open at once.
fn refuse_too_few(section: &Section<'_>, windows: &WindowSettings, span: Span) {
    let WindowKind::Hopping { size, every, .. } = windows.kind else { return };
    let at_once = (size + every - 1) / every;
    if i64::from(windows.max_per_key) < at_once {
        let message = format!("a record falls into {at_once} windows, and a key may have {} of them", windows.max_per_key);
        section.problem(
            Problem::new(span, message).hint(format!("`windows-per-key` is {at_once} at least, and more for what comes out of order")),
        );
    }
}

/// Settings that mean something for a plugin only.
const PLUGIN_SETTINGS: [&str; 4] = ["build", "sources", "config", "on-failure"];
/// Those of its `limits` that do: of a built-in operator only the state is bounded.
const PLUGIN_LIMITS: [&str; 10] = [
    "memory",
    "recycle-memory",
    "table-elements",
    "time-per-batch",
    "fuel-per-record",
    "output-bytes",
    "output-records",
    "log-bytes-per-second",
    "state-bytes-per-key",
    "windows-per-key",
];

fn read_native(section: &Section<'_>, limits: Option<Section<'_>>) -> Option<Code> {
    match limits.filter(|limits| limits.place("state-bytes").is_some()) {
        Some(limits) => {
            for key in PLUGIN_LIMITS {
                if let Some(span) = limits.place(key) {
                    section.problem(Problem::new(span, format!("`{key}` does not go with `native` in {}", section.name)));
                }
            }
            section.show("limits", limits.finish());
        }
        None => refuse_plugin_setting(section, "limits"),
    }
    PLUGIN_SETTINGS.into_iter().chain(["plugin"]).for_each(|key| refuse_plugin_setting(section, key));
    let code = section.string("native")?;
    if !NATIVE_OPERATORS.contains(&&*code.value) {
        let message = format!("there is no built-in operator `{}`", code.value);
        let place = section.place("native").expect("it was read");
        section.problem(Problem::new(place, message).hint(suggest::hint(&code.value, NATIVE_OPERATORS)));
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
    let path = section.required("plugin");
    let place = path.as_ref().and_then(|path| read_place(section, path));
    let (config, config_places) = read_config(section);
    let on_failure = section.choice("on-failure", &[OnFailure::Fail, OnFailure::Quarantine].map(|policy| (policy.name(), policy)));
    let code = PluginCode {
        // Its shell has variables of its own.
        build: section.string_as_it_is("build"),
        sources: section.strings("sources"),
        config,
        config_places,
        on_failure,
        quarantine: QuarantineLimit::default(),
        limits: read_limits(section, limits?),
        written: section.written("plugin"),
        path: path?,
        place: place?,
    };
    Some(code)
}

/// Where the plugin is. What is in no file is not built from any.
fn read_place(section: &Section<'_>, path: &Located<String>) -> Option<PluginPlace> {
    let place = match PluginPlace::of(&path.value) {
        Ok(place) => place,
        Err(BadPlace { message, hint }) => {
            section.problem(Problem::new(path.span.clone(), format!("`plugin` in {}: {message}", section.name)).hint(hint));
            return None;
        }
    };
    if place != PluginPlace::File {
        for key in ["build", "sources"] {
            if let Some(span) = section.place(key) {
                let message = format!("`{key}` does not go with a plugin that is in no file in {}", section.name);
                section.problem(Problem::new(span, message).hint("build it where it is pushed from: `weir plugin push`"));
            }
        }
    }
    Some(place)
}

/// What is handed to the plugin, and where it stands.
fn read_config(section: &Section<'_>) -> (Value, ConfigPlaces) {
    let nothing = Value::Object(Map::new());
    section.show("config", nothing.clone());
    let Some(value) = section.get("config") else { return (nothing, ConfigPlaces::default()) };
    let keys = value.get_ref().as_table().into_iter().flatten();
    let keys = keys.map(|(key, value)| (key.get_ref().to_string(), key.span().start..value.span().end)).collect();
    let places = ConfigPlaces { whole: section.place("config"), keys };
    let config = json_of(value).unwrap_or_else(|problem| {
        section.problem(problem);
        nothing
    });
    section.show("config", config.clone());
    (config, places)
}

fn read_limits(step: &Section<'_>, section: Section<'_>) -> Limits {
    let limits = Limits {
        memory: section.size_or_default("memory"),
        recycle_memory: section.size("recycle-memory"),
        table_elements: section.whole_or_default("table-elements"),
        time_per_batch: section.duration_or_default("time-per-batch"),
        fuel_per_record: section.whole("fuel-per-record").map(|fuel| fuel.value),
        output_bytes: section.size_or_default("output-bytes"),
        output_records: section.whole_or_default("output-records"),
        log_bytes_per_s: section.size_or_default("log-bytes-per-second"),
        state_bytes_per_key: section.size_or_default("state-bytes-per-key"),
        windows_per_key: section.whole_or_default("windows-per-key") as u32,
        compile: read_compile_limits(&section),
    };
    step.show("limits", section.finish());
    limits
}

/// What is not said follows from the size of the plugin's file.
fn read_compile_limits(section: &Section<'_>) -> CompileLimits {
    let empty = DeTable::new();
    let compile = section.table_or_empty("compile", &empty);
    let limits = CompileLimits { time: compile.duration("time"), memory: compile.size("memory") };
    section.show("compile", compile.finish());
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
    let input = section.inner("an input", span.clone(), table, INPUT_TABLE);
    let from = input.required("from");
    let choices = [Key, Forward, Rebalance, Broadcast].map(|by| (by.name(), by));
    let by = input.choice_or("by", &choices, |word| Some(keys_come_from_the_source(word))).map(|(_, by)| by);
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
    let nested = if column.contains('.') { "; of JSON that is a field of the value itself, and none within another field" } else { "" };
    format!(
        "`by = \"key\"` distributes records by the key that they have; which column that is, their source says: `key = \"{column}\"`{nested}"
    )
}
