//! The connectors and their registry: from a connector's name and its table in the job file to the engine's ports.
//!
//! One file or folder per connector. The engine's own keys of the table (`connector`, `rate`, `parallelism`, `replay`, `input`, …)
//! are taken out by the caller; every key that is left must be known here. What the command line has to know of a connector stands in its
//! capabilities, so that it knows none by name.

mod blackhole_sink;
mod file_sink;
mod file_source;
mod generator_source;
#[cfg(feature = "kafka")]
mod kafka;
mod nexmark;
mod paths;
#[cfg(feature = "postgres")]
mod postgres;
mod settings;
mod stdout_sink;
mod unknown;

pub use file_source::TIMESTAMP_SETTINGS;
pub use paths::{Output, files_matching};
pub use settings::SettingsError;
pub use settings::steps::{INPUT, INPUT_ABOUT, INPUTS_ABOUT, PARALLELISM, SINK_STEP, SOURCE_STEP, TLS, WAS_ABOUT, WATERMARK};
pub use settings::table::{Fallback, Kind, Setting, Within, reference};

use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use weir_engine::{Committer, EngineError, Sink, Source, SourceCapabilities};

/// Which of these outputs a source of these settings, in this folder, would read.
type MatchedOutputOf = fn(&Map<String, Value>, &Path, &[Output]) -> Result<Option<usize>, EngineError>;
/// What commits for jobs whose paths begin at this folder.
type CommitterOf = fn(&Path) -> Arc<dyn Committer>;
/// What a sink of these settings, in this folder, leaves there.
type OutputOf = fn(&Map<String, Value>, &Path) -> Option<Output>;

/// A source connector: its name in job files, what it can do, and what makes a source of its settings.
struct SourceConnector {
    name: &'static str,
    capabilities: SourceCapabilities,
    settings: &'static [Setting],
    build: fn(&Map<String, Value>, &Path) -> Built<dyn Source>,
    /// Finds the first of these outputs of the same job that it can read; `None`: it reads nothing that a sink writes.
    matched_output: Option<MatchedOutputOf>,
}

const SOURCES: &[SourceConnector] = &[
    SourceConnector {
        name: "file",
        capabilities: file_source::FILE_CAPABILITIES,
        settings: file_source::FILE_SETTINGS,
        build: |settings, base_dir| shared_source(file_source::FileSource::new(settings, base_dir)),
        // What is wrong with its settings is told where the source is made of them.
        matched_output: Some(|settings, base_dir, outputs| {
            file_source::FileSource::new(settings, base_dir).map_or(Ok(None), |(source, _)| source.matched_output(outputs))
        }),
    },
    SourceConnector {
        name: "generator",
        capabilities: generator_source::CAPABILITIES,
        settings: generator_source::SETTINGS,
        build: |settings, _| shared_source(generator_source::GeneratorSource::new(settings)),
        matched_output: None,
    },
    #[cfg(feature = "kafka")]
    SourceConnector {
        name: "kafka",
        capabilities: kafka::CAPABILITIES,
        settings: kafka::SOURCE_SETTINGS,
        build: |settings, base_dir| shared_source(kafka::KafkaSource::new(settings, base_dir)),
        matched_output: None,
    },
    SourceConnector {
        name: "nexmark",
        capabilities: nexmark::CAPABILITIES,
        settings: nexmark::SETTINGS,
        build: |settings, _| shared_source(nexmark::NexmarkSource::new(settings)),
        matched_output: None,
    },
    SourceConnector {
        name: "stdin",
        capabilities: file_source::STDIN_CAPABILITIES,
        settings: file_source::STDIN_SETTINGS,
        build: |settings, _| shared_source(file_source::StdinSource::new(settings)),
        matched_output: None,
    },
];

/// What a sink can do, and what the rest of a job has to know of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkCapabilities {
    /// It writes to standard output, where nothing else may stand then; its subtasks share that one stream.
    pub owns_stdout: bool,
}

