//! Topics that weir makes where they are not there: of markers, and of what is set aside.

use super::client::{Cluster, Consumer};
use super::rights::{Resource, Right};
use super::told::Told;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use weir_engine::EngineError;

/// What makes topics and looks at them.
pub(super) type Admin = AdminClient<Told>;

/// A topic that is made: what it is for, its name and its settings. It has one partition.
pub(super) struct MadeTopic<'a> {
    pub called: &'a str,
    pub name: &'a str,
    pub settings: &'a [(&'a str, &'a str)],
}

impl MadeTopic<'_> {
    /// How many partitions it has; `None`: it is not there.
    pub(super) fn partitions(&self, cluster: &Cluster, client: &Consumer) -> Result<Option<usize>, EngineError> {
        cluster.partitions(client, self.name, &format!("look for the {} `{}`", self.called, self.name))
    }

    /// Makes it, unless somebody has.
    pub(super) fn make(&self, cluster: &Cluster, admin: &Admin) -> Result<(), EngineError> {
        let new = NewTopic::new(self.name, 1, TopicReplication::Fixed(-1));
        let new = self.settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let answer = wait(admin.create_topics([&new], &options(cluster)));
        let attempted = format!("make the {} `{}`", self.called, self.name);
        let failed = |error: &KafkaError| cluster.failed(&attempted, error, Some(admin.inner().context()));
        match answer.map(|mut results| results.pop()) {
            Ok(Some(Ok(_)) | None) => Ok(()),
            // Another sink was faster.
            Ok(Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)))) => Ok(()),
            Ok(Some(Err((_, RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)))) => {
                Err(cluster.lacks(&attempted, Right::Create, Resource::Topic(self.name)))
            }
            Ok(Some(Err((_, code)))) => Err(failed(&KafkaError::AdminOp(code))),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// How long answers are waited for.
pub(super) fn options(cluster: &Cluster) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(cluster.connect_timeout)).operation_timeout(Some(cluster.connect_timeout))
}

/// Waits for an answer, on a thread that is there to wait.
pub(super) fn wait<T>(answer: impl Future<Output = T>) -> T {
    let waiting = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without a driver needs nothing");
    waiting.block_on(answer)
}
