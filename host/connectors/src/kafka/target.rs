//! The sink `kafka`, exactly-once: an outbox whose target is a topic. Each chunk is a transaction of its own, with the marker in it, which lies in a topic of
//! its own; nothing is open between two of them.

use super::client::Cluster;
use super::session::{Publishing, Session};
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use weir_engine::EngineError;
use weir_engine::outbox::{OutboxOwner, OutboxSession, OutboxSink, OutboxTarget};
use weir_engine::runtime::ConnectorIo;

/// As they stand in the job file.
pub(crate) const SINK_SETTINGS: &[Setting] = &[
    super::settings::BROKERS,
    Setting::new("topic", Kind::Text, Fallback::Required("\"totals\""), "The topic that records are written to. It has to be there."),
    Setting::new(
        "delivery",
        Kind::Choice(&["exactly-once"]),
        Fallback::Value("exactly-once"),
        "`\"exactly-once\"`: records are published in transactions behind the checkpoint that covers them.",
    ),
    Setting::new(
        "marker-topic",
        Kind::Text,
        Fallback::Value("weir-markers"),
        "The topic that says how much is published. It is made where it is not there, with one partition and `cleanup.policy=compact`, and has to be like that.",
    ),
    super::security::TLS,
    super::security::SASL,
    super::settings::CONNECT_TIMEOUT,
    super::settings::OPTIONS,
];

/// What the settings say.
#[derive(Clone)]
pub(super) struct TargetOptions {
    pub cluster: Cluster,
    pub topic: String,
    pub marker_topic: String,
}

/// Makes the sink of its settings.
pub(crate) fn sink(given: &Map<String, Value>, base_dir: &Path) -> Result<(OutboxSink, Map<String, Value>), SettingsError> {
    let mut settings = Settings::of_sink("kafka", SINK_SETTINGS, given);
    let cluster = super::settings::cluster(&mut settings, base_dir)?;
    let topic = topic(&mut settings, "topic")?;
    settings.choice("delivery", &[("exactly-once", ())])?;
    let marker_topic = topic_with_default(&mut settings, "marker-topic")?;
    if topic == marker_topic {
        return Err(SettingsError::at(
            "marker-topic",
            format!("the sink `kafka` writes to `{topic}`, which cannot have its markers as well"),
        ));
    }
    let options = TargetOptions { cluster, topic, marker_topic };
    Ok((OutboxSink::new(Arc::new(KafkaTarget { options: Arc::new(options) })), settings.finish()?))
}

fn topic(settings: &mut Settings<'_>, name: &str) -> Result<String, SettingsError> {
    let topic = settings.required_text(name)?;
    named(name, topic)
}

fn topic_with_default(settings: &mut Settings<'_>, name: &str) -> Result<String, SettingsError> {
    let topic = settings.text(name)?;
    named(name, topic)
}

fn named(name: &str, topic: String) -> Result<String, SettingsError> {
    match super::topics::Topics::is_name(&topic) {
        true => Ok(topic),
        false => Err(SettingsError::at(name, format!("`{name}` of the sink `kafka` is {topic:?}, which no topic can be called"))
            .with_hint("letters, digits, `.`, `_` and `-`, at most 249 of them")),
    }
}

/// A topic that is published to.
pub(super) struct KafkaTarget {
    options: Arc<TargetOptions>,
}

impl OutboxTarget for KafkaTarget {
    fn connector(&self) -> &'static str {
        "kafka"
    }

    /// The brokers may be others of the same cluster. Another cluster has no marker of the job's, and is refused for that.
    fn identity(&self) -> Value {
        let TargetOptions { topic, marker_topic, .. } = &*self.options;
        json!({ "topic": topic, "marker-topic": marker_topic })
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, _io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        let id = format!("weir-{}-{}", owner.log, owner.sink);
        let options = self.options.clone();
        async move {
            let session = Session::start(move || Publishing::take_over(options, &id)).await?;
            Ok(Box::new(session) as Box<dyn OutboxSession>)
        }
        .boxed()
    }
}
