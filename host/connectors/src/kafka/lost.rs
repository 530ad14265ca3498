//! What a broker is asked that says that it does not have the record to be read next. It is believed where the partition's ends say so too: one has been seen to
//! refuse, once in a hundred starts, an offset that it had.

use super::client::{Cluster, Isolation, aside};
use super::partition::PartitionSpec;
use futures_util::task::AtomicWaker;
use rdkafka::consumer::Consumer as _;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use weir_engine::{EngineError, ErrorKind};

/// Where a partition begins and ends: the offset of its oldest record, and the one behind its newest.
pub(super) type Ends = (i64, i64);

/// What there is of a partition.
pub(super) struct Found {
    pub ends: Ends,
    /// The id of its topic, where the cluster gives one.
    pub topic_id: Option<String>,
}

/// A question that is under way.
pub(super) struct Question(Receiver<Result<Found, EngineError>>);

impl Question {
    /// Asks for a partition's ends, on a thread that waits for the answer. `waker` is woken then.
    pub(super) fn ask(cluster: &Cluster, spec: &PartitionSpec, waker: &Arc<AtomicWaker>) -> Self {
        let (answer, question) = channel();
        let (cluster, topic, partition, waker) = (cluster.clone(), spec.topic.clone(), spec.partition, waker.clone());
        aside(move || {
            let attempted = format!("ask for the ends of `{topic}`, partition {partition},");
            let found = cluster.asking(Isolation::Committed).and_then(|client| {
                let found = client.fetch_watermarks(&topic, partition, cluster.connect_timeout).and_then(|ends| {
                    let mut ids = cluster.topic_ids(&client, &BTreeSet::from([topic.as_str()]))?;
                    Ok(Found { ends, topic_id: ids.remove(&topic) })
                });
                found.map_err(|error| cluster.failed(&attempted, &error, Some(client.context())))
            });
            // A reader that has gone does not wait for it.
            _ = answer.send(found);
            waker.wake();
        });
        Self(question)
    }

    /// The answer, once it is there.
    pub(super) fn answer(&self) -> Option<Result<Found, EngineError>> {
        match self.0.try_recv() {
            Ok(found) => Some(found),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(EngineError::new(ErrorKind::Bug, "ask for a partition's ends: nobody answers any more")))
            }
        }
    }
}
