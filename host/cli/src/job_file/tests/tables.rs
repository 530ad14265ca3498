//! The tables of settings, the reader and the reference page say the same.

use super::*;
use crate::job_file::tables::{API, CHECKPOINTS, COMPILE, HEAD, INPUT_TABLE, LIMITS, OPERATOR, RESTART, WINDOW};
use serde_json::Value;
use toml::Table;
use weir_connectors::{
    ConnectorSettings, Fallback, Kind, SINK_STEP, SOURCE_STEP, Setting, TIMESTAMP_SETTINGS, TLS, WATERMARK, reference, settings_of_sinks,
    settings_of_sources,
};
use weir_engine::checkpoint::CheckpointConfig;
use weir_engine::job::RestartPolicy;

/// A table of settings.
struct Described {
    /// As the reference page has it.
    name: &'static str,
    /// Which table of [`whole`] has these settings.
    path: &'static str,
    settings: &'static [Setting],
}

const TABLES: [Described; 13] = [
    Described { name: "head", path: "", settings: HEAD },
    Described { name: "checkpoints", path: "checkpoints", settings: CHECKPOINTS },
    Described { name: "restart", path: "restart", settings: RESTART },
    Described { name: "api", path: "api", settings: API },
    Described { name: "source", path: "source.rows", settings: SOURCE_STEP },
    Described { name: "watermark", path: "source.rows.watermark", settings: WATERMARK },
    Described { name: "operator", path: "operator.delays", settings: OPERATOR },
    Described { name: "watermark", path: "operator.delays.watermark", settings: WATERMARK },
    Described { name: "window", path: "operator.delays.window", settings: WINDOW },
    Described { name: "input", path: "operator.delays.input", settings: INPUT_TABLE },
    Described { name: "limits", path: "operator.delays.limits", settings: LIMITS },
    Described { name: "compile", path: "operator.delays.limits.compile", settings: COMPILE },
    Described { name: "sink", path: "sink.out", settings: SINK_STEP },
];

/// [`GOOD`] with all of its tables.
fn whole() -> Table {
    let more = "[checkpoints]\n[restart]\n[api]\n[source.rows.watermark]\n[operator.delays.watermark]\n[operator.delays.window]\ntumbling = \"1h\"\n\
                [operator.delays.limits.compile]\n";
    format!("{GOOD}{more}").parse().expect("TOML")
}

/// The file that says `value` for a setting of the table at `path`.
fn saying(path: &str, setting: &Setting, value: toml::Value) -> String {
    let mut file = whole();
    let mut table = &mut file;
    for key in path.split('.').filter(|key| !key.is_empty()) {
        table = table.get_mut(key).and_then(toml::Value::as_table_mut).unwrap_or_else(|| panic!("{path}"));
    }
    // Only one of each pair may stand there.
    match setting.name {
        "inputs" => _ = table.remove("input"),
        "native" => _ = table.remove("plugin"),
        _ => {}
    }
    table.insert(setting.name.into(), value);
    file.to_string()
}

