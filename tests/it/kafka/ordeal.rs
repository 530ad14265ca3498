//! Everything that may happen to a job and its broker: what is published is there once and in order.

use super::{bench, counted, counting, counts, messages};
use crate::ordeal::{Ordeal, SLOWLY, Target, blows_and_records};
use std::collections::BTreeMap;
use std::time::Duration;
use weir_tests::process::{KafkaAlone, KafkaServer};

/// The broker, and the topic that is filled.
struct Broker<'s> {
    server: &'s KafkaAlone,
    output: String,
}

impl Target for Broker<'_> {
    fn kill(&self) {
        self.server.kill();
    }

    fn stop(&self) {
        self.server.stop();
    }

    fn begin(&self) {
        self.server.begin();
    }

    fn counted(&self) -> BTreeMap<String, u64> {
        counted(self.server, &self.output, 0)
    }

    /// As long as weir says: `TRANSACTION_TIMEOUT` of the connector.
    fn transaction_timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }
}

#[test]
fn an_ordeal_of_kills_brokers_that_go_cut_connections_and_changes_loses_no_record_and_doubles_none() {
    let Some(server) = KafkaServer::alone() else { return };
    let (blows, records) = blows_and_records(120, 8);
    let (proxy, input) = (server.proxy(), server.topic(4));
    let broker = Broker { server: &server, output: server.topic(3) };
    server.produce(&input, &messages(0..records));
    let job = counting(&server, &input, &broker.output, &format!("until = \"end\"\n{SLOWLY}"), "");
    let bench = bench(job.replace(&server.brokers(), &format!("127.0.0.1:{}", proxy.port())));
    Ordeal::new(&broker, proxy, bench).undergo(blows);
    assert_eq!(counted(&server, &broker.output, records), counts(0..records));
}
