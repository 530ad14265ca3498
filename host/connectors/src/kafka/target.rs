//! The sink `kafka`. Exactly-once it is an outbox whose target is a topic: each chunk is a transaction of its own, with the marker in it, which lies in a topic of
//! its own; nothing is open between two of them.

use super::client::{Cluster, Isolation, aside};
use super::destination::{Destination, TOPIC};
use super::known_rules::KnownRules;
use super::known_topics::KnownTopics;
use super::markers::Markers;
use super::producers::BATCH_BYTES;
use super::publishing::Publishing;
use super::quarantine::{Counts, Quarantine};
use super::rights::Right;
use super::session::{Session, answer_of};
use super::trial::{Role, try_options};
use super::writer::KafkaSink;
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;
use weir_engine::outbox::{ChunkBounds, OutboxOwner, OutboxSession, OutboxSink, OutboxTarget};
use weir_engine::runtime::ConnectorIo;
use weir_engine::{EngineError, ErrorKind, RecordBatch, Sink};

/// As they stand in the job file.
pub(crate) const SINK_SETTINGS: &[Setting] = &[
    super::settings::BROKERS,
    TOPIC,
    Setting::new(
        "delivery",
        Kind::Choice(&["exactly-once", "at-least-once"]),
        Fallback::Value("exactly-once"),
        "`\"exactly-once\"`: records are published in transactions behind the checkpoint that covers them. `\"at-least-once\"`: they are written at once, and once more where the job goes back to a checkpoint.",
    ),
    Setting::new(
        "marker-topic",
        Kind::Text,
        Fallback::Value("weir-markers"),
        "The topic that says how much is published. It is made where it is not there, with one partition and `cleanup.policy=compact`, and has to be like that.",
    ),
    crate::settings::MAX_UNPUBLISHED,
    Setting::new(
        "on-error",
        Kind::Choice(&["fail", "quarantine"]),
        Fallback::Value("fail"),
        "What becomes of a record that no topic takes: it fails the job, or it is set aside in `quarantine-topic`.",
    ),
    Setting::new(
        "quarantine-topic",
        Kind::Text,
        Fallback::Value("weir-quarantine"),
        "The topic that has such records, with `on-error = \"quarantine\"`. It is made where it is not there, with one partition that nothing is deleted from for its age.",
    ),
    super::security::TLS,
    super::security::SASL,
    super::settings::CONNECT_TIMEOUT,
    super::settings::OPTIONS,
];

/// What the settings say.
pub(super) struct TargetOptions {
    pub cluster: Cluster,
    pub destination: Destination,
    pub marker_topic: String,
    /// `None`: a record that is not taken fails the job.
    pub quarantine_topic: Option<String>,
    pub max_unpublished: u64,
    /// Those that are written to.
    pub topics: KnownTopics,
    /// What they take.
    pub rules: KnownRules,
    /// How much has been set aside in this process.
    pub counts: Arc<Counts>,
    /// The id of the topic that all records go to, as this process has seen it first.
    pub output_id: OnceLock<String>,
}

impl TargetOptions {
    /// Sees that the topics are there and asks what they take, from a thread that may wait for the cluster.
    fn seen(&self) -> Result<(), EngineError> {
        let Self { cluster, destination, topics, .. } = self;
        destination.fixed().map_or(Ok(()), |topic| topics.see_anew(cluster, topic))?;
        self.quarantine_topic
            .as_deref()
            .map_or(Ok(()), |topic| cluster.may(&*cluster.asking(Isolation::Committed)?, &[(topic, Right::Write)]))?;
        self.learn_rules()
    }

    /// The same, and makes the topic of what is set aside where there is to be one.
    fn prepared(&self) -> Result<(), EngineError> {
        self.topics.forget_all();
        self.seen()?;
        if let Some(topic) = &self.quarantine_topic {
            Quarantine::see_topic(&self.cluster, &*self.cluster.asking(Isolation::Committed)?, topic)?;
        }
        self.cluster.has_rights();
        Ok(())
    }

    /// Topics that are known before there is a record.
    pub(super) fn known_topics(&self) -> impl Iterator<Item = &str> {
        self.destination.fixed().into_iter().chain(self.quarantine_topic.as_deref())
    }

    /// Asks what the topics take that are there by now, from a thread that may wait for the cluster. Fails where that of what is set aside would not keep it.
    pub(super) fn learn_rules(&self) -> Result<(), EngineError> {
        let topics: Vec<&str> = self.known_topics().collect();
        if !topics.is_empty() {
            self.rules.learn(&self.cluster, &topics);
        }
        match self.quarantine_topic.as_deref().filter(|topic| self.rules.get(topic).wants_keys) {
            None => Ok(()),
            Some(topic) => {
                let message = format!(
                    "the quarantine topic `{topic}` of the Kafka cluster at {} is compacted: it would take nothing without a key, and keep the newest of each",
                    self.cluster.brokers
                );
                let hint = "set its `cleanup.policy` to `delete`, or name another by `quarantine-topic`";
                Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
            }
        }
    }

    /// How large batches may be for those topics to take them, as far as it is known what they take.
    pub(super) fn batch_bytes(&self) -> usize {
        self.known_topics().filter_map(|topic| self.rules.get(topic).batch_bytes_max).fold(BATCH_BYTES, usize::min)
    }

    /// Sees that the topics are there, for a sink whose output is published.
    fn seen_with_markers(&self) -> Result<(), EngineError> {
        self.seen()?;
        let client = self.cluster.asking(Isolation::Committed)?;
        self.cluster.may(&client, &self.of_markers())?;
        Markers::look_at_topic(&self.cluster, &client, &self.marker_topic).map(|_| ())
    }

