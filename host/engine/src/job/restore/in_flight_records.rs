//! Records in flight of a restored checkpoint: read before anything starts, refused where they fit no edge, and dealt out to the subtasks
//! that there are now.
//!
//! By edge: `key` goes by key group; `forward` and `rebalance` to (old subtask modulo new parallelism); `broadcast` to every new subtask from one and the
//! same old one, whose copy of the broadcast state it takes too.

use crate::checkpoint::{
    CheckpointMetadata, InFlightChannel, RestorePlan, SectionKind, SubtaskSnapshot, read_in_flight, read_state_object,
};
use crate::element::{BatchBuilder, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{Partitioner, Partitioning};
use crate::job::JobGraph;
use crate::runtime::Clock;
use crate::state::owners;
use crate::storage::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records of one channel of the checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredRecords {
    /// The channel.
    pub channel: InFlightChannel,
    /// The subtask that had not worked them off.
    pub receiver: u32,
    /// In order.
    pub batches: Vec<Arc<RecordBatch>>,
}

/// A batch on its way to a subtask.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RestoredBatch {
    /// The edge's number in the graph.
    pub edge: usize,
    /// The subtask that had sent it.
    pub sender: u32,
    pub batch: Arc<RecordBatch>,
}

/// By receiving vertex and subtask, in the order in which they are worked off.
pub(crate) type RestoredRecords = BTreeMap<(usize, u32), Vec<RestoredBatch>>;

/// Reads all records in flight of a checkpoint.
pub(crate) async fn load_in_flight(
    store: &dyn Store,
    clock: &dyn Clock,
    metadata: &CheckpointMetadata,
) -> Result<Vec<StoredRecords>, EngineError> {
    let mut stored = Vec::new();
    let parts = metadata.vertices.iter().flat_map(|vertex| &vertex.subtasks);
    for handle in parts.filter_map(|part: &SubtaskSnapshot| part.in_flight.as_ref()) {
        let reader = read_state_object(store, clock, handle).await?;
        for section in reader.sections() {
            let section = section?;
            if section.kind != SectionKind::InFlight {
                return Err(reader.corrupt(format_args!("it holds {} among in-flight records", section.kind.name())));
            }
            let (channel, batches) = read_in_flight(section.payload).map_err(|what| reader.corrupt(what))?;
            let batches = batches.into_iter().map(Arc::new).collect();
            stored.push(StoredRecords { channel, receiver: section.key_group, batches });
        }
    }
    Ok(stored)
}

/// What stands in the way of working the records off in `graph`: one line for each edge.
pub(crate) fn misfits(stored: &[StoredRecords], graph: &JobGraph, plan: &RestorePlan) -> Vec<String> {
    let lines: BTreeSet<_> = stored.iter().filter_map(|records| misfit(&records.channel, graph, plan)).collect();
    lines.into_iter().collect()
}

fn misfit(channel: &InFlightChannel, graph: &JobGraph, plan: &RestorePlan) -> Option<String> {
    let edge = channel.edge.describe();
    let Some(number) = graph.edge_like(&plan.edge_now(&channel.edge)) else {
        return Some(format!("{edge}: records are in flight on it, and the job has no such edge any more"));
    };
    let (schema, accepts) = (channel.schema.as_ref()?, graph.accepts(&graph.edges[number]));
    let refused = !accepts.is_empty() && !accepts.contains(schema);
    refused.then(|| {
        let accepted: Vec<_> = accepts.iter().map(|schema| schema.to_string()).collect();
        format!("{edge}: records of {schema} are in flight on it, and {} takes {}", channel.edge.to, accepted.join(", "))
    })
}

/// Deals the records out to the subtasks that there are now. The caller has seen that they fit.
pub(crate) fn distribute(
    stored: &[StoredRecords],
    graph: &JobGraph,
    metadata: &CheckpointMetadata,
    plan: &RestorePlan,
) -> Result<RestoredRecords, EngineError> {
    let mut restored = RestoredRecords::new();
    for records in stored {
        let Some(number) = graph.edge_like(&plan.edge_now(&records.channel.edge)) else { continue };
        let edge = &graph.edges[number];
        let parallelism = graph.vertices[edge.to].parallelism;
        let mut give = |subtask: u32, batch: Arc<RecordBatch>| {
            let batch = RestoredBatch { edge: number, sender: records.channel.sender, batch };
            restored.entry((edge.to, subtask)).or_default().push(batch);
        };
        match edge.partitioning {
            Partitioning::Key => by_key(records, parallelism, graph.max_parallelism, &mut give)?,
            Partitioning::Forward | Partitioning::Rebalance => {
                records.batches.iter().for_each(|batch| give(records.receiver % parallelism, batch.clone()));
            }
            Partitioning::Broadcast => {
                let was = metadata.vertex(&records.channel.edge.to).map_or(1, |vertex| vertex.subtasks.len().max(1) as u32);
                let takers = (0..parallelism).filter(|subtask| subtask % was == records.receiver);
                takers.for_each(|subtask| records.batches.iter().for_each(|batch| give(subtask, batch.clone())));
            }
        }
    }
    Ok(restored)
}

fn by_key(
    records: &StoredRecords,
    parallelism: u32,
    max_parallelism: u32,
    give: &mut impl FnMut(u32, Arc<RecordBatch>),
) -> Result<(), EngineError> {
    let mut partitioner = Partitioner::new(Partitioning::Key, parallelism as usize, &owners(parallelism, max_parallelism), 0);
    for batch in &records.batches {
        let mut builders: Vec<_> = (0..parallelism).map(|_| BatchBuilder::new()).collect();
        partitioner.partition(&batch.clone().into(), &mut builders).map_err(|_keyless| {
            let edge = records.channel.edge.describe();
            EngineError::new(ErrorKind::Corrupt, format!("restore records in flight: {edge}: a record has no key"))
        })?;
        let filled = (0..).zip(builders).filter(|(_, builder)| !builder.is_empty());
        filled.for_each(|(subtask, builder)| give(subtask, Arc::new(builder.finish())));
    }
    Ok(())
}

#[cfg(test)]
#[path = "in_flight_records_tests.rs"]
mod tests;
