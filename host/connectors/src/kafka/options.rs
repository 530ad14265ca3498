//! The setting `options`: librdkafka's own, but for those that weir has to set itself.

use crate::settings::{Settings, SettingsError, nearest};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use serde_json::Value;
use std::collections::BTreeMap;

/// What weir sets itself, or what a setting of its own says, and where to look instead.
const OWNED: [(&str, &str); 21] = [
    ("bootstrap.servers", "`brokers` says it"),
    ("metadata.broker.list", "`brokers` says it"),
    ("group.id", "`group` says it"),
    ("group.instance.id", "partitions are dealt out by weir, not by the group"),
    ("group.protocol", "partitions are dealt out by weir, not by the group"),
    ("auto.offset.reset", "`on-reset` says it"),
    ("enable.auto.commit", "offsets are told to the group behind completed checkpoints"),
    ("auto.commit.enable", "offsets are told to the group behind completed checkpoints"),
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
const OWNED_KINDS: [(&str, &str); 8] = [
    ("test.", "it is for tests of librdkafka, which makes up a cluster of its own then"),
    ("security.", "`tls` and `sasl` say it"),
    ("ssl.", "`tls` says it"),
    ("enable.ssl", "certificates are always verified: `ca` of `tls` names who signs them"),
    ("sasl.", "`sasl` says it"),
    ("enable.sasl", "of SASL there are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, by `sasl`"),
    ("oauthbearer", "of SASL there are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, by `sasl`"),
    ("https.", "of SASL there are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, by `sasl`"),
];

/// Options that have two names: the other one, and the one that weir knows it by. With both set, librdkafka goes by whichever it is told last.
pub(super) const OTHER_NAMES: [(&str, &str); 7] = [
    ("acks", "request.required.acks"),
    ("compression.type", "compression.codec"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("retries", "message.send.max.retries"),
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
    by_one_name(options)
}

/// Each by the name that weir knows it by, so that it stands in the place of weir's own.
fn by_one_name(options: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, SettingsError> {
    let mut named = BTreeMap::new();
    for (name, value) in options {
        let known = OTHER_NAMES.iter().find(|(other, _)| *other == name).map_or(name.as_str(), |(_, known)| known);
        if named.insert(known.to_owned(), value).is_some() {
            let (other, known) = OTHER_NAMES.iter().find(|(_, other)| *other == known).expect("it has two names");
            let error = SettingsError::at(other, format!("`{other}` and `{known}` are one option of librdkafka, and `options` has both"));
            return Err(error.within("options").with_hint("leave one of them out"));
        }
    }
    Ok(named)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn named(options: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        by_one_name(options).map_err(|error| error.to_string())
    }

    #[test]
    fn an_option_by_its_other_name_is_the_same_option_and_both_are_too_many() {
        let one = |name: &str| BTreeMap::from([(name.to_owned(), "7".to_owned())]);
        assert_eq!(named(&[("queue.buffering.max.ms", "7")]), Ok(one("linger.ms")));
        assert_eq!(named(&[("linger.ms", "7")]), Ok(one("linger.ms")));
        assert_eq!(named(&[("batch.size", "7")]), Ok(one("batch.size")));
        let both = named(&[("linger.ms", "7"), ("queue.buffering.max.ms", "8")]).unwrap_err();
        assert_eq!(both, "`queue.buffering.max.ms` and `linger.ms` are one option of librdkafka, and `options` has both");
    }

    #[test]
    fn librdkafka_takes_one_name_for_the_other() {
        for (other, known) in OTHER_NAMES {
            let value = if other == "compression.type" { "zstd" } else { "3" };
            let config = |name| ClientConfig::new().set(name, value).create_native_config().and_then(|config| config.get(known));
            assert_eq!(config(other).expect(other), config(known).expect(known), "{other}");
        }
    }
}