/// A sink connector: its name in job files, what it can do, and what makes a sink of its settings.
struct SinkConnector {
    name: &'static str,
    capabilities: SinkCapabilities,
    settings: &'static [Setting],
    build: fn(&Map<String, Value>, &Path) -> Built<dyn Sink>,
    /// Makes what commits its committables; `None`: it has none.
    committer: Option<CommitterOf>,
    /// Tells what it writes into a folder with these settings, where they are right; `None`: it writes into none.
    output: Option<OutputOf>,
}

const SINKS: &[SinkConnector] = &[
    SinkConnector {
        name: "blackhole",
        capabilities: SinkCapabilities { owns_stdout: false },
        settings: blackhole_sink::SETTINGS,
        build: |settings, _| shared_sink(blackhole_sink::BlackholeSink::new(settings)),
        committer: None,
        output: None,
    },
    SinkConnector {
        name: "file",
        capabilities: SinkCapabilities { owns_stdout: false },
        settings: file_sink::SETTINGS,
        build: |settings, base_dir| shared_sink(file_sink::FileSink::new(settings, base_dir)),
        committer: Some(|base_dir| Arc::new(file_sink::FileCommitter::new(base_dir))),
        output: Some(|settings, base_dir| file_sink::FileSink::new(settings, base_dir).ok().map(|(sink, _)| sink.output())),
    },
    #[cfg(feature = "kafka")]
    SinkConnector {
        name: "kafka",
        capabilities: SinkCapabilities { owns_stdout: false },
        settings: kafka::SINK_SETTINGS,
        build: kafka::sink,
        committer: None,
        output: None,
    },
    #[cfg(feature = "postgres")]
    SinkConnector {
        name: "postgres",
        capabilities: SinkCapabilities { owns_stdout: false },
        settings: postgres::SINK_SETTINGS,
        build: |settings, base_dir| shared_sink(postgres::sink(settings, base_dir)),
        committer: None,
        output: None,
    },
    SinkConnector {
        name: "stdout",
        capabilities: SinkCapabilities { owns_stdout: true },
        settings: stdout_sink::SETTINGS,
        build: |settings, _| shared_sink(stdout_sink::StdoutSink::new(settings)),
        committer: None,
        output: None,
    },
];

/// What a source connector can do; of an unknown one nothing is special, and who makes a source of it says that there is none.
pub fn source_capabilities(connector: &str) -> SourceCapabilities {
    SOURCES.iter().find(|known| known.name == connector).map(|known| known.capabilities).unwrap_or_default()
}

/// What a sink connector can do; of an unknown one nothing is special, and who makes a sink of it says that there is none.
pub fn sink_capabilities(connector: &str) -> SinkCapabilities {
    SINKS.iter().find(|known| known.name == connector).map(|known| known.capabilities).unwrap_or_default()
}

/// The settings of a connector, under its name.
#[derive(Clone, Copy, Debug)]
pub struct ConnectorSettings {
    /// The connector's name in job files.
    pub connector: &'static str,
    /// Its own settings; those of every step of its kind are [`SOURCE_STEP`] and [`SINK_STEP`].
    pub settings: &'static [Setting],
}

/// The settings of every source connector.
pub fn settings_of_sources() -> Vec<ConnectorSettings> {
    SOURCES.iter().map(|known| ConnectorSettings { connector: known.name, settings: known.settings }).collect()
}

/// The settings of every sink connector.
pub fn settings_of_sinks() -> Vec<ConnectorSettings> {
    SINKS.iter().map(|known| ConnectorSettings { connector: known.name, settings: known.settings }).collect()
}

