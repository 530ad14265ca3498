//! A job file as it was understood: every default is filled in, every reference is known to lead somewhere.

use super::api::Api;
use super::plugin_place::PluginPlace;
use super::problem::{JobFileError, Problem, SourceText, Span, StepPlace};
use super::section::Located;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_engine::EngineError;
use weir_engine::checkpoint::CheckpointConfig;
use weir_engine::job::RestartPolicy;
use weir_engine::state::WindowSettings;
use weir_engine::time::WatermarkSettings;
use weir_wasm::{CompileLimits, QuarantineLimit};

/// A job.
#[derive(Clone, Debug)]
pub struct JobFile {
    /// The file that says all this.
    pub source: SourceText,
    /// The folder that relative paths are relative to.
    pub folder: PathBuf,
    /// `name`: identifies the job in its storage.
    pub name: String,
    /// `parallelism` of every step that has none of its own.
    pub parallelism: u32,
    /// True where the file says it: elsewhere it is the number of processors, which is not the same everywhere.
    pub says_parallelism: bool,
    /// `max-parallelism`: number of key groups.
    pub max_parallelism: u32,
    /// `[checkpoints]`.
    pub checkpoints: Checkpoints,
    /// `[restart]`.
    pub restart: RestartPolicy,
    /// The settings of `[restart]` as they hold.
    pub restart_shown: Map<String, Value>,
    /// `[api]`.
    pub api: Api,
    /// `[source.ID]`, in the order of the file.
    pub sources: Vec<SourceStep>,
    /// `[operator.ID]`, in the order of the file.
    pub operators: Vec<OperatorStep>,
    /// `[sink.ID]`, in the order of the file.
    pub sinks: Vec<SinkStep>,
}

impl JobFile {
    /// What compiling the plugin of operator `id` may take.
    pub fn compile_limits(&self, id: &str) -> CompileLimits {
        let step = self.operators.iter().find(|step| step.id.value == id);
        match step.map(|step| &step.code) {
            Some(Code::Plugin(code)) => code.limits.compile,
            Some(Code::Native(_)) | None => CompileLimits::default(),
        }
    }

    /// A path of the file as it is found from here.
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    /// The error that these problems of the file are; nothing where there are none.
    pub fn refuse(&self, problems: Vec<Problem>) -> Result<(), JobFileError> {
        JobFileError::unless_none(&self.source, problems)
    }

    /// The problem that it is where the operator `id` does not open, at what the file says of it. A guest's backtrace is left out.
    pub fn does_not_open(&self, id: &str, error: &EngineError) -> Option<Problem> {
        let step = self.operators.iter().find(|step| step.id.value == id)?;
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        let span = match &step.code {
            Code::Plugin(code) => code.config_places.meant_by(message).unwrap_or(&step.id.span),
            Code::Native(_) => &step.id.span,
        };
        let problem = Problem::new(span.clone(), format!("`{id}`: {message}"));
        Some(match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        })
    }

    /// The error with a line below it for each step that it is about: where that begins in the file.
    pub fn located(&self, error: EngineError) -> EngineError {
        self.places(&error).into_iter().fold(error, EngineError::with_line)
    }

    /// Where the steps begin in the file that the error is about.
    pub fn places(&self, error: &EngineError) -> Vec<StepPlace> {
        let place = |id: &String| {
            let sources = self.sources.iter().map(|step| ("source", &step.id));
            let operators = self.operators.iter().map(|step| ("operator", &step.id));
            let (kind, step) = sources.chain(operators).find(|(_, step)| step.value == *id)?;
            let (line, _) = self.source.position(step.span.start);
            Some(StepPlace { file: self.source.name.to_string(), line, kind, id: id.clone() })
        };
        error.steps().iter().filter_map(place).collect()
    }

    /// How the operator names its plugin, a path or a reference, as it is written.
    pub fn plugin_of(&self, operator: &str) -> Option<&str> {
        match &self.operators.iter().find(|step| step.id.value == operator)?.code {
            Code::Plugin(code) => Some(code.written.as_ref().unwrap_or(&code.path.value)),
            Code::Native(_) => None,
        }
    }

    /// For each step that was renamed the id that it had before.
    pub fn renames(&self) -> BTreeMap<String, String> {
        let sources = self.sources.iter().map(|step| (&step.id, &step.was));
        let operators = self.operators.iter().map(|step| (&step.id, &step.was));
        let sinks = self.sinks.iter().map(|step| (&step.id, &step.was));
        let steps = sources.chain(operators).chain(sinks);
        steps.filter_map(|(id, was)| Some((id.value.clone(), was.as_ref()?.value.clone()))).collect()
    }
}

