//! Writes what an unaligned barrier overtook into an object of its own: it belongs to one checkpoint, where keyed state may serve several.

use super::SnapshotContext;
use crate::checkpoint::{EdgeIdentity, InFlightChannel, RecordSchema, SectionKind, StateObjectWriter, write_in_flight};
use crate::exchange::InFlightRecords;

/// An edge as it stands beside records that were on it, and what the sender declares of them.
#[derive(Clone, Debug)]
pub struct InFlightEdge {
    /// The edge.
    pub edge: EdgeIdentity,
    /// The sending operator's declaration.
    pub schema: Option<RecordSchema>,
}

/// The object with the records that the task has captured; `None` where there are none.
pub(super) fn in_flight_object(context: &SnapshotContext, records: &InFlightRecords) -> Option<StateObjectWriter> {
    if records.channels().is_empty() {
        return None;
    }
    let mut object = StateObjectWriter::new();
    for channel in records.channels() {
        let InFlightEdge { edge, schema } = context.edges[channel.from.edge].clone();
        let receiver = edge.to.clone();
        let header = InFlightChannel { edge, sender: channel.from.sender, schema };
        let payload = write_in_flight(&header, channel.batches.iter().map(|batch| &**batch));
        object.section(SectionKind::InFlight, &receiver, context.index, &payload);
    }
    Some(object)
}
