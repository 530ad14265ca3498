//! The setting `options`: librdkafka's own, but for those that weir has to set itself.

use crate::settings::{Settings, SettingsError, nearest};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use serde_json::Value;
use std::collections::BTreeMap;

/// What weir sets itself, or what a setting of its own says, and where to look instead.
const OWNED: [(&str, &str); 20] = [
    ("bootstrap.servers", "`brokers` says it"),
    ("metadata.broker.list", "`brokers` says it"),
    ("group.id", "`group` says it"),
    ("group.instance.id", "partitions are dealt out by weir, not by the group"),
    ("group.protocol", "partitions are dealt out by weir, not by the group"),
    ("auto.offset.reset", "`on-reset` says it"),
    ("enable.auto.commit", "offsets are told to the group behind completed checkpoints"),
    ("enable.auto.offset.store", "offsets are told to the group behind completed checkpoints"),
    ("isolation.level", "records of open and aborted transactions are never read"),
    ("enable.partition.eof", "weir sets it"),
    ("statistics.interval.ms", "weir sets it"),
    ("allow.auto.create.topics", "a topic that is read has to be there"),
    ("transactional.id", "weir sets it"),
    ("enable.idempotence", "weir sets it"),
    ("delivery.report.only.error", "weir sets it"),
    ("transaction.timeout.ms", "weir sets it"),
    ("queue.buffering.max.messages", "weir bounds what is not acknowledged yet"),
    ("queue.buffering.max.kbytes", "weir bounds what is not acknowledged yet"),
    ("plugin.library.paths", "native code is not loaded on the word of a job file"),
    ("log_level", "`WEIR_LOG` says what is logged"),
];

/// The same of all whose names begin so.
const OWNED_KINDS: [(&str, &str); 7] = [
    ("security.", "`tls` and `sasl` say it"),
    ("ssl.", "`tls` says it"),
    ("enable.ssl", "certificates are always verified: `ca` of `tls` names who signs them"),
    ("sasl.", "`sasl` says it"),
    ("enable.sasl", "of SASL there are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, by `sasl`"),
    ("oauthbearer", "of SASL there are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, by `sasl`"),
    ("https.", "of SASL there are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, by `sasl`"),
];

/// Reads them, and has librdkafka look at each.
pub(super) fn read(settings: &mut Settings<'_>) -> Result<BTreeMap<String, String>, SettingsError> {
    let table = |value: &Value| -> Option<BTreeMap<String, String>> {
        let text = |value: &Value| {
            value.as_str().map(str::to_owned).or_else(|| (value.is_number() || value.is_boolean()).then(|| value.to_string()))
        };
        value.as_object()?.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
    };
    let options = settings.other("options", "a table of texts", table)?.unwrap_or_default();
    options.iter().try_for_each(|(name, value)| check(name, value))?;
    Ok(options)
}

fn check(name: &str, value: &str) -> Result<(), SettingsError> {
    let refused = |why: String| SettingsError::at(name, why).within("options");
    if let Some((_, instead)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Err(refused(format!("`options` of `kafka` may not have `{name}`")).with_hint(*instead));
    }
    if let Some((_, instead)) = OWNED_KINDS.iter().find(|(begin, _)| name.starts_with(begin)) {
        return Err(refused(format!("`options` of `kafka` may not have `{name}`")).with_hint(*instead));
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            let names = super::option_names::option_names();
            let hint = match nearest(name, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "they are listed in CONFIGURATION.md of librdkafka".into(),
            };
            Err(refused(format!("`{name}` is no option of librdkafka")).with_hint(hint))
        }
        Err(KafkaError::ClientConfig(_, why, ..)) => Err(refused(format!("`{name}` in `options` of `kafka` cannot be {value:?}: {why}"))),
        Err(error) => Err(refused(format!("`{name}` cannot be set: {error}"))),
    }
}