/// When checkpoints are taken, how, and where they are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoints {
    /// URL as written.
    pub storage: Located<String>,
    /// When they are taken, and how.
    pub config: CheckpointConfig,
    /// Completed ones that are kept.
    pub retain: u32,
    /// The settings as they hold.
    pub shown: Map<String, Value>,
}

/// A connector's own settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The values.
    pub values: Map<String, Value>,
    /// Where they stand; those of a table within as `table.name`.
    pub spans: BTreeMap<String, Span>,
}

/// A source.
#[derive(Clone, Debug)]
pub struct SourceStep {
    /// Its id.
    pub id: Located<String>,
    /// `was`: the id that it had before.
    pub was: Option<Located<String>>,
    /// The connector's name.
    pub connector: Located<String>,
    /// Records per second of the whole source.
    pub rate: Option<f64>,
    /// `replay = "none"` was said, and where.
    pub replay_none: Option<Span>,
    /// How it makes watermarks, where it does.
    pub watermark: Option<Watermark>,
    /// Number of subtasks.
    pub parallelism: u32,
    /// The connector's own settings.
    pub settings: Settings,
    /// The others, as they hold.
    pub shown: Map<String, Value>,
}

/// How a source makes watermarks, or an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Watermark {
    /// What it says.
    pub settings: WatermarkSettings,
    /// Where it stands.
    pub span: Span,
    /// Where `order` stands, if it does.
    pub order: Option<Span>,
}

/// Which windows an operator's records are put into.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// What it says.
    pub settings: WindowSettings,
    /// Where it stands.
    pub span: Span,
    /// Where its kind stands.
    pub kind: Span,
}

/// An operator.
#[derive(Clone, Debug)]
pub struct OperatorStep {
    /// Its id.
    pub id: Located<String>,
    /// `was`: the id that it had before.
    pub was: Option<Located<String>>,
    /// What it runs.
    pub code: Code,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Whether what it is called with is recorded.
    pub record: bool,
    /// How it makes watermarks of what it emits, where it does.
    pub watermark: Option<Watermark>,
    /// Which windows its records are put into, where that is said.
    pub window: Option<Window>,
    /// Bytes of state that each subtask may keep; `None`: its part of what the job's subtasks may keep together.
    pub state_bytes: Option<u64>,
    /// The settings as they hold, but for what follows from the machine or from the plugin's file.
    pub shown: Map<String, Value>,
}

/// What an operator runs.
#[derive(Clone, Debug)]
pub enum Code {
    /// A component or core module.
    Plugin(Box<PluginCode>),
    /// An operator that is built into weir.
    Native(Located<String>),
}

/// A plugin with its settings.
#[derive(Clone, Debug)]
pub struct PluginCode {
    /// How the file names it, before variables are read; `None`: by no text.
    pub written: Option<String>,
    /// Where it is, as written: a path, a reference to a registry, or a digest.
    pub path: Located<String>,
    /// What that is.
    pub place: PluginPlace,
    /// The command that makes it.
    pub build: Option<Located<String>>,
    /// Globs of what it is made from.
    pub sources: Vec<String>,
    /// Handed to the plugin.
    pub config: Value,
    /// Where that stands.
    pub config_places: ConfigPlaces,
    /// What follows a record that fails.
    pub on_failure: OnFailure,
    /// How many records may be set aside.
    pub quarantine: QuarantineLimit,
    /// Bounds of the sandbox.
    pub limits: Limits,
}

