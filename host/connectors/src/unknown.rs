//! Connectors that a weir does not have: there is none of that name, it is to come, or the build has left it out.

use crate::settings::{SettingsError, suggest};

/// Connectors that a build may have left out, each with the ports that it has. The feature that brings it has its name.
const FEATURES: [(&str, &[&str]); 2] = [("kafka", &["source", "sink"]), ("postgres", &["sink"])];

/// Connectors that are to come.
const LATER: [&str; 10] = ["avro", "cdc", "debezium", "http", "iceberg", "mqtt", "nats", "parquet", "postgres", "s3"];

/// The error of a `port` whose connector `name` is not among the `known`.
pub(crate) fn connector(port: &str, name: &str, known: impl Iterator<Item = &'static str>) -> SettingsError {
    if FEATURES.iter().any(|(feature, ports)| *feature == name && ports.contains(&port)) {
        let error = SettingsError::at("connector", format!("this weir was built without the {port} connector `{name}`"));
        return error.with_hint(format!("build it with it: `cargo build --release --features {name}`"));
    }
    let message = match LATER.contains(&name) {
        true => format!("the {port} connector `{name}` is not built yet"),
        false => format!("there is no {port} connector `{name}`"),
    };
    SettingsError::at("connector", message).with_hint(suggest(name, known, "connectors"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_that_is_not_in_this_build_is_refused_by_name() {
        let refused = |name: &str| connector("sink", name, ["file"].into_iter()).to_string();
        assert_eq!(refused("kafka"), "this weir was built without the sink connector `kafka`");
        assert_eq!(refused("postgres"), "this weir was built without the sink connector `postgres`");
        for later in ["avro", "cdc", "debezium", "http", "iceberg", "mqtt", "nats", "parquet", "s3"] {
            assert_eq!(refused(later), format!("the sink connector `{later}` is not built yet"));
        }
        assert_eq!(connector("source", "postgres", ["file"].into_iter()).to_string(), "the source connector `postgres` is not built yet");
    }
}
