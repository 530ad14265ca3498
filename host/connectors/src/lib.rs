//! The connectors and their registry: from a connector's name and its table in the job file to the engine's ports.
//!
//! One file or folder per connector. The engine's own keys of the table (`connector`, `rate`, `parallelism`, `replay`, `input`, …)
//! are taken out by the caller; every key that is left must be known here.

mod blackhole_sink;
#[cfg(test)]
mod conformance;
mod file_sink;
mod file_source;
mod generator_source;
mod paths;
mod settings;
mod stdout_sink;

pub use paths::{Output, files_matching};
pub use settings::SettingsError;

use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use weir_engine::{Committer, EngineError, Sink, Source};

const SOURCES: &[&str] = &["file", "generator", "stdin"];
const SINKS: &[&str] = &["blackhole", "file", "stdout"];

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
    (connector == "file").then(|| Arc::new(file_sink::FileCommitter::new(base_dir)) as Arc<dyn Committer>)
}

/// What a sink with these settings writes into a folder, where it does.
pub fn output(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Option<Output> {
    (connector == "file").then(|| file_sink::FileSink::new(settings, base_dir).ok().map(|(sink, _)| sink.output())).flatten()
}

/// The place of the first of these outputs of the same job that a source with these settings can read.
pub fn matched_output(
    connector: &str,
    settings: &Map<String, Value>,
    base_dir: &Path,
    outputs: &[Output],
) -> Result<Option<usize>, EngineError> {
    if connector != "file" {
        return Ok(None);
    }
    // What is wrong with its settings is told where the source is made of them.
    file_source::FileSource::new(settings, base_dir).map_or(Ok(None), |(source, _)| source.matched_output(outputs))
}

type Built<T> = Result<(Arc<T>, Map<String, Value>), SettingsError>;

fn build_source(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Built<dyn Source> {
    match connector {
        "file" => file_source::FileSource::new(settings, base_dir).map(|(source, shown)| (Arc::new(source) as Arc<dyn Source>, shown)),
        "generator" => generator_source::GeneratorSource::new(settings).map(|(source, shown)| (Arc::new(source) as Arc<dyn Source>, shown)),
        "stdin" => file_source::StdinSource::new(settings).map(|(source, shown)| (Arc::new(source) as Arc<dyn Source>, shown)),
        unknown => Err(unknown_connector("source", unknown, SOURCES)),
    }
}

fn build_sink(connector: &str, settings: &Map<String, Value>, base_dir: &Path) -> Built<dyn Sink> {
    match connector {
        "file" => file_sink::FileSink::new(settings, base_dir).map(|(sink, shown)| (Arc::new(sink) as Arc<dyn Sink>, shown)),
        "stdout" => stdout_sink::StdoutSink::new(settings).map(|(sink, shown)| (Arc::new(sink) as Arc<dyn Sink>, shown)),
        "blackhole" => blackhole_sink::BlackholeSink::new(settings).map(|(sink, shown)| (Arc::new(sink) as Arc<dyn Sink>, shown)),
        unknown => Err(unknown_connector("sink", unknown, SINKS)),
    }
}

fn unknown_connector(port: &str, name: &str, known: &[&str]) -> SettingsError {
    let message = format!("there is no {port} connector `{name}`");
    SettingsError::at("connector", message).with_hint(settings::suggest(name, known.iter().copied(), "connectors"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_connector_lists_the_known_ones() {
        let error = source("kafka", &Map::new(), Path::new(".")).err().unwrap();
        assert_eq!(error.to_string(), "there is no source connector `kafka`");
        assert_eq!(error.hint.as_deref(), Some("known connectors: file, generator, stdin"));
        let error = sink("stdot", &Map::new(), Path::new(".")).err().unwrap();
        assert_eq!((error.field.as_deref(), error.hint.as_deref()), (Some("connector"), Some("did you mean `stdout`?")));
    }

    #[test]
    fn every_known_connector_can_be_built() {
        let folder = tempfile::tempdir().unwrap();
        let path = json!({ "path": "x" }).as_object().unwrap().clone();
        for &name in SOURCES {
            let settings = if name == "file" { path.clone() } else { Map::new() };
            assert_eq!(source(name, &settings, folder.path()).unwrap().connector(), name);
        }
        for &name in SINKS {
            let settings = if name == "file" { path.clone() } else { Map::new() };
            assert_eq!(sink(name, &settings, folder.path()).unwrap().connector(), name);
        }
    }
}