    /// What has to be done with the topic of markers.
    pub(super) fn of_markers(&self) -> [(&str, Right); 2] {
        [(&self.marker_topic, Right::Read), (&self.marker_topic, Right::Write)]
    }

    /// Topics that no record may name.
    pub(super) fn reserved(&self) -> [&str; 2] {
        [&self.marker_topic, self.quarantine_topic.as_deref().unwrap_or_default()]
    }
}

/// What a look at the cluster gives, for which a thread waits.
async fn looked(options: &Arc<TargetOptions>, look: fn(&TargetOptions) -> Result<(), EngineError>) -> Result<(), EngineError> {
    let (answer, answered) = oneshot::channel();
    let options = options.clone();
    aside(move || _ = answer.send(look(&options)));
    answer_of(answered).await
}

/// Sees that the topics of a sink that writes at once are there.
pub(super) async fn look(options: &Arc<TargetOptions>) -> Result<(), EngineError> {
    looked(options, TargetOptions::seen).await
}

/// Gets the topics ready of a sink that writes at once.
pub(super) async fn prepare(options: &Arc<TargetOptions>) -> Result<(), EngineError> {
    looked(options, TargetOptions::prepared).await
}

/// Makes the sink of its settings.
pub(crate) fn sink(given: &Map<String, Value>, base_dir: &Path) -> crate::Built<dyn Sink> {
    let mut settings = Settings::of_sink("kafka", SINK_SETTINGS, given);
    let cluster = super::settings::cluster(&mut settings, base_dir)?;
    let destination = Destination::read(&mut settings)?;
    let is_exact = settings.choice("delivery", &[("exactly-once", true), ("at-least-once", false)])?;
    if !is_exact && settings.is_given("marker-topic") {
        let error = SettingsError::at("marker-topic", "`marker-topic` has no meaning with `delivery = \"at-least-once\"`");
        return Err(error.with_hint("leave it out: nothing tells what has been written"));
    }
    let marker_topic = topic_with_default(&mut settings, "marker-topic")?;
    if !is_exact && settings.is_given("max-unpublished") {
        let error = SettingsError::at("max-unpublished", "`max-unpublished` has no meaning with `delivery = \"at-least-once\"`");
        return Err(error.with_hint("leave it out: nothing waits to be published"));
    }
    let max_unpublished = settings.size("max-unpublished")?;
    if destination.fixed() == Some(&marker_topic) {
        return Err(SettingsError::at(
            "marker-topic",
            format!("the sink `kafka` writes to `{marker_topic}`, which cannot have its markers as well"),
        ));
    }
    let quarantine_topic =
        quarantine_topic(&mut settings, [destination.fixed(), Some(&marker_topic).filter(|_| is_exact).map(String::as_str)])?;
    try_options(&cluster, if is_exact { Role::Transacts } else { Role::Writes }, given)?;
    let (topics, rules) = (KnownTopics::default(), KnownRules::default());
    let options = Arc::new(TargetOptions {
        cluster,
        destination,
        marker_topic,
        quarantine_topic,
        max_unpublished,
        topics,
        rules,
        counts: Arc::default(),
        output_id: OnceLock::new(),
    });
    let sink: Arc<dyn Sink> = match is_exact {
        true => Arc::new(OutboxSink::new(Arc::new(KafkaTarget { options }))),
        false => Arc::new(KafkaSink { options }),
    };
    Ok((sink, settings.finish()?))
}

/// What is none of these; `None`: nothing is set aside.
fn quarantine_topic(settings: &mut Settings<'_>, others: [Option<&str>; 2]) -> Result<Option<String>, SettingsError> {
    let is_used = settings.choice("on-error", &[("fail", false), ("quarantine", true)])?;
    let topic = topic_with_default(settings, "quarantine-topic")?;
    match is_used && others.contains(&Some(&topic)) {
        true => {
            let message = format!("`{topic}` cannot have what the sink `kafka` sets aside as well");
            Err(SettingsError::at("quarantine-topic", message))
        }
        false => Ok(is_used.then_some(topic)),
    }
}

fn topic_with_default(settings: &mut Settings<'_>, name: &str) -> Result<String, SettingsError> {
    let topic = settings.text(name)?;
    named(name, topic)
}

/// Topics that nobody but brokers writes to.
const OF_BROKERS: [&str; 4] = ["__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata"];

/// A topic's name.
pub(super) fn named(name: &str, topic: String) -> Result<String, SettingsError> {
    if OF_BROKERS.contains(&topic.as_str()) {
        let message = format!("`{name}` of the sink `kafka` is `{topic}`, which only the brokers themselves write to");
        return Err(SettingsError::at(name, message).with_hint("name a topic of your own"));
    }
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
        let TargetOptions { destination, marker_topic, .. } = &*self.options;
        json!({ "topic": destination.identity(), "marker-topic": marker_topic })
    }

    /// A quarter of what others take: what a transaction costs is the same with so many, and librdkafka keeps all of them until it is over.
    fn chunk_bounds(&self) -> ChunkBounds {
        ChunkBounds { records: 25_000, bytes: 4 << 20 }
    }

    /// What is set aside says of which checkpoint it is, and which one of that.
    fn spans_checkpoints(&self) -> bool {
        self.options.quarantine_topic.is_none()
    }

    fn max_unpublished(&self) -> Option<u64> {
        Some(self.options.max_unpublished)
    }

    fn look<'a>(&'a self, _io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        looked(&self.options, TargetOptions::seen_with_markers).boxed()
    }

    /// A record that names no topic, or one that it may not, would be found out when it is published, behind its checkpoint. Where such are set aside, that is time enough.
    fn admit(&self, records: &RecordBatch) -> Result<(), EngineError> {
        match self.options.quarantine_topic {
            Some(_) => Ok(()),
            None => self.options.destination.admit(records, &self.options.reserved()),
        }
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
