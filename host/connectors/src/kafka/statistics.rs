//! What librdkafka says of itself about once a second.

use serde::Deserialize;
use std::collections::HashMap;

/// The part that is used.
#[derive(Deserialize)]
pub(super) struct Statistics {
    #[serde(default)]
    brokers: HashMap<String, BrokerStatistics>,
    #[serde(default)]
    topics: HashMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    /// Negative: an address that was given, of which it is not known which broker it leads to.
    #[serde(default = "unknown")]
    nodeid: i64,
    #[serde(default)]
    state: String,
    /// Partitions of the client that the broker leads.
    #[serde(default)]
    toppars: HashMap<String, serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct TopicStatistics {
    #[serde(default)]
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    #[serde(default = "unknown")]
    ls_offset: i64,
}

fn unknown() -> i64 {
    -1
}

impl Statistics {
    /// Every broker that leads something is reached.
    pub(super) fn is_connected(&self) -> bool {
        let mut leading = self.brokers.values().filter(|broker| broker.nodeid >= 0 && !broker.toppars.is_empty()).peekable();
        leading.peek().is_some() && leading.all(|broker| broker.state == "UP")
    }

    /// Where each partition ends for a reader of committed records, by topic and partition.
    pub(super) fn ends(self) -> HashMap<String, HashMap<i32, i64>> {
        let partitions = |of: TopicStatistics| -> HashMap<i32, i64> {
            let end =
                |(number, of): (String, PartitionStatistics)| Some((number.parse().ok()?, Some(of.ls_offset).filter(|end| *end >= 0)?));
            of.partitions.into_iter().filter_map(end).collect()
        };
        self.topics.into_iter().map(|(topic, of)| (topic, partitions(of))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_connected(brokers: &str) -> bool {
        serde_json::from_str::<Statistics>(&format!(r#"{{"brokers": {{{brokers}}}}}"#)).expect("statistics").is_connected()
    }

    #[test]
    fn a_cluster_is_reached_where_every_broker_is_that_leads_something() {
        let broker = |node: i64, state: &str, toppars: &str| {
            format!(r#""b{node}{state}": {{"nodeid": {node}, "state": "{state}", "toppars": {{{toppars}}}}}"#)
        };
        let (leads, leads_nothing) = (r#""in-0": {"topic": "in", "partition": 0}"#, "");
        assert!(is_connected(&[broker(1, "UP", leads), broker(2, "INIT", leads_nothing), broker(-1, "DOWN", leads)].join(",")));
        assert!(!is_connected(&[broker(1, "UP", leads), broker(2, "DOWN", leads)].join(",")));
        assert!(!is_connected(&broker(2, "UP", leads_nothing)), "nothing is known of what it reads");
        assert!(!is_connected(""));
    }
}
