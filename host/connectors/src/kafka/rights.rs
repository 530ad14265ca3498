//! What the cluster lets this client do. It is asked before anything is read or written, where the cluster tells it, so that a right that is missing is named with its resource; what is refused later is
//! named by what was refused.
//!
//! A right that is missing at a start is the job file's or the cluster's administrator's to mend, and ends it; one that is taken away from a job that has had it may come back, and is waited for.

use super::client::{Cluster, Consumer};
use rdkafka::consumer::Consumer as _;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::Ordering;
use weir_engine::{EngineError, ErrorKind};

/// An operation, as Kafka calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    Create,
    Describe,
    DescribeConfigs,
    IdempotentWrite,
    Read,
    Write,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a right is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resource<'a> {
    Cluster,
    Group(&'a str),
    Topic(&'a str),
    TransactionalId(&'a str),
}

impl Resource<'_> {
    /// As `kafka-acls` has it.
    fn option(&self) -> String {
        match self {
            Self::Cluster => "--cluster".into(),
            Self::Group(name) => format!("--group {name}"),
            Self::Topic(name) => format!("--topic {name}"),
            Self::TransactionalId(name) => format!("--transactional-id {name}"),
        }
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => write!(f, "the cluster"),
            Self::Group(name) => write!(f, "the group `{name}`"),
            Self::Topic(name) => write!(f, "the topic `{name}`"),
            Self::TransactionalId(name) => write!(f, "the transactional id `{name}`"),
        }
    }
}

impl Cluster {
    /// Nothing that the client needs was missing. What is refused from now on may pass.
    pub(super) fn has_rights(&self) {
        self.has_had_rights.store(true, Ordering::Relaxed);
    }

    /// What kind of error it is that a right is missing.
    pub(super) fn kind_of_missing_right(&self) -> ErrorKind {
        if self.has_had_rights.load(Ordering::Relaxed) { ErrorKind::Retry } else { ErrorKind::FixInput }
    }

    /// The error of a right that is missing.
    pub(super) fn lacks(&self, attempted: &str, right: Right, resource: Resource<'_>) -> EngineError {
        let who = self.security.who().unwrap_or_else(|| "this client".into());
        let message = format!("{attempted} of the Kafka cluster at {}: {who} has no right to {right} on {resource}", self.brokers);
        EngineError::new(self.kind_of_missing_right(), message).with_hint(self.gives(right, resource))
    }

    fn gives(&self, right: Right, resource: Resource<'_>) -> String {
        let user = self.security.user().unwrap_or_else(|| "…".into());
        format!("`kafka-acls --add --allow-principal User:{user} --operation {right} {}` gives it", resource.option())
    }

    /// Sees that the client has these rights to these topics, as far as the cluster tells. A topic that is not there is passed over.
    pub(super) fn may(&self, client: &Consumer, wanted: &[(&str, Right)]) -> Result<(), EngineError> {
        let topics: BTreeSet<&str> = wanted.iter().map(|(topic, _)| *topic).collect();
        if topics.is_empty() {
            return Ok(());
        }
        let rights = self.topic_rights(client.client().native_ptr(), &topics);
        wanted.iter().try_for_each(|(topic, right)| match rights.get(*topic) {
            Some(has) if !(if *right == Right::Read { has.reads } else { has.writes }) => {
                let doing = if *right == Right::Read { "read" } else { "write to" };
                Err(self.lacks(&format!("{doing} the topic `{topic}`"), *right, Resource::Topic(topic)))
            }
            Some(_) | None => Ok(()),
        })
    }
}