/// A source from its settings. Relative paths are relative to `base_dir`, the job file's folder.
pub fn source(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Result<Arc<dyn Source>, SettingsError> {
    build_source(connector, settings, base_dir).map(|(source, _)| source)
}

/// A source's settings with every default filled in, also those that are found out from its files.
pub fn source_settings(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Result<Map<String, Value>, SettingsError> {
    build_source(connector, settings, base_dir).map(|(_, effective)| effective)
}

/// A sink from its settings. Relative paths are relative to `base_dir`, the job file's folder.
pub fn sink(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Result<Arc<dyn Sink>, SettingsError> {
    build_sink(connector, settings, base_dir).map(|(sink, _)| sink)
}

/// A sink's settings with every default filled in.
pub fn sink_settings(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Result<Map<String, Value>, SettingsError> {
    build_sink(connector, settings, base_dir).map(|(_, effective)| effective)
}

/// What commits the committables of a sink connector; `None` for connectors that have none and for unknown ones. Relative paths in them are relative
/// to `base_dir`, the job file's folder.
pub fn committer(connector: &str, base_dir: &Path) -> Option<Arc<dyn Committer>> {
    let known = SINKS.iter().find(|known| known.name == connector)?;
    known.committer.map(|make| make(base_dir))
}

/// What a sink with these settings writes into a folder, where it does.
pub fn output(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Option<Output> {
    let known = SINKS.iter().find(|known| known.name == connector)?;
    known.output.and_then(|tell| tell(settings, base_dir))
}

/// The place of the first of these outputs of the same job that a source with these settings can read.
pub fn matched_output(
    connector: &str,
    settings: &Map<String, Value>,
    base_dir: &Path,
    outputs: &[Output],
) -> Result<Option<usize>, EngineError> {
    let known = SOURCES.iter().find(|known| known.name == connector);
    known.and_then(|known| known.matched_output).map_or(Ok(None), |find| find(settings, base_dir, outputs))
}

/// A connector and its settings with their defaults filled in.
type Made<S> = Result<(S, Map<String, Value>), SettingsError>;
type Built<T> = Result<(Arc<T>, Map<String, Value>), SettingsError>;

fn shared_source<S: Source + 'static>(made: Made<S>) -> Built<dyn Source> {
    made.map(|(source, shown)| (Arc::new(source) as Arc<dyn Source>, shown))
}

fn shared_sink<S: Sink + 'static>(made: Made<S>) -> Built<dyn Sink> {
    made.map(|(sink, shown)| (Arc::new(sink) as Arc<dyn Sink>, shown))
}

fn build_source(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Built<dyn Source> {
    match SOURCES.iter().find(|known| known.name == connector) {
        Some(known) => (known.build)(settings, base_dir),
        None => Err(unknown::connector("source", connector, SOURCES.iter().map(|known| known.name))),
    }
}

fn build_sink(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Built<dyn Sink> {
    match SINKS.iter().find(|known| known.name == connector) {
        Some(known) => (known.build)(settings, base_dir),
        None => Err(unknown::connector("sink", connector, SINKS.iter().map(|known| known.name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_connector_lists_the_known_ones() {
        let error = source("pulsar", &Map::new(), Path::new(".")).err().unwrap();
        assert_eq!(error.to_string(), "there is no source connector `pulsar`");
        let known: Vec<&str> = SOURCES.iter().map(|known| known.name).collect();
        assert_eq!(error.hint, Some(format!("known connectors: {}", known.join(", "))));
        let error = sink("stdot", &Map::new(), Path::new(".")).err().unwrap();
        assert_eq!((error.field.as_deref(), error.hint.as_deref()), (Some("connector"), Some("did you mean `stdout`?")));
    }

    #[test]
    fn every_known_connector_can_be_built() {
        let folder = tempfile::tempdir().unwrap();
        for &SourceConnector { name, capabilities, .. } in SOURCES {
            let built = source(name, &least("source", name), folder.path()).unwrap();
            // Some have no end unless it is said.
            let end = match name {
                "generator" | "nexmark" => Some(("count", json!(1))),
                "kafka" => Some(("until", json!("end"))),
                _ => None,
            };
            let expect = SourceCapabilities { bounded: capabilities.bounded && end.is_none(), ..capabilities };
            assert_eq!((built.connector(), built.capabilities()), (name, expect));
            if let Some((setting, end)) = end {
                let mut with_end = least("source", name);
                with_end.insert(setting.into(), end);
                assert_eq!(source(name, &with_end, folder.path()).unwrap().capabilities(), capabilities);
            }
        }
        for &SinkConnector { name, .. } in SINKS {
            assert_eq!(sink(name, &least("sink", name), folder.path()).unwrap().connector(), name);
        }
    }

    #[test]
    fn a_reader_without_splits_of_a_source_without_an_end_waits() {
        let status = |name: &str, settings: Value| {
            let source = source(name, settings.as_object().expect("an object"), Path::new(".")).unwrap();
            let mut reader = source.reader(&weir_engine::source::conformance::reader_context(2, 3), Vec::new()).unwrap();
            let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
            reader.poll_read(cx, 1, &mut weir_engine::source::SplitBatch::new())
        };
        for name in ["generator", "nexmark"] {
            assert!(status(name, json!({})).is_pending(), "{name}");
            assert!(status(name, json!({ "count": 5 })).is_ready(), "{name}");
        }
    }

    #[test]
    fn a_sink_that_leaves_files_says_so_and_who_commits_them_and_others_do_neither() {
        let folder = tempfile::tempdir().unwrap();
        for &SinkConnector { name, settings, .. } in SINKS {
            let has_path = settings.iter().any(|setting| setting.name == "path");
            assert_eq!(output(name, &least("sink", name), folder.path()).is_some(), has_path, "{name}");
            assert_eq!(committer(name, folder.path()).is_some(), has_path, "{name}");
        }
        assert!(committer("unknown", folder.path()).is_none() && output("unknown", &Map::new(), folder.path()).is_none());
    }

    #[test]
    fn only_a_source_of_files_can_read_what_a_sink_writes() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = [output("file", &least("sink", "file"), folder.path()).unwrap()];
        for &SourceConnector { name, .. } in SOURCES {
            let mut said = least("source", name);
            let reads_files = said.contains_key("path");
            if reads_files {
                said.insert("path".into(), json!("x/*"));
            }
            assert_eq!(matched_output(name, &said, folder.path(), &outputs).unwrap(), reads_files.then_some(0), "{name}");
        }
    }

    /// Settings that a connector can be made with.
    fn least(port: &str, connector: &str) -> Map<String, Value> {
        let least = match (port, connector) {
            (_, "file") => json!({ "path": "x" }),
            ("source", "kafka") => json!({ "brokers": "localhost:9092", "topics": ["a"] }),
            (_, "kafka") => json!({ "brokers": "localhost:9092", "topic": "a" }),
            (_, "postgres") => json!({ "url": "postgres://weir@localhost/weir", "table": "a" }),
            _ => json!({}),
        };
        least.as_object().expect("an object").clone()
    }

    #[test]
    fn settings_of_every_connector_are_read_as_their_table_says() {
        let folder = tempfile::tempdir().unwrap();
        let sources = settings_of_sources().into_iter().map(|of| (true, of));
        for (is_source, of) in sources.chain(settings_of_sinks().into_iter().map(|of| (false, of))) {
            let build = |said: &Map<String, Value>| match is_source {
                true => source_settings(of.connector, said, folder.path()),
                false => sink_settings(of.connector, said, folder.path()),
            };
            let mut least = least(if is_source { "source" } else { "sink" }, of.connector);
            // What lines have no use for means something there.
            if is_source && of.settings.iter().any(|setting| setting.name == "null") {
                least.insert("format".into(), json!("csv"));
            }
            let base = build(&least).unwrap_or_else(|error| panic!("{}: {error}", of.connector));
            let saying = |name: &str, value: Value| {
                let mut said = least.clone();
                said.insert(name.into(), value);
                build(&said)
            };
            for setting in of.settings {
                let error = saying(setting.name, json!({ "a": 1 })).expect_err(setting.name);
                let field = error.field.as_deref().and_then(|field| field.split('.').next());
                assert_eq!(field, Some(setting.name), "{}: {error}", of.connector);
                // A default that is written out changes nothing.
                let default = base.get(setting.name).filter(|_| matches!(setting.fallback, Fallback::Value(_)));
                if let Some(default) = default.filter(|_| !least.contains_key(setting.name)) {
                    let said = saying(setting.name, default.clone());
                    assert_eq!(said.as_ref(), Ok(&base), "{} {}", of.connector, setting.name);
                }
            }
            assert!(base.keys().all(|name| of.settings.iter().any(|setting| setting.name == name)), "{base:?}");
        }
    }
}