fn in_force(text: &str) -> Vec<Value> {
    let job = parsed(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let shown = [&job.checkpoints.shown, &job.restart_shown, &job.api.shown, &job.sources[0].shown, &job.operators[0].shown];
    let head = serde_json::json!([job.name, job.parallelism, job.max_parallelism]);
    shown.into_iter().cloned().map(Value::Object).chain([head]).collect()
}

#[test]
fn what_is_not_of_a_settings_type_is_refused_by_its_name() {
    let date: toml::Value = toml::Value::Datetime("1979-05-27".parse().expect("a date"));
    for Described { path, settings, .. } in TABLES {
        // A plugin's config may be anything.
        for setting in settings.iter().filter(|setting| setting.name != "config") {
            let error = parsed(&saying(path, setting, date.clone())).expect_err(setting.name).to_string();
            let by_rule = matches!(setting.kind, Kind::Other(_)) && error.contains("an input of");
            assert!(by_rule || error.contains(&format!("`{}` of ", setting.name)), "{path} {}: {error}", setting.name);
        }
    }
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let base = in_force(&whole().to_string());
    for Described { path, settings, .. } in TABLES {
        for setting in settings {
            let Some(text) = setting.default_text() else { continue };
            let mut said: Table = format!("value = {text}").parse().expect("a default is TOML");
            let value = said.remove("value").expect("it is there");
            assert_eq!(in_force(&saying(path, setting, value)), base, "{path} {} = {text}", setting.name);
        }
    }
}

#[test]
fn what_a_job_file_leaves_out_is_what_the_engine_does_by_itself() {
    let job = parsed(GOOD).expect("right");
    assert_eq!((job.checkpoints.config, job.restart), (CheckpointConfig::default(), RestartPolicy::default()));
}

#[test]
fn every_setting_that_is_in_force_is_shown_and_says_what_it_is() {
    let shown = in_force(&whole().to_string());
    for (values, table) in shown.iter().zip([CHECKPOINTS, RESTART, API]) {
        let names: Vec<&str> = table.iter().map(|setting| setting.name).collect();
        let values = values.as_object().expect("a table");
        assert!(names.iter().all(|name| values.contains_key(*name)) && values.len() == names.len(), "{names:?} {values:?}");
    }
    for setting in TABLES.iter().flat_map(|table| table.settings) {
        assert!(setting.about.ends_with('.') && !matches!(setting.fallback, Fallback::Found("")), "{}", setting.name);
    }
}

/// True of tables of connectors that this build was made without: they stay as they are.
fn is_left_out(name: &str) -> bool {
    let kafka = ["source kafka", "sink kafka"].contains(&name) && cfg!(not(feature = "kafka"));
    kafka || name == "sink postgres" && cfg!(not(feature = "postgres"))
}

/// A page of the documentation with each table between its marks made anew: `<!-- table: NAME -->` and `<!-- end of table -->`.
fn with_tables(page: &str, tables: &[(&str, &[Setting])]) -> String {
    let mut made = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- table: ") {
        let (name, after) = after.split_once(" -->\n").expect("a mark ends");
        let (is, after) = after.split_once("<!-- end of table -->").unwrap_or_else(|| panic!("`{name}` has no end"));
        let table = match tables.iter().find(|(known, _)| *known == name) {
            Some((_, table)) => reference(table),
            None if is_left_out(name) => is.to_owned(),
            None => panic!("no table `{name}`"),
        };
        made.push_str(&format!("{before}<!-- table: {name} -->\n{table}<!-- end of table -->"));
        rest = after;
    }
    made + rest
}

/// Holds a page to its tables. Run with `WEIR_REFRESH_DOCS=1` it writes the page anew.
#[track_caller]
fn holds(page: &str, tables: &[(&str, &[Setting])]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    for (name, _) in tables {
        assert!(text.contains(&format!("<!-- table: {name} -->\n")), "{page} has no place for the table `{name}`");
    }
    let made = with_tables(&text, tables);
    if std::env::var_os("WEIR_REFRESH_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap_or_else(|error| panic!("{page}: {error}"));
    } else {
        assert!(
            made == text,
            "host/docs/{page} says something else than the tables of settings: WEIR_REFRESH_DOCS=1 cargo test -p weir --lib reference"
        );
    }
}

#[test]
fn the_reference_page_of_the_job_file_is_made_from_the_tables() {
    holds("job-file.md", &TABLES.map(|table| (table.name, table.settings)));
}

#[test]
fn the_reference_page_of_connectors_is_made_from_their_tables() {
    let named = |port: &str, of: ConnectorSettings| (format!("{port} {}", of.connector), of.settings);
    let sources = settings_of_sources().into_iter().map(|of| named("source", of));
    let tables: Vec<_> = sources.chain(settings_of_sinks().into_iter().map(|of| named("sink", of))).collect();
    // One without settings of its own needs no table.
    let tables = tables.iter().filter(|(_, table)| !table.is_empty()).map(|(name, table)| (name.as_str(), *table));
    let tables: Vec<_> = tables.chain([("timestamp", TIMESTAMP_SETTINGS), ("tls", TLS)]).collect();
    holds("connectors.md", &tables);
}
