//! What is shared on the way out: a batch that several are sent is not copied for each of them.

use super::*;
use crate::exchange::{Appetite, ChannelBounds, GateEvent, GateSettings, InFlightBudget, InputChannel, InputGate};
use crate::runtime::Simulator;
use std::task::Waker;

fn bench(partitioning: Partitioning, receivers: usize) -> (Output, Vec<InputGate>) {
    let settings = || GateSettings {
        bounds: ChannelBounds::default(),
        at_least_once: false,
        budget: InFlightBudget::new(1 << 20),
        clock: Simulator::new(1).runtime().clock,
    };
    let channel = InputChannel { node: 0, input: 0, keyed: partitioning == Partitioning::Key, edge: 0, sender: 0 };
    let (gates, senders): (Vec<_>, Vec<_>) = (0..receivers).map(|_| InputGate::new(vec![channel], settings())).unzip();
    let owners: Vec<u16> = (0..128).map(|group| group * receivers as u16 / 128).collect();
    let mut output = Output::default();
    output.add_edge(partitioning, senders.into_iter().flatten().collect(), &owners, 0);
    (output, gates)
}

fn batch(records: usize) -> Arc<RecordBatch> {
    let mut builder = BatchBuilder::new();
    (0..records).for_each(|n| builder.push(Some(n.to_string().as_bytes()), b"v", None));
    Arc::new(builder.finish())
}

fn received(gate: &mut InputGate) -> Arc<RecordBatch> {
    match gate.poll_next(Appetite::Everything, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready(GateEvent::Batch { batch, .. }) => batch,
        other => panic!("a batch was sent, and what came is {}", if other.is_ready() { "something else" } else { "nothing" }),
    }
}

#[test]
fn what_all_receivers_are_sent_is_one_batch_that_they_share() {
    let (mut output, mut gates) = bench(Partitioning::Broadcast, 3);
    output.emit(0, batch(2).into(), Monotonic::default()).unwrap();
    output.emit(0, batch(1).into(), Monotonic::default()).unwrap();
    output.flush();
    let gathered: Vec<_> = gates.iter_mut().map(received).collect();
    assert_eq!(gathered[0].len(), 3);
    assert!(gathered.iter().all(|batch| Arc::ptr_eq(batch, &gathered[0])));

    let large = batch(BATCH_RECORDS);
    output.emit(0, large.clone().into(), Monotonic::default()).unwrap();
    assert!(gates.iter_mut().map(received).all(|batch| Arc::ptr_eq(&batch, &large)));
}

#[test]
fn a_batch_for_the_only_receiver_by_key_is_hashed_where_nobody_else_has_it_and_never_copied() {
    let (mut output, mut gates) = bench(Partitioning::Key, 1);
    let shared = batch(BATCH_RECORDS);
    output.emit(0, shared.clone().into(), Monotonic::default()).unwrap();
    assert!(Arc::ptr_eq(&received(&mut gates[0]), &shared));

    let hashes: Vec<u64> = shared.keys().iter().map(key_hash).collect();
    output.emit(0, batch(BATCH_RECORDS).into(), Monotonic::default()).unwrap();
    assert_eq!(received(&mut gates[0]).hashes(), hashes);
}
