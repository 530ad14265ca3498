//! Options of librdkafka that are each right and do not go together (`acks = 1` of a producer that is idempotent, say): a client is made with them that speaks to nobody, and what librdkafka says of
//! that is said of the job file.

use super::client::{Cluster, Isolation, Pace, let_go};
use super::options::OTHER_NAMES;
use super::producers::BATCH_BYTES;
use super::publishing::TRANSACTION_TIMEOUT;
use super::security::{Credentials, Security};
use crate::settings::SettingsError;
use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::BaseProducer;
use serde_json::{Map, Value};
use weir_engine::EngineError;

/// What a client is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// It reads.
    Reads,
    /// It writes in transactions.
    Transacts,
    /// It writes at once.
    Writes,
}

/// Refuses options that do not go together in a client for this. `given`: the settings as they stand in the job file.
pub(super) fn try_options(cluster: &Cluster, role: Role, given: &Map<String, Value>) -> Result<(), SettingsError> {
    if cluster.options.is_empty() {
        return Ok(());
    }
    let alone = Cluster { brokers: String::new(), security: Security::default(), ..cluster.clone() };
    let Err(error) = made(&alone, role) else { return Ok(()) };
    let why = match error {
        KafkaError::ClientCreation(why) | KafkaError::ClientConfig(_, _, _, why) if !why.is_empty() => why,
        other => other.to_string(),
    };
    let is_at_fault = |name: &&String| {
        let mut others = alone.clone();
        others.options.remove(*name);
        made(&others, role).is_ok()
    };
    let of_it = cluster.options.keys().find(is_at_fault);
    let message = format!("librdkafka does not take `options` of `kafka` as they are together: {why}");
    Err(match of_it {
        Some(name) => SettingsError::at(as_written(name, given), message).within("options"),
        None => SettingsError::at("options", message),
    })
}

/// By the name that stands in the job file.
fn as_written<'n>(name: &'n str, given: &Map<String, Value>) -> &'n str {
    let is_written = |name: &str| given.get("options").is_some_and(|options| options.get(name).is_some());
    let other = OTHER_NAMES.iter().find(|(_, known)| *known == name).map(|(other, _)| *other);
    other.filter(|other| !is_written(name) && is_written(other)).unwrap_or(name)
}

/// Makes a client, and lets it go. Whoever writes has others as well: one that reads markers and looks for topics, and one that asks what topics take, which is a producer without more.
fn made(cluster: &Cluster, role: Role) -> KafkaResult<()> {
    match role {
        Role::Reads => tried(cluster.consuming(None, Isolation::Committed, Pace::ASKING))?.create::<BaseConsumer>().map(let_go),
        Role::Transacts | Role::Writes => {
            let config = match role {
                Role::Transacts => cluster.transacting("weir", TRANSACTION_TIMEOUT, BATCH_BYTES),
                Role::Reads | Role::Writes => cluster.writing(BATCH_BYTES),
            };
            tried(config)?.create::<BaseProducer>().map(let_go)?;
            tried(cluster.config())?.create::<BaseProducer>().map(let_go)?;
            made(cluster, Role::Reads)
        }
    }
}

/// What a client is told, but for where the cluster is.
fn tried(config: Result<(ClientConfig, Credentials), EngineError>) -> KafkaResult<ClientConfig> {
    let (mut config, _) = config.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
    config.remove("bootstrap.servers").set("log_level", "0");
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    fn said(role: Role, options: &[(&str, &str)], written: &str) -> Option<(Option<String>, String)> {
        let options: BTreeMap<String, String> = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let cluster = Cluster {
            brokers: "127.0.0.1:9".into(),
            security: Security::default(),
            options,
            connect_timeout: Duration::from_secs(1),
            has_answered: Arc::default(),
            has_had_rights: Arc::default(),
        };
        let given = serde_json::json!({ "options": { written: "x" } });
        let error = try_options(&cluster, role, given.as_object().expect("a table")).err()?;
        Some((error.field.clone(), error.to_string()))
    }

    #[test]
    fn options_that_do_not_go_together_are_refused_at_the_one_without_which_they_would() {
        let refused = |role, options: &[(&str, &str)], written: &str, field: &str, why: &str| {
            let (at, said) = said(role, options, written).expect("it is refused");
            assert_eq!(at.as_deref(), Some(field), "{said}");
            assert!(said.contains(why), "{said}");
        };
        for role in [Role::Transacts, Role::Writes] {
            let acks = [("linger.ms", "7"), ("request.required.acks", "1")];
            refused(role, &acks, "acks", "options.acks", "`acks` must be set to `all`");
            refused(role, &acks, "request.required.acks", "options.request.required.acks", "`acks` must be set to `all`");
            let flight = "max.in.flight.requests.per.connection";
            refused(role, &[(flight, "6")], flight, &format!("options.{flight}"), "`max.in.flight` must be set <= 5");
            assert_eq!(said(role, &[("linger.ms", "7"), ("request.required.acks", "-1"), (flight, "5")], ""), None);
        }
        refused(
            Role::Transacts,
            &[("message.timeout.ms", "90000")],
            "message.timeout.ms",
            "options.message.timeout.ms",
            "`transaction.timeout.ms`",
        );
        assert_eq!(said(Role::Writes, &[("message.timeout.ms", "90000")], ""), None);
        // One that is right for a producer of records, and that the client beside it does not take.
        let gapless = "enable.gapless.guarantee";
        refused(Role::Transacts, &[(gapless, "true")], gapless, &format!("options.{gapless}"), "enable.idempotence");
        let fetch = [("fetch.max.bytes", "2000000"), ("receive.message.max.bytes", "1000000")];
        let at_fault = "receive.message.max.bytes";
        refused(Role::Reads, &fetch, at_fault, "options.receive.message.max.bytes", "`receive.message.max.bytes` must be");
        assert_eq!(said(Role::Reads, &[("fetch.min.bytes", "7")], ""), None);
    }
}