/// Where the `config` of a plugin stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigPlaces {
    /// All of it; `None`: the file says nothing of it.
    pub whole: Option<Span>,
    /// Its entries, where it is a table.
    pub keys: Vec<(String, Span)>,
}

impl ConfigPlaces {
    /// Where to look after a plugin has said `message` of its config: at the entry that it names, else at all of it.
    pub fn meant_by(&self, message: &str) -> Option<&Span> {
        let names = |key: &str| ["`", "\"", "'"].iter().any(|quote| message.contains(&format!("{quote}{key}{quote}")));
        let named = self.keys.iter().find(|(key, _)| names(key)).map(|(_, span)| span);
        named.or(self.whole.as_ref())
    }
}

/// What follows a record that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The dataflow restarts.
    Fail,
    /// The record is put aside and the rest goes on.
    Quarantine,
}

impl OnFailure {
    /// As it is written in a job file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Quarantine => "quarantine",
        }
    }
}

/// Bounds of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory beyond which an instance is replaced, where that is said.
    pub recycle_memory: Option<u64>,
    /// Elements of all tables.
    pub table_elements: u64,
    /// Time for one batch.
    pub time_per_batch: Duration,
    /// Fuel for each record of a call, where it is bounded.
    pub fuel_per_record: Option<u64>,
    /// Bytes that one call may return.
    pub output_bytes: u64,
    /// Records that one call may return.
    pub output_records: u64,
    /// Bytes of log lines of one subtask in a second.
    pub log_bytes_per_s: u64,
    /// Bytes that the states of one key may count as.
    pub state_bytes_per_key: u64,
    /// Windows of one key that may be open.
    pub windows_per_key: u32,
    /// What compiling the plugin may take.
    pub compile: CompileLimits,
}

/// A sink.
#[derive(Clone, Debug)]
pub struct SinkStep {
    /// Its id.
    pub id: Located<String>,
    /// `was`: the id that it had before.
    pub was: Option<Located<String>>,
    /// The connector's name.
    pub connector: Located<String>,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// Number of subtasks.
    pub parallelism: u32,
    /// The connector's own settings.
    pub settings: Settings,
}

/// One thing that a step reads.
#[derive(Clone, Debug)]
pub struct Input {
    /// The step it comes from.
    pub from: String,
    /// The side output, where it is one.
    pub output: Option<String>,
    /// How records are distributed.
    pub by: Partitioning,
    /// True where the file does not say how: it follows from the parallelism on both sides.
    pub natural: bool,
    /// The declared input that it feeds, where that is said.
    pub to: Option<Located<String>>,
    /// Where it stands.
    pub span: Span,
}

impl Input {
    /// The name of the declared input that it feeds, where that is said.
    pub fn to_name(&self) -> Option<&str> {
        self.to.as_ref().map(|to| to.value.as_str())
    }

    /// As it is written in a job file.
    pub fn reference(&self) -> String {
        match &self.output {
            Some(output) => format!("{}.{output}", self.from),
            None => self.from.clone(),
        }
    }
}

/// How the records of an edge are distributed over the subtasks behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioning {
    /// Subtask i to subtask i.
    Forward,
    /// Equal keys to the same subtask.
    Key,
    /// In turn.
    Rebalance,
    /// To every subtask.
    Broadcast,
}

impl Partitioning {
    /// That of an edge of which the file does not say it, between so many subtasks and so many.
    pub fn natural(from: u32, to: u32) -> Self {
        if from == to { Self::Forward } else { Self::Rebalance }
    }

    /// As it is written in a job file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Key => "key",
            Self::Rebalance => "rebalance",
            Self::Broadcast => "broadcast",
        }
    }
}
